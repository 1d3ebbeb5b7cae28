/*
 * control.h - what payhub_control of an edge is asked, over its unix socket:
 * $PAYHUB_ADMIN_SOCKET or admin.socket.
 */
#ifndef CLI_CONTROL_H
#define CLI_CONTROL_H

#include "cli/cli.h"

/*
 * One request to /control; `body` is taken and may be NULL.  CLI_OK with the
 * answer's JSON in *answer (@owns: caller, json_decref()); CLI_NOT_READY when
 * nobody answers, CLI_REFUSED when it was refused; both are said.
 */
enum cli_exit cli_control_call(struct cli *cli, const char *method,
                               json_t *body, json_t **answer) PH_MUST_CHECK;

/* Says so when an edge is named and is not linked to a worker: what was just
 * written to the tables reaches it later. */
void cli_control_look(struct cli *cli);

#endif
