/*
 * read.c - GET /v1/payments/{id}, and GET /v1/payments?order_no= or a list.
 *
 * With sync=true the channel is asked before the answer (order_job.h), however
 * that ends: the answer is the order as it is then.
 */
#include "worker/methods.h"
#include "worker/list.h"
#include "worker/order_job.h"
#include "worker/route.h"

#define SYNC_LOCK_MS 2000 /* whoever has the lock may be asking already */

static void
read_tell(struct wk_order_job *job, enum wk_sync_end end)
{
    (void) end;
    wk_order_job_show(job, 200);
}

static const struct wk_order_way *
read_way(bool is_sync)
{
    static const struct wk_order_way plain = { .tell = read_tell };
    static const struct wk_order_way sync
        = { .syncs = true, .lock_wait_ms = SYNC_LOCK_MS, .tell = read_tell };

    return is_sync ? &sync : &plain;
}

static struct wk_block *
read_block(struct wk_request *request)
{
    struct wk_block *block = wk_block_take(request->worker);

    if (block == NULL) {
        wk_reply_error(request, PH_ERROR_NOT_EXECUTED, "no memory");
    }
    return block;
}

static void
read_refuse(struct wk_request *request, const struct wk_query_fault *fault)
{
    wk_reply_error(request, fault->error, fault->detail);
}

void
wk_payment_read(struct wk_request *request, const struct wk_route_match *match)
{
    struct wk_query_fault fault;
    bool                  is_sync;

    if (!wk_sync_query_parse(request->query, &is_sync, &fault)) {
        read_refuse(request, &fault);
        return;
    }
    if (!ph_id_is(match->star[0], PH_ID_PAYMENT)) {
        wk_reply_error(request, PH_ERROR_NOT_FOUND, "");
        return;
    }
    struct wk_block *block = read_block(request);

    if (block != NULL) {
        wk_order_job_start(request, block, read_way(is_sync), match->star[0],
                           ph_str_make(NULL, 0));
    }
}

void
wk_payment_find(struct wk_request *request, const struct wk_route_match *match)
{
    struct wk_query_fault fault;
    struct wk_methods_now now;
    struct wk_block      *block = read_block(request);

    (void) match;
    if (block == NULL) {
        return;
    }
    struct wk_list_query *query = ph_arena_take(&block->arena, sizeof(*query));

    if (!wk_list_query_parse(request->query, request->app_id,
                             wk_methods_read(request->worker, &now), query,
                             &fault))
    {
        struct wk_worker *worker = request->worker;

        read_refuse(request, &fault);
        wk_block_give(worker, block);
    } else if (query->order_no.ptr != NULL) {
        wk_order_job_start(request, block, read_way(query->is_sync),
                           ph_str_make(NULL, 0), query->order_no);
    } else {
        wk_list_tell(request, block, query);
    }
}
