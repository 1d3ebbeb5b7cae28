/*
 * request.c - what Alipay is sent.  The common parameters go into the address,
 * biz_content into the form; all of them are signed together.
 */
#include "channels/alipay/alipay_int.h"
#include "channels/pick.h"
#include "libpayhub/base/civil.h"
#include "libpayhub/base/money.h"
#include "libpayhub/wire/b64.h"
#include "libpayhub/wire/cipher.h"
#include "libpayhub/wire/rsa.h"

#define YUAN_DECIMALS 2
#define BODY_CHARS_MAX 128   /* of `body`, characters */
#define REASON_CHARS_MAX 256 /* of `refund_reason` */

/* how an order of each method is made */
static const struct way {
    struct ph_str method;
    struct ph_str api;
    struct ph_str product;
    bool          is_handed_over; /* the payer takes it there */
    bool          returns;        /* and comes back to return_url */
} ways[] = {
    { PH_STR_INIT("alipay_qr"), PH_STR_INIT("alipay.trade.precreate"),
      PH_STR_INIT(""), false, false },
    { PH_STR_INIT("alipay_bar"), PH_STR_INIT("alipay.trade.pay"),
      PH_STR_INIT("FACE_TO_FACE_PAYMENT"), false, false },
    { PH_STR_INIT("bar"), PH_STR_INIT("alipay.trade.pay"),
      PH_STR_INIT("FACE_TO_FACE_PAYMENT"), false, false },
    { PH_STR_INIT("alipay_page"), PH_STR_INIT("alipay.trade.page.pay"),
      PH_STR_INIT("FAST_INSTANT_TRADE_PAY"), true, true },
    { PH_STR_INIT("alipay_wap"), PH_STR_INIT("alipay.trade.wap.pay"),
      PH_STR_INIT("QUICK_WAP_WAY"), true, true },
    { PH_STR_INIT("alipay_app"), PH_STR_INIT("alipay.trade.app.pay"),
      PH_STR_INIT("QUICK_MSECURITY_PAY"), true, false },
    { PH_STR_INIT("alipay_jsapi"), PH_STR_INIT("alipay.trade.create"),
      PH_STR_INIT("JSAPI_PAY"), false, false },
};

static const struct way *
way_find(struct ph_str method)
{
    for (size_t i = 0; i < PH_COUNT(ways); i++) {
        if (ph_str_eq(ways[i].method, method)) {
            return &ways[i];
        }
    }
    return NULL;
}

struct ph_str
alipay_method(enum ph_channel_op op, const struct ph_channel_order *order)
{
    const struct way *way;

    switch (op) {
    case PH_OP_CREATE:
        way = way_find(order->method);
        return way != NULL ? way->api : ph_str_make(NULL, 0);
    case PH_OP_QUERY:
        return PH_STR("alipay.trade.query");
    case PH_OP_CLOSE:
        return PH_STR("alipay.trade.close");
    case PH_OP_REVERSE:
        return PH_STR("alipay.trade.cancel");
    case PH_OP_REFUND:
        return PH_STR("alipay.trade.refund");
    case PH_OP_REFUND_QUERY:
        return PH_STR("alipay.trade.fastpay.refund.query");
    case PH_OP_ACCOUNT_REFRESH:
        return PH_STR("alipay.open.app.alipaycert.download");
    }
    return ph_str_make(NULL, 0);
}

bool
alipay_is_handed_over(struct ph_str method)
{
    const struct way *way = way_find(method);

    return way != NULL && way->is_handed_over;
}

/* --- biz_content ---------------------------------------------------------- */

/* At most so many characters of a UTF-8 text. */
static struct ph_str
chars_cut(struct ph_str text, size_t most)
{
    size_t chars = 0;

    for (size_t i = 0; i < text.len; i++) {
        bool begins = ((unsigned char) text.ptr[i] & 0xc0) != 0x80;

        if (begins && chars++ == most) {
            return ph_str_make(text.ptr, i);
        }
    }
    return text;
}

