/*
 * paypal.c - the PayPal adapter: its table, and which message follows which.
 *
 *   CREATE  order not known: create;  known: get
 *   QUERY   order not known: create again, of what is over: closed;  known: get
 *             approved -> capture -> (already captured: get)
 *   CLOSE   order not known: closed, nobody was shown it;  known: get, and what
 *           was not captured is closed
 *           Neither here nor of a payment that is over anything is captured.
 *   REFUND  refund
 *   REFUND_QUERY  by its number: get, also of one that is not ours;  else
 *           refund again, by the same request id -> when it is refused: did any
 *           refund happen?
 *   ACCOUNT_REFRESH  the token, or the certificate that the hint names
 *
 * The state is the phase, what became of captures, the order's id, and when the
 * last capture was sent.  Without a token, and after a 401, which did nothing:
 * NEED_REFRESH.
 */
#include "channels/paypal/paypal.h"

#include "channels/codes.h"
#include "channels/paypal/paypal_int.h"
#include "libpayhub/base/id.h"

#define DECLINES_MAX 9
#define STATE_HEAD 3 /* phase, was_captured, declines */

static const char *const methods[] = { "paypal", NULL };

/* clang-format off */
static const struct ph_channel_field fields[PAYPAL_FIELDS] = {
    [PAYPAL_BASE_URL] = { "base_url", false, false,
        "address of the API, https://api-m.paypal.com when absent",
        PH_VALUE_URL, NULL },
    [PAYPAL_CLIENT_ID] = { "client_id", true, false,
        "client id of the REST app", PH_VALUE_TEXT, NULL },
    [PAYPAL_CLIENT_SECRET] = { "client_secret", true, true,
        "its secret", PH_VALUE_SECRET, NULL },
    [PAYPAL_WEBHOOK_ID] = { "webhook_id", true, false,
        "id of the webhook that has our address", PH_VALUE_TEXT, NULL },
    [PAYPAL_WEBHOOK_CA] = { "webhook_ca", false, false,
        "authorities of webhook certificates, instead of the system's",
        PH_VALUE_CERTS, NULL },
    [PAYPAL_MERCHANT_ID] = { "merchant_id", false, false,
        "the payee that evidence has to name, where it names one",
        PH_VALUE_TEXT, NULL },
};

/* What PayPal takes; developer.paypal.com, currency codes. */
static const char *const currencies[] = {
    "AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD",
    "HUF", "ILS", "JPY", "MXN", "MYR", "NOK", "NZD", "PHP", "PLN", "SEK",
    "SGD", "THB", "TWD", "USD", NULL,
};

#define CREATE PH_OP_BIT(PH_OP_CREATE)
#define LOOK (PH_OP_BIT(PH_OP_QUERY) | PH_OP_BIT(PH_OP_CLOSE))
#define REFUND PH_OP_BIT(PH_OP_REFUND)

/*
 * Issues and names of errors, asked in this order.  Rows of CREATE speak of the
 * request that makes the order: it moves no money.  Those of QUERY and CLOSE
 * speak of the order that was looked for, or of its capture: WAIT_USER is that
 * nothing was captured and the payer may go on.
 */
