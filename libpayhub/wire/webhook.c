/*
 * webhook.c - Standard Webhooks signatures.
 */
#include "libpayhub/wire/webhook.h"

#include "libpayhub/wire/b64.h"
#include "libpayhub/wire/digest.h"

#define WEBHOOK_SECRET_MIN 24
#define WEBHOOK_SECRET_MAX 64

enum ph_rc
ph_webhook_secret(struct ph_buf *raw, struct ph_str text)
{
    static const struct ph_str prefix = PH_STR_INIT("whsec_");
    size_t                     mark   = raw->len;

    if (!ph_str_starts(text, prefix)) {
        return PH_E_SYNTAX;
    }
    enum ph_rc rc = ph_b64_decode(
        raw, ph_str_make(text.ptr + prefix.len, text.len - prefix.len));
    if (rc != PH_OK) {
        return rc;
    }
    size_t len = raw->len - mark;
    if (len < WEBHOOK_SECRET_MIN || len > WEBHOOK_SECRET_MAX) {
        raw->len = mark;
        return PH_E_RANGE;
    }
    return PH_OK;
}

void
ph_webhook_pieces(struct ph_str pieces[PH_WEBHOOK_PIECES], struct ph_str id,
                  struct ph_str timestamp, struct ph_str body)
{
    const struct ph_str all[PH_WEBHOOK_PIECES]
        = { id, PH_STR("."), timestamp, PH_STR("."), body };

    memcpy(pieces, all, sizeof(all));
}

void
ph_webhook_public(struct ph_buf *buf, const uint8_t raw[PH_WEBHOOK_PUBLIC_LEN])
{
    ph_buf_add(buf, PH_STR("whpk_"));
    ph_b64_encode(buf, ph_str_make((const char *) raw, PH_WEBHOOK_PUBLIC_LEN));
}

bool
ph_webhook_sign(struct ph_buf *buf, struct ph_str key, struct ph_str id,
                uint64_t timestamp, struct ph_str body)
{
    char          digits[20];
    struct ph_buf text = PH_BUF_INIT(digits);
    uint8_t       sum[PH_SHA256_LEN];

    ph_buf_u64(&text, timestamp);
    struct ph_str pieces[PH_WEBHOOK_PIECES];
    ph_webhook_pieces(pieces, id, ph_buf_str(&text), body);
    if (!ph_hmac_once(key, pieces, PH_COUNT(pieces), sum)) {
        return false;
    }
    ph_buf_add(buf, PH_STR("v1,"));
    ph_b64_encode(buf, ph_str_make((const char *) sum, sizeof(sum)));
    return true;
}
