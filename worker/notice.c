/*
 * notice.c - POST /notify/{channel}/{account_id}: what channels tell us.
 *
 *   READING --key not known yet--> REFRESHING --> READING, once more
 *      '--> part --committed--> part ... --all committed--> acknowledged
 *
 * The adapter proves the notice, settle() applies its parts one after the
 * other (of some notice_ask.h has to find something out before), each in a
 * commit of its own, and the channel's success word is said after the last
 * commit and never before: a part that was not committed is told again, and
 * those before it are then repeated.  No order lock is taken: a notice calls
 * nobody, its effect is one compare-and-set, and a create that waits for its
 * answer holds that lock.
 */
#include <strings.h>

#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"
#include "libpayhub/wire/digest.h"
#include "worker/account.h"
#include "worker/crash.h"
#include "worker/notice_ask.h"
#include "worker/notify.h"
#include "worker/refresh.h"
#include "worker/refund_settle.h"
#include "worker/route.h"
#include "worker/settle.h"
#include "worker/wire_log.h"

#define NOTICE_BODY_MAX (128 * 1024)
#define NOTICE_HEADERS_MAX 64
#define REFRESH_AGAIN_S 5
#define EARLY_AGAIN_S 5
#define PART_TRIES_MAX 3 /* of rows that others move */

struct notice {
    struct wk_worker            *worker;
    struct wk_request           *request;
    struct wk_block             *block;
    struct wk_account           *account;
    struct ph_channel_header     headers[NOTICE_HEADERS_MAX];
    size_t                       header_count;
    struct ph_channel_notice_out out; /* with its parts, one or more */
    struct ph_str                headers_text;
    uint8_t                      digest[PH_SHA256_LEN];
    size_t                       arena_mark; /* each part takes from here on */
    size_t                       at;         /* the part that is settled */

    /* of that part */
    struct wk_notice_row    row;
    struct ph_id            event_id;
    struct wk_settle        settle; /* or, when it is of a refund: */
    struct wk_refund_settle refund;
    struct wk_order         order;
    struct wk_refund_rows   refund_rows;
    struct wk_notice_ask    ask; /* what it proves, when that is not the part */
    unsigned                tries;

    bool              was_refreshed;
    struct wk_refresh refresh;

    /* of the first part that is of a payment of ours */
    char                  order_id[PH_ID_LEN];
    size_t                order_id_len;
    enum ph_payment_state order_status;
};

/* ---- answers ---- */

static void
notice_end(struct notice *notice)
{
    wk_account_release(notice->account);
    wk_block_give(notice->worker, notice->block);
}

/* The channel tells it again. */
static void
notice_away(struct notice *notice, const char *why, unsigned retry_after_s)
{
    const struct ph_problem problem
        = { .error = PH_ERROR_NOT_EXECUTED, .detail = ph_str_z(why) };
    const struct wk_reply more = { .retry_after_s = retry_after_s };

    wk_reply_problem(notice->request, PH_FRAME_BUSY, &problem, &more);
    notice_end(notice);
}

static void
notice_acknowledge(struct notice *notice)
{
    struct wk_reply reply
        = { .type         = PH_FRAME_RESULT,
            .status       = 200,
            .body         = notice->out.ack_body,
            .content_type = notice->out.ack_content_type,
            .channel      = ph_str_z(notice->account->channel->name) };

    if (notice->order_id_len != 0) {
        reply.order_id = ph_str_make(notice->order_id, notice->order_id_len);
        reply.outcome  = ph_str_z(ph_payment_state_text(notice->order_status));
    }
    wk_reply(notice->request, &reply);
    notice_end(notice);
}

/* ---- one part is settled ---- */

static void notice_part(struct notice *notice);

static const struct ph_channel_notice_part *
part_of(const struct notice *notice)
{
    return &notice->out.parts[notice->at];
}

static void
order_note(struct notice *notice, const struct wk_payment *payment)
{
    if (notice->order_id_len == 0 && payment->id.len == PH_ID_LEN) {
        memcpy(notice->order_id, payment->id.ptr, PH_ID_LEN);
        notice->order_id_len = PH_ID_LEN;
        notice->order_status = payment->status;
    }
}

