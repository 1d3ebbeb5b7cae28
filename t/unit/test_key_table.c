/*
 * test_key_table.c - put, find, replace, remove, walk; a full table; then
 * readers that check every byte while writers are killed.
 */
#include "t/unit/support.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libpayhub/domain/key_table.h"

#define SMALL (512 * 1024)
#define MANY 100000
#define BYTES_A_KEY 250
#define KILLS 300
#define KEPT 100    /* keys that are replaced, never removed */
#define CHANGED 100 /* keys that come and go besides */
#define READERS 2

static const uint8_t secret[PH_SIPHASH_KEY_LEN] = "0123456789abcdef";

static struct ph_key_table *
table_new(size_t size)
{
    struct ph_key_table *table
        = ph_key_table_make(t_shared(size), size, secret);

    assert_non_null(table);
    return table;
}

static void
table_end(struct ph_key_table *table, size_t size)
{
    assert_int_equal(munmap(table, size), 0);
}

/* --- a record whose every byte follows from its number and its turn */

static size_t
material_len(unsigned n, unsigned turn)
{
    return 16 + (n * 131 + turn * 37) % 700;
}

static void
record_make(struct ph_key_record *record, unsigned n, unsigned turn)
{
    memset(record, 0, sizeof(*record));
    record->id_len
        = (uint8_t) snprintf(record->id, sizeof(record->id), "key_%u", n);
    record->app_len = (uint8_t) snprintf(record->app, sizeof(record->app),
                                         "app_%u_%u", n, turn);
    record->merchant_len
        = (uint8_t) (turn % 2 ? snprintf(record->merchant,
                                         sizeof(record->merchant), "m_%u", turn)
                              : 0);
    record->not_before = (int64_t) turn;
    record->schemes    = (uint16_t) (n * 7 + turn);
    record->alg        = 1;
}

static void
material_make(uint8_t *to, unsigned n, unsigned turn)
{
    uint32_t x = n * 2654435761u + turn * 40503u + 1;

    for (size_t i = 0; i < material_len(n, turn); i++) {
        x     = x * 1664525u + 1013904223u;
        to[i] = (uint8_t) (x >> 24);
    }
}

static enum ph_rc
put(struct ph_key_table *table, unsigned n, unsigned turn)
{
    struct ph_key_record record;
    uint8_t              material[PH_KEY_MATERIAL_MAX];

    record_make(&record, n, turn);
    material_make(material, n, turn);
    return ph_key_put(
        table, &record,
        ph_str_make((const char *) material, material_len(n, turn)));
}

static struct ph_str
name(char memory[PH_KEY_NAME_MAX + 1], unsigned n)
{
    return ph_str_make(
        memory, (size_t) snprintf(memory, PH_KEY_NAME_MAX + 1, "key_%u", n));
}

/* Whether a record is whole: of one number and one turn. */
static bool
is_whole(const struct ph_key_record *found, unsigned n)
{
    struct ph_key_record expected;

    record_make(&expected, n, (unsigned) found->not_before);
    expected.version = found->version;
    expected.material_len
        = (uint16_t) material_len(n, (unsigned) found->not_before);
    /* NOLINTNEXTLINE(bugprone-*,cert-*): both begin as zeros */
    return memcmp(&expected, found, sizeof(expected)) == 0;
}

/* 1 = there and whole, 0 = absent, -1 = something else */
static int
look(const struct ph_key_table *table, unsigned n)
{
    char                 id[PH_KEY_NAME_MAX + 1];
    uint8_t              material[PH_KEY_MATERIAL_MAX];
    uint8_t              expected[PH_KEY_MATERIAL_MAX];
    struct ph_key_record found;

    if (!ph_key_find(table, name(id, n), &found)) {
        return 0;
    }
    if (!is_whole(&found, n)) {
        return -1;
    }
    if (ph_key_material(table, name(id, n), found.version, material)) {
        material_make(expected, n, (unsigned) found.not_before);
        if (memcmp(material, expected, found.material_len) != 0) {
            return -1;
        }
    }
    return 1;
}

