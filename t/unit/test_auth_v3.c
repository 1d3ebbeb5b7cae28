/*
 * test_auth_v3.c - the PAYHUB-V3 header: what is taken and each refusal.
 */
#include "t/unit/support.h"

#include <stdio.h>

#include "libpayhub/wire/auth_v3.h"

#define K "key_id=\"k1\""
#define T "timestamp=\"1700000000\""
#define N "nonce=\"abcdefgh\""
#define S "signature=\"AAAA\""
#define P "PAYHUB-V3 "

static void
test_taken(void **state)
{
    struct ph_auth_v3 auth;

    (void) state;
    assert_int_equal(ph_auth_v3_parse(PH_STR(P K "," T "," N "," S), &auth),
                     PH_OK);
    t_same(auth.key_id, PH_STR("k1"));
    t_same(auth.timestamp_text, PH_STR("1700000000"));
    t_same(auth.nonce, PH_STR("abcdefgh"));
    t_same(auth.signature, PH_STR("AAAA"));
    assert_true(auth.timestamp == 1700000000);
}

/* all 24 orders of the four fields say the same */
static void
test_any_order(void **state)
{
    static const char *const fields[] = { K, T, N, S };
    unsigned                 orders   = 0;

    (void) state;
    for (unsigned i = 0; i < 256; i++) {
        unsigned          at[4] = { i & 3, i >> 2 & 3, i >> 4 & 3, i >> 6 };
        unsigned          seen  = 0;
        char              text[256];
        struct ph_auth_v3 auth;

        for (size_t j = 0; j < 4; j++) {
            seen |= 1u << at[j];
        }
        (void) snprintf(text, sizeof(text), P "%s,%s,%s,%s", fields[at[0]],
                        fields[at[1]], fields[at[2]], fields[at[3]]);
        enum ph_rc rc = ph_auth_v3_parse(ph_str_z(text), &auth);
        if (seen != 15) {
            assert_int_equal(rc, PH_E_DUPLICATE);
            continue;
        }
        orders++;
        assert_int_equal(rc, PH_OK);
        t_same(auth.key_id, PH_STR("k1"));
        t_same(auth.signature, PH_STR("AAAA"));
    }
    assert_int_equal(orders, 24);
}

