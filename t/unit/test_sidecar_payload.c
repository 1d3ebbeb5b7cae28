/*
 * test_sidecar_payload.c - compressed transactions of MySQL: good ones, each
 * length in them off by one, bombs.
 */
#include "t/unit/support.h"

#include <zstd.h>

#include "sidecar/payload.h"

#define ROOM (1u << 20)
#define BOMB_RAW (600u << 20)

static char raw[ROOM];
static char packed[ROOM];

struct told {
    uint64_t events;
    uint64_t bytes;
};

static bool
event_taken(void *context, struct ph_str event)
{
    struct told *told = context;

    told->events++;
    told->bytes += event.len;
    return true;
}

/* `count` events of growing size; sizes pass what one piece holds */
static size_t
events_make(unsigned count, size_t step)
{
    struct ph_buf out;

    ph_buf_init(&out, raw, sizeof(raw));
    for (unsigned i = 0; i < count; i++) {
        ph_buf_le(&out, i, 4);
        ph_buf_le(&out, BL_WRITE_V2, 1);
        ph_buf_le(&out, 1, 4);
        ph_buf_le(&out, BL_HEAD_LEN + i * step, 4);
        ph_buf_le(&out, 0, 6);
        for (size_t k = 0; k < i * step; k++) {
            ph_buf_byte(&out, (char) (k * i));
        }
    }
    assert_false(out.full);
    return out.len;
}

/* lengths in it are what they should be, plus the deltas */
static struct ph_str
payload_make(struct ph_buf *out, struct ph_str bytes, uint64_t algorithm,
             int size_off, uint64_t raw_len)
{
    ph_buf_add(out, PH_STR("\x02\x03\xfc"));
    ph_buf_le(out, algorithm, 2);
    ph_buf_add(out, PH_STR("\x03\x09\xfe"));
    ph_buf_le(out, raw_len, 8);
    ph_buf_add(out, PH_STR("\x63\x02zz")); /* a field that is not known */
    ph_buf_add(out, PH_STR("\x01\x09\xfe"));
    ph_buf_le(out, bytes.len + (uint64_t) (int64_t) size_off, 8);
    ph_buf_byte(out, '\0');
    ph_buf_add(out, bytes);
    return ph_buf_str(out);
}

static bool
walk(struct ph_str body, struct told *told, const char **why)
{
    struct bl_payload payload = { 0 };
    struct ph_cur     cur;

    *told = (struct told){ 0 };
    ph_cur_init(&cur, body);
    bool ok = bl_payload_walk(&payload, cur, event_taken, told, why);
    bl_payload_deinit(&payload);
    return ok;
}

static void
test_lengths(void **state)
{
    static const struct {
        unsigned    count;
        size_t      step;
        unsigned    algorithm;
        int         size_off;
        int         raw_off;
        int         cut; /* bytes of the raw events that are not there */
        const char *why; /* NULL = taken */
    } rows[] = {
        { 9, 100, 0, 0, 0, 0, NULL },
        { 9, 100, 255, 0, 0, 0, NULL },
        { 2, 500000, 0, 0, 0, 0, NULL }, /* more than a piece */
        { 2, 0, 0, 0, 0, 0, NULL },
        { 0, 0, 255, 0, 0, 0, NULL },
        { 9, 100, 0, 1, 0, 0, "its payload's size is not what is left of it" },
        { 9, 100, 0, -1, 0, 0, "its payload's size is not what is left of it" },
        { 9, 100, 0, 0, 1, 0, "its payload is cut short" },
        { 9, 100, 0, 0, -1, 0, "its payload is larger than it says" },
        { 9, 100, 0, 0, -1, 1, "its payload is cut short" },
        { 9, 100, 255, 0, 0, 1, "its payload is cut short" },
        { 9, 100, 1, 0, 0, 0,
          "found a payload of another compression, expected zstd or none" },
        { 9, 100, 0, 0, 1 << 30, 0, "its payload's raw size is impossible" },
    };
    static char memory[2 * ROOM];

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_buf out   = PH_BUF_INIT(memory);
        size_t        len   = events_make(rows[i].count, rows[i].step);
        size_t        got   = len - (size_t) rows[i].cut;
        struct ph_str bytes = ph_str_make(raw, got);
        struct told   told;
        const char   *why = NULL;

        if (rows[i].algorithm != 255) {
            got   = ZSTD_compress(packed, sizeof(packed), raw, got, 3);
            bytes = ph_str_make(packed, got);
        }
        assert_false(ZSTD_isError(got));
        bool ok = walk(payload_make(&out, bytes, rows[i].algorithm,
                                    rows[i].size_off,
                                    len + (uint64_t) (int64_t) rows[i].raw_off),
                       &told, &why);
        assert_int_equal(ok, rows[i].why == NULL);
        if (ok) {
            assert_int_equal(told.events, rows[i].count);
            assert_int_equal(told.bytes, len);
        } else {
            assert_string_equal(why, rows[i].why);
        }
    }
}

