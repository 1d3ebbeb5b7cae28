/* stripe_answer.c - what Stripe's answers prove; see stripe_int.h. */
#include <stdio.h>

#include "channels/codes.h"
#include "channels/stripe/stripe.h"
#include "channels/stripe/stripe_int.h"

#define CURRENCY_LEN 3
#define SECONDS_MAX INT64_C(253402300799) /* the end of the year 9999 */

struct proof {
    struct ph_str        status;
    enum ph_result_class result;
    struct ph_str        error_class;
};

/* A status that is in neither table proves nothing.  requires_capture is never
 * asked for by us. */
/* clang-format off */
static const struct proof intent_proofs[] = {
    { PH_STR_INIT("canceled"), PH_RESULT_CLOSED, PH_STR_INIT("") },
    { PH_STR_INIT("processing"), PH_RESULT_WAIT_USER, PH_STR_INIT("") },
    { PH_STR_INIT("requires_action"), PH_RESULT_WAIT_USER, PH_STR_INIT("") },
    { PH_STR_INIT("requires_confirmation"), PH_RESULT_WAIT_USER, PH_STR_INIT("") },
    { PH_STR_INIT("requires_payment_method"), PH_RESULT_WAIT_USER, PH_STR_INIT("") },
    { PH_STR_INIT("succeeded"), PH_RESULT_SUCCEEDED, PH_STR_INIT("") },
};

static const struct proof refund_proofs[] = {
    { PH_STR_INIT("canceled"), PH_RESULT_FAILED, PH_STR_INIT("canceled") },
    { PH_STR_INIT("failed"), PH_RESULT_FAILED, PH_STR_INIT("declined") },
    { PH_STR_INIT("pending"), PH_RESULT_WAIT_USER, PH_STR_INIT("") },
    { PH_STR_INIT("requires_action"), PH_RESULT_WAIT_USER, PH_STR_INIT("") },
    { PH_STR_INIT("succeeded"), PH_RESULT_SUCCEEDED, PH_STR_INIT("") },
};
/* clang-format on */

static void
status_judge(const struct proof *rows, size_t count, struct ph_str status,
             struct ph_channel_result *result)
{
    for (size_t i = 0; i < count; i++) {
        if (ph_str_eq(rows[i].status, status)) {
            result->class       = rows[i].result;
            result->error_class = rows[i].error_class;
            return;
        }
    }
    result->class       = PH_RESULT_UNKNOWN;
    result->error_class = PH_STR("unknown_code");
}

/* ---- reading ---- */

/* "usd" as "USD"; {NULL, 0} when it is not told */
static bool
currency_take(const struct ph_doc *doc, struct ph_arena *arena,
              struct ph_str *out)
{
    struct ph_str text;
    char         *upper;

    *out = ph_str_make(NULL, 0);
    if (!ph_rest_text(doc, "currency", arena, &text)) {
        return false;
    }
    if (text.ptr == NULL) {
        return true;
    }
    upper = ph_arena_take(arena, CURRENCY_LEN);
    if (text.len != CURRENCY_LEN || upper == NULL) {
        return false;
    }
    for (size_t i = 0; i < CURRENCY_LEN; i++) {
        if (text.ptr[i] < 'a' || text.ptr[i] > 'z') {
            return false;
        }
        upper[i] = (char) (text.ptr[i] - 32);
    }
    *out = ph_str_make(upper, CURRENCY_LEN);
    return true;
}

/* A real number, a text, one below 0 or of a unit that is none: false. */
static bool
amount_take(const struct ph_doc *doc, const char *name, struct ph_str currency,
            int64_t *out)
{
    int64_t    theirs;
    enum ph_rc rc = ph_doc_int(doc, name, &theirs);

    *out = -1;
    return rc == PH_E_MISSING
           || (rc == PH_OK && stripe_amount_read(currency, theirs, out));
}

bool
stripe_currency_is_ours(const struct ph_doc *doc, struct ph_arena *arena)
{
    struct ph_str currency;
    int64_t       none;

    return !currency_take(doc, arena, &currency) || currency.len == 0
           || stripe_amount_read(currency, 0, &none);
}

static bool
id_take(const struct ph_doc *doc, const char *path, struct ph_arena *arena,
        struct ph_str *out)
{
    return ph_rest_text(doc, path, arena, out)
           && (out->ptr == NULL || ph_str_is_token(*out, STRIPE_ID_MAX));
}

static uint64_t
seconds_take(const struct ph_doc *doc, const char *path)
{
    int64_t seconds;

    return ph_doc_int(doc, path, &seconds) == PH_OK && seconds > 0
                   && seconds <= SECONDS_MAX
               ? (uint64_t) seconds * 1000
               : 0;
}

bool
stripe_intent_read(const struct ph_doc *doc, struct ph_arena *arena,
                   struct stripe_intent *out)
{
    *out = (struct stripe_intent){ .paid_at_ms = seconds_take(
                                       doc, "latest_charge.created") };
    return id_take(doc, "id", arena, &out->id)
           && ph_rest_text(doc, "status", arena, &out->status)
           && ph_rest_text(doc, "metadata.out_trade_no", arena, &out->number)
           && ph_rest_text(doc, "client_secret", arena, &out->client_secret)
           && ph_rest_text(doc, "next_action.redirect_to_url.url", arena,
                           &out->redirect_url)
           && ph_rest_text(doc, "last_payment_error.code", arena,
                           &out->error_code)
           && ph_rest_text(doc, "last_payment_error.message", arena,
                           &out->error_message)
           && currency_take(doc, arena, &out->currency)
           && amount_take(doc, "amount", out->currency, &out->amount)
           && amount_take(doc, "amount_received", out->currency,
                          &out->amount_received);
}

