/*
 * stripe.c - the Stripe adapter: its table, and which message follows which.
 *
 *   CREATE  id not known: create -> confirm (extra.confirm)
 *           id known:     get    -> confirm
 *   QUERY   id not known: create again by its key -> get, when it was replayed
 *           id known:     get
 *   CLOSE   (create ->) cancel -> get, when it is too late
 *   REFUND  refund -> list, when it was refused; list -> refund, when the key
 *           may be forgotten
 *   REFUND_QUERY  get, or list by the payment
 *
 * The state is the phase and behind it the intent's id, so whoever goes on with
 * an attempt goes on with the same intent.
 */
#include "channels/stripe/stripe.h"

#include "channels/codes.h"
#include "channels/context.h"
#include "channels/stripe/stripe_int.h"

#define KEY_LEN_MIN 16
#define KEY_LEN_MAX 256
#define SECRET_LEN_MIN 16

static const char *const methods[] = { "card", NULL };

/* clang-format off */
static const struct ph_channel_field fields[STRIPE_FIELDS] = {
    [STRIPE_BASE_URL] = { "base_url", false, false,
        "address of the API, https://api.stripe.com when absent",
        PH_VALUE_URL, NULL },
    [STRIPE_SECRET_KEY] = { "secret_key", true, true,
        "sk_live_... or sk_test_..., or a restricted rk_... of it",
        PH_VALUE_SECRET, NULL },
    [STRIPE_WEBHOOK_SECRET] = { "webhook_secret", true, true,
        "whsec_... of the endpoint; up to four, between blanks, to rotate",
        PH_VALUE_SECRET, NULL },
};

#define CREATE PH_OP_BIT(PH_OP_CREATE)
#define REFUND PH_OP_BIT(PH_OP_REFUND)

/*
 * HTTP statuses, error codes and error types, asked in this order; none of the
 * first two is also one of the third.  Rows of CREATE speak of the request that
 * makes the intent: it moves no money, so what it refuses was not sent.
 */
static const struct ph_channel_code codes[] = {
    { PH_STR_INIT("401"), PH_RESULT_UNKNOWN, PH_STR_INIT("config"), 0 },
    { PH_STR_INIT("401"), PH_RESULT_NOT_SENT, PH_STR_INIT("config"), CREATE },
    { PH_STR_INIT("403"), PH_RESULT_UNKNOWN, PH_STR_INIT("config"), 0 },
    { PH_STR_INIT("403"), PH_RESULT_NOT_SENT, PH_STR_INIT("config"), CREATE },
    { PH_STR_INIT("409"), PH_RESULT_UNKNOWN, PH_STR_INIT("in_progress"), 0 },
    { PH_STR_INIT("429"), PH_RESULT_UNKNOWN, PH_STR_INIT("rate_limited"), 0 },
    { PH_STR_INIT("429"), PH_RESULT_NOT_SENT, PH_STR_INIT("rate_limited"), CREATE },
    { PH_STR_INIT("amount_too_large"), PH_RESULT_FAILED, PH_STR_INIT("amount"), CREATE },
    { PH_STR_INIT("amount_too_large"), PH_RESULT_FAILED, PH_STR_INIT("over_refund"), REFUND },
    { PH_STR_INIT("amount_too_small"), PH_RESULT_FAILED, PH_STR_INIT("amount"), CREATE | REFUND },
    { PH_STR_INIT("api_error"), PH_RESULT_UNKNOWN, PH_STR_INIT("channel_error"), 0 },
    { PH_STR_INIT("balance_insufficient"), PH_RESULT_FAILED, PH_STR_INIT("merchant_funds"), REFUND },
    { PH_STR_INIT("card_error"), PH_RESULT_UNKNOWN, PH_STR_INIT("declined"), 0 },
    { PH_STR_INIT("charge_already_refunded"), PH_RESULT_FAILED, PH_STR_INIT("over_refund"), REFUND },
    { PH_STR_INIT("charge_disputed"), PH_RESULT_FAILED, PH_STR_INIT("not_refundable"), REFUND },
    { PH_STR_INIT("charge_not_refundable"), PH_RESULT_FAILED, PH_STR_INIT("not_refundable"), REFUND },
    { PH_STR_INIT("idempotency_error"), PH_RESULT_UNKNOWN, PH_STR_INIT("other_data"), 0 },
    { PH_STR_INIT("idempotency_key_in_use"), PH_RESULT_UNKNOWN, PH_STR_INIT("in_progress"), 0 },
    { PH_STR_INIT("insufficient_funds"), PH_RESULT_FAILED, PH_STR_INIT("merchant_funds"), REFUND },
    { PH_STR_INIT("invalid_request_error"), PH_RESULT_UNKNOWN, PH_STR_INIT("request"), 0 },
    { PH_STR_INIT("invalid_request_error"), PH_RESULT_NOT_SENT, PH_STR_INIT("request"), CREATE },
    { PH_STR_INIT("lock_timeout"), PH_RESULT_UNKNOWN, PH_STR_INIT("in_progress"), 0 },
    { PH_STR_INIT("payment_intent_unexpected_state"), PH_RESULT_UNKNOWN, PH_STR_INIT("in_progress"), 0 },
    { PH_STR_INIT("rate_limit"), PH_RESULT_UNKNOWN, PH_STR_INIT("rate_limited"), 0 },
    { PH_STR_INIT("refund_disputed_payment"), PH_RESULT_FAILED, PH_STR_INIT("not_refundable"), REFUND },
    /* intents are never deleted: who misses one has the key of another account */
    { PH_STR_INIT("resource_missing"), PH_RESULT_UNKNOWN, PH_STR_INIT("not_found"), 0 },
    { PH_STR_INIT("resource_missing"), PH_RESULT_NOT_SENT, PH_STR_INIT("request"), CREATE },
};

