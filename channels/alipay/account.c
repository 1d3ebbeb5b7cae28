/*
 * account.c - an account of Alipay: its keys, its certificates and their SNs,
 * and which orders it takes.
 */
#include "channels/alipay/alipay_int.h"
#include "channels/context.h"
#include "channels/pick.h"
#include "libpayhub/wire/b64.h"
#include "libpayhub/wire/cert.h"
#include "libpayhub/wire/rsa.h"

#define ID_MAX 32
#define NAME_ROOM 256 /* bytes for a common name */
#define CODE_ROOM 256 /* for a payer's code */

/* clang-format off */
const struct ph_channel_field alipay_fields[ALIPAY_FIELDS] = {
    [ALIPAY_GATEWAY_URL] = { "gateway_url", true, false,
        "address of the gateway, with its /gateway.do", PH_VALUE_URL, NULL },
    [ALIPAY_APP_ID] = { "app_id", true, false,
        "number of the app that signs", PH_VALUE_TEXT, NULL },
    [ALIPAY_SELLER_ID] = { "seller_id", false, false,
        "2088... of the merchant that is paid", PH_VALUE_TEXT, NULL },
    [ALIPAY_APP_PRIVATE_KEY] = { "app_private_key", true, true,
        "RSA key of the app", PH_VALUE_PRIVATE_KEY, NULL },
    [ALIPAY_PUBLIC_KEY] = { "alipay_public_key", false, false,
        "Alipay's public key of the app", PH_VALUE_PUBLIC_KEY, "public" },
    [ALIPAY_OLD_PUBLIC_KEY] = { "old_alipay_public_key", false, false,
        "the one before it, key or certificate", PH_VALUE_PUBLIC_KEY, NULL },
    [ALIPAY_APP_CERT] = { "app_cert", false, false,
        "certificate of app_private_key", PH_VALUE_CERT, "cert" },
    [ALIPAY_CERT] = { "alipay_cert", false, false,
        "Alipay's certificate of the app", PH_VALUE_CERTS, "cert" },
    [ALIPAY_ROOT_CERT] = { "alipay_root_cert", false, false,
        "Alipay's root certificates", PH_VALUE_CERTS, "cert" },
    [ALIPAY_AES_KEY] = { "aes_key", false, true,
        "key that contents are encrypted with", PH_VALUE_BASE64, NULL },
    [ALIPAY_APP_AUTH_TOKEN] = { "app_auth_token", false, true,
        "token of the merchant that the app acts for", PH_VALUE_TEXT, NULL },
    [ALIPAY_PROVIDER_ID] = { "sys_service_provider_id", false, false,
        "2088... of the service provider", PH_VALUE_TEXT, NULL },
};
/* clang-format on */

/* what account_open() has at hand */
struct opening {
    const struct ph_str   *values;
    struct alipay_account *opened;
    struct ph_arena       *arena;
    const char            *why;
};

/* --- what is wrong -------------------------------------------------------- */

/* "KEY: found X, expected Y"; false */
static bool
wrong(struct opening *it, size_t field, const char *found, const char *expected)
{
    struct ph_buf buf;

    ph_arena_open(it->arena, &buf);
    ph_buf_add(&buf, ph_str_z(alipay_fields[field].key));
    ph_buf_add(&buf, PH_STR(": found "));
    ph_buf_add(&buf, ph_str_z(found));
    ph_buf_add(&buf, PH_STR(", expected "));
    ph_buf_add(&buf, ph_str_z(expected));
    ph_buf_byte(&buf, '\0');
    struct ph_str text = ph_arena_close(it->arena, &buf);
    it->why            = it->arena->full ? alipay_fields[field].key : text.ptr;
    return false;
}

static const char *
found_text(enum ph_rc rc)
{
    switch (rc) {
    case PH_E_RANGE:
        return "a key too weak or too large";
    case PH_E_UNKNOWN:
        return "a key that is not RSA";
    case PH_E_CRYPTO:
        return "what the crypto library fails at";
    case PH_E_FULL:
        return "too many certificates";
    case PH_OK:
    case PH_E_MORE:
    case PH_E_SYNTAX:
    case PH_E_DUPLICATE:
    case PH_E_MISSING:
    case PH_E_CHECKSUM:
    case PH_E_SIGNATURE:
    case PH_E_IO:
        break;
    }
    return "nothing that can be read";
}

/* --- keys ----------------------------------------------------------------- */

