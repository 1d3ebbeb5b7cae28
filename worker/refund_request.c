/* refund_request.c - see refund_request.h. */
#include "worker/refund_request.h"

#include <jansson.h>
#include <string.h>

#include "libpayhub/base/money.h"
#include "worker/payment_request.h"

struct refund_reading {
    struct ph_arena         *arena;
    struct wk_request_fault *fault;
    const json_t            *refund_no;
    const json_t            *amount;
    const json_t            *reason;
};

static void
fault_add(struct refund_reading *reading, enum ph_error error, const char *key,
          const char *detail)
{
    wk_fault_add(reading->fault, reading->arena, error, "", key, detail);
}

static void
names_read(struct refund_reading *reading, json_t *root)
{
    const char *key;
    json_t     *value;

    json_object_foreach(root, key, value)
    {
        if (strcmp(key, "refund_no") == 0) {
            reading->refund_no = value;
        } else if (strcmp(key, "amount") == 0) {
            reading->amount = value;
        } else if (strcmp(key, "reason") == 0) {
            reading->reason = value;
        } else {
            fault_add(reading, PH_ERROR_UNKNOWN_MEMBER, key,
                      "is not a member of a refund");
        }
    }
}

static void
types_check(struct refund_reading *reading)
{
    if (reading->refund_no != NULL && !json_is_string(reading->refund_no)) {
        fault_add(reading, PH_ERROR_WRONG_TYPE, "refund_no",
                  "expected a string");
    }
    if (reading->amount != NULL && !json_is_integer(reading->amount)) {
        fault_add(reading, PH_ERROR_WRONG_TYPE, "amount",
                  "expected a JSON integer");
    }
    if (reading->reason != NULL && !json_is_string(reading->reason)) {
        fault_add(reading, PH_ERROR_WRONG_TYPE, "reason", "expected a string");
    }
}

static void
required_check(struct refund_reading *reading)
{
    if (reading->refund_no == NULL) {
        fault_add(reading, PH_ERROR_MISSING, "refund_no", "is required");
    }
    if (reading->amount == NULL) {
        fault_add(reading, PH_ERROR_MISSING, "amount", "is required");
    }
}

static struct ph_str
text_of(const json_t *value)
{
    return value != NULL ? ph_str_make(json_string_value(value),
                                       json_string_length(value))
                         : ph_str_make(NULL, 0);
}

static void
values_check(struct refund_reading *reading)
{
    struct ph_str reason = text_of(reading->reason);
    json_int_t    amount = json_integer_value(reading->amount);

    if (!ph_str_is_token(text_of(reading->refund_no), WK_REFUND_NO_MAX)) {
        fault_add(reading, PH_ERROR_VALUE, "refund_no",
                  "expected 1 to 64 of A-Z a-z 0-9 _ -");
    }
    if (amount < 1 || amount > PH_AMOUNT_MAX) {
        fault_add(reading, PH_ERROR_VALUE, "amount",
                  "expected 1 to 999999999999999 minor units");
    }
    const char *why = reading->reason != NULL
                          ? wk_characters_check(reason, 0, WK_REFUND_REASON_MAX,
                                                "expected at most 256 "
                                                "characters")
                          : NULL;

    if (why != NULL) {
        fault_add(reading, PH_ERROR_VALUE, "reason", why);
    }
    if (wk_has_card_number(reason)) {
        fault_add(reading, PH_ERROR_CARD_NUMBER, "reason",
                  "holds what looks like a card number");
    }
}

static bool
document_read(struct refund_reading *reading, json_t *root,
              struct wk_refund_request *out)
{
    const struct wk_request_fault *fault = reading->fault;

    names_read(reading, root);
    types_check(reading);
    if (fault->error == PH_ERROR_NONE) {
        required_check(reading);
    }
    if (fault->error == PH_ERROR_NONE) {
        values_check(reading);
    }
    if (fault->error != PH_ERROR_NONE) {
        return false;
    }
    *out = (struct wk_refund_request){
        .refund_no = ph_arena_dup(reading->arena, text_of(reading->refund_no)),
        .amount    = json_integer_value(reading->amount),
        .reason    = reading->reason != NULL
                         ? ph_arena_dup(reading->arena, text_of(reading->reason))
                         : ph_str_make(NULL, 0),
    };
    return !reading->arena->full
           || wk_fault_whole(reading->fault, PH_ERROR_TOO_LARGE,
                             "the request does not fit");
}

bool
wk_refund_request_parse(struct ph_str body, struct ph_arena *arena,
                        struct wk_refund_request *out,
                        struct wk_request_fault  *fault)
{
    struct refund_reading reading = { .arena = arena, .fault = fault };

    *fault       = (struct wk_request_fault){ 0 };
    json_t *root = wk_body_load(body, fault);

    if (root == NULL) {
        return false;
    }
    bool is_good = document_read(&reading, root, out);

    json_decref(root);
    return is_good;
}
