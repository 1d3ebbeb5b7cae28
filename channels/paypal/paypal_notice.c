/*
 * paypal_notice.c - webhooks of PayPal: their signature, and what they tell.
 *
 * What is signed of a body is its CRC-32.  Whoever has seen one transmission
 * can write another body that fits it, so a webhook proves nothing: it names
 * what PayPal is to be asked about.
 */
#include <stdio.h>
#include <zlib.h>

#include "channels/paypal/paypal.h"
#include "channels/paypal/paypal_int.h"
#include "libpayhub/base/id.h"
#include "libpayhub/wire/b64.h"
#include "libpayhub/wire/rsa.h"

#define HEADER_MAX 128 /* of the id and the time of a transmission */
#define SIGNATURE_MAX PH_B64_LEN(PH_RSA_LEN_MAX)
#define CERT_ID_MAX 128
#define CURRENCY_LEN 3

/* ---- where certificates come from ---- */

static bool
is_cert_path(struct ph_str path)
{
    static const struct ph_str head = PH_STR_INIT("/v1/notifications/certs/");

    return ph_str_starts(path, head)
           && ph_str_is_token(
               ph_str_make(path.ptr + head.len, path.len - head.len),
               CERT_ID_MAX);
}

/* Compared as a whole, byte for byte: no other way to write such an address is
 * taken, so none has to be understood. */
bool
paypal_cert_url_ok(struct ph_str base, struct ph_str url)
{
    static const struct ph_str hosts[]
        = { PH_STR_INIT("https://api.paypal.com"),
            PH_STR_INIT("https://api-m.paypal.com"),
            PH_STR_INIT("https://api.sandbox.paypal.com"),
            PH_STR_INIT("https://api-m.sandbox.paypal.com") };

    if (url.len > PH_CHANNEL_HINT_MAX) {
        return false;
    }
    for (size_t i = 0; i < PH_COUNT(hosts); i++) {
        if (ph_str_starts(url, hosts[i])
            && is_cert_path(
                ph_str_make(url.ptr + hosts[i].len, url.len - hosts[i].len)))
        {
            return true;
        }
    }
    return ph_rest_is_loopback(base) && ph_str_starts(url, base)
           && is_cert_path(ph_str_make(url.ptr + base.len, url.len - base.len));
}

static const struct paypal_cert *
cert_find(const struct paypal_account *account, struct ph_str url)
{
    for (size_t i = 0; i < account->cert_count; i++) {
        const struct paypal_cert *cert = &account->certs[i];

        if (ph_str_eq(ph_str_make(cert->url, cert->url_len), url)) {
            return cert;
        }
    }
    return NULL;
}

/* ---- signature ---- */

struct transmission {
    struct ph_str id;
    struct ph_str at;
    struct ph_str signature; /* in `memory` */
    struct ph_str cert_url;
    char          memory[PH_RSA_LEN_MAX];
};

static enum ph_rc
signature_read(struct ph_str text, struct transmission *out)
{
    struct ph_buf raw = PH_BUF_INIT(out->memory);

    if (text.len == 0 || text.len > SIGNATURE_MAX
        || ph_b64_decode(&raw, text) != PH_OK || raw.len == 0)
    {
        return PH_E_SYNTAX;
    }
    out->signature = ph_buf_str(&raw);
    return PH_OK;
}

static enum ph_rc
transmission_read(const struct ph_channel_header *headers, size_t count,
                  struct transmission *out)
{
    const struct ph_str algo
        = ph_channel_header(headers, count, PH_STR("PAYPAL-AUTH-ALGO"));
    const struct ph_str signature
        = ph_channel_header(headers, count, PH_STR("PAYPAL-TRANSMISSION-SIG"));

    out->id
        = ph_channel_header(headers, count, PH_STR("PAYPAL-TRANSMISSION-ID"));
    out->at
        = ph_channel_header(headers, count, PH_STR("PAYPAL-TRANSMISSION-TIME"));
    out->cert_url
        = ph_channel_header(headers, count, PH_STR("PAYPAL-CERT-URL"));
    if (algo.ptr == NULL || out->id.ptr == NULL || out->at.ptr == NULL
        || signature.ptr == NULL || out->cert_url.ptr == NULL)
    {
        return PH_E_MISSING;
    }
    return ph_str_eq(algo, PH_STR("SHA256withRSA"))
                   && ph_rest_is_plain(out->id, HEADER_MAX)
                   && ph_rest_is_plain(out->at, HEADER_MAX)
               ? signature_read(signature, out)
               : PH_E_SYNTAX;
}

static enum ph_rc
signature_check(const struct paypal_cert *cert, const struct transmission *told,
                struct ph_str webhook_id, struct ph_str body)
{
    const struct ph_public_key *key = ph_cert_key(cert->certs[0]);
    char                        sum[16];
    const struct ph_str         bar = PH_STR_INIT("|");

