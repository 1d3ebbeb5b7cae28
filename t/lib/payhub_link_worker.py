"""A worker that is none, for the link between edge and worker: it takes many
calls on a connection and does with them what a test says.  It shares the
asyncio loop of the test, so a test sees every call and answers it when, how
and in which order it likes.

    worker = LinkWorker("/path/w.sock")        or ("127.0.0.1", port)
    await worker.start()
    worker.hold = True                         calls stay in worker.held
    worker.answer(call, b"text")

Run as a program it holds all that comes: something to kill."""

import asyncio
import collections
import os
import socket
import struct
import sys

sys.dont_write_bytecode = True
from payhub_frame import Frame, encode, fields_encode  # noqa: E402

HEAD = 48
HTTP = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhttp"


class Call:
    """One that has come: its frame, its connection."""

    def __init__(self, conn, frame):
        self.conn = conn
        self.frame = frame
        self.target = frame.fields["TARGET"].decode()

    def result(self, body=None, status=200, kind="RESULT"):
        """The bytes of an answer; by itself the target and the call's body."""
        if body is None:
            body = self.target.encode() + b" " + self.frame.body
        meta = fields_encode([("CONTENT_TYPE", "text/plain")])
        if kind != "RESULT":
            meta, body, status = b"", b"", 0
        return encode(kind, meta, body, self.frame.id, status=status)


class Conn(asyncio.Protocol):
    def __init__(self, worker):
        self.worker = worker
        self.data = b""
        self.gone = False
        self.calls = 0

    def connection_made(self, transport):
        self.transport = transport
        self.worker.conns.append(self)
        if not self.worker.reading:  # behind the start of reading
            asyncio.get_running_loop().call_soon(transport.pause_reading)

    def connection_lost(self, _):
        self.gone = True

    def data_received(self, data):
        self.data += data
        if self.data.startswith(b"GET "):
            self.data = b""
            self.write(HTTP)
            return
        at = 0
        while len(self.data) - at >= HEAD:
            sizes = struct.unpack_from("<II", self.data, at + 32)
            end = at + HEAD + sum(sizes)
            if len(self.data) < end:
                break
            meta = at + HEAD + sizes[0]
            frame = Frame(self.data[at:at + HEAD],
                          self.data[at + HEAD:meta], self.data[meta:end])
            at = end
            assert frame.kind == "CALL", frame
            self.calls += 1
            self.worker.came(Call(self, frame))
        self.data = self.data[at:]

    def write(self, data):
        if not self.gone:
            self.transport.write(data)

    def cut(self):
        """The end, without an answer to anybody."""
        self.gone = True
        self.transport.abort()


class LinkWorker:
    def __init__(self, where):
        self.where = where
        self.conns = []
        self.server = None
        self.clean()

    def clean(self):
        """Back to answering everything at once."""
        self.hold = False
        self.reading = True
        self.on_call = None  # instead of the answer
        self.held = []
        self.arrivals = collections.Counter()  # by target

    async def start(self):
        loop = asyncio.get_running_loop()
        if isinstance(self.where, str):
            if os.path.exists(self.where):
                os.unlink(self.where)
            self.server = await loop.create_unix_server(
                lambda: Conn(self), self.where, backlog=512)
            os.chmod(self.where, 0o777)
        else:
            self.server = await loop.create_server(lambda: Conn(self),
                                                   *self.where, backlog=512)

    def stop(self):
        self.server.close()
        for conn in self.live():
            conn.cut()

    def live(self):
        return [conn for conn in self.conns if not conn.gone]

    def came(self, call):
        self.arrivals[call.target] += 1
        if self.on_call:
            self.on_call(call)
        elif self.hold:
            self.held.append(call)
        else:
            call.conn.write(call.result())

    def answer_held(self, order=None):
        held, self.held = self.held, []
        for call in (order or list)(held):
            call.conn.write(call.result())

    def resume(self):
        self.reading = True
        for conn in self.live():
            conn.transport.resume_reading()

    def goaway(self):
        for conn in self.live():
            conn.write(encode("GOAWAY", request_id=bytes(16)))


def black_hole(address):
    """A TCP listener whose queue is full: who connects hears nothing.  The
    sockets must be kept."""
    server = socket.socket()
    server.bind(address)
    server.listen(0)
    fill = []
    for _ in range(4):
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex(server.getsockname())
        fill.append(one)
    return [server, *fill]


async def main(path):
    worker = LinkWorker(path)
    worker.hold = True
    await worker.start()
    while True:
        await asyncio.sleep(0.01)
        if worker.held:
            print(len(worker.held), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
