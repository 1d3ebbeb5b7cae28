"""The amber bank of docs/channels.md as its customers meet it: a counterpart in
Python's standard library, with the doors of payhub_counterpart.Counterpart.
It knows of payhub what the bank's own manual would say, and no more."""

import hashlib
import hmac
import http.client
import json
import secrets
import threading
import time
import urllib.parse

import payhub_peer

KEY = "a key of the amber bank's tests"
SHOP = "shop-7"
BEFORE = ("drop_before", "http500_before", "http429", "hang_before")
AFTER = ("drop_after", "http500_after", "hang_after")
OPS = {"/orders": "create", "/orders/get": "query", "/orders/close": "close",
       "/refunds": "refund", "/refunds/get": "refund_query"}
HANG_S = 4


class Refused(Exception):
    """What a customer of the bank must not send."""


def sign(said, key=KEY):
    text = "&".join(f"{name}={value}" for name, value in sorted(said.items())
                    if name != "sign" and value not in ("", None))
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def decimal(amount):
    return f"{amount // 100}.{amount % 100:02}"


def minor(text):
    whole, _, rest = text.partition(".")
    if len(rest) != 2 or not (whole + rest).isdigit():
        raise Refused(f"sum {text}")
    return int(whole + rest)


class Bank:
    def __init__(self, shop=SHOP):
        self.orders, self.knobs, self.lock = {}, [], threading.Lock()
        self.shop, self.keys = shop, [KEY]  # the newest first, all are taken
        self.log = {"seen": [], "refused": [], "notices": []}
        bank = self

        class Handler(payhub_peer.Handler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = bank.serve(self.path, body)
                if answer is None:
                    self.close_connection = True
                    return self.connection.close()
                status, data = answer
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                return self.wfile.write(data)

        self.server = payhub_peer.Server(Handler)
        self.url = self.server.url

    # ---- what a customer asks ----

    def read(self, path, body):
        asked = json.loads(body)
        for name in ("shop", "no", "salt", "sign"):
            if not isinstance(asked.get(name), str) or not asked[name]:
                raise Refused(f"{path}: no {name}")
        of = [key for key in self.keys
              if hmac.compare_digest(asked["sign"], sign(asked, key))]
        if not of:
            raise Refused(f"{path}: sign")
        if asked["shop"] != self.shop or len(asked["salt"]) < 16:
            raise Refused(f"{path}: {asked}")
        return {**asked, "key": of[0]}

    def take(self, op, order):
        for knob in self.knobs:
            if knob["op"] == op and all(
                    knob[name] == order.get(name) for name in ("number",
                                                               "amount")
                    if name in knob):
                knob["times"] -= 1
                if knob["times"] <= 0:
                    self.knobs.remove(knob)
                return knob
        return {"fault": None}

    def serve(self, path, body):
        try:
            return self.answer(path, self.read(path, body))
        except (Refused, ValueError, KeyError) as error:
            self.log["refused"].append(f"{path}: {error!r}")
            return 400, b"{}"

    def answer(self, path, asked):
        op = OPS[path]
        with self.lock:
            order = self.orders.get(asked["no"]) or {
                "number": asked["no"],
                "amount": minor(asked.get("sum", "0.00"))}
            knob = self.take(op, order)
            fault = knob["fault"]
            self.log["seen"].append({"op": op, "number": asked["no"],
                                     "fault": fault, "key": asked["key"]})
            if fault not in BEFORE:
                said = getattr(self, op)(asked, fault)
        if fault == "delay":
            time.sleep(knob.get("ms", 300) / 1000)
        elif fault in BEFORE + AFTER:
            return self.broken(fault)
        return self.dress({"at": int(time.time()), **said}, fault,
                          asked["key"])

    def broken(self, fault):
        if fault.startswith("hang"):
            time.sleep(HANG_S)
        if fault.startswith("http"):
            return int(fault[4:7]), b""
        return None

    def dress(self, said, fault, key):
        if fault == "stale":
            said["at"] -= 302
        if fault == "wrong_amount":
            said["sum"] = decimal(99)
        if fault == "wrong_order":
            said["no"] = "A" + secrets.token_hex(13).upper()
        if fault == "odd_code":
            said["code"], said["state"] = "7", "MAYBE"
        said = {name: value for name, value in said.items()
                if value is not None}
        said["sign"] = sign(said, {"bad_sign": "x"}.get(fault, key))
        if fault == "no_sign":
            del said["sign"]
        data = json.dumps(said).encode()
        return 200, {"truncated": data[:len(data) // 2], "empty": b"",
                     "html": b"<html><body>Bad Gateway</body></html>",
                     "big": b" " * (10 << 20),
                     "deep": b"[" * 100000 + b"]" * 100000,
                     "twice": data[:-1] + b',"state":"PAID"}'
                     }.get(fault, data)

    def told(self, order, **more):
        return {"code": "0", "no": order["number"], "bank_no": order["bank_no"],
                "sum": decimal(order["amount"]), "cur": order["cur"],
                "shop": self.shop, "state": {"open": "OPEN", "paid": "PAID",
                                        "closed": "SHUT"}[order["status"]],
                **more}

    def create(self, asked, fault):
        order = self.orders.setdefault(asked["no"], {
            "number": asked["no"], "cur": asked["cur"], "status": "open",
            "amount": minor(asked["sum"]), "charges": 0,
            "refunds": {}, "notify_url": asked["tell"], "key": asked["key"],
            "bank_no": "B" + secrets.token_hex(8)})
        if asked.get("code") == "POOR":
            order["status"] = "closed"
            return {"code": "POOR", "no": asked["no"], "shop": self.shop}
        if asked.get("code"):
            self.charge(order)
            return self.told(order)
        return self.told(order, qr="amber://pay/" + asked["no"])

    def charge(self, order):
        if order["status"] == "open":
            order["status"] = "paid"
            order["charges"] += 1

    def none(self, asked):
        return {"code": "NO_SUCH", "no": asked["no"], "shop": self.shop}

    def query(self, asked, fault):
        order = self.orders.get(asked["no"])
        return self.told(order) if order else self.none(asked)

    def close(self, asked, fault):
        order = self.orders.get(asked["no"])
        if order and order["status"] == "open":
            order["status"] = "closed"
        return self.told(order) if order else self.none(asked)

    def refund(self, asked, fault):
        order = self.orders[asked["no"]]
        amount = minor(asked["sum"])
        gone = sum(one["amount"] for one in order["refunds"].values())
        if asked["back"] not in order["refunds"]:
            if order["status"] != "paid" or gone + amount > order["amount"]:
                raise Refused(f"refund {asked}")
            order["refunds"][asked["back"]] = {
                "amount": amount, "times": 1, "status": "pending"
                if fault == "working" else "succeeded"}
        return self.told_refund(order, asked["back"])

    def told_refund(self, order, number):
        back = order["refunds"][number]
        return {**self.told(order), "back": number, "sum":
                decimal(back["amount"]), "bank_back": "K" + number[1:],
                "state": "DONE" if back["status"] == "succeeded"
                else "WORKING"}

    def refund_query(self, asked, fault):
        order = self.orders[asked["no"]]
        if asked["back"] not in order["refunds"]:
            return {"code": "NO_SUCH", "no": asked["no"], "shop": self.shop,
                    "back": asked["back"]}
        return self.told_refund(order, asked["back"])

    # ---- the test's doors ----

    def knob(self, op, fault, times=1, **more):
        with self.lock:
            self.knobs.append({"op": op, "fault": fault, "times": times,
                               **more})

    def pay(self, number, silent=False, **more):
        with self.lock:
            self.charge(self.orders[number])
        return [] if silent else self.notice(number, **more)

    def message(self, number, bend=None):
        key = self.orders[number]["key"]  # that of its create
        said = {**self.told(self.orders[number]), "at": int(time.time()),
                "event": secrets.token_hex(8)}
        if bend == "tampered":
            return json.dumps({**said, "sign": sign({**said, "sum": "0.01"},
                                                  key)})
        if bend == "wrong_amount":
            said["sum"], said["state"] = decimal(99), "PAID"
        if bend == "stale":
            said["at"] -= 302
        said["sign"] = sign(said, {"other_key": "x"}.get(bend, key))
        if bend == "no_sign":
            del said["sign"]
        text = json.dumps(said)
        return {"truncated": text[:-9], "html": "<html></html>",
                "empty": ""}.get(bend, text)

    def notice(self, number, refund=None, bend=None, copies=1):
        order, told = self.orders[number], []
        text = order.get("last") if bend == "replay" \
            else self.message(number, bend)
        order["last"] = text
        address = urllib.parse.urlsplit(order["notify_url"])

        def one():
            link = http.client.HTTPConnection(address.hostname, address.port,
                                              timeout=30)
            link.request("POST", address.path, text.encode(),
                         {"Content-Type": "application/json"})
            reply = link.getresponse()
            told.append({"number": number, "bend": bend,
                         "status": reply.status,
                         "body": reply.read().decode()})
            link.close()

        threads = [threading.Thread(target=one) for _ in range(copies)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return told

    def refund_done(self, number, refund):
        with self.lock:
            self.orders[number]["refunds"][refund]["status"] = "succeeded"

    def books(self):
        with self.lock:
            return json.loads(json.dumps(self.orders))

    def seen(self):
        return self.log

    def end(self):
        self.server.shutdown()
