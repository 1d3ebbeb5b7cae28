/*
 * test_siphash.c - the authors' table (t/data/siphash/128.hex: line n is the
 * hash of the bytes 0..n-1 under the key 0..15), and OpenSSL's SIPHASH over
 * random keys and messages.
 */
#include "t/unit/support.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "libpayhub/base/siphash.h"

#define HASH_LEN 16
#define MESSAGE_MAX 130

static void
hash_bytes(struct ph_hash128 hash, uint8_t out[HASH_LEN])
{
    for (unsigned i = 0; i < 8; i++) {
        out[i]     = (uint8_t) (hash.lo >> 8 * i);
        out[8 + i] = (uint8_t) (hash.hi >> 8 * i);
    }
}

static void
test_authors_table(void **state)
{
    struct ph_str text = t_file("t/data/siphash/128.hex"), line;
    uint8_t       key[PH_SIPHASH_KEY_LEN];
    char          message[64];
    size_t        rows = 0;

    (void) state;
    for (unsigned i = 0; i < sizeof(key); i++) {
        key[i] = (uint8_t) i;
    }
    for (unsigned i = 0; i < sizeof(message); i++) {
        message[i] = (char) i;
    }
    while (ph_str_next(&text, '\n', &line) && line.len > 0) {
        uint8_t want[HASH_LEN], got[HASH_LEN];

        assert_int_equal(t_unhex(line, want, sizeof(want)), HASH_LEN);
        hash_bytes(ph_siphash(key, ph_str_make(message, rows)), got);
        assert_memory_equal(got, want, HASH_LEN);
        rows++;
    }
    assert_int_equal(rows, 64);
}

static void
openssl_hash(EVP_MAC *mac, const uint8_t *key, struct ph_str message,
             uint8_t out[HASH_LEN])
{
    size_t     size = HASH_LEN, len;
    OSSL_PARAM params[]
        = { OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
            OSSL_PARAM_construct_end() };
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);

    assert_non_null(ctx);
    assert_int_equal(EVP_MAC_init(ctx, key, PH_SIPHASH_KEY_LEN, params), 1);
    assert_int_equal(
        EVP_MAC_update(ctx, (const uint8_t *) message.ptr, message.len), 1);
    assert_int_equal(EVP_MAC_final(ctx, out, &len, HASH_LEN), 1);
    assert_int_equal(len, HASH_LEN);
    EVP_MAC_CTX_free(ctx);
}

/* every length, every alignment, other keys */
static void
test_as_openssl(void **state)
{
    EVP_MAC *mac  = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
    uint32_t seed = 7;
    char     memory[MESSAGE_MAX + 8];

    (void) state;
    assert_non_null(mac);
    for (size_t len = 0; len <= MESSAGE_MAX; len++) {
        uint8_t       key[PH_SIPHASH_KEY_LEN], want[HASH_LEN], got[HASH_LEN];
        struct ph_str message = ph_str_make(memory + len % 8, len);

        for (size_t i = 0; i < sizeof(key); i++) {
            key[i] = (uint8_t) t_next(&seed);
        }
        for (size_t i = 0; i < sizeof(memory); i++) {
            memory[i] = (char) t_next(&seed);
        }
        openssl_hash(mac, key, message, want);
        hash_bytes(ph_siphash(key, message), got);
        assert_memory_equal(got, want, HASH_LEN);
    }
    EVP_MAC_free(mac);
}

static void
test_empty(void **state)
{
    static const uint8_t key[PH_SIPHASH_KEY_LEN];
    struct ph_hash128    none  = ph_siphash(key, ph_str_make(NULL, 0));
    struct ph_hash128    empty = ph_siphash(key, PH_STR(""));

    (void) state;
    assert_true(none.lo == empty.lo && none.hi == empty.hi);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_authors_table),
        cmocka_unit_test(test_as_openssl),
        cmocka_unit_test(test_empty),
    };

    return cmocka_run_group_tests_name("siphash", tests, NULL, NULL);
}