static const struct ph_channel_code codes[] = {
    { PH_STR_INIT("CAPTURE_FULLY_REFUNDED"), PH_RESULT_FAILED, PH_STR_INIT("over_refund"), REFUND },
    { PH_STR_INIT("DUPLICATE_INVOICE_ID"), PH_RESULT_UNKNOWN, PH_STR_INIT("duplicate"), 0 },
    { PH_STR_INIT("INSTRUMENT_DECLINED"), PH_RESULT_WAIT_USER, PH_STR_INIT("declined"), LOOK },
    { PH_STR_INIT("INVALID_REQUEST"), PH_RESULT_UNKNOWN, PH_STR_INIT("request"), 0 },
    { PH_STR_INIT("INVALID_REQUEST"), PH_RESULT_NOT_SENT, PH_STR_INIT("request"), CREATE },
    { PH_STR_INIT("MAX_NUMBER_OF_REFUNDS_EXCEEDED"), PH_RESULT_FAILED, PH_STR_INIT("not_refundable"), REFUND },
    { PH_STR_INIT("NOT_AUTHORIZED"), PH_RESULT_UNKNOWN, PH_STR_INIT("config"), 0 },
    { PH_STR_INIT("NOT_AUTHORIZED"), PH_RESULT_NOT_SENT, PH_STR_INIT("config"), CREATE },
    { PH_STR_INIT("ORDER_ALREADY_CAPTURED"), PH_RESULT_UNKNOWN, PH_STR_INIT("paid"), 0 },
    { PH_STR_INIT("ORDER_COMPLETION_IN_PROGRESS"), PH_RESULT_UNKNOWN, PH_STR_INIT("in_progress"), 0 },
    { PH_STR_INIT("ORDER_NOT_APPROVED"), PH_RESULT_WAIT_USER, PH_STR_INIT("wait_user"), LOOK },
    { PH_STR_INIT("PAYER_ACTION_REQUIRED"), PH_RESULT_WAIT_USER, PH_STR_INIT("wait_user"), LOOK },
    { PH_STR_INIT("PAYER_CANNOT_PAY"), PH_RESULT_WAIT_USER, PH_STR_INIT("payer"), LOOK },
    { PH_STR_INIT("PENDING_CAPTURE"), PH_RESULT_NOT_SENT, PH_STR_INIT("not_paid"), REFUND },
    { PH_STR_INIT("PERMISSION_DENIED"), PH_RESULT_UNKNOWN, PH_STR_INIT("config"), 0 },
    { PH_STR_INIT("PERMISSION_DENIED"), PH_RESULT_NOT_SENT, PH_STR_INIT("config"), CREATE },
    { PH_STR_INIT("RATE_LIMIT_REACHED"), PH_RESULT_UNKNOWN, PH_STR_INIT("rate_limited"), 0 },
    { PH_STR_INIT("RATE_LIMIT_REACHED"), PH_RESULT_NOT_SENT, PH_STR_INIT("rate_limited"), CREATE },
    { PH_STR_INIT("REFUND_AMOUNT_EXCEEDED"), PH_RESULT_FAILED, PH_STR_INIT("over_refund"), REFUND },
    { PH_STR_INIT("REFUND_FAILED_INSUFFICIENT_FUNDS"), PH_RESULT_FAILED, PH_STR_INIT("merchant_funds"), REFUND },
    { PH_STR_INIT("REFUND_TIME_LIMIT_EXCEEDED"), PH_RESULT_FAILED, PH_STR_INIT("not_refundable"), REFUND },
    { PH_STR_INIT("RESOURCE_CONFLICT"), PH_RESULT_UNKNOWN, PH_STR_INIT("in_progress"), 0 },
    { PH_STR_INIT("RESOURCE_NOT_FOUND"), PH_RESULT_UNKNOWN, PH_STR_INIT("not_found"), 0 },
    { PH_STR_INIT("RESOURCE_NOT_FOUND"), PH_RESULT_NOT_FOUND, PH_STR_INIT("not_found"), LOOK },
    { PH_STR_INIT("TRANSACTION_DISPUTED"), PH_RESULT_FAILED, PH_STR_INIT("not_refundable"), REFUND },
    { PH_STR_INIT("TRANSACTION_REFUSED"), PH_RESULT_WAIT_USER, PH_STR_INIT("declined"), LOOK },
    { PH_STR_INIT("UNPROCESSABLE_ENTITY"), PH_RESULT_UNKNOWN, PH_STR_INIT("request"), 0 },
    { PH_STR_INIT("UNPROCESSABLE_ENTITY"), PH_RESULT_NOT_SENT, PH_STR_INIT("request"), CREATE },
};

