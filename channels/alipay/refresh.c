/*
 * refresh.c - Alipay's next certificate, by the SN that an answer named.
 *
 * The gateway hands it out; what makes it Alipay's is its chain to the roots
 * that the account was given, its name, its dates and the SN, not the answer
 * that brought it.  Kept are the PEMs of a few, the newest first.
 */
#include "channels/alipay/alipay_int.h"
#include "libpayhub/wire/b64.h"
#include "libpayhub/wire/cert.h"

#define BEGIN "-----BEGIN CERTIFICATE-----"
#define END "-----END CERTIFICATE-----"
#define LINE_LEN 64
#define NEVER_MS (UINT64_C(253402300799) * 1000) /* the end of 9999 */

/* --- PEM ------------------------------------------------------------------ */

/* The next block of a text, with its lines around; false: there is none. */
static bool
pem_next(struct ph_str *rest, struct ph_str *pem)
{
    const char *from, *to;
    size_t      left;

    from = rest->len != 0 ? memmem(rest->ptr, rest->len, BEGIN, strlen(BEGIN))
                          : NULL;
    if (from == NULL) {
        return false;
    }
    left = rest->len - (size_t) (from - rest->ptr);
    to   = memmem(from, left, END, strlen(END));
    if (to == NULL) {
        return false;
    }
    to += strlen(END);
    *pem  = ph_str_make(from, (size_t) (to - from));
    *rest = ph_str_make(to, left - pem->len);
    return true;
}

static void
pem_of_b64(struct ph_buf *buf, struct ph_str b64)
{
    ph_buf_add(buf, PH_STR(BEGIN "\n"));
    for (size_t at = 0; at < b64.len; at += LINE_LEN) {
        size_t left = b64.len - at;

        ph_buf_add(
            buf, ph_str_make(b64.ptr + at, left < LINE_LEN ? left : LINE_LEN));
        ph_buf_byte(buf, '\n');
    }
    ph_buf_add(buf, PH_STR(END));
}

/* What was told is base64 of a PEM, or of the certificate itself. */
static bool
pem_read(struct ph_str b64, struct ph_arena *arena, struct ph_str *pem)
{
    struct ph_buf buf;

    ph_arena_open(arena, &buf);
    enum ph_rc    rc   = ph_b64_decode(&buf, b64);
    struct ph_str text = ph_arena_close(arena, &buf);

    if (rc != PH_OK || arena->full) {
        return false;
    }
    if (pem_next(&text, pem)) {
        return true;
    }
    ph_arena_open(arena, &buf);
    pem_of_b64(&buf, b64);
    *pem = ph_arena_close(arena, &buf);
    return !arena->full;
}

/* --- kept ----------------------------------------------------------------- */

struct keeping {
    const struct ph_channel_call *call;
    struct ph_buf                 buf;
    size_t                        count;
    uint64_t                      until_ms; /* the first one's end */
};

/* Only what would be believed now. */
static void
keep(struct keeping *it, struct ph_str pem, const struct ph_cert *cert)
{
    uint64_t from_ms, until_ms;

    if (it->count == ALIPAY_KEPT_MAX
        || it->buf.len + pem.len + 1 > PH_CHANNEL_KEPT_MAX)
    {
        return;
    }
    ph_cert_dates(cert, &from_ms, &until_ms);
    if (until_ms < it->until_ms) {
        it->until_ms = until_ms;
    }
    ph_buf_add(&it->buf, pem);
    ph_buf_byte(&it->buf, '\n');
    it->count++;
}

static struct ph_str
sn_of(const struct ph_cert *cert, char memory[ALIPAY_SN_LEN])
{
    struct ph_buf buf;

    ph_buf_init(&buf, memory, ALIPAY_SN_LEN);
    return ph_cert_alipay_sn(cert, &buf) ? ph_buf_str(&buf)
                                         : ph_str_make(NULL, 0);
}

