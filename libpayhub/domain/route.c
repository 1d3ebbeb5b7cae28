/*
 * route.c - chooses; see route.h.
 *
 * Shares.  Each seat of a rule has a word with what it was given so far.  The
 * next payment goes to the seat with the smallest (2 given + 1) / weight, and
 * a compare-and-swap counts it: the words only grow, so a swap that succeeds
 * was right at that moment, whoever else chooses.  Over every run of as many
 * payments as the weights add up to, each seat gets its weight of them, evenly
 * spread.  A seat that stood aside for a while is not owed what it missed: it
 * is lifted to where it would be.  That it stood aside is a bit of its word, so
 * that every process knows, and still knows when the table was built anew.
 */
#include "libpayhub/domain/route.h"

#include "libpayhub/base/money.h"

#define TRIES_MAX 64   /* of a swap that others win */
#define PRIOR_CALLS 10 /* an account without figures counts as 9 good of 10 */
#define PRIOR_GOOD 9
#define PPM UINT64_C(1000000)
#define SHARE_MAX (UINT64_C(1) << 62) /* counting ends there */
#define SHARE_OUT (UINT64_C(1) << 63) /* seen drained, open or full */

typedef unsigned __int128 u128;

struct candidate {
    struct ph_route_seat *seat;
    uint64_t              tier; /* fallback, priority, weight 0: low first */
    u128                  key;  /* cost or failures: low first */
    uint64_t              word; /* as it was read */
    uint64_t              given;
    unsigned              calls, good;
};

struct choosing {
    const struct ph_route     *route;
    const struct ph_route_ask *ask;
    struct ph_route_rule      *rule;
    struct candidate           list[PH_ROUTE_SEATS_MAX];
    size_t                     count;
    size_t                     group; /* the first so many are equal */
    struct ph_route_note      *note;
};

/* ---- matching ---- */

static bool
list_names(const struct ph_route_list *list, struct ph_str value)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct ph_str *item = &list->items[i];

        /* names of one length mostly differ in their first byte */
        if (item->len == value.len
            && (value.len == 0
                || (*item->ptr == *value.ptr
                    && ph_str_same(item->ptr, value.ptr, value.len))))
        {
            return true;
        }
    }
    return false;
}

