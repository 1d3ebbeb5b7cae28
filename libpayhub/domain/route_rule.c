/* route_rule.c - rules from texts, and their accounts; see route.h. */
#include "libpayhub/base/money.h"
#include "libpayhub/domain/route.h"

struct rule_reading {
    struct ph_route       *route;
    struct ph_arena       *arena;
    struct ph_buf         *fault;
    struct ph_route_rule  *rule;
    unsigned               seen; /* conditions and options that stood already */
    bool                   has_arrow;
    struct ph_route_target targets[PH_ROUTE_TARGETS_MAX];
};

static enum ph_rc
fault_say(struct rule_reading *reading, enum ph_rc rc, struct ph_str found,
          const char *expected)
{
    if (reading->fault->len == 0) {
        ph_buf_add(reading->fault, PH_STR("found \""));
        ph_buf_add(reading->fault, found);
        ph_buf_add(reading->fault, PH_STR("\", expected "));
        ph_buf_add(reading->fault, ph_str_z(expected));
    }
    return rc;
}

static enum ph_rc
list_parse(struct ph_arena *arena, struct ph_str text, bool is_names,
           struct ph_route_list *out)
{
    struct ph_str  items[PH_ROUTE_LIST_MAX];
    struct ph_str  item;
    struct ph_str *kept;
    size_t         count = 0;

    while (ph_str_next(&text, ',', &item)) {
        if (item.len == 0
            || (is_names && !ph_str_is_token(item, PH_ROUTE_NAME_MAX))) {
            return PH_E_SYNTAX;
        }
        if (count == PH_COUNT(items)) {
            return PH_E_RANGE;
        }
        items[count++] = ph_arena_dup(arena, item);
    }
    if (count == 0) {
        return PH_E_SYNTAX;
    }
    kept = ph_arena_take(arena, count * sizeof(*kept));
    if (arena->full) {
        return PH_E_FULL;
    }
    memcpy(kept, items, count * sizeof(*kept));
    *out = (struct ph_route_list){ kept, count };
    return PH_OK;
}

enum ph_rc
ph_route_list_parse(struct ph_arena *arena, struct ph_str text,
                    struct ph_route_list *out)
{
    return list_parse(arena, text, true, out);
}

enum ph_rc
ph_route_fee_parse(struct ph_str text, uint32_t *ppm, int64_t *fixed)
{
    struct ph_str share, rest = PH_STR("0");
    uint64_t      value = 0, minor = 0;

    if (!ph_str_cut(text, '+', &share, &rest)) {
        share = text;
    }
    if (share.len == 0 && rest.ptr != NULL && text.len > 1) {
        share = PH_STR("0ppm");
    }
    if (share.len < 4 || memcmp(share.ptr + share.len - 3, "ppm", 3) != 0
        || !ph_str_u64(ph_str_make(share.ptr, share.len - 3), UINT64_MAX,
                       &value)
        || !ph_str_u64(rest, UINT64_MAX, &minor))
    {
        return PH_E_SYNTAX;
    }
    if (value > PH_ROUTE_FEE_PPM_MAX || minor > PH_AMOUNT_MAX) {
        return PH_E_RANGE;
    }
    *ppm   = (uint32_t) value;
    *fixed = (int64_t) minor;
    return PH_OK;
}

/* ---- conditions ---- */

static enum ph_rc
amount_read(struct rule_reading *reading, struct ph_str word,
            struct ph_str value)
{
    struct ph_route_rule *rule = reading->rule;
    struct ph_str         low, high;
    uint64_t              min = 0, max = PH_AMOUNT_MAX;

    if (!ph_str_cut(value, '-', &low, &high) || low.len + high.len == 0
        || (low.len != 0 && !ph_str_u64(low, PH_AMOUNT_MAX, &min))
        || (high.len != 0 && !ph_str_u64(high, PH_AMOUNT_MAX, &max))
        || min > max)
    {
        return fault_say(reading, PH_E_SYNTAX, word,
                         "amount=MIN-MAX, MIN- or -MAX in minor units");
    }
    rule->has_amount = true;
    rule->amount_min = (int64_t) min;
    rule->amount_max = (int64_t) max;
    return PH_OK;
}

static enum ph_rc
list_read(struct rule_reading *reading, struct ph_str word, struct ph_str value,
          bool is_names, struct ph_route_list *out)
{
    enum ph_rc rc = list_parse(reading->arena, value, is_names, out);

    if (rc == PH_OK) {
        return PH_OK;
    }
    return fault_say(reading, rc, word,
                     rc == PH_E_FULL    ? "a smaller route"
                     : rc == PH_E_RANGE ? "at most 32 values"
                     : is_names         ? "NAME=A,B,... of [A-Za-z0-9_-]"
                                        : "metadata.KEY=A,B,...");
}

