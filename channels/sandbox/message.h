/*
 * message.h - the sandbox's signed messages, for the adapter only.
 *
 * Every message in both directions carries Sandbox-Timestamp (unix seconds)
 * and Sandbox-Signature: base64 of HMAC-SHA256 over "timestamp LF body LF".
 * A message is verified before a byte of it is parsed.
 */
#ifndef PH_CHANNEL_SANDBOX_MESSAGE_H
#define PH_CHANNEL_SANDBOX_MESSAGE_H

#include "channels/channel.h"

#define SANDBOX_WINDOW_S                                                       \
    300 /* a message older or newer than this is refused                       \
         */
#define SANDBOX_BODY_MAX (64 * 1024)

/* Fills in method, body and headers; false = the arena is full. */
bool sandbox_request_sign(struct ph_channel_request *request, struct ph_str key,
                          uint64_t         now_ms,
                          struct ph_arena *arena) PH_MUST_CHECK;

/* PH_OK, PH_E_MISSING, PH_E_SYNTAX, PH_E_RANGE (time), PH_E_SIGNATURE */
enum ph_rc sandbox_verify(const struct ph_channel_header *headers, size_t count,
                          struct ph_str body, struct ph_str key,
                          uint64_t now_ms) PH_MUST_CHECK;

/* what an answer or notice says; absent texts are {NULL, 0} */
struct sandbox_message {
    struct ph_str code;
    struct ph_str status;
    struct ph_str out_trade_no;
    struct ph_str trade_no;
    struct ph_str currency;
    struct ph_str message;
    struct ph_str qr_code;
    struct ph_str notice_id;
    struct ph_str out_refund_no;
    struct ph_str refund_no;
    int64_t       amount;          /* -1 = absent, as the next */
    int64_t       amount_refunded; /* the sum of the order */
    uint64_t      paid_at_ms;      /* 0 = absent */
    uint64_t      refunded_at_ms;
};

/*
 * Texts are copied into the arena.  Members that we do not know are skipped,
 * a known one of the wrong type is PH_E_SYNTAX, as is a duplicate; a full
 * arena is PH_E_FULL.
 */
enum ph_rc sandbox_read(struct ph_str body, struct ph_arena *arena,
                        struct sandbox_message *out) PH_MUST_CHECK;

/* A text member of a JSON object, {NULL, 0} when it is not there. */
struct ph_str sandbox_member(struct ph_str object, const char *name,
                             struct ph_arena *arena);

/* "2026-01-02T03:04:05.678Z" to unix milliseconds, 0 when it is not that */
uint64_t sandbox_time_parse(struct ph_str text);

void sandbox_time_format(struct ph_buf *buf, uint64_t ms);

#endif
