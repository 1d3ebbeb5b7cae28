#!/usr/bin/env python3
"""Writes the seed inputs of t/fuzz/corpus that are made from other files and
from tables: golden frames, headers, amounts, configurations.  Inputs that a
fuzzer found are added beside them by hand.   usage: t/fuzz/seeds.py"""
import pathlib

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CORPUS = ROOT / "t/fuzz/corpus"


def put(target, name, data):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def frames():
    for path in sorted((ROOT / "t/data/frames").glob("*.hex")):
        data = bytes.fromhex(path.read_text())
        put("frame", "golden-" + path.stem, b"\0" + data)
        meta, body = (int.from_bytes(data[i:i + 4], "little") for i in (32, 36))
        share = 16 if body == 0 else 16 * meta // (meta + body)
        put("frame", "wrapped-" + path.stem, bytes([1, share]) + data[48:])
    put("frame", "head-only", b"\0PHF1" + bytes(44))
    put("frame", "twice", bytes([1, 16]) + b"\x01\0\1\0a" * 2)
    put("frame", "optional", bytes([1, 16]) + b"\xff\xff\0\0" * 3)


def headers():
    key, time = 'key_id="k1"', 'timestamp="1700000000"'
    nonce, sign = 'nonce="abcdefgh"', 'signature="AAAAAAAA"'
    rows = {
        "plain": [key, time, nonce, sign],
        "reversed": [sign, nonce, time, key],
        "missing": [key, time, nonce],
        "twice": [key, key, time, nonce, sign],
        "unknown": [key, time, nonce, sign, 'alg="none"'],
        "empty": ['key_id=""', time, nonce, sign],
        "padded": [key, time, nonce, 'signature="AA=="'],
        "zero": [key, 'timestamp="0"', nonce, sign],
    }
    for name, fields in rows.items():
        put("auth", name, ("PAYHUB-V3 " + ",".join(fields)).encode())
    put("auth", "base64", b"Zm9vYmE=")


def amounts():
    rows = ["0", "1", "0.01", "12.34", "999999999999999", "9999999999999.99",
            "1000000000000000", "1.", ".1", "1e9", "-1", "00012.30", "CNY",
            "99999999999999999999999999"]
    for exponent in range(5):
        for i, text in enumerate(rows):
            put("money", f"{exponent}-{i:02}", bytes([exponent]) + text.encode())


def configurations():
    rows = {
        "plain": "[pay]\nlate = accept\n[log]\nlevel=debug\n",
        "comments": "; a\n# b\n\n[notify]\nschedule = 0s 1m 2h\n",
        "stack": "[worker]\nlisten = unix:/tmp/w.sock\nroles = pay,admin\n"
                 "[store]\nsocket = /tmp/db.sock\nconnections = 4\n"
                 "[redis]\nsocket = /tmp/r.sock\ntimeout = 500ms\n",
        "blank-first": "[pay]\n late = accept\n",
        "inline": "[pay]\nlate = accept ; no\n",
        "colon": "[pay]\nlate: accept\n",
        "section-tail": "[pay] x\n",
        "no-section": "late = accept\n",
        "crlf": "[pay]\r\n",
        "long": "; " + "x" * 189 + "\n",
        "environment": "PAYHUB_PAY_LATE=accept",
        "environment-other": "PAYHUB_PID_NGINX=1",
        "environment-unknown": "PAYHUB_X=1",
        "offset": "[sidecar]\nday_offset = -03:30\n",
        "url": "[pay]\npublic_url = https://a.b:1/c\n",
    }
    for name, text in rows.items():
        put("conf", name, text.encode())
    put("conf", "nul", b"[pay]\nlate = \0\n")
    put("conf", "mark", b"\xef\xbb\xbf[pay]\n")


frames()
headers()
amounts()
configurations()
