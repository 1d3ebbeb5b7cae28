/*
 * sign.c - signing for the gateway, and judging what was signed there.
 */
#include "channels/unionpay/union_int.h"

#include "libpayhub/wire/b64.h"
#include "libpayhub/wire/digest.h"
#include "libpayhub/wire/digest_old.h"

#define CN_PARTS_SIGNER 2 /* the third part of "041@...@NAME@..." */

static const struct ph_str signer = PH_STR_INIT(
    "\xe4\xb8\xad\xe5\x9b\xbd\xe9\x93\xb6\xe8\x81\x94\xe8\x82\xa1\xe4\xbb\xbd"
    "\xe6\x9c\x89\xe9\x99\x90\xe5\x85\xac\xe5\x8f\xb8"); /* UnionPay's name */
static const struct ph_str test_signer = PH_STR_INIT("00040000:SIGN");

struct ph_str
union_text(const struct ph_pair *pairs, size_t count, struct ph_arena *arena)
{
    static const struct ph_str  skip[] = { PH_STR_INIT("signature") };
    static const struct ph_join how    = { skip, PH_COUNT(skip), true };

    struct ph_pair *sorted = ph_arena_take(arena, count * sizeof(*pairs));
    struct ph_buf   buf;

    if (sorted == NULL) {
        return ph_str_make(NULL, 0);
    }
    memcpy(sorted, pairs, count * sizeof(*pairs));
    ph_pairs_sort(sorted, count);
    ph_arena_open(arena, &buf);
    ph_pairs_join(&buf, sorted, count, &how);
    struct ph_str text = ph_arena_close(arena, &buf);
    return arena->full ? ph_str_make(NULL, 0) : text;
}

bool
union_digest(enum union_method method, struct ph_str text, struct ph_str secure,
             struct ph_buf *hex)
{
    const struct ph_str pieces[] = { text, PH_STR("&"), secure };

    return ph_digest_hex(method == UNION_SM3 ? PH_OLD_SM3 : PH_OLD_SHA256,
                         pieces, secure.len != 0 ? PH_COUNT(pieces) : 1, hex);
}

static struct ph_str
secure_of(const struct union_account *own)
{
    return own->method == UNION_RSA
               ? ph_str_make(NULL, 0)
               : ph_str_make(own->secure, sizeof(own->secure));
}

bool
union_sign(const struct ph_channel_account *account,
           const struct ph_pair *pairs, size_t count, struct ph_arena *arena,
           struct ph_str *signature)
{
    const struct union_account *own = account->context;
    char                        hex_memory[UNION_DIGEST_HEX];
    char                        raw_memory[PH_RSA_LEN_MAX];
    struct ph_buf               hex  = PH_BUF_INIT(hex_memory);
    struct ph_buf               raw  = PH_BUF_INIT(raw_memory);
    struct ph_str               text = union_text(pairs, count, arena);
    struct ph_buf               buf;

    if (text.ptr == NULL
        || !union_digest(own->method, text, secure_of(own), &hex)) {
        return false;
    }
    struct ph_str digest = ph_buf_str(&hex);

    if (own->method == UNION_RSA
        && !ph_private_sign(own->key, PH_RSA_SHA256, &digest, 1, &raw))
    {
        return false;
    }
    ph_arena_open(arena, &buf);
    if (own->method == UNION_RSA) {
        ph_b64_encode(&buf, ph_buf_str(&raw));
    } else {
        ph_buf_add(&buf, digest);
    }
    *signature = ph_arena_close(arena, &buf);
    return !arena->full;
}

/* --- who signed ----------------------------------------------------------- */

static bool
is_unionpay(const struct union_account *own, const struct ph_cert *cert,
            struct ph_arena *arena)
{
    struct ph_str rest = ph_cert_cn(cert, arena), part = { NULL, 0 };

    for (size_t i = 0; i <= CN_PARTS_SIGNER; i++) {
        if (!ph_str_next(&rest, '@', &part)) {
            return false;
        }
    }
    return ph_str_eq(part, signer)
           || (own->takes_test_signer && ph_str_eq(part, test_signer));
}

struct signed_text {
    struct ph_str digest;
    struct ph_str signature; /* base64 */
    struct ph_str signer;    /* PEM */
};

/* The message's certificate is UnionPay's, and its key signed the digest. */
static enum ph_rc
signer_check(const struct union_account *own, const struct ph_cert *cert,
             const struct signed_text *text, uint64_t now_ms,
             struct ph_arena *arena)
{
    char                        memory[PH_RSA_LEN_MAX];
    struct ph_buf               raw = PH_BUF_INIT(memory);
    const struct ph_public_key *key = ph_cert_key(cert);
    enum ph_rc                  rc
        = ph_chain_check(cert, (const struct ph_cert *const *) own->middles,
                         own->middle_count, own->roots, now_ms, PH_CHAIN_SHA1);

    if (rc != PH_OK) {
        return rc;
    }
    if (key == NULL || !is_unionpay(own, cert, arena)
        || ph_b64_decode(&raw, text->signature) != PH_OK)
    {
        return PH_E_SIGNATURE;
    }
    return ph_public_check(key, PH_RSA_SHA256, &text->digest, 1,
                           ph_buf_str(&raw));
}

static enum ph_rc
rsa_verify(const struct union_account *own, const struct signed_text *text,
           uint64_t now_ms, struct ph_arena *arena)
{
    struct ph_cert *cert;
    enum ph_rc      rc;

    if (text->signer.len == 0) {
        return PH_E_MISSING;
    }
    rc = ph_cert_new(&cert, text->signer);
    if (rc != PH_OK) {
        return rc;
    }
    rc = signer_check(own, cert, text, now_ms, arena);
    ph_cert_free(cert);
    return rc;
}

/* A message of another version or method was not signed by our rules: nobody
 * may choose a weaker one for us. */
static bool
is_of_our_kind(const struct union_account *own, const struct ph_pair *pairs,
               size_t count)
{
    return ph_str_eq(ph_pair_find(pairs, count, PH_STR("version")),
                     PH_STR("5.1.0"))
           && ph_str_eq(ph_pair_find(pairs, count, PH_STR("signMethod")),
                        union_method_text(own->method));
}

enum ph_rc
union_verify(const struct ph_channel_account *account,
             const struct ph_pair *pairs, size_t count, uint64_t now_ms,
             struct ph_arena *arena)
{
    const struct union_account *own = account->context;
    struct ph_str signature = ph_pair_find(pairs, count, PH_STR("signature"));
    char          memory[UNION_DIGEST_HEX];
    struct ph_buf hex = PH_BUF_INIT(memory);

    if (signature.len == 0) {
        return PH_E_MISSING;
    }
    if (!is_of_our_kind(own, pairs, count)) {
        return PH_E_SIGNATURE;
    }
    struct ph_str text = union_text(pairs, count, arena);

    if (text.ptr == NULL) {
        return PH_E_FULL;
    }
    if (!union_digest(own->method, text, secure_of(own), &hex)) {
        return PH_E_CRYPTO;
    }
    if (own->method == UNION_RSA) {
        const struct signed_text all
            = { ph_buf_str(&hex), signature,
                ph_pair_find(pairs, count, PH_STR("signPubKeyCert")) };

        return rsa_verify(own, &all, now_ms, arena);
    }
    return ph_same_secret(ph_buf_str(&hex), signature) ? PH_OK : PH_E_SIGNATURE;
}