static const char *const wire_fields[] = {
    "id", "object", "type", "code", "decline_code", "status", "amount",
    "amount_received", "currency", "out_trade_no", "out_refund_no",
    "payment_intent", "livemode", "created", "failure_reason", NULL,
};

static const struct ph_channel_extra extra[] = {
    { "payment_method", "card", false },
    { "confirm", "card", false },
    { "customer", "card", false },
};
/* clang-format on */

/* ---- the account ---- */

static bool
secrets_are_good(struct ph_str secrets)
{
    struct ph_str secret;
    size_t        count = 0;

    while (ph_str_next(&secrets, ' ', &secret)) {
        if (secret.len < SECRET_LEN_MIN
            || !ph_rest_is_plain(secret, KEY_LEN_MAX)
            || ++count > STRIPE_SECRETS_MAX)
        {
            return false;
        }
    }
    return count != 0;
}

static void *
account_open(const struct ph_channel_account *account,
             const struct ph_channel_env *env, uint64_t now_ms,
             struct ph_arena *arena, const char **why)
{
    struct ph_str          key     = account->values[STRIPE_SECRET_KEY];
    struct ph_str          secrets = account->values[STRIPE_WEBHOOK_SECRET];
    struct stripe_account *opened;

    (void) env;
    (void) now_ms;
    if ((!ph_str_starts(key, PH_STR("sk_"))
         && !ph_str_starts(key, PH_STR("rk_")))
        || key.len < KEY_LEN_MIN || !ph_rest_is_plain(key, KEY_LEN_MAX))
    {
        *why = ph_rest_why("secret_key", key,
                           "a secret key: sk_..., or rk_... (pk_... is for "
                           "browsers)",
                           arena);
        return NULL;
    }
    if (!secrets_are_good(secrets)) {
        *why = ph_rest_why("webhook_secret", secrets,
                           "one to four signing secrets of at least 16 bytes, "
                           "one blank between them",
                           arena);
        return NULL;
    }
    opened = ph_context_new(sizeof(*opened));
    if (opened == NULL) {
        *why = "no memory";
        return NULL;
    }
    opened->base    = ph_rest_base(account->values[STRIPE_BASE_URL],
                                   PH_STR("https://api.stripe.com"));
    opened->is_live = ph_str_starts(key, PH_STR("sk_live_"))
                      || ph_str_starts(key, PH_STR("rk_live_"));
    opened->is_test = ph_str_starts(key, PH_STR("sk_test_"))
                      || ph_str_starts(key, PH_STR("rk_test_"));
    return opened;
}

