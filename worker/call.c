/*
 * call.c - the call engine: two lanes of curl transfers on the loop.
 *
 *   wk_call_start -> call_slot_load -> curl_multi_add_handle
 *        |                                 | on_poll, on_timer
 *        | (cannot be loaded)              v
 *        +----> doomed ---- on_later --> slot_finish -> call->done()
 *
 * What it is not: it knows no payments and repeats nothing.
 *
 * Invariants:
 * (1) a slot with a call is in exactly one of busy and doomed;
 * (2) done() is called from on_poll, on_timer or on_later only, so never from
 *     inside wk_call_start();
 * (3) busy_count <= slot_max; slots are made on first use and kept.  There is
 *     at most one more, whose done() runs: it still holds the reply, but a
 *     call that done() starts must find its place free.
 *
 * @thread loop.  Sizes are read from the configuration once, at wk_calls_new.
 */
#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

#include "libpayhub/io/log.h"
#include "worker/call_int.h"

#define CALL_LANES 2
#define DNS_CACHE_S 60L /* of webhooks */
#define MS_PER_S 1000

struct wk_calls {
    uv_loop_t       *loop;
    struct call_lane lanes[CALL_LANES]; /* by enum wk_call_class */
    unsigned         handles_open;
};

/* a socket that curl wants watched; dies in its own close callback */
struct call_poll {
    uv_poll_t         poll;
    struct call_lane *lane;
    curl_socket_t     socket;
};

/* --- finishing ------------------------------------------------------------ */

static void
slot_finish(struct call_slot *slot, CURLcode code)
{
    struct call_lane *lane = slot->lane;
    struct wk_call   *call = slot->call;

    if (slot->in_multi) {
        curl_multi_remove_handle(lane->multi, slot->easy);
        slot->in_multi = false;
    }
    call_slot_judge(slot, code);
    if (slot->is_doomed) {
        DL_DELETE(lane->doomed, slot);
    } else {
        DL_DELETE(lane->busy, slot);
    }
    call->engine = NULL;
    lane->busy_count--;
    call->done(call); /* may free the call; may start others */
    call_slot_unload(slot);
    DL_PREPEND(lane->idle, slot);
}

static void
lane_reap(struct call_lane *lane)
{
    CURLMsg *message;
    int      left;

    while ((message = curl_multi_info_read(lane->multi, &left)) != NULL) {
        struct call_slot *slot = NULL;
        CURLcode          code = message->data.result;

        if (message->msg != CURLMSG_DONE
            || curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &slot)
                   != CURLE_OK)
        {
            continue;
        }
        slot_finish(slot, code);
    }
}

static void
on_later(uv_timer_t *timer)
{
    struct call_lane *lane = timer->data;
    struct call_slot *slot;
    size_t            count;

    /* only those of now: done() may doom more, for a turn after this one */
    DL_COUNT(lane->doomed, slot, count);
    while (count-- > 0) {
        slot_finish(lane->doomed, CURLE_ABORTED_BY_CALLBACK);
    }
}

static void
slot_doom(struct call_slot *slot)
{
    struct call_lane *lane = slot->lane;

    slot->is_doomed = true;
    DL_APPEND(lane->doomed, slot);
    /* a timer of 0 ms could come round within one and the same turn */
    uv_timer_start(&lane->later, on_later, 1, 0);
}

/* --- curl on the loop ----------------------------------------------------- */

static void
lane_act(struct call_lane *lane, curl_socket_t socket, int what)
{
    int       running;
    CURLMcode code
        = curl_multi_socket_action(lane->multi, socket, what, &running);

    if (code != CURLM_OK) {
        /* Out of memory, or a fault of ours: transfers would hang for ever.
         * Attempts are on disk as sent; a fresh process asks about them. */
        ph_log(PH_LOG_ERROR, "call_engine_broken",
               { "found", ph_str_z(curl_multi_strerror(code)) });
        abort();
    }
    lane_reap(lane);
}

static void
on_poll(uv_poll_t *handle, int status, int events)
{
    struct call_poll *watch = handle->data;
    int               what  = status < 0 ? CURL_CSELECT_ERR : 0;

    if (events & UV_READABLE) {
        what |= CURL_CSELECT_IN;
    }
    if (events & UV_WRITABLE) {
        what |= CURL_CSELECT_OUT;
    }
    lane_act(watch->lane, watch->socket, what);
}

