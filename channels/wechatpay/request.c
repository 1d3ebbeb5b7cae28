/*
 * request.c - what is asked of WeChat Pay: paths, bodies, headers.
 *
 * The same order makes the same body each time, so that a repeated create or
 * refund is a repetition to WeChat, too.
 */
#include "channels/wechatpay/wechatpay_int.h"
#include "libpayhub/base/civil.h"
#include "libpayhub/wire/form.h"

#define DESCRIPTION_MAX 127 /* characters */
#define BODY_MAX 8192
#define REASON_MAX 80 /* bytes: whether it means characters is not told */

#define PATH_PAY "/v3/pay/transactions"
#define PATH_PARTNER "/v3/pay/partner/transactions"
#define PATH_REFUNDS "/v3/refund/domestic/refunds"
#define PATH_CERTIFICATES "/v3/certificates"

/* --- a body --------------------------------------------------------------- */

/* The comma stands before every member but the first of an object. */
static void
name_add(struct ph_buf *buf, const char *name)
{
    if (buf->len != 0 && buf->ptr[buf->len - 1] != '{') {
        ph_buf_byte(buf, ',');
    }
    ph_buf_json(buf, ph_str_z(name));
    ph_buf_byte(buf, ':');
}

static void
text_add(struct ph_buf *buf, const char *name, struct ph_str text)
{
    if (text.len != 0) {
        name_add(buf, name);
        ph_buf_json(buf, text);
    }
}

static void
number_add(struct ph_buf *buf, const char *name, int64_t number)
{
    name_add(buf, name);
    ph_buf_i64(buf, number);
}

static void
object_open(struct ph_buf *buf, const char *name)
{
    name_add(buf, name);
    ph_buf_byte(buf, '{');
}

static void
object_close(struct ph_buf *buf)
{
    ph_buf_byte(buf, '}');
}

/* at most `most` bytes, or characters, and never half a character */
static struct ph_str
text_cut(struct ph_str text, size_t most, bool counts_bytes)
{
    while ((counts_bytes ? text.len : ph_str_utf8_count(text)) > most
           && text.len > 0)
    {
        do {
            text.len--;
        } while (text.len > 0 && ((uint8_t) text.ptr[text.len] & 0xc0) == 0x80);
    }
    return text;
}

/* --- methods -------------------------------------------------------------- */

static const struct method {
    struct ph_str name;
    const char   *path;
    bool          has_payer; /* an openid */
} methods[] = {
    { PH_STR_INIT("wechat_native"), "/native", false },
    { PH_STR_INIT("wechat_jsapi"), "/jsapi", true },
    { PH_STR_INIT("wechat_mini"), "/jsapi", true },
    { PH_STR_INIT("wechat_app"), "/app", false },
    { PH_STR_INIT("wechat_h5"), "/h5", false },
    { PH_STR_INIT("wechat_bar"), "/codepay", false },
    { PH_STR_INIT("bar"), "/codepay", false },
};

static const struct method *
method_find(struct ph_str name)
{
    for (size_t i = 0; i < PH_COUNT(methods); i++) {
        if (ph_str_eq(methods[i].name, name)) {
            return &methods[i];
        }
    }
    return NULL;
}

/* --- members -------------------------------------------------------------- */

static void
parties_add(struct ph_buf *buf, const struct wechat_parties *parties,
            bool has_apps)
{
    if (!parties->is_partner) {
        text_add(buf, "appid", has_apps ? parties->appid : PH_STR(""));
        text_add(buf, "mchid", parties->mchid);
        return;
    }
    text_add(buf, "sp_appid", has_apps ? parties->appid : PH_STR(""));
    text_add(buf, "sp_mchid", parties->mchid);
    text_add(buf, "sub_appid", has_apps ? parties->sub_appid : PH_STR(""));
    text_add(buf, "sub_mchid", parties->sub_mchid);
}

static void
expiry_add(struct ph_buf *buf, const struct ph_channel_order *order)
{
    char          memory[40];
    struct ph_buf text = PH_BUF_INIT(memory);

    if (order->expires_at_ms != 0) {
        ph_civil_add(&text, PH_CIVIL_RFC3339, order->expires_at_ms,
                     PH_BEIJING_MIN);
        text_add(buf, "time_expire", ph_buf_str(&text));
    }
}

static void
amount_add(struct ph_buf *buf, const struct ph_channel_order *order)
{
    object_open(buf, "amount");
    number_add(buf, "total", order->amount);
    text_add(buf, "currency", order->currency);
    object_close(buf);
}

static void
payer_add(struct ph_buf *buf, const struct ph_channel_order *order,
          const struct wechat_parties *parties, struct ph_arena *arena)
{
    struct ph_str openid = ph_channel_extra_text(order, "openid", arena);
    struct ph_str sub    = ph_channel_extra_text(order, "sub_openid", arena);

    object_open(buf, "payer");
    if (!parties->is_partner) {
        text_add(buf, "openid", openid);
    } else if (sub.len != 0) {
        text_add(buf, "sub_openid", sub);
    } else {
        text_add(buf, "sp_openid", openid);
    }
    object_close(buf);
}

