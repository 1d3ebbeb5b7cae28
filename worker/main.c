/*
 * main.c - payhub-worker: start, readiness, drain, end.
 *
 *   start -> serving --tables read--> READY=1
 *      SIGHUP -> payhub.conf anew (reload.h)
 *      SIGTERM, SIGINT -> draining: GOAWAY, no new work, jobs end
 *         last job ended -> stop -> exit 0
 *         worker.drain passed -> exit 0 at once: what is still under way is
 *         on disk as `sent` and is asked about by whoever comes next
 */
#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"
#include "worker/account.h"
#include "worker/admin.h"
#include "worker/call.h"
#include "worker/channels.h"
#include "worker/hook_look.h"
#include "worker/idem_sweep.h"
#include "worker/janitor.h"
#include "worker/lock.h"
#include "worker/notify.h"
#include "worker/options.h"
#include "worker/partition.h"
#include "worker/platform.h"
#include "worker/refresh.h"
#include "worker/reload.h"
#include "worker/server.h"
#include "worker/store.h"
#include "worker/till.h"

#define EXIT_CONFIGURATION 2
#define READY_LOOK_MS 50
#define QUIET_LOOK_MS 10

struct process {
    struct wk_worker      worker;
    struct ph_conf        conf;
    struct wk_reload     *reload;
    struct wk_partitions *partitions;
    struct wk_idem_sweep *idem_sweep;
    uv_signal_t           signals[3];
    uv_prepare_t          turn; /* of the loop: its log lines leave */
    uv_timer_t            ready;
    struct wk_timer      *drain;
    struct wk_timer      *idle;
};

/* ---- ending ---- */

static void
process_stop(void *data)
{
    struct process   *process = data;
    struct wk_worker *worker  = &process->worker;

    wk_timer_stop(&process->idle);
    if (worker->jobs != 0) {
        return; /* a delivery began in the same turn; its end comes back here */
    }
    if (!wk_store_is_quiet(worker->store)) { /* the stop waits for its threads,
                                                and the drain for nobody */
        process->idle
            = wk_timer_start(worker, QUIET_LOOK_MS, process_stop, process);
        return;
    }
    worker->on_idle = NULL;
    wk_timer_stop(&process->drain);
    wk_reload_stop(process->reload);
    wk_server_stop(worker->server);
    wk_admin_stop(worker->admin);
    wk_accounts_stop(worker->accounts);
    wk_locks_stop(worker->locks);
    wk_redis_stop(worker->redis);
    wk_store_stop(worker->store);
    wk_calls_free(worker->calls);
    for (size_t i = 0; i < PH_COUNT(process->signals); i++) {
        uv_close((uv_handle_t *) &process->signals[i], NULL);
    }
    uv_close((uv_handle_t *) &process->ready, NULL);
}

/* On a turn of its own: whoever ended the last job is still on the stack. */
static void
process_on_idle(struct wk_worker *worker)
{
    struct process *process = (struct process *) worker;

    if (process->idle == NULL) {
        process->idle = wk_timer_start(worker, 0, process_stop, process);
    }
}

static void
process_give_up(void *data)
{
    struct process *process = data;

    ph_log(PH_LOG_WARN, "drain_over",
           { "jobs", ph_log_i64((int64_t) process->worker.jobs) });
    ph_log_flush();
    _exit(EXIT_SUCCESS);
}

static void
process_drain(uv_signal_t *handle, int number)
{
    struct process   *process = handle->data;
    struct wk_worker *worker  = &process->worker;

    if (worker->is_draining) {
        return;
    }
    ph_log(PH_LOG_INFO, "draining", { "signal", ph_log_i64(number) },
           { "jobs", ph_log_i64((int64_t) worker->jobs) });
    ph_daemon_notify("STOPPING=1");
    worker->is_draining = true;
    process->drain      = wk_timer_start(
             worker, (uint64_t) wk_conf(worker, PH_CONF_worker_drain),
             process_give_up, process);
    wk_janitor_stop(worker->janitor);
    wk_hooks_stop(worker->hooks);
    wk_partitions_stop(process->partitions);
    wk_idem_sweep_stop(process->idem_sweep);
    wk_server_drain(worker->server);
    wk_tills_drain(worker->tills);
    wk_admin_drain(worker->admin);
    worker->on_idle = process_on_idle;
    if (worker->jobs == 0) {
        process_on_idle(worker);
    }
}

/* ---- starting ---- */

static void
process_look_ready(uv_timer_t *timer)
{
    struct process *process = timer->data;

    if (wk_accounts_are_fresh(process->worker.accounts)) {
        (void) uv_timer_stop(timer);
        ph_daemon_notify("READY=1");
        ph_log(
            PH_LOG_INFO, "ready",
            { "listen",
              ph_str_z(ph_conf_text(&process->conf, PH_CONF_worker_listen)) },
            { "roles",
              ph_str_z(ph_conf_text(&process->conf, PH_CONF_worker_roles)) });
    }
}

static void
lease_name_make(struct wk_worker *worker)
{
    uint8_t       random[WK_LEASE_NAME_LEN / 2];
    struct ph_buf name = PH_BUF_INIT(worker->lease_name);

    ph_random(random, sizeof(random));
    ph_buf_hex(&name, ph_str_make((const char *) random, sizeof(random)));
    (void) ph_buf_z(&name);
}

