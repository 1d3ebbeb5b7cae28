/*
 * auth_9421.c - signatures of RFC 9421: read, chosen, judged, and their base.
 */
#include "libpayhub/wire/auth_9421.h"

#include "libpayhub/wire/sfield.h"

typedef enum ph_9421_fault (*derive_function)(
    const struct ph_9421_request *request, struct ph_buf *buf);

static const struct {
    unsigned      status;
    struct ph_str text;
} faults[] = {
#define FAULT(name, status, text) { (status), PH_STR_INIT(text) },
    PH_9421_FAULTS(FAULT)
#undef FAULT
};

static const struct ph_str required[]
    = { PH_STR_INIT("@method"), PH_STR_INIT("@authority"), PH_STR_INIT("@path"),
        PH_STR_INIT("@query") };

unsigned
ph_9421_status(enum ph_9421_fault fault)
{
    return faults[fault].status;
}

struct ph_str
ph_9421_text(enum ph_9421_fault fault)
{
    return faults[fault].text;
}

static char
lower(char ch)
{
    return ch >= 'A' && ch <= 'Z' ? (char) (ch | 0x20) : ch;
}

/* header names: any case against lower case */
static bool
name_is(struct ph_str name, struct ph_str want)
{
    if (name.len != want.len) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        if (lower(name.ptr[i]) != want.ptr[i]) {
            return false;
        }
    }
    return true;
}

/* The field's one value; {NULL, 0} and no fault when it was not sent. */
static enum ph_9421_fault
field_find(const struct ph_9421_request *request, struct ph_str name,
           struct ph_str *out)
{
    *out = ph_str_make(NULL, 0);
    for (size_t i = 0; i < request->field_count; i++) {
        if (!name_is(request->fields[i].name, name)) {
            continue;
        }
        if (out->ptr != NULL) {
            return PH_9421_TWICE;
        }
        struct ph_str value = request->fields[i].value;
        *out = ph_str_make(value.ptr != NULL ? value.ptr : "", value.len);
    }
    return PH_9421_OK;
}

/* "a" or "a";x=1: only that there are parameters is kept */
static enum ph_9421_fault
component_read(struct ph_sf *sf, struct ph_9421_signature *signature)
{
    struct ph_sf_item item;
    struct ph_str     key;

    if (!ph_sf_item(sf, &item) || item.kind != PH_SF_STRING || item.escaped
        || item.value.len == 0)
    {
        return PH_9421_SYNTAX;
    }
    while (ph_sf_byte(sf, ';')) {
        signature->component_params = true;
        ph_sf_spaces(sf);
        if (!ph_sf_key(sf, &key)
            || (ph_sf_byte(sf, '=')
                && !ph_sf_item(sf, &(struct ph_sf_item){ 0 })))
        {
            return PH_9421_SYNTAX;
        }
    }
    if (signature->component_count == PH_9421_COMPONENTS_MAX
        || item.value.len > PH_9421_COMPONENT_LEN_MAX)
    {
        return PH_9421_TOO_LONG;
    }
    signature->components[signature->component_count++] = item.value;
    return PH_9421_OK;
}

/* ( "a" "b" ) */
static enum ph_9421_fault
components_read(struct ph_sf *sf, struct ph_9421_signature *signature)
{
    if (!ph_sf_byte(sf, '(')) {
        return PH_9421_SYNTAX;
    }
    ph_sf_spaces(sf);
    while (!ph_sf_byte(sf, ')')) {
        enum ph_9421_fault fault = component_read(sf, signature);

        if (fault != PH_9421_OK) {
            return fault;
        }
        const char *from = sf->at;
        ph_sf_spaces(sf);
        if (sf->at == from && (ph_sf_at_end(sf) || *sf->at != ')')) {
            return PH_9421_SYNTAX;
        }
    }
    return PH_9421_OK;
}

