#!/usr/bin/env python3
"""Writes the seed inputs of t/fuzz/corpus that are made from other files and
from tables: golden frames, headers, amounts, configurations.  Inputs that a
fuzzer found are added beside them by hand.   usage: t/fuzz/seeds.py"""
import base64
import hashlib
import json
import pathlib
import urllib.parse

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


# --- channels: what t/fuzz/fuzz_NAME.c reads, from the vectors and tapes ------

CREATE, QUERY, CLOSE, REVERSE, REFUND, REFUND_QUERY, REFRESH = range(7)
OK_200, CREATED_201, BAD_400, UNAUTHORIZED_401, NOT_FOUND_404 = 0, 1, 4, 5, 7


def vectors(name):
    return json.loads((ROOT / "t/data/vectors" / f"{name}.json").read_text())


def text(path):
    return (ROOT / path).read_bytes()


def name_of(title):
    word = "".join(c if c.isalnum() else "-" for c in title.lower())[:40]
    return word.strip("-") or hashlib.sha1(title.encode()).hexdigest()[:8]


def civil():
    rows = [(0, "20261123102030"), (1, "2026-11-23 10:20:30"),
            (1, "2026-11-23 10:20:30.123"), (2, "2026-11-23T10:20:30+08:00"),
            (2, "2026-11-23T10:20:30.5Z"), (1, "2028-02-29 23:59:59"),
            (1, "2027-02-29 00:00:00"), (0, "99991231235959"),
            (2, "1970-01-01T00:00:00-12:00"), (0, "19700101000000")]
    for i, (shape, value) in enumerate(rows):
        for offset in (128, 171, 0):
            put("civil", f"{i}-{offset}", bytes([shape, offset])
                + value.encode())


def forms():
    rows = ["", "a", "a=1&b=2", "a=%41&b=+%2B", "a=1&a=2", "a=%4", "=1",
            "a=%00", "b=2&a=1&ab=3", "a=%E4%B8%AD", "&".join(
                f"n{i}=1" for i in range(40))]
    for i, value in enumerate(rows):
        put("form", str(i), bytes([i % 2]) + value.encode())


def members():
    rows = ['{"sign":"a"}', '{"sign":{"a":[1,2]},"b":1}', '{"a":1,"a":2}',
            '{"\\u0073ign":"a"}', '{ "sign" : "\\"" , "a":"}" }',
            '{"a":' + "[" * 31 + "]" * 31 + "}", '{"error_response":null}',
            '{"sign":"x"} {', '{"a":tru}']
    for i, value in enumerate(rows):
        for which in range(4):
            put("json_member", f"{i}-{which}", bytes([which]) + value.encode())
    for i, row in enumerate(vectors("alipay")["responses"][:4]):
        put("json_member", f"answer-{i}", b"\1" + row["body"].encode())


def xml():
    rows = {
        "flat": "<xml><a>1</a><b>2</b></xml>",
        "cdata": "<xml><a><![CDATA[x & <y>]]></a></xml>",
        "nested": "<r><a><b>1</b><c/></a></r>",
        "references": "<r><a>&amp;&#65;&#x4e2d;&lt;</a></r>",
        "declared": '<?xml version="1.0" encoding="UTF-8"?><r><a>1</a></r>',
        "entity": '<!DOCTYPE r [<!ENTITY x "y">]><r><a>&x;</a></r>',
        "external": '<!DOCTYPE r SYSTEM "file:///etc/passwd"><r/>',
        "laughs": '<!DOCTYPE r [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]>'
                  "<r>&b;</r>",
        "twice": "<r><a>1</a><a>2</a></r>", "mixed": "<r>x<a>1</a></r>",
        "attribute": '<r a="1"/>', "comment": "<r><!-- x --><a>1</a></r>",
        "instruction": "<r><?x y?></r>", "deep": "<a>" * 33 + "</a>" * 33,
        "latin": '<?xml version="1.0" encoding="ISO-8859-1"?><r>\xe9</r>',
    }
    for name, value in rows.items():
        put("xml", name, value.encode("latin-1"))
    put("xml", "v2", vectors("wechat")["v2"]["response_xml"].encode())