static enum ph_rc
metadata_read(struct rule_reading *reading, struct ph_str word,
              struct ph_str key, struct ph_str value)
{
    struct ph_route           *route = reading->route;
    struct ph_route_rule      *rule  = reading->rule;
    struct ph_route_condition *condition;
    size_t                     i = 0;

    if (!ph_str_is_token(key, PH_ROUTE_NAME_MAX)) {
        return fault_say(reading, PH_E_SYNTAX, word,
                         "metadata.KEY=A,B,... with a KEY of [A-Za-z0-9_-]");
    }
    if (rule->condition_count == PH_ROUTE_CONDITIONS_MAX) {
        return fault_say(reading, PH_E_RANGE, word,
                         "at most 4 conditions on metadata in a rule");
    }
    while (i < route->key_count && !ph_str_eq(route->keys[i], key)) {
        i++;
    }
    for (size_t k = 0; k < rule->condition_count; k++) {
        if (rule->conditions[k].key == i) {
            return fault_say(reading, PH_E_DUPLICATE, word, "a key once");
        }
    }
    if (i == PH_ROUTE_KEYS_MAX) {
        return fault_say(reading, PH_E_RANGE, word,
                         "at most 8 keys of metadata in a route");
    }
    if (i == route->key_count) {
        route->keys[route->key_count++] = ph_arena_dup(reading->arena, key);
    }
    condition      = &rule->conditions[rule->condition_count++];
    condition->key = i;
    return list_read(reading, word, value, false, &condition->values);
}

/* each may stand once */
enum {
    SEEN_METHOD,
    SEEN_CURRENCY,
    SEEN_APP,
    SEEN_MERCHANT,
    SEEN_AMOUNT,
    SEEN_BY,
    SEEN_EXPLORE,
    SEEN_FALLBACK
};

static bool
is_seen(struct rule_reading *reading, unsigned which)
{
    bool was = (reading->seen >> which & 1) != 0;

    reading->seen |= 1U << which;
    return was;
}

static enum ph_rc
condition_read(struct rule_reading *reading, struct ph_str word)
{
    static const struct ph_str names[]
        = { PH_STR_INIT("method"), PH_STR_INIT("currency"), PH_STR_INIT("app"),
            PH_STR_INIT("merchant"), PH_STR_INIT("amount") };
    static const char expected[]
        = "method=, currency=, amount=, app=, merchant=, metadata.KEY= or ->";
    struct ph_route_rule *rule = reading->rule;
    struct ph_route_list *lists[]
        = { &rule->methods, &rule->currencies, &rule->apps, &rule->merchants };
    struct ph_str name, value;

    if (!ph_str_cut(word, '=', &name, &value)) {
        return fault_say(reading, PH_E_SYNTAX, word, expected);
    }
    if (ph_str_starts(name, PH_STR("metadata."))) {
        return metadata_read(reading, word,
                             ph_str_make(name.ptr + 9, name.len - 9), value);
    }
    for (unsigned i = 0; i < PH_COUNT(names); i++) {
        if (!ph_str_eq(name, names[i])) {
            continue;
        }
        if (is_seen(reading, i)) {
            return fault_say(reading, PH_E_DUPLICATE, word,
                             "each condition once");
        }
        return i == SEEN_AMOUNT
                   ? amount_read(reading, word, value)
                   : list_read(reading, word, value, true, lists[i]);
    }
    return fault_say(reading, PH_E_UNKNOWN, word, expected);
}

/* ---- targets and options ---- */

static bool
tail_number(struct ph_str *word, char mark, uint64_t max, int *out)
{
    struct ph_str head, tail;
    uint64_t      value = 0;

    *out = -1;
    if (!ph_str_cut(*word, mark, &head, &tail)) {
        return true;
    }
    *word = head;
    if (!ph_str_u64(tail, max, &value)) {
        return false;
    }
    *out = (int) value;
    return true;
}

static enum ph_rc
target_read(struct rule_reading *reading, struct ph_str word, bool is_fallback)
{
    struct ph_route_target target = { .is_fallback = is_fallback };
    struct ph_str          rest   = word, name;
    static const char      expected[]
        = "ACCOUNT, channel:NAME or any, with :WEIGHT of 0 to 1000 and "
          "@PRIORITY of 0 to 255";

    if (ph_str_starts(rest, PH_STR("channel:"))) {
        target.is_channel = true;
        rest              = ph_str_make(rest.ptr + 8, rest.len - 8);
    }
    if (!tail_number(&rest, '@', PH_ROUTE_PRIORITY_MAX, &target.priority)
        || !tail_number(&rest, ':', PH_ROUTE_WEIGHT_MAX, &target.weight)
        || !ph_str_is_token(rest, PH_ROUTE_NAME_MAX))
    {
        return fault_say(reading, PH_E_SYNTAX, word, expected);
    }
    name          = rest;
    target.is_any = !target.is_channel && ph_str_eq(name, PH_STR("any"));
    if (reading->rule->target_count == PH_ROUTE_TARGETS_MAX) {
        return fault_say(reading, PH_E_RANGE, word, "at most 32 targets");
    }
    for (size_t i = 0; i < reading->rule->target_count; i++) {
        if (reading->targets[i].is_channel == target.is_channel
            && ph_str_eq(reading->targets[i].name, name))
        {
            return fault_say(reading, PH_E_DUPLICATE, word, "a target once");
        }
    }
    target.name = ph_arena_dup(reading->arena, name);
    reading->targets[reading->rule->target_count++] = target;
    return PH_OK;
}