static bool
param_take_time(const struct ph_sf_item *item, uint64_t *out)
{
    return item->kind == PH_SF_INTEGER
           && ph_str_u64(item->text, PH_TIMESTAMP_MAX, out);
}

/* A parameter that has a meaning here; false = unfit. */
static bool
param_take(struct ph_9421_signature *signature, struct ph_str key,
           const struct ph_sf_item *item)
{
    struct ph_str *text = ph_str_eq(key, PH_STR("keyid"))   ? &signature->keyid
                          : ph_str_eq(key, PH_STR("nonce")) ? &signature->nonce
                          : ph_str_eq(key, PH_STR("alg"))   ? &signature->alg
                                                            : NULL;

    if (text != NULL) {
        *text = item->kind == PH_SF_STRING ? item->value : PH_STR("");
        return item->kind == PH_SF_STRING && !item->escaped;
    }
    if (ph_str_eq(key, PH_STR("created"))) {
        signature->has_created  = true;
        signature->created_text = item->text;
        return param_take_time(item, &signature->created);
    }
    if (ph_str_eq(key, PH_STR("expires"))) {
        signature->has_expires = true;
        return param_take_time(item, &signature->expires);
    }
    return !ph_str_eq(key, PH_STR("tag")) || item->kind == PH_SF_STRING;
}

/* ;created=1;keyid="k" */
static enum ph_9421_fault
params_read(struct ph_sf *sf, struct ph_9421_signature *signature)
{
    while (ph_sf_byte(sf, ';')) {
        struct ph_sf_item    item = { .kind = PH_SF_NONE };
        struct ph_9421_param param;

        ph_sf_spaces(sf);
        if (!ph_sf_key(sf, &param.key)
            || (ph_sf_byte(sf, '=') && !ph_sf_item(sf, &item)))
        {
            return PH_9421_SYNTAX;
        }
        for (size_t i = 0; i < signature->param_count; i++) {
            if (ph_str_eq(signature->params[i].key, param.key)) {
                return PH_9421_SYNTAX;
            }
        }
        if (signature->param_count == PH_9421_PARAMS_MAX) {
            return PH_9421_TOO_LONG;
        }
        param.value                                 = item.text;
        signature->params[signature->param_count++] = param;
        if (!param_take(signature, param.key, &item)) {
            signature->params_unfit = true;
        }
    }
    return PH_9421_OK;
}

static struct ph_9421_signature *
label_find(struct ph_9421 *all, size_t count, struct ph_str label)
{
    for (size_t i = 0; i < count; i++) {
        if (ph_str_eq(all->signatures[i].label, label)) {
            return &all->signatures[i];
        }
    }
    return NULL;
}

/* The field Signature-Input. */
static enum ph_9421_fault
inputs_read(struct ph_str field, struct ph_9421 *out)
{
    struct ph_sf  sf = ph_sf_make(field);
    struct ph_str label;

    out->count = 0;
    do {
        if (!ph_sf_key(&sf, &label) || !ph_sf_byte(&sf, '=')
            || label_find(out, out->count, label) != NULL)
        {
            return PH_9421_SYNTAX;
        }
        if (out->count == PH_9421_SIGNATURES_MAX
            || label.len > PH_9421_LABEL_LEN_MAX) {
            return PH_9421_TOO_LONG;
        }
        struct ph_9421_signature *signature = &out->signatures[out->count++];

        *signature               = (struct ph_9421_signature){ .label = label };
        enum ph_9421_fault fault = components_read(&sf, signature);
        if (fault == PH_9421_OK) {
            fault = params_read(&sf, signature);
        }
        if (fault != PH_9421_OK) {
            return fault;
        }
    } while (ph_sf_comma(&sf));
    return ph_sf_at_end(&sf) ? PH_9421_OK : PH_9421_SYNTAX;
}