static const char *const wire_fields[] = {
    "id", "name", "issue", "status", "intent", "value", "currency_code",
    "reference_id", "custom_id", "invoice_id", "event_type", "resource_type",
    "debug_id", "create_time", "update_time", NULL,
};

static const struct ph_channel_extra extra[] = {
    { "cancel_url", "paypal", false },
};
/* clang-format on */

/* ---- what evidence is compared with ---- */

static const char *
order_check(const struct ph_channel_account *account,
            const struct ph_channel_order   *order)
{
    char          memory[32];
    struct ph_buf buf = PH_BUF_INIT(memory);

    (void) account;
    return paypal_amount(&buf, order->currency, order->amount)
               ? NULL
               : "paypal does not take this amount in this currency";
}

static void
expected(const struct ph_channel_account *account,
         const struct ph_channel_order *order, struct ph_arena *arena,
         struct ph_channel_expected *out)
{
    (void) order;
    (void) arena;
    *out
        = (struct ph_channel_expected){ .seller
                                        = account->values[PAYPAL_MERCHANT_ID] };
}

/* ---- steps ---- */

struct steps {
    struct ph_channel_call *call;
    struct ph_channel_out  *out;
    struct paypal_memory    known;
    struct ph_str           refusal; /* of a refund, behind its phase */
};

static bool
is_of_refund(enum ph_channel_op op)
{
    return op == PH_OP_REFUND || op == PH_OP_REFUND_QUERY;
}

static void
state_read(struct steps *it)
{
    struct ph_channel_call *call = it->call;

    if (call->state_len == 0) {
        return;
    }
    if (is_of_refund(call->op)) {
        it->refusal = ph_arena_dup(
            call->arena,
            ph_str_make((const char *) call->state + 1, call->state_len - 1));
    } else if (call->state_len > STATE_HEAD) {
        struct ph_str tail = ph_arena_dup(
            call->arena, ph_str_make((const char *) call->state + STATE_HEAD,
                                     call->state_len - STATE_HEAD));
        struct ph_str at;

        it->known.was_captured = call->state[1] != 'n';
        it->known.is_first     = call->state[1] == 'f';
        it->known.declines     = (uint8_t) (call->state[2] - '0');
        it->known.id           = tail;
        if (ph_str_cut(tail, '@', &it->known.id, &at)
            && !ph_str_u64(at, INT64_MAX, &it->known.captured_ms))
        {
            it->known.captured_ms = 0;
        }
    }
}

static void
state_write(struct steps *it, enum paypal_phase phase)
{
    struct ph_channel_call *call = it->call;
    struct ph_buf           buf;

    ph_buf_init(&buf, (char *) call->state, PH_CHANNEL_STATE_MAX);
    ph_buf_byte(&buf, (char) phase);
    if (is_of_refund(call->op)) {
        ph_buf_add(&buf, it->refusal);
    } else {
        ph_buf_byte(&buf, !it->known.was_captured ? 'n'
                          : it->known.is_first    ? 'f'
                                                  : 'y');
        ph_buf_byte(&buf, (char) ('0' + it->known.declines));
        ph_buf_add(&buf, it->known.id);
        if (it->known.was_captured && it->known.captured_ms != 0) {
            ph_buf_byte(&buf, '@');
            ph_buf_u64(&buf, it->known.captured_ms);
        }
    }
    call->state_len = buf.full ? 0 : buf.len;
}

static enum ph_channel_step
done(struct steps *it, struct ph_channel_result result)
{
    it->out->result
        = it->call->arena->full ? ph_rest_unknown(PH_STR("no_room")) : result;
    if (is_of_refund(it->call->op)) {
        it->call->state_len = 0; /* a refund goes by its numbers alone */
    }
    return PH_STEP_DONE;
}

static enum ph_channel_step
unknown(struct steps *it, const char *error_class)
{
    return done(it, ph_rest_unknown(ph_str_z(error_class)));
}

