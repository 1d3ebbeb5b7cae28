/*
 * route.c - chooses; see route.h.
 *
 * Shares.  Each seat of a rule has a word with what it was given so far.  The
 * next payment goes to the seat with the smallest (2 given + 1) / weight, and
 * a compare-and-swap counts it: the words only grow, so a swap that succeeds
 * was right at that moment, whoever else chooses.  Over every run of as many
 * payments as the weights add up to, each seat gets its weight of them, evenly
 * spread.  A seat that stood aside for a while is not owed what it missed: it
 * is lifted to where it would be.
 */
#include "libpayhub/domain/route.h"

#define TRIES_MAX 64   /* of a swap that others win */
#define PRIOR_CALLS 10 /* an account without figures counts as 9 good of 10 */
#define PRIOR_GOOD 9
#define PPM UINT64_C(1000000)
#define SHARE_MAX (UINT64_C(1) << 62) /* counting ends there */

typedef unsigned __int128 u128;

struct candidate {
    struct ph_route_seat *seat;
    uint64_t              tier; /* fallback, priority, weight 0: low first */
    u128                  key;  /* cost or failures: low first */
    uint64_t              given;
};

struct choosing {
    const struct ph_route     *route;
    const struct ph_route_ask *ask;
    struct ph_route_rule      *rule;
    struct candidate           list[PH_ROUTE_SEATS_MAX];
    size_t                     count;
    size_t                     group; /* the first so many are equal */
    bool                       explored;
    enum ph_route_why          out_why[2]; /* of the first two not to be had */
    size_t                     out_account[2];
    size_t                     out_count;
};

/* ---- matching ---- */

static bool
list_has(const struct ph_route_list *list, struct ph_str value)
{
    if (list->count == 0) {
        return true;
    }
    for (size_t i = 0; i < list->count; i++) {
        if (ph_str_eq(list->items[i], value)) {
            return true;
        }
    }
    return false;
}

bool
ph_route_rule_matches(const struct ph_route_rule *rule,
                      const struct ph_route_ask  *ask)
{
    if (rule->has_amount
        && (!ask->has_amount || ask->amount < rule->amount_min
            || ask->amount > rule->amount_max))
    {
        return false;
    }
    if (!list_has(&rule->methods, ask->method)
        || !list_has(&rule->currencies, ask->currency)
        || !list_has(&rule->apps, ask->app)
        || !list_has(&rule->merchants, ask->merchant))
    {
        return false;
    }
    for (size_t i = 0; i < rule->condition_count; i++) {
        const struct ph_route_condition *condition = &rule->conditions[i];

        if (!list_has(&condition->values, ask->values[condition->key])) {
            return false;
        }
    }
    return true;
}

static enum ph_route_why
judge_fixed(const struct ph_route_account *account,
            const struct ph_route_ask     *ask)
{
    if (!list_has(&account->methods, ask->method)) {
        return PH_ROUTE_WHY_METHOD;
    }
    if (!list_has(&account->currencies, ask->currency)) {
        return PH_ROUTE_WHY_CURRENCY;
    }
    return list_has(&account->apps, ask->app) ? PH_ROUTE_MAY : PH_ROUTE_WHY_APP;
}

static enum ph_route_why
judge_now(const struct ph_route_account *account,
          const struct ph_route_sight   *sight)
{
    if (account->is_drained) {
        return PH_ROUTE_WHY_DRAINED;
    }
    if (sight->breaker == PH_BREAKER_OPEN
        || sight->breaker == PH_BREAKER_PROBED) {
        return PH_ROUTE_WHY_BREAKER;
    }
    return account->inflight_max != 0
                   && sight->inflight >= account->inflight_max
               ? PH_ROUTE_WHY_FULL
               : PH_ROUTE_MAY;
}

