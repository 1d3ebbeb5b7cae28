/*
 * fuzz_declared_file.c - a channel's file: it compiles to a whole table or is
 * refused with one line, and what compiled makes requests and reads answers
 * within its bounds, whatever it declares.
 */
#include "t/fuzz/channel.h"

#include "channels/declarative/declared.h"

static struct ph_str private_key, public_key, certificate;

static struct ph_str
value_of(const struct ph_channel_field *field)
{
    switch (field->kind) {
    case PH_VALUE_URL:
        return PH_STR("https://b.example");
    case PH_VALUE_YESNO:
        return PH_STR("yes");
    case PH_VALUE_PRIVATE_KEY:
        return private_key;
    case PH_VALUE_PUBLIC_KEY:
        return public_key;
    case PH_VALUE_CERT:
    case PH_VALUE_CERTS:
        return certificate;
    case PH_VALUE_BASE64:
        return PH_STR("MDEyMzQ1Njc4OWFiY2RlZg==");
    case PH_VALUE_TEXT:
    case PH_VALUE_PFX:
    case PH_VALUE_SECRET:
        break;
    }
    return PH_STR("0123456789abcdef01234567");
}

static void
table_holds(const struct ph_channel *channel)
{
    size_t at = 0;

    FUZZ_HOLDS(channel->abi == PH_CHANNEL_ABI);
    FUZZ_HOLDS(channel->name != NULL && channel->name[0] >= 'a'
               && channel->name[0] <= 'z' && strlen(channel->name) <= 32);
    FUZZ_HOLDS(channel->field_count <= PH_CHANNEL_FIELDS_MAX);
    FUZZ_HOLDS(channel->methods != NULL && channel->methods[0] != NULL);
    for (size_t i = 0; channel->methods[i] != NULL; i++) {
        FUZZ_HOLDS(
            strncmp(channel->methods[i], channel->name, strlen(channel->name))
            == 0);
    }
    FUZZ_HOLDS(ph_codes_check(channel, &at) == PH_CODES_OK);
}

static void
use(const struct ph_channel *channel)
{
    static const char *const  answers[] = { "{}", "<xml/>", "a=1", "" };
    struct ph_channel_account account   = { .channel = channel };
    struct ph_channel_order   order;
    const char               *why = NULL;

    for (size_t i = 0; i < channel->field_count; i++) {
        account.values[i] = value_of(&channel->fields[i]);
    }
    ph_arena_init(&fuzz_arena, fuzz_room, sizeof(fuzz_room));
    if (!ph_channel_account_open(&account, NULL, FUZZ_NOW_MS, &fuzz_arena,
                                 &why)) {
        FUZZ_HOLDS(why != NULL);
        return;
    }
    fuzz_order(&order, channel->methods[0], "CNY");
    for (int op = PH_OP_CREATE; op <= PH_OP_REFUND_QUERY; op++) {
        const struct ph_channel_reply reply = { .status = 200 };

        for (size_t i = 0; i < PH_COUNT(answers); i++) {
            (void) fuzz_operation(&account, &order, (enum ph_channel_op) op,
                                  &reply, ph_str_z(answers[i]));
        }
    }
    for (size_t i = 0; channel->notice != NULL && i < PH_COUNT(answers); i++) {
        const struct ph_channel_notice in  = { .body = ph_str_z(answers[i]) };
        struct ph_channel_notice_out   out = { .id = { NULL, 0 } };

        ph_arena_init(&fuzz_arena, fuzz_room, sizeof(fuzz_room));
        if (channel->notice(&account, &in, FUZZ_NOW_MS, &fuzz_arena, &out)
            == PH_OK) {
            fuzz_notice_holds(&out);
        }
    }
    ph_channel_account_close(&account);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char          why_memory[PH_DECLARED_WHY_MAX];
    struct ph_buf why = PH_BUF_INIT(why_memory);

    if (private_key.ptr == NULL) {
        FUZZ_HOLDS(ph_digest_init());
        private_key = fuzz_key("alipay/app_pkcs8.pem");
        public_key  = fuzz_key("alipay/platform_public.pem");
        certificate = fuzz_key("paypal/webhook_cert.pem");
    }
    struct ph_declared *file
        = ph_declared_open(ph_str_make((const char *) data, size), &why);

    if (file == NULL) {
        FUZZ_HOLDS(why.len > 0 && memchr(why.ptr, '\n', why.len) == NULL);
        return 0;
    }
    table_holds(ph_declared_channel(file));
    use(ph_declared_channel(file));
    ph_declared_close(file);
    return 0;
}
