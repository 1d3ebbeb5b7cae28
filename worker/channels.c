/* channels.c - see channels.h. */
#include "worker/channels.h"

#include <stdlib.h>
#include <unistd.h>

#include "channels/declarative/declared.h"
#include "libpayhub/domain/error.h"
#include "libpayhub/io/log.h"

#define BUILT_IN_MAX 32
/* read at most: those over PH_CHANNEL_LOADED_MAX are refused by name */
#define ROWS_MAX (2 * PH_CHANNEL_LOADED_MAX)

struct wk_channels {
    struct wk_channel built_in[BUILT_IN_MAX];
    size_t            built_in_count;
    struct wk_channel loaded[PH_CHANNEL_LOADED_MAX];
    size_t            loaded_count;
    char              bad[PH_CHANNEL_LOADED_MAX][WK_CHANNEL_ID_MAX + 1];
    size_t            bad_count;

    struct wk_channel_set set;
};

/* ---- those of the start ---- */

static void
file_refused(void *data, const char *file, const struct ph_channel_fault *fault)
{
    struct wk_channels *channels = data;

    ph_log(PH_LOG_ERROR, "channel_refused",
           { "code", ph_error_info(PH_ERROR_C_CHANNEL_FILE)->code },
           { "file", ph_str_z(file) }, { "found", ph_str_z(fault->found) },
           { "expected", ph_str_z(fault->expected) });
    if (channels->bad_count < PH_COUNT(channels->bad)) {
        struct ph_buf name;

        ph_buf_init(&name, channels->bad[channels->bad_count],
                    WK_CHANNEL_ID_MAX + 1);
        ph_buf_add(&name, ph_str_make(file, strnlen(file, WK_CHANNEL_ID_MAX)));
        (void) ph_buf_z(&name);
        channels->bad_count++;
    }
}

static void
folder_load(struct wk_channels *channels, const char *folder)
{
    const struct ph_channel     *faces[PH_CHANNEL_LOADED_MAX];
    size_t                       refused = 0;
    const struct ph_channel_load load    = { .folder  = folder,
                                             .owner   = geteuid(),
                                             .refused = file_refused,
                                             .data    = channels };

    channels->loaded_count
        = ph_channels_load(&load, faces, PH_COUNT(faces), &refused);
    for (size_t i = 0; i < channels->loaded_count; i++) {
        channels->loaded[i]
            = (struct wk_channel){ .face = faces[i], .refs = 1 };
        ph_log(PH_LOG_INFO, "channel_loaded",
               { "channel", ph_str_z(faces[i]->name) });
    }
}

struct wk_channels *
wk_channels_new(const struct ph_conf *conf)
{
    struct wk_channels *channels = calloc(1, sizeof(*channels));
    const char         *folder   = ph_conf_text(conf, PH_CONF_pay_channel_dir);

    if (channels == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < BUILT_IN_MAX && ph_channel_at(i) != NULL; i++) {
        channels->built_in[i]
            = (struct wk_channel){ .face = ph_channel_at(i), .refs = 1 };
        channels->built_in_count++;
    }
    if (folder[0] != '\0') {
        folder_load(channels, folder);
    }
    return channels;
}

void
wk_channels_free(struct wk_channels *channels)
{
    if (channels == NULL) {
        return;
    }
    for (size_t i = 0; i < channels->set.count; i++) {
        wk_channel_release(channels->set.list[i]);
    }
    free(channels);
}

/* ---- those of the rows ---- */

static struct wk_channel *
set_find(const struct wk_channel_set *set, struct ph_str name)
{
    for (size_t i = 0; i < set->count; i++) {
        if (ph_str_eq(ph_str_z(set->list[i]->face->name), name)) {
            return set->list[i];
        }
    }
    return NULL;
}

static struct wk_channel *
fixed_find(struct wk_channels *channels, struct ph_str name)
{
    for (size_t i = 0; i < channels->built_in_count; i++) {
        if (ph_str_eq(ph_str_z(channels->built_in[i].face->name), name)) {
            return &channels->built_in[i];
        }
    }
    for (size_t i = 0; i < channels->loaded_count; i++) {
        if (ph_str_eq(ph_str_z(channels->loaded[i].face->name), name)) {
            return &channels->loaded[i];
        }
    }
    return NULL;
}

struct wk_channel *
wk_channel_find(struct wk_channels *channels, const struct wk_channel_set *set,
                struct ph_str name)
{
    struct wk_channel *fixed = fixed_find(channels, name);

    return fixed != NULL ? fixed : set_find(set, name);
}

const struct wk_channel_set *
wk_channels_set(const struct wk_channels *channels)
{
    return &channels->set;
}

static struct wk_channel *
declared_new(struct ph_str name, struct ph_str body,
             const uint8_t digest[PH_SHA256_LEN], struct ph_buf *why)
{
    struct wk_channel  *channel  = calloc(1, sizeof(*channel));
    struct ph_declared *declared = NULL;

    if (channel == NULL) {
        ph_buf_add(why, PH_STR("found no memory, expected some"));
        return NULL;
    }
    declared = ph_declared_open(body, why);
    if (declared != NULL
        && !ph_str_eq(ph_str_z(ph_declared_channel(declared)->name), name))
    {
        ph_buf_add(why,
                   PH_STR("/name: found another name, expected its row's"));
        ph_declared_close(declared);
        declared = NULL;
    }
    if (declared == NULL) {
        free(channel);
        return NULL;
    }
    channel->declared = declared;
    channel->face     = ph_declared_channel(declared);
    memcpy(channel->digest, digest, sizeof(channel->digest));
    return channel;
}

