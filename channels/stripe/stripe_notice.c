/*
 * stripe_notice.c - webhooks of Stripe: their signature, and what they tell.
 */
#include "channels/stripe/stripe.h"
#include "channels/stripe/stripe_int.h"
#include "libpayhub/base/id.h"
#include "libpayhub/wire/digest.h"

#define HEX_LEN (2 * PH_SHA256_LEN)
#define TIMESTAMP_MAX UINT64_C(99999999999)

/* ---- signature ---- */

struct header {
    struct ph_str timestamp;
    uint64_t      at_s;
    struct ph_str signatures[STRIPE_ITEMS_MAX]; /* those of v1 */
    size_t        count;
};

/* t=1795400000,v1=...,v1=...,v0=...: other schemes are passed over */
static enum ph_rc
header_read(struct ph_str text, struct header *out)
{
    struct ph_str item, name, value;
    size_t        items = 0;

    *out = (struct header){ .count = 0 };
    while (ph_str_next(&text, ',', &item)) {
        if (++items > STRIPE_ITEMS_MAX) {
            return PH_E_RANGE;
        }
        if (!ph_str_cut(item, '=', &name, &value)) {
            return PH_E_SYNTAX;
        }
        if (ph_str_eq(name, PH_STR("v1"))) {
            out->signatures[out->count++] = value;
        } else if (ph_str_eq(name, PH_STR("t"))) {
            if (out->timestamp.ptr != NULL) {
                return PH_E_DUPLICATE;
            }
            if (!ph_str_u64(value, TIMESTAMP_MAX, &out->at_s)) {
                return PH_E_SYNTAX;
            }
            out->timestamp = value;
        }
    }
    return out->timestamp.ptr != NULL && out->count != 0 ? PH_OK : PH_E_MISSING;
}

static enum ph_rc
secret_try(struct ph_str secret, const struct header *header,
           struct ph_str body)
{
    const struct ph_str pieces[] = { header->timestamp, PH_STR("."), body };
    uint8_t             mac[PH_SHA256_LEN];
    char                text[HEX_LEN];
    struct ph_buf       hex  = PH_BUF_INIT(text);
    bool                fits = false;

    if (!ph_hmac_once(secret, pieces, PH_COUNT(pieces), mac)) {
        return PH_E_CRYPTO;
    }
    ph_buf_hex(&hex, ph_str_make((const char *) mac, sizeof(mac)));
    for (size_t i = 0; i < header->count; i++) {
        fits = ph_same_secret(ph_buf_str(&hex), header->signatures[i]) || fits;
    }
    return fits ? PH_OK : PH_E_SIGNATURE;
}

enum ph_rc
stripe_webhook_check(struct ph_str secrets, struct ph_str header,
                     struct ph_str body, uint64_t now_ms)
{
    struct header read;
    struct ph_str secret;
    enum ph_rc    rc = header_read(header, &read);

    if (rc != PH_OK) {
        return rc;
    }
    /* One of the future is taken, as Stripe's own clients do: who could make
     * one could make any, and an event is taken once, however old. */
    if (read.at_s + STRIPE_WINDOW_S < now_ms / 1000) {
        return PH_E_RANGE;
    }
    rc = PH_E_SIGNATURE;
    while (rc == PH_E_SIGNATURE && ph_str_next(&secrets, ' ', &secret)) {
        rc = secret_try(secret, &read, body);
    }
    return rc;
}

/* ---- events ---- */

enum event {
    EVENT_OTHER = 0, /* nothing to us */
    EVENT_SUCCEEDED,
    EVENT_CANCELED,
    EVENT_LOOK, /* something happened: ask */
    EVENT_REFUND
};

/* clang-format off */
static const struct ph_rest_event types[] = {
    { PH_STR_INIT("charge.refund.updated"), EVENT_REFUND },
    { PH_STR_INIT("payment_intent.amount_capturable_updated"), EVENT_LOOK },
    { PH_STR_INIT("payment_intent.canceled"), EVENT_CANCELED },
    { PH_STR_INIT("payment_intent.payment_failed"), EVENT_LOOK },
    { PH_STR_INIT("payment_intent.processing"), EVENT_LOOK },
    { PH_STR_INIT("payment_intent.requires_action"), EVENT_LOOK },
    { PH_STR_INIT("payment_intent.succeeded"), EVENT_SUCCEEDED },
    { PH_STR_INIT("refund.created"), EVENT_REFUND },
    { PH_STR_INIT("refund.failed"), EVENT_REFUND },
    { PH_STR_INIT("refund.updated"), EVENT_REFUND },
};
/* clang-format on */

/* The type says what happened, the object how things stand; where they do not
 * say the same, somebody has to look. */
static void
intent_tell(const struct stripe_intent *intent, enum event event,
            struct ph_arena *arena, struct ph_channel_notice_out *out)
{
    struct ph_channel_result *result = &out->result;

    *result = stripe_intent_judge(intent, arena);
    if (event == EVENT_SUCCEEDED  ? result->class == PH_RESULT_SUCCEEDED
        : event == EVENT_CANCELED ? result->class == PH_RESULT_CLOSED
                                  : false)
    {
        return;
    }
    if (result->class != PH_RESULT_UNKNOWN) {
        result->class = PH_RESULT_WAIT_USER;
    }
    result->is_hint     = true;
    result->action      = PH_ACTION_NONE; /* as it was when this was told */
    result->action_data = ph_str_make(NULL, 0);
}

