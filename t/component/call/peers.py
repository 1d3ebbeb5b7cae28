"""Scripted HTTPS peers for call.test: HTTP/1.1 and a hand-made HTTP/2.

A peer counts arrivals (a whole request read) over all its connections and
takes one action of its script for each; the last action repeats.  Whoever is
closed keeps its port until the test ends: the engine may still hold a kept
connection to it, and a thread may still be on its way into accept().

  ok        200 with a short body          big:N     200 with N bytes
  all:N     200 when N have arrived
  drop      close, nothing answered        half      200, half the body, close
  hang      answer nothing, keep open      headers   200 with 20 KiB of headers
  slow:S    200 after S seconds            trickle   200, body without end
  early     103, then 200                  shut      close before reading
  reset     HTTP/2: RST_STREAM REFUSED     goaway    HTTP/2: GOAWAY, close
"""
import socket
import struct
import threading
import time

ALL_WAIT_S = 30  # for the last of those that `all:N` waits for


class Listener:
    """A port of loopback; serve(link) runs in a thread for each connection."""

    def __init__(self, accept=True):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.socket.getsockname()[1]
        self.connections = 0
        self.open = []
        self.over = False
        if accept:
            threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            link, _ = self.socket.accept()
            if self.over:
                link.close()
                continue
            self.connections += 1
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.open.append(link)
            threading.Thread(target=self.serve, args=(link,),
                             daemon=True).start()

    def close(self):
        """Ends what is connected; each thread closes its own socket."""
        self.over = True
        for link in self.open:
            try:
                link.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Proxy(Listener):
    """A proxy for CONNECT, or for SOCKS 5 with names, that leads every name to
    127.0.0.1.  `mode`: ok, or what goes wrong: refuse, drop (before an answer),
    cut (after the tunnel stands), auth (asks for a login), hang."""

    def __init__(self, mode="ok", socks=False):
        self.mode, self.socks = mode, socks
        self.asked, self.logins = [], []
        super().__init__()

    def serve(self, link):
        try:
            port = self.socks_head(link) if self.socks else self.connect_head(link)
            if port is None:
                return
            far = socket.create_connection(("127.0.0.1", port))
            threading.Thread(target=self.pump, args=(far, link), daemon=True).start()
            self.pump(link, far)
        except (OSError, EOFError, IndexError):
            pass
        finally:
            link.close()

    def connect_head(self, link):
        head = b""
        while b"\r\n\r\n" not in head:
            head += link.recv(4096) or b"\r\n\r\n"
        lines = head.decode().split("\r\n")
        self.asked.append(lines[0])
        self.logins += [line.split(" ", 1)[1] for line in lines
                        if line.lower().startswith("proxy-authorization:")]
        if self.mode == "hang":
            time.sleep(5)
        if self.mode in ("hang", "drop"):
            return None
        if self.mode == "refuse" or (self.mode == "auth" and not self.logins):
            status = "403 No" if self.mode == "refuse" else (
                "407 Login\r\nProxy-Authenticate: Basic realm=x")
            link.sendall(f"HTTP/1.1 {status}\r\nX-Proxy: 1\r\n"
                         "Content-Length: 2\r\n\r\nno".encode())
            return None
        link.sendall(b"HTTP/1.1 200 OK\r\nX-Proxy: 1\r\n\r\n")
        if self.mode == "cut":
            return None
        return int(lines[0].split(" ")[1].rpartition(":")[2])

    def socks_head(self, link):
        methods = link.recv(2)[1]
        link.recv(methods)
        link.sendall(b"\x05\x00")
        head = link.recv(5)
        name = link.recv(head[4]).decode()
        port = struct.unpack(">H", link.recv(2))[0]
        self.asked.append(f"{head[3]} {name}")
        refused = self.mode == "refuse"
        link.sendall(b"\x05" + (b"\x02" if refused else b"\x00")
                     + b"\x00\x01\0\0\0\0\0\0")
        return None if refused else port

    @staticmethod
    def pump(near, far):
        try:
            while data := near.recv(65536):
                far.sendall(data)
        except OSError:
            pass
        for end in near, far:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Peer(Listener):
    def __init__(self, script, context=None, accept=True):
        self.script, self.context = script, context
        self.arrivals = 0
        self.arrived = threading.Condition()
        super().__init__(accept)

    def arrive(self):
        with self.arrived:
            action = self.script[min(self.arrivals, len(self.script) - 1)]
            self.arrivals += 1
            self.arrived.notify_all()
        return action

    def serve(self, link):
        try:
            if self.script[0] == "shut":
                return
            if self.context:
                link = self.context.wrap_socket(link, server_side=True)
                self.open.append(link)  # the first one is empty now
                if link.selected_alpn_protocol() == "h2":
                    return self.serve_h2(link)
            self.serve_h1(link)
        except (OSError, EOFError):
            pass
        finally:
            link.close()

    # --- HTTP/1.1 ---------------------------------------------------------
    def serve_h1(self, link):
        stream = link.makefile("rb")
        while True:
            head = []
            while True:
                line = stream.readline()
                if not line:
                    return
                if line == b"\r\n":
                    break
                head.append(line)
            length = [int(h.split(b":")[1]) for h in head
                      if h.lower().startswith(b"content-length:")]
            stream.read(length[0] if length else 0)
            self.head = head
            if not self.answer_h1(link, self.arrive()):
                return

    def answer_h1(self, link, action):
        name, _, number = action.partition(":")
        if name == "slow":
            time.sleep(float(number))
        if name == "all":
            with self.arrived:
                if not self.arrived.wait_for(
                        lambda: self.arrivals >= int(number), ALL_WAIT_S):
                    return False
        if name == "drop":
            return False
        if name == "hang":
            time.sleep(30)
            return False
        if name == "half":
            link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf.")
            return False
        if name == "early":
            link.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n")
        if name == "trickle":
            link.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\n\r\n")
            while True:
                link.sendall(b"x" * 4096)
        extra = b""
        if name == "headers":
            extra = b"".join(b"X-%d: %s\r\n" % (i, b"y" * 200) for i in range(100))
        body = b"z" * (int(number) if name == "big" else 2)
        link.sendall(b"HTTP/1.1 200 OK\r\nX-Peer:  two words \r\n" + extra
                     + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        return True

    # --- HTTP/2: just frames; the request's header block is not decoded ---
    def serve_h2(self, link):
        def read(n):
            data = b""
            while len(data) < n:
                piece = link.recv(n - len(data))
                if not piece:
                    raise EOFError
                data += piece
            return data

        def send(kind, flags, stream, payload=b""):
            link.sendall(struct.pack(">I", len(payload))[1:]
                         + struct.pack(">BBI", kind, flags, stream) + payload)

        read(24)  # the client's preface
        send(4, 0, 0)  # SETTINGS
        while True:
            length = struct.unpack(">I", b"\0" + read(3))[0]
            kind, flags, stream = struct.unpack(">BBI", read(6))
            read(length)
            if kind == 4 and not flags & 1:
                send(4, 1, 0)
            if kind in (0, 1) and flags & 1:  # END_STREAM
                action = self.arrive()
                if action == "drop":
                    return
                if action == "hang":
                    continue
                if action == "reset":
                    send(3, 0, stream, struct.pack(">I", 7))
                    continue
                if action == "goaway":  # claims that it was not processed
                    send(7, 0, 0, struct.pack(">II", 0, 0))
                    return
                send(1, 4, stream, b"\x88")  # :status 200, END_HEADERS
                if action == "half":
                    send(0, 0, stream, b"half.")
                    return
                send(0, 1, stream, b"ok")
