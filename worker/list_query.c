/* list_query.c - parameters and cursor of a list; see list_query.h. */
#include "worker/list_query.h"

#include <string.h>

#include "libpayhub/domain/states.h"
#include "libpayhub/wire/b64.h"
#include "libpayhub/wire/digest.h"
#include "worker/payment_method.h"
#include "worker/payment_request.h"
#include "worker/refund_request.h"
#include "worker/time_text.h"

#define NAME_LEN_MAX 32 /* channel, account */
#define CURSOR_RAW_LEN (PH_ID_LEN + WK_LIST_MARK_LEN)
#define FOUND_SHOWN_MAX 40 /* of a value that is refused */

enum parameter {
    P_ORDER_NO,
    P_SYNC,
    P_STATUS,
    P_METHOD,
    P_CHANNEL,
    P_ACCOUNT,
    P_FROM,
    P_TO,
    P_LIMIT,
    P_CURSOR,
    PARAMETERS
};

static const struct ph_str names[PARAMETERS] = {
    [P_ORDER_NO] = PH_STR_INIT("order_no"),
    [P_SYNC]     = PH_STR_INIT("sync"),
    [P_STATUS]   = PH_STR_INIT("status"),
    [P_METHOD]   = PH_STR_INIT("method"),
    [P_CHANNEL]  = PH_STR_INIT("channel"),
    [P_ACCOUNT]  = PH_STR_INIT("account"),
    [P_FROM]     = PH_STR_INIT("created_from"),
    [P_TO]       = PH_STR_INIT("created_to"),
    [P_LIMIT]    = PH_STR_INIT("limit"),
    [P_CURSOR]   = PH_STR_INIT("cursor"),
};

struct reading {
    struct wk_list_query    *out;
    struct wk_query_fault   *fault;
    struct ph_str            value[PARAMETERS]; /* ptr NULL = absent */
    const struct wk_methods *methods;
};

/* ---- faults ---- */

/* "NAME: found X, expected Y" */
static bool
refuse(struct wk_query_fault *fault, enum ph_error error, struct ph_str name,
       struct ph_str found, const char *expected)
{
    struct ph_buf detail = PH_BUF_INIT(fault->detail);

    detail.size--; /* for its NUL */
    if (found.len > FOUND_SHOWN_MAX) {
        found.len = FOUND_SHOWN_MAX;
    }
    ph_buf_add(&detail, ph_str_is_token(name, FOUND_SHOWN_MAX)
                            ? name
                            : PH_STR("a parameter"));
    ph_buf_add(&detail, PH_STR(": "));
    if (found.ptr != NULL && !ph_str_has_control(found)
        && ph_str_utf8_count(found) != SIZE_MAX)
    {
        ph_buf_add(&detail, PH_STR("found '"));
        ph_buf_add(&detail, found);
        ph_buf_add(&detail, PH_STR("', "));
    }
    ph_buf_add(&detail, ph_str_z(expected));
    fault->detail[detail.len] = '\0';
    fault->error              = error;
    return false;
}

static bool
refuse_value(const struct reading *reading, enum parameter which,
             struct ph_str found, const char *expected)
{
    return refuse(reading->fault, PH_ERROR_VALUE, names[which], found,
                  expected);
}

/* ---- parameters as they stand ---- */

static int
hex_value(char digit)
{
    return digit >= '0' && digit <= '9'   ? digit - '0'
           : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10
           : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
                                          : -1;
}

/* Into the query's own memory; false = a bad escape, or no room. */
static bool
value_decode(struct wk_list_query *out, struct ph_str text,
             struct ph_str *value)
{
    char  *to  = out->memory + out->memory_len;
    size_t len = 0;

    if (text.len > sizeof(out->memory) - out->memory_len) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.ptr[i];

        if (byte == '%') {
            bool is_whole = text.len - i > 2;
            int  high     = is_whole ? hex_value(text.ptr[i + 1]) : -1;
            int  low      = is_whole ? hex_value(text.ptr[i + 2]) : -1;

            if (high < 0 || low < 0) {
                return false;
            }
            byte = (char) (high * 16 + low);
            i += 2;
        }
        to[len++] = byte;
    }
    *value = ph_str_make(to, len);
    out->memory_len += len;
    return true;
}

