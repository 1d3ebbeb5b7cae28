/*
 * judge.h - what a piece of evidence about an attempt does to its order.
 *
 * Pure: the order as it stands and what was learnt in, the order as it shall
 * stand and what follows from it out.  Answer, query and notice are judged
 * alike; the state tables of libpayhub/domain decide each move.
 *
 *   - Evidence that names another number, amount, currency, seller or app
 *     neither pays nor ends anything: the payment becomes `conflict`.
 *   - A hint (WAIT_USER of a notice) proves nothing: what is open is asked
 * about at once.
 *   - UNKNOWN never fails anything.  NOT_FOUND ends only what two queries told
 *     when the attempt is old enough, counted from the payment's end when the
 *     payer was shown something: that is closed then, what was not has failed.
 *     NOT_SENT fails only by the answer to the create.
 *   - The answer to a create refuses only what nobody else has written to
 * since: a code whose create was lost may have been asked for again.
 *   - A success is never taken back.  A second one of the same order is
 * refunded, and so is one that comes after the order's end when `refunds_late`,
 * unless the channel says that all of it went back already.
 *   - A bar code that is being taken back is paid by no notice, and by no
 * answer to its create: the query after the reverse tells.
 *   - The next attempt is begun only by the answer that proves that nothing
 * came of this one, in the same commit.
 */
#ifndef WK_JUDGE_H
#define WK_JUDGE_H

#include "channels/channel.h"
#include "libpayhub/domain/error.h"
#include "worker/row.h"

#define WK_NOT_FOUND_TELLINGS 2
#define WK_NUMBER_MAX 64 /* bytes of a channel's own numbers */

enum wk_source {
    WK_SOURCE_ANSWER = 1,
    WK_SOURCE_QUERY, /* also what a close or a repeated create answered */
    WK_SOURCE_NOTICE,
    WK_SOURCE_CLOSING /* no evidence: we are about to close it; no result */
};

/* the attempt that shall follow when nothing came of this one */
struct wk_next_attempt {
    struct wk_attempt attempt;     /* `sent`; times are the judge's */
    struct ph_str     attempt_ids; /* the payment's list with it */
    size_t            count;       /* attempts before it */
};

struct wk_evidence {
    enum wk_source                  source;
    const struct ph_channel_result *result;
    struct ph_str                   digest; /* SHA-256 of what was received */
    struct ph_str                   state; /* the adapter's, {NULL, 0} = keep */
    struct ph_channel_expected      expected; /* {NULL, 0} = any */
    const struct wk_next_attempt   *next;     /* NULL = none */
    int64_t                         fence;    /* 0 = no lock was held */
    enum ph_error config_error; /* NOT_SENT by our own fault, else NONE */
    bool trade_is_taken; /* its trade number belongs to another attempt */
    bool is_repeat;      /* the answer to a create that was sent again */
    bool is_end;         /* the answer to a close or a reverse */
};

struct wk_judge_rules {
    int64_t  not_found_final_ms;
    int64_t  unknown_first_ms; /* first query of an unknown attempt */
    int64_t  paying_first_ms;  /* first query of a waiting one */
    uint64_t now_ms;           /* the database's clock */
    bool     refunds_late;     /* pay.late */
};

struct wk_verdict {
    bool          payment_moved; /* its row is to be written */
    bool          attempt_moved;
    bool          is_conflict;
    struct ph_str event;         /* webhook type, {NULL, 0} = none */
    int64_t       look_in_ms;    /* bring the janitor's look forward; 0 = no */
    bool          records_trade; /* channel_trade gets the trade number */
    bool          attempt_added; /* the last one: evidence.next, to insert */
    const char   *refund_kind;   /* of refund_auto.h: the attempt is refunded
                                    in the same commit; NULL = no */
    int64_t refund_amount;       /* all of it but what went back already */
};

/* Changes *order, which must hold the attempt at `which`. */
void wk_judge(struct wk_order *order, size_t which,
              const struct wk_evidence    *evidence,
              const struct wk_judge_rules *rules, struct wk_verdict *verdict);

/* It names another seller or app than is expected, where both are told. */
bool wk_tells_another_account(const struct ph_channel_result   *result,
                              const struct ph_channel_expected *expected);

/* Fits the ascii columns that keep the channels' numbers.  No space: their keys
 * pad, so that "X " and "X" would be one. */
bool wk_number_is_plain(struct ph_str number);

/* as the proof_source columns say it */
struct ph_str wk_source_text(enum wk_source source);

/* Cut to so many bytes, never through the middle of a character. */
struct ph_str wk_text_cut(struct ph_str text, size_t len_max);

/* The column of a happening is written once. */
void wk_mark_once(uint64_t *column_ms, uint64_t now_ms);

/* "none", "qr_code", ...; as the API shows it */
struct ph_str wk_action_text(enum ph_action_type action);

#endif
