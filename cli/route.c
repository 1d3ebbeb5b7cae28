/*
 * route.c - `payhub route explain`: which rule and numbers would choose which
 * account, asked of the edge that would.
 */
#include "cli/cli.h"

#include "cli/control.h"
#include "cli/secrets.h"
#include "cli/signing.h"

static char body_memory[CLI_BODY_MAX + 1];

static void
option_set(struct cli *cli, json_t *question, const char *name)
{
    const char *value = cli_args_value(&cli->args, name);

    if (value != NULL) {
        (void) json_object_set_new(question, name, json_string(value));
    }
}

/* a list of names as one text for people */
static void
names_join(json_t *answer)
{
    json_t       *names = json_object_get(answer, "candidates"), *name;
    char          memory[512];
    struct ph_buf text = PH_BUF_INIT(memory);
    size_t        i;

    json_array_foreach(names, i, name)
    {
        ph_buf_add(&text, i != 0 ? PH_STR(" ") : PH_STR(""));
        ph_buf_add(&text, ph_str_z(json_string_value(name)));
    }
    if (json_is_array(names)) {
        (void) json_object_set_new(answer, "candidates",
                                   json_stringn(text.ptr, text.len));
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
        if (!cli->json) {
            names_join(answer);
        }
        cli_out(cli, answer);
    }
    return code;
}