/* The field Signature: the same labels, each once, in any order. */
static enum ph_9421_fault
signatures_read(struct ph_str field, struct ph_9421 *all)
{
    struct ph_sf      sf = ph_sf_make(field);
    struct ph_sf_item item;
    struct ph_str     label;
    size_t            n = 0;

    do {
        if (!ph_sf_key(&sf, &label) || !ph_sf_byte(&sf, '=')
            || !ph_sf_item(&sf, &item) || item.kind != PH_SF_BYTES)
        {
            return PH_9421_SYNTAX;
        }
        struct ph_9421_signature *signature
            = label_find(all, all->count, label);
        if (signature == NULL) {
            return PH_9421_LABELS;
        }
        if (signature->signature.ptr != NULL) {
            return PH_9421_SYNTAX;
        }
        signature->signature = item.value;
        n++;
    } while (ph_sf_comma(&sf));
    if (!ph_sf_at_end(&sf)) {
        return PH_9421_SYNTAX;
    }
    return n == all->count ? PH_9421_OK : PH_9421_LABELS;
}

enum ph_9421_fault
ph_9421_read(const struct ph_9421_request *request, struct ph_9421 *out)
{
    struct ph_str input, signature;
    const struct {
        struct ph_str  name;
        struct ph_str *value;
    } wanted[] = {
        { PH_STR_INIT("signature-input"), &input },
        { PH_STR_INIT("signature"), &signature },
        { PH_STR_INIT("content-digest"), &out->content_digest },
        { PH_STR_INIT("idempotency-key"), &out->idempotency_key },
    };

    if (request->field_count > PH_9421_FIELDS_MAX) {
        return PH_9421_TOO_LONG;
    }
    for (size_t i = 0; i < PH_COUNT(wanted); i++) {
        enum ph_9421_fault fault
            = field_find(request, wanted[i].name, wanted[i].value);

        if (fault != PH_9421_OK) {
            return fault;
        }
    }
    if (input.len > PH_9421_HEADER_MAX || signature.len > PH_9421_HEADER_MAX) {
        return PH_9421_TOO_LONG;
    }
    enum ph_9421_fault fault = inputs_read(input, out);
    return fault == PH_9421_OK ? signatures_read(signature, out) : fault;
}

enum ph_9421_fault
ph_9421_choose(const struct ph_9421 *all, ph_9421_known known, void *data,
               const struct ph_9421_signature **out)
{
    const struct ph_9421_signature *chosen = NULL;
    enum ph_9421_fault              fault  = PH_9421_UNKNOWN;

    for (size_t i = 0; i < all->count; i++) {
        const struct ph_9421_signature *signature = &all->signatures[i];

        if (!ph_str_is_token(signature->keyid, PH_KEY_ID_LEN_MAX)
            || !known(data, signature->keyid))
        {
            continue;
        }
        if (chosen != NULL) {
            fault = PH_9421_SEVERAL;
            break;
        }
        chosen = signature;
        fault  = PH_9421_OK;
    }
    *out = chosen != NULL ? chosen : &all->signatures[0];
    return fault;
}

bool
ph_9421_covers(const struct ph_9421_signature *signature,
               struct ph_str                   component)
{
    for (size_t i = 0; i < signature->component_count; i++) {
        if (ph_str_eq(signature->components[i], component)) {
            return true;
        }
    }
    return false;
}

static bool
covers_required(const struct ph_9421           *all,
                const struct ph_9421_signature *signature, bool has_body)
{
    for (size_t i = 0; i < PH_COUNT(required); i++) {
        if (!ph_9421_covers(signature, required[i])) {
            return false;
        }
    }
    return (!has_body || ph_9421_covers(signature, PH_STR("content-digest")))
           && (all->idempotency_key.ptr == NULL
               || ph_9421_covers(signature, PH_STR("idempotency-key")));
}

static bool
component_is_twice(const struct ph_9421_signature *signature)
{
    for (size_t i = 0; i < signature->component_count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (ph_str_eq(signature->components[i], signature->components[j])) {
                return true;
            }
        }
    }
    return false;
}

