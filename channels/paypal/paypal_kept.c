/*
 * paypal_kept.c - the token and the certificates that a refresh brought, as the
 * text that is kept:
 *
 *   token TEXT
 *   until MS
 *   cert URL      and behind it its PEM, up to a line of one dot
 */
#include "channels/paypal/paypal_int.h"

#define SECONDS_MIN 1 /* of one that was given before: what is left of it */
#define SECONDS_MAX (30 * 24 * 3600)
#define REFRESH_PERCENT 80
#define CERT_KEPT_MS (UINT64_C(24) * 3600 * 1000)

static const struct ph_str end_of_cert = PH_STR_INIT(".\n");

/* ---- reading ---- */

/* up to the line of a dot; *text is left behind it */
static bool
pem_take(struct ph_str *text, struct ph_str *pem)
{
    const char   *from = text->ptr;
    struct ph_str line;

    while (ph_str_next(text, '\n', &line)) {
        if (ph_str_eq(line, PH_STR("."))) {
            *pem = ph_str_make(from, (size_t) (line.ptr - from));
            return true;
        }
    }
    return false;
}

void
paypal_kept_read(const struct ph_channel_kept *kept, struct paypal_kept *out)
{
    struct ph_str text = kept != NULL ? kept->value : ph_str_make(NULL, 0);
    struct ph_str line, name, value;

    *out = (struct paypal_kept){ .until_ms = 0 };
    while (text.len != 0 && ph_str_next(&text, '\n', &line)) {
        if (!ph_str_cut(line, ' ', &name, &value)) {
            continue;
        }
        if (ph_str_eq(name, PH_STR("token"))
            && ph_rest_is_plain(value, PAYPAL_TOKEN_MAX))
        {
            out->token = value;
        } else if (ph_str_eq(name, PH_STR("until"))) {
            (void) ph_str_u64(value, INT64_MAX, &out->until_ms);
        } else if (ph_str_eq(name, PH_STR("cert"))) {
            struct ph_str pem;

            if (!pem_take(&text, &pem)) {
                return;
            }
            if (out->cert_count < PAYPAL_CERTS_MAX) {
                out->certs[out->cert_count].url   = value;
                out->certs[out->cert_count++].pem = pem;
            }
        }
    }
}

/* ---- writing ---- */

static void
cert_write(struct ph_buf *buf, struct ph_str url, struct ph_str pem)
{
    ph_buf_add(buf, PH_STR("cert "));
    ph_buf_add(buf, url);
    ph_buf_byte(buf, '\n');
    ph_buf_add(buf, pem);
    if (pem.len == 0 || pem.ptr[pem.len - 1] != '\n') {
        ph_buf_byte(buf, '\n');
    }
    ph_buf_add(buf, end_of_cert);
}

/* The oldest certificates go where there is no room for all. */
static struct ph_str
kept_write(const struct paypal_kept *known, struct ph_arena *arena)
{
    struct ph_buf buf;
    size_t        most = PH_CHANNEL_KEPT_MAX, before;

    ph_arena_open(arena, &buf);
    if (known->token.len != 0) {
        ph_buf_add(&buf, PH_STR("token "));
        ph_buf_add(&buf, known->token);
        ph_buf_add(&buf, PH_STR("\nuntil "));
        ph_buf_u64(&buf, known->until_ms);
        ph_buf_byte(&buf, '\n');
    }
    for (size_t i = 0; i < known->cert_count; i++) {
        before = buf.len;
        cert_write(&buf, known->certs[i].url, known->certs[i].pem);
        if (buf.len > most) {
            ph_buf_cut(&buf, before);
            break;
        }
    }
    return ph_arena_close(arena, &buf);
}

static void
kept_done(const struct ph_channel_call *call, const struct paypal_kept *known,
          struct ph_channel_out *out)
{
    out->kept.value = kept_write(known, call->arena);
    out->result = call->arena->full || out->kept.value.len > PH_CHANNEL_KEPT_MAX
                      ? ph_rest_unknown(PH_STR("no_room"))
                      : ph_rest_unknown(ph_str_make(NULL, 0));
    if (out->result.error_class.len == 0) {
        out->result.class = PH_RESULT_SUCCEEDED;
    }
}

/* ---- the token ---- */

static bool
token_read(struct ph_str body, struct ph_arena *arena, struct ph_str *token,
           int64_t *seconds)
{
    struct ph_doc *doc;
    struct ph_str  type;
    bool           ok;

    if (ph_doc_json(&doc, body) != PH_OK) {
        return false;
    }
    ok = ph_doc_text(doc, "access_token", arena, token) == PH_OK
         && ph_doc_text(doc, "token_type", arena, &type) == PH_OK
         && ph_doc_int(doc, "expires_in", seconds) == PH_OK
         && ph_str_eq(type, PH_STR("Bearer"))
         && ph_rest_is_plain(*token, PAYPAL_TOKEN_MAX)
         && *seconds >= SECONDS_MIN && *seconds <= SECONDS_MAX;
    ph_doc_free(doc);
    return ok;
}

void
paypal_token_take(const struct ph_channel_call  *call,
                  const struct ph_channel_reply *reply,
                  struct ph_channel_out         *out)
{
    struct paypal_kept known;
    int64_t            seconds;

