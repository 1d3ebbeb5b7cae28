"""The five channels and a declared one or two as they talk to us, for tests that
bend what they say: genuine notices, signed by node's crypto or Python's own
digests, and the answers to a create."""

import base64
import copy
import hashlib
import hmac
import json
import os
import re
import secrets
import time
import urllib.parse
import zlib

import payhub_peer
from payhub_signer import KEYS, Signer

signer = Signer()
APIV3_KEY = "payhubAPIv3key0123456789abcdefgh"
PUBLIC_ID = "PUB_KEY_ID_019000091912026112300001122"
HOOK_SECRET, HOOK_ID = "whsec_0123456789abcdef", "8PT597110X687430LKGECATA"
DECLARED_KEY = "a key of the declared banks"
MER_ID = "777290058110048"
XML_FILE = {
    "payhub": 1, "name": "rowxml", "currencies": ["CNY"],
    "account": {"base_url": {"kind": "url"}, "key": {"kind": "secret"}},
    "methods": {"rowxml_qr": {}}, "seller": "shop-7",
    "create": {"*": {"http": "POST", "url": "{account.base_url}/create",
                     "body": "xml", "fields": {"no": "{order.number}"}}},
    "query": {"*": {"http": "POST", "url": "{account.base_url}/query",
                    "body": "xml", "fields": {"no": "{order.number}"}}},
    "answer": {
        "read": "xml",
        "verify": {"of": "{body}", "alg": "hmac_sha256", "key": "account.key",
                   "signature": "{header.Sign|unhex}"},
        "number": "{in.no}", "amount": "{in.sum|parse_decimal}",
        "currency": "{in.cur}", "seller": "{in.shop}",
        "status": {"from": "{in.state}", "map": {"OPEN": "wait_user"}},
        "action": {"type": "qr_code", "data": "{in.qr}"}},
    "notice": {
        "read": "xml",
        "verify": {"of": "{body}", "alg": "hmac_sha256", "key": "account.key",
                   "signature": "{header.Sign|unhex}"},
        "id": "{in.event}", "number": "{in.no}", "seller": "{in.shop}",
        "amount": "{in.sum|parse_decimal}", "currency": "{in.cur}",
        "status": {"from": "{in.state}", "map": {"PAID": "succeeded"}},
        "ack": {"body": "OK", "type": "text/plain"}}}


def read(name):
    with open(os.path.join(KEYS, name), encoding="ascii") as file:
        return file.read()


def mac(key, text):
    return hmac.new(key.encode(), text, hashlib.sha256).hexdigest()


def decimal(amount):
    return f"{amount // 100}.{amount % 100:02}"


def xml(fields):
    return ("<r>" + "".join(f"<{k}>{v}</{k}>" for k, v in fields.items())
            + "</r>").encode()


# ---- what the channels answer to a create ----

