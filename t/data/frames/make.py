#!/usr/bin/env python3
"""Writes the golden frames: an encoder that shares nothing with our C.

usage: make.py           prints NAME and hex of every frame
       make.py --check   exit 1 when a file differs or is missing
       make.py --write   writes files that do not exist yet; never edits one
"""
import pathlib
import struct
import sys

HERE = pathlib.Path(__file__).parent
(CALL, RESULT, BUSY, REFUSED, UNKNOWN, HELLO, PING, PONG, GOAWAY, SYNC_PULL,
 SYNC_PUSH) = range(1, 12)
ID = bytes(range(0x10, 0x20))


def crc32c(data):
    """Bit by bit: slow, and plainly the definition."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def field(number, value):
    return struct.pack("<HH", number, len(value)) + value


def frame(kind, meta=b"", body=b"", ms_left=0, attempt=0, status=0, flags=0):
    def head(crc):
        return (b"PHF1" + struct.pack("<BBH", 1, kind, flags) + ID
                + struct.pack("<IHHIIII", ms_left, attempt, status, len(meta),
                              len(body), crc, 0))
    return head(crc32c(head(0) + meta + body)) + meta + body


BODY = (b'{"order_no":"o-1","amount":100,"currency":"CNY",'
        b'"method":"sandbox_qr","subject":"tea"}')

FRAMES = {
    "ping": frame(PING),
    "pong": frame(PONG),
    "goaway": frame(GOAWAY),
    "hello": frame(HELLO, field(30, b"\x01") + field(31, b"\x01")
                   + field(32, b"pay,admin") + field(33, b"0.1.0")),
    "call-payment": frame(
        CALL,
        field(1, b"POST") + field(2, b"/v1/payments") + field(3, b"k1")
        + field(4, b"app1") + field(5, b"m1") + field(6, b"payhub-v3")
        + field(8, b"192.0.2.7") + field(9, b"application/json")
        + field(11, b"acc-a") + field(11, b"acc-b"),
        BODY, ms_left=15000, attempt=1),
    "call-notice": frame(
        CALL,
        field(1, b"POST") + field(2, b"/notify/sandbox/acc-a")
        + field(10, b"Sandbox-Timestamp\x001700000000")
        + field(10, b"Sandbox-Signature\x00c2ln"),
        b"{}", ms_left=5000, attempt=1),
    "call-get": frame(
        CALL, field(1, b"GET") + field(2, b"/v1/payments?order_no=o-1")
        + field(3, b"k1") + field(4, b"app1") + field(5, b"m1")
        + field(6, b"payhub-v3"), ms_left=15000, attempt=2),
    "call-routed": frame(
        CALL,
        field(1, b"POST") + field(2, b"/v1/payments") + field(3, b"k1")
        + field(4, b"app1") + field(5, b"m1") + field(6, b"payhub-v3")
        + field(11, b"acc-a") + field(11, b"acc-b")
        + field(12, b"rule=all by=weight acc-a 7/10")
        + field(15, b"n0123456789") + field(16, b"1700000000")
        + field(17, b"1") + field(18, b"chosen sandbox_qr CNY 100"),
        BODY, ms_left=15000, attempt=1),
    "result-health": frame(
        RESULT, field(22, b"P01HF7YAT00ZZ0123456789ABCD")
        + field(0x8001, b"acc-a:succeeded:12 acc-b:unknown:10000"),
        b'{"status":"paid"}', status=201),
    "call-asymmetric": frame(
        CALL,
        field(1, b"POST") + field(2, b"/v1/payments") + field(3, b"k2")
        + field(4, b"app1") + field(5, b"m1") + field(6, b"rfc9421")
        + field(13, b"key-1") + field(15, b"n0123456789")
        + field(16, b"1700000000") + field(27, b"1"),
        BODY, ms_left=15000, attempt=1),
    "result-signed": frame(
        RESULT, field(9, b"application/json") + field(21, b"1")
        + field(27, b"platform-0123456789abcdef 1700000000 c2lnbmF0dXJl"),
        b'{"status":"paid"}', status=200),
    "sync-pull": frame(
        SYNC_PULL, b"", b'{"v":1,"link":"watch","host":"h1","wait_ms":1000}'),
    "sync-push": frame(SYNC_PUSH, b"", b'{"v":1,"told":0}', status=200),
    "result-created": frame(
        RESULT, field(9, b"application/json")
        + field(22, b"P01HF7YAT00ZZ0123456789ABCD") + field(23, b"sandbox")
        + field(24, b"paying"), b'{"status":"paying"}', status=201),
    "result-problem": frame(
        RESULT, field(9, b"application/problem+json") + field(25, b"PH-A301")
        + field(20, b"1"), b'{"status":409}', status=409),
    "busy": frame(BUSY, field(20, b"1"), status=503),
    "refused": frame(REFUSED, field(25, b"PH-A304"), status=503),
    "unknown": frame(UNKNOWN, field(25, b"PH-A305"), status=502),
    "optional-field": frame(PING, field(0x8001, b"") + field(0xFFFF, b"later")),
    "flags": frame(PING, flags=0x8001),
}


def text_of(data):
    digits = data.hex()
    return "\n".join(digits[i:i + 64] for i in range(0, len(digits), 64)) + "\n"


def main(mode):
    wrong = 0
    for name, data in sorted(FRAMES.items()):
        path = HERE / (name + ".hex")
        if mode == "--write":
            if not path.exists():
                path.write_text(text_of(data))
        elif mode == "--check":
            if not path.exists() or path.read_text() != text_of(data):
                print(f"{path}: differs from make.py", file=sys.stderr)
                wrong += 1
        else:
            print(name, data.hex())
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
