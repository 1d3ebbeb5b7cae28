/*
 * test_daemon.c - files, secrets, configuration from disk, readiness messages
 * and log lines, in a folder of its own.
 */
#include "t/unit/support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"

static char folder[] = "/tmp/payhub-unit-XXXXXX";
static char path_memory[256];

static const char *
in_folder(const char *name)
{
    (void) snprintf(path_memory, sizeof(path_memory), "%s/%s", folder, name);
    return path_memory;
}

static int
set_up(void **state)
{
    (void) state;
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
    static const char *const names[]
        = { "file", "secret", "conf", "key", "old", "socket", "log" };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(names); i++) {
        (void) unlink(in_folder(names[i]));
    }
    return rmdir(folder); /* fails when a temporary file was left */
}

static void
put(const char *name, struct ph_str bytes, unsigned mode)
{
    char          memory[256];
    struct ph_buf why = PH_BUF_INIT(memory);

    if (!ph_file_replace(in_folder(name), bytes, mode, &why)) {
        fail_msg("%s", ph_buf_z(&why));
    }
}

static void
test_replace_and_read(void **state)
{
    char          memory[8], why_memory[512];
    struct ph_buf out = PH_BUF_INIT(memory), why = PH_BUF_INIT(why_memory);
    struct stat   st;

    (void) state;
    put("file", PH_STR("one"), 0640);
    put("file", PH_STR("two!\n"), 0600);
    assert_int_equal(stat(in_folder("file"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_true(ph_file_read(in_folder("file"), &out, &why));
    t_same(ph_buf_str(&out), PH_STR("two!\n"));

    /* exactly full is fine, one byte more is not, and nothing is kept */
    ph_buf_init(&out, memory, 5);
    assert_true(ph_file_read(in_folder("file"), &out, &why));
    ph_buf_init(&out, memory, 4);
    assert_false(ph_file_read(in_folder("file"), &out, &why));
    assert_int_equal(out.len, 0);
}

static void
test_read_refused(void **state)
{
    static const struct {
        const char *path;
        const char *found;
    } rows[] = {
        { "/nonexistent/x", "No such file or directory" },
        { "/tmp", "no regular file" },
        { "/dev/null", "no regular file" },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        char          memory[8], why_memory[512];
        struct ph_buf out = PH_BUF_INIT(memory), why = PH_BUF_INIT(why_memory);

        assert_false(ph_file_read(rows[i].path, &out, &why));
        assert_non_null(strstr(ph_buf_z(&why), rows[i].found));
        assert_non_null(strstr(ph_buf_z(&why), ", expected "));
    }
}

static void
test_secret(void **state)
{
    static const struct {
        struct ph_str in, want;
    } rows[] = {
        { PH_STR_INIT("abc"), PH_STR_INIT("abc") },
        { PH_STR_INIT("abc\n"), PH_STR_INIT("abc") },
        { PH_STR_INIT("abc\n\n"), PH_STR_INIT("abc\n") },
        { PH_STR_INIT("abc\r\n"), PH_STR_INIT("abc\r") },
        { PH_STR_INIT("\n"), PH_STR_INIT("") },
        { PH_STR_INIT(""), PH_STR_INIT("") },
    };
    static const unsigned open_modes[] = { 0640, 0604, 0610, 0601, 0666 };
    char                  memory[16], why_memory[512];
    struct ph_buf         why = PH_BUF_INIT(why_memory);

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_buf out = PH_BUF_INIT(memory);

        put("secret", rows[i].in, 0600);
        assert_true(ph_secret_read(in_folder("secret"), &out, &why));
        t_same(ph_buf_str(&out), rows[i].want);
    }
    for (size_t i = 0; i < PH_COUNT(open_modes); i++) {
        struct ph_buf out = PH_BUF_INIT(memory);

        put("secret", PH_STR("abc"), open_modes[i]);
        assert_false(ph_secret_read(in_folder("secret"), &out, &why));
        assert_int_equal(out.len, 0);
        assert_non_null(strstr(ph_buf_z(&why), "chmod 600"));
    }
}

static void
test_conf_load(void **state)
{
    static struct ph_conf conf;
    char                  memory[512];
    struct ph_buf         why = PH_BUF_INIT(memory);

    (void) state;
    put("conf", PH_STR("[log]\nlevel = warn\n[pay]\nlate = accept\n"), 0600);
    assert_int_equal(setenv("PAYHUB_LOG_LEVEL", "error", 1), 0);
    assert_true(ph_conf_load(&conf, in_folder("conf"), &why));
    assert_string_equal(ph_conf_text(&conf, PH_CONF_log_level), "error");
    assert_string_equal(ph_conf_text(&conf, PH_CONF_pay_late), "accept");

    assert_int_equal(setenv("PAYHUB_CONFIG", in_folder("conf"), 1), 0);
    assert_true(ph_conf_load(&conf, NULL, &why));

    assert_int_equal(setenv("PAYHUB_LOG_LEVLE", "error", 1), 0);
    assert_false(ph_conf_load(&conf, NULL, &why));
    assert_non_null(strstr(ph_buf_z(&why), "PAYHUB_LOG_LEVLE"));
    assert_int_equal(unsetenv("PAYHUB_LOG_LEVLE"), 0);
    assert_int_equal(unsetenv("PAYHUB_LOG_LEVEL"), 0);
    assert_int_equal(unsetenv("PAYHUB_CONFIG"), 0);

    put("conf", PH_STR("[log]\nlevel = warm\n"), 0600);
    ph_buf_cut(&why, 0);
    assert_false(ph_conf_load(&conf, in_folder("conf"), &why));
    assert_non_null(strstr(ph_buf_z(&why), "/conf:2: found \"warm\""));
    assert_false(ph_conf_load(&conf, "/nonexistent/payhub.conf", &why));
}

#define HEX64 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1D1E1F"

static bool
seal_keys(const char *key, const char *old, const char *old_id,
          struct ph_seal_key keys[2], size_t *count)
{
    static struct ph_conf conf; /* the keys' names live in it */
    char                  memory[512], text_memory[512];
    struct ph_buf         why  = PH_BUF_INIT(memory);
    struct ph_buf         text = PH_BUF_INIT(text_memory);

    put("key", ph_str_z(key), 0600);
    put("old", ph_str_z(old), 0600);
    ph_conf_init(&conf);
    ph_buf_add(&text, PH_STR("[seal]\nkey_file = "));
    ph_buf_add(&text, ph_str_z(in_folder("key")));
    ph_buf_add(&text, PH_STR("\nold_key_file = "));
    ph_buf_add(&text, ph_str_z(in_folder("old")));
    ph_buf_add(&text, PH_STR("\nold_key_id = "));
    ph_buf_add(&text, ph_str_z(old_id));
    assert_int_equal(ph_conf_parse(&conf, "f", ph_buf_str(&text), &why), PH_OK);
    bool ok = ph_seal_keys_load(&conf, keys, count, &why);
    assert_int_equal(ok, why.len == 0);
    return ok;
}

static void
test_seal_keys(void **state)
{
    static struct ph_conf conf;
    struct ph_seal_key    keys[2];
    size_t                count = 9;
    char                  memory[64];
    struct ph_buf         why = PH_BUF_INIT(memory);

    (void) state;
    ph_conf_init(&conf);
    assert_true(ph_seal_keys_load(&conf, keys, &count, &why));
    assert_int_equal(count, 0);

    assert_true(seal_keys(HEX64 "\n", HEX64, "k0", keys, &count));
    assert_int_equal(count, 2);
    t_same(keys[0].id, PH_STR("k1"));
    t_same(keys[1].id, PH_STR("k0"));
    for (size_t i = 0; i < PH_SEAL_KEY_LEN; i++) {
        assert_int_equal(keys[0].bytes[i], i);
        assert_int_equal(keys[1].bytes[i], i);
    }
    assert_false(seal_keys(HEX64, HEX64, "k1", keys, &count));
    assert_false(seal_keys(HEX64, HEX64, "", keys, &count));
    assert_false(seal_keys(HEX64 "0", HEX64, "k0", keys, &count));
    assert_false(seal_keys("00", HEX64, "k0", keys, &count));
    assert_false(seal_keys(HEX64, "", "k0", keys, &count));
    assert_false(seal_keys("x" HEX64, HEX64, "k0", keys, &count));
    assert_false(seal_keys("0001020304050607080g0a0b0c0d0e0f"
                           "101112131415161718191a1b1c1d1e1f",
                           HEX64, "k0", keys, &count));
}

/* What arrives at a supervisor's socket, by path and by abstract name. */
static void
test_notify(void **state)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };

    (void) state;
    for (int abstract = 0; abstract < 2; abstract++) {
        char name[108], got[64] = "";
        int  sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

        assert_true(sock >= 0);
        (void) snprintf(name, sizeof(name), "%s%s/socket", abstract ? "@" : "",
                        folder);
        memcpy(addr.sun_path, name, sizeof(name));
        addr.sun_path[0] = abstract ? '\0' : '/';
        socklen_t len    = (socklen_t) (offsetof(struct sockaddr_un, sun_path)
                                     + strlen(name));
        assert_int_equal(bind(sock, (const struct sockaddr *) &addr, len), 0);
        assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
        ph_daemon_notify("READY=1");
        assert_int_equal(recv(sock, got, sizeof(got), 0), 7);
        assert_string_equal(got, "READY=1");
        (void) close(sock);
    }
    /* nobody listens, no variable, a wrong one: nothing happens */
    ph_daemon_notify("READY=1");
    assert_int_equal(setenv("NOTIFY_SOCKET", "relative", 1), 0);
    ph_daemon_notify("READY=1");
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    ph_daemon_notify("READY=1");
}

