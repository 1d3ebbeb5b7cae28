/*
 * check.c - see check.h.
 */
#include "channels/declarative/check.h"

#include "channels/codes.h"
#include "channels/declarative/apart.h"
#include "channels/load.h"

bool
check_fault(struct compile *c, const char *member, const char *found,
            const char *expected)
{
    char          name[64];
    struct ph_str path = ph_str_z(member), part;

    while (ph_str_next(&path, '/', &part)) {
        struct ph_buf buf = PH_BUF_INIT(name);

        ph_buf_add(&buf, part);
        (void) compile_enter(c, ph_buf_z(&buf));
    }
    return compile_fault(c, ph_str_z(found), expected);
}

/* ---- recipes and signatures ---- */

void
begin_sign(struct compile *c, const json_t *value, void *at)
{
    (void) value;
    c->has_inner                           = true; /* judged where it is used */
    ((struct declared_sign *) at)->between = PH_STR("&");
}

/* Nothing that a name may hold, so that a name begins behind it. */
static bool
parts_names(struct ph_str between)
{
    for (size_t i = 0; i < between.len; i++) {
        const char ch = between.ptr[i];

        if ((ch >= '0' && ch <= '9') || (ch >= 'A' && ch <= 'Z')
            || (ch >= 'a' && ch <= 'z') || strchr("_-.=", ch) != NULL)
        {
            return false;
        }
    }
    return between.len != 0;
}

bool
check_sign(struct compile *c, void *at)
{
    struct declared_sign *sign = at;

    if (sign->text.is_set == (sign->join != JOIN_NONE)) {
        return compile_fault(c, PH_STR("join and text, or neither"),
                             "one of them");
    }
    if (sign->join == JOIN_NONE && (sign->head.is_set || sign->tail.is_set)) {
        return compile_fault(c, PH_STR("head or tail beside text"),
                             "them with join alone");
    }
    if ((sign->join == JOIN_IN || sign->join == JOIN_INNER)
        && (sign->pair != PAIR_KEY_VALUE || !parts_names(sign->between)))
    {
        return compile_fault(
            c, PH_STR("what came, joined otherwise than name=value&"),
            "a text that can be cut in one way only");
    }
    sign->uses |= sign->text.uses | sign->head.uses | sign->tail.uses;
    if (sign->join == JOIN_FIELDS) {
        sign->uses |= ON_FIELDS;
    } else if (sign->join != JOIN_NONE) {
        sign->uses |= ON_TOLD;
    }
    return true;
}

static bool
is_secret(const struct compile *c, size_t key)
{
    const struct ph_channel_field *field = &c->file->channel.fields[key];

    return field->required
           && (field->kind == PH_VALUE_SECRET
               || field->kind == PH_VALUE_BASE64);
}

static bool
filters_hold_secret(const struct compile         *c,
                    const struct declared_filter *filters, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if ((filters[i].row->arg == ARG_SECRET
             || filters[i].row->arg == ARG_GCM)
            && is_secret(c, filters[i].args[0].index))
        {
            return true;
        }
    }
    return false;
}

static bool
/* NOLINTNEXTLINE(misc-no-recursion): a `let` names those above it alone */
holds_secret(const struct compile *c, const struct declared_template *text)
{
    for (size_t i = 0; i < text->count; i++) {
        const struct declared_piece *piece = &text->pieces[i];

        if (filters_hold_secret(c, piece->filters, piece->filter_count)
            || (piece->source.kind == SOURCE_ACCOUNT
                && is_secret(c, piece->source.index)))
        {
            return true;
        }
        for (size_t k = 0;
             piece->source.kind == SOURCE_LET && k < c->lets->count; k++) {
            if (ph_str_eq(c->lets->items[k].name, piece->source.name)
                && holds_secret(c, &c->lets->items[k].value))
            {
                return true;
            }
        }
    }
    return false;
}

static bool
/* NOLINTNEXTLINE(misc-no-recursion): a `let` names those above it alone */
ends_in_secret(const struct compile *c, const struct declared_template *text)
{
    struct declared_template last = *text;

    if (text->count == 0) {
        return false;
    }
    last.pieces = &text->pieces[text->count - 1];
    last.count  = 1;
    return holds_secret(c, &last);
}

/* A digest that anybody can make proves nothing; one with the secret in front
 * alone can be made of a longer text by who has seen it. */
static bool
digest_check(struct compile *c, const struct declared_verify *verify)
{
    const struct declared_sign *of = verify->of;

    return (of == NULL ? ends_in_secret(c, &verify->text)
            : of->join == JOIN_NONE
                ? ends_in_secret(c, &of->text)
                      || filters_hold_secret(c, of->then, of->then_count)
                : holds_secret(c, &of->tail)
                      || filters_hold_secret(c, of->then, of->then_count))
           || check_fault(c, "of", "no secret of the account at the end",
                          "one, of kind secret or base64 and not optional, "
                          "behind all that is digested");
}