def certs():
    keys = "t/data/vectors/keys/"
    rows = [(0, "alipay/alipayCertPublicKey.crt"), (0, "alipay/rootec.crt"),
            (1, "alipay/alipayRootCert.crt"), (1, "paypal/webhook_cert.pem"),
            (0, "unionpay/acpsign.cer"), (2, "unionpay/merchant.pfx"),
            (2, "unionpay/merchant_aes.pfx"), (3, "alipay/app_pkcs1.pem"),
            (3, "alipay/app_pkcs8.pem"), (4, "alipay/app_public.pem"),
            (4, "alipay/appCertPublicKey.crt")]
    for which, path in rows:
        put("cert", name_of(path), bytes([which]) + text(keys + path))
    pem = text(keys + "paypal/webhook_cert.pem").split(b"-----")[2]
    put("cert", "der", b"\0" + base64.b64decode(pem))
    put("cert", "base64", b"\0" + pem.replace(b"\n", b""))


def operations(target, mode, rows):
    for name, op, status, body in rows:
        put(target, f"{mode}-{name}", bytes([mode, op, status])
            + (body if isinstance(body, bytes) else body.encode()))


def alipay():
    of = vectors("alipay")
    for row in of["responses"]:
        title = name_of(row["name"])
        put("alipay", "answer-" + title,
            bytes([0, QUERY, OK_200]) + row["body"].encode())
    paid = {"code": "10000", "msg": "Success", "out_trade_no":
            "A0K1M2N3P4Q7Z0123456789ABCD", "trade_no": "2026112322",
            "total_amount": "88.88", "trade_status": "TRADE_SUCCESS",
            "send_pay_date": "2026-11-23 10:20:30", "fund_change": "Y",
            "refund_fee": "7.00", "out_request_no":
            "R0K1M2N3P4Q7Z0123456789ABCD", "refund_amount": "7.00",
            "refund_status": "REFUND_SUCCESS", "retry_flag": "N",
            "action": "close", "qr_code": "https://qr.alipay.com/x"}
    refused = {"code": "40004", "msg": "Business Failed",
               "sub_code": "ACQ.TRADE_NOT_EXIST", "sub_msg": "none"}
    for op in range(6):
        for name, value in (("paid", paid), ("refused", refused)):
            put("alipay", f"signed-{name}-{op}", bytes([1, op, OK_200])
                + json.dumps(value).encode())
    for i, row in enumerate(of["notifies"]):
        body = row["body"].encode()
        put("alipay", f"notice-{i}", bytes([2, 0, 0]) + body)
        put("alipay", f"signed-notice-{i}", bytes([3, 0, 0]) + body)


def wechatpay():
    of = vectors("wechat")
    for i, row in enumerate(of["responses"]):
        body = row["body"].encode()
        put("wechatpay", f"answer-{i}", bytes([0, QUERY, OK_200]) + body)
        put("wechatpay", f"judged-{i}", bytes([1, QUERY, OK_200]) + body)
    order = {"appid": "wxd678efh567hg6787", "mchid": "1900009191",
             "out_trade_no": "A0K1M2N3P4Q7Z0123456789ABCD",
             "transaction_id": "4200", "trade_state": "SUCCESS",
             "success_time": "2026-11-23T10:20:30+08:00",
             "amount": {"total": 8888, "payer_total": 8888,
                        "currency": "CNY"}}
    refund = {"mchid": "1900009191", "out_trade_no": order["out_trade_no"],
              "transaction_id": "4200", "refund_id": "5030",
              "out_refund_no": "R0K1M2N3P4Q7Z0123456789ABCD",
              "refund_status": "SUCCESS", "status": "SUCCESS",
              "success_time": "2026-11-23T10:20:30+08:00",
              "amount": {"total": 8888, "refund": 700, "payer_total": 8888,
                         "payer_refund": 700, "currency": "CNY"}}
    error = {"code": "ORDER_NOT_EXIST", "message": "none"}
    for op in range(6):
        for name, status, value in (("order", OK_200, order),
                                    ("refund", OK_200, refund),
                                    ("error", NOT_FOUND_404, error)):
            put("wechatpay", f"judged-{name}-{op}", bytes([1, op, status])
                + json.dumps(value).encode())
    put("wechatpay", "sealed-order", bytes([4, 0, 0])
        + json.dumps(order).encode())
    put("wechatpay", "sealed-refund", bytes([4, 1, 0])
        + json.dumps(refund).encode())
    for i, row in enumerate(of["notifies"]):
        body = row["body"].encode()
        put("wechatpay", f"notice-{i}", bytes([2, 0, 0]) + body)
        put("wechatpay", f"read-{i}", bytes([3, 0, 0]) + body)
    put("wechatpay", "certificates", bytes([5, REFRESH, OK_200])
        + of["certificates"]["body"].encode())


