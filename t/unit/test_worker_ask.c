/* What is asked of a channel about one attempt, and in which order: the ask
 * with the real judge, and calls and commits that end at once. */
#include "t/unit/support.h"

#include <stdlib.h>

#include "libpayhub/io/daemon.h"
#include "worker/ask.h"
#include "worker/notify.h"
#include "worker/order_face.h"
#include "worker/schedule.h"

#define ATTEMPT "A00000000000000000000000001"
#define CALLS_MAX 8
#define KEPT "what the query left"
#define MARKED "a reverse began"

/* what the channel of a test answers, and what it was asked */
static struct {
    enum ph_result_class query, repeat, end;
    enum ph_channel_op   called[CALLS_MAX];
    size_t               count;
    char                 state_seen[PH_CHANNEL_STATE_MAX + 1];
    size_t               commits;
    size_t               commit_fails; /* the nth; 0 = none */
    uint32_t             reverse_after_ms;
    bool                 is_over;
    bool                 is_marked; /* before the reverse was called */
    size_t               overs;     /* calls that may take no money */
} peer;

static const struct wk_judge_rules rules = { .not_found_final_ms = 60000,
                                             .unknown_first_ms   = 1000,
                                             .paying_first_ms    = 5000,
                                             .now_ms             = 1000000 };

void
wk_op_start(struct wk_op *op)
{
    enum ph_result_class class = op->kind == PH_OP_QUERY    ? peer.query
                                 : op->kind == PH_OP_CREATE ? peer.repeat
                                                            : peer.end;

    assert_true(peer.count < CALLS_MAX);
    assert_true(op->kind != PH_OP_REVERSE || peer.is_marked);
    peer.called[peer.count++] = op->kind;
    peer.overs += op->order.is_over ? 1 : 0;
    (void) memcpy(peer.state_seen, op->state, op->state_len);
    peer.state_seen[op->state_len] = '\0';
    op->state_len                  = strlen(KEPT);
    (void) memcpy(op->state, KEPT, op->state_len);
    op->result = (struct ph_channel_result){ .class    = class,
                                             .number   = PH_STR(ATTEMPT),
                                             .amount   = 1000,
                                             .currency = PH_STR("CNY") };
    op->done(op);
}

bool
wk_settle_start(struct wk_settle *settle)
{
    settle->store.outcome = ++peer.commits == peer.commit_fails
                                ? WK_STORE_UNKNOWN
                                : WK_STORE_DONE;
    settle->is_found      = true;
    if (settle->store.outcome == WK_STORE_DONE) {
        wk_judge(settle->order, 0, &settle->evidence, &rules, &settle->verdict);
    }
    if (settle->evidence.source == WK_SOURCE_CLOSING) {
        peer.is_marked
            = ph_str_eq(settle->order->attempt[0].state, PH_STR(MARKED));
    }
    settle->done(settle);
    return true;
}

/* An adapter that keeps that a reverse began. */
static enum ph_channel_step
peer_step(struct ph_channel_call *call, const struct ph_channel_reply *last,
          struct ph_channel_out *out)
{
    assert_true(call->op == PH_OP_REVERSE && last == NULL);
    assert_non_null(call->random);
    assert_true(call->now_ms != 0);
    (void) ph_arena_take(call->arena, 100); /* a request */
    (void) memcpy(call->state, MARKED, strlen(MARKED));
    call->state_len = strlen(MARKED);
    *out            = (struct ph_channel_out){ 0 };
    return PH_STEP_NEED_REQUEST;
}

bool
wk_notify_deliver(struct wk_notify               *notify,
                  const struct wk_delivery_order *order)
{
    (void) notify, (void) order;
    return true;
}

struct ph_channel_order
wk_order_face(const struct wk_worker *worker, const struct wk_payment *payment,
              const struct wk_attempt *attempt, struct ph_arena *arena)
{
    (void) worker, (void) payment, (void) arena;
    return (struct ph_channel_order){ .attempt_id = attempt->id };
}

static void
on_done(struct wk_ask *ask)
{
    assert_false(*(bool *) ask->data);
    *(bool *) ask->data = true;
}

static struct wk_order
order_of(enum ph_attempt_state status, const char *method)
{
    struct wk_order order = { .attempt_count = 1 };

    order.payment.status         = PH_PAYMENT_PAYING;
    order.payment.amount         = 1000;
    order.payment.currency       = PH_STR("CNY");
    order.attempt[0].id          = PH_STR(ATTEMPT);
    order.attempt[0].status      = status;
    order.attempt[0].method      = ph_str_z(method);
    order.attempt[0].amount      = 1000;
    order.attempt[0].currency    = PH_STR("CNY");
    order.attempt[0].action_type = PH_STR("none");
    order.attempt[0].sent_at_ms  = rules.now_ms;
    return order;
}

