/*
 * test_nonce_table.c - seen, full, expired, cold; then processes that insert
 * the same nonces at once, and processes that are killed while they do.
 */
#include "t/unit/support.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "libpayhub/domain/nonce_table.h"

#define HEAD 128
#define BUCKET 2048
#define BUCKET_ROOM 127
#define NOW 1700000000
#define KEEP 600
#define PROCESSES 4
#define SAME_NONCES 1000000
#define KILLS 200
#define KILL_NONCES 60000

static const uint8_t secret[PH_SIPHASH_KEY_LEN] = "0123456789abcdef";

/* as nginx has it: shared, zeroed, aligned to a page */
static struct ph_nonce_table *
table_new(size_t size, int64_t born_s)
{
    return ph_nonce_table_make(t_shared(size), size, born_s, secret);
}

static void
table_end(struct ph_nonce_table *table, size_t size)
{
    assert_int_equal(munmap(table, size), 0);
}

static enum ph_nonce_verdict
insert_n(struct ph_nonce_table *table, unsigned long n, int64_t now_s)
{
    char text[32];
    int  len = snprintf(text, sizeof(text), "nonce-%lu", n);

    return ph_nonce_insert(table, PH_STR("k1"), ph_str_make(text, (size_t) len),
                           now_s, KEEP);
}

static void
test_making(void **state)
{
    static const struct {
        size_t size;
        int    buckets; /* 0: too small */
    } rows[] = {
        { 0, 0 },
        { HEAD + BUCKET - 1, 0 },
        { HEAD + BUCKET, 1 },
        { HEAD + 2 * BUCKET - 1, 1 },
        { HEAD + 5 * BUCKET, 5 },
    };
    size_t size = HEAD + 6 * BUCKET;

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_nonce_usage  usage;
        void                  *memory = t_shared(size);
        struct ph_nonce_table *table
            = ph_nonce_table_make(memory, rows[i].size, NOW, secret);

        assert_int_equal(table != NULL, rows[i].buckets != 0);
        assert_true(ph_nonce_table_open(memory, rows[i].size) == table);
        assert_null(ph_nonce_table_open(memory, rows[i].size + BUCKET));
        if (table != NULL) {
            assert_int_equal(ph_nonce_table_born(table), NOW);
            ph_nonce_usage_read(table, NOW, &usage);
            assert_int_equal(usage.places, rows[i].buckets * BUCKET_ROOM);
            assert_int_equal(usage.live, 0);
        }
        assert_int_equal(munmap(memory, size), 0);
    }
}

/* what a step does and what comes of it, on one table */
static void
test_seen_and_expired(void **state)
{
    static const struct {
        const char           *key_id, *nonce;
        int                   at; /* seconds after NOW */
        uint32_t              keep_s;
        enum ph_nonce_verdict want;
    } rows[] = {
        { "k1", "nonce-aa", 0, KEEP, PH_NONCE_NEW },
        { "k1", "nonce-aa", 0, KEEP, PH_NONCE_SEEN },
        { "k2", "nonce-aa", 0, KEEP, PH_NONCE_NEW }, /* each key its own */
        { "k1", "nonce-ab", 0, KEEP, PH_NONCE_NEW },
        { "k1n", "once-aa", 0, KEEP, PH_NONCE_NEW }, /* same bytes together */
        { "k1", "nonce-AA", 0, KEEP, PH_NONCE_NEW },
        { "k1", "nonce-aa", KEEP, KEEP, PH_NONCE_SEEN }, /* to the second */
        { "k1", "nonce-aa", -50, KEEP, PH_NONCE_SEEN },  /* clock went back */
        { "k1", "nonce-ac", -50, KEEP, PH_NONCE_NEW },
        { "k1", "nonce-ac", KEEP, KEEP, PH_NONCE_SEEN }, /* not early for it */
        { "k1", "nonce-aa", KEEP + 1, KEEP, PH_NONCE_NEW },
        { "k1", "nonce-aa", KEEP + 2, KEEP, PH_NONCE_SEEN },
        /* a longer keep is one for all, and stays */
        { "k1", "nonce-aa", 4 * KEEP, 10 * KEEP, PH_NONCE_SEEN },
        { "k1", "nonce-aa", 9 * KEEP, KEEP, PH_NONCE_SEEN },
        { "k1", "", 0, KEEP, PH_NONCE_NEW },
        { "", "k1", 0, KEEP, PH_NONCE_NEW },
    };
    size_t                 size  = HEAD + BUCKET;
    struct ph_nonce_table *table = table_new(size, NOW);

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        enum ph_nonce_verdict got = ph_nonce_insert(
            table, ph_str_z(rows[i].key_id), ph_str_z(rows[i].nonce),
            NOW + rows[i].at, rows[i].keep_s);

        if (got != rows[i].want) {
            print_error("row %zu: found %d, expected %d\n", i, (int) got,
                        (int) rows[i].want);
        }
        assert_int_equal(got, rows[i].want);
    }
    table_end(table, size);
}