/* An SM2 key is a key, too, but this channel signs with RSA. */
static bool
signs_rsa(const struct ph_private_key *key)
{
    char          memory[PH_RSA_LEN_MAX];
    struct ph_buf raw  = PH_BUF_INIT(memory);
    struct ph_str text = PH_STR("a=1");

    return ph_private_sign(key, PH_RSA_SHA256, &text, 1, &raw);
}

static bool
is_rsa(const struct ph_public_key *key)
{
    char          memory[PH_RSA_LEN_MAX];
    struct ph_buf block = PH_BUF_INIT(memory);

    return ph_public_encrypt(key, PH_RSA_V15, PH_STR("a"), &block);
}

static bool
app_key_read(struct opening *it)
{
    static const char expected[] = "an RSA key of 2048 bits or more as PKCS#1, "
                                   "PKCS#8 or its base64";
    enum ph_rc        rc         = ph_private_key_new(&it->opened->app_key,
                                                      it->values[ALIPAY_APP_PRIVATE_KEY]);

    if (rc == PH_OK && !signs_rsa(it->opened->app_key)) {
        rc = PH_E_UNKNOWN;
    }
    return rc == PH_OK
           || wrong(it, ALIPAY_APP_PRIVATE_KEY, found_text(rc), expected);
}

static bool
cert_sn(const struct ph_cert *cert, char sn[ALIPAY_SN_LEN])
{
    struct ph_buf buf;

    ph_buf_init(&buf, sn, ALIPAY_SN_LEN);
    return ph_cert_alipay_sn(cert, &buf) && buf.len == ALIPAY_SN_LEN;
}

/* Takes the certificate over, whatever comes of it. */
static enum ph_rc
cert_add(struct alipay_account *opened, struct ph_cert *cert)
{
    struct alipay_key *key = &opened->keys[opened->key_count];

    if (opened->key_count == ALIPAY_KEYS_MAX || ph_cert_key(cert) == NULL
        || !is_rsa(ph_cert_key(cert)) || !cert_sn(cert, key->sn))
    {
        ph_cert_free(cert);
        return PH_E_UNKNOWN;
    }
    key->cert = cert;
    key->key  = ph_cert_key(cert);
    opened->key_count++;
    return PH_OK;
}

/* What the console asks for is what most people paste. */
static bool
is_not_ours(struct opening *it, size_t field)
{
    const struct alipay_account *opened = it->opened;

    return !ph_keys_match(opened->app_key,
                          opened->keys[opened->key_count - 1].key)
           || wrong(it, field, "the app's own public key", "Alipay's");
}

/* A bare key, or the certificate that it stands in. */
static bool
public_key_read(struct opening *it, size_t field)
{
    static const char expected[]  = "an RSA key of 2048 bits or more as PEM or "
                                    "its base64";
    struct alipay_account *opened = it->opened;
    struct alipay_key     *key    = &opened->keys[opened->key_count];
    struct ph_cert        *cert   = NULL;
    enum ph_rc             rc;

    if (it->values[field].len == 0) {
        return true;
    }
    if (ph_cert_new(&cert, it->values[field]) == PH_OK) {
        rc = cert_add(opened, cert);
        return rc == PH_OK ? is_not_ours(it, field)
                           : wrong(it, field, found_text(rc), expected);
    }
    rc = ph_public_key_new(&key->own, it->values[field]);
    if (rc == PH_OK && !is_rsa(key->own)) {
        ph_public_key_free(key->own);
        key->own = NULL;
        rc       = PH_E_UNKNOWN;
    }
    if (rc != PH_OK) {
        return wrong(it, field, found_text(rc), expected);
    }
    key->key = key->own;
    opened->key_count++;
    return is_not_ours(it, field);
}

/* --- certificates --------------------------------------------------------- */

/* Every one that is signed with RSA counts, in the order of the file. */
static bool
root_sn_make(struct alipay_account *opened, struct ph_cert *const *roots,
             size_t count)
{
    struct ph_buf buf;

    ph_buf_init(&buf, opened->root_sn, sizeof(opened->root_sn));
    for (size_t i = 0; i < count; i++) {
        if (!ph_cert_is_rsa_signed(roots[i])) {
            continue;
        }
        if (buf.len != 0) {
            ph_buf_byte(&buf, '_');
        }
        if (!ph_cert_alipay_sn(roots[i], &buf)) {
            return false;
        }
    }
    opened->root_sn_len = buf.len;
    return buf.len != 0 && !buf.full;
}

