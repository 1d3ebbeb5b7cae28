/* batch_refunds.c - refunds of few payments in one batch, then all of them
 * wanted at once; see batch_driver.c. */
#include <stdio.h>
#include <stdlib.h>

#include "libpayhub/base/id.h"
#include "t/component/worker/batch_driver.h"

/* ---- refunds ---- */

#define PAYMENTS 16
#define PARTS 4 /* of 30 each; a payment is of 100 */
#define REFUNDS (PAYMENTS * PARTS + 1)

struct refund_job {
    struct wk_store_job store; /* first */
    char                id[PH_ID_LEN + 1];
    char                payment_id[PH_ID_LEN + 1];
    char                number[16];
    char                hash[32];
    struct wk_want      want, want_owner;
    struct wk_order     order, owner_order;
    struct wk_payment   before;
    struct wk_refund    refund, owner;
    bool                is_replay, is_refused;
    struct ph_arena     arena;
    char                memory[ARENA_LEN];
};

static void
refund_ask(struct wk_batch *batch, struct wk_store_job *store)
{
    struct refund_job *job = (struct refund_job *) store;

    ph_arena_reset(&job->arena);
    job->is_replay = (store->lost & (1u << WK_REFUND_NO)) != 0;
    job->want      = (struct wk_want){ .by        = WK_WANT_PAYMENT,
                                       .key       = { ph_str_z(job->payment_id) },
                                       .is_locked = true,
                                       .arena     = &job->arena,
                                       .order     = &job->order };
    job->want_owner
        = (struct wk_want){ .by     = WK_WANT_REFUND_NO,
                            .key    = { PH_STR("app"), ph_str_z(job->number) },
                            .arena  = &job->arena,
                            .order  = &job->owner_order,
                            .refund = &job->owner };
    wk_batch_want(batch, job->is_replay ? &job->want_owner : &job->want);
}

static void
refund_fill(struct refund_job *job, uint64_t now_ms)
{
    const struct wk_payment *payment = &job->order.payment;

    job->refund = (struct wk_refund){ .id            = ph_str_z(job->id),
                                      .payment_id    = payment->id,
                                      .attempt_id    = PH_STR("-"),
                                      .prev_id       = payment->refund_id,
                                      .merchant_id   = payment->merchant_id,
                                      .app_id        = payment->app_id,
                                      .refund_no     = ph_str_z(job->number),
                                      .kind          = PH_STR("merchant"),
                                      .status        = PH_REFUND_PROCESSING,
                                      .channel       = PH_STR("sandbox"),
                                      .account_id    = PH_STR("acc"),
                                      .method        = PH_STR("bar"),
                                      .amount        = 30,
                                      .currency      = payment->currency,
                                      .proof_source  = PH_STR("none"),
                                      .created_at_ms = now_ms,
                                      .sent_at_ms    = now_ms };
}

static enum wk_plan
refund_plan(struct wk_batch *batch, struct wk_store_job *store)
{
    struct refund_job  *job     = (struct refund_job *) store;
    struct wk_payment  *payment = &job->order.payment;
    const struct ph_str key[3]
        = { PH_STR("app"), ph_str_z(job->number), { NULL, 0 } };

    if (job->is_replay) {
        return job->want_owner.found == WK_FOUND_ROW ? WK_PLAN_DONE
                                                     : WK_PLAN_FAILED;
    }
    if (job->want.found != WK_FOUND_ROW) {
        return WK_PLAN_FAILED;
    }
    job->is_refused = payment->amount_refunding + 30 > payment->amount;
    if (job->is_refused) {
        return WK_PLAN_DONE;
    }
    job->before = *payment;
    refund_fill(job, wk_batch_now_ms(batch));
    payment->refund_id = job->refund.id;
    payment->amount_refunding += 30;
    return wk_batch_unique(batch, WK_REFUND_NO, key, job->refund.id,
                           ph_str_make(job->hash, sizeof(job->hash)))
                   && wk_batch_insert(batch, &wk_refund_table, &job->refund)
                   && wk_batch_move(batch, &wk_payment_table, &job->before,
                                    payment, ph_str_make(NULL, 0), 0)
               ? WK_PLAN_DONE
               : WK_PLAN_AGAIN;
}

static void
ended_ignore(void *data, struct wk_store_job *store)
{
    (void) data;
    (void) store;
}

static void
refunds_run(struct wk_batch *batch, struct wk_link *link,
            struct refund_job *jobs, size_t count)
{
    struct wk_store_job *list[WK_BATCH_JOBS_MAX];

    for (size_t i = 0; i < count; i++) {
        list[i] = &jobs[i].store;
    }
    wk_batch_run(batch, link, list, count, ended_ignore, NULL);
}

/* The last one, of a payment of its own, takes the number of another. */
static struct refund_job *
refunds_new(void)
{
    struct refund_job *jobs = calloc(REFUNDS, sizeof(*jobs));

    if (jobs == NULL) {
        die("memory", "none");
    }
    for (unsigned i = 0; i < REFUNDS; i++) {
        struct refund_job *job = &jobs[i];

        ph_arena_init(&job->arena, job->memory, ARENA_LEN);
        job->store
            = (struct wk_store_job){ .ask = refund_ask, .plan = refund_plan };
        id_of(job->id, 7, 2, i);
        job->id[0] = 'R';
        id_of(job->payment_id, 7, 1, i < REFUNDS - 1 ? i % PAYMENTS : PAYMENTS);
        (void) snprintf(job->number, sizeof(job->number), "r-%u",
                        i < REFUNDS - 1 ? i : 1);
        memset(job->hash, (int) i + 1, sizeof(job->hash));
    }
    return jobs;
}

