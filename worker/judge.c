/* judge.c - one judge for every piece of evidence; see judge.h. */
#include "worker/judge.h"

#include "worker/refund_auto.h"
#include "worker/schedule.h"

#define LOOK_AT_ONCE_MS 1 /* 0 would be no look at all */

struct judging {
    struct wk_payment              *payment;
    struct wk_attempt              *attempt;
    struct wk_order                *order;
    const struct wk_evidence       *evidence;
    const struct ph_channel_result *result;
    const struct wk_judge_rules    *rules;
    struct wk_verdict              *verdict;
};

/* ---- marks ---- */

void
wk_mark_once(uint64_t *column_ms, uint64_t now_ms)
{
    if (*column_ms == 0) {
        *column_ms = now_ms;
    }
}

static void
attempt_mark(struct judging *it, enum ph_attempt_state to)
{
    uint64_t now_ms = it->rules->now_ms;

    switch (to) {
    case PH_ATTEMPT_SUCCEEDED:
        wk_mark_once(&it->attempt->paid_at_ms, now_ms);
        break;
    case PH_ATTEMPT_FAILED:
        wk_mark_once(&it->attempt->failed_at_ms, now_ms);
        break;
    case PH_ATTEMPT_CLOSED:
        wk_mark_once(&it->attempt->closed_at_ms, now_ms);
        break;
    case PH_ATTEMPT_UNKNOWN:
        wk_mark_once(&it->attempt->unknown_at_ms, now_ms);
        break;
    case PH_ATTEMPT_SENT:
        wk_mark_once(&it->attempt->sent_at_ms, now_ms);
        break;
    case PH_ATTEMPT_NONE:
    case PH_ATTEMPT_NEW:
    case PH_ATTEMPT_WAIT_USER:
    case PH_ATTEMPT_CLOSING:
    case PH_ATTEMPT_DUPLICATE:
    case PH_ATTEMPT_STATES:
        break;
    }
}

static void
payment_mark(struct judging *it, enum ph_payment_state to)
{
    uint64_t now_ms = it->rules->now_ms;

    switch (to) {
    case PH_PAYMENT_PAID:
    case PH_PAYMENT_PAID_LATE:
        wk_mark_once(&it->payment->paid_at_ms, now_ms);
        break;
    case PH_PAYMENT_FAILED:
        wk_mark_once(&it->payment->failed_at_ms, now_ms);
        break;
    case PH_PAYMENT_CLOSED:
        wk_mark_once(&it->payment->closed_at_ms, now_ms);
        break;
    case PH_PAYMENT_CONFLICT:
        wk_mark_once(&it->payment->conflict_at_ms, now_ms);
        break;
    case PH_PAYMENT_NONE:
    case PH_PAYMENT_CREATED:
    case PH_PAYMENT_PAYING:
    case PH_PAYMENT_STATES:
        break;
    }
}

/* ---- moves ---- */

static void
attempt_prove(struct judging *it)
{
    it->attempt->proof_source = wk_source_text(it->evidence->source);
    it->attempt->proof_digest = it->evidence->digest;
}

static bool
attempt_step(struct judging *it, enum ph_attempt_state to)
{
    if (ph_attempt_move(it->attempt->status, to, PH_BY_PROVED) != PH_MOVE_OK) {
        return false;
    }
    it->attempt->status        = to;
    it->verdict->attempt_moved = true;
    attempt_mark(it, to);
    return true;
}

/* Proof may stand behind `unknown`: sent or waiting, then unknown, then it. */
static bool
attempt_to(struct judging *it, enum ph_attempt_state to)
{
    if (it->attempt->status == to) {
        return false;
    }
    if (attempt_step(it, to)) {
        return true;
    }
    if (ph_attempt_move(it->attempt->status, PH_ATTEMPT_UNKNOWN, PH_BY_PROVED)
            != PH_MOVE_OK
        || ph_attempt_move(PH_ATTEMPT_UNKNOWN, to, PH_BY_PROVED) != PH_MOVE_OK)
    {
        return false;
    }
    return attempt_step(it, PH_ATTEMPT_UNKNOWN) && attempt_step(it, to);
}

