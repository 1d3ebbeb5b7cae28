/* stripe_request.c - what is asked of Stripe; see stripe_int.h. */
#include "channels/stripe/stripe.h"
#include "channels/stripe/stripe_int.h"
#include "libpayhub/wire/form.h"

#define PAIRS_MAX 12
#define DESCRIPTION_MAX 500 /* characters */
#define SALT_LEN 8

struct form {
    struct ph_pair pairs[PAIRS_MAX];
    size_t         count;
};

static const struct ph_unit units[] = {
#define UNIT(code, exponent, step) { (code), (exponent), (step) },
#include "channels/stripe/units.def"
#undef UNIT
};

bool
stripe_amount(struct ph_str currency, int64_t minor, int64_t *out)
{
    return minor >= 0
           && ph_unit_to(units, PH_COUNT(units), currency, minor, out);
}

/* Stripe's words for currencies are in lower case. */
bool
stripe_amount_read(struct ph_str currency, int64_t theirs, int64_t *out)
{
    return ph_unit_from(units, PH_COUNT(units), currency, theirs, out);
}

/* ---- forms ---- */

static void
pair_add(struct form *form, const char *name, struct ph_str value)
{
    if (value.len != 0 && form->count < PAIRS_MAX) {
        form->pairs[form->count++] = (struct ph_pair){ ph_str_z(name), value };
    }
}

static struct ph_str
amount_text(struct ph_str currency, int64_t minor, struct ph_arena *arena)
{
    struct ph_buf buf;
    int64_t       theirs;

    if (!stripe_amount(currency, minor, &theirs)) {
        return ph_str_make(NULL, 0);
    }
    ph_arena_open(arena, &buf);
    ph_buf_i64(&buf, theirs);
    return ph_arena_close(arena, &buf);
}

static struct ph_str
lower(struct ph_str text, struct ph_arena *arena)
{
    struct ph_buf buf;

    ph_arena_open(arena, &buf);
    for (size_t i = 0; i < text.len; i++) {
        char ch = text.ptr[i];

        ph_buf_byte(&buf, ch >= 'A' && ch <= 'Z' ? (char) (ch + 32) : ch);
    }
    return ph_arena_close(arena, &buf);
}

static struct ph_str
form_text(const struct form *form, struct ph_arena *arena)
{
    struct ph_buf buf;

    ph_arena_open(arena, &buf);
    ph_form_encode(&buf, form->pairs, form->count, PH_URL_SPACE_HEX);
    return ph_arena_close(arena, &buf);
}

/* ---- requests ---- */

static struct ph_str
url_text(const struct ph_channel_call *call, const char *head, struct ph_str id,
         const char *tail)
{
    const struct stripe_account *account = call->account->context;

    return ph_rest_url(account->base, head, id, tail, call->arena);
}

static bool
request_end(const struct ph_channel_call *call,
            struct ph_channel_request    *request)
{
    ph_rest_header(request, PH_STR("Accept"), PH_STR("application/json"));
    ph_rest_header(request, PH_STR("Stripe-Version"), PH_STR(STRIPE_VERSION));
    ph_rest_header(request, PH_STR("Authorization"),
                   ph_rest_joined(PH_STR("Bearer "),
                                  call->account->values[STRIPE_SECRET_KEY],
                                  call->arena));
    return !call->arena->full;
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
          const struct form *form, struct ph_str key,
          struct ph_channel_request *request)
{
    *request
        = (struct ph_channel_request){ .method = PH_STR("POST"),
                                       .url    = url,
                                       .body   = form_text(form, call->arena) };
    ph_rest_header(request, PH_STR("Content-Type"),
                   PH_STR("application/x-www-form-urlencoded"));
    ph_rest_header(request, PH_STR("Idempotency-Key"), key);
    return request_end(call, request);
}

bool
stripe_is_confirmed(const struct ph_channel_order *order,
                    struct ph_arena               *arena)
{
    return ph_str_eq(ph_channel_extra_text(order, "confirm", arena),
                     PH_STR("true"));
}

