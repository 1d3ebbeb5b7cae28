/*
 * message.c - signing, verifying and reading the sandbox's messages.
 */
#include "channels/sandbox/message.h"

#include <jansson.h>
#include <time.h>

#include "libpayhub/wire/b64.h"
#include "libpayhub/wire/digest.h"

#define SIGNATURE_MAX PH_B64_LEN(PH_SHA256_LEN)
#define TIMESTAMP_MAX 9999999999ULL
#define TIME_TEXT_LEN 24 /* 2026-01-02T03:04:05.678Z */

/* --- signatures ----------------------------------------------------------- */

/* Appends the base64 text. */
static bool
signature_add(struct ph_buf *buf, struct ph_str key, struct ph_str timestamp,
              struct ph_str body)
{
    uint8_t             mac[PH_SHA256_LEN];
    const struct ph_str pieces[]
        = { timestamp, PH_STR("\n"), body, PH_STR("\n") };

    if (!ph_hmac_once(key, pieces, PH_COUNT(pieces), mac)) {
        return false;
    }
    ph_b64_encode(buf, ph_str_make((const char *) mac, sizeof(mac)));
    return !buf->full;
}

static void
header_add(struct ph_channel_request *request, struct ph_str name,
           struct ph_str value)
{
    request->headers[request->header_count++]
        = (struct ph_channel_header){ name, value };
}

bool
sandbox_request_sign(struct ph_channel_request *request, struct ph_str key,
                     uint64_t now_ms, struct ph_arena *arena)
{
    struct ph_buf buf;

    ph_arena_open(arena, &buf);
    ph_buf_u64(&buf, now_ms / 1000);
    struct ph_str timestamp = ph_arena_close(arena, &buf);

    ph_arena_open(arena, &buf);
    bool          ok = signature_add(&buf, key, timestamp, request->body);
    struct ph_str signature = ph_arena_close(arena, &buf);

    request->method       = PH_STR("POST");
    request->header_count = 0;
    header_add(request, PH_STR("Content-Type"), PH_STR("application/json"));
    header_add(request, PH_STR("Sandbox-Timestamp"), timestamp);
    header_add(request, PH_STR("Sandbox-Signature"), signature);
    return ok && !arena->full;
}

enum ph_rc
sandbox_verify(const struct ph_channel_header *headers, size_t count,
               struct ph_str body, struct ph_str key, uint64_t now_ms)
{
    char          expected[SIGNATURE_MAX];
    struct ph_buf buf   = PH_BUF_INIT(expected);
    uint64_t      now_s = now_ms / 1000;
    uint64_t      at_s;
    struct ph_str timestamp
        = ph_channel_header(headers, count, PH_STR("Sandbox-Timestamp"));
    struct ph_str signature
        = ph_channel_header(headers, count, PH_STR("Sandbox-Signature"));

    if (timestamp.ptr == NULL || signature.ptr == NULL) {
        return PH_E_MISSING;
    }
    if (!ph_str_u64(timestamp, TIMESTAMP_MAX, &at_s)) {
        return PH_E_SYNTAX;
    }
    if (at_s + SANDBOX_WINDOW_S < now_s || at_s > now_s + SANDBOX_WINDOW_S) {
        return PH_E_RANGE;
    }
    if (!signature_add(&buf, key, timestamp, body)) {
        return PH_E_CRYPTO;
    }
    return ph_same_secret(ph_buf_str(&buf), signature) ? PH_OK : PH_E_SIGNATURE;
}

/* --- times ---------------------------------------------------------------- */

/* `len` digits at text.ptr + at, -1 when one of them is none */
static int
digits_at(struct ph_str text, size_t at, size_t len)
{
    int value = 0;

    for (size_t i = at; i < at + len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return -1;
        }
        value = value * 10 + (text.ptr[i] - '0');
    }
    return value;
}

uint64_t
sandbox_time_parse(struct ph_str text)
{
    static const char shape[] = "0000-00-00T00:00:00.000Z";

    if (text.len != TIME_TEXT_LEN) {
        return 0;
    }
    for (size_t i = 0; i < TIME_TEXT_LEN; i++) {
        bool is_digit = text.ptr[i] >= '0' && text.ptr[i] <= '9';
        if (shape[i] == '0' ? !is_digit : text.ptr[i] != shape[i]) {
            return 0;
        }
    }
    struct tm when = {
        .tm_year = digits_at(text, 0, 4) - 1900,
        .tm_mon  = digits_at(text, 5, 2) - 1,
        .tm_mday = digits_at(text, 8, 2),
        .tm_hour = digits_at(text, 11, 2),
        .tm_min  = digits_at(text, 14, 2),
        .tm_sec  = digits_at(text, 17, 2),
    };
    struct tm    given = when;
    const time_t s     = timegm(&when);
    /* timegm() bends the 31st of February; what was bent was no time */
    if (s < 0 || given.tm_mday != when.tm_mday || given.tm_mon != when.tm_mon
        || given.tm_hour != when.tm_hour || given.tm_min != when.tm_min
        || given.tm_sec != when.tm_sec)
    {
        return 0;
    }
    return (uint64_t) s * 1000 + (uint64_t) digits_at(text, 20, 3);
}

