/* cut.c - see cut.h. */
#include "worker/cut.h"

static void
cut_copy(struct wk_cut *cut, char *to, size_t end, struct ph_str *piece)
{
    size_t count = end - cut->have < piece->len ? end - cut->have : piece->len;

    if (count == 0) {
        return;
    }
    memcpy(to + cut->have, piece->ptr, count);
    cut->have += count;
    piece->ptr += count;
    piece->len -= count;
}

enum wk_cut_found
wk_cut_step(struct wk_cut *cut, struct ph_str *piece)
{
    if (cut->have < PH_FRAME_HEAD_LEN) {
        cut_copy(cut, cut->head, PH_FRAME_HEAD_LEN, piece);
        if (cut->have < PH_FRAME_HEAD_LEN) {
            return WK_CUT_MORE;
        }
    }
    if (cut->frame_len == 0
        && ph_frame_length(ph_str_make(cut->head, sizeof(cut->head)),
                           &cut->frame_len)
               != PH_OK)
    {
        return WK_CUT_BROKEN;
    }
    if (cut->room == NULL) {
        return WK_CUT_ROOM;
    }
    cut_copy(cut, cut->room, cut->frame_len, piece);
    if (cut->have < cut->frame_len) {
        return WK_CUT_MORE;
    }
    cut->room      = NULL;
    cut->have      = 0;
    cut->frame_len = 0;
    return WK_CUT_WHOLE;
}

void
wk_cut_give(struct wk_cut *cut, char *room)
{
    memcpy(room, cut->head, sizeof(cut->head));
    cut->room = room;
}
