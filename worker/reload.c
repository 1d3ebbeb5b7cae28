/* reload.c - SIGHUP: a new snapshot of the configuration; see reload.h. */
#include "worker/reload.h"

#include <stdlib.h>

#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"
#include "worker/call.h"
#include "worker/options.h"

#define RELOAD_KEEP_MS 60000
#define SNAPSHOTS_MAX 8 /* kept at once; the next reload waits for room */
#define WHY_MAX 512

struct snapshot {
    struct ph_conf    conf;
    struct wk_reload *reload;
    struct snapshot  *next;
    struct wk_timer  *timer; /* running once it is no longer the newest */
};

struct wk_reload {
    struct wk_worker     *worker;
    const struct ph_conf *first;
    const char           *path;
    struct snapshot      *list; /* newest first */
    size_t                count;
    bool                  is_waiting; /* asked for while there was no room */
    bool                  is_stopped;
};

static void
snapshot_free(struct snapshot *snapshot)
{
    struct snapshot **at = &snapshot->reload->list;

    while (*at != snapshot) {
        at = &(*at)->next;
    }
    *at = snapshot->next;
    snapshot->reload->count--;
    wk_timer_stop(&snapshot->timer);
    free(snapshot);
}

static void
snapshot_is_old(void *data)
{
    struct snapshot  *snapshot = data;
    struct wk_reload *reload   = snapshot->reload;

    snapshot_free(snapshot);
    if (reload->is_waiting) {
        reload->is_waiting = false;
        wk_reload_now(reload);
    }
}

/* Values that are read once, at the start, stay as they were. */
static void
fixed_keep(const struct wk_reload *reload, struct ph_conf *conf)
{
    for (size_t i = 0; i < PH_CONF_KEYS; i++) {
        const struct ph_conf_row *row = ph_conf_row((enum ph_conf_key) i);

        if (row->reloadable
            || strcmp(conf->text[i], reload->first->text[i]) == 0) {
            continue;
        }
        ph_log(PH_LOG_WARN, "reload_needs_restart",
               { "section", ph_str_z(row->section) },
               { "key", ph_str_z(row->key) },
               { "found", ph_str_z(conf->text[i]) },
               { "stays", ph_str_z(reload->first->text[i]) });
        memcpy(conf->text[i], reload->first->text[i], sizeof(conf->text[i]));
        conf->number[i] = reload->first->number[i];
    }
}

static size_t
changes_count(const struct ph_conf *a, const struct ph_conf *b)
{
    size_t count = 0;

    for (size_t i = 0; i < PH_CONF_KEYS; i++) {
        count += strcmp(a->text[i], b->text[i]) != 0;
    }
    return count;
}

static bool
snapshot_read(struct wk_reload *reload, struct ph_conf *conf)
{
    char          memory[WHY_MAX];
    struct ph_buf why = PH_BUF_INIT(memory);

    if (!ph_conf_load(conf, reload->path, &why)) {
        ph_log(PH_LOG_ERROR, "reload_refused", { "why", ph_buf_str(&why) });
        return false;
    }
    if (!ph_log_level_set(ph_conf_text(conf, PH_CONF_log_level))) {
        ph_log(PH_LOG_ERROR, "reload_refused", { "key", PH_STR("log.level") },
               { "found", ph_str_z(ph_conf_text(conf, PH_CONF_log_level)) },
               { "expected", PH_STR("error, warn, info or debug") });
        return false;
    }
    if (wk_breaker_fault(conf) != NULL) {
        ph_log(PH_LOG_ERROR, "reload_refused", { "key", PH_STR("pay.breaker") },
               { "found", ph_str_z(ph_conf_text(conf, PH_CONF_pay_breaker)) },
               { "expected", ph_str_z(wk_breaker_fault(conf)) });
        return false;
    }
    return true;
}

static void
snapshot_use(struct wk_reload *reload, struct snapshot *snapshot)
{
    struct wk_worker *worker = reload->worker;
    struct snapshot  *old    = reload->list;

    ph_log(PH_LOG_INFO, "reloaded",
           { "changed", ph_log_i64((int64_t) changes_count(worker->conf,
                                                           &snapshot->conf)) });
    snapshot->reload = reload;
    snapshot->next   = old;
    reload->list     = snapshot;
    reload->count++;
    worker->conf = &snapshot->conf;
    wk_calls_configure(worker->calls, &snapshot->conf);
    if (old != NULL) { /* no timer, no memory: it stays until the end */
        old->timer
            = wk_timer_start(worker, RELOAD_KEEP_MS, snapshot_is_old, old);
    }
}

void
wk_reload_now(struct wk_reload *reload)
{
    if (reload->is_stopped || reload->worker->is_draining) {
        return;
    }
    if (reload->count == SNAPSHOTS_MAX) {
        ph_log(PH_LOG_WARN, "reload_waits",
               { "kept", ph_log_i64((int64_t) reload->count) });
        reload->is_waiting = true;
        return;
    }
    struct snapshot *snapshot = calloc(1, sizeof(*snapshot));

    if (snapshot == NULL) {
        ph_log(PH_LOG_ERROR, "reload_refused", { "why", PH_STR("no memory") });
        return;
    }
    if (!snapshot_read(reload, &snapshot->conf)) {
        free(snapshot);
        return;
    }
    fixed_keep(reload, &snapshot->conf);
    snapshot_use(reload, snapshot);
}

struct wk_reload *
wk_reload_new(struct wk_worker *worker, const struct ph_conf *first,
              const char *path)
{
    struct wk_reload *reload = calloc(1, sizeof(*reload));

    if (reload != NULL) {
        reload->worker = worker;
        reload->first  = first;
        reload->path   = path;
    }
    return reload;
}

void
wk_reload_stop(struct wk_reload *reload)
{
    reload->is_stopped = true;
    for (struct snapshot *at = reload->list; at != NULL; at = at->next) {
        wk_timer_stop(&at->timer);
    }
}

void
wk_reload_free(struct wk_reload *reload)
{
    struct snapshot *next;

    if (reload == NULL) {
        return;
    }
    for (struct snapshot *at = reload->list; at != NULL; at = next) {
        next = at->next;
        wk_timer_stop(&at->timer);
        free(at);
    }
    free(reload);
}