static bool
payment_to(struct judging *it, enum ph_payment_state to, struct ph_str event)
{
    struct wk_payment *payment = it->payment;

    if (ph_payment_move(payment->status, to, PH_BY_PROVED) != PH_MOVE_OK) {
        return false;
    }
    payment->status            = to;
    payment->proof_source      = wk_source_text(it->evidence->source);
    payment->proof_digest      = it->evidence->digest;
    it->verdict->payment_moved = true;
    it->verdict->event         = event;
    payment_mark(it, to);
    return true;
}

/* ---- errors ---- */

static enum ph_error
error_of(const struct judging *it)
{
    if (it->evidence->config_error != PH_ERROR_NONE) {
        return it->evidence->config_error;
    }
    switch (it->result->class) {
    case PH_RESULT_FAILED:
        return PH_ERROR_DECLINED;
    case PH_RESULT_NOT_SENT:
    case PH_RESULT_NOT_FOUND:
        return PH_ERROR_NOT_SENT;
    case PH_RESULT_UNKNOWN:
    case PH_RESULT_SUCCEEDED:
    case PH_RESULT_WAIT_USER:
    case PH_RESULT_CLOSED:
        break;
    }
    return PH_ERROR_CHANNEL_UNKNOWN;
}

static void
attempt_error(struct judging *it, enum ph_error error)
{
    const struct ph_error_info *info    = ph_error_info(error);
    struct wk_attempt          *attempt = it->attempt;
    struct ph_str               message = it->result->message;

    attempt->error_code = info->code;
    attempt->error_message
        = wk_text_cut(message.len != 0 ? message : info->title, 255);
    attempt->channel_code = wk_text_cut(it->result->channel_code, 63);
    attempt->error_class  = wk_text_cut(it->result->error_class, 32);
}

static void
attempt_error_clear(struct judging *it)
{
    it->attempt->error_code    = ph_str_make(NULL, 0);
    it->attempt->error_message = ph_str_make(NULL, 0);
    it->attempt->channel_code  = ph_str_make(NULL, 0);
    it->attempt->error_class   = ph_str_make(NULL, 0);
}

static void
payment_error_from_attempt(struct judging *it)
{
    it->payment->error_code    = it->attempt->error_code;
    it->payment->error_message = it->attempt->error_message;
    it->payment->channel_code  = it->attempt->channel_code;
    it->payment->error_class   = it->attempt->error_class;
}

/* ---- classes ---- */

static bool
differs(struct ph_str told, struct ph_str expected)
{
    return told.len != 0 && expected.len != 0 && !ph_str_eq(told, expected);
}

bool
wk_tells_another_account(const struct ph_channel_result   *result,
                         const struct ph_channel_expected *expected)
{
    return differs(result->seller, expected->seller)
           || differs(result->app, expected->app);
}

/* An end that names another order ends ours as little as a success pays it. */
static bool
tells_another_payment(const struct judging *it)
{
    const struct ph_channel_result *result  = it->result;
    const struct wk_attempt        *attempt = it->attempt;

    if (result->class == PH_RESULT_UNKNOWN
        || result->class == PH_RESULT_NOT_SENT) {
        return false;
    }
    return (result->number.len != 0 && !ph_str_eq(result->number, attempt->id))
           || (result->amount >= 0 && result->amount != attempt->amount)
           || (result->currency.len != 0
               && !ph_str_eq(result->currency, attempt->currency))
           || wk_tells_another_account(result, &it->evidence->expected)
           || it->evidence->trade_is_taken;
}

static void
judge_conflict(struct judging *it)
{
    it->verdict->is_conflict = true;
    if (!payment_to(it, PH_PAYMENT_CONFLICT, PH_STR("payment.conflict"))) {
        return; /* paid stays paid; conflict is already there */
    }
    attempt_error(it, PH_ERROR_CHANNEL_CONFLICT);
    it->attempt->error_message
        = PH_STR("the channel told another number, amount, currency, seller "
                 "or app");
    it->attempt->error_class = PH_STR("conflict");
    payment_error_from_attempt(it);
    wk_mark_once(&it->attempt->conflict_at_ms, it->rules->now_ms);
    it->verdict->attempt_moved = true;
    (void) attempt_step(it, PH_ATTEMPT_UNKNOWN);
}

/* A number that no column holds would have the record of the money refused. */
static void
trade_keep(struct judging *it)
{
    struct ph_str trade_no = it->result->trade_no;

    if (trade_no.len == 0 || !wk_number_is_plain(trade_no)
        || ph_str_eq(trade_no, it->attempt->channel_trade_no))
    {
        return;
    }
    it->attempt->channel_trade_no = trade_no;
    it->verdict->attempt_moved    = true;
}