bool
stripe_refund_read(const struct ph_doc *doc, struct ph_arena *arena,
                   struct stripe_refund *out)
{
    *out = (struct stripe_refund){ .amount = -1 };
    return id_take(doc, "id", arena, &out->id)
           && ph_rest_text(doc, "status", arena, &out->status)
           && ph_rest_text(doc, "metadata.out_refund_no", arena, &out->number)
           && id_take(doc, "payment_intent", arena, &out->intent)
           && ph_rest_text(doc, "failure_reason", arena, &out->reason)
           && currency_take(doc, arena, &out->currency)
           && amount_take(doc, "amount", out->currency, &out->amount);
}

static bool
error_take(const struct ph_doc *doc, struct ph_arena *arena,
           struct stripe_error *out)
{
    return ph_rest_text(doc, "error.type", arena, &out->type)
           && ph_rest_text(doc, "error.code", arena, &out->code)
           && ph_rest_text(doc, "error.message", arena, &out->message)
           && (out->type.len != 0 || out->code.len != 0);
}

bool
stripe_error_read(struct ph_str body, struct ph_arena *arena,
                  struct stripe_error *out)
{
    struct ph_doc *doc;
    bool           ok;

    *out = (struct stripe_error){ 0 };
    if (ph_doc_json(&doc, body) != PH_OK) {
        return false;
    }
    ok = error_take(doc, arena, out);
    ph_doc_free(doc);
    return ok;
}

/* ---- what it proves ---- */

static void
action_set(struct ph_channel_result *result, enum ph_action_type type,
           struct ph_str data, struct ph_arena *arena)
{
    struct ph_buf buf;

    if (data.len == 0) {
        return;
    }
    ph_arena_open(arena, &buf);
    ph_buf_json(&buf, data);
    result->action      = type;
    result->action_data = ph_arena_close(arena, &buf);
}

struct ph_channel_result
stripe_intent_judge(const struct stripe_intent *intent, struct ph_arena *arena)
{
    struct ph_channel_result result = ph_rest_unknown(ph_str_make(NULL, 0));

    result.number   = intent->number;
    result.trade_no = intent->id;
    result.currency = intent->currency;
    result.amount   = intent->amount;
    if (intent->number.len == 0 || intent->id.len == 0) {
        result.error_class = PH_STR("no_number");
        return result;
    }
    status_judge(intent_proofs, PH_COUNT(intent_proofs), intent->status,
                 &result);
    if (result.class == PH_RESULT_SUCCEEDED) {
        result.amount     = intent->amount_received;
        result.paid_at_ms = intent->paid_at_ms;
        return result;
    }
    result.channel_code = intent->error_code;
    result.message      = intent->error_message;
    if (result.class != PH_RESULT_WAIT_USER) {
        return result;
    }
    if (intent->redirect_url.len != 0) {
        action_set(&result, PH_ACTION_REDIRECT, intent->redirect_url, arena);
    } else {
        action_set(&result, PH_ACTION_CLIENT_SECRET, intent->client_secret,
                   arena);
    }
    return result;
}

struct ph_channel_result
stripe_refund_judge(const struct stripe_refund *refund)
{
    struct ph_channel_result result = ph_rest_unknown(ph_str_make(NULL, 0));

    result.number       = refund->number;
    result.trade_no     = refund->id;
    result.currency     = refund->currency;
    result.amount       = refund->amount;
    result.channel_code = refund->reason;
    status_judge(refund_proofs, PH_COUNT(refund_proofs), refund->status,
                 &result);
    return result;
}

static const struct ph_channel_code *
row_find(unsigned status, const struct stripe_error *error,
         enum ph_channel_op op)
{
    const struct ph_channel_code *row;
    char                          text[16];

    (void) snprintf(text, sizeof(text), "%u", status);
    row = ph_code_find(&ph_channel_stripe, ph_str_z(text), op);
    if (row == NULL) {
        row = ph_code_find(&ph_channel_stripe, error->code, op);
    }
    if (row == NULL) {
        row = ph_code_find(&ph_channel_stripe, error->type, op);
    }
    return row;
}

struct ph_channel_result
stripe_error_judge(unsigned status, struct ph_str body, enum ph_channel_op op,
                   struct ph_arena *arena)
{
    struct ph_channel_result result = ph_rest_unknown(PH_STR("unreadable"));
    struct stripe_error      error;
    const struct ph_channel_code *row;
    bool is_read = stripe_error_read(body, arena, &error);

    if (status < 400 || status >= 500) {
        result.error_class = PH_STR("channel_error");
        return result;
    }
    row = row_find(status, &error, op);
    if (is_read) {
        result.channel_code = error.code.len != 0 ? error.code : error.type;
        result.message      = error.message;
        result.error_class  = PH_STR("unknown_code");
    }
    if (row != NULL && is_read) {
        result.class       = row->result;
        result.error_class = row->error_class;
    }
    return result;
}
