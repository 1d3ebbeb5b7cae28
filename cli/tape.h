/*
 * tape.h - a recorded exchange with a channel, played against its adapter:
 * what we would send, and what we make of what came.  docs/channels.md.
 *
 * {"about": text, "account": {KEY: value}, "now": unix seconds,
 *  "nonce": 32 hex digits,
 *  "op": OPERATION, "order": {...}, "refund": {...},
 *  "request": {"method", "url", "headers": {}, "body"} | "none",
 *  "answer": {"status", "headers": {}, "body"},
 *  or "notice": {"headers": {}, "body"},
 *  "result": {...} | "refused": true, "action": {"type", "data"}}
 */
#ifndef CLI_TAPE_H
#define CLI_TAPE_H

#include "channels/channel.h"

#define CLI_TAPE_MAX (512 * 1024)     /* bytes of a tape */
#define CLI_TAPE_TOLD_MAX (64 * 1024) /* of what differs */

enum cli_tape_end {
    CLI_TAPE_SAME,
    CLI_TAPE_DIFFERS, /* `told`: a line each, "WHAT: found X, expected Y" */
    CLI_TAPE_BAD      /* no tape; `told` says why */
};

/* `about` gets the tape's own word on what it is. */
enum cli_tape_end cli_tape_play(const struct ph_channel     *channel,
                                const struct ph_channel_env *env,
                                struct ph_str tape, struct ph_buf *about,
                                struct ph_buf *told) PH_MUST_CHECK;

#endif