bool
check_verify(struct compile *c, void *at)
{
    struct declared_verify *verify = at;

    if (!verify->has_key && declared_alg_key(verify->alg) != ARG_NONE) {
        return check_fault(c, "key", "", "account.KEY");
    }
    if (verify->has_key && !c->file->channel.fields[verify->key].required) {
        return check_fault(c, "key", "an optional key",
                           "one that every account has");
    }
    if (declared_alg_key(verify->alg) == ARG_NONE && !digest_check(c, verify)) {
        return false;
    }
    if (verify->has_old_key && !verify->has_key) {
        return check_fault(c, "key", "", "account.KEY");
    }
    if (verify->at.is_set != (verify->window_s != 0)) {
        return compile_fault(c, PH_STR("at or window alone"), "both");
    }
    if (!apart_check(c, verify)) {
        return false;
    }
    c->signed_by = verify->of;
    /* a recipe that ends in its own digest would be digested twice */
    return verify->of == NULL || verify->of->then_count == 0
           || verify->of->then[verify->of->then_count - 1].row->arg
                  != ARG_SECRET
           || check_fault(c, "of", "a recipe that ends in a key's filter",
                          "one that gives what `alg` is told to check");
}

/* ---- what is told ---- */

/* A text of ours would agree with whatever we asked: it proves nothing. */
static bool
echo_check(struct compile *c, const struct declared_told *told)
{
    const struct {
        const char                     *name;
        const struct declared_template *from;
    } rows[] = {
        { "number", &told->number },
        { "trade_no", &told->trade_no },
        { "amount", &told->amount },
        { "currency", &told->currency },
        { "seller", &told->seller },
        { "app", &told->app },
        { "order_number", &told->order_number },
    };

    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        if (rows[i].from->is_set && !apart_is_told(c, rows[i].from)) {
            return check_fault(c, rows[i].name, "a text of ours",
                               "one that names what was told");
        }
        if (apart_is_unsigned(c, rows[i].from)) {
            return check_fault(c, rows[i].name, "a member that is skipped",
                               "one that is signed");
        }
    }
    return told->status == NULL || !apart_is_unsigned(c, &told->status->from)
           || check_fault(c, "status", "a member that is skipped",
                          "one that is signed");
}

bool
check_action(struct compile *c, void *at)
{
    const struct declared_action *action = at;

    return !action->data.is_set || action->fields.count == 0
           || compile_fault(c, PH_STR("data and fields"), "one of them");
}

bool
check_told(struct compile *c, void *at)
{
    const struct declared_told *told = at;

    if (told->action != NULL && !told->action->data.is_set
        && told->action->fields.count == 0)
    {
        return check_fault(c, "action", "neither data nor fields",
                           "one of them");
    }
    return echo_check(c, told);
}

bool
check_refund(struct compile *c, void *at)
{
    const struct declared_told *told = at;

    if (told->status == NULL) {
        return check_fault(c, "status", "", "the state of a refund");
    }
    if (!told->number.is_set) {
        return check_fault(c, "number", "", "our number of the refund");
    }
    return echo_check(c, told);
}

void
begin_message(struct compile *c, const json_t *value, void *at)
{
    struct declared_message *message = at;

    c->has_inner = json_object_get(value, "open") != NULL;
    c->lets      = &message->lets;
    c->signed_by = NULL;
    c->op        = (enum ph_channel_op) 0;
}

bool
check_answer(struct compile *c, void *at)
{
    struct declared_message *message = at;

    c->general_count = c->code_count;
    return check_told(c, &message->told);
}

bool
check_notice(struct compile *c, void *at)
{
    const struct declared_message *message = at;
    const struct declared_told    *refund  = message->told.refund;

    if (ph_str_has_control(message->ack_type)) {
        return check_fault(c, "ack/type", message->ack_type.ptr, "one line");
    }
    if (!message->told.number.is_set) {
        return check_fault(c, "number", "", "our number of the payment");
    }
    if (message->told.status == NULL) {
        return check_fault(c, "status", "", "the state of the payment");
    }
    if ((refund != NULL) != (message->refund_when != NULL)) {
        return compile_fault(c, PH_STR("refund or refund_when alone"), "both");
    }
    if (refund != NULL && !refund->order_number.is_set) {
        return check_fault(c, "refund/order_number", "",
                           "our number of the payment that it is of");
    }
    return echo_check(c, &message->told);
}

/* ---- the whole ---- */

static bool
is_bar(struct ph_str method)
{
    return method.len > 4
           && memcmp(method.ptr + method.len - 4, "_bar", 4) == 0;
}

static bool
has_row(const struct declared_op *op, struct ph_str method)
{
    bool found = false;

    for (size_t i = 0; i < op->count; i++) {
        found |= ph_str_eq(op->items[i].method, method)
                 || ph_str_eq(op->items[i].method, PH_STR("*"));
    }
    return found;
}

