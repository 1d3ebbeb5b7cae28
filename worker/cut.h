/*
 * cut.h - cuts what a connection brings, in whatever pieces, into frames.
 *
 * The caller gives the memory of a frame as soon as its head tells how long it
 * is, and keeps it.  Pure.
 */
#ifndef WK_CUT_H
#define WK_CUT_H

#include "libpayhub/wire/frame.h"

enum wk_cut_found {
    WK_CUT_MORE = 0, /* the piece is used up */
    WK_CUT_ROOM,     /* frame_len is known: wk_cut_give(), then step again */
    WK_CUT_WHOLE,    /* the memory that was given is a frame */
    WK_CUT_BROKEN    /* no head of a frame: nothing behind it can be trusted */
};

/* zeros at the beginning */
struct wk_cut {
    char   head[PH_FRAME_HEAD_LEN];
    char  *room;
    size_t have; /* bytes of the frame so far */
    size_t frame_len;
};

/* Takes from the front of the piece; what is left of it is the next step's. */
enum wk_cut_found wk_cut_step(struct wk_cut *cut,
                              struct ph_str *piece) PH_MUST_CHECK;

/* frame_len bytes, after WK_CUT_ROOM; until WK_CUT_WHOLE they are ours */
void wk_cut_give(struct wk_cut *cut, char *room);

#endif
