/*
 * text.c - times as text, and the signature of the sandbox's messages.
 *
 * The adapter under channels/sandbox has its own code for both, on purpose:
 * two hands that agree prove more than one hand used twice.
 *
 * @thread any
 */
#include "sandbox/text.h"

#include <time.h>

#include "libpayhub/wire/b64.h"
#include "libpayhub/wire/digest.h"

#define TIME_MAX UINT64_C(253402300799999) /* end of the year 9999 */

void
sb_time_add(struct ph_buf *buf, uint64_t ms)
{
    char      text[32];
    struct tm when = { 0 };
    time_t    s    = (time_t) ((ms < TIME_MAX ? ms : TIME_MAX) / 1000);
    size_t    len;

    gmtime_r(&s, &when);
    len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S.", &when);
    ph_buf_add(buf, ph_str_make(text, len));
    ph_buf_byte(buf, (char) ('0' + ms % 1000 / 100));
    ph_buf_byte(buf, (char) ('0' + ms % 100 / 10));
    ph_buf_byte(buf, (char) ('0' + ms % 10));
    ph_buf_byte(buf, 'Z');
}

bool
sb_time_parse(struct ph_str text, uint64_t *ms)
{
    char          head[20]; /* 2026-01-02T03:04:05 */
    char          back[32];
    struct ph_buf again = PH_BUF_INIT(back);
    struct tm     when  = { 0 };
    uint64_t      rest  = 0;

    if (text.len != 24) {
        return false;
    }
    memcpy(head, text.ptr, sizeof(head) - 1);
    head[sizeof(head) - 1] = '\0';
    const char *end        = strptime(head, "%Y-%m-%dT%H:%M:%S", &when);
    if (end == NULL || *end != '\0') {
        return false;
    }
    for (size_t i = 20; i < 23; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return false;
        }
        rest = rest * 10 + (uint64_t) (text.ptr[i] - '0');
    }
    const time_t s = timegm(&when);
    if (s < 0) {
        return false;
    }
    *ms = (uint64_t) s * 1000 + rest;
    sb_time_add(&again, *ms); /* strptime() is lenient, this is not */
    return ph_str_eq(ph_buf_str(&again), text);
}

bool
sb_sign(struct ph_buf *buf, struct ph_str key, struct ph_str timestamp,
        struct ph_str body)
{
    uint8_t             mac[PH_SHA256_LEN];
    const struct ph_str pieces[]
        = { timestamp, PH_STR("\n"), body, PH_STR("\n") };

    if (!ph_hmac_once(key, pieces, PH_COUNT(pieces), mac)) {
        return false;
    }
    ph_b64_encode(buf, ph_str_make((const char *) mac, sizeof(mac)));
    return !buf->full;
}

bool
sb_verify(struct ph_str key, struct ph_str timestamp, struct ph_str signature,
          struct ph_str body, uint64_t now_ms)
{
    char          text[SB_SIGNATURE_MAX];
    struct ph_buf expected = PH_BUF_INIT(text);
    uint64_t      now_s    = now_ms / 1000;
    uint64_t      at_s;

    return ph_str_u64(timestamp, 9999999999ULL, &at_s)
           && at_s + SB_WINDOW_S >= now_s && at_s <= now_s + SB_WINDOW_S
           && sb_sign(&expected, key, timestamp, body)
           && ph_same_secret(ph_buf_str(&expected), signature);
}
