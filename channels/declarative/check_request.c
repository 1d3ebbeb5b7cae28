/*
 * check_request.c - of a request: its address, its body, what goes together.
 */
#include "channels/declarative/check.h"

#define HTTPS PH_STR("https://")

void
begin_request(struct compile *c, const json_t *value, void *at)
{
    struct declared_request *request = at;

    (void) value;
    c->has_inner  = false;
    c->lets       = &request->lets;
    request->root = PH_STR("xml");
}

static bool
is_digested(const struct declared_piece *piece)
{
    static const char *const names[] = { "hmac_md5", "hmac_sha256", "md5",
                                         "sha1",     "sha256",      "sha512",
                                         "sm3" };
    bool                     is      = false;

    for (size_t i = 0; i < piece->filter_count; i++) {
        for (size_t k = 0; k < PH_COUNT(names); k++) {
            is |= strcmp(names[k], piece->filters[i].row->name) == 0;
        }
    }
    return is;
}

/* An address stands in logs, ours and others'. */
static bool
/* NOLINTNEXTLINE(misc-no-recursion): a `let` names those above it alone */
shows_secret(const struct compile *c, const struct declared_template *text)
{
    for (size_t i = 0; i < text->count; i++) {
        const struct declared_piece *piece = &text->pieces[i];

        if (is_digested(piece)) {
            continue;
        }
        if (piece->source.kind == SOURCE_ACCOUNT
            && c->file->channel.fields[piece->source.index].secret)
        {
            return true;
        }
        for (size_t k = 0;
             piece->source.kind == SOURCE_LET && k < c->lets->count; k++) {
            if (ph_str_eq(c->lets->items[k].name, piece->source.name)
                && shows_secret(c, &c->lets->items[k].value))
            {
                return true;
            }
        }
    }
    return false;
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

            if (is_base
                && !c->file->channel.fields[piece->source.index].required) {
                return check_fault(c, "url", "an optional key",
                                   "one that every account has");
            }
            if (!is_base
                && (piece->source.kind != SOURCE_NONE
                    || !is_host(piece->literal))) {
                return check_fault(
                    c, "url", "another beginning",
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
            return check_fault(c, "url", "something right behind the host",
                               "a text that begins with / or ?");
        }
        if (piece->source.kind != SOURCE_NONE
            && piece->source.kind != SOURCE_ORDER_NUMBER
            && piece->source.kind != SOURCE_REFUND_NUMBER
            && (last == 0
                || strcmp(piece->filters[last - 1].row->name, "url") != 0))
        {
            return check_fault(c, "url", "a value as it is", "|url behind it");
        }
    }
    if (shows_secret(c, url)) {
        return check_fault(c, "url", "a secret of the account",
                           "it digested, or elsewhere: addresses are logged");
    }
    return url->count != 0 || check_fault(c, "url", "", "an address");
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
            return check_fault(c, member, "a text as it is",
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
        return check_fault(c, "body", "fields without their form",
                           "form, json or xml");
    }
    if (request->fields.count == 0 && request->form != FORM_NONE
        && request->form != FORM_TEMPLATE)
    {
        return check_fault(c, "fields", "", "what is sent in the body");
    }
    if (is_get && request->form != FORM_NONE && request->form != FORM_FORM) {
        return check_fault(c, "body", "a body of a GET",
                           "form, which goes into the address");
    }
    if (request->form == FORM_FORM && !fields_are_flat(&request->fields)) {
        return check_fault(c, "fields", "fields in fields of a form",
                           "them in json or xml alone");
    }
    if (request->sign != NULL && !request->sign_is_header
        && (request->form == FORM_NONE || request->form == FORM_TEMPLATE))
    {
        return check_fault(c, "sign", "a field without fields",
                           "fields and their form");
    }
    if (request->sign != NULL && !request->sign_is_header
        && has_field(&request->fields, request->sign_name))
    {
        return check_fault(c, "sign/as", "a field that is there already",
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
        return check_fault(c, "no_call", "true", "it in create alone");
    }
    if (request->is_no_call && !request->action->data.is_set
        && request->action->fields.count == 0 && !makes_page(request))
    {
        return check_fault(c, "action", "neither data nor fields",
                           "one of them, or the type redirect, or form with a "
                           "POST of a form");
    }
    return url_check(c, &request->url) && body_check(c, request)
           && text_check(c, "body", &request->body)
           && text_check(c, "wrap", &request->wrap);
}