class Gateway:
    def __init__(self):
        self.calls, gateway = [], self
        self.xml = None  # the next answers of rowxml
        self.unit, self.is_captured = None, False  # of PayPal's last order

        class Handler(payhub_peer.Handler):
            def do_GET(self):
                self.any(b"")

            def do_POST(self):
                self.any(self.rfile.read(int(self.headers["Content-Length"])))

            def any(self, body):
                gateway.calls.append(self.path)
                status, data, headers = gateway.answer(self.path, body)
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self.url = payhub_peer.Server(Handler).url

    def answer(self, path, body):
        if path == "/wechatpay/v3/pay/transactions/native":
            data = b'{"code_url":"weixin://wxpay/bizpayurl?pr=1"}'
            return 200, data, wechat_sign(data)
        if path == "/wechatpay/v3/certificates":
            data = b'{"code":"NO_AUTH","message":"none"}'
            return 403, data, wechat_sign(data)
        if path == "/stripe/v1/payment_intents":
            asked = dict(urllib.parse.parse_qsl(body.decode()))
            return 200, json.dumps(stripe_intent(
                asked["metadata[out_trade_no]"], int(asked["amount"]),
                status="requires_payment_method", amount_received=0)
            ).encode(), ()
        if path == "/paypal/v1/oauth2/token":
            return 200, (b'{"access_token":"A21","token_type":"Bearer",'
                         b'"expires_in":32400}'), ()
        if path.startswith("/paypal/v1/notifications/certs/"):
            return 200, read("paypal/webhook_cert.pem").encode(), ()
        if path == "/paypal/v2/checkout/orders":
            self.unit = json.loads(body)["purchase_units"][0]
            return 201, self.paypal_order("CREATED", self.unit), ()
        if path == "/paypal/v2/checkout/orders/5O1" and self.is_captured:
            capture = {"id": "2G" + self.unit["custom_id"][1:17],
                       "status": "COMPLETED", "amount": self.unit["amount"],
                       "custom_id": self.unit["custom_id"]}
            return 200, self.paypal_order("COMPLETED", {
                **self.unit, "payments": {"captures": [capture]}}), ()
        if path == "/amberbank/orders":
            asked = json.loads(body)
            said = {"at": int(time.time()), "code": "0", "no": asked["no"],
                    "bank_no": "B1", "sum": asked["sum"], "cur": asked["cur"],
                    "shop": "shop-7", "state": "OPEN", "qr": "amber://1"}
            return 200, json.dumps(amber_sign(said)).encode(), ()
        if path == "/rowxml/create":
            number = re.search(r"<no>(\w+)</no>", body.decode()).group(1)
            data = self.xml.replace(b"{no}", number.encode()) \
                if self.xml is not None else xml(
                    {"no": number, "state": "OPEN", "qr": "row://1"})
            return 200, data, [("Sign", mac(DECLARED_KEY, data))]
        return 500, b"", ()

    @staticmethod
    def paypal_order(status, unit):
        return json.dumps({
            "id": "5O1", "status": status, "intent": "CAPTURE",
            "purchase_units": [unit], "links": [
                {"rel": "payer-action", "href": "https://www.paypal.com/x",
                 "method": "GET"}]}).encode()


# ---- how each of them signs ----

def wechat_sign(data, key="wxpub_pkcs8.pem", serial=PUBLIC_ID, late_s=0):
    at, nonce = str(int(time.time()) + late_s), secrets.token_hex(16)
    text = f"{at}\n{nonce}\n".encode() + data + b"\n"
    return [("Wechatpay-Timestamp", at), ("Wechatpay-Nonce", nonce),
            ("Wechatpay-Serial", serial),
            ("Wechatpay-Signature", signer.rsa("wechat/" + key, text))]


def amber_sign(said, key=DECLARED_KEY):
    text = "&".join(f"{k}={v}" for k, v in sorted(said.items())
                    if k != "sign" and v != "")
    return {**said, "sign": mac(key, text.encode())}


def stripe_intent(number, amount, **more):
    return {"id": "pi_" + number, "object": "payment_intent", "amount": amount,
            "amount_received": amount, "currency": "cny", "livemode": False,
            "status": "succeeded", "client_secret": "pi_secret",
            "metadata": {"out_trade_no": number}, **more}


class Said:
    """A genuine notice that can be bent: what it tells, and who signs."""

    extra, more = None, {}  # of a payment that is to wait
    kind = "json"  # of the signed text, for what is bent below the signature
    plain = True  # its members stand in the body itself
    amounts = "decimal"
    conflicts = ("amount", "currency")
    late = ()  # words of a status that come after a success, out of order

    gateway = None  # of whoever plays them

    def __init__(self, number, amount=8888):
        self.number, self.amount = number, amount