static const char *
order_check(const struct ph_channel_account *account,
            const struct ph_channel_order   *order)
{
    char            memory[1024];
    struct ph_arena arena;
    int64_t         amount;

    (void) account;
    if (!stripe_amount(order->currency, order->amount, &amount)) {
        return "stripe does not take this amount in this currency";
    }
    ph_arena_init(&arena, memory, sizeof(memory));
    if (stripe_is_confirmed(order, &arena)
        && ph_channel_extra_text(order, "payment_method", &arena).len == 0)
    {
        return "extra.confirm needs extra.payment_method";
    }
    return NULL;
}

/* ---- steps ---- */

struct steps {
    struct ph_channel_call *call;
    struct ph_channel_out  *out;
    struct ph_str           id; /* the intent's, {NULL, 0} = not known */
};

static struct ph_str
state_tail(const struct ph_channel_call *call)
{
    return call->state_len > 1 ? ph_arena_dup(
               call->arena,
               ph_str_make((const char *) call->state + 1, call->state_len - 1))
                               : ph_str_make(NULL, 0);
}

static void
state_set(struct ph_channel_call *call, enum stripe_phase phase,
          struct ph_str tail)
{
    call->state[0]  = (uint8_t) phase;
    call->state_len = 1;
    if (tail.len != 0 && tail.len < PH_CHANNEL_STATE_MAX) {
        memcpy(call->state + 1, tail.ptr, tail.len);
        call->state_len += tail.len;
    }
}

static enum ph_channel_step
done(struct steps *it, struct ph_channel_result result)
{
    it->out->result
        = it->call->arena->full ? ph_rest_unknown(PH_STR("no_room")) : result;
    return PH_STEP_DONE;
}

static enum ph_channel_step
unknown(struct steps *it, const char *error_class)
{
    return done(it, ph_rest_unknown(ph_str_z(error_class)));
}

static enum ph_channel_step
ask(struct steps *it, enum stripe_phase phase, struct ph_str tail)
{
    const struct ph_channel_call *call    = it->call;
    struct ph_channel_request    *request = &it->out->request;
    bool                          ok      = false;

    state_set(it->call, phase, tail);
    switch (phase) {
    case STRIPE_CREATE:
        ok = stripe_create_make(call, request);
        break;
    case STRIPE_GET:
    case STRIPE_GET_LAST:
        ok = stripe_get_make(call, tail, request);
        break;
    case STRIPE_CONFIRM:
        ok = stripe_confirm_make(call, tail, request);
        break;
    case STRIPE_CANCEL:
        ok = stripe_cancel_make(call, tail, request);
        break;
    case STRIPE_REFUND:
        ok = stripe_refund_make(call, request);
        break;
    case STRIPE_REFUND_GET:
        ok = stripe_refund_get_make(call, request);
        break;
    case STRIPE_LIST:
    case STRIPE_LIST_BEFORE:
        ok = stripe_refund_list_make(call, request);
        break;
    case STRIPE_NONE:
        break;
    }
    return ok && !call->arena->full ? PH_STEP_NEED_REQUEST : PH_STEP_ERROR;
}

static bool
is_forgotten(const struct ph_channel_call *call, uint64_t made_ms)
{
    return call->now_ms > made_ms && call->now_ms - made_ms > STRIPE_KEY_MS;
}

static enum ph_channel_step
begin(struct steps *it)
{
    const struct ph_channel_call  *call  = it->call;
    const struct ph_channel_order *order = call->order;
    const struct ph_str            none  = { NULL, 0 };

    switch (call->op) {
    case PH_OP_CREATE:
    case PH_OP_QUERY:
    case PH_OP_CLOSE:
        if (it->id.len != 0) {
            return ask(it, call->op == PH_OP_CLOSE ? STRIPE_CANCEL : STRIPE_GET,
                       it->id);
        }
        /* a second intent would be made, and nobody knows of the first */
        return is_forgotten(call, order->attempt_ms)
                   ? unknown(it, "lost")
                   : ask(it, STRIPE_CREATE, none);
    case PH_OP_REFUND:
        return ask(it,
                   is_forgotten(call, order->refund_ms) ? STRIPE_LIST_BEFORE
                                                        : STRIPE_REFUND,
                   none);
    case PH_OP_REFUND_QUERY:
        return ask(it,
                   order->channel_refund_no.len != 0 ? STRIPE_REFUND_GET
                                                     : STRIPE_LIST,
                   none);
    case PH_OP_REVERSE:
    case PH_OP_ACCOUNT_REFRESH:
        break;
    }
    return PH_STEP_ERROR;
}

