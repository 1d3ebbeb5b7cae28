/* One operation against adapters and channels that follow a script: what is
 * sent, what is refreshed, and what its end may claim. */
#include "t/unit/support.h"

#include <stdlib.h>

#include "libpayhub/io/daemon.h"
#include "worker/crash.h"
#include "worker/health.h"
#include "worker/random.h"
#include "worker/wire_log.h"

#define TURNS_MAX 12

/*
 * What happens, letter by letter.  Of the adapter: q asks for a request, r for
 * a refresh, s w n u f say DONE with a class, e is an ERROR.  Of a call: digits
 * answer 200, 401, 403; N did not leave, U did not come back, F found no room.
 * Of a refresh: + did, - did not.
 */
static struct {
    const char *adapter, *calls, *refreshes;
    unsigned    sent, refreshed, released, ended;
    unsigned    first_step; /* times that step 0 was asked for */
    uint64_t    timeout_ms;
    const struct ph_channel_account *seen;
    char                             state_seen;
} peer;

static struct wk_account fresh = { .face = { .id = PH_STR_INIT("fresh") } };

void
wk_random(void *out, size_t len)
{
    memset(out, 7, len);
}

void
wk_account_release(struct wk_account *account)
{
    peer.released += account == &fresh;
}

const char *
wk_op_word(enum ph_channel_op kind)
{
    return kind == PH_OP_CREATE ? "create" : "other";
}

void
wk_wire_call(const struct wk_op *op, const struct wk_call *call)
{
    (void) op, (void) call;
}

#ifdef PH_TESTING
void
wk_crash_point(const char *name)
{
    (void) name;
}
#endif

bool
wk_call_start(struct wk_calls *calls, struct wk_call *call)
{
    static const struct {
        char     letter;
        unsigned status;
    } answers[]       = { { '2', 200 }, { '1', 401 }, { '3', 403 } };
    const char letter = *peer.calls++;

    (void) calls;
    assert_int_not_equal(letter, 0);
    peer.timeout_ms = call->timeout_ms;
    if (letter == 'F') {
        return false;
    }
    call->outcome = letter == 'N' ? WK_CALL_NOT_SENT : WK_CALL_UNKNOWN;
    for (size_t i = 0; i < PH_COUNT(answers); i++) {
        if (letter == answers[i].letter) {
            call->outcome      = WK_CALL_ANSWERED;
            call->reply.status = answers[i].status;
            call->reply.body   = PH_STR("body");
        }
    }
    call->is_new_connection = peer.sent == 0;
    call->connect_us        = 11;
    call->first_byte_us     = 33 + peer.sent;
    peer.sent += letter != 'N';
    call->done(call);
    return true;
}

void
wk_refresh_start(struct wk_worker *worker, struct wk_refresh *refresh)
{
    const bool is_good = *peer.refreshes++ == '+';

    (void) worker;
    peer.refreshed++;
    refresh->fresh = is_good ? &fresh : NULL;
    refresh->done(refresh, is_good ? WK_REFRESHED : WK_REFRESH_FAILED);
}

static enum ph_channel_step
step(struct ph_channel_call *call, const struct ph_channel_reply *last,
     struct ph_channel_out *out)
{
    static const struct {
        char letter;
        enum ph_result_class class;
    } classes[]       = { { 's', PH_RESULT_SUCCEEDED },
                          { 'w', PH_RESULT_WAIT_USER },
                          { 'n', PH_RESULT_NOT_SENT },
                          { 'u', PH_RESULT_UNKNOWN },
                          { 'f', PH_RESULT_FAILED } };
    const char letter = *peer.adapter++;

    assert_true((last == NULL) == (call->step == 0));
    peer.first_step += call->step == 0;
    peer.seen           = call->account;
    peer.state_seen     = call->state_len != 0 ? (char) call->state[0] : '-';
    call->state[0]      = (uint8_t) letter;
    call->state_len     = 1;
    out->request.method = PH_STR("POST");
    out->result.number  = call->account->id;
    for (size_t i = 0; i < PH_COUNT(classes); i++) {
        if (letter == classes[i].letter) {
            out->result.class = classes[i].class;
            return PH_STEP_DONE;
        }
    }
    return letter == 'q'   ? PH_STEP_NEED_REQUEST
           : letter == 'r' ? PH_STEP_NEED_REFRESH
                           : PH_STEP_ERROR;
}

static void
on_done(struct wk_op *op)
{
    (void) op;
    peer.ended++;
}

static char            memory[8192];
static struct ph_arena arena;

