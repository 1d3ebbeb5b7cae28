/*
 * health.h - how the calls of an account went, and the breaker over them.
 *
 * A call is bad when the channel did not do its part: unknown, not sent,
 * channel error.  A payment that was refused is no bad call; it counts where
 * accounts are compared by their success.
 *
 * Everything is kept by compare-and-swap on single words: no lock is held, any
 * thread of any process may call, and who is killed in the middle leaves
 * counts that are right but for its own last one.  Zeroed memory is an account
 * that was never called.  Times are milliseconds of CLOCK_MONOTONIC, given by
 * the caller.
 *
 *   closed --(enough calls, too many bad)--> open --(time)--> half-open
 *   half-open --(every probe good)--> closed, with a fresh window
 *   half-open --(a probe bad)--> open
 */
#ifndef PH_DOMAIN_HEALTH_H
#define PH_DOMAIN_HEALTH_H

#include "libpayhub/base/buf.h"
#include "libpayhub/base/rc.h"

#define PH_HEALTH_SECONDS 10 /* of the sliding window */
#define PH_HEALTH_TIMES 24   /* bucket 0: < 1 ms; bucket n: < 2^n ms */
#define PH_BREAKER_PROBES_MAX 100
#define PH_BREAKER_CALLS_MAX 10000
#define PH_BREAKER_OPEN_MS_MAX 3600000
#define PH_PROBE_MS 60000 /* after which a probe that told nothing is lost */

enum ph_call_class {
    PH_CALL_SUCCEEDED = 0,
    PH_CALL_FAILED, /* answered: the payment is refused, the channel is well */
    PH_CALL_UNKNOWN,
    PH_CALL_NOT_SENT,
    PH_CALL_CHANNEL_ERROR,
    PH_CALL_CLASSES
};

struct ph_breaker_spec {
    bool     is_off;
    unsigned percent; /* bad ones of the window's calls: opens */
    unsigned calls;   /* fewer of them never open it */
    unsigned open_ms;
    unsigned probes; /* when half-open */
};

#define PH_BREAKER_DEFAULT                                                     \
    {                                                                          \
        false, 50, 20, 5000, 3                                                 \
    }

enum ph_breaker_state {
    PH_BREAKER_CLOSED = 0,
    PH_BREAKER_OPEN,
    PH_BREAKER_HALF_OPEN, /* a probe is to be had */
    PH_BREAKER_PROBED     /* half-open, every probe is under way */
};

struct ph_health {
    uint64_t cells[PH_HEALTH_SECONDS];
    uint64_t since_s; /* seconds before do not count */
    uint64_t breaker;
    uint64_t sums[PH_CALL_CLASSES];
    uint64_t ms_sum;
    uint64_t times[PH_HEALTH_TIMES];
};

struct ph_health_window {
    unsigned calls;
    unsigned refused; /* class failed */
    unsigned failed;  /* not sent, channel error */
    unsigned unknown;
};

/* one call that ended; moves the breaker */
void ph_health_add(struct ph_health *health, const struct ph_breaker_spec *spec,
                   uint64_t now_ms, enum ph_call_class class, uint64_t ms);

void ph_health_look(const struct ph_health *health, uint64_t now_ms,
                    struct ph_health_window *out);

enum ph_breaker_state ph_health_state(const struct ph_health       *health,
                                      const struct ph_breaker_spec *spec,
                                      uint64_t                      now_ms);

/* milliseconds until an open breaker lets a probe through, else 0 */
uint64_t ph_health_open_ms(const struct ph_health *health, uint64_t now_ms);

/* only the last `seconds` of the window, at most all of it */
void ph_health_look_back(const struct ph_health *health, uint64_t now_ms,
                         unsigned seconds, struct ph_health_window *out);

/*
 * A call is about to go to the account.  False: it may not.  *probe: it is a
 * probe, and ph_health_leave() gives it back when the call tells nothing.
 */
bool ph_health_enter(struct ph_health             *health,
                     const struct ph_breaker_spec *spec, uint64_t now_ms,
                     bool *probe) PH_MUST_CHECK;
void ph_health_leave(struct ph_health *health);

/* ---- success ---- */

#define PH_SUCCESS_FRESH_S 30 /* older figures do not count */
#define PH_SUCCESS_ENDED_MAX 1000000000

/*
 * How payments of the account ended of late, as the cluster counts them, up to
 * as_of.  One writer at a time; readers see one writing or none.  Zeroed
 * memory holds no figures; a writer that is killed leaves none.
 */
struct ph_success {
    uint64_t turn; /* odd while it is written */
    uint64_t ended;
    uint64_t paid;
    uint64_t as_of_s; /* unix; 0: no figures */
};

/* figures that cannot be are none */
void ph_success_set(struct ph_success *success, int64_t ended, int64_t paid,
                    int64_t as_of_s);

struct ph_success_view {
    bool     is_counted; /* with the cluster's figures, the next three */
    uint64_t ended;
    uint64_t paid;
    uint64_t as_of_s;
    unsigned calls; /* what accounts are compared by */
    unsigned good;
};

/*
 * The cluster's figures while they are fresh, and on top of them the calls
 * that were made here in the seconds after as_of; else those of the whole
 * window here.  A call that went well counts as good though its payment may
 * not have ended: it does so for a few seconds, and for all accounts alike.
 */
void ph_success_look(const struct ph_success *success,
                     const struct ph_health *health, uint64_t now_s,
                     uint64_t now_ms, struct ph_success_view *out);

/* ---- what a worker tells of a call ---- */

#define PH_CALL_ACCOUNT_MAX 32
#define PH_CALL_MS_MAX 86400000
#define PH_CALL_US_MAX UINT64_C(86400000000)

enum ph_call_phase {
    PH_PHASE_CONNECT = 0, /* name and connection */
    PH_PHASE_TLS,
    PH_PHASE_FIRST_BYTE, /* from the request's end to the answer's begin */
    PH_PHASES
};

/*
 * "ACCOUNT:CLASS:MS", and ":CONNECT:TLS:FIRST" behind it, in microseconds, of a
 * call that was answered; "-" for a phase that it did not have, as on a
 * connection that was there before.
 */
struct ph_call_item {
    struct ph_str account;
    enum ph_call_class class;
    uint64_t ms;
    bool     has[PH_PHASES];
    uint64_t us[PH_PHASES];
};

/* values over the maxima are told as them */
void ph_call_item_add(struct ph_buf *out, const struct ph_call_item *item);
bool ph_call_item_read(struct ph_str        in,
                       struct ph_call_item *out) PH_MUST_CHECK;

/* Zeroed memory has none; any thread of any process may call. */
struct ph_phases {
    uint64_t count[PH_PHASES];
    uint64_t us[PH_PHASES];
};

void ph_phases_add(struct ph_phases *phases, const struct ph_call_item *item);

/* "succeeded" ...; false = no such class */
bool        ph_call_class_find(struct ph_str word, enum ph_call_class *out);
const char *ph_call_class_word(enum ph_call_class class);
const char *ph_breaker_word(enum ph_breaker_state state);

/*
 * "off", or PERCENT%/CALLS/OPEN/PROBES as "50%/20/5s/3"; a tail may be left
 * out.  PH_E_SYNTAX, PH_E_RANGE.
 */
enum ph_rc ph_breaker_parse(struct ph_str           text,
                            struct ph_breaker_spec *out) PH_MUST_CHECK;

#endif