/* --- one process */

static void
test_put_find_replace_remove(void **state)
{
    (void) state;
    struct ph_key_table *table = table_new(SMALL);
    char                 id[PH_KEY_NAME_MAX + 1];
    uint8_t              material[PH_KEY_MATERIAL_MAX];
    struct ph_key_record first, second;

    assert_int_equal(look(table, 1), 0);
    assert_int_equal(put(table, 1, 5), PH_OK);
    assert_int_equal(look(table, 1), 1);
    assert_int_equal(look(table, 2), 0);
    assert_true(ph_key_find(table, name(id, 1), &first));
    assert_int_equal(ph_key_count(table), 1);

    assert_int_equal(put(table, 1, 6), PH_OK);
    assert_true(ph_key_find(table, name(id, 1), &second));
    assert_int_equal(second.not_before, 6);
    assert_true(second.version > first.version);
    assert_int_equal(ph_key_count(table), 1);
    assert_false(ph_key_material(table, name(id, 1), first.version, material));
    assert_true(ph_key_material(table, name(id, 1), second.version, material));

    uint64_t changes = ph_key_changes(table);

    assert_true(ph_key_remove(table, name(id, 1)));
    assert_false(ph_key_remove(table, name(id, 1)));
    assert_int_equal(look(table, 1), 0);
    assert_int_equal(ph_key_count(table), 0);
    assert_true(ph_key_changes(table) > changes);
    table_end(table, SMALL);
}

static void
test_lengths(void **state)
{
    (void) state;
    static const struct {
        uint8_t    id, app, merchant, role;
        size_t     material;
        enum ph_rc rc;
    } rows[] = {
        { 1, 0, 0, 0, 0, PH_OK },       { 32, 32, 32, 16, 4096, PH_OK },
        { 0, 1, 1, 1, 1, PH_E_RANGE },  { 33, 1, 1, 1, 1, PH_E_RANGE },
        { 1, 33, 1, 1, 1, PH_E_RANGE }, { 1, 1, 33, 1, 1, PH_E_RANGE },
        { 1, 1, 1, 17, 1, PH_E_RANGE }, { 1, 1, 1, 1, 4097, PH_E_RANGE },
    };
    static char          text[PH_KEY_MATERIAL_MAX + 1];
    uint8_t              material[PH_KEY_MATERIAL_MAX];
    struct ph_key_table *table = table_new(SMALL);

    memset(text, 'x', sizeof(text));
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_key_record record, found;

        memset(&record, 'x', sizeof(record));
        record.id_len       = rows[i].id;
        record.app_len      = rows[i].app;
        record.merchant_len = rows[i].merchant;
        record.role_len     = rows[i].role;
        assert_int_equal(
            ph_key_put(table, &record, ph_str_make(text, rows[i].material)),
            rows[i].rc);
        if (rows[i].rc != PH_OK) {
            continue;
        }
        assert_true(ph_key_find(table, ph_str_make(text, rows[i].id), &found));
        assert_int_equal(found.app_len, rows[i].app);
        assert_memory_equal(found.role, text, rows[i].role);
        assert_int_equal(found.material_len, rows[i].material);
        assert_true(ph_key_material(table, ph_str_make(text, rows[i].id),
                                    found.version, material));
        assert_memory_equal(material, text, rows[i].material);
    }
    assert_int_equal(ph_key_count(table), 2);
    assert_false(ph_key_remove(table, ph_str_make(text, 33)));
    assert_false(ph_key_remove(table, PH_STR("")));
    table_end(table, SMALL);
}