/* ,"name":"text" and nothing when the text is empty */
static void
member_add(struct ph_buf *buf, const char *name, struct ph_str text)
{
    if (text.len == 0) {
        return;
    }
    ph_buf_byte(buf, ',');
    ph_buf_json(buf, ph_str_z(name));
    ph_buf_byte(buf, ':');
    ph_buf_json(buf, text);
}

static void
amount_add(struct ph_buf *buf, const char *name, int64_t amount)
{
    char          memory[32];
    struct ph_buf text = PH_BUF_INIT(memory);

    ph_money_format(&text, amount, YUAN_DECIMALS);
    member_add(buf, name, ph_buf_str(&text));
}

static void
expiry_add(struct ph_buf *buf, uint64_t expires_at_ms)
{
    char          memory[32];
    struct ph_buf text = PH_BUF_INIT(memory);

    if (expires_at_ms != 0) {
        ph_civil_add(&text, PH_CIVIL_PLAIN, expires_at_ms, PH_BEIJING_MIN);
        member_add(buf, "time_expire", ph_buf_str(&text));
    }
}

/* what a payer is known by, of the order's `extra` */
struct payer {
    struct ph_str auth_code;
    struct ph_str buyer_id;
    struct ph_str buyer_open_id;
    struct ph_str quit_url;
    struct ph_str qr_pay_mode;
};

static bool
payer_read(const struct ph_channel_order *order, const struct way *way,
           struct ph_arena *arena, struct payer *out)
{
    *out = (struct payer){ 0 };
    if (ph_str_eq(way->api, PH_STR("alipay.trade.pay"))) {
        out->auth_code = ph_channel_extra_text(order, "auth_code", arena);
        return out->auth_code.len != 0;
    }
    if (ph_str_eq(way->api, PH_STR("alipay.trade.create"))) {
        out->buyer_id = ph_channel_extra_text(order, "buyer_id", arena);
        out->buyer_open_id
            = ph_channel_extra_text(order, "buyer_open_id", arena);
        return out->buyer_id.len != 0 || out->buyer_open_id.len != 0;
    }
    out->quit_url    = ph_channel_extra_text(order, "quit_url", arena);
    out->qr_pay_mode = ph_channel_extra_text(order, "qr_pay_mode", arena);
    return true;
}

static void
payer_add(struct ph_buf *buf, const struct payer *payer, struct ph_str app_id)
{
    if (payer->auth_code.len != 0) {
        member_add(buf, "auth_code", payer->auth_code);
        member_add(buf, "scene", PH_STR("bar_code"));
    }
    if (payer->buyer_id.len != 0 || payer->buyer_open_id.len != 0) {
        member_add(buf, "buyer_id", payer->buyer_id);
        member_add(buf, "buyer_open_id", payer->buyer_open_id);
        member_add(buf, "op_app_id", app_id);
    }
    member_add(buf, "quit_url", payer->quit_url);
    member_add(buf, "qr_pay_mode", payer->qr_pay_mode);
}

static bool
create_add(struct ph_buf *buf, const struct ph_channel_call *call,
           const struct payer *payer, const struct way *way)
{
    const struct ph_channel_order *order  = call->order;
    const struct ph_str           *values = call->account->values;

    if (order->amount < 1 || order->amount > ALIPAY_AMOUNT_MAX) {
        return false;
    }
    amount_add(buf, "total_amount", order->amount);
    member_add(buf, "subject", order->subject);
    member_add(buf, "body", chars_cut(order->description, BODY_CHARS_MAX));
    member_add(buf, "product_code", way->product);
    expiry_add(buf, order->expires_at_ms);
    payer_add(buf, payer, values[ALIPAY_APP_ID]);
    if (values[ALIPAY_PROVIDER_ID].len != 0) {
        ph_buf_add(buf, PH_STR(",\"extend_params\":"
                               "{\"sys_service_provider_id\":"));
        ph_buf_json(buf, values[ALIPAY_PROVIDER_ID]);
        ph_buf_byte(buf, '}');
    }
    return true;
}

