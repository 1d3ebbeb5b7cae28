/* share.c - see share.h. */
#include "worker/share.h"

#define SHARE_OF_REST 8

unsigned
wk_share_slot(struct ph_str name)
{
    unsigned hash = 2166136261u;

    for (size_t i = 0; i < name.len; i++) {
        hash = (hash ^ (unsigned char) name.ptr[i]) * 16777619u;
    }
    return (hash ^ (hash >> 15)) % WK_SHARE_SLOTS;
}

bool
wk_share_fits(const struct wk_shares *shares, unsigned slot, size_t used,
              size_t most)
{
    return used < most && shares->count[slot] / SHARE_OF_REST < most - used;
}
