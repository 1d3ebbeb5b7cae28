/*
 * test_sidecar.c - the sidecar's pure parts: headers, positions, sums, times,
 * envelopes, and a whole file counted.
 */
#include "t/unit/support.h"

#include "sidecar/count.h"
#include "sidecar/print.h"
#include "sidecar/when.h"
#include "sidecar/words.h"

static void
test_head(void **state)
{
    static const uint8_t bytes[BL_HEAD_LEN]
        = { 1, 0, 0, 0, 30, 7, 0, 0, 0, 20, 0, 0, 0, 4, 3, 2, 1, 0x80, 0 };
    struct bl_head head;
    struct ph_cur  cur;

    (void) state;
    for (size_t len = 0; len < sizeof(bytes); len++) {
        ph_cur_init(&cur, ph_str_make((const char *) bytes, len));
        assert_false(bl_head_read(&cur, &head));
    }
    ph_cur_init(&cur, ph_str_make((const char *) bytes, sizeof(bytes)));
    assert_true(bl_head_read(&cur, &head));
    assert_int_equal(head.type, BL_WRITE_V2);
    assert_int_equal(head.len, 20);
    assert_int_equal(head.end_pos, 0x01020304);
    assert_int_equal(head.flags, BL_HEAD_IGNORABLE);
}

static void
test_lenenc(void **state)
{
    static const struct {
        struct ph_str in;
        bool          ok;
        uint64_t      want;
    } rows[] = {
        { PH_STR_INIT("\x00"), true, 0 },
        { PH_STR_INIT("\xfa"), true, 250 },
        { PH_STR_INIT("\xfb"), false, 0 },
        { PH_STR_INIT("\xfc\x01\x02"), true, 0x0201 },
        { PH_STR_INIT("\xfc\x01"), false, 0 },
        { PH_STR_INIT("\xfd\x01\x02\x03"), true, 0x030201 },
        { PH_STR_INIT("\xfe\x01\0\0\0\0\0\0\x80"), true,
          UINT64_C(0x8000000000000001) },
        { PH_STR_INIT("\xff"), false, 0 },
        { PH_STR_INIT(""), false, 0 },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_cur cur;

        ph_cur_init(&cur, rows[i].in);
        uint64_t got = bl_lenenc(&cur);
        assert_int_equal(cur.failed, !rows[i].ok);
        if (rows[i].ok) {
            assert_true(got == rows[i].want);
        }
    }
}

static void
test_position(void **state)
{
    static const struct {
        struct ph_str in;
        enum ph_rc    rc;
        struct ph_str out;
    } rows[] = {
        { PH_STR_INIT(""), PH_OK, PH_STR_INIT("") },
        { PH_STR_INIT("0-1-100"), PH_OK, PH_STR_INIT("0-1-100") },
        { PH_STR_INIT("7-2-5,0-1-1"), PH_OK, PH_STR_INIT("0-1-1,7-2-5") },
        { PH_STR_INIT("4294967295-4294967295-18446744073709551615"), PH_OK,
          PH_STR_INIT("4294967295-4294967295-18446744073709551615") },
        { PH_STR_INIT("4294967296-1-1"), PH_E_SYNTAX, PH_STR_INIT("") },
        { PH_STR_INIT("0-1"), PH_E_SYNTAX, PH_STR_INIT("") },
        { PH_STR_INIT("0-1-2-3"), PH_E_SYNTAX, PH_STR_INIT("") },
        { PH_STR_INIT("0-1-2,"), PH_E_SYNTAX, PH_STR_INIT("") },
        { PH_STR_INIT("a-1-2"), PH_E_SYNTAX, PH_STR_INIT("") },
        { PH_STR_INIT("0-1--2"), PH_E_SYNTAX, PH_STR_INIT("") },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        char               memory[BL_POSITION_TEXT_MAX];
        struct ph_buf      buf = PH_BUF_INIT(memory);
        struct bl_position position;

        assert_int_equal(bl_position_parse(rows[i].in, &position), rows[i].rc);
        if (rows[i].rc == PH_OK) {
            bl_position_format(&position, &buf);
            t_same(ph_buf_str(&buf), rows[i].out);
        }
    }
}