static bool
refund_add(struct ph_buf *buf, const struct ph_channel_order *order)
{
    if (order->refund_amount < 1 || order->refund_amount > ALIPAY_AMOUNT_MAX
        || order->refund_id.len == 0)
    {
        return false;
    }
    amount_add(buf, "refund_amount", order->refund_amount);
    member_add(buf, "out_request_no", order->refund_id);
    member_add(buf, "refund_reason",
               chars_cut(order->refund_reason, REASON_CHARS_MAX));
    return true;
}

static bool
members_add(struct ph_buf *buf, const struct ph_channel_call *call,
            enum ph_channel_op op, const struct payer *payer)
{
    switch (op) {
    case PH_OP_CREATE:
        return create_add(buf, call, payer, way_find(call->order->method));
    case PH_OP_REFUND:
        return refund_add(buf, call->order);
    case PH_OP_REFUND_QUERY:
        member_add(buf, "out_request_no", call->order->refund_id);
        ph_buf_add(buf, PH_STR(",\"query_options\":[\"gmt_refund_pay\"]"));
        return call->order->refund_id.len != 0;
    case PH_OP_QUERY:
    case PH_OP_CLOSE:
    case PH_OP_REVERSE:
        return true;
    case PH_OP_ACCOUNT_REFRESH:
        break;
    }
    return false;
}

/* {NULL, 0}: nothing that can be sent */
static struct ph_str
biz_content(const struct ph_channel_call *call, enum ph_channel_op op)
{
    struct payer      payer = { 0 };
    struct ph_buf     buf;
    const struct way *way = way_find(call->order->method);

    if (call->order->attempt_id.len == 0
        || (op == PH_OP_CREATE
            && (way == NULL
                || !payer_read(call->order, way, call->arena, &payer))))
    {
        return ph_str_make(NULL, 0);
    }
    ph_arena_open(call->arena, &buf);
    ph_buf_add(&buf, PH_STR("{\"out_trade_no\":"));
    ph_buf_json(&buf, call->order->attempt_id);
    bool ok = members_add(&buf, call, op, &payer);
    ph_buf_byte(&buf, '}');
    struct ph_str text = ph_arena_close(call->arena, &buf);
    return ok ? text : ph_str_make(NULL, 0);
}

/* --- contents that are encrypted ------------------------------------------ */

static const uint8_t zero_iv[PH_CIPHER_BLOCK];

enum ph_rc
alipay_aes(bool enc, const struct ph_channel_account *account, struct ph_str in,
           struct ph_buf *buf)
{
    const struct alipay_account *opened = alipay_opened(account);
    struct ph_str                key
        = ph_str_make((const char *) opened->aes_key, ALIPAY_AES_LEN);
    size_t        mark = buf->len;
    struct ph_buf work; /* behind what is there: cipher text */
    enum ph_rc    rc;

    if (!opened->has_aes) {
        return PH_E_MISSING;
    }
    if (buf->full) {
        return PH_E_FULL;
    }
    if (!enc) {
        /* raw at the far end, as it is at most three quarters of the text */
        size_t room = buf->size - mark;
        size_t raw  = in.len / 4 * 3;

        if (raw > room) {
            return PH_E_FULL;
        }
        ph_buf_init(&work, buf->ptr + buf->size - raw, raw);
        rc = ph_b64_decode(&work, in);
        if (rc != PH_OK) {
            return rc;
        }
        struct ph_buf out;
        ph_buf_init(&out, buf->ptr + mark, room - raw);
        rc = ph_aes_cbc(false, key, zero_iv, ph_buf_str(&work), &out);
        if (rc == PH_OK) {
            buf->len = mark + out.len;
        }
        return rc;
    }
    size_t raw = (in.len / PH_CIPHER_BLOCK + 1) * PH_CIPHER_BLOCK;
    size_t end = buf->size - mark;

