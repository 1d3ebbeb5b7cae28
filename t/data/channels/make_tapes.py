#!/usr/bin/env python3
"""Makes the recorded exchanges of the channels that files declare: the tapes
beside channels/files/*.json and amberbank.json, by Python's own hmac, json and integers, and by the
`cryptography` package for 3DES, AES-GCM and certificates.  Nothing here calls
payhub.  The texts are written as the channels' documents describe them, by hand,
not from the files that are tested.

usage: make_tapes.py            writes them
       make_tapes.py --check    exit 1 when a file differs
"""
import base64
import datetime
import hashlib
import hmac
import json
import pathlib
import sys

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

try:
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
except ImportError:
    from cryptography.hazmat.primitives.ciphers.algorithms import TripleDES

ROOT = pathlib.Path(__file__).resolve().parents[3]
KEYS = ROOT / "t/data/vectors/keys/wechat"
FILES = ROOT / "channels/files"

NOW = 1795429230  # 2026-11-23 10:20:30 UTC
NONCE = "00112233445566778899aabbccddeeff"
NUMBER = "A0K1M2N3P4Q7Z0123456789ABCD"
OTHER = "A0K1M2N3P4Q7Z9999999999ZZZZ"
REFUND = "R0K1M2N3P4Q7Z0123456789ABCD"
NOTIFY = "https://pay.example.com/notify/%s/acc_1"
BEIJING = datetime.timezone(datetime.timedelta(hours=8))

# DigestInfo of SHA-256 in DER, RFC 8017 section 9.2
SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


def b64(data):
    return base64.b64encode(data).decode()


def beijing(seconds, shape):
    return datetime.datetime.fromtimestamp(seconds, BEIJING).strftime(shape)


class Key:
    """RSA by plain arithmetic: PKCS #1 v1.5, block type 1."""

    def __init__(self, name):
        self.pem = (KEYS / name).read_text()
        numbers = serialization.load_pem_private_key(self.pem.encode(), None).private_numbers()
        self.n, self.d = numbers.public_numbers.n, numbers.d
        self.size = (self.n.bit_length() + 7) // 8

    def raw(self, data):
        block = b"\x00\x01" + b"\xff" * (self.size - len(data) - 3) + b"\x00" + data
        return pow(int.from_bytes(block, "big"), self.d, self.n).to_bytes(self.size, "big")

    def sha256(self, data):
        return self.raw(SHA256_INFO + hashlib.sha256(data).digest())


class Tapes:
    def __init__(self, channel, folder=FILES):
        self.folder, self.made = folder / (channel + ".json.tapes"), {}

    def add(self, name, about, **tape):
        number = len(self.made) + 1
        self.made[f"{number:02}-{name}.json"] = {"about": about, "now": NOW, "nonce": NONCE, **tape}

    def texts(self):
        return {self.folder / name: json.dumps(tape, indent=1, ensure_ascii=False) + "\n"
                for name, tape in self.made.items()}


def order(channel, method, **more):
    return {"number": NUMBER, "method": method, "amount": 8888, "currency": "CNY",
            "subject": "tea & cups <2>", "notify_url": NOTIFY % channel, "client_ip": "203.0.113.7",
            "created": NOW - 30, "expires": NOW + 7200, **more}


REFUNDED = {"number": REFUND, "amount": 700, "reason": "too hot", "created": NOW - 5}


# ---- JD Pay: XML, signed, then 3DES in hex in base64 ----

