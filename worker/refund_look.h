/* refund_look.h - the janitor's look after one refund. */
#ifndef WK_REFUND_LOOK_H
#define WK_REFUND_LOOK_H

#include "worker/janitor.h"

/* Ends in wk_janitor_looked().  @thread loop. */
void wk_refund_look_start(struct wk_janitor *janitor, struct wk_worker *worker,
                          struct ph_str refund_id);

#endif