static void
on_timer(uv_timer_t *timer)
{
    lane_act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int
on_timeout_change(CURLM *multi, long timeout_ms, void *data)
{
    struct call_lane *lane = data;

    (void) multi;
    if (timeout_ms < 0) {
        uv_timer_stop(&lane->timer);
    } else {
        uv_timer_start(&lane->timer, on_timer, (uint64_t) timeout_ms, 0);
    }
    return 0;
}

static void
on_poll_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static struct call_poll *
poll_new(struct call_lane *lane, curl_socket_t socket)
{
    struct call_poll *watch = calloc(1, sizeof(*watch));

    if (watch == NULL) {
        return NULL;
    }
    watch->lane   = lane;
    watch->socket = socket;
    if (uv_poll_init_socket(lane->calls->loop, &watch->poll, socket) != 0) {
        free(watch);
        return NULL;
    }
    watch->poll.data = watch;
    return watch;
}

static int
on_socket_change(CURL *easy, curl_socket_t socket, int what, void *data,
                 void *socket_data)
{
    struct call_lane *lane  = data;
    struct call_poll *watch = socket_data;

    (void) easy;
    if (what == CURL_POLL_REMOVE) {
        if (watch != NULL) {
            uv_poll_stop(&watch->poll);
            uv_close((uv_handle_t *) &watch->poll, on_poll_closed);
            curl_multi_assign(lane->multi, socket, NULL);
        }
        return 0;
    }
    if (watch == NULL) {
        watch = poll_new(lane, socket);
        if (watch == NULL) {
            return -1;
        }
        curl_multi_assign(lane->multi, socket, watch);
    }
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0)
                 | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    return uv_poll_start(&watch->poll, events, on_poll) == 0 ? 0 : -1;
}

/* --- start ---------------------------------------------------------------- */

static struct call_slot *
slot_take(struct call_lane *lane)
{
    struct call_slot *slot = lane->idle;

    if (lane->busy_count >= lane->slot_max) {
        return NULL;
    }
    if (slot != NULL) {
        DL_DELETE(lane->idle, slot);
        return slot;
    }
    return call_slot_new(lane);
}

bool
wk_call_start(struct wk_calls *calls, struct wk_call *call)
{
    struct call_lane *lane = &calls->lanes[call->kind];
    struct call_slot *slot = slot_take(lane);

    if (slot == NULL) {
        return false;
    }
    lane->busy_count++;
    call->engine = slot;
    if (!call_slot_load(slot, call)) {
        slot_doom(slot);
        return true;
    }
    CURLMcode code = curl_multi_add_handle(lane->multi, slot->easy);
    if (code != CURLM_OK) {
        slot->why = curl_multi_strerror(code);
        slot_doom(slot);
        return true;
    }
    slot->in_multi = true;
    DL_APPEND(lane->busy, slot);
    return true;
}

size_t
wk_calls_count(const struct wk_calls *calls)
{
    size_t count = 0;

    for (size_t i = 0; i < CALL_LANES; i++) {
        count += calls->lanes[i].busy_count;
    }
    return count;
}

/* --- birth and death ------------------------------------------------------ */

static bool
multi_open(struct call_lane *lane)
{
    CURLM *multi = curl_multi_init();

    lane->multi = multi;
    return multi != NULL
           && curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION,
                                on_socket_change)
                  == CURLM_OK
           && curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, lane) == CURLM_OK
           && curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION,
                                on_timeout_change)
                  == CURLM_OK
           && curl_multi_setopt(multi, CURLMOPT_TIMERDATA, lane) == CURLM_OK
           && curl_multi_setopt(multi, CURLMOPT_PIPELINING,
                                (long) CURLPIPE_MULTIPLEX)
                  == CURLM_OK
           && curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS,
                                (long) lane->slot_max)
                  == CURLM_OK;
}

/* The first slot is made at start: a libcurl that cannot do what the rules
 * need must stop the start, not the first payment. */
static bool
slot_try(struct call_lane *lane)
{
    struct call_slot *slot = call_slot_new(lane);

    if (slot == NULL) {
        ph_log(PH_LOG_ERROR, "libcurl_unusable",
               { "found", ph_str_z(curl_version()) },
               { "expected", PH_STR("7.88 or newer, built with OpenSSL") });
        return false;
    }
    DL_PREPEND(lane->idle, slot);
    return true;
}

