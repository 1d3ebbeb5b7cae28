/*
 * test_conf.c - payhub.conf: defaults, what is taken, each refusal with its
 * line, the environment.
 */
#include "t/unit/support.h"

#include "libpayhub/base/conf_rules.h"

static void
test_defaults(void **state)
{
    static struct ph_conf conf;

    (void) state;
    ph_conf_init(&conf);
    for (unsigned i = 0; i < PH_CONF_KEYS; i++) {
        const struct ph_conf_row *row = ph_conf_row((enum ph_conf_key) i);
        int64_t                   number;

        assert_string_equal(conf.text[i], row->value);
        assert_int_equal(conf.line[i], 0);
        assert_true(
            ph_conf_judge((enum ph_conf_key) i, ph_str_z(row->value), &number));
        assert_true(row->min <= row->max);
        assert_true(row->meaning[0] != '\0');
    }
    assert_int_equal(ph_conf_number(&conf, PH_CONF_redis_timeout), 500);
    assert_int_equal(ph_conf_number(&conf, PH_CONF_notify_allow_loopback), 0);
    assert_int_equal(ph_conf_number(&conf, PH_CONF_notify_schedule), 16);
    assert_string_equal(ph_conf_text(&conf, PH_CONF_pay_late), "refund");
}

static enum ph_rc
parse(struct ph_conf *conf, struct ph_str text, struct ph_buf *why)
{
    ph_conf_init(conf);
    ph_buf_cut(why, 0);
    return ph_conf_parse(conf, "f.conf", text, why);
}

static void
test_taken(void **state)
{
    static struct ph_conf conf;
    char                  memory[512];
    struct ph_buf         why = PH_BUF_INIT(memory);
    int64_t               ms[PH_CONF_TIMES_MAX];

    (void) state;
    assert_int_equal(
        parse(&conf,
              PH_STR("; a comment\n# another ; with marks = [x]\n\n  \t\n"
                     "[pay]\nlate=accept\n"
                     "public_url   =   https://pay.example:8443/base\n"
                     "[store]\nhost = db=1:x\nport=\t3307\n"
                     "[pay]\nchannel_deadline = 1m\n"
                     "[notify]\nallow_loopback = yes\n"
                     "schedule = 0s 500ms 1h\nca_file ="),
              &why),
        PH_OK);
    assert_string_equal(ph_conf_text(&conf, PH_CONF_pay_late), "accept");
    assert_string_equal(ph_conf_text(&conf, PH_CONF_pay_public_url),
                        "https://pay.example:8443/base");
    assert_string_equal(ph_conf_text(&conf, PH_CONF_store_host), "db=1:x");
    assert_int_equal(ph_conf_number(&conf, PH_CONF_store_port), 3307);
    assert_int_equal(conf.line[PH_CONF_store_port], 10);
    assert_int_equal(ph_conf_number(&conf, PH_CONF_pay_channel_deadline),
                     60000);
    assert_int_equal(ph_conf_number(&conf, PH_CONF_notify_allow_loopback), 1);
    assert_int_equal(ph_conf_times(&conf, PH_CONF_notify_schedule, ms), 3);
    assert_true(ms[0] == 0 && ms[1] == 500 && ms[2] == 3600000);
    assert_int_equal(conf.line[PH_CONF_notify_ca_file], 16);
    assert_int_equal(why.len, 0);
    assert_int_equal(parse(&conf, PH_STR(""), &why), PH_OK);
}

#define L190                                                                   \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
    "x"                                                                        \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
    "x"                                                                        \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* clang-format off */