enum ph_route_why
ph_route_judge(const struct ph_route_account *account,
               const struct ph_route_ask     *ask,
               const struct ph_route_sight   *sight)
{
    enum ph_route_why why = judge_fixed(account, ask);

    return why != PH_ROUTE_MAY ? why : judge_now(account, sight);
}

u128
ph_route_fee(const struct ph_route_account *account, int64_t amount)
{
    return (u128) (amount > 0 ? (uint64_t) amount : 0) * account->fee_ppm
           + (u128) (uint64_t) account->fee_fixed * PPM;
}

static uint32_t
rate_of(const struct ph_route_sight *sight)
{
    return (uint32_t) ((sight->good + PRIOR_GOOD) * PPM
                       / (sight->calls + PRIOR_CALLS));
}

/* ---- candidates ---- */

static void
out_note(struct choosing *choosing, size_t account, enum ph_route_why why)
{
    if (choosing->out_count < PH_COUNT(choosing->out_why)) {
        choosing->out_why[choosing->out_count]     = why;
        choosing->out_account[choosing->out_count] = account;
    }
    choosing->out_count++;
}

static uint64_t
share_read(const struct ph_route_seat *seat)
{
    return __atomic_load_n(seat->share, __ATOMIC_ACQUIRE);
}

static void
candidate_add(struct choosing *choosing, struct ph_route_seat *seat,
              const struct ph_route_account *account,
              const struct ph_route_sight   *sight)
{
    struct candidate *candidate = &choosing->list[choosing->count++];

    candidate->seat = seat;
    candidate->tier = (uint64_t) seat->is_fallback << 9
                      | (uint64_t) seat->priority << 1 | (seat->weight == 0);
    candidate->key = 0;
    if (choosing->rule->by == PH_ROUTE_BY_COST) {
        candidate->key = ph_route_fee(account, choosing->ask->amount);
    } else if (choosing->rule->by == PH_ROUTE_BY_SUCCESS) {
        candidate->key = PPM - rate_of(sight);
    }
}

static void
candidates_find(struct choosing *choosing, const struct ph_route_eyes *eyes)
{
    const struct ph_route_account *accounts = choosing->route->accounts;

    for (size_t i = 0; i < choosing->rule->seat_count; i++) {
        struct ph_route_seat          *seat    = &choosing->rule->seats[i];
        const struct ph_route_account *account = &accounts[seat->account];
        struct ph_route_sight          sight   = { 0 };
        enum ph_route_why              why;

        sight.wants_calls = choosing->rule->by == PH_ROUTE_BY_SUCCESS;
        if (judge_fixed(account, choosing->ask) != PH_ROUTE_MAY) {
            continue;
        }
        eyes->look(eyes->data, seat->account, &sight);
        why = judge_now(account, &sight);
        if (why != PH_ROUTE_MAY) {
            seat->was_out = true;
            out_note(choosing, seat->account, why);
            continue;
        }
        candidate_add(choosing, seat, account, &sight);
    }
}

static bool
comes_before(const struct candidate *a, const struct candidate *b)
{
    return a->tier != b->tier ? a->tier < b->tier : a->key < b->key;
}

/* the order of the rule's words stays where nothing else speaks */
static void
candidates_sort(struct choosing *choosing)
{
    struct candidate *list = choosing->list;

    for (size_t i = 1; i < choosing->count; i++) {
        struct candidate moved = list[i];
        size_t           at    = i;

        while (at > 0 && comes_before(&moved, &list[at - 1])) {
            list[at] = list[at - 1];
            at--;
        }
        list[at] = moved;
    }
    choosing->group = 1;
    while (choosing->group < choosing->count
           && choosing->rule->by != PH_ROUTE_BY_PRIORITY
           && !comes_before(&list[0], &list[choosing->group]))
    {
        choosing->group++;
    }
}

/* ---- shares ---- */

static uint64_t
weight_of(const struct candidate *candidate)
{
    return candidate->seat->weight != 0 ? candidate->seat->weight : 1;
}

