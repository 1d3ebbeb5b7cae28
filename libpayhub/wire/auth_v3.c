/*
 * auth_v3.c - the PAYHUB-V3 header: its grammar is a table.
 */
#include "libpayhub/wire/auth_v3.h"

#include <assert.h>

enum auth_field {
    AUTH_KEY_ID,
    AUTH_TIMESTAMP,
    AUTH_NONCE,
    AUTH_SIGNATURE,
    AUTH_FIELDS
};

#define AUTH_TIMESTAMP_LEN_MAX 11
#define AUTH_TIMESTAMP_MAX UINT64_C(99999999999)

/* clang-format off */
static const struct {
    struct ph_str name;
    size_t        len_min, len_max;
} auth_fields[AUTH_FIELDS] = {
    [AUTH_KEY_ID]    = { PH_STR_INIT("key_id"), 1, PH_KEY_ID_LEN_MAX },
    [AUTH_TIMESTAMP] = { PH_STR_INIT("timestamp"), 1, AUTH_TIMESTAMP_LEN_MAX },
    [AUTH_NONCE]     = { PH_STR_INIT("nonce"), PH_NONCE_LEN_MIN,
                         PH_NONCE_LEN_MAX },
    [AUTH_SIGNATURE] = { PH_STR_INIT("signature"), 4, PH_SIGNATURE_TEXT_MAX },
};
/* clang-format on */

static const struct ph_str auth_scheme = PH_STR_INIT("PAYHUB-V3 ");

static unsigned
auth_field_find(struct ph_str name)
{
    unsigned i = 0;

    while (i < AUTH_FIELDS && !ph_str_eq(name, auth_fields[i].name)) {
        i++;
    }
    return i;
}

/* "text" without its quotes; false when it is not quoted, or holds a quote */
static bool
auth_unquote(struct ph_str *value)
{
    if (value->len < 2 || value->ptr[0] != '"'
        || value->ptr[value->len - 1] != '"') {
        return false;
    }
    *value = ph_str_make(value->ptr + 1, value->len - 2);
    return value->len == 0 || memchr(value->ptr, '"', value->len) == NULL;
}

static bool
auth_is_base64(struct ph_str text)
{
    size_t digits = text.len;

    while (digits > 0 && text.len - digits < 2 && text.ptr[digits - 1] == '=') {
        digits--;
    }
    for (size_t i = 0; i < digits; i++) {
        char ch = text.ptr[i];

        if (!((ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z')
              || (ch >= '0' && ch <= '9') || ch == '+' || ch == '/'))
        {
            return false;
        }
    }
    return text.len % 4 == 0;
}

/* One name="value" into values[]. */
static enum ph_rc
auth_take_pair(struct ph_str pair, struct ph_str values[AUTH_FIELDS],
               unsigned *seen)
{
    struct ph_str name, value;

    if (!ph_str_cut(pair, '=', &name, &value) || !auth_unquote(&value)) {
        return PH_E_SYNTAX;
    }
    unsigned i = auth_field_find(name);
    if (i == AUTH_FIELDS) {
        return PH_E_UNKNOWN;
    }
    if (*seen & (1u << i)) {
        return PH_E_DUPLICATE;
    }
    if (value.len < auth_fields[i].len_min
        || value.len > auth_fields[i].len_max) {
        return PH_E_RANGE;
    }
    *seen |= 1u << i;
    values[i] = value;
    return PH_OK;
}

enum ph_rc
ph_auth_v3_parse(struct ph_str header, struct ph_auth_v3 *out)
{
    struct ph_str values[AUTH_FIELDS];
    struct ph_str pair;
    unsigned      seen = 0;

    if (header.len > PH_AUTH_V3_HEADER_MAX) {
        return PH_E_RANGE;
    }
    if (!ph_str_starts(header, auth_scheme)) {
        return PH_E_SYNTAX;
    }
    struct ph_str rest = ph_str_make(header.ptr + auth_scheme.len,
                                     header.len - auth_scheme.len);
    while (ph_str_next(&rest, ',', &pair)) {
        enum ph_rc rc = auth_take_pair(pair, values, &seen);

        if (rc != PH_OK) {
            return rc;
        }
    }
    if (seen != (1u << AUTH_FIELDS) - 1) {
        return PH_E_MISSING;
    }
    struct ph_auth_v3 auth = { values[AUTH_KEY_ID], values[AUTH_TIMESTAMP],
                               values[AUTH_NONCE], values[AUTH_SIGNATURE], 0 };
    if (!ph_str_is_token(auth.key_id, PH_KEY_ID_LEN_MAX)
        || !ph_str_is_token(auth.nonce, PH_NONCE_LEN_MAX)
        || !ph_str_u64(auth.timestamp_text, AUTH_TIMESTAMP_MAX, &auth.timestamp)
        || !auth_is_base64(auth.signature))
    {
        return PH_E_SYNTAX;
    }
    *out = auth;
    return PH_OK;
}

static void
auth_add_field(struct ph_buf *buf, enum auth_field field, struct ph_str value)
{
    if (field != AUTH_KEY_ID) {
        ph_buf_byte(buf, ',');
    }
    ph_buf_add(buf, auth_fields[field].name);
    ph_buf_add(buf, PH_STR("=\""));
    ph_buf_add(buf, value);
    ph_buf_byte(buf, '"');
}

void
ph_auth_v3_format(struct ph_buf *buf, const struct ph_auth_v3 *auth)
{
    ph_buf_add(buf, auth_scheme);
    auth_add_field(buf, AUTH_KEY_ID, auth->key_id);
    auth_add_field(buf, AUTH_TIMESTAMP, auth->timestamp_text);
    auth_add_field(buf, AUTH_NONCE, auth->nonce);
    auth_add_field(buf, AUTH_SIGNATURE, auth->signature);
}

static void
auth_add_line(struct ph_buf *buf, struct ph_str text)
{
    ph_buf_add(buf, text);
    ph_buf_byte(buf, '\n');
}

void
ph_auth_v3_prefix(struct ph_buf *buf, struct ph_str method,
                  struct ph_str target, struct ph_str timestamp,
                  struct ph_str nonce)
{
    auth_add_line(buf, method);
    auth_add_line(buf, target);
    auth_add_line(buf, timestamp);
    auth_add_line(buf, nonce);
}

void
ph_answer_v3_prefix(struct ph_buf *buf, struct ph_str timestamp,
                    struct ph_str nonce, unsigned status)
{
    assert(status >= 100 && status <= 999);

    auth_add_line(buf, timestamp);
    auth_add_line(buf, nonce);
    ph_buf_u64(buf, status);
    ph_buf_byte(buf, '\n');
}