static bool
payment_is_paid(const struct wk_payment *payment)
{
    return payment->status == PH_PAYMENT_PAID
           || payment->status == PH_PAYMENT_PAID_LATE;
}

/* What a person has called paid has no success that paid it. */
static bool
is_paid_by_another(const struct judging *it)
{
    for (size_t i = 0; i < it->order->attempt_count; i++) {
        const struct wk_attempt *other = &it->order->attempt[i];

        if (other != it->attempt && other->status == PH_ATTEMPT_SUCCEEDED) {
            return payment_is_paid(it->payment);
        }
    }
    return false;
}

/* What the channel says went back is owed no more. */
static void
refund_owe(struct judging *it, const char *kind)
{
    const int64_t back = it->result->refunded_total;
    const int64_t owed = it->attempt->amount - (back > 0 ? back : 0);

    if (owed > 0) {
        it->verdict->refund_kind   = kind;
        it->verdict->refund_amount = owed;
    }
}

static void
judge_duplicate(struct judging *it)
{
    if (attempt_step(it, PH_ATTEMPT_DUPLICATE)) {
        refund_owe(it, WK_REFUND_DUPLICATE);
    }
}

static void
judge_succeeded(struct judging *it)
{
    bool was_late = it->payment->status == PH_PAYMENT_FAILED
                    || it->payment->status == PH_PAYMENT_CLOSED;
    bool is_second = is_paid_by_another(it);

    if (!attempt_to(it, PH_ATTEMPT_SUCCEEDED)) {
        return;
    }
    trade_keep(it);
    attempt_prove(it);
    attempt_error_clear(it);
    it->verdict->records_trade = it->attempt->channel_trade_no.len != 0;
    if (is_second) {
        judge_duplicate(it);
        return;
    }
    if (was_late
            ? payment_to(it, PH_PAYMENT_PAID_LATE, PH_STR("payment.paid_late"))
            : payment_to(it, PH_PAYMENT_PAID, PH_STR("payment.paid")))
    {
        it->payment->channel          = it->attempt->channel;
        it->payment->account_id       = it->attempt->account_id;
        it->payment->channel_trade_no = it->attempt->channel_trade_no;
        payment_error_from_attempt(it);
        if (was_late && it->rules->refunds_late) {
            refund_owe(it, WK_REFUND_LATE);
        }
    }
}

static bool
order_is_proved(const struct wk_order *order)
{
    for (size_t i = 0; i < order->attempt_count; i++) {
        if (!ph_attempt_is_proved(order->attempt[i].status)) {
            return false;
        }
    }
    return true;
}

/* A list that was made before somebody else added to the order is not used. */
static bool
next_may_begin(const struct judging *it)
{
    const struct wk_next_attempt *next = it->evidence->next;

    return next != NULL && it->evidence->source == WK_SOURCE_ANSWER
           && it->result->class == PH_RESULT_NOT_SENT
           && !ph_payment_is_final(it->payment->status)
           && it->order->attempt_count == next->count
           && next->count < WK_ATTEMPTS_MAX;
}

static void
next_begin(struct judging *it)
{
    const struct wk_next_attempt *next = it->evidence->next;
    struct wk_attempt *added = &it->order->attempt[it->order->attempt_count++];

    *added                     = next->attempt;
    added->fence               = it->evidence->fence;
    added->created_at_ms       = it->rules->now_ms;
    added->sent_at_ms          = it->rules->now_ms;
    it->payment->attempt_ids   = next->attempt_ids;
    it->payment->channel       = added->channel;
    it->payment->account_id    = added->account_id;
    it->verdict->payment_moved = true;
    it->verdict->attempt_added = true;
}

static void
judge_ended(struct judging *it, enum ph_attempt_state to)
{
    if (!attempt_to(it, to)) {
        return;
    }
    attempt_prove(it);
    if (to == PH_ATTEMPT_FAILED) {
        attempt_error(it, error_of(it));
    } else {
        attempt_error_clear(it);
    }
    if (!order_is_proved(it->order)) {
        return;
    }
    if (next_may_begin(it)) {
        next_begin(it);
        return;
    }
    bool has_moved
        = to == PH_ATTEMPT_FAILED
              ? payment_to(it, PH_PAYMENT_FAILED, PH_STR("payment.failed"))
              : payment_to(it, PH_PAYMENT_CLOSED, PH_STR("payment.closed"));
    if (has_moved) {
        payment_error_from_attempt(it);
    }
}

