/*
 * content_digest.c - Content-Digest, checked and written.
 */
#include "libpayhub/wire/content_digest.h"

#include "libpayhub/wire/b64.h"
#include "libpayhub/wire/digest.h"
#include "libpayhub/wire/sfield.h"

#define DIGEST_TEXT_MAX PH_B64_LEN(PH_SHA512_LEN)

/* Compares one known member with the body's digest. */
static enum ph_rc
member_check(struct ph_str given, const uint8_t *sum, size_t sum_len, bool ok)
{
    char          memory[DIGEST_TEXT_MAX];
    struct ph_buf text = PH_BUF_INIT(memory);

    if (!ok) {
        return PH_E_CRYPTO;
    }
    /* text against text: base64 has one form for one value here */
    ph_b64_encode(&text, ph_str_make((const char *) sum, sum_len));
    return ph_str_eq(ph_buf_str(&text), given) ? PH_OK : PH_E_SIGNATURE;
}

static enum ph_rc
member_judge(struct ph_str key, struct ph_str given,
             const struct ph_str *pieces, size_t count, unsigned *known)
{
    uint8_t sum[PH_SHA512_LEN];

    if (ph_str_eq(key, PH_STR("sha-256"))) {
        *known += 1;
        return member_check(given, sum, PH_SHA256_LEN,
                            ph_sha256(pieces, count, sum));
    }
    if (ph_str_eq(key, PH_STR("sha-512"))) {
        *known += 1;
        return member_check(given, sum, PH_SHA512_LEN,
                            ph_sha512(pieces, count, sum));
    }
    return PH_OK;
}

enum ph_rc
ph_content_digest_check(struct ph_str field, const struct ph_str *pieces,
                        size_t count)
{
    struct ph_str     keys[PH_CONTENT_DIGEST_MEMBERS_MAX];
    struct ph_str     values[PH_CONTENT_DIGEST_MEMBERS_MAX];
    struct ph_sf_item item;
    struct ph_sf      sf    = ph_sf_make(field);
    size_t            n     = 0;
    unsigned          known = 0;

    if (field.len > PH_CONTENT_DIGEST_MAX) {
        return PH_E_RANGE;
    }
    do {
        if (n == PH_CONTENT_DIGEST_MEMBERS_MAX) {
            return PH_E_RANGE;
        }
        if (!ph_sf_key(&sf, &keys[n]) || !ph_sf_byte(&sf, '=')
            || !ph_sf_item(&sf, &item) || item.kind != PH_SF_BYTES)
        {
            return PH_E_SYNTAX;
        }
        for (size_t i = 0; i < n; i++) {
            if (ph_str_eq(keys[i], keys[n])) {
                return PH_E_DUPLICATE;
            }
        }
        values[n++] = item.value;
    } while (ph_sf_comma(&sf));
    if (!ph_sf_at_end(&sf)) {
        return PH_E_SYNTAX;
    }
    for (size_t i = 0; i < n; i++) {
        enum ph_rc rc = member_judge(keys[i], values[i], pieces, count, &known);

        if (rc != PH_OK) {
            return rc;
        }
    }
    return known != 0 ? PH_OK : PH_E_UNKNOWN;
}

bool
ph_content_digest_format(struct ph_buf *buf, const struct ph_str *pieces,
                         size_t count)
{
    uint8_t sum[PH_SHA256_LEN];

    if (!ph_sha256(pieces, count, sum)) {
        return false;
    }
    ph_buf_add(buf, PH_STR("sha-256=:"));
    ph_b64_encode(buf, ph_str_make((const char *) sum, sizeof(sum)));
    ph_buf_byte(buf, ':');
    return true;
}
