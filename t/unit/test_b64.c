/*
 * test_b64.c - one text for one value.
 */
#include "t/unit/support.h"

#include "libpayhub/wire/b64.h"

static void
test_rfc4648(void **state)
{
    static const struct {
        struct ph_str raw, text;
    } rows[] = {
        { PH_STR_INIT(""), PH_STR_INIT("") },
        { PH_STR_INIT("f"), PH_STR_INIT("Zg==") },
        { PH_STR_INIT("fo"), PH_STR_INIT("Zm8=") },
        { PH_STR_INIT("foo"), PH_STR_INIT("Zm9v") },
        { PH_STR_INIT("foob"), PH_STR_INIT("Zm9vYg==") },
        { PH_STR_INIT("fooba"), PH_STR_INIT("Zm9vYmE=") },
        { PH_STR_INIT("foobar"), PH_STR_INIT("Zm9vYmFy") },
        { PH_STR_INIT("\xfb\xff\xfe"), PH_STR_INIT("+//+") },
        { PH_STR_INIT("\0\0\0\0"), PH_STR_INIT("AAAAAA==") },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        char          memory[16], back[16];
        struct ph_buf text = PH_BUF_INIT(memory), raw = PH_BUF_INIT(back);

        ph_b64_encode(&text, rows[i].raw);
        t_same(ph_buf_str(&text), rows[i].text);
        assert_int_equal(text.len, PH_B64_LEN(rows[i].raw.len));
        assert_int_equal(ph_b64_decode(&raw, rows[i].text), PH_OK);
        t_same(ph_buf_str(&raw), rows[i].raw);
        for (size_t j = 0; j < PH_COUNT(rows); j++) {
            assert_int_equal(ph_b64_same_secret(rows[i].text, rows[j].raw),
                             i == j);
        }
    }
}

static void
test_refused(void **state)
{
    static const struct ph_str rows[] = {
        PH_STR_INIT("Z"),
        PH_STR_INIT("Zg"),
        PH_STR_INIT("Zg="),
        PH_STR_INIT("Zg==="),
        PH_STR_INIT("Zg==\n"),
        PH_STR_INIT("Zm9v\n"),
        PH_STR_INIT(" Zm9"),
        PH_STR_INIT("Zm 9"),
        PH_STR_INIT("Zm9-"),
        PH_STR_INIT("Zm9_"),
        PH_STR_INIT("Zh=="), /* unused bits */
        PH_STR_INIT("Zm9="),
        PH_STR_INIT("===="),
        PH_STR_INIT("Z==="),
        PH_STR_INIT("=Zg="),
        PH_STR_INIT("Zg==Zg=="), /* padding inside */
        PH_STR_INIT("Zm8=Zg=="),
        PH_STR_INIT("Zm9v\0\0\0\0"),
        PH_STR_INIT("Zm9v\xff\xff\xff\xff"),
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        char          memory[16] = "kept";
        struct ph_buf raw;

        ph_buf_init(&raw, memory, sizeof(memory));
        raw.len = 4;
        if (ph_b64_decode(&raw, rows[i]) != PH_E_SYNTAX) {
            fail_msg("row %zu was taken", i);
        }
        t_same(ph_buf_str(&raw), PH_STR("kept"));
        assert_false(ph_b64_same_secret(rows[i], PH_STR("f")));
        assert_false(ph_b64_same_secret(rows[i], PH_STR("foo")));
        assert_false(ph_b64_same_secret(rows[i], PH_STR("")));
    }
}

/* All 64^2 endings of two digits: exactly one in 16 has no unused bit set. */
static void
test_unused_bits(void **state)
{
    unsigned taken = 0;

    (void) state;
    for (unsigned high = 33; high < 127; high++) {
        for (unsigned low = 33; low < 127; low++) {
            char          text[4] = { (char) high, (char) low, '=', '=' };
            char          memory[4], again[4];
            struct ph_buf raw = PH_BUF_INIT(memory), back = PH_BUF_INIT(again);

            if (ph_b64_decode(&raw, ph_str_make(text, 4)) == PH_OK) {
                taken++;
                ph_b64_encode(&back, ph_buf_str(&raw));
                t_same(ph_buf_str(&back), ph_str_make(text, 4));
            }
        }
    }
    assert_int_equal(taken, 256);
}

static void
test_full(void **state)
{
    char          memory[5];
    struct ph_buf buf;

    (void) state;
    for (size_t size = 0; size < 5; size++) {
        ph_buf_init(&buf, memory, size);
        assert_int_equal(ph_b64_decode(&buf, PH_STR("Zm9vYmE=")), PH_E_FULL);
        assert_int_equal(buf.len, 0);
        ph_buf_init(&buf, memory, size);
        assert_int_equal(ph_b64_decode(&buf, PH_STR("Zm9vYmFyYmE*")),
                         PH_E_SYNTAX);
        assert_int_equal(buf.len, 0);
        ph_buf_init(&buf, memory, size);
        ph_b64_encode(&buf, PH_STR("foob"));
        assert_true(buf.full);
        assert_int_equal(buf.len, 0);
    }
}

/* Every other byte in every place of the text of a sum, and of texts of each
 * kind of ending: only the text itself is the same. */
static void
test_same(void **state)
{
    (void) state;
    for (size_t len = 30; len <= 32; len++) {
        char          sum[32], memory[PH_B64_LEN(32)];
        struct ph_buf text = PH_BUF_INIT(memory);

        for (size_t i = 0; i < len; i++) {
            sum[i] = (char) (i * 37 + 200);
        }
        ph_b64_encode(&text, ph_str_make(sum, len));
        for (size_t at = 0; at < text.len; at++) {
            char was = memory[at];

            for (int ch = 0; ch < 256; ch++) {
                memory[at] = (char) ch;
                assert_int_equal(ph_b64_same_secret(ph_buf_str(&text),
                                                    ph_str_make(sum, len)),
                                 memory[at] == was);
            }
            memory[at] = was;
        }
        for (size_t at = 0; at < 8 * len; at++) {
            sum[at / 8] ^= (char) (1 << at % 8);
            assert_false(
                ph_b64_same_secret(ph_buf_str(&text), ph_str_make(sum, len)));
            sum[at / 8] ^= (char) (1 << at % 8);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc4648),     cmocka_unit_test(test_refused),
        cmocka_unit_test(test_unused_bits), cmocka_unit_test(test_same),
        cmocka_unit_test(test_full),
    };

    return cmocka_run_group_tests_name("b64", tests, NULL, NULL);
}
