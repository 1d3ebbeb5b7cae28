/*
 * fuzz_wechatpay.c - WeChat Pay's answers and notices, by the first byte: with
 * a signature that nobody made, where nothing counts, and behind it; notices
 * also sealed with the account's key, so that what lies inside is read.
 */
#include <openssl/evp.h>

#include "t/fuzz/channel.h"

#include "channels/wechatpay/wechatpay_int.h"
#include "libpayhub/wire/b64.h"

#define APIV3_KEY "payhubAPIv3key0123456789abcdefgh"
#define NONCE "0123456789a0"

static struct ph_channel_account account;
static struct ph_channel_order   order;

static char forged[512]; /* 256 bytes in base64, by nobody's key */

static struct ph_channel_header headers[] = {
    { PH_STR_INIT("Wechatpay-Timestamp"), PH_STR_INIT("1795500000") },
    { PH_STR_INIT("Wechatpay-Nonce"), PH_STR_INIT("c5ac7061fccab6bf3e254dcf") },
    { PH_STR_INIT("Wechatpay-Serial"),
      PH_STR_INIT("PUB_KEY_ID_019000091912026112300001122") },
    { PH_STR_INIT("Wechatpay-Signature"), { forged, 0 } },
};

static void
make_ready(void)
{
    static const char none[256];
    struct ph_buf     buf = PH_BUF_INIT(forged);

    if (account.context != NULL) {
        return;
    }
    ph_b64_encode(&buf, ph_str_make(none, sizeof(none)));
    headers[3].value                   = ph_buf_str(&buf);
    account.values[WECHAT_BASE_URL]    = PH_STR("https://w.example");
    account.values[WECHAT_MCHID]       = PH_STR("1900009191");
    account.values[WECHAT_APPID]       = PH_STR("wxd678efh567hg6787");
    account.values[WECHAT_PRIVATE_KEY] = fuzz_key("wechat/merchant_pkcs8.pem");
    account.values[WECHAT_SERIAL_NO]
        = PH_STR("594AD8626C49935DA207AE268186B30198A6C39F");
    account.values[WECHAT_APIV3_KEY]     = PH_STR(APIV3_KEY);
    account.values[WECHAT_PUBLIC_KEY_ID] = headers[2].value;
    account.values[WECHAT_PUBLIC_KEY]    = fuzz_key("wechat/wxpub_public.pem");
    fuzz_open(&account, &ph_channel_wechatpay);
    fuzz_order(&order, "wechat_bar", "CNY");
    order.extra = PH_STR("{\"auth_code\":\"130061098828009406\"}");
}

static void
read_forged(struct ph_str body)
{
    const struct ph_channel_notice in  = { .body         = body,
                                           .headers      = headers,
                                           .header_count = PH_COUNT(headers) };
    struct ph_channel_notice_out   out = { .id = { NULL, 0 } };

    FUZZ_HOLDS(ph_channel_wechatpay.notice(&account, &in, FUZZ_NOW_MS,
                                           &fuzz_arena, &out)
               != PH_OK);
}

static void
read_notice(struct ph_str body)
{
    struct ph_channel_notice_out out = { .id = { NULL, 0 } };

    if (wechat_notice_read(&account, body, &fuzz_arena, &out) == PH_OK) {
        fuzz_notice_holds(&out);
    }
}

/* a notice of `type` that holds `plain` */
static void
read_sealed(const char *type, const char *about, struct ph_str plain)
{
    static unsigned char sealed[40 * 1024];
    static char          body[64 * 1024];
    struct ph_buf        buf = PH_BUF_INIT(body);
    int                  len = 0, rest = 0;

    if (plain.len > 20000) {
        return;
    }
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

    FUZZ_HOLDS(
        EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL,
                           (const unsigned char *) APIV3_KEY,
                           (const unsigned char *) NONCE)
            == 1
        && EVP_EncryptUpdate(ctx, NULL, &len,
                             (const unsigned char *) "transaction", 11)
               == 1
        && EVP_EncryptUpdate(ctx, sealed, &len,
                             (const unsigned char *) plain.ptr, (int) plain.len)
               == 1
        && EVP_EncryptFinal_ex(ctx, sealed + len, &rest) == 1
        && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, sealed + len)
               == 1);
    EVP_CIPHER_CTX_free(ctx);
    ph_buf_add(&buf, PH_STR("{\"id\":\"1\",\"event_type\":\""));
    ph_buf_add(&buf, ph_str_z(type));
    ph_buf_add(&buf, PH_STR("\",\"resource_type\":\"encrypt-resource\","
                            "\"resource\":{\"original_type\":\""));
    ph_buf_add(&buf, ph_str_z(about));
    ph_buf_add(&buf, PH_STR("\",\"algorithm\":\"AEAD_AES_256_GCM\","
                            "\"associated_data\":\"transaction\","
                            "\"nonce\":\"" NONCE "\",\"ciphertext\":\""));
    ph_b64_encode(&buf, ph_str_make((const char *) sealed, (size_t) len + 16));
    ph_buf_add(&buf, PH_STR("\"}}"));
    FUZZ_HOLDS(!buf.full);

    struct ph_str opened;
    FUZZ_HOLDS(
        wechat_resource_open(&account, ph_buf_str(&buf), &fuzz_arena, &opened)
            == PH_OK
        && ph_str_eq(opened, plain));
    read_notice(ph_buf_str(&buf));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3) {
        return 0;
    }
    make_ready();
    const enum ph_channel_op op = fuzz_op(data[1]);
    const struct ph_str text = ph_str_make((const char *) data + 3, size - 3);
    const struct ph_channel_reply reply
        = { .status       = fuzz_statuses[data[2] % PH_COUNT(fuzz_statuses)],
            .body         = text,
            .headers      = headers,
            .header_count = PH_COUNT(headers) };
    struct ph_channel_result result = { .amount = -1, .refunded_total = -1 };
    struct ph_channel_call   call   = fuzz_call(&account, &order, op, NULL);
    struct ph_channel_kept   kept;

    ph_arena_init(&fuzz_arena, fuzz_room, sizeof(fuzz_room));
    switch (data[0] % 6) {
    case 0:
        FUZZ_HOLDS(op == PH_OP_ACCOUNT_REFRESH
                   || fuzz_operation(&account, &order, op, &reply, text).class
                          == PH_RESULT_UNKNOWN);
        break;
    case 1:
        if (op != PH_OP_ACCOUNT_REFRESH) {
            wechat_answer_judge(&call, op, &reply, &result);
            fuzz_result_holds(&result);
            FUZZ_HOLDS(reply.status < 500 || result.class == PH_RESULT_UNKNOWN);
        }
        break;
    case 2:
        read_forged(text);
        break;
    case 3:
        read_notice(text);
        break;
    case 4:
        if (data[1] % 2 == 0) {
            read_sealed("TRANSACTION.SUCCESS", "transaction", text);
        } else {
            read_sealed("REFUND.SUCCESS", "refund", text);
        }
        break;
    default:
        FUZZ_HOLDS(wechat_certificates_read(&account, &reply, FUZZ_NOW_MS,
                                            &fuzz_arena, &kept)
                   != PH_OK);
        break;
    }
    return 0;
}