static struct wk_op
run(enum ph_channel_op kind, const char *adapter, const char *calls,
    const char *refreshes, uint32_t deadline_ms)
{
    const struct ph_channel channel
        = { .name        = "peer",
            .step        = step,
            .deadline_ms = { [PH_OP_QUERY] = deadline_ms } };
    struct wk_account account
        = { .channel = &channel, .face = { .id = PH_STR("held") } };
    struct wk_worker     *worker = calloc(1, sizeof(*worker));
    static struct ph_conf conf;
    struct wk_op          op;

    (void) memset(&peer, 0, sizeof(peer));
    peer.adapter   = adapter;
    peer.calls     = calls;
    peer.refreshes = refreshes;
    ph_arena_init(&arena, memory, sizeof(memory));
    assert_non_null(worker);
    ph_conf_init(&conf);
    worker->conf = &conf;
    op           = (struct wk_op){ .worker  = worker,
                                   .account = &account,
                                   .kind    = kind,
                                   .arena   = &arena,
                                   .done    = on_done };
    wk_op_start(&op);
    op.account = NULL;
    free(worker);
    assert_int_equal(peer.ended, 1);
    return op;
}

#define C(class) PH_RESULT_##class
#define CREATE PH_OP_CREATE
#define QUERY PH_OP_QUERY
#define REFUND PH_OP_REFUND

/* clang-format off */
static const struct {
    enum ph_channel_op   kind;
    const char          *adapter, *calls, *refreshes;
    enum ph_result_class class;
    unsigned             sent, refreshed;
    bool                 is_uncalled, is_config;
} rows[] = {
    /* what was sent decides what may be claimed */
    { CREATE, "qs", "2", "", C(SUCCEEDED), 1, 0, false, false },
    { CREATE, "qn", "2", "", C(NOT_SENT), 1, 0, false, false },
    { CREATE, "qqn", "22", "", C(UNKNOWN), 2, 0, false, false },
    { CREATE, "q", "N", "", C(NOT_SENT), 0, 0, false, false },
    { CREATE, "qq", "2N", "", C(UNKNOWN), 1, 0, false, false },
    { CREATE, "q", "U", "", C(UNKNOWN), 1, 0, false, false },
    { CREATE, "q", "F", "", C(NOT_SENT), 0, 0, false, false },
    { CREATE, "qe", "2", "", C(UNKNOWN), 1, 0, false, false },
    { CREATE, "e", "", "", C(NOT_SENT), 0, 0, false, true },
    /* no call at all */
    { CREATE, "w", "", "", C(WAIT_USER), 0, 0, true, false },
    { CREATE, "rw", "", "+", C(WAIT_USER), 0, 1, true, false },
    /* a refresh before the first request */
    { CREATE, "rqs", "2", "+", C(SUCCEEDED), 1, 1, false, false },
    { CREATE, "r", "", "-", C(NOT_SENT), 0, 1, false, false },
    { CREATE, "rr", "", "+", C(NOT_SENT), 0, 1, false, false },
    { CREATE, "rqn", "2", "+", C(NOT_SENT), 1, 1, false, false },
    /* a 401 did nothing: begun anew, as if it had not been sent */
    { CREATE, "qrqs", "12", "+", C(SUCCEEDED), 2, 1, false, false },
    { CREATE, "qrqn", "12", "+", C(NOT_SENT), 2, 1, false, false },
    { CREATE, "qrq", "1N", "+", C(NOT_SENT), 1, 1, false, false },
    { CREATE, "qrq", "1U", "+", C(UNKNOWN), 2, 1, false, false },
    { CREATE, "qr", "1", "-", C(NOT_SENT), 1, 1, false, false },
    { CREATE, "qrqr", "11", "+", C(UNKNOWN), 2, 1, false, false },
    { REFUND, "qrqs", "12", "+", C(SUCCEEDED), 2, 1, false, false },
    /* the request before it may have done something */
    { CREATE, "qqrqn", "212", "+", C(UNKNOWN), 3, 1, false, false },
    { CREATE, "qqr", "21", "-", C(UNKNOWN), 2, 1, false, false },
    /* any other answer may hide a success: refreshed, and never sent again */
    { CREATE, "qr", "2", "+", C(UNKNOWN), 1, 1, false, false },
    { CREATE, "qr", "2", "-", C(UNKNOWN), 1, 1, false, false },
    { CREATE, "qr", "3", "+", C(UNKNOWN), 1, 1, false, false },
    { REFUND, "qr", "2", "+", C(UNKNOWN), 1, 1, false, false },
    { PH_OP_CLOSE, "qr", "2", "+", C(UNKNOWN), 1, 1, false, false },
    { PH_OP_REVERSE, "qr", "3", "+", C(UNKNOWN), 1, 1, false, false },
    /* a question may be asked again */
    { QUERY, "qrqs", "22", "+", C(SUCCEEDED), 2, 1, false, false },
    { QUERY, "qr", "2", "-", C(NOT_SENT), 1, 1, false, false },
    { PH_OP_REFUND_QUERY, "qrqw", "22", "+", C(WAIT_USER), 2, 1, false, false },
    { QUERY, "qrqr", "22", "+", C(UNKNOWN), 2, 1, false, false },
    /* what refreshes has nothing to refresh */
    { PH_OP_ACCOUNT_REFRESH, "r", "", "", C(NOT_SENT), 0, 0, false, false },
    { PH_OP_ACCOUNT_REFRESH, "qs", "2", "", C(SUCCEEDED), 1, 0, false, false },
    /* nobody steps for ever */
    { QUERY, "qqqqqqqqq", "222222222", "", C(UNKNOWN), 8, 0, false, false },
};
/* clang-format on */