/* one line as it stands in the log, its time taken off */
static struct ph_str
logged(const struct ph_log_pair *pairs, size_t count)
{
    static char memory[4096];
    int         fd   = open(in_folder("log"), O_RDWR | O_CREAT | O_TRUNC, 0600);
    int         kept = dup(STDERR_FILENO);

    assert_true(fd >= 0 && kept >= 0);
    (void) dup2(fd, STDERR_FILENO);
    ph_log_write(PH_LOG_WARN, "test", pairs, count);
    (void) dup2(kept, STDERR_FILENO);
    ssize_t len = pread(fd, memory, sizeof(memory), 0);
    (void) close(fd);
    (void) close(kept);
    assert_true(len >= 25 && len <= PH_LOG_LINE_MAX);
    assert_memory_equal(memory + 23, "Z ", 2);
    return ph_str_make(memory + 25, (size_t) len - 25);
}

static void
test_log(void **state)
{
    static char              big[2000];
    const struct ph_log_pair pairs[] = {
        { "plain", PH_STR("P01/x.y:z") },
        { "empty", PH_STR("") },
        { "blank", PH_STR("a b") },
        { "mark", PH_STR("a=\"b\"\\") },
        { "line", PH_STR("a\nev=forged") },
        { "raw", PH_STR("\xff\x00") },
        { "n", ph_log_i64(-7) },
        { "m", ph_log_i64(INT64_MIN) },
    };
    const struct ph_log_pair cut[] = { { "a", PH_STR("1") },
                                       { "big", ph_str_make(big, sizeof(big)) },
                                       { "b", PH_STR("2") } };

    (void) state;
    t_same(logged(pairs, PH_COUNT(pairs)),
           PH_STR("warn ev=test plain=P01/x.y:z empty=\"\" blank=\"a b\" "
                  "mark=\"a=\\\"b\\\"\\\\\" line=\"a\\nev=forged\" "
                  "raw=hex:ff00 n=-7 m=-9223372036854775808\n"));
    memset(big, 'x', sizeof(big));
    t_same(logged(cut, PH_COUNT(cut)),
           PH_STR("warn ev=test a=1 b=2 cut=yes\n"));
    t_same(logged(NULL, 0), PH_STR("warn ev=test\n"));
}

static void
test_log_level(void **state)
{
    (void) state;
    assert_false(ph_log_level_set("loud"));
    assert_true(ph_log_is_on(PH_LOG_INFO));
    assert_false(ph_log_is_on(PH_LOG_DEBUG));
    assert_true(ph_log_level_set("error"));
    assert_true(ph_log_is_on(PH_LOG_ERROR));
    assert_false(ph_log_is_on(PH_LOG_WARN));
    assert_true(ph_log_level_set("info"));
}

static void
test_clock_and_random(void **state)
{
    uint8_t  a[300], b[300];
    uint64_t before = ph_monotonic_ns();

    (void) state;
    assert_true(ph_now_ms() > UINT64_C(1700000000000));
    assert_true(ph_monotonic_ns() >= before);
    ph_random(a, sizeof(a));
    ph_random(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
    ph_random(a, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replace_and_read),
        cmocka_unit_test(test_read_refused),
        cmocka_unit_test(test_secret),
        cmocka_unit_test(test_conf_load),
        cmocka_unit_test(test_seal_keys),
        cmocka_unit_test(test_notify),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_log_level),
        cmocka_unit_test(test_clock_and_random),
    };

    return cmocka_run_group_tests_name("daemon", tests, set_up, tear_down);
}
