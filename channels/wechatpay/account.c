/*
 * account.c - an account's values and keys, and the orders that it takes.
 */
#include "channels/context.h"
#include "channels/wechatpay/wechatpay_int.h"

#define APIV3_KEY_LEN 32
#define MCHID_MAX 32
#define APPID_MAX 32
#define EXTRA_ROOM 4096 /* of order_check(), which has no arena */
#define BAR_CODE_LEN 18

/* clang-format off */
const struct ph_channel_field wechat_fields[WECHAT_FIELDS] = {
    [WECHAT_BASE_URL] = { "base_url", true, false,
        "address of the API, https://api.mch.weixin.qq.com",
        PH_VALUE_URL, NULL },
    [WECHAT_MCHID] = { "mchid", true, false,
        "number of the merchant, or of the service provider",
        PH_VALUE_TEXT, NULL },
    [WECHAT_APPID] = { "appid", true, false,
        "app, official account or mini program, bound to mchid",
        PH_VALUE_TEXT, NULL },
    [WECHAT_PRIVATE_KEY] = { "private_key", true, true,
        "the merchant's API key, apiclient_key.pem",
        PH_VALUE_PRIVATE_KEY, NULL },
    [WECHAT_SERIAL_NO] = { "serial_no", false, false,
        "serial number of the merchant's API certificate, in hex",
        PH_VALUE_TEXT, "serial" },
    [WECHAT_MERCHANT_CERT] = { "merchant_cert", false, false,
        "that certificate itself, apiclient_cert.pem",
        PH_VALUE_CERT, "cert" },
    [WECHAT_APIV3_KEY] = { "apiv3_key", true, true,
        "the APIv3 key, 32 characters, which opens notices",
        PH_VALUE_SECRET, NULL },
    [WECHAT_OLD_APIV3_KEY] = { "old_apiv3_key", false, true,
        "the one before, while it is being changed",
        PH_VALUE_SECRET, NULL },
    [WECHAT_PUBLIC_KEY_ID] = { "public_key_id", false, false,
        "PUB_KEY_ID_..., the name of public_key",
        PH_VALUE_TEXT, NULL },
    [WECHAT_PUBLIC_KEY] = { "public_key", false, false,
        "WeChat Pay's public key, instead of its certificates",
        PH_VALUE_PUBLIC_KEY, NULL },
    [WECHAT_OLD_PUBLIC_KEY_ID] = { "old_public_key_id", false, false,
        "the name of old_public_key",
        PH_VALUE_TEXT, NULL },
    [WECHAT_OLD_PUBLIC_KEY] = { "old_public_key", false, false,
        "the public key before, while it is being changed",
        PH_VALUE_PUBLIC_KEY, NULL },
    [WECHAT_SERVICE_PROVIDER] = { "service_provider", false, false,
        "yes: mchid and appid are a service provider's",
        PH_VALUE_YESNO, NULL },
    [WECHAT_SUB_MCHID] = { "sub_mchid", false, false,
        "sub-merchant of orders that name none",
        PH_VALUE_TEXT, NULL },
    [WECHAT_SUB_APPID] = { "sub_appid", false, false,
        "app of that sub-merchant",
        PH_VALUE_TEXT, NULL },
    [WECHAT_STORE_ID] = { "store_id", false, false,
        "store of bar code payments",
        PH_VALUE_TEXT, NULL },
};
/* clang-format on */

/* --- keys ----------------------------------------------------------------- */

static char
upper(char byte)
{
    return byte >= 'a' && byte <= 'z' ? (char) (byte - 'a' + 'A') : byte;
}

bool
wechat_serial_is_hex(struct ph_str serial)
{
    for (size_t i = 0; i < serial.len; i++) {
        char byte = upper(serial.ptr[i]);

        if (!(byte >= '0' && byte <= '9') && !(byte >= 'A' && byte <= 'F')) {
            return false;
        }
    }
    return serial.len > 0 && serial.len <= WECHAT_SERIAL_MAX;
}

