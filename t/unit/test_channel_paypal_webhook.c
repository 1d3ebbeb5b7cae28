/*
 * The PayPal adapter: webhooks, where their certificates come from, and what
 * hostile ones are told.
 */
#include "t/unit/channel_paypal.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <zlib.h>

/* ---- certificates ---- */

#define PATH "/v1/notifications/certs/CERT-360caa42-fca2a594-a5cafa77"
static const char *const good_urls[] = {
    "https://api.paypal.com" PATH,
    "https://api-m.paypal.com" PATH,
    "https://api.sandbox.paypal.com" PATH,
    "https://api-m.sandbox.paypal.com" PATH,
};
static const char *const bad_urls[] = {
    "",
    "http://api.paypal.com" PATH,
    "HTTPS://api.paypal.com" PATH,
    "https:/api.paypal.com" PATH,
    "https:///api.paypal.com" PATH,
    "https://api.paypal.com.evil" PATH,
    "https://api.paypal.com.evil.example" PATH,
    "https://api.paypal.com@evil.example" PATH,
    "https://api.paypal.com:443" PATH,
    "https://api.paypal.com:8443" PATH,
    "https://api.paypal.com." PATH,
    "https://user@api.paypal.com" PATH,
    "https://user:pass@api.paypal.com" PATH,
    "https://evil.example" PATH,
    "https://evil.example/?https://api.paypal.com" PATH,
    "https://paypal.com" PATH,
    "https://www.paypal.com" PATH,
    "https://api.paypal.com/evil" PATH,
    "https://api.paypal.com//v1/notifications/certs/CERT-1",
    "https://api.paypal.com/v1/notifications/certs/",
    "https://api.paypal.com/v1/notifications/certs/../../x",
    "https://api.paypal.com/v1/notifications/certs/a/b",
    "https://api.paypal.com/v1/notifications/certs/%2e%2e",
    "https://api.paypal.com/v1/notifications/certs/CERT-1?x=1",
    "https://api.paypal.com/v1/notifications/certs/CERT-1#x",
    "https://api.paypal.com/v1/notifications/certs/CERT-1\r\nX: y",
    "https://api.paypal.com\\@evil.example" PATH,
    "https://api%2epaypal.com" PATH,
    "https://\xd0\xb0pi.paypal.com" PATH, /* a Cyrillic letter */
    "https://xn--pi-7kc.paypal.com" PATH,
    "https://api.sandbox.paypal.com.evil" PATH,
    "https://127.0.0.1" PATH,
    "https://api-m.sandbox.paypal.com:1" PATH,
    " https://api.paypal.com" PATH,
    "//api.paypal.com" PATH,
    "file:///etc/passwd",
};
static void
certificates_come_from_paypal_alone(void **state)
{
    const struct ph_str live = PH_STR("https://api-m.paypal.com");

    (void) state;
    for (size_t i = 0; i < PH_COUNT(good_urls); i++) {
        assert_true(paypal_cert_url_ok(live, ph_str_z(good_urls[i])));
    }
    for (size_t i = 0; i < PH_COUNT(bad_urls); i++) {
        if (paypal_cert_url_ok(live, ph_str_z(bad_urls[i]))) {
            fail_msg("taken: %s", bad_urls[i]);
        }
    }
    assert_false(paypal_cert_url_ok(
        live, PH_STR("https://api.paypal.com/v1/notifications/certs/CERT\0x")));
    assert_false(paypal_cert_url_ok(
        live, long_text("https://api.paypal.com/v1/notifications/certs/", "a",
                        129, "")));
    /* a counterpart of tests has its own */
    assert_true(paypal_cert_url_ok(PH_STR("http://127.0.0.1:9/p"),
                                   PH_STR("http://127.0.0.1:9/p" PATH)));
    assert_false(paypal_cert_url_ok(PH_STR("http://127.0.0.1:9/p"),
                                    PH_STR("http://127.0.0.1:99/p" PATH)));
    assert_false(paypal_cert_url_ok(PH_STR("https://127.0.0.1.evil"),
                                    PH_STR("https://127.0.0.1.evil" PATH)));
}

