/* paypal_request.c - what is asked of PayPal; see paypal_int.h. */
#include "channels/paypal/paypal_int.h"
#include "libpayhub/base/money.h"
#include "libpayhub/wire/b64.h"
#include "libpayhub/wire/form.h"

#define DESCRIPTION_MAX 127 /* characters */
#define NOTE_MAX 255
#define VALUE_EXPONENT 2 /* PayPal has no currency of more */

static const struct ph_unit units[] = {
#define UNIT(code, exponent, step) { (code), (exponent), (step) },
#include "channels/paypal/units.def"
#undef UNIT
};

bool
paypal_amount(struct ph_buf *buf, struct ph_str currency, int64_t minor)
{
    int     exponent = ph_unit_exponent(units, PH_COUNT(units), currency);
    int64_t theirs;

    if (minor < 0
        || !ph_unit_to(units, PH_COUNT(units), currency, minor, &theirs)) {
        return false;
    }
    ph_money_format(buf, theirs, exponent);
    return !buf->full;
}

/* "500" and "500.00" of a currency without decimals are the same; "500.50" is
 * no amount of it. */
bool
paypal_amount_read(struct ph_str currency, struct ph_str value, int64_t *minor)
{
    int     exponent = ph_unit_exponent(units, PH_COUNT(units), currency);
    int64_t cents, theirs;

    return exponent >= 0
           && ph_money_parse(value, VALUE_EXPONENT, &cents) == PH_OK
           && ph_money_rescale(cents, VALUE_EXPONENT, exponent, &theirs)
           && ph_unit_from(units, PH_COUNT(units), currency, theirs, minor);
}

/* ---- bodies ---- */

static void
text_add(struct ph_buf *buf, const char *name, struct ph_str text)
{
    if (text.len == 0) {
        return;
    }
    if (buf->len != 0 && buf->ptr[buf->len - 1] != '{') {
        ph_buf_byte(buf, ',');
    }
    ph_buf_json(buf, ph_str_z(name));
    ph_buf_byte(buf, ':');
    ph_buf_json(buf, text);
}

static bool
amount_add(struct ph_buf *buf, struct ph_str currency, int64_t minor)
{
    ph_buf_add(buf, PH_STR("\"amount\":{\"currency_code\":"));
    ph_buf_json(buf, currency);
    ph_buf_add(buf, PH_STR(",\"value\":\""));
    if (!paypal_amount(buf, currency, minor)) {
        return false;
    }
    ph_buf_add(buf, PH_STR("\"}"));
    return true;
}

/* ---- requests ---- */

static struct ph_str
url_text(const struct ph_channel_call *call, const char *head, struct ph_str id,
         const char *tail)
{
    const struct paypal_account *account = call->account->context;

    return ph_rest_url(account->base, head, id, tail, call->arena);
}

static bool
request_end(const struct ph_channel_call *call,
            struct ph_channel_request    *request)
{
    struct paypal_kept known;

    paypal_kept_read(call->account->kept, &known);
    ph_rest_header(request, PH_STR("Accept"), PH_STR("application/json"));
    ph_rest_header(request, PH_STR("Authorization"),
                   ph_rest_joined(PH_STR("Bearer "), known.token, call->arena));
    return !call->arena->full && known.token.len != 0;
}

static bool
get_make(const struct ph_channel_call *call, struct ph_str url,
         struct ph_channel_request *request)
{
    *request
        = (struct ph_channel_request){ .method = PH_STR("GET"), .url = url };
    return request_end(call, request);
}

static bool
post_make(const struct ph_channel_call *call, struct ph_str url,
          struct ph_str body, struct ph_str id,
          struct ph_channel_request *request)
{
    *request = (struct ph_channel_request){ .method = PH_STR("POST"),
                                            .url    = url,
                                            .body   = body };
    ph_rest_header(request, PH_STR("Content-Type"), PH_STR("application/json"));
    ph_rest_header(request, PH_STR("PayPal-Request-Id"), id);
    ph_rest_header(request, PH_STR("Prefer"), PH_STR("return=representation"));
    return request_end(call, request);
}

static struct ph_str
context_text(const struct ph_channel_order *order, struct ph_arena *arena)
{
    struct ph_str cancel_url
        = ph_channel_extra_text(order, "cancel_url", arena);
    struct ph_buf buf;

    ph_arena_open(arena, &buf);
    ph_buf_add(&buf, PH_STR("\"payment_source\":{\"paypal\":{"
                            "\"experience_context\":{"));
    text_add(&buf, "return_url", order->return_url);
    text_add(&buf, "cancel_url",
             cancel_url.len != 0 ? cancel_url : order->return_url);
    text_add(&buf, "user_action", PH_STR("PAY_NOW"));
    ph_buf_add(&buf, PH_STR("}}}"));
    return ph_arena_close(arena, &buf);
}

bool
paypal_create_make(const struct ph_channel_call *call,
                   struct ph_channel_request    *request)
{
    const struct ph_channel_order *order   = call->order;
    struct ph_str                  context = context_text(order, call->arena);
    struct ph_str                  body;
    struct ph_buf                  buf;
    bool                           ok;