bool
wechat_key_of(struct wechat_key *slot, const struct ph_cert *cert)
{
    char          memory[WECHAT_SERIAL_MAX];
    struct ph_buf serial = PH_BUF_INIT(memory);

    ph_cert_serial_hex(cert, &serial);
    if (serial.full
        || !wechat_key_put(slot, ph_buf_str(&serial), ph_cert_key(cert)))
    {
        return false;
    }
    ph_cert_dates(cert, &slot->from_ms, &slot->until_ms);
    return true;
}

bool
wechat_key_put(struct wechat_key *slot, struct ph_str serial,
               const struct ph_public_key *key)
{
    if (serial.len == 0 || serial.len > sizeof(slot->serial) || key == NULL) {
        return false;
    }
    memcpy(slot->serial, serial.ptr, serial.len);
    slot->serial_len = serial.len;
    slot->key        = key;
    slot->from_ms    = 0;
    slot->until_ms   = UINT64_MAX;
    return true;
}

/* Certificates are named in upper case by us, and in either by others; the name
 * of a public key is taken as it is. */
static bool
serial_same(const struct wechat_key *key, struct ph_str serial)
{
    bool is_hex = wechat_serial_is_hex(serial);

    if (key->serial_len != serial.len) {
        return false;
    }
    for (size_t i = 0; i < serial.len; i++) {
        if (key->serial[i] != (is_hex ? upper(serial.ptr[i]) : serial.ptr[i])) {
            return false;
        }
    }
    return true;
}

static bool
key_is_live(const struct wechat_key *key, uint64_t now_ms)
{
    return key->until_ms > UINT64_MAX - WECHAT_LATE_MS
           || now_ms <= key->until_ms + WECHAT_LATE_MS;
}

const struct wechat_key *
wechat_key_find(const struct wechat_key *keys, size_t count,
                struct ph_str serial, uint64_t now_ms)
{
    for (size_t i = 0; i < count; i++) {
        if (serial_same(&keys[i], serial) && key_is_live(&keys[i], now_ms)) {
            return &keys[i];
        }
    }
    return NULL;
}

/* The bare keys stand before the certificates, the newer before the old. */
const struct wechat_key *
wechat_key_wanted(const struct wechat_account *account, uint64_t now_ms)
{
    const struct wechat_key *best = NULL;

    for (size_t i = 0; i < account->key_count; i++) {
        const struct wechat_key *key = &account->keys[i];

        if (key->until_ms == UINT64_MAX) {
            return key;
        }
        if (now_ms > key->until_ms) {
            continue;
        }
        /* one that begins later is not asked for before it does */
        if (best == NULL
            || (best->from_ms > now_ms
                    ? key->from_ms < best->from_ms
                    : key->from_ms <= now_ms && key->from_ms > best->from_ms))
        {
            best = key;
        }
    }
    return best;
}

/* --- opening -------------------------------------------------------------- */

static bool
is_digits(struct ph_str text, size_t len_max)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return false;
        }
    }
    return text.len > 0 && text.len <= len_max;
}

static const char *
names_check(const struct ph_str *values)
{
    if (!is_digits(values[WECHAT_MCHID], MCHID_MAX)) {
        return "mchid: found something else than digits, expected the "
               "merchant's number";
    }
    if (!ph_str_is_token(values[WECHAT_APPID], APPID_MAX)) {
        return "appid: found something else than letters and digits, expected "
               "an app's id";
    }
    if (values[WECHAT_SUB_MCHID].len != 0
        && !is_digits(values[WECHAT_SUB_MCHID], MCHID_MAX))
    {
        return "sub_mchid: found something else than digits, expected the "
               "sub-merchant's number";
    }
    if (values[WECHAT_SUB_APPID].len != 0
        && !ph_str_is_token(values[WECHAT_SUB_APPID], APPID_MAX))
    {
        return "sub_appid: found something else than letters and digits, "
               "expected an app's id";
    }
    if (values[WECHAT_STORE_ID].len > 32) {
        return "store_id: found more than 32 bytes, expected the number of a "
               "store";
    }
    if (values[WECHAT_APIV3_KEY].len != APIV3_KEY_LEN) {
        return "apiv3_key: found another length, expected 32 bytes";
    }
    if (values[WECHAT_OLD_APIV3_KEY].len != 0
        && values[WECHAT_OLD_APIV3_KEY].len != APIV3_KEY_LEN)
    {
        return "old_apiv3_key: found another length, expected 32 bytes";
    }
    if (values[WECHAT_SUB_MCHID].len + values[WECHAT_SUB_APPID].len != 0
        && ph_str_eq(values[WECHAT_SERVICE_PROVIDER], PH_STR("no")))
    {
        return "service_provider: found no beside sub_mchid or sub_appid, "
               "expected yes, or neither of them";
    }
    return NULL;
}

