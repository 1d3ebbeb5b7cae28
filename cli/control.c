/* control.c - see control.h. */
#include "cli/control.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/http.h"

#define ANSWER_MAX (8 * 1024 * 1024)
#define TIMEOUT_S 10
#define TARGET "/control"

static const char *
socket_path(struct cli *cli)
{
    return cli_conf(cli) ? ph_conf_text(&cli->conf, PH_CONF_admin_socket) : "";
}

static void
refusal_say(const struct cli_http *http, const json_t *answer)
{
    const char *code   = json_string_value(json_object_get(answer, "code"));
    const char *detail = json_string_value(json_object_get(answer, "detail"));

    cli_say("the edge refuses: HTTP %ld %s %s", http->status,
            code != NULL ? code : "", detail != NULL ? detail : "");
}

static enum cli_exit
answer_take(const struct cli_http *http, json_t **answer)
{
    *answer = json_loadb(http->answer != NULL ? http->answer : "",
                         http->answer_len, 0, NULL);
    if (http->status == 200 && *answer != NULL) {
        return CLI_OK;
    }
    refusal_say(http, *answer);
    json_decref(*answer);
    *answer = NULL;
    return http->status >= 400 && http->status < 500 ? CLI_REFUSED
                                                     : CLI_NOT_READY;
}

static enum cli_exit
call(const char *path, const char *method, json_t *body, json_t **answer)
{
    char           *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    struct cli_http http = { .base        = "http://localhost",
                             .unix_socket = path,
                             .target      = TARGET,
                             .method      = method,
                             .body        = ph_str_z(text),
                             .has_body    = text != NULL,
                             .timeout_s   = TIMEOUT_S,
                             .answer_max  = ANSWER_MAX };
    enum cli_exit   code = CLI_NOT_READY;

    *answer = NULL;
    if (text != NULL) {
        http.headers[http.header_count++] = "Content-Type: application/json";
    }
    if (cli_http_send(&http) == CLI_HTTP_ANSWERED) {
        code = answer_take(&http, answer);
    } else {
        cli_say("no edge answers at %s: %s", path, http.error);
    }
    cli_http_free(&http);
    free(text);
    return code;
}

enum cli_exit
cli_control_call(struct cli *cli, const char *method, json_t *body,
                 json_t **answer)
{
    const char   *path = socket_path(cli);
    enum cli_exit code = CLI_NOT_READY;

    *answer = NULL;
    if (path[0] == '\0') {
        cli_say("found no admin.socket, expected the unix socket of nginx "
                "with payhub_control there or in $PAYHUB_ADMIN_SOCKET");
    } else {
        code = call(path, method, body, answer);
    }
    json_decref(body);
    return code;
}

void
cli_control_look(struct cli *cli)
{
    const char *path   = socket_path(cli);
    json_t     *answer = NULL;

    if (path[0] == '\0') {
        return;
    }
    if (call(path, "GET", NULL, &answer) != CLI_OK) {
        cli_say("it is done in the database; edges hear of it once they have "
                "a link to a worker");
        return;
    }
    const json_t *sync  = json_object_get(answer, "sync");
    const char   *state = json_string_value(json_object_get(sync, "state"));
    const char   *error = json_string_value(json_object_get(sync, "error"));

    if (state != NULL && strcmp(state, "away") == 0) {
        cli_say("it is done in the database; the edge has no link to a worker "
                "now and hears of it later: %s",
                error != NULL ? error : "");
    }
    json_decref(answer);
}
