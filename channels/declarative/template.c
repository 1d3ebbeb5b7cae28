/*
 * template.c - what a template gives in one call: sources, one by one filters,
 * the pieces put together.  `let`s and documents are made when they are first
 * asked for, so nothing of an answer is looked at before its signature but what
 * the signature itself needs.
 */
#include "channels/declarative/apart.h"
#include "channels/declarative/run.h"
#include "channels/pick_int.h"
#include "channels/xml.h"

#define NONCE_BYTES 16

bool
declared_fault(struct declared_run *run, enum declared_fault fault)
{
    if (run->fault == FAULT_NONE) {
        run->fault = fault;
    }
    return false;
}

bool
declared_burn(struct declared_run *run, size_t len)
{
    if (len > DECLARED_VALUE_MAX || len > run->fuel) {
        return declared_fault(run, FAULT_ROOM);
    }
    run->fuel -= len;
    return true;
}

void
declared_run_free(struct declared_run *run)
{
    ph_doc_free(run->in.doc);
    ph_doc_free(run->inner.doc);
    run->in.doc    = NULL;
    run->inner.doc = NULL;
}

/* ---- documents ---- */

static enum ph_rc
doc_parse(struct declared_run *run, struct declared_doc *doc)
{
    switch (doc->form) {
    case FORM_JSON:
        return ph_doc_json(&doc->doc, doc->text);
    case FORM_XML:
        return ph_doc_xml(&doc->doc, doc->text, run->arena);
    default:
        return ph_doc_form(&doc->doc, doc->text, run->arena);
    }
}

static bool
/* NOLINTNEXTLINE(misc-no-recursion): each let and document is begun once */
doc_text(struct declared_run *run, struct declared_doc *doc, bool is_inner)
{
    const struct declared_open *open = run->message->open;

    if (!is_inner) {
        doc->form = run->message->read;
        doc->text = run->body;
        if (run->body.len == 0) { /* a 204: all of its members are absent */
            doc->form = FORM_JSON;
            doc->text = PH_STR("{}");
        }
        return true;
    }
    if (open == NULL) {
        return declared_fault(run, FAULT_UNREADABLE);
    }
    doc->form = open->read;
    return declared_text(run, &open->from, &doc->text);
}

const struct declared_doc *
/* NOLINTNEXTLINE(misc-no-recursion): each let and document is begun once */
declared_doc_get(struct declared_run *run, bool is_inner)
{
    struct declared_doc *doc = is_inner ? &run->inner : &run->in;

    if (doc->state == STATE_MADE && doc->doc != NULL) {
        return doc;
    }
    if (doc->state != STATE_NEW) { /* needed for itself, or it was bad */
        declared_fault(run, FAULT_UNREADABLE);
        return NULL;
    }
    doc->state = STATE_BEGUN;
    if (!doc_text(run, doc, is_inner)) {
        return NULL;
    }
    enum ph_rc rc = doc_parse(run, doc);

    doc->state = STATE_MADE;
    if (rc != PH_OK) {
        declared_fault(run, rc == PH_E_FULL ? FAULT_ROOM : FAULT_UNREADABLE);
        return NULL;
    }
    return doc;
}

static const json_t *
member_of(const json_t *from, struct ph_str name)
{
    uint64_t at;

    if (json_is_object(from)) {
        return json_object_getn(from, name.ptr, name.len);
    }
    if (json_is_array(from) && ph_str_u64(name, PH_DOC_VALUES_MAX, &at)) {
        return json_array_get(from, (size_t) at);
    }
    return NULL;
}

static bool
text_keep(struct declared_run *run, struct ph_str text, struct ph_str *out)
{
    if (!declared_burn(run, text.len)) {
        return false;
    }
    *out = ph_arena_dup(run->arena, text);
    return !run->arena->full || declared_fault(run, FAULT_ROOM);
}

static bool
whole_keep(struct declared_run *run, int64_t value, struct ph_str *out)
{
    char          memory[24];
    struct ph_buf buf = PH_BUF_INIT(memory);

    ph_buf_i64(&buf, value);
    return text_keep(run, ph_buf_str(&buf), out);
}

/* Numbers with fractions and sets of members are no texts. */
static bool
/* NOLINTNEXTLINE(misc-no-recursion): each let and document is begun once */
member_text(struct declared_run *run, bool is_inner, struct ph_str path,
            struct ph_str *out)
{
    const struct declared_doc *doc = declared_doc_get(run, is_inner);
    const json_t              *at;
    struct ph_str              name;

