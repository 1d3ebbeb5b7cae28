/*
 * fuzz_declared.c - answers and notices of a declared channel, in JSON, XML and
 * as a form, by the first byte: with a signature over the body in a header, and
 * without, where nothing counts.
 */
#include "t/fuzz/channel.h"

#include "channels/declarative/declared.h"

#define KEY "a key that is long enough"

#define PROOF                                                                  \
    "\"verify\":{\"of\":\"{body}\",\"alg\":\"hmac_sha256\","                   \
    "\"key\":\"account.key\",\"signature\":\"{header.Sign|unhex}\"}"
#define CALL(what)                                                             \
    "\"" what                                                                  \
    "\":{\"*\":{\"http\":\"POST\",\"url\":\"{account.base_url}/" what          \
    "\",\"body\":\"json\",\"fields\":{\"no\":\"{order.number}\"}}}"

/* %s: what the texts are */
static const char format[]
    = "{\"payhub\":1,\"name\":\"fuzzbank\",\"currencies\":[\"CNY\"],"
      "\"account\":{\"base_url\":{\"kind\":"
      "\"url\"},\"key\":{\"kind\":\"secret\"}},\"methods\":{\"fuzzbank_qr\":{}}"
      ",\"answer\":{\"read\":\"%s\"," PROOF ",\"number\":\"{in.no}\","
      "\"trade_no\":\"{in.bank_no|default:none}\","
      "\"amount\":\"{in.sum|parse_decimal}\",\"currency\":\"{in.cur|upper}\","
      "\"paid_at\":\"{in.at|parse_time:plain+8}\","
      "\"status\":{\"from\":\"{in.state}\",\"map\":{\"OPEN\":\"wait_user\","
      "\"PAID\":\"succeeded\",\"DEAD\":\"failed\",\"SHUT\":\"closed\"}},"
      "\"error\":{\"from\":\"{in.code}\",\"map\":{\"NO_SUCH\":[\"not_found\","
      "\"not_found\",[\"query\"]]}},"
      "\"action\":{\"type\":\"qr_code\",\"data\":\"{in.qr}\"},"
      "\"message\":\"{in.text|trim|cut:40}\",\"refund\":{\"number\":"
      "\"{in.back}\",\"amount\":\"{in.sum|minor}\",\"currency\":\"{in.cur}\","
      "\"status\":{\"from\":\"{in.state}\",\"map\":{\"DONE\":\"succeeded\"}}}}"
      "," CALL("create") "," CALL("query") "," CALL("refund") "," CALL(
          "refund_query") ","
                          "\"notice\":{\"read\":\"%s\"," PROOF
                          ",\"id\":\"{in.event}\","
                          "\"number\":\"{in.no}\",\"amount\":\"{in.sum|parse_"
                          "decimal}\","
                          "\"currency\":\"{in.cur}\",\"status\":{\"from\":\"{"
                          "in.state}\",\"map\":{"
                          "\"PAID\":\"succeeded\"}},\"ack\":{\"body\":\"OK\","
                          "\"type\":\"text/plain\"}}}";

static const char *const reads[] = { "json", "xml", "form" };

static struct ph_channel_account accounts[3];
static struct ph_channel_order   order;

static void
make_ready(void)
{
    if (accounts[0].context != NULL) {
        return;
    }
    for (size_t i = 0; i < PH_COUNT(reads); i++) {
        char          text[4096], why_memory[PH_DECLARED_WHY_MAX];
        struct ph_buf why = PH_BUF_INIT(why_memory);

        (void) snprintf(text, sizeof(text), format, reads[i], reads[i]);
        struct ph_declared *file = ph_declared_open(ph_str_z(text), &why);
        if (file == NULL) {
            (void) fprintf(stderr, "fuzz: %.*s\n", (int) why.len, why.ptr);
            abort();
        }
        accounts[i].values[0] = PH_STR("https://b.example");
        accounts[i].values[1] = PH_STR(KEY);
        fuzz_open(&accounts[i], ph_declared_channel(file));
    }
    fuzz_order(&order, "fuzzbank_qr", "CNY");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t       mac[PH_SHA256_LEN];
    char          hex_memory[2 * PH_SHA256_LEN];
    struct ph_buf hex = PH_BUF_INIT(hex_memory);

    if (size < 3) {
        return 0;
    }
    make_ready();
    const struct ph_channel_account *account   = &accounts[data[0] % 3];
    const bool                       is_signed = data[0] / 3 % 2 == 0;
    const bool                       is_notice = data[0] / 6 % 2 == 0;
    const enum ph_channel_op         op        = fuzz_op(data[1]);
    const struct ph_str text = ph_str_make((const char *) data + 3, size - 3);

    FUZZ_HOLDS(ph_hmac_once(is_signed ? PH_STR(KEY) : PH_STR("another key"),
                            &text, 1, mac));
    ph_buf_hex(&hex, ph_str_make((const char *) mac, sizeof(mac)));

    const struct ph_channel_header header
        = { PH_STR("sign"), ph_buf_str(&hex) };

    ph_arena_init(&fuzz_arena, fuzz_room, sizeof(fuzz_room));
    if (is_notice) {
        const struct ph_channel_notice in
            = { .body = text, .headers = &header, .header_count = 1 };
        struct ph_channel_notice_out out = { .id = { NULL, 0 } };

        if (account->channel->notice(account, &in, FUZZ_NOW_MS, &fuzz_arena,
                                     &out)
            == PH_OK)
        {
            FUZZ_HOLDS(is_signed);
            fuzz_notice_holds(&out);
        }
    } else if (op != PH_OP_ACCOUNT_REFRESH && op != PH_OP_CLOSE
               && op != PH_OP_REVERSE)
    {
        const struct ph_channel_reply reply
            = { .status  = fuzz_statuses[data[2] % PH_COUNT(fuzz_statuses)],
                .headers = &header,
                .header_count = 1 };

        FUZZ_HOLDS(fuzz_operation(account, &order, op, &reply, text).class
                       == PH_RESULT_UNKNOWN
                   || (is_signed && reply.status < 500));
    }
    return 0;
}
