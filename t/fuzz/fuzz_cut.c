/*
 * fuzz_cut.c - cutting a connection's bytes into frames, in any pieces.
 *
 * The first byte is the longest piece less one.  What is cut out in pieces is
 * what the codec finds when it reads the bytes as they lie, frame for frame.
 */
#include "t/fuzz/fuzz.h"

#include <stdlib.h>

#include "worker/cut.h"

/* one frame more is whole: it is what lies at *at */
static void
whole(struct ph_str bytes, size_t *at, const char *room, size_t len)
{
    size_t told = 0;

    FUZZ_HOLDS(room != NULL && len <= bytes.len - *at);
    FUZZ_HOLDS(ph_frame_length(ph_str_make(bytes.ptr + *at, len), &told)
               == PH_OK);
    FUZZ_HOLDS(told == len && memcmp(bytes.ptr + *at, room, len) == 0);
    *at += len;
}

/* what cannot be cut further is no frame, or not a whole one */
static void
rest(struct ph_str bytes, size_t at, bool is_broken)
{
    size_t        len  = 0;
    struct ph_str left = ph_str_make(bytes.ptr + at, bytes.len - at);
    enum ph_rc    rc   = ph_frame_length(left, &len);

    if (is_broken) {
        FUZZ_HOLDS(rc != PH_OK && rc != PH_E_MORE);
    } else {
        FUZZ_HOLDS(rc == PH_E_MORE || (rc == PH_OK && len > left.len));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wk_cut cut  = { 0 };
    char         *room = NULL;
    size_t        at = 0, given = 0;
    bool          is_broken = false;

    if (size < 2) {
        return 0;
    }
    struct ph_str bytes = ph_str_make((const char *) data + 1, size - 1);
    struct ph_str piece = ph_str_make(bytes.ptr, 0);

    while (!is_broken) {
        size_t len = cut.frame_len;

        switch (wk_cut_step(&cut, &piece)) {
        case WK_CUT_MORE: {
            size_t left = bytes.len - given, next = (size_t) data[0] + 1;

            FUZZ_HOLDS(piece.len == 0);
            if (left == 0) {
                free(room);
                rest(bytes, at, false);
                return 0;
            }
            piece = ph_str_make(bytes.ptr + given, next < left ? next : left);
            given += piece.len;
            break;
        }
        case WK_CUT_ROOM:
            FUZZ_HOLDS(room == NULL && cut.frame_len <= PH_FRAME_MAX);
            room = malloc(cut.frame_len);
            FUZZ_HOLDS(room != NULL);
            wk_cut_give(&cut, room);
            break;
        case WK_CUT_WHOLE:
            whole(bytes, &at, room, len);
            free(room);
            room = NULL;
            break;
        case WK_CUT_BROKEN:
            is_broken = true;
            break;
        }
    }
    free(room);
    rest(bytes, at, true);
    return 0;
}