def unionpay():
    for i, row in enumerate(vectors("unionpay")["messages"]):
        fields = {k: v for k, v in row["params"].items()
                  if k != "signPubKeyCert"}
        plain = "&".join(f"{k}={v}" for k, v in fields.items()).encode()
        form = urllib.parse.urlencode(fields).encode()
        for mode in (0, 2, 4, 5):
            put("unionpay", f"{mode}-{i}",
                bytes([mode, i % 6, OK_200]) + plain)
        for mode in (1, 3):
            put("unionpay", f"{mode}-{i}", bytes([mode, 0, 0]) + form)
    said = ("version=5.1.0&encoding=UTF-8&merId=777290058110048&txnType=00&"
            "txnSubType=00&orderId=A0K1M2N3P4Q7Z0123456789ABCD&queryId=8226&"
            "txnAmt=8888&currencyCode=156&settleAmt=8888&"
            "settleCurrencyCode=156&respCode=00&respMsg=ok&origRespCode=00&"
            "tn=1234&origQryId=8225&reserved={a=1&b=2}")
    for op in range(6):
        for mode in (0, 4):
            kind = {CREATE: "01", REFUND: "04"}.get(op, "00")
            put("unionpay", f"{mode}-said-{op}", bytes([mode, op, OK_200])
                + said.replace("txnType=00", "txnType=" + kind).encode())
    put("unionpay", "5-said", bytes([5, 0, 0])
        + said.replace("txnType=00", "txnType=01").encode())


def stripe():
    of = vectors("stripe")
    for i, row in enumerate(of["webhooks"]):
        body, header = row["body"], row.get("header") or ""
        put("stripe", f"event-{i}", bytes([2, 0, 0]) + body.encode())
        put("stripe", f"webhook-{i}", bytes([3, 0, 0])
            + f"{header}\n{body}".encode())
    intent = {"id": "pi_1", "object": "payment_intent", "amount": 8888,
              "amount_received": 8888, "currency": "usd", "livemode": False,
              "client_secret": "pi_1_secret_x", "created": 1795400000,
              "metadata": {"out_trade_no": "A0K1M2N3P4Q7Z0123456789ABCD"}}
    refund = {"id": "re_1", "object": "refund", "amount": 700,
              "currency": "usd", "payment_intent": "pi_1",
              "metadata": {"out_refund_no": "R0K1M2N3P4Q7Z0123456789ABCD"}}
    error = json.dumps({"error": {"type": "card_error", "code":
                        "card_declined", "message": "no"}})
    for mode in (0, 1):
        rows = [("list", REFUND, OK_200, json.dumps(
            {"object": "list", "data": [dict(refund, status="pending")],
             "has_more": False}))]
        for status in ("succeeded", "requires_action", "canceled",
                       "requires_payment_method", "processing"):
            value = json.dumps(dict(intent, status=status))
            rows += [(f"{status}-{op}", op, OK_200, value) for op in range(4)]
        for status in ("succeeded", "pending", "failed"):
            value = json.dumps(dict(refund, status=status))
            rows += [(f"refund-{status}-{op}", op, OK_200, value)
                     for op in (REFUND, REFUND_QUERY)]
        rows += [(f"error-{op}", op, BAD_400, error + "\x1e" + json.dumps(
            dict(intent, status="requires_payment_method")))
            for op in range(6)]
        operations("stripe", mode, rows)