/* (2 given + step) / weight of a is less than that of b */
static bool
is_owed_more(const struct candidate *a, const struct candidate *b,
             uint64_t step)
{
    if ((a->given | b->given | step) >> 50 == 0) {
        return (a->given * 2 + step) * weight_of(b)
               < (b->given * 2 + step) * weight_of(a);
    }
    return ((u128) a->given * 2 + step) * weight_of(b)
           < ((u128) b->given * 2 + step) * weight_of(a);
}

/* where a seat of that weight would stand beside `from` */
static uint64_t
share_beside(const struct candidate *from, uint64_t weight, uint64_t less)
{
    u128 doubled = (u128) from->given * 2;

    doubled = doubled > less ? doubled - less : 0;
    return (uint64_t) (doubled * weight / weight_of(from) / 2);
}

/*
 * By weight, nobody who took part all the time is behind another's last turn;
 * who is, was away.  By volume one large payment puts its seat far ahead, so
 * that only a seat seen out is lifted, to the least of the others.
 */
static void
shares_lift(struct choosing *choosing, bool by_volume)
{
    struct candidate *list  = choosing->list;
    struct candidate *first = &list[0];

    if (by_volume) {
        struct candidate *least = NULL;

        for (size_t i = 0; i < choosing->group; i++) {
            if (!list[i].seat->was_out
                && (least == NULL || is_owed_more(&list[i], least, 0)))
            {
                least = &list[i];
            }
        }
        for (size_t i = 0; i < choosing->group && least != NULL; i++) {
            uint64_t floor = share_beside(least, weight_of(&list[i]), 0);

            if (list[i].seat->was_out && list[i].given < floor) {
                (void) __sync_bool_compare_and_swap(list[i].seat->share,
                                                    list[i].given, floor);
                list[i].given = share_read(list[i].seat);
            }
            list[i].seat->was_out = false;
        }
        return;
    }
    for (size_t i = 1; i < choosing->group; i++) {
        if (is_owed_more(first, &list[i], 0)) {
            first = &list[i];
        }
    }
    for (size_t i = 0; i < choosing->group; i++) {
        uint64_t floor = share_beside(first, weight_of(&list[i]), 1);

        list[i].seat->was_out = false;
        /* less one: the turn that is its own now */
        if (floor > list[i].given + 1) {
            list[i].given = floor - 1;
        }
    }
}

/* the index of the one whose turn it is, counted as given */
static size_t
share_take(struct choosing *choosing)
{
    struct candidate *list      = choosing->list;
    bool              by_volume = choosing->rule->by == PH_ROUTE_BY_VOLUME;
    uint64_t          step      = 1;
    size_t            best      = 0;

    if (by_volume) {
        step = choosing->ask->amount > 0 ? (uint64_t) choosing->ask->amount : 1;
    }
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        uint64_t was[PH_ROUTE_SEATS_MAX];

        for (size_t i = 0; i < choosing->group; i++) {
            was[i]        = share_read(list[i].seat);
            list[i].given = was[i];
        }
        shares_lift(choosing, by_volume);
        best = 0;
        for (size_t i = 1; i < choosing->group; i++) {
            if (is_owed_more(&list[i], &list[best], step)) {
                best = i;
            }
        }
        if (list[best].given > SHARE_MAX) {
            return best;
        }
        if (by_volume) {
            was[best] = list[best].given;
        }
        if (__sync_bool_compare_and_swap(list[best].seat->share, was[best],
                                         list[best].given + step))
        {
            return best;
        }
    }
    (void) __atomic_fetch_add(list[best].seat->share, step, __ATOMIC_ACQ_REL);
    return best;
}

/* ---- the choice ---- */

/* how many may be explored: what the rule's own targets have of equal rank */
static size_t
explorable(const struct choosing *choosing)
{
    size_t count = 1;

    while (count < choosing->count
           && choosing->list[count].tier == choosing->list[0].tier)
    {
        count++;
    }
    return count;
}