static bool
roots_read(struct opening *it)
{
    struct ph_cert *roots[ALIPAY_ROOTS_MAX];
    struct ph_str   text  = it->values[ALIPAY_ROOT_CERT];
    size_t          count = 0;
    enum ph_rc      rc    = ph_certs_new(roots, ALIPAY_ROOTS_MAX, &count, text);

    if (rc == PH_OK) {
        if (!root_sn_make(it->opened, roots, count)) {
            rc = PH_E_MISSING;
        }
        ph_certs_free(roots, count);
    }
    if (rc == PH_OK) {
        rc = ph_trust_new(&it->opened->roots, &text, 1);
    }
    return rc == PH_OK
           || wrong(it, ALIPAY_ROOT_CERT, found_text(rc),
                    "the file alipayRootCert.crt");
}

static bool
app_cert_read(struct opening *it)
{
    struct ph_cert *cert = NULL;
    enum ph_rc      rc   = ph_cert_new(&cert, it->values[ALIPAY_APP_CERT]);
    bool            ok   = rc == PH_OK && ph_cert_key(cert) != NULL
              && cert_sn(cert, it->opened->app_sn);
    bool is_ours = ok && ph_keys_match(it->opened->app_key, ph_cert_key(cert));

    ph_cert_free(cert);
    if (!ok) {
        return wrong(it, ALIPAY_APP_CERT, found_text(rc),
                     "the file appCertPublicKey_APPID.crt");
    }
    return is_ours
           || wrong(it, ALIPAY_APP_CERT, "the certificate of another key",
                    "that of app_private_key");
}

static enum ph_rc
chain_check(const struct alipay_account *opened, const struct ph_cert *cert,
            uint64_t now_ms)
{
    const struct ph_cert *middle[ALIPAY_MIDDLE_MAX];

    for (size_t i = 0; i < opened->middle_count; i++) {
        middle[i] = opened->middle[i];
    }
    return ph_chain_check(cert, middle, opened->middle_count, opened->roots,
                          now_ms, PH_CHAIN_SHA2);
}

/* What is configured is trusted beyond its last day: an account that was good
 * yesterday still has to read what Alipay says. */
static uint64_t
within(const struct ph_cert *cert, uint64_t now_ms)
{
    uint64_t from_ms, until_ms;

    ph_cert_dates(cert, &from_ms, &until_ms);
    if (now_ms >= until_ms) {
        return until_ms - 1000; /* OpenSSL counts the last second as over */
    }
    return now_ms < from_ms ? from_ms : now_ms;
}

static bool
alipay_cert_read(struct opening *it, uint64_t now_ms)
{
    static const char      expected[] = "the file alipayCertPublicKey_RSA2.crt";
    struct alipay_account *opened     = it->opened;
    struct ph_cert        *certs[1 + ALIPAY_MIDDLE_MAX];
    size_t                 count = 0;
    enum ph_rc             rc
        = ph_certs_new(certs, PH_COUNT(certs), &count, it->values[ALIPAY_CERT]);

    if (rc != PH_OK) {
        return wrong(it, ALIPAY_CERT, found_text(rc), expected);
    }
    for (size_t i = 1; i < count; i++) {
        opened->middle[opened->middle_count++] = certs[i];
    }
    rc = cert_add(opened, certs[0]);
    if (rc != PH_OK) {
        return wrong(it, ALIPAY_CERT, found_text(rc), expected);
    }
    return chain_check(opened, certs[0], within(certs[0], now_ms)) == PH_OK
           || wrong(it, ALIPAY_CERT,
                    "a certificate without a chain to alipay_root_cert",
                    expected);
}

static bool
same_name(const struct ph_cert *a, const struct ph_cert *b)
{
    _Alignas(16) char memory[2 * NAME_ROOM];
    struct ph_arena   arena;

    ph_arena_init(&arena, memory, sizeof(memory));
    struct ph_str name  = ph_cert_cn(a, &arena);
    struct ph_str other = ph_cert_cn(b, &arena);

    return name.len != 0 && ph_str_eq(name, other);
}

/* Alipay's authority also signs the certificates of merchants: the name of the
 * configured one is asked for, too. */
