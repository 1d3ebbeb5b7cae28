/*
 * notice.c - POST /notify/{channel}/{account_id}: what channels tell us.
 *
 * The adapter proves the notice, settle() applies it, the channel's success
 * word is said after the commit and never before.  No order lock is taken: a
 * notice calls nobody, its effect is one compare-and-set, and a create that
 * waits for its answer holds that lock.
 */
#include <strings.h>

#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"
#include "libpayhub/wire/digest.h"
#include "worker/account.h"
#include "worker/notify.h"
#include "worker/refund_settle.h"
#include "worker/route.h"
#include "worker/settle.h"

#define NOTICE_BODY_MAX (128 * 1024)
#define NOTICE_HEADERS_MAX 64

struct notice {
    struct wk_settle             settle; /* first */
    struct wk_request           *request;
    struct wk_block             *block;
    struct wk_account           *account;
    struct ph_channel_header     headers[NOTICE_HEADERS_MAX];
    size_t                       header_count;
    struct ph_channel_notice_out out;
    struct wk_notice_row         row;
    struct ph_id                 event_id;
    struct wk_order              order;
    struct wk_refund_settle      refund; /* instead, when it is of a refund */
    struct wk_refund_rows        refund_rows;
    uint8_t                      digest[PH_SHA256_LEN];
};

static void
notice_end(struct notice *notice, struct wk_worker *worker)
{
    wk_account_release(notice->account);
    wk_block_give(worker, notice->block);
}

static void
notice_away(struct notice *notice)
{
    const struct ph_problem problem
        = { .error  = PH_ERROR_NOT_EXECUTED,
            .detail = PH_STR("the database is not to be reached") };
    const struct wk_reply more = { .retry_after_s = 1 };

    wk_reply_problem(notice->request, PH_FRAME_BUSY, &problem, &more);
}

static void
notice_acknowledge(struct notice *notice, const struct wk_payment *payment)
{
    struct wk_reply reply = { .type         = PH_FRAME_RESULT,
                              .status       = 200,
                              .body         = notice->out.ack_body,
                              .content_type = notice->out.ack_content_type,
                              .channel      = notice->row.channel };

    if (payment != NULL) {
        reply.order_id = payment->id;
        reply.outcome  = ph_str_z(ph_payment_state_text(payment->status));
    }
    wk_reply(notice->request, &reply);
}

static void
notice_on_settled(struct wk_settle *settle)
{
    struct notice    *notice = (struct notice *) settle;
    struct wk_worker *worker = settle->worker;

    if (settle->store.outcome != WK_STORE_DONE) {
        notice_away(notice); /* the channel tells it again */
        notice_end(notice, worker);
        return;
    }
    if (!settle->is_found && !settle->is_repeated) {
        ph_log(PH_LOG_WARN, "notice_of_nobody",
               { "account", notice->row.account_id },
               { "number", settle->attempt_id });
    }
    notice_acknowledge(notice,
                       settle->is_found ? &notice->order.payment : NULL);
    if (settle->delivery.is_due && (worker->roles & WK_ROLE_NOTIFY) != 0) {
        (void) wk_notify_deliver(worker->notify, &settle->delivery);
    }
    notice_end(notice, worker);
}

/* One that is not ours was made at the channel by somebody else. */
static void
notice_on_refund(struct wk_refund_settle *settle)
{
    struct notice    *notice = settle->data;
    struct wk_worker *worker = settle->worker;

    if (settle->store.outcome != WK_STORE_DONE) {
        notice_away(notice);
        notice_end(notice, worker);
        return;
    }
    if (!settle->is_found && !settle->is_repeated) {
        ph_log(PH_LOG_ERROR, "refund_of_nobody",
               { "account", notice->row.account_id },
               { "number", notice->out.result.number },
               { "amount", ph_log_i64(notice->out.result.amount) });
    }
    notice_acknowledge(
        notice, settle->is_found ? &notice->refund_rows.order.payment : NULL);
    wk_refund_settle_deliver(settle);
    notice_end(notice, worker);
}

