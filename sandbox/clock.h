/*
 * clock.h - the thread for all that happens later: notices and their retries,
 * answers that are held back, payments that come after the close.
 *
 * Functions marked "lock" want sb_books_lock() held.
 */
#ifndef SB_CLOCK_H
#define SB_CLOCK_H

#include "sandbox/behave.h"
#include "sandbox/books.h"

#define SB_PARKED_MAX 256
#define SB_NOTICES_INFLIGHT 64
#define SB_ALLOW_MAX 8

struct sb_clock_options {
    struct ph_str key;                 /* signs notices */
    const char   *ca_file;             /* NULL = the system's */
    const char   *allow[SB_ALLOW_MAX]; /* addresses beside loopback */
    size_t        allow_count;
};

/* An answer that waits; embedded in the request it belongs to. */
struct sb_parked {
    struct sb_parked       *prev, *next;
    uint64_t                due_ms;
    const struct sb_charge *until_told; /* or till its first notice is over */
    void (*wake)(struct sb_parked *parked); /* clock thread, no lock held */
};

struct sb_clock;

/* NULL = said why in the log.  @owns: caller, sb_clock_stop(). */
struct sb_clock *sb_clock_start(const struct sb_clock_options *options,
                                struct sb_books *books) PH_MUST_CHECK;

/* Wakes all that is parked, holds nothing back any more, ends the thread. */
void sb_clock_halt(struct sb_clock *clock);

/* sb_clock_halt() if that was not done, then frees; accepts NULL. */
void sb_clock_stop(struct sb_clock *clock);

/* lock: the charge was paid just now; tells its notify_url. */
void sb_clock_notice(struct sb_clock *clock, struct sb_charge *charge,
                     uint64_t now_ms);

/* lock: the charge was closed and pays all the same, later. */
void sb_clock_late(struct sb_clock *clock, struct sb_charge *charge);

/* lock: the refund is pending and succeeds by itself, later. */
void sb_clock_refund(struct sb_clock *clock, struct sb_refund *refund);

/* lock: is there a place for one more?  Ask before the money moves. */
bool sb_clock_can_park(const struct sb_clock *clock);
void sb_clock_park(struct sb_clock *clock, struct sb_parked *parked);

#endif