def paypal():
    of = vectors("paypal")
    names = ("PAYPAL-TRANSMISSION-ID", "PAYPAL-TRANSMISSION-TIME",
             "PAYPAL-TRANSMISSION-SIG", "PAYPAL-CERT-URL", "PAYPAL-AUTH-ALGO")
    for i, row in enumerate(of["webhooks"]):
        lines = [row["headers"].get(name, "") for name in names]
        put("paypal", f"event-{i}", bytes([2, 0, 0]) + row["body"].encode())
        put("paypal", f"webhook-{i}", bytes([3, 0, 0])
            + "\n".join(lines + [row["body"]]).encode())
    money = {"currency_code": "USD", "value": "88.88"}
    number = "A0K1M2N3P4Q7Z0123456789ABCD"
    capture = {"id": "2GG", "status": "COMPLETED", "custom_id": number,
               "amount": money, "create_time": "2026-11-24T01:02:03Z"}
    order = {"id": "5O1", "intent": "CAPTURE", "purchase_units": [
        {"reference_id": "default", "custom_id": number, "amount": money,
         "payments": {"captures": [capture]}}], "links": [
        {"rel": "payer-action", "href": "https://www.paypal.com/x"}]}
    refund = {"id": "1JU", "status": "COMPLETED", "invoice_id":
              "R0K1M2N3P4Q7Z0123456789ABCD", "amount":
              {"currency_code": "USD", "value": "7.00"}, "links": [
                  {"rel": "up", "href": "https://a/v2/payments/captures/2GG"}]}
    error = json.dumps({"name": "UNPROCESSABLE_ENTITY", "details": [
        {"issue": "INSTRUMENT_DECLINED"}]})
    token = json.dumps({"access_token": "A21", "token_type": "Bearer",
                        "expires_in": 32400})
    for mode in (0, 1):
        rows = [("token", REFRESH, OK_200, token)]
        for status in ("CREATED", "APPROVED", "COMPLETED", "VOIDED"):
            value = json.dumps(dict(order, status=status))
            rows += [(f"{status}-{op}", op, OK_200, value) for op in range(4)]
        rows += [(f"refund-{op}", op, OK_200, json.dumps(refund))
                 for op in (REFUND, REFUND_QUERY)]
        rows += [(f"error-{op}", op, 9, error) for op in range(6)]
        rows += [(f"away-{op}", op, UNAUTHORIZED_401, "{}") for op in range(6)]
        operations("paypal", mode, rows)
    put("paypal", "kept", bytes([4, 0, 0]) + b"token A\nuntil 1\ncert https:"
        b"//api.paypal.com/v1/notifications/certs/C\n"
        + text("t/data/vectors/keys/paypal/webhook_cert.pem") + b".\n")
    for i, url in enumerate((
            "https://api.paypal.com/v1/notifications/certs/CERT-1",
            "https://api.paypal.com.evil/v1/notifications/certs/CERT-1",
            "https://api.paypal.com@evil/v1/notifications/certs/CERT-1",
            "https://api.paypal.com:443/v1/notifications/certs/CERT-1",
            "https://api.paypal.com/v1/notifications/certs/../x",
            "http://api.paypal.com/v1/notifications/certs/CERT-1",
            "https://api-m.sandbox.paypal.com/v1/notifications/certs/a?b")):
        put("paypal", f"url-{i}", bytes([5, 0, 0]) + url.encode())


def declared():
    said = {"no": "A0K1M2N3P4Q7Z0123456789ABCD", "bank_no": "B1",
            "sum": "88.88", "cur": "CNY", "state": "PAID", "event": "e1",
            "at": "2026-11-23 10:20:30", "qr": "https://q", "text": " t ",
            "back": "R0K1M2N3P4Q7Z0123456789ABCD", "code": "0"}
    texts = (json.dumps(said), "<r>" + "".join(
        f"<{k}>{v}</{k}>" for k, v in said.items()) + "</r>",
        urllib.parse.urlencode(said))
    for which, value in enumerate(texts):
        for more in range(4):
            for op in (CREATE, QUERY, REFUND):
                put("declared", f"{which}-{more}-{op}",
                    bytes([which + 3 * more, op, OK_200]) + value.encode())