static void
test_too_long_is_no_room(void **state)
{
    static char            text[PH_NONCE_NAME_MAX + 1];
    size_t                 size    = HEAD + BUCKET;
    struct ph_nonce_table *table   = table_new(size, NOW);
    struct ph_str          longest = ph_str_make(text, PH_NONCE_NAME_MAX);
    struct ph_str          longer  = ph_str_make(text, PH_NONCE_NAME_MAX + 1);

    (void) state;
    memset(text, 'a', sizeof(text));
    assert_int_equal(ph_nonce_insert(table, longest, longest, NOW, KEEP),
                     PH_NONCE_NEW);
    assert_int_equal(ph_nonce_insert(table, longer, longest, NOW, KEEP),
                     PH_NONCE_NO_ROOM);
    assert_int_equal(ph_nonce_insert(table, longest, longer, NOW, KEEP),
                     PH_NONCE_NO_ROOM);
    table_end(table, size);
}

/* one bucket: full is told, nothing is lost for it, room comes with age */
static void
test_full(void **state)
{
    size_t                 size  = HEAD + BUCKET;
    struct ph_nonce_table *table = table_new(size, NOW);
    struct ph_nonce_usage  usage;

    (void) state;
    for (unsigned long i = 0; i < BUCKET_ROOM; i++) {
        assert_int_equal(insert_n(table, i, NOW + (int64_t) i), PH_NONCE_NEW);
    }
    assert_int_equal(insert_n(table, 1000, NOW + 200), PH_NONCE_NO_ROOM);
    for (unsigned long i = 0; i < BUCKET_ROOM; i++) {
        assert_int_equal(insert_n(table, i, NOW + 200), PH_NONCE_SEEN);
    }
    ph_nonce_usage_read(table, NOW + 200, &usage);
    assert_int_equal(usage.live, BUCKET_ROOM);
    assert_int_equal(usage.inserted, BUCKET_ROOM);
    assert_int_equal(usage.seen, BUCKET_ROOM);
    assert_int_equal(usage.no_room, 1);

    /* the two oldest are gone; then one every 5 s, in many laps */
    ph_nonce_usage_read(table, NOW + KEEP + 2, &usage);
    assert_int_equal(usage.live, BUCKET_ROOM - 2);
    for (unsigned long i = 0; i < 300 * BUCKET_ROOM; i++) {
        int64_t now_s = NOW + KEEP + 1 + 5 * (int64_t) i;

        assert_int_equal(insert_n(table, 2000 + i, now_s), PH_NONCE_NEW);
        assert_int_equal(insert_n(table, 2000 + i, now_s), PH_NONCE_SEEN);
        if (i >= KEEP / 5) {
            assert_int_equal(insert_n(table, 2000 + i - KEEP / 5, now_s),
                             PH_NONCE_SEEN);
        }
    }
    table_end(table, size);
}

/* A process that died between filling a place and moving the cursor on leaves
 * the count one too low, in any lap. */