static const struct {
    struct ph_str in;
    enum ph_rc    rc;
    const char   *why;
} refused[] = {
    { PH_STR_INIT("; " L190 "x\n"), PH_E_RANGE,
      "f.conf:1: found a line over 190 bytes, expected at most 190; put long "
      "texts into files" },
    { PH_STR_INIT("[pay]\n late = accept\n"), PH_E_SYNTAX,
      "f.conf:2: found a blank at the start of \" late = accept\", expected "
      "every line to begin in column 1" },
    { PH_STR_INIT("[notify]\nschedule = 1s\n\t2s\n"), PH_E_SYNTAX,
      "f.conf:3: found a blank at the start of \"\\t2s\", expected every "
      "line to begin in column 1" },
    { PH_STR_INIT("[pay]\nlate = accept\nlate = accept\n"), PH_E_DUPLICATE,
      "f.conf:3: found a second \"late\", expected each key once" },
    { PH_STR_INIT("[pay]\nlate = accept\n[log]\n[pay]\nlate = refund\n"),
      PH_E_DUPLICATE,
      "f.conf:5: found a second \"late\", expected each key once" },
    { PH_STR_INIT("[pays]\n"), PH_E_UNKNOWN,
      "f.conf:1: found section \"pays\", expected a section of "
      "docs/configuration.md" },
    { PH_STR_INIT("[Pay]\n"), PH_E_SYNTAX,
      "f.conf:1: found \"[Pay]\", expected [section] and nothing after it" },
    { PH_STR_INIT("[pay\n"), PH_E_SYNTAX,
      "f.conf:1: found \"[pay\", expected [section] and nothing after it" },
    { PH_STR_INIT("[pay] ; x\n"), PH_E_SYNTAX,
      "f.conf:1: found \"[pay] ; x\", expected [section] and nothing after "
      "it" },
    { PH_STR_INIT("[]\n"), PH_E_SYNTAX,
      "f.conf:1: found \"[]\", expected [section] and nothing after it" },
    { PH_STR_INIT("[pay]\nlater = accept\n"), PH_E_UNKNOWN,
      "f.conf:2: found key \"later\", expected a key of this section in "
      "docs/configuration.md" },
    { PH_STR_INIT("[log]\nlate = accept\n"), PH_E_UNKNOWN,
      "f.conf:2: found key \"late\", expected a key of this section in "
      "docs/configuration.md" },
    { PH_STR_INIT("late = accept\n"), PH_E_SYNTAX,
      "f.conf:1: found key \"late\", expected a [section] before the first "
      "key" },
    { PH_STR_INIT("[pay]\nlate\n"), PH_E_SYNTAX,
      "f.conf:2: found \"late\", expected [section], key = value, a comment, "
      "or nothing" },
    { PH_STR_INIT("[pay]\nlate: accept\n"), PH_E_SYNTAX,
      "f.conf:2: found \"late: accept\", expected [section], key = value, a "
      "comment, or nothing" },
    { PH_STR_INIT("[pay]\nLate = accept\n"), PH_E_SYNTAX,
      "f.conf:2: found \"Late = accept\", expected [section], key = value, a "
      "comment, or nothing" },
    { PH_STR_INIT("[pay]\n= accept\n"), PH_E_SYNTAX,
      "f.conf:2: found \"= accept\", expected [section], key = value, a "
      "comment, or nothing" },
    { PH_STR_INIT("[pay]\nlate = accept ; why\n"), PH_E_SYNTAX,
      "f.conf:2: found a comment behind a value in \"late = accept ; why\", "
      "expected comments on lines of their own" },
    { PH_STR_INIT("[pay]\nlate = accept # why\n"), PH_E_SYNTAX,
      "f.conf:2: found a comment behind a value in \"late = accept # why\", "
      "expected comments on lines of their own" },
    { PH_STR_INIT("[pay]\nlate =;accept\n"), PH_E_SYNTAX,
      "f.conf:2: found a comment behind a value in \"late =;accept\", "
      "expected comments on lines of their own" },
    { PH_STR_INIT("[pay]\r\nlate = accept\r\n"), PH_E_SYNTAX,
      "f.conf:1: found a carriage return, expected lines that end in LF "
      "alone" },
    { PH_STR_INIT("[pay]\nlate = acc\0ept\n"), PH_E_SYNTAX,
      "f.conf:2: found a control byte in \"late = acc\\u0000ept\", expected "
      "printable UTF-8" },
    { PH_STR_INIT("[pay]\n\0\n"), PH_E_SYNTAX,
      "f.conf:2: found a control byte in \"\\u0000\", expected printable "
      "UTF-8" },
    { PH_STR_INIT("\xef\xbb\xbf[pay]\n"), PH_E_SYNTAX,
      "f.conf:1: found bytes that are not plain UTF-8, expected UTF-8 without "
      "a byte order mark" },
    { PH_STR_INIT("[store]\nhost = \xff\n"), PH_E_SYNTAX,
      "f.conf:2: found bytes that are not plain UTF-8, expected UTF-8 without "
      "a byte order mark" },
};

