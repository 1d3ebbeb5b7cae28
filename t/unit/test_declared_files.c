/*
 * test_declared_files.c - the files that are shipped, and the bank of
 * docs/channels.md: every tape plays; the schema that is shipped is that of the
 * tables.  t/data/channels/make_tapes.py made the tapes, with other code.
 */
#include "t/unit/declared.h"

#include <glob.h>

#include "cli/tape.h"
#include "libpayhub/wire/digest.h"

#define TAPES_MIN 15 /* of each file: fewer were not found, or not made */

static char about_text[1024], told_text[CLI_TAPE_TOLD_MAX];

static enum cli_tape_end
play(const struct ph_declared *file, const char *path)
{
    struct ph_channel_env env   = { .trust = NULL };
    struct ph_buf         about = PH_BUF_INIT(about_text);
    struct ph_buf         told  = PH_BUF_INIT(told_text);
    enum cli_tape_end     end   = cli_tape_play(ph_declared_channel(file), &env,
                                                t_file(path), &about, &told);

    (void) ph_buf_z(&told);
    return end;
}

static struct ph_declared *
open_path(const char *path)
{
    char                memory[PH_DECLARED_WHY_MAX];
    struct ph_buf       why  = PH_BUF_INIT(memory);
    struct ph_declared *file = ph_declared_open(t_file(path), &why);

    if (file == NULL) {
        fail_msg("%s: %.*s", path, (int) why.len, why.ptr);
    }
    return file;
}

static void
every_tape_plays(void **unused)
{
    static const char *const files[] = {
        "channels/files/douyinpay.json",
        "channels/files/jdpay.json",
        "t/data/channels/amberbank.json",
    };

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(files); i++) {
        struct ph_declared *file = open_path(files[i]);
        char                pattern[128];
        glob_t              found;

        (void) snprintf(pattern, sizeof(pattern), "%s.tapes/*.json", files[i]);
        assert_int_equal(glob(pattern, 0, NULL, &found), 0);
        assert_true(found.gl_pathc >= TAPES_MIN);
        for (size_t k = 0; k < found.gl_pathc; k++) {
            if (play(file, found.gl_pathv[k]) != CLI_TAPE_SAME) {
                fail_msg("%s\n%s", found.gl_pathv[k], told_text);
            }
        }
        globfree(&found);
        ph_declared_close(file);
    }
}

/* a tape with one place changed has to differ there, and only there */
static void
a_changed_tape_differs(void **unused)
{
    static const struct {
        const char *from, *to, *told;
    } rows[] = {
        { "\"class\": \"succeeded\"", "\"class\": \"closed\"",
          "result class: found 'succeeded', expected 'closed'\n" },
        { "\"amount\": 8888,\n  \"currency\": \"CNY\",\n  \"seller\"",
          "\"amount\": 8889,\n  \"currency\": \"CNY\",\n  \"seller\"",
          "amount: found '8888', expected '8889'\n" },
        { "\"trade_no\": \"B-1\"", "\"trade_no\": \"B-2\"",
          "trade_no: found 'B-1', expected 'B-2'\n" },
        { "\"method\": \"POST\"", "\"method\": \"PUT\"",
          "request method: found 'POST', expected 'PUT'\n" },
        { "\"url\": \"https://bank.example.com/v1/orders/get\"",
          "\"url\": \"https://bank.example.com/v1/orders\"",
          "request url: found 'https://bank.example.com/v1/orders/get', "
          "expected 'https://bank.example.com/v1/orders'\n" },
        { "\"Content-Type\"", "\"Content-Kind\"",
          "request header Content-Kind: found nothing, expected "
          "'application/json; charset=utf-8'\n"
          "request headers: found 'Content-Type', expected nothing\n" },
        { "\"answer\"", "\"anwser\"", "a member of it is not known\n" },
        { "\"result\"", "\"action\"",
          "result: expected what the answer "
          "proves\n" },
        { "\"op\": \"query\"", "\"op\": \"look\"",
          "op: expected an operation's name, or `notice`\n" },
        { "\"shop\":", "\"shoq\":",
          "account: found a key that the channel has not, or no text\n" },
    };
    static const char path[]
        = "t/data/channels/amberbank.json.tapes/06-query-paid.json";
    struct ph_declared *file = open_path("t/data/channels/amberbank.json");

    (void) unused;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        static char           text[64 * 1024];
        struct ph_str         tape  = t_file(path);
        struct ph_buf         out   = PH_BUF_INIT(text);
        struct ph_channel_env env   = { .trust = NULL };
        struct ph_buf         about = PH_BUF_INIT(about_text);
        struct ph_buf         told  = PH_BUF_INIT(told_text);
        const char           *at
            = memmem(tape.ptr, tape.len, rows[i].from, strlen(rows[i].from));

        if (at == NULL) {
            fail_msg("row %zu: %s is not in the tape", i, rows[i].from);
            return;
        }
        size_t before = (size_t) (at - tape.ptr) + strlen(rows[i].from);

        ph_buf_add(&out, ph_str_make(tape.ptr, (size_t) (at - tape.ptr)));
        ph_buf_add(&out, ph_str_z(rows[i].to));
        ph_buf_add(&out, ph_str_make(tape.ptr + before, tape.len - before));
        assert_int_not_equal(cli_tape_play(ph_declared_channel(file), &env,
                                           ph_buf_str(&out), &about, &told),
                             CLI_TAPE_SAME);
        t_same(ph_buf_str(&told), ph_str_z(rows[i].told));
    }
    ph_declared_close(file);
}

static void
the_schema_is_that_of_the_tables(void **unused)
{
    static char   memory[128 * 1024];
    struct ph_buf buf = PH_BUF_INIT(memory);

    (void) unused;
    ph_declared_schema(&buf);
    assert_false(buf.full);
    if (!ph_str_eq(ph_buf_str(&buf), t_file("docs/schema/channel.schema.json")))
    {
        fail_msg("docs/schema/channel.schema.json differs from its tables: run "
                 "make docs");
    }
    json_t *schema = json_loadb(buf.ptr, buf.len, JSON_REJECT_DUPLICATES, NULL);
    assert_true(json_is_object(schema));
    json_decref(schema);
}

static int
digests(void **unused)
{
    (void) unused;
    return ph_digest_init() ? 0 : -1;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_tape_plays),
        cmocka_unit_test(a_changed_tape_differs),
        cmocka_unit_test(the_schema_is_that_of_the_tables),
    };

    return cmocka_run_group_tests(tests, digests, NULL);
}