static void
test_cursor_left_behind(void **state)
{
    size_t                 size  = HEAD + BUCKET;
    struct ph_nonce_table *table = table_new(size, NOW);
    uint64_t *count = (uint64_t *) (void *) ((char *) table + HEAD);

    (void) state;
    for (unsigned long i = 0; i < 600UL * BUCKET_ROOM; i++) {
        int64_t now_s = NOW + 5 * (int64_t) i;

        assert_int_equal(insert_n(table, i, now_s), PH_NONCE_NEW);
        assert_int_equal(*count, i + 1);
        *count = i;
        assert_int_equal(insert_n(table, i, now_s), PH_NONCE_SEEN);
        assert_int_equal(*count, i + 1);
    }
    table_end(table, size);
}

static void
test_cold(void **state)
{
    static const struct {
        int64_t timestamp, window, ahead;
        bool    want;
    } rows[] = {
        { NOW - 1, 300, 0, true },      { NOW, 300, 0, true },
        { NOW + 1, 300, 0, false },     { NOW + 5, 300, 5, true },
        { NOW + 6, 300, 5, false },     { NOW + 300, 300, 300, true },
        { NOW + 301, 300, 300, false },
    };
    size_t                 size  = HEAD + BUCKET;
    struct ph_nonce_table *table = table_new(size, NOW);

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        assert_int_equal(ph_nonce_is_cold(table, rows[i].timestamp,
                                          rows[i].window, rows[i].ahead),
                         rows[i].want);
    }
    table_end(table, size);
}

/*
 * A request is sent, forgotten, sent again while its timestamp is inside the
 * window: with a steady clock that cannot be; when the clock jumps it is cold.
 */
static void
test_forgotten_is_cold(void **state)
{
    size_t                 size  = HEAD + BUCKET;
    int64_t                now_s = NOW + 1000;
    struct ph_nonce_table *table = table_new(size, NOW);

    (void) state;
    assert_int_equal(insert_n(table, 1, now_s), PH_NONCE_NEW);
    for (unsigned long i = 1; i < BUCKET_ROOM; i++) {
        assert_int_equal(insert_n(table, 1 + i, now_s), PH_NONCE_NEW);
    }
    /* steady: what was overwritten cannot pass the window any more */
    assert_int_equal(insert_n(table, 500, now_s + KEEP + 1), PH_NONCE_NEW);
    assert_false(
        ph_nonce_is_cold(table, now_s + KEEP + 1 - KEEP / 2, KEEP / 2, 0));
    /* the clock was wrong, and is back: every timestamp with which the first
     * nonce can have come is cold, whatever an insert says */
    assert_int_equal(insert_n(table, 2, now_s + 10), PH_NONCE_SEEN);
    assert_int_equal(insert_n(table, 1, now_s + 10), PH_NONCE_NO_ROOM);
    assert_true(ph_nonce_is_cold(table, now_s + 10, KEEP / 2, 0));
    assert_true(ph_nonce_is_cold(table, now_s + KEEP / 2, KEEP / 2, 0));
    assert_false(ph_nonce_is_cold(table, now_s + KEEP / 2 + 1, KEEP / 2, 0));
    table_end(table, size);
}

/* ---- several processes ---- */

struct shared {
    uint32_t start;
    uint32_t won[SAME_NONCES]; /* how often each nonce was new */
};

static pid_t
child(void (*work)(struct ph_nonce_table *, struct shared *, unsigned),
      struct ph_nonce_table *table, struct shared *shared, unsigned n)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        while (__atomic_load_n(&shared->start, __ATOMIC_ACQUIRE) == 0) {
            /* all at once */
        }
        work(table, shared, n);
        _exit(EXIT_SUCCESS);
    }
    return pid;
}

/* every process offers every nonce, in the same order but for small steps */
static void
insert_all(struct ph_nonce_table *table, struct shared *shared, unsigned n)
{
    for (unsigned long i = 0; i < SAME_NONCES; i++) {
        unsigned long at = i ^ n;

        if (insert_n(table, at, NOW) == PH_NONCE_NEW) {
            __atomic_fetch_add(&shared->won[at], 1, __ATOMIC_RELAXED);
        }
    }
}