static enum ph_rc
by_read(struct rule_reading *reading, struct ph_str word, struct ph_str value)
{
    for (int by = PH_ROUTE_BY_WEIGHT; by <= PH_ROUTE_BY_VOLUME; by++) {
        if (ph_str_eq(value, ph_str_z(ph_route_by_word((enum ph_route_by) by))))
        {
            reading->rule->by = (enum ph_route_by) by;
            return PH_OK;
        }
    }
    return fault_say(reading, PH_E_UNKNOWN, word,
                     "by=weight, priority, cost, success or volume");
}

static enum ph_rc
explore_read(struct rule_reading *reading, struct ph_str word,
             struct ph_str value)
{
    uint64_t percent = 0;

    if (value.len < 2 || value.ptr[value.len - 1] != '%'
        || !ph_str_u64(ph_str_make(value.ptr, value.len - 1), 50, &percent))
    {
        return fault_say(reading, PH_E_SYNTAX, word, "explore=0% to 50%");
    }
    reading->rule->explore = (unsigned) percent * (PH_ROUTE_DRAWS / 100);
    return PH_OK;
}

static enum ph_rc
fallback_read(struct rule_reading *reading, struct ph_str value)
{
    struct ph_str item;
    enum ph_rc    rc = PH_OK;

    while (rc == PH_OK && ph_str_next(&value, ',', &item)) {
        rc = target_read(reading, item, true);
    }
    return rc;
}

static enum ph_rc
option_read(struct rule_reading *reading, struct ph_str word)
{
    struct ph_str name, value;
    unsigned      which;

    if (!ph_str_cut(word, '=', &name, &value)) {
        return target_read(reading, word, false);
    }
    which = ph_str_eq(name, PH_STR("by"))         ? SEEN_BY
            : ph_str_eq(name, PH_STR("explore"))  ? SEEN_EXPLORE
            : ph_str_eq(name, PH_STR("fallback")) ? SEEN_FALLBACK
                                                  : 0;
    if (which == 0) {
        return fault_say(reading, PH_E_UNKNOWN, word,
                         "a target, by=, explore= or fallback= behind ->");
    }
    if (is_seen(reading, which)) {
        return fault_say(reading, PH_E_DUPLICATE, word, "each option once");
    }
    return which == SEEN_BY        ? by_read(reading, word, value)
           : which == SEEN_EXPLORE ? explore_read(reading, word, value)
                                   : fallback_read(reading, value);
}

/* ---- a rule ---- */

static enum ph_rc
name_read(struct rule_reading *reading, struct ph_str word)
{
    if (!ph_str_is_token(word, PH_ROUTE_NAME_MAX)) {
        return fault_say(reading, PH_E_SYNTAX, word,
                         "a rule's name first, 1 to 32 of [A-Za-z0-9_-]");
    }
    for (size_t i = 0; i < reading->route->rule_count; i++) {
        if (ph_str_eq(reading->route->rules[i].name, word)) {
            return fault_say(reading, PH_E_DUPLICATE, word,
                             "a name of its own for each rule");
        }
    }
    reading->rule->name = ph_arena_dup(reading->arena, word);
    return PH_OK;
}

static enum ph_rc
words_read(struct rule_reading *reading, struct ph_str text)
{
    struct ph_str word;
    enum ph_rc    rc = PH_OK;

    while (rc == PH_OK && ph_str_next(&text, ' ', &word)) {
        if (word.len == 0) {
            continue;
        }
        if (reading->rule->name.ptr == NULL) {
            rc = name_read(reading, word);
        } else if (reading->has_arrow) {
            rc = option_read(reading, word);
        } else if (ph_str_eq(word, PH_STR("->"))) {
            reading->has_arrow = true;
        } else {
            rc = condition_read(reading, word);
        }
    }
    return rc;
}

