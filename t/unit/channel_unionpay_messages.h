/*
 * channel_unionpay_messages.h - a genuine message to start from, and how the
 * adapter takes one as an answer and as a notice.
 */
#ifndef T_CHANNEL_UNIONPAY_MESSAGES_H
#define T_CHANNEL_UNIONPAY_MESSAGES_H

#include "t/unit/channel_unionpay_told.h"

static const struct ph_channel *const channel = &ph_channel_unionpay;

static struct ph_channel_account account;
static char                      signer_pem[8192];

static const struct ph_channel_order order = {
    .attempt_id    = PH_STR_INIT(ATTEMPT),
    .trade_no      = PH_STR_INIT(QUERY_ID),
    .method        = PH_STR_INIT("unionpay_web"),
    .amount        = 1000,
    .currency      = PH_STR_INIT("CNY"),
    .expires_at_ms = NOW_MS + 1000,
    .refund_id     = PH_STR_INIT(REFUND),
    .refund_amount = 500,
    .attempt_ms    = TRADE_MS,
    .refund_ms     = TRADE_MS,
};

static inline void
pem_load(const char *path)
{
    struct ph_str file = t_file(path);

    assert_true(file.len < sizeof(signer_pem));
    memcpy(signer_pem, file.ptr, file.len);
    signer_pem[file.len] = '\0';
}

static inline int
set_up(void **state)
{
    (void) state;
    assert_true(ph_digest_init());
    ph_arena_init(&arena, memory, sizeof(memory));
    account = pem_account();
    account_open(&account);
    return 0;
}

static inline int
tear_down(void **state)
{
    (void) state;
    ph_channel_account_close(&account);
    ph_digest_deinit();
    return 0;
}

/* The answer to a query, paid; also a notice when txnType is 01. */
static inline void
paid(const char *txn_type)
{
    pem_load(KEYS "acpsign.cer");
    told_count = 0;
    tell("version", "5.1.0");
    tell("encoding", "UTF-8");
    tell("signMethod", "01");
    tell("merId", MER_ID);
    tell("signPubKeyCert", signer_pem);
    tell("txnType", txn_type);
    tell("orderId", ATTEMPT);
    tell("queryId", QUERY_ID);
    tell("txnAmt", "1000");
    tell("currencyCode", "156");
    tell("settleAmt", "1000");
    tell("settleCurrencyCode", "156");
    tell("respCode", "00");
    tell("respMsg", "ok[0]");
    if (strcmp(txn_type, "00") == 0) {
        tell("origRespCode", "00");
    }
}

static inline struct ph_channel_result
answered(const struct ph_channel_account *by, struct ph_str body,
         unsigned status)
{
    struct ph_channel_call  call  = { .op      = PH_OP_QUERY,
                                      .account = by,
                                      .order   = &order,
                                      .arena   = &arena,
                                      .now_ms  = NOW_MS };
    struct ph_channel_reply reply = { .status = status, .body = body };
    struct ph_channel_out   out   = { 0 };

    assert_int_equal(channel->step(&call, &reply, &out), PH_STEP_DONE);
    return out.result;
}

static inline enum ph_rc
noticed(const struct ph_channel_account *by, struct ph_str body,
        const char *query, struct ph_channel_notice_out *out)
{
    struct ph_channel_notice in = { .body = body, .query = ph_str_z(query) };

    ph_arena_reset(&arena);
    *out = (struct ph_channel_notice_out){ 0 };
    return channel->notice(by, &in, NOW_MS, &arena, out);
}

/* neither paid nor failed nor anything, by answer and notice alike */
static inline void
not_believed(const char *about, const char *error_class)
{
    struct ph_channel_notice_out out;
    struct ph_channel_result     result;

    ph_arena_reset(&arena);
    result = answered(&account, told_answer(), 200);
    if (result.class != PH_RESULT_UNKNOWN || result.number.len != 0
        || result.amount != -1)
    {
        fail_msg("%s: class %d", about, (int) result.class);
    }
    t_same(result.error_class, ph_str_z(error_class));
    if (noticed(&account, told_form(), NULL, &out) == PH_OK) {
        fail_msg("%s: the notice was taken", about);
    }
}

#endif