static const char *
private_open(struct wechat_account *account, struct ph_str text)
{
    static const struct ph_str piece = PH_STR_INIT("payhub");
    char                       memory[PH_RSA_LEN_MAX];
    struct ph_buf              raw = PH_BUF_INIT(memory);

    enum ph_rc rc = ph_private_key_new(&account->key, text);

    if (rc == PH_E_RANGE) {
        return "private_key: found RSA of less than 2048 or more than 8192 "
               "bits, expected what lies between";
    }
    if (rc != PH_OK) {
        return "private_key: found no private key that can be read, expected "
               "RSA in PEM, or its base64";
    }
    return ph_private_sign(account->key, PH_RSA_SHA256, &piece, 1, &raw)
               ? NULL
               : "private_key: found a key that is not RSA, expected RSA";
}

static void
serial_no_set(struct wechat_account *account, struct ph_str serial)
{
    for (size_t i = 0; i < serial.len; i++) {
        account->serial_no[i] = upper(serial.ptr[i]);
    }
    account->serial_no_len = serial.len;
}

/* The serial number itself, or the certificate that has it. */
static const char *
serial_open(struct wechat_account *account, const struct ph_str *values)
{
    struct ph_str   given = values[WECHAT_SERIAL_NO];
    struct ph_cert *cert  = NULL;
    char            memory[WECHAT_SERIAL_MAX];
    struct ph_buf   serial = PH_BUF_INIT(memory);
    const char     *why    = NULL;

    if (given.len != 0) {
        if (!wechat_serial_is_hex(given)) {
            return "serial_no: found something else than hex digits, expected "
                   "the serial number of the merchant's API certificate";
        }
        serial_no_set(account, given);
    }
    if (values[WECHAT_MERCHANT_CERT].len == 0) {
        return NULL;
    }
    if (ph_cert_new(&cert, values[WECHAT_MERCHANT_CERT]) != PH_OK) {
        return "merchant_cert: found no certificate that can be read, expected "
               "PEM";
    }
    ph_cert_serial_hex(cert, &serial);
    if (ph_cert_key(cert) == NULL
        || !ph_keys_match(account->key, ph_cert_key(cert)))
    {
        why = "merchant_cert: found a certificate of another key, expected "
              "that of private_key";
    } else if (serial.full) {
        why = "merchant_cert: found a serial number of more than 32 bytes, "
              "expected at most these";
    } else if (given.len == 0) {
        serial_no_set(account, ph_buf_str(&serial));
    } else if (!ph_str_eq(
                   ph_buf_str(&serial),
                   ph_str_make(account->serial_no, account->serial_no_len)))
    {
        why = "serial_no: found another one than merchant_cert has, expected "
              "the same, or one of the two alone";
    }
    ph_cert_free(cert);
    return why;
}

struct public_texts {
    enum wechat_field id, key;
    const char       *half, *name, *unread, *same;
};

/* clang-format off */
static const struct public_texts publics[2] = {
    { WECHAT_PUBLIC_KEY_ID, WECHAT_PUBLIC_KEY,
      "public_key_id: found public_key or its id without the other, expected "
      "both or neither",
      "public_key_id: found something else than PUB_KEY_ID_ and letters or "
      "digits, expected the key's id",
      "public_key: found no RSA key that can be read, expected RSA in PEM",
      NULL },
    { WECHAT_OLD_PUBLIC_KEY_ID, WECHAT_OLD_PUBLIC_KEY,
      "old_public_key_id: found old_public_key or its id without the other, "
      "expected both or neither",
      "old_public_key_id: found something else than PUB_KEY_ID_ and letters or "
      "digits, expected the key's id",
      "old_public_key: found no RSA key that can be read, expected RSA in PEM",
      "old_public_key_id: found that of public_key, expected another one" },
};
/* clang-format on */