static void
scene_add(struct ph_buf *buf, const struct ph_channel_order *order,
          struct ph_arena *arena)
{
    bool          is_h5 = ph_str_eq(order->method, PH_STR("wechat_h5"));
    struct ph_str type;

    if (order->client_ip.len == 0 && !is_h5) {
        return;
    }
    object_open(buf, "scene_info");
    text_add(buf, "payer_client_ip", order->client_ip);
    if (is_h5) {
        type = ph_channel_extra_text(order, "h5_type", arena);
        object_open(buf, "h5_info");
        text_add(buf, "type", type.len != 0 ? type : PH_STR("Wap"));
        text_add(buf, "app_name",
                 ph_channel_extra_text(order, "app_name", arena));
        text_add(buf, "app_url",
                 ph_channel_extra_text(order, "app_url", arena));
        object_close(buf);
    }
    object_close(buf);
}

/* A bar code needs a store: its number, or a name of our own for it. */
static void
bar_add(struct ph_buf *buf, const struct ph_channel_call *call)
{
    struct ph_str store = call->account->values[WECHAT_STORE_ID];

    object_open(buf, "payer");
    text_add(buf, "auth_code",
             ph_channel_extra_text(call->order, "auth_code", call->arena));
    object_close(buf);
    amount_add(buf, call->order);
    object_open(buf, "scene_info");
    object_open(buf, "store_info");
    text_add(buf, "id", store);
    text_add(buf, "out_id", store.len == 0 ? call->account->id : PH_STR(""));
    object_close(buf);
    text_add(buf, "device_ip", call->order->client_ip);
    object_close(buf);
}

/* In a block of its own: members of `extra` are read into the arena's rest
 * meanwhile. */
static struct ph_str
body_create(const struct ph_channel_call *call, const struct method *method,
            const struct wechat_parties *parties)
{
    const struct ph_channel_order *order = call->order;
    char                          *room  = ph_arena_take(call->arena, BODY_MAX);
    struct ph_buf                  buf;

    ph_buf_init(&buf, room, room != NULL ? BODY_MAX : 0);
    ph_buf_byte(&buf, '{');
    parties_add(&buf, parties, true);
    text_add(&buf, "description",
             text_cut(order->subject, DESCRIPTION_MAX, false));
    text_add(&buf, "out_trade_no", order->attempt_id);
    if (wechat_is_bar(order->method)) {
        bar_add(&buf, call);
    } else {
        expiry_add(&buf, order);
        text_add(&buf, "notify_url", order->notify_url);
        amount_add(&buf, order);
        if (method->has_payer) {
            payer_add(&buf, order, parties, call->arena);
        }
        scene_add(&buf, order, call->arena);
    }
    ph_buf_byte(&buf, '}');
    call->arena->full = call->arena->full || buf.full;
    return ph_buf_str(&buf);
}

static void
refund_add(struct ph_buf *buf, const struct ph_channel_order *order,
           const struct wechat_parties *parties)
{
    text_add(buf, "sub_mchid", parties->sub_mchid);
    text_add(buf, "out_trade_no", order->attempt_id);
    text_add(buf, "out_refund_no", order->refund_id);
    text_add(buf, "reason", text_cut(order->refund_reason, REASON_MAX, true));
    text_add(buf, "notify_url", order->notify_url);
    object_open(buf, "amount");
    number_add(buf, "refund", order->refund_amount);
    number_add(buf, "total", order->amount);
    text_add(buf, "currency", order->currency);
    object_close(buf);
}

static struct ph_str
body_other(const struct ph_channel_call *call, enum ph_channel_op op,
           const struct wechat_parties *parties)
{
    struct ph_buf buf;

    ph_arena_open(call->arena, &buf);
    ph_buf_byte(&buf, '{');
    if (op == PH_OP_REFUND) {
        refund_add(&buf, call->order, parties);
    } else {
        parties_add(&buf, parties, op == PH_OP_REVERSE);
    }
    ph_buf_byte(&buf, '}');
    return ph_arena_close(call->arena, &buf);
}

/* --- targets -------------------------------------------------------------- */

/* what stands behind the host in the base address, without a last slash */
static struct ph_str
base_split(struct ph_str base, struct ph_str *path)
{
    size_t slashes = 0, i = 0;

    while (base.len > 0 && base.ptr[base.len - 1] == '/') {
        base.len--;
    }
    for (; i < base.len; i++) {
        if (base.ptr[i] == '/' && ++slashes == 3) {
            break;
        }
    }
    *path = ph_str_make(base.ptr + i, base.len - i);
    return ph_str_make(base.ptr, i);
}

static void
order_path_add(struct ph_buf *buf, struct ph_str pay,
               const struct ph_channel_order *order, const char *verb)
{
    ph_buf_add(buf, pay);
    ph_buf_add(buf, PH_STR("/out-trade-no/"));
    ph_url_encode(buf, order->attempt_id, PH_URL_SPACE_HEX);
    ph_buf_add(buf, ph_str_z(verb));
}

