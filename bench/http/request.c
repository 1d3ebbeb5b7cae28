/*
 * request.c - one signed request as bytes.  The body of a payment carries a
 * number of its own, unique among runs by the run's start.
 */
#include <math.h>
#include <stdlib.h>
#include <sys/random.h>

#include "bench/http/load.h"
#include "libpayhub/wire/b64.h"

#define BODY_MAX 4096
#define ZIPF 1.1

static uint64_t
run_salt(void)
{
    static uint64_t salt;

    while (salt == 0) {
        if (getrandom(&salt, sizeof(salt), 0) != sizeof(salt)) {
            salt = 0;
        }
    }
    return salt;
}

/* "%n" in the body: this run and this request */
static void
body_make(struct ph_buf *out, const char *body, uint64_t number)
{
    for (const char *at = body; *at != '\0'; at++) {
        if (at[0] == '%' && at[1] == 'n') {
            uint64_t salt = run_salt();
            ph_buf_hex(out, ph_str_make((const char *) &salt, sizeof(salt)));
            ph_buf_byte(out, '-');
            ph_buf_u64(out, number);
            at++;
        } else {
            ph_buf_byte(out, *at);
        }
    }
}

double *
load_keys(unsigned count)
{
    double *at  = calloc(count, sizeof(*at));
    double  sum = 0;

    if (at == NULL) {
        return NULL;
    }
    for (unsigned i = 0; i < count; i++) {
        sum += pow(i + 1.0, -ZIPF);
        at[i] = sum;
    }
    for (unsigned i = 0; i < count; i++) {
        at[i] /= sum;
    }
    return at;
}

/* the number of the key of a request: the same for the same number, so that
 * runs are alike */
static uint64_t
key_draw(const struct load_plan *plan, uint64_t number)
{
    if (plan->keys_at == NULL) {
        return number % plan->keys + 1;
    }
    uint64_t mix  = (number + 1) * UINT64_C(0x9e3779b97f4a7c15);
    mix           = (mix ^ mix >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mix           = (mix ^ mix >> 27) * UINT64_C(0x94d049bb133111eb);
    double   want = (double) ((mix ^ mix >> 31) >> 11) * 0x1p-53;
    unsigned low = 0, high = plan->keys - 1;

    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (plan->keys_at[middle] < want) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low + 1u;
}

static bool
sign(struct ph_buf *out, const struct load_plan *plan, struct ph_hmac *mac,
     struct ph_str body, uint64_t number, uint64_t now_s)
{
    char          timestamp[24], nonce[64], prefix[LOAD_REQUEST_MAX];
    char          signature[64], key_id[64];
    uint8_t       raw[PH_SHA256_LEN];
    uint64_t      salt      = run_salt();
    struct ph_buf time_buf  = PH_BUF_INIT(timestamp);
    struct ph_buf nonce_buf = PH_BUF_INIT(nonce);
    struct ph_buf signed_   = PH_BUF_INIT(prefix);
    struct ph_buf base64    = PH_BUF_INIT(signature);
    struct ph_buf key_buf   = PH_BUF_INIT(key_id);

    ph_buf_u64(&time_buf, now_s);
    ph_buf_hex(&nonce_buf, ph_str_make((const char *) &salt, sizeof(salt)));
    ph_buf_byte(&nonce_buf, '-');
    ph_buf_u64(&nonce_buf, number);
    ph_auth_v3_prefix(&signed_, ph_str_z(plan->method), ph_str_z(plan->target),
                      ph_buf_str(&time_buf), ph_buf_str(&nonce_buf));
    if (signed_.full || !ph_hmac_begin(mac)
        || !ph_hmac_add(mac, ph_buf_str(&signed_)) || !ph_hmac_add(mac, body)
        || !ph_hmac_add(mac, PH_STR("\n")) || !ph_hmac_end(mac, raw))
    {
        return false;
    }
    ph_b64_encode(&base64, ph_str_make((const char *) raw, sizeof(raw)));
    ph_buf_add(&key_buf, ph_str_z(plan->key_id));
    if (plan->keys != 0) {
        ph_buf_u64(&key_buf, key_draw(plan, number));
    }
    struct ph_auth_v3 auth = { .key_id         = ph_buf_str(&key_buf),
                               .timestamp_text = ph_buf_str(&time_buf),
                               .nonce          = ph_buf_str(&nonce_buf),
                               .signature      = ph_buf_str(&base64) };
    ph_buf_add(out, PH_STR("Authorization: "));
    ph_auth_v3_format(out, &auth);
    ph_buf_add(out, PH_STR("\r\n"));
    return true;
}

bool
load_request(struct ph_buf *out, const struct load_plan *plan,
             struct ph_hmac *mac, uint64_t number, uint64_t now_s)
{
    char          memory[BODY_MAX];
    struct ph_buf body = PH_BUF_INIT(memory);

    body_make(&body, plan->body, number);
    ph_buf_add(out, ph_str_z(plan->method));
    ph_buf_byte(out, ' ');
    ph_buf_add(out, ph_str_z(plan->target));
    ph_buf_add(out, PH_STR(" HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: "
                           "application/json\r\nContent-Length: "));
    ph_buf_u64(out, body.len);
    ph_buf_add(out, PH_STR("\r\n"));
    if (plan->key_id != NULL
        && !sign(out, plan, mac, ph_buf_str(&body), number, now_s))
    {
        return false;
    }
    ph_buf_add(out, PH_STR("\r\n"));
    ph_buf_add(out, ph_buf_str(&body));
    return !out->full && !body.full;
}
