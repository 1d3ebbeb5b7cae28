/*
 * sink.c - reads the position, applies batches.
 *
 * Every failure whose outcome is not known ends in the same place: the
 * connection goes, and the position is read again before anything is sent.
 */
#include "sidecar/sink.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

#include "libpayhub/domain/counter.h"
#include "libpayhub/io/daemon.h"
#include "libpayhub/io/db.h"
#include "libpayhub/io/log.h"
#include "sidecar/words.h"

#define ARGV_STEP 512
#define EPOCH_FIRST "1"
#define ACCOUNTS_MARGIN_MS 120000

bool
bl_sink_init(struct bl_sink *sink, const struct ph_conf *conf,
             struct ph_buf *why)
{
    memset(sink, 0, sizeof(*sink));
    sink->conf       = conf;
    sink->prefix     = ph_str_z(ph_conf_text(conf, PH_CONF_redis_prefix));
    sink->day_offset = ph_str_z(ph_conf_text(conf, PH_CONF_sidecar_day_offset));
    if (ph_day_offset(sink->day_offset, &sink->day_offset_min) != PH_OK) {
        ph_buf_add(why, PH_STR("sidecar.day_offset: found "));
        ph_buf_add(why, sink->day_offset);
        ph_buf_add(why, PH_STR(", expected +HH:MM or -HH:MM, at most 14:00"));
        return false;
    }
    if (!bl_cells_init(&sink->days)) {
        ph_buf_add(why, PH_STR("out of memory"));
        return false;
    }
    return true;
}

static void
disconnect(struct bl_sink *sink)
{
    redisFree(sink->redis); /* accepts NULL */
    sink->redis = NULL;
}

void
bl_sink_deinit(struct bl_sink *sink)
{
    disconnect(sink);
    bl_words_deinit(&sink->words);
    free(sink->days.cell);
    free(sink->sorted);
    free(sink->argv);
    free(sink->argv_len);
}

static bool
argv_room(struct bl_sink *sink)
{
    size_t need = sink->words.count;

    if (need <= sink->argv_size) {
        return true;
    }
    size_t       size = need * 2 + ARGV_STEP;
    const char **argv = realloc(sink->argv, size * sizeof(*argv));
    if (argv != NULL) {
        sink->argv = argv;
    }
    size_t *len = realloc(sink->argv_len, size * sizeof(*len));
    if (len != NULL) {
        sink->argv_len = len;
    }
    if (argv == NULL || len == NULL) {
        return false;
    }
    sink->argv_size = size;
    return true;
}

/* Sends sink->words; NULL = no answer, then the connection is gone. */
static redisReply *
words_call(struct bl_sink *sink, struct ph_buf *why)
{
    struct bl_words *words = &sink->words;

    if (words->failed || !argv_room(sink)) {
        ph_buf_add(why, PH_STR("out of memory for a Redis command"));
        disconnect(sink);
        return NULL;
    }
    for (size_t i = 0; i < words->count; i++) {
        struct ph_str word = bl_words_get(words, i);

        sink->argv[i]     = word.ptr;
        sink->argv_len[i] = word.len;
    }
    redisReply *reply = redisCommandArgv(sink->redis, (int) words->count,
                                         sink->argv, sink->argv_len);
    if (reply == NULL) {
        ph_buf_add(why, PH_STR("Redis: "));
        ph_buf_add(why, ph_str_z(sink->redis->errstr));
        disconnect(sink);
    } else if (reply->type == REDIS_REPLY_ERROR) {
        ph_buf_add(why, PH_STR("Redis: "));
        ph_buf_add(why, ph_str_make(reply->str, (size_t) reply->len));
        freeReplyObject(reply);
        disconnect(sink);
        reply = NULL;
    }
    return reply;
}

static redisReply *
call(struct bl_sink *sink, struct ph_buf *why, size_t count,
     const struct ph_str *word)
{
    bl_words_clear(&sink->words);
    for (size_t i = 0; i < count; i++) {
        bl_words_add(&sink->words, word[i]);
    }
    return words_call(sink, why);
}

#define CALL(sink, why, ...)                                                   \
    call((sink), (why),                                                        \
         sizeof((struct ph_str[]){ __VA_ARGS__ }) / sizeof(struct ph_str),     \
         (struct ph_str[]){ __VA_ARGS__ })

