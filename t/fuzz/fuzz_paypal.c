/*
 * fuzz_paypal.c - PayPal's answers and events, by the first byte; what is kept
 * between them, and the addresses of certificates.
 */
#include "t/fuzz/channel.h"

#include "channels/paypal/paypal.h"
#include "channels/paypal/paypal_int.h"

#define BASE "https://api-m.sandbox.paypal.com"
#define CERT_URL                                                               \
    "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-360caa42"

static struct ph_channel_account account;
static struct ph_channel_kept    kept;
static struct ph_channel_order   order;

static void
make_ready(void)
{
    static char   text[16 * 1024];
    struct ph_buf buf = PH_BUF_INIT(text);

    if (account.context != NULL) {
        return;
    }
    ph_buf_add(&buf, PH_STR("token A21AAtoken\nuntil "));
    ph_buf_u64(&buf, FUZZ_NOW_MS + 3600000);
    ph_buf_add(&buf, PH_STR("\ncert " CERT_URL "\n"));
    ph_buf_add(&buf, fuzz_key("paypal/webhook_cert.pem"));
    ph_buf_add(&buf, PH_STR(".\n"));
    kept = (struct ph_channel_kept){ ph_buf_str(&buf), FUZZ_NOW_MS + 1800000,
                                     FUZZ_NOW_MS + 3600000 };
    account.kept                         = &kept;
    account.values[PAYPAL_BASE_URL]      = PH_STR(BASE);
    account.values[PAYPAL_CLIENT_ID]     = PH_STR("AYclient");
    account.values[PAYPAL_CLIENT_SECRET] = PH_STR("ELsecret");
    account.values[PAYPAL_WEBHOOK_ID]    = PH_STR("1AB23456CD789012E");
    account.values[PAYPAL_WEBHOOK_CA]    = fuzz_key("paypal/root.pem");
    fuzz_open(&account, &ph_channel_paypal);
}

/* five lines, and the body; of a webhook id that nobody signed for */
static void
read_unsigned(struct ph_str text)
{
    static const char *const names[]
        = { "PAYPAL-TRANSMISSION-ID", "PAYPAL-TRANSMISSION-TIME",
            "PAYPAL-TRANSMISSION-SIG", "PAYPAL-CERT-URL", "PAYPAL-AUTH-ALGO" };
    struct ph_channel_header     headers[PH_COUNT(names)];
    struct ph_channel_notice_out out = { .id = { NULL, 0 } };

    for (size_t i = 0; i < PH_COUNT(names); i++) {
        struct ph_str line = text, rest = PH_STR("");

        (void) ph_str_cut(text, '\n', &line, &rest);
        headers[i] = (struct ph_channel_header){ ph_str_z(names[i]), line };
        text       = rest;
    }
    const struct ph_channel_notice in
        = { .body = text, .headers = headers, .header_count = PH_COUNT(names) };

    FUZZ_HOLDS(paypal_notice(&account, &in, FUZZ_NOW_MS, &fuzz_arena, &out)
               != PH_OK);
    FUZZ_HOLDS(!out.needs_refresh || out.hint.len != 0);
}

/* an address that is taken begins with one of the hosts, and holds nothing
 * that another reader of addresses would read in another way */
static void
check_url(struct ph_str url)
{
    static const char *const hosts[] = {
        "https://api.paypal.com/",
        "https://api.sandbox.paypal.com/",
        "https://api-m.paypal.com/",
        "https://api-m.sandbox.paypal.com/",
    };
    bool is_known = false;

    if (!paypal_cert_url_ok(PH_STR(BASE), url)) {
        return;
    }
    for (size_t i = 0; i < PH_COUNT(hosts); i++) {
        is_known = is_known || ph_str_starts(url, ph_str_z(hosts[i]));
    }
    FUZZ_HOLDS(is_known && url.len <= PH_CHANNEL_HINT_MAX);
    for (size_t i = 0; i < url.len; i++) {
        FUZZ_HOLDS(url.ptr[i] > ' ' && url.ptr[i] < 0x7f
                   && strchr("@\\?#%\"<>", url.ptr[i]) == NULL);
    }
    FUZZ_HOLDS(memmem(url.ptr, url.len, "..", 2) == NULL);
}

static void
check_kept(struct ph_str text)
{
    const struct ph_channel_kept of = { text, 0, 0 };
    struct paypal_kept           out;

    paypal_kept_read(&of, &out);
    FUZZ_HOLDS(out.cert_count <= PAYPAL_CERTS_MAX);
    FUZZ_HOLDS(out.token.len <= PAYPAL_TOKEN_MAX);

    struct paypal_account opened = { .base = { NULL, 0 } };

    paypal_certs_open(&opened, &of);
    FUZZ_HOLDS(opened.cert_count <= out.cert_count);
    for (size_t i = 0; i < opened.cert_count; i++) {
        FUZZ_HOLDS(opened.certs[i].url_len <= sizeof(opened.certs[i].url));
        ph_certs_free(opened.certs[i].certs, opened.certs[i].count);
    }
}

static void
operate(unsigned known, enum ph_channel_op op, unsigned status,
        struct ph_str text)
{
    const struct ph_channel_reply reply = { .status = status };
    struct ph_channel_result      result;

    fuzz_order(&order, "paypal", "USD");
    order.extra = PH_STR("{}");
    if (known != 0) {
        order.trade_no          = PH_STR("2GG");
        order.channel_refund_no = PH_STR("1JU");
    }
    result = fuzz_operation(&account, &order, op, &reply, text);
    /* an order that was never shown is closed without a call */
    FUZZ_HOLDS(status < 500 || fuzz_answers == 0
               || result.class == PH_RESULT_UNKNOWN);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ph_channel_notice_out out = { .id = { NULL, 0 } };

    if (size < 3) {
        return 0;
    }
    make_ready();
    const struct ph_str text = ph_str_make((const char *) data + 3, size - 3);

    ph_arena_init(&fuzz_arena, fuzz_room, sizeof(fuzz_room));
    switch (data[0] % 6) {
    case 0:
    case 1:
        operate(data[0] % 6, fuzz_op(data[1]),
                fuzz_statuses[data[2] % PH_COUNT(fuzz_statuses)], text);
        break;
    case 2:
        if (paypal_event_read(text, &fuzz_arena, &out) == PH_OK) {
            fuzz_notice_holds(&out);
        }
        break;
    case 3:
        read_unsigned(text);
        break;
    case 4:
        check_kept(text);
        break;
    default:
        check_url(text);
        break;
    }
    return 0;
}