static enum ph_channel_step
refresh_by(const char *url)
{
    const uint64_t now_ms = NOW_MS;

    state_forget();
    ph_arena_init(&arena, memory, sizeof(memory));
    call = (struct ph_channel_call){ .op      = PH_OP_ACCOUNT_REFRESH,
                                     .account = &account,
                                     .order   = &order,
                                     .arena   = &arena,
                                     .now_ms  = now_ms,
                                     .random  = salt,
                                     .state   = kept_state,
                                     .hint    = ph_str_z(url) };
    out  = (struct ph_channel_out){ 0 };
    return channel->step(&call, NULL, &out);
}

static void
a_refresh_brings_a_certificate_that_is_paypals(void **state)
{
    static const char  other[] = "https://api.paypal.com" PATH;
    struct paypal_kept known;

    (void) state;
    assert_int_equal(refresh_by(other), PH_STEP_NEED_REQUEST);
    asked("GET", other, "authorization", NULL); /* no secret goes there */
    assert_int_equal(out.request.body.len, 0);
    assert_int_equal(answer(200, cert_pem), PH_STEP_DONE);
    proves(PH_RESULT_SUCCEEDED, "");
    paypal_kept_read(&out.kept, &known);
    same_text(known.token, "A21AAtoken");
    assert_int_equal(known.cert_count, 2);
    same_text(known.certs[0].url, other);
    same_text(known.certs[1].url, CERT_URL);
    t_same(known.certs[0].pem, ph_str_z(cert_pem));
    assert_true(out.kept.refresh_at_ms == NOW_MS + HOUR_MS / 2);
    assert_true(out.kept.expires_at_ms == NOW_MS + HOUR_MS);

    /* what was hinted by whoever sent a webhook is not asked for */
    assert_int_equal(refresh_by("https://evil.example" PATH), PH_STEP_DONE);
    proves(PH_RESULT_UNKNOWN, "refresh");

    /* another's: its name, its chain, its shape */
    const struct {
        const char *body, *error_class;
        unsigned    status;
    } rows[] = {
        { root_pem, "signature", 200 }, { "", "signature", 200 },
        { "<html>", "signature", 200 }, { cert_pem, "refresh", 404 },
        { cert_pem, "refresh", 302 },   { cert_pem, "refresh", 500 },
    };

    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        refresh_by(other);
        assert_int_equal(answer(rows[i].status, rows[i].body), PH_STEP_DONE);
        proves(PH_RESULT_UNKNOWN, rows[i].error_class);
        assert_true(out.kept.value.len == 0);
    }
    char tricky[16384];

    snprintf(tricky, sizeof(tricky), "%s\n.\ntoken evil\n", cert_pem);
    refresh_by(other);
    answer(200, tricky);
    proves(PH_RESULT_UNKNOWN, "signature");
}

static void
four_certificates_are_kept_the_oldest_goes(void **state)
{
    struct paypal_kept known;
    char               url[128];
    static char        text[PH_CHANNEL_KEPT_MAX];

    (void) state;
    for (unsigned i = 0; i < 6; i++) {
        snprintf(url, sizeof(url),
                 "https://api.paypal.com/v1/notifications/certs/CERT-%u",
                 i % 5);
        assert_int_equal(refresh_by(url), PH_STEP_NEED_REQUEST);
        assert_int_equal(answer(200, cert_pem), PH_STEP_DONE);
        assert_true(out.kept.value.len <= PH_CHANNEL_KEPT_MAX);
        memcpy(text, out.kept.value.ptr, out.kept.value.len);
        assert_null(account_with(ph_str_make(text, out.kept.value.len)));
    }
    paypal_kept_read(&kept, &known);
    assert_int_equal(known.cert_count, 4);
    same_text(known.certs[0].url,
              "https://api.paypal.com/v1/notifications/certs/CERT-0");
    same_text(known.certs[3].url,
              "https://api.paypal.com/v1/notifications/certs/CERT-2");
    same_text(known.token, "A21AAtoken");
}

/* ---- webhooks ---- */

static struct ph_channel_notice_out told;

struct transmission {
    const char *id, *at, *algo, *url, *webhook_id, *key;
    const char *sum; /* NULL = the right one */
};

static const struct transmission genuine = { "69cd13f0",
                                             "2026-11-24T02:01:53Z",
                                             "SHA256withRSA",
                                             CERT_URL,
                                             HOOK_ID,
                                             KEYS "webhook_pkcs8.pem",
                                             NULL };