static void
part_done(struct notice *notice)
{
    notice->tries = 0;
    if (++notice->at < notice->out.part_count) {
        wk_crash_point("notice_between_parts");
        notice_part(notice);
    } else {
        notice_acknowledge(notice);
    }
}

static void
part_failed(struct notice *notice)
{
    notice_away(notice, "the database is not to be reached", 1);
}

static void
nobody_log(const struct notice *notice, enum ph_log_level level,
           const char *event)
{
    const struct ph_channel_result *result = &part_of(notice)->result;

    ph_log(level, event, { "account", notice->row.account_id },
           { "number", result->number }, { "trade_no", result->trade_no },
           { "amount", ph_log_i64(result->amount) });
}

static void
part_on_settled(struct wk_settle *settle)
{
    struct notice *notice = settle->data;

    if (settle->store.outcome != WK_STORE_DONE) {
        part_failed(notice);
        return;
    }
    if (settle->is_found) {
        order_note(notice, &notice->order.payment);
    } else if (!settle->is_repeated) {
        nobody_log(notice, PH_LOG_WARN, "notice_of_nobody");
    }
    if (settle->delivery.is_due
        && (notice->worker->roles & WK_ROLE_NOTIFY) != 0) {
        (void) wk_notify_deliver(notice->worker->notify, &settle->delivery);
    }
    part_done(notice);
}

/* One that is not ours was made at the channel by somebody else. */
static void
part_on_refund(struct wk_refund_settle *settle)
{
    struct notice *notice = settle->data;

    if (settle->store.outcome != WK_STORE_DONE) {
        part_failed(notice);
        return;
    }
    if (settle->verdict.is_early) {
        notice_away(notice, "what it is of is not known yet", EARLY_AGAIN_S);
        return;
    }
    if (settle->is_stale) {
        if (++notice->tries < PART_TRIES_MAX) {
            notice_part(notice);
        } else {
            part_failed(notice);
        }
        return;
    }
    if (settle->is_found) {
        order_note(notice, &notice->refund_rows.order.payment);
    } else if (!settle->is_repeated) {
        nobody_log(notice, PH_LOG_ERROR, "refund_of_nobody");
    }
    wk_refund_settle_deliver(settle);
    part_done(notice);
}

/* ---- what is kept of it ---- */

static struct ph_str
hex_keep(struct notice *notice, const uint8_t digest[PH_SHA256_LEN])
{
    struct ph_buf buf;

    ph_arena_open(&notice->block->arena, &buf);
    ph_buf_hex(&buf, ph_str_make((const char *) digest, PH_SHA256_LEN));
    return ph_arena_close(&notice->block->arena, &buf);
}

static struct ph_str
text_hex(struct notice *notice, struct ph_str before, struct ph_str text)
{
    const struct ph_str pieces[] = { before, text };
    uint8_t             digest[PH_SHA256_LEN];

    return ph_sha256(pieces, PH_COUNT(pieces), digest)
               ? hex_keep(notice, digest)
               : hex_keep(notice, notice->digest);
}

/* By what the part is taken once.  A refund that is not ours counts once,
 * however often it is told. */
static struct ph_str
once_only_id(struct notice *notice, bool is_ours)
{
    const struct ph_channel_notice_part *part = part_of(notice);
    struct ph_str                        id   = notice->out.id;
    struct ph_buf                        buf;

    if (part->is_refund && !is_ours && part->result.number.len != 0) {
        return text_hex(notice, PH_STR("refund\n"), part->result.number);
    }
    if (id.len == 0 || !wk_number_is_plain(id)) {
        id = hex_keep(notice, notice->digest);
    }
    if (notice->at == 0) {
        return id;
    }
    ph_arena_open(&notice->block->arena, &buf);
    ph_buf_add(&buf, id);
    ph_buf_byte(&buf, '#');
    ph_buf_u64(&buf, notice->at);
    id = ph_arena_close(&notice->block->arena, &buf);
    return wk_number_is_plain(id) ? id : text_hex(notice, PH_STR("part\n"), id);
}

/* ---- one part ---- */