/* Others may use this account: their numbers are not ours, their currencies
 * need not be. */
static bool
is_of_others(const struct ph_doc *object, struct ph_str number,
             enum ph_id_type type, struct ph_arena *arena)
{
    return !ph_id_is(number, type) && !stripe_currency_is_ours(object, arena);
}

static enum ph_rc
intent_event(const struct ph_doc *object, enum event event, uint64_t at_ms,
             struct ph_arena *arena, struct ph_channel_notice_out *out)
{
    struct stripe_intent intent;
    struct ph_str        id, number;

    if (!ph_rest_text(object, "id", arena, &id)
        || !ph_rest_text(object, "metadata.out_trade_no", arena, &number))
    {
        return PH_E_SYNTAX;
    }
    if (id.len == 0) {
        return PH_E_MISSING;
    }
    if (number.len == 0 || is_of_others(object, number, PH_ID_ATTEMPT, arena)) {
        out->is_ignored = true; /* made by somebody else with this account */
        return PH_OK;
    }
    if (!stripe_intent_read(object, arena, &intent)) {
        return PH_E_SYNTAX;
    }
    if (intent.paid_at_ms == 0) {
        intent.paid_at_ms = at_ms;
    }
    intent_tell(&intent, event, arena, out);
    return PH_OK;
}

/* One without a number of ours was made by somebody else; it counts when it is
 * done, and only then: what was told once is not told again. */
static enum ph_rc
refund_event(const struct ph_doc *object, struct ph_arena *arena,
             struct ph_channel_notice_out *out)
{
    struct ph_channel_notice_part *part = &out->parts[0];
    struct stripe_refund           refund;
    struct ph_str                  number;

    if (!ph_rest_text(object, "metadata.out_refund_no", arena, &number)) {
        return PH_E_SYNTAX;
    }
    if (is_of_others(object, number, PH_ID_REFUND, arena)) {
        out->is_ignored = true;
        return PH_OK;
    }
    if (!stripe_refund_read(object, arena, &refund)) {
        return PH_E_SYNTAX;
    }
    if (refund.id.len == 0) {
        return PH_E_MISSING;
    }
    *part = (struct ph_channel_notice_part){
        .is_refund      = true,
        .result         = stripe_refund_judge(&refund),
        .order_trade_no = refund.intent,
    };
    out->result = part->result;
    if (!ph_id_is(number, PH_ID_REFUND)) {
        part->result.number = refund.id;
        out->is_ignored     = part->result.class != PH_RESULT_SUCCEEDED
                          || refund.intent.len == 0;
    }
    out->is_refund  = true;
    out->part_count = out->is_ignored ? 0 : 1;
    return PH_OK;
}

/* Test and live have endpoints and secrets of their own. */
static bool
mode_fits(const struct ph_doc *doc, const struct stripe_account *account)
{
    bool       is_live;
    enum ph_rc rc = ph_doc_bool(doc, "livemode", &is_live);

    return rc == PH_E_MISSING
           || (rc == PH_OK && !(is_live ? account->is_test : account->is_live));
}

static enum ph_rc
event_take(const struct ph_doc *doc, const void *account,
           struct ph_arena *arena, struct ph_channel_notice_out *out)
{
    const struct ph_doc *object = ph_doc_at(doc, "data.object");
    struct ph_str        type;
    int64_t              created_s = 0;
    enum event           event;

    if (!ph_rest_text(doc, "id", arena, &out->id)
        || !ph_rest_text(doc, "type", arena, &type) || !mode_fits(doc, account))
    {
        return PH_E_SYNTAX;
    }
    if (out->id.len == 0 || type.len == 0) {
        return PH_E_MISSING;
    }
    event = (enum event) ph_rest_event_of(types, PH_COUNT(types), type);
    if (event == EVENT_OTHER) {
        out->is_ignored = true;
        return PH_OK;
    }
    if (object == NULL) {
        return PH_E_MISSING;
    }
    if (ph_doc_int(doc, "created", &created_s) != PH_OK || created_s < 0
        || (uint64_t) created_s > TIMESTAMP_MAX)
    {
        created_s = 0;
    }
    return event == EVENT_REFUND
               ? refund_event(object, arena, out)
               : intent_event(object, event, (uint64_t) created_s * 1000, arena,
                              out);
}

enum ph_rc
stripe_event_read(const struct stripe_account *account, struct ph_str body,
                  struct ph_arena *arena, struct ph_channel_notice_out *out)
{
    return ph_rest_event_read(body, arena, event_take, account, out);
}

enum ph_rc
stripe_notice(const struct ph_channel_account *account,
              const struct ph_channel_notice *in, uint64_t now_ms,
              struct ph_arena *arena, struct ph_channel_notice_out *out)
{
    struct ph_str header = ph_channel_header(in->headers, in->header_count,
                                             PH_STR("Stripe-Signature"));
    enum ph_rc rc = stripe_webhook_check(account->values[STRIPE_WEBHOOK_SECRET],
                                         header, in->body, now_ms);

    return rc != PH_OK
               ? rc
               : stripe_event_read(account->context, in->body, arena, out);
}