/* base64 by OpenSSL alone */
static const char *
sign(const struct transmission *how, struct ph_str body)
{
    static char   text[1024];
    char          message[512], sum[16];
    unsigned char raw[512];
    size_t        raw_len = sizeof(raw);
    FILE         *file    = fopen(how->key, "r");
    EVP_PKEY     *key     = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    EVP_MD_CTX   *context = EVP_MD_CTX_new();
    int           len;

    assert_non_null(key);
    (void) fclose(file);
    snprintf(sum, sizeof(sum), "%lu",
             crc32(0, (const unsigned char *) body.ptr, (unsigned) body.len));
    len = snprintf(message, sizeof(message), "%s|%s|%s|%s", how->id, how->at,
                   how->webhook_id, how->sum != NULL ? how->sum : sum);
    assert_int_equal(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key),
                     1);
    assert_int_equal(EVP_DigestSign(context, raw, &raw_len,
                                    (const unsigned char *) message,
                                    (size_t) len),
                     1);
    EVP_EncodeBlock((unsigned char *) text, raw, (int) raw_len);
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    return text;
}

static enum ph_rc
tell_with(const struct transmission *how, const char *signature,
          struct ph_str body)
{
    struct ph_channel_header headers[] = {
        { PH_STR("host"), PH_STR("x") },
        { PH_STR("paypal-transmission-id"), ph_str_z(how->id) },
        { PH_STR("paypal-transmission-time"), ph_str_z(how->at) },
        { PH_STR("paypal-transmission-sig"), ph_str_z(signature) },
        { PH_STR("paypal-cert-url"), ph_str_z(how->url) },
        { PH_STR("paypal-auth-algo"), ph_str_z(how->algo) },
    };
    const struct ph_channel_notice in = { .body         = body,
                                          .headers      = headers,
                                          .header_count = PH_COUNT(headers) };

    ph_arena_init(&arena, memory, sizeof(memory));
    told = (struct ph_channel_notice_out){ 0 };
    return channel->notice(&account, &in, NOW_MS, &arena, &told);
}

static enum ph_rc
tell(struct ph_str body)
{
    return tell_with(&genuine, sign(&genuine, body), body);
}

#define EVENT(type, resource)                                                  \
    "{\"id\":\"WH-1\",\"event_type\":\"" type "\",\"resource\":" resource "}"
#define GOOD EVENT("PAYMENT.CAPTURE.COMPLETED", CAPTURE("2GG", "COMPLETED", ""))

static void
every_event_names_what_is_to_be_asked_and_proves_nothing(void **state)
{
    static const char *const rows[] = {
        GOOD,
        EVENT("CHECKOUT.ORDER.APPROVED", ORDER("APPROVED")),
        EVENT("CHECKOUT.ORDER.COMPLETED", ORDER("COMPLETED")),
        EVENT("CHECKOUT.ORDER.VOIDED", ORDER("VOIDED")),
        EVENT("CHECKOUT.PAYMENT-APPROVAL.REVERSED", ORDER("VOIDED")),
        EVENT("PAYMENT.CAPTURE.PENDING", CAPTURE("2GG", "PENDING", "")),
        EVENT("PAYMENT.CAPTURE.DENIED", CAPTURE("2GG", "DECLINED", "")),
        EVENT("PAYMENT.CAPTURE.DECLINED", CAPTURE("2GG", "DECLINED", "")),
        EVENT("PAYMENT.CAPTURE.COMPLETED", CAPTURE("2GG", "PENDING", "")),
        EVENT("PAYMENT.CAPTURE.DENIED", CAPTURE("2GG", "COMPLETED", "")),
        EVENT("PAYMENT.CAPTURE.COMPLETED", CAPTURE("2GG", "NEW_WORD", "")),
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        assert_int_equal(tell(ph_str_z(rows[i])), PH_OK);
        if (told.result.class != PH_RESULT_WAIT_USER || !told.result.is_hint) {
            fail_msg("%s: found %d", rows[i], (int) told.result.class);
        }
        assert_false(told.is_ignored || told.is_refund);
        same_text(told.id, "WH-1");
        same_text(told.result.number, ATTEMPT);
        assert_true(told.result.amount == -1);
        assert_int_equal(told.result.currency.len + told.result.seller.len
                             + told.result.trade_no.len,
                         0);
        same_text(told.ack_body, "ok");
    }
}

#define BLANKS 64

/* Of `text`, which ends in blanks: which of them have to be tabs for its CRC-32
 * to be `want`.  Each tab changes the sum in its own way: 32 equations. */