static struct wk_ask
ask_run(struct wk_order *order, unsigned caps, bool shall_end, bool may_repeat)
{
    const struct ph_channel channel
        = { .name             = "peer",
            .caps             = caps,
            .step             = peer_step,
            .reverse_after_ms = peer.reverse_after_ms };
    struct wk_account account = { .channel = &channel };
    struct wk_worker *worker  = calloc(1, sizeof(*worker));
    bool              is_done = false;
    static char       memory[4096];
    struct ph_arena   arena;
    struct wk_ask     ask = { .worker     = worker,
                              .is_over    = peer.is_over,
                              .account    = &account,
                              .order      = order,
                              .arena      = &arena,
                              .attempt_id = PH_STR(ATTEMPT),
                              .shall_end  = shall_end,
                              .may_repeat = may_repeat,
                              .done       = on_done,
                              .data       = &is_done };

    assert_non_null(worker);
    ph_arena_init(&arena, memory, sizeof(memory));
    wk_ask_start(&ask);
    assert_true(is_done);
    free(worker);
    return ask;
}

#define ALL (PH_CAP_QUERY | PH_CAP_CLOSE | PH_CAP_REVERSE | PH_CAP_REPEAT)
#define A(state) PH_ATTEMPT_##state
#define R(class) PH_RESULT_##class

/* clang-format off */
static const struct {
    enum ph_attempt_state from;
    const char           *method;
    unsigned              caps;
    bool                  shall_end, may_repeat;
    enum ph_result_class  query, repeat, end;
    enum ph_channel_op    calls[3]; /* after the query */
    enum ph_attempt_state to;
} rows[] = {
    /* nothing is due: asked and left */
    { A(UNKNOWN), "sandbox_qr", ALL, false, false, R(WAIT_USER), 0, 0, { 0 }, A(WAIT_USER) },
    { A(SENT), "sandbox_qr", ALL, false, false, R(NOT_FOUND), 0, 0, { 0 }, A(UNKNOWN) },
    /* a proof ends it */
    { A(WAIT_USER), "sandbox_qr", ALL, true, true, R(SUCCEEDED), 0, 0, { 0 }, A(SUCCEEDED) },
    { A(WAIT_USER), "sandbox_qr", ALL, true, true, R(FAILED), 0, 0, { 0 }, A(FAILED) },
    { A(WAIT_USER), "sandbox_qr", ALL, true, true, R(CLOSED), 0, 0, { 0 }, A(CLOSED) },
    /* a silent channel is not told to close, nor to create */
    { A(WAIT_USER), "sandbox_qr", ALL, true, false, R(UNKNOWN), 0, 0, { 0 }, A(WAIT_USER) },
    { A(UNKNOWN), "sandbox_qr", ALL, false, true, R(UNKNOWN), 0, 0, { 0 }, A(UNKNOWN) },
    { A(UNKNOWN), "sandbox_qr", ALL, true, false, R(NOT_SENT), 0, 0, { 0 }, A(UNKNOWN) },
    /* the end */
    { A(WAIT_USER), "sandbox_qr", ALL, true, false, R(WAIT_USER), 0, R(CLOSED), { PH_OP_CLOSE }, A(CLOSED) },
    { A(WAIT_USER), "sandbox_qr", ALL, true, false, R(WAIT_USER), 0, R(SUCCEEDED), { PH_OP_CLOSE }, A(SUCCEEDED) },
    { A(WAIT_USER), "sandbox_qr", ALL, true, false, R(WAIT_USER), 0, R(UNKNOWN), { PH_OP_CLOSE }, A(CLOSING) },
    { A(CLOSING), "sandbox_qr", ALL, true, false, R(WAIT_USER), 0, R(CLOSED), { PH_OP_CLOSE }, A(CLOSED) },
    { A(UNKNOWN), "sandbox_bar", ALL, true, false, R(WAIT_USER), 0, R(CLOSED), { PH_OP_REVERSE }, A(CLOSED) },
    { A(UNKNOWN), "sandbox_bar", PH_CAP_CLOSE, true, false, R(NOT_FOUND), 0, R(CLOSED), { PH_OP_CLOSE }, A(CLOSED) },
    { A(WAIT_USER), "sandbox_qr", PH_CAP_QUERY, true, false, R(WAIT_USER), 0, 0, { 0 }, A(WAIT_USER) },
    /* a code that nobody saw; never what takes money, never at the end */
    { A(UNKNOWN), "sandbox_qr", ALL, false, true, R(NOT_FOUND), R(WAIT_USER), 0, { PH_OP_CREATE }, A(WAIT_USER) },
    { A(UNKNOWN), "sandbox_qr", ALL, false, true, R(WAIT_USER), R(FAILED), 0, { PH_OP_CREATE }, A(WAIT_USER) },
    { A(UNKNOWN), "sandbox_qr", PH_CAP_QUERY, false, true, R(NOT_FOUND), 0, 0, { 0 }, A(UNKNOWN) },
    { A(UNKNOWN), "sandbox_bar", ALL, false, true, R(NOT_FOUND), 0, 0, { 0 }, A(UNKNOWN) },
    { A(UNKNOWN), "bar", ALL, false, true, R(NOT_FOUND), 0, 0, { 0 }, A(UNKNOWN) },
    { A(UNKNOWN), "sandbox_qr", ALL, true, true, R(NOT_FOUND), 0, R(CLOSED), { PH_OP_CLOSE }, A(CLOSED) },
};
/* clang-format on */