/* ---- answers about an intent ---- */

static bool
is_good(const struct ph_channel_reply *reply)
{
    return reply->status >= 200 && reply->status <= 299;
}

/* of the document, or of its member at `path` */
static bool
intent_take(const struct steps *it, const struct ph_channel_reply *reply,
            const char *path, struct stripe_intent *out)
{
    struct ph_doc *doc;
    bool           ok;

    if (ph_doc_json(&doc, reply->body) != PH_OK) {
        return false;
    }
    const struct ph_doc *part = ph_doc_at(doc, path);
    ok = part != NULL && stripe_intent_read(part, it->call->arena, out);
    ph_doc_free(doc);
    return ok;
}

/* What the payer has to do is not told of an intent that is ours to confirm:
 * without it the create is sent again, and with it the confirm. */
static enum ph_channel_step
intent_done(struct steps *it, const struct stripe_intent *intent)
{
    struct ph_channel_result result
        = stripe_intent_judge(intent, it->call->arena);

    if (ph_str_eq(intent->status, PH_STR("requires_confirmation"))
        && stripe_is_confirmed(it->call->order, it->call->arena))
    {
        result.action      = PH_ACTION_NONE;
        result.action_data = ph_str_make(NULL, 0);
    }
    return done(it, result);
}

/* Money is taken for this order alone, as much as it says, and while the
 * payment waits for it. */
static bool
is_to_confirm(const struct ph_channel_call *call,
              const struct stripe_intent   *intent)
{
    const struct ph_channel_order *ours = call->order;

    return ph_str_eq(intent->status, PH_STR("requires_confirmation"))
           && stripe_is_confirmed(ours, call->arena) && !ours->is_over
           && intent->amount == ours->amount
           && ph_str_eq(intent->currency, ours->currency);
}

static enum ph_channel_step
intent_next(struct steps *it, enum stripe_phase phase,
            const struct stripe_intent *intent, bool is_replayed)
{
    const struct ph_channel_call *call = it->call;

    if (phase == STRIPE_CREATE && is_replayed && call->op != PH_OP_CLOSE) {
        return ask(it, STRIPE_GET, intent->id); /* it tells how things were */
    }
    if (phase == STRIPE_CREATE && call->op == PH_OP_CLOSE) {
        return ask(it, STRIPE_CANCEL, intent->id);
    }
    if (call->op == PH_OP_CREATE
        && (phase == STRIPE_CREATE || phase == STRIPE_GET)
        && is_to_confirm(call, intent))
    {
        return ask(it, STRIPE_CONFIRM, intent->id);
    }
    return intent_done(it, intent);
}

static enum ph_channel_step
intent_on_answer(struct steps *it, enum stripe_phase phase,
                 const struct ph_channel_reply *reply)
{
    struct stripe_intent intent;
    const struct ph_str  replayed = ph_channel_header(
         reply->headers, reply->header_count, PH_STR("Idempotent-Replayed"));

    if (!intent_take(it, reply, "", &intent)) {
        return unknown(it, "unreadable");
    }
    if (intent.id.len == 0 || intent.number.len == 0
        || (it->id.len != 0 && !ph_str_eq(intent.id, it->id)))
    {
        return unknown(it, "no_number");
    }
    if (!ph_str_eq(intent.number, it->call->order->attempt_id)) {
        return intent_done(it, &intent); /* nothing is done with another's */
    }
    state_set(it->call, phase, intent.id);
    return intent_next(it, phase, &intent, ph_str_eq(replayed, PH_STR("true")));
}

