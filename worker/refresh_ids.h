/*
 * refresh_ids.h - the ids (serials, addresses of certificates) that an account
 * was asked for of late, as its row of channel_kept keeps them.
 *
 * Who names an id may have made it up, and each costs a call.  One that was
 * not had is not fetched for again at once, and all of them together are few;
 * of the few some are left to ids that a channel's own answer named.  Pure.
 */
#ifndef WK_REFRESH_IDS_H
#define WK_REFRESH_IDS_H

#include "libpayhub/base/buf.h"

#define WK_REFRESH_IDS_MAX 16 /* remembered, the newest */
#define WK_REFRESH_IDS_LEN (16 * WK_REFRESH_IDS_MAX)

/* within WK_REFRESH_TRIED_MS so many fetches: of all ids, and of those that
 * what may be forged named */
#define WK_REFRESH_TRIED_MS 10000
#define WK_REFRESH_TRIES_MAX 8
#define WK_REFRESH_DOUBTED_MAX 4

/* an id that was not had, although the channel answered */
#define WK_REFRESH_MISSED_MS (10 * 60 * 1000)

/* May this id be fetched for now?  ids: as they were kept, or anything. */
bool wk_refresh_ids_allow(struct ph_str ids, struct ph_str id, uint64_t now_ms,
                          bool is_doubted);

/* The ids with this one before them: asked for now, and answered or not.
 * `out` has room for WK_REFRESH_IDS_LEN. */
void wk_refresh_ids_note(struct ph_str ids, struct ph_str id, uint64_t now_ms,
                         bool is_answered, struct ph_buf *out);

/* Of a process and an account: its looks into the row, so that many forged ids
 * cost the database few of them. */
#define WK_REFRESH_LOOKS_MAX 8 /* a second, each for another id */

struct wk_refresh_looks {
    struct {
        uint64_t id; /* a part of its SHA-256 */
        uint64_t at_ns;
    } of[WK_REFRESH_LOOKS_MAX];
};

/* Notes the look, or refuses it.  now_ns: of a clock that is not put back. */
bool wk_refresh_look_take(struct wk_refresh_looks *looks, struct ph_str id,
                          uint64_t now_ns);

#endif