enum ph_9421_fault
ph_9421_check(const struct ph_9421           *all,
              const struct ph_9421_signature *signature,
              const struct ph_9421_request *request, enum ph_alg alg,
              uint64_t now)
{
    if (signature->component_params) {
        return PH_9421_COMPONENT_PARAMS;
    }
    if (component_is_twice(signature)) {
        return PH_9421_COMPONENT;
    }
    if (signature->params_unfit || !signature->has_created
        || !ph_str_is_token(signature->keyid, PH_KEY_ID_LEN_MAX)
        || !ph_str_is_token(signature->nonce, PH_NONCE_LEN_MAX)
        || signature->nonce.len < PH_NONCE_LEN_MIN)
    {
        return PH_9421_PARAMETER;
    }
    if (signature->alg.ptr != NULL && alg != PH_ALG_NONE
        && !ph_str_eq(signature->alg, ph_alg_name(alg)))
    {
        return PH_9421_ALG;
    }
    if (signature->has_expires
        && (signature->expires < signature->created
            || now > signature->expires))
    {
        return PH_9421_EXPIRED;
    }
    return covers_required(all, signature, request->has_body)
               ? PH_9421_OK
               : PH_9421_NOT_COVERED;
}

/* ---- the base ---- */

static enum ph_9421_fault
derive_method(const struct ph_9421_request *request, struct ph_buf *buf)
{
    ph_buf_add(buf, request->method);
    return request->method.len != 0 ? PH_9421_OK : PH_9421_COMPONENT;
}

static enum ph_9421_fault
derive_scheme(const struct ph_9421_request *request, struct ph_buf *buf)
{
    ph_buf_add(buf, request->scheme);
    return request->scheme.len != 0 ? PH_9421_OK : PH_9421_COMPONENT;
}

/* lower case, without the scheme's default port */
static enum ph_9421_fault
derive_authority(const struct ph_9421_request *request, struct ph_buf *buf)
{
    struct ph_str authority = request->authority;
    struct ph_str port      = ph_str_eq(request->scheme, PH_STR("https"))
                                  ? PH_STR(":443")
                                  : PH_STR(":80");

    if (authority.len > port.len
        && memcmp(authority.ptr + authority.len - port.len, port.ptr, port.len)
               == 0)
    {
        authority.len -= port.len;
    }
    char *at = ph_buf_reserve(buf, authority.len);
    for (size_t i = 0; at != NULL && i < authority.len; i++) {
        at[i] = lower(authority.ptr[i]);
    }
    return authority.len != 0 ? PH_9421_OK : PH_9421_COMPONENT;
}

static enum ph_9421_fault
derive_target(const struct ph_9421_request *request, struct ph_buf *buf)
{
    ph_buf_add(buf, request->target);
    return ph_str_starts(request->target, PH_STR("/")) ? PH_9421_OK
                                                       : PH_9421_COMPONENT;
}

static enum ph_9421_fault
derive_target_uri(const struct ph_9421_request *request, struct ph_buf *buf)
{
    enum ph_9421_fault fault = derive_scheme(request, buf);

    ph_buf_add(buf, PH_STR("://"));
    if (fault == PH_9421_OK) {
        fault = derive_authority(request, buf);
    }
    return fault == PH_9421_OK ? derive_target(request, buf) : fault;
}

static enum ph_9421_fault
derive_path(const struct ph_9421_request *request, struct ph_buf *buf)
{
    struct ph_str path, query;

    if (!ph_str_cut(request->target, '?', &path, &query)) {
        path = request->target;
    }
    ph_buf_add(buf, path);
    return ph_str_starts(path, PH_STR("/")) ? PH_9421_OK : PH_9421_COMPONENT;
}

static enum ph_9421_fault
derive_query(const struct ph_9421_request *request, struct ph_buf *buf)
{
    struct ph_str path;
    struct ph_str query = PH_STR("");

    (void) ph_str_cut(request->target, '?', &path, &query);
    ph_buf_byte(buf, '?');
    ph_buf_add(buf, query);
    return PH_9421_OK;
}

