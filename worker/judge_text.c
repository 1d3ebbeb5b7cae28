/* judge_text.c - texts that the judges read and write; see judge.h. */
#include "worker/judge.h"

struct ph_str
wk_action_text(enum ph_action_type action)
{
    static const struct ph_str texts[] = {
        [PH_ACTION_NONE]          = PH_STR_INIT("none"),
        [PH_ACTION_QR_CODE]       = PH_STR_INIT("qr_code"),
        [PH_ACTION_REDIRECT]      = PH_STR_INIT("redirect"),
        [PH_ACTION_FORM]          = PH_STR_INIT("form"),
        [PH_ACTION_APP]           = PH_STR_INIT("app"),
        [PH_ACTION_JSAPI]         = PH_STR_INIT("jsapi"),
        [PH_ACTION_CLIENT_SECRET] = PH_STR_INIT("client_secret"),
    };

    return (size_t) action < PH_COUNT(texts) ? texts[action] : texts[0];
}

bool
wk_number_is_plain(struct ph_str number)
{
    for (size_t i = 0; i < number.len; i++) {
        if (number.ptr[i] <= 0x20 || number.ptr[i] > 0x7e) {
            return false;
        }
    }
    return number.len <= WK_NUMBER_MAX;
}

struct ph_str
wk_source_text(enum wk_source source)
{
    return source == WK_SOURCE_ANSWER   ? PH_STR("answer")
           : source == WK_SOURCE_NOTICE ? PH_STR("notice")
                                        : PH_STR("query");
}

struct ph_str
wk_text_cut(struct ph_str text, size_t len_max)
{
    while (text.len > len_max || ph_str_utf8_count(text) == SIZE_MAX) {
        if (text.len == 0) {
            break;
        }
        text.len--; /* never through the middle of a character */
    }
    return text;
}
