/*
 * notice.c - what a notice of Alipay's tells: a payment, and with refund_fee
 * that money of it went back.
 *
 * Which string was signed is not settled in public: with or without sign_type,
 * with or without empty values.  Any of the three that Alipay's libraries know
 * is taken; a forger gains nothing, as none can be signed without the key.
 *
 * The text that is signed is "name=value&..." without any escaping, and values
 * are other people's: a payer's words come back as `body` or `subject`.  With
 * "&out_trade_no=..." in them the same text could be posted in other pieces, as
 * a notice about another order.  So a name is letters, digits and `_`, and no
 * value holds what begins a member that is read here.  A notice that is refused
 * for it costs a query.
 */
#include <strings.h>

#include "channels/alipay/alipay_int.h"
#include "libpayhub/base/id.h"
#include "libpayhub/wire/b64.h"
#include "libpayhub/wire/digest.h"
#include "libpayhub/wire/rsa.h"

#define PIECES_MAX (4 * ALIPAY_NOTICE_PAIRS_MAX)
#define ID_SUM_LEN 8 /* bytes of a digest in a notice's id */

/* --- signed --------------------------------------------------------------- */

struct shape {
    bool has_sign_type;
    bool drops_empty;
};

/* name=value&..., in pieces; `pairs` are sorted. */
static size_t
pieces_fill(struct ph_str *pieces, const struct ph_pair *pairs, size_t count,
            struct shape shape)
{
    size_t filled = 0;

    for (size_t i = 0; i < count; i++) {
        if (ph_str_eq(pairs[i].name, PH_STR("sign"))
            || (!shape.has_sign_type
                && ph_str_eq(pairs[i].name, PH_STR("sign_type")))
            || (shape.drops_empty && pairs[i].value.len == 0))
        {
            continue;
        }
        if (filled != 0) {
            pieces[filled++] = PH_STR("&");
        }
        pieces[filled++] = pairs[i].name;
        pieces[filled++] = PH_STR("=");
        pieces[filled++] = pairs[i].value;
    }
    return filled;
}

static enum ph_rc
key_check(const struct alipay_key *key, const struct ph_pair *pairs,
          size_t count, struct ph_str signature)
{
    static const struct shape shapes[]
        = { { false, false }, { true, false }, { false, true } };
    struct ph_str pieces[PIECES_MAX];
    enum ph_rc    rc = PH_E_SIGNATURE;

    for (size_t i = 0; i < PH_COUNT(shapes) && rc == PH_E_SIGNATURE; i++) {
        size_t filled = pieces_fill(pieces, pairs, count, shapes[i]);

        rc = ph_public_check(key->key, PH_RSA_SHA256, pieces, filled,
                             signature);
    }
    return rc;
}

/* --- one reading ---------------------------------------------------------- */

static bool
is_name(struct ph_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char ch = name.ptr[i];

        if (!(ch >= 'a' && ch <= 'z') && !(ch >= 'A' && ch <= 'Z')
            && !(ch >= '0' && ch <= '9') && ch != '_')
        {
            return false;
        }
    }
    return name.len != 0;
}

/* `text` is what follows a & within a value */
static bool
begins_member(struct ph_str text)
{
    static const struct ph_str read_here[]
        = { PH_STR_INIT("alipay_cert_sn="), PH_STR_INIT("app_id="),
            PH_STR_INIT("charset="),        PH_STR_INIT("gmt_payment="),
            PH_STR_INIT("gmt_refund="),     PH_STR_INIT("notify_id="),
            PH_STR_INIT("notify_type="),    PH_STR_INIT("out_biz_no="),
            PH_STR_INIT("out_trade_no="),   PH_STR_INIT("refund_fee="),
            PH_STR_INIT("seller_id="),      PH_STR_INIT("total_amount="),
            PH_STR_INIT("trade_no="),       PH_STR_INIT("trade_status=") };

    for (size_t i = 0; i < PH_COUNT(read_here); i++) {
        if (ph_str_starts(text, read_here[i])) {
            return true;
        }
    }
    return false;
}

static bool
has_one_reading(const struct ph_pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct ph_str rest = pairs[i].value, before;

        if (!is_name(pairs[i].name)) {
            return false;
        }
        while (ph_str_cut(rest, '&', &before, &rest)) {
            if (begins_member(rest)) {
                return false;
            }
        }
    }
    return true;
}

/* --- opened --------------------------------------------------------------- */