/* ---- reading ---- */

static void
headers_fill(struct notice *notice)
{
    struct ph_str meta = notice->request->frame.meta, value;
    unsigned      type;

    while (ph_field_next(&meta, &type, &value)
           && notice->header_count < NOTICE_HEADERS_MAX)
    {
        struct ph_channel_header *header
            = &notice->headers[notice->header_count];

        if (type == PH_FIELD_HEADER
            && ph_str_cut(value, '\0', &header->name, &header->value))
        {
            notice->header_count++;
        }
    }
}

static bool
header_is_kept(const struct ph_channel_header *header)
{
    static const char *const secrets[]
        = { "authorization", "cookie", "proxy-authorization" };

    for (size_t i = 0; i < PH_COUNT(secrets); i++) {
        if (header->name.len == strlen(secrets[i])
            && strncasecmp(header->name.ptr, secrets[i], header->name.len) == 0)
        {
            return false;
        }
    }
    return ph_str_utf8_count(header->name) != SIZE_MAX
           && ph_str_utf8_count(header->value) != SIZE_MAX;
}

/* What the signature stood on, for those who look into it later. */
static struct ph_str
headers_text(struct notice *notice)
{
    struct ph_buf buf;
    bool          is_first = true;

    ph_arena_open(&notice->block->arena, &buf);
    ph_buf_byte(&buf, '{');
    for (size_t i = 0; i < notice->header_count; i++) {
        if (header_is_kept(&notice->headers[i])) {
            ph_buf_add(&buf, is_first ? PH_STR("") : PH_STR(","));
            ph_buf_json(&buf, notice->headers[i].name);
            ph_buf_byte(&buf, ':');
            ph_buf_json(&buf, notice->headers[i].value);
            is_first = false;
        }
    }
    ph_buf_byte(&buf, '}');
    return ph_arena_close(&notice->block->arena, &buf);
}

static struct ph_str
hex_keep(struct notice *notice, const uint8_t digest[PH_SHA256_LEN])
{
    struct ph_buf buf;

    ph_arena_open(&notice->block->arena, &buf);
    ph_buf_hex(&buf, ph_str_make((const char *) digest, PH_SHA256_LEN));
    return ph_arena_close(&notice->block->arena, &buf);
}

/* Of a refund that is not ours, in place of a notice's id. */
static struct ph_str
number_hex(struct notice *notice)
{
    const struct ph_str pieces[]
        = { PH_STR("refund\n"), notice->out.result.number };
    uint8_t digest[PH_SHA256_LEN];

    return ph_sha256(pieces, PH_COUNT(pieces), digest)
               ? hex_keep(notice, digest)
               : hex_keep(notice, notice->digest);
}

static bool
notice_read(struct notice *notice)
{
    const struct ph_channel *channel = notice->account->channel;

    headers_fill(notice);
    const struct ph_channel_notice in
        = { .body         = notice->request->frame.body,
            .headers      = notice->headers,
            .header_count = notice->header_count };

    return channel->notice != NULL
           && channel->notice(&notice->account->face, &in, ph_now_ms(),
                              &notice->block->arena, &notice->out)
                  == PH_OK
           && (notice->out.is_refund
               || ph_id_is(notice->out.result.number, PH_ID_ATTEMPT))
           && ph_sha256(&in.body, 1, notice->digest);
}