static enum ph_channel_step
ask(struct steps *it, enum paypal_phase phase)
{
    const struct ph_channel_call *call    = it->call;
    struct ph_channel_request    *request = &it->out->request;
    bool                          ok      = false;

    switch (phase) {
    case PAYPAL_CREATE:
        ok = paypal_create_make(call, request);
        break;
    case PAYPAL_GET:
    case PAYPAL_GET_LAST:
        ok = paypal_get_make(call, it->known.id, request);
        break;
    case PAYPAL_CAPTURE:
        it->known.is_first     = !it->known.was_captured;
        it->known.was_captured = true;
        it->known.captured_ms  = call->now_ms;
        ok                     = paypal_capture_make(call, &it->known, request);
        break;
    case PAYPAL_REFUND:
        ok = paypal_refund_make(call, request);
        break;
    case PAYPAL_REFUND_GET:
        ok = paypal_refund_get_make(call, request);
        break;
    case PAYPAL_CAPTURE_GET:
        ok = paypal_capture_get_make(call, request);
        break;
    case PAYPAL_TOKEN:
        ok = paypal_token_make(call, request);
        break;
    case PAYPAL_CERT:
        ok = paypal_cert_make(call, request);
        break;
    case PAYPAL_NONE:
        break;
    }
    state_write(it, phase);
    return ok && !call->arena->full ? PH_STEP_NEED_REQUEST : PH_STEP_ERROR;
}

static bool
has_token(const struct ph_channel_call *call)
{
    struct paypal_kept known;

    paypal_kept_read(call->account->kept, &known);
    return known.token.len != 0 && known.until_ms > call->now_ms;
}

static enum ph_channel_step
refresh_begin(struct steps *it)
{
    const struct paypal_account *account = it->call->account->context;

    if (it->call->hint.len == 0) {
        return ask(it, PAYPAL_TOKEN);
    }
    return paypal_cert_url_ok(account->base, it->call->hint)
               ? ask(it, PAYPAL_CERT)
               : unknown(it, "refresh");
}

static enum ph_channel_step
begin(struct steps *it)
{
    const struct ph_channel_call *call      = it->call;
    const uint64_t                refund_ms = call->order->refund_ms;

    if (it->known.id.len == 0
        && (call->op == PH_OP_CLOSE
            || (call->op == PH_OP_QUERY && call->order->is_over)))
    {
        /* what the payer is shown and the id are kept together: nobody has
         * seen this order, and only we could capture it */
        struct ph_channel_result result = ph_rest_unknown(PH_STR(""));

        result.class  = PH_RESULT_CLOSED;
        result.number = call->order->attempt_id;
        return done(it, result);
    }
    if (!has_token(call)) {
        return PH_STEP_NEED_REFRESH;
    }
    switch (call->op) {
    case PH_OP_CREATE:
    case PH_OP_QUERY:
    case PH_OP_CLOSE:
        return ask(it, it->known.id.len != 0 ? PAYPAL_GET : PAYPAL_CREATE);
    case PH_OP_REFUND:
        return ask(it, PAYPAL_REFUND);
    case PH_OP_REFUND_QUERY:
        if (call->order->channel_refund_no.len != 0
            || call->order->refund_id.len == 0) {
            return ask(it, PAYPAL_REFUND_GET);
        }
        /* a second refund would be made, and nobody knows of the first */
        return call->now_ms > refund_ms
                       && call->now_ms - refund_ms > PAYPAL_REQUEST_ID_MS
                   ? unknown(it, "lost")
                   : ask(it, PAYPAL_REFUND);
    case PH_OP_REVERSE:
    case PH_OP_ACCOUNT_REFRESH:
        break;
    }
    return PH_STEP_ERROR;
}

/* ---- answers about an order ---- */

/* Nobody's money is taken but for this order, as much as it says, and while
 * the payment waits for it. */
