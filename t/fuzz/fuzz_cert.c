/*
 * fuzz_cert.c - certificates and keys as others hand them out: what is taken
 * has the names, numbers and dates that our messages carry.
 *
 * The first byte tells which reader; the first certificate of a bundle is what
 * its reader alone makes of it.
 */
#include "t/fuzz/channel.h"

#include "libpayhub/wire/cert.h"
#include "libpayhub/wire/rsa.h"

static struct ph_trust *roots; /* of none that the inputs come from */

static bool
is_of(struct ph_str text, const char *bytes)
{
    for (size_t i = 0; i < text.len; i++) {
        if (strchr(bytes, text.ptr[i]) == NULL || text.ptr[i] == '\0') {
            return false;
        }
    }
    return text.len > 0;
}

static void
look(const struct ph_cert *cert)
{
    char          hex_memory[PH_CERT_TEXT_MAX], sn_memory[64];
    struct ph_buf hex = PH_BUF_INIT(hex_memory), sn = PH_BUF_INIT(sn_memory);
    static char   decimal_memory[3 * PH_CERT_TEXT_MAX];
    struct ph_buf decimal = PH_BUF_INIT(decimal_memory);
    uint64_t      from_ms, until_ms;

    ph_cert_serial_hex(cert, &hex);
    /* a sign is of those that no authority should give */
    FUZZ_HOLDS(hex.full || hex.len % 2 == (hex.ptr[0] == '-' ? 1 : 0));
    ph_cert_serial_decimal(cert, &decimal);
    FUZZ_HOLDS(decimal.full || is_of(ph_buf_str(&decimal), "-0123456789"));
    if (ph_cert_alipay_sn(cert, &sn)) {
        FUZZ_HOLDS(sn.len == 32 && is_of(ph_buf_str(&sn), "0123456789abcdef"));
    }
    struct ph_str name = ph_cert_cn(cert, &fuzz_arena);
    FUZZ_HOLDS(name.len == 0 || memchr(name.ptr, '\0', name.len) == NULL);
    (void) ph_cert_is_rsa_signed(cert);
    (void) ph_cert_key(cert);
    ph_cert_dates(cert, &from_ms, &until_ms);
    FUZZ_HOLDS(ph_cert_same(cert, cert));
    FUZZ_HOLDS(ph_chain_check(cert, NULL, 0, roots, from_ms, PH_CHAIN_SHA1)
               != PH_OK);
}

static void
read_bundle(struct ph_str text)
{
    struct ph_cert *certs[4], *first;
    size_t          count;

    if (ph_certs_new(certs, 4, &count, text) != PH_OK) {
        return;
    }
    FUZZ_HOLDS(count >= 1 && count <= 4);
    for (size_t i = 0; i < count; i++) {
        look(certs[i]);
    }
    if (ph_cert_new(&first, text) == PH_OK) {
        FUZZ_HOLDS(ph_cert_same(first, certs[0]));
        ph_cert_free(first);
    }
    ph_certs_free(certs, count);
}

static void
read_private(struct ph_private_key *key)
{
    static char         room[PH_RSA_LEN_MAX];
    struct ph_buf       raw   = PH_BUF_INIT(room);
    const struct ph_str piece = PH_STR("abc");

    (void) !ph_private_sign(key, PH_RSA_SHA256, &piece, 1, &raw);
    ph_private_key_free(key);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ph_cert        *cert;
    struct ph_private_key *key;
    struct ph_public_key  *other;

    if (size == 0) {
        return 0;
    }
    if (roots == NULL) {
        const struct ph_str root = fuzz_key("unionpay/root.cer");

        FUZZ_HOLDS(ph_digest_init() && ph_trust_new(&roots, &root, 1) == PH_OK);
    }
    const struct ph_str text = ph_str_make((const char *) data + 1, size - 1);

    ph_arena_init(&fuzz_arena, fuzz_room, sizeof(fuzz_room));
    switch (data[0] % 5) {
    case 0:
        if (ph_cert_new(&cert, text) == PH_OK) {
            look(cert);
            ph_cert_free(cert);
        }
        break;
    case 1:
        read_bundle(text);
        break;
    case 2:
        if (ph_pfx_open(text, PH_STR("000000"), &key, &cert) == PH_OK) {
            look(cert);
            ph_cert_free(cert);
            read_private(key);
        }
        break;
    case 3:
        if (ph_private_key_new(&key, text) == PH_OK) {
            read_private(key);
        }
        break;
    default:
        if (ph_public_key_new(&other, text) == PH_OK) {
            FUZZ_HOLDS(ph_public_check(other, PH_RSA_SHA256, &text, 1, text)
                       != PH_OK);
            ph_public_key_free(other);
        }
        break;
    }
    return 0;
}