static unsigned long
blanks_solve(char *text, size_t len, unsigned long want)
{
    char               *blank = text + len - BLANKS;
    unsigned long       row[BLANKS], set[BLANKS], chosen = 0;
    const unsigned long plain
        = crc32(0, (const unsigned char *) text, (unsigned) len);
    unsigned long rest = plain ^ want;

    for (unsigned i = 0; i < BLANKS; i++) {
        blank[i] = '\t';
        row[i] = plain ^ crc32(0, (const unsigned char *) text, (unsigned) len);
        set[i] = 1ul << i;
        blank[i] = ' ';
    }
    for (unsigned bit = 0, at = 0; bit < 32; bit++) {
        unsigned k = at;

        while (k < BLANKS && (row[k] >> bit & 1) == 0) {
            k++;
        }
        if (k == BLANKS) {
            continue;
        }
        const unsigned long sum = row[k], which = set[k];

        row[k] = row[at], set[k] = set[at];
        for (unsigned i = ++at; i < BLANKS; i++) {
            if ((row[i] >> bit & 1) != 0) {
                row[i] ^= sum, set[i] ^= which;
            }
        }
        if ((rest >> bit & 1) != 0) {
            rest ^= sum, chosen ^= which;
        }
    }
    assert_true(rest == 0);
    return chosen;
}

/* The headers of one webhook, under another body that has its sum. */
static void
a_body_that_was_made_to_fit_proves_nothing(void **state)
{
    const struct ph_str good = PH_STR(GOOD);
    char                text[1024];
    const size_t        len = (size_t) snprintf(
               text, sizeof(text), "%s%*s",
               EVENT("PAYMENT.CAPTURE.COMPLETED", CAPTURE("2GX", "COMPLETED", "")),
               BLANKS, "");
    const unsigned long tabs = blanks_solve(
        text, len,
        crc32(0, (const unsigned char *) good.ptr, (unsigned) good.len));

    (void) state;
    for (unsigned i = 0; i < BLANKS; i++) {
        text[len - BLANKS + i] = (tabs >> i & 1) != 0 ? '\t' : ' ';
    }
    assert_int_equal(
        tell_with(&genuine, sign(&genuine, good), ph_str_make(text, len)),
        PH_OK);
    same_text(told.result.number, ATTEMPT);
    assert_true(told.result.is_hint);
    assert_int_equal(told.result.class, PH_RESULT_WAIT_USER);
}

/* by what the refund is asked about, and whether it is said to have failed */
static void
hint_is(const char *number, const char *error_class)
{
    const struct ph_channel_result *result = &told.parts[0].result;

    assert_true(result->is_hint);
    assert_int_equal(result->class, PH_RESULT_WAIT_USER);
    same_text(result->trade_no, number);
    same_text(result->error_class, error_class);
    assert_true(result->amount == -1 && result->refunded_total == -1);
    assert_int_equal(result->currency.len, 0);
}

static void
refunds_are_told_of_ours_and_of_others(void **state)
{
#define FOREIGN(status, more)                                                  \
    "{\"id\":\"1JX\",\"status\":\"" status "\",\"amount\":{\"currency_code\":" \
    "\"USD\",\"value\":\"3.00\"},\"seller_payable_breakdown\":{"               \
    "\"total_refunded_amount\":{\"currency_code\":\"USD\",\"value\":"          \
    "\"10.00\"}}" more "}"

    (void) state;
    assert_int_equal(tell(PH_STR(EVENT("PAYMENT.CAPTURE.REFUNDED",
                                       REFUNDED("COMPLETED", UP("2GG"))))),
                     PH_OK);
    assert_int_equal(told.part_count, 1);
    assert_true(told.parts[0].is_refund);
    same_text(told.parts[0].result.number, REFUND);
    hint_is("1JU", "");
    tell(PH_STR(EVENT("PAYMENT.REFUND.FAILED", REFUNDED("FAILED", ""))));
    hint_is("1JU", "declined");
    tell(PH_STR(EVENT("PAYMENT.REFUND.PENDING", REFUNDED("PENDING", ""))));
    hint_is("1JU", "");

    /* by hand: of the capture, in sum with the others */
    assert_int_equal(tell(PH_STR(EVENT("PAYMENT.CAPTURE.REFUNDED",
                                       FOREIGN("COMPLETED", UP("2GG"))))),
                     PH_OK);
    assert_int_equal(told.part_count, 1);
    same_text(told.parts[0].result.number, "1JX");
    same_text(told.parts[0].order_trade_no, "2GG");
    assert_true(told.parts[0].order_number.len == 0);
    hint_is("1JX", "");
    /* the payment's number as its invoice */
    tell(
        PH_STR(EVENT("PAYMENT.CAPTURE.REVERSED",
                     FOREIGN("COMPLETED", ",\"invoice_id\":\"" ATTEMPT "\""))));
    same_text(told.parts[0].result.number, "1JX");
    same_text(told.parts[0].order_number, ATTEMPT);
    /* not done yet: told again when it is */
    tell(
        PH_STR(EVENT("PAYMENT.REFUND.PENDING", FOREIGN("PENDING", UP("2GG")))));
    assert_true(told.is_ignored);
    tell(PH_STR(EVENT("PAYMENT.CAPTURE.REFUNDED", FOREIGN("COMPLETED", ""))));
    assert_true(told.is_ignored); /* of what, nobody says */
    /* an address that names no capture */
    tell(PH_STR(EVENT("PAYMENT.CAPTURE.REFUNDED",
                      FOREIGN("COMPLETED", ",\"links\":[{\"rel\":\"up\","
                                           "\"href\":\"https://a/2GG\"}]"))));
    assert_true(told.is_ignored);
}