static void
test_position_bounds(void **state)
{
    struct bl_position position = { 0 };
    char               memory[BL_POSITION_TEXT_MAX];
    struct ph_buf      buf = PH_BUF_INIT(memory);

    (void) state;
    for (uint32_t i = 0; i < BL_DOMAINS_MAX; i++) {
        struct bl_place place = { UINT32_MAX - i, UINT32_MAX, UINT64_MAX };

        assert_true(bl_position_advance(&position, place));
    }
    assert_false(bl_position_advance(&position, (struct bl_place){ 0, 1, 1 }));
    bl_position_format(&position, &buf);
    (void) ph_buf_z(&buf);
    assert_false(buf.full); /* the longest position fits, NUL included */
}

static void
test_minute(void **state)
{
    static const struct {
        uint64_t year, month, day, hour, minute;
        bool     ok;
        uint32_t want;
    } rows[] = {
        { 1970, 1, 1, 0, 0, true, 0 },
        { 1970, 1, 1, 0, 1, true, 1 },
        { 2000, 2, 29, 12, 30, true, 15863790 },
        { 2026, 3, 1, 0, 0, true, 29538720 },
        { 9999, 12, 31, 23, 59, true, 4223371679u },
        { 1969, 12, 31, 23, 59, false, 0 },
        { 0, 0, 0, 0, 0, false, 0 },
        { 2026, 0, 1, 0, 0, false, 0 },
        { 2026, 1, 0, 0, 0, false, 0 },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        char     raw[7] = { 0 };
        uint32_t minute = 0;
        uint64_t bits   = UINT64_C(1) << 39
                        | (rows[i].year * 13 + rows[i].month) << 22
                        | rows[i].day << 17 | rows[i].hour << 12
                        | rows[i].minute << 6 | 59;

        for (int k = 0; k < 5; k++) {
            raw[k] = (char) (bits >> (8 * (4 - k)) & 0xff);
        }
        assert_int_equal(
            bl_datetime_minute(ph_str_make(raw, sizeof(raw)), &minute),
            rows[i].ok);
        assert_int_equal(minute, rows[i].want);
    }
}

static void
test_cells(void **state)
{
    struct bl_sums sums;
    uint16_t       dim = 9;

    (void) state;
    assert_true(bl_sums_init(&sums));
    assert_int_equal(
        bl_sums_dim(&sums, PH_STR("c"), PH_STR("m"), PH_STR("CNY"), &dim),
        PH_OK);
    for (uint32_t i = 0; i < 5000; i++) { /* over several growths */
        uint64_t key = bl_cell_key(i, i % 6, 0, dim);
        assert_int_equal(bl_cells_add(&sums.cells, key, 1, i), PH_OK);
        assert_int_equal(bl_cells_add(&sums.cells, key, 1, 1), PH_OK);
    }
    assert_int_equal(sums.cells.used, 5000);
    int64_t count = 0, amount = 0;
    for (size_t i = 0; i < sums.cells.size; i++) {
        count += sums.cells.cell[i].count;
        amount += sums.cells.cell[i].amount;
    }
    assert_int_equal(count, 10000);
    assert_int_equal(amount, 5000 + 4999 * 5000 / 2);
    uint64_t key = bl_cell_key(1, 0, 0, dim);
    assert_int_equal(bl_cells_add(&sums.cells, key, 0, INT64_MAX), PH_OK);
    assert_int_equal(bl_cells_add(&sums.cells, key, 0, 1), PH_E_RANGE);
    bl_sums_clear(&sums);
    assert_true(bl_sums_is_idle(&sums));
    bl_sums_deinit(&sums);
}

