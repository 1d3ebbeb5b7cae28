/*
 * share.h - a bounded room that many callers want.
 *
 * A caller who has little under way is let in while there is any room; one who
 * has much only while more than an eighth of that is left.  So one alone fills
 * eight ninths of a room, and another finds the rest free, whatever the first
 * one asks for.  A room of eight or fewer is all for anybody.
 *
 * Callers are counted by a hash of their name, in a fixed number of slots: two
 * in one slot are one caller.  @thread loop.
 */
#ifndef WK_SHARE_H
#define WK_SHARE_H

#include "libpayhub/base/str.h"

#define WK_SHARE_SLOTS 256

struct wk_shares {
    unsigned count[WK_SHARE_SLOTS]; /* under way, by slot */
};

unsigned wk_share_slot(struct ph_str name);

/* used: by all of them, of `most` */
bool wk_share_fits(const struct wk_shares *shares, unsigned slot, size_t used,
                   size_t most);

#endif
