/*
 * test_frame.c - the frame codec: golden frames, every cut, every bit, every
 * field rule.
 */
#include "t/unit/support.h"

#include <dirent.h>
#include <stdio.h>

#include "libpayhub/base/crc32c.h"
#include "libpayhub/wire/frame.h"

#define FRAMES "t/data/frames/"
#define GOLDEN_MIN 18

static char golden_bytes[4096];

static struct ph_str
golden(const char *name)
{
    char path[300];

    (void) snprintf(path, sizeof(path), FRAMES "%s", name);
    size_t len
        = t_unhex(t_file(path), (uint8_t *) golden_bytes, sizeof(golden_bytes));
    return ph_str_make(golden_bytes, len);
}

/* Each golden frame is read, and written again to the same bytes. */
static void
test_golden(void **state)
{
    DIR           *dir = opendir(FRAMES);
    struct dirent *entry;
    unsigned       count = 0;

    (void) state;
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        const char *dot = strrchr(entry->d_name, '.');

        if (dot == NULL || strcmp(dot, ".hex") != 0) {
            continue;
        }
        char            memory[4096];
        struct ph_buf   again = PH_BUF_INIT(memory);
        struct ph_str   bytes = golden(entry->d_name);
        struct ph_frame frame;
        size_t          len = 0;

        assert_int_equal(ph_frame_length(bytes, &len), PH_OK);
        assert_int_equal(len, bytes.len);
        assert_int_equal(ph_frame_read(bytes, &frame), PH_OK);
        assert_int_equal(ph_frame_write(&again, &frame), PH_OK);
        assert_int_equal(again.len, bytes.len);
        assert_memory_equal(again.ptr, bytes.ptr, bytes.len);
        count++;
    }
    (void) closedir(dir);
    assert_true(count >= GOLDEN_MIN);
}

static void
test_golden_content(void **state)
{
    struct ph_frame frame;

    (void) state;
    assert_int_equal(ph_frame_read(golden("call-payment.hex"), &frame), PH_OK);
    assert_int_equal(frame.version, 1);
    assert_int_equal(frame.type, PH_FRAME_CALL);
    assert_int_equal(frame.flags, 0);
    for (size_t i = 0; i < PH_FRAME_ID_LEN; i++) {
        assert_int_equal(frame.id[i], 0x10 + i);
    }
    assert_int_equal(frame.ms_left, 15000);
    assert_int_equal(frame.attempt, 1);
    assert_int_equal(frame.status, 0);
    t_same(ph_field_find(frame.meta, PH_FIELD_METHOD), PH_STR("POST"));
    t_same(ph_field_find(frame.meta, PH_FIELD_TARGET), PH_STR("/v1/payments"));
    t_same(ph_field_find(frame.meta, PH_FIELD_CANDIDATE), PH_STR("acc-a"));
    assert_null(ph_field_find(frame.meta, PH_FIELD_ROLE).ptr);
    assert_true(ph_str_starts(frame.body, PH_STR("{\"order_no\":\"o-1\"")));
    assert_int_equal(ph_frame_read(golden("busy.hex"), &frame), PH_OK);
    assert_int_equal(frame.type, PH_FRAME_BUSY);
    assert_int_equal(frame.status, 503);
    assert_int_equal(ph_frame_read(golden("flags.hex"), &frame), PH_OK);
    assert_int_equal(frame.flags, 0x8001);
}

/* Cut anywhere: more bytes are wanted, nothing is believed. */
static void
test_every_cut(void **state)
{
    struct ph_str   bytes = golden("call-payment.hex");
    struct ph_frame frame;
    size_t          frame_len;

    (void) state;
    for (size_t len = 0; len < bytes.len; len++) {
        char         *exact = test_malloc(len + 1); /* ASan sees a read past */
        struct ph_str cut   = ph_str_make(exact, len);

        memcpy(exact, bytes.ptr, len);
        assert_int_equal(ph_frame_read(cut, &frame), PH_E_MORE);
        assert_int_equal(ph_frame_length(cut, &frame_len),
                         len < PH_FRAME_HEAD_LEN ? PH_E_MORE : PH_OK);
        test_free(exact);
    }
    /* what follows is not looked at */
    char longer[4096];
    memcpy(longer, bytes.ptr, bytes.len);
    memset(longer + bytes.len, 0xff, 16);
    assert_int_equal(ph_frame_read(ph_str_make(longer, bytes.len + 16), &frame),
                     PH_OK);
}