static const struct {
    const char *line, *expected;
} wrong_values[] = {
    { "[pay]\nlate = Accept", "accept or refund" },
    { "[pay]\nlate =", "accept or refund" },
    { "[log]\nlevel = trace", "error, warn, info or debug" },
    { "[worker]\nlisten = tcp:1", "unix:/PATH of at most 107 bytes" },
    { "[worker]\nlisten = unix:/", "unix:/PATH of at most 107 bytes" },
    { "[worker]\nroles = pay,pay",
      "a comma list of pay, notify, janitor, admin, each once" },
    { "[worker]\nroles = pay, notify",
      "a comma list of pay, notify, janitor, admin, each once" },
    { "[worker]\nmax_connections = 0", "a number from 1 to 65536" },
    { "[worker]\nmax_connections = 65537", "a number from 1 to 65536" },
    { "[worker]\nmax_connections = 0x10", "a number from 1 to 65536" },
    { "[worker]\nmax_connections = -1", "a number from 1 to 65536" },
    { "[worker]\nmax_connections = 1 2", "a number from 1 to 65536" },
    { "[worker]\nmax_connections =", "a number from 1 to 65536" },
    { "[worker]\nmax_connections = 99999999999999999999",
      "a number from 1 to 65536" },
    { "[worker]\ndrain = 10", "a time (ms, s, m, h) from 0s to 10m" },
    { "[worker]\ndrain = 10S", "a time (ms, s, m, h) from 0s to 10m" },
    { "[worker]\ndrain = 1.5s", "a time (ms, s, m, h) from 0s to 10m" },
    { "[worker]\ndrain = s", "a time (ms, s, m, h) from 0s to 10m" },
    { "[worker]\ndrain = 601s", "a time (ms, s, m, h) from 0s to 10m" },
    { "[worker]\ndrain = 99999999999999999999h",
      "a time (ms, s, m, h) from 0s to 10m" },
    { "[notify]\nallow_loopback = true", "yes or no" },
    { "[notify]\nschedule =",
      "1 to 24 times (ms, s, m, h) between single blanks, each from 0s to "
      "24h" },
    { "[notify]\nschedule = 1s  2s",
      "1 to 24 times (ms, s, m, h) between single blanks, each from 0s to "
      "24h" },
    { "[notify]\nschedule = 25h",
      "1 to 24 times (ms, s, m, h) between single blanks, each from 0s to "
      "24h" },
    { "[notify]\nschedule = 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s "
      "1s 1s 1s 1s 1s 1s 1s 1s 1s",
      "1 to 24 times (ms, s, m, h) between single blanks, each from 0s to "
      "24h" },
    { "[store]\nsocket = run/db.sock", "an absolute path" },
    { "[seal]\nkey_file = ~/key", "an absolute path" },
    { "[seal]\nkey_id = a b", "1 to 32 of [A-Za-z0-9_-]" },
    { "[redis]\nprefix = a:b", "1 to 16 of [A-Za-z0-9_-]" },
    { "[redis]\nprefix =", "1 to 16 of [A-Za-z0-9_-]" },
    { "[sidecar]\nday_offset = 08:00", "+HH:MM or -HH:MM up to 14:00" },
    { "[sidecar]\nday_offset = +14:01", "+HH:MM or -HH:MM up to 14:00" },
    { "[sidecar]\nday_offset = +08:60", "+HH:MM or -HH:MM up to 14:00" },
    { "[pay]\npublic_url = ftp://x",
      "http://HOST or https://HOST, no / at the end" },
    { "[pay]\npublic_url = http://x/",
      "http://HOST or https://HOST, no / at the end" },
    { "[pay]\npublic_url = http://u@x",
      "http://HOST or https://HOST, no / at the end" },
    { "[pay]\npublic_url = http:///x",
      "http://HOST or https://HOST, no / at the end" },
    { "[pay]\nproxy = proxy.example:3128",
      "http://HOST:PORT or socks5h://HOST:PORT" },
    { "[pay]\nproxy = https://proxy:3128",
      "http://HOST:PORT or socks5h://HOST:PORT" },
    { "[pay]\nproxy = socks5://proxy:1080",
      "http://HOST:PORT or socks5h://HOST:PORT" },
    { "[pay]\nproxy = http://proxy",
      "http://HOST:PORT or socks5h://HOST:PORT" },
    { "[pay]\nproxy = http://proxy:",
      "http://HOST:PORT or socks5h://HOST:PORT" },
    { "[pay]\nproxy = http://proxy:0",
      "http://HOST:PORT or socks5h://HOST:PORT" },
    { "[pay]\nproxy = http://proxy:65536",
      "http://HOST:PORT or socks5h://HOST:PORT" },
    { "[pay]\nproxy = http://proxy:3128/",
      "http://HOST:PORT or socks5h://HOST:PORT" },
    { "[pay]\nproxy = http://u:p@proxy:3128",
      "http://HOST:PORT or socks5h://HOST:PORT" },
    { "[pay]\nproxy = http://:3128",
      "http://HOST:PORT or socks5h://HOST:PORT" },
    { "[pay]\nproxy = http://a b:1",
      "http://HOST:PORT or socks5h://HOST:PORT" },
    { "[pay]\nproxy = http://[::1:1",
      "http://HOST:PORT or socks5h://HOST:PORT" },
    { "[pay]\nproxy = http://::1:1",
      "http://HOST:PORT or socks5h://HOST:PORT" },
    { "[pay]\nproxy = http://pro_xy:1x",
      "http://HOST:PORT or socks5h://HOST:PORT" },
    { "[pay]\nproxy = HTTP://proxy:1",
      "http://HOST:PORT or socks5h://HOST:PORT" },
    { "[admin]\napi_url = http://:80",
      "http://HOST or https://HOST, no / at the end" },
    { "[store]\nsocket =", "an absolute path" },
    { "[store]\ndatabase =", "text" },
};
/* clang-format on */

