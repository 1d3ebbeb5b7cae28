/*
 * payment_method.h - payment methods and what each takes in `extra`.
 *
 * Pure.  Whether an account offers a method is the adapter's word; this is the
 * API's vocabulary, the same whatever accounts there are.
 */
#ifndef WK_PAYMENT_METHOD_H
#define WK_PAYMENT_METHOD_H

#include "libpayhub/base/str.h"

enum wk_extra_need {
    WK_EXTRA_MAY = 0,
    WK_EXTRA_MUST,
    WK_EXTRA_ONE_OF /* at least one of those that the method has */
};

struct wk_extra {
    const char        *key;
    const char        *methods; /* blank-separated, "x_*" or "*_x" */
    enum wk_extra_need need;
    bool               is_boolean; /* else a text */
};

bool wk_method_is_known(struct ph_str method);

/* NULL when the method does not take this key */
const struct wk_extra *wk_extra_find(const char *key, struct ph_str method);
const struct wk_extra *wk_extra_at(size_t i); /* NULL after the last */
bool wk_extra_is_of(const struct wk_extra *extra, struct ph_str method);

/* the shape of a bar code only; whether it is worth money tells the channel */
bool wk_bar_code_is_good(struct ph_str method, struct ph_str code);

#endif
