/* Who is let into a room that others want as well. */
#include "t/unit/support.h"
#include "worker/share.h"

static void
a_room_is_shared(void **unused)
{
    static const struct {
        size_t   used, most;
        unsigned own;
        bool     fits;
    } rows[] = {
        { 0, 0, 0, false },       { 0, 1, 0, true },
        { 1, 1, 0, false },       { 7, 8, 7, true },
        { 8, 8, 8, false },       { 8, 9, 8, false },
        { 112, 128, 112, true },  { 113, 128, 113, true },
        { 114, 128, 114, false }, { 115, 128, 115, false },
        { 114, 128, 0, true },    { 127, 128, 7, true },
        { 127, 128, 8, false },   { 128, 128, 0, false },
        { 100, 128, 224, false }, { 100, 128, 223, true },
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct wk_shares shares = { .count = { [3] = rows[i].own } };

        assert_int_equal(wk_share_fits(&shares, 3, rows[i].used, rows[i].most),
                         rows[i].fits);
    }
}

/* one fills it alone; what is left is for the others, to the last place */
static void
one_leaves_a_ninth(void **unused)
{
    static const size_t rooms[] = { 9, 18, 128, 512, 4096 };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rooms); i++) {
        struct wk_shares shares = { 0 };
        size_t           most = rooms[i], used = 0, others = 0;

        for (; wk_share_fits(&shares, 0, used, most); used++) {
            shares.count[0]++;
        }
        assert_in_range(used, most * 8 / 9, most * 8 / 9 + 1);
        for (unsigned slot = 1;
             slot < WK_SHARE_SLOTS && wk_share_fits(&shares, slot, used, most);
             used++, others++)
        {
            shares.count[slot++]++;
        }
        assert_int_equal(others, most - shares.count[0] < WK_SHARE_SLOTS - 1
                                     ? most - shares.count[0]
                                     : WK_SHARE_SLOTS - 1);
    }
}

static void
names_have_slots(void **unused)
{
    unsigned met[WK_SHARE_SLOTS] = { 0 };
    size_t   most                = 0;

    (void) unused;
    for (unsigned i = 0; i < 4 * WK_SHARE_SLOTS; i++) {
        char          memory[32];
        struct ph_buf name = PH_BUF_INIT(memory);

        ph_buf_add(&name, PH_STR("app_"));
        ph_buf_u64(&name, i);
        unsigned slot = wk_share_slot(ph_buf_str(&name));

        assert_true(slot < WK_SHARE_SLOTS);
        assert_int_equal(slot, wk_share_slot(ph_buf_str(&name)));
        met[slot]++;
        most = met[slot] > most ? met[slot] : most;
    }
    assert_true(most < 16); /* 4 on average */
    assert_true(wk_share_slot(PH_STR("")) < WK_SHARE_SLOTS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_room_is_shared),
        cmocka_unit_test(one_leaves_a_ninth),
        cmocka_unit_test(names_have_slots),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
