/*
 * proof.c - how what comes is verified, and what its words and codes prove.
 */
#include <stdlib.h>

#include "channels/codes.h"
#include "channels/declarative/compile.h"

/* ---- verifying ---- */

COMPILE_OWN(verify_of)
{
    struct declared_verify *verify = at;
    struct ph_str           text;
    size_t                  index;

    if (json_is_string(value) && strchr(json_string_value(value), '{') != NULL)
    {
        return compile_template(c, value, &verify->text);
    }
    if (!compile_text(c, value, &text)
        || !compile_sign_find(c, text, c->where, &index))
    {
        return false;
    }
    verify->of = &c->file->signs[index];
    return true;
}

static bool
key_take(struct compile *c, const json_t *value,
         const struct declared_verify *verify, size_t *key)
{
    enum declared_arg arg = (enum declared_arg) declared_alg_key(verify->alg);
    struct ph_str     text;

    if (!compile_text(c, value, &text)) {
        return false;
    }
    if (arg == ARG_NONE) {
        return compile_fault(c, text, "no key: this algorithm has none");
    }
    return compile_key(c, text, arg, key);
}

COMPILE_OWN(verify_key)
{
    struct declared_verify *verify = at;

    verify->has_key = true;
    return key_take(c, value, verify, &verify->key);
}

COMPILE_OWN(verify_old_key)
{
    struct declared_verify *verify = at;

    verify->has_old_key = true;
    return key_take(c, value, verify, &verify->old_key);
}

COMPILE_OWN(same)
{
    struct declared_verify *verify = at;
    size_t                  count  = json_array_size(value);

    if (!json_is_array(value) || count == 0 || count > DECLARED_FILTERS_MAX) {
        return compile_fault_type(c, value, "a list of 1 to 8 pairs");
    }
    verify->same = compile_take(c, count, sizeof(verify->same[0]));
    if (verify->same == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *pair = json_array_get(value, i);
        size_t        mark = compile_enter_at(c, i);

        if (!json_is_array(pair) || json_array_size(pair) != 2) {
            return compile_fault_type(c, pair, "[template, template]");
        }
        if (!compile_template(c, json_array_get(pair, 0), &verify->same[i].left)
            || !compile_template(c, json_array_get(pair, 1),
                                 &verify->same[i].right))
        {
            return false;
        }
        compile_leave(c, mark);
    }
    verify->same_count = count;
    return true;
}

COMPILE_OWN(verify)
{
    static const struct ph_str none   = PH_STR_INIT("none: ");
    struct declared_verify   **verify = at;
    struct ph_str              text;

    *verify = compile_take(c, 1, sizeof(**verify));
    if (*verify == NULL) {
        return false;
    }
    if (!json_is_string(value)) {
        return compile_object(c, value, &grammar_verify, *verify);
    }
    if (!compile_text(c, value, &text)) {
        return false;
    }
    if (at != &c->file->answer.verify) {
        return compile_fault(c, text, "an object: a notice is always signed");
    }
    (*verify)->is_none = true;
    return (ph_str_starts(text, none) && text.len >= none.len + 3)
           || compile_fault(c, text, "an object, or \"none: REASON\"");
}

/* ---- maps ---- */

static int
word_compare(const void *a, const void *b)
{
    return ph_str_cmp(((const struct declared_word *) a)->word,
                      ((const struct declared_word *) b)->word);
}

COMPILE_OWN(words)
{
    struct declared_map *map = at;

    if (!compile_map(c, value, DECLARED_MAP_MAX,
                     "an object of 1 to 256 words and their classes"))
    {
        return false;
    }
    map->items
        = compile_take(c, json_object_size(value), sizeof(map->items[0]));
    if (map->items == NULL) {
        return false;
    }
    EACH_MEMBER(value, member)
    {
        struct declared_word *word = &map->items[map->count++];
        const char           *key  = json_object_iter_key(member);
        size_t                mark = compile_enter(c, key);

        if (key[0] == '\0') {
            return compile_fault(c, ph_str_z(key), "a word");
        }
        if (!compile_key_keep(c, key, NULL, &word->word)
            || !compile_word(c, json_object_iter_value(member), grammar_classes,
                             0, &word->class))
        {
            return false;
        }
        if (word->class == PH_RESULT_NOT_SENT) {
            return compile_fault(c, PH_STR("not_sent"),
                                 "it of a code alone: what has a state was "
                                 "sent");
        }
        compile_leave(c, mark);
    }
    qsort(map->items, map->count, sizeof(map->items[0]), word_compare);
    return true;
}

