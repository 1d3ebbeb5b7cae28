/*
 * test_buf.c - bounded appends: every capacity from nothing to enough.
 */
#include "t/unit/support.h"

#include "libpayhub/base/arena.h"
#include "libpayhub/base/cur.h"

static void
append_all(struct ph_buf *buf)
{
    ph_buf_add(buf, PH_STR("ab"));
    ph_buf_byte(buf, ':');
    ph_buf_u64(buf, 0);
    ph_buf_u64(buf, UINT64_MAX);
    ph_buf_i64(buf, INT64_MIN);
    ph_buf_hex(buf, PH_STR("\x00\xfe"));
    ph_buf_le(buf, 0x4142, 2);
    ph_buf_json(buf, PH_STR("a\"\\\n\x01\x7f/"));
}

#define APPENDED                                                               \
    "ab:018446744073709551615-922337203685477580800feBA"                       \
    "\"a\\\"\\\\\\n\\u0001\\u007f/\""

static void
test_append(void **state)
{
    char          memory[128];
    struct ph_buf buf = PH_BUF_INIT(memory);

    (void) state;
    append_all(&buf);
    assert_false(buf.full);
    t_same(ph_buf_str(&buf), PH_STR(APPENDED));
    assert_string_equal(ph_buf_z(&buf), APPENDED);
}

/* Whatever the room, what was written is a beginning of the whole, nothing is
 * written behind the end, and full is told. */
static void
test_every_capacity(void **state)
{
    const size_t whole = sizeof(APPENDED) - 1;

    (void) state;
    for (size_t size = 0; size <= whole; size++) {
        char          memory[sizeof(APPENDED)];
        struct ph_buf buf;

        memset(memory, '#', sizeof(memory));
        ph_buf_init(&buf, memory, size);
        append_all(&buf);
        assert_int_equal(buf.full, size < whole);
        assert_true(buf.len <= size);
        t_same(ph_buf_str(&buf), ph_str_make(APPENDED, buf.len));
        for (size_t i = size; i < sizeof(memory); i++) {
            assert_int_equal(memory[i], '#');
        }
    }
}

static void
test_full_sticks_and_cut(void **state)
{
    char          memory[4];
    struct ph_buf buf = PH_BUF_INIT(memory);

    (void) state;
    ph_buf_add(&buf, PH_STR("abc"));
    ph_buf_add(&buf, PH_STR("de"));
    assert_true(buf.full);
    ph_buf_byte(&buf, 'd'); /* would fit, but something is missing before it */
    t_same(ph_buf_str(&buf), PH_STR("abc"));
    ph_buf_cut(&buf, 2);
    assert_false(buf.full);
    ph_buf_add(&buf, PH_STR("xy"));
    t_same(ph_buf_str(&buf), PH_STR("abxy"));
    assert_string_equal(ph_buf_z(&buf), ""); /* no room for the NUL */
    assert_true(buf.full);
}

static void
test_arena(void **state)
{
    _Alignas(16) char memory[64];
    struct ph_arena   arena;
    struct ph_buf     buf;

    (void) state;
    memset(memory, '#', sizeof(memory));
    ph_arena_init(&arena, memory, sizeof(memory));
    char *first = ph_arena_take(&arena, 1);
    assert_ptr_equal(first, memory);
    assert_int_equal(first[0], 0);
    char *second = ph_arena_take(&arena, 3);
    assert_ptr_equal(second, memory + 16);
    struct ph_str text = ph_arena_dup(&arena, PH_STR("hi"));
    t_same(text, PH_STR("hi"));
    assert_int_equal(text.ptr[2], '\0');

    ph_arena_open(&arena, &buf);
    ph_buf_add(&buf, PH_STR("rest"));
    t_same(ph_arena_close(&arena, &buf), PH_STR("rest"));
    assert_int_equal(arena.len, 26);

    assert_null(ph_arena_take(&arena, 64));
    assert_true(arena.full);
    assert_null(ph_arena_take(&arena, 1)); /* sticks */
    assert_null(ph_arena_dup(&arena, PH_STR("")).ptr);
    ph_arena_reset(&arena);
    assert_ptr_equal(ph_arena_take(&arena, 64), memory);
    assert_null(ph_arena_take(&arena, SIZE_MAX));
}

static void
test_arena_buffer_full(void **state)
{
    char            memory[8];
    struct ph_arena arena;
    struct ph_buf   buf;

    (void) state;
    ph_arena_init(&arena, memory, sizeof(memory));
    ph_arena_open(&arena, &buf);
    ph_buf_add(&buf, PH_STR("123456789"));
    assert_null(ph_arena_close(&arena, &buf).ptr);
    assert_true(arena.full);
    ph_arena_open(&arena, &buf);
    assert_true(buf.full);
}

static void
test_cursor(void **state)
{
    struct ph_cur cur;

    (void) state;
    ph_cur_init(&cur, PH_STR("\x01\x02\x03\x04\x05"));
    assert_int_equal(ph_cur_le(&cur, 2), 0x0201);
    assert_int_equal(ph_cur_be(&cur, 2), 0x0304);
    assert_int_equal(ph_cur_left(&cur), 1);
    assert_int_equal(ph_cur_le(&cur, 2), 0);
    assert_true(cur.failed);
    assert_int_equal(ph_cur_le(&cur, 1), 0); /* sticks */
    ph_cur_init(&cur, ph_str_make(NULL, 0));
    assert_null(ph_cur_take(&cur, 0).ptr);
    assert_false(cur.failed);
    (void) ph_cur_take(&cur, 1);
    assert_true(cur.failed);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append),
        cmocka_unit_test(test_every_capacity),
        cmocka_unit_test(test_full_sticks_and_cut),
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_arena_buffer_full),
        cmocka_unit_test(test_cursor),
    };

    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
