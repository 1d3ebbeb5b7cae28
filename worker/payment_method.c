/*
 * payment_method.c - payment methods and what they take in `extra`; see
 * payment_method.h.  Everything here is a table.
 */
#include "worker/payment_method.h"

#include <string.h>

/* clang-format off */
static const char *const table[] = {
    "alipay_qr", "alipay_bar", "alipay_page", "alipay_wap", "alipay_app",
    "alipay_jsapi", "wechat_native", "wechat_bar", "wechat_jsapi",
    "wechat_mini", "wechat_app", "wechat_h5", "unionpay_web", "unionpay_app",
    "card", "paypal", "bar", "qr", "sandbox_qr", "sandbox_bar",
};

static const struct wk_extra extras[] = {
    { "auth_code",      "*_bar bar",                   WK_EXTRA_MUST,   false },
    { "buyer_id",       "alipay_jsapi",                WK_EXTRA_ONE_OF, false },
    { "buyer_open_id",  "alipay_jsapi",                WK_EXTRA_ONE_OF, false },
    { "openid",         "wechat_jsapi wechat_mini",    WK_EXTRA_ONE_OF, false },
    { "sub_openid",     "wechat_jsapi wechat_mini",    WK_EXTRA_ONE_OF, false },
    { "appid",          "wechat_jsapi wechat_mini wechat_app", WK_EXTRA_MAY, false },
    { "h5_type",        "wechat_h5",                   WK_EXTRA_MAY,    false },
    { "app_name",       "wechat_h5",                   WK_EXTRA_MAY,    false },
    { "app_url",        "wechat_h5",                   WK_EXTRA_MAY,    false },
    { "quit_url",       "alipay_wap",                  WK_EXTRA_MAY,    false },
    { "qr_pay_mode",    "alipay_page",                 WK_EXTRA_MAY,    false },
    { "payment_method", "card",                        WK_EXTRA_MAY,    false },
    { "confirm",        "card",                        WK_EXTRA_MAY,    true },
    { "customer",       "card",                        WK_EXTRA_MAY,    false },
    { "cancel_url",     "paypal",                      WK_EXTRA_MAY,    false },
    { "sub_mch_id",     "wechat_*",                    WK_EXTRA_MAY,    false },
    { "sub_appid",      "wechat_*",                    WK_EXTRA_MAY,    false },
    { "sub_openid",     "wechat_native wechat_bar wechat_app wechat_h5", WK_EXTRA_MAY, false },
};

/* the shape of a bar code by method: digits, how many, first two from - to */
static const struct bar_code {
    const char *method;
    bool        is_digits;
    size_t      len_min, len_max;
    const char *from, *to;
} bar_codes[] = {
    { "wechat_bar",  true,  18, 18, "10", "15" },
    { "alipay_bar",  true,  16, 24, "25", "30" },
    { "bar",         true,  16, 24, "00", "99" },
    { "sandbox_bar", false, 1,  64, NULL, NULL },
};
/* clang-format on */

static bool
channel_offers(const struct ph_channel *channel, struct ph_str method)
{
    for (size_t i = 0; channel->methods[i] != NULL; i++) {
        if (ph_str_eq(method, ph_str_z(channel->methods[i]))) {
            return true;
        }
    }
    return false;
}

bool
wk_method_is_known(const struct wk_methods *methods, struct ph_str method)
{
    for (size_t i = 0; i < PH_COUNT(table); i++) {
        if (ph_str_eq(method, ph_str_z(table[i]))) {
            return true;
        }
    }
    for (size_t i = 0; methods != NULL && i < methods->count; i++) {
        if (channel_offers(methods->channels[i], method)) {
            return true;
        }
    }
    return false;
}

static bool
pattern_matches(struct ph_str pattern, struct ph_str method)
{
    if (pattern.ptr[0] == '*') {
        size_t tail = pattern.len - 1;

        return method.len > tail
               && memcmp(method.ptr + method.len - tail, pattern.ptr + 1, tail)
                      == 0;
    }
    if (pattern.ptr[pattern.len - 1] == '*') {
        return ph_str_starts(method, ph_str_make(pattern.ptr, pattern.len - 1));
    }
    return ph_str_eq(pattern, method);
}

static bool
list_names(const char *list, struct ph_str method)
{
    struct ph_str rest = ph_str_z(list), pattern;

    while (ph_str_next(&rest, ' ', &pattern)) {
        if (pattern.len != 0 && pattern_matches(pattern, method)) {
            return true;
        }
    }
    return false;
}

/* One of a loaded channel; its list names methods of its own. */
static bool
loaded_is_of(const struct ph_channel *channel, size_t i, struct ph_str method,
             struct wk_extra *out)
{
    const struct ph_channel_extra *extra = &channel->extra[i];

    if (!channel_offers(channel, method)
        || (extra->methods != NULL && !list_names(extra->methods, method)))
    {
        return false;
    }
    *out = (struct wk_extra){ extra->key, extra->methods,
                              extra->is_required ? WK_EXTRA_MUST : WK_EXTRA_MAY,
                              false };
    return true;
}

/* Row `at` of the table and, after it, of all loaded channels: 1 = of the
 * method, 0 = not, -1 = there is none. */
static int
extra_read(const struct wk_methods *methods, struct ph_str method, size_t at,
           struct wk_extra *out)
{
    if (at < PH_COUNT(extras)) {
        *out = extras[at];
        return list_names(extras[at].methods, method);
    }
    at -= PH_COUNT(extras);
    for (size_t i = 0; methods != NULL && i < methods->count; i++) {
        if (at < methods->channels[i]->extra_count) {
            return loaded_is_of(methods->channels[i], at, method, out);
        }
        at -= methods->channels[i]->extra_count;
    }
    return -1;
}

bool
wk_extra_next(const struct wk_methods *methods, struct ph_str method,
              size_t *at, struct wk_extra *out)
{
    int found;

    do {
        found = extra_read(methods, method, (*at)++, out);
    } while (found == 0);
    return found > 0;
}

bool
wk_extra_find(const struct wk_methods *methods, const char *key,
              struct ph_str method, struct wk_extra *out)
{
    size_t at = 0;

    while (wk_extra_next(methods, method, &at, out)) {
        if (strcmp(key, out->key) == 0) {
            return true;
        }
    }
    return false;
}

bool
wk_bar_code_is_good(struct ph_str method, struct ph_str code)
{
    for (size_t i = 0; i < PH_COUNT(bar_codes); i++) {
        const struct bar_code *shape = &bar_codes[i];

        if (!ph_str_eq(method, ph_str_z(shape->method))) {
            continue;
        }
        if (code.len < shape->len_min || !ph_str_is_token(code, shape->len_max))
        {
            return false;
        }
        for (size_t k = 0; shape->is_digits && k < code.len; k++) {
            if (code.ptr[k] < '0' || code.ptr[k] > '9') {
                return false;
            }
        }
        return shape->from == NULL
               || (memcmp(code.ptr, shape->from, 2) >= 0
                   && memcmp(code.ptr, shape->to, 2) <= 0);
    }
    return ph_str_is_token(code, 64);
}