static bool
ops_read(struct compile *c, const json_t *value, uint32_t *ops)
{
    if (value == NULL) {
        return true;
    }
    if (!json_is_array(value) || json_array_size(value) == 0) {
        return compile_fault_type(c, value, "a list of operations");
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        size_t mark = compile_enter_at(c, i);
        int    op   = 0;

        if (!compile_word(c, json_array_get(value, i), grammar_ops + 1, 1, &op))
        {
            return false;
        }
        *ops |= PH_OP_BIT(op);
        compile_leave(c, mark);
    }
    return true;
}

/* Where a code proves something unless the file says otherwise: that a query
 * was refused says nothing about the payment. */
static uint32_t
ops_of(enum ph_result_class result)
{
    switch (result) {
    case PH_RESULT_FAILED:
    case PH_RESULT_NOT_SENT:
        return PH_OP_BIT(PH_OP_CREATE) | PH_OP_BIT(PH_OP_REFUND);
    case PH_RESULT_CLOSED:
        return PH_OP_BIT(PH_OP_QUERY) | PH_OP_BIT(PH_OP_CLOSE)
               | PH_OP_BIT(PH_OP_REVERSE);
    case PH_RESULT_NOT_FOUND:
        return PH_OP_BIT(PH_OP_QUERY) | PH_OP_BIT(PH_OP_CLOSE)
               | PH_OP_BIT(PH_OP_REFUND_QUERY);
    case PH_RESULT_UNKNOWN:
    case PH_RESULT_SUCCEEDED:
    case PH_RESULT_WAIT_USER:
        break;
    }
    return 0;
}

/* [class, error class, [operations]] */
static bool
code_read(struct compile *c, const json_t *value, struct ph_channel_code *code)
{
    int    result = 0;
    size_t mark;

    if (!json_is_array(value) || json_array_size(value) < 2
        || json_array_size(value) > 3)
    {
        return compile_fault_type(
            c, value, "[class, error class] or [class, error class, [ops]]");
    }
    mark = compile_enter_at(c, 0);
    if (!compile_word(c, json_array_get(value, 0), grammar_classes, 0, &result))
    {
        return false;
    }
    code->result = (enum ph_result_class) result;
    if (code->result == PH_RESULT_SUCCEEDED) {
        return compile_fault(c, PH_STR("succeeded"),
                             "another class: a code alone pays nothing");
    }
    compile_leave(c, mark);
    mark = compile_enter_at(c, 1);
    if (!compile_text(c, json_array_get(value, 1), &code->error_class)) {
        return false;
    }
    if (!ph_error_class_is_known(code->error_class)) {
        return compile_fault(c, code->error_class,
                             "a word of channels/error_classes.def");
    }
    compile_leave(c, mark);
    mark = compile_enter_at(c, 2);
    if (!ops_read(c, json_array_get(value, 2), &code->ops)) {
        return false;
    }
    compile_leave(c, mark);
    if (code->ops == 0) {
        code->ops = ops_of(code->result);
    }
    return true;
}

/* A row of an operation's own answer takes the place of the general one. */
static void
general_yield(struct compile *c, struct ph_str code, uint32_t ops)
{
    for (size_t i = 0; c->op != 0 && i < c->general_count; i++) {
        if (ph_str_eq(c->codes[i].code, code) && c->codes[i].ops != 0) {
            c->codes[i].ops &= ~ops;
            if (c->codes[i].ops == 0) { /* of nothing, not of all */
                c->codes[i].ops = PH_OP_BIT(PH_OP_ACCOUNT_REFRESH);
            }
        }
    }
}

