/*
 * fuzz_alipay.c - Alipay's answers and notices, by the first byte: as they came
 * to an account with another platform key, where nothing counts, and signed by
 * the right one, so that the readers behind the signature see them.
 */
#include "t/fuzz/channel.h"

#include "channels/alipay/alipay.h"
#include "channels/alipay/alipay_int.h"
#include "libpayhub/wire/b64.h"
#include "libpayhub/wire/rsa.h"

static struct ph_channel_account stranger, known;
static struct ph_private_key    *platform;
static struct ph_channel_order   order;

static void
make_ready(void)
{
    if (platform != NULL) {
        return;
    }
    known.values[ALIPAY_GATEWAY_URL] = PH_STR("https://a.example/gateway.do");
    known.values[ALIPAY_APP_ID]      = PH_STR("2021000122671080");
    known.values[ALIPAY_SELLER_ID]   = PH_STR("2088101106499364");
    known.values[ALIPAY_APP_PRIVATE_KEY] = fuzz_key("alipay/app_pkcs8.pem");
    known.values[ALIPAY_PUBLIC_KEY]    = fuzz_key("alipay/platform_public.pem");
    stranger                           = known;
    stranger.values[ALIPAY_PUBLIC_KEY] = fuzz_key("wechat/wxpub_public.pem");
    fuzz_open(&known, &ph_channel_alipay);
    fuzz_open(&stranger, &ph_channel_alipay);
    FUZZ_HOLDS(
        ph_private_key_new(&platform, fuzz_key("alipay/platform_pkcs8.pem"))
        == PH_OK);
    fuzz_order(&order, "alipay_bar", "CNY");
}

static void
add_signature(struct ph_buf *buf, struct ph_str text)
{
    char          raw_memory[PH_RSA_LEN_MAX];
    struct ph_buf raw = PH_BUF_INIT(raw_memory);

    FUZZ_HOLDS(ph_private_sign(platform, PH_RSA_SHA256, &text, 1, &raw));
    ph_b64_encode(buf, ph_buf_str(&raw));
}

static void
read_signed_answer(enum ph_channel_op op, unsigned status, struct ph_str value)
{
    static char             body[64 * 1024];
    struct ph_buf           buf    = PH_BUF_INIT(body);
    struct ph_str           method = alipay_method(op, &order);
    struct alipay_answer    said;
    struct ph_channel_reply reply = { .status = status };

    if (value.len > sizeof(body) / 2) {
        return;
    }
    ph_buf_add(&buf, PH_STR("{\""));
    for (size_t i = 0; i < method.len; i++) {
        ph_buf_byte(&buf, method.ptr[i] == '.' ? '_' : method.ptr[i]);
    }
    ph_buf_add(&buf, PH_STR("_response\":"));
    ph_buf_add(&buf, value);
    ph_buf_add(&buf, PH_STR(",\"sign\":\""));
    add_signature(&buf, value);
    ph_buf_add(&buf, PH_STR("\"}"));
    FUZZ_HOLDS(!buf.full);
    if (alipay_answer_open(&known, method, ph_buf_str(&buf), &fuzz_arena, &said)
            == PH_OK
        && memchr(value.ptr, '\\', value.len) == NULL)
    {
        FUZZ_HOLDS(said.is_error || ph_str_eq(said.content, value));
    }
    (void) fuzz_operation(&known, &order, op, &reply, ph_buf_str(&buf));
}

static void
read_notice(const struct ph_channel_account *account, struct ph_str body,
            bool may_count)
{
    const struct ph_channel_notice in  = { .body = body };
    struct ph_channel_notice_out   out = { .id = { NULL, 0 } };

    ph_arena_init(&fuzz_arena, fuzz_room, sizeof(fuzz_room));
    if (alipay_notice(account, &in, FUZZ_NOW_MS, &fuzz_arena, &out) == PH_OK) {
        FUZZ_HOLDS(may_count);
        fuzz_notice_holds(&out);
    }
}

static void
read_signed_notice(struct ph_str form)
{
    static struct ph_pair pairs[ALIPAY_NOTICE_PAIRS_MAX];
    static char           room[256 * 1024], body[256 * 1024];
    static char           sign_memory[PH_RSA_LEN_MAX * 2];
    struct ph_buf         sign = PH_BUF_INIT(sign_memory);
    struct ph_arena       own;
    struct ph_buf         buf;
    size_t                count;
    const struct ph_str   skip[] = { PH_STR("sign"), PH_STR("sign_type") };
    const struct ph_join  how
        = { .skip = skip, .skip_count = 2, .drops_empty = true };

    ph_arena_init(&own, room, sizeof(room));
    if (ph_form_decode(form, &own, pairs, ALIPAY_NOTICE_PAIRS_MAX - 2, &count)
        != PH_OK)
    {
        return;
    }
    ph_pairs_sort(pairs, count);
    ph_arena_open(&own, &buf);
    ph_pairs_join(&buf, pairs, count, &how);
    add_signature(&sign, ph_arena_close(&own, &buf));
    if (own.full) {
        return;
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (!ph_str_eq(pairs[i].name, skip[0])
            && !ph_str_eq(pairs[i].name, skip[1])) {
            pairs[kept++] = pairs[i];
        }
    }
    pairs[kept++] = (struct ph_pair){ skip[0], ph_buf_str(&sign) };
    pairs[kept++] = (struct ph_pair){ skip[1], PH_STR("RSA2") };
    ph_buf_init(&buf, body, sizeof(body));
    ph_form_encode(&buf, pairs, kept, PH_URL_SPACE_PLUS);
    if (!buf.full) {
        read_notice(&known, ph_buf_str(&buf), true);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3) {
        return 0;
    }
    make_ready();
    const enum ph_channel_op op = fuzz_op(data[1]);
    const unsigned status    = fuzz_statuses[data[2] % PH_COUNT(fuzz_statuses)];
    const struct ph_str text = ph_str_make((const char *) data + 3, size - 3);
    const struct ph_channel_reply reply = { .status = status };

    ph_arena_init(&fuzz_arena, fuzz_room, sizeof(fuzz_room));
    switch (data[0] % 4) {
    case 0:
        FUZZ_HOLDS(op == PH_OP_ACCOUNT_REFRESH
                   || fuzz_operation(&stranger, &order, op, &reply, text).class
                          == PH_RESULT_UNKNOWN);
        break;
    case 1:
        if (op != PH_OP_ACCOUNT_REFRESH) {
            read_signed_answer(op, status, text);
        }
        break;
    case 2:
        read_notice(&stranger, text, false);
        break;
    default:
        read_signed_notice(text);
        break;
    }
    return 0;
}
