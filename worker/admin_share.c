/*
 * admin_share.c - shares of cluster limits, by the function ph_share.
 *
 * {"zones":[{"zone":NAME,"keys":[{"k":HEX,"used":N}, ...]}]} is answered by
 * {"hosts":N,"zones":[{"zone":NAME,"shares":[PARTS, ...]}]} in the same order,
 * PARTS of 10,000.  One question to Redis holds the keys of one zone, at most
 * SHARE_KEYS_MAX of them: what an edge tells in one frame.
 */
#include "worker/admin_int.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#include "worker/redis.h"

#define SHARE_ZONES_MAX 64
#define SHARE_KEYS_MAX 64
#define SHARE_TTL_MS "2000"
#define SHARE_NAME 160
#define SHARE_NUMBER 24
#define SHARE_HASH_LEN 32
#define SHARE_ANSWER_MAX (64 * 1024)

struct share_job;

struct share_zone {
    struct share_job *job;
    struct ph_str     name; /* of the pull's body */
    size_t            keys;
    long long         hosts;
    long long         shares[SHARE_KEYS_MAX];
    bool              is_there;
};

struct share_job {
    struct admin_pull *pull;
    size_t             zones;
    size_t             waiting;
    struct share_zone  zone[SHARE_ZONES_MAX];
};

static void
zone_write(struct ph_buf *out, const struct share_zone *zone)
{
    ph_buf_add(out, PH_STR("{\"zone\":"));
    ph_buf_json(out, zone->name);
    ph_buf_add(out, PH_STR(",\"hosts\":"));
    ph_buf_i64(out, zone->hosts);
    ph_buf_add(out, PH_STR(",\"shares\":["));
    for (size_t i = 0; i < zone->keys; i++) {
        ph_buf_add(out, i != 0 ? PH_STR(",") : PH_STR(""));
        ph_buf_i64(out, zone->shares[i]);
    }
    ph_buf_add(out, PH_STR("]}"));
}

static void
job_end(struct share_job *job)
{
    bool          is_first = true;
    struct ph_buf out;

    if (--job->waiting != 0) {
        return;
    }
    char *text = malloc(SHARE_ANSWER_MAX);

    if (text == NULL) {
        wk_admin_refuse(job->pull, PH_FRAME_BUSY, "no memory");
        free(job);
        return;
    }
    ph_buf_init(&out, text, SHARE_ANSWER_MAX);
    ph_buf_add(&out, PH_STR("{\"v\":1,\"zones\":["));
    for (size_t i = 0; i < job->zones; i++) {
        if (job->zone[i].is_there) {
            ph_buf_add(&out, is_first ? PH_STR("") : PH_STR(","));
            zone_write(&out, &job->zone[i]);
            is_first = false;
        }
    }
    ph_buf_add(&out, PH_STR("]}"));
    if (out.full) {
        wk_admin_refuse(job->pull, PH_FRAME_BUSY, "the answer is too long");
    } else {
        wk_admin_send(job->pull, ph_buf_str(&out));
    }
    free(text);
    free(job);
}

static void
zone_answer(struct wk_redis *redis, const redisReply *reply, void *data)
{
    struct share_zone *zone = data;

    if (reply != NULL && reply->type == REDIS_REPLY_ERROR) {
        wk_redis_distrust(redis);
    } else if (reply != NULL && reply->type == REDIS_REPLY_ARRAY
               && reply->elements == zone->keys + 1)
    {
        zone->is_there = true;
        zone->hosts    = reply->element[0]->integer;
        for (size_t i = 0; i < zone->keys; i++) {
            zone->shares[i] = reply->element[i + 1]->integer;
        }
    }
    job_end(zone->job);
}

/* {ph:lim:NAME}:h and {ph:lim:NAME}:k:HEX */
static struct ph_str
name_make(char memory[SHARE_NAME], struct ph_str prefix, struct ph_str zone,
          struct ph_str end, struct ph_str key)
{
    struct ph_buf out;

    ph_buf_init(&out, memory, SHARE_NAME);
    ph_buf_byte(&out, '{');
    ph_buf_add(&out, prefix);
    ph_buf_add(&out, PH_STR(":lim:"));
    ph_buf_add(&out, zone);
    ph_buf_byte(&out, '}');
    ph_buf_add(&out, end);
    ph_buf_add(&out, key);
    return out.full ? ph_str_make(NULL, 0) : ph_buf_str(&out);
}

static bool
zone_ask(struct share_zone *zone, const json_t *keys)
{
    static char       names[SHARE_KEYS_MAX + 1][SHARE_NAME];
    static char       numbers[SHARE_KEYS_MAX][SHARE_NUMBER];
    struct ph_str     args[WK_REDIS_ARGS_MAX];
    char              count_memory[SHARE_NUMBER];
    struct ph_buf     count_text = PH_BUF_INIT(count_memory);
    struct wk_worker *worker     = zone->job->pull->admin->worker;
    struct ph_str     prefix
        = ph_str_z(ph_conf_text(worker->conf, PH_CONF_redis_prefix));
    size_t count = zone->keys, at = 0;

    _Static_assert(2 * SHARE_KEYS_MAX + 6 <= WK_REDIS_ARGS_MAX,
                   "the keys of a question fit");
    ph_buf_u64(&count_text, count + 1);
    args[at++] = PH_STR("FCALL");
    args[at++] = PH_STR("ph_share");
    args[at++] = ph_buf_str(&count_text);
    args[at++]
        = name_make(names[count], prefix, zone->name, PH_STR(":h"), PH_STR(""));
    for (size_t i = 0; i < count; i++) {
        struct ph_str key = wk_admin_text(json_array_get(keys, i), "k");

        if (!ph_str_is_token(key, SHARE_HASH_LEN)) {
            return false;
        }
        args[at++]
            = name_make(names[i], prefix, zone->name, PH_STR(":k:"), key);
    }
    args[at++] = wk_admin_text(zone->job->pull->asks, "host");
    args[at++] = PH_STR(SHARE_TTL_MS);
    for (size_t i = 0; i < count; i++) {
        json_int_t used = json_integer_value(
            json_object_get(json_array_get(keys, i), "used"));

        used = used < 0 ? 0 : used > INT32_MAX ? INT32_MAX : used;
        (void) snprintf(numbers[i], SHARE_NUMBER, "%lld", (long long) used);
        args[at++] = ph_str_z(numbers[i]);
    }
    return wk_redis_ask(worker->redis, zone_answer, zone, args, at);
}

void
wk_admin_share(struct admin_pull *pull)
{
    const json_t     *zones = json_object_get(pull->asks, "zones");
    struct share_job *job   = calloc(1, sizeof(*job));

    if (job == NULL) {
        wk_admin_refuse(pull, PH_FRAME_BUSY, "no memory");
        return;
    }
    job->pull    = pull;
    job->waiting = 1;
    for (size_t i = 0; i < json_array_size(zones) && i < SHARE_ZONES_MAX; i++) {
        const json_t      *asks = json_array_get(zones, i);
        const json_t      *keys = json_object_get(asks, "keys");
        struct share_zone *zone = &job->zone[job->zones];

        zone->job  = job;
        zone->name = wk_admin_text(asks, "zone");
        zone->keys = json_array_size(keys);
        if (!ph_str_is_token(zone->name, 32) || zone->keys > SHARE_KEYS_MAX) {
            continue;
        }
        job->zones++;
        job->waiting++;
        if (!zone_ask(zone, keys)) {
            job->waiting--; /* away: no answer of it will come */
        }
    }
    job_end(job);
}
