"""Is it ready?  Each probe asks once, briefly, and answers yes or no."""

import json
import socket

WAIT_S = 0.3


def _ask(family, address, request, answer_starts):
    try:
        with socket.socket(family, socket.SOCK_STREAM) as link:
            link.settimeout(WAIT_S)
            link.connect(address)
            if request:
                link.sendall(request)
            return answer_starts(link.recv(512))
    except OSError:
        return False


def mariadb(path):
    """A server that lets clients in speaks first: a packet whose protocol
    version is 10 (an error packet has 255 there)."""
    return _ask(socket.AF_UNIX, path, b"",
                lambda data: len(data) > 4 and data[4] == 10)


def redis(path):
    return _ask(socket.AF_UNIX, path, b"PING\r\n",
                lambda data: data.startswith(b"+PONG"))


def http_ok(port, target):
    request = f"GET {target} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode()
    return _ask(socket.AF_INET, ("127.0.0.1", port), request,
                lambda data: data.startswith(b"HTTP/1.1 200"))


def edge_has_keys(path):
    """nginx answers, and knows callers' keys: of its state file, or told by a
    worker."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.settimeout(WAIT_S)
            link.connect(path)
            link.sendall(b"GET /control HTTP/1.0\r\nHost: localhost\r\n\r\n")
            data = b""
            while piece := link.recv(65536):
                data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        return b" 200 " in head[:16] and json.loads(body).get("keys", 0) > 0
    except (OSError, ValueError):
        return False


class ReadySocket:
    """The receiving end of NOTIFY_SOCKET for one process, as systemd has it."""

    def __init__(self, path):
        self.path = path
        self.ready = False
        self.link = socket.socket(socket.AF_UNIX,
                                  socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.link.bind(path)

    def fileno(self):
        return self.link.fileno()

    def read(self):
        while True:
            try:
                message = self.link.recv(4096)
            except BlockingIOError:
                return
            if b"READY=1" in message.split(b"\n"):
                self.ready = True