/* ---- and wanted again ---- */

struct want_job {
    struct wk_store_job store; /* first */
    struct wk_want      want;
    struct wk_order     order;
    struct wk_refund    refund;
    struct ph_arena     arena;
    char                memory[ARENA_LEN];
};

static void
want_ask(struct wk_batch *batch, struct wk_store_job *store)
{
    struct want_job *job = (struct want_job *) store;

    ph_arena_reset(&job->arena);
    job->want.arena  = &job->arena;
    job->want.order  = &job->order;
    job->want.refund = &job->refund;
    wk_batch_want(batch, &job->want);
}

static enum wk_plan
want_plan(struct wk_batch *batch, struct wk_store_job *store)
{
    (void) batch;
    (void) store;
    return WK_PLAN_DONE;
}

static bool
is_hash(struct ph_str hash, const struct refund_job *made)
{
    return hash.ptr != NULL && hash.len == sizeof(made->hash)
           && memcmp(hash.ptr, made->hash, hash.len) == 0;
}

static bool
is_told(const struct want_job *job, const struct refund_job *made)
{
    return job->store.outcome == WK_STORE_DONE
           && job->want.found == WK_FOUND_ROW
           && (job->want.by == WK_WANT_REFUND || is_hash(job->want.hash, made))
           && ph_str_eq(job->refund.id, ph_str_z(made->id))
           && ph_str_eq(job->refund.refund_no, ph_str_z(made->number))
           && job->refund.amount == 30
           && ph_str_eq(job->refund.payment_id, ph_str_z(made->payment_id))
           && ph_str_eq(job->order.payment.id, ph_str_z(made->payment_id))
           && job->order.payment.amount_refunding == 90;
}

/* Every refund by id and by number in one batch, and some that are not there:
 * beside nobody's, one that was refused, and numbers of another app or case. */
static void
wants_run(struct wk_batch *batch, struct wk_link *link,
          const struct refund_job *made)
{
    static const struct wk_want strangers[] = {
        { .by = WK_WANT_REFUND, .key = { PH_STR_INIT("R-nobody") } },
        { .by  = WK_WANT_REFUND_NO,
          .key = { PH_STR_INIT("app"), PH_STR_INIT("nobody") } },
        { .by  = WK_WANT_REFUND_NO,
          .key = { PH_STR_INIT("other"), PH_STR_INIT("r-1") } },
        { .by  = WK_WANT_REFUND_NO,
          .key = { PH_STR_INIT("app"), PH_STR_INIT("R-1") } },
    };
    struct wk_store_job *list[2 * REFUNDS + PH_COUNT(strangers)];
    struct want_job     *jobs  = calloc(PH_COUNT(list), sizeof(*jobs));
    size_t               by_id = 0, by_no = 0, none = 0;

    if (jobs == NULL) {
        die("memory", "none");
    }
    for (size_t i = 0; i < PH_COUNT(list); i++) {
        struct want_job         *job = &jobs[i];
        const struct refund_job *of  = &made[i / 2 % REFUNDS];

        ph_arena_init(&job->arena, job->memory, ARENA_LEN);
        job->store
            = (struct wk_store_job){ .ask = want_ask, .plan = want_plan };
        if (i >= 2 * REFUNDS) {
            job->want = strangers[i - 2 * REFUNDS];
        } else if (i % 2 == 0) {
            job->want = (struct wk_want){ .by        = WK_WANT_REFUND,
                                          .key       = { ph_str_z(of->id) },
                                          .is_locked = i % 4 == 0 };
        } else {
            job->want = (struct wk_want){ .by  = WK_WANT_REFUND_NO,
                                          .key = { PH_STR("app"),
                                                   ph_str_z(of->number) } };
        }
        list[i] = &job->store;
    }
    wk_batch_run(batch, link, list, PH_COUNT(list), ended_ignore, NULL);
    for (size_t i = 0; i < PH_COUNT(list); i++) {
        const struct refund_job *of = &made[i / 2 % REFUNDS];

        if (jobs[i].want.found == WK_FOUND_NONE) {
            none++;
        } else if (i < 2 * REFUNDS && is_told(&jobs[i], of)) {
            by_id += i % 2 == 0;
            by_no += i % 2;
        }
    }
    printf("by_id %zu\nby_no %zu\nnone %zu\n", by_id, by_no, none);
    free(jobs);
}

void
refunds(const char *socket)
{
    struct wk_link           link;
    struct wk_batch         *batch = wk_batch_new();
    struct refund_job       *jobs  = refunds_new();
    const struct refund_job *twin  = &jobs[REFUNDS - 1];
    size_t                   done = 0, refused = 0;

    link_open(&link, socket);
    if (batch == NULL) {
        die("memory", "none");
    }
    payments_make(batch, &link, PAYMENTS + 1);
    refunds_run(batch, &link, jobs, REFUNDS);
    for (size_t i = 0; i < REFUNDS; i++) {
        done += jobs[i].store.outcome == WK_STORE_DONE;
        refused += jobs[i].is_refused;
    }
    printf("done %zu\nrefused %zu\n", done, refused);
    printf("twin %d %d %d\n", twin->is_replay,
           ph_str_eq(twin->owner.id, ph_str_z(jobs[1].id)),
           is_hash(twin->want_owner.hash, &jobs[1]));
    wants_run(batch, &link, jobs);
    free(jobs);
    wk_batch_free(batch);
    wk_db_deinit(&link.db);
}