static void
each_row_calls_what_it_may(void **unused)
{
    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct wk_order order   = order_of(rows[i].from, rows[i].method);
        size_t          further = 0;

        (void) memset(&peer, 0, sizeof(peer));
        peer.query        = rows[i].query;
        peer.repeat       = rows[i].repeat;
        peer.end          = rows[i].end;
        struct wk_ask ask = ask_run(&order, rows[i].caps, rows[i].shall_end,
                                    rows[i].may_repeat);

        while (further < PH_COUNT(rows[i].calls) && rows[i].calls[further] != 0)
        {
            further++;
        }
        if (peer.count != further + 1 || peer.called[0] != PH_OP_QUERY
            || memcmp(peer.called + 1, rows[i].calls,
                      further * sizeof(peer.called[0]))
                   != 0
            || order.attempt[0].status != rows[i].to)
        {
            fail_msg("row %zu: %zu calls, %s", i, peer.count,
                     ph_attempt_state_text(order.attempt[0].status));
        }
        assert_true(ask.is_kept);
        assert_int_equal(ask.is_answered, (rows[i].query != R(UNKNOWN)
                                           && rows[i].query != R(NOT_SENT)));
    }
}

/* Nothing further is sent when it is not known what the rows say. */
static void
a_commit_in_doubt_ends_it(void **unused)
{
    (void) unused;
    for (size_t fails = 1; fails <= 3; fails++) {
        struct wk_order order = order_of(A(WAIT_USER), "sandbox_qr");

        (void) memset(&peer, 0, sizeof(peer));
        peer.query        = R(WAIT_USER);
        peer.end          = R(CLOSED);
        peer.commit_fails = fails; /* the query's, `closing`, the close's */
        struct wk_ask ask = ask_run(&order, ALL, true, false);

        assert_false(ask.is_kept);
        assert_int_equal(peer.count, fails == 3 ? 2 : 1);
    }
}

/* What an operation leaves in the adapter's bytes the next one finds. */
static void
the_adapters_state_goes_on(void **unused)
{
    static const struct {
        bool shall_end, may_repeat;
    } ways[] = { { true, false }, { false, true } };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(ways); i++) {
        struct wk_order order = order_of(A(UNKNOWN), "sandbox_qr");

        (void) memset(&peer, 0, sizeof(peer));
        peer.query  = R(NOT_FOUND);
        peer.repeat = R(WAIT_USER);
        peer.end    = R(CLOSED);
        (void) ask_run(&order, ALL, ways[i].shall_end, ways[i].may_repeat);
        assert_int_equal(peer.count, 2);
        assert_string_equal(peer.state_seen, KEPT);
    }
}

/* A merchant's close says so from its first question on. */
static void
whoever_closes_takes_no_money(void **unused)
{
    (void) unused;
    for (int is_over = 0; is_over < 2; is_over++) {
        struct wk_order order = order_of(A(WAIT_USER), "sandbox_qr");

        (void) memset(&peer, 0, sizeof(peer));
        peer.query   = R(WAIT_USER);
        peer.end     = R(CLOSED);
        peer.is_over = is_over != 0;
        (void) ask_run(&order, ALL, true, false);
        assert_int_equal(peer.count, 2);
        assert_int_equal(peer.overs, is_over != 0 ? 2 : 0);
    }
}

/* The intent stands in the rows; whoever looks when it is time carries it out.
 */
static void
a_bar_code_is_not_taken_back_too_soon(void **unused)
{
    static const struct {
        const char           *method;
        uint64_t              ago_ms;
        size_t                calls;
        enum ph_attempt_state to;
    } ages[] = { { "wechat_bar", 14000, 1, A(CLOSING) },
                 { "wechat_bar", 16000, 2, A(CLOSED) },
                 { "wechat_native", 14000, 2, A(CLOSED) } };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(ages); i++) {
        struct wk_order order = order_of(A(UNKNOWN), ages[i].method);

        (void) memset(&peer, 0, sizeof(peer));
        peer.query                  = R(WAIT_USER);
        peer.end                    = R(CLOSED);
        peer.reverse_after_ms       = 15000;
        order.attempt[0].sent_at_ms = ph_now_ms() - ages[i].ago_ms;
        (void) ask_run(&order, ALL, true, false);
        assert_int_equal(peer.count, ages[i].calls);
        assert_int_equal(order.attempt[0].status, ages[i].to);
        /* nothing left us yet: what is paid till then is paid */
        assert_int_equal(peer.is_marked,
                         ages[i].calls == 2 && ages[i].method[7] == 'b');
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_calls_what_it_may),
        cmocka_unit_test(a_commit_in_doubt_ends_it),
        cmocka_unit_test(the_adapters_state_goes_on),
        cmocka_unit_test(a_bar_code_is_not_taken_back_too_soon),
        cmocka_unit_test(whoever_closes_takes_no_money),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