static bool
process_parts_start(struct process *process, const char *socket_path)
{
    struct wk_worker *worker = &process->worker;

    lease_name_make(worker);
    worker->calls = wk_calls_new(&worker->loop, &process->conf);
    worker->store = wk_store_new(&worker->loop, &process->conf);
    worker->redis = wk_redis_new(&worker->loop, &process->conf);
    if (worker->calls == NULL || worker->store == NULL || worker->redis == NULL)
    {
        return false;
    }
    if (!wk_platform_new(&worker->platform, worker->conf)) {
        return false;
    }
    worker->locks     = wk_locks_new(worker);
    worker->notify    = wk_notify_new(worker);
    worker->hooks     = wk_hooks_new(worker);
    worker->channels  = wk_channels_new(worker->conf);
    worker->refreshes = wk_refreshes_new(worker);
    worker->accounts  = worker->channels != NULL && worker->refreshes != NULL
                            ? wk_accounts_new(worker)
                            : NULL;
    worker->janitor   = wk_janitor_new(worker);
    worker->admin     = wk_admin_new(worker);
    worker->tills     = wk_tills_new(worker);
    if (worker->tills == NULL || worker->locks == NULL || worker->notify == NULL
        || worker->hooks == NULL || worker->accounts == NULL
        || worker->janitor == NULL || worker->admin == NULL)
    {
        return false;
    }
    process->partitions = wk_partitions_new(worker);
    process->idem_sweep = wk_idem_sweep_new(worker);
    if (process->partitions == NULL || process->idem_sweep == NULL) {
        return false;
    }
    worker->server = wk_server_new(worker, socket_path);
    return worker->server != NULL;
}

static void
process_reload(uv_signal_t *handle, int number)
{
    struct process *process = handle->data;

    (void) number;
    wk_reload_now(process->reload);
}

static void
process_signals_start(struct process *process)
{
    static const struct {
        int          number;
        uv_signal_cb act;
    } rows[] = { { SIGTERM, process_drain },
                 { SIGINT, process_drain },
                 { SIGHUP, process_reload } };

    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        process->signals[i].data = process;
        (void) uv_signal_init(&process->worker.loop, &process->signals[i]);
        (void) uv_signal_start(&process->signals[i], rows[i].act,
                               rows[i].number);
    }
    process->ready.data = process;
    (void) uv_timer_init(&process->worker.loop, &process->ready);
    (void) uv_timer_start(&process->ready, process_look_ready, 0,
                          READY_LOOK_MS);
}

static void
process_turn(uv_prepare_t *turn)
{
    (void) turn;
    ph_log_flush();
}

/* The lines of a turn of the loop leave together before it sleeps. */
static void
process_log_start(struct process *process)
{
    (void) uv_prepare_init(&process->worker.loop, &process->turn);
    (void) uv_prepare_start(&process->turn, process_turn);
    uv_unref((uv_handle_t *) &process->turn);
    ph_log_gather(true);
}

static void
process_log_stop(struct process *process)
{
    ph_log_gather(false);
    uv_close((uv_handle_t *) &process->turn, NULL);
    (void) uv_run(&process->worker.loop, UV_RUN_DEFAULT);
}

static int
process_run(struct process *process, const struct wk_options *options)
{
    struct wk_worker *worker = &process->worker;

    worker->conf  = &process->conf;
    worker->roles = options->roles;
    process->reload
        = wk_reload_new(worker, &process->conf, options->config_path);
    if (process->reload == NULL || uv_loop_init(&worker->loop) != 0
        || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK
        || !process_parts_start(process, options->socket_path))
    {
        return EXIT_FAILURE; /* what could not start has said why */
    }
    process_signals_start(process);
    process_log_start(process);
    (void) uv_run(&worker->loop, UV_RUN_DEFAULT);
    process_log_stop(process);

    wk_admin_free(worker->admin);
    wk_accounts_free(worker->accounts);
    wk_refreshes_free(worker->refreshes);
    wk_channels_free(worker->channels);
    wk_partitions_free(process->partitions);
    wk_idem_sweep_free(process->idem_sweep);
    wk_hooks_free(worker->hooks);
    wk_notify_free(worker->notify);
    wk_janitor_free(worker->janitor);
    wk_tills_free(worker->tills);
    wk_locks_free(worker->locks);
    wk_redis_free(worker->redis);
    wk_server_free(worker->server);
    wk_platform_free(worker->platform);
    wk_store_free(worker->store);
    wk_reload_free(process->reload);
    wk_blocks_free(worker);
    (void) uv_loop_close(&worker->loop);
    curl_global_cleanup();
    ph_log(PH_LOG_INFO, "ended", { "status", PH_STR("0") });
    return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
    char              memory[512];
    struct ph_buf     why = PH_BUF_INIT(memory);
    struct wk_options options;
    int               status = EXIT_CONFIGURATION;

    if (!wk_options_read(&options, argc, argv)) {
        return EXIT_CONFIGURATION;
    }
    if (options.tells) {
        return EXIT_SUCCESS;
    }
    struct process *process = calloc(1, sizeof(*process));

    if (process == NULL || !ph_daemon_init("payhub-worker")) {
        free(process);
        return EXIT_FAILURE;
    }
    if (!ph_conf_load(&process->conf, options.config_path, &why)) {
        (void) fprintf(stderr, "payhub-worker: %.*s\n", (int) why.len, why.ptr);
    } else if (wk_options_check(&options, &process->conf,
                                process->worker.seal_keys,
                                &process->worker.seal_key_count))
    {
        status = options.check_only ? EXIT_SUCCESS
                                    : process_run(process, &options);
    }
    free(process);
    return status;
}