/* Those from before, but for `sn`, which came anew. */
static void
keep_old(struct keeping *it, struct ph_str sn)
{
    const struct ph_channel_kept *kept = it->call->account->kept;
    struct ph_str rest = kept != NULL ? kept->value : ph_str_make(NULL, 0);
    struct ph_str pem;

    while (pem_next(&rest, &pem)) {
        struct ph_cert *cert = NULL;
        char            memory[ALIPAY_SN_LEN];

        if (ph_cert_new(&cert, pem) != PH_OK) {
            continue;
        }
        struct ph_str old = sn_of(cert, memory);
        if (!ph_str_eq(old, sn)
            && alipay_cert_check(it->call->account, cert, old, it->call->now_ms)
                   == PH_OK)
        {
            keep(it, pem, cert);
        }
        ph_cert_free(cert);
    }
}

/* `cert` may be NULL: then only what is over goes. */
static bool
keep_all(const struct ph_channel_call *call, struct ph_str pem,
         const struct ph_cert *cert, struct ph_channel_kept *out)
{
    struct keeping it = { .call = call, .until_ms = NEVER_MS };

    ph_arena_open(call->arena, &it.buf);
    if (cert != NULL) {
        keep(&it, pem, cert);
    }
    keep_old(&it, cert != NULL ? call->hint : ph_str_make(NULL, 0));
    out->value         = ph_arena_close(call->arena, &it.buf);
    out->refresh_at_ms = it.until_ms;
    out->expires_at_ms = NEVER_MS; /* each has its own end */
    return !call->arena->full;
}

/* --- the call ------------------------------------------------------------- */

static bool
request_make(const struct ph_channel_call *call,
             struct ph_channel_request    *request)
{
    struct ph_buf buf;

    ph_arena_open(call->arena, &buf);
    ph_buf_add(&buf, PH_STR("{\"alipay_cert_sn\":"));
    ph_buf_json(&buf, call->hint);
    ph_buf_byte(&buf, '}');
    struct ph_str content = ph_arena_close(call->arena, &buf);

    return alipay_request_of(call,
                             alipay_method(PH_OP_ACCOUNT_REFRESH, call->order),
                             content, request);
}

static enum ph_channel_step
done(struct ph_channel_out *out, bool ok)
{
    out->result
        = (struct ph_channel_result){ .amount = -1, .refunded_total = -1 };
    out->result.class = ok ? PH_RESULT_SUCCEEDED : PH_RESULT_UNKNOWN;
    if (!ok) {
        out->result.error_class = PH_STR("refresh");
    }
    return PH_STEP_DONE;
}

static enum ph_channel_step
certificate_take(struct ph_channel_call *call, struct ph_str pem,
                 struct ph_channel_out *out)
{
    struct ph_cert *cert = NULL;
    bool            ok
        = ph_cert_new(&cert, pem) == PH_OK
          && alipay_cert_check(call->account, cert, call->hint, call->now_ms)
                 == PH_OK
          && keep_all(call, pem, cert, &out->kept);

    ph_cert_free(cert);
    return done(out, ok);
}

enum ph_channel_step
alipay_refresh(struct ph_channel_call        *call,
               const struct ph_channel_reply *last, struct ph_channel_out *out)
{
    struct ph_str b64, pem;

    if (!alipay_opened(call->account)->is_cert_mode) {
        return PH_STEP_ERROR;
    }
    if (!alipay_is_sn(call->hint)) {
        return done(out, call->hint.len == 0
                             && keep_all(call, PH_STR(""), NULL, &out->kept));
    }
    if (last == NULL) {
        return request_make(call, &out->request) ? PH_STEP_NEED_REQUEST
                                                 : PH_STEP_ERROR;
    }
    if (last->status != 200
        || !alipay_certificate_find(last->body, call->arena, &b64)
        || !pem_read(b64, call->arena, &pem))
    {
        return done(out, false);
    }
    return certificate_take(call, pem, out);
}