/* what is no RSA key would verify nothing, and say so too late */
static bool
public_is_rsa(const struct ph_public_key *key)
{
    char          memory[PH_RSA_LEN_MAX];
    struct ph_buf out = PH_BUF_INIT(memory);

    return ph_public_encrypt(key, PH_RSA_OAEP, PH_STR("payhub"), &out);
}

static const char *
public_open(struct wechat_account *account, const struct ph_str *values,
            size_t at)
{
    const struct public_texts *texts = &publics[at];
    struct ph_str              id = values[texts->id], key = values[texts->key];

    if ((id.len == 0) != (key.len == 0)) {
        return texts->half;
    }
    if (id.len == 0) {
        return NULL;
    }
    if (!ph_str_starts(id, PH_STR(WECHAT_PUBLIC_PREFIX))
        || !ph_str_is_token(id, WECHAT_SERIAL_MAX))
    {
        return texts->name;
    }
    if (texts->same != NULL && ph_str_eq(id, values[WECHAT_PUBLIC_KEY_ID])) {
        return texts->same;
    }
    if (ph_public_key_new(&account->publics[at], key) != PH_OK
        || !public_is_rsa(account->publics[at])
        || !wechat_key_put(&account->keys[account->key_count], id,
                           account->publics[at]))
    {
        return texts->unread;
    }
    account->key_count++;
    return NULL;
}

/* What a refresh brought.  One that cannot be read is as none: the next refresh
 * brings another. */
static void
kept_open(struct wechat_account *account, const struct ph_channel_kept *kept)
{
    if (kept == NULL || kept->value.len == 0
        || ph_certs_new(account->certs, WECHAT_CERTS_MAX, &account->cert_count,
                        kept->value)
               != PH_OK)
    {
        return;
    }
    for (size_t i = 0; i < account->cert_count; i++) {
        if (wechat_key_of(&account->keys[account->key_count],
                          account->certs[i])) {
            account->key_count++;
        }
    }
}

void
wechat_account_close(void *context)
{
    struct wechat_account *account = context;

    if (account == NULL) {
        return;
    }
    ph_private_key_free(account->key);
    ph_certs_free(account->certs, account->cert_count);
    for (size_t i = 0; i < PH_COUNT(account->publics); i++) {
        ph_public_key_free(account->publics[i]);
    }
    ph_context_free(account);
}

void *
wechat_account_open(const struct ph_channel_account *account,
                    const struct ph_channel_env *env, uint64_t now_ms,
                    struct ph_arena *arena, const char **why)
{
    const struct ph_str   *values = account->values;
    struct wechat_account *opened = ph_context_new(sizeof(*opened));

    (void) env;
    (void) now_ms;
    (void) arena;
    if (opened == NULL) {
        return NULL; /* no memory: nothing is wrong with a value */
    }
    opened->is_partner
        = ph_str_eq(values[WECHAT_SERVICE_PROVIDER], PH_STR("yes"))
          || values[WECHAT_SUB_MCHID].len + values[WECHAT_SUB_APPID].len != 0;
    *why = names_check(values);
    if (*why == NULL) {
        *why = private_open(opened, values[WECHAT_PRIVATE_KEY]);
    }
    if (*why == NULL) {
        *why = serial_open(opened, values);
    }
    for (size_t i = 0; *why == NULL && i < PH_COUNT(publics); i++) {
        *why = public_open(opened, values, i);
    }
    if (*why != NULL) {
        wechat_account_close(opened);
        return NULL;
    }
    kept_open(opened, account->kept);
    return opened;
}

/* --- orders --------------------------------------------------------------- */

bool
wechat_is_bar(struct ph_str method)
{
    return ph_str_eq(method, PH_STR("wechat_bar"))
           || ph_str_eq(method, PH_STR("bar"));
}

void
wechat_parties(const struct ph_channel_account *account,
               const struct ph_channel_order *order, struct ph_arena *arena,
               struct wechat_parties *out)
{
    const struct wechat_account *opened = account->context;
    const struct ph_str         *values = account->values;
    struct ph_str appid = ph_channel_extra_text(order, "appid", arena);

