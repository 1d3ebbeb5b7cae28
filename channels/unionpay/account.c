/*
 * account.c - an account's keys and certificates, read once.
 */
#include "channels/context.h"
#include "channels/unionpay/union_int.h"
#include "libpayhub/wire/b64.h"

#define MER_ID_LEN 15
#define SECURE_KEY_MIN 16 /* bytes */

static const char test_gateway[] = "gateway.test.95516.com";

static const struct ph_str method_texts[] = {
    [UNION_RSA]    = PH_STR_INIT("01"),
    [UNION_SHA256] = PH_STR_INIT("11"),
    [UNION_SM3]    = PH_STR_INIT("12"),
};

struct ph_str
union_method_text(enum union_method method)
{
    return method_texts[method];
}

/* --- hosts ---------------------------------------------------------------- */

/* of an address that ph_base_url_ok() took */
static struct ph_str
host_of(struct ph_str url)
{
    const char *at  = memmem(url.ptr, url.len, "://", 3);
    size_t      len = 0;

    if (at == NULL) {
        return ph_str_make(NULL, 0);
    }
    struct ph_str rest
        = ph_str_make(at + 3, url.len - (size_t) (at + 3 - url.ptr));
    bool is_v6 = rest.len != 0 && rest.ptr[0] == '[';

    while (len < rest.len && rest.ptr[len] != '/'
           && (is_v6 ? len == 0 || rest.ptr[len - 1] != ']'
                     : rest.ptr[len] != ':'))
    {
        len++;
    }
    return ph_str_make(rest.ptr, len);
}

static bool
is_loopback(struct ph_str host)
{
    if (ph_str_eq(host, PH_STR("localhost"))
        || ph_str_eq(host, PH_STR("[::1]"))) {
        return true;
    }
    for (size_t i = 0; i < host.len; i++) {
        if ((host.ptr[i] < '0' || host.ptr[i] > '9') && host.ptr[i] != '.') {
            return false;
        }
    }
    return ph_str_starts(host, PH_STR("127."));
}

/* --- keys ----------------------------------------------------------------- */

/* base64 with white space, as a file's content is pasted */
static struct ph_str
pfx_bytes(struct ph_str text, struct ph_arena *arena)
{
    struct ph_buf digits, raw;

    ph_arena_open(arena, &digits);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '\n' && text.ptr[i] != '\r' && text.ptr[i] != ' '
            && text.ptr[i] != '\t')
        {
            ph_buf_byte(&digits, text.ptr[i]);
        }
    }
    struct ph_str squeezed = ph_arena_close(arena, &digits);

    ph_arena_open(arena, &raw);
    if (ph_b64_decode(&raw, squeezed) != PH_OK) {
        return ph_str_make(NULL, 0);
    }
    return ph_arena_close(arena, &raw);
}

static const char *
pfx_why(enum ph_rc rc)
{
    switch ((int) rc) {
    case PH_OK:
        return NULL;
    case PH_E_SIGNATURE:
        return "pfx_password: found another password, expected that of pfx";
    case PH_E_MISSING:
        return "pfx: found no key with its certificate, expected both";
    case PH_E_UNKNOWN:
        return "pfx: found a cipher or key that this OpenSSL does not take, "
               "expected RSA of 2048 bits or more in a file written with AES; "
               "or give sign_key and sign_cert in PEM";
    default:
        return "pfx: found no PKCS #12 file, expected one in base64";
    }
}

static const char *
pfx_take(struct union_account *own, const struct ph_channel_account *account,
         struct ph_arena *arena)
{
    size_t        before = arena->len;
    struct ph_str der    = pfx_bytes(account->values[UNION_PFX], arena);
    enum ph_rc    rc     = ph_pfx_open(der, account->values[UNION_PFX_PASSWORD],
                                       &own->key, &own->cert);

    if (!arena->full) { /* no key stays behind in the caller's memory */
        explicit_bzero(arena->ptr + before, arena->len - before);
        arena->len = before;
    }
    return pfx_why(rc);
}

static const char *
pem_take(struct union_account *own, const struct ph_channel_account *account)
{
    if (ph_private_key_new(&own->key, account->values[UNION_SIGN_KEY]) != PH_OK)
    {
        own->key = NULL;
        return "sign_key: found no private key that can be read, expected RSA "
               "of 2048 bits or more, PKCS #1 or #8, without a passphrase";
    }
    if (ph_cert_new(&own->cert, account->values[UNION_SIGN_CERT]) != PH_OK) {
        own->cert = NULL;
        return "sign_cert: found no certificate that can be read, expected the "
               "merchant's in PEM";
    }
    return NULL;
}

static const char *
cert_id_take(struct union_account *own)
{
    struct ph_buf               id  = PH_BUF_INIT(own->cert_id);
    const struct ph_public_key *key = ph_cert_key(own->cert);

    if (key == NULL || !ph_keys_match(own->key, key)) {
        return "sign_key: found the key of another certificate, expected that "
               "of sign_cert";
    }
    ph_cert_serial_decimal(own->cert, &id);
    own->cert_id_len = id.len;
    return id.full ? "sign_cert: found a serial number of more than 64 digits, "
                     "expected fewer"
                   : NULL;
}

/* --- UnionPay's authorities ----------------------------------------------- */