static void
digits_add(struct ph_buf *buf, unsigned value, unsigned width)
{
    unsigned unit = 1;

    while (--width > 0) {
        unit *= 10;
    }
    for (; unit > 0; unit /= 10) {
        ph_buf_byte(buf, (char) ('0' + value / unit % 10));
    }
}

void
sandbox_time_format(struct ph_buf *buf, uint64_t ms)
{
    struct tm    when = { 0 };
    const time_t s    = (time_t) (ms / 1000);

    gmtime_r(&s, &when);
    digits_add(buf, (unsigned) when.tm_year + 1900, 4);
    ph_buf_byte(buf, '-');
    digits_add(buf, (unsigned) when.tm_mon + 1, 2);
    ph_buf_byte(buf, '-');
    digits_add(buf, (unsigned) when.tm_mday, 2);
    ph_buf_byte(buf, 'T');
    digits_add(buf, (unsigned) when.tm_hour, 2);
    ph_buf_byte(buf, ':');
    digits_add(buf, (unsigned) when.tm_min, 2);
    ph_buf_byte(buf, ':');
    digits_add(buf, (unsigned) when.tm_sec, 2);
    ph_buf_byte(buf, '.');
    digits_add(buf, (unsigned) (ms % 1000), 3);
    ph_buf_byte(buf, 'Z');
}

/* --- reading -------------------------------------------------------------- */

static json_t *
object_parse(struct ph_str body)
{
    json_error_t error;
    json_t      *root;

    if (body.len == 0 || body.len > SANDBOX_BODY_MAX) {
        return NULL;
    }
    root = json_loadb(body.ptr, body.len, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(root)) {
        json_decref(root);
        return NULL;
    }
    return root;
}

/* false = there, but no text, or the arena is full */
static bool
text_take(const json_t *root, const char *name, struct ph_arena *arena,
          struct ph_str *out)
{
    const json_t *value = json_object_get(root, name);

    *out = ph_str_make(NULL, 0);
    if (value == NULL || json_is_null(value)) {
        return true;
    }
    if (!json_is_string(value)) {
        return false;
    }
    *out = ph_arena_dup(arena, ph_str_make(json_string_value(value),
                                           json_string_length(value)));
    return out->ptr != NULL;
}

/* integers only: a real number is never money */
static bool
amount_take(const json_t *root, const char *name, int64_t *out)
{
    const json_t *value = json_object_get(root, name);

    *out = -1;
    if (value == NULL || json_is_null(value)) {
        return true;
    }
    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        return false;
    }
    *out = json_integer_value(value);
    return true;
}

static bool
message_take(const json_t *root, struct ph_arena *arena,
             struct sandbox_message *out)
{
    struct ph_str paid_at, refunded_at;
    const struct {
        const char    *name;
        struct ph_str *text;
    } texts[] = {
        { "code", &out->code },
        { "status", &out->status },
        { "out_trade_no", &out->out_trade_no },
        { "trade_no", &out->trade_no },
        { "currency", &out->currency },
        { "message", &out->message },
        { "qr_code", &out->qr_code },
        { "notice_id", &out->notice_id },
        { "out_refund_no", &out->out_refund_no },
        { "refund_no", &out->refund_no },
        { "paid_at", &paid_at },
        { "refunded_at", &refunded_at },
    };

    for (size_t i = 0; i < PH_COUNT(texts); i++) {
        if (!text_take(root, texts[i].name, arena, texts[i].text)) {
            return false;
        }
    }
    out->paid_at_ms     = sandbox_time_parse(paid_at);
    out->refunded_at_ms = sandbox_time_parse(refunded_at);
    return amount_take(root, "amount", &out->amount)
           && amount_take(root, "amount_refunded", &out->amount_refunded);
}

enum ph_rc
sandbox_read(struct ph_str body, struct ph_arena *arena,
             struct sandbox_message *out)
{
    json_t *root = object_parse(body);

    if (root == NULL) {
        return PH_E_SYNTAX;
    }
    bool ok = message_take(root, arena, out);
    json_decref(root);
    if (arena->full) {
        return PH_E_FULL;
    }
    return ok ? PH_OK : PH_E_SYNTAX;
}

struct ph_str
sandbox_member(struct ph_str object, const char *name, struct ph_arena *arena)
{
    json_t       *root = object_parse(object);
    struct ph_str text;

    if (!text_take(root, name, arena, &text)) {
        text = ph_str_make(NULL, 0);
    }
    json_decref(root);
    return text;
}