static void
test_same_nonces_many_processes(void **state)
{
    size_t                 size   = (size_t) 48 << 20;
    struct ph_nonce_table *table  = table_new(size, NOW);
    struct shared         *shared = t_shared(sizeof(*shared));
    pid_t                  pids[PROCESSES];

    (void) state;
    for (unsigned n = 0; n < PROCESSES; n++) {
        pids[n] = child(insert_all, table, shared, n);
    }
    __atomic_store_n(&shared->start, 1, __ATOMIC_RELEASE);
    for (unsigned n = 0; n < PROCESSES; n++) {
        int status;

        assert_int_equal(waitpid(pids[n], &status, 0), pids[n]);
        assert_int_equal(status, 0);
    }
    for (unsigned long i = 0; i < SAME_NONCES; i++) {
        assert_int_equal(shared->won[i], 1);
    }
    table_end(table, size);
    assert_int_equal(munmap(shared, sizeof(*shared)), 0);
}

/*
 * One bucket, a clock that all of them push on: laps go by under every
 * process, and between two wins of a nonce lies more than its time.
 */
#define LAP_KEEP 5
#define LAP_NONCES 300
#define LAP_INSERTS 300000
#define LAP_A_SECOND 40 /* inserts, so that some find no room */

static void
insert_laps(struct ph_nonce_table *table, struct shared *shared, unsigned n)
{
    uint32_t *clock = &shared->won[LAP_NONCES];
    uint32_t  seed  = n + 1;

    for (unsigned long i = 0; i < LAP_INSERTS; i++) {
        uint32_t now = __atomic_load_n(clock, __ATOMIC_SEQ_CST);
        char     text[2];

        if (i % LAP_A_SECOND == 0) {
            now = __atomic_add_fetch(clock, 1, __ATOMIC_SEQ_CST);
        }
        uint32_t at = t_next(&seed) % LAP_NONCES;

        memcpy(text, &at, sizeof(text));
        if (ph_nonce_insert(table, PH_STR("k"), ph_str_make(text, 2),
                            NOW + (int64_t) now, LAP_KEEP)
            == PH_NONCE_NEW)
        {
            uint32_t before
                = __atomic_exchange_n(&shared->won[at], now, __ATOMIC_SEQ_CST);
            /* who was slow to say so may come second */
            uint32_t apart = before > now ? before - now : now - before;

            if (before != 0 && apart <= LAP_KEEP) {
                _exit(EXIT_FAILURE);
            }
            __atomic_add_fetch(&shared->won[LAP_NONCES + 1], 1,
                               __ATOMIC_SEQ_CST);
        }
    }
}

static void
test_laps_many_processes(void **state)
{
    size_t                 size   = HEAD + BUCKET;
    struct ph_nonce_table *table  = table_new(size, NOW);
    struct shared         *shared = t_shared(sizeof(*shared));
    struct ph_nonce_usage  usage;
    pid_t                  pids[PROCESSES];

    (void) state;
    for (unsigned n = 0; n < PROCESSES; n++) {
        pids[n] = child(insert_laps, table, shared, n);
    }
    __atomic_store_n(&shared->start, 1, __ATOMIC_RELEASE);
    for (unsigned n = 0; n < PROCESSES; n++) {
        int status;

        assert_int_equal(waitpid(pids[n], &status, 0), pids[n]);
        assert_int_equal(status, 0);
    }
    ph_nonce_usage_read(table, NOW, &usage);
    assert_int_equal(usage.inserted, shared->won[LAP_NONCES + 1]);
    assert_int_equal(usage.inserted + usage.seen + usage.no_room,
                     PROCESSES * LAP_INSERTS);
    assert_true(usage.inserted > 100 * BUCKET_ROOM);
    table_end(table, size);
    assert_int_equal(munmap(shared, sizeof(*shared)), 0);
}

/* Marks a nonce before it is offered and after it was taken; a process that
 * is killed between the two may have taken it or not. */
enum { OFFERED = 1, TAKEN = 0x100 };

