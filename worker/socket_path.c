/* socket_path.c - see socket_path.h. */
#include "worker/socket_path.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_BACKLOG 511

bool
wk_socket_is_taken(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int                fd      = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool               is_taken;

    (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    is_taken
        = fd >= 0
          && connect(fd, (const struct sockaddr *) &address, sizeof(address))
                 == 0;
    if (fd >= 0) {
        (void) close(fd);
    }
    return is_taken;
}

int
wk_socket_listen(uv_pipe_t *listener, const char *path,
                 uv_connection_cb on_connection)
{
    if (wk_socket_is_taken(path)) {
        return UV_EADDRINUSE;
    }
    (void) unlink(path); /* that of a process that died */
    int failed = uv_pipe_bind(listener, path);

    if (failed == 0 && chmod(path, 0660) != 0) {
        failed = UV_EPERM;
    }
    return failed != 0 ? failed
                       : uv_listen((uv_stream_t *) listener, SOCKET_BACKLOG,
                                   on_connection);
}
