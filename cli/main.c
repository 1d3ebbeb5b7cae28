/*
 * main.c - finds the command, parses its options, runs it.
 *
 * No feature lives here: a command is one row in commands.c and one function.
 */
#include "cli/cli.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "libpayhub/base/version.h"
#include "libpayhub/io/daemon.h"

static size_t
word_count(const struct cli_command *command)
{
    size_t count = 0;

    while (count < CLI_COMMAND_WORDS && command->words[count] != NULL) {
        count++;
    }
    return count;
}

static bool
command_is(const struct cli_command *command, int argc, const char *const *argv)
{
    size_t count = word_count(command);

    for (size_t i = 0; i < count; i++) {
        if ((int) i >= argc || strcmp(argv[i], command->words[i]) != 0) {
            return false;
        }
    }
    return true;
}

static void
command_join(char *out, size_t size, const char *const *words, size_t count)
{
    struct ph_buf buf;

    ph_buf_init(&buf, out, size - 1);
    for (size_t i = 0; i < count; i++) {
        ph_buf_add(&buf, ph_str_z(i != 0 ? " " : ""));
        ph_buf_add(&buf, ph_str_z(words[i]));
    }
    out[buf.len] = '\0';
}

/* the longest command that the words begin with */
static const struct cli_command *
command_find(int argc, const char *const *argv)
{
    const struct cli_command *hit = NULL;

    for (const struct cli_command *c = cli_commands; c->words[0] != NULL; c++) {
        if (command_is(c, argc, argv)
            && (hit == NULL || word_count(c) > word_count(hit)))
        {
            hit = c;
        }
    }
    return hit;
}

static enum cli_exit
command_unknown(int argc, const char *const *argv)
{
    char                      found[128], name[128];
    const struct cli_command *near = NULL;
    unsigned                  best = 2 * CLI_NEAR_MAX;

    for (const struct cli_command *c = cli_commands; c->words[0] != NULL; c++) {
        size_t count = word_count(c);
        size_t given = (size_t) argc < count ? (size_t) argc : count;
        command_join(found, sizeof(found), argv, given);
        command_join(name, sizeof(name), c->words, count);
        unsigned edits = cli_edits(found, name);
        if (edits < best) {
            best = edits;
            near = c;
        }
    }
    command_join(found, sizeof(found), argv,
                 argc > CLI_COMMAND_WORDS ? CLI_COMMAND_WORDS : (size_t) argc);
    if (near == NULL) {
        return cli_usage("found the unknown command '%s'; `payhub help` lists "
                         "them",
                         found);
    }
    command_join(name, sizeof(name), near->words, word_count(near));
    return cli_usage("found the unknown command '%s', did you mean '%s'?",
                     found, name);
}

static void
options_print(const struct cli_option *list)
{
    for (; list->name != NULL; list++) {
        char left[64];
        (void) snprintf(left, sizeof(left), "--%s%s%s%s", list->name,
                        list->value != NULL ? " " : "",
                        list->value != NULL ? list->value : "",
                        list->repeats ? " ..." : "");
        (void) printf("  %-30s %s\n", left, list->help);
    }
}

static enum cli_exit
command_help(const struct cli_command *command)
{
    char name[128];

    command_join(name, sizeof(name), command->words, word_count(command));
    (void) printf("usage: payhub %s%s%s [options]\n\n%s\n", name,
                  command->operands[0] != '\0' ? " " : "", command->operands,
                  command->summary);
    if (command->help != NULL) {
        (void) printf("\n%s", command->help);
    }
    (void) printf("\noptions:\n");
    options_print(command->options);
    options_print(cli_common_options);
    return CLI_OK;
}