static int64_t
look_in_ms(const struct judging *it, int64_t usual_ms)
{
    return it->result->is_hint ? LOOK_AT_ONCE_MS : usual_ms;
}

/* The create that is on its way tells more, also that nothing came of it. */
static bool
is_hint_of_sent(const struct judging *it)
{
    return it->result->is_hint && it->attempt->status == PH_ATTEMPT_SENT;
}

static void
judge_wait_user(struct judging *it)
{
    struct ph_str shown    = it->attempt->action_type;
    bool          is_first = shown.len == 0 || ph_str_eq(shown, PH_STR("none"));

    if (it->attempt->status == PH_ATTEMPT_CLOSING /* as if not yet asked */
        || is_hint_of_sent(it))
    {
        trade_keep(it);
        it->verdict->look_in_ms = look_in_ms(it, it->rules->unknown_first_ms);
        return;
    }
    if (!attempt_to(it, PH_ATTEMPT_WAIT_USER)
        && it->attempt->status != PH_ATTEMPT_WAIT_USER)
    {
        return;
    }
    trade_keep(it);
    if (it->verdict->attempt_moved) {
        attempt_error_clear(it);
    }
    if (is_first && it->result->action != PH_ACTION_NONE) {
        it->attempt->action_type   = wk_action_text(it->result->action);
        it->attempt->action_data   = it->result->action_data;
        it->verdict->attempt_moved = true;
    }
    it->verdict->look_in_ms = look_in_ms(it, it->rules->paying_first_ms);
}

static void
judge_unknown(struct judging *it)
{
    if (ph_attempt_is_proved(it->attempt->status)) {
        return;
    }
    /* Silence about what was known before changes nothing. */
    if (it->attempt->status == PH_ATTEMPT_SENT && !is_hint_of_sent(it)) {
        (void) attempt_step(it, PH_ATTEMPT_UNKNOWN);
        attempt_error(it, PH_ERROR_CHANNEL_UNKNOWN);
    }
    it->verdict->look_in_ms = look_in_ms(it, it->rules->unknown_first_ms);
}

static bool
was_shown(const struct wk_attempt *attempt)
{
    return attempt->status == PH_ATTEMPT_WAIT_USER
           || (attempt->action_type.len != 0
               && !ph_str_eq(attempt->action_type, PH_STR("none")));
}

/* What the payer was shown can be paid until it ends: it ages from then on. */
static bool
is_gone_for_good(const struct judging *it)
{
    uint64_t from_ms = it->attempt->sent_at_ms;
    uint64_t now_ms  = it->rules->now_ms;

    if (was_shown(it->attempt) && it->payment->expires_at_ms > from_ms) {
        from_ms = it->payment->expires_at_ms;
    }
    return it->attempt->not_found >= WK_NOT_FOUND_TELLINGS && now_ms > from_ms
           && now_ms - from_ms >= (uint64_t) it->rules->not_found_final_ms;
}

static void
judge_not_found(struct judging *it)
{
    if (it->evidence->source != WK_SOURCE_QUERY
        || ph_attempt_is_proved(it->attempt->status))
    {
        return;
    }
    if (it->evidence->is_end) { /* not the second query that proof takes */
        it->verdict->look_in_ms = it->rules->unknown_first_ms;
        return;
    }
    it->attempt->not_found++;
    it->verdict->attempt_moved = true;
    if (is_gone_for_good(it)) {
        judge_ended(it, was_shown(it->attempt) ? PH_ATTEMPT_CLOSED
                                               : PH_ATTEMPT_FAILED);
        return;
    }
    judge_unknown(it);
}

/* The answer to a create that was sent again proves what it shows, and nothing
 * when it refuses: the first one may have gone another way.  One that may have
 * arrived begins the tellings anew. */
static bool
judge_repeat(struct judging *it)
{
    switch (it->result->class) {
    case PH_RESULT_SUCCEEDED:
    case PH_RESULT_WAIT_USER:
    case PH_RESULT_CLOSED:
        return false;
    case PH_RESULT_FAILED:
    case PH_RESULT_NOT_FOUND:
    case PH_RESULT_NOT_SENT:
        break;
    case PH_RESULT_UNKNOWN:
        it->verdict->attempt_moved
            = it->verdict->attempt_moved || it->attempt->not_found != 0;
        it->attempt->not_found = 0;
        break;
    }
    it->verdict->look_in_ms = it->rules->unknown_first_ms;
    return true;
}