class Alipay(Said):
    channel, method, currency, success = "alipay", "alipay_page", "CNY", "success"
    more = {"return_url": "https://shop.example/r"}
    kind = "form"
    account = {"gateway_url": "{url}/alipay/gateway.do",
               "app_id": "2021000122671080", "seller_id": "2088101106499364",
               "alipay_public_key": read("alipay/platform_public.pem")}
    secret = {"app_private_key": read("alipay/app_pkcs8.pem")}
    keys = {"own key": "alipay/app_pkcs8.pem",
            "another account's key": "alipay/mid_pkcs8.pem"}
    conflicts = ("amount", "app", "seller")
    late = ("WAIT_BUYER_PAY", "TRADE_CLOSED")

    def told(self):
        return {"app_id": self.account["app_id"], "charset": "utf-8",
                "gmt_payment": "2026-11-23 10:20:30",
                "notify_id": secrets.token_hex(16),
                "notify_type": "trade_status_sync", "out_trade_no": self.number,
                "seller_id": self.account["seller_id"], "subject": "a+b & c=%d",
                "total_amount": decimal(self.amount), "trade_no":
                "2026" + self.number[1:20], "trade_status": "TRADE_SUCCESS"}

    names = {"amount": "total_amount", "app": "app_id", "seller": "seller_id",
             "number": "out_trade_no", "status": "trade_status"}

    def make(self, told, key="alipay/platform_pkcs8.pem", sign=None):
        text = "&".join(f"{k}={v}" for k, v in sorted(told.items()))
        sign = signer.rsa(key, text.encode()) if sign is None else sign
        return urllib.parse.urlencode(
            {**told, "sign_type": "RSA2", "sign": sign}).encode(), []

    def cut(self, body, headers):
        """The same without its signature, or with another one."""
        fields = dict(urllib.parse.parse_qsl(body.decode()))
        for sign in (None, "", "!!", fields["sign"][:-8], "A" * 344):
            bent = {**fields, "sign": sign}
            if sign is None:
                del bent["sign"]
            yield f"signature {sign and sign[:6]!r}", \
                urllib.parse.urlencode(bent).encode(), headers


class Wechat(Said):
    channel, method, currency = "wechatpay", "wechat_native", "CNY"
    success, amounts, plain = "SUCCESS", "integer", False
    account = {"base_url": "{url}/wechatpay", "mchid": "1900009191",
               "appid": "wxd678efh567hg6787", "public_key_id": PUBLIC_ID,
               "serial_no": "594AD8626C49935DA207AE268186B30198A6C39F",
               "public_key": read("wechat/wxpub_public.pem")}
    secret = {"private_key": read("wechat/merchant_pkcs8.pem"),
              "apiv3_key": APIV3_KEY}
    keys = {"own key": "merchant_pkcs8.pem",
            "another account's key": "platform2_pkcs8.pem"}
    conflicts = ("amount", "currency", "app", "seller")
    late = ("NOTPAY", "USERPAYING", "CLOSED", "REVOKED", "PAYERROR")
    names = {"amount": "amount.total", "currency": "amount.currency",
             "app": "appid", "seller": "mchid", "number": "out_trade_no",
             "status": "trade_state"}

    def told(self):
        return {"appid": self.account["appid"], "mchid": self.account["mchid"],
                "out_trade_no": self.number, "trade_state": "SUCCESS",
                "transaction_id": "42" + self.number[1:20],
                "success_time": "2026-11-23T18:00:00+08:00",
                "amount": {"total": self.amount, "payer_total": self.amount,
                           "currency": "CNY"}}

    def wrap(self, plain, **more):
        sealed = {"original_type": "transaction",
                  "algorithm": "AEAD_AES_256_GCM",
                  "associated_data": "transaction", "nonce": "0123456789ab"}
        sealed["ciphertext"] = signer.seal(
            APIV3_KEY, sealed["nonce"], sealed["associated_data"], plain)
        sealed.update(more)
        return json.dumps({"id": secrets.token_hex(16),
                           "event_type": "TRANSACTION.SUCCESS",
                           "resource_type": "encrypt-resource",
                           "resource": sealed}).encode()

    def make(self, told, key="wxpub_pkcs8.pem", **by):
        plain = told if isinstance(told, bytes) else json.dumps(told).encode()
        body = self.wrap(plain)
        return body, wechat_sign(body, key, **by)

    def raw(self, body):
        return body, wechat_sign(body)

    def cut(self, body, headers):
        for sign in (None, "", "!!", headers[3][1][:-8], "A" * 344,
                     "WECHATPAY/SIGNTEST/" + headers[3][1]):
            yield f"signature {sign and sign[:18]!r}", body, [
                (k, sign if k.endswith("Signature") else v)
                for k, v in headers if sign is not None
                or not k.endswith("Signature")]
        for late in (-302, 330):
            yield f"{late} s old", body, wechat_sign(body, late_s=late)
        whole = json.loads(body)["resource"]["ciphertext"]
        other = base64.b64encode(bytes([255 & ~base64.b64decode(whole)[0]])
                                 + base64.b64decode(whole)[1:]).decode()
        for name, more in (
                ("a changed byte under the tag", {"ciphertext": other}),
                ("another associated data", {"associated_data": "refund"}),
                ("another nonce", {"nonce": "0123456789ac"}),
                ("a short nonce", {"nonce": "0123"}),
                ("shorter than a tag", {"ciphertext": "AAAA"}),
                ("another algorithm", {"algorithm": "AEAD_AES_128_GCM"})):
            bent = self.wrap(json.dumps(self.told()).encode(), **more)
            yield name, bent, wechat_sign(bent)