/* No single changed bit is taken. */
static void
test_every_bit(void **state)
{
    static const char *const names[]
        = { "call-payment.hex", "ping.hex", "hello.hex", "unknown.hex" };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(names); i++) {
        struct ph_str   bytes = golden(names[i]);
        struct ph_frame frame;

        for (size_t bit = 0; bit < bytes.len * 8; bit++) {
            char *at = &golden_bytes[bit / 8];

            *at = (char) (*at ^ (1 << bit % 8));
            assert_int_not_equal(ph_frame_read(bytes, &frame), PH_OK);
            *at = (char) (*at ^ (1 << bit % 8));
        }
        assert_int_equal(ph_frame_read(bytes, &frame), PH_OK);
    }
}

/* a frame around any meta, its checksum right */
static struct ph_str
frame_of(struct ph_buf *buf, struct ph_str meta)
{
    struct ph_frame frame
        = { .version = PH_FRAME_VERSION, .type = PH_FRAME_PING, .meta = meta };

    ph_buf_cut(buf, 0);
    assert_int_equal(ph_frame_write(buf, &frame), PH_OK);
    return ph_buf_str(buf);
}

static void
add_raw(struct ph_buf *meta, unsigned type, size_t len)
{
    ph_buf_le(meta, type, 2);
    ph_buf_le(meta, len, 2);
    for (size_t i = 0; i < len; i++) {
        ph_buf_byte(meta, 'x');
    }
}

static const struct {
    unsigned    number;
    size_t      len_max;
    const char *name;
} fields[] = {
#define FIELD(name, number, len_max, meaning) { (number), (len_max), #name },
#include "libpayhub/wire/frame_fields.def"
#undef FIELD
};

static enum ph_rc
read_meta(struct ph_buf *meta)
{
    static char     memory[PH_FRAME_HEAD_LEN + PH_FRAME_META_MAX];
    struct ph_buf   buf = PH_BUF_INIT(memory);
    struct ph_frame frame;

    assert_false(meta->full);
    return ph_frame_read(frame_of(&buf, ph_buf_str(meta)), &frame);
}

/* every field of the table: its longest value, one more, twice */
static void
test_every_field(void **state)
{
    static char   memory[PH_FRAME_META_MAX];
    struct ph_buf meta = PH_BUF_INIT(memory);

    (void) state;
    for (size_t i = 0; i < PH_COUNT(fields); i++) {
        bool repeats = fields[i].number == PH_FIELD_HEADER
                       || fields[i].number == PH_FIELD_CANDIDATE;

        assert_true(fields[i].number >= 1 && fields[i].number <= 0xffff);
        assert_true(i == 0 || fields[i].number > fields[i - 1].number);
        assert_string_equal(ph_field_name(fields[i].number), fields[i].name);
        ph_buf_cut(&meta, 0);
        add_raw(&meta, fields[i].number, 0);
        assert_int_equal(read_meta(&meta), PH_OK);
        ph_buf_cut(&meta, 0);
        add_raw(&meta, fields[i].number, fields[i].len_max);
        assert_int_equal(read_meta(&meta), PH_OK);
        ph_buf_cut(&meta, 0);
        add_raw(&meta, fields[i].number, fields[i].len_max + 1);
        assert_int_equal(read_meta(&meta), PH_E_RANGE);
        ph_buf_cut(&meta, 0);
        add_raw(&meta, fields[i].number, 1);
        add_raw(&meta, fields[i].number, 1);
        assert_int_equal(read_meta(&meta), repeats ? PH_OK : PH_E_DUPLICATE);
    }
    assert_null(ph_field_name(0));
    assert_null(ph_field_name(0xffff));
}