bool
stripe_create_make(const struct ph_channel_call *call,
                   struct ph_channel_request    *request)
{
    const struct ph_channel_order *order = call->order;
    struct ph_arena               *arena = call->arena;
    struct form                    form  = { .count = 0 };
    struct ph_str amount = amount_text(order->currency, order->amount, arena);

    pair_add(&form, "amount", amount);
    pair_add(&form, "currency", lower(order->currency, arena));
    pair_add(&form, "automatic_payment_methods[enabled]", PH_STR("true"));
    if (stripe_is_confirmed(order, arena) && order->return_url.len == 0) {
        /* Stripe confirms no other way without an address to come back to */
        pair_add(&form, "automatic_payment_methods[allow_redirects]",
                 PH_STR("never"));
    }
    pair_add(&form, "description",
             ph_rest_cut(order->subject, DESCRIPTION_MAX));
    pair_add(&form, "metadata[out_trade_no]", order->attempt_id);
    pair_add(&form, "customer",
             ph_channel_extra_text(order, "customer", arena));
    pair_add(&form, "payment_method",
             ph_channel_extra_text(order, "payment_method", arena));
    return amount.len != 0
           && post_make(call,
                        url_text(call, "/v1/payment_intents", PH_STR(""), ""),
                        &form, order->attempt_id, request);
}

bool
stripe_get_make(const struct ph_channel_call *call, struct ph_str id,
                struct ph_channel_request *request)
{
    return get_make(call,
                    url_text(call, "/v1/payment_intents/", id,
                             "?expand%5B0%5D=latest_charge"),
                    request);
}

bool
stripe_confirm_make(const struct ph_channel_call *call, struct ph_str id,
                    struct ph_channel_request *request)
{
    struct form form = { .count = 0 };

    pair_add(&form, "payment_method",
             ph_channel_extra_text(call->order, "payment_method", call->arena));
    pair_add(&form, "return_url", call->order->return_url);
    return post_make(
        call, url_text(call, "/v1/payment_intents/", id, "/confirm"), &form,
        ph_rest_joined(call->order->attempt_id, PH_STR("-c"), call->arena),
        request);
}

/* With a key of its own each time: a cancel does the same however often it is
 * sent, and what an earlier one was answered is no longer of interest. */
bool
stripe_cancel_make(const struct ph_channel_call *call, struct ph_str id,
                   struct ph_channel_request *request)
{
    struct form   form = { .count = 0 };
    struct ph_buf buf;

    ph_arena_open(call->arena, &buf);
    ph_buf_add(&buf, call->order->attempt_id);
    ph_buf_add(&buf, PH_STR("-x"));
    ph_buf_hex(&buf, ph_str_make((const char *) call->random, SALT_LEN));
    struct ph_str key = ph_arena_close(call->arena, &buf);

    pair_add(&form, "cancellation_reason", PH_STR("abandoned"));
    return post_make(call,
                     url_text(call, "/v1/payment_intents/", id, "/cancel"),
                     &form, key, request);
}

bool
stripe_refund_make(const struct ph_channel_call *call,
                   struct ph_channel_request    *request)
{
    const struct ph_channel_order *order = call->order;
    struct form                    form  = { .count = 0 };
    struct ph_str                  amount
        = amount_text(order->currency, order->refund_amount, call->arena);

    pair_add(&form, "payment_intent", order->trade_no);
    pair_add(&form, "amount", amount);
    pair_add(&form, "reason", PH_STR("requested_by_customer"));
    pair_add(&form, "metadata[out_refund_no]", order->refund_id);
    return amount.len != 0 && order->trade_no.len != 0
           && post_make(call, url_text(call, "/v1/refunds", PH_STR(""), ""),
                        &form, order->refund_id, request);
}

bool
stripe_refund_get_make(const struct ph_channel_call *call,
                       struct ph_channel_request    *request)
{
    return get_make(
        call,
        url_text(call, "/v1/refunds/", call->order->channel_refund_no, ""),
        request);
}

bool
stripe_refund_list_make(const struct ph_channel_call *call,
                        struct ph_channel_request    *request)
{
    return call->order->trade_no.len != 0
           && get_make(call,
                       url_text(call, "/v1/refunds?payment_intent=",
                                call->order->trade_no, "&limit=100"),
                       request);
}
