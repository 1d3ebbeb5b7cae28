/*
 * test_states.c - every cell of both machines, for every mover.
 *
 * The moves are written here a second time, from the contract and not from the
 * .def tables: from > to, then who may.
 */
#include "t/unit/support.h"

#include "libpayhub/domain/states.h"

#define ANY PH_BY_ANY
#define PROVED PH_BY_PROVED
#define PERSON PH_BY_PERSON

struct row {
    const char   *from, *to;
    enum ph_mover by;
};

/* clang-format off */
static const struct row payment_rows[] = {
    { "created", "paying", ANY },     { "created", "paid", ANY },
    { "created", "failed", PROVED },  { "created", "closed", PROVED },
    { "created", "conflict", ANY },
    { "paying", "paid", ANY },        { "paying", "failed", PROVED },
    { "paying", "closed", PROVED },   { "paying", "conflict", ANY },
    { "failed", "paid_late", ANY },   { "failed", "conflict", ANY },
    { "closed", "paid_late", ANY },   { "closed", "conflict", ANY },
    { "conflict", "paid", PERSON },   { "conflict", "failed", PERSON },
    { "conflict", "closed", PERSON },
};

static const struct row attempt_rows[] = {
    { "new", "sent", ANY },             { "new", "failed", ANY },
    { "sent", "wait_user", ANY },       { "sent", "succeeded", ANY },
    { "sent", "failed", PROVED },       { "sent", "unknown", ANY },
    { "wait_user", "succeeded", ANY },  { "wait_user", "failed", PROVED },
    { "wait_user", "closing", ANY },    { "wait_user", "unknown", ANY },
    { "unknown", "wait_user", PROVED }, { "unknown", "succeeded", PROVED },
    { "unknown", "failed", PROVED },    { "unknown", "closing", PROVED },
    { "unknown", "closed", PROVED },
    { "closing", "closed", PROVED },    { "closing", "succeeded", ANY },
    { "closing", "unknown", ANY },
    { "failed", "succeeded", ANY },     { "closed", "succeeded", ANY },
    { "succeeded", "duplicate", ANY },
};

static const struct row refund_rows[] = {
    { "created", "processing", ANY },   { "created", "failed", ANY },
    { "processing", "succeeded", ANY }, { "processing", "failed", PROVED },
    { "processing", "unknown", ANY },
    { "unknown", "succeeded", PROVED }, { "unknown", "failed", PROVED },
    { "failed", "succeeded", PROVED },
};
/* clang-format on */

static enum ph_move
want_move(const struct row *rows, size_t count, const char *from,
          const char *to, enum ph_mover by)
{
    if (strcmp(from, to) == 0) {
        return PH_MOVE_SAME;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i].from, from) == 0 && strcmp(rows[i].to, to) == 0) {
            return by >= rows[i].by ? PH_MOVE_OK : PH_MOVE_DENIED;
        }
    }
    return PH_MOVE_DENIED;
}

static void
test_payment_cells(void **state)
{
    unsigned moves = 0;

    (void) state;
    for (unsigned from = 1; from < PH_PAYMENT_STATES; from++) {
        for (unsigned to = 1; to < PH_PAYMENT_STATES; to++) {
            for (unsigned by = PH_BY_ANY; by <= PH_BY_PERSON; by++) {
                enum ph_payment_state a = (enum ph_payment_state) from;
                enum ph_payment_state b = (enum ph_payment_state) to;
                enum ph_move got = ph_payment_move(a, b, (enum ph_mover) by);

                assert_int_equal(got,
                                 want_move(payment_rows, PH_COUNT(payment_rows),
                                           ph_payment_state_text(a),
                                           ph_payment_state_text(b),
                                           (enum ph_mover) by));
                moves += by == PH_BY_PERSON && got == PH_MOVE_OK;
            }
        }
    }
    assert_int_equal(moves, PH_COUNT(payment_rows));
}

static void
test_attempt_cells(void **state)
{
    unsigned moves = 0;

    (void) state;
    for (unsigned from = 1; from < PH_ATTEMPT_STATES; from++) {
        for (unsigned to = 1; to < PH_ATTEMPT_STATES; to++) {
            for (unsigned by = PH_BY_ANY; by <= PH_BY_PERSON; by++) {
                enum ph_attempt_state a = (enum ph_attempt_state) from;
                enum ph_attempt_state b = (enum ph_attempt_state) to;
                enum ph_move got = ph_attempt_move(a, b, (enum ph_mover) by);

                assert_int_equal(got,
                                 want_move(attempt_rows, PH_COUNT(attempt_rows),
                                           ph_attempt_state_text(a),
                                           ph_attempt_state_text(b),
                                           (enum ph_mover) by));
                moves += by == PH_BY_PERSON && got == PH_MOVE_OK;
            }
        }
    }
    assert_int_equal(moves, PH_COUNT(attempt_rows));
}

static void
test_refund_cells(void **state)
{
    unsigned moves = 0;

    (void) state;
    for (unsigned from = 1; from < PH_REFUND_STATES; from++) {
        for (unsigned to = 1; to < PH_REFUND_STATES; to++) {
            for (unsigned by = PH_BY_ANY; by <= PH_BY_PERSON; by++) {
                enum ph_refund_state a = (enum ph_refund_state) from;
                enum ph_refund_state b = (enum ph_refund_state) to;
                enum ph_move got = ph_refund_move(a, b, (enum ph_mover) by);

                assert_int_equal(got,
                                 want_move(refund_rows, PH_COUNT(refund_rows),
                                           ph_refund_state_text(a),
                                           ph_refund_state_text(b),
                                           (enum ph_mover) by));
                moves += by == PH_BY_PERSON && got == PH_MOVE_OK;
            }
        }
    }
    assert_int_equal(moves, PH_COUNT(refund_rows));
}