    ph_arena_open(call->arena, &buf);
    ph_buf_add(&buf, PH_STR("{\"intent\":\"CAPTURE\",\"purchase_units\":[{"
                            "\"reference_id\":\"default\","));
    ok = amount_add(&buf, order->currency, order->amount);
    text_add(&buf, "description", ph_rest_cut(order->subject, DESCRIPTION_MAX));
    text_add(&buf, "custom_id", order->attempt_id);
    text_add(&buf, "invoice_id", order->attempt_id);
    ph_buf_add(&buf, PH_STR("}],"));
    ph_buf_add(&buf, context);
    ph_buf_byte(&buf, '}');
    body = ph_arena_close(call->arena, &buf);
    return ok
           && post_make(call,
                        url_text(call, "/v2/checkout/orders", PH_STR(""), ""),
                        body, order->attempt_id, request);
}

bool
paypal_get_make(const struct ph_channel_call *call, struct ph_str id,
                struct ph_channel_request *request)
{
    return get_make(call, url_text(call, "/v2/checkout/orders/", id, ""),
                    request);
}

/* After a refused instrument the next capture is another request: the same id
 * would show the old refusal. */
bool
paypal_capture_make(const struct ph_channel_call *call,
                    const struct paypal_memory   *known,
                    struct ph_channel_request    *request)
{
    struct ph_buf buf;

    ph_arena_open(call->arena, &buf);
    ph_buf_add(&buf, call->order->attempt_id);
    ph_buf_add(&buf, PH_STR("-cap"));
    if (known->declines != 0) {
        ph_buf_u64(&buf, known->declines);
    }
    struct ph_str id = ph_arena_close(call->arena, &buf);

    return post_make(
        call, url_text(call, "/v2/checkout/orders/", known->id, "/capture"),
        PH_STR(""), id, request);
}

bool
paypal_refund_make(const struct ph_channel_call *call,
                   struct ph_channel_request    *request)
{
    const struct ph_channel_order *order = call->order;
    struct ph_buf                  buf;
    struct ph_str                  body;
    bool                           ok;

    ph_arena_open(call->arena, &buf);
    ph_buf_byte(&buf, '{');
    ok = amount_add(&buf, order->currency, order->refund_amount);
    text_add(&buf, "invoice_id", order->refund_id);
    text_add(&buf, "note_to_payer",
             ph_rest_cut(order->refund_reason, NOTE_MAX));
    ph_buf_byte(&buf, '}');
    body = ph_arena_close(call->arena, &buf);
    return ok && ph_str_is_token(order->trade_no, PAYPAL_ID_MAX)
           && post_make(call,
                        url_text(call, "/v2/payments/captures/",
                                 order->trade_no, "/refund"),
                        body, order->refund_id, request);
}

bool
paypal_refund_get_make(const struct ph_channel_call *call,
                       struct ph_channel_request    *request)
{
    return ph_str_is_token(call->order->channel_refund_no, PAYPAL_ID_MAX)
           && get_make(call,
                       url_text(call, "/v2/payments/refunds/",
                                call->order->channel_refund_no, ""),
                       request);
}

bool
paypal_capture_get_make(const struct ph_channel_call *call,
                        struct ph_channel_request    *request)
{
    return ph_str_is_token(call->order->trade_no, PAYPAL_ID_MAX)
           && get_make(call,
                       url_text(call, "/v2/payments/captures/",
                                call->order->trade_no, ""),
                       request);
}

/* ---- of a refresh ---- */

bool
paypal_token_make(const struct ph_channel_call *call,
                  struct ph_channel_request    *request)
{
    const struct ph_str *values = call->account->values;
    struct ph_buf        plain, buf;

    ph_arena_open(call->arena, &plain);
    ph_buf_add(&plain, values[PAYPAL_CLIENT_ID]);
    ph_buf_byte(&plain, ':');
    ph_buf_add(&plain, values[PAYPAL_CLIENT_SECRET]);
    struct ph_str pair = ph_arena_close(call->arena, &plain);

    ph_arena_open(call->arena, &buf);
    ph_buf_add(&buf, PH_STR("Basic "));
    ph_b64_encode(&buf, pair);
    struct ph_str basic = ph_arena_close(call->arena, &buf);

    *request = (struct ph_channel_request){
        .method = PH_STR("POST"),
        .url    = url_text(call, "/v1/oauth2/token", PH_STR(""), ""),
        .body   = PH_STR("grant_type=client_credentials"),
    };
    ph_rest_header(request, PH_STR("Content-Type"),
                   PH_STR("application/x-www-form-urlencoded"));
    ph_rest_header(request, PH_STR("Accept"), PH_STR("application/json"));
    ph_rest_header(request, PH_STR("Authorization"), basic);
    return !call->arena->full;
}

/* No secret of ours goes there. */
bool
paypal_cert_make(const struct ph_channel_call *call,
                 struct ph_channel_request    *request)
{
    const struct paypal_account *account = call->account->context;

    *request = (struct ph_channel_request){ .method = PH_STR("GET"),
                                            .url    = call->hint };
    return paypal_cert_url_ok(account->base, call->hint);
}
