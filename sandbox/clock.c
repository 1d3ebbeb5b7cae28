/*
 * clock.c - the thread for all that happens later.
 *
 * It sleeps in curl_multi_poll() for at most CLOCK_TICK_MS, so whatever is due
 * is at most that late, and nobody but a notice that goes before its answer
 * has to wake it.
 *
 * @thread its own; shared state under the books' lock
 */
#include "sandbox/clock.h"

#include <stdlib.h>
#include <utlist.h>

#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"
#include "sandbox/clock_int.h"

#define CLOCK_TICK_MS 50

/* --- parked answers ------------------------------------------------------- */

bool
sb_clock_can_park(const struct sb_clock *clock)
{
    return clock->parked_count < SB_PARKED_MAX && !clock->is_ending;
}

void
sb_clock_park(struct sb_clock *clock, struct sb_parked *parked)
{
    const struct sb_charge *charge = parked->until_told;

    /* its first notice may be over already: tries has left 0 then */
    if (charge != NULL && (charge->is_told || charge->tries != 0)) {
        parked->due_ms = 0;
    }
    DL_APPEND(clock->parked, parked);
    clock->parked_count++;
    curl_multi_wakeup(clock->multi);
}

void
clock_release(struct sb_clock *clock, const struct sb_charge *charge)
{
    struct sb_parked *parked;

    DL_FOREACH(clock->parked, parked)
    {
        if (parked->until_told == charge) {
            parked->due_ms = 0;
        }
    }
}

/* lock: takes those whose time has come into a list of their own */
static struct sb_parked *
parked_take_due(struct sb_clock *clock, uint64_t now_ms)
{
    struct sb_parked *parked, *after, *due = NULL;

    DL_FOREACH_SAFE(clock->parked, parked, after)
    {
        if (parked->due_ms <= now_ms || clock->is_ending) {
            DL_DELETE(clock->parked, parked);
            clock->parked_count--;
            DL_APPEND(due, parked);
        }
    }
    return due;
}

static void
parked_wake(struct sb_parked *due)
{
    struct sb_parked *parked, *after;

    DL_FOREACH_SAFE(due, parked, after)
    {
        DL_DELETE(due, parked);
        parked->wake(parked); /* its memory may be gone after this */
    }
}

/* --- payments after the close --------------------------------------------- */

void
sb_clock_late(struct sb_clock *clock, struct sb_charge *charge)
{
    charge->due_ms
        = charge->closed_at_ms + sb_behaviour_of(charge->amount)->late_ms;
    DL_APPEND(clock->late, charge);
}

static void
late_pay_due(struct sb_clock *clock, uint64_t now_ms)
{
    while (clock->late != NULL && clock->late->due_ms <= now_ms) {
        struct sb_charge *charge = clock->late;

        DL_DELETE(clock->late, charge);
        if (sb_books_pay(clock->books, charge, now_ms)) {
            sb_clock_notice(clock, charge, now_ms);
        }
    }
}

/* --- refunds that succeed later ------------------------------------------- */

void
sb_clock_refund(struct sb_clock *clock, struct sb_refund *refund)
{
    refund->due_ms = refund->at_ms + SB_REFUND_LATE_MS;
    DL_APPEND(clock->late_refunds, refund);
}

static void
late_refund_due(struct sb_clock *clock, uint64_t now_ms)
{
    while (clock->late_refunds != NULL && clock->late_refunds->due_ms <= now_ms)
    {
        struct sb_refund *refund = clock->late_refunds;

        if (!sb_books_refund_pay(clock->books, refund, now_ms)) {
            return; /* a full disk: at the next turn */
        }
        DL_DELETE(clock->late_refunds, refund);
    }
}

/* --- after a restart ------------------------------------------------------ */

static void
late_refund_resume(struct sb_clock *clock)
{
    struct sb_refund *refund;

    for (uint32_t i = 0; (refund = sb_books_refund_at(clock->books, i)) != NULL;
         i++)
    {
        if (refund->status == SB_REFUND_PENDING) {
            sb_clock_refund(clock, refund);
        }
    }
}

/* closed, promised to pay, and not paid yet */
static void
late_resume(struct sb_clock *clock)
{
    struct sb_charge *charge;

    for (uint32_t i = 0; (charge = sb_books_charge_at(clock->books, i)) != NULL;
         i++)
    {
        if (charge->status == SB_CLOSED
            && sb_behaviour_of(charge->amount)->late_ms != 0)
        {
            sb_clock_late(clock, charge);
        }
    }
}

/* --- the thread ----------------------------------------------------------- */

static void *
clock_run(void *data)
{
    struct sb_clock *clock = data;
    bool             is_ending;

    do {
        uint64_t now_ms = ph_now_ms();

        sb_books_lock(clock->books);
        is_ending = clock->is_ending;
        late_pay_due(clock, now_ms);
        late_refund_due(clock, now_ms);
        notices_start_due(clock, now_ms);
        struct sb_parked *due = parked_take_due(clock, now_ms);
        sb_books_unlock(clock->books);

        parked_wake(due);
        notices_turn(clock);
        if (!is_ending) {
            curl_multi_poll(clock->multi, NULL, 0, CLOCK_TICK_MS, NULL);
        }
    } while (!is_ending);
    return NULL;
}

struct sb_clock *
sb_clock_start(const struct sb_clock_options *options, struct sb_books *books)
{
    struct sb_clock *clock = calloc(1, sizeof(*clock));

    if (clock == NULL) {
        return NULL;
    }
    clock->options = *options;
    clock->books   = books;
    if (!notices_open(clock)) {
        sb_clock_stop(clock);
        return NULL;
    }
    sb_books_lock(books);
    notices_resume(clock, ph_now_ms());
    late_resume(clock);
    late_refund_resume(clock);
    sb_books_unlock(books);
    if (pthread_create(&clock->thread, NULL, clock_run, clock) != 0) {
        ph_log(PH_LOG_ERROR, "thread_failed");
        sb_clock_stop(clock);
        return NULL;
    }
    clock->has_thread = true;
    return clock;
}

void
sb_clock_halt(struct sb_clock *clock)
{
    if (!clock->has_thread) {
        return;
    }
    sb_books_lock(clock->books);
    clock->is_ending = true;
    sb_books_unlock(clock->books);
    curl_multi_wakeup(clock->multi);
    pthread_join(clock->thread, NULL);
    clock->has_thread = false;
}

void
sb_clock_stop(struct sb_clock *clock)
{
    if (clock == NULL) {
        return;
    }
    sb_clock_halt(clock);
    notices_close(clock);
    free(clock);
}
