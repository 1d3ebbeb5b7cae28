/*
 * route.c - `payhub route explain`: which rule and numbers would choose which
 * account, asked of the edge that would.
 */
#include "cli/cli.h"

#include "cli/control.h"
#include "cli/secrets.h"

static char body_memory[CLI_BODY_MAX + 1];

static void
option_set(struct cli *cli, json_t *question, const char *name)
{
    const char *value = cli_args_value(&cli->args, name);

    if (value != NULL) {
        (void) json_object_set_new(question, name, json_string(value));
    }
}

enum cli_exit
cli_route_explain(struct cli *cli)
{
    struct ph_buf body     = PH_BUF_INIT(body_memory);
    json_t       *question = json_object();
    json_t       *answer   = NULL;

    if (!cli_args_has(&cli->args, "body")) {
        ph_buf_add(&body, PH_STR("{}"));
    } else if (!cli_body(cli, &body)) {
        json_decref(question);
        return CLI_FAILED;
    }
    if (ph_str_utf8_count(ph_buf_str(&body)) == SIZE_MAX) {
        json_decref(question);
        return cli_usage("--body: found bytes that are no UTF-8, expected the "
                         "JSON of a payment");
    }
    (void) json_object_set_new(question, "explain",
                               json_stringn(body.ptr, body.len));
    option_set(cli, question, "route");
    option_set(cli, question, "app");
    option_set(cli, question, "merchant");

    enum cli_exit code = cli_control_call(cli, "POST", question, &answer);

    if (code == CLI_OK) {
        cli_out(cli, answer);
    }
    return code;
}
