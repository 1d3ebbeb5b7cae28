/*
 * cipher.c - the filters with digests and keys.
 */
#include "channels/declarative/filter.h"
#include "libpayhub/wire/cipher.h"
#include "libpayhub/wire/digest_old.h"
#include "libpayhub/wire/rsa.h"

struct ph_str
declared_secret(const struct declared_run *run, size_t key)
{
    if (run->account->channel->fields[key].kind == PH_VALUE_BASE64) {
        return run->keys->at[key].raw;
    }
    return run->account->values[key];
}

/* ---- digests ---- */

static bool
digest(struct declared_run *run, enum ph_digest_old kind, struct ph_str in,
       struct ph_str *out)
{
    struct ph_buf buf;

    ph_arena_open(run->arena, &buf);
    if (!ph_digest_raw(kind, &in, 1, &buf)) {
        return declared_fault(run, buf.full ? FAULT_ROOM : FAULT_CRYPTO);
    }
    return declared_filter_end(run, &buf, out);
}

#define DIGEST(name, kind)                                                     \
    FILTER_FN(name)                                                            \
    {                                                                          \
        (void) filter;                                                         \
        return digest(run, (kind), in, out);                                   \
    }

DIGEST(md5, PH_OLD_MD5)
DIGEST(sha1, PH_OLD_SHA1)
DIGEST(sha256, PH_OLD_SHA256)
DIGEST(sha512, PH_OLD_SHA512)
DIGEST(sm3, PH_OLD_SM3)

static bool
hmac(struct declared_run *run, enum ph_digest_old kind,
     const struct declared_filter *filter, struct ph_str in, struct ph_str *out)
{
    struct ph_buf buf;

    ph_arena_open(run->arena, &buf);
    if (!ph_hmac_raw(kind, declared_secret(run, filter->args[0].index), &in, 1,
                     &buf))
    {
        return declared_fault(run, buf.full ? FAULT_ROOM : FAULT_CRYPTO);
    }
    return declared_filter_end(run, &buf, out);
}

FILTER_FN(hmac_sha256)
{
    return hmac(run, PH_OLD_SHA256, filter, in, out);
}

FILTER_FN(hmac_md5)
{
    return hmac(run, PH_OLD_MD5, filter, in, out);
}

/* ---- signatures ---- */

static bool
sign(struct declared_run *run, enum ph_rsa_form form,
     const struct declared_filter *filter, struct ph_str in, struct ph_str *out)
{
    const struct ph_private_key *key = run->keys->at[filter->args[0].index].own;
    struct ph_buf                buf;

    if (!declared_burn(run, DECLARED_SIGN_COST)) {
        return false;
    }
    ph_arena_open(run->arena, &buf);
    if (key == NULL || !ph_private_sign(key, form, &in, 1, &buf)) {
        return declared_fault(run, buf.full ? FAULT_ROOM : FAULT_CRYPTO);
    }
    return declared_filter_end(run, &buf, out);
}

FILTER_FN(rsa)
{
    return sign(run, PH_RSA_SHA256, filter, in, out);
}

FILTER_FN(rsa_sha1)
{
    return sign(run, PH_RSA_SHA1, filter, in, out);
}

FILTER_FN(rsa_raw)
{
    return sign(run, PH_RSA_RAW, filter, in, out);
}

FILTER_FN(sm2)
{
    return sign(run, PH_SM2_SM3, filter, in, out);
}

/* ---- ciphers ---- */

/* a text that does not open is theirs; a key that does not fit is ours */
static bool
cipher_end(struct declared_run *run, enum ph_rc rc, struct ph_buf *buf,
           struct ph_str *out)
{
    if (rc == PH_OK) {
        return declared_filter_end(run, buf, out);
    }
    return declared_fault(run, rc == PH_E_FULL     ? FAULT_ROOM
                               : rc == PH_E_CRYPTO ? FAULT_CRYPTO
                                                   : FAULT_VALUE);
}

static bool
aes(struct declared_run *run, bool enc, const struct declared_filter *filter,
    struct ph_str in, struct ph_str *out)
{
    static const uint8_t zeroes[PH_CIPHER_BLOCK];
    struct ph_str        key = declared_secret(run, filter->args[0].index);
    struct ph_buf        buf;

    ph_arena_open(run->arena, &buf);
    return cipher_end(run, ph_aes_cbc(enc, key, zeroes, in, &buf), &buf, out);
}

FILTER_FN(aes_cbc)
{
    return aes(run, true, filter, in, out);
}

FILTER_FN(unaes_cbc)
{
    return aes(run, false, filter, in, out);
}

static bool
des(struct declared_run *run, bool enc, const struct declared_filter *filter,
    struct ph_str in, struct ph_str *out)
{
    struct ph_str key = declared_secret(run, filter->args[0].index);
    struct ph_buf buf;

    ph_arena_open(run->arena, &buf);
    return cipher_end(run, ph_des3_ecb(enc, key, in, &buf), &buf, out);
}

FILTER_FN(des3)
{
    return des(run, true, filter, in, out);
}

FILTER_FN(undes3)
{
    return des(run, false, filter, in, out);
}

FILTER_FN(ungcm)
{
    struct ph_str key = declared_secret(run, filter->args[0].index);
    struct ph_str nonce, aad;
    struct ph_buf buf;

    if (!declared_source_text(run, &filter->args[1], &nonce)
        || !declared_source_text(run, &filter->args[2], &aad))
    {
        return false;
    }
    ph_arena_open(run->arena, &buf);
    return cipher_end(run, ph_aes_gcm_open(key, nonce, aad, in, &buf), &buf,
                      out);
}
