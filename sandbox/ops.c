/*
 * ops.c - pay, query, close, and the payer's own hand; refunds.c has the rest.
 *
 * The whole of an operation runs under the books' lock: arrival noted, order
 * judged, money moved, answer made.  /pay is idempotent by out_trade_no: the
 * same order again finds its charge, another order under the same number is
 * refused.
 */
#include "libpayhub/io/daemon.h"
#include "sandbox/ops_int.h"
#include "sandbox/text.h"

#define AUTH_CODE_MIN 6
#define AUTH_CODE_MAX 64
#define SUBJECT_MAX 128

enum sb_op
sb_op_find(const char *path)
{
    static const struct {
        const char *path;
        enum sb_op  op;
    } rows[] = {
        { "/pay", SB_OP_PAY },
        { "/query", SB_OP_QUERY },
        { "/close", SB_OP_CLOSE },
        { "/refund", SB_OP_REFUND },
        { "/refund_query", SB_OP_REFUND_QUERY },
        { "/_payer/pay", SB_OP_PAYER },
    };

    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        if (strcmp(rows[i].path, path) == 0) {
            return rows[i].op;
        }
    }
    return SB_OP_NONE;
}

/* --- answers -------------------------------------------------------------- */

void
ops_answer_code(struct sb_reply *reply, unsigned status, struct ph_str code)
{
    reply->status = status;
    ph_buf_cut(&reply->body, 0);
    ph_buf_add(&reply->body, PH_STR("{\"code\":"));
    ph_buf_json(&reply->body, code);
    ph_buf_byte(&reply->body, '}');
}

void
ops_member_text(struct ph_buf *buf, struct ph_str name, struct ph_str text)
{
    ph_buf_byte(buf, ',');
    ph_buf_json(buf, name);
    ph_buf_byte(buf, ':');
    ph_buf_json(buf, text);
}

void
ops_member_number(struct ph_buf *buf, struct ph_str name, int64_t value)
{
    ph_buf_byte(buf, ',');
    ph_buf_json(buf, name);
    ph_buf_byte(buf, ':');
    ph_buf_i64(buf, value);
}

/* A refusal of one order names it: the caller must know which one it ends. */
void
ops_answer_refusal(const struct sb_run *run, unsigned status,
                   struct ph_str code)
{
    struct ph_buf *body = &run->reply->body;

    ops_answer_code(run->reply, status, code);
    ph_buf_cut(body, body->len - 1);
    if (run->order.out_trade_no.len != 0) {
        ops_member_text(body, PH_STR("out_trade_no"), run->order.out_trade_no);
    }
    if (run->refund.out_refund_no.len != 0) {
        ops_member_text(body, PH_STR("out_refund_no"),
                        run->refund.out_refund_no);
    }
    ph_buf_byte(body, '}');
}

static void
answer_charge(struct sb_reply *reply, struct ph_str code,
              const struct sb_charge *charge, enum sb_status shown,
              int64_t amount)
{
    struct ph_buf *buf = &reply->body;
    char           text[SB_NUMBER_MAX + 32];
    struct ph_buf  value = PH_BUF_INIT(text);

    reply->status = 200;
    ph_buf_cut(buf, 0);
    ph_buf_add(buf, PH_STR("{\"code\":"));
    ph_buf_json(buf, code);
    ops_member_text(buf, PH_STR("out_trade_no"),
                    ph_str_z(charge->out_trade_no));
    sb_trade_no_add(&value, charge);
    ops_member_text(buf, PH_STR("trade_no"), ph_buf_str(&value));
    ops_member_number(buf, PH_STR("amount"), amount);
    ops_member_text(buf, PH_STR("currency"), ph_str_z(charge->currency));
    ops_member_text(buf, PH_STR("method"), ph_str_z(charge->method));
    ops_member_text(buf, PH_STR("status"), ph_str_z(sb_status_text(shown)));
    if (shown == SB_PAID) {
        ph_buf_cut(&value, 0);
        sb_time_add(&value, charge->paid_at_ms);
        ops_member_text(buf, PH_STR("paid_at"), ph_buf_str(&value));
        ops_member_number(buf, PH_STR("amount_refunded"), charge->refunded);
    }
    if (shown == SB_PENDING) {
        ph_buf_cut(&value, 0);
        ph_buf_add(&value, PH_STR("sandbox://pay/"));
        ph_buf_add(&value, ph_str_z(charge->out_trade_no));
        ops_member_text(buf, PH_STR("qr_code"), ph_buf_str(&value));
    }
    ph_buf_byte(buf, '}');
}