static void
test_dims(void **state)
{
    struct bl_sums sums;
    uint16_t       dim = 0, again = 0;
    char           long_name[BL_DIM_TEXT_MAX + 1] = { 0 };

    (void) state;
    assert_true(bl_sums_init(&sums));
    for (uint32_t i = 0; i < BL_DIMS_MAX; i++) {
        char          memory[12];
        struct ph_buf name = PH_BUF_INIT(memory);

        ph_buf_u64(&name, i);
        assert_int_equal(bl_sums_dim(&sums, ph_buf_str(&name), PH_STR("m"),
                                     PH_STR("CNY"), &dim),
                         PH_OK);
        assert_int_equal(dim, i);
    }
    assert_int_equal(
        bl_sums_dim(&sums, PH_STR("x"), PH_STR("m"), PH_STR("CNY"), &dim),
        PH_E_FULL);
    assert_int_equal(
        bl_sums_dim(&sums, PH_STR("17"), PH_STR("m"), PH_STR("CNY"), &again),
        PH_OK);
    assert_int_equal(again, 17);
    assert_int_equal(bl_sums_account(&sums, PH_STR("17"), &dim), PH_E_FULL);
    bl_sums_clear(&sums);
    assert_int_equal(
        bl_sums_dim(&sums, PH_STR("x"), PH_STR("m"), PH_STR("CNY"), &again),
        PH_OK);
    assert_int_equal(bl_sums_account(&sums, PH_STR("x"), &dim), PH_OK);
    assert_int_not_equal(dim, again); /* an account is not its namesake */
    assert_true(sums.dim[dim].is_account);
    assert_int_equal(bl_sums_account(&sums, PH_STR("y"), &again), PH_OK);
    assert_int_equal(bl_sums_account(&sums, PH_STR("x"), &again), PH_OK);
    assert_int_equal(dim, again);
    assert_int_equal(
        bl_sums_account(&sums, ph_str_make(long_name, sizeof(long_name)), &dim),
        PH_E_RANGE);
    assert_int_equal(bl_sums_dim(&sums,
                                 ph_str_make(long_name, sizeof(long_name)),
                                 PH_STR("m"), PH_STR("CNY"), &dim),
                     PH_E_RANGE);
    assert_int_equal(
        bl_sums_dim(&sums, PH_STR("c"), PH_STR("m"), PH_STR("CN"), &dim),
        PH_E_RANGE);
    bl_sums_deinit(&sums);
}

static void
test_unsure(void **state)
{
    static const struct {
        struct ph_str db, text;
        bool          want;
    } rows[] = {
        { PH_STR_INIT("payhub"), PH_STR_INIT("UPDATE payment SET a=1"), true },
        { PH_STR_INIT("payhub"), PH_STR_INIT("delete from `Payment`"), true },
        { PH_STR_INIT("payhub"),
          PH_STR_INIT("/* x */ INSERT INTO payment VALUES (1)"), true },
        { PH_STR_INIT("other"), PH_STR_INIT("UPDATE payhub.payment SET a=1"),
          true },
        { PH_STR_INIT("other"), PH_STR_INIT("UPDATE payment SET a=1"), false },
        { PH_STR_INIT("payhub"), PH_STR_INIT("UPDATE payment_no SET a=1"),
          false },
        { PH_STR_INIT("payhub"), PH_STR_INIT("UPDATE mypayment SET a=1"),
          false },
        { PH_STR_INIT("payhub"),
          PH_STR_INIT("ALTER TABLE payment ADD COLUMN a INT"), false },
        { PH_STR_INIT("payhub"), PH_STR_INIT("create index i on payment (a)"),
          false },
        { PH_STR_INIT("payhub"), PH_STR_INIT("SAVEPOINT `payment`"), false },
        { PH_STR_INIT("payhub"), PH_STR_INIT(""), false },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct bl_query query = { rows[i].db, rows[i].text };

        assert_int_equal(bl_query_is_unsure(&query, PH_STR("payhub")),
                         rows[i].want);
    }
}

static struct bl_sums file_sums;
static int64_t        file_counts[2]; /* plain, prepared then settled */
static int64_t        file_ends[2];   /* of them, by account */

static struct bl_sums *
file_begin(void *context, bool settled)
{
    (void) context;
    (void) settled;
    return &file_sums;
}

static void
file_end(void *context)
{
    (void) context;
}