/* clang-format off */
static const struct {
    struct ph_str in;
    enum ph_rc    want;
} refused[] = {
    /* scheme */
    { { NULL, 0 }, PH_E_SYNTAX },
    { PH_STR_INIT(""), PH_E_SYNTAX },
    { PH_STR_INIT("PAYHUB-V3"), PH_E_SYNTAX },
    { PH_STR_INIT("PAYHUB-V3 "), PH_E_SYNTAX },
    { PH_STR_INIT("payhub-v3 " K "," T "," N "," S), PH_E_SYNTAX },
    { PH_STR_INIT("PAYHUB-V2 " K "," T "," N "," S), PH_E_SYNTAX },
    { PH_STR_INIT("PAYHUB-V3\t" K "," T "," N "," S), PH_E_SYNTAX },
    { PH_STR_INIT(" " P K "," T "," N "," S), PH_E_SYNTAX },
    { PH_STR_INIT("Bearer x"), PH_E_SYNTAX },
    /* blanks and separators */
    { PH_STR_INIT("PAYHUB-V3  " K "," T "," N "," S), PH_E_UNKNOWN },
    { PH_STR_INIT(P K ", " T "," N "," S), PH_E_UNKNOWN },
    { PH_STR_INIT(P K " ," T "," N "," S), PH_E_SYNTAX },
    { PH_STR_INIT(P K "," T "," N "," S " "), PH_E_SYNTAX },
    { PH_STR_INIT(P K "," T "," N "," S ","), PH_E_SYNTAX },
    { PH_STR_INIT(P "," K "," T "," N "," S), PH_E_UNKNOWN },
    { PH_STR_INIT(P K ",," T "," N "," S), PH_E_UNKNOWN },
    { PH_STR_INIT(P K ";" T "," N "," S), PH_E_SYNTAX },
    { PH_STR_INIT(P "key_id =\"k1\"," T "," N "," S), PH_E_UNKNOWN },
    { PH_STR_INIT(P "key_id= \"k1\"," T "," N "," S), PH_E_UNKNOWN },
    /* quotes */
    { PH_STR_INIT(P "key_id=k1," T "," N "," S), PH_E_UNKNOWN },
    { PH_STR_INIT(P "key_id=\"k1," T "," N "," S), PH_E_SYNTAX },
    { PH_STR_INIT(P "key_id=k1\"," T "," N "," S), PH_E_UNKNOWN },
    { PH_STR_INIT(P "key_id='k1'," T "," N "," S), PH_E_UNKNOWN },
    { PH_STR_INIT(P "key_id=\"," T "," N "," S), PH_E_SYNTAX },
    { PH_STR_INIT(P "key_id=\"k\"1\"," T "," N "," S), PH_E_SYNTAX },
    { PH_STR_INIT(P K "," T "," N ",signature=\""), PH_E_SYNTAX },
    { PH_STR_INIT(P "key_id," T "," N "," S), PH_E_UNKNOWN },
    /* names */
    { PH_STR_INIT(P "KEY_ID=\"k1\"," T "," N "," S), PH_E_UNKNOWN },
    { PH_STR_INIT(P "keyid=\"k1\"," T "," N "," S), PH_E_UNKNOWN },
    { PH_STR_INIT(P "=\"k1\"," T "," N "," S), PH_E_UNKNOWN },
    { PH_STR_INIT(P K "," T "," N "," S ",alg=\"md5\""), PH_E_UNKNOWN },
    /* missing */
    { PH_STR_INIT(P T "," N "," S), PH_E_MISSING },
    { PH_STR_INIT(P K "," N "," S), PH_E_MISSING },
    { PH_STR_INIT(P K "," T "," S), PH_E_MISSING },
    { PH_STR_INIT(P K "," T "," N), PH_E_MISSING },
    /* twice */
    { PH_STR_INIT(P K "," K "," T "," N "," S), PH_E_DUPLICATE },
    { PH_STR_INIT(P K "," T "," N "," S "," T), PH_E_DUPLICATE },
    { PH_STR_INIT(P K "," T "," N "," N "," S), PH_E_DUPLICATE },
    { PH_STR_INIT(P S "," K "," T "," N "," S), PH_E_DUPLICATE },
    /* empty */
    { PH_STR_INIT(P "key_id=\"\"," T "," N "," S), PH_E_RANGE },
    { PH_STR_INIT(P K ",timestamp=\"\"," N "," S), PH_E_RANGE },
    { PH_STR_INIT(P K "," T ",nonce=\"\"," S), PH_E_RANGE },
    { PH_STR_INIT(P K "," T "," N ",signature=\"\""), PH_E_RANGE },
    /* too long, too short: 33 and 65 characters, 12 digits, 7 characters */
    { PH_STR_INIT(P "key_id=\"012345678901234567890123456789012\"," T "," N
                  "," S), PH_E_RANGE },
    { PH_STR_INIT(P K ",timestamp=\"100000000000\"," N "," S), PH_E_RANGE },
    { PH_STR_INIT(P K "," T ",nonce=\"0123456789012345678901234567890123456789"
                  "0123456789012345678901234\"," S), PH_E_RANGE },
    { PH_STR_INIT(P K "," T ",nonce=\"1234567\"," S), PH_E_RANGE },
    { PH_STR_INIT(P K "," T "," N ",signature=\"AAA\""), PH_E_RANGE },
    /* content */
    { PH_STR_INIT(P "key_id=\"k.1\"," T "," N "," S), PH_E_SYNTAX },
    { PH_STR_INIT(P "key_id=\"k 1\"," T "," N "," S), PH_E_SYNTAX },
    { PH_STR_INIT(P "key_id=\"k\0x\"," T "," N "," S), PH_E_SYNTAX },
    { PH_STR_INIT(P K ",timestamp=\"01\"," N "," S), PH_E_SYNTAX },
    { PH_STR_INIT(P K ",timestamp=\"+1\"," N "," S), PH_E_SYNTAX },
    { PH_STR_INIT(P K ",timestamp=\"-1\"," N "," S), PH_E_SYNTAX },
    { PH_STR_INIT(P K ",timestamp=\"1.0\"," N "," S), PH_E_SYNTAX },
    { PH_STR_INIT(P K ",timestamp=\"0x1\"," N "," S), PH_E_SYNTAX },
    { PH_STR_INIT(P K "," T ",nonce=\"abcdefg.\"," S), PH_E_SYNTAX },
    { PH_STR_INIT(P K "," T ",nonce=\"abcdefg=\"," S), PH_E_SYNTAX },
    { PH_STR_INIT(P K "," T "," N ",signature=\"AAAAA\""), PH_E_SYNTAX },
    { PH_STR_INIT(P K "," T "," N ",signature=\"AA A\""), PH_E_SYNTAX },
    { PH_STR_INIT(P K "," T "," N ",signature=\"A===\""), PH_E_SYNTAX },
    { PH_STR_INIT(P K "," T "," N ",signature=\"AA-_\""), PH_E_SYNTAX },
};
/* clang-format on */

