/*
 * payment_request.c - reads and checks the body of POST /v1/payments; see
 * payment_request.h.  Members are a table; json_t never
 * leaves this file.
 */
#include "worker/payment_request.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <string.h>

#include "libpayhub/base/money.h"
#include "worker/payment_method.h"
#include "worker/request_body.h"

#define TEXT_MAX 256 /* bytes of a text in extra */
#define METADATA_KEYS_MAX 20
#define METADATA_KEY_MAX 40    /* characters */
#define METADATA_VALUE_MAX 500 /* characters */

struct request_reading {
    const struct wk_request_rules *rules;
    struct ph_arena               *arena;
    struct wk_payment_request     *out;
    struct wk_request_fault       *fault;
};

static void
fault_add(struct request_reading *reading, enum ph_error error,
          const char *parent, const char *key, const char *detail)
{
    wk_fault_add(reading->fault, reading->arena, error, parent, key, detail);
}

/* ---- members ---- */

enum member_type { MEMBER_TEXT, MEMBER_INTEGER, MEMBER_OBJECT };

/* what a text must be; NULL = fine */
typedef const char *(*text_check)(const struct request_reading *reading,
                                  struct ph_str                 text);

struct member {
    const char      *key;
    enum member_type type;
    bool             is_required;
    bool             is_free_text; /* looked through for card numbers */
    size_t           offset;
    text_check       check;
};

static const char *
check_order_no(const struct request_reading *reading, struct ph_str text)
{
    (void) reading;
    return ph_str_is_token(text, WK_ORDER_NO_MAX)
               ? NULL
               : "expected 1 to 64 of A-Z a-z 0-9 _ -";
}

static const char *
check_currency(const struct request_reading *reading, struct ph_str text)
{
    (void) reading;
    return ph_currency_exponent(text) >= 0
               ? NULL
               : "expected an ISO 4217 code in upper case";
}

static const char *
check_method(const struct request_reading *reading, struct ph_str text)
{
    return wk_method_is_known(reading->rules->methods, text)
               ? NULL
               : "expected a payment method";
}

static const char *
check_subject(const struct request_reading *reading, struct ph_str text)
{
    (void) reading;
    return wk_characters_check(text, 1, 128, "expected 1 to 128 characters");
}

static const char *
check_description(const struct request_reading *reading, struct ph_str text)
{
    (void) reading;
    return wk_characters_check(text, 0, 256, "expected at most 256 characters");
}

static const char *
check_url(const struct request_reading *reading, struct ph_str text)
{
    return wk_url_check(text, reading->rules->allow_loopback);
}

static const char *
check_address(const struct request_reading *reading, struct ph_str text)
{
    char            zero_ended[INET6_ADDRSTRLEN];
    struct in6_addr out;

    (void) reading;
    if (text.len > 0 && text.len < sizeof(zero_ended)) {
        memcpy(zero_ended, text.ptr, text.len);
        zero_ended[text.len] = '\0';
        if (inet_pton(AF_INET, zero_ended, &out) == 1
            || inet_pton(AF_INET6, zero_ended, &out) == 1)
        {
            return NULL;
        }
    }
    return "expected an IPv4 or IPv6 address";
}

static const char *
check_account(const struct request_reading *reading, struct ph_str text)
{
    (void) reading;
    return ph_str_is_token(text, 32) ? NULL : "expected an account id";
}