    if (reply->status != 200) {
        out->result = ph_rest_unknown(
            reply->status == 401 || reply->status == 403 ? PH_STR("config")
                                                         : PH_STR("refresh"));
        return;
    }
    paypal_kept_read(call->account->kept, &known);
    if (!token_read(reply->body, call->arena, &known.token, &seconds)) {
        out->result = ph_rest_unknown(PH_STR("unreadable"));
        return;
    }
    const uint64_t ms = (uint64_t) seconds * 1000;

    known.until_ms          = call->now_ms + ms;
    out->kept.refresh_at_ms = call->now_ms + ms / 100 * REFRESH_PERCENT;
    out->kept.expires_at_ms = known.until_ms;
    kept_done(call, &known, out);
}

/* ---- certificates ---- */

/* Puts it before the others; one of the same address is replaced. */
static void
cert_put(struct paypal_kept *known, struct ph_str url, struct ph_str pem)
{
    struct paypal_kept old = *known;

    known->certs[0].url = url;
    known->certs[0].pem = pem;
    known->cert_count   = 1;
    for (size_t i = 0;
         i < old.cert_count && known->cert_count < PAYPAL_CERTS_MAX; i++)
    {
        if (!ph_str_eq(old.certs[i].url, url)) {
            known->certs[known->cert_count++] = old.certs[i];
        }
    }
}

/* What is kept is read by lines: a line of a dot is none of a PEM. */
static bool
pem_is_plain(struct ph_str pem)
{
    struct ph_str rest = pem, line;

    while (ph_str_next(&rest, '\n', &line)) {
        if (ph_str_eq(line, PH_STR("."))) {
            return false;
        }
    }
    return pem.len <= PH_CERT_TEXT_MAX
           && memchr(pem.ptr, '\0', pem.len) == NULL;
}

static enum ph_rc
pem_check(const struct ph_channel_call *call, struct ph_str pem)
{
    const struct paypal_account *account = call->account->context;
    struct ph_cert              *certs[1 + PH_CHAIN_MIDDLE_MAX];
    size_t                       count = 0;
    enum ph_rc                   rc;

    if (pem.len == 0 || !pem_is_plain(pem)) {
        return PH_E_SYNTAX;
    }
    rc = ph_certs_new(certs, PH_COUNT(certs), &count, pem);
    if (rc != PH_OK) {
        return rc;
    }
    rc = paypal_cert_check(account, certs, count, call->now_ms, call->arena);
    ph_certs_free(certs, count);
    return rc;
}

void
paypal_cert_take(const struct ph_channel_call  *call,
                 const struct ph_channel_reply *reply,
                 struct ph_channel_out         *out)
{
    const struct ph_channel_kept *old = call->account->kept;
    struct paypal_kept            known;

    if (reply->status != 200) {
        out->result = ph_rest_unknown(PH_STR("refresh"));
        return;
    }
    if (pem_check(call, reply->body) != PH_OK) {
        out->result = ph_rest_unknown(PH_STR("signature"));
        return;
    }
    paypal_kept_read(old, &known);
    cert_put(&known, call->hint, reply->body);
    out->kept.refresh_at_ms = old != NULL ? old->refresh_at_ms : call->now_ms;
    out->kept.expires_at_ms
        = old != NULL ? old->expires_at_ms : call->now_ms + CERT_KEPT_MS;
    kept_done(call, &known, out);
}

void
paypal_certs_open(struct paypal_account        *account,
                  const struct ph_channel_kept *kept)
{
    struct paypal_kept known;

    paypal_kept_read(kept, &known);
    for (size_t i = 0; i < known.cert_count; i++) {
        struct paypal_cert *cert = &account->certs[account->cert_count];
        struct ph_str       url  = known.certs[i].url;

        if (url.len == 0 || url.len > sizeof(cert->url)
            || ph_certs_new(cert->certs, PH_COUNT(cert->certs), &cert->count,
                            known.certs[i].pem)
                   != PH_OK)
        {
            continue;
        }
        memcpy(cert->url, url.ptr, url.len);
        cert->url_len = url.len;
        account->cert_count++;
    }
}

enum ph_rc
paypal_cert_check(const struct paypal_account *account,
                  struct ph_cert *const *certs, size_t count, uint64_t now_ms,
                  struct ph_arena *arena)
{
    static const struct ph_str names[]
        = { PH_STR_INIT("messageverificationcerts.paypal.com"),
            PH_STR_INIT("messageverificationcerts.sandbox.paypal.com") };
    const struct ph_cert *middle[PH_CHAIN_MIDDLE_MAX];
    struct ph_str         name;

    if (count == 0 || count > 1 + PH_CHAIN_MIDDLE_MAX || account->trust == NULL)
    {
        return PH_E_MISSING;
    }
    name = ph_cert_cn(certs[0], arena);
    if (!ph_str_eq(name, names[0]) && !ph_str_eq(name, names[1])) {
        return PH_E_SIGNATURE;
    }
    for (size_t i = 1; i < count; i++) {
        middle[i - 1] = certs[i];
    }
    return ph_chain_check(certs[0], middle, count - 1, account->trust, now_ms,
                          PH_CHAIN_SHA2);
}
