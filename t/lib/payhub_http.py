"""Two small HTTP clients on asyncio, for tests that have many calls out at a
time: HTTP/1.1 over a connection that may be kept, and HTTP/2 with as many
streams as a test wants (without TLS, without Huffman, RFC 9113 and 7541)."""

import asyncio
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
WINDOW = 1 << 30
DATA, HEADERS, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 3, 4, 6, 8
STATUS = {0x88: 200, 0x89: 204, 0x8c: 400, 0x8d: 404, 0x8e: 500}


class Http1:
    """One connection; ask() after ask()."""

    def __init__(self, port):
        self.port = port
        self.reader = self.writer = None

    async def open(self):
        self.reader, self.writer = await asyncio.open_connection(
            "127.0.0.1", self.port)
        return self

    async def send(self, target, body=None):
        method = "GET" if body is None else "POST"
        self.writer.write(
            f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n"
            f"Content-Length: {len(body or b'')}\r\n\r\n".encode()
            + (body or b""))
        await self.writer.drain()

    async def read(self):
        """(status, body); (None, b"") without an answer."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = 0
            for line in head.split(b"\r\n"):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            return (int(head.split(None, 2)[1]),
                    await self.reader.readexactly(length))
        except (asyncio.IncompleteReadError, OSError):
            return None, b""

    async def ask(self, target, body=None):
        await self.send(target, body)
        return await self.read()

    def close(self):
        self.writer.close()


async def ask(port, target, body=None):
    link = await Http1(port).open()
    try:
        return await link.ask(target, body)
    finally:
        link.close()


def frame(kind, flags, stream, data=b""):
    return struct.pack(">I", len(data))[1:] + bytes([kind, flags]) \
        + struct.pack(">I", stream) + data


def literal(data):
    assert len(data) < 127
    return bytes([len(data)]) + data


class Http2:
    """One connection of many streams; answers() when all have ended."""

    def __init__(self, port):
        self.port = port
        self.next = 1
        self.streams = {}  # number -> [target, status, body]

    async def open(self):
        self.reader, self.writer = await asyncio.open_connection(
            "127.0.0.1", self.port)
        settings = struct.pack(">HI", 4, WINDOW)
        self.writer.write(PREFACE + frame(SETTINGS, 0, 0, settings) + frame(
            WINDOW_UPDATE, 0, 0, struct.pack(">I", WINDOW)))
        return self

    def get(self, target):
        head = b"".join(b"\0" + literal(name) + literal(value)
                        for name, value in (
                            (b":method", b"GET"), (b":scheme", b"http"),
                            (b":path", target.encode()),
                            (b":authority", b"localhost")))
        self.streams[self.next] = [target, None, b""]
        self.writer.write(frame(HEADERS, 5, self.next, head))
        self.next += 2

    def reset(self):
        for number in self.streams:
            self.writer.write(frame(RST_STREAM, 0, number, b"\0\0\0\x08"))

    async def answers(self):
        """{target: (status, body)}"""
        open_ = set(self.streams)
        while open_:
            head = await self.reader.readexactly(9)
            length = int.from_bytes(head[:3], "big")
            kind, flags = head[3], head[4]
            number = int.from_bytes(head[5:], "big") & 0x7fffffff
            data = await self.reader.readexactly(length)
            if kind == SETTINGS and not flags & 1:
                self.writer.write(frame(SETTINGS, 1, 0))
            elif kind == HEADERS:
                self.streams[number][1] = self.status(data)
            elif kind == DATA:
                self.streams[number][2] += data
            if kind in (HEADERS, DATA) and flags & 1 or kind == RST_STREAM:
                open_.discard(number)
        return {target: (status, body)
                for target, status, body in self.streams.values()}

    @staticmethod
    def status(data):
        """:status stands first, in front of it at most a new table size."""
        while data[0] & 0xe0 == 0x20:
            data = data[1:]
        if data[0] in STATUS:
            return STATUS[data[0]]
        return int(data[2:2 + data[1]])  # nginx: literal, name indexed

    def close(self):
        self.writer.close()