    (void) snprintf(sum, sizeof(sum), "%lu",
                    crc32(0, (const Bytef *) body.ptr, (uInt) body.len));
    const struct ph_str pieces[]
        = { told->id, bar, told->at, bar, webhook_id, bar, ph_str_z(sum) };

    return key == NULL ? PH_E_SIGNATURE
                       : ph_public_check(key, PH_RSA_SHA256, pieces,
                                         PH_COUNT(pieces), told->signature);
}

enum ph_rc
paypal_webhook_check(const struct ph_channel_account *account,
                     const struct ph_channel_header *headers, size_t count,
                     struct ph_str body, uint64_t now_ms)
{
    const struct paypal_account *opened = account->context;
    const struct paypal_cert    *cert;
    struct transmission          told;
    char                         memory[512];
    struct ph_arena              room;
    enum ph_rc                   rc = transmission_read(headers, count, &told);

    if (rc != PH_OK) {
        return rc;
    }
    if (!paypal_cert_url_ok(opened->base, told.cert_url)) {
        return PH_E_RANGE;
    }
    if (body.len == 0 || body.len > PH_CHANNEL_REPLY_MAX) {
        return PH_E_SYNTAX;
    }
    cert = cert_find(opened, told.cert_url);
    if (cert == NULL) {
        return PH_E_UNKNOWN;
    }
    ph_arena_init(&room, memory, sizeof(memory));
    rc = paypal_cert_check(opened, cert->certs, cert->count, now_ms, &room);
    return rc != PH_OK
               ? rc
               : signature_check(cert, &told,
                                 account->values[PAYPAL_WEBHOOK_ID], body);
}

/* ---- events ---- */

enum event {
    EVENT_OTHER = 0, /* nothing to us */
    EVENT_ORDER,
    EVENT_CAPTURE,
    EVENT_REFUND
};

/* clang-format off */
static const struct ph_rest_event types[] = {
    { PH_STR_INIT("CHECKOUT.ORDER.APPROVED"), EVENT_ORDER },
    { PH_STR_INIT("CHECKOUT.ORDER.COMPLETED"), EVENT_ORDER },
    { PH_STR_INIT("CHECKOUT.ORDER.VOIDED"), EVENT_ORDER },
    { PH_STR_INIT("CHECKOUT.PAYMENT-APPROVAL.REVERSED"), EVENT_ORDER },
    { PH_STR_INIT("PAYMENT.CAPTURE.COMPLETED"), EVENT_CAPTURE },
    { PH_STR_INIT("PAYMENT.CAPTURE.DECLINED"), EVENT_CAPTURE },
    { PH_STR_INIT("PAYMENT.CAPTURE.DENIED"), EVENT_CAPTURE },
    { PH_STR_INIT("PAYMENT.CAPTURE.PENDING"), EVENT_CAPTURE },
    { PH_STR_INIT("PAYMENT.CAPTURE.REFUNDED"), EVENT_REFUND },
    { PH_STR_INIT("PAYMENT.CAPTURE.REVERSED"), EVENT_REFUND },
    { PH_STR_INIT("PAYMENT.REFUND.FAILED"), EVENT_REFUND },
    { PH_STR_INIT("PAYMENT.REFUND.PENDING"), EVENT_REFUND },
};
/* clang-format on */

/* No amount and no number of PayPal's: what may be forged is no conflict. */
static struct ph_channel_result
hint_of(struct ph_str number)
{
    struct ph_channel_result result = ph_rest_unknown(ph_str_make(NULL, 0));

    result.class   = PH_RESULT_WAIT_USER;
    result.number  = number;
    result.is_hint = true;
    return result;
}

static bool
short_text(const struct ph_doc *resource, const char *path, char memory[64],
           struct ph_str *out)
{
    struct ph_arena room;

    ph_arena_init(&room, memory, 64);
    return ph_doc_text(resource, path, &room, out) == PH_OK;
}

/* Others may use this account: the number is not ours, the currency one that no
 * payment of ours can be in. */
static bool
is_of_others(const struct ph_doc *resource, const char *number_path)
{
    char          number_memory[64], currency_memory[64];
    struct ph_str number, currency;
    int64_t       none;

    if (short_text(resource, number_path, number_memory, &number)
        && (ph_id_is(number, PH_ID_ATTEMPT) || ph_id_is(number, PH_ID_REFUND)))
    {
        return false;
    }
    return short_text(resource, "amount.currency_code", currency_memory,
                      &currency)
           && ph_str_is_token(currency, CURRENCY_LEN)
           && !paypal_amount_read(currency, PH_STR("0"), &none);
}

/* Its approval is the time to capture. */
static enum ph_rc
order_event(const struct ph_doc *resource, struct ph_arena *arena,
            struct ph_channel_notice_out *out)
{
    struct paypal_order order;

