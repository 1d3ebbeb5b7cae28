/*
 * refund_auto.h - refunds that payhub makes by itself: of a second success on
 * an order that is paid already (`duplicate`), and of a success that came too
 * late for its order (`late`, when pay.late says refund).
 *
 * The id is made of the attempt's, so that however often the same news comes,
 * from any worker, there is one refund.  The row is born `created` in the
 * commit that carries the news, with a row in `work`; the janitor moves it to
 * `processing` in a commit of its own before the first byte leaves.
 */
#ifndef WK_REFUND_AUTO_H
#define WK_REFUND_AUTO_H

#include "worker/row.h"

#define WK_REFUND_DUPLICATE "duplicate"
#define WK_REFUND_LATE "late"

/* R and the attempt's id behind its letter; 27 characters into `id` */
void wk_refund_auto_id(struct ph_str attempt_id, char id[27]);

/*
 * Fills a `created` refund of refund->amount of the attempt.  For `late` the
 * payment's amount_refunding grows, refund_id and refund->prev_id chain; a
 * duplicate touches no amount of the payment.  Pure; texts are views of the
 * order's and of `id`, which has to live as long.
 */
void wk_refund_auto_fill(struct wk_refund *refund, struct wk_payment *payment,
                         const struct wk_attempt *attempt, const char id[27],
                         const char *kind, uint64_t now_ms);

#endif