static bool
parameter_take(struct reading *reading, struct ph_str parameter)
{
    struct ph_str name = parameter, value = { NULL, 0 };
    size_t        i = 0;

    (void) ph_str_cut(parameter, '=', &name, &value);
    while (i < PARAMETERS && !ph_str_eq(name, names[i])) {
        i++;
    }
    if (i == PARAMETERS) {
        return refuse(reading->fault, PH_ERROR_UNKNOWN_MEMBER, name,
                      ph_str_make(NULL, 0), "is not a parameter here");
    }
    if (value.ptr == NULL) {
        return refuse(reading->fault, PH_ERROR_UNKNOWN_MEMBER, name,
                      ph_str_make(NULL, 0), "expected a value behind =");
    }
    if (reading->value[i].ptr != NULL) {
        return refuse(reading->fault, PH_ERROR_DUPLICATE_KEY, name,
                      ph_str_make(NULL, 0), "stands twice");
    }
    if (!value_decode(reading->out, value, &reading->value[i])) {
        return refuse_value(reading, (enum parameter) i, value,
                            "expected percent-encoding that can be read, and "
                            "a shorter query");
    }
    return true;
}

/* ---- values ---- */

static bool
list_take(struct reading *reading, enum parameter which,
          bool (*is_good)(const struct reading *, struct ph_str),
          const char *expected, struct wk_list_values *values)
{
    struct ph_str rest = reading->value[which], one;

    while (ph_str_next(&rest, ',', &one)) {
        if (values->count == WK_LIST_VALUES_MAX) {
            return refuse_value(reading, which, ph_str_make(NULL, 0),
                                "expected at most 16 values");
        }
        if (!is_good(reading, one)) {
            return refuse_value(reading, which, one, expected);
        }
        values->value[values->count++] = one;
    }
    return true;
}

static bool
is_status(const struct reading *reading, struct ph_str text)
{
    (void) reading;
    return ph_payment_state_of(text) != PH_PAYMENT_NONE;
}

static bool
is_name(const struct reading *reading, struct ph_str text)
{
    (void) reading;
    return ph_str_is_token(text, NAME_LEN_MAX);
}

static bool
is_method(const struct reading *reading, struct ph_str text)
{
    return wk_method_is_known(reading->methods, text);
}

/* the API's form: "2026-01-02T03:04:05.678Z", also without the fraction */
static bool
time_take(struct reading *reading, enum parameter which, uint64_t *ms)
{
    struct ph_str text = reading->value[which];
    char          plain[WK_TIME_TEXT_LEN], memory[WK_TIME_TEXT_LEN];
    struct ph_buf back = PH_BUF_INIT(memory);

    if (text.ptr == NULL) {
        return true;
    }
    if ((text.len == 20 || text.len == WK_TIME_TEXT_LEN) && text.ptr[10] == 'T'
        && text.ptr[text.len - 1] == 'Z')
    {
        memcpy(plain, text.ptr, text.len - 1);
        plain[10] = ' ';
        if (wk_time_parse(ph_str_make(plain, text.len - 1), ms) && *ms != 0) {
            wk_time_iso(&back, *ms); /* there is no 31st of February */
            if (memcmp(back.ptr, text.ptr, text.len - 1) == 0) {
                return true;
            }
        }
    }
    return refuse_value(reading, which, text,
                        "expected a time as 2026-01-02T03:04:05.678Z");
}

static bool
limit_take(struct reading *reading)
{
    struct ph_str text  = reading->value[P_LIMIT];
    uint64_t      limit = WK_LIST_LIMIT_DEFAULT;

    if (text.ptr != NULL
        && (!ph_str_u64(text, WK_LIST_LIMIT_MAX, &limit) || limit == 0))
    {
        return refuse_value(reading, P_LIMIT, text, "expected 1 to 100");
    }
    reading->out->limit = (size_t) limit;
    return true;
}

/* ---- the cursor ---- */

static bool
mark_make(struct reading *reading, struct ph_str app_id)
{
    static const enum parameter marked[]
        = { P_STATUS, P_METHOD, P_CHANNEL, P_ACCOUNT, P_FROM, P_TO };
    struct ph_str pieces[2 + 2 * PH_COUNT(marked)];
    size_t        count = 0;
    uint8_t       sum[PH_SHA256_LEN];

    pieces[count++] = app_id;
    pieces[count++] = PH_STR("\n");
    for (size_t i = 0; i < PH_COUNT(marked); i++) {
        struct ph_str value = reading->value[marked[i]];

        pieces[count++] = value.ptr != NULL ? value : PH_STR("");
        pieces[count++] = PH_STR("\n");
    }
    if (!ph_sha256(pieces, count, sum)) {
        reading->fault->error     = PH_ERROR_INTERNAL;
        reading->fault->detail[0] = '\0';
        return false;
    }
    memcpy(reading->out->mark, sum, WK_LIST_MARK_LEN);
    return true;
}