static void
test_refused(void **state)
{
    static struct ph_conf conf;
    char                  memory[512];
    struct ph_buf         why = PH_BUF_INIT(memory);

    (void) state;
    for (size_t i = 0; i < PH_COUNT(refused); i++) {
        enum ph_rc rc = parse(&conf, refused[i].in, &why);

        t_same(ph_buf_str(&why), ph_str_z(refused[i].why));
        assert_int_equal(rc, refused[i].rc);
    }
}

static void
test_wrong_values(void **state)
{
    static struct ph_conf conf;
    char                  memory[512], want_memory[512];
    struct ph_buf         why  = PH_BUF_INIT(memory);
    struct ph_buf         want = PH_BUF_INIT(want_memory);

    (void) state;
    for (size_t i = 0; i < PH_COUNT(wrong_values); i++) {
        struct ph_str line = ph_str_z(wrong_values[i].line), head, value;

        assert_int_equal(parse(&conf, line, &why), PH_E_RANGE);
        assert_true(ph_str_cut(line, '=', &head, &value));
        ph_buf_cut(&want, 0);
        ph_buf_add(&want, PH_STR("f.conf:2: found "));
        ph_buf_json(&want, ph_str_trim(value));
        ph_buf_add(&want, PH_STR(", expected "));
        ph_buf_add(&want, ph_str_z(wrong_values[i].expected));
        t_same(ph_buf_str(&why), ph_buf_str(&want));
    }
}