static void
what_is_nothing_to_us_is_acknowledged(void **state)
{
    static const char *const bodies[] = {
        EVENT("BILLING.PLAN.CREATED", "{}"),
        EVENT("PAYMENT.AUTHORIZATION.CREATED", "{\"id\":\"x\"}"),
        EVENT("CUSTOMER.DISPUTE.CREATED", "{\"id\":\"x\"}"),
        EVENT("CHECKOUT.ORDER.APPROVED", "{\"id\":\"5O9\"}"),
        EVENT("PAYMENT.CAPTURE.COMPLETED",
              "{\"id\":\"2GX\",\"status\":\"COMPLETED\"}"),
        /* of somebody else with this account: several units, a currency that
         * we do not know */
        EVENT("CHECKOUT.ORDER.APPROVED",
              "{\"id\":\"5O9\",\"status\":\"APPROVED\",\"purchase_units\":["
              "{\"custom_id\":\"a\"},{\"custom_id\":\"b\"}]}"),
        EVENT("PAYMENT.CAPTURE.COMPLETED",
              "{\"id\":\"2GX\",\"status\":\"COMPLETED\",\"amount\":{"
              "\"currency_code\":\"XTS\",\"value\":\"1\"}}"),
        EVENT("PAYMENT.CAPTURE.REFUNDED",
              "{\"id\":\"1JX\",\"status\":\"COMPLETED\",\"amount\":{"
              "\"currency_code\":\"XTS\",\"value\":\"1\"}}"),
        "{\"id\":\"WH-1\",\"event_type\":\"BILLING.PLAN.CREATED\"}",
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(bodies); i++) {
        assert_int_equal(tell(ph_str_z(bodies[i])), PH_OK);
        assert_true(told.is_ignored);
        same_text(told.ack_body, "ok");
    }
}

static void
webhooks_that_are_not_genuine_are_refused(void **state)
{
    const struct ph_str good = PH_STR(GOOD);
    struct transmission how;
    char                signature[1024];

    (void) state;
    assert_int_equal(tell(good), PH_OK);
    snprintf(signature, sizeof(signature), "%s", sign(&genuine, good));

    /* signed by another key, for another webhook, another way to sum */
    how     = genuine;
    how.key = KEYS "root_pkcs8.pem";
    assert_int_equal(tell_with(&how, sign(&how, good), good), PH_E_SIGNATURE);
    how            = genuine;
    how.webhook_id = "OTHER";
    assert_int_equal(tell_with(&how, sign(&how, good), good), PH_E_SIGNATURE);
    how     = genuine;
    how.sum = "69d42e6a";
    assert_int_equal(tell_with(&how, sign(&how, good), good), PH_E_SIGNATURE);
    /* another body, another time, another id */
    assert_int_equal(tell_with(&genuine, signature, PH_STR(GOOD " ")),
                     PH_E_SIGNATURE);
    how    = genuine;
    how.at = "2026-11-24T02:01:54Z";
    assert_int_equal(tell_with(&how, signature, good), PH_E_SIGNATURE);
    how    = genuine;
    how.id = "69cd13f1";
    assert_int_equal(tell_with(&how, signature, good), PH_E_SIGNATURE);

    const struct {
        const char *signature;
        enum ph_rc  want;
    } rows[] = {
        { "", PH_E_SYNTAX },
        { "AAAA", PH_E_SIGNATURE },
        { "not base64!", PH_E_SYNTAX },
        { signature + 4, PH_E_SIGNATURE },
        { signature + 1, PH_E_SYNTAX },
    };

    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        assert_int_equal(tell_with(&genuine, rows[i].signature, good),
                         rows[i].want);
        assert_true(told.id.len == 0);
    }
    how      = genuine;
    how.algo = "SHA1withRSA";
    assert_int_equal(tell_with(&how, signature, good), PH_E_SYNTAX);
    how.algo = "";
    assert_int_equal(tell_with(&how, signature, good), PH_E_SYNTAX);
    how    = genuine;
    how.id = "a b";
    assert_int_equal(tell_with(&how, signature, good), PH_E_SYNTAX);
    how     = genuine;
    how.url = "https://evil.example" PATH;
    assert_int_equal(tell_with(&how, signature, good), PH_E_RANGE);
    assert_false(told.needs_refresh);
}