static void
each_script_ends_as_it_may(void **unused)
{
    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        const struct wk_op op       = run(rows[i].kind, rows[i].adapter,
                                          rows[i].calls, rows[i].refreshes, 0);
        const bool         is_fresh = strchr(rows[i].refreshes, '+') != NULL;

        if (op.result.class != rows[i].class || peer.sent != rows[i].sent
            || peer.refreshed != rows[i].refreshed
            || op.is_uncalled != rows[i].is_uncalled
            || (op.config_error != PH_ERROR_NONE) != rows[i].is_config
            || peer.released != is_fresh)
        {
            fail_msg("row %zu \"%s\" \"%s\": class %d, %u sent, %u refreshed",
                     i, rows[i].adapter, rows[i].calls, (int) op.result.class,
                     peer.sent, peer.refreshed);
        }
    }
}

/* The adapter sees the refreshed account, and its own state; what the result
 * took from that account outlives it. */
static void
a_refresh_gives_the_new_account(void **unused)
{
    const struct wk_op op = run(CREATE, "rqs", "2", "+", 0);

    (void) unused;
    assert_ptr_equal(peer.seen, &fresh.face);
    assert_int_equal(peer.first_step, 2);
    assert_int_equal(peer.state_seen, 'q');
    t_same(op.result.number, PH_STR("fresh"));
    assert_true(op.result.number.ptr >= memory
                && op.result.number.ptr < memory + sizeof(memory));
}

static void
a_channel_has_its_own_deadlines(void **unused)
{
    (void) unused;
    (void) run(QUERY, "qw", "2", "", 5000);
    assert_int_equal(peer.timeout_ms, 5000);
    (void) run(QUERY, "qw", "2", "", 60000); /* never longer than ours */
    assert_int_equal(peer.timeout_ms, 10000);
    (void) run(CREATE, "qw", "2", "", 5000);
    assert_int_equal(peer.timeout_ms, 10000);
}

static void
the_digest_and_the_times_are_of_answers(void **unused)
{
    struct wk_op op = run(CREATE, "w", "", "", 0);

    (void) unused;
    assert_false(op.has_digest);
    assert_false(op.times.is_known);
    op = run(CREATE, "q", "U", "", 0);
    assert_false(op.has_digest);
    assert_false(op.times.is_known);
    op = run(CREATE, "qqw", "22", "", 0);
    assert_true(op.has_digest);
    assert_true(op.times.is_known && op.times.is_new_connection);
    assert_int_equal(op.times.connect_us, 11);
    assert_int_equal(op.times.first_byte_us, 33); /* of the first */
}

static struct ph_str
item_of(const char *adapter, const char *calls)
{
    static char       text[WK_HEALTH_ITEM];
    struct ph_buf     item = PH_BUF_INIT(text);
    struct wk_op      op   = run(CREATE, adapter, calls, "", 0);
    struct wk_account held = { .face = { .id = PH_STR("held") } };

    op.account    = &held;
    op.started_ns = ph_monotonic_ns();
    wk_health_item(&item, &op);
    return ph_buf_str(&item);
}

static void
an_item_tells_of_a_call_and_of_nothing_else(void **unused)
{
    (void) unused;
    t_same(item_of("qs", "2"), PH_STR("held:succeeded:0:11:-:33"));
    t_same(item_of("q", "U"), PH_STR("held:unknown:0"));
    t_same(item_of("q", "N"), PH_STR("held:not_sent:0"));
    t_same(item_of("e", ""), PH_STR("held:channel_error:0"));
    t_same(item_of("w", ""), PH_STR(""));  /* no call */
    t_same(item_of("q", "F"), PH_STR("")); /* our own lack */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_script_ends_as_it_may),
        cmocka_unit_test(a_refresh_gives_the_new_account),
        cmocka_unit_test(a_channel_has_its_own_deadlines),
        cmocka_unit_test(the_digest_and_the_times_are_of_answers),
        cmocka_unit_test(an_item_tells_of_a_call_and_of_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