static bool
is_to_capture(const struct steps *it, enum paypal_phase phase,
              const struct paypal_order *order)
{
    const struct ph_channel_order *ours = it->call->order;

    return (phase == PAYPAL_GET || phase == PAYPAL_CREATE)
           && it->call->op == PH_OP_QUERY && !ours->is_over
           && ph_str_eq(order->status, PH_STR("APPROVED"))
           && order->money.amount == ours->amount
           && ph_str_eq(order->money.currency, ours->currency);
}

/* Nobody else captures it, and we shall not; but one that was sent while the
 * payer's approval stood may be on its way for a while. */
static bool
is_uncaptured(const struct steps *it, struct ph_str status)
{
    const uint64_t sent_ms = it->known.captured_ms;
    const bool     is_on_its_way
        = it->known.was_captured
          && (sent_ms == 0 || it->call->now_ms < sent_ms + PAYPAL_CAPTURE_MS);

    return ph_str_eq(status, PH_STR("CREATED"))
           || ph_str_eq(status, PH_STR("SAVED"))
           || ph_str_eq(status, PH_STR("PAYER_ACTION_REQUIRED"))
           || (ph_str_eq(status, PH_STR("APPROVED")) && !is_on_its_way);
}

static enum ph_channel_step
order_next(struct steps *it, enum paypal_phase phase,
           const struct paypal_order *order)
{
    struct ph_channel_result told = paypal_order_judge(order, it->call->arena);

    if (told.number.len == 0 && phase == PAYPAL_CAPTURE) {
        return ask(it, PAYPAL_GET_LAST); /* a short answer: all of it */
    }
    if (!ph_str_eq(told.number, it->call->order->attempt_id)) {
        return done(it, told); /* nothing is done with another's */
    }
    it->known.id = order->id;
    if (is_to_capture(it, phase, order)) {
        return ask(it, PAYPAL_CAPTURE);
    }
    state_write(it, phase);
    if (it->call->op == PH_OP_CLOSE && is_uncaptured(it, order->status)) {
        told.class       = PH_RESULT_CLOSED;
        told.action      = PH_ACTION_NONE;
        told.action_data = ph_str_make(NULL, 0);
    }
    return done(it, told);
}

static enum ph_channel_step
order_on_answer(struct steps *it, enum paypal_phase phase,
                const struct ph_channel_reply *reply)
{
    struct paypal_order order;
    struct ph_doc      *doc;
    bool                ok;

    if (ph_doc_json(&doc, reply->body) != PH_OK) {
        return unknown(it, "unreadable");
    }
    ok = paypal_order_read(doc, it->call->arena, &order);
    ph_doc_free(doc);
    if (!ok) {
        return unknown(it, "unreadable");
    }
    if (order.id.len == 0
        || (it->known.id.len != 0 && !ph_str_eq(order.id, it->known.id)))
    {
        return unknown(it, "no_number");
    }
    return order_next(it, phase, &order);
}

/* Nothing was captured, and the payer may go on; nobody else can. */
static enum ph_channel_step
capture_on_refusal(struct steps *it, struct ph_channel_result result)
{
    it->known.was_captured = false;
    if (ph_str_eq(result.channel_code, PH_STR("INSTRUMENT_DECLINED"))
        && it->known.declines < DECLINES_MAX)
    {
        it->known.declines++;
    }
    state_write(it, PAYPAL_CAPTURE);
    return done(it, result);
}

