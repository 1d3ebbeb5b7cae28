/*
 * auth_v3.c - the PAYHUB-V3 header, read in one pass: a value is the longest
 * run of bytes of its field's class.  This runs for every request, before
 * anything about it is proven.
 */
#include "libpayhub/wire/auth_v3.h"

#include <assert.h>

#include "libpayhub/base/span.h"

enum auth_field {
    AUTH_KEY_ID,
    AUTH_TIMESTAMP,
    AUTH_NONCE,
    AUTH_SIGNATURE,
    AUTH_FIELDS
};

#define AUTH_TIMESTAMP_LEN_MAX 11 /* digits: no overflow below 20 */
#define AUTH_PADDING_MAX 2        /* '=' of a base64 text */

#define AUTH_KEY_ID_NAME "key_id=\""
#define AUTH_TIMESTAMP_NAME "timestamp=\""
#define AUTH_NONCE_NAME "nonce=\""
#define AUTH_SIGNATURE_NAME "signature=\""

/* clang-format off */
static const struct {
    struct ph_str name;
    size_t        len_min, len_max;
} auth_fields[AUTH_FIELDS] = {
    [AUTH_KEY_ID]    = { PH_STR_INIT(AUTH_KEY_ID_NAME), 1, PH_KEY_ID_LEN_MAX },
    [AUTH_TIMESTAMP] = { PH_STR_INIT(AUTH_TIMESTAMP_NAME), 1,
                         AUTH_TIMESTAMP_LEN_MAX },
    [AUTH_NONCE]     = { PH_STR_INIT(AUTH_NONCE_NAME), PH_NONCE_LEN_MIN,
                         PH_NONCE_LEN_MAX },
    [AUTH_SIGNATURE] = { PH_STR_INIT(AUTH_SIGNATURE_NAME), 4,
                         PH_SIGNATURE_TEXT_MAX },
};
/* clang-format on */

#define AUTH_SCHEME "PAYHUB-V3 "

#define AUTH_INLINE static inline __attribute__((always_inline))

/* the value of eight digits in a row; false = some byte is none */
AUTH_INLINE bool
auth_eight_digits(const char *text, uint64_t *out)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t       word;

    memcpy(&word, text, sizeof(word));
    word -= ones * '0';
    if (((word | (word + ones * (127 - 9))) & ones << 7) != 0) {
        return false;
    }
    /* neighbours join: 8 of one digit, 4 of two, 2 of four */
    word = word * 10 + (word >> 8);
    word = (word & UINT64_C(0x00ff00ff00ff00ff)) * 100
           + (word >> 16 & UINT64_C(0x00ff00ff00ff00ff));
    *out = (word & 0xffff) * 10000 + (word >> 32 & 0xffff);
    return true;
}

/* past the digits; what they say, which fits when so many are taken */
AUTH_INLINE const char *
auth_digits(const char *at, const char *end, uint64_t *out)
{
    uint64_t value = 0;

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (end - at >= 8 && auth_eight_digits(at, &value)) {
        at += 8;
    }
#endif
    for (; at < end; at++) {
        unsigned digit = (unsigned char) (*at - '0');

        if (digit > 9) {
            break;
        }
        value = value * 10 + digit;
    }
    *out = value;
    return at;
}

AUTH_INLINE const char *
auth_base64(const char *begin, const char *at, const char *end)
{
    at = ph_span_alnum(begin, at, end, '+', '/');
    for (unsigned i = 0; i < AUTH_PADDING_MAX && at < end && *at == '='; i++) {
        at++;
    }
    return at;
}

/* One name="value" at *at.  style: `field` is a constant wherever this stands,
 * so that names and bounds of its row become immediates */
AUTH_INLINE enum ph_rc
auth_take(enum auth_field field, struct ph_str header, const char **at,
          struct ph_str *value, uint64_t *number)
{
    struct ph_str name = auth_fields[field].name;
    const char   *end  = header.ptr + header.len;
    const char   *from = *at + name.len;
    const char   *stop;

    if ((size_t) (end - *at) < name.len || memcmp(*at, name.ptr, name.len) != 0)
    {
        return PH_E_UNKNOWN;
    }
    if (value->ptr != NULL) {
        return PH_E_DUPLICATE;
    }
    if (field == AUTH_TIMESTAMP) {
        stop = auth_digits(from, end, number);
    } else if (field == AUTH_SIGNATURE) {
        stop = auth_base64(header.ptr, from, end);
    } else {
        stop = ph_span_alnum(header.ptr, from, end, '_', '-');
    }
    if (stop == end || *stop != '"') {
        return PH_E_SYNTAX;
    }
    size_t len = (size_t) (stop - from);
    if (len < auth_fields[field].len_min || len > auth_fields[field].len_max) {
        return PH_E_RANGE;
    }
    *value = ph_str_make(from, len);
    *at    = stop + 1;
    return PH_OK;
}