/* clang-format off */
#define AT(member) offsetof(struct wk_payment_request, member)
static const struct member members[] = {
    { "order_no",    MEMBER_TEXT,    true,  false, AT(order_no),     check_order_no },
    { "amount",      MEMBER_INTEGER, true,  false, AT(amount),       NULL },
    { "currency",    MEMBER_TEXT,    true,  false, AT(currency),     check_currency },
    { "method",      MEMBER_TEXT,    true,  false, AT(method),       check_method },
    { "subject",     MEMBER_TEXT,    true,  true,  AT(subject),      check_subject },
    { "description", MEMBER_TEXT,    false, true,  AT(description),  check_description },
    { "notify_url",  MEMBER_TEXT,    false, false, AT(notify_url),   check_url },
    { "return_url",  MEMBER_TEXT,    false, false, AT(return_url),   check_url },
    { "client_ip",   MEMBER_TEXT,    false, false, AT(client_ip),    check_address },
    { "expires_in",  MEMBER_INTEGER, false, false, AT(expires_in_s), NULL },
    { "account",     MEMBER_TEXT,    false, false, AT(account),      check_account },
    { "extra",       MEMBER_OBJECT,  false, false, AT(extra),        NULL },
    { "metadata",    MEMBER_OBJECT,  false, false, AT(metadata),     NULL },
};
/* clang-format on */

/* ---- pass 1: names and types ---- */

static const struct member *
member_find(const char *key)
{
    for (size_t i = 0; i < PH_COUNT(members); i++) {
        if (strcmp(members[i].key, key) == 0) {
            return &members[i];
        }
    }
    return NULL;
}

static const char *
type_check(const json_t *value, enum member_type type)
{
    switch (type) {
    case MEMBER_TEXT:
        return json_is_string(value) ? NULL : "expected a string";
    case MEMBER_INTEGER:
        return json_is_integer(value) ? NULL : "expected a JSON integer";
    case MEMBER_OBJECT:
        return json_is_object(value) ? NULL : "expected an object";
    }
    return NULL;
}

static void
names_check(struct request_reading *reading, json_t *root)
{
    const char *key;
    json_t     *value;

    json_object_foreach(root, key, value)
    {
        if (member_find(key) == NULL) {
            fault_add(reading, PH_ERROR_UNKNOWN_MEMBER, "", key,
                      "is not a member of a payment");
        }
    }
}

static void
types_check(struct request_reading *reading, json_t *root)
{
    for (size_t i = 0; i < PH_COUNT(members); i++) {
        const json_t *value = json_object_get(root, members[i].key);
        const char   *why
            = value != NULL ? type_check(value, members[i].type) : NULL;

        if (why != NULL) {
            fault_add(reading, PH_ERROR_WRONG_TYPE, "", members[i].key, why);
        }
    }
}

static void
required_check(struct request_reading *reading, json_t *root)
{
    for (size_t i = 0; i < PH_COUNT(members); i++) {
        if (members[i].is_required
            && json_object_get(root, members[i].key) == NULL) {
            fault_add(reading, PH_ERROR_MISSING, "", members[i].key,
                      "is required");
        }
    }
}

/* ---- pass 2: structure of extra and metadata ---- */

static void
extra_names_check(struct request_reading *reading, json_t *extra,
                  struct ph_str method)
{
    const char *key;
    json_t     *value;

    json_object_foreach(extra, key, value)
    {
        struct wk_extra known;

        if (!wk_extra_find(reading->rules->methods, key, method, &known)) {
            fault_add(reading, PH_ERROR_UNKNOWN_MEMBER, "/extra", key,
                      "is not taken with this method");
        } else if (known.is_boolean ? !json_is_boolean(value)
                                    : !json_is_string(value)) {
            fault_add(reading, PH_ERROR_WRONG_TYPE, "/extra", key,
                      known.is_boolean ? "expected true or false"
                                       : "expected a string");
        }
    }
}

static void
extra_required_check(struct request_reading *reading, const json_t *extra,
                     struct ph_str method)
{
    const char     *one_of  = NULL;
    bool            has_one = false;
    size_t          at      = 0;
    struct wk_extra row;

    while (wk_extra_next(reading->rules->methods, method, &at, &row)) {
        bool is_there = json_object_get(extra, row.key) != NULL;

        if (row.need == WK_EXTRA_ONE_OF) {
            one_of  = one_of != NULL ? one_of : row.key;
            has_one = has_one || is_there;
        } else if (row.need == WK_EXTRA_MUST && !is_there) {
            fault_add(reading, PH_ERROR_MISSING, "/extra", row.key,
                      "is required with this method");
        }
    }
    if (one_of != NULL && !has_one) {
        fault_add(reading, PH_ERROR_MISSING, "/extra", one_of,
                  "this, or one of its siblings, is required");
    }
}