static enum ph_channel_step
order_on_refusal(struct steps *it, enum paypal_phase phase,
                 const struct ph_channel_reply *reply)
{
    /* a create that a query repeats may be refused because of the first */
    const enum ph_channel_op op = phase != PAYPAL_CREATE ? PH_OP_QUERY
                                  : it->call->op == PH_OP_CREATE
                                      ? PH_OP_CREATE
                                      : PH_OP_ACCOUNT_REFRESH;
    struct ph_channel_result result
        = paypal_error_judge(reply->status, reply->body, op, it->call->arena);

    if (phase == PAYPAL_CAPTURE
        && ph_str_eq(result.channel_code, PH_STR("ORDER_ALREADY_CAPTURED")))
    {
        return ask(it, PAYPAL_GET_LAST);
    }
    if (phase == PAYPAL_CAPTURE && result.class == PH_RESULT_WAIT_USER) {
        return capture_on_refusal(it, result);
    }
    if (result.class == PH_RESULT_WAIT_USER
        || (result.class == PH_RESULT_NOT_FOUND && it->known.was_captured))
    {
        result.class = PH_RESULT_UNKNOWN;
    }
    return done(it, result);
}

/* ---- answers about a refund ---- */

/* One that somebody else made is tied to the payment by its capture alone. */
static enum ph_channel_step
foreign_on_answer(struct steps *it, const struct paypal_refund *refund)
{
    const struct ph_channel_order *order  = it->call->order;
    struct ph_channel_result       result = paypal_refund_judge(refund);

    if (!ph_str_eq(refund->id, order->channel_refund_no)
        || !ph_str_eq(refund->capture, order->trade_no)
        || ph_id_is(refund->invoice, PH_ID_REFUND))
    {
        return unknown(it, "no_number");
    }
    result.number = refund->id;
    return done(it, result);
}

static enum ph_channel_step
refund_on_answer(struct steps *it, const struct ph_channel_reply *reply)
{
    const struct ph_channel_order *order = it->call->order;
    struct paypal_refund           refund;
    struct ph_doc                 *doc;
    bool                           ok;

    if (ph_doc_json(&doc, reply->body) != PH_OK) {
        return unknown(it, "unreadable");
    }
    ok = paypal_refund_read(doc, it->call->arena, &refund);
    ph_doc_free(doc);
    if (!ok) {
        return unknown(it, "unreadable");
    }
    if (order->refund_id.len == 0) {
        return foreign_on_answer(it, &refund);
    }
    if (refund.id.len == 0 || refund.invoice.len == 0
        || (refund.capture.len != 0
            && !ph_str_eq(refund.capture, order->trade_no)))
    {
        return unknown(it, "no_number");
    }
    return done(it, paypal_refund_judge(&refund));
}

/* A refusal holds when no refund of the capture has happened at all: an
 * earlier one of this number is then not its cause. */
static enum ph_channel_step
capture_on_answer(struct steps *it, const struct ph_channel_reply *reply)
{
    const struct ph_channel_code *row
        = ph_code_find(&ph_channel_paypal, it->refusal, PH_OP_REFUND);
    struct ph_channel_result result = ph_rest_unknown(PH_STR("not_found"));
    struct paypal_capture    capture;
    struct ph_doc           *doc;
    bool                     ok;

    if (ph_doc_json(&doc, reply->body) != PH_OK) {
        return unknown(it, "unreadable");
    }
    ok = paypal_capture_read(doc, it->call->arena, &capture);
    ph_doc_free(doc);
    if (!ok) {
        return unknown(it, "unreadable");
    }
    if (row != NULL && ph_str_eq(capture.id, it->call->order->trade_no)
        && ph_str_eq(capture.status, PH_STR("COMPLETED")))
    {
        result.class        = row->result;
        result.error_class  = row->error_class;
        result.channel_code = it->refusal;
    }
    return done(it, result);
}

static enum ph_channel_step
refund_on_refusal(struct steps *it, enum paypal_phase phase,
                  const struct ph_channel_reply *reply)
{
    const bool               is_first = it->call->op == PH_OP_REFUND;
    struct ph_channel_result result   = paypal_error_judge(
          reply->status, reply->body,
        phase == PAYPAL_REFUND ? PH_OP_REFUND : PH_OP_REFUND_QUERY,
          it->call->arena);

    if (result.class == PH_RESULT_FAILED && !is_first) {
        it->refusal = result.channel_code;
        return ask(it, PAYPAL_CAPTURE_GET);
    }
    if (!is_first) {
        result.class = PH_RESULT_UNKNOWN;
    }
    return done(it, result);
}