class Unionpay(Said):
    channel, method, currency, success = "unionpay", "unionpay_web", "CNY", "ok"
    more = {"return_url": "https://shop.example/r"}
    kind, amounts = "form", "integer text"
    account = {"gateway_url": "{url}/unionpay/gateway/api/", "mer_id": MER_ID,
               "sign_cert": read("unionpay/merchant.cer"),
               "root_cert": read("unionpay/root.cer"),
               "middle_cert": read("unionpay/middle.cer")}
    secret = {"sign_key": read("unionpay/merchant_pkcs8.pem")}
    keys = {"own key": "unionpay/merchant_pkcs8.pem",
            "a stranger's key": "unionpay/evil_pkcs8.pem"}
    conflicts = ("amount", "currency")
    names = {"amount": "txnAmt", "currency": "currencyCode", "seller": "merId",
             "number": "orderId", "status": "respCode"}
    other_currency = "840"

    def told(self):
        return {"version": "5.1.0", "encoding": "UTF-8", "signMethod": "01",
                "bizType": "000201", "accessType": "0", "merId": MER_ID,
                "signPubKeyCert": read("unionpay/acpsign.cer"),
                "txnType": "01", "txnSubType": "01", "orderId": self.number,
                "txnTime": "20261123102030", "txnAmt": str(self.amount),
                "currencyCode": "156", "settleAmt": str(self.amount),
                "settleCurrencyCode": "156", "respCode": "00",
                "respMsg": "ok", "queryId": "8226" + self.number[1:17]}

    def make(self, told, key="unionpay/acpsign_pkcs8.pem", sign=None):
        text = "&".join(f"{k}={v}" for k, v in sorted(told.items()) if v)
        hashed = hashlib.sha256(text.encode()).hexdigest().encode()
        sign = signer.rsa(key, hashed) if sign is None else sign
        return urllib.parse.urlencode({**told, "signature": sign}).encode(), []

    def cut(self, body, headers):
        fields = dict(urllib.parse.parse_qsl(body.decode()))
        for sign in (None, "", "!!", fields["signature"][:-8], "A" * 344):
            bent = {**fields, "signature": sign}
            if sign is None:
                del bent["signature"]
            yield f"signature {sign and sign[:6]!r}", \
                urllib.parse.urlencode(bent).encode(), headers
        told = self.told()
        for name, cert, key in (
                ("a right name, another root", "evil.cer", "evil_pkcs8.pem"),
                ("the merchant's own certificate", "merchant.cer",
                 "merchant_pkcs8.pem"),
                ("no certificate", None, "acpsign_pkcs8.pem")):
            bent = {**told, "signPubKeyCert": cert and read("unionpay/" + cert)
                    or "none"}
            yield (name, *self.make(bent, "unionpay/" + key))
        for method in ("00", "11", "12"):
            bent = {**told, "signMethod": method}
            text = "&".join(f"{k}={v}" for k, v in sorted(bent.items()) if v)
            yield (f"method {method}", *self.make(
                bent, sign=hashlib.sha256(text.encode()).hexdigest()))


