/*
 * health.c - see health.h.
 *
 * A cell is one second in one word: 16 bits of the second's number, then 12
 * bits each of calls, refused, failed, unknown; when the calls of a second are
 * at their maximum it counts no more.  The
 * breaker is one word as well: 2 bits of state, 8 of probes begun, 8 of probes
 * that went well, 46 of the time until which the state stands.
 */
#include "libpayhub/domain/health.h"

#define COUNT_BITS 12
#define COUNT_MAX ((UINT64_C(1) << COUNT_BITS) - 1)
#define TAG_SHIFT (4 * COUNT_BITS)
#define TAG_MAX ((UINT64_C(1) << (64 - TAG_SHIFT)) - 1)
#define TRIES_MAX 1000 /* of a swap that others win: a count may be lost */

enum word_state { WORD_CLOSED = 0, WORD_OPEN = 1, WORD_HALF_OPEN = 2 };

struct word {
    enum word_state state;
    unsigned        begun;
    unsigned        good;
    uint64_t        until_ms;
};

static struct word
word_read(uint64_t raw)
{
    return (struct word){ (enum word_state)(raw & 3), (raw >> 2) & 0xff,
                          (raw >> 10) & 0xff, raw >> 18 };
}

static uint64_t
word_make(struct word word)
{
    return (uint64_t) word.state | (uint64_t) word.begun << 2
           | (uint64_t) word.good << 10 | word.until_ms << 18;
}