/* The card was refused; the payer may try another with the same intent. */
static enum ph_channel_step
confirm_on_decline(struct steps *it, const struct ph_channel_reply *reply)
{
    struct stripe_intent intent;
    struct stripe_error  error;

    if (!intent_take(it, reply, "error.payment_intent", &intent)
        || !stripe_error_read(reply->body, it->call->arena, &error)
        || !ph_str_eq(intent.id, it->id)
        || !ph_str_eq(intent.number, it->call->order->attempt_id))
    {
        return ask(it, STRIPE_GET_LAST, it->id);
    }
    struct ph_channel_result result
        = stripe_intent_judge(&intent, it->call->arena);

    result.message      = error.message;
    result.channel_code = error.code;
    return done(it, result);
}

/* What a refused request says of itself; the intent may have gone on. */
static bool
shall_look(enum stripe_phase phase, const struct ph_channel_reply *reply)
{
    return (phase == STRIPE_CONFIRM || phase == STRIPE_CANCEL)
           && (reply->status == 400 || reply->status == 402
               || reply->status == 404);
}

static enum ph_channel_step
intent_on_refusal(struct steps *it, enum stripe_phase phase,
                  const struct ph_channel_reply *reply)
{
    if (phase == STRIPE_CONFIRM && reply->status == 402) {
        return confirm_on_decline(it, reply);
    }
    if (shall_look(phase, reply)) {
        return ask(it, STRIPE_GET_LAST, it->id);
    }
    return done(it, stripe_error_judge(reply->status, reply->body,
                                       phase == STRIPE_CREATE ? it->call->op
                                                              : PH_OP_QUERY,
                                       it->call->arena));
}

/* ---- answers about a refund ---- */

static enum ph_channel_step
refund_done(struct steps *it, const struct stripe_refund *refund)
{
    const struct ph_channel_order *order = it->call->order;

    if (refund->id.len == 0 || refund->number.len == 0
        || !ph_str_eq(refund->intent, order->trade_no))
    {
        return unknown(it, "no_number");
    }
    return done(it, stripe_refund_judge(refund));
}

static enum ph_channel_step
refund_on_answer(struct steps *it, const struct ph_channel_reply *reply)
{
    struct ph_doc       *doc;
    struct stripe_refund refund;
    bool                 ok;

    if (ph_doc_json(&doc, reply->body) != PH_OK) {
        return unknown(it, "unreadable");
    }
    ok = stripe_refund_read(doc, it->call->arena, &refund);
    ph_doc_free(doc);
    return ok ? refund_done(it, &refund) : unknown(it, "unreadable");
}

enum found { FOUND_NOT, FOUND, FOUND_UNREADABLE };

/* Of one payment there are few: a list that goes on is not what was asked. */
static enum found
list_find(const struct ph_doc *doc, struct ph_str number,
          struct ph_arena *arena, struct stripe_refund *out)
{
    const struct ph_doc *data     = ph_doc_at(doc, "data");
    size_t               count    = ph_doc_size(doc, "data");
    bool                 has_more = true;
    char                 path[24];

    if (data == NULL || count > STRIPE_LIST_MAX
        || ph_doc_bool(doc, "has_more", &has_more) != PH_OK)
    {
        return FOUND_UNREADABLE;
    }
    for (size_t i = 0; i < count; i++) {
        struct ph_buf buf = PH_BUF_INIT(path);

        ph_buf_u64(&buf, i);
        const struct ph_doc *row = ph_doc_at(data, ph_buf_z(&buf));

        if (row == NULL || !stripe_refund_read(row, arena, out)) {
            return FOUND_UNREADABLE;
        }
        if (ph_str_eq(out->number, number)) {
            return FOUND;
        }
    }
    return has_more ? FOUND_UNREADABLE : FOUND_NOT;
}

static enum ph_channel_step
list_on_answer(struct steps *it, enum stripe_phase phase,
               const struct ph_channel_reply *reply)
{
    struct ph_channel_result result = ph_rest_unknown(PH_STR("not_found"));
    struct stripe_refund     refund;
    struct ph_doc           *doc;
    enum found               found;

    if (ph_doc_json(&doc, reply->body) != PH_OK) {
        return unknown(it, "unreadable");
    }
    found
        = list_find(doc, it->call->order->refund_id, it->call->arena, &refund);
    ph_doc_free(doc);
    if (found == FOUND) {
        return refund_done(it, &refund);
    }
    if (found == FOUND_UNREADABLE) {
        return unknown(it, "unreadable");
    }
    if (phase == STRIPE_LIST_BEFORE) {
        return ask(it, STRIPE_REFUND, ph_str_make(NULL, 0));
    }
    result.class = PH_RESULT_NOT_FOUND;
    return done(it, result);
}

