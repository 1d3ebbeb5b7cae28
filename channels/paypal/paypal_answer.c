/* paypal_answer.c - what PayPal's answers prove; see paypal_int.h. */
#include <stdio.h>

#include "channels/codes.h"
#include "channels/paypal/paypal.h"
#include "channels/paypal/paypal_int.h"
#include "libpayhub/base/civil.h"

#define CURRENCY_LEN 3

struct proof {
    struct ph_str        status;
    enum ph_result_class result;
    struct ph_str        error_class;
};

/* What is in no table proves nothing.  COMPLETED of an order is what its
 * captures say. */
/* clang-format off */
static const struct proof order_proofs[] = {
    { PH_STR_INIT("APPROVED"), PH_RESULT_WAIT_USER, PH_STR_INIT("") },
    { PH_STR_INIT("CREATED"), PH_RESULT_WAIT_USER, PH_STR_INIT("") },
    { PH_STR_INIT("PAYER_ACTION_REQUIRED"), PH_RESULT_WAIT_USER, PH_STR_INIT("") },
    { PH_STR_INIT("SAVED"), PH_RESULT_WAIT_USER, PH_STR_INIT("") },
    { PH_STR_INIT("VOIDED"), PH_RESULT_CLOSED, PH_STR_INIT("") },
    { PH_STR_INIT(""), PH_RESULT_UNKNOWN, PH_STR_INIT("unknown_code") },
};

static const struct proof capture_proofs[] = {
    { PH_STR_INIT("COMPLETED"), PH_RESULT_SUCCEEDED, PH_STR_INIT("") },
    { PH_STR_INIT("DECLINED"), PH_RESULT_FAILED, PH_STR_INIT("declined") },
    { PH_STR_INIT("FAILED"), PH_RESULT_FAILED, PH_STR_INIT("declined") },
    { PH_STR_INIT("PARTIALLY_REFUNDED"), PH_RESULT_SUCCEEDED, PH_STR_INIT("") },
    { PH_STR_INIT("PENDING"), PH_RESULT_WAIT_USER, PH_STR_INIT("") },
    { PH_STR_INIT("REFUNDED"), PH_RESULT_SUCCEEDED, PH_STR_INIT("") },
    { PH_STR_INIT(""), PH_RESULT_UNKNOWN, PH_STR_INIT("unknown_code") },
};

static const struct proof refund_proofs[] = {
    { PH_STR_INIT("CANCELLED"), PH_RESULT_FAILED, PH_STR_INIT("canceled") },
    { PH_STR_INIT("COMPLETED"), PH_RESULT_SUCCEEDED, PH_STR_INIT("") },
    { PH_STR_INIT("FAILED"), PH_RESULT_FAILED, PH_STR_INIT("declined") },
    { PH_STR_INIT("PENDING"), PH_RESULT_WAIT_USER, PH_STR_INIT("") },
    { PH_STR_INIT(""), PH_RESULT_UNKNOWN, PH_STR_INIT("unknown_code") },
};
/* clang-format on */

static void
status_judge(const struct proof *row, struct ph_str status,
             struct ph_channel_result *result)
{
    while (row->status.len != 0 && !ph_str_eq(row->status, status)) {
        row++;
    }
    result->class       = row->result;
    result->error_class = row->error_class;
}

/* ---- reading ---- */

static bool
id_take(const struct ph_doc *doc, const char *path, struct ph_arena *arena,
        struct ph_str *out)
{
    return ph_rest_text(doc, path, arena, out)
           && (out->ptr == NULL || ph_str_is_token(*out, PAYPAL_ID_MAX));
}

/* {"currency_code": "USD", "value": "10.50"}; not there = not told */
static bool
money_take(const struct ph_doc *doc, const char *name, struct ph_arena *arena,
           struct paypal_money *out)
{
    const struct ph_doc *part = ph_doc_at(doc, name);
    struct ph_str        value;

    *out = (struct paypal_money){ .amount = -1 };
    if (part == NULL) {
        return ph_doc_text(doc, name, arena, &value) == PH_E_MISSING;
    }
    return ph_rest_text(part, "currency_code", arena, &out->currency)
           && ph_rest_text(part, "value", arena, &value)
           && out->currency.len == CURRENCY_LEN
           && paypal_amount_read(out->currency, value, &out->amount);
}

static uint64_t
time_take(const struct ph_doc *doc, const char *name, struct ph_arena *arena)
{
    struct ph_str text;
    uint64_t      at_ms;

    return ph_doc_text(doc, name, arena, &text) == PH_OK
                   && ph_civil_parse(text, PH_CIVIL_RFC3339, 0, &at_ms) == PH_OK
               ? at_ms
               : 0;
}

/* the address of the first link of this rel; false: links that are none */
static bool
link_take(const struct ph_doc *doc, const char *rel, struct ph_arena *arena,
          struct ph_str *out)
{
    const struct ph_doc *links = ph_doc_at(doc, "links");
    size_t               count = ph_doc_size(doc, "links");
    char                 path[24];
    struct ph_str        text;

