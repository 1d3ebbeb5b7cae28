/*
 * test_channel_unionpay_account.c - accounts of the unionpay adapter: which are
 * opened, and what is said of the others.
 */
#include "t/unit/channel_unionpay.h"

static int
set_up(void **state)
{
    (void) state;
    assert_true(ph_digest_init());
    ph_arena_init(&arena, memory, sizeof(memory));
    return 0;
}

static int
tear_down(void **state)
{
    (void) state;
    ph_digest_deinit();
    return 0;
}

static void
test_accounts(void **state)
{
    static const struct {
        const char *gateway;
        const char *mer_id;
        const char *method; /* NULL = none */
        bool        has_key, has_secret;
        const char *why; /* how it begins; NULL = opened */
    } rows[] = {
        { GATEWAY, MER_ID, NULL, true, false, NULL },
        { GATEWAY, MER_ID, "01", true, false, NULL },
        { GATEWAY, MER_ID, NULL, false, true, NULL },
        { GATEWAY, MER_ID, "11", false, true, NULL },
        { GATEWAY, MER_ID, "12", false, true, NULL },
        { GATEWAY, MER_ID, "11", true, true, NULL },
        { GATEWAY, "MER00000000000A", NULL, true, false, NULL },
        { GATEWAY, MER_ID, "01", false, true, "sign_method: found 01 without" },
        { GATEWAY, MER_ID, "11", true, false, "sign_method: found 11 or 12" },
        { GATEWAY, MER_ID, "02", true, false, "sign_method: found another" },
        { GATEWAY, "77729005811004", NULL, true, false, "mer_id: found" },
        { GATEWAY, "7772900581100480", NULL, true, false, "mer_id: found" },
        { GATEWAY, "77729005811004/", NULL, true, false, "mer_id: found" },
        { GATEWAY, NULL, NULL, true, false, "mer_id: found" },
        { "http://bank.example/", MER_ID, NULL, true, false,
          "gateway_url: found" },
        { GATEWAY, MER_ID, NULL, false, false, "sign_cert" },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_channel_account account = pem_account();

        ph_arena_reset(&arena);
        account.values[UNION_GATEWAY_URL] = ph_str_z(rows[i].gateway);
        account.values[UNION_MER_ID]      = ph_str_z(rows[i].mer_id);
        account.values[UNION_SIGN_METHOD] = ph_str_z(rows[i].method);
        if (!rows[i].has_key) {
            account.values[UNION_SIGN_KEY] = ph_str_make(NULL, 0);
        }
        if (rows[i].has_secret) {
            account.values[UNION_SECURE_KEY] = PH_STR(SECRET);
        }
        const char *why = account_why(account);
        if (rows[i].why == NULL
                ? why != NULL
                : why == NULL
                      || strncmp(why, rows[i].why, strlen(rows[i].why)) != 0)
        {
            fail_msg("row %zu: %s", i, why != NULL ? why : "opened");
        }
    }
}

/* A key, certificate or file that does not fit is named. */
static void
test_account_keys(void **state)
{
    struct ph_str evil = kept_file(KEYS "evil.cer");
    const struct {
        enum union_field at;
        struct ph_str    value;
        const char      *why;
    } rows[] = {
        { UNION_SIGN_KEY, kept_file(KEYS "merchant_pkcs1.pem"), NULL },
        { UNION_SIGN_KEY, kept_file(KEYS "evil_pkcs8.pem"),
          "sign_key: found the key of another certificate" },
        { UNION_SIGN_KEY, kept_file(KEYS "merchant_public.pem"),
          "sign_key: found no private key" },
        { UNION_SIGN_CERT, PH_STR("none"), "sign_cert: found no certificate" },
        { UNION_SIGN_CERT, kept_file(KEYS "acpsign.cer"),
          "sign_key: found the key of another certificate" },
        { UNION_ROOT_CERT, PH_STR("none"), "root_cert: found no certificate" },
        { UNION_ROOT_CERT, evil, "middle_cert: found none" },
        { UNION_MIDDLE_CERT, PH_STR("none"), "middle_cert: found no cert" },
        { UNION_MIDDLE_CERT, evil, "middle_cert: found none" },
        { UNION_SECURE_KEY, PH_STR("0123456789abcde"), NULL }, /* not used */
        { UNION_REVOKE, PH_STR("yes"), NULL },
        { UNION_REVOKE, PH_STR("maybe"), "revoke: found" },
        { UNION_BACK_URL, PH_STR("ftp://x/"), "back_url: found" },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_channel_account account = pem_account();

        ph_arena_reset(&arena);
        account.values[rows[i].at] = rows[i].value;
        const char *why            = account_why(account);
        if (rows[i].why == NULL
                ? why != NULL
                : why == NULL
                      || strncmp(why, rows[i].why, strlen(rows[i].why)) != 0)
        {
            fail_msg("row %zu: %s", i, why != NULL ? why : "opened");
        }
    }
}