/*
 * payments.binlog (t/data/binlog/make.py): two created, one paid, the other
 * deleted; one prepared and committed, one prepared and rolled back.
 */
static void
test_file(void **state)
{
    static struct bl_decoder decoder;
    struct bl_count count = { .batches  = { NULL, file_begin, file_end },
                              .database = PH_STR("payhub") };

    (void) state;
    assert_true(bl_sums_init(&file_sums));
    struct bl_visitor visitor = bl_count_visitor(&count);
    assert_true(bl_decoder_init(&decoder, &visitor, 0));
    if (!bl_bytes_decode(&decoder, t_file("t/data/binlog/payments.binlog"))) {
        fail_msg("%.*s", (int) decoder.why.len, decoder.why.ptr);
    }
    assert_int_equal(decoder.row_changes, 6);
    for (size_t i = 0; i < file_sums.cells.size; i++) {
        const struct bl_cell *cell        = &file_sums.cells.cell[i];
        bool                  is_prepared = bl_cell_xa(cell->key) != 0;

        if (bl_cell_is_account(cell->key)) {
            const struct bl_dim *dim = &file_sums.dim[bl_cell_dim(cell->key)];

            assert_true(dim->is_account);
            file_ends[is_prepared] += cell->count;
        } else {
            file_counts[is_prepared] += cell->count;
        }
    }
    assert_int_equal(file_ends[0], 1);   /* paid */
    assert_int_equal(file_ends[1], 0);   /* those were created, no more */
    assert_int_equal(file_counts[0], 2); /* created and paid, of one payment */
    assert_int_equal(file_counts[1], 2); /* one each, settled by the applier */
    assert_int_equal(file_sums.xids, 2);
    assert_true(file_sums.xid[0].is_committed);
    assert_true(file_sums.xid[1].is_resolved);
    assert_false(file_sums.xid[1].is_committed);
    bl_decoder_deinit(&decoder);
    bl_count_deinit(&count);
    bl_sums_deinit(&file_sums);
}

static int64_t
cell_count(const struct bl_cells *cells, uint64_t key)
{
    for (size_t i = 0; i < cells->size; i++) {
        if (cells->cell[i].key == key) {
            return cells->cell[i].count;
        }
    }
    return 0;
}

/* what Redis would hear of both is the same */
static bool
sums_same(const struct bl_sums *a, const struct bl_sums *b)
{
    for (size_t i = 0; i < a->cells.size; i++) {
        uint64_t key = a->cells.cell[i].key;

        if (key != 0 && a->cells.cell[i].count != cell_count(&b->cells, key)) {
            return false;
        }
    }
    return a->xids == b->xids && a->has_pending == b->has_pending
           && a->transactions == b->transactions
           && a->row_changes == b->row_changes;
}

static unsigned cuts;

static void
cut_heard(const struct bl_decoder *decoder)
{
    (void) decoder;
    cuts++;
}

/* file_sums of the first `len` bytes of the file and then its FORMAT again */
static bool
cut_count(struct ph_str file, size_t len, size_t format_len, bool *was_open)
{
    static struct bl_decoder decoder;
    struct bl_count count = { .batches  = { NULL, file_begin, file_end },
                              .database = PH_STR("payhub"),
                              .cut      = cut_heard };

    bl_sums_clear(&file_sums);
    struct bl_visitor visitor = bl_count_visitor(&count);
    assert_true(bl_decoder_init(&decoder, &visitor, 0));
    bool ok   = bl_bytes_decode(&decoder, ph_str_make(file.ptr, len));
    *was_open = decoder.in_transaction;
    ok = ok && bl_decode(&decoder, ph_str_make(file.ptr + 4, format_len));
    bl_decoder_deinit(&decoder);
    bl_count_deinit(&count);
    return ok;
}

/*
 * A file that a crash has cut between any two events counts as it did before
 * the transaction that has no end.
 */