    *out = ph_str_make(NULL, 0);
    for (size_t i = 0; links != NULL && i < count && i < PAYPAL_LINKS_MAX; i++)
    {
        (void) snprintf(path, sizeof(path), "%zu.rel", i);
        if (!ph_rest_text(links, path, arena, &text)) {
            return false;
        }
        if (!ph_str_eq(text, ph_str_z(rel))) {
            continue;
        }
        (void) snprintf(path, sizeof(path), "%zu.href", i);
        return ph_rest_text(links, path, arena, out);
    }
    return true;
}

bool
paypal_capture_read(const struct ph_doc *doc, struct ph_arena *arena,
                    struct paypal_capture *out)
{
    *out = (struct paypal_capture){ .at_ms
                                    = time_take(doc, "create_time", arena) };
    return id_take(doc, "id", arena, &out->id)
           && ph_rest_text(doc, "status", arena, &out->status)
           && ph_rest_text(doc, "custom_id", arena, &out->number)
           && ph_rest_text(doc, "payee.merchant_id", arena, &out->seller)
           && ph_rest_text(doc, "status_details.reason", arena, &out->reason)
           && money_take(doc, "amount", arena, &out->money);
}

static bool
captures_take(const struct ph_doc *unit, struct ph_arena *arena,
              struct paypal_order *out)
{
    static const char name[] = "payments.captures";
    size_t            count  = ph_doc_size(unit, name);
    char              path[48];

    if (count > PAYPAL_CAPTURES_MAX) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        (void) snprintf(path, sizeof(path), "%s.%zu", name, i);
        const struct ph_doc *row = ph_doc_at(unit, path);

        if (row == NULL || !paypal_capture_read(row, arena, &out->captures[i]))
        {
            return false;
        }
    }
    out->capture_count = count;
    return true;
}

bool
paypal_order_read(const struct ph_doc *doc, struct ph_arena *arena,
                  struct paypal_order *out)
{
    const struct ph_doc *unit = ph_doc_at(doc, "purchase_units.0");

    *out = (struct paypal_order){ .money = { .amount = -1 } };
    if (!id_take(doc, "id", arena, &out->id)
        || !ph_rest_text(doc, "status", arena, &out->status)
        || ph_doc_size(doc, "purchase_units") > 1)
    {
        return false;
    }
    if (!link_take(doc, "payer-action", arena, &out->link)
        || (out->link.ptr == NULL
            && !link_take(doc, "approve", arena, &out->link)))
    {
        return false;
    }
    return unit == NULL
           || (ph_rest_text(unit, "custom_id", arena, &out->number)
               && ph_rest_text(unit, "payee.merchant_id", arena, &out->seller)
               && money_take(unit, "amount", arena, &out->money)
               && captures_take(unit, arena, out));
}

/* .../captures/ID */
static struct ph_str
last_piece(struct ph_str href)
{
    static const struct ph_str before = PH_STR_INIT("/captures/");

    for (size_t i = href.len; i > 0; i--) {
        if (href.ptr[i - 1] == '/') {
            struct ph_str id   = ph_str_make(href.ptr + i, href.len - i);
            struct ph_str head = ph_str_make(href.ptr, i);

            return head.len > before.len
                           && memcmp(head.ptr + head.len - before.len,
                                     before.ptr, before.len)
                                  == 0
                           && ph_str_is_token(id, PAYPAL_ID_MAX)
                       ? id
                       : ph_str_make(NULL, 0);
        }
    }
    return ph_str_make(NULL, 0);
}

bool
paypal_refund_read(const struct ph_doc *doc, struct ph_arena *arena,
                   struct paypal_refund *out)
{
    struct ph_str        up;
    const struct ph_doc *breakdown = ph_doc_at(doc, "seller_payable_breakdown");

    *out = (struct paypal_refund){ .total = { .amount = -1 } };
    if (!id_take(doc, "id", arena, &out->id)
        || !ph_rest_text(doc, "status", arena, &out->status)
        || !ph_rest_text(doc, "invoice_id", arena, &out->invoice)
        || !ph_rest_text(doc, "status_details.reason", arena, &out->reason)
        || !money_take(doc, "amount", arena, &out->money)
        || !link_take(doc, "up", arena, &up))
    {
        return false;
    }
    out->capture = last_piece(up);
    return breakdown == NULL
           || money_take(breakdown, "total_refunded_amount", arena,
                         &out->total);
}

/* ---- what it proves ---- */