    if (in.len > end || raw > end || PH_B64_LEN(raw) > end - raw) {
        return PH_E_FULL;
    }
    ph_buf_init(&work, buf->ptr + buf->size - raw, raw);
    rc = ph_aes_cbc(true, key, zero_iv, in, &work);
    if (rc == PH_OK) {
        ph_b64_encode(buf, ph_buf_str(&work));
    }
    return rc;
}

/* --- parameters ----------------------------------------------------------- */

struct params {
    struct ph_pair pair[ALIPAY_PARAMS_MAX];
    size_t         count;
};

static void
param_add(struct params *params, const char *name, struct ph_str value)
{
    if (value.len != 0 && params->count < ALIPAY_PARAMS_MAX) {
        params->pair[params->count++]
            = (struct ph_pair){ ph_str_z(name), value };
    }
}

static struct ph_str
timestamp(const struct ph_channel_call *call)
{
    struct ph_buf buf;

    ph_arena_open(call->arena, &buf);
    ph_civil_add(&buf, PH_CIVIL_PLAIN, call->now_ms, PH_BEIJING_MIN);
    return ph_arena_close(call->arena, &buf);
}

static void
common_add(struct params *params, const struct ph_channel_call *call,
           struct ph_str method)
{
    const struct ph_str *values = call->account->values;
    struct ph_str        app, alipay, root;

    alipay_sns(call->account, &app, &alipay, &root);
    param_add(params, "app_id", values[ALIPAY_APP_ID]);
    param_add(params, "method", method);
    param_add(params, "charset", PH_STR("utf-8"));
    param_add(params, "sign_type", PH_STR("RSA2"));
    param_add(params, "timestamp", timestamp(call));
    param_add(params, "version", PH_STR("1.0"));
    param_add(params, "app_auth_token", values[ALIPAY_APP_AUTH_TOKEN]);
    param_add(params, "app_cert_sn", app);
    param_add(params, "alipay_root_cert_sn", root);
}

void
alipay_sign_text(struct ph_pair *params, size_t count, struct ph_buf *buf)
{
    static const struct ph_str  skip[] = { PH_STR_INIT("sign") };
    static const struct ph_join how    = { skip, PH_COUNT(skip), true };

    ph_pairs_sort(params, count);
    ph_pairs_join(buf, params, count, &how);
}

bool
alipay_params_sign(const struct ph_channel_account *account,
                   struct ph_pair *params, size_t count, struct ph_arena *arena,
                   struct ph_str *sign)
{
    char          memory[PH_RSA_LEN_MAX];
    struct ph_buf raw = PH_BUF_INIT(memory), buf;

    ph_arena_open(arena, &buf);
    alipay_sign_text(params, count, &buf);
    struct ph_str text = ph_arena_close(arena, &buf);

    if (arena->full
        || !ph_private_sign(alipay_opened(account)->app_key, PH_RSA_SHA256,
                            &text, 1, &raw))
    {
        return false;
    }
    ph_arena_open(arena, &buf);
    ph_b64_encode(&buf, ph_buf_str(&raw));
    *sign = ph_arena_close(arena, &buf);
    return !arena->full;
}

static bool
content_add(struct params *params, const struct ph_channel_call *call,
            struct ph_str content)
{
    struct ph_buf buf;

    if (!alipay_opened(call->account)->has_aes) {
        param_add(params, "biz_content", content);
        return true;
    }
    ph_arena_open(call->arena, &buf);
    bool          ok = alipay_aes(true, call->account, content, &buf) == PH_OK;
    struct ph_str secret = ph_arena_close(call->arena, &buf);
    param_add(params, "encrypt_type", PH_STR("AES"));
    param_add(params, "biz_content", secret);
    return ok;
}

/* --- requests ------------------------------------------------------------- */

static bool
is_of_form(struct ph_str name)
{
    return ph_str_eq(name, PH_STR("biz_content"))
           || ph_str_eq(name, PH_STR("encrypt_type"));
}

