/* nonce.c - nonces of all hosts, in Redis; see nonce.h. */
#include "worker/nonce.h"

#include <hiredis/hiredis.h>

#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"
#include "libpayhub/wire/auth_v3.h"
#include "libpayhub/wire/digest.h"
#include "worker/redis.h"
#include "worker/server.h"

#define NONCE_KEY_MAX 384 /* prefix 190, shard, key id 32, nonce 64 */

static void
nonce_done(struct wk_nonce *nonce, enum wk_nonce_verdict verdict)
{
    nonce->verdict  = verdict;
    nonce->is_known = true;
    nonce->done(nonce);
}

/* Redis did not say: the edge knows what its host has seen, unless it does
 * not. */
static void
nonce_unanswered(struct wk_nonce *nonce)
{
    struct ph_str cold
        = ph_field_find(nonce->request->frame.meta, PH_FIELD_NONCE_COLD);

    nonce_done(nonce,
               ph_str_eq(cold, PH_STR("1")) ? WK_NONCE_UNSURE : WK_NONCE_FRESH);
}

/*
 * Could an earlier copy of this call be forgotten by now?  Two copies that are
 * both within half of the life of a key around their timestamp are not farther
 * apart than that life.  Others come from an edge whose window is longer than
 * pay.nonce_ttl was made for, or late.
 */
static bool
nonce_is_in_reach(const struct wk_request *request)
{
    struct ph_str text = ph_field_find(request->frame.meta, PH_FIELD_TIMESTAMP);
    uint64_t      now_ms = ph_now_ms();
    uint64_t most = (uint64_t) wk_conf(request->worker, PH_CONF_pay_nonce_ttl);
    uint64_t sent_s;

    if (!ph_str_u64(text, PH_TIMESTAMP_MAX, &sent_s)) {
        return text.ptr == NULL; /* only a frame of another maker has none */
    }
    uint64_t sent_ms = sent_s * 1000;

    return (now_ms > sent_ms ? now_ms - sent_ms : sent_ms - now_ms) <= most / 2;
}

static void
nonce_on_answer(struct wk_redis *redis, const redisReply *reply, void *data)
{
    struct wk_nonce *nonce = data;

    (void) redis;
    if (reply == NULL) {
        nonce_unanswered(nonce);
    } else if (reply->type == REDIS_REPLY_NIL) {
        nonce_done(nonce, WK_NONCE_FRESH);
    } else if (reply->type == REDIS_REPLY_STRING) {
        bool is_ours = ph_str_eq(ph_str_make(reply->str, (size_t) reply->len),
                                 ph_str_z(nonce->request->id_text));

        nonce_done(nonce, is_ours ? WK_NONCE_FRESH : WK_NONCE_REPLAY);
    } else {
        ph_log(PH_LOG_WARN, "nonce_unasked",
               { "why", reply->type == REDIS_REPLY_ERROR
                            ? ph_str_z(reply->str)
                            : PH_STR("no answer to SET") });
        nonce_unanswered(nonce);
    }
}

static struct ph_str
nonce_key(struct ph_buf *key, const struct wk_request *request,
          struct ph_str shard, struct ph_str text)
{
    char     made[PH_SHARD_TEXT_LEN];
    unsigned number;

    if (shard.len == 0 && ph_shard_of(request->key_id, text, &number)) {
        ph_shard_text(number, made);
        shard = ph_str_make(made, sizeof(made));
    }
    ph_buf_byte(key, '{');
    ph_buf_add(key, ph_str_z(ph_conf_text(request->worker->conf,
                                          PH_CONF_redis_prefix)));
    ph_buf_byte(key, ':');
    ph_buf_add(key, shard);
    ph_buf_add(key, PH_STR("}:n:"));
    ph_buf_add(key, request->key_id);
    ph_buf_byte(key, ':');
    ph_buf_add(key, text);
    return ph_buf_str(key);
}

static bool
nonce_send(struct wk_nonce *nonce, struct ph_str shard, struct ph_str text)
{
    struct wk_request *request = nonce->request;
    char               key_memory[NONCE_KEY_MAX];
    char               ttl_memory[24];
    struct ph_buf      key = PH_BUF_INIT(key_memory);
    struct ph_buf      ttl = PH_BUF_INIT(ttl_memory);

    ph_buf_i64(&ttl, wk_conf(request->worker, PH_CONF_pay_nonce_ttl));
    const struct ph_str args[] = { PH_STR("SET"),
                                   nonce_key(&key, request, shard, text),
                                   ph_str_z(request->id_text),
                                   PH_STR("PX"),
                                   ph_buf_str(&ttl),
                                   PH_STR("NX"),
                                   PH_STR("GET") };

    return !key.full
           && wk_redis_ask(request->worker->redis, nonce_on_answer, nonce, args,
                           PH_COUNT(args));
}

void
wk_nonce_ask(struct wk_request *request, struct ph_str   shard,
             void (*done)(struct wk_nonce *nonce), void *data)
{
    struct ph_str    text  = ph_field_find(request->frame.meta, PH_FIELD_NONCE);
    struct wk_nonce *nonce = &request->nonce;

    *nonce
        = (struct wk_nonce){ .done = done, .data = data, .request = request };
    if (request->key_id.len == 0) {
        nonce_done(nonce, WK_NONCE_FRESH);
    } else if (!nonce_is_in_reach(request)) {
        ph_log(PH_LOG_WARN, "nonce_out_of_reach", { "key", request->key_id },
               { "request", ph_str_z(request->id_text) });
        nonce_done(nonce, WK_NONCE_UNSURE);
    } else if (!ph_str_is_token(text, PH_NONCE_LEN_MAX)
               || !nonce_send(nonce, shard, text))
    {
        nonce_unanswered(nonce);
    }
}

bool
wk_nonce_refuse(struct wk_request *request)
{
    const struct ph_problem problem
        = { .error  = PH_ERROR_NOT_EXECUTED,
            .detail = PH_STR("whether this call was seen before is not known; "
                             "sign again") };
    const struct wk_reply more = { .retry_after_s = 1 };

    switch (request->nonce.verdict) {
    case WK_NONCE_FRESH:
        break;
    case WK_NONCE_REPLAY:
        wk_reply_error(request, PH_ERROR_AUTH, "");
        return true;
    case WK_NONCE_UNSURE:
        wk_reply_problem(request, PH_FRAME_BUSY, &problem, &more);
        return true;
    }
    return false;
}