static bool
cursor_read(struct reading *reading, struct ph_str text)
{
    char          padded[WK_LIST_CURSOR_LEN + 1], raw_memory[CURSOR_RAW_LEN];
    struct ph_buf raw = PH_BUF_INIT(raw_memory);

    if (text.len != WK_LIST_CURSOR_LEN) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.ptr[i];

        if (byte == '+' || byte == '/') {
            return false; /* one text for one value */
        }
        padded[i] = (char) (byte == '-' ? '+' : byte == '_' ? '/' : byte);
    }
    padded[WK_LIST_CURSOR_LEN] = '=';
    if (ph_b64_decode(&raw, ph_str_make(padded, sizeof(padded))) != PH_OK
        || raw.len != CURSOR_RAW_LEN)
    {
        return false;
    }
    memcpy(reading->out->cursor_id, raw_memory, PH_ID_LEN);
    reading->out->before_id = ph_str_make(reading->out->cursor_id, PH_ID_LEN);
    return ph_id_is(reading->out->before_id, PH_ID_PAYMENT)
           && memcmp(raw_memory + PH_ID_LEN, reading->out->mark,
                     WK_LIST_MARK_LEN)
                  == 0;
}

static bool
cursor_take(struct reading *reading)
{
    struct ph_str text = reading->value[P_CURSOR];

    if (text.ptr == NULL || cursor_read(reading, text)) {
        return true;
    }
    reading->out->before_id = ph_str_make(NULL, 0);
    return refuse(reading->fault, PH_ERROR_CURSOR, names[P_CURSOR],
                  ph_str_make(NULL, 0),
                  "expected next_cursor of a page with the same filters");
}

void
wk_list_cursor(struct ph_buf *buf, const struct wk_list_query *query,
               struct ph_str id)
{
    char          raw[CURSOR_RAW_LEN], memory[PH_B64_LEN(CURSOR_RAW_LEN)];
    struct ph_buf text = PH_BUF_INIT(memory);

    memcpy(raw, id.ptr, PH_ID_LEN);
    memcpy(raw + PH_ID_LEN, query->mark, WK_LIST_MARK_LEN);
    ph_b64_encode(&text, ph_str_make(raw, sizeof(raw)));
    for (size_t i = 0; i < WK_LIST_CURSOR_LEN; i++) {
        char byte = memory[i];

        ph_buf_byte(buf, (char) (byte == '+' ? '-' : byte == '/' ? '_' : byte));
    }
}

/* ---- the face ---- */

static bool
sync_take(struct reading *reading, bool *is_sync)
{
    struct ph_str text = reading->value[P_SYNC];

    *is_sync = text.ptr != NULL && ph_str_eq(text, PH_STR("true"));
    return text.ptr == NULL || *is_sync || ph_str_eq(text, PH_STR("false"))
           || refuse_value(reading, P_SYNC, text, "expected true or false");
}

/* order_no names one payment: nothing is left to filter */
static bool
order_take(struct reading *reading)
{
    for (size_t i = 0; i < PARAMETERS; i++) {
        if (i != P_ORDER_NO && i != P_SYNC && reading->value[i].ptr != NULL) {
            return refuse(reading->fault, PH_ERROR_UNKNOWN_MEMBER, names[i],
                          ph_str_make(NULL, 0),
                          "is not a parameter beside order_no");
        }
    }
    if (!ph_str_is_token(reading->value[P_ORDER_NO], WK_ORDER_NO_MAX)) {
        return refuse_value(reading, P_ORDER_NO, reading->value[P_ORDER_NO],
                            "expected 1 to 64 of A-Z a-z 0-9 _ -");
    }
    reading->out->order_no = reading->value[P_ORDER_NO];
    return sync_take(reading, &reading->out->is_sync);
}

static bool
filters_take(struct reading *reading)
{
    struct wk_list_query *out = reading->out;

    if (reading->value[P_SYNC].ptr != NULL) {
        return refuse(reading->fault, PH_ERROR_UNKNOWN_MEMBER, names[P_SYNC],
                      ph_str_make(NULL, 0),
                      "is a parameter of one payment, not of a list");
    }
    return list_take(reading, P_STATUS, is_status,
                     "expected states of payments", &out->statuses)
           && list_take(reading, P_METHOD, is_method,
                        "expected payment methods", &out->methods)
           && list_take(reading, P_CHANNEL, is_name, "expected channels",
                        &out->channels)
           && list_take(reading, P_ACCOUNT, is_name, "expected account ids",
                        &out->accounts)
           && time_take(reading, P_FROM, &out->from_ms)
           && time_take(reading, P_TO, &out->to_ms);
}