static void
test_unknown_fields(void **state)
{
    static const struct {
        unsigned   type;
        enum ph_rc want;
    } rows[] = {
        { 0, PH_E_UNKNOWN }, { 19, PH_E_UNKNOWN }, { 0x7fff, PH_E_UNKNOWN },
        { 0x8000, PH_OK },   { 0x8002, PH_OK },    { 0xffff, PH_OK },
    };
    char          memory[64];
    struct ph_buf meta = PH_BUF_INIT(memory);

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        ph_buf_cut(&meta, 0);
        add_raw(&meta, rows[i].type, 3);
        add_raw(&meta, rows[i].type, 3); /* unknown ones are not counted */
        assert_int_equal(read_meta(&meta), rows[i].want);
    }
}

/* A field whose length points past the meta, and a meta cut inside a field. */
static void
test_field_bounds(void **state)
{
    char          memory[64];
    struct ph_buf meta = PH_BUF_INIT(memory);

    (void) state;
    add_raw(&meta, PH_FIELD_METHOD, 4);
    for (size_t len = 1; len < 8; len++) {
        meta.len = len;
        assert_int_equal(read_meta(&meta), PH_E_SYNTAX);
    }
    meta.len  = 8;
    memory[2] = 5; /* one byte that the body would lend */
    assert_int_equal(read_meta(&meta), PH_E_SYNTAX);
    memory[3] = (char) 0xff;
    assert_int_equal(read_meta(&meta), PH_E_SYNTAX);
}

/* Heads that are wrong on purpose, each judged before any length is used. */
static void
test_heads(void **state)
{
    static const struct {
        size_t     at;
        uint8_t    byte;
        enum ph_rc want;
    } rows[] = {
        { 0, 'p', PH_E_SYNTAX },  { 3, '2', PH_E_SYNTAX },
        { 4, 0, PH_E_UNKNOWN },   { 4, 2, PH_E_UNKNOWN },
        { 5, 0, PH_E_UNKNOWN },   { 5, 12, PH_E_UNKNOWN },
        { 5, 255, PH_E_UNKNOWN }, { 44, 1, PH_E_SYNTAX },
        { 47, 1, PH_E_SYNTAX },   { 33, 0x41, PH_E_RANGE },
        { 35, 0x80, PH_E_RANGE }, { 38, 0x11, PH_E_RANGE },
        { 39, 0xff, PH_E_RANGE }, { 40, 0, PH_E_CHECKSUM },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_str   bytes = golden("ping.hex");
        struct ph_frame frame;
        size_t          len;

        golden_bytes[rows[i].at] = (char) rows[i].byte;
        assert_int_equal(ph_frame_read(bytes, &frame), rows[i].want);
        assert_int_equal(ph_frame_length(bytes, &len),
                         rows[i].want == PH_E_CHECKSUM ? PH_OK : rows[i].want);
    }
}

static void
test_largest(void **state)
{
    static char     meta[PH_FRAME_META_MAX + 1], body[PH_FRAME_BODY_MAX + 1];
    static char     memory[PH_FRAME_MAX];
    struct ph_buf   fields_buf = PH_BUF_INIT(meta), out = PH_BUF_INIT(memory);
    struct ph_frame back;
    struct ph_frame frame = { .version = PH_FRAME_VERSION,
                              .type    = PH_FRAME_RESULT,
                              .body    = { body, PH_FRAME_BODY_MAX } };

    (void) state;
    for (int i = 0; i < 3; i++) { /* 3 * 4100 + 4084 = 16384 */
        add_raw(&fields_buf, PH_FIELD_HEADER, 4096);
    }
    add_raw(&fields_buf, PH_FIELD_HEADER, 4080);
    frame.meta = ph_buf_str(&fields_buf);
    assert_int_equal(frame.meta.len, PH_FRAME_META_MAX);
    assert_int_equal(ph_frame_write(&out, &frame), PH_OK);
    assert_int_equal(out.len, PH_FRAME_MAX);
    assert_int_equal(ph_frame_read(ph_buf_str(&out), &back), PH_OK);
    /* one byte more is refused by its head alone */
    for (size_t at = 32; at <= 36; at += 4) {
        size_t len;

        out.ptr[at]++;
        assert_int_equal(ph_frame_length(ph_buf_str(&out), &len), PH_E_RANGE);
        out.ptr[at]--;
    }

    ph_buf_init(&out, memory, PH_FRAME_MAX - 1);
    assert_int_equal(ph_frame_write(&out, &frame), PH_E_FULL);
    assert_int_equal(out.len, 0);
    ph_buf_init(&out, memory, sizeof(memory));
    frame.body.len++;
    assert_int_equal(ph_frame_write(&out, &frame), PH_E_RANGE);
    frame.body.len--;
    frame.meta.len++;
    assert_int_equal(ph_frame_write(&out, &frame), PH_E_RANGE);
    frame.meta.len--;
    frame.type = 99;
    assert_int_equal(ph_frame_write(&out, &frame), PH_E_UNKNOWN);
    frame.type    = PH_FRAME_RESULT;
    frame.version = 2;
    assert_int_equal(ph_frame_write(&out, &frame), PH_E_UNKNOWN);
    assert_int_equal(out.len, 0);
}

