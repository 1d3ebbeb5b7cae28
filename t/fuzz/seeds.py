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


def cuts():
    golden = {path.stem: bytes.fromhex(path.read_text())
              for path in sorted((ROOT / "t/data/frames").glob("*.hex"))}
    stream = b"".join(data for data in golden.values() if len(data) < 1000)
    for length in (1, 47, 48, 49, 256):
        put("cut", f"golden-by-{length}", bytes([length - 1]) + stream)
    put("cut", "half", b"\x0f" + stream[:-1])
    put("cut", "broken", b"\x0f" + stream + b"X" * 48 + stream)
    put("cut", "long", b"\xff" + stream[:36] + b"\0\0\x10\0" + bytes(400))


def lists():
    rows = {
        "empty": "", "limit": "limit=100", "sync": "order_no=a&sync=true",
        "filters": "status=paid,paid_late&method=sandbox_bar&channel=sandbox"
                   "&account=acc_1&limit=5",
        "times": "created_from=2026-01-02T03%3A04%3A05Z"
                 "&created_to=2026-01-02T03:04:05.678Z",
        "escapes": "account=a%2Cb%5f&channel=%",
        "twice": "limit=1&limit=1", "unknown": "sort=id",
        "cursor": "cursor=" + "UDAxMjM0NTY3ODlBQjAwMDAwMDAwMDAwMDAw" + "A" * 11,
        "many": "account=" + ",".join("abcdefghijklmnopq"),
    }
    for name, text in rows.items():
        put("list_query", name, text.encode())


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


def signatures():
    four = '"@method" "@authority" "@path" "@query"'
    rest = ';created=1;keyid="k1";nonce="abcdefgh"'
    digest = "sha-256=:Ij4KvPdJLJ9l9U2n1s6qMDJ2jHR3tXkqYJjAFFKYQ+Y=:"
    rows = {
        "plain": [f's=({four} "content-digest"){rest}', "s=:AAAA:", digest],
        "other": [f's=({four} "x-other"){rest}', "s=:AAAA:", "", "a, b"],
        "derived": [f's=("@scheme" "@request-target" "@target-uri"){rest}',
                    "s=:AAAA:"],
        "two": [f's=({four}){rest}, t=("signature";key="s");keyid="p"',
                "t=:BBBB:, s=:AAAA:"],
        "known-twice": [f's=(){rest},t=(){rest}', "s=:AAAA:,t=:AAAA:"],
        "parameters": [f's=(){rest};expires=2;alg="ed25519";tag="t";a;b=-1.5'
                       ';c=?0;d=:AA==:;e=*x', "s=:AAAA:"],
        "component": [f's=("@query-param";name="a" "x";sf){rest}', "s=:AAAA:"],
        "escapes": ['s=();keyid="a\\\\b\\"c"', "s=:AAAA:"],
        "empty": ["s=()", "s=::"],
        "digests": ["s=()", "s=::", digest + ",sha-512=:AAAA:,md5=:AA==:"],
    }
    for name, texts in rows.items():
        put("9421", name, "\n".join(texts).encode())


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


def scans():
    rows = {
        "plain": '{"order_no":"1","amount":100,"currency":"CNY",'
                 '"method":"card","subject":"a"}',
        "metadata": '{"method":"card","metadata":{"region":"cn","a":"b"}}',
        "twice": '{"method":"a","method":"b"}',
        "escaped-name": '{"m\\u0065thod":"a"}',
        "escaped-value": '{"method":"\\u0061"}',
        "elsewhere": '{"extra":{"method":"x"},"metadata":{"metadata":'
                     '{"region":"y"}},"region":"z"}',
        "real": '{"amount":1.0}',
        "large": '{"amount":9223372036854775808}',
        "least": '{"amount":-9223372036854775808}',
        "deep": '{"a":' + "[" * 16 + "]" * 16 + "}",
        "array": '[{"method":"a"}]',
        "words": '{"a":[true,false,null,-0.5e-3,"\\n"],"method":""}',
    }
    for name, text in rows.items():
        put("scan", name, text.encode())
    put("scan", "nul-behind-number", b'{"a":15\0,"method":"card"}')


frames()
cuts()
lists()
scans()
headers()
signatures()
amounts()
configurations()