static enum ph_rc
alipays_check(const struct alipay_account *opened, const struct ph_cert *cert,
              uint64_t now_ms)
{
    enum ph_rc rc = chain_check(opened, cert, now_ms);

    if (rc != PH_OK) {
        return rc;
    }
    return same_name(opened->keys[0].cert, cert) ? PH_OK : PH_E_SIGNATURE;
}

/* What was fetched, but for what is over or no longer trusted. */
static void
kept_read(struct alipay_account *opened, const struct ph_channel_kept *kept,
          uint64_t now_ms)
{
    struct ph_cert *certs[ALIPAY_KEPT_MAX];
    size_t          count = 0;

    if (kept == NULL
        || ph_certs_new(certs, ALIPAY_KEPT_MAX, &count, kept->value) != PH_OK)
    {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (alipays_check(opened, certs[i], now_ms) == PH_OK) {
            (void) cert_add(opened, certs[i]);
        } else {
            ph_cert_free(certs[i]);
        }
    }
}

static bool
certs_read(struct opening *it, const struct ph_channel_kept *kept,
           uint64_t now_ms)
{
    it->opened->is_cert_mode = true;
    if (!roots_read(it) || !app_cert_read(it) || !alipay_cert_read(it, now_ms)
        || !public_key_read(it, ALIPAY_PUBLIC_KEY)
        || !public_key_read(it, ALIPAY_OLD_PUBLIC_KEY))
    {
        return false;
    }
    kept_read(it->opened, kept, now_ms);
    return true;
}

/* --- the account ---------------------------------------------------------- */

static bool
is_digits(struct ph_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return false;
        }
    }
    return text.len <= ID_MAX;
}

static bool
ids_check(struct opening *it)
{
    static const size_t fields[]
        = { ALIPAY_APP_ID, ALIPAY_SELLER_ID, ALIPAY_PROVIDER_ID };

    for (size_t i = 0; i < PH_COUNT(fields); i++) {
        if (!is_digits(it->values[fields[i]])) {
            return wrong(it, fields[i], "another character", "up to 32 digits");
        }
    }
    return true;
}

static bool
aes_read(struct opening *it)
{
    char          memory[ALIPAY_AES_LEN + 2];
    struct ph_buf raw  = PH_BUF_INIT(memory);
    struct ph_str text = it->values[ALIPAY_AES_KEY];

    while (text.len > 0 && strchr("\r\n", text.ptr[text.len - 1]) != NULL) {
        text.len--;
    }
    text = ph_str_trim(text);
    if (text.len == 0) {
        return true;
    }
    bool ok = ph_b64_decode(&raw, text) == PH_OK && raw.len == ALIPAY_AES_LEN;
    if (ok) {
        memcpy(it->opened->aes_key, memory, ALIPAY_AES_LEN);
        it->opened->has_aes = true;
    }
    explicit_bzero(memory, sizeof(memory));
    return ok
           || wrong(it, ALIPAY_AES_KEY, "another number of bytes",
                    "16 bytes in base64");
}

/* Certificates count all or none. */
static bool
mode_check(struct opening *it, bool *has_certs)
{
    static const size_t fields[]
        = { ALIPAY_APP_CERT, ALIPAY_CERT, ALIPAY_ROOT_CERT };
    size_t given = 0, absent = 0;

    for (size_t i = 0; i < PH_COUNT(fields); i++) {
        if (it->values[fields[i]].len != 0) {
            given++;
        } else {
            absent = fields[i];
        }
    }
    *has_certs = given == PH_COUNT(fields);
    if (given != 0 && !*has_certs) {
        return wrong(it, absent, "nothing",
                     "app_cert, alipay_cert and alipay_root_cert together");
    }
    return *has_certs || it->values[ALIPAY_PUBLIC_KEY].len != 0
           || wrong(it, ALIPAY_PUBLIC_KEY, "nothing",
                    "Alipay's public key, or three certificates");
}

static bool
account_read(struct opening *it, const struct ph_channel_kept *kept,
             uint64_t now_ms)
{
    bool has_certs;

    if (!mode_check(it, &has_certs) || !ids_check(it) || !aes_read(it)
        || !app_key_read(it))
    {
        return false;
    }
    if (has_certs) {
        return certs_read(it, kept, now_ms);
    }
    return public_key_read(it, ALIPAY_PUBLIC_KEY)
           && public_key_read(it, ALIPAY_OLD_PUBLIC_KEY);
}