/* NONE and what lies outside the enum are no states, not even to themselves */
static void
test_no_state(void **state)
{
    static const unsigned odd[] = { 0, PH_PAYMENT_STATES, 99, 0xffffffffu };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(odd); i++) {
        enum ph_payment_state payment = (enum ph_payment_state) odd[i];
        enum ph_attempt_state attempt = (enum ph_attempt_state) odd[i];

        assert_int_equal(ph_payment_move(payment, payment, PERSON),
                         PH_MOVE_DENIED);
        assert_int_equal(ph_payment_move(payment, PH_PAYMENT_PAID, PERSON),
                         PH_MOVE_DENIED);
        assert_int_equal(ph_payment_move(PH_PAYMENT_CREATED, payment, PERSON),
                         PH_MOVE_DENIED);
        assert_string_equal(ph_payment_state_text(payment), "none");
        assert_false(ph_payment_is_final(payment));
        if (odd[i] != PH_PAYMENT_STATES) { /* a state of the other machine */
            assert_int_equal(ph_attempt_move(attempt, attempt, PERSON),
                             PH_MOVE_DENIED);
            assert_string_equal(ph_attempt_state_text(attempt), "none");
            assert_false(ph_attempt_is_proved(attempt));
        }
    }
}

static void
test_texts(void **state)
{
    (void) state;
    for (unsigned i = 1; i < PH_PAYMENT_STATES; i++) {
        const char *text = ph_payment_state_text((enum ph_payment_state) i);

        assert_int_equal(ph_payment_state_of(ph_str_z(text)), i);
    }
    for (unsigned i = 1; i < PH_ATTEMPT_STATES; i++) {
        const char *text = ph_attempt_state_text((enum ph_attempt_state) i);

        assert_int_equal(ph_attempt_state_of(ph_str_z(text)), i);
    }
    assert_int_equal(ph_payment_state_of(PH_STR("none")), PH_PAYMENT_NONE);
    assert_int_equal(ph_payment_state_of(PH_STR("PAID")), PH_PAYMENT_NONE);
    assert_int_equal(ph_payment_state_of(PH_STR("pai")), PH_PAYMENT_NONE);
    assert_int_equal(ph_payment_state_of(PH_STR("")), PH_PAYMENT_NONE);
    assert_int_equal(ph_attempt_state_of(ph_str_make(NULL, 0)),
                     PH_ATTEMPT_NONE);
}

static void
test_rest(void **state)
{
    static const char *const final[]
        = { "paid", "paid_late", "failed", "closed", "conflict" };
    static const char *const proved[]
        = { "succeeded", "failed", "closed", "duplicate" };
    unsigned finals = 0, proofs = 0;

    (void) state;
    for (size_t i = 0; i < PH_COUNT(final); i++) {
        assert_true(
            ph_payment_is_final(ph_payment_state_of(ph_str_z(final[i]))));
    }
    for (size_t i = 0; i < PH_COUNT(proved); i++) {
        assert_true(
            ph_attempt_is_proved(ph_attempt_state_of(ph_str_z(proved[i]))));
    }
    for (unsigned i = 0; i < PH_PAYMENT_STATES; i++) {
        finals += ph_payment_is_final((enum ph_payment_state) i);
    }
    for (unsigned i = 0; i < PH_ATTEMPT_STATES; i++) {
        proofs += ph_attempt_is_proved((enum ph_attempt_state) i);
    }
    assert_int_equal(finals, PH_COUNT(final));
    assert_int_equal(proofs, PH_COUNT(proved));
}

static void
test_sources(void **state)
{
    static const struct {
        enum ph_payment_state to;
        enum ph_mover         by;
        struct ph_str         want;
    } rows[] = {
        { PH_PAYMENT_PAYING, PH_BY_ANY, PH_STR_INIT("'created'") },
        { PH_PAYMENT_PAID, PH_BY_ANY, PH_STR_INIT("'created','paying'") },
        { PH_PAYMENT_PAID, PH_BY_PERSON,
          PH_STR_INIT("'created','paying','conflict'") },
        { PH_PAYMENT_FAILED, PH_BY_ANY, PH_STR_INIT("''") },
        { PH_PAYMENT_FAILED, PH_BY_PROVED, PH_STR_INIT("'created','paying'") },
        { PH_PAYMENT_CREATED, PH_BY_PERSON, PH_STR_INIT("''") },
        { PH_PAYMENT_NONE, PH_BY_PERSON, PH_STR_INIT("''") },
    };
    char          memory[256];
    struct ph_buf buf = PH_BUF_INIT(memory);

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        ph_buf_cut(&buf, 0);
        ph_payment_sources(&buf, rows[i].to, rows[i].by);
        t_same(ph_buf_str(&buf), rows[i].want);
    }
    ph_buf_cut(&buf, 0);
    ph_buf_add(&buf, PH_STR("IN ("));
    ph_attempt_sources(&buf, PH_ATTEMPT_CLOSED, PH_BY_PROVED);
    t_same(ph_buf_str(&buf), PH_STR("IN ('unknown','closing'"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_payment_cells),
        cmocka_unit_test(test_attempt_cells),
        cmocka_unit_test(test_refund_cells),
        cmocka_unit_test(test_no_state),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_rest),
        cmocka_unit_test(test_sources),
    };

    return cmocka_run_group_tests_name("states", tests, NULL, NULL);
}