static void
metadata_types_check(struct request_reading *reading, json_t *metadata)
{
    const char *key;
    json_t     *value;

    json_object_foreach(metadata, key, value)
    {
        if (!json_is_string(value)) {
            fault_add(reading, PH_ERROR_WRONG_TYPE, "/metadata", key,
                      "expected a string");
        }
    }
}

static void
structure_check(struct request_reading *reading, json_t *root)
{
    struct ph_str method
        = ph_str_z(json_string_value(json_object_get(root, "method")));

    names_check(reading, root);
    types_check(reading, root);
    if (reading->fault->error != PH_ERROR_NONE) {
        return;
    }
    required_check(reading, root);
    metadata_types_check(reading, json_object_get(root, "metadata"));
    if (method.ptr != NULL
        && wk_method_is_known(reading->rules->methods, method)) {
        extra_names_check(reading, json_object_get(root, "extra"), method);
        extra_required_check(reading, json_object_get(root, "extra"), method);
    }
}

/* ---- pass 3: values ---- */

static struct ph_str
json_text(const json_t *value)
{
    return ph_str_make(json_string_value(value), json_string_length(value));
}

static void
free_text_check(struct request_reading *reading, struct ph_str text,
                const char *parent, const char *key)
{
    if (wk_has_card_number(text)) {
        fault_add(reading, PH_ERROR_CARD_NUMBER, parent, key,
                  "holds what looks like a card number");
    }
}

static void
texts_check(struct request_reading *reading, json_t *root)
{
    for (size_t i = 0; i < PH_COUNT(members); i++) {
        const json_t *value = json_object_get(root, members[i].key);

        if (value == NULL || members[i].type != MEMBER_TEXT) {
            continue;
        }
        const char *why = members[i].check(reading, json_text(value));
        if (why != NULL) {
            fault_add(reading, PH_ERROR_VALUE, "", members[i].key, why);
        }
    }
}

static void
numbers_check(struct request_reading *reading, json_t *root)
{
    const json_t *expires = json_object_get(root, "expires_in");
    json_int_t    amount  = json_integer_value(json_object_get(root, "amount"));

    if (amount < 1 || amount > PH_AMOUNT_MAX) {
        fault_add(reading, PH_ERROR_VALUE, "", "amount",
                  "expected 1 to 999999999999999 minor units");
    }
    if (expires != NULL
        && (json_integer_value(expires) < reading->rules->expires_min_s
            || json_integer_value(expires) > WK_EXPIRES_S_MAX))
    {
        fault_add(reading, PH_ERROR_VALUE, "", "expires_in",
                  "expected 604800 s at most, and not less than the smallest "
                  "time taken here");
    }
}

static void
extra_values_check(struct request_reading *reading, json_t *extra,
                   struct ph_str method)
{
    const char *key;
    json_t     *value;

    json_object_foreach(extra, key, value)
    {
        struct ph_str text   = json_text(value);
        size_t        len    = strlen(key);
        bool          is_url = len > 4 && strcmp(key + len - 4, "_url") == 0;
        const char   *why    = NULL;

        if (json_is_boolean(value)) {
            continue;
        }
        if (text.len == 0 || text.len > (is_url ? 512 : TEXT_MAX)
            || ph_str_has_control(text))
        {
            why = "expected 1 to 256 bytes without control characters";
        } else if (is_url) {
            why = wk_url_check(text, reading->rules->allow_loopback);
        } else if (strcmp(key, "auth_code") == 0
                   && !wk_bar_code_is_good(method, text)) {
            why = "is not a code of this method";
        }
        if (why != NULL) {
            fault_add(reading, PH_ERROR_VALUE, "/extra", key, why);
        }
    }
}

