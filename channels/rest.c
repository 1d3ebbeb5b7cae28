/* rest.c - see rest.h. */
#include "channels/rest.h"

#include "libpayhub/base/money.h"
#include "libpayhub/wire/form.h"

/* ---- amounts ---- */

#define STANDARD_EXPONENT 2

static const struct ph_unit *
unit_find(const struct ph_unit *units, size_t count, struct ph_str currency)
{
    for (size_t i = 0; i < count; i++) {
        if (ph_str_eq(currency, ph_str_z(units[i].code))) {
            return &units[i];
        }
    }
    return NULL;
}

int
ph_unit_exponent(const struct ph_unit *units, size_t count,
                 struct ph_str currency)
{
    const struct ph_unit *unit = unit_find(units, count, currency);

    if (unit != NULL) {
        return unit->exponent;
    }
    return ph_currency_exponent(currency) == STANDARD_EXPONENT
               ? STANDARD_EXPONENT
               : -1;
}

bool
ph_unit_to(const struct ph_unit *units, size_t count, struct ph_str currency,
           int64_t minor, int64_t *out)
{
    const struct ph_unit *unit = unit_find(units, count, currency);
    int                   from = ph_currency_exponent(currency);
    int                   to   = ph_unit_exponent(units, count, currency);

    return from >= 0 && to >= 0 && ph_money_rescale(minor, from, to, out)
           && (unit == NULL || *out % unit->step == 0);
}

bool
ph_unit_from(const struct ph_unit *units, size_t count, struct ph_str currency,
             int64_t theirs, int64_t *out)
{
    int from = ph_unit_exponent(units, count, currency);
    int to   = ph_currency_exponent(currency);

    return from >= 0 && to >= 0 && ph_money_rescale(theirs, from, to, out);
}

/* ---- texts ---- */

struct ph_str
ph_rest_base(struct ph_str given, struct ph_str standard)
{
    struct ph_str base = given.len != 0 ? given : standard;

    while (base.len > 0 && base.ptr[base.len - 1] == '/') {
        base.len--;
    }
    return base;
}

bool
ph_rest_is_loopback(struct ph_str base)
{
    static const struct ph_str hosts[]
        = { PH_STR_INIT("https://127.0.0.1"), PH_STR_INIT("https://localhost"),
            PH_STR_INIT("https://[::1]") };

    if (ph_str_starts(base, PH_STR("http://"))) {
        return true;
    }
    for (size_t i = 0; i < PH_COUNT(hosts); i++) {
        if (ph_str_starts(base, hosts[i])
            && (base.len == hosts[i].len || base.ptr[hosts[i].len] == ':'
                || base.ptr[hosts[i].len] == '/'))
        {
            return true;
        }
    }
    return false;
}

struct ph_str
ph_rest_cut(struct ph_str text, size_t most)
{
    size_t chars = 0;

    if (ph_str_utf8_count(text) == SIZE_MAX) {
        return ph_str_make(NULL, 0);
    }
    for (size_t i = 0; i < text.len; i++) {
        bool begins = ((unsigned char) text.ptr[i] & 0xc0) != 0x80;

        if (begins && chars++ == most) {
            return ph_str_make(text.ptr, i);
        }
    }
    return text;
}

bool
ph_rest_is_plain(struct ph_str text, size_t most)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= 0x20 || text.ptr[i] > 0x7e) {
            return false;
        }
    }
    return text.len != 0 && text.len <= most;
}

const char *
ph_rest_why(const char *key, struct ph_str value, const char *expected,
            struct ph_arena *arena)
{
    struct ph_buf buf;
    struct ph_str text;

    ph_arena_open(arena, &buf);
    ph_buf_add(&buf, ph_str_z(key));
    ph_buf_add(&buf, PH_STR(": found "));
    ph_buf_u64(&buf, value.len);
    ph_buf_add(&buf, PH_STR(" bytes, expected "));
    ph_buf_add(&buf, ph_str_z(expected));
    ph_buf_byte(&buf, '\0');
    text = ph_arena_close(arena, &buf);
    return arena->full ? "no room to say what is wrong with the account"
                       : text.ptr;
}

bool
ph_rest_text(const struct ph_doc *doc, const char *path, struct ph_arena *arena,
             struct ph_str *out)
{
    enum ph_rc rc = ph_doc_text(doc, path, arena, out);

    return rc == PH_OK || rc == PH_E_MISSING;
}

/* ---- requests and results ---- */

void
ph_rest_header(struct ph_channel_request *request, struct ph_str name,
               struct ph_str value)
{
    if (request->header_count < PH_CHANNEL_HEADERS_MAX) {
        request->headers[request->header_count++]
            = (struct ph_channel_header){ name, value };
    }
}

struct ph_str
ph_rest_joined(struct ph_str head, struct ph_str tail, struct ph_arena *arena)
{
    struct ph_buf buf;

    ph_arena_open(arena, &buf);
    ph_buf_add(&buf, head);
    ph_buf_add(&buf, tail);
    return ph_arena_close(arena, &buf);
}

struct ph_str
ph_rest_url(struct ph_str base, const char *head, struct ph_str id,
            const char *tail, struct ph_arena *arena)
{
    struct ph_buf buf;

    ph_arena_open(arena, &buf);
    ph_buf_add(&buf, base);
    ph_buf_add(&buf, ph_str_z(head));
    ph_url_encode(&buf, id, PH_URL_SPACE_HEX);
    ph_buf_add(&buf, ph_str_z(tail));
    return ph_arena_close(arena, &buf);
}

struct ph_channel_result
ph_rest_unknown(struct ph_str error_class)
{
    return (struct ph_channel_result){ .class          = PH_RESULT_UNKNOWN,
                                       .amount         = -1,
                                       .refunded_total = -1,
                                       .error_class    = error_class };
}

/* ---- webhooks ---- */

int
ph_rest_event_of(const struct ph_rest_event *rows, size_t count,
                 struct ph_str type)
{
    for (size_t i = 0; i < count; i++) {
        if (ph_str_eq(rows[i].type, type)) {
            return rows[i].event;
        }
    }
    return 0;
}

enum ph_rc
ph_rest_event_read(struct ph_str body, struct ph_arena *arena,
                   enum ph_rc (*take)(const struct ph_doc *doc,
                                      const void *data, struct ph_arena *arena,
                                      struct ph_channel_notice_out *out),
                   const void *data, struct ph_channel_notice_out *out)
{
    struct ph_doc *doc;
    enum ph_rc     rc = ph_doc_json(&doc, body);

    *out = (struct ph_channel_notice_out){
        .result           = ph_rest_unknown(ph_str_make(NULL, 0)),
        .ack_body         = PH_STR("ok"),
        .ack_content_type = PH_STR("text/plain"),
    };
    if (rc != PH_OK) {
        return rc;
    }
    rc = take(doc, data, arena, out);
    ph_doc_free(doc);
    return arena->full ? PH_E_FULL : rc;
}
