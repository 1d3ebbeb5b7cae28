/*
 * fuzz_unionpay.c - UnionPay's answers and notices, by the first byte: split
 * and joined again, judged as if somebody had checked them, unsigned as they
 * came, and signed with the account's shared key.
 */
#include "t/fuzz/channel.h"

#include "channels/unionpay/union_int.h"
#include "channels/unionpay/unionpay.h"

static struct ph_channel_account account;
static struct ph_channel_order   order;
static struct ph_pair            pairs[UNION_PAIRS_MAX];

static void
make_ready(void)
{
    if (account.context != NULL) {
        return;
    }
    account.values[UNION_GATEWAY_URL]
        = PH_STR("https://gateway.95516.com/gateway/api/");
    account.values[UNION_MER_ID]     = PH_STR("777290058110048");
    account.values[UNION_SECURE_KEY] = PH_STR("0123456789abcdef01234567");
    fuzz_open(&account, &ph_channel_unionpay);
    fuzz_order(&order, "unionpay_app", "CNY");
}

static struct ph_str
join(size_t count)
{
    const struct ph_join how = { .drops_empty = false };
    struct ph_buf        buf;

    ph_arena_open(&fuzz_arena, &buf);
    ph_pairs_join(&buf, pairs, count, &how);
    return ph_arena_close(&fuzz_arena, &buf);
}

/* what is behind the signature of an answer */
static void
judge_answer(enum ph_channel_op op, struct ph_str body)
{
    struct ph_channel_result result = { .amount = -1, .refunded_total = -1 };
    struct ph_channel_call   call   = fuzz_call(&account, &order, op, NULL);
    struct union_said        said;
    size_t                   count;

    if (union_answer_split(body, pairs, UNION_PAIRS_MAX, &count) != PH_OK) {
        return;
    }
    FUZZ_HOLDS(ph_str_eq(join(count), body));
    if (union_said_read(pairs, count, &fuzz_arena, &said) != PH_OK) {
        return;
    }
    FUZZ_HOLDS(said.amount >= -1 && said.settle_amount >= -1);
    if (op != PH_OP_ACCOUNT_REFRESH) {
        union_answer_judge(&call, &said, &result);
        fuzz_result_holds(&result);
    }
}

static void
judge_notice(struct ph_str body)
{
    static struct ph_pair        again[UNION_PAIRS_MAX];
    struct ph_channel_notice_out out = { .id = { NULL, 0 } };
    struct union_said            said;
    size_t                       count, count_again;

    if (union_notice_split(body, PH_STR("a=1"), &fuzz_arena, pairs,
                           UNION_PAIRS_MAX, &count)
        != PH_OK)
    {
        return;
    }
    struct ph_str text = join(count);

    /* what is signed can be taken apart in one way only */
    if (count != 0 && !fuzz_arena.full && text.len <= UNION_BODY_MAX) {
        FUZZ_HOLDS(
            union_answer_split(text, again, UNION_PAIRS_MAX, &count_again)
                == PH_OK
            && count_again == count);
        for (size_t i = 0; i < count; i++) {
            FUZZ_HOLDS(ph_str_eq(again[i].value, pairs[i].value));
        }
    }
    if (union_said_read(pairs, count, &fuzz_arena, &said) == PH_OK
        && union_notice_judge(&said, &fuzz_arena, &out) == PH_OK)
    {
        fuzz_notice_holds(&out);
    }
}

static bool
is_notice_ok(struct ph_str body)
{
    const struct ph_channel_notice in  = { .body = body };
    struct ph_channel_notice_out   out = { .id = { NULL, 0 } };

    if (ph_channel_unionpay.notice(&account, &in, FUZZ_NOW_MS, &fuzz_arena,
                                   &out)
        != PH_OK)
    {
        return false;
    }
    fuzz_notice_holds(&out);
    return true;
}

/* the pairs of `body` with a right signature */
static struct ph_str
sign(struct ph_str body, bool is_form)
{
    const struct union_account *opened = account.context;
    char                        hex_memory[UNION_DIGEST_HEX];
    struct ph_buf               hex = PH_BUF_INIT(hex_memory), buf;
    size_t                      count, kept = 0;

    if (union_answer_split(body, pairs, UNION_PAIRS_MAX - 2, &count) != PH_OK) {
        return ph_str_make(NULL, 0);
    }
    for (size_t i = 0; i < count; i++) {
        if (!ph_str_eq(pairs[i].name, PH_STR("signature"))
            && !ph_str_eq(pairs[i].name, PH_STR("signMethod")))
        {
            pairs[kept++] = pairs[i];
        }
    }
    pairs[kept++]      = (struct ph_pair){ PH_STR("signMethod"), PH_STR("11") };
    struct ph_str text = union_text(pairs, kept, &fuzz_arena);
    FUZZ_HOLDS(union_digest(UNION_SHA256, text,
                            ph_str_make(opened->secure, UNION_DIGEST_HEX),
                            &hex));
    pairs[kept++] = (struct ph_pair){ PH_STR("signature"), ph_buf_str(&hex) };
    if (!is_form) {
        return join(kept);
    }
    ph_arena_open(&fuzz_arena, &buf);
    ph_form_encode(&buf, pairs, kept, PH_URL_SPACE_PLUS);
    return ph_arena_close(&fuzz_arena, &buf);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char room[128 * 1024];

    if (size < 3) {
        return 0;
    }
    make_ready();
    const enum ph_channel_op      op = fuzz_op(data[1]);
    const struct ph_channel_reply reply
        = { .status = fuzz_statuses[data[2] % PH_COUNT(fuzz_statuses)] };
    struct ph_str text = ph_str_make((const char *) data + 3, size - 3);

    ph_arena_init(&fuzz_arena, fuzz_room, sizeof(fuzz_room));
    switch (data[0] % 6) {
    case 0:
        judge_answer(op, text);
        break;
    case 1:
        judge_notice(text);
        break;
    case 2:
        FUZZ_HOLDS(fuzz_operation(&account, &order, op, &reply, text).class
                   == PH_RESULT_UNKNOWN);
        break;
    case 3:
        FUZZ_HOLDS(!is_notice_ok(text));
        break;
    case 4:
        text = sign(text, false);
        if (text.ptr != NULL && text.len <= sizeof(room)) {
            memcpy(room, text.ptr, text.len); /* the arena begins anew */
            (void) fuzz_operation(&account, &order, op, &reply,
                                  ph_str_make(room, text.len));
        }
        break;
    default:
        (void) is_notice_ok(sign(text, true));
        break;
    }
    return 0;
}
