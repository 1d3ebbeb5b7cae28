/* The option parser of the payhub command: what it takes, what it refuses. */
#include "t/unit/support.h"

#include "cli/args.h"

static const struct cli_option own[] = {
    { "name", "N", false, "" },
    { "set", "K=V", true, "" },
    { "force", NULL, false, "" },
    { NULL, NULL, false, NULL },
};
static const struct cli_option common[] = {
    { "json", NULL, false, "" },
    { "config", "FILE", false, "" },
    { NULL, NULL, false, NULL },
};

#define WORDS_MAX 6

static const struct {
    const char *argv[WORDS_MAX];
    enum ph_rc  want;
    const char *says; /* part of the explanation */
    const char *name; /* value of --name */
    size_t      words;
} rows[] = {
    { { NULL }, PH_OK, "", NULL, 0 },
    { { "a", "b", NULL }, PH_OK, "", NULL, 2 },
    { { "--name", "x", "a", NULL }, PH_OK, "", "x", 1 },
    { { "--name=x", NULL }, PH_OK, "", "x", 0 },
    { { "--name=", NULL }, PH_OK, "", "", 0 },
    { { "--name", "--force", NULL }, PH_OK, "", "--force", 0 },
    { { "--name=a=b", NULL }, PH_OK, "", "a=b", 0 },
    { { "--", "--name", "x", NULL }, PH_OK, "", NULL, 2 },
    { { "-", NULL }, PH_OK, "", NULL, 1 },
    { { "--json", "--config", "f", NULL }, PH_OK, "", NULL, 0 },
    { { "--set", "a=1", "--set", "b=2", NULL }, PH_OK, "", NULL, 0 },
    { { "--name", NULL }, PH_E_MISSING, "without its value", NULL, 0 },
    { { "--name", "x", "--name", "y", NULL },
      PH_E_DUPLICATE,
      "--name twice",
      NULL,
      0 },
    { { "--force", "--force", NULL }, PH_E_DUPLICATE, "--force", NULL, 0 },
    { { "--force=1", NULL }, PH_E_SYNTAX, "a value for --force", NULL, 0 },
    { { "--nmae", "x", NULL }, PH_E_UNKNOWN, "mean --name?", NULL, 0 },
    { { "--jsn", NULL }, PH_E_UNKNOWN, "mean --json?", NULL, 0 },
    { { "--elephant", NULL }, PH_E_UNKNOWN, "--elephant", NULL, 0 },
    { { "-n", NULL }, PH_E_UNKNOWN, "begins with --", NULL, 0 },
};

static int
count_of(const char *const *argv)
{
    int count = 0;

    while (argv[count] != NULL) {
        count++;
    }
    return count;
}

static void
parse_rows(void **state)
{
    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct cli_args args = { 0 };
        char            memory[256];
        struct ph_buf   why = PH_BUF_INIT(memory);
        enum ph_rc      rc  = cli_args_parse(&args, count_of(rows[i].argv),
                                             rows[i].argv, own, common, &why);

        assert_int_equal(rc, rows[i].want);
        assert_non_null(strstr(ph_buf_z(&why), rows[i].says));
        if (rc != PH_OK) {
            continue;
        }
        assert_int_equal(args.word_count, rows[i].words);
        const char *name = cli_args_value(&args, "name");
        assert_int_equal(name == NULL, rows[i].name == NULL);
        if (name != NULL) {
            assert_string_equal(name, rows[i].name);
        }
    }
}

static void
repeated_values_in_order(void **state)
{
    static const char *const argv[] = { "--set", "a", "--force", "--set=b" };
    struct cli_args          args   = { 0 };
    char                     memory[64];
    struct ph_buf            why = PH_BUF_INIT(memory);
    size_t                   at  = 0;

    (void) state;
    assert_int_equal(cli_args_parse(&args, 4, argv, own, common, &why), PH_OK);
    assert_true(cli_args_has(&args, "force"));
    assert_string_equal(cli_args_next(&args, "set", &at), "a");
    assert_string_equal(cli_args_next(&args, "set", &at), "b");
    assert_null(cli_args_next(&args, "set", &at));
}

/* of a command that runs another program */
static void
rest_is_left_alone(void **state)
{
    static const char *const argv[]
        = { "k", "--name=a", "--", "run", "--name", "b", "--", "-x", NULL };
    struct cli_args args = { .keeps_rest = true };
    char            memory[64];
    struct ph_buf   why = PH_BUF_INIT(memory);

    (void) state;
    assert_int_equal(cli_args_parse(&args, 8, argv, own, common, &why), PH_OK);
    assert_int_equal(args.word_count, 1);
    assert_string_equal(cli_args_value(&args, "name"), "a");
    assert_int_equal(args.rest_count, 5);
    assert_ptr_equal(args.rest, argv + 3);
    assert_int_equal(cli_args_parse(&args, 2, argv, own, common, &why), PH_OK);
    assert_int_equal(args.rest_count, 0);
    assert_int_equal(cli_args_parse(&args, 3, argv, own, common, &why), PH_OK);
    assert_int_equal(args.rest_count, 0);
}

static void
too_many_are_refused(void **state)
{
    const char     *argv[CLI_WORDS_MAX + 1];
    struct cli_args args = { 0 };
    char            memory[64];
    struct ph_buf   why = PH_BUF_INIT(memory);

    (void) state;
    for (size_t i = 0; i <= CLI_WORDS_MAX; i++) {
        argv[i] = "w";
    }
    assert_int_equal(
        cli_args_parse(&args, CLI_WORDS_MAX, argv, own, common, &why), PH_OK);
    assert_int_equal(
        cli_args_parse(&args, CLI_WORDS_MAX + 1, argv, own, common, &why),
        PH_E_FULL);
}

static void
edits_are_counted(void **state)
{
    static const struct {
        const char *a, *b;
        unsigned    want;
    } pairs[] = {
        { "", "", 0 },           { "a", "", 1 },
        { "drift", "drift", 0 }, { "dirft", "drift", 1 },
        { "drif", "drift", 1 },  { "abc", "xyz", 3 },
        { "ca", "abc", 3 },      { "kitten", "sitting", 3 },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(pairs); i++) {
        assert_int_equal(cli_edits(pairs[i].a, pairs[i].b), pairs[i].want);
        assert_int_equal(cli_edits(pairs[i].b, pairs[i].a), pairs[i].want);
    }
    assert_int_equal(
        cli_edits("a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
        9);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_rows),
        cmocka_unit_test(repeated_values_in_order),
        cmocka_unit_test(rest_is_left_alone),
        cmocka_unit_test(too_many_are_refused),
        cmocka_unit_test(edits_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