static uint64_t
load(const uint64_t *at)
{
    return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

static bool
swap(uint64_t *at, uint64_t from, uint64_t to)
{
    return __atomic_compare_exchange_n(at, &from, to, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

static void
bump(uint64_t *at, uint64_t by)
{
    (void) __atomic_fetch_add(at, by, __ATOMIC_RELAXED);
}

/* ---- what a worker tells of a call ---- */

static uint64_t
at_most(uint64_t value, uint64_t max)
{
    return value < max ? value : max;
}

void
ph_call_item_add(struct ph_buf *out, const struct ph_call_item *item)
{
    bool has_any = false;

    ph_buf_add(out, item->account);
    ph_buf_byte(out, ':');
    ph_buf_add(out, ph_str_z(ph_call_class_word(item->class)));
    ph_buf_byte(out, ':');
    ph_buf_u64(out, at_most(item->ms, PH_CALL_MS_MAX));
    for (int i = 0; i < PH_PHASES; i++) {
        has_any = has_any || item->has[i];
    }
    for (int i = 0; has_any && i < PH_PHASES; i++) {
        ph_buf_byte(out, ':');
        if (item->has[i]) {
            ph_buf_u64(out, at_most(item->us[i], PH_CALL_US_MAX));
        } else {
            ph_buf_byte(out, '-');
        }
    }
}

static bool
phases_read(struct ph_str rest, struct ph_call_item *out)
{
    for (int i = 0; i < PH_PHASES; i++) {
        struct ph_str one;

        if (!ph_str_next(&rest, ':', &one)) {
            return false;
        }
        out->has[i] = !ph_str_eq(one, PH_STR("-"));
        if (out->has[i] && !ph_str_u64(one, PH_CALL_US_MAX, &out->us[i])) {
            return false;
        }
    }
    return rest.ptr == NULL;
}

bool
ph_call_item_read(struct ph_str in, struct ph_call_item *out)
{
    struct ph_str rest, word, time, phases = { NULL, 0 };

    *out = (struct ph_call_item){ 0 };
    if (!ph_str_cut(in, ':', &out->account, &rest)
        || !ph_str_cut(rest, ':', &word, &rest))
    {
        return false;
    }
    time = rest;
    (void) ph_str_cut(rest, ':', &time, &phases);
    return ph_str_is_token(out->account, PH_CALL_ACCOUNT_MAX)
           && ph_call_class_find(word, &out->class)
           && ph_str_u64(time, PH_CALL_MS_MAX, &out->ms)
           && (phases.ptr == NULL || phases_read(phases, out));
}

void
ph_phases_add(struct ph_phases *phases, const struct ph_call_item *item)
{
    for (int i = 0; i < PH_PHASES; i++) {
        if (item->has[i]) {
            bump(&phases->us[i], item->us[i]);
            bump(&phases->count[i], 1);
        }
    }
}

/* ---- the window ---- */

enum count { COUNT_UNKNOWN, COUNT_FAILED, COUNT_REFUSED, COUNT_CALLS };

static uint64_t
cell_count(uint64_t cell, enum count which)
{
    return cell >> (which * COUNT_BITS) & COUNT_MAX;
}

static uint64_t
cell_one(enum count which)
{
    return UINT64_C(1) << (which * COUNT_BITS);
}

static uint64_t cell_step(enum ph_call_class class)
{
    switch (class) {
    case PH_CALL_FAILED:
        return cell_one(COUNT_CALLS) + cell_one(COUNT_REFUSED);
    case PH_CALL_NOT_SENT:
    case PH_CALL_CHANNEL_ERROR:
        return cell_one(COUNT_CALLS) + cell_one(COUNT_FAILED);
    case PH_CALL_UNKNOWN:
        return cell_one(COUNT_CALLS) + cell_one(COUNT_UNKNOWN);
    case PH_CALL_SUCCEEDED:
    case PH_CALL_CLASSES:
        break;
    }
    return cell_one(COUNT_CALLS);
}

static void
cell_add(uint64_t *cell, uint64_t second, enum ph_call_class class)
{
    uint64_t tag = second & TAG_MAX;

    for (int i = 0; i < TRIES_MAX; i++) {
        uint64_t was  = load(cell);
        uint64_t base = was >> TAG_SHIFT == tag ? was : tag << TAG_SHIFT;

        if (cell_count(base, COUNT_CALLS) == COUNT_MAX) {
            return;
        }
        if (swap(cell, was, base + cell_step(class))) {
            return;
        }
    }
}

void
ph_health_look_back(const struct ph_health *health, uint64_t now_ms,
                    unsigned seconds, struct ph_health_window *out)
{
    uint64_t now = now_ms / 1000, since = load(&health->since_s);

    *out = (struct ph_health_window){ 0 };
    if (seconds > PH_HEALTH_SECONDS) {
        seconds = PH_HEALTH_SECONDS;
    }
    for (uint64_t back = 0; back < seconds && back <= now; back++) {
        uint64_t second = now - back;
        uint64_t cell   = load(&health->cells[second % PH_HEALTH_SECONDS]);

        if (second < since || cell >> TAG_SHIFT != (second & TAG_MAX)) {
            continue;
        }
        out->calls += (unsigned) cell_count(cell, COUNT_CALLS);
        out->refused += (unsigned) cell_count(cell, COUNT_REFUSED);
        out->failed += (unsigned) cell_count(cell, COUNT_FAILED);
        out->unknown += (unsigned) cell_count(cell, COUNT_UNKNOWN);
    }
}

void
ph_health_look(const struct ph_health *health, uint64_t now_ms,
               struct ph_health_window *out)
{
    ph_health_look_back(health, now_ms, PH_HEALTH_SECONDS, out);
}

/* ---- success ---- */

static void
store(uint64_t *at, uint64_t value)
{
    __atomic_store_n(at, value, __ATOMIC_RELAXED);
}

void
ph_success_set(struct ph_success *success, int64_t ended, int64_t paid,
               int64_t as_of_s)
{
    bool is_any = ended > 0 && ended <= PH_SUCCESS_ENDED_MAX && paid >= 0
                  && paid <= ended && as_of_s > 0;
    uint64_t turn
        = load(&success->turn) | 1; /* of one who was killed as well */

    store(&success->turn, turn);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    store(&success->ended, is_any ? (uint64_t) ended : 0);
    store(&success->paid, is_any ? (uint64_t) paid : 0);
    store(&success->as_of_s, is_any ? (uint64_t) as_of_s : 0);
    __atomic_store_n(&success->turn, turn + 1, __ATOMIC_RELEASE);
}

/* false: there are none, or they are being written */
static bool
success_read(const struct ph_success *success, struct ph_success_view *out)
{
    for (int i = 0; i < TRIES_MAX; i++) {
        uint64_t turn = load(&success->turn);

        if (turn % 2 != 0) {
            continue;
        }
        out->ended   = __atomic_load_n(&success->ended, __ATOMIC_RELAXED);
        out->paid    = __atomic_load_n(&success->paid, __ATOMIC_RELAXED);
        out->as_of_s = __atomic_load_n(&success->as_of_s, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(&success->turn, __ATOMIC_RELAXED) == turn) {
            return out->as_of_s != 0;
        }
    }
    return false;
}

void
ph_success_look(const struct ph_success *success,
                const struct ph_health *health, uint64_t now_s, uint64_t now_ms,
                struct ph_success_view *out)
{
    struct ph_health_window window;
    unsigned                seconds = PH_HEALTH_SECONDS;

    *out = (struct ph_success_view){ 0 };
    if (success_read(success, out) && out->as_of_s <= now_s + PH_SUCCESS_FRESH_S
        && now_s <= out->as_of_s + PH_SUCCESS_FRESH_S)
    {
        out->is_counted = true;
        /* a clock that is behind the database's has nothing to add */
        seconds = now_s > out->as_of_s ? (unsigned) (now_s - out->as_of_s) : 0;
    } else {
        *out = (struct ph_success_view){ 0 };
    }
    ph_health_look_back(health, now_ms, seconds, &window);
    out->calls = (unsigned) out->ended + window.calls;
    out->good  = (unsigned) out->paid + window.calls - window.refused
                - window.failed - window.unknown;
}

/* ---- the breaker ---- */

/* false: another process moved it meanwhile */
static bool
breaker_try(struct ph_health *health, const struct ph_breaker_spec *spec,
            uint64_t now_ms, bool is_bad)
{
    struct ph_health_window window;
    uint64_t                was  = load(&health->breaker);
    struct word             word = word_read(was);

    switch (word.state) {
    case WORD_CLOSED:
        if (!is_bad) {
            return true;
        }
        ph_health_look(health, now_ms, &window);
        if (window.calls < spec->calls
            || (window.failed + window.unknown) * UINT64_C(100)
                   < (uint64_t) window.calls * spec->percent)
        {
            return true;
        }
        word = (struct word){ WORD_OPEN, 0, 0, now_ms + spec->open_ms };
        break;
    case WORD_HALF_OPEN:
        if (is_bad) {
            word = (struct word){ WORD_OPEN, 0, 0, now_ms + spec->open_ms };
        } else if (++word.good >= spec->probes) {
            /* the bad calls before the probes are forgotten */
            __atomic_store_n(&health->since_s, now_ms / 1000 + 1,
                             __ATOMIC_RELEASE);
            word = (struct word){ WORD_CLOSED, 0, 0, 0 };
        }
        break;
    case WORD_OPEN:
        return true; /* late news of calls from before */
    }
    return swap(&health->breaker, was, word_make(word));
}

void
ph_health_add(struct ph_health *health, const struct ph_breaker_spec *spec,
              uint64_t now_ms, enum ph_call_class class, uint64_t ms)
{
    uint64_t second = now_ms / 1000;
    unsigned bucket = 0;
    bool     is_bad = class != PH_CALL_SUCCEEDED && class != PH_CALL_FAILED;

    while (bucket < PH_HEALTH_TIMES - 1 && ms >> bucket != 0) {
        bucket++;
    }
    bump(&health->sums[class], 1);
    bump(&health->ms_sum, ms);
    bump(&health->times[bucket], 1);
    cell_add(&health->cells[second % PH_HEALTH_SECONDS], second, class);
    for (int i = 0; !spec->is_off && i < TRIES_MAX; i++) {
        if (breaker_try(health, spec, now_ms, is_bad)) {
            break;
        }
    }
}

enum ph_breaker_state
ph_health_state(const struct ph_health       *health,
                const struct ph_breaker_spec *spec, uint64_t now_ms)
{
    struct word word = word_read(load(&health->breaker));

    if (spec->is_off || word.state == WORD_CLOSED) {
        return PH_BREAKER_CLOSED;
    }
    if (now_ms >= word.until_ms) {
        return PH_BREAKER_HALF_OPEN;
    }
    if (word.state == WORD_OPEN) {
        return PH_BREAKER_OPEN;
    }
    return word.begun < spec->probes ? PH_BREAKER_HALF_OPEN : PH_BREAKER_PROBED;
}

uint64_t
ph_health_open_ms(const struct ph_health *health, uint64_t now_ms)
{
    struct word word = word_read(load(&health->breaker));

    return word.state == WORD_OPEN && word.until_ms > now_ms
               ? word.until_ms - now_ms
               : 0;
}

bool
ph_health_enter(struct ph_health *health, const struct ph_breaker_spec *spec,
                uint64_t now_ms, bool *probe)
{
    *probe = false;
    for (int i = 0; i < TRIES_MAX; i++) {
        uint64_t    was  = load(&health->breaker);
        struct word word = word_read(was);

        if (spec->is_off || word.state == WORD_CLOSED) {
            return true;
        }
        if (now_ms >= word.until_ms) { /* open long enough, or probes lost */
            word = (struct word){ WORD_HALF_OPEN, 1, 0, now_ms + PH_PROBE_MS };
        } else if (word.state == WORD_OPEN || word.begun >= spec->probes) {
            return false;
        } else {
            word.begun++;
        }
        if (swap(&health->breaker, was, word_make(word))) {
            *probe = true;
            return true;
        }
    }
    return false;
}

void
ph_health_leave(struct ph_health *health)
{
    for (int i = 0; i < TRIES_MAX; i++) {
        uint64_t    was  = load(&health->breaker);
        struct word word = word_read(was);

        if (word.state != WORD_HALF_OPEN || word.begun <= word.good) {
            return;
        }
        word.begun--;
        if (swap(&health->breaker, was, word_make(word))) {
            return;
        }
    }
}

/* ---- words ---- */

static const char *const class_words[PH_CALL_CLASSES]
    = { "succeeded", "failed", "unknown", "not_sent", "channel_error" };

bool
ph_call_class_find(struct ph_str word, enum ph_call_class *out)
{
    for (size_t i = 0; i < PH_CALL_CLASSES; i++) {
        if (ph_str_eq(word, ph_str_z(class_words[i]))) {
            *out = (enum ph_call_class) i;
            return true;
        }
    }
    return false;
}

const char *ph_call_class_word(enum ph_call_class class)
{
    return class_words[class];
}

const char *
ph_breaker_word(enum ph_breaker_state state)
{
    switch (state) {
    case PH_BREAKER_CLOSED:
        return "closed";
    case PH_BREAKER_OPEN:
        return "open";
    case PH_BREAKER_HALF_OPEN:
    case PH_BREAKER_PROBED:
        return "half-open";
    }
    return "unknown";
}

/* "5s", "500ms", "1m" */
static enum ph_rc
time_parse(struct ph_str text, unsigned *out)
{
    static const struct {
        struct ph_str unit;
        uint64_t      ms;
    } units[] = { { PH_STR_INIT("ms"), 1 },
                  { PH_STR_INIT("s"), 1000 },
                  { PH_STR_INIT("m"), 60000 } };

    for (size_t i = 0; i < PH_COUNT(units); i++) {
        size_t   tail  = units[i].unit.len;
        uint64_t value = 0;

        if (text.len <= tail
            || memcmp(text.ptr + text.len - tail, units[i].unit.ptr, tail) != 0
            || !ph_str_u64(ph_str_make(text.ptr, text.len - tail), UINT32_MAX,
                           &value))
        {
            continue;
        }
        *out = (unsigned) (value * units[i].ms);
        return value != 0 && value <= PH_BREAKER_OPEN_MS_MAX / units[i].ms
                   ? PH_OK
                   : PH_E_RANGE;
    }
    return PH_E_SYNTAX;
}

static enum ph_rc
number_parse(struct ph_str text, uint64_t max, unsigned *out)
{
    uint64_t value = 0;

    if (!ph_str_u64(text, UINT64_MAX, &value)) {
        return PH_E_SYNTAX;
    }
    *out = (unsigned) value;
    return value != 0 && value <= max ? PH_OK : PH_E_RANGE;
}

enum ph_rc
ph_breaker_parse(struct ph_str text, struct ph_breaker_spec *out)
{
    struct ph_breaker_spec spec = PH_BREAKER_DEFAULT;
    struct ph_str          piece;
    enum ph_rc             rc = PH_OK;

    if (ph_str_eq(text, PH_STR("off"))) {
        spec.is_off = true;
        *out        = spec;
        return PH_OK;
    }
    for (int i = 0; rc == PH_OK && ph_str_next(&text, '/', &piece); i++) {
        switch (i) {
        case 0:
            if (piece.len < 2 || piece.ptr[piece.len - 1] != '%') {
                return PH_E_SYNTAX;
            }
            piece.len--;
            rc = number_parse(piece, 100, &spec.percent);
            break;
        case 1:
            rc = number_parse(piece, PH_BREAKER_CALLS_MAX, &spec.calls);
            break;
        case 2:
            rc = time_parse(piece, &spec.open_ms);
            break;
        case 3:
            rc = number_parse(piece, PH_BREAKER_PROBES_MAX, &spec.probes);
            break;
        default:
            return PH_E_SYNTAX;
        }
    }
    if (rc == PH_OK) {
        *out = spec;
    }
    return rc;
}