static bool
lane_open(struct wk_calls *calls, enum wk_call_class kind, size_t slot_max,
          size_t reply_max, const char *ca_file)
{
    struct call_lane *lane = &calls->lanes[kind];

    lane->calls     = calls;
    lane->kind      = kind;
    lane->slot_max  = slot_max;
    lane->reply_max = reply_max;
    uv_timer_init(calls->loop, &lane->timer); /* cannot fail */
    uv_timer_init(calls->loop, &lane->later);
    lane->timer.data  = lane;
    lane->later.data  = lane;
    lane->has_handles = true;
    lane->dns_cache_s = DNS_CACHE_S;
    lane->trust       = call_trust_new(ca_file);
    return lane->trust != NULL && multi_open(lane) && slot_try(lane);
}

/* Creates are bounded by pay.max_inflight before they are committed; the
 * janitor's queries come on top and must not take their places. */
static size_t
channel_slots(const struct ph_conf *conf)
{
    return (size_t) (ph_conf_number(conf, PH_CONF_pay_max_inflight)
                     + ph_conf_number(conf, PH_CONF_janitor_batch));
}

static long
dns_cache_s(const struct ph_conf *conf)
{
    return (long) (ph_conf_number(conf, PH_CONF_pay_dns_cache) / MS_PER_S);
}

void
wk_calls_configure(struct wk_calls *calls, const struct ph_conf *conf)
{
    struct call_lane *hooks = &calls->lanes[WK_CALL_WEBHOOK];
    bool allows = ph_conf_number(conf, PH_CONF_notify_allow_loopback) != 0;

    if (hooks->allow_loopback && !allows) {
        hooks->fresh_until_ms
            = uv_now(calls->loop) + (uint64_t) CALL_IDLE_MAX_S * 1000;
    }
    hooks->allow_loopback = allows;
    hooks->slot_max
        = (size_t) ph_conf_number(conf, PH_CONF_notify_max_inflight);
    calls->lanes[WK_CALL_CHANNEL].slot_max    = channel_slots(conf);
    calls->lanes[WK_CALL_CHANNEL].dns_cache_s = dns_cache_s(conf);
}

struct wk_calls *
wk_calls_new(uv_loop_t *loop, const struct ph_conf *conf)
{
    struct wk_calls *calls = calloc(1, sizeof(*calls));

    if (calls == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(calls);
        return NULL;
    }
    calls->loop = loop;
    calls->lanes[WK_CALL_WEBHOOK].allow_loopback
        = ph_conf_number(conf, PH_CONF_notify_allow_loopback) != 0;
    if (!call_proxy_open(&calls->lanes[WK_CALL_CHANNEL], conf)
        || !lane_open(calls, WK_CALL_CHANNEL, channel_slots(conf),
                      PH_CHANNEL_REPLY_MAX,
                      ph_conf_text(conf, PH_CONF_pay_ca_file))
        || !lane_open(
            calls, WK_CALL_WEBHOOK,
            (size_t) ph_conf_number(conf, PH_CONF_notify_max_inflight),
            CALL_WEBHOOK_REPLY_MAX, ph_conf_text(conf, PH_CONF_notify_ca_file)))
    {
        wk_calls_free(calls);
        return NULL;
    }
    calls->lanes[WK_CALL_CHANNEL].dns_cache_s = dns_cache_s(conf);
    return calls;
}

static void
lane_close(struct call_lane *lane)
{
    struct call_slot *slot, *after;

    assert(lane->busy_count == 0);
    DL_FOREACH_SAFE(lane->idle, slot, after)
    {
        call_slot_free(slot);
    }
    lane->idle = NULL;
    if (lane->multi != NULL) {
        curl_multi_cleanup(lane->multi);
    }
    call_trust_free(lane->trust);
    call_proxy_close(lane);
}

static void
on_timer_closed(uv_handle_t *handle)
{
    struct call_lane *lane  = handle->data;
    struct wk_calls  *calls = lane->calls;

    if (--calls->handles_open == 0) {
        free(calls);
    }
}

/* The memory goes with the loop's last close callback, so that the caller
 * lets the loop run on until it is empty. */
void
wk_calls_free(struct wk_calls *calls)
{
    if (calls == NULL) {
        return;
    }
    for (size_t i = 0; i < CALL_LANES; i++) {
        struct call_lane *lane = &calls->lanes[i];

        lane_close(lane);
        if (lane->has_handles) {
            calls->handles_open += 2;
            uv_close((uv_handle_t *) &lane->timer, on_timer_closed);
            uv_close((uv_handle_t *) &lane->later, on_timer_closed);
        }
    }
    if (calls->handles_open == 0) {
        free(calls);
    }
}