/* One of a middle's issuers is the root: else no answer would ever count. */
static bool
is_chained(const struct union_account *own, uint64_t now_ms)
{
    for (size_t i = 0; i < own->middle_count; i++) {
        if (ph_chain_check(own->middles[i],
                           (const struct ph_cert *const *) own->middles,
                           own->middle_count, own->roots, now_ms, PH_CHAIN_SHA1)
            == PH_OK)
        {
            return true;
        }
    }
    return false;
}

static const char *
chain_take(struct union_account *own, const struct ph_channel_account *account,
           uint64_t now_ms)
{
    if (ph_trust_new(&own->roots, &account->values[UNION_ROOT_CERT], 1)
        != PH_OK) {
        own->roots = NULL;
        return "root_cert: found no certificate that can be read, expected the "
               "root that UnionPay hands out, in PEM";
    }
    if (ph_certs_new(own->middles, PH_CHAIN_MIDDLE_MAX, &own->middle_count,
                     account->values[UNION_MIDDLE_CERT])
        != PH_OK)
    {
        own->middle_count = 0;
        return "middle_cert: found no certificates that can be read, expected "
               "1 to 8 that UnionPay hands out, in PEM";
    }
    return is_chained(own, now_ms)
               ? NULL
               : "middle_cert: found none that root_cert signed and that is "
                 "within its dates, expected one";
}

/* --- the account ---------------------------------------------------------- */

/* The method asked for, else the one that the keys are for. */
static const char *
method_take(struct union_account *own, const struct ph_channel_account *account)
{
    struct ph_str text       = account->values[UNION_SIGN_METHOD];
    bool          has_secret = account->values[UNION_SECURE_KEY].len != 0;
    bool          has_key    = account->values[UNION_PFX].len != 0
                   || account->values[UNION_SIGN_KEY].len != 0;

    own->method = has_key ? UNION_RSA : UNION_SHA256;
    if (text.len != 0) {
        size_t i = 0;

        while (i < PH_COUNT(method_texts) && !ph_str_eq(text, method_texts[i]))
        {
            i++;
        }
        if (i == PH_COUNT(method_texts)) {
            return "sign_method: found another one, expected 01, 11 or 12";
        }
        own->method = (enum union_method) i;
    }
    if (own->method == UNION_RSA ? !has_key : !has_secret) {
        return own->method == UNION_RSA
                   ? "sign_method: found 01 without a key, expected sign_key "
                     "and sign_cert, or pfx"
                   : "sign_method: found 11 or 12 without secure_key, expected "
                     "it";
    }
    return NULL;
}

static const char *
secure_take(struct union_account *own, struct ph_str key)
{
    struct ph_buf hex = PH_BUF_INIT(own->secure);

    if (key.len < SECURE_KEY_MIN) {
        return "secure_key: found fewer than 16 bytes, expected the key that "
               "UnionPay agreed on";
    }
    return union_digest(own->method, key, ph_str_make(NULL, 0), &hex)
               ? NULL
               : "sign_method: found a digest that this OpenSSL does not have, "
                 "expected another one";
}

static const char *
mer_id_check(struct ph_str mer_id)
{
    bool ok = mer_id.len == MER_ID_LEN;

    for (size_t i = 0; ok && i < mer_id.len; i++) {
        ok = (mer_id.ptr[i] >= '0' && mer_id.ptr[i] <= '9')
             || (mer_id.ptr[i] >= 'A' && mer_id.ptr[i] <= 'Z');
    }
    return ok ? NULL
              : "mer_id: found another text, expected 15 digits or capital "
                "letters";
}

static const char *
account_fill(struct union_account            *own,
             const struct ph_channel_account *account, uint64_t now_ms,
             struct ph_arena *arena)
{
    struct ph_str host = host_of(account->values[UNION_GATEWAY_URL]);
    const char   *why  = mer_id_check(account->values[UNION_MER_ID]);

    own->takes_test_signer
        = ph_str_eq(host, PH_STR(test_gateway)) || is_loopback(host);
    own->revokes = ph_str_eq(account->values[UNION_REVOKE], PH_STR("yes"));
    if (why == NULL) {
        why = method_take(own, account);
    }
    if (why != NULL) {
        return why;
    }
    if (own->method != UNION_RSA) {
        return secure_take(own, account->values[UNION_SECURE_KEY]);
    }
    why = account->values[UNION_SIGN_KEY].len != 0
              ? pem_take(own, account)
              : pfx_take(own, account, arena);
    if (why == NULL) {
        why = cert_id_take(own);
    }
    return why != NULL ? why : chain_take(own, account, now_ms);
}

void *
union_account_open(const struct ph_channel_account *account,
                   const struct ph_channel_env *env, uint64_t now_ms,
                   struct ph_arena *arena, const char **why)
{
    struct union_account *own = ph_context_new(sizeof(*own));

    (void) env;
    *why = own == NULL ? "no memory for the account"
                       : account_fill(own, account, now_ms, arena);
    if (*why != NULL) {
        union_account_close(own);
        return NULL;
    }
    return own;
}

void
union_account_close(void *context)
{
    struct union_account *own = context;

    if (own == NULL) {
        return;
    }
    ph_private_key_free(own->key);
    ph_cert_free(own->cert);
    ph_trust_free(own->roots);
    ph_certs_free(own->middles, own->middle_count);
    ph_context_free(own);
}