/* Whoever found the create without its answer wrote that down, and may then
 * have sent it again: a refusal that comes after that may be of the one because
 * of the other, and what did not leave us may have left somebody else. */
static bool
answer_is_doubtful(const struct judging *it)
{
    return it->evidence->source == WK_SOURCE_ANSWER
           && (it->result->class == PH_RESULT_FAILED
               || it->result->class == PH_RESULT_NOT_SENT)
           && it->attempt->status != PH_ATTEMPT_SENT
           && !wk_attempt_is_bar(it->attempt);
}

/* What crosses a reverse tells what was before it. */
static bool
may_go_back(const struct judging *it)
{
    return it->evidence->source != WK_SOURCE_QUERY
           && it->attempt->status == PH_ATTEMPT_CLOSING
           && wk_attempt_is_bar(it->attempt);
}

static void
judge_class(struct judging *it)
{
    if (it->evidence->is_repeat && judge_repeat(it)) {
        return;
    }
    if (answer_is_doubtful(it)) {
        judge_unknown(it);
        return;
    }
    switch (it->result->class) {
    case PH_RESULT_SUCCEEDED:
        if (may_go_back(it)) {
            it->verdict->look_in_ms = LOOK_AT_ONCE_MS;
        } else if (it->result->amount < 0) { /* of no amount: none */
            judge_unknown(it);
        } else {
            judge_succeeded(it);
        }
        return;
    case PH_RESULT_FAILED:
        judge_ended(it, PH_ATTEMPT_FAILED);
        return;
    case PH_RESULT_WAIT_USER:
        judge_wait_user(it);
        return;
    case PH_RESULT_CLOSED:
        judge_ended(it, PH_ATTEMPT_CLOSED);
        return;
    case PH_RESULT_NOT_FOUND:
        judge_not_found(it);
        return;
    case PH_RESULT_NOT_SENT:
        if (it->evidence->source == WK_SOURCE_ANSWER) {
            judge_ended(it, PH_ATTEMPT_FAILED);
        }
        return;
    case PH_RESULT_UNKNOWN:
        break;
    }
    judge_unknown(it);
}

/* The order stays at work: whoever is to close it may die. */
static void
judge_closing(struct judging *it)
{
    if (ph_payment_is_final(it->payment->status)
        && !payment_is_paid(it->payment)) {
        return;
    }
    (void) attempt_to(it, PH_ATTEMPT_CLOSING);
    it->verdict->look_in_ms = it->rules->unknown_first_ms;
}

/* Another attempt of a paid order is to be closed before it is paid, too. */
static void
rest_bring_forward(struct judging *it)
{
    if (it->verdict->payment_moved && payment_is_paid(it->payment)
        && !order_is_proved(it->order))
    {
        it->verdict->look_in_ms = it->rules->unknown_first_ms;
    }
}

void
wk_judge(struct wk_order *order, size_t which,
         const struct wk_evidence *evidence, const struct wk_judge_rules *rules,
         struct wk_verdict *verdict)
{
    struct judging it = { .payment  = &order->payment,
                          .attempt  = &order->attempt[which],
                          .order    = order,
                          .evidence = evidence,
                          .result   = evidence->result,
                          .rules    = rules,
                          .verdict  = verdict };

    *verdict = (struct wk_verdict){ 0 };
    if (evidence->source == WK_SOURCE_CLOSING) {
        judge_closing(&it);
    } else if (tells_another_payment(&it)) {
        judge_conflict(&it);
    } else {
        judge_class(&it);
    }
    rest_bring_forward(&it);
    if (evidence->state.ptr != NULL
        && !ph_str_eq(evidence->state, it.attempt->state))
    {
        it.attempt->state      = evidence->state;
        verdict->attempt_moved = true;
    }
    if (evidence->fence > it.attempt->fence) {
        it.attempt->fence = evidence->fence;
    }
    if (evidence->fence > it.payment->fence) {
        it.payment->fence = evidence->fence;
    }
    /* With several attempts the payment's ver is the order's: two settlers of
     * different attempts must not both believe the other one open. */
    verdict->payment_moved
        |= verdict->attempt_moved && order->attempt_count > 1;
}