static void
answer_as_it_is(struct sb_reply *reply, const struct sb_charge *charge)
{
    answer_charge(reply, PH_STR("ok"), charge, charge->status, charge->amount);
}

/* --- reading a request ---------------------------------------------------- */

struct ph_str
ops_text_of(const json_t *root, const char *name)
{
    const json_t *value = json_object_get(root, name);

    return ph_str_make(json_string_value(value), json_string_length(value));
}

static bool
currency_is_good(struct ph_str text)
{
    return ph_currency_exponent(text) >= 0;
}

static bool
order_read(struct sb_run *run, const json_t *root)
{
    const json_t    *amount  = json_object_get(root, "amount");
    struct ph_str    expires = ops_text_of(root, "expires_at");
    struct sb_order *order   = &run->order;

    order->amount     = json_integer_value(amount); /* 0 when it is a real */
    order->currency   = ops_text_of(root, "currency");
    order->method     = ops_text_of(root, "method");
    order->notify_url = ops_text_of(root, "notify_url");
    run->auth_code    = ops_text_of(root, "auth_code");
    return order->amount >= 1 && order->amount <= PH_AMOUNT_MAX
           && currency_is_good(order->currency)
           && (ph_str_eq(order->method, PH_STR("sandbox_qr"))
               || ph_str_eq(order->method, PH_STR("sandbox_bar")))
           && ops_text_of(root, "subject").len != 0
           && ph_str_utf8_count(ops_text_of(root, "subject")) <= SUBJECT_MAX
           && order->notify_url.len <= SB_URL_MAX
           && !ph_str_has_control(order->notify_url)
           && (expires.ptr == NULL
               || sb_time_parse(expires, &order->expires_at_ms));
}

/* --- the operations, under the lock --------------------------------------- */

static bool
charge_shut(struct sb_run *run, struct sb_charge *charge)
{
    if (!sb_books_shut(run->world->books, charge, run->now_ms)) {
        return false;
    }
    if (sb_behaviour_of(charge->amount)->late_ms != 0) {
        sb_clock_late(run->world->clock, charge);
    }
    return true;
}

/* An order that nobody paid in time closes itself; we notice when asked. */
struct sb_charge *
ops_charge_find(struct sb_run *run)
{
    struct sb_charge *charge
        = sb_books_find(run->world->books, run->order.out_trade_no);

    if (charge != NULL && charge->status == SB_PENDING
        && charge->expires_at_ms != 0 && charge->expires_at_ms <= run->now_ms)
    {
        /* a full disk: it stays pending, which is what the books say */
        (void) charge_shut(run, charge);
    }
    return charge;
}

static enum sb_status
first_status(const struct sb_behaviour *how, const struct sb_order *order)
{
    switch (how->take) {
    case SB_TAKE_DECLINE:
        return SB_FAILED;
    case SB_TAKE_WAIT:
        return SB_PENDING;
    case SB_TAKE_AT_ONCE:
        return SB_PAID;
    case SB_TAKE_NORMAL:
    case SB_TAKE_NOTHING:
        break;
    }
    return ph_str_eq(order->method, PH_STR("sandbox_bar")) ? SB_PAID
                                                           : SB_PENDING;
}

static void
pay_again(struct sb_run *run, const struct sb_charge *charge)
{
    const struct sb_order *order = &run->order;

    if (charge->amount != order->amount
        || !ph_str_eq(ph_str_z(charge->currency), order->currency)
        || !ph_str_eq(ph_str_z(charge->method), order->method))
    {
        ops_answer_refusal(run, 409, PH_STR("number_reused"));
        return;
    }
    answer_as_it_is(run->reply, charge);
}