static struct wk_evidence
part_evidence(const struct notice *notice)
{
    const struct wk_op *op = &notice->ask.op;

    if (notice->ask.answer == WK_NOTICE_ASKED) {
        return (struct wk_evidence){
            .source = WK_SOURCE_QUERY,
            .result = &op->result,
            .digest = ph_str_make((const char *) op->digest,
                                  op->has_digest ? sizeof(op->digest) : 0)
        };
    }
    return (struct wk_evidence){ .source = WK_SOURCE_NOTICE,
                                 .result = &part_of(notice)->result,
                                 .digest
                                 = ph_str_make((const char *) notice->digest,
                                               sizeof(notice->digest)) };
}

static void
refund_settle(struct notice *notice, bool is_ours)
{
    const struct ph_channel_notice_part *part   = part_of(notice);
    struct wk_refund_settle             *settle = &notice->refund;

    notice->refund_rows = (struct wk_refund_rows){ 0 };
    *settle             = (struct wk_refund_settle){ .worker   = notice->worker,
                                                     .account  = notice->account,
                                                     .arena    = &notice->block->arena,
                                                     .rows     = &notice->refund_rows,
                                                     .evidence = part_evidence(notice),
                                                     .notice   = &notice->row,
                                                     .known    = notice->ask.has_known
                                                                     ? &notice->ask.known
                                                                     : NULL,
                                                     .done     = part_on_refund,
                                                     .data     = notice };
    if (is_ours) {
        notice->refund_rows.refund.id = part->result.number;
    } else if (ph_id_is(part->order_number, PH_ID_ATTEMPT)) {
        settle->foreign_of = part->order_number;
    } else if (part->order_trade_no.len != 0
               && wk_number_is_plain(part->order_trade_no))
    {
        settle->foreign_trade = part->order_trade_no;
    }
    if (!wk_refund_settle_start(settle)) {
        part_failed(notice);
    }
}

/* One that names no attempt of ours is kept, and does nothing. */
static void
payment_settle(struct notice *notice, bool is_ours)
{
    struct wk_settle *settle = &notice->settle;

    *settle = (struct wk_settle){
        .worker     = notice->worker,
        .account    = notice->account,
        .arena      = &notice->block->arena,
        .attempt_id = is_ours ? part_of(notice)->result.number : PH_STR(""),
        .order      = &notice->order,
        .evidence   = part_evidence(notice),
        .notice     = &notice->row,
        .done       = part_on_settled,
        .data       = notice
    };
    if (!wk_settle_start(settle)) {
        part_failed(notice);
    }
}

static bool
part_is_ours(const struct notice *notice)
{
    const struct ph_channel_notice_part *part = part_of(notice);

    return ph_id_is(part->result.number,
                    part->is_refund ? PH_ID_REFUND : PH_ID_ATTEMPT);
}

static void
part_settle(struct notice *notice)
{
    if (part_of(notice)->is_refund) {
        refund_settle(notice, part_is_ours(notice));
    } else {
        payment_settle(notice, part_is_ours(notice));
    }
}

static void
part_on_asked(struct wk_notice_ask *ask)
{
    struct notice *notice = ask->data;

    if (ask->answer == WK_NOTICE_AWAY) {
        notice_away(notice, "the channel does not say what it is of",
                    EARLY_AGAIN_S);
    } else {
        part_settle(notice);
    }
}

