/*
 * check.c - see check.h.
 */
#include "channels/declarative/check.h"

#include "channels/codes.h"
#include "channels/declarative/apart.h"
#include "channels/load.h"

#define HTTPS PH_STR("https://")

static bool
fault_at(struct compile *c, const char *member, const char *found,
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

/* A digest that anybody can make proves nothing. */
static bool
digest_check(struct compile *c, const struct declared_verify *verify)
{
    const struct declared_sign *of = verify->of;

    return (of == NULL
                ? holds_secret(c, &verify->text)
                : holds_secret(c, &of->head) || holds_secret(c, &of->tail)
                      || holds_secret(c, &of->text)
                      || filters_hold_secret(c, of->then, of->then_count))
           || fault_at(c, "of", "no secret of the account",
                       "one, of kind secret or base64 and not optional, in "
                       "what is digested");
}

bool
check_verify(struct compile *c, void *at)
{
    struct declared_verify *verify = at;

    if (!verify->has_key && declared_alg_key(verify->alg) != ARG_NONE) {
        return fault_at(c, "key", "", "account.KEY");
    }
    if (declared_alg_key(verify->alg) == ARG_NONE && !digest_check(c, verify)) {
        return false;
    }
    if (verify->has_old_key && !verify->has_key) {
        return fault_at(c, "key", "", "account.KEY");
    }
    if (verify->at.is_set != (verify->window_s != 0)) {
        return compile_fault(c, PH_STR("at or window alone"), "both");
    }
    if (!apart_check(c, verify)) {
        return false;
    }
    /* a recipe that ends in its own digest would be digested twice */
    return verify->of == NULL || verify->of->then_count == 0
           || verify->of->then[verify->of->then_count - 1].row->arg
                  != ARG_SECRET
           || fault_at(c, "of", "a recipe that ends in a key's filter",
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
            return fault_at(c, rows[i].name, "a text of ours",
                            "one that names what was told");
        }
    }
    return true;
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
        return fault_at(c, "action", "neither data nor fields", "one of them");
    }
    return echo_check(c, told);
}

bool
check_refund(struct compile *c, void *at)
{
    const struct declared_told *told = at;

    if (told->status == NULL) {
        return fault_at(c, "status", "", "the state of a refund");
    }
    if (!told->number.is_set) {
        return fault_at(c, "number", "", "our number of the refund");
    }
    return echo_check(c, told);
}

void
begin_message(struct compile *c, const json_t *value, void *at)
{
    struct declared_message *message = at;

    c->has_inner = json_object_get(value, "open") != NULL;
    c->lets      = &message->lets;
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
        return fault_at(c, "ack/type", message->ack_type.ptr, "one line");
    }
    if (!message->told.number.is_set) {
        return fault_at(c, "number", "", "our number of the payment");
    }
    if (message->told.status == NULL) {
        return fault_at(c, "status", "", "the state of the payment");
    }
    if ((refund != NULL) != (message->refund_when != NULL)) {
        return compile_fault(c, PH_STR("refund or refund_when alone"), "both");
    }
    if (refund != NULL && !refund->order_number.is_set) {
        return fault_at(c, "refund/order_number", "",
                        "our number of the payment that it is of");
    }
    return echo_check(c, &message->told);
}

/* ---- requests ---- */

void
begin_request(struct compile *c, const json_t *value, void *at)
{
    struct declared_request *request = at;

    (void) value;
    c->has_inner  = false;
    c->lets       = &request->lets;
    request->root = PH_STR("xml");
}

/* "https://" and a host that ends in the plain text */
static bool
is_host(struct ph_str literal)
{
    struct ph_str head, tail;

    return ph_str_starts(literal, HTTPS)
           && ph_str_cut(
               ph_str_make(literal.ptr + HTTPS.len, literal.len - HTTPS.len),
               '/', &head, &tail)
           && head.len != 0;
}

/* A value may lengthen an address, never lead it elsewhere. */
static bool
url_check(struct compile *c, const struct declared_template *url)
{
    for (size_t i = 0; i < url->count; i++) {
        const struct declared_piece *piece = &url->pieces[i];
        size_t                       last  = piece->filter_count;

        if (i == 0) {
            bool is_base = piece->source.kind == SOURCE_ACCOUNT && last == 0
                           && c->file->channel.fields[piece->source.index].kind
                                  == PH_VALUE_URL;

            if (!is_base
                && (piece->source.kind != SOURCE_NONE
                    || !is_host(piece->literal))) {
                return fault_at(c, "url", "another beginning",
                                "{account.KEY} of kind url, or https://HOST/");
            }
            continue;
        }
        /* or it would be one more piece of the host's name */
        if (i == 1 && url->pieces[0].source.kind != SOURCE_NONE
            && (piece->source.kind != SOURCE_NONE
                || (piece->literal.ptr[0] != '/'
                    && piece->literal.ptr[0] != '?')))
        {
            return fault_at(c, "url", "something right behind the host",
                            "a text that begins with / or ?");
        }
        if (piece->source.kind != SOURCE_NONE
            && piece->source.kind != SOURCE_ORDER_NUMBER
            && piece->source.kind != SOURCE_REFUND_NUMBER
            && (last == 0
                || strcmp(piece->filters[last - 1].row->name, "url") != 0))
        {
            return fault_at(c, "url", "a value as it is", "|url behind it");
        }
    }
    return url->count != 0 || fault_at(c, "url", "", "an address");
}