/* What the first /pay of a number is told, once the money is where it is. */
static void
pay_answer(struct sb_run *run, const struct sb_behaviour *how,
           const struct sb_charge *charge)
{
    struct sb_reply *reply = run->reply;

    reply->manner   = how->answer;
    reply->delay_ms = how->delay_ms;
    if (how->notice == SB_NOTICE_FIRST) {
        reply->until_told = charge;
        reply->delay_ms   = charge->notify_url != NULL ? how->delay_ms : 0;
    }
    switch (how->answer) {
    case SB_ANSWER_ERROR:
        ops_answer_code(reply, 500, PH_STR("system_error"));
        return;
    case SB_ANSWER_UNCLEAR:
        ops_answer_code(reply, 200, PH_STR("system_error"));
        return;
    case SB_ANSWER_MALFORMED:
        answer_as_it_is(reply, charge);
        ph_buf_cut(&reply->body, reply->body.len / 2);
        return;
    case SB_ANSWER_OTHER_AMOUNT:
        answer_charge(reply, PH_STR("ok"), charge, charge->status,
                      charge->amount + 1);
        return;
    case SB_ANSWER_PENDING:
        /* a bar code's answer is final, so only a QR's can be stale */
        answer_charge(reply, PH_STR("ok"), charge,
                      strcmp(charge->method, "sandbox_qr") == 0
                          ? SB_PENDING
                          : charge->status,
                      charge->amount);
        return;
    case SB_ANSWER_NORMAL:
    case SB_ANSWER_CLOSE:
    case SB_ANSWER_HANG:
    case SB_ANSWER_BAD_SIGNATURE:
    case SB_ANSWER_RATE_LIMITED:
        break;
    }
    answer_charge(
        reply, charge->status == SB_FAILED ? PH_STR("declined") : PH_STR("ok"),
        charge, charge->status, charge->amount);
}

static void
pay_nothing(struct sb_run *run, const struct sb_behaviour *how)
{
    run->reply->manner = how->answer;
    ops_answer_refusal(run, 429, PH_STR("rate_limited"));
}

static void
run_pay(struct sb_run *run)
{
    const struct sb_world     *world  = run->world;
    const struct sb_behaviour *how    = sb_behaviour_of(run->order.amount);
    struct sb_charge          *charge = ops_charge_find(run);

    if (charge != NULL) {
        pay_again(run, charge);
        return;
    }
    if (ph_str_eq(run->order.method, PH_STR("sandbox_bar"))
        && (run->auth_code.len < AUTH_CODE_MIN
            || !ph_str_is_token(run->auth_code, AUTH_CODE_MAX)))
    {
        ops_answer_refusal(run, 400, PH_STR("auth_code_invalid"));
        return;
    }
    if (how->take == SB_TAKE_NOTHING) {
        pay_nothing(run, how);
        return;
    }
    /* no place to hold the answer back: refuse before the money moves */
    if (how->delay_ms == 0 || sb_clock_can_park(world->clock)) {
        charge = sb_books_charge(world->books, &run->order,
                                 first_status(how, &run->order), run->now_ms);
    }
    if (charge == NULL) {
        ops_answer_refusal(run, 503, PH_STR("unavailable"));
        return;
    }
    if (charge->status == SB_PAID) {
        sb_clock_notice(world->clock, charge, run->now_ms);
    }
    pay_answer(run, how, charge);
}

static void
run_query(struct sb_run *run)
{
    const struct sb_charge *charge = ops_charge_find(run);

    if (charge == NULL) {
        ops_answer_refusal(run, 404, PH_STR("not_found"));
        return;
    }
    answer_as_it_is(run->reply, charge);
}

static void
run_close(struct sb_run *run)
{
    struct sb_charge *charge = ops_charge_find(run);

    if (charge == NULL) {
        ops_answer_refusal(run, 404, PH_STR("not_found"));
        return;
    }
    if (charge->status == SB_PENDING && !charge_shut(run, charge)) {
        ops_answer_refusal(run, 503, PH_STR("unavailable"));
        return;
    }
    answer_as_it_is(run->reply, charge);
}

static void
run_payer(struct sb_run *run)
{
    const struct sb_world *world  = run->world;
    struct sb_charge      *charge = ops_charge_find(run);

    if (charge == NULL) {
        ops_answer_refusal(run, 404, PH_STR("not_found"));
        return;
    }
    if (charge->status == SB_PENDING) {
        if (!sb_books_pay(world->books, charge, run->now_ms)) {
            ops_answer_refusal(run, 503, PH_STR("unavailable"));
            return;
        }
        sb_clock_notice(world->clock, charge, run->now_ms);
    }
    answer_as_it_is(run->reply, charge);
    if (charge->status != SB_PAID) {
        run->reply->status = 409;
    }
}

/* --- around them ---------------------------------------------------------- */