/* The refusal that came before holds, now that there is no such refund. */
static enum ph_channel_step
list_on_refused(struct steps *it, struct ph_channel_result found,
                struct ph_str refusal)
{
    const struct ph_channel_code *row
        = ph_code_find(&ph_channel_stripe, refusal, PH_OP_REFUND);

    if (found.class == PH_RESULT_NOT_FOUND && row != NULL) {
        found.class        = row->result;
        found.error_class  = row->error_class;
        found.channel_code = refusal;
    }
    return done(it, found);
}

static enum ph_channel_step
refund_on_refusal(struct steps *it, enum stripe_phase phase,
                  const struct ph_channel_reply *reply)
{
    struct ph_channel_result result = stripe_error_judge(
        reply->status, reply->body,
        phase == STRIPE_REFUND ? PH_OP_REFUND : PH_OP_REFUND_QUERY,
        it->call->arena);

    /* maybe because an earlier one of this number did what this one asks for */
    return result.class == PH_RESULT_FAILED
               ? ask(it, STRIPE_LIST, result.channel_code)
               : done(it, result);
}

static enum ph_channel_step
refund_next(struct steps *it, enum stripe_phase phase,
            const struct ph_channel_reply *reply)
{
    struct ph_str        refusal = state_tail(it->call);
    enum ph_channel_step next;

    if (!is_good(reply)) {
        next = refund_on_refusal(it, phase, reply);
    } else if (phase == STRIPE_LIST || phase == STRIPE_LIST_BEFORE) {
        next = list_on_answer(it, phase, reply);
        if (next == PH_STEP_DONE && refusal.len != 0) {
            next = list_on_refused(it, it->out->result, refusal);
        }
    } else {
        next = refund_on_answer(it, reply);
    }
    if (next == PH_STEP_DONE) {
        it->call->state_len = 0; /* a refund goes by its numbers alone */
    }
    return next;
}

static enum ph_channel_step
step(struct ph_channel_call *call, const struct ph_channel_reply *last,
     struct ph_channel_out *out)
{
    const bool is_refund
        = call->op == PH_OP_REFUND || call->op == PH_OP_REFUND_QUERY;
    struct steps      it    = { .call = call, .out = out };
    enum stripe_phase phase = last != NULL && call->state_len != 0
                                  ? (enum stripe_phase) call->state[0]
                                  : STRIPE_NONE;

    if (!is_refund) {
        it.id = state_tail(call);
        if (it.id.len == 0) {
            it.id = call->order->trade_no;
        }
        if (it.id.len != 0 && !ph_str_is_token(it.id, STRIPE_ID_MAX)) {
            return PH_STEP_ERROR;
        }
    }
    if (last == NULL) {
        return begin(&it);
    }
    if (phase == STRIPE_NONE) {
        return PH_STEP_ERROR;
    }
    if (is_refund) {
        return refund_next(&it, phase, last);
    }
    return is_good(last) ? intent_on_answer(&it, phase, last)
                         : intent_on_refusal(&it, phase, last);
}

const struct ph_channel ph_channel_stripe = {
    .abi  = PH_CHANNEL_ABI,
    .size = sizeof(struct ph_channel),
    .name = "stripe",
    .caps = PH_CAP_QUERY | PH_CAP_CLOSE | PH_CAP_REFUND | PH_CAP_NOTICE
            | PH_CAP_REPEAT,
    .methods       = methods,
    .fields        = fields,
    .field_count   = PH_COUNT(fields),
    .codes         = codes,
    .code_count    = PH_COUNT(codes),
    .step          = step,
    .notice        = stripe_notice,
    .wire_fields   = wire_fields,
    .extra         = extra,
    .extra_count   = PH_COUNT(extra),
    .account_open  = account_open,
    .account_close = ph_context_free,
    .order_check   = order_check,
};
