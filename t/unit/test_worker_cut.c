/* Frames come whole out of whatever pieces a connection brings. */
#include "t/unit/support.h"

#include <stdlib.h>

#include "worker/cut.h"

#define STREAM_MAX (4 * PH_FRAME_MAX)

static char stream_memory[STREAM_MAX];
static char body_memory[PH_FRAME_BODY_MAX];

static void
stream_add(struct ph_buf *stream, enum ph_frame_type type, size_t body_len)
{
    struct ph_frame frame = { .version = PH_FRAME_VERSION,
                              .type    = (uint8_t) type,
                              .attempt = (uint16_t) (stream->len % 1000),
                              .body    = ph_str_make(body_memory, body_len) };

    assert_int_equal(ph_frame_write(stream, &frame), PH_OK);
}

/* Gives pieces of the lengths that `piece_len` tells; the frames that come out
 * are put behind one another again. */
static enum wk_cut_found
stream_cut(struct ph_str  stream, size_t (*piece_len)(size_t at),
           struct ph_buf *again, size_t *frames)
{
    struct wk_cut cut  = { 0 };
    char         *room = NULL;

    for (size_t at = 0; at < stream.len;) {
        size_t        len  = piece_len(at);
        size_t        left = stream.len - at;
        struct ph_str piece
            = ph_str_make(stream.ptr + at, len < left ? len : left);

        at += piece.len;
        for (bool goes_on = true; goes_on;) {
            size_t frame_len = cut.frame_len;

            switch (wk_cut_step(&cut, &piece)) {
            case WK_CUT_MORE:
                assert_int_equal(piece.len, 0);
                goes_on = false;
                break;
            case WK_CUT_ROOM:
                assert_null(room);
                assert_true(cut.frame_len <= PH_FRAME_MAX);
                room = malloc(cut.frame_len); /* its end is asan's to watch */
                assert_non_null(room);
                wk_cut_give(&cut, room);
                break;
            case WK_CUT_WHOLE:
                if (room == NULL) {
                    return WK_CUT_BROKEN; /* nothing was given */
                }
                ph_buf_add(again, ph_str_make(room, frame_len));
                free(room);
                room = NULL;
                *frames += 1;
                break;
            case WK_CUT_BROKEN:
                free(room);
                return WK_CUT_BROKEN;
            }
        }
    }
    free(room);
    return cut.have == 0 ? WK_CUT_WHOLE : WK_CUT_MORE;
}

static size_t
by_one(size_t at)
{
    (void) at;
    return 1;
}

static size_t
by_head(size_t at)
{
    (void) at;
    return PH_FRAME_HEAD_LEN;
}

static size_t
by_47(size_t at)
{
    (void) at;
    return 47;
}

static size_t
by_read(size_t at)
{
    (void) at;
    return 65536;
}

static size_t
by_chance(size_t at)
{
    return 1 + (at * 2654435761u >> 7) % 5000;
}

static size_t
at_once(size_t at)
{
    (void) at;
    return SIZE_MAX;
}

static size_t (*const cuts[])(size_t at)
    = { by_one, by_head, by_47, by_read, by_chance, at_once };

static void
any_pieces_make_the_same_frames(void **unused)
{
    static const size_t bodies[] = { 0, 1, 0, 4095, 300, 70000, 0, 2 };
    static char         memory[STREAM_MAX];
    struct ph_buf       stream = PH_BUF_INIT(stream_memory);

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(bodies); i++) {
        stream_add(&stream, i % 2 == 0 ? PH_FRAME_CALL : PH_FRAME_PING,
                   bodies[i]);
    }
    for (size_t i = 0; i < PH_COUNT(cuts); i++) {
        struct ph_buf again  = PH_BUF_INIT(memory);
        size_t        frames = 0;

        assert_int_equal(
            stream_cut(ph_buf_str(&stream), cuts[i], &again, &frames),
            WK_CUT_WHOLE);
        assert_int_equal(frames, PH_COUNT(bodies));
        assert_int_equal(again.len, stream.len);
        assert_memory_equal(again.ptr, stream.ptr, stream.len);
    }
}

static void
the_longest_frame_is_taken(void **unused)
{
    static char   memory[STREAM_MAX];
    struct ph_buf stream = PH_BUF_INIT(stream_memory);
    struct ph_buf again  = PH_BUF_INIT(memory);
    size_t        frames = 0;

    (void) unused;
    stream_add(&stream, PH_FRAME_CALL, PH_FRAME_BODY_MAX);
    stream_add(&stream, PH_FRAME_CALL, 0);
    assert_int_equal(stream_cut(ph_buf_str(&stream), by_read, &again, &frames),
                     WK_CUT_WHOLE);
    assert_int_equal(frames, 2);
    assert_int_equal(again.len, stream.len);
}

/* Every end: a whole number of frames has come out, and the rest waits. */
static void
an_end_anywhere_leaves_whole_frames(void **unused)
{
    static char   memory[STREAM_MAX];
    struct ph_buf stream  = PH_BUF_INIT(stream_memory);
    size_t        ends[3] = { 0 };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(ends); i++) {
        stream_add(&stream, PH_FRAME_CALL, i * 10);
        ends[i] = stream.len;
    }
    for (size_t len = 0; len <= stream.len; len++) {
        struct ph_buf again  = PH_BUF_INIT(memory);
        size_t        frames = 0, whole = 0;

        while (whole < PH_COUNT(ends) && ends[whole] <= len) {
            whole++;
        }
        bool is_end = len == 0 || (whole != 0 && ends[whole - 1] == len);

        assert_int_equal(
            stream_cut(ph_str_make(stream.ptr, len), by_47, &again, &frames),
            is_end ? WK_CUT_WHOLE : WK_CUT_MORE);
        assert_int_equal(frames, whole);
    }
}

static void
a_wrong_head_ends_it_behind_good_frames(void **unused)
{
    static const struct {
        size_t        at; /* in the head of the second frame */
        unsigned char byte;
    } rows[] = { { 0, 'X' }, { 4, 2 },    { 5, 0 }, { 5, 99 },
                 { 35, 1 },  { 39, 255 }, { 44, 1 } };
    static char memory[STREAM_MAX];

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows) * PH_COUNT(cuts); i++) {
        struct ph_buf stream = PH_BUF_INIT(stream_memory);
        struct ph_buf again  = PH_BUF_INIT(memory);
        size_t        row = i / PH_COUNT(cuts), frames = 0;

        stream_add(&stream, PH_FRAME_CALL, 5);
        size_t first = stream.len;

        stream_add(&stream, PH_FRAME_CALL, 5);
        stream.ptr[first + rows[row].at] = (char) rows[row].byte;
        assert_int_equal(stream_cut(ph_buf_str(&stream),
                                    cuts[i % PH_COUNT(cuts)], &again, &frames),
                         WK_CUT_BROKEN);
        assert_int_equal(frames, 1);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_pieces_make_the_same_frames),
        cmocka_unit_test(the_longest_frame_is_taken),
        cmocka_unit_test(an_end_anywhere_leaves_whole_frames),
        cmocka_unit_test(a_wrong_head_ends_it_behind_good_frames),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
