/*
 * test_ed25519.c - the platform's key: RFC 8032, 7.1, tests 1 and 3; what is
 * none.
 */
#include <stdlib.h>

#include "t/unit/support.h"

#include "libpayhub/wire/digest.h"
#include "libpayhub/wire/ed25519.h"

#define PEM(text)                                                              \
    "-----BEGIN PRIVATE KEY-----\n" text "\n-----END PRIVATE KEY-----\n"

static const struct {
    const char *pem;
    const char *public;
    const char *message; /* hex */
    const char *signature;
} rows[] = {
    { PEM("MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g"),
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb88215"
      "90"
      "a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b" },
    { PEM("MC4CAQAwBQYDK2VwBCIEIMWqjfQ/n4N77bdELzHct7Fm04U1B28JS4XOOi4LRFj3"),
      "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
      "af82",
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b53"
      "8d"
      "16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a" },
};

static void
hex_is(struct ph_str bytes, const char *expected)
{
    char          memory[256];
    struct ph_buf hex = PH_BUF_INIT(memory);

    ph_buf_hex(&hex, bytes);
    assert_string_equal(ph_buf_z(&hex), expected);
}

static struct ph_str
from_hex(const char *hex, char *bytes)
{
    size_t len = strlen(hex) / 2;

    for (size_t i = 0; i < len; i++) {
        const char two[3] = { hex[2 * i], hex[2 * i + 1], '\0' };

        bytes[i] = (char) strtoul(two, NULL, 16);
    }
    return ph_str_make(bytes, len);
}

static void
test_vectors(void **state)
{
    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_ed25519 *key;
        uint8_t            signature[PH_ED25519_SIGNATURE_LEN];
        char               message[16];

        assert_int_equal(ph_ed25519_new(&key, ph_str_z(rows[i].pem)), PH_OK);
        hex_is(ph_ed25519_public(key), rows[i].public);
        assert_true(ph_ed25519_sign(key, from_hex(rows[i].message, message),
                                    signature));
        hex_is(ph_str_make((const char *) signature, sizeof(signature)),
               rows[i].signature);
        ph_ed25519_free(key);
    }
}

/* The id is of the public key alone, and stands in a header and a field. */
static void
test_faces(void **state)
{
    struct ph_ed25519 *key;
    char               memory[256];
    struct ph_buf      pem = PH_BUF_INIT(memory);
    uint8_t            sum[PH_SHA256_LEN];

    (void) state;
    assert_int_equal(ph_ed25519_new(&key, ph_str_z(rows[0].pem)), PH_OK);
    const struct ph_str public = ph_ed25519_public(key);
    const struct ph_str id     = ph_ed25519_id(key);

    assert_true(ph_sha256(&public, 1, sum));
    assert_true(ph_str_is_token(id, 32));
    assert_true(ph_str_starts(id, PH_STR("platform-")));
    char          hex_memory[16 + 1];
    struct ph_buf hex = PH_BUF_INIT(hex_memory);

    ph_buf_hex(&hex, ph_str_make((const char *) sum, 8));
    assert_true(ph_str_eq(ph_str_make(id.ptr + 9, 16), ph_buf_str(&hex)));
    assert_true(ph_ed25519_public_pem(key, &pem));
    assert_true(ph_str_starts(ph_buf_str(&pem),
                              PH_STR("-----BEGIN PUBLIC KEY-----\n")));
    ph_buf_init(&pem, memory, 20);
    assert_false(ph_ed25519_public_pem(key, &pem));
    ph_ed25519_free(key);
}

static void
test_refused(void **state)
{
    static const struct {
        const char *pem;
        enum ph_rc  rc;
    } wrong[] = {
        { "", PH_E_SYNTAX },
        { "hello\n", PH_E_SYNTAX },
        { PEM(""), PH_E_SYNTAX },
        { PEM("AAAA"), PH_E_SYNTAX },
        /* X25519 */
        { PEM("MC4CAQAwBQYDK2VuBCIEIJ1hsZ3v/"
              "VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g"),
          PH_E_UNKNOWN },
        /* a public key */
        { "-----BEGIN PUBLIC "
          "KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/"
          "7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n",
          PH_E_SYNTAX },
    };
    struct ph_ed25519 *key;
    char               long_text[PH_ED25519_PEM_MAX + 1];

    (void) state;
    for (size_t i = 0; i < PH_COUNT(wrong); i++) {
        assert_int_equal(ph_ed25519_new(&key, ph_str_z(wrong[i].pem)),
                         wrong[i].rc);
        assert_null(key);
    }
    memset(long_text, 'A', sizeof(long_text));
    assert_int_equal(
        ph_ed25519_new(&key, ph_str_make(long_text, sizeof(long_text))),
        PH_E_SYNTAX);
    ph_ed25519_free(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_faces),
        cmocka_unit_test(test_refused),
    };

    if (!ph_digest_init()) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
