
/*
 * Live changes: the timer of each process, and the keeper: the one process of
 * a host that takes out what ended and writes the state file.
 */


#include "ngx_http_payhub_live_int.h"


#define NGX_HTTP_PAYHUB_LIVE_SLICE_MS    5  /* between slices of a file */


static void ngx_http_payhub_live_timer(ngx_event_t *ev);
static ngx_uint_t ngx_http_payhub_live_keep(ngx_http_payhub_live_head_t *head);
static void ngx_http_payhub_live_release(ngx_http_payhub_live_head_t *head);
static void ngx_http_payhub_live_prune(void);


/* of this process */

static ngx_event_t       ngx_http_payhub_live_event;
static ngx_connection_t  ngx_http_payhub_live_conn;


void
ngx_http_payhub_live_start(ngx_cycle_t *cycle)
{
    ngx_event_t  *ev;

    ev = &ngx_http_payhub_live_event;

    ngx_http_payhub_live_conn.fd = (ngx_socket_t) -1;

    ev->handler = ngx_http_payhub_live_timer;
    ev->data = &ngx_http_payhub_live_conn;
    ev->log = cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, 1);
}


void
ngx_http_payhub_live_stop(void)
{
    ngx_http_payhub_live_head_t   *head;
    ngx_http_payhub_state_conf_t  *state;

    head = ngx_http_payhub_live_head();

    if (head && ngx_http_payhub_live_keep(head)) {
        state = ngx_http_payhub_state_conf((ngx_cycle_t *) ngx_cycle);

        if (state) {
            (void) ngx_http_payhub_state_tick(state, 1);
        }

        ngx_http_payhub_live_release(head);
    }

    ngx_http_payhub_live_forget();
}


static void
ngx_http_payhub_live_timer(ngx_event_t *ev)
{
    ngx_msec_t                     delay;
    ngx_http_payhub_live_t        *live;
    ngx_http_payhub_live_head_t   *head;
    ngx_http_payhub_state_conf_t  *state;

    delay = NGX_HTTP_PAYHUB_LIVE_MS;
    ev->log = ngx_cycle->log;

    head = ngx_http_payhub_live_head();
    live = ngx_http_payhub_live_now();

    if (head) {
        if (ngx_exiting || ngx_terminate || !ngx_http_payhub_epoch_latest()) {
            ngx_http_payhub_state_stop();
            ngx_http_payhub_live_release(head);

        } else if (ngx_http_payhub_live_keep(head)) {

            if (live && (live->stale || (live->next_until
                                         && live->next_until <= ngx_time())))
            {
                ngx_http_payhub_live_prune();
            }

            state = ngx_http_payhub_state_conf((ngx_cycle_t *) ngx_cycle);

            if (state && ngx_http_payhub_state_tick(state, 0)) {
                delay = NGX_HTTP_PAYHUB_LIVE_SLICE_MS;
            }

        } else {
            ngx_http_payhub_state_stop();
        }
    }

    if (!ngx_exiting && !ngx_terminate) {
        ngx_add_timer(ev, delay);
    }
}


/* true: this process is the one that prunes and writes the state file */

static ngx_uint_t
ngx_http_payhub_live_keep(ngx_http_payhub_live_head_t *head)
{
    uint64_t  keeper, self;

    self = ngx_http_payhub_owner();
    keeper = __atomic_load_n(&head->keeper, __ATOMIC_ACQUIRE);

    if (!ngx_http_payhub_epoch_latest()) {
        return 0;
    }

    if (keeper == self) {
        return 1;
    }

    return !ngx_http_payhub_owner_alive(keeper)
           && __sync_bool_compare_and_swap(&head->keeper, keeper, self);
}


static void
ngx_http_payhub_live_release(ngx_http_payhub_live_head_t *head)
{
    (void) __sync_bool_compare_and_swap(&head->keeper,
                                        ngx_http_payhub_owner(), 0);
}


/* What ended, and what the file won over, leaves the table. */

static void
ngx_http_payhub_live_prune(void)
{
    json_t                       *now, *change, *gone;
    size_t                        i, n;
    uint64_t                      word, next;
    ngx_str_t                     by = ngx_string("nginx");
    ngx_pool_t                   *pool;
    ngx_uint_t                    ended, failed;
    ngx_http_payhub_live_head_t  *head;

    head = ngx_http_payhub_live_head();

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, ngx_cycle->log);
    gone = json_array();

    if (pool == NULL || gone == NULL || !ngx_http_payhub_live_lock(head)) {
        json_decref(gone);

        if (pool) {
            ngx_destroy_pool(pool);
        }

        return;
    }

    word = head->word;
    next = (word >> NGX_HTTP_PAYHUB_LIVE_LEN_BITS) + 1;
    failed = 1;

    now = ngx_http_payhub_live_parse(head->texts[(next - 1) & 1],
                                     word & NGX_HTTP_PAYHUB_LIVE_LEN_MASK);

    for (n = json_array_size(now); n > 0; n--) {
        change = json_array_get(now, n - 1);

        if (json_is_true(json_object_get(change, "removed"))) {
            continue;
        }

        ended = ngx_http_payhub_live_until(change)
                && ngx_http_payhub_live_until(change) <= ngx_time();

        if (ended || ngx_http_payhub_live_stale(pool, change)) {
            (void) json_array_append(gone, change);
            (void) json_array_remove(now, n - 1);
        }
    }

    if (json_array_size(gone)) {
        failed = ngx_http_payhub_live_publish(pool, head, now, next) != NULL;
    }

    ngx_http_payhub_zone_unlock();

    for (i = 0; !failed && i < json_array_size(gone); i++) {
        change = json_array_get(gone, i);

        ngx_http_payhub_live_audit(&by, ngx_http_payhub_live_until(change)
                                        && ngx_http_payhub_live_until(change)
                                           <= ngx_time()
                                        ? "ended"
                                        : "dropped, since the directive in "
                                          "nginx.conf has changed,",
                                   change, NULL, next);
    }

    json_decref(now);
    json_decref(gone);
    ngx_destroy_pool(pool);
}
