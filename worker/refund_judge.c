/* refund_judge.c - see refund_judge.h. */
#include "worker/refund_judge.h"

#include "worker/refund_auto.h"

#define MESSAGE_MAX 255
#define CHANNEL_CODE_MAX 63
#define ERROR_CLASS_MAX 32
#define LOOK_AT_ONCE_MS 1 /* 0 would be no look at all */
#define PARTS_MAX 12      /* refunds of ours that a sum may be made of: 2^12 */

struct judging {
    struct wk_refund               *refund;
    struct wk_payment              *payment;
    const struct wk_evidence       *evidence;
    const struct ph_channel_result *result;
    const struct wk_judge_rules    *rules;
    struct wk_refund_verdict       *verdict;
};

enum wk_refund_leave
wk_refund_leave(const struct wk_payment *payment, int64_t amount)
{
    if (payment->status != PH_PAYMENT_PAID
        && payment->status != PH_PAYMENT_PAID_LATE)
    {
        return WK_REFUND_LEAVE_STATE;
    }
    /* Amounts are at most 10^15 and sums of few: nothing overflows. */
    return amount <= payment->amount - payment->amount_refunded
                         - payment->amount_refunding
               ? WK_REFUND_LEAVE_OK
               : WK_REFUND_LEAVE_OVER;
}

/* ---- rows ---- */

static void
error_set(struct judging *it, enum ph_error error)
{
    const struct ph_error_info *info    = ph_error_info(error);
    struct ph_str               message = it->result->message;
    struct wk_refund           *refund  = it->refund;

    refund->error_code = info->code;
    refund->error_message
        = wk_text_cut(message.len != 0 ? message : info->title, MESSAGE_MAX);
    refund->channel_code
        = wk_text_cut(it->result->channel_code, CHANNEL_CODE_MAX);
    refund->error_class = wk_text_cut(it->result->error_class, ERROR_CLASS_MAX);
    it->verdict->refund_moved = true;
}

static void
error_clear(struct wk_refund *refund)
{
    refund->error_code    = ph_str_make(NULL, 0);
    refund->error_message = ph_str_make(NULL, 0);
    refund->channel_code  = ph_str_make(NULL, 0);
    refund->error_class   = ph_str_make(NULL, 0);
}

static bool
refund_to(struct judging *it, enum ph_refund_state to)
{
    struct wk_refund *refund = it->refund;
    uint64_t          now_ms = it->rules->now_ms;

    if (ph_refund_move(refund->status, to, PH_BY_PROVED) != PH_MOVE_OK) {
        return false;
    }
    refund->status            = to;
    it->verdict->refund_moved = true;
    if (to == PH_REFUND_SUCCEEDED) {
        wk_mark_once(&refund->refunded_at_ms, now_ms);
    } else if (to == PH_REFUND_FAILED) {
        wk_mark_once(&refund->failed_at_ms, now_ms);
    } else if (to == PH_REFUND_UNKNOWN) {
        wk_mark_once(&refund->unknown_at_ms, now_ms);
    }
    if (ph_refund_is_final(to)) {
        refund->proof_source = wk_source_text(it->evidence->source);
        refund->proof_digest = it->evidence->digest;
    }
    return true;
}

/* A number that its ascii column cannot hold is left out. */
static void
number_keep(struct judging *it)
{
    struct ph_str number = it->result->trade_no;

    if (number.len != 0 && wk_number_is_plain(number)
        && !ph_str_eq(number, it->refund->channel_refund_no))
    {
        it->refund->channel_refund_no = number;
        it->verdict->refund_moved     = true;
    }
}

/* ---- sums ---- */

/* The refund of a second charge is no part of what the order was paid. */
static bool
counts(const struct judging *it)
{
    return !ph_str_eq(it->refund->kind, PH_STR(WK_REFUND_DUPLICATE));
}

static void
sum_add(struct wk_payment *payment, int64_t amount, uint64_t now_ms,
        struct wk_refund_verdict *verdict)
{
    payment->amount_refunded += amount;
    wk_mark_once(&payment->refunded_at_ms, now_ms);
    verdict->payment_moved = true;
    verdict->is_over = payment->amount_refunded + payment->amount_refunding
                       > payment->amount;
}