static void
insert_until_killed(struct ph_nonce_table *table, struct shared *shared,
                    unsigned n)
{
    for (unsigned long i = 0; i < KILL_NONCES; i++) {
        unsigned long at = (i + n * 7919UL) % KILL_NONCES;

        __atomic_fetch_or(&shared->won[at], OFFERED, __ATOMIC_SEQ_CST);
        if (insert_n(table, at, NOW) == PH_NONCE_NEW) {
            __atomic_fetch_add(&shared->won[at], TAKEN, __ATOMIC_SEQ_CST);
        }
    }
}

static void
sleep_us(long us)
{
    struct timespec time = { 0, us * 1000 };

    (void) nanosleep(&time, NULL);
}

/* kill -9 anywhere: nobody hangs, no nonce is new twice, none is forgotten */
static void
test_killed_processes(void **state)
{
    size_t                 size   = (size_t) 2 << 20;
    struct shared         *shared = t_shared(sizeof(*shared));
    uint32_t               seed   = 7;
    unsigned long          deaths = 0, taken = 0;
    struct ph_nonce_table *table = table_new(size, NOW);

    (void) state;
    shared->start = 1;
    for (unsigned round = 0; round < KILLS; round++) {
        pid_t pids[2];

        for (unsigned n = 0; n < 2; n++) {
            pids[n]
                = child(insert_until_killed, table, shared, round + n * KILLS);
        }
        sleep_us((long) (t_next(&seed) % 4000));
        for (unsigned n = 0; n < 2; n++) {
            int status;

            assert_int_equal(kill(pids[n], SIGKILL), 0);
            assert_int_equal(waitpid(pids[n], &status, 0), pids[n]);
            deaths += WIFSIGNALED(status) ? 1 : 0;
        }
    }
    assert_true(deaths > KILLS / 2);
    for (unsigned long i = 0; i < KILL_NONCES; i++) {
        assert_true(shared->won[i] <= (TAKEN | OFFERED));
        if (shared->won[i] > OFFERED) {
            assert_int_equal(insert_n(table, i, NOW), PH_NONCE_SEEN);
            taken++;
        } else if (shared->won[i] == 0) {
            assert_int_equal(insert_n(table, i, NOW), PH_NONCE_NEW);
        }
    }
    assert_true(taken > 1000);
    table_end(table, size);
    assert_int_equal(munmap(shared, sizeof(*shared)), 0);
}

/* ---- room and cost ---- */

static double
now_ns(void)
{
    struct timespec time;

    (void) clock_gettime(CLOCK_MONOTONIC, &time);
    return (double) time.tv_sec * 1e9 + (double) time.tv_nsec;
}

/* the documented sizing: half used, tables of 16 MiB, none is refused */
static void
test_half_full_refuses_nobody(void **state)
{
    size_t        size = (size_t) 16 << 20;
    unsigned long n    = 0;
    double        ns   = 0;

    (void) state;
    for (unsigned round = 0; round < 3; round++) {
        struct ph_nonce_table *table = table_new(size, NOW);
        struct ph_nonce_usage  usage;
        unsigned long          half;
        double                 began = now_ns();

        ph_nonce_usage_read(table, NOW, &usage);
        half = (unsigned long) usage.places / 2;
        for (unsigned long i = 0; i < half; i++) {
            assert_int_equal(insert_n(table, n++, NOW), PH_NONCE_NEW);
        }
        ns += (now_ns() - began) / (double) half;
        ph_nonce_usage_read(table, NOW, &usage);
        /* estimated from an eighth of the buckets */
        assert_true(usage.live > half * 98 / 100);
        assert_true(usage.live < half * 102 / 100);
        table_end(table, size);
    }
    print_message("insert while filling to a half: %.0f ns\n", ns / 3);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_making),
        cmocka_unit_test(test_seen_and_expired),
        cmocka_unit_test(test_too_long_is_no_room),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_cursor_left_behind),
        cmocka_unit_test(test_cold),
        cmocka_unit_test(test_forgotten_is_cold),
        cmocka_unit_test(test_same_nonces_many_processes),
        cmocka_unit_test(test_laps_many_processes),
        cmocka_unit_test(test_killed_processes),
        cmocka_unit_test(test_half_full_refuses_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