/* false = no room for one more call: nothing may happen unseen */
static bool
call_note(const struct sb_run *run, enum sb_op op, uint32_t connection)
{
    struct sb_reply *reply     = run->reply;
    struct ph_str    number    = run->order.out_trade_no;
    struct ph_str    refund_no = run->refund.out_refund_no;
    char             refund_z[SB_NUMBER_MAX + 1];
    struct sb_call   call = {
          .op         = op,
          .arrived    = true,
          .connection = connection,
          .at_ms      = ph_now_ms(),
    };

    if (number.len != 0) {
        memcpy(call.out_trade_no, number.ptr, number.len);
    }
    if (refund_no.len != 0) {
        memcpy(refund_z, refund_no.ptr, refund_no.len);
        refund_z[refund_no.len] = '\0';
        call.out_refund_no      = refund_z;
    }
    reply->has_call = sb_books_call(run->world->books, &call, &reply->call_no);
    if (!reply->has_call) {
        ops_answer_code(reply, 503, PH_STR("unavailable"));
    }
    return reply->has_call;
}

static void
run_dispatch(struct sb_run *run, enum sb_op op, bool is_readable)
{
    if (!is_readable) {
        ops_answer_refusal(run, 400, PH_STR("bad_request"));
        return;
    }
    switch (op) {
    case SB_OP_PAY:
        run_pay(run);
        break;
    case SB_OP_QUERY:
        run_query(run);
        break;
    case SB_OP_CLOSE:
        run_close(run);
        break;
    case SB_OP_PAYER:
        run_payer(run);
        break;
    case SB_OP_REFUND:
        refunds_run(run);
        break;
    case SB_OP_REFUND_QUERY:
        refunds_run_query(run);
        break;
    case SB_OP_NONE:
        ops_answer_refusal(run, 404, PH_STR("no_such_operation"));
        break;
    }
}

static void
reply_init(struct sb_reply *reply)
{
    reply->status     = 500;
    reply->manner     = SB_ANSWER_NORMAL;
    reply->delay_ms   = 0;
    reply->until_told = NULL;
    reply->has_call   = false;
    reply->call_no    = 0;
    ph_buf_init(&reply->body, reply->text, sizeof(reply->text));
}

/* {NULL, 0} when it is no number */
static struct ph_str
number_of(const json_t *root, const char *name)
{
    struct ph_str number = ops_text_of(root, name);

    return ph_str_is_token(number, SB_NUMBER_MAX) ? number
                                                  : ph_str_make(NULL, 0);
}

static bool
request_read(struct sb_run *run, enum sb_op op, const json_t *root)
{
    if (run->order.out_trade_no.len == 0) {
        return false;
    }
    switch (op) {
    case SB_OP_PAY:
        return order_read(run, root);
    case SB_OP_REFUND:
        return refunds_read(run, root);
    case SB_OP_REFUND_QUERY:
        return run->refund.out_refund_no.len != 0;
    case SB_OP_QUERY:
    case SB_OP_CLOSE:
    case SB_OP_PAYER:
    case SB_OP_NONE:
        break;
    }
    return true;
}

void
sb_op_run(const struct sb_world *world, enum sb_op op, struct ph_str body,
          uint32_t connection, struct sb_reply *reply)
{
    json_t *root = json_loadb(body.ptr, body.len, JSON_REJECT_DUPLICATES, NULL);
    struct sb_run run
        = { .world = world, .reply = reply, .now_ms = ph_now_ms() };

    reply_init(reply);
    run.order.out_trade_no = number_of(root, "out_trade_no");
    if (op == SB_OP_REFUND || op == SB_OP_REFUND_QUERY) {
        run.refund.out_refund_no = number_of(root, "out_refund_no");
    }
    sb_books_lock(world->books);
    if (call_note(&run, op, connection)) {
        run_dispatch(&run, op, request_read(&run, op, root));
    }
    sb_books_unlock(world->books);
    json_decref(root);
}

void
sb_op_refuse(const struct sb_world *world, enum sb_op op, uint32_t connection,
             unsigned status, struct ph_str code, struct sb_reply *reply)
{
    const struct sb_run run = { .world = world, .reply = reply };

    reply_init(reply);
    sb_books_lock(world->books);
    if (call_note(&run, op, connection)) {
        ops_answer_code(reply, status, code);
    }
    sb_books_unlock(world->books);
}