static void
sum_release(struct judging *it)
{
    it->payment->amount_refunding -= it->refund->amount;
    it->verdict->payment_moved = true;
}

/* What the channel says went back in sum, but for what we know or may still
 * find.  Told without the order's lock it may be older than our sums. */
static void
foreign_find(struct judging *it)
{
    const struct wk_payment *payment = it->payment;
    int64_t known = payment->amount_refunded + payment->amount_refunding;

    if (it->evidence->fence == 0 || !counts(it)
        || it->result->refunded_total <= known)
    {
        return;
    }
    it->verdict->foreign_amount = it->result->refunded_total - known;
    sum_add(it->payment, it->verdict->foreign_amount, it->rules->now_ms,
            it->verdict);
}

/* ---- classes ---- */

static bool
tells_another_refund(const struct judging *it)
{
    const struct ph_channel_result *result = it->result;
    const struct wk_refund         *refund = it->refund;

    if (result->class == PH_RESULT_UNKNOWN
        || result->class == PH_RESULT_NOT_SENT) {
        return false;
    }
    return (result->number.len != 0 && !ph_str_eq(result->number, refund->id))
           || (result->amount >= 0 && result->amount != refund->amount)
           || (result->currency.len != 0
               && !ph_str_eq(result->currency, refund->currency))
           || wk_tells_another_account(result, &it->evidence->expected);
}

static int64_t
look_in_ms(const struct judging *it)
{
    return it->result->is_hint ? LOOK_AT_ONCE_MS : it->rules->unknown_first_ms;
}

static void
judge_unknown(struct judging *it)
{
    if (ph_refund_is_final(it->refund->status)) {
        return;
    }
    if (refund_to(it, PH_REFUND_UNKNOWN)) {
        error_set(it, PH_ERROR_CHANNEL_UNKNOWN);
    }
    it->verdict->look_in_ms = look_in_ms(it);
}

static void
judge_succeeded(struct judging *it)
{
    bool was_failed = it->refund->status == PH_REFUND_FAILED;

    if (!refund_to(it, PH_REFUND_SUCCEEDED)) {
        return;
    }
    number_keep(it);
    error_clear(it->refund);
    it->verdict->event = PH_STR("refund.succeeded");
    if (!counts(it)) {
        return;
    }
    if (!was_failed) {
        sum_release(it);
    }
    sum_add(it->payment, it->refund->amount, it->rules->now_ms, it->verdict);
}

static void
judge_failed(struct judging *it, enum ph_error error)
{
    if (!refund_to(it, PH_REFUND_FAILED)) {
        /* back in the merchant's balance: no step of ours, a person's */
        it->verdict->is_conflict = it->refund->status == PH_REFUND_SUCCEEDED;
        return;
    }
    number_keep(it);
    error_set(it, error);
    it->verdict->event = PH_STR("refund.failed");
    if (counts(it)) {
        sum_release(it);
    }
}

/* The channel has it and works on it.  What a hint names is not yet known. */
static void
judge_accepted(struct judging *it)
{
    if (!ph_refund_is_final(it->refund->status)) {
        if (!it->result->is_hint) {
            number_keep(it);
        }
        it->verdict->look_in_ms = look_in_ms(it);
    }
}

static void
judge_not_found(struct judging *it)
{
    struct wk_refund *refund = it->refund;
    uint64_t          now_ms = it->rules->now_ms;

    if (it->evidence->source != WK_SOURCE_QUERY
        || ph_refund_is_final(refund->status))
    {
        judge_unknown(it);
        return;
    }
    refund->not_found++;
    it->verdict->refund_moved = true;
    it->verdict->may_repeat
        = refund->not_found >= WK_NOT_FOUND_TELLINGS
          && now_ms > refund->sent_at_ms
          && now_ms - refund->sent_at_ms
                 >= (uint64_t) it->rules->not_found_final_ms;
    judge_unknown(it);
}