static void
test_account_secrets(void **state)
{
    static const struct {
        const char *key;
        bool        is_opened;
    } rows[] = {
        { "0123456789abcde", false },
        { "0123456789abcdef", true },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_channel_account account = secret_account(NULL);

        account.values[UNION_SECURE_KEY] = ph_str_z(rows[i].key);
        const char *why                  = account_why(account);
        assert_int_equal(why == NULL, rows[i].is_opened);
        assert_true(why == NULL || strstr(why, "secure_key: found") == why);
    }
}

static void
test_account_pfx(void **state)
{
    struct ph_str aes = kept_b64(KEYS "merchant_aes.pfx");
    struct ph_str old = kept_b64(KEYS "merchant.pfx");
    const struct {
        struct ph_str pfx;
        const char   *password;
        const char   *why;
    } rows[] = {
        { aes, "000000", NULL },
        { old, "000000", NULL },
        { aes, "111111", "pfx_password: found another password" },
        { old, "111111", "pfx_password: found another password" },
        { aes, NULL, "sign_cert" },
        { PH_STR("AAAA"), "000000", "pfx: found no PKCS #12 file" },
        { PH_STR("?"), "000000", "pfx: found" },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_channel_account account = pem_account();

        ph_arena_reset(&arena);
        account.values[UNION_SIGN_KEY]     = ph_str_make(NULL, 0);
        account.values[UNION_SIGN_CERT]    = ph_str_make(NULL, 0);
        account.values[UNION_PFX]          = rows[i].pfx;
        account.values[UNION_PFX_PASSWORD] = ph_str_z(rows[i].password);
        const char *why                    = account_why(account);
        if (rows[i].why == NULL
                ? why != NULL
                : why == NULL
                      || strncmp(why, rows[i].why, strlen(rows[i].why)) != 0)
        {
            fail_msg("row %zu: %s", i, why != NULL ? why : "opened");
        }
    }
}

/* Certificates out of date are told when the account is opened. */
static void
test_account_dates(void **state)
{
    static const uint64_t early_ms = UINT64_C(1795400508000);
    static const uint64_t late_ms
        = UINT64_C(2110760508000); /* its last second */

    struct ph_channel_account account = pem_account();
    const char               *why     = NULL;

    (void) state;
    assert_false(
        ph_channel_account_open(&account, NULL, early_ms, &arena, &why));
    assert_non_null(strstr(why, "middle_cert: found none"));
    assert_true(ph_channel_account_open(&account, NULL, late_ms, &arena, &why));
    ph_channel_account_close(&account);
    assert_false(
        ph_channel_account_open(&account, NULL, late_ms + 1000, &arena, &why));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accounts),
        cmocka_unit_test(test_account_keys),
        cmocka_unit_test(test_account_secrets),
        cmocka_unit_test(test_account_pfx),
        cmocka_unit_test(test_account_dates),
    };

    return cmocka_run_group_tests_name("channel_unionpay_account", tests,
                                       set_up, tear_down);
}
