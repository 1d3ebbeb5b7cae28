/* socket_path.c - see socket_path.h. */
#include "worker/socket_path.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

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
