/*
 * server.h - the sandbox on the wire: HTTPS by libmicrohttpd.
 */
#ifndef SB_SERVER_H
#define SB_SERVER_H

#include "sandbox/ops.h"

#define SB_CONNECTIONS_MAX 2048
#define SB_BODY_MAX (16 * 1024)

struct sb_server_options {
    uint16_t    port;
    bool        is_v6;
    const char *cert_pem; /* texts, kept by the caller */
    const char *key_pem;
};

struct sb_server;

/* NULL = said why in the log.  @owns: caller, sb_server_stop(). */
struct sb_server *sb_server_start(const struct sb_server_options *options,
                                  const struct sb_world *world) PH_MUST_CHECK;

/* No new connections; those parked must be woken before sb_server_stop(). */
void sb_server_quiesce(struct sb_server *server);
void sb_server_stop(struct sb_server *server);

#endif