static void
metadata_values_check(struct request_reading *reading, json_t *metadata)
{
    const char *key;
    json_t     *value;

    if (json_object_size(metadata) > METADATA_KEYS_MAX) {
        fault_add(reading, PH_ERROR_VALUE, "", "metadata",
                  "expected at most 20 keys");
    }
    json_object_foreach(metadata, key, value)
    {
        const char *why
            = wk_characters_check(ph_str_z(key), 1, METADATA_KEY_MAX,
                                  "expected a key of 1 to 40 "
                                  "characters");

        if (why == NULL) {
            why = wk_characters_check(json_text(value), 0, METADATA_VALUE_MAX,
                                      "expected at most 500 characters");
        }
        if (why != NULL) {
            fault_add(reading, PH_ERROR_VALUE, "/metadata", key, why);
        }
    }
}

static void
cards_check(struct request_reading *reading, json_t *root)
{
    const char *key;
    json_t     *value;

    for (size_t i = 0; i < PH_COUNT(members); i++) {
        value = json_object_get(root, members[i].key);
        if (value != NULL && members[i].is_free_text) {
            free_text_check(reading, json_text(value), "", members[i].key);
        }
    }
    json_object_foreach(json_object_get(root, "metadata"), key, value)
    {
        free_text_check(reading, ph_str_z(key), "/metadata", key);
        free_text_check(reading, json_text(value), "/metadata", key);
    }
}

static void
values_check(struct request_reading *reading, json_t *root)
{
    texts_check(reading, root);
    numbers_check(reading, root);
    extra_values_check(reading, json_object_get(root, "extra"),
                       json_text(json_object_get(root, "method")));
    metadata_values_check(reading, json_object_get(root, "metadata"));
    cards_check(reading, root);
}

/* ---- filling ---- */

static struct ph_str
object_copy(struct ph_arena *arena, const json_t *object)
{
    struct ph_buf buf;

    ph_arena_open(arena, &buf);
    size_t len = json_dumpb(object, buf.ptr, buf.size, JSON_COMPACT);

    if (len == 0 || len >= buf.size) {
        arena->full = true;
        return ph_str_make(NULL, 0);
    }
    buf.len = len;
    return ph_arena_close(arena, &buf);
}

static bool
request_fill(struct request_reading *reading, json_t *root)
{
    char *out = (char *) reading->out;

    *reading->out
        = (struct wk_payment_request){ .expires_in_s = WK_EXPIRES_S_DEFAULT };
    for (size_t i = 0; i < PH_COUNT(members); i++) {
        const json_t *value = json_object_get(root, members[i].key);
        void         *at    = out + members[i].offset;

        if (value == NULL) {
            continue;
        }
        switch (members[i].type) {
        case MEMBER_TEXT:
            *(struct ph_str *) at
                = ph_arena_dup(reading->arena, json_text(value));
            break;
        case MEMBER_INTEGER:
            *(int64_t *) at = json_integer_value(value);
            break;
        case MEMBER_OBJECT:
            *(struct ph_str *) at = object_copy(reading->arena, value);
            break;
        }
    }
    return !reading->arena->full;
}

/* ---- the document ---- */

static bool
document_read(struct request_reading *reading, json_t *root)
{
    structure_check(reading, root);
    if (reading->fault->error == PH_ERROR_NONE) {
        values_check(reading, root);
    }
    if (reading->fault->error != PH_ERROR_NONE) {
        return false;
    }
    return request_fill(reading, root)
           || wk_fault_whole(reading->fault, PH_ERROR_TOO_LARGE,
                             "the request does not fit");
}

bool
wk_payment_request_parse(struct ph_str                  body,
                         const struct wk_request_rules *rules,
                         struct ph_arena *arena, struct wk_payment_request *out,
                         struct wk_request_fault *fault)
{
    struct request_reading reading = { rules, arena, out, fault };

    *fault       = (struct wk_request_fault){ 0 };
    json_t *root = wk_body_load(body, fault);

    if (root == NULL) {
        return false;
    }
    bool is_good = document_read(&reading, root);

    json_decref(root);
    return is_good;
}