/* The names differ in their first byte. */
AUTH_INLINE enum ph_rc
auth_take_pair(struct ph_str header, const char **at, struct ph_auth_v3 *out)
{
    if (*at == header.ptr + header.len) {
        return PH_E_SYNTAX;
    }
    switch (**at) {
    case 'k':
        return auth_take(AUTH_KEY_ID, header, at, &out->key_id, NULL);
    case 't':
        return auth_take(AUTH_TIMESTAMP, header, at, &out->timestamp_text,
                         &out->timestamp);
    case 'n':
        return auth_take(AUTH_NONCE, header, at, &out->nonce, NULL);
    case 's':
        return auth_take(AUTH_SIGNATURE, header, at, &out->signature, NULL);
    default:
        return PH_E_UNKNOWN;
    }
}

enum ph_rc
ph_auth_v3_parse(struct ph_str header, struct ph_auth_v3 *out)
{
    if (header.len > PH_AUTH_V3_HEADER_MAX) {
        return PH_E_RANGE;
    }
    if (!ph_str_starts(header, PH_STR(AUTH_SCHEME))) {
        return PH_E_SYNTAX;
    }
    const char *at  = header.ptr + sizeof(AUTH_SCHEME) - 1;
    const char *end = header.ptr + header.len;

    *out = (struct ph_auth_v3){ .timestamp = 0 };
    for (;;) {
        enum ph_rc rc = auth_take_pair(header, &at, out);

        if (rc != PH_OK) {
            return rc;
        }
        if (at == end) {
            break;
        }
        if (*at++ != ',') {
            return PH_E_SYNTAX;
        }
    }
    if (out->key_id.ptr == NULL || out->timestamp_text.ptr == NULL
        || out->nonce.ptr == NULL || out->signature.ptr == NULL)
    {
        return PH_E_MISSING;
    }
    bool plain
        = out->timestamp_text.ptr[0] != '0' || out->timestamp_text.len == 1;
    return plain && out->signature.len % 4 == 0 ? PH_OK : PH_E_SYNTAX;
}

static void
auth_add_field(struct ph_buf *buf, enum auth_field field, struct ph_str value)
{
    if (field != AUTH_KEY_ID) {
        ph_buf_byte(buf, ',');
    }
    ph_buf_add(buf, auth_fields[field].name);
    ph_buf_add(buf, value);
    ph_buf_byte(buf, '"');
}

void
ph_auth_v3_format(struct ph_buf *buf, const struct ph_auth_v3 *auth)
{
    ph_buf_add(buf, PH_STR(AUTH_SCHEME));
    auth_add_field(buf, AUTH_KEY_ID, auth->key_id);
    auth_add_field(buf, AUTH_TIMESTAMP, auth->timestamp_text);
    auth_add_field(buf, AUTH_NONCE, auth->nonce);
    auth_add_field(buf, AUTH_SIGNATURE, auth->signature);
}

static inline char *
auth_line(char *at, struct ph_str text)
{
    memcpy(at, text.ptr, text.len);
    at[text.len] = '\n';
    return at + text.len + 1;
}

void
ph_auth_v3_prefix(struct ph_buf *buf, struct ph_str method,
                  struct ph_str target, struct ph_str timestamp,
                  struct ph_str nonce)
{
    char *at = ph_buf_reserve(buf, method.len + target.len + timestamp.len
                                       + nonce.len + 4);

    if (at != NULL) {
        at = auth_line(at, method);
        at = auth_line(at, target);
        at = auth_line(at, timestamp);
        (void) auth_line(at, nonce);
    }
}

void
ph_answer_v3_prefix(struct ph_buf *buf, struct ph_str timestamp,
                    struct ph_str nonce, unsigned status)
{
    assert(status >= 100 && status <= 999);

    char *at = ph_buf_reserve(buf, timestamp.len + nonce.len + 2);

    if (at != NULL) {
        at = auth_line(at, timestamp);
        (void) auth_line(at, nonce);
    }
    ph_buf_u64(buf, status);
    ph_buf_byte(buf, '\n');
}