class Jd:
    def __init__(self):
        self.own, self.jd = Key("merchant_pkcs8.pem"), Key("platform1_pkcs8.pem")
        self.des = bytes(range(1, 25))
        self.account = {"base_url": "https://paygate.jd.com", "merchant": "22294531",
                        "private_key": self.own.pem,
                        "jd_public_key": (KEYS / "platform1_public.pem").read_text(),
                        "des_key": b64(self.des)}
        self.tapes = Tapes("jdpay")

    def cipher(self, data):
        data = len(data).to_bytes(4, "big") + data
        data += b"\0" * (-len(data) % 8)
        made = Cipher(TripleDES(self.des), modes.ECB()).encryptor()
        return b64((made.update(data) + made.finalize()).hex().encode())

    @staticmethod
    def xml(fields, sign=None):
        def text(value):
            return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        inside = "".join(f"<{name}>{text(value)}</{name}>" for name, value in fields)
        inside += f"<sign>{sign}</sign>" if sign else ""
        return f'<?xml version="1.0" encoding="UTF-8"?><jdpay>{inside}</jdpay>'

    @staticmethod
    def sign(key, text):
        return b64(key.raw(hashlib.sha256(text.encode()).hexdigest().encode()))

    def sealed(self, key, fields, between=""):
        plain = self.xml(fields)
        signed = self.xml(fields, self.sign(key, plain))
        if between:  # white space between elements is not signed
            signed = signed.replace("><", ">" + between + "<")
        return self.cipher(signed.encode())

    def request(self, path, fields):
        fields = [("version", "V2.0"), ("merchant", "22294531")] + fields
        return {"method": "POST", "url": "https://paygate.jd.com/service/" + path,
                "headers": {"Content-Type": "application/xml; charset=utf-8"},
                "body": '<?xml version="1.0" encoding="UTF-8"?><jdpay><version>V2.0</version>'
                        f"<merchant>22294531</merchant><encrypt>{self.sealed(self.own, fields)}"
                        "</encrypt></jdpay>"}

    def body(self, fields, key=None, code="000000", desc="success", between="", sealed=None):
        sealed = sealed or self.sealed(key or self.jd, fields, between)
        return ('<?xml version="1.0" encoding="UTF-8"?><jdpay><version>V2.0</version>'
                f"<merchant>22294531</merchant><result><code>{code}</code><desc>{desc}</desc></result>"
                f"<encrypt>{sealed}</encrypt></jdpay>")

    def told(self, **more):
        fields = {"merchant": "22294531", "tradeNum": NUMBER, "tradeType": "0", "amount": "8888",
                  "currency": "CNY", **more}
        return [(name, value) for name, value in fields.items() if value is not None]

    def op(self, name, about, op, request, body, result, status=200, **more):
        self.tapes.add(name, about, account=self.account, op=op, order=order("jdpay", "jdpay_qr"),
                       request=request, answer={"status": status, "headers": {}, "body": body},
                       result=result, **more)

    def creates(self):
        request = self.request("uniorder", [
            ("tradeNum", NUMBER), ("tradeName", "tea & cups <2>"),
            ("tradeTime", beijing(NOW - 30, "%Y%m%d%H%M%S")), ("amount", "8888"), ("orderType", "1"),
            ("currency", "CNY"), ("notifyUrl", NOTIFY % "jdpay"), ("ip", "203.0.113.7"),
            ("tradeType", "QR"), ("expireTime", "7230")])
        base = {"currency": "CNY", "amount": 8888, "seller": "22294531", "number": NUMBER,
                "message": "success", "channel_code": "000000"}
        qr = "https://h5pay.jd.com/qr?c=a&b=1"
        body = self.body(self.told(qrCode=qr, orderId="2026112300001"))
        self.op("create", "a code to scan", "create", request, body,
                {"class": "wait_user", "trade_no": "2026112300001", **base},
                action={"type": "qr_code", "data": qr})
        self.op("create-spaced", "white space between elements is not signed", "create", request,
                self.body(self.told(qrCode=qr), between="\n  "), {"class": "wait_user", **base},
                action={"type": "qr_code", "data": qr})
        self.op("create-our-key", "signed by the merchant's own key", "create", request,
                self.body(self.told(qrCode=qr), key=self.own),
                {"class": "unknown", "error_class": "signature"})
        self.op("create-html", "a page of a proxy", "create", request,
                "<html><body><p>502</body></html>", {"class": "unknown", "error_class": "signature"})
        self.op("create-500", "signed, and a fault of theirs", "create", request, body,
                {"class": "unknown", "error_class": "channel_error"}, status=500)
        self.op("create-refused", "a code that nobody knows proves nothing", "create", request,
                self.body(self.told(), code="100003", desc="no"),
                {"class": "unknown", "error_class": "unknown_code", **base, "channel_code": "100003",
                 "message": "no"})

    def queries(self):
        request = self.request("query", [("tradeNum", NUMBER), ("tradeType", "0")])
        base = {"currency": "CNY", "amount": 8888, "seller": "22294531", "number": NUMBER,
                "message": "success", "channel_code": "000000"}
        for status, word in (("0", "wait_user"), ("1", "wait_user"), ("2", "succeeded"), ("4", "closed")):
            self.op(f"query-{status}", f"status {status}", "query", request,
                    self.body(self.told(status=status)), {"class": word, **base})
        self.op("query-3", "status 3", "query", request, self.body(self.told(status="3")),
                {"class": "failed", "error_class": "declined", **base})
        self.op("query-7", "a status that nobody knows", "query", request,
                self.body(self.told(status="7")), {"class": "unknown", "error_class": "unknown_code", **base})
        self.op("query-other", "another order of ours", "query", request,
                self.body(self.told(status="2", tradeNum=OTHER)), {"class": "succeeded", **base, "number": OTHER})
        self.op("query-unnamed", "paid, and not said which", "query", request,
                self.body(self.told(status="2", tradeNum=None)),
                {"class": "unknown", "error_class": "no_number", **base, "number": ""})
        self.op("query-decimal", "an amount that is none", "query", request,
                self.body(self.told(status="2", amount="88.88")), {"class": "unknown", "error_class": "unreadable"})
        sealed = self.sealed(self.jd, self.told(status="2"))
        self.op("query-cut", "a text that was cut", "query", request,
                self.body(None, sealed=sealed[:len(sealed) // 2 // 16 * 16]),
                {"class": "unknown", "error_class": "signature"})
        forged = self.cipher(self.xml(self.told(status="2")).encode())
        self.op("query-unsigned", "no signature at all", "query", request, self.body(None, sealed=forged),
                {"class": "unknown", "error_class": "signature"})

    def refunds(self):
        told = self.told(tradeNum=REFUND, oTradeNum=NUMBER, tradeType="1", amount="700")
        base = {"currency": "CNY", "amount": 700, "seller": "22294531", "number": REFUND,
                "message": "success", "channel_code": "000000"}
        refund = self.request("refund", [
            ("tradeNum", REFUND), ("oTradeNum", NUMBER), ("amount", "700"), ("currency", "CNY"),
            ("tradeTime", beijing(NOW - 5, "%Y%m%d%H%M%S")), ("notifyUrl", NOTIFY % "jdpay"),
            ("note", "too hot")])
        query = self.request("query", [("tradeNum", REFUND), ("oTradeNum", NUMBER), ("tradeType", "1")])
        for op, request in (("refund", refund), ("refund_query", query)):
            for status, word in (("1", "wait_user"), ("2", "succeeded")):
                self.op(f"{op}-{status}", f"{op}, status {status}", op, request,
                        self.body(told + [("status", status)]), {"class": word, **base}, refund=REFUNDED)
        self.op("refund-other", "of another payment", "refund", refund,
                self.body(self.told(tradeNum=REFUND, oTradeNum=OTHER, tradeType="1", amount="700", status="2")),
                {"class": "unknown", "error_class": "no_number", **base}, refund=REFUNDED)

    def notices(self):
        def notice(name, about, fields, **more):
            self.tapes.add(name, about, account=self.account,
                           notice={"headers": {}, "body": self.body(fields)}, **more)
        base = {"currency": "CNY", "seller": "22294531", "ack": "success"}
        notice("notice-paid", "paid", self.told(status="2"),
               result={"class": "succeeded", "id": f"0-{NUMBER}-2", "number": NUMBER, "amount": 8888, **base})
        notice("notice-refund", "a refund is done",
               self.told(tradeNum=REFUND, oTradeNum=NUMBER, tradeType="1", amount="700", status="2"),
               result={"class": "succeeded", "id": f"1-{REFUND}-2", "number": REFUND, "refund": True,
                       "order_number": NUMBER, "amount": 700, **base})
        notice("notice-word", "a status that nobody knows is asked about", self.told(status="9"),
               result={"class": "wait_user", "hint": True, "error_class": "unknown_code",
                       "id": f"0-{NUMBER}-9", "number": NUMBER, "amount": 8888, **base})
        notice("notice-unnamed", "of no order", self.told(status="2", tradeNum=None), refused=True)
        self.tapes.add("notice-our-key", "signed by the merchant's own key", account=self.account, refused=True,
                       notice={"headers": {}, "body": self.body(self.told(status="2"), key=self.own)})
        self.tapes.add("notice-entity", "an entity", account=self.account, refused=True,
                       notice={"headers": {}, "body": '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
                                                      "<jdpay><encrypt>&x;</encrypt></jdpay>"})

    def all(self):
        self.creates()
        self.queries()
        self.refunds()
        self.notices()
        return self.tapes.texts()


# ---- Douyin Pay: JSON, signed in headers ----

class Douyin:
    base = "https://api.douyinpay.com"

    def __init__(self):
        self.own, self.platform = Key("merchant_pkcs8.pem"), Key("platform1_pkcs8.pem")
        self.secret = "0123456789abcdefghijklmnopqrstuv"
        pem = (KEYS / "platform1_cert.pem").read_text()
        self.serial = f"{x509.load_pem_x509_certificate(pem.encode()).serial_number:X}"
        self.account = {"base_url": self.base, "mchid": "1900000109", "appid": "tt0123456789",
                        "serial_no": "5157F09EFDC096DE", "private_key": self.own.pem,
                        "api_key": self.secret, "platform_serial": self.serial, "platform_cert": pem}
        self.tapes = Tapes("douyinpay")

    def request(self, method, path, body=None):
        text = json.dumps(body, separators=(",", ":"), ensure_ascii=False) if body else ""
        signed = f"{method}\n{path}\n{NOW}\n{NONCE}\n{text}\n"
        headers = {"Accept": "application/json", "Douyinpay-Serial": self.serial,
                   "Authorization": f'DouyinPay-RSA mchid="1900000109",nonce_str="{NONCE}",timestamp="{NOW}",'
                                    f'serial_no="5157F09EFDC096DE",signature="{b64(self.own.sha256(signed.encode()))}"'}
        if body:
            headers["Content-Type"] = "application/json; charset=utf-8"
        return {"method": method, "url": self.base + path, "headers": headers, "body": text}

    def signed(self, body, at=NOW, key=None, serial=None, sent=None):
        key = key or self.platform
        text = f"{at}\nn0nce\n{body}\n".encode()
        return {"headers": {"Douyinpay-Timestamp": str(at), "Douyinpay-Nonce": "n0nce",
                            "Douyinpay-Serial": serial or self.serial,
                            "Douyinpay-Signature": b64(key.sha256(text))},
                "body": body if sent is None else sent}

    def op(self, name, about, op, request, answer, result, method="douyinpay_native", status=200, **more):
        extra = {"extra": {"openid": "o-7"}} if method == "douyinpay_jsapi" else {}
        self.tapes.add(name, about, account=self.account, op=op, order=order("douyinpay", method, **extra),
                       request=request, answer={"status": status, **answer}, result=result, **more)

    def order_body(self, **more):
        return {"appid": "tt0123456789", "mchid": "1900000109", "description": "tea & cups <2>",
                "out_trade_no": NUMBER, "time_expire": beijing(NOW + 7200, "%Y-%m-%dT%H:%M:%S+08:00"),
                "notify_url": NOTIFY % "douyinpay", "amount": {"total": 8888, "currency": "CNY"}, **more}

    def creates(self):
        ip = {"payer_client_ip": "203.0.113.7"}
        prepay = "prepay_id=dy230001"
        pay = {"appId": "tt0123456789", "timeStamp": str(NOW), "nonceStr": NONCE, "package": prepay,
               "signType": "RSA",
               "paySign": b64(self.own.sha256(f"tt0123456789\n{NOW}\n{NONCE}\n{prepay}\n".encode()))}
        app = {"appid": "tt0123456789", "partnerid": "1900000109", "prepayid": "dy230001", "package": "Sign=DYPay",
               "noncestr": NONCE, "timestamp": str(NOW),
               "sign": b64(self.own.sha256(f"tt0123456789\n{NOW}\n{NONCE}\ndy230001\n".encode()))}
        rows = [("native", {"scene_info": ip}, {"code_url": "https://dy/x?y"}, "qr_code", "https://dy/x?y"),
                ("h5", {"scene_info": {**ip, "h5_info": {"type": "Wap"}}}, {"h5_url": "https://dy/h?5"},
                 "redirect", "https://dy/h?5"),
                ("jsapi", {"payer": {"openid": "o-7"}}, {"prepay_id": "dy230001"}, "jsapi", pay),
                ("app", {}, {"prepay_id": "dy230001"}, "app", app)]
        for word, more, told, action, data in rows:
            request = self.request("POST", "/v1/trade/transactions/" + word, self.order_body(**more))
            self.op("create-" + word, word, "create", request, self.signed(json.dumps(told)),
                    {"class": "wait_user"}, method="douyinpay_" + word, action={"type": action, "data": data})
        request = self.request("POST", "/v1/trade/transactions/native", self.order_body(scene_info=ip))
        told = json.dumps({"code_url": "x"})
        for name, about, answer, word in (
                ("stale", "signed 301 s ago", self.signed(told, at=NOW - 301), "stale"),
                ("future", "signed 301 s from now", self.signed(told, at=NOW + 301), "stale"),
                ("own-key", "by the merchant's own key", self.signed(told, key=self.own), "signature"),
                ("serial", "of another certificate", self.signed(told, serial="0A"), "signature"),
                ("changed", "another body", self.signed(told, sent=told + " "), "signature"),
                ("no-headers", "without a signature", {"headers": {}, "body": told}, "signature")):
            self.op("create-" + name, about, "create", request, answer, {"class": "unknown", "error_class": word})
        refused = json.dumps({"code": "PARAM_ERROR", "message": "no"})
        self.op("create-refused", "a refusal that no table holds", "create", request, self.signed(refused),
                {"class": "unknown", "error_class": "unknown_code", "message": "no"}, status=400)

    def told(self, state, **more):
        return {"mchid": "1900000109", "appid": "tt0123456789", "out_trade_no": NUMBER, "transaction_id": "4200001",
                "trade_state": state, "success_time": "2026-11-23T18:20:00+08:00",
                "amount": {"total": 8888, "currency": "CNY"}, **more}

    def queries(self):
        request = self.request("GET", f"/v1/trade/transactions/out-trade-no/{NUMBER}?mchid=1900000109")
        base = {"number": NUMBER, "trade_no": "4200001", "amount": 8888, "currency": "CNY", "seller": "1900000109",
                "app": "tt0123456789", "paid_at": 1795429200}
        for state, word in (("SUCCESS", "succeeded"), ("REFUND", "succeeded"), ("NOTPAY", "wait_user"),
                            ("USERPAYING", "wait_user"), ("CLOSED", "closed")):
            self.op("query-" + state.lower(), state, "query", request, self.signed(json.dumps(self.told(state))),
                    {"class": word, **base})
        self.op("query-payerror", "PAYERROR", "query", request, self.signed(json.dumps(self.told("PAYERROR"))),
                {"class": "failed", "error_class": "declined", **base})
        self.op("query-word", "a state that nobody knows", "query", request,
                self.signed(json.dumps(self.told("MAYBE"))), {"class": "unknown", "error_class": "unknown_code", **base})
        for name, amount in (("real", 88.88), ("exponent", "8.888e3"), ("minus", -8888), ("blank", " 8888")):
            body = json.dumps(self.told("SUCCESS", amount={"total": amount, "currency": "CNY"}))
            self.op("query-" + name, "an amount that is none", "query", request, self.signed(body),
                    {"class": "unknown", "error_class": "unreadable"})
        twice = json.dumps(self.told("SUCCESS"))[:-1] + ', "out_trade_no": "x"}'
        self.op("query-twice", "a member twice", "query", request, self.signed(twice),
                {"class": "unknown", "error_class": "unreadable"})
        self.op("query-html", "signed, and no JSON", "query", request, self.signed("<html></html>"),
                {"class": "unknown", "error_class": "unreadable"})
        close = self.request("POST", f"/v1/trade/transactions/out-trade-no/{NUMBER}/close", {"mchid": "1900000109"})
        self.op("close", "204, signed over nothing", "close", close, self.signed(""), {"class": "closed"}, status=204)
        self.op("close-200", "another status", "close", close, self.signed("{}"),
                {"class": "unknown", "error_class": "unknown_code"})

    def refunds(self):
        request = self.request("POST", "/v1/trade/refund/domestic/refunds", {
            "out_trade_no": NUMBER, "out_refund_no": REFUND, "reason": "too hot", "notify_url": NOTIFY % "douyinpay",
            "amount": {"refund": 700, "total": 8888, "currency": "CNY"}})
        query = self.request("GET", f"/v1/trade/refund/domestic/refunds/{REFUND}?mchid=1900000109")
        base = {"number": REFUND, "trade_no": "5030001", "amount": 700, "currency": "CNY"}

        def told(state, **more):
            return self.signed(json.dumps({"out_trade_no": NUMBER, "out_refund_no": REFUND, "refund_id": "5030001",
                                           "status": state, "amount": {"refund": 700, "total": 8888, "currency": "CNY"},
                                           **more}))
        for op, sent in (("refund", request), ("refund_query", query)):
            for state, word in (("PROCESSING", "wait_user"), ("SUCCESS", "succeeded"), ("ABNORMAL", "wait_user")):
                self.op(f"{op}-{state.lower()}", state, op, sent, told(state), {"class": word, **base}, refund=REFUNDED)
        self.op("refund-closed", "CLOSED", "refund", request, told("CLOSED"),
                {"class": "failed", "error_class": "declined", **base}, refund=REFUNDED)
        self.op("refund-other", "of another payment", "refund", request, told("SUCCESS", out_trade_no=OTHER),
                {"class": "unknown", "error_class": "no_number", **base}, refund=REFUNDED)

    def event(self, kind, resource, aad="transaction", tag=None):
        sealed = AESGCM(self.secret.encode()).encrypt(b"nonce-of-12b", json.dumps(resource).encode(), aad.encode())
        return json.dumps({"id": "ev-1", "event_type": kind, "resource_type": "encrypt-resource", "resource": {
            "algorithm": "AEAD_AES_256_GCM", "ciphertext": b64(tag(sealed) if tag else sealed),
            "nonce": "nonce-of-12b", "associated_data": aad}})

    def notices(self):
        ack = '{"code":"SUCCESS","message":"成功"}'
        base = {"id": "ev-1", "trade_no": "4200001", "currency": "CNY", "seller": "1900000109", "ack": ack,
                "paid_at": 1795429200}

        def notice(name, about, told, **more):
            self.tapes.add(name, about, account=self.account, notice=told, **more)
        paid = self.event("TRANSACTION.SUCCESS", self.told("SUCCESS"))
        notice("notice-paid", "paid", self.signed(paid),
               result={"class": "succeeded", "number": NUMBER, "amount": 8888, "app": "tt0123456789", **base})
        refund = {"mchid": "1900000109", "out_trade_no": NUMBER, "out_refund_no": REFUND, "refund_id": "5030001",
                  "refund_status": "SUCCESS", "success_time": "2026-11-23T18:20:00+08:00",
                  "amount": {"total": 8888, "refund": 700, "currency": "CNY"}}
        notice("notice-refund", "a refund is done", self.signed(self.event("REFUND.SUCCESS", refund)),
               result={"class": "succeeded", "number": REFUND, "refund": True, "order_number": NUMBER, "amount": 700,
                       **base, "trade_no": "5030001"})
        notice("notice-transfer", "nothing to us", self.signed(self.event("TRANSFER.SUCCESS", {"x": "1"})),
               result={"class": "unknown", "id": "ev-1", "ignored": True, "ack": ack})
        notice("notice-stale", "signed too long ago", self.signed(paid, at=NOW - 301), refused=True)
        notice("notice-own-key", "by the merchant's own key", self.signed(paid, key=self.own), refused=True)
        notice("notice-tag", "a tag that does not fit", refused=True,
               told=self.signed(self.event("TRANSACTION.SUCCESS", self.told("SUCCESS"),
                                           tag=lambda sealed: sealed[:-1] + bytes([sealed[-1] ^ 1]))))
        notice("notice-short", "shorter than a tag", refused=True,
               told=self.signed(self.event("TRANSACTION.SUCCESS", {}, tag=lambda sealed: sealed[:8])))

    def all(self):
        self.creates()
        self.queries()
        self.refunds()
        self.notices()
        return self.tapes.texts()


# ---- Amber Bank, which docs/channels.md invents: sorted k=v, HMAC in hex ----

class Amber:
    def __init__(self):
        self.account = {"base_url": "https://bank.example.com/v1", "shop": "shop-7", "key": "a key of the amber bank"}
        self.tapes = Tapes("amberbank", pathlib.Path(__file__).parent)

    def sign(self, members):
        text = "&".join(f"{name}={value}" for name, value in sorted(members.items()) if str(value) != "")
        return hmac.new(self.account["key"].encode(), text.encode(), hashlib.sha256).hexdigest()

    def request(self, path, members):
        members = {"shop": "shop-7", "no": NUMBER, **members, "salt": NONCE}
        body = json.dumps({**members, "sign": self.sign(members)}, separators=(",", ":"), ensure_ascii=False)
        return {"method": "POST", "url": "https://bank.example.com/v1" + path,
                "headers": {"Content-Type": "application/json; charset=utf-8"}, "body": body}

    def signed(self, members, sign=None):
        members = {"at": NOW, **members}
        return json.dumps({**members, "sign": sign or self.sign(members)}, ensure_ascii=False)

    def op(self, name, about, op, request, body, result, method="amberbank_qr", **more):
        extra = {"extra": {"auth_code": "AMB-1"}} if method == "amberbank_bar" else {}
        self.tapes.add(name, about, account=self.account, op=op, order=order("amberbank", method, **extra),
                       request=request, answer={"status": 200, "headers": {}, "body": body}, result=result, **more)

    def all(self):
        create = {"sum": "88.88", "cur": "CNY", "title": "tea & cups <2>", "tell": NOTIFY % "amberbank",
                  "until": beijing(NOW + 7200, "%Y-%m-%dT%H:%M:%S+08:00")}
        qr = self.request("/orders", create)
        code = self.request("/orders", {**{k: create[k] for k in ("sum", "cur", "title", "tell")}, "code": "AMB-1",
                                        "until": create["until"]})
        query, close = self.request("/orders/get", {}), self.request("/orders/close", {})
        told = {"code": "0", "no": NUMBER, "bank_no": "B-1", "sum": "88.88", "cur": "CNY", "shop": "shop-7"}
        base = {"number": NUMBER, "trade_no": "B-1", "amount": 8888, "currency": "CNY", "seller": "shop-7",
                "channel_code": "0"}
        self.op("create", "a code to scan", "create", qr, self.signed({**told, "state": "OPEN", "qr": "amber:1"}),
                {"class": "wait_user", **base}, action={"type": "qr_code", "data": "amber:1"})
        self.op("create-bar", "a bar code, paid at once", "create", code, self.signed({**told, "state": "PAID"}),
                {"class": "succeeded", **base}, method="amberbank_bar")
        self.op("create-poor", "too little money", "create", code, self.signed({"code": "POOR", "text": "no money"}),
                {"class": "failed", "error_class": "insufficient_funds", "channel_code": "POOR", "message": "no money"},
                method="amberbank_bar")
        self.op("create-forged", "another signature", "create", qr,
                self.signed({**told, "state": "PAID"}, sign="00" * 32), {"class": "unknown", "error_class": "signature"})
        for state, word in (("OPEN", "wait_user"), ("PAID", "succeeded"), ("SHUT", "closed")):
            self.op("query-" + state.lower(), state, "query", query, self.signed({**told, "state": state}),
                    {"class": word, **base})
        self.op("query-none", "no such order", "query", query, self.signed({"code": "NO_SUCH"}),
                {"class": "not_found", "error_class": "not_found", "channel_code": "NO_SUCH"})
        self.op("query-poor", "a code of another operation proves nothing", "query", query,
                self.signed({"code": "POOR"}), {"class": "unknown", "error_class": "unknown_code", "channel_code": "POOR"})
        self.op("query-number", "a number is signed as it was sent", "query", query,
                self.signed({**told, "state": "PAID", "rate": 1.50}), {"class": "succeeded", **base})
        self.op("close", "closed", "close", close, self.signed({**told, "state": "SHUT"}), {"class": "closed", **base})
        back = {**told, "back": REFUND, "bank_back": "BB-1", "sum": "7.00"}
        done = {**base, "number": REFUND, "trade_no": "BB-1", "amount": 700, "seller": ""}
        self.op("refund", "under way", "refund", self.request("/refunds", {"back": REFUND, "sum": "7.00"}),
                self.signed({**back, "state": "WORKING"}), {"class": "wait_user", **done}, refund=REFUNDED)
        self.op("refund-query", "done", "refund_query", self.request("/refunds/get", {"back": REFUND}),
                self.signed({**back, "state": "DONE"}), {"class": "succeeded", **done}, refund=REFUNDED)
        paid = self.signed({**told, "event": "e-1", "state": "PAID"})
        self.tapes.add("notice", "paid", account=self.account, notice={"headers": {}, "body": paid},
                       result={"class": "succeeded", "id": "e-1", "ack": "OK", **base, "channel_code": ""})
        self.tapes.add("notice-forged", "another amount than was signed", account=self.account, refused=True,
                       notice={"headers": {}, "body": paid.replace("88.88", "88.89")})
        return self.tapes.texts()


def main():
    made = {**Jd().all(), **Douyin().all(), **Amber().all()}
    if sys.argv[1:] == ["--check"]:
        wrong = [path for path, text in made.items() if not path.exists() or path.read_text() != text]
        for folder in {path.parent for path in made}:
            wrong += [path for path in folder.glob("*") if path not in made]
        for path in wrong:
            print(f"make_tapes.py: {path.relative_to(ROOT)} differs")
        return 1 if wrong else 0
    for folder in {path.parent for path in made}:
        folder.mkdir(exist_ok=True)
        for path in folder.glob("*.json"):
            path.unlink()
    for path, text in made.items():
        path.write_text(text)
    return 0


sys.exit(main())