/* in pieces: the same bytes as in one */
static void
test_open_close(void **state)
{
    char            memory[4096];
    struct ph_str   bytes = golden("call-payment.hex");
    struct ph_buf   out   = PH_BUF_INIT(memory);
    struct ph_frame frame;
    uint8_t         head[PH_FRAME_HEAD_LEN];
    uint32_t        crc;

    (void) state;
    assert_int_equal(ph_frame_read(bytes, &frame), PH_OK);
    assert_int_equal(ph_frame_open(head, &frame, frame.body.len, &crc), PH_OK);
    crc = ph_crc32c(crc, frame.meta);
    for (size_t i = 0; i < frame.body.len; i++) {
        crc = ph_crc32c(crc, ph_str_make(frame.body.ptr + i, 1));
    }
    ph_frame_close(head, crc);
    ph_buf_add(&out, ph_str_make((const char *) head, sizeof(head)));
    ph_buf_add(&out, frame.meta);
    ph_buf_add(&out, frame.body);
    assert_int_equal(out.len, bytes.len);
    assert_memory_equal(out.ptr, bytes.ptr, bytes.len);
    assert_int_equal(ph_frame_open(head, &frame, PH_FRAME_BODY_MAX + 1, &crc),
                     PH_E_RANGE);
}

static void
test_field_add(void **state)
{
    char          memory[16];
    struct ph_buf meta = PH_BUF_INIT(memory);
    struct ph_str rest, value;
    unsigned      type;

    (void) state;
    ph_field_add(&meta, PH_FIELD_REPLAYED, PH_STR("1"));
    ph_field_add(&meta, PH_FIELD_METHOD, PH_STR("GET"));
    ph_field_add(&meta, PH_FIELD_METHOD, PH_STR("x")); /* 17 > 16 */
    assert_true(meta.full);
    assert_int_equal(meta.len, 12);
    rest = ph_buf_str(&meta);
    assert_true(ph_field_next(&rest, &type, &value));
    assert_int_equal(type, PH_FIELD_REPLAYED);
    t_same(value, PH_STR("1"));
    assert_true(ph_field_next(&rest, &type, &value));
    assert_false(ph_field_next(&rest, &type, &value));
    assert_int_equal(rest.len, 0);

    ph_buf_cut(&meta, 0);
    ph_field_add(&meta, PH_FIELD_REPLAYED, PH_STR("12")); /* over its maximum */
    assert_true(meta.full);
    assert_int_equal(meta.len, 0);
}

static void
test_type_names(void **state)
{
    (void) state;
    assert_string_equal(ph_frame_type_name(PH_FRAME_CALL), "CALL");
    assert_string_equal(ph_frame_type_name(PH_FRAME_GOAWAY), "GOAWAY");
    assert_null(ph_frame_type_name(0));
    assert_string_equal(ph_frame_type_name(PH_FRAME_SYNC_PUSH), "SYNC_PUSH");
    assert_null(ph_frame_type_name(12));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_golden_content),
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_every_bit),
        cmocka_unit_test(test_every_field),
        cmocka_unit_test(test_unknown_fields),
        cmocka_unit_test(test_field_bounds),
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_largest),
        cmocka_unit_test(test_open_close),
        cmocka_unit_test(test_field_add),
        cmocka_unit_test(test_type_names),
    };

    return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