/* Of the first call only, and only while nobody has asked about the refund:
 * after that the same number may have been sent again by another. */
static void
judge_not_sent(struct judging *it)
{
    struct wk_refund *refund = it->refund;
    enum ph_error     error  = it->evidence->config_error != PH_ERROR_NONE
                                   ? it->evidence->config_error
                                   : PH_ERROR_NOT_SENT;

    if (it->evidence->source != WK_SOURCE_ANSWER
        || refund->status != PH_REFUND_PROCESSING || refund->not_found != 0)
    {
        return;
    }
    if (ph_str_eq(refund->kind, PH_STR(WK_REFUND_MERCHANT))) {
        judge_failed(it, error);
    } else {
        error_set(it, error);
        it->verdict->look_in_ms = it->rules->unknown_first_ms;
    }
}

static void
judge_class(struct judging *it)
{
    switch (it->result->class) {
    case PH_RESULT_SUCCEEDED:
        if (it->result->amount < 0) { /* a success of no amount proves none */
            judge_unknown(it);
        } else {
            judge_succeeded(it);
        }
        return;
    case PH_RESULT_FAILED:
    case PH_RESULT_CLOSED: /* wechat's word for a refund that it gave up */
        judge_failed(it, PH_ERROR_DECLINED);
        return;
    case PH_RESULT_WAIT_USER:
        judge_accepted(it);
        return;
    case PH_RESULT_NOT_FOUND:
        judge_not_found(it);
        return;
    case PH_RESULT_NOT_SENT:
        judge_not_sent(it);
        return;
    case PH_RESULT_UNKNOWN:
        break;
    }
    judge_unknown(it);
}

void
wk_refund_judge(struct wk_refund *refund, struct wk_payment *payment,
                const struct wk_evidence    *evidence,
                const struct wk_judge_rules *rules,
                struct wk_refund_verdict    *verdict)
{
    struct judging it = { .refund   = refund,
                          .payment  = payment,
                          .evidence = evidence,
                          .result   = evidence->result,
                          .rules    = rules,
                          .verdict  = verdict };

    *verdict = (struct wk_refund_verdict){ 0 };
    if (tells_another_refund(&it)) {
        verdict->is_conflict = true;
        judge_unknown(&it);
    } else {
        judge_class(&it);
        foreign_find(&it);
    }
    if (evidence->state.ptr != NULL
        && !ph_str_eq(evidence->state, refund->state)) {
        refund->state         = evidence->state;
        verdict->refund_moved = true;
    }
    if (evidence->fence > refund->fence) {
        refund->fence = evidence->fence;
    }
    if (evidence->fence > payment->fence) {
        payment->fence = evidence->fence;
    }
}

/* ---- what a notice tells of a refund that is not ours ---- */

void
wk_refund_known_add(struct wk_refund_known *known, struct ph_str kind,
                    enum ph_refund_state status, int64_t amount)
{
    if (status == PH_REFUND_FAILED
        || ph_str_eq(kind, PH_STR(WK_REFUND_DUPLICATE))) {
        return; /* no part of what went back of the payment */
    }
    if (known->count == WK_REFUNDS_KNOWN_MAX) {
        known->is_whole = false;
        return;
    }
    known->refunds[known->count].amount = amount;
    known->refunds[known->count].is_foreign
        = ph_str_eq(kind, PH_STR(WK_REFUND_FOREIGN));
    known->refunds[known->count].is_open = !ph_refund_is_final(status);
    known->count++;
}

static bool
fits(const struct wk_attempt *attempt, const struct wk_evidence *evidence)
{
    const struct ph_channel_result *result = evidence->result;
    const int64_t                   told
        = result->amount >= 0 ? result->amount : result->refunded_total;

    return result->class == PH_RESULT_SUCCEEDED && told > 0
           && told <= attempt->amount
           && ph_str_eq(result->currency, attempt->currency)
           && !wk_tells_another_account(result, &evidence->expected);
}

