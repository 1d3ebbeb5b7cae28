/* Which ids an account may be asked for, and how often. */
#include "t/unit/support.h"

#include "worker/refresh_ids.h"

#define NOW UINT64_C(1795429230000)
#define STEPS_MAX 24

/*
 * Steps, blank-separated: an id of one letter that is asked for, small: by what
 * may be forged, large: by an answer; "+" behind it: it was answered.  "@N"
 * goes on by N seconds.  Of each that is asked for: y, or n.
 */
/* clang-format off */
static const struct {
    const char *steps, *allowed;
} rows[] = {
    { "a", "y" },
    /* not had: not again for ten seconds */
    { "a @9 a @1 a", "yny" },
    /* answered, and asked for all the same: not for ten minutes */
    { "a+ @10 a @589 a @1 a", "ynny" },
    /* another one does not wait for it */
    { "a b", "yy" },
    /* few of what may be forged, and as many again of answers */
    { "a b c d e", "yyyyn" },
    { "a b c d e F G H I J", "yyyynyyyyn" },
    { "A B C D e F", "yyyyny" },
    { "A B C D E F G H I", "yyyyyyyyn" },
    /* what is over counts no more */
    { "a b c d @10 e f g h i", "yyyyyyyyn" },
    { "a b @5 c d e @5 e f g", "yyyynyyn" },
    /* the oldest is forgotten for the newest, the others are not */
    { "a+ @10 b+ c+ d+ e+ @10 f+ g+ h+ i+ @10 j+ k+ l+ m+ @10 n+ o+ p+ @10 a "
      "b", "yyyyyyyyyyyyyyyynn" },
    { "a+ @10 b+ c+ d+ e+ @10 f+ g+ h+ i+ @10 j+ k+ l+ m+ @10 n+ o+ p+ q+ @10 "
      "b a", "yyyyyyyyyyyyyyyyyny" },
    /* asked for anew it is the newest again, and stands there once */
    { "a @10 a @10 a @10 a b c", "yyyyyy" },
};
/* clang-format on */

static void
play(const char *steps, char *allowed)
{
    char          memory[WK_REFRESH_IDS_LEN], next_memory[WK_REFRESH_IDS_LEN];
    struct ph_str ids = ph_str_make(memory, 0), rest = ph_str_z(steps), step;
    uint64_t      now_ms = NOW, seconds;

    for (unsigned i = 0; i < STEPS_MAX && ph_str_next(&rest, ' ', &step); i++) {
        const char    letter = step.ptr[0] | 0x20;
        struct ph_str id     = ph_str_make(&letter, 1);
        struct ph_buf next   = PH_BUF_INIT(next_memory);

        if (step.ptr[0] == '@') {
            assert_true(ph_str_u64(ph_str_make(step.ptr + 1, step.len - 1),
                                   1000, &seconds));
            now_ms += seconds * 1000;
            continue;
        }
        const bool may
            = wk_refresh_ids_allow(ids, id, now_ms, letter == step.ptr[0]);

        *allowed++ = may ? 'y' : 'n';
        if (!may) {
            continue;
        }
        wk_refresh_ids_note(ids, id, now_ms, step.len == 2, &next);
        assert_false(next.full);
        memcpy(memory, next.ptr, next.len);
        ids = ph_str_make(memory, next.len);
    }
    *allowed = '\0';
}

static void
ids_are_bounded(void **state)
{
    char allowed[STEPS_MAX + 1];

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        play(rows[i].steps, allowed);
        if (strcmp(allowed, rows[i].allowed) != 0) {
            print_message("# %s\n", rows[i].steps);
        }
        assert_string_equal(allowed, rows[i].allowed);
    }
}

/* What a column holds may be of another version, cut or nothing at all. */
static void
what_is_kept_may_be_anything(void **state)
{
    char memory[WK_REFRESH_IDS_LEN + 64], next_memory[WK_REFRESH_IDS_LEN];

    (void) state;
    for (unsigned byte = 0; byte < 256; byte += 51) {
        memset(memory, (int) byte, sizeof(memory));
        for (size_t len = 0; len <= sizeof(memory); len++) {
            struct ph_str ids  = ph_str_make(memory, len);
            struct ph_buf next = PH_BUF_INIT(next_memory);

            assert_true(wk_refresh_ids_allow(ids, PH_STR("id"), NOW, true));
            wk_refresh_ids_note(ids, PH_STR("id"), NOW, true, &next);
            assert_false(next.full);
            assert_int_equal(next.len % 16, 0);
            assert_false(wk_refresh_ids_allow(ph_buf_str(&next), PH_STR("id"),
                                              NOW + 1, false));
        }
    }
}

/* A clock that was put back does not shut an id out for longer than that. */
static void
a_clock_may_be_put_back(void **state)
{
    char          memory[WK_REFRESH_IDS_LEN];
    struct ph_buf buf = PH_BUF_INIT(memory);

    (void) state;
    wk_refresh_ids_note(ph_str_make(NULL, 0), PH_STR("id"), NOW, true, &buf);
    assert_false(
        wk_refresh_ids_allow(ph_buf_str(&buf), PH_STR("id"), NOW - 1000, true));
    assert_true(wk_refresh_ids_allow(ph_buf_str(&buf), PH_STR("id"),
                                     NOW - WK_REFRESH_MISSED_MS - 1, true));
}

static void
looks_are_bounded(void **state)
{
    struct wk_refresh_looks looks  = { 0 };
    const uint64_t          second = UINT64_C(1000000000);
    uint64_t                now_ns = 5; /* soon after the machine's start */

    (void) state;
    assert_true(wk_refresh_look_take(&looks, PH_STR("same"), now_ns));
    for (unsigned i = 0; i < 100; i++) {
        assert_false(wk_refresh_look_take(&looks, PH_STR("same"), now_ns + i));
    }
    for (size_t i = 1; i < WK_REFRESH_LOOKS_MAX; i++) {
        const char id = (char) ('0' + i);

        assert_true(
            wk_refresh_look_take(&looks, ph_str_make(&id, 1), now_ns + 9));
    }
    assert_false(wk_refresh_look_take(&looks, PH_STR("one more"), now_ns + 9));
    assert_true(wk_refresh_look_take(&looks, PH_STR("same"), now_ns + second));
    assert_false(
        wk_refresh_look_take(&looks, PH_STR("one more"), now_ns + second));
    assert_true(
        wk_refresh_look_take(&looks, PH_STR("one more"), now_ns + second + 9));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_bounded),
        cmocka_unit_test(what_is_kept_may_be_anything),
        cmocka_unit_test(a_clock_may_be_put_back),
        cmocka_unit_test(looks_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