static void
test_sizes(void **state)
{
    static struct ph_conf conf;
    static char           text[PH_CONF_TEXT_MAX + 1];
    char                  memory[512];
    struct ph_buf         why  = PH_BUF_INIT(memory);
    struct ph_buf         line = PH_BUF_INIT(text);

    (void) state;
    /* exactly 190 bytes are taken */
    ph_buf_add(&line, PH_STR("[store]\nhost = "));
    while (line.len < 8 + PH_CONF_LINE_MAX) {
        ph_buf_byte(&line, 'x');
    }
    assert_int_equal(parse(&conf, ph_buf_str(&line), &why), PH_OK);
    assert_int_equal(strlen(ph_conf_text(&conf, PH_CONF_store_host)), 183);
    ph_buf_byte(&line, 'x');
    assert_int_equal(parse(&conf, ph_buf_str(&line), &why), PH_E_RANGE);

    memset(text, '\n', sizeof(text));
    assert_int_equal(parse(&conf, ph_str_make(text, PH_CONF_TEXT_MAX), &why),
                     PH_OK);
    assert_int_equal(parse(&conf, ph_str_make(text, sizeof(text)), &why),
                     PH_E_RANGE);
    /* a message that does not fit is cut, not overrun */
    ph_buf_init(&why, memory, 4);
    assert_int_equal(ph_conf_parse(&conf, "f", PH_STR("[x]"), &why),
                     PH_E_UNKNOWN);
    assert_true(why.full);
}

static void
test_environment(void **state)
{
    static const struct {
        struct ph_str entry;
        enum ph_rc    rc;
        const char   *why;
    } rows[] = {
        { PH_STR_INIT("PATH=/bin"), PH_OK, "" },
        { PH_STR_INIT("PAYHUB"), PH_OK, "" },
        { PH_STR_INIT("payhub_url=x"), PH_OK, "" },
        { PH_STR_INIT("PAYHUB_URL=http://127.0.0.1:1"), PH_OK, "" },
        { PH_STR_INIT("PAYHUB_PID_WORKER_1=77"), PH_OK, "" },
        { PH_STR_INIT("PAYHUB_CRASH_AT=sent"), PH_OK, "" },
        { PH_STR_INIT("PAYHUB_CONFIG=/x"), PH_OK, "" },
        { PH_STR_INIT("PAYHUB_URLS=x"), PH_E_UNKNOWN,
          "environment: PAYHUB_URLS: found a name \"URLS\", expected "
          "PAYHUB_SECTION_KEY or a name of docs/configuration.md" },
        { PH_STR_INIT("PAYHUB_PID=1"), PH_E_UNKNOWN,
          "environment: PAYHUB_PID: found a name \"PID\", expected "
          "PAYHUB_SECTION_KEY or a name of docs/configuration.md" },
        { PH_STR_INIT("PAYHUB_=1"), PH_E_UNKNOWN,
          "environment: PAYHUB_: found a name \"\", expected "
          "PAYHUB_SECTION_KEY or a name of docs/configuration.md" },
        { PH_STR_INIT("PAYHUB_PAY_LATER=1"), PH_E_UNKNOWN,
          "environment: PAYHUB_PAY_LATER: found a name \"PAY_LATER\", expected "
          "PAYHUB_SECTION_KEY or a name of docs/configuration.md" },
        { PH_STR_INIT("PAYHUB_pay_late=accept"), PH_E_UNKNOWN,
          "environment: PAYHUB_pay_late: found a name \"pay_late\", expected "
          "PAYHUB_SECTION_KEY or a name of docs/configuration.md" },
        { PH_STR_INIT("PAYHUB_PAY_LATE=no"), PH_E_RANGE,
          "environment: PAYHUB_PAY_LATE: found \"no\", expected accept or "
          "refund" },
        { PH_STR_INIT("PAYHUB_LOG_LEVEL=debug"), PH_OK, "" },
        { PH_STR_INIT("PAYHUB_REDIS_SOCKET=/r"), PH_OK, "" },
        { PH_STR_INIT("PAYHUB_PAY_MAX_INFLIGHT_ACCOUNT=7"), PH_OK, "" },
    };
    static struct ph_conf conf;
    char                  memory[512];
    struct ph_buf         why = PH_BUF_INIT(memory);

    (void) state;
    ph_conf_init(&conf);
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        ph_buf_cut(&why, 0);
        assert_int_equal(ph_conf_env(&conf, rows[i].entry, &why), rows[i].rc);
        t_same(ph_buf_str(&why), ph_str_z(rows[i].why));
    }
    assert_string_equal(ph_conf_text(&conf, PH_CONF_log_level), "debug");
    assert_string_equal(ph_conf_text(&conf, PH_CONF_redis_socket), "/r");
    assert_string_equal(ph_conf_text(&conf, PH_CONF_pay_late), "refund");
    assert_int_equal(ph_conf_number(&conf, PH_CONF_pay_max_inflight_account),
                     7);
}

