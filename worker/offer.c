/* offer.c - see offer.h. */
#include "worker/offer.h"

#include "libpayhub/wire/frame.h"

#define VIEW_LEN 160

enum wk_offer
wk_offer_read(struct ph_str frame_meta, const struct wk_payment_request *asked)
{
    static const struct {
        struct ph_str word;
        enum wk_offer offer;
    } words[]          = { { PH_STR_INIT("free"), WK_OFFER_NONE },
                           { PH_STR_INIT("chosen"), WK_OFFER_LIST },
                           { PH_STR_INIT("forced"), WK_OFFER_LIST },
                           { PH_STR_INIT("out"), WK_OFFER_OUT },
                           { PH_STR_INIT("none"), WK_OFFER_NOBODY } };
    struct ph_str view = ph_field_find(frame_meta, PH_FIELD_ROUTE_VIEW);
    struct ph_str word, rest;
    char          memory[VIEW_LEN];
    struct ph_buf ours = PH_BUF_INIT(memory);

    if (view.ptr == NULL) {
        return WK_OFFER_NONE;
    }
    ph_buf_add(&ours, asked->method);
    ph_buf_byte(&ours, ' ');
    ph_buf_add(&ours, asked->currency);
    ph_buf_byte(&ours, ' ');
    ph_buf_i64(&ours, asked->amount);
    if (ours.full || !ph_str_cut(view, ' ', &word, &rest)
        || !ph_str_eq(rest, ph_buf_str(&ours))
        || ph_str_eq(word, PH_STR("forced")) != (asked->account.len != 0))
    {
        return WK_OFFER_DIFFERS;
    }
    for (size_t i = 0; i < PH_COUNT(words); i++) {
        if (ph_str_eq(word, words[i].word)) {
            return words[i].offer;
        }
    }
    return WK_OFFER_DIFFERS;
}