    if (doc == NULL) {
        return false;
    }
    at = ph_doc_root(doc->doc);
    while (at != NULL && ph_str_next(&path, '.', &name)) {
        at = member_of(at, name);
    }
    *out = ph_str_make(NULL, 0);
    if (at == NULL || json_is_null(at)) {
        return true;
    }
    if (json_is_string(at)) {
        return text_keep(
            run, ph_str_make(json_string_value(at), json_string_length(at)),
            out);
    }
    if (json_is_boolean(at)) {
        *out = json_is_true(at) ? PH_STR("true") : PH_STR("false");
        return true;
    }
    return json_is_integer(at) ? whole_keep(run, json_integer_value(at), out)
                               : declared_fault(run, FAULT_UNREADABLE);
}

/* ---- sources ---- */

static bool
order_text(struct declared_run *run, enum declared_source_kind kind,
           struct ph_str *out)
{
    const struct ph_channel_order *order = run->order;

    switch ((int) kind) {
    case SOURCE_ORDER_NUMBER:
        *out = order->attempt_id;
        return true;
    case SOURCE_ORDER_TRADE_NO:
        *out = order->trade_no;
        return true;
    case SOURCE_ORDER_AMOUNT:
        return whole_keep(run, order->amount, out);
    case SOURCE_ORDER_CURRENCY:
        *out = order->currency;
        return true;
    case SOURCE_ORDER_SUBJECT:
        *out = order->subject;
        return true;
    case SOURCE_ORDER_DESCRIPTION:
        *out = order->description;
        return true;
    case SOURCE_ORDER_NOTIFY_URL:
        *out = order->notify_url;
        return true;
    case SOURCE_ORDER_RETURN_URL:
        *out = order->return_url;
        return true;
    case SOURCE_ORDER_CLIENT_IP:
        *out = order->client_ip;
        return true;
    case SOURCE_ORDER_CREATED:
        return whole_keep(run, (int64_t) order->attempt_ms, out);
    case SOURCE_ORDER_EXPIRES:
        *out = ph_str_make(NULL, 0);
        return order->expires_at_ms == 0
               || whole_keep(run, (int64_t) order->expires_at_ms, out);
    case SOURCE_REFUND_NUMBER:
        *out = order->refund_id;
        return true;
    case SOURCE_REFUND_TRADE_NO:
        *out = order->channel_refund_no;
        return true;
    case SOURCE_REFUND_AMOUNT:
        return whole_keep(run, order->refund_amount, out);
    case SOURCE_REFUND_REASON:
        /* a refund does not fail for its reason */
        *out = declared_is_unsignable(run->file, order->refund_reason)
                   ? ph_str_make(NULL, 0)
                   : order->refund_reason;
        return true;
    case SOURCE_REFUND_CREATED:
        return whole_keep(run, (int64_t) order->refund_ms, out);
    default:
        return declared_fault(run, FAULT_VALUE);
    }
}

static bool
nonce_text(struct declared_run *run, struct ph_str *out)
{
    struct ph_buf buf;

    if (run->random == NULL) {
        return declared_fault(run, FAULT_VALUE);
    }
    ph_arena_open(run->arena, &buf);
    ph_buf_hex(&buf, ph_str_make((const char *) run->random, NONCE_BYTES));
    *out = ph_arena_close(run->arena, &buf);
    return !run->arena->full || declared_fault(run, FAULT_ROOM);
}

static bool
/* NOLINTNEXTLINE(misc-no-recursion): each let and document is begun once */
let_text(struct declared_run *run, struct ph_str name, struct ph_str *out)
{
    const struct declared_lets *lets = run->lets;

    for (size_t i = 0; i < lets->count; i++) {
        if (!ph_str_eq(lets->items[i].name, name)) {
            continue;
        }
        if (run->let_states[i] == STATE_BEGUN) {
            return declared_fault(run, FAULT_VALUE); /* needed for itself */
        }
        if (run->let_states[i] == STATE_NEW) {
            run->let_states[i] = STATE_BEGUN;
            if (!declared_text(run, &lets->items[i].value, &run->let_values[i]))
            {
                return false;
            }
            run->let_states[i] = STATE_MADE;
        }
        *out = run->let_values[i];
        return true;
    }
    return declared_fault(run, FAULT_VALUE);
}

/* path and query of an address, as they are sent */
static struct ph_str
target_of(struct ph_str url)
{
    for (size_t i = 0; i + 2 < url.len; i++) {
        if (memcmp(url.ptr + i, "://", 3) == 0) {
            struct ph_str rest = ph_str_make(url.ptr + i + 3, url.len - i - 3);
            const char   *slash
                = rest.len != 0 ? memchr(rest.ptr, '/', rest.len) : NULL;

            return slash == NULL
                       ? PH_STR("/")
                       : ph_str_make(slash,
                                     (size_t) (rest.ptr + rest.len - slash));
        }
    }
    return PH_STR("/");
}