/* every key can be set by its environment name, in upper case */
static void
test_environment_names(void **state)
{
    static struct ph_conf conf;
    char                  memory[512], name_memory[512];
    struct ph_buf         why = PH_BUF_INIT(memory);

    (void) state;
    ph_conf_init(&conf);
    for (unsigned i = 0; i < PH_CONF_KEYS; i++) {
        const struct ph_conf_row *row  = ph_conf_row((enum ph_conf_key) i);
        struct ph_buf             name = PH_BUF_INIT(name_memory);

        ph_buf_add(&name, PH_STR("PAYHUB_"));
        ph_buf_add(&name, ph_str_z(row->section));
        ph_buf_byte(&name, '_');
        ph_buf_add(&name, ph_str_z(row->key));
        for (size_t j = 0; j < name.len; j++) {
            bool lower = name.ptr[j] >= 'a' && name.ptr[j] <= 'z';

            name.ptr[j]
                = lower ? (char) (name.ptr[j] - 'a' + 'A') : name.ptr[j];
        }
        ph_buf_byte(&name, '=');
        ph_buf_add(&name, ph_str_z(row->value));
        conf.line[i] = 99;
        assert_int_equal(ph_conf_env(&conf, ph_buf_str(&name), &why), PH_OK);
        assert_int_equal(conf.line[i], 0);
    }
}

static void
test_time_text(void **state)
{
    static const struct {
        int64_t       ms;
        struct ph_str want;
    } rows[] = {
        { 0, PH_STR_INIT("0s") },       { 1, PH_STR_INIT("1ms") },
        { 1000, PH_STR_INIT("1s") },    { 1500, PH_STR_INIT("1500ms") },
        { 60000, PH_STR_INIT("1m") },   { 90000, PH_STR_INIT("90s") },
        { 3600000, PH_STR_INIT("1h") }, { 86400000, PH_STR_INIT("24h") },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        char          memory[32];
        struct ph_buf buf = PH_BUF_INIT(memory);
        int64_t       back;

        ph_conf_add_time(&buf, rows[i].ms);
        t_same(ph_buf_str(&buf), rows[i].want);
        assert_true(ph_conf_time(ph_buf_str(&buf), &back));
        assert_true(back == rows[i].ms);
    }
}

static void
test_proxies_taken(void **state)
{
    static const char *const texts[] = { "",
                                         "http://proxy.example:3128",
                                         "http://10.0.0.1:1",
                                         "socks5h://p-1:65535",
                                         "http://[::1]:8080",
                                         "socks5h://[2001:db8::1]:1080" };
    static struct ph_conf    conf;
    char                     memory[512], line_memory[128];
    struct ph_buf            why  = PH_BUF_INIT(memory);
    struct ph_buf            line = PH_BUF_INIT(line_memory);

    (void) state;
    for (size_t i = 0; i < PH_COUNT(texts); i++) {
        ph_buf_cut(&line, 0);
        ph_buf_add(&line, PH_STR("[pay]\nproxy = "));
        ph_buf_add(&line, ph_str_z(texts[i]));
        if (parse(&conf, ph_buf_str(&line), &why) != PH_OK) {
            fail_msg("%.*s", (int) why.len, why.ptr);
        }
        assert_string_equal(ph_conf_text(&conf, PH_CONF_pay_proxy), texts[i]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_wrong_values),
        cmocka_unit_test(test_proxies_taken),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_environment_names),
        cmocka_unit_test(test_time_text),
    };

    return cmocka_run_group_tests_name("conf", tests, NULL, NULL);
}
