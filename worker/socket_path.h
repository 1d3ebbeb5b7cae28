/*
 * socket_path.h - whether somebody listens at a unix socket's path.
 */
#ifndef WK_SOCKET_PATH_H
#define WK_SOCKET_PATH_H

#include <stdbool.h>

/* A socket file that answers belongs to a live worker: two processes on one
 * path would each believe to be the only one. */
bool wk_socket_is_taken(const char *path);

#endif