static bool
extra_text(struct declared_run *run, struct ph_str name, struct ph_str *out)
{
    *out = ph_str_make(NULL, 0);
    if (run->order == NULL || run->order->extra.len == 0) {
        return true;
    }
    if (!declared_burn(run, run->order->extra.len)) { /* it is parsed */
        return false;
    }
    *out = ph_channel_extra_text(run->order, name.ptr, run->arena);
    return !run->arena->full || declared_fault(run, FAULT_ROOM);
}

bool
/* NOLINTNEXTLINE(misc-no-recursion): each let and document is begun once */
declared_source_text(struct declared_run          *run,
                     const struct declared_source *source, struct ph_str *out)
{
    *out = ph_str_make(NULL, 0);
    if (!declared_burn(run, DECLARED_SOURCE_COST)) {
        return false;
    }
    switch ((int) source->kind) {
    case SOURCE_ACCOUNT:
        *out = run->account->values[source->index];
        return true;
    case SOURCE_EXTRA:
        return extra_text(run, source->name, out);
    case SOURCE_NOW:
        return whole_keep(run, (int64_t) run->now_ms, out);
    case SOURCE_NONCE:
        return nonce_text(run, out);
    case SOURCE_LET:
        return let_text(run, source->name, out);
    case SOURCE_BODY:
        *out = run->body;
        return true;
    case SOURCE_REQUEST_METHOD:
        *out = run->http;
        return true;
    case SOURCE_REQUEST_TARGET:
        *out = target_of(run->url);
        return true;
    case SOURCE_SIGN:
        return declared_sign_text(run, &run->file->signs[source->index], out);
    case SOURCE_STATUS:
        return whole_keep(run, (int64_t) run->status, out);
    case SOURCE_HEADER:
        *out = ph_channel_header(run->headers, run->header_count, source->name);
        return true;
    case SOURCE_IN:
        return member_text(run, false, source->name, out);
    case SOURCE_INNER:
        return member_text(run, true, source->name, out);
    case SOURCE_ORDER_METHOD:
        *out = run->order != NULL ? run->order->method : *out;
        return true;
    default:
        return run->order != NULL ? order_text(run, source->kind, out)
                                  : declared_fault(run, FAULT_VALUE);
    }
}

/* ---- pieces ---- */

bool
declared_filters_run(struct declared_run          *run,
                     const struct declared_filter *filters, size_t count,
                     struct ph_str *value)
{
    for (size_t i = 0; i < count; i++) {
        struct ph_str out = { NULL, 0 };

        if (value->len == 0 && !filters[i].row->sees_empty) {
            continue;
        }
        if (!declared_burn(run, value->len / DECLARED_READ_SHARE)) {
            return false;
        }
        if (!filters[i].row->run(run, &filters[i], *value, &out)) {
            return declared_fault(run, FAULT_VALUE);
        }
        *value = out;
    }
    return true;
}

static bool
/* NOLINTNEXTLINE(misc-no-recursion): each let and document is begun once */
piece_text(struct declared_run *run, const struct declared_piece *piece,
           struct ph_str *out)
{
    if (piece->source.kind == SOURCE_NONE) {
        *out = piece->literal;
        return true;
    }
    return declared_source_text(run, &piece->source, out)
           && declared_filters_run(run, piece->filters, piece->filter_count,
                                   out);
}

bool
/* NOLINTNEXTLINE(misc-no-recursion): each let and document is begun once */
declared_text(struct declared_run *run,
              const struct declared_template *template, struct ph_str *out)
{
    struct ph_str pieces[DECLARED_PIECES_MAX];
    struct ph_buf buf;

    *out = ph_str_make(NULL, 0);
    if (template->count == 0) {
        return true;
    }
    if (template->count == 1) {
        return piece_text(run, &template->pieces[0], out);
    }
    for (size_t i = 0; i < template->count; i++) {
        if (!piece_text(run, &template->pieces[i], &pieces[i])) {
            return false;
        }
    }
    ph_arena_open(run->arena, &buf);
    for (size_t i = 0; i < template->count; i++) {
        ph_buf_add(&buf, pieces[i]);
    }
    *out = ph_arena_close(run->arena, &buf);
    if (run->arena->full) {
        return declared_fault(run, FAULT_ROOM);
    }
    /* each piece that parts values is looked for in all of it */
    return declared_burn(run, out->len)
           && (!template->is_apart
               || declared_burn(run, out->len / DECLARED_READ_SHARE
                                         * template->count))
           && (apart_holds(template, pieces, *out)
               || declared_fault(run, FAULT_UNREADABLE));
}