static enum cli_exit
help_all(void)
{
    char name[128];

    (void) printf("usage: payhub COMMAND [options]\n\n");
    for (const struct cli_command *c = cli_commands; c->words[0] != NULL; c++) {
        command_join(name, sizeof(name), c->words, word_count(c));
        (void) printf("  %-24s %s\n", name, c->summary);
    }
    (void) printf("\n`payhub COMMAND --help` tells more.  Exit: 0 ok, 1 "
                  "failed, 2 usage, 3 a check\nfound a difference, 4 not ready "
                  "or timed out, 5 refused by the server,\n76 lock lost.\n");
    return CLI_OK;
}

bool
cli_conf(struct cli *cli)
{
    char          memory[CLI_WHY_MAX];
    struct ph_buf why = PH_BUF_INIT(memory);

    if (!cli->conf_loaded) {
        cli->conf_loaded = ph_conf_load(&cli->conf, cli->config_path, &why);
        if (!cli->conf_loaded) {
            cli_say("%.*s", (int) why.len, why.ptr);
        }
    }
    return cli->conf_loaded;
}

static enum cli_exit
command_run(struct cli *cli, int argc, const char *const *argv)
{
    char          memory[CLI_WHY_MAX];
    struct ph_buf why = PH_BUF_INIT(memory);

    cli->args.keeps_rest = strstr(cli->command->operands, " -- ") != NULL;
    if (cli_args_parse(&cli->args, argc, argv, cli->command->options,
                       cli_common_options, &why)
        != PH_OK)
    {
        return cli_usage("%.*s", (int) why.len, why.ptr);
    }
    if (cli_args_has(&cli->args, "help")) {
        return command_help(cli->command);
    }
    cli->json |= cli_args_has(&cli->args, "json");
    if (cli_args_has(&cli->args, "config")) {
        cli->config_path = cli_args_value(&cli->args, "config");
    }
    if (cli->args.word_count < cli->command->words_min
        || cli->args.word_count > cli->command->words_max)
    {
        return cli_usage("found %zu words after the command, expected: %s; "
                         "--help tells more",
                         cli->args.word_count,
                         cli->command->operands[0] != '\0'
                             ? cli->command->operands
                             : "none");
    }
    return cli->command->run(cli);
}

/* options that may stand before the command; how many words they took */
static int
leading(struct cli *cli, int argc, const char *const *argv)
{
    int i = 0;

    while (i < argc && argv[i][0] == '-') {
        if (strcmp(argv[i], "--json") == 0) {
            cli->json = true;
            i++;
        } else if (strcmp(argv[i], "--config") == 0 && i + 1 < argc) {
            cli->config_path = argv[i + 1];
            i += 2;
        } else {
            break;
        }
    }
    return i;
}

static enum cli_exit
dispatch(struct cli *cli, int argc, const char *const *argv)
{
    if (argc == 0) {
        (void) help_all();
        return CLI_USAGE;
    }
    if (strcmp(argv[0], "--version") == 0) {
        (void) printf("payhub %s\n", PH_VERSION);
        return CLI_OK;
    }
    if (strcmp(argv[0], "--help") == 0
        || (strcmp(argv[0], "help") == 0 && argc == 1))
    {
        return help_all();
    }
    bool help = strcmp(argv[0], "help") == 0;
    argc -= help;
    argv += help;
    cli->command = command_find(argc, argv);
    if (cli->command == NULL) {
        return command_unknown(argc, argv);
    }
    if (help) {
        return command_help(cli->command);
    }
    int count = (int) word_count(cli->command);
    return command_run(cli, argc - count, argv + count);
}

int
main(int argc, char **argv)
{
    static struct cli  cli;
    const char *const *words = (const char *const *) argv + 1;

    cli.umask_before = (unsigned) umask(077);
    if (!ph_daemon_init("payhub")) {
        return CLI_FAILED;
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        cli_say("libcurl does not start");
        return CLI_FAILED;
    }
    int taken = leading(&cli, argc - 1, words);
    int code  = (int) dispatch(&cli, argc - 1 - taken, words + taken);

    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        cli_say("stdout cannot be written");
        code = code == CLI_OK ? CLI_FAILED : code;
    }
    mysql_library_end();
    curl_global_cleanup();
    return code;
}
