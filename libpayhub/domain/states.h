/*
 * states.h - the state machines and their one judge.
 *
 * The tables are {payment,attempt,refund}_states.def; SQL enums, API and
 * docs are compared with them by a test.  Zero is no state: a forgotten
 * assignment is refused, never taken for a state.
 */
#ifndef PH_DOMAIN_STATES_H
#define PH_DOMAIN_STATES_H

#include "libpayhub/base/str.h"

enum ph_payment_state {
    PH_PAYMENT_NONE = 0,
#define STATE(name, text) PH_PAYMENT_##name,
#include "libpayhub/domain/payment_states.def"
    PH_PAYMENT_STATES
};

enum ph_attempt_state {
    PH_ATTEMPT_NONE = 0,
#define STATE(name, text) PH_ATTEMPT_##name,
#include "libpayhub/domain/attempt_states.def"
    PH_ATTEMPT_STATES
};

enum ph_refund_state {
    PH_REFUND_NONE = 0,
#define STATE(name, text) PH_REFUND_##name,
#include "libpayhub/domain/refund_states.def"
    PH_REFUND_STATES
};

/* who moves; each may do what the ones before it may */
enum ph_mover {
    PH_BY_ANY,    /* an answer, a notice, a query */
    PH_BY_PROVED, /* with proof about every attempt concerned */
    PH_BY_PERSON  /* an operator, audited */
};

enum ph_move {
    PH_MOVE_DENIED = 0,
    PH_MOVE_SAME, /* already there: a repeated notice, not an error */
    PH_MOVE_OK
};

enum ph_move ph_payment_move(enum ph_payment_state from,
                             enum ph_payment_state to, enum ph_mover by);
enum ph_move ph_attempt_move(enum ph_attempt_state from,
                             enum ph_attempt_state to, enum ph_mover by);
enum ph_move ph_refund_move(enum ph_refund_state from, enum ph_refund_state to,
                            enum ph_mover by);

/* lower-case names as in SQL and API; NONE for an unknown text */
const char           *ph_payment_state_text(enum ph_payment_state state);
enum ph_payment_state ph_payment_state_of(struct ph_str text);
const char           *ph_attempt_state_text(enum ph_attempt_state state);
enum ph_attempt_state ph_attempt_state_of(struct ph_str text);
const char           *ph_refund_state_text(enum ph_refund_state state);
enum ph_refund_state  ph_refund_state_of(struct ph_str text);

/* true when no further query can change it by itself: succeeded, failed,
 * closed, duplicate */
bool ph_attempt_is_proved(enum ph_attempt_state state);

/* paid, paid_late, failed, closed, conflict */
bool ph_payment_is_final(enum ph_payment_state state);

/* succeeded, failed */
bool ph_refund_is_final(enum ph_refund_state state);

/*
 * The SQL side of the judge: appends 'a','b' - every state from which `to` may
 * be reached by `by`, quoted, for "status IN (...)"; '' when there is none.
 */
struct ph_buf;
void ph_payment_sources(struct ph_buf *buf, enum ph_payment_state to,
                        enum ph_mover by);
void ph_attempt_sources(struct ph_buf *buf, enum ph_attempt_state to,
                        enum ph_mover by);
void ph_refund_sources(struct ph_buf *buf, enum ph_refund_state to,
                       enum ph_mover by);

#endif
