/*
 * socket_path.h - a unix socket's path: whether somebody listens there, and
 * listening there.
 */
#ifndef WK_SOCKET_PATH_H
#define WK_SOCKET_PATH_H

#include <stdbool.h>
#include <uv.h>

/* A socket file that answers belongs to a live worker: two processes on one
 * path would each believe to be the only one. */
bool wk_socket_is_taken(const char *path);

/* For owner and group; the listener is one of uv_pipe_init().  0, or the error
 * of libuv. */
int wk_socket_listen(uv_pipe_t *listener, const char *path,
                     uv_connection_cb on_connection);

#endif