static void
test_cut(void **state)
{
    struct ph_str         file       = t_file("t/data/binlog/payments.binlog");
    size_t                format_len = 0;
    size_t                open       = 0;
    static struct bl_sums whole;
    struct ph_cur         cur;

    (void) state;
    cuts = 0;
    assert_true(bl_sums_init(&file_sums) && bl_sums_init(&whole));
    ph_cur_init(&cur, file);
    (void) ph_cur_take(&cur, 4);
    while (ph_cur_left(&cur) != 0) {
        struct ph_cur  peek = cur;
        struct bl_head head;
        bool           was_open;

        assert_true(bl_head_read(&peek, &head));
        (void) ph_cur_take(&cur, head.len);
        format_len = format_len == 0 ? head.len : format_len;
        assert_true(cut_count(file, file.len - ph_cur_left(&cur), format_len,
                              &was_open));
        if (was_open) {
            open++;
            assert_true(sums_same(&file_sums, &whole));
        } else {
            struct bl_sums kept = whole;

            whole     = file_sums;
            file_sums = kept;
        }
    }
    assert_true(open > 10);
    assert_int_equal(cuts, open);
    bl_sums_deinit(&file_sums);
    bl_sums_deinit(&whole);
}

/*
 * An INCIDENT stands between transactions: the batch of the next one says so,
 * once.
 */
static void
test_incident(void **state)
{
    static const uint8_t incident[]
        = { /* of 1700000000, server 1 */
            0x00, 0xf1, 0x53, 0x65, BL_INCIDENT, 1, 0, 0, 0, 22, 0,
            0,    0,    0,    0,    0,           0, 0, 0, 1, 0,  0
          };
    static struct bl_decoder decoder;
    struct bl_count count = { .batches  = { NULL, file_begin, file_end },
                              .database = PH_STR("payhub") };
    struct bl_gtid  gtid  = { .seq = 1 };

    (void) state;
    assert_true(bl_sums_init(&file_sums));
    struct bl_visitor visitor = bl_count_visitor(&count);
    assert_true(bl_decoder_init(&decoder, &visitor, 0));
    assert_true(bl_decode(
        &decoder, ph_str_make((const char *) incident, sizeof(incident))));
    assert_true(visitor.begin(visitor.context, &decoder, &gtid));
    t_same(ph_str_z(file_sums.unsure),
           PH_STR("the server lost events of its log"));
    bl_sums_clear(&file_sums);
    assert_true(visitor.begin(visitor.context, &decoder, &gtid));
    t_same(ph_str_z(file_sums.unsure), PH_STR(""));
    bl_decoder_deinit(&decoder);
    bl_count_deinit(&count);
    bl_sums_deinit(&file_sums);
}

/* A bent byte anywhere in a file with checksums is found. */
static void
test_checksum(void **state)
{
    static char       bytes[T_FILE_MAX];
    struct ph_str     file  = t_file("t/data/binlog/payments.binlog");
    struct bl_print  *print = calloc(1, sizeof(*print));
    struct bl_visitor visitor;

    (void) state;
    assert_non_null(print);
    memcpy(bytes, file.ptr, file.len);
    visitor = bl_print_visitor(print);
    bl_out_init(&print->out, -1);
    for (size_t at = 0; at < file.len; at += 37) {
        static struct bl_decoder decoder;

        bytes[at] = (char) (bytes[at] ^ 0x10);
        assert_true(bl_decoder_init(&decoder, &visitor, 0));
        assert_false(bl_bytes_decode(&decoder, ph_str_make(bytes, file.len)));
        assert_int_not_equal(decoder.why.len, 0);
        bl_decoder_deinit(&decoder);
        bytes[at] = (char) (bytes[at] ^ 0x10);
    }
    free(print);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head),     cmocka_unit_test(test_lenenc),
        cmocka_unit_test(test_position), cmocka_unit_test(test_position_bounds),
        cmocka_unit_test(test_minute),   cmocka_unit_test(test_cells),
        cmocka_unit_test(test_dims),     cmocka_unit_test(test_unsure),
        cmocka_unit_test(test_file),     cmocka_unit_test(test_checksum),
        cmocka_unit_test(test_incident), cmocka_unit_test(test_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