static struct ph_str
reply_str(const redisReply *reply)
{
    bool is_text = reply->type == REDIS_REPLY_STRING
                   || reply->type == REDIS_REPLY_STATUS;

    return is_text ? ph_str_make(reply->str, (size_t) reply->len)
                   : ph_str_make(NULL, 0);
}

/* The epoch that readers use; the first sidecar of all makes it 1. */
static enum bl_load
epoch_load(struct bl_sink *sink, struct ph_buf *why)
{
    char          memory[PH_CONF_LINE_MAX + PH_COUNTER_KEY_MAX];
    struct ph_buf key = PH_BUF_INIT(memory);

    ph_counter_epoch_key(&key, sink->prefix);
    redisReply *reply = CALL(sink, why, PH_STR("SET"), ph_buf_str(&key),
                             PH_STR(EPOCH_FIRST), PH_STR("NX"));
    if (reply == NULL) {
        return BL_LOAD_DOWN;
    }
    freeReplyObject(reply);
    reply = CALL(sink, why, PH_STR("GET"), ph_buf_str(&key));
    if (reply == NULL) {
        return BL_LOAD_DOWN;
    }
    bool ok = ph_str_u64(reply_str(reply), UINT32_MAX, &sink->epoch);
    freeReplyObject(reply);
    if (!ok) {
        ph_buf_add(why, ph_buf_str(&key));
        ph_buf_add(why, PH_STR(": found no number, expected an epoch"));
        return BL_LOAD_REFUSED;
    }
    return BL_LOAD_OK;
}

/* Day buckets of one epoch all begin at the same hour. */
static enum bl_load
day_offset_check(struct bl_sink *sink, struct ph_str key, struct ph_buf *why)
{
    redisReply *reply = CALL(sink, why, PH_STR("HSETNX"), key,
                             PH_STR("day_offset"), sink->day_offset);

    if (reply == NULL) {
        return BL_LOAD_DOWN;
    }
    freeReplyObject(reply);
    reply = CALL(sink, why, PH_STR("HGET"), key, PH_STR("day_offset"));
    if (reply == NULL) {
        return BL_LOAD_DOWN;
    }
    bool same = ph_str_eq(reply_str(reply), sink->day_offset);
    if (!same) {
        ph_buf_add(why, PH_STR("sidecar.day_offset: found "));
        ph_buf_add(why, sink->day_offset);
        ph_buf_add(why, PH_STR(", expected "));
        ph_buf_add(why, reply_str(reply));
        ph_buf_add(why, PH_STR(", with which this epoch was begun"));
    }
    freeReplyObject(reply);
    return same ? BL_LOAD_OK : BL_LOAD_REFUSED;
}

/*
 * Ends by account are counted from the first sidecar on that knows them.  An
 * epoch that it did not begin has them whole from a later minute: rows that
 * it reads may have ended a little before their commit.
 */
static enum bl_load
accounts_from_note(struct bl_sink *sink, struct ph_str key, struct ph_buf *why)
{
    char          memory[24];
    struct ph_buf from = PH_BUF_INIT(memory);

    ph_buf_u64(&from,
               sink->stored[0] == '\0' ? 0 : ph_now_ms() + ACCOUNTS_MARGIN_MS);
    redisReply *reply
        = CALL(sink, why, PH_STR("HSETNX"), key,
               PH_STR(PH_COUNTER_ACCOUNTS_FROM), ph_buf_str(&from));
    if (reply == NULL) {
        return BL_LOAD_DOWN;
    }
    freeReplyObject(reply);
    return BL_LOAD_OK;
}

static enum bl_load
position_load(struct bl_sink *sink, struct ph_str key,
              struct bl_position *position, struct ph_buf *why)
{
    redisReply *reply = CALL(sink, why, PH_STR("HGET"), key, PH_STR("gtid"));

    if (reply == NULL) {
        return BL_LOAD_DOWN;
    }
    struct ph_str text = reply_str(reply);
    bool          ok   = text.len < sizeof(sink->stored)
              && bl_position_parse(text, position) == PH_OK;
    if (ok) {
        if (text.len != 0) {
            memcpy(sink->stored, text.ptr, text.len);
        }
        sink->stored[text.len] = '\0';
    } else {
        ph_buf_add(why, key);
        ph_buf_add(why, PH_STR(" gtid: found \""));
        ph_buf_add(why, text);
        ph_buf_add(why, PH_STR("\", expected a list of DOMAIN-SERVER-SEQ"));
    }
    freeReplyObject(reply);
    return ok ? BL_LOAD_OK : BL_LOAD_REFUSED;
}