static void
test_memory(void **state)
{
    (void) state;
    void                *memory = t_shared(SMALL);
    struct ph_key_table *table  = ph_key_table_make(memory, SMALL, secret);

    assert_null(ph_key_table_open(t_shared(SMALL), SMALL));
    assert_null(ph_key_table_open(memory, SMALL - 64));
    assert_ptr_equal(ph_key_table_open(memory, SMALL), table);
    assert_null(ph_key_table_make(t_shared(4096), 4096, secret));

    /* a fault in the size of anything shows as a write behind the end */
    for (size_t size = 18 * 1024; size < 128 * 1024; size += 4096 - 64) {
        uint8_t *edge = t_shared(256 * 1024);

        table = ph_key_table_make(edge, size, secret);
        if (table == NULL) {
            continue;
        }
        for (unsigned n = 0; n < 2000; n++) {
            (void) put(table, n, 1);
        }
        for (size_t i = size; i < 256 * 1024; i++) {
            assert_int_equal(edge[i], 0);
        }
        table_end((struct ph_key_table *) (void *) edge, 256 * 1024);
    }
    table_end(memory, SMALL);
}

/* Fills a table with HMAC keys of usual lengths; how many it took. */
static unsigned
fill(struct ph_key_table *table, unsigned most)
{
    struct ph_key_record record;
    static const char    material[] = "0123456789abcdef0123456789abcdef0123456";
    unsigned             n          = 0;

    for (; n < most; n++) {
        memset(&record, 0, sizeof(record));
        record.id_len
            = (uint8_t) snprintf(record.id, sizeof(record.id), "key_%016x", n);
        record.app_len      = (uint8_t) snprintf(record.app, sizeof(record.app),
                                                 "app_%016x", n);
        record.merchant_len = (uint8_t) snprintf(
            record.merchant, sizeof(record.merchant), "mch_%016x", n);
        if (ph_key_put(table, &record, ph_str_z(material)) != PH_OK) {
            break;
        }
    }
    return n;
}

static void
test_many(void **state)
{
    (void) state;
    size_t               size  = (size_t) MANY * BYTES_A_KEY;
    struct ph_key_table *table = table_new(size);
    struct ph_key_record record;
    char                 id[PH_KEY_NAME_MAX + 1];
    size_t               at = 0, walked = 0;

    assert_int_equal(fill(table, MANY), MANY);
    assert_int_equal(ph_key_count(table), MANY);
    for (unsigned n = 0; n < MANY; n++) {
        int len = snprintf(id, sizeof(id), "key_%016x", n);

        assert_true(ph_key_find(table, ph_str_make(id, (size_t) len), &record));
        assert_int_equal(record.app_len, 20);
    }
    while (ph_key_next(table, &at, &record)) {
        walked++;
    }
    assert_int_equal(walked, MANY);
    table_end(table, size);
}

/* What was there stays as it was when there is no room for more. */
static void
test_full(void **state)
{
    (void) state;
    struct ph_key_table *table = table_new(SMALL);
    unsigned             n     = 0;
    char                 id[PH_KEY_NAME_MAX + 1];

    while (put(table, n, 1) == PH_OK) {
        n++;
    }
    assert_true(n > 500);
    assert_int_equal(put(table, n, 1), PH_E_FULL);
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(look(table, i), 1);
    }
    assert_true(ph_key_remove(table, name(id, 0)));
    assert_int_equal(put(table, 0, 1), PH_OK);
    table_end(table, SMALL);
}

/* Coming and going leaves no room behind. */
static void
test_no_leak(void **state)
{
    (void) state;
    struct ph_key_table *table = table_new(SMALL);
    char                 id[PH_KEY_NAME_MAX + 1];
    unsigned             room = fill(table, UINT32_MAX);

    for (unsigned n = 0; n < room; n++) {
        int len = snprintf(id, sizeof(id), "key_%016x", n);

        assert_true(ph_key_remove(table, ph_str_make(id, (size_t) len)));
    }
    for (unsigned turn = 0; turn < 200; turn++) {
        for (unsigned n = 0; n < 100; n++) {
            assert_int_equal(put(table, n, turn), PH_OK);
        }
    }
    for (unsigned n = 0; n < 100; n++) {
        assert_true(ph_key_remove(table, name(id, n)));
    }
    assert_int_equal(ph_key_count(table), 0);
    assert_int_equal(fill(table, UINT32_MAX), room);
    table_end(table, SMALL);
}

