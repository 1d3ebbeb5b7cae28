#!/usr/bin/env python3
"""Makes payhub-v3.json: signatures of scheme payhub-v3 and shards by Python's
own hmac and hashlib.

usage: make.py > payhub-v3.json
       make.py --check   exit 1 when the file differs
"""
import base64
import hashlib
import hmac
import json
import pathlib
import random
import sys

FILE = pathlib.Path(__file__).with_name("payhub-v3.json")
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def b64(data):
    return base64.b64encode(data).decode()


def sign(key, text):
    return b64(hmac.new(key, text, hashlib.sha256).digest())


def request(key, method, target, timestamp, nonce, body):
    text = "\n".join([method, target, timestamp, nonce]).encode()
    text += b"\n" + body + b"\n"
    return {"key": key, "method": method, "target": target,
            "timestamp": timestamp, "nonce": nonce, "body": b64(body),
            "signed": b64(text), "signature": sign(key.encode(), text)}


def answer(key, timestamp, nonce, status, body):
    text = f"{timestamp}\n{nonce}\n{status}\n".encode() + body + b"\n"
    return {"key": key, "timestamp": timestamp, "nonce": nonce,
            "status": status, "body": b64(body),
            "signature": sign(key.encode(), text)}


def shard(app_id, order_no):
    digest = hashlib.sha256(f"{app_id}\n{order_no}".encode()).digest()
    number = int.from_bytes(digest, "big") >> 246
    return {"app_id": app_id, "order_no": order_no, "shard": number,
            "text": CROCKFORD[number >> 5] + CROCKFORD[number & 31]}


def build():
    rng = random.Random(20260101)
    key = "sk_0123456789abcdefghijklmnopqrstuvwxyzABCDEF"
    rows = [
        request(key, "GET", "/v1/keys", "0", "12345678", b""),
        request(key, "POST", "/v1/payments", "1700000000", "nonce_-0",
                b'{"amount":1}'),
        request(key, "GET", "/v1/payments?order_no=a&sync=true", "1700000001",
                "n" * 64, b""),
        request("k", "POST", "/v1/payments", "99999999999", "A" * 8,
                "\u5fae\u4fe1\n".encode()),
        request("x" * 64, "POST", "/v1/payments", "1700000000", "abcdefgh",
                bytes(range(256))),
        request("y" * 65, "POST", "/v1/payments", "1700000000", "abcdefgh",
                b"\n"),
    ]
    for _ in range(40):
        body = rng.randbytes(rng.choice([0, 1, 55, 56, 63, 64, 65, 342, 4096]))
        rows.append(request(
            "".join(rng.choices(CROCKFORD, k=rng.choice([1, 32, 43, 64, 80]))),
            rng.choice(["GET", "POST"]), "/v1/payments/" + str(rng.random()),
            str(rng.randrange(10**10)),
            "".join(rng.choices(CROCKFORD, k=rng.randrange(8, 65))), body))
    answers = [answer(key, "1700000000", "nonce_-0", s, b'{"status":%d}' % s)
               for s in (200, 201, 202, 404, 502)]
    shards = [shard("app1", "o-1"), shard("a", "b"), shard("", "")]
    shards += [shard(f"app{i % 7}", f"order-{i}") for i in range(60)]
    return {"requests": rows, "answers": answers, "shards": shards}


def main():
    text = json.dumps(build(), indent=1) + "\n"
    if len(sys.argv) > 1 and sys.argv[1] == "--check":
        if FILE.read_text(encoding="ascii") == text:
            return 0
        print(f"{FILE}: differs from what make.py makes", file=sys.stderr)
        return 1
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
