/*
 * behave.h - magic amounts: what the last four digits make the sandbox do.
 *
 * A row tells four things apart: what happens to the money, what the answer to
 * /pay looks like, how late it is, and how the notice goes.  A fault is shown
 * to the first /pay of a number only: a repeat finds the order in the books
 * and gets a plain answer, as it would at a real channel.
 */
#ifndef SB_BEHAVE_H
#define SB_BEHAVE_H

#include <stdint.h>

enum sb_take {
    SB_TAKE_NORMAL = 0, /* bar: paid at once; qr: pending until the payer */
    SB_TAKE_DECLINE,    /* in the books as failed */
    SB_TAKE_NOTHING,    /* not in the books at all */
    SB_TAKE_WAIT,       /* pending, whatever the method */
    SB_TAKE_AT_ONCE     /* paid, whatever the method */
};

enum sb_answer {
    SB_ANSWER_NORMAL = 0,
    SB_ANSWER_CLOSE,         /* the connection, without a byte */
    SB_ANSWER_HANG,          /* until the client goes, or SB_HANG_MS */
    SB_ANSWER_ERROR,         /* HTTP 500 */
    SB_ANSWER_BAD_SIGNATURE, /* right body, another body's signature */
    SB_ANSWER_OTHER_AMOUNT,
    SB_ANSWER_MALFORMED, /* signed, cut JSON */
    SB_ANSWER_UNCLEAR,   /* a code that says nothing */
    SB_ANSWER_RATE_LIMITED,
    SB_ANSWER_PENDING /* pending, though it is paid by now */
};

enum sb_notice {
    SB_NOTICE_NORMAL = 0, /* after the answer */
    SB_NOTICE_NEVER,
    SB_NOTICE_TWICE, /* two at the same time */
    SB_NOTICE_FIRST  /* before the answer */
};

enum sb_refunding {
    SB_REFUND_NORMAL = 0, /* the money goes back at once */
    SB_REFUND_LATE,       /* pending, told nothing, goes back later */
    SB_REFUND_FAIL        /* in the books as failed */
};

struct sb_behaviour {
    unsigned          tail; /* amount % 10000 */
    enum sb_take      take;
    enum sb_answer    answer;
    uint32_t          delay_ms; /* of the answer */
    enum sb_notice    notice;
    uint32_t          late_ms; /* pays so long after it was closed; 0 = never */
    enum sb_refunding refund;
};

#define SB_HANG_MS 30000
#define SB_REFUND_LATE_MS 1000
#define SB_NOTICE_FIRST_WAIT_MS 5000 /* the answer waits no longer for it */

/* Never NULL: amounts without a row of their own are ordinary. */
const struct sb_behaviour *sb_behaviour_of(int64_t amount);

/* The refund's own amount decides; when it says nothing, the charge's. */
enum sb_refunding sb_refunding_of(int64_t amount, int64_t charge_amount);

#endif