/* Any byte of a good one bent, or the rest gone: refused or taken, whole. */
static void
test_bent(void **state)
{
    static char   memory[ROOM];
    struct ph_buf out = PH_BUF_INIT(memory);
    size_t        len = events_make(9, 10);
    size_t        got = ZSTD_compress(packed, sizeof(packed), raw, len, 3);
    struct ph_str good
        = payload_make(&out, ph_str_make(packed, got), 0, 0, len);
    struct told told;
    const char *why = NULL;

    (void) state;
    assert_true(walk(good, &told, &why));
    for (size_t at = 0; at < good.len; at++) {
        assert_false(walk(ph_str_make(good.ptr, at), &told, &why));
        assert_non_null(why);
        memory[at] = (char) (memory[at] ^ 0x11);
        bool ok    = walk(good, &told, &why);
        assert_true(ok || why != NULL);
        assert_true(told.bytes <= len);
        memory[at] = (char) (memory[at] ^ 0x11);
    }
}

/*
 * One event that says it is as long as its zeros: refused by its length before
 * any room is made for it, however small the frame is.
 */
static void
test_bomb(void **state)
{
    static char       memory[ROOM];
    struct ph_buf     out     = PH_BUF_INIT(memory);
    ZSTD_CCtx        *zstd    = ZSTD_createCCtx();
    ZSTD_outBuffer    frame   = { packed, sizeof(packed), 0 };
    struct bl_payload payload = { 0 };
    struct ph_cur     cur;
    struct told       told = { 0 };
    const char       *why  = NULL;
    struct ph_buf     head;

    (void) state;
    memset(raw, 0, sizeof(raw));
    ph_buf_init(&head, raw, sizeof(raw));
    ph_buf_le(&head, 0, 4);
    ph_buf_le(&head, BL_WRITE_V2, 1);
    ph_buf_le(&head, 1, 4);
    ph_buf_le(&head, BOMB_RAW, 4);
    for (size_t done = 0; done < BOMB_RAW; done += sizeof(raw)) {
        ZSTD_inBuffer in = { raw, sizeof(raw), 0 };

        while (in.pos < in.size) {
            assert_false(ZSTD_isError(
                ZSTD_compressStream2(zstd, &frame, &in, ZSTD_e_continue)));
        }
        memset(raw, 0, BL_HEAD_LEN);
    }
    ZSTD_inBuffer none = { raw, 0, 0 };
    assert_int_equal(ZSTD_compressStream2(zstd, &frame, &none, ZSTD_e_end), 0);
    (void) ZSTD_freeCCtx(zstd);
    ph_cur_init(&cur, payload_make(&out, ph_str_make(packed, frame.pos), 0, 0,
                                   BOMB_RAW));
    assert_false(bl_payload_walk(&payload, cur, event_taken, &told, &why));
    assert_string_equal(why,
                        "an event in its payload has an impossible length");
    assert_true(payload.size <= 4 * BL_PAYLOAD_PIECE);
    bl_payload_deinit(&payload);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_bent),
        cmocka_unit_test(test_bomb),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