/* It is asked for, once by the core, and not for what no certificate could make
 * genuine. */
static void
a_certificate_that_is_not_there_is_asked_for(void **state)
{
    static const char *const  hopeless[] = { "", "not base64!", "AAA" };
    const struct ph_str       good       = PH_STR(GOOD);
    const struct transmission how        = { genuine.id,
                                             genuine.at,
                                             genuine.algo,
                                             "https://api.paypal.com" PATH,
                                             genuine.webhook_id,
                                             genuine.key,
                                             NULL };

    (void) state;
    assert_int_equal(tell_with(&how, sign(&how, good), good), PH_E_UNKNOWN);
    assert_true(told.needs_refresh);
    same_text(told.hint, "https://api.paypal.com" PATH);
    for (size_t i = 0; i < PH_COUNT(hopeless); i++) {
        assert_int_equal(tell_with(&how, hopeless[i], good), PH_E_SYNTAX);
        assert_false(told.needs_refresh);
    }
    assert_int_equal(tell_with(&how, sign(&how, good), PH_STR("")),
                     PH_E_SYNTAX);
    assert_false(told.needs_refresh);
}

static void
every_header_has_to_be_there(void **state)
{
    static const char *const names[]
        = { "paypal-transmission-id", "paypal-transmission-time",
            "paypal-transmission-sig", "paypal-cert-url", "paypal-auth-algo" };

    (void) state;
    for (size_t gone = 0; gone < PH_COUNT(names); gone++) {
        struct ph_channel_header headers[PH_COUNT(names)];
        size_t                   count = 0;

        for (size_t i = 0; i < PH_COUNT(names); i++) {
            if (i != gone) {
                headers[count++]
                    = (struct ph_channel_header){ ph_str_z(names[i]),
                                                  PH_STR("x") };
            }
        }
        assert_int_equal(paypal_webhook_check(&account, headers, count,
                                              PH_STR(GOOD), NOW_MS),
                         PH_E_MISSING);
    }
}

/* The certificate's own dates, and who vouches for it. */
static void
certificates_are_judged_each_time(void **state)
{
    const struct ph_str            good      = PH_STR(GOOD);
    const char                    *signature = sign(&genuine, good);
    const struct ph_channel_header headers[] = {
        { PH_STR("paypal-transmission-id"), ph_str_z(genuine.id) },
        { PH_STR("paypal-transmission-time"), ph_str_z(genuine.at) },
        { PH_STR("paypal-transmission-sig"), ph_str_z(signature) },
        { PH_STR("paypal-cert-url"), ph_str_z(genuine.url) },
        { PH_STR("paypal-auth-algo"), ph_str_z(genuine.algo) },
    };
    static const struct {
        uint64_t   now_ms;
        enum ph_rc want;
    } rows[] = {
        { NOW_MS, PH_OK },
        { UINT64_C(1795000000000), PH_E_RANGE }, /* before it begins */
        { UINT64_C(1954000000000), PH_E_RANGE }, /* its time is over */
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        assert_int_equal(
            paypal_webhook_check(&account, headers, 5, good, rows[i].now_ms),
            rows[i].want);
    }
    /* other authorities, and none at all */
    struct ph_str values[PAYPAL_FIELDS];

    memcpy(values, account.values, sizeof(values));
    values[PAYPAL_WEBHOOK_CA] = t_file("t/data/vectors/keys/alipay/root1.crt");
    assert_null(account_set(values, PAYPAL_FIELDS, NULL));
    assert_int_equal(paypal_webhook_check(&account, headers, 5, good, NOW_MS),
                     PH_E_SIGNATURE);
    values[PAYPAL_WEBHOOK_CA] = ph_str_make(NULL, 0);
    assert_null(account_set(values, PAYPAL_FIELDS, NULL));
    assert_int_equal(paypal_webhook_check(&account, headers, 5, good, NOW_MS),
                     PH_E_MISSING);
}