static void
notice_part(struct notice *notice)
{
    const bool          is_ours = part_is_ours(notice);
    const struct ph_str number  = part_of(notice)->result.number;

    notice->block->arena.len = notice->arena_mark;
    notice->event_id         = wk_id_make(notice->worker, PH_ID_EVENT,
                                  is_ours ? ph_id_shard(number) : 0);
    notice->row
        = (struct wk_notice_row){ .id = ph_str_z(notice->event_id.text),
                                  .channel
                                  = ph_str_z(notice->account->channel->name),
                                  .account_id = notice->account->face.id,
                                  .notice_id  = once_only_id(notice, is_ours),
                                  .headers    = notice->headers_text,
                                  .body       = notice->request->frame.body };
    notice->ask = (struct wk_notice_ask){ .worker    = notice->worker,
                                          .account   = notice->account,
                                          .arena     = &notice->block->arena,
                                          .part      = part_of(notice),
                                          .notice_id = notice->row.notice_id,
                                          .answer    = WK_NOTICE_AS_TOLD,
                                          .done      = part_on_asked,
                                          .data      = notice };
    if (notice->block->arena.full) {
        part_failed(notice);
    } else if (wk_notice_ask_is_due(part_of(notice))) {
        wk_notice_ask_start(&notice->ask);
    } else {
        part_settle(notice);
    }
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

/* An adapter that tells one thing does so without parts. */
static bool
parts_are_good(struct ph_channel_notice_out *out)
{
    if (out->part_count == 0) {
        out->parts[0]
            = (struct ph_channel_notice_part){ .is_refund = out->is_refund,
                                               .result    = out->result,
                                               .order_number
                                               = out->order_number };
        out->part_count = 1;
    }
    if (out->part_count > PH_COUNT(out->parts)) {
        return false;
    }
    for (size_t i = 0; i < out->part_count; i++) {
        const struct ph_channel_notice_part *part = &out->parts[i];

        if (!part->is_refund && part->result.number.len == 0
            && part->result.trade_no.len == 0)
        {
            return false; /* it is about nothing */
        }
    }
    return true;
}

static void
notice_go(struct notice *notice)
{
    struct ph_arena *arena = &notice->block->arena;

    if (notice->out.is_ignored) {
        ph_log(PH_LOG_DEBUG, "notice_ignored",
               { "account", notice->account->face.id });
        notice_acknowledge(notice);
        return;
    }
    if (!parts_are_good(&notice->out) || arena->full) {
        wk_reply_error(notice->request, PH_ERROR_NOTICE, "");
        notice_end(notice);
        return;
    }
    notice->headers_text = headers_text(notice);
    notice->arena_mark   = arena->len;
    notice_part(notice);
}

static void notice_read(struct notice *notice);

static void
notice_on_refresh(struct wk_refresh *refresh, enum wk_refresh_answer answer)
{
    struct notice *notice = refresh->data;

    if (answer != WK_REFRESHED || refresh->fresh == NULL) {
        notice_away(notice, "its key is not known yet", REFRESH_AGAIN_S);
        return;
    }
    wk_account_release(notice->account);
    notice->account = refresh->fresh;
    notice_read(notice);
}

/* Genuine or not is not known without the key; what names it may be forged, so
 * that refresh.h bounds how often it is believed. */
static void
notice_refresh(struct notice *notice)
{
    notice->was_refreshed = true;
    notice->refresh       = (struct wk_refresh){ .account     = notice->account,
                                                 .hint        = notice->out.hint,
                                                 .deadline_ms = (uint64_t) wk_conf(
                                                     notice->worker,
                                                     PH_CONF_pay_channel_deadline),
                                                 .is_doubted = true,
                                                 .done       = notice_on_refresh,
                                                 .data       = notice };
    wk_refresh_start(notice->worker, &notice->refresh);
}

static void
notice_read(struct notice *notice)
{
    const struct ph_channel       *channel = notice->account->channel;
    const struct ph_channel_notice in = { .body = notice->request->frame.body,
                                          .headers      = notice->headers,
                                          .header_count = notice->header_count,
                                          .query = notice->request->query };

    notice->out = (struct ph_channel_notice_out){ 0 };
    const enum ph_rc rc
        = channel->notice != NULL
              ? channel->notice(&notice->account->face, &in, ph_now_ms(),
                                &notice->block->arena, &notice->out)
              : PH_E_UNKNOWN;

    wk_wire_notice(notice->worker, notice->account, &in, rc);
    if (rc == PH_OK && ph_sha256(&in.body, 1, notice->digest)) {
        notice_go(notice);
        return;
    }
    if (rc == PH_E_UNKNOWN && notice->out.needs_refresh) {
        if (!notice->was_refreshed) {
            notice_refresh(notice);
            return;
        }
        if (notice->refresh.is_others) {
            notice_away(notice, "its key is not known yet", REFRESH_AGAIN_S);
            return;
        }
    }
    wk_reply_error(notice->request, PH_ERROR_NOTICE, "");
    notice_end(notice);
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

    notice->worker  = worker;
    notice->request = request;
    notice->block   = block;
    notice->account = wk_account_hold(account);
    headers_fill(notice);
    notice_read(notice);
}