    if (ph_doc_size(resource, "purchase_units") > 1) {
        out->is_ignored = true; /* ours have one */
        return PH_OK;
    }
    if (!paypal_order_read(resource, arena, &order)) {
        return PH_E_SYNTAX;
    }
    if (order.number.len == 0) {
        out->is_ignored = true;
        return PH_OK;
    }
    out->result = hint_of(order.number);
    return PH_OK;
}

static enum ph_rc
capture_event(const struct ph_doc *resource, struct ph_arena *arena,
              struct ph_channel_notice_out *out)
{
    struct paypal_capture capture;

    if (is_of_others(resource, "custom_id")) {
        out->is_ignored = true;
        return PH_OK;
    }
    if (!paypal_capture_read(resource, arena, &capture)) {
        return PH_E_SYNTAX;
    }
    if (capture.id.len == 0) {
        return PH_E_MISSING;
    }
    if (capture.number.len == 0) {
        out->is_ignored = true; /* made by somebody else with this account */
        return PH_OK;
    }
    out->result = hint_of(capture.number);
    return PH_OK;
}

/* Ours carries our refund's number as its invoice; what was refunded by hand
 * carries none, or the payment's.  That is asked about by PayPal's number when
 * it is done, and only then: what was told once is not told again. */
static enum ph_rc
refund_event(const struct ph_doc *resource, struct ph_arena *arena,
             struct ph_channel_notice_out *out)
{
    struct ph_channel_notice_part *part = &out->parts[0];
    struct ph_channel_result       told;
    struct paypal_refund           refund;

    if (is_of_others(resource, "invoice_id")) {
        out->is_ignored = true;
        return PH_OK;
    }
    if (!paypal_refund_read(resource, arena, &refund)) {
        return PH_E_SYNTAX;
    }
    if (refund.id.len == 0) {
        return PH_E_MISSING;
    }
    told  = paypal_refund_judge(&refund);
    *part = (struct ph_channel_notice_part){
        .is_refund      = true,
        .result         = hint_of(refund.invoice),
        .order_trade_no = refund.capture,
    };
    part->result.trade_no    = refund.id;
    part->result.error_class = told.error_class;
    if (!ph_id_is(refund.invoice, PH_ID_REFUND)) {
        part->result.number = refund.id;
        part->order_number  = ph_id_is(refund.invoice, PH_ID_ATTEMPT)
                                  ? refund.invoice
                                  : ph_str_make(NULL, 0);
        out->is_ignored
            = told.class != PH_RESULT_SUCCEEDED
              || (part->order_trade_no.len == 0 && part->order_number.len == 0);
    }
    out->is_refund  = true;
    out->result     = part->result;
    out->part_count = out->is_ignored ? 0 : 1;
    return PH_OK;
}

static enum ph_rc
event_take(const struct ph_doc *doc, const void *data, struct ph_arena *arena,
           struct ph_channel_notice_out *out)
{
    const struct ph_doc *resource = ph_doc_at(doc, "resource");
    struct ph_str        type;
    enum event           event;

    (void) data;
    if (!ph_rest_text(doc, "id", arena, &out->id)
        || !ph_rest_text(doc, "event_type", arena, &type))
    {
        return PH_E_SYNTAX;
    }
    if (out->id.len == 0 || type.len == 0) {
        return PH_E_MISSING;
    }
    event = (enum event) ph_rest_event_of(types, PH_COUNT(types), type);
    if (event != EVENT_OTHER && resource == NULL) {
        return PH_E_MISSING;
    }
    switch (event) {
    case EVENT_ORDER:
        return order_event(resource, arena, out);
    case EVENT_CAPTURE:
        return capture_event(resource, arena, out);
    case EVENT_REFUND:
        return refund_event(resource, arena, out);
    case EVENT_OTHER:
        break;
    }
    out->is_ignored = true;
    return PH_OK;
}

enum ph_rc
paypal_event_read(struct ph_str body, struct ph_arena *arena,
                  struct ph_channel_notice_out *out)
{
    return ph_rest_event_read(body, arena, event_take, NULL, out);
}

enum ph_rc
paypal_notice(const struct ph_channel_account *account,
              const struct ph_channel_notice *in, uint64_t now_ms,
              struct ph_arena *arena, struct ph_channel_notice_out *out)
{
    enum ph_rc rc = paypal_webhook_check(account, in->headers, in->header_count,
                                         in->body, now_ms);

    if (rc == PH_E_UNKNOWN) {
        out->needs_refresh = true;
        out->hint          = ph_arena_dup(
                     arena, ph_channel_header(in->headers, in->header_count,
                                              PH_STR("PAYPAL-CERT-URL")));
    }
    return rc != PH_OK ? rc : paypal_event_read(in->body, arena, out);
}