static bool
codes_read(struct compile *c, const json_t *value)
{
    if (!compile_map(c, value, DECLARED_MAP_MAX, "an object of 1 to 256 codes"))
    {
        return false;
    }
    EACH_MEMBER(value, member)
    {
        const char *key  = json_object_iter_key(member);
        size_t      mark = compile_enter(c, key);

        if (c->code_count == DECLARED_CODES_MAX) {
            return compile_fault(c, ph_str_z(key),
                                 "at most 512 codes in the file");
        }
        struct ph_channel_code *code = &c->codes[c->code_count++];

        /* those of an operation's own answer judge that one alone */
        *code = (struct ph_channel_code){ .ops
                                          = c->op != 0 ? PH_OP_BIT(c->op) : 0 };
        if (key[0] == '\0') {
            return compile_fault(c, ph_str_z(key), "a code");
        }
        if (!compile_key_keep(c, key, NULL, &code->code)
            || !code_read(c, json_object_iter_value(member), code))
        {
            return false;
        }
        general_yield(c, code->code, code->ops);
        compile_leave(c, mark);
    }
    return true;
}

COMPILE_OWN(error)
{
    struct declared_told *told = at;
    const json_t         *from = json_object_get(value, "from");
    const json_t         *map  = json_object_get(value, "map");
    size_t                mark;

    if (!json_is_object(value) || json_object_size(value) != 2 || from == NULL
        || map == NULL)
    {
        return compile_fault_type(c, value, "an object of from and map");
    }
    mark = compile_enter(c, "from");
    if (!compile_template(c, from, &told->error)) {
        return false;
    }
    compile_leave(c, mark);
    mark = compile_enter(c, "map");
    if (!codes_read(c, map)) {
        return false;
    }
    compile_leave(c, mark);
    return true;
}

/* ---- an operation's own answer: what it names stands instead ---- */

/* null takes away what the general answer has */
static json_t *
nulls_take(const json_t *value, struct declared_told *told)
{
    struct {
        const char *name;
        void       *at;
        size_t      size;
    } rows[] = {
        { "number", &told->number, sizeof(told->number) },
        { "trade_no", &told->trade_no, sizeof(told->trade_no) },
        { "amount", &told->amount, sizeof(told->amount) },
        { "currency", &told->currency, sizeof(told->currency) },
        { "seller", &told->seller, sizeof(told->seller) },
        { "app", &told->app, sizeof(told->app) },
        { "paid_at", &told->paid_at, sizeof(told->paid_at) },
        { "message", &told->message, sizeof(told->message) },
        { "code", &told->code, sizeof(told->code) },
        { "error", &told->error, sizeof(told->error) },
        { "action", &told->action, sizeof(told->action) },
    };
    json_t *rest = json_copy((json_t *) (uintptr_t) value);

    for (size_t i = 0; rest != NULL && i < PH_COUNT(rows); i++) {
        if (json_is_null(json_object_get(rest, rows[i].name))) {
            memset(rows[i].at, 0, rows[i].size);
            (void) json_object_del(rest, rows[i].name);
        }
    }
    return rest;
}

COMPILE_OWN(own_told)
{
    struct declared_told        **told   = at;
    const struct declared_lets   *lets   = c->lets;
    const struct declared_verify *verify = c->file->answer.verify;
    json_t                       *rest;
    bool                          had_inner = c->has_inner, ok;

    if (!json_is_object(value)) {
        return compile_fault_type(c, value, "an object");
    }
    *told = compile_take(c, 1, sizeof(**told));
    if (*told == NULL) {
        return false;
    }
    **told = c->file->answer.told;
    rest   = nulls_take(value, *told);
    if (rest == NULL) {
        return compile_fault(c, PH_STR("no memory"), "some");
    }
    c->lets      = &c->file->answer.lets;
    c->signed_by = verify != NULL ? verify->of : NULL;
    c->has_inner = c->file->answer.open != NULL;
    ok           = compile_object(c, rest, &grammar_told, *told);
    json_decref(rest);
    c->lets      = lets;
    c->has_inner = had_inner;
    return ok;
}