static bool
fields_are_flat(const struct declared_fields *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        if (fields->items[i].count != 0) {
            return false;
        }
    }
    return true;
}

/* what a merchant or a payer wrote may hold quotes and brackets */
static bool
is_free_text(const struct declared_source *source)
{
    switch ((int) source->kind) {
    case SOURCE_ORDER_SUBJECT:
    case SOURCE_ORDER_DESCRIPTION:
    case SOURCE_ORDER_RETURN_URL:
    case SOURCE_REFUND_REASON:
    case SOURCE_EXTRA:
    case SOURCE_LET:
        return true;
    default:
        return false;
    }
}

static bool
is_escaped(const struct declared_piece *piece)
{
    static const char *const names[]
        = { "b64", "form", "hex", "html", "json", "number", "url", "xml" };
    const char *last = piece->filter_count == 0
                           ? ""
                           : piece->filters[piece->filter_count - 1].row->name;

    for (size_t i = 0; i < PH_COUNT(names); i++) {
        if (strcmp(names[i], last) == 0) {
            return true;
        }
    }
    return false;
}

/* A text may stand in a body, never end what it stands in. */
static bool
text_check(struct compile *c, const char *member,
           const struct declared_template *text)
{
    for (size_t i = 0; i < text->count; i++) {
        if (is_free_text(&text->pieces[i].source)
            && !is_escaped(&text->pieces[i])) {
            return fault_at(c, member, "a text as it is",
                            "|json, |xml, |html, |form, |url, |b64, |hex or "
                            "|number behind it");
        }
    }
    return true;
}

static bool
has_field(const struct declared_fields *fields, struct ph_str name)
{
    for (size_t i = 0; i < fields->count; i++) {
        if (ph_str_eq(fields->items[i].name, name)) {
            return true;
        }
    }
    return false;
}

static bool
body_check(struct compile *c, const struct declared_request *request)
{
    bool is_get = ph_str_eq(request->http, PH_STR("GET"));

    if (request->fields.count != 0
        && (request->form == FORM_NONE || request->form == FORM_TEMPLATE))
    {
        return fault_at(c, "body", "fields without their form",
                        "form, json or xml");
    }
    if (request->fields.count == 0 && request->form != FORM_NONE
        && request->form != FORM_TEMPLATE)
    {
        return fault_at(c, "fields", "", "what is sent in the body");
    }
    if (is_get && request->form != FORM_NONE && request->form != FORM_FORM) {
        return fault_at(c, "body", "a body of a GET",
                        "form, which goes into the address");
    }
    if (request->form == FORM_FORM && !fields_are_flat(&request->fields)) {
        return fault_at(c, "fields", "fields in fields of a form",
                        "them in json or xml alone");
    }
    if (request->sign != NULL && !request->sign_is_header
        && (request->form == FORM_NONE || request->form == FORM_TEMPLATE))
    {
        return fault_at(c, "sign", "a field without fields",
                        "fields and their form");
    }
    if (request->sign != NULL && !request->sign_is_header
        && has_field(&request->fields, request->sign_name))
    {
        return fault_at(c, "sign/as", "a field that is there already",
                        "one of its own");
    }
    return true;
}

/* the address itself, or a page that posts the fields to it */
static bool
makes_page(const struct declared_request *request)
{
    return request->action->type == PH_ACTION_REDIRECT
           || (request->action->type == PH_ACTION_FORM
               && request->form == FORM_FORM
               && !ph_str_eq(request->http, PH_STR("GET")));
}

bool
check_request(struct compile *c, void *at)
{
    const struct declared_request *request = at;

    if (request->is_no_call != (request->action != NULL)) {
        return compile_fault(c, PH_STR("no_call or action alone"), "both");
    }
    if (request->is_no_call && c->op != PH_OP_CREATE) {
        return fault_at(c, "no_call", "true", "it in create alone");
    }
    if (request->is_no_call && !request->action->data.is_set
        && request->action->fields.count == 0 && !makes_page(request))
    {
        return fault_at(c, "action", "neither data nor fields",
                        "one of them, or the type redirect, or form with a "
                        "POST of a form");
    }
    return url_check(c, &request->url) && body_check(c, request)
           && text_check(c, "body", &request->body)
           && text_check(c, "wrap", &request->wrap);
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
                return fault_at(c, method.ptr, "", rows[k].lacking);
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
           || fault_at(c, "reverse", "no method of a bar code",
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
        return fault_at(c, has ? "refund_query" : "refund", "",
                        "refund and refund_query together");
    }
    return !has || c->file->answer.told.refund != NULL
           || fault_at(c, "answer/refund", "", "what answers tell of a refund");
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
        return fault_at(c, "seller", "a template with parts or filters",
                        "one source alone");
    }
    if (!is_plain(&c->file->app)) {
        return fault_at(c, "app", "a template with parts or filters",
                        "one source alone");
    }
    if (ph_channel_find(c->file->name) != NULL) {
        return fault_at(c, "name", c->file->channel.name,
                        "a name that no built-in channel has");
    }
    enum ph_codes_fault fault = ph_codes_check(&c->file->channel, &at);

    if (fault != PH_CODES_OK) {
        ph_buf_add(&c->pointer, PH_STR("/answer/error/map"));
        (void) compile_enter(c, c->codes[at].code.ptr);
        return compile_fault(c, c->codes[at].code, ph_codes_expected(fault));
    }
    return methods_check(c) && reverse_check(c) && refunds_check(c)
           && table_check(c);
}