static void
row_fill(struct notice *notice)
{
    struct wk_worker   *worker  = notice->request->worker;
    const struct ph_str number  = notice->out.result.number;
    struct ph_str       id      = notice->out.id;
    const bool          is_ours = ph_id_is(
                 number, notice->out.is_refund ? PH_ID_REFUND : PH_ID_ATTEMPT);

    if (notice->out.is_refund && !is_ours) {
        id = number_hex(notice); /* it counts once, however often it is told */
    } else if (id.len == 0 || !wk_number_is_plain(id)) {
        id = hex_keep(notice, notice->digest);
    }
    notice->event_id
        = wk_id_make(worker, PH_ID_EVENT, is_ours ? ph_id_shard(number) : 0);
    notice->row
        = (struct wk_notice_row){ .id = ph_str_z(notice->event_id.text),
                                  .channel
                                  = ph_str_z(notice->account->channel->name),
                                  .account_id = notice->account->face.id,
                                  .notice_id  = id,
                                  .headers    = headers_text(notice),
                                  .body       = notice->request->frame.body };
    notice->refund_rows.refund.id = is_ours ? number : ph_str_make(NULL, 0);
}

static struct wk_evidence
notice_evidence(const struct notice *notice)
{
    return (struct wk_evidence){ .source = WK_SOURCE_NOTICE,
                                 .result = &notice->out.result,
                                 .digest
                                 = ph_str_make((const char *) notice->digest,
                                               sizeof(notice->digest)),
                                 .seller = wk_account_seller(notice->account) };
}

/* The attempt of a refund that is not ours; {NULL, 0} = it is ours, or of
 * nobody. */
static struct ph_str
foreign_of(const struct notice *notice)
{
    const struct ph_str number = notice->out.order_number;

    return notice->refund_rows.refund.id.len == 0
                   && ph_id_is(number, PH_ID_ATTEMPT)
               ? number
               : ph_str_make(NULL, 0);
}

static void
notice_settle_refund(struct notice *notice)
{
    struct wk_refund_settle *settle = &notice->refund;

    *settle = (struct wk_refund_settle){ .worker     = notice->request->worker,
                                         .arena      = &notice->block->arena,
                                         .rows       = &notice->refund_rows,
                                         .evidence   = notice_evidence(notice),
                                         .notice     = &notice->row,
                                         .foreign_of = foreign_of(notice),
                                         .done       = notice_on_refund,
                                         .data       = notice };
    if (!wk_refund_settle_start(settle)) {
        settle->store.outcome = WK_STORE_FAILED;
        notice_on_refund(settle);
    }
}

static void
notice_settle(struct notice *notice)
{
    struct wk_settle *settle = &notice->settle;

    *settle = (struct wk_settle){ .worker     = notice->request->worker,
                                  .arena      = &notice->block->arena,
                                  .attempt_id = notice->out.result.number,
                                  .order      = &notice->order,
                                  .evidence   = notice_evidence(notice),
                                  .notice     = &notice->row,
                                  .done       = notice_on_settled };
    if (!wk_settle_start(settle)) {
        settle->store.outcome = WK_STORE_FAILED;
        notice_on_settled(settle);
    }
}

void
wk_notice_take(struct wk_request *request, const struct wk_route_match *match)
{
    struct wk_worker  *worker = request->worker;
    struct wk_account *account
        = wk_account_find(worker->accounts, match->star[1]);

    if (account == NULL
        || !ph_str_eq(ph_str_z(account->channel->name), match->star[0]))
    {
        wk_reply_error(request, PH_ERROR_NOT_FOUND, "");
        return;
    }
    if (request->frame.body.len > NOTICE_BODY_MAX) {
        wk_reply_error(request, PH_ERROR_TOO_LARGE,
                       "expected at most 131072 bytes");
        return;
    }
    struct wk_block *block = wk_block_take(worker);

    if (block == NULL) {
        wk_reply_error(request, PH_ERROR_NOT_EXECUTED, "no memory");
        return;
    }
    struct notice *notice = ph_arena_take(&block->arena, sizeof(*notice));

    notice->request = request;
    notice->block   = block;
    notice->account = wk_account_hold(account);
    if (!notice_read(notice)) {
        wk_reply_error(request, PH_ERROR_NOTICE, "");
        notice_end(notice, worker);
        return;
    }
    row_fill(notice);
    if (notice->out.is_refund) {
        notice_settle_refund(notice);
    } else {
        notice_settle(notice);
    }
}