struct ph_channel_result
paypal_capture_judge(const struct paypal_capture *capture)
{
    struct ph_channel_result result = ph_rest_unknown(ph_str_make(NULL, 0));

    result.number       = capture->number;
    result.trade_no     = capture->id;
    result.amount       = capture->money.amount;
    result.currency     = capture->money.currency;
    result.seller       = capture->seller;
    result.channel_code = capture->reason;
    status_judge(capture_proofs, capture->status, &result);
    if (capture->id.len == 0) {
        result.class       = PH_RESULT_UNKNOWN;
        result.error_class = PH_STR("no_number");
    }
    if (result.class == PH_RESULT_SUCCEEDED) {
        result.paid_at_ms = capture->at_ms;
    }
    return result;
}

/* Of several captures the one that took the money tells; those that were
 * refused before it, or while another is under way, tell nothing. */
static struct ph_channel_result
captures_judge(const struct paypal_order *order)
{
    static const enum ph_result_class ranks[]
        = { PH_RESULT_SUCCEEDED, PH_RESULT_UNKNOWN, PH_RESULT_WAIT_USER,
            PH_RESULT_FAILED };

    for (size_t rank = 0; rank < PH_COUNT(ranks); rank++) {
        for (size_t i = 0; i < order->capture_count; i++) {
            struct ph_channel_result result
                = paypal_capture_judge(&order->captures[i]);

            if (result.class == ranks[rank]) {
                return result;
            }
        }
    }
    return ph_rest_unknown(PH_STR("unknown_code"));
}

static void
link_show(struct ph_channel_result *result, const struct paypal_order *order,
          struct ph_arena *arena)
{
    struct ph_buf buf;

    if (result->class != PH_RESULT_WAIT_USER || order->link.len == 0
        || ph_str_eq(order->status, PH_STR("APPROVED")))
    {
        return;
    }
    ph_arena_open(arena, &buf);
    ph_buf_json(&buf, order->link);
    result->action      = PH_ACTION_REDIRECT;
    result->action_data = ph_arena_close(arena, &buf);
}

struct ph_channel_result
paypal_order_judge(const struct paypal_order *order, struct ph_arena *arena)
{
    struct ph_channel_result result = ph_rest_unknown(ph_str_make(NULL, 0));

    if (ph_str_eq(order->status, PH_STR("COMPLETED"))) {
        result = captures_judge(order);
    } else {
        result.amount   = order->money.amount;
        result.currency = order->money.currency;
        status_judge(order_proofs, order->status, &result);
        link_show(&result, order, arena);
    }
    if (result.number.len == 0) {
        result.number = order->number;
    }
    if (result.seller.len == 0) {
        result.seller = order->seller;
    }
    if (result.number.len == 0) {
        return ph_rest_unknown(PH_STR("no_number"));
    }
    return result;
}

struct ph_channel_result
paypal_refund_judge(const struct paypal_refund *refund)
{
    struct ph_channel_result result = ph_rest_unknown(ph_str_make(NULL, 0));

    result.number       = refund->invoice;
    result.trade_no     = refund->id;
    result.amount       = refund->money.amount;
    result.currency     = refund->money.currency;
    result.channel_code = refund->reason;
    status_judge(refund_proofs, refund->status, &result);
    if (ph_str_eq(refund->total.currency, refund->money.currency)) {
        result.refunded_total = refund->total.amount;
    }
    return result;
}

/* ---- refusals ---- */

struct refusal {
    struct ph_str name;
    struct ph_str issue;
    struct ph_str message;
};

static bool
refusal_read(struct ph_str body, struct ph_arena *arena, struct refusal *out)
{
    struct ph_doc *doc;
    bool           ok;

    *out = (struct refusal){ 0 };
    if (ph_doc_json(&doc, body) != PH_OK) {
        return false;
    }
    ok = ph_rest_text(doc, "name", arena, &out->name)
         && ph_rest_text(doc, "details.0.issue", arena, &out->issue)
         && ph_rest_text(doc, "details.0.description", arena, &out->message)
         && (out->message.ptr != NULL
             || ph_rest_text(doc, "message", arena, &out->message))
         && out->name.len != 0;
    ph_doc_free(doc);
    return ok;
}

struct ph_channel_result
paypal_error_judge(unsigned status, struct ph_str body, enum ph_channel_op op,
                   struct ph_arena *arena)
{
    struct ph_channel_result result = ph_rest_unknown(PH_STR("unreadable"));
    const struct ph_channel_code *row;
    struct refusal                refusal;

    if (status < 400 || status >= 500) {
        result.error_class = PH_STR("channel_error");
        return result;
    }
    if (!refusal_read(body, arena, &refusal)) {
        return result;
    }
    result.channel_code = refusal.issue.len != 0 ? refusal.issue : refusal.name;
    result.message      = refusal.message;
    result.error_class  = PH_STR("unknown_code");
    row                 = ph_code_find(&ph_channel_paypal, refusal.issue, op);
    if (row == NULL) {
        row = ph_code_find(&ph_channel_paypal, refusal.name, op);
    }
    if (row != NULL) {
        result.class       = row->result;
        result.error_class = row->error_class;
    }
    return result;
}
