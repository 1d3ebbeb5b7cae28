/*
 * route.h - ordered rules over payments, and the account that each goes to.
 *
 * A rule is one line of words; nginx.conf, live changes and the CLI share the
 * parser (docs/routing.md has the grammar):
 *
 *   wallet method=alipay_qr,alipay_wap amount=1-500000 -> acc1:70 acc2:30@2
 *       channel:alipay by=weight explore=5% fallback=acc9
 *
 * Parsing and linking build a table that does not change; choosing is pure but
 * for the share words, which are counted on by compare-and-swap and may lie in
 * shared memory.  No clock, no allocation, no lock.  Any thread.
 */
#ifndef PH_DOMAIN_ROUTE_H
#define PH_DOMAIN_ROUTE_H

#include "libpayhub/base/arena.h"
#include "libpayhub/base/rc.h"
#include "libpayhub/domain/health.h"

#define PH_ROUTE_TEXT_MAX 1024 /* bytes of a rule */
#define PH_ROUTE_RULES_MAX 64
#define PH_ROUTE_NAME_MAX 32
#define PH_ROUTE_LIST_MAX 32 /* values of one condition */
#define PH_ROUTE_TARGETS_MAX 32
#define PH_ROUTE_CONDITIONS_MAX 4 /* on metadata, a rule */
#define PH_ROUTE_KEYS_MAX 8       /* of metadata, a route */
#define PH_ROUTE_SEATS_MAX 64     /* accounts that a rule comes down to */
#define PH_ROUTE_WEIGHT_MAX 1000
#define PH_ROUTE_PRIORITY_MAX 255
#define PH_ROUTE_PRIORITY 10 /* where none is given; the lowest goes first */
#define PH_ROUTE_CANDIDATES_MAX 8
#define PH_ROUTE_REASON_MAX 128
#define PH_ROUTE_FEE_PPM_MAX 1000000
#define PH_ROUTE_DRAWS 10000 /* explore= in parts of this */

/* no items = every value */
struct ph_route_list {
    const struct ph_str *items;
    size_t               count;
};

struct ph_route_account {
    struct ph_str        id;
    struct ph_str        channel;
    struct ph_route_list methods;
    struct ph_route_list currencies;
    struct ph_route_list apps;
    unsigned             priority;
    unsigned             weight;    /* 0: only when no other can */
    uint32_t             fee_ppm;   /* of the amount */
    int64_t              fee_fixed; /* minor units of the payment's currency */
    unsigned             inflight_max; /* 0: no cap */
    bool                 is_drained;
};

enum ph_route_by {
    PH_ROUTE_BY_WEIGHT = 0,
    PH_ROUTE_BY_PRIORITY,
    PH_ROUTE_BY_COST,
    PH_ROUTE_BY_SUCCESS,
    PH_ROUTE_BY_VOLUME
};

/* a word behind "->" or of fallback= */
struct ph_route_target {
    struct ph_str name; /* of an account or a channel */
    bool          is_channel;
    bool          is_any;
    bool          is_fallback;
    int           weight;   /* -1: the account's */
    int           priority; /* -1: the account's */
};

/* an account that a rule may choose */
struct ph_route_seat {
    size_t    account;
    unsigned  weight;
    unsigned  priority;
    bool      is_fallback;
    uint64_t *share; /* payments, or minor units, given so far: route.c */
    uint64_t  own;   /* what share points to unless the caller moves it */
};

struct ph_route_condition {
    size_t               key; /* of the route's keys */
    struct ph_route_list values;
};

struct ph_route_rule {
    struct ph_str             text;
    struct ph_str             name;
    struct ph_route_list      methods;
    struct ph_route_list      currencies;
    struct ph_route_list      apps;
    struct ph_route_list      merchants;
    bool                      has_amount;
    int64_t                   amount_min;
    int64_t                   amount_max;
    struct ph_route_condition conditions[PH_ROUTE_CONDITIONS_MAX];
    size_t                    condition_count;
    enum ph_route_by          by;
    unsigned                  explore; /* of PH_ROUTE_DRAWS */
    struct ph_route_target   *targets;
    size_t                    target_count;
    struct ph_route_seat     *seats;
    size_t                    seat_count;
};

struct ph_route {
    struct ph_str                  name;
    struct ph_route_rule          *rules; /* room for PH_ROUTE_RULES_MAX */
    size_t                         rule_count;
    struct ph_str                  keys[PH_ROUTE_KEYS_MAX];
    size_t                         key_count;
    const struct ph_route_account *accounts;
    size_t                         account_count;
};

/*
 * Reads one rule and appends it to the route; texts are copied into the arena.
 * On any other result `fault` says what was found and what was expected, and
 * the route is as it was.  PH_E_FULL: the arena is.
 */