def declared_files():
    for path in ("t/data/channels/amberbank.json",
                 "channels/files/jdpay.json",
                 "channels/files/douyinpay.json"):
        # in fewer bytes, or the fuzzer's limit cuts it
        short = json.dumps(json.loads(text(path)), ensure_ascii=False,
                           separators=(",", ":"))
        put("declared_file", pathlib.Path(path).stem, short.encode())



def binlog_events(name):
    """(type, body) of each event of a file without checksums."""
    data, at = (ROOT / "t/data/binlog" / name).read_bytes(), 4
    while at < len(data):
        length = int.from_bytes(data[at + 9:at + 13], "little")
        body = data[at + 19:at + length]
        # the FORMAT_DESCRIPTION has a checksum whatever it says
        yield data[at + 4], body[:-4] if data[at + 4] == 15 else body
        at += length


def zstd_stored(raw):
    """A zstd frame of one stored block."""
    return (b"\x28\xb5\x2f\xfd\xa0" + len(raw).to_bytes(4, "little")
            + (len(raw) << 3 | 1).to_bytes(3, "little") + raw)


def lenenc(number):
    return b"\xfe" + number.to_bytes(8, "little")


def payload(packed, algorithm, raw):
    return (bytes([2, 1, algorithm]) if algorithm == 0
            else bytes([2, 3, 252, algorithm, 0])) + \
        b"\x03\x09" + lenenc(raw) + b"\x01\x09" + lenenc(len(packed)) + \
        b"\0" + packed


def binlog_parts():
    head = bytes([1, 0, 0, 0, 30, 7, 0, 0, 0, 20, 0, 0, 0, 4, 3, 2, 1, 0, 0])
    put("binlog_event", "head", b"\0" + head)
    for i, text in enumerate(("0-1-100", "7-2-5,0-1-1", "4294967295-4294967295-"
                              "18446744073709551615", "0-1-2-3", "0-1-2,")):
        put("binlog_event", f"position-{i}", b"\2" + text.encode())
    inner = b""
    for name in ("payments-plain.binlog", "types-plain.binlog",
                 "compressed-plain.binlog"):
        short, table = name.split("-")[0], b""
        for i, (kind, body) in enumerate(binlog_events(name)):
            if kind in (2, 4, 18, 162):
                way = {162: 1, 2: 4, 18: 5, 4: 6}[kind]
                put("binlog_event", f"{short}-{i}", bytes([way]) + body)
            elif kind == 19:
                table = body
            elif 23 <= kind <= 32 or 166 <= kind <= 171:
                put("binlog_rows", f"{short}-{i}", bytes([kind])
                    + len(table).to_bytes(2, "little") + table + body)
            if short == "payments" and kind in (2, 16, 19, 23, 24, 25):
                inner += (bytes(4) + bytes([kind, 1, 0, 0, 0])
                          + (len(body) + 19).to_bytes(4, "little") + bytes(6)
                          + body)
    packed = zstd_stored(inner)
    rows = {"stored": payload(packed, 0, len(inner)),
            "none": payload(inner, 255, len(inner)),
            "raw-less": payload(packed, 0, len(inner) - 1),
            "raw-more": payload(packed, 0, len(inner) + 1),
            "raw-giant": payload(packed, 0, 1 << 40),
            "other": payload(packed, 1, len(inner)),
            "cut": payload(packed[:-9], 0, len(inner)),
            "twice": payload(packed + packed, 0, 2 * len(inner)),
            "empty": payload(b"", 0, 0)}
    for name, data in rows.items():
        put("binlog_payload", name, data)


frames()
cuts()
lists()
scans()
headers()
signatures()
amounts()
configurations()
civil()
binlog_parts()
forms()
members()
xml()
certs()
alipay()
wechatpay()
unionpay()
stripe()
paypal()
declared()
declared_files()
