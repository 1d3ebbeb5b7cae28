"""Frames over a unix socket, written from docs/protocol.md and not from our C:
a second opinion on the codec, and the way in which component tests talk to a
worker without nginx.

    with Link("/path/worker.sock") as link:
        answer = link.call("GET", "/readyz")
"""

import json
import os
import socket
import struct

HEAD = struct.Struct("<4sBBH16sIHHIIII")
MAGIC = b"PHF1"

TYPES = {"CALL": 1, "RESULT": 2, "BUSY": 3, "REFUSED": 4, "UNKNOWN": 5,
         "HELLO": 6, "PING": 7, "PONG": 8, "GOAWAY": 9, "SYNC_PULL": 10,
         "SYNC_PUSH": 11}
NAMES = {number: name for name, number in TYPES.items()}
FIELDS = {"METHOD": 1, "TARGET": 2, "KEY_ID": 3, "APP_ID": 4,
          "MERCHANT_ID": 5, "SCHEME": 6, "ROLE": 7, "CLIENT_ADDR": 8,
          "CONTENT_TYPE": 9, "HEADER": 10, "CANDIDATE": 11,
          "ROUTE_REASON": 12, "IDEMPOTENCY_KEY": 13, "NONCE": 15,
          "TIMESTAMP": 16, "NONCE_COLD": 17, "ROUTE_VIEW": 18, "RETRY_AFTER": 20, "REPLAYED": 21, "ORDER_ID": 22,
          "CHANNEL": 23, "OUTCOME": 24, "PROBLEM": 25, "ALLOW": 26,
          "PLATFORM_SIGNATURE": 27,
          "VERSION_MIN": 30, "VERSION_MAX": 31, "ROLES": 32, "BUILD": 33,
          "HEALTH": 0x8001}
FIELD_NAMES = {number: name for name, number in FIELDS.items()}


def _crc_table():
    table = []
    for i in range(256):
        for _ in range(8):
            i = i >> 1 ^ 0x82F63B78 if i & 1 else i >> 1
        table.append(i)
    return table


_TABLE = _crc_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def fields_encode(pairs):
    out = b""
    for name, value in pairs:
        value = value.encode() if isinstance(value, str) else value
        number = FIELDS[name] if isinstance(name, str) else name
        out += struct.pack("<HH", number, len(value)) + value
    return out


def fields_decode(meta):
    out, at = {}, 0
    while at < len(meta):
        number, length = struct.unpack_from("<HH", meta, at)
        out[FIELD_NAMES.get(number, number)] = meta[at + 4:at + 4 + length]
        at += 4 + length
    return out


def encode(kind, meta=b"", body=b"", request_id=None, ms_left=0, attempt=1,
           status=0):
    request_id = request_id or os.urandom(16)
    head = HEAD.pack(MAGIC, 1, TYPES.get(kind, kind), 0, request_id, ms_left,
                     attempt, status, len(meta), len(body), 0, 0)
    crc = crc32c(head + meta + body)
    return head[:40] + struct.pack("<I", crc) + head[44:] + meta + body


class Frame:
    def __init__(self, head, meta, body):
        (self.magic, self.version, kind, self.flags, self.id, self.ms_left,
         self.attempt, self.status, _, _, crc, zero) = HEAD.unpack(head)
        assert self.magic == MAGIC and self.version == 1 and zero == 0
        assert crc == crc32c(head[:40] + bytes(4) + head[44:] + meta + body)
        self.kind = NAMES[kind]
        self.fields = fields_decode(meta)
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """The problem's code, or None."""
        return self.fields.get("PROBLEM", b"").decode() or None

    def __repr__(self):
        return f"{self.kind} {self.status} {self.fields} {self.body[:600]!r}"


class Closed(Exception):
    """The worker ended the connection."""


class Link:
    def __init__(self, path, timeout=30, identity=None):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.identity = identity

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def _take(self, length):
        data = b""
        while len(data) < length:
            piece = self.socket.recv(length - len(data))
            if not piece:
                raise Closed()
            data += piece
        return data

    def read(self):
        try:
            head = self._take(48)
            meta_len, body_len = struct.unpack_from("<II", head, 32)
            return Frame(head, self._take(meta_len), self._take(body_len))
        except (ConnectionError, BrokenPipeError):
            raise Closed() from None

    def write(self, data):
        self.socket.sendall(data)

    def send(self, method, target, body=b"", identity=None, headers=(),
             more=(), **frame):
        """identity: (key, app, merchant); False = unverified."""
        identity = self.identity if identity is None else identity
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        pairs = [("METHOD", method), ("TARGET", target)]
        if identity:
            pairs += list(zip(("KEY_ID", "APP_ID", "MERCHANT_ID"), identity))
        if body:
            pairs.append(("CONTENT_TYPE", "application/json"))
        pairs += [("HEADER", f"{k}\0{v}") for k, v in headers]
        self.write(encode("CALL", fields_encode(pairs + list(more)), body,
                          **frame))

    def call(self, *args, **kwargs):
        """A GOAWAY may stand in front of the answer."""
        self.send(*args, **kwargs)
        answer = self.read()
        return self.read() if answer.kind == "GOAWAY" else answer