enum ph_rc ph_route_rule_add(struct ph_route *route, struct ph_arena *arena,
                             struct ph_str  text,
                             struct ph_buf *fault) PH_MUST_CHECK;

/*
 * Finds the accounts that each rule comes down to: in the order of its words,
 * an account once.  A name that no account has makes no seat; *unknown is the
 * first such word, {NULL, 0} when there is none.  False: the arena is full.
 */
bool ph_route_link(struct ph_route *route, struct ph_arena *arena,
                   const struct ph_route_account *accounts, size_t count,
                   struct ph_str *unknown) PH_MUST_CHECK;

/* what a payment asks for; absent texts are {NULL, 0} */
struct ph_route_ask {
    struct ph_str method;
    struct ph_str currency;
    struct ph_str app;
    struct ph_str merchant;
    bool          has_amount;
    int64_t       amount;
    struct ph_str values[PH_ROUTE_KEYS_MAX]; /* of the route's keys */
};

/* what is known of an account at this moment */
struct ph_route_sight {
    unsigned              inflight;
    enum ph_breaker_state breaker;
    bool                  wants_calls; /* in: the next two are asked for */
    unsigned              calls;       /* not older than half a minute */
    unsigned              good;
};

struct ph_route_eyes {
    void (*look)(void *data, size_t account, struct ph_route_sight *out);
    void *data;
};

enum ph_route_verdict {
    PH_ROUTE_FREE = 0, /* no rule matches: the worker chooses */
    PH_ROUTE_CHOSEN,
    PH_ROUTE_OUT, /* accounts could, but not now */
    PH_ROUTE_NONE /* the rule has no account for such a payment */
};

enum ph_route_why {
    PH_ROUTE_MAY = 0,
    PH_ROUTE_WHY_METHOD,
    PH_ROUTE_WHY_CURRENCY,
    PH_ROUTE_WHY_APP,
    PH_ROUTE_WHY_DRAINED,
    PH_ROUTE_WHY_BREAKER,
    PH_ROUTE_WHY_FULL
};

#define PH_ROUTE_NOTE_OUT 2

/* why it was chosen, as figures; good while the route is */
struct ph_route_note {
    const struct ph_route_rule *rule;    /* NULL: none matched */
    const struct ph_route_seat *seat;    /* chosen; NULL: nobody was */
    uint64_t                    weights; /* of those it shared with, and its */
    int64_t                     amount;
    unsigned                    calls;
    unsigned                    good;
    bool                        explored;
    enum ph_route_why out_why[PH_ROUTE_NOTE_OUT]; /* the first not to be had */
    size_t            out_account[PH_ROUTE_NOTE_OUT];
    size_t            out_count;
};

struct ph_route_choice {
    enum ph_route_verdict       verdict;
    const struct ph_route_rule *rule;
    size_t                      accounts[PH_ROUTE_CANDIDATES_MAX];
    size_t                      count;
    struct ph_route_note        note;
};

/*
 * The first rule that matches decides.  `draw` is any random number: it says
 * whether to explore, and with whom.
 */
void ph_route_choose(const struct ph_route      *route,
                     const struct ph_route_ask  *ask,
                     const struct ph_route_eyes *eyes, uint32_t draw,
                     struct ph_route_choice *out);

/* ---- for those who explain ---- */

/* The note in words, at most PH_ROUTE_REASON_MAX bytes; empty without a rule.
 * What does not fit is left out, whole words at a time. */
void ph_route_reason(const struct ph_route      *route,
                     const struct ph_route_note *note, struct ph_buf *buf);

/* may this payment go to this account now; else the first thing against it */
enum ph_route_why ph_route_judge(const struct ph_route_account *account,
                                 const struct ph_route_ask     *ask,
                                 const struct ph_route_sight   *sight);
const char       *ph_route_why_word(enum ph_route_why why);
const char       *ph_route_by_word(enum ph_route_by by);

bool ph_route_rule_matches(const struct ph_route_rule *rule,
                           const struct ph_route_ask  *ask);

/* payments, or minor units by=volume, that the rule gave to the seat */
uint64_t ph_route_given(const struct ph_route_seat *seat);

/* millionths of a minor unit */
unsigned __int128 ph_route_fee(const struct ph_route_account *account,
                               int64_t                        amount);

/* "6000ppm", "6000ppm+30", "+30"; PH_E_SYNTAX, PH_E_RANGE */
enum ph_rc ph_route_fee_parse(struct ph_str text, uint32_t *ppm,
                              int64_t *fixed) PH_MUST_CHECK;

/* "a,b,c" of names, 1..PH_ROUTE_LIST_MAX; PH_E_SYNTAX, PH_E_RANGE, PH_E_FULL */
enum ph_rc ph_route_list_parse(struct ph_arena *arena, struct ph_str text,
                               struct ph_route_list *out) PH_MUST_CHECK;

#endif
