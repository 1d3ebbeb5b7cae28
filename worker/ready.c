/*
 * ready.c - GET /readyz: whether this worker can take payments.
 *
 * Told from what the periodic reads saw last, so it asks nobody and never
 * waits.
 */
#include "libpayhub/base/version.h"
#include "worker/account.h"
#include "worker/channels.h"
#include "worker/redis.h"
#include "worker/route.h"

static void
ready_part(struct ph_buf *buf, const char *name, bool is_there)
{
    ph_buf_add(buf, PH_STR(",\""));
    ph_buf_add(buf, ph_str_z(name));
    ph_buf_add(buf, is_there ? PH_STR("\":\"ok\"") : PH_STR("\":\"away\""));
}

static void
ready_refuse(struct wk_request *request, bool has_store, bool has_redis)
{
    char          memory[128];
    struct ph_buf detail = PH_BUF_INIT(memory);

    ph_buf_add(&detail, PH_STR("missing:"));
    ph_buf_add(&detail, has_store ? PH_STR("") : PH_STR(" mysql"));
    ph_buf_add(&detail, has_redis ? PH_STR("") : PH_STR(" redis"));
    if (request->worker->is_draining) {
        ph_buf_cut(&detail, 0);
        ph_buf_add(&detail, PH_STR("this worker is ending"));
    }
    const struct ph_problem problem
        = { .error = PH_ERROR_NOT_READY, .detail = ph_buf_str(&detail) };

    wk_reply_problem(request, PH_FRAME_RESULT, &problem, NULL);
}

/* files and rows that the log tells more about */
static void
bad_channels_add(struct ph_buf *buf, const struct wk_channels *channels)
{
    const char *name, *between = "";

    ph_buf_add(buf, PH_STR(",\"bad_channels\":["));
    for (size_t i = 0; (name = wk_channels_bad(channels, i)) != NULL; i++) {
        if (ph_str_utf8_count(ph_str_z(name)) != SIZE_MAX) {
            ph_buf_add(buf, ph_str_z(between));
            ph_buf_json(buf, ph_str_z(name));
            between = ",";
        }
    }
    ph_buf_byte(buf, ']');
}

void
wk_ready_tell(struct wk_request *request, const struct wk_route_match *match)
{
    struct wk_worker *worker    = request->worker;
    bool              has_store = wk_accounts_are_fresh(worker->accounts);
    bool              has_redis = wk_redis_is_up(worker->redis);

    (void) match;
    if (!has_store || !has_redis || worker->is_draining) {
        ready_refuse(request, has_store, has_redis);
        return;
    }
    struct ph_buf *buf = wk_server_text(worker);

    ph_buf_add(buf, PH_STR("{\"status\":\"ready\""));
    ready_part(buf, "mysql", has_store);
    ready_part(buf, "redis", has_redis);
    ph_buf_add(buf, PH_STR(",\"accounts\":"));
    ph_buf_u64(buf, wk_accounts_count(worker->accounts));
    ph_buf_add(buf, PH_STR(",\"accounts_refused\":"));
    ph_buf_u64(buf, wk_accounts_bad(worker->accounts));
    bad_channels_add(buf, worker->channels);
    ph_buf_add(buf, PH_STR(",\"version\":\"" PH_VERSION "\"}"));

    const struct wk_reply reply
        = { .type = PH_FRAME_RESULT, .status = 200, .body = ph_buf_str(buf) };
    wk_reply(request, &reply);
}