enum ph_rc
alipay_notice_open(const struct ph_channel_account *account,
                   struct ph_pair *pairs, size_t count)
{
    const struct alipay_account *opened = alipay_opened(account);
    struct ph_str sign = ph_pair_find(pairs, count, PH_STR("sign"));
    struct ph_str cert_sn
        = ph_pair_find(pairs, count, PH_STR("alipay_cert_sn"));
    char          memory[PH_RSA_LEN_MAX];
    struct ph_buf raw = PH_BUF_INIT(memory);
    enum ph_rc    rc  = opened->is_cert_mode && alipay_is_sn(cert_sn)
                            ? PH_E_UNKNOWN
                            : PH_E_SIGNATURE;

    if (sign.len == 0 || count > ALIPAY_NOTICE_PAIRS_MAX) {
        return PH_E_MISSING;
    }
    if (!ph_str_eq(ph_pair_find(pairs, count, PH_STR("sign_type")),
                   PH_STR("RSA2"))
        || !has_one_reading(pairs, count) || ph_b64_decode(&raw, sign) != PH_OK)
    {
        return PH_E_SIGNATURE;
    }
    ph_pairs_sort(pairs, count);
    for (size_t i = 0; i < opened->key_count; i++) {
        const struct alipay_key *key = &opened->keys[i];

        if (opened->is_cert_mode && cert_sn.len != 0
            && !alipay_key_is(key, cert_sn)) {
            continue;
        }
        rc = key_check(key, pairs, count, ph_buf_str(&raw));
        if (rc != PH_E_SIGNATURE) {
            break;
        }
    }
    return rc;
}

/* --- read ----------------------------------------------------------------- */

struct told {
    const struct ph_pair *pairs;
    size_t                count;
    struct ph_arena      *arena;
    int64_t               total_amount, refund_fee;
    struct ph_str         out_trade_no, trade_no, out_biz_no;
    struct ph_str         app, seller, status;
};

static struct ph_str
told_text(const struct told *told, const char *name)
{
    return ph_pair_find(told->pairs, told->count, ph_str_z(name));
}

/* a copy that lives in the arena */
static struct ph_str
told_dup(const struct told *told, const char *name)
{
    struct ph_str text = told_text(told, name);

    return text.len != 0 ? ph_arena_dup(told->arena, text)
                         : ph_str_make(NULL, 0);
}

static bool
is_utf8(const struct told *told)
{
    static const char utf8[]  = "utf-8";
    struct ph_str     charset = told_text(told, "charset");

    if (charset.len != 0
        && (charset.len != strlen(utf8)
            || strncasecmp(charset.ptr, utf8, charset.len) != 0))
    {
        return false;
    }
    for (size_t i = 0; i < told->count; i++) {
        if (ph_str_utf8_count(told->pairs[i].value) == SIZE_MAX) {
            return false;
        }
    }
    return true;
}

static enum ph_rc
amount_read(const struct told *told, const char *name, int64_t *out)
{
    struct ph_str text = told_text(told, name);

    return alipay_amount(text.len != 0 ? text : ph_str_make(NULL, 0), out);
}

static enum ph_rc
told_read(struct told *told)
{
    if (!is_utf8(told)
        || amount_read(told, "total_amount", &told->total_amount) != PH_OK
        || amount_read(told, "refund_fee", &told->refund_fee) != PH_OK)
    {
        return PH_E_SYNTAX;
    }
    told->status       = told_text(told, "trade_status");
    told->out_trade_no = told_dup(told, "out_trade_no");
    told->trade_no     = told_dup(told, "trade_no");
    told->out_biz_no   = told_dup(told, "out_biz_no");
    told->app          = told_dup(told, "app_id");
    told->seller       = told_dup(told, "seller_id");
    if (told->arena->full) {
        return PH_E_FULL;
    }
    return told->status.len != 0 && told->out_trade_no.len != 0
                   && told_text(told, "notify_id").len != 0
               ? PH_OK
               : PH_E_MISSING;
}

/* --- told ----------------------------------------------------------------- */

/*
 * By what it is taken once: Alipay's own id of it, and a digest of what it
 * tells about, so that what is said of another state or refund is never
 * dropped.
 */
static struct ph_str
once_id(const struct told *told)
{
    struct ph_str       id = told_text(told, "notify_id");
    const struct ph_str pieces[]
        = { told->status, PH_STR("\n"), told->out_biz_no, PH_STR("\n"),
            told_text(told, "refund_fee") };
    uint8_t       sum[PH_SHA256_LEN];
    struct ph_buf buf;

    if (!ph_sha256(pieces, PH_COUNT(pieces), sum)) {
        return ph_str_make(NULL, 0);
    }
    ph_arena_open(told->arena, &buf);
    ph_buf_add(&buf, id);
    ph_buf_byte(&buf, '-');
    ph_buf_hex(&buf, ph_str_make((const char *) sum, ID_SUM_LEN));
    return ph_arena_close(told->arena, &buf);
}

