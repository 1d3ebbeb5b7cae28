"""A private MariaDB, Redis, channel and worker for the tests of this folder.

The channel is a scripted peer that speaks the sandbox's protocol over plain
HTTP on loopback, so that a test decides what each call meets.
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../.."))
sys.path.insert(0, os.path.join(ROOT, "t/lib"))
sys.dont_write_bytecode = True

import payhub_peer  # noqa: E402
import payhub_private  # noqa: E402
from payhub_frame import Closed, Link  # noqa: E402

CHANNEL_KEY = "channel-key-of-the-test-0123456789"
Tap = payhub_private.Tap
program = payhub_private.program
wait = payhub_private.wait


def sign(body, at=None):
    stamp = str(int(time.time()) if at is None else at)
    mac = hmac.new(CHANNEL_KEY.encode(), f"{stamp}\n".encode() + body + b"\n",
                   hashlib.sha256).digest()
    return [("Sandbox-Timestamp", stamp),
            ("Sandbox-Signature", base64.b64encode(mac).decode())]


class Channel:
    """What an operation meets is `self.plan[op]`: a function (channel, asked)
    that returns a dict to answer, an int status, or None to hang up."""

    def __init__(self):
        self.calls = []    # (op, out_trade_no)
        self.times = {}    # out_trade_no -> [(op, when)]
        self.charges = {}  # out_trade_no -> times the money moved
        self.asked = {}
        self.plan = {"pay": Channel.pays, "query": Channel.tells,
                     "close": Channel.tells, "refund": Channel.refunds_it,
                     "refund_query": Channel.tells_refund}
        self.refunds = {}  # out_refund_no -> {of, amount, status, times}
        self.hooks = []    # webhooks: (headers, body)
        self.hook_status = 200
        self.lock = threading.Lock()
        peer = self

        class Handler(payhub_peer.Handler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path.startswith("/hook"):
                    with peer.lock:
                        peer.hooks.append((dict(self.headers), body))
                    return self.answer(peer.hook_status, b"")
                op, asked = self.path.strip("/"), json.loads(body)
                with peer.lock:
                    peer.calls.append((op, asked.get("out_refund_no",
                                                     asked["out_trade_no"])))
                    peer.times.setdefault(asked["out_trade_no"], []).append(
                        (op, time.strftime("%T"), time.time() % 1))
                    if op == "pay":
                        peer.asked[asked["out_trade_no"]] = asked
                said = peer.plan[op](peer, asked)
                if said is None:
                    self.close_connection = True
                    return self.connection.shutdown(socket.SHUT_RDWR)
                if isinstance(said, int):
                    return self.answer(said, b"{}")
                data = json.dumps(said).encode()
                return self.answer(200, data, sign(data))

            def answer(self, status, data, headers=()):
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self.server = payhub_peer.Server(Handler)
        self.url = self.server.url

    def charge(self, asked):
        with self.lock:
            number = asked["out_trade_no"]
            self.charges[number] = self.charges.get(number, 0) + 1

    def state(self, number, status, **more):
        asked = self.asked.get(number, {})
        return {"code": "ok", "status": status, "out_trade_no": number,
                "trade_no": "T" + number[1:], "amount": asked.get("amount"),
                "currency": asked.get("currency"), **more}

    def pays(self, asked):
        if asked["method"] == "sandbox_qr":
            return self.state(asked["out_trade_no"], "pending",
                              qr_code="sandbox://pay/" + asked["out_trade_no"])
        self.charge(asked)
        return self.state(asked["out_trade_no"], "paid",
                          paid_at="2026-01-01T00:00:00.000Z")

    def tells(self, asked):
        number = asked["out_trade_no"]
        if number not in self.asked:
            return {"code": "not_found", "out_trade_no": number}
        paid = self.charges.get(number)
        return self.state(number, "paid" if paid else "pending")

    def refund_state(self, number, **more):
        refund = self.refunds[number]
        back = sum(r["amount"] for r in self.refunds.values()
                   if r["of"] == refund["of"] and r["status"] == "succeeded")
        return {"code": "ok", "status": refund["status"],
                "out_refund_no": number, "out_trade_no": refund["of"],
                "refund_no": "F" + number[1:], "amount": refund["amount"],
                "currency": refund["currency"], "amount_refunded": back, **more}

    def refund(self, asked, status="succeeded"):
        """The money goes back, once a number."""
        with self.lock:
            made = self.refunds.setdefault(asked["out_refund_no"], {
                "of": asked["out_trade_no"], "amount": asked["amount"],
                "currency": asked["currency"], "status": status, "times": 0})
            if made["status"] == "succeeded" and made["times"] == 0:
                made["times"] = 1

    def refunds_it(self, asked):
        self.refund(asked)
        return self.refund_state(asked["out_refund_no"])

    def tells_refund(self, asked):
        number = asked["out_refund_no"]
        if number not in self.refunds:
            return {"code": "not_found", "out_refund_no": number,
                    "out_trade_no": asked["out_trade_no"]}
        return self.refund_state(number)

    def called(self, op, number=None):
        with self.lock:
            return sum(1 for o, n in self.calls
                       if o == op and number in (None, n))

    def notice(self, number, status="paid", notice_id=None, **more):
        """(body, headers) as the channel would post it."""
        said = {**self.state(number, status), **more,
                "notice_id": notice_id or secrets.token_hex(8)}
        said.pop("code")
        body = json.dumps(said).encode()
        return body, sign(body)


class Rig(payhub_private.Private):
    mariadb_options = ("--innodb-flush-log-at-trx-commit=1",)

    def __init__(self, crash_at=None, **settings):
        super().__init__("phwk.")
        self.settings = settings
        self.channel = Channel()
        for name in ("payhub", "payhub-worker"):
            shutil.copy(program(name), self.path(name))
        shutil.copytree(os.path.join(ROOT, "schema"), self.path("schema"))
        self.write("seal.key", "11" * 32 + "\n")
        self.write("channel.key", CHANNEL_KEY)
        self.config()
        self.mariadb_up()
        self.redis_up()
        self.sql("CREATE DATABASE payhub CHARACTER SET utf8mb4; "
                 "CREATE USER payhub@localhost; CREATE USER w@localhost; "
                 "GRANT ALL ON *.* TO payhub@localhost; "
                 "GRANT SELECT,INSERT,UPDATE,DELETE ON payhub.* TO w@localhost",
                 database="")
        self.payhub("schema", "up", "--dir", self.path("schema"))
        self.app = json.loads(self.payhub(
            "app", "add", "--merchant", "M1", "--name", "first", "--secret-out",
            self.path("app.secret"), "--json"))
        self.account = self.account_add("main", self.channel.url)
        self.identity = (self.app["key_id"], self.app["app_id"], "M1")
        self.worker(crash_at)

    # --- files and programs

    def config(self, **more):
        self.settings.update(more)
        return self.configure("payhub.conf", {
            "worker": {"listen": "unix:" + self.path("w.sock")},
            "store": {"socket": self.path("db.sock"), "user": "w",
                      "owner": "payhub", "timeout": "3s"},
            "redis": {"socket": self.path("redis.sock")},
            "seal": {"key_file": self.path("seal.key")},
            "admin": {"keys_file": self.path("keys.conf")},
            "notify": {"allow_loopback": "yes"},
            "janitor": {"tick": "50ms", "first_look": "1s",
                        "unknown_schedule": "200ms 300ms 500ms",
                        "paying_schedule": "500ms 1s"},
            # no till waits but where that is the matter (54-till.test)
            "pay": {"bar_tills": "0"},
            "log": {"level": "debug"},
        }, self.settings)

    def payhub(self, *words):
        run = self.run([self.path("payhub"), *words, "--config",
                        self.path("payhub.conf")])
        if run.returncode != 0:
            sys.exit(f"payhub {words}: {run.returncode}\n{run.stderr}")
        return run.stdout

    def sanitizer_reports(self):
        """The first lines of each; leaks are looked for by the unit tests."""
        lines = self.log("worker").splitlines()
        return [lines[i:i + 12] for i, line in enumerate(lines)
                if "Sanitizer:" in line or "runtime error:" in line]

    def worker(self, crash_at=None, ready=True):
        env = {"ASAN_OPTIONS": "detect_leaks=0"}
        if crash_at:
            env["PAYHUB_CRASH_AT"] = crash_at
        self.start("worker", [self.path("payhub-worker"), "--config",
                              self.path("payhub.conf")], env)
        if ready:
            self.wait("worker", self.is_ready, self.children["worker"])

    def reload(self, **settings):
        """Changed settings, read by the worker when this returns."""
        self.config(**settings)
        size = len(self.log("worker"))
        self.children["worker"].send_signal(signal.SIGHUP)
        self.wait("a reload", lambda: " ev=reloaded " in
                  self.log("worker")[size:], self.children["worker"])

    def is_ready(self):
        try:
            with Link(self.path("w.sock"), 5) as link:
                return link.call("GET", "/readyz").status == 200
        except (OSError, Closed):
            return False

    def stop(self, name, number=signal.SIGTERM, seconds=30):
        child = self.children[name]
        child.send_signal(number)
        try:
            return child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            return "did not end"

    # --- payments

    def count(self, table):
        return int(self.sql(f"SELECT COUNT(*) FROM {table}")[0][0])

    def account_add(self, name, url, *words):
        return json.loads(self.payhub(
            "channel", "account", "add", "sandbox", "--name", name, "--set",
            "base_url=" + url, "--secret", "key=@" + self.path("channel.key"),
            "--json", *words))["account_id"]

    def link(self, timeout=30):
        return Link(self.path("w.sock"), timeout, self.identity)

    def body(self, **more):
        body = {"order_no": "o-" + secrets.token_hex(8), "amount": 1000,
                "currency": "CNY", "method": "sandbox_bar", "subject": "tea",
                "extra": {"auth_code": "code-1"}}
        body.update(more)
        return {k: v for k, v in body.items() if v is not None}

    def pay(self, body=None, **more):
        with self.link() as link:
            return link.call("POST", "/v1/payments", body or self.body(**more))

    def get(self, payment_id):
        with self.link() as link:
            return link.call("GET", "/v1/payments/" + payment_id)

    def refund(self, payment_id, body=None, **more):
        asked = {"refund_no": "r-" + secrets.token_hex(8), "amount": 100}
        asked.update(more)
        asked = {k: v for k, v in asked.items() if v is not None}
        with self.link() as link:
            return link.call("POST", f"/v1/payments/{payment_id}/refunds",
                             asked if body is None else body)

    def get_refund(self, tail):
        with self.link() as link:
            return link.call("GET", "/v1/refunds" + tail)

    def refund_settled(self, refund_id, status, seconds=20):
        def probe():
            found = self.get_refund("/" + refund_id)
            return found if found.json["status"] == status else None
        return wait(probe, seconds, 0.1)

    def notify(self, body, headers, account=None):
        with self.link() as link:
            return link.call("POST", "/notify/sandbox/"
                             + (account or self.account), body,
                             identity=False, headers=headers)

    def settled(self, payment_id, status, seconds=20):
        def probe():
            found = self.get(payment_id)
            return found if found.json["status"] == status else None
        return wait(probe, seconds, 0.1)