/* signed, and nothing that can be read */
static void
genuine_webhooks_that_make_no_sense_are_refused(void **state)
{
    static const struct ph_str bodies[] = {
        PH_STR_INIT(""),
        PH_STR_INIT("<html></html>"),
        PH_STR_INIT("[]"),
        PH_STR_INIT("\xef\xbb\xbf" GOOD),
        PH_STR_INIT(GOOD "\0"),
        PH_STR_INIT(GOOD "x"),
        PH_STR_INIT("{}"),
        PH_STR_INIT("{\"id\":\"WH-1\"}"),
        PH_STR_INIT("{\"id\":\"WH-1\",\"event_type\":"
                    "\"PAYMENT.CAPTURE.COMPLETED\"}"),
        PH_STR_INIT("{\"id\":1,\"event_type\":\"x\",\"resource\":{}}"),
        PH_STR_INIT(EVENT("PAYMENT.CAPTURE.COMPLETED", "{}")),
        PH_STR_INIT(EVENT("PAYMENT.CAPTURE.COMPLETED", "7")),
        PH_STR_INIT(EVENT("PAYMENT.CAPTURE.COMPLETED",
                          CAPTURE("2GG", "COMPLETED", ",\"id\":\"2GG\""))),
        PH_STR_INIT(EVENT("PAYMENT.CAPTURE.COMPLETED",
                          "{\"id\":\"2GG\",\"amount\":{\"currency_code\":"
                          "\"USD\",\"value\":\"88.880\"}}")),
        PH_STR_INIT(EVENT("PAYMENT.CAPTURE.COMPLETED",
                          "{\"id\":\"2GG\",\"amount\":{\"currency_code\":"
                          "\"USD\",\"value\":88.88}}")),
        PH_STR_INIT(EVENT("PAYMENT.CAPTURE.COMPLETED",
                          "{\"id\":\"2GG\",\"amount\":{\"currency_code\":"
                          "\"USD\",\"value\":\"10000000000000000\"}}")),
        PH_STR_INIT(EVENT("PAYMENT.CAPTURE.REFUNDED", "{}")),
        PH_STR_INIT(EVENT("CHECKOUT.ORDER.APPROVED", "{\"id\":7}")),
        /* ours, in no currency */
        PH_STR_INIT(EVENT("PAYMENT.CAPTURE.COMPLETED",
                          "{\"id\":\"2GG\",\"status\":\"COMPLETED\","
                          "\"custom_id\":\"" ATTEMPT "\",\"amount\":{"
                          "\"currency_code\":\"XTS\",\"value\":\"1\"}}")),
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(bodies); i++) {
        if (tell(bodies[i]) == PH_OK) {
            fail_msg("taken: %s", bodies[i].ptr);
        }
    }
    assert_int_equal(tell(long_text("{\"a\":", "[", 100000, "")), PH_E_RANGE);
    assert_int_equal(tell(long_text("{\"a\":\"", "x", 300000, "\"}")),
                     PH_E_RANGE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(certificates_come_from_paypal_alone),
        TEST(a_refresh_brings_a_certificate_that_is_paypals),
        TEST(four_certificates_are_kept_the_oldest_goes),
        TEST(every_event_names_what_is_to_be_asked_and_proves_nothing),
        TEST(a_body_that_was_made_to_fit_proves_nothing),
        TEST(refunds_are_told_of_ours_and_of_others),
        TEST(what_is_nothing_to_us_is_acknowledged),
        TEST(webhooks_that_are_not_genuine_are_refused),
        TEST(a_certificate_that_is_not_there_is_asked_for),
        TEST(every_header_has_to_be_there),
        TEST(certificates_are_judged_each_time),
        TEST(genuine_webhooks_that_make_no_sense_are_refused),
    };

    return cmocka_run_group_tests_name("channel_paypal_webhook", tests,
                                       group_begin, group_end);
}
