/*
 * test_webhook.c - Standard Webhooks: the specification's example, secrets.
 */
#include "t/unit/support.h"

#include "libpayhub/wire/b64.h"
#include "libpayhub/wire/digest.h"
#include "libpayhub/wire/webhook.h"

static int
set_up(void **state)
{
    (void) state;
    return ph_digest_init() ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void) state;
    ph_digest_deinit();
    return 0;
}

/* The example that the libraries of the specification test with. */
static void
test_known(void **state)
{
    char          key_memory[64], memory[PH_WEBHOOK_SIGNATURE_MAX];
    struct ph_buf key = PH_BUF_INIT(key_memory), text = PH_BUF_INIT(memory);

    (void) state;
    assert_int_equal(
        ph_webhook_secret(&key,
                          PH_STR("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")),
        PH_OK);
    assert_int_equal(key.len, 24);
    assert_true(ph_webhook_sign(&text, ph_buf_str(&key),
                                PH_STR("msg_p5jXN8AQM9LWM0D4loKWxJek"),
                                1614265330, PH_STR("{\"test\": 2432232314}")));
    t_same(ph_buf_str(&text),
           PH_STR("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
}

/* by: printf %s 'E1.1700000000.{}' | openssl dgst -sha256 -binary -mac HMAC
 *     -macopt hexkey:00..1f | base64 */
static void
test_openssl(void **state)
{
    uint8_t       key[PH_WEBHOOK_SECRET_RAW];
    char          memory[PH_WEBHOOK_SIGNATURE_MAX];
    struct ph_buf text = PH_BUF_INIT(memory);

    (void) state;
    for (size_t i = 0; i < sizeof(key); i++) {
        key[i] = (uint8_t) i;
    }
    assert_true(ph_webhook_sign(&text,
                                ph_str_make((const char *) key, sizeof(key)),
                                PH_STR("E1"), 1700000000, PH_STR("{}")));
    t_same(ph_buf_str(&text),
           PH_STR("v1,nXwqBoddlMXBBKq10eDRx4NHwm3Pnod3vWhQE4j1p28="));
}

static void
test_secrets(void **state)
{
    (void) state;
    for (size_t len = 0; len <= 70; len++) {
        char          raw[70] = { 0 }, memory[128] = "whsec_", back[70];
        struct ph_buf text = PH_BUF_INIT(memory), key = PH_BUF_INIT(back);

        text.len = 6;
        ph_b64_encode(&text, ph_str_make(raw, len));
        enum ph_rc rc = ph_webhook_secret(&key, ph_buf_str(&text));
        assert_int_equal(rc, len >= 24 && len <= 64 ? PH_OK : PH_E_RANGE);
        assert_int_equal(key.len, rc == PH_OK ? len : 0);
    }
}

static void
test_refused(void **state)
{
    static const struct {
        struct ph_str in;
        enum ph_rc    want;
    } rows[] = {
        { PH_STR_INIT(""), PH_E_SYNTAX },
        { PH_STR_INIT("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), PH_E_SYNTAX },
        { PH_STR_INIT("WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), PH_E_SYNTAX },
        { PH_STR_INIT("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS"), PH_E_SYNTAX },
        { PH_STR_INIT("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"),
          PH_E_SYNTAX },
    };
    char          memory[64];
    struct ph_buf key = PH_BUF_INIT(memory);

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        assert_int_equal(ph_webhook_secret(&key, rows[i].in), rows[i].want);
        assert_int_equal(key.len, 0);
    }
    ph_buf_init(&key, memory, 23);
    assert_int_equal(
        ph_webhook_secret(&key,
                          PH_STR("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")),
        PH_E_FULL);
}

/* Both forms sign the same bytes; a public key's text is known by its head. */
static void
test_pieces(void **state)
{
    struct ph_str pieces[PH_WEBHOOK_PIECES];
    uint8_t       raw[PH_WEBHOOK_PUBLIC_LEN];
    char          memory[256];
    struct ph_buf text = PH_BUF_INIT(memory);

    (void) state;
    ph_webhook_pieces(pieces, PH_STR("N1"), PH_STR("1700000000"), PH_STR("{}"));
    for (size_t i = 0; i < PH_COUNT(pieces); i++) {
        ph_buf_add(&text, pieces[i]);
    }
    t_same(ph_buf_str(&text), PH_STR("N1.1700000000.{}"));
    ph_buf_cut(&text, 0);
    for (size_t i = 0; i < sizeof(raw); i++) {
        raw[i] = (uint8_t) i;
    }
    ph_webhook_public(&text, raw);
    t_same(ph_buf_str(&text),
           PH_STR("whpk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),   cmocka_unit_test(test_openssl),
        cmocka_unit_test(test_secrets), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_pieces),
    };

    return cmocka_run_group_tests_name("webhook", tests, set_up, tear_down);
}