/* What has begun by a method can be asked about and ended by it. */
static bool
methods_check(struct compile *c)
{
    static const struct {
        enum ph_channel_op op;
        const char        *lacking;
    } rows[] = {
        { PH_OP_CREATE, "how a payment by this method begins" },
        { PH_OP_QUERY, "how a payment by this method is asked about" },
        { PH_OP_CLOSE, "how a payment by this method is closed" },
        { PH_OP_REVERSE, "how a payment by this method is taken back" },
        { PH_OP_REFUND_QUERY, "how a refund of this method is asked about" },
    };
    const struct declared_op *ops      = c->file->ops;
    const bool                reverses = ops[PH_OP_REVERSE].count != 0;

    for (size_t i = 0; c->file->channel.methods[i] != NULL; i++) {
        const struct ph_str method = ph_str_z(c->file->channel.methods[i]);

        for (size_t k = 0; k < PH_COUNT(rows); k++) {
            const enum ph_channel_op op     = rows[k].op;
            const bool               is_for = op == PH_OP_CLOSE
                                                  ? !(reverses && is_bar(method))
                                              : op == PH_OP_REVERSE ? is_bar(method)
                                              : op == PH_OP_REFUND_QUERY
                                                  ? has_row(&ops[PH_OP_REFUND], method)
                                                  : true;

            if (is_for && (ops[op].count != 0 || op == PH_OP_QUERY)
                && !has_row(&ops[op], method))
            {
                (void) compile_enter(c, grammar_ops[op]);
                return check_fault(c, method.ptr, "", rows[k].lacking);
            }
        }
    }
    return true;
}

/* A bar code is one by its name: another method is never taken back. */
static bool
reverse_check(struct compile *c)
{
    bool found = c->file->ops[PH_OP_REVERSE].count == 0;

    for (size_t i = 0; c->file->channel.methods[i] != NULL; i++) {
        found |= is_bar(ph_str_z(c->file->channel.methods[i]));
    }
    return found
           || check_fault(c, "reverse", "no method of a bar code",
                          "one whose name ends in _bar");
}

static bool
is_plain(const struct declared_template *template)
{
    for (size_t i = 0; i < template->count; i++) {
        if (template->pieces[i].filter_count != 0) {
            return false;
        }
    }
    return template->count <= 1;
}

static bool
refunds_check(struct compile *c)
{
    bool has = c->file->ops[PH_OP_REFUND].count != 0;

    if (has != (c->file->ops[PH_OP_REFUND_QUERY].count != 0)) {
        return check_fault(c, has ? "refund_query" : "refund", "",
                           "refund and refund_query together");
    }
    return !has || c->file->answer.told.refund != NULL
           || check_fault(c, "answer/refund", "",
                          "what answers tell of a refund");
}

static const char *
told_lacking(const struct ph_declared *file, const struct declared_told *told)
{
    const char *const *currencies = file->channel.currencies;
    const bool         has_one    = currencies != NULL && currencies[1] == NULL;

    return !told->amount.is_set                          ? "amount"
           : !told->currency.is_set && !has_one          ? "currency"
           : !told->seller.is_set && file->seller.is_set ? "seller"
           : !told->app.is_set && file->app.is_set       ? "app"
                                                         : NULL;
}

/* An answer to a query that can never be evidence ends no payment. */
static bool
queries_check(struct compile *c)
{
    const struct declared_op *query = &c->file->ops[PH_OP_QUERY];

    for (size_t i = 0; !c->file->answer.verify->is_none && i < query->count;
         i++) {
        const struct declared_told *own = query->items[i].told;
        const char                 *lacking
            = told_lacking(c->file, own != NULL ? own : &c->file->answer.told);

        if (lacking != NULL) {
            (void) compile_enter(c, "answer");
            return check_fault(c, lacking, "",
                               "it told: a query proves nothing without it");
        }
    }
    return true;
}

/* the bounds that hold for every channel */
static bool
table_check(struct compile *c)
{
    struct ph_channel_fault fault;

    return ph_channel_table_ok(&c->file->channel, &fault)
           || compile_fault(c, ph_str_z(fault.found), fault.expected);
}

bool
check_file(struct compile *c)
{
    size_t at = 0;

    if (!is_plain(&c->file->seller)) {
        return check_fault(c, "seller", "a template with parts or filters",
                           "one source alone");
    }
    if (!is_plain(&c->file->app)) {
        return check_fault(c, "app", "a template with parts or filters",
                           "one source alone");
    }
    if (ph_channel_find(c->file->name) != NULL) {
        return check_fault(c, "name", c->file->channel.name,
                           "a name that no built-in channel has");
    }
    enum ph_codes_fault fault = ph_codes_check(&c->file->channel, &at);

    if (fault != PH_CODES_OK) {
        ph_buf_add(&c->pointer, PH_STR("/answer/error/map"));
        (void) compile_enter(c, c->codes[at].code.ptr);
        return compile_fault(c, c->codes[at].code, ph_codes_expected(fault));
    }
    return methods_check(c) && reverse_check(c) && refunds_check(c)
           && queries_check(c) && table_check(c);
}
