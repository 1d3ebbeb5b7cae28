"""Scripted HTTPS peers for call.test: HTTP/1.1 and a hand-made HTTP/2.

A peer counts arrivals (a whole request read) over all its connections and
takes one action of its script for each; the last action repeats.

  ok        200 with a short body          big:N     200 with N bytes
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


class Peer:
    def __init__(self, script, context=None, accept=True):
        self.script, self.context = script, context
        self.arrivals = self.connections = 0
        self.lock = threading.Lock()
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.socket.getsockname()[1]
        self.open = []
        if accept:
            threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                link, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(link,), daemon=True).start()

    def arrive(self):
        with self.lock:
            action = self.script[min(self.arrivals, len(self.script) - 1)]
            self.arrivals += 1
        return action

    def serve(self, link):
        self.open.append(link)
        try:
            if self.script[0] == "shut":
                return
            if self.context:
                link = self.context.wrap_socket(link, server_side=True)
                self.open.append(link)
                if link.selected_alpn_protocol() == "h2":
                    return self.serve_h2(link)
            self.serve_h1(link)
        except (OSError, EOFError):
            pass
        finally:
            link.close()

    def close(self):
        self.socket.close()
        for link in self.open:
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