static enum ph_rc
rule_judge(struct rule_reading *reading)
{
    struct ph_route_rule *rule  = reading->rule;
    bool                  found = false;

    for (size_t i = 0; i < rule->target_count; i++) {
        found = found || !reading->targets[i].is_fallback;
    }
    if (!found) {
        return fault_say(reading, PH_E_MISSING, rule->text,
                         "NAME CONDITIONS -> TARGETS");
    }
    if (rule->explore != 0 && rule->by != PH_ROUTE_BY_SUCCESS
        && rule->by != PH_ROUTE_BY_COST)
    {
        return fault_say(reading, PH_E_SYNTAX, rule->text,
                         "explore= with by=success or by=cost only");
    }
    rule->targets = ph_arena_take(reading->arena,
                                  rule->target_count * sizeof(*rule->targets));
    if (reading->arena->full) {
        return fault_say(reading, PH_E_FULL, rule->name, "a smaller route");
    }
    memcpy(rule->targets, reading->targets,
           rule->target_count * sizeof(*rule->targets));
    return PH_OK;
}

enum ph_rc
ph_route_rule_add(struct ph_route *route, struct ph_arena *arena,
                  struct ph_str text, struct ph_buf *fault)
{
    struct rule_reading  reading   = { .route = route, .arena = arena };
    struct ph_route_rule rule      = { .by = PH_ROUTE_BY_WEIGHT };
    size_t               key_count = route->key_count;
    enum ph_rc           rc;

    reading.fault = fault;
    reading.rule  = &rule;
    if (text.len > PH_ROUTE_TEXT_MAX || ph_str_has_control(text)) {
        return fault_say(&reading, PH_E_RANGE,
                         ph_str_make(text.ptr, text.len < 64 ? text.len : 64),
                         "a rule of at most 1024 bytes on one line");
    }
    if (route->rule_count == PH_ROUTE_RULES_MAX) {
        return fault_say(&reading, PH_E_RANGE, text, "at most 64 rules");
    }
    rule.text = ph_arena_dup(arena, text);
    rc = arena->full ? fault_say(&reading, PH_E_FULL, text, "a smaller route")
                     : words_read(&reading, text);
    if (rc == PH_OK) {
        rc = rule_judge(&reading);
    }
    if (rc != PH_OK) {
        route->key_count = key_count;
        return rc;
    }
    route->rules[route->rule_count++] = rule;
    return PH_OK;
}

/* ---- accounts ---- */

static bool
target_means(const struct ph_route_target  *target,
             const struct ph_route_account *account)
{
    return target->is_any
           || ph_str_eq(target->name,
                        target->is_channel ? account->channel : account->id);
}

static bool
has_seat(const struct ph_route_seat *seats, size_t count, size_t account)
{
    for (size_t i = 0; i < count; i++) {
        if (seats[i].account == account) {
            return true;
        }
    }
    return false;
}

/* how many seats the target has made */
static size_t
target_seat(const struct ph_route_target  *target,
            const struct ph_route_account *accounts, size_t account_count,
            struct ph_route_seat *seats, size_t *count)
{
    size_t found = 0;

    for (size_t i = 0; i < account_count; i++) {
        if (!target_means(target, &accounts[i])) {
            continue;
        }
        found++;
        if (*count == PH_ROUTE_SEATS_MAX || has_seat(seats, *count, i)) {
            continue;
        }
        seats[(*count)++] = (struct ph_route_seat){
            .account     = i,
            .weight      = target->weight >= 0 ? (unsigned) target->weight
                                               : accounts[i].weight,
            .priority    = target->priority >= 0 ? (unsigned) target->priority
                                                 : accounts[i].priority,
            .is_fallback = target->is_fallback
        };
    }
    return found;
}

static bool
rule_link(struct ph_route_rule *rule, struct ph_arena *arena,
          const struct ph_route_account *accounts, size_t count,
          struct ph_str *unknown)
{
    struct ph_route_seat seats[PH_ROUTE_SEATS_MAX];
    size_t               seat_count = 0;

    for (size_t i = 0; i < rule->target_count; i++) {
        const struct ph_route_target *target = &rule->targets[i];

        if (target_seat(target, accounts, count, seats, &seat_count) == 0
            && !target->is_any && unknown->ptr == NULL)
        {
            *unknown = target->name;
        }
    }
    rule->seats = ph_arena_take(arena, (seat_count + 1) * sizeof(*seats));
    if (arena->full) {
        return false;
    }
    memcpy(rule->seats, seats, seat_count * sizeof(*seats));
    rule->seat_count = seat_count;
    for (size_t i = 0; i < seat_count; i++) {
        rule->seats[i].share = &rule->seats[i].own;
    }
    return true;
}

bool
ph_route_link(struct ph_route *route, struct ph_arena *arena,
              const struct ph_route_account *accounts, size_t count,
              struct ph_str *unknown)
{
    *unknown             = ph_str_make(NULL, 0);
    route->accounts      = accounts;
    route->account_count = count;
    for (size_t i = 0; i < route->rule_count; i++) {
        if (!rule_link(&route->rules[i], arena, accounts, count, unknown)) {
            return false;
        }
    }
    return true;
}
