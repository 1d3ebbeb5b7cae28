/*
 * states.c - the judge of all machines, read from the .def tables.
 *
 * A cell holds 1 + the least mover that may make the move; 0 = nobody may.
 */
#include "libpayhub/domain/states.h"

#include "libpayhub/base/buf.h"

#define TO(mover) (1 + (int) PH_BY_##mover)

static const uint8_t payment_moves[PH_PAYMENT_STATES * PH_PAYMENT_STATES] = {
#define MOVE(from, to, by)                                                     \
    [(size_t) PH_PAYMENT_##from * PH_PAYMENT_STATES + PH_PAYMENT_##to] = TO(by),
#include "libpayhub/domain/payment_states.def"
};

static const uint8_t attempt_moves[PH_ATTEMPT_STATES * PH_ATTEMPT_STATES] = {
#define MOVE(from, to, by)                                                     \
    [(size_t) PH_ATTEMPT_##from * PH_ATTEMPT_STATES + PH_ATTEMPT_##to] = TO(by),
#include "libpayhub/domain/attempt_states.def"
};

static const uint8_t refund_moves[PH_REFUND_STATES * PH_REFUND_STATES] = {
#define MOVE(from, to, by)                                                     \
    [(size_t) PH_REFUND_##from * PH_REFUND_STATES + PH_REFUND_##to] = TO(by),
#include "libpayhub/domain/refund_states.def"
};

static const char *const payment_texts[PH_PAYMENT_STATES] = {
    [PH_PAYMENT_NONE] = "none",
#define STATE(name, text) [PH_PAYMENT_##name] = (text),
#include "libpayhub/domain/payment_states.def"
};

static const char *const attempt_texts[PH_ATTEMPT_STATES] = {
    [PH_ATTEMPT_NONE] = "none",
#define STATE(name, text) [PH_ATTEMPT_##name] = (text),
#include "libpayhub/domain/attempt_states.def"
};

static const char *const refund_texts[PH_REFUND_STATES] = {
    [PH_REFUND_NONE] = "none",
#define STATE(name, text) [PH_REFUND_##name] = (text),
#include "libpayhub/domain/refund_states.def"
};

/* from and to are states of one machine of `count`; a row for each from */
static enum ph_move
state_judge(const uint8_t *moves, unsigned count, unsigned from, unsigned to,
            enum ph_mover by)
{
    if (from == 0 || from >= count || to == 0 || to >= count) {
        return PH_MOVE_DENIED;
    }
    if (from == to) {
        return PH_MOVE_SAME;
    }
    unsigned least = moves[from * count + to];
    return least != 0 && least <= 1 + (unsigned) by ? PH_MOVE_OK
                                                    : PH_MOVE_DENIED;
}

/* index of the text, 0 when there is none */
static unsigned
state_find(const char *const *texts, unsigned count, struct ph_str text)
{
    for (unsigned i = 1; i < count; i++) {
        if (ph_str_eq(ph_str_z(texts[i]), text)) {
            return i;
        }
    }
    return 0;
}

static void
state_sources(struct ph_buf *buf, const uint8_t *moves,
              const char *const *texts, unsigned count, unsigned to,
              enum ph_mover by)
{
    size_t mark = buf->len;

    for (unsigned from = 1; from < count; from++) {
        if (state_judge(moves, count, from, to, by) != PH_MOVE_OK) {
            continue;
        }
        ph_buf_add(buf, buf->len != mark ? PH_STR(",'") : PH_STR("'"));
        ph_buf_add(buf, ph_str_z(texts[from]));
        ph_buf_byte(buf, '\'');
    }
    if (buf->len == mark) {
        ph_buf_add(buf, PH_STR("''")); /* valid SQL that no row matches */
    }
}

enum ph_move
ph_payment_move(enum ph_payment_state from, enum ph_payment_state to,
                enum ph_mover by)
{
    return state_judge(payment_moves, PH_PAYMENT_STATES, (unsigned) from,
                       (unsigned) to, by);
}

enum ph_move
ph_attempt_move(enum ph_attempt_state from, enum ph_attempt_state to,
                enum ph_mover by)
{
    return state_judge(attempt_moves, PH_ATTEMPT_STATES, (unsigned) from,
                       (unsigned) to, by);
}

enum ph_move
ph_refund_move(enum ph_refund_state from, enum ph_refund_state to,
               enum ph_mover by)
{
    return state_judge(refund_moves, PH_REFUND_STATES, (unsigned) from,
                       (unsigned) to, by);
}

const char *
ph_payment_state_text(enum ph_payment_state state)
{
    return payment_texts[(unsigned) state < PH_PAYMENT_STATES ? state : 0];
}

enum ph_payment_state
ph_payment_state_of(struct ph_str text)
{
    return (enum ph_payment_state) state_find(payment_texts, PH_PAYMENT_STATES,
                                              text);
}

const char *
ph_attempt_state_text(enum ph_attempt_state state)
{
    return attempt_texts[(unsigned) state < PH_ATTEMPT_STATES ? state : 0];
}

enum ph_attempt_state
ph_attempt_state_of(struct ph_str text)
{
    return (enum ph_attempt_state) state_find(attempt_texts, PH_ATTEMPT_STATES,
                                              text);
}

const char *
ph_refund_state_text(enum ph_refund_state state)
{
    return refund_texts[(unsigned) state < PH_REFUND_STATES ? state : 0];
}

enum ph_refund_state
ph_refund_state_of(struct ph_str text)
{
    return (enum ph_refund_state) state_find(refund_texts, PH_REFUND_STATES,
                                             text);
}

bool
ph_attempt_is_proved(enum ph_attempt_state state)
{
    return state == PH_ATTEMPT_SUCCEEDED || state == PH_ATTEMPT_FAILED
           || state == PH_ATTEMPT_CLOSED || state == PH_ATTEMPT_DUPLICATE;
}

bool
ph_payment_is_final(enum ph_payment_state state)
{
    return state == PH_PAYMENT_PAID || state == PH_PAYMENT_PAID_LATE
           || state == PH_PAYMENT_FAILED || state == PH_PAYMENT_CLOSED
           || state == PH_PAYMENT_CONFLICT;
}

bool
ph_refund_is_final(enum ph_refund_state state)
{
    return state == PH_REFUND_SUCCEEDED || state == PH_REFUND_FAILED;
}

void
ph_payment_sources(struct ph_buf *buf, enum ph_payment_state to,
                   enum ph_mover by)
{
    state_sources(buf, payment_moves, payment_texts, PH_PAYMENT_STATES,
                  (unsigned) to, by);
}

void
ph_attempt_sources(struct ph_buf *buf, enum ph_attempt_state to,
                   enum ph_mover by)
{
    state_sources(buf, attempt_moves, attempt_texts, PH_ATTEMPT_STATES,
                  (unsigned) to, by);
}

void
ph_refund_sources(struct ph_buf *buf, enum ph_refund_state to, enum ph_mover by)
{
    state_sources(buf, refund_moves, refund_texts, PH_REFUND_STATES,
                  (unsigned) to, by);
}
