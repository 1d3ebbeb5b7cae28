
/*
 * Verification in nginx's thread pool, for algorithms that would hold up the
 * event loop: SM2 takes as long as sixteen RSA verifications.
 *
 * The task owns its context, and reads the body's buffers, which nobody else
 * touches before the request goes on.  While it runs the request cannot be
 * freed: r->main->blocked defers that, as for nginx's own file reads.  At most
 * NGX_HTTP_PAYHUB_TASKS_MAX run or wait in a process.
 */


#include "ngx_http_payhub_verify.h"


#define NGX_HTTP_PAYHUB_TASK_TIME  60000    /* ms, until it is complained of */


#if (NGX_THREADS)

static void ngx_http_payhub_task_run(void *data, ngx_log_t *log);
static void ngx_http_payhub_task_event(ngx_event_t *ev);
static void ngx_http_payhub_task_resume(ngx_http_request_t *r);


static ngx_uint_t  ngx_http_payhub_tasks;


/* NGX_DONE: the task runs; NGX_BUSY: it cannot; NGX_DECLINED: nor need it */

ngx_int_t
ngx_http_payhub_task_post(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, ngx_http_payhub_task_t *data)
{
    ngx_thread_task_t                  *task;
    ngx_http_payhub_verify_loc_conf_t  *vlcf;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_payhub_verify_module);

    if (vlcf->threads == NULL && !data->known) {
        return NGX_DECLINED;
    }

    if (vlcf->threads == NULL) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "payhub verify: no thread pool for sm2-sm3; "
                      "payhub_verify_threads names one");
        return NGX_BUSY;
    }

    if (ngx_http_payhub_tasks >= NGX_HTTP_PAYHUB_TASKS_MAX) {
        return NGX_BUSY;
    }

    task = ngx_pcalloc(r->main->pool, sizeof(ngx_thread_task_t));
    if (task == NULL) {
        return NGX_ERROR;
    }

    task->ctx = data;
    task->handler = ngx_http_payhub_task_run;
    task->event.data = data;
    task->event.log = r->connection->log;
    task->event.handler = ngx_http_payhub_task_event;

    data->context = ngx_http_payhub_context_take(r, data->key);
    if (data->context == NULL) {
        return NGX_ERROR;
    }

    if (ngx_thread_task_post(vlcf->threads, task) != NGX_OK) {
        ngx_http_payhub_context_give(data->pmcf, data->context);
        return NGX_BUSY;
    }

    /* a process that is to end does so when it has no timers left */
    ngx_add_timer(&task->event, NGX_HTTP_PAYHUB_TASK_TIME);

    ngx_http_payhub_tasks++;

    data->running = 1;
    r->main->blocked++;
    r->aio = 1;

    ngx_http_set_ctx(r, data, ngx_http_payhub_verify_module);
    r->write_event_handler = ngx_http_payhub_task_resume;

    return NGX_DONE;
}


static void
ngx_http_payhub_task_run(void *data, ngx_log_t *log)
{
    ngx_http_payhub_task_t  *task = data;

    task->rc = ngx_http_payhub_context_check(task->context, task->pieces,
                                             task->count, task->signature);
}


static void
ngx_http_payhub_task_event(ngx_event_t *ev)
{
    ngx_connection_t        *c;
    ngx_http_request_t      *r;
    ngx_http_payhub_task_t  *task;

    task = ev->data;
    r = task->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    if (ev->timedout) {
        ngx_log_error(NGX_LOG_ALERT, c->log, 0,
                      "payhub verify: a thread has worked for more than %ds",
                      NGX_HTTP_PAYHUB_TASK_TIME / 1000);
        ev->timedout = 0;
        return;
    }

    if (ev->timer_set) {
        ngx_del_timer(ev);
    }

    ngx_http_payhub_tasks--;
    ngx_http_payhub_context_give(task->pmcf, task->context);

    task->context = NULL;
    task->running = 0;
    r->main->blocked--;
    r->aio = 0;

    /* ours, or nginx's when the request was terminated meanwhile */

    r->write_event_handler(r);

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_payhub_task_resume(ngx_http_request_t *r)
{
    ngx_http_payhub_task_t     *task;
    ngx_http_payhub_request_t  *pr;

    task = ngx_http_get_module_ctx(r, ngx_http_payhub_verify_module);

    if (task == NULL || task->running) {
        return;
    }

    if (r->connection->error) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    pr = ngx_http_payhub_find(r);

    if (ngx_http_payhub_v3_judged(r, pr, task)
        == NGX_HTTP_INTERNAL_SERVER_ERROR)
    {
        ngx_http_payhub_verify_failed(r, pr);
    }

    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}

#else

ngx_int_t
ngx_http_payhub_task_post(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, ngx_http_payhub_task_t *data)
{
    return NGX_BUSY;
}

#endif