static void
row_refuse(struct wk_channel_set *next, struct ph_str name, struct ph_str why)
{
    struct ph_buf bad;

    ph_log(PH_LOG_ERROR, "channel_refused",
           { "code", ph_error_info(PH_ERROR_C_CHANNEL_FILE)->code },
           { "channel", name }, { "why", why });
    if (next->bad_count < PH_COUNT(next->bad)) {
        ph_buf_init(&bad, next->bad[next->bad_count++],
                    PH_CHANNEL_NAME_MAX + 1);
        ph_buf_add(&bad, name);
        (void) ph_buf_z(&bad);
    }
}

/* The row's channel: the one in use when nothing changed, or when what changed
 * cannot be used. */
static void
row_take(struct wk_channels *channels, struct wk_channel_set *next,
         struct ph_str name, struct ph_str body)
{
    char               memory[PH_DECLARED_WHY_MAX];
    struct ph_buf      why    = PH_BUF_INIT(memory);
    struct wk_channel *before = set_find(&channels->set, name), *now = NULL;
    uint8_t            digest[PH_SHA256_LEN];

    if (!ph_channel_name_ok(name) || fixed_find(channels, name) != NULL) {
        row_refuse(next, name,
                   PH_STR("/name: found a name that is taken or none, "
                          "expected [a-z][a-z0-9_]{1,31}"));
        return;
    }
    if (next->count + channels->loaded_count >= PH_CHANNEL_LOADED_MAX) {
        row_refuse(next, name, PH_STR("found more than 64 channels"));
        return;
    }
    if (!ph_sha256(&body, 1, digest)) {
        ph_buf_add(&why, PH_STR("SHA-256 failed"));
    } else if (before != NULL
               && memcmp(before->digest, digest, sizeof(digest)) == 0)
    {
        now = before;
    } else {
        now = declared_new(name, body, digest, &why);
    }
    if (now == NULL) {
        row_refuse(next, name, ph_buf_str(&why));
        now = before;
    }
    if (now != NULL) {
        next->is_new[next->count] = now != before;
        next->list[next->count++] = now;
    }
}

static void
channel_free(struct wk_channel *channel)
{
    ph_declared_close(channel->declared);
    free(channel);
}

bool
wk_channel_set_read(struct wk_db *db, struct wk_channels *channels,
                    struct wk_channel_set *next)
{
    struct ph_str texts[2];

    *next = (struct wk_channel_set){ .count = 0 };
    wk_db_clear(db);
    /* what is withdrawn and used by nobody takes no room */
    wk_sql(db, PH_STR("SELECT name,body FROM channel_file f WHERE "
                      "status='active' OR EXISTS (SELECT 1 FROM "
                      "channel_account a WHERE a.channel=f.name) "
                      "ORDER BY name LIMIT "));
    wk_sql_i64(db, ROWS_MAX);
    wk_sql_end(db);
    if (!wk_db_run(db)) {
        return false;
    }
    while (wk_db_next(db, 0, texts, PH_COUNT(texts))) {
        row_take(channels, next, texts[0], texts[1]);
    }
    return true;
}

void
wk_channel_set_drop(struct wk_channel_set *next)
{
    for (size_t i = 0; i < next->count; i++) {
        if (next->is_new[i]) {
            channel_free(next->list[i]);
        }
    }
    next->count = 0;
}

void
wk_channels_use(struct wk_channels *channels, const struct wk_channel_set *next)
{
    const struct wk_channel_set before = channels->set;

    channels->set = *next;
    for (size_t i = 0; i < next->count; i++) {
        if (next->is_new[i]) {
            ph_log(PH_LOG_INFO, "channel_declared",
                   { "channel", ph_str_z(next->list[i]->face->name) });
        }
        wk_channel_hold(next->list[i]);
    }
    for (size_t i = 0; i < before.count; i++) {
        wk_channel_release(before.list[i]);
    }
}

void
wk_channel_hold(struct wk_channel *channel)
{
    channel->refs++;
}

void
wk_channel_release(struct wk_channel *channel)
{
    if (--channel->refs == 0) { /* those of the start keep one for ever */
        channel_free(channel);
    }
}

/* ---- told ---- */

const struct ph_channel *
wk_channels_more(const struct wk_channels *channels, size_t i)
{
    if (i < channels->loaded_count) {
        return channels->loaded[i].face;
    }
    i -= channels->loaded_count;
    return i < channels->set.count ? channels->set.list[i]->face : NULL;
}

const char *
wk_channels_bad(const struct wk_channels *channels, size_t i)
{
    if (i < channels->bad_count) {
        return channels->bad[i];
    }
    i -= channels->bad_count;
    return i < channels->set.bad_count ? channels->set.bad[i] : NULL;
}