/* Only those of the form, or only the others; all = both. */
static void
params_encode(struct ph_buf *buf, const struct params *params, bool of_form,
              bool all)
{
    enum ph_url_space space
        = of_form && !all ? PH_URL_SPACE_PLUS : PH_URL_SPACE_HEX;
    bool is_first = true;

    for (size_t i = 0; i < params->count; i++) {
        if (!all && is_of_form(params->pair[i].name) != of_form) {
            continue;
        }
        if (!is_first) {
            ph_buf_byte(buf, '&');
        }
        ph_form_encode(buf, &params->pair[i], 1, space);
        is_first = false;
    }
}

static bool
sign_add(struct params *params, const struct ph_channel_call *call)
{
    struct ph_str sign;

    if (!alipay_params_sign(call->account, params->pair, params->count,
                            call->arena, &sign))
    {
        return false;
    }
    param_add(params, "sign", sign);
    return true;
}

static void
request_fill(struct ph_channel_request    *request,
             const struct ph_channel_call *call, const struct params *params)
{
    struct ph_buf buf;

    ph_arena_open(call->arena, &buf);
    ph_buf_add(&buf, call->account->values[ALIPAY_GATEWAY_URL]);
    ph_buf_byte(&buf, '?');
    params_encode(&buf, params, false, false);
    request->url = ph_arena_close(call->arena, &buf);
    ph_arena_open(call->arena, &buf);
    params_encode(&buf, params, true, false);
    request->body         = ph_arena_close(call->arena, &buf);
    request->method       = PH_STR("POST");
    request->header_count = 1;
    request->headers[0]   = (struct ph_channel_header){
          PH_STR("Content-Type"),
          PH_STR("application/x-www-form-urlencoded;charset=utf-8")
    };
}

bool
alipay_request(const struct ph_channel_call *call, enum ph_channel_op op,
               struct ph_channel_request *request)
{
    struct params params = { .count = 0 };
    struct ph_str content;

    content = biz_content(call, op);
    if (content.len == 0) {
        return false;
    }
    common_add(&params, call, alipay_method(op, call->order));
    if (op == PH_OP_CREATE) {
        param_add(&params, "notify_url", call->order->notify_url);
    }
    if (!content_add(&params, call, content) || !sign_add(&params, call)) {
        return false;
    }
    request_fill(request, call, &params);
    return !call->arena->full;
}

bool
alipay_request_of(const struct ph_channel_call *call, struct ph_str method,
                  struct ph_str content, struct ph_channel_request *request)
{
    struct params params = { .count = 0 };

    common_add(&params, call, method);
    param_add(&params, "biz_content", content);
    if (!sign_add(&params, call)) {
        return false;
    }
    request_fill(request, call, &params);
    return !call->arena->full;
}

/* --- without a call ------------------------------------------------------- */

bool
alipay_hand_over(const struct ph_channel_call *call,
                 struct ph_channel_result     *result)
{
    const struct way *way     = way_find(call->order->method);
    struct params     params  = { .count = 0 };
    struct ph_str     content = biz_content(call, PH_OP_CREATE);
    struct ph_buf     buf;

    if (way == NULL || content.len == 0) {
        return false;
    }
    common_add(&params, call, way->api);
    param_add(&params, "notify_url", call->order->notify_url);
    if (way->returns) {
        param_add(&params, "return_url", call->order->return_url);
    }
    if (!content_add(&params, call, content) || !sign_add(&params, call)) {
        return false;
    }
    ph_arena_open(call->arena, &buf);
    if (way->returns) {
        ph_buf_add(&buf, call->account->values[ALIPAY_GATEWAY_URL]);
        ph_buf_byte(&buf, '?');
    }
    params_encode(&buf, &params, false, true);
    struct ph_str text = ph_arena_close(call->arena, &buf);

    ph_arena_open(call->arena, &buf);
    ph_buf_json(&buf, text);
    result->action_data = ph_arena_close(call->arena, &buf);
    result->action      = way->returns ? PH_ACTION_REDIRECT : PH_ACTION_APP;
    result->class       = PH_RESULT_WAIT_USER;
    return !call->arena->full;
}
