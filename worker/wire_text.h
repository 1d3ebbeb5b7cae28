/*
 * wire_text.h - a message of a channel as the wire log may show it.
 *
 * Pure.  Values only of members that a closed list names, cut and with long
 * runs of digits masked; of all others the name alone.
 */
#ifndef WK_WIRE_TEXT_H
#define WK_WIRE_TEXT_H

#include "channels/channel.h"

#define WK_WIRE_VALUE_MAX 64  /* bytes of a value */
#define WK_WIRE_NAME_MAX 48   /* bytes of a path of names */
#define WK_WIRE_LEAVES_MAX 64 /* values of a body that are looked at */
#define WK_WIRE_DEPTH_MAX 6

/*
 * "code=10000 out_trade_no=A0... -sign,subject": what may be shown, and behind
 * the minus the names of the rest.  `fields` are a channel's own, beside those
 * of all, NULL-terminated; NULL = none.  One with a dot is a whole path.  Cut
 * at the end of `out`; nothing of what cannot be read.  A value that holds a
 * text of `extra`, a JSON object, is not shown under any name: payers' codes
 * stand there.  `room` is used meanwhile.
 */
void wk_wire_body(struct ph_buf *out, struct ph_str body,
                  const char *const *fields, struct ph_str extra,
                  struct ph_arena *room);

/* The path of an address: neither host nor query; runs of digits masked. */
void wk_wire_path(struct ph_buf *out, struct ph_str url);

/* "Request-ID=...": what channels ask for when something is looked into */
void wk_wire_ids(struct ph_buf *out, const struct ph_channel_header *headers,
                 size_t count);

#endif