    *out = (struct wechat_parties){
        .mchid      = values[WECHAT_MCHID],
        .appid      = appid.len != 0 ? appid : values[WECHAT_APPID],
        .is_partner = opened->is_partner,
    };
    if (!opened->is_partner) {
        return;
    }
    out->sub_mchid = ph_channel_extra_text(order, "sub_mch_id", arena);
    out->sub_appid = ph_channel_extra_text(order, "sub_appid", arena);
    /* the account's app belongs to the account's sub-merchant */
    if (out->sub_mchid.len == 0) {
        out->sub_mchid = values[WECHAT_SUB_MCHID];
        if (out->sub_appid.len == 0) {
            out->sub_appid = values[WECHAT_SUB_APPID];
        }
    }
}

void
wechat_expected(const struct ph_channel_account *account,
                const struct ph_channel_order *order, struct ph_arena *arena,
                struct ph_channel_expected *out)
{
    struct wechat_parties parties;
    struct ph_buf         buf;

    wechat_parties(account, order, arena, &parties);
    out->app    = parties.appid;
    out->seller = parties.mchid;
    if (!parties.is_partner) {
        return;
    }
    ph_arena_open(arena, &buf);
    ph_buf_add(&buf, parties.mchid);
    ph_buf_byte(&buf, '/');
    ph_buf_add(&buf, parties.sub_mchid);
    out->seller = ph_arena_close(arena, &buf);
}

static const char *
bar_check(const struct ph_channel_order *order, struct ph_arena *arena)
{
    struct ph_str code = ph_channel_extra_text(order, "auth_code", arena);

    return code.len == BAR_CODE_LEN && is_digits(code, BAR_CODE_LEN)
                   && memcmp(code.ptr, "10", 2) >= 0
                   && memcmp(code.ptr, "15", 2) <= 0
               ? NULL
               : "auth_code: found a code of another wallet, expected 18 "
                 "digits that begin with 10 to 15";
}

static const char *
sub_check(const struct ph_channel_account *account,
          const struct ph_channel_order *order, struct ph_arena *arena)
{
    static const char *const keys[]
        = { "sub_mch_id", "sub_appid", "sub_openid" };
    const struct wechat_account *opened = account->context;
    struct wechat_parties        parties;

    if (!opened->is_partner) {
        for (size_t i = 0; i < PH_COUNT(keys); i++) {
            if (ph_channel_extra_text(order, keys[i], arena).len != 0) {
                return "extra: found sub_mch_id, sub_appid or sub_openid, "
                       "expected none for an account that is no service "
                       "provider's";
            }
        }
        return NULL;
    }
    wechat_parties(account, order, arena, &parties);
    if (!is_digits(parties.sub_mchid, MCHID_MAX)) {
        return "sub_mch_id: found no number of a sub-merchant, expected one "
               "for an account of a service provider";
    }
    if (parties.sub_appid.len == 0
        && ph_channel_extra_text(order, "sub_openid", arena).len != 0)
    {
        return "sub_appid: found sub_openid without it, expected the app that "
               "it is of";
    }
    return parties.sub_appid.len == 0
                   || ph_str_is_token(parties.sub_appid, APPID_MAX)
               ? NULL
               : "sub_appid: found something else than letters and digits, "
                 "expected an app's id";
}

const char *
wechat_order_check(const struct ph_channel_account *account,
                   const struct ph_channel_order   *order)
{
    char            memory[EXTRA_ROOM];
    struct ph_arena arena;
    struct ph_str   appid;
    const char     *why = NULL;

    ph_arena_init(&arena, memory, sizeof(memory));
    if (!ph_str_eq(order->currency, PH_STR("CNY"))) {
        return "currency: found another one, expected CNY";
    }
    if (wechat_is_bar(order->method)) {
        why = bar_check(order, &arena);
    } else if (ph_str_eq(order->method, PH_STR("wechat_h5"))
               && order->client_ip.len == 0)
    {
        why = "client_ip: found nothing, expected the payer's address";
    }
    if (why != NULL) {
        return why;
    }
    appid = ph_channel_extra_text(order, "appid", &arena);
    if (appid.len != 0 && !ph_str_is_token(appid, APPID_MAX)) {
        return "appid: found something else than letters and digits, expected "
               "an app's id";
    }
    why = sub_check(account, order, &arena);
    return why != NULL || !arena.full
               ? why
               : "extra: found more than there is room for, expected less";
}