static inline bool
list_has(const struct ph_route_list *list, struct ph_str value)
{
    return list->count == 0 || list_names(list, value);
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
out_note(struct ph_route_note *note, size_t account, enum ph_route_why why)
{
    if (note->out_count < PH_ROUTE_NOTE_OUT) {
        note->out_why[note->out_count]     = why;
        note->out_account[note->out_count] = account;
    }
    note->out_count++;
}

static void
share_read(struct candidate *candidate)
{
    candidate->word = __atomic_load_n(candidate->seat->share, __ATOMIC_ACQUIRE);
    candidate->given = candidate->word & ~SHARE_OUT;
}

uint64_t
ph_route_given(const struct ph_route_seat *seat)
{
    return __atomic_load_n(seat->share, __ATOMIC_RELAXED) & ~SHARE_OUT;
}

static void
share_out(const struct ph_route_seat *seat)
{
    if ((__atomic_load_n(seat->share, __ATOMIC_ACQUIRE) & SHARE_OUT) == 0) {
        (void) __atomic_fetch_or(seat->share, SHARE_OUT, __ATOMIC_ACQ_REL);
    }
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
    candidate->key   = 0;
    candidate->calls = sight->calls;
    candidate->good  = sight->good;
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
            share_out(seat);
            out_note(choosing->note, seat->account, why);
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
        struct candidate moved;
        size_t           at = i;

        if (!comes_before(&list[i], &list[i - 1])) {
            continue; /* mostly */
        }
        moved = list[i];
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
seat_weight(const struct ph_route_seat *seat)
{
    return seat->weight != 0 ? seat->weight : 1;
}

static uint64_t
weight_of(const struct candidate *candidate)
{
    return seat_weight(candidate->seat);
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

    if (from->given >> 50 == 0) { /* weights are below 2^10 */
        uint64_t small = (uint64_t) doubled;

        return (small > less ? small - less : 0) * weight / weight_of(from) / 2;
    }

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
            if ((list[i].word & SHARE_OUT) == 0
                && (least == NULL || is_owed_more(&list[i], least, 0)))
            {
                least = &list[i];
            }
        }
        for (size_t i = 0; i < choosing->group && least != NULL; i++) {
            uint64_t floor = share_beside(least, weight_of(&list[i]), 0);

            if ((list[i].word & SHARE_OUT) != 0) {
                (void) __sync_bool_compare_and_swap(
                    list[i].seat->share, list[i].word,
                    list[i].given < floor ? floor : list[i].given);
                share_read(&list[i]);
            }
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

    if (by_volume && choosing->ask->amount > 0) {
        step = choosing->ask->amount < PH_AMOUNT_MAX
                   ? (uint64_t) choosing->ask->amount
                   : (uint64_t) PH_AMOUNT_MAX;
    }
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        for (size_t i = 0; i < choosing->group; i++) {
            share_read(&list[i]);
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
        if (__sync_bool_compare_and_swap(list[best].seat->share,
                                         list[best].word,
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
        choosing->note->explored = true;
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
    char     digits[] = { '.', '0', '0', '0', '0', '0', '0' };
    size_t   len      = sizeof(digits);
    uint64_t part     = (uint64_t) (millionths % PPM);

    ph_buf_u64(buf, (uint64_t) (millionths / PPM));
    for (size_t i = len - 1; i > 0; i--) {
        digits[i] = (char) ('0' + part % 10);
        part /= 10;
    }
    while (digits[len - 1] == '0') {
        len--;
    }
    if (len > 1) {
        ph_buf_add(buf, ph_str_make(digits, len));
    }
}

static void
figures_add(struct ph_buf *buf, const struct ph_route_account *account,
            const struct ph_route_note *note)
{
    const struct ph_route_sight sight
        = { .calls = note->calls, .good = note->good };

    ph_buf_byte(buf, ' ');
    ph_buf_add(buf, account->id);
    switch (note->rule->by) {
    case PH_ROUTE_BY_PRIORITY:
        ph_buf_add(buf, PH_STR(" at="));
        ph_buf_u64(buf, note->seat->priority);
        return;
    case PH_ROUTE_BY_COST:
        ph_buf_add(buf, PH_STR(" fee="));
        decimal_add(buf, ph_route_fee(account, note->amount));
        return;
    case PH_ROUTE_BY_SUCCESS:
        ph_buf_byte(buf, ' ');
        decimal_add(buf, (u128) rate_of(&sight) * 100);
        ph_buf_add(buf, PH_STR("% of "));
        ph_buf_u64(buf, sight.calls);
        return;
    case PH_ROUTE_BY_WEIGHT:
    case PH_ROUTE_BY_VOLUME:
        break;
    }
    ph_buf_byte(buf, ' ');
    ph_buf_u64(buf, seat_weight(note->seat));
    ph_buf_byte(buf, '/');
    ph_buf_u64(buf, note->weights);
}

static void
out_add(struct ph_buf *buf, const struct ph_route *route,
        const struct ph_route_note *note)
{
    size_t named = 0, mark;

    while (named < note->out_count && named < PH_ROUTE_NOTE_OUT) {
        mark = buf->len;
        ph_buf_byte(buf, ' ');
        ph_buf_add(buf, ph_str_z(ph_route_why_word(note->out_why[named])));
        ph_buf_byte(buf, '=');
        ph_buf_add(buf, route->accounts[note->out_account[named]].id);
        if (buf->full) {
            ph_buf_cut(buf, mark);
            break;
        }
        named++;
    }
    if (named < note->out_count) {
        mark = buf->len;
        ph_buf_add(buf, PH_STR(" more_out="));
        ph_buf_u64(buf, note->out_count - named);
        if (buf->full) {
            ph_buf_cut(buf, mark);
        }
    }
}

void
ph_route_reason(const struct ph_route *route, const struct ph_route_note *note,
                struct ph_buf *buf)
{
    if (note->rule == NULL) {
        return;
    }
    ph_buf_add(buf, PH_STR("rule="));
    ph_buf_add(buf, note->rule->name);
    if (note->seat != NULL) {
        ph_buf_add(buf, PH_STR(" by="));
        ph_buf_add(buf, ph_str_z(ph_route_by_word(note->rule->by)));
        figures_add(buf, &route->accounts[note->seat->account], note);
        if (note->explored) {
            ph_buf_add(buf, PH_STR(" explored"));
        }
        if (note->seat->is_fallback) {
            ph_buf_add(buf, PH_STR(" fallback"));
        }
    } else if (note->out_count == 0) {
        ph_buf_add(buf, PH_STR(" no account for it"));
    }
    out_add(buf, route, note);
}

/* the words are written when somebody reads them: ph_route_reason() */
static void
chosen_note(const struct choosing *choosing, size_t first)
{
    const struct candidate *chosen = &choosing->list[first];
    struct ph_route_note   *note   = choosing->note;

    note->seat    = chosen->seat;
    note->amount  = choosing->ask->amount;
    note->calls   = chosen->calls;
    note->good    = chosen->good;
    note->weights = 0;
    for (size_t i = 0; i < choosing->group; i++) {
        note->weights += seat_weight(choosing->list[i].seat);
    }
}

void
ph_route_choose(const struct ph_route *route, const struct ph_route_ask *ask,
                const struct ph_route_eyes *eyes, uint32_t draw,
                struct ph_route_choice *out)
{
    struct choosing choosing;
    size_t          first = 0;

    out->verdict        = PH_ROUTE_FREE;
    out->rule           = NULL;
    out->count          = 0;
    out->note.rule      = NULL;
    out->note.seat      = NULL;
    out->note.explored  = false;
    out->note.out_count = 0;

    choosing.route = route;
    choosing.ask   = ask;
    choosing.rule  = NULL;
    choosing.count = 0;
    choosing.group = 0;
    choosing.note  = &out->note;
    for (size_t i = 0; i < route->rule_count; i++) {
        if (ph_route_rule_matches(&route->rules[i], ask)) {
            choosing.rule = &route->rules[i];
            break;
        }
    }
    if (choosing.rule == NULL) {
        return;
    }
    out->rule      = choosing.rule;
    out->note.rule = choosing.rule;
    candidates_find(&choosing, eyes);
    if (choosing.count == 0) {
        out->verdict = out->note.out_count != 0 ? PH_ROUTE_OUT : PH_ROUTE_NONE;
        return;
    }
    candidates_sort(&choosing);
    first        = first_choose(&choosing, draw);
    out->verdict = PH_ROUTE_CHOSEN;
    order_write(&choosing, first, out);
    chosen_note(&choosing, first);
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
