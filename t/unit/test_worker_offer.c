/*
 * test_worker_offer.c - the edge's reading beside the worker's.
 */
#include "t/unit/support.h"

#include "libpayhub/wire/frame.h"
#include "worker/offer.h"

static void
test_rows(void **state)
{
    static const struct {
        struct ph_str view; /* {NULL, 0} = no field */
        struct ph_str account;
        enum wk_offer want;
    } rows[] = {
        { { NULL, 0 }, { NULL, 0 }, WK_OFFER_NONE },
        { { NULL, 0 }, PH_STR_INIT("a"), WK_OFFER_NONE },
        { PH_STR_INIT("free card CNY 100"), { NULL, 0 }, WK_OFFER_NONE },
        { PH_STR_INIT("chosen card CNY 100"), { NULL, 0 }, WK_OFFER_LIST },
        { PH_STR_INIT("forced card CNY 100"), PH_STR_INIT("a"), WK_OFFER_LIST },
        { PH_STR_INIT("out card CNY 100"), { NULL, 0 }, WK_OFFER_OUT },
        { PH_STR_INIT("none card CNY 100"), { NULL, 0 }, WK_OFFER_NOBODY },
        /* another reading */
        { PH_STR_INIT("chosen bar CNY 100"), { NULL, 0 }, WK_OFFER_DIFFERS },
        { PH_STR_INIT("chosen card USD 100"), { NULL, 0 }, WK_OFFER_DIFFERS },
        { PH_STR_INIT("chosen card CNY 101"), { NULL, 0 }, WK_OFFER_DIFFERS },
        { PH_STR_INIT("chosen card CNY 1000"), { NULL, 0 }, WK_OFFER_DIFFERS },
        { PH_STR_INIT("chosen card CNY 10"), { NULL, 0 }, WK_OFFER_DIFFERS },
        { PH_STR_INIT("chosen card CNY -"), { NULL, 0 }, WK_OFFER_DIFFERS },
        { PH_STR_INIT("unclear - - -"), { NULL, 0 }, WK_OFFER_DIFFERS },
        { PH_STR_INIT("unclear card CNY 100"), { NULL, 0 }, WK_OFFER_DIFFERS },
        { PH_STR_INIT("chosen card CNY 100"), PH_STR_INIT("a"),
          WK_OFFER_DIFFERS },
        { PH_STR_INIT("forced card CNY 100"), { NULL, 0 }, WK_OFFER_DIFFERS },
        { PH_STR_INIT("chosen"), { NULL, 0 }, WK_OFFER_DIFFERS },
        { PH_STR_INIT("later card CNY 100"), { NULL, 0 }, WK_OFFER_DIFFERS },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        char                      memory[256];
        struct ph_buf             meta  = PH_BUF_INIT(memory);
        struct wk_payment_request asked = { .method   = PH_STR("card"),
                                            .currency = PH_STR("CNY"),
                                            .amount   = 100,
                                            .account  = rows[i].account };

        ph_field_add(&meta, PH_FIELD_METHOD, PH_STR("POST"));
        if (rows[i].view.ptr != NULL) {
            ph_field_add(&meta, PH_FIELD_ROUTE_VIEW, rows[i].view);
        }
        assert_false(meta.full);
        if (wk_offer_read(ph_buf_str(&meta), &asked) != rows[i].want) {
            fail_msg("row %zu", i);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