class Stripe(Said):
    channel, method, currency, success = "stripe", "card", "CNY", "ok"
    amounts = "integer"
    account = {"base_url": "{url}/stripe"}
    secret = {"secret_key": "sk_test_0123456789abcdef",
              "webhook_secret": HOOK_SECRET}
    keys = {"another account's key": "whsec_of_another",
            "the API's key": "sk_test_0123456789abcdef"}
    names = {"amount": "data.object.amount_received",
             "currency": "data.object.currency",
             "number": "data.object.metadata.out_trade_no",
             "status": "data.object.status"}

    def told(self):
        return {"id": "evt_" + secrets.token_hex(8), "object": "event",
                "created": int(time.time()), "livemode": False,
                "type": "payment_intent.succeeded", "data":
                {"object": stripe_intent(self.number, self.amount)}}

    def make(self, told, key=HOOK_SECRET, late_s=0, head="t={at},v1={sign}"):
        body = told if isinstance(told, bytes) else json.dumps(told).encode()
        at = int(time.time()) + late_s
        return body, [("Stripe-Signature", head.format(
            at=at, sign=mac(key, f"{at}.".encode() + body)))]

    raw = make

    def cut(self, body, headers):
        yield "no signature", body, []
        for head in ("", "t={at}", "v1={sign}", "t={at},v0={sign}",
                     "t={at},v1=", "t={at},v1=zz", "t=-{at},v1={sign}",
                     "t={at}.0,v1={sign}", "t={at},t={at},v1={sign}",
                     "t={at},v1={sign},v1" + ",v1=00" * 40):
            yield (f"header {head[:20]}", *self.make(body, head=head))
        yield ("302 s old", *self.make(body, late_s=-302))


class Paypal(Said):
    channel, method, currency, success = "paypal", "paypal", "USD", "ok"
    more = {"return_url": "https://shop.example/r"}
    extra = {"cancel_url": "https://shop.example/c"}
    account = {"base_url": "{url}/paypal", "client_id": "AYclient",
               "webhook_id": HOOK_ID, "webhook_ca": read("paypal/root.pem")}
    secret = {"client_secret": "ELsecret"}
    keys = {"a stranger's key": "paypal/root_pkcs8.pem"}
    names = {"amount": "resource.amount.value", "currency":
             "resource.amount.currency_code", "number": "resource.custom_id",
             "status": "resource.status"}
    good_url = "{url}/paypal/v1/notifications/certs/CERT-1"

    def told(self):
        return {"id": "WH-" + secrets.token_hex(8), "event_version": "1.0",
                "create_time": "2026-11-23T02:01:53Z", "resource_type":
                "capture", "event_type": "PAYMENT.CAPTURE.COMPLETED",
                "resource": {"id": "2G" + self.number[1:17], "status":
                             "COMPLETED", "custom_id": self.number,
                             "amount": {"currency_code": "USD",
                                        "value": decimal(self.amount)},
                             "supplementary_data": {
                                 "related_ids": {"order_id": "5O1"}}}}

    def make(self, told, key="paypal/webhook_pkcs8.pem", url=None,
             hook=HOOK_ID, algorithm="SHA256withRSA", number="{}"):
        body = told if isinstance(told, bytes) else json.dumps(told).encode()
        one, at = secrets.token_hex(16), "2026-11-23T02:01:53Z"
        crc = number.format(zlib.crc32(body))
        sign = signer.rsa(key, f"{one}|{at}|{hook}|{crc}".encode())
        return body, [("PayPal-Transmission-Id", one),
                      ("PayPal-Transmission-Time", at),
                      ("PayPal-Transmission-Sig", sign),
                      ("PayPal-Cert-Url", (url or self.good_url).format(
                          url=self.gateway.url)),
                      ("PayPal-Auth-Algo", algorithm)]

    raw = make

    def cut(self, body, headers):
        for i, (name, _) in enumerate(headers):
            yield "without " + name, body, headers[:i] + headers[i + 1:]
            yield f"empty {name}", body, [
                (k, "" if k == name else v) for k, v in headers]
        yield ("another webhook", *self.make(body, hook="OTHER"))
        yield ("another algorithm", *self.make(body, algorithm="SHA1withRSA"))
        yield ("the checksum in hex", *self.make(body, number="{:x}"))
        path = "/v1/notifications/certs/CERT-1"
        port = self.gateway.url.rsplit(":", 1)[1]
        for url in ("http://api.paypal.com" + path,
                    "https://api.paypal.com.evil" + path,
                    "https://api.paypal.com@127.0.0.1:" + port + path,
                    "https://127.0.0.1:" + port + path,
                    f"http://127.0.0.1:{port}@evil{path}",
                    f"http://127.0.0.1:{port}{path}",
                    f"http://localhost:{port}/paypal{path}",
                    "https://evil.example" + path,
                    "https://api.paypal.com:443" + path,
                    "https://api.paypal.com" + path + "?a=b",
                    "https://api.paypal.com" + path + "#a",
                    "https://api.paypal.com//" + path,
                    "https://api.paypal.com/v1/notifications/certs/../x",
                    "https://api.paypal.com/v1/notifications/certs/%2e%2e/x",
                    "https://api.paypal.com\\@127.0.0.1" + path,
                    "https://xn--pypal-4ve.com" + path,
                    "https://apipaypal.com" + path, "file:///etc/passwd",
                    "gopher://api.paypal.com" + path, "//api.paypal.com" + path,
                    "https://api.paypal.com/v1/notifications/certs/",
                    "{url}/paypal/v1/notifications/certs/../../x",
                    "{url}/paypal/v1/oauth2/token", "x" * 4000):
            yield (f"certificate at {url[:60]}", *self.make(body, url=url))