static size_t
first_choose(struct choosing *choosing, uint32_t draw)
{
    size_t count = explorable(choosing);

    if (draw % PH_ROUTE_DRAWS < choosing->rule->explore && count > 1) {
        choosing->explored = true;
        return draw / PH_ROUTE_DRAWS % count;
    }
    return choosing->group > 1 ? share_take(choosing) : 0;
}

/* the first, then those behind it in its group, round to its front, then the
   others: when one fails, what it had does not fall onto one */
static void
order_write(const struct choosing *choosing, size_t first,
            struct ph_route_choice *out)
{
    size_t group = first < choosing->group ? choosing->group : 0;

    out->accounts[0] = choosing->list[first].seat->account;
    out->count       = 1;
    for (size_t i = 1; i < group && out->count < PH_ROUTE_CANDIDATES_MAX; i++) {
        out->accounts[out->count++]
            = choosing->list[(first + i) % group].seat->account;
    }
    for (size_t i = group;
         i < choosing->count && out->count < PH_ROUTE_CANDIDATES_MAX; i++)
    {
        if (i != first) {
            out->accounts[out->count++] = choosing->list[i].seat->account;
        }
    }
}

/* ---- the reason ---- */

static void
decimal_add(struct ph_buf *buf, u128 millionths)
{
    uint64_t part = (uint64_t) (millionths % PPM), digit = PPM / 10;

    ph_buf_u64(buf, (uint64_t) (millionths / PPM));
    if (part != 0) {
        ph_buf_byte(buf, '.');
    }
    for (; part != 0; digit /= 10) {
        ph_buf_byte(buf, (char) ('0' + part / digit));
        part %= digit;
    }
}

static void
figures_add(struct ph_buf *buf, const struct choosing *choosing, size_t first,
            const struct ph_route_eyes *eyes)
{
    const struct candidate        *chosen = &choosing->list[first];
    const struct ph_route_account *account
        = &choosing->route->accounts[chosen->seat->account];
    struct ph_route_sight sight   = { .wants_calls = true };
    uint64_t              weights = 0;

    ph_buf_byte(buf, ' ');
    ph_buf_add(buf, account->id);
    switch (choosing->rule->by) {
    case PH_ROUTE_BY_PRIORITY:
        ph_buf_add(buf, PH_STR(" at="));
        ph_buf_u64(buf, chosen->seat->priority);
        return;
    case PH_ROUTE_BY_COST:
        ph_buf_add(buf, PH_STR(" fee="));
        decimal_add(buf, ph_route_fee(account, choosing->ask->amount));
        return;
    case PH_ROUTE_BY_SUCCESS:
        eyes->look(eyes->data, chosen->seat->account, &sight);
        ph_buf_byte(buf, ' ');
        decimal_add(buf, (u128) rate_of(&sight) * 100);
        ph_buf_add(buf, PH_STR("% of "));
        ph_buf_u64(buf, sight.calls);
        return;
    case PH_ROUTE_BY_WEIGHT:
    case PH_ROUTE_BY_VOLUME:
        break;
    }
    for (size_t i = 0; i < choosing->group; i++) {
        weights += weight_of(&choosing->list[i]);
    }
    ph_buf_byte(buf, ' ');
    ph_buf_u64(buf, weight_of(chosen));
    ph_buf_byte(buf, '/');
    ph_buf_u64(buf, weights);
}