bool
wk_list_query_parse(struct ph_str query, struct ph_str app_id,
                    const struct wk_methods *methods, struct wk_list_query *out,
                    struct wk_query_fault *fault)
{
    struct reading reading = { .out = out, .fault = fault, .methods = methods };
    struct ph_str  parameter;

    *fault              = (struct wk_query_fault){ 0 };
    out->order_no       = ph_str_make(NULL, 0);
    out->before_id      = ph_str_make(NULL, 0);
    out->is_sync        = false;
    out->statuses.count = out->methods.count = 0;
    out->channels.count = out->accounts.count = 0;
    out->from_ms = out->to_ms = 0;
    out->limit                = WK_LIST_LIMIT_DEFAULT;
    out->memory_len           = 0;
    if (query.len == 0) {
        query.ptr = NULL; /* a question mark alone is no parameter */
    }
    while (ph_str_next(&query, '&', &parameter)) {
        if (!parameter_take(&reading, parameter)) {
            return false;
        }
    }
    if (reading.value[P_ORDER_NO].ptr != NULL) {
        return order_take(&reading);
    }
    return filters_take(&reading) && limit_take(&reading)
           && mark_make(&reading, app_id) && cursor_take(&reading);
}

/* ---- queries of one thing ---- */

struct one_query {
    struct ph_str number_name;  /* {NULL, 0} = takes none */
    struct ph_str number, sync; /* ptr NULL = absent */
};

static bool
one_take(struct one_query *one, struct ph_str parameter,
         struct wk_query_fault *fault)
{
    struct ph_str  name = parameter, value = { NULL, 0 };
    bool           has_value = ph_str_cut(parameter, '=', &name, &value);
    bool           is_sync   = ph_str_eq(name, names[P_SYNC]);
    struct ph_str *place     = is_sync ? &one->sync : &one->number;
    bool           takes_no  = one->number_name.ptr == NULL;

    if (!is_sync && (takes_no || !ph_str_eq(name, one->number_name))) {
        return refuse(fault, PH_ERROR_UNKNOWN_MEMBER, name,
                      ph_str_make(NULL, 0),
                      takes_no ? "is not a parameter here; expected sync=true"
                               : "is not a parameter here");
    }
    if (!has_value) {
        return refuse(fault, PH_ERROR_UNKNOWN_MEMBER, name,
                      ph_str_make(NULL, 0), "expected a value behind =");
    }
    if (place->ptr != NULL) {
        return refuse(fault, PH_ERROR_DUPLICATE_KEY, name, ph_str_make(NULL, 0),
                      "stands twice");
    }
    *place = value;
    return true;
}

static bool
one_parse(struct one_query *one, struct ph_str query, bool *is_sync,
          struct wk_query_fault *fault)
{
    struct ph_str parameter;

    *fault = (struct wk_query_fault){ 0 };
    if (query.len == 0) {
        query.ptr = NULL; /* a question mark alone is no parameter */
    }
    while (ph_str_next(&query, '&', &parameter)) {
        if (!one_take(one, parameter, fault)) {
            return false;
        }
    }
    *is_sync = one->sync.ptr != NULL && ph_str_eq(one->sync, PH_STR("true"));
    return one->sync.ptr == NULL || *is_sync
           || ph_str_eq(one->sync, PH_STR("false"))
           || refuse(fault, PH_ERROR_VALUE, names[P_SYNC], one->sync,
                     "expected true or false");
}

bool
wk_sync_query_parse(struct ph_str query, bool *is_sync,
                    struct wk_query_fault *fault)
{
    struct one_query one = { .number = { NULL, 0 } };

    return one_parse(&one, query, is_sync, fault);
}

bool
wk_refund_query_parse(struct ph_str query, struct ph_str *refund_no,
                      bool *is_sync, struct wk_query_fault *fault)
{
    struct one_query one = { .number_name = PH_STR("refund_no") };

    if (!one_parse(&one, query, is_sync, fault)) {
        return false;
    }
    *refund_no = one.number;
    if (one.number.ptr == NULL) {
        return refuse(fault, PH_ERROR_MISSING, one.number_name,
                      ph_str_make(NULL, 0), "is required");
    }
    return ph_str_is_token(one.number, WK_REFUND_NO_MAX)
           || refuse(fault, PH_ERROR_VALUE, one.number_name, one.number,
                     "expected 1 to 64 of A-Z a-z 0-9 _ -");
}