/* ---- the table's functions ---- */

static enum ph_channel_step
answered(struct steps *it, enum paypal_phase phase,
         const struct ph_channel_reply *reply)
{
    const bool is_good = reply->status >= 200 && reply->status <= 299;

    switch (phase) {
    case PAYPAL_CREATE:
    case PAYPAL_GET:
    case PAYPAL_GET_LAST:
    case PAYPAL_CAPTURE:
        return is_good ? order_on_answer(it, phase, reply)
                       : order_on_refusal(it, phase, reply);
    case PAYPAL_REFUND:
    case PAYPAL_REFUND_GET:
        return is_good ? refund_on_answer(it, reply)
                       : refund_on_refusal(it, phase, reply);
    case PAYPAL_CAPTURE_GET:
        return is_good ? capture_on_answer(it, reply)
                       : refund_on_refusal(it, phase, reply);
    case PAYPAL_TOKEN:
    case PAYPAL_CERT:
    case PAYPAL_NONE:
        break;
    }
    return PH_STEP_ERROR;
}

static enum ph_channel_step
refresh_step(struct steps *it, enum paypal_phase phase,
             const struct ph_channel_reply *last)
{
    if (last == NULL) {
        return refresh_begin(it);
    }
    if (phase == PAYPAL_TOKEN) {
        paypal_token_take(it->call, last, it->out);
    } else {
        paypal_cert_take(it->call, last, it->out);
    }
    it->call->state_len = 0;
    return PH_STEP_DONE;
}

static enum ph_channel_step
step(struct ph_channel_call *call, const struct ph_channel_reply *last,
     struct ph_channel_out *out)
{
    struct steps      it    = { .call = call, .out = out };
    enum paypal_phase phase = last != NULL && call->state_len != 0
                                  ? (enum paypal_phase) call->state[0]
                                  : PAYPAL_NONE;

    if (call->op == PH_OP_ACCOUNT_REFRESH) {
        return refresh_step(&it, phase, last);
    }
    state_read(&it);
    if (it.known.declines > DECLINES_MAX
        || (it.known.id.len != 0
            && !ph_str_is_token(it.known.id, PAYPAL_ID_MAX)))
    {
        return PH_STEP_ERROR;
    }
    if (last == NULL) {
        return begin(&it);
    }
    if (last->status == 401 && phase != PAYPAL_NONE) {
        /* one that was sent before this may still be on its way */
        it.known.was_captured
            = it.known.was_captured
              && !(phase == PAYPAL_CAPTURE && it.known.is_first);
        state_write(&it, PAYPAL_NONE);
        return PH_STEP_NEED_REFRESH;
    }
    return answered(&it, phase, last);
}

static const char *const identity[] = { "client_id", NULL };

const struct ph_channel ph_channel_paypal = {
    .abi  = PH_CHANNEL_ABI,
    .size = sizeof(struct ph_channel),
    .name = "paypal",
    .caps = PH_CAP_QUERY | PH_CAP_CLOSE | PH_CAP_REFUND | PH_CAP_NOTICE
            | PH_CAP_REPEAT | PH_CAP_REFUND_BY_NO,
    .methods       = methods,
    .fields        = fields,
    .field_count   = PH_COUNT(fields),
    .codes         = codes,
    .code_count    = PH_COUNT(codes),
    .step          = step,
    .notice        = paypal_notice,
    .currencies    = currencies,
    .wire_fields   = wire_fields,
    .identity      = identity,
    .extra         = extra,
    .extra_count   = PH_COUNT(extra),
    .account_open  = paypal_account_open,
    .account_close = paypal_account_close,
    .order_check   = order_check,
    .expected      = expected,
};