/* what does not fit is left out, whole words at a time */
static void
reason_write(const struct choosing *choosing, size_t first,
             const struct ph_route_eyes *eyes, struct ph_route_choice *out)
{
    struct ph_buf buf = PH_BUF_INIT(out->reason);
    size_t        mark;

    ph_buf_add(&buf, PH_STR("rule="));
    ph_buf_add(&buf, choosing->rule->name);
    if (choosing->count != 0) {
        ph_buf_add(&buf, PH_STR(" by="));
        ph_buf_add(&buf, ph_str_z(ph_route_by_word(choosing->rule->by)));
        figures_add(&buf, choosing, first, eyes);
        if (choosing->explored) {
            ph_buf_add(&buf, PH_STR(" explored"));
        }
        if (choosing->list[first].seat->is_fallback) {
            ph_buf_add(&buf, PH_STR(" fallback"));
        }
    } else if (choosing->out_count == 0) {
        ph_buf_add(&buf, PH_STR(" no account for it"));
    }
    size_t named = 0;
    while (named < choosing->out_count && named < PH_COUNT(choosing->out_why)) {
        mark = buf.len;
        ph_buf_byte(&buf, ' ');
        ph_buf_add(&buf, ph_str_z(ph_route_why_word(choosing->out_why[named])));
        ph_buf_byte(&buf, '=');
        ph_buf_add(&buf,
                   choosing->route->accounts[choosing->out_account[named]].id);
        if (buf.full) {
            ph_buf_cut(&buf, mark);
            break;
        }
        named++;
    }
    if (named < choosing->out_count) {
        mark = buf.len;
        ph_buf_add(&buf, PH_STR(" more_out="));
        ph_buf_u64(&buf, choosing->out_count - named);
        if (buf.full) {
            ph_buf_cut(&buf, mark);
        }
    }
    out->reason_len = buf.len;
}

void
ph_route_choose(const struct ph_route *route, const struct ph_route_ask *ask,
                const struct ph_route_eyes *eyes, uint32_t draw,
                struct ph_route_choice *out)
{
    struct choosing choosing;
    size_t          first = 0;

    out->verdict    = PH_ROUTE_FREE;
    out->rule       = NULL;
    out->count      = 0;
    out->reason_len = 0;

    choosing.route     = route;
    choosing.ask       = ask;
    choosing.rule      = NULL;
    choosing.count     = 0;
    choosing.group     = 0;
    choosing.explored  = false;
    choosing.out_count = 0;
    for (size_t i = 0; i < route->rule_count; i++) {
        if (ph_route_rule_matches(&route->rules[i], ask)) {
            choosing.rule = &route->rules[i];
            break;
        }
    }
    if (choosing.rule == NULL) {
        return;
    }
    out->rule = choosing.rule;
    candidates_find(&choosing, eyes);
    if (choosing.count == 0) {
        out->verdict = choosing.out_count != 0 ? PH_ROUTE_OUT : PH_ROUTE_NONE;
    } else {
        candidates_sort(&choosing);
        first        = first_choose(&choosing, draw);
        out->verdict = PH_ROUTE_CHOSEN;
        order_write(&choosing, first, out);
    }
    reason_write(&choosing, first, eyes, out);
}

/* ---- words ---- */

const char *
ph_route_why_word(enum ph_route_why why)
{
    switch (why) {
    case PH_ROUTE_MAY:
        return "may";
    case PH_ROUTE_WHY_METHOD:
        return "method";
    case PH_ROUTE_WHY_CURRENCY:
        return "currency";
    case PH_ROUTE_WHY_APP:
        return "app";
    case PH_ROUTE_WHY_DRAINED:
        return "drained";
    case PH_ROUTE_WHY_BREAKER:
        return "breaker_open";
    case PH_ROUTE_WHY_FULL:
        return "full";
    }
    return "unknown";
}

const char *
ph_route_by_word(enum ph_route_by by)
{
    switch (by) {
    case PH_ROUTE_BY_WEIGHT:
        return "weight";
    case PH_ROUTE_BY_PRIORITY:
        return "priority";
    case PH_ROUTE_BY_COST:
        return "cost";
    case PH_ROUTE_BY_SUCCESS:
        return "success";
    case PH_ROUTE_BY_VOLUME:
        return "volume";
    }
    return "unknown";
}