/* --- processes */

static void
write_for_ever(struct ph_key_table *table, unsigned seed)
{
    char     id[PH_KEY_NAME_MAX + 1];
    unsigned x = seed;

    for (;;) {
        x          = x * 1664525u + 1013904223u;
        unsigned n = (x >> 8) % (KEPT + CHANGED);

        if (n >= KEPT && (x >> 28) < 6) {
            (void) ph_key_remove(table, name(id, n));
        } else if (put(table, n, x >> 20) != PH_OK) {
            _exit(2);
        }
    }
}

static void
read_for_ever(const struct ph_key_table *table, const int *stop,
              uint64_t *looks)
{
    while (!__atomic_load_n(stop, __ATOMIC_RELAXED)) {
        for (unsigned n = 0; n < KEPT + CHANGED; n++) {
            int found = look(table, n);

            if (found < 0 || (found == 0 && n < KEPT)) {
                fprintf(stderr, "# key %u: %s\n", n,
                        found < 0 ? "torn" : "absent");
                _exit(1);
            }
        }
        __atomic_fetch_add(looks, KEPT + CHANGED, __ATOMIC_RELAXED);
    }
    _exit(0);
}

static void
check_whole(const struct ph_key_table *table)
{
    size_t               at = 0, walked = 0;
    struct ph_key_record record;

    while (ph_key_next(table, &at, &record)) {
        assert_true(
            is_whole(&record, (unsigned) strtoul(record.id + 4, NULL, 10)));
        walked++;
    }
    assert_int_equal(walked, ph_key_count(table));
    for (unsigned n = 0; n < KEPT; n++) {
        assert_int_equal(look(table, n), 1);
    }
}

static void
kill_writer(struct ph_key_table *table, unsigned turn)
{
    int   status = 0;
    pid_t pid    = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        write_for_ever(table, turn * 2654435761u);
    }
    usleep(200 + turn * 7919u % 3000);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
}

static void
test_killed_writers(void **state)
{
    (void) state;
    struct ph_key_table *table = table_new(SMALL);
    struct ph_key_table *fresh = table_new(SMALL);
    struct {
        int      stop;
        uint64_t looks;
    } *shared = t_shared(sizeof(*shared));
    pid_t readers[READERS];
    char  id[PH_KEY_NAME_MAX + 1];

    for (unsigned n = 0; n < KEPT; n++) {
        assert_int_equal(put(table, n, 0), PH_OK);
    }
    for (size_t i = 0; i < READERS; i++) {
        readers[i] = fork();
        assert_true(readers[i] >= 0);
        if (readers[i] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            read_for_ever(table, &shared->stop, &shared->looks);
        }
    }
    for (unsigned turn = 0; turn < KILLS; turn++) {
        kill_writer(table, turn);
        assert_int_equal(put(table, turn % KEPT, turn), PH_OK);
        check_whole(table);
    }
    shared->stop = 1;
    for (size_t i = 0; i < READERS; i++) {
        int status = 0;

        assert_int_equal(waitpid(readers[i], &status, 0), readers[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    assert_true(shared->looks > KEPT + CHANGED);

    /* and no memory was lost on the way */
    for (unsigned n = 0; n < KEPT + CHANGED; n++) {
        (void) ph_key_remove(table, name(id, n));
    }
    assert_int_equal(fill(table, UINT32_MAX), fill(fresh, UINT32_MAX));
    table_end(table, SMALL);
    table_end(fresh, SMALL);
    table_end((struct ph_key_table *) (void *) shared, sizeof(*shared));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_find_replace_remove),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_no_leak),
        cmocka_unit_test(test_killed_writers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