static void
test_refused(void **state)
{
    (void) state;
    for (size_t i = 0; i < PH_COUNT(refused); i++) {
        struct ph_auth_v3 auth;
        enum ph_rc        rc = ph_auth_v3_parse(refused[i].in, &auth);

        if (rc != refused[i].want) {
            fail_msg("\"%.*s\": got %d, want %d", (int) refused[i].in.len,
                     refused[i].in.ptr, (int) rc, (int) refused[i].want);
        }
    }
}

static void
test_longest(void **state)
{
    static char       memory[PH_AUTH_V3_HEADER_MAX + 16];
    static char       key[PH_KEY_ID_LEN_MAX], nonce[PH_NONCE_LEN_MAX];
    static char       signature[PH_SIGNATURE_TEXT_MAX + 4];
    struct ph_buf     buf = PH_BUF_INIT(memory);
    struct ph_auth_v3 back;
    struct ph_auth_v3 auth
        = { ph_str_make(key, sizeof(key)), PH_STR("99999999999"),
            ph_str_make(nonce, sizeof(nonce)),
            ph_str_make(signature, PH_SIGNATURE_TEXT_MAX), 0 };

    (void) state;
    memset(key, 'k', sizeof(key));
    memset(nonce, '-', sizeof(nonce));
    memset(signature, '/', sizeof(signature));
    ph_auth_v3_format(&buf, &auth);
    assert_false(buf.full);
    assert_int_equal(ph_auth_v3_parse(ph_buf_str(&buf), &back), PH_OK);
    t_same(back.signature, auth.signature);

    auth.signature.len += 4;
    ph_buf_cut(&buf, 0);
    ph_auth_v3_format(&buf, &auth);
    assert_false(buf.full);
    assert_int_equal(ph_auth_v3_parse(ph_buf_str(&buf), &back), PH_E_RANGE);

    memset(memory, ',', sizeof(memory));
    assert_int_equal(
        ph_auth_v3_parse(ph_str_make(memory, PH_AUTH_V3_HEADER_MAX + 1), &back),
        PH_E_RANGE);
}

/* every cut and every single changed byte: taken only as itself */
static void
test_cut_and_changed(void **state)
{
    static const char whole[] = P K "," T "," N "," S;
    struct ph_auth_v3             auth;

    (void) state;
    for (size_t len = 0; len + 1 < sizeof(whole); len++) {
        assert_int_not_equal(ph_auth_v3_parse(ph_str_make(whole, len), &auth),
                             PH_OK);
    }
    for (size_t at = 0; at + 1 < sizeof(whole); at++) {
        char text[sizeof(whole)];

        memcpy(text, whole, sizeof(whole));
        text[at] = '\n';
        assert_int_not_equal(
            ph_auth_v3_parse(ph_str_make(text, sizeof(whole) - 1), &auth),
            PH_OK);
    }
}

static void
test_signed_strings(void **state)
{
    char          memory[256];
    struct ph_buf buf = PH_BUF_INIT(memory);

    (void) state;
    ph_auth_v3_prefix(&buf, PH_STR("POST"), PH_STR("/v1/payments?a=%20"),
                      PH_STR("1700000000"), PH_STR("abcdefgh"));
    t_same(ph_buf_str(&buf),
           PH_STR("POST\n/v1/payments?a=%20\n1700000000\nabcdefgh\n"));
    ph_buf_cut(&buf, 0);
    ph_answer_v3_prefix(&buf, PH_STR("1700000000"), PH_STR("abcdefgh"), 201);
    t_same(ph_buf_str(&buf), PH_STR("1700000000\nabcdefgh\n201\n"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_cut_and_changed),
        cmocka_unit_test(test_signed_strings),
    };

    return cmocka_run_group_tests_name("auth_v3", tests, NULL, NULL);
}