static struct ph_channel_result
result_begin(const struct told *told)
{
    return (struct ph_channel_result){ .amount         = -1,
                                       .refunded_total = -1,
                                       .seller         = told->seller,
                                       .app            = told->app };
}

/* What was given back had been paid, whatever the word is now. */
static enum ph_rc
payment_tell(const struct told *told, bool has_refund,
             struct ph_channel_result *result)
{
    *result            = result_begin(told);
    result->number     = told->out_trade_no;
    result->trade_no   = told->trade_no;
    result->paid_at_ms = alipay_time(told_text(told, "gmt_payment"));
    result->amount     = told->total_amount;
    if (result->amount >= 0) {
        result->currency = PH_STR("CNY");
    }
    if (has_refund) {
        result->refunded_total = told->refund_fee;
    }
    result->class = alipay_status(told->status);
    if (result->class == PH_RESULT_UNKNOWN) {
        result->class       = PH_RESULT_WAIT_USER;
        result->is_hint     = true;
        result->error_class = PH_STR("unknown_code");
    } else if (result->class == PH_RESULT_CLOSED && has_refund) {
        result->class = PH_RESULT_SUCCEEDED;
    }
    return result->class == PH_RESULT_SUCCEEDED && result->amount < 0
               ? PH_E_MISSING
               : PH_OK;
}

/*
 * refund_fee is the sum of all refunds.  One of ours is asked about by its
 * number; one that somebody made elsewhere is told by the sum.
 */
static void
refund_tell(const struct told *told, struct ph_channel_notice_part *part)
{
    struct ph_channel_result *result = &part->result;

    *part                = (struct ph_channel_notice_part){ .is_refund = true };
    part->order_number   = told->out_trade_no;
    part->order_trade_no = told->trade_no;
    *result              = result_begin(told);
    result->number       = told->out_biz_no;
    result->refunded_total = told->refund_fee;
    result->paid_at_ms     = alipay_time(told_text(told, "gmt_refund"));
    if (ph_id_is(told->out_biz_no, PH_ID_REFUND)) {
        result->class   = PH_RESULT_WAIT_USER;
        result->is_hint = true;
    } else {
        result->class    = PH_RESULT_SUCCEEDED;
        result->currency = PH_STR("CNY");
    }
}

static enum ph_rc
notice_tell(const struct told *told, struct ph_channel_notice_out *out)
{
    bool       has_refund = told->refund_fee > 0;
    enum ph_rc rc         = payment_tell(told, has_refund, &out->result);

    if (rc != PH_OK) {
        return rc;
    }
    out->id = once_id(told);
    if (has_refund) {
        out->parts[0]
            = (struct ph_channel_notice_part){ .result = out->result };
        refund_tell(told, &out->parts[1]);
        out->part_count = 2;
    }
    return told->arena->full ? PH_E_FULL : PH_OK;
}

static void
ack_set(struct ph_channel_notice_out *out)
{
    out->ack_body         = PH_STR("success");
    out->ack_content_type = PH_STR("text/plain");
}

/* Signed by Alipay, and about something else than trades. */
static bool
is_of_others(const struct told *told)
{
    struct ph_str type = told_text(told, "notify_type");

    return type.len != 0 && !ph_str_eq(type, PH_STR("trade_status_sync"))
           && told_text(told, "trade_status").len == 0;
}

enum ph_rc
alipay_notice(const struct ph_channel_account *account,
              const struct ph_channel_notice *in, uint64_t now_ms,
              struct ph_arena *arena, struct ph_channel_notice_out *out)
{
    struct told     told = { .arena = arena };
    struct ph_pair *pairs;
    enum ph_rc      rc;

    (void) now_ms; /* Alipay repeats for 25 hours: no window */
    *out  = (struct ph_channel_notice_out){ 0 };
    pairs = ph_arena_take(arena, ALIPAY_NOTICE_PAIRS_MAX * sizeof(*pairs));
    if (pairs == NULL) {
        return PH_E_FULL;
    }
    rc = ph_form_decode(in->body, arena, pairs, ALIPAY_NOTICE_PAIRS_MAX,
                        &told.count);
    if (rc != PH_OK) {
        return rc;
    }
    told.pairs = pairs;
    rc         = alipay_notice_open(account, pairs, told.count);
    if (rc == PH_E_UNKNOWN) {
        out->needs_refresh = true;
        out->hint          = told_dup(&told, "alipay_cert_sn");
    }
    if (rc != PH_OK) {
        return rc;
    }
    ack_set(out);
    if (is_of_others(&told)) {
        out->is_ignored = true;
        return PH_OK;
    }
    rc = told_read(&told);
    return rc == PH_OK ? notice_tell(&told, out) : rc;
}