static bool
is_paid(const struct wk_payment *payment, const struct wk_attempt *attempt)
{
    return attempt->status == PH_ATTEMPT_SUCCEEDED
           && (payment->status == PH_PAYMENT_PAID
               || payment->status == PH_PAYMENT_PAID_LATE);
}

/* Nobody refunds what was not paid: we shall hear of it, also of what has
 * ended unpaid here. */
static bool
is_before_paid(const struct wk_payment *payment,
               const struct wk_attempt *attempt)
{
    return attempt->status != PH_ATTEMPT_SUCCEEDED
           && attempt->status != PH_ATTEMPT_DUPLICATE
           && payment->status != PH_PAYMENT_CONFLICT;
}

/* The most that refunds of ours can be of `limit`. */
static int64_t
ours_at_most(const struct wk_refund_known *known, int64_t limit, bool with_open)
{
    int64_t part[PARTS_MAX], sum = 0, most = 0;
    size_t  count = 0;

    for (size_t i = 0; i < known->count; i++) {
        if (known->refunds[i].is_foreign
            || (known->refunds[i].is_open && !with_open)) {
            continue;
        }
        if (count < PARTS_MAX) {
            part[count] = known->refunds[i].amount;
        }
        count++;
        sum += known->refunds[i].amount;
    }
    if (sum <= limit || count > PARTS_MAX) {
        return sum < limit ? sum : limit;
    }
    for (unsigned set = 0; set < 1u << count; set++) {
        sum = 0;
        for (size_t i = 0; i < count; i++) {
            sum += (set >> i & 1) != 0 ? part[i] : 0;
        }
        most = sum <= limit && sum > most ? sum : most;
    }
    return most;
}

/* What of the told sum cannot be ours, and is not counted yet. */
static int64_t
left_by_rows(const struct wk_refund_known   *known,
             const struct ph_channel_result *result, bool with_open)
{
    const int64_t own   = result->amount > 0 ? result->amount : 0;
    const int64_t total = result->refunded_total;
    int64_t       left  = own; /* a sum that does not hold it is none */

    if (total > own) {
        left = total - ours_at_most(known, total - own, with_open);
    }
    for (size_t i = 0; i < known->count; i++) {
        left -= known->refunds[i].is_foreign ? known->refunds[i].amount : 0;
    }
    return left < 0 ? 0 : left;
}

/* The same where nobody knows which refunds there are. */
static int64_t
left_by_sums(const struct wk_payment        *payment,
             const struct ph_channel_result *result)
{
    int64_t left = result->refunded_total - payment->amount_refunded;

    if (result->amount < 0) {
        left -= payment->amount_refunding;
        return left < 0 ? 0 : left;
    }
    return left < 0 ? 0 : left < result->amount ? left : result->amount;
}

static void
foreign_count(const struct wk_payment        *payment,
              const struct ph_channel_result *result,
              const struct wk_refund_known   *known,
              struct wk_refund_verdict       *verdict)
{
    if (result->refunded_total < 0) {
        verdict->foreign_amount = result->amount;
    } else if (known == NULL || !known->is_whole) {
        verdict->foreign_amount = left_by_sums(payment, result);
    } else {
        verdict->foreign_amount = left_by_rows(known, result, true);
        verdict->is_early = verdict->foreign_amount == 0 && result->amount < 0
                            && left_by_rows(known, result, false) != 0;
    }
}

void
wk_refund_judge_foreign(struct wk_payment            *payment,
                        const struct wk_attempt      *attempt,
                        const struct wk_evidence     *evidence,
                        const struct wk_refund_known *known, uint64_t now_ms,
                        struct wk_refund_verdict *verdict)
{
    *verdict = (struct wk_refund_verdict){ 0 };
    if (is_before_paid(payment, attempt)) {
        verdict->is_early
            = fits(attempt, evidence) || evidence->result->is_hint;
    } else if (is_paid(payment, attempt) && fits(attempt, evidence)) {
        foreign_count(payment, evidence->result, known, verdict);
    }
    if (verdict->foreign_amount != 0) {
        sum_add(payment, verdict->foreign_amount, now_ms, verdict);
    }
}
