/*
 * methods.h - the methods of loaded channels as they are now, for the checks of
 * payment_method.h.  @thread loop, until it turns.
 */
#ifndef WK_METHODS_H
#define WK_METHODS_H

#include "worker/payment_method.h"
#include "worker/worker.h"

struct wk_methods_now {
    const struct ph_channel *channels[PH_CHANNEL_LOADED_MAX];
    struct wk_methods        methods; /* views of them */
};

const struct wk_methods *wk_methods_read(const struct wk_worker *worker,
                                         struct wk_methods_now  *now);

#endif