void *
alipay_account_open(const struct ph_channel_account *account,
                    const struct ph_channel_env *env, uint64_t now_ms,
                    struct ph_arena *arena, const char **why)
{
    struct opening it = { .values = account->values,
                          .opened = ph_context_new(sizeof(*it.opened)),
                          .arena  = arena,
                          .why    = "no memory" };

    (void) env; /* Alipay's roots are the account's own */
    if (it.opened != NULL && account_read(&it, account->kept, now_ms)) {
        return it.opened;
    }
    alipay_account_close(it.opened);
    *why = it.why;
    return NULL;
}

void
alipay_account_close(void *context)
{
    struct alipay_account *opened = context;

    if (opened == NULL) {
        return;
    }
    for (size_t i = 0; i < ALIPAY_KEYS_MAX; i++) {
        ph_public_key_free(opened->keys[i].own);
        ph_cert_free(opened->keys[i].cert);
    }
    ph_certs_free(opened->middle, opened->middle_count);
    ph_trust_free(opened->roots);
    ph_private_key_free(opened->app_key);
    ph_context_free(opened);
}

const struct alipay_account *
alipay_opened(const struct ph_channel_account *account)
{
    return account->context;
}

bool
alipay_is_sn(struct ph_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char ch = text.ptr[i];

        if ((ch < '0' || ch > '9') && (ch < 'a' || ch > 'f')) {
            return false;
        }
    }
    return text.len == ALIPAY_SN_LEN;
}

bool
alipay_key_is(const struct alipay_key *key, struct ph_str sn)
{
    return key->cert != NULL
           && ph_str_eq(ph_str_make(key->sn, ALIPAY_SN_LEN), sn);
}

void
alipay_sns(const struct ph_channel_account *account, struct ph_str *app,
           struct ph_str *alipay, struct ph_str *root)
{
    const struct alipay_account *opened = alipay_opened(account);

    *app = *alipay = *root = ph_str_make(NULL, 0);
    if (opened->is_cert_mode) {
        *app    = ph_str_make(opened->app_sn, ALIPAY_SN_LEN);
        *alipay = ph_str_make(opened->keys[0].sn, ALIPAY_SN_LEN);
        *root   = ph_str_make(opened->root_sn, opened->root_sn_len);
    }
}

enum ph_rc
alipay_cert_check(const struct ph_channel_account *account,
                  const struct ph_cert *cert, struct ph_str sn, uint64_t now_ms)
{
    char text[ALIPAY_SN_LEN];

    if (ph_cert_key(cert) == NULL || !is_rsa(ph_cert_key(cert))
        || !cert_sn(cert, text)
        || !ph_str_eq(ph_str_make(text, sizeof(text)), sn))
    {
        return PH_E_UNKNOWN;
    }
    return alipays_check(alipay_opened(account), cert, now_ms);
}

/* --- orders --------------------------------------------------------------- */

/* Alipay's payment codes begin with 25 to 30. */
static bool
is_alipay_code(const struct ph_channel_order *order)
{
    _Alignas(16) char memory[CODE_ROOM];
    struct ph_arena   arena;

    ph_arena_init(&arena, memory, sizeof(memory));
    struct ph_str code = ph_channel_extra_text(order, "auth_code", &arena);

    return code.len >= 2
           && ((code.ptr[0] == '2' && code.ptr[1] >= '5' && code.ptr[1] <= '9')
               || (code.ptr[0] == '3' && code.ptr[1] == '0'));
}

const char *
alipay_order_check(const struct ph_channel_account *account,
                   const struct ph_channel_order   *order)
{
    (void) account;
    if (!ph_str_eq(order->currency, PH_STR("CNY"))) {
        return "Alipay takes CNY only";
    }
    if (order->amount < 1 || order->amount > ALIPAY_AMOUNT_MAX) {
        return "Alipay takes 0.01 to 100000000.00 yuan";
    }
    if (ph_str_eq(order->method, PH_STR("bar")) && !is_alipay_code(order)) {
        return "the code is not one of Alipay's";
    }
    return NULL;
}

void
alipay_expected(const struct ph_channel_account *account,
                const struct ph_channel_order *order, struct ph_arena *arena,
                struct ph_channel_expected *out)
{
    (void) order;
    (void) arena;
    *out = (struct ph_channel_expected){
        .seller = account->values[ALIPAY_SELLER_ID],
        .app    = account->values[ALIPAY_APP_ID],
    };
}