static void
query_add(struct ph_buf *buf, const struct wechat_parties *parties)
{
    if (!parties->is_partner) {
        ph_buf_add(buf, PH_STR("?mchid="));
        ph_buf_add(buf, parties->mchid);
        return;
    }
    ph_buf_add(buf, PH_STR("?sp_mchid="));
    ph_buf_add(buf, parties->mchid);
    ph_buf_add(buf, PH_STR("&sub_mchid="));
    ph_url_encode(buf, parties->sub_mchid, PH_URL_SPACE_HEX);
}

static struct ph_str
target_make(const struct ph_channel_call *call, enum ph_channel_op op,
            const struct wechat_parties *parties, const struct method *method,
            struct ph_str prefix)
{
    const struct ph_channel_order *order = call->order;
    struct ph_str                  pay
        = parties->is_partner ? PH_STR(PATH_PARTNER) : PH_STR(PATH_PAY);
    struct ph_buf buf;

    ph_arena_open(call->arena, &buf);
    ph_buf_add(&buf, prefix);
    switch (op) {
    case PH_OP_CREATE:
        ph_buf_add(&buf, pay);
        ph_buf_add(&buf, ph_str_z(method->path));
        break;
    case PH_OP_QUERY:
        order_path_add(&buf, pay, order, "");
        query_add(&buf, parties);
        break;
    case PH_OP_CLOSE:
        order_path_add(&buf, pay, order, "/close");
        break;
    case PH_OP_REVERSE:
        order_path_add(&buf, pay, order, "/reverse");
        break;
    case PH_OP_REFUND:
        ph_buf_add(&buf, PH_STR(PATH_REFUNDS));
        break;
    case PH_OP_REFUND_QUERY:
        ph_buf_add(&buf, PH_STR(PATH_REFUNDS "/"));
        ph_url_encode(&buf, order->refund_id, PH_URL_SPACE_HEX);
        if (parties->is_partner) {
            ph_buf_add(&buf, PH_STR("?sub_mchid="));
            ph_url_encode(&buf, parties->sub_mchid, PH_URL_SPACE_HEX);
        }
        break;
    case PH_OP_ACCOUNT_REFRESH:
        ph_buf_add(&buf, PH_STR(PATH_CERTIFICATES));
        break;
    }
    return ph_arena_close(call->arena, &buf);
}

/* --- whole ---------------------------------------------------------------- */

static void
header_add(struct ph_channel_request *request, struct ph_str name,
           struct ph_str value)
{
    request->headers[request->header_count++]
        = (struct ph_channel_header){ name, value };
}

static bool
headers_make(const struct ph_channel_call *call, struct ph_str target,
             struct ph_channel_request *request)
{
    const struct wechat_account *opened = call->account->context;
    const struct wechat_key     *key = wechat_key_wanted(opened, call->now_ms);
    struct wechat_stamp          stamp;
    struct ph_buf                buf;

    wechat_stamp_make(call->now_ms, call->random, call->arena, &stamp);
    ph_arena_open(call->arena, &buf);
    bool ok = wechat_authorization(call->account, request->method, target,
                                   &stamp, request->body, &buf);
    struct ph_str authorization = ph_arena_close(call->arena, &buf);

    request->header_count = 0;
    header_add(request, PH_STR("Accept"), PH_STR("application/json"));
    header_add(request, PH_STR("User-Agent"), PH_STR("payhub"));
    header_add(request, PH_STR("Authorization"), authorization);
    if (request->body.len != 0) {
        header_add(request, PH_STR("Content-Type"), PH_STR("application/json"));
    }
    if (key != NULL) {
        header_add(request, PH_STR("Wechatpay-Serial"),
                   ph_str_make(key->serial, key->serial_len));
    }
    return ok && !call->arena->full;
}

static bool
is_get(enum ph_channel_op op)
{
    return op == PH_OP_QUERY || op == PH_OP_REFUND_QUERY
           || op == PH_OP_ACCOUNT_REFRESH;
}

bool
wechat_request_make(const struct ph_channel_call *call, enum ph_channel_op op,
                    struct ph_channel_request *request)
{
    const struct method  *method  = NULL;
    struct wechat_parties parties = { 0 };
    struct ph_str         prefix, target;
    struct ph_str         host
        = base_split(call->account->values[WECHAT_BASE_URL], &prefix);
    struct ph_buf url;

    if (op != PH_OP_ACCOUNT_REFRESH) {
        wechat_parties(call->account, call->order, call->arena, &parties);
    }
    if (op == PH_OP_CREATE) {
        method = method_find(call->order->method);
        if (method == NULL) {
            return false;
        }
    }
    target = target_make(call, op, &parties, method, prefix);
    ph_arena_open(call->arena, &url);
    ph_buf_add(&url, host);
    ph_buf_add(&url, target);
    request->url    = ph_arena_close(call->arena, &url);
    request->method = is_get(op) ? PH_STR("GET") : PH_STR("POST");
    request->body   = is_get(op)           ? ph_str_make(NULL, 0)
                      : op == PH_OP_CREATE ? body_create(call, method, &parties)
                                           : body_other(call, op, &parties);
    return !call->arena->full && headers_make(call, target, request);
}