static const struct {
    struct ph_str   name;
    derive_function derive;
} derived[] = {
    { PH_STR_INIT("@method"), derive_method },
    { PH_STR_INIT("@authority"), derive_authority },
    { PH_STR_INIT("@path"), derive_path },
    { PH_STR_INIT("@query"), derive_query },
    { PH_STR_INIT("@scheme"), derive_scheme },
    { PH_STR_INIT("@request-target"), derive_target },
    { PH_STR_INIT("@target-uri"), derive_target_uri },
};

/* A header's value that may stand in a base: one line of ASCII. */
static bool
value_is_plain(struct ph_str value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char ch = (unsigned char) value.ptr[i];

        if ((ch < 0x20 && ch != '\t') || ch >= 0x7f) {
            return false;
        }
    }
    return true;
}

/* All values of a header, trimmed, joined by comma and blank. */
static enum ph_9421_fault
field_add(const struct ph_9421_request *request, struct ph_str name,
          struct ph_buf *buf)
{
    unsigned found = 0;

    for (size_t i = 0; i < request->field_count; i++) {
        if (!name_is(request->fields[i].name, name)) {
            continue;
        }
        struct ph_str value = ph_str_trim(request->fields[i].value);
        if (!value_is_plain(value)) {
            return PH_9421_COMPONENT;
        }
        if (found++ != 0) {
            ph_buf_add(buf, PH_STR(", "));
        }
        ph_buf_add(buf, value);
    }
    return found != 0 ? PH_9421_OK : PH_9421_COMPONENT;
}

static enum ph_9421_fault
component_add(const struct ph_9421_request *request, struct ph_str name,
              struct ph_buf *buf)
{
    if (name.len == 0 || name.ptr[0] != '@') {
        return field_add(request, name, buf);
    }
    for (size_t i = 0; i < PH_COUNT(derived); i++) {
        if (ph_str_eq(derived[i].name, name)) {
            return derived[i].derive(request, buf);
        }
    }
    return PH_9421_COMPONENT;
}

void
ph_9421_params_format(const struct ph_9421_signature *signature,
                      struct ph_buf                  *buf)
{
    ph_buf_byte(buf, '(');
    for (size_t i = 0; i < signature->component_count; i++) {
        ph_buf_add(buf, i == 0 ? PH_STR("\"") : PH_STR(" \""));
        ph_buf_add(buf, signature->components[i]);
        ph_buf_byte(buf, '"');
    }
    ph_buf_byte(buf, ')');
    for (size_t i = 0; i < signature->param_count; i++) {
        ph_buf_byte(buf, ';');
        ph_buf_add(buf, signature->params[i].key);
        if (signature->params[i].value.len != 0) {
            ph_buf_byte(buf, '=');
            ph_buf_add(buf, signature->params[i].value);
        }
    }
}

enum ph_9421_fault
ph_9421_base(const struct ph_9421_signature *signature,
             const struct ph_9421_request *request, struct ph_buf *buf)
{
    if (signature->component_params) {
        return PH_9421_COMPONENT_PARAMS;
    }
    if (!value_is_plain(request->method) || !value_is_plain(request->target)
        || !value_is_plain(request->authority))
    {
        return PH_9421_COMPONENT;
    }
    for (size_t i = 0; i < signature->component_count; i++) {
        struct ph_str name = signature->components[i];

        ph_buf_byte(buf, '"');
        ph_buf_add(buf, name);
        ph_buf_add(buf, PH_STR("\": "));
        enum ph_9421_fault fault = component_add(request, name, buf);
        if (fault != PH_9421_OK) {
            return fault;
        }
        ph_buf_byte(buf, '\n');
    }
    ph_buf_add(buf, PH_STR("\"@signature-params\": "));
    ph_9421_params_format(signature, buf);
    return buf->full ? PH_9421_TOO_LONG : PH_9421_OK;
}