enum bl_load
bl_sink_load(struct bl_sink *sink, struct bl_position *position,
             struct ph_buf *why)
{
    char          memory[PH_CONF_LINE_MAX + PH_COUNTER_KEY_MAX];
    struct ph_buf key = PH_BUF_INIT(memory);

    if (sink->redis == NULL) {
        sink->redis = ph_redis_open(sink->conf, why);
    }
    if (sink->redis == NULL) {
        return BL_LOAD_DOWN;
    }
    if (!ph_redis_functions(sink->redis, why)) {
        disconnect(sink);
        return BL_LOAD_DOWN;
    }
    enum bl_load load = epoch_load(sink, why);
    if (load != BL_LOAD_OK) {
        return load;
    }
    ph_counter_position_key(&key, sink->prefix, sink->epoch);
    load = day_offset_check(sink, ph_buf_str(&key), why);
    if (load != BL_LOAD_OK) {
        return load;
    }
    load = position_load(sink, ph_buf_str(&key), position, why);
    return load != BL_LOAD_OK ? load
                              : accounts_from_note(sink, ph_buf_str(&key), why);
}

/*
 * Rows of a prepared transaction wait in a hash of their own.  Nobody changes
 * it but the sidecar that wins the compare-and-set below, so that reading it
 * outside of that call is safe.
 */
static bool
pending_take(struct bl_sink *sink, struct bl_sums *sums, uint8_t xa,
             struct ph_buf *why)
{
    char          memory[PH_CONF_LINE_MAX + BL_XID_TEXT_MAX + 64];
    struct ph_buf key = PH_BUF_INIT(memory);
    bool          ok  = true;

    bl_xa_key(sink, sums->xid[xa - 1].text, &key);
    redisReply *reply = CALL(sink, why, PH_STR("HGETALL"), ph_buf_str(&key));
    if (reply == NULL) {
        return false;
    }
    for (size_t i = 0; ok && i + 1 < reply->elements; i += 2) {
        ok = bl_xa_resolve(sums, xa, reply_str(reply->element[i]),
                           reply_str(reply->element[i + 1]));
    }
    freeReplyObject(reply);
    if (!ok) {
        ph_buf_add(why, ph_buf_str(&key));
        ph_buf_add(why, PH_STR(": found a field that is not of ours"));
        disconnect(sink);
    }
    return ok;
}

static enum bl_apply
reply_judge(struct bl_sink *sink, const struct bl_sums *sums,
            const redisReply *reply, struct ph_buf *why)
{
    struct ph_buf stored;

    if (ph_str_eq(reply_str(reply), PH_STR("OK"))) {
        ph_buf_init(&stored, sink->stored, sizeof(sink->stored));
        bl_position_format(&sums->position, &stored);
        (void) ph_buf_z(&stored);
        return BL_APPLY_OK;
    }
    ph_buf_add(why, PH_STR("expected position "));
    ph_buf_add(why, ph_str_z(sink->stored));
    ph_buf_add(why, PH_STR(", found "));
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2) {
        ph_buf_add(why, reply_str(reply->element[1]));
    }
    return BL_APPLY_STALE;
}

enum bl_apply
bl_sink_apply(struct bl_sink *sink, struct bl_sums *sums, struct ph_buf *why)
{
    if (sink->redis == NULL) {
        ph_buf_add(why, PH_STR("Redis: not connected"));
        return BL_APPLY_DOWN;
    }
    for (size_t i = 0; i < sums->xids; i++) {
        if (sums->xid[i].is_resolved
            && !pending_take(sink, sums, (uint8_t) (i + 1), why))
        {
            return BL_APPLY_DOWN;
        }
    }
    if (!bl_apply_words(sink, sums)) {
        ph_buf_add(why, PH_STR("out of memory, or a sum beyond 64 bits"));
        disconnect(sink);
        return BL_APPLY_DOWN;
    }
    redisReply *reply = words_call(sink, why);
    if (reply == NULL) {
        return BL_APPLY_DOWN;
    }
    enum bl_apply result = reply_judge(sink, sums, reply, why);
    freeReplyObject(reply);
    return result;
}
