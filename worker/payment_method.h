/*
 * payment_method.h - payment methods and what each takes in `extra`.
 *
 * Pure.  Whether an account offers a method is the adapter's word; this is the
 * API's vocabulary: a table, and what channels that were loaded add to it.
 */
#ifndef WK_PAYMENT_METHOD_H
#define WK_PAYMENT_METHOD_H

#include "channels/channel.h"

/* Channels beside those of the table; NULL = none. */
struct wk_methods {
    const struct ph_channel *const *channels;
    size_t                          count;
};

enum wk_extra_need {
    WK_EXTRA_MAY = 0,
    WK_EXTRA_MUST,
    WK_EXTRA_ONE_OF /* at least one of those that the method has */
};

struct wk_extra {
    const char *key;
    const char *methods; /* blank-separated, "x_*" or "*_x"; NULL = all
                            of a loaded channel */
    enum wk_extra_need need;
    bool               is_boolean; /* else a text */
};

bool wk_method_is_known(const struct wk_methods *methods, struct ph_str method);

/* The next member that the method takes, from *at, which begins at 0. */
bool wk_extra_next(const struct wk_methods *methods, struct ph_str method,
                   size_t *at, struct wk_extra *out) PH_MUST_CHECK;

/* false = the method does not take this key */
bool wk_extra_find(const struct wk_methods *methods, const char *key,
                   struct ph_str method, struct wk_extra *out) PH_MUST_CHECK;

/* the shape of a bar code only; whether it is worth money tells the channel */
bool wk_bar_code_is_good(struct ph_str method, struct ph_str code);

#endif