class Amber(Said):
    channel, method, currency, success = "amberbank", "amberbank_qr", "CNY", "OK"
    account = {"base_url": "{url}/amberbank", "shop": "shop-7"}
    secret = {"key": DECLARED_KEY}
    keys = {"another account's key": "another key"}
    conflicts = ("amount", "currency", "seller")
    late = ("SHUT", "OPEN", "DEAD")
    names = {"amount": "sum", "currency": "cur", "seller": "shop",
             "number": "no", "status": "state"}
    other_currency = "EUR"

    def told(self):
        return {"at": int(time.time()), "code": "0", "no": self.number,
                "bank_no": "B" + self.number[1:10], "sum": decimal(self.amount),
                "cur": "CNY", "shop": "shop-7", "event": secrets.token_hex(8),
                "state": "PAID"}

    def make(self, told, key=DECLARED_KEY):
        return json.dumps(amber_sign(told, key)).encode(), []

    def cut(self, body, headers):
        told = json.loads(body)
        for sign in (None, "", "zz", told["sign"][:-2], "0" * 64, 7, None):
            bent = {**told, "sign": sign}
            yield f"signature {sign and str(sign)[:6]!r}", \
                json.dumps(bent).encode(), headers
        for late in (-302, 302):
            bent = {**self.told(), "at": int(time.time()) + late}
            yield (f"{late} s old", *self.make(bent))


class Row(Said):
    channel, method, currency, success = "rowxml", "rowxml_qr", "CNY", "OK"
    kind = "xml"
    account, secret = {"base_url": "{url}/rowxml"}, {"key": DECLARED_KEY}
    keys = {"another account's key": "another key"}
    conflicts = ("amount", "currency", "seller")
    names = {"amount": "sum", "currency": "cur", "seller": "shop",
             "number": "no", "status": "state"}

    def told(self):
        return {"no": self.number, "sum": decimal(self.amount), "cur": "CNY",
                "shop": "shop-7", "event": secrets.token_hex(8),
                "state": "PAID"}

    def make(self, told, key=DECLARED_KEY):
        body = told if isinstance(told, bytes) else xml(told)
        return body, [("Sign", mac(key, body))]

    raw = make

    def cut(self, body, headers):
        for sign in (None, "", "zz", headers[0][1][:-2], "0" * 64):
            yield f"signature {sign and sign[:6]!r}", body, \
                [("Sign", sign)] if sign is not None else []


def put(told, name, value):
    """The same with a member, by path, set to something else."""
    bent, names = copy.deepcopy(told), name.split(".")
    place = bent
    for one in names[:-1]:
        place = place[one]
    place[names[-1]] = value
    return bent
