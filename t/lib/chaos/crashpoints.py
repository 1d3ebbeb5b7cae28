"""P2: a worker dies at every named point of worker/crash_points.def, on each of
three ways through the product: a payment at the counter, a refund, a QR code
with its notice.  Another worker of the same tables, stopped meanwhile, takes
over; then rows, books and what was told must agree.

The worker that dies is one of our own, beside the stack's: it has the crash
point in its environment, and is called over its own socket.
"""

import base64
import hashlib
import hmac
import json
import os
import random
import re
import secrets
import signal
import ssl
import subprocess
import time
import urllib.request

from chaos.common import (Log, Run, attempt, attempts_by_order, checks, judge,
                          judge_refunds, open_rows, running_pid)
from payhub_client import Receiver
from payhub_frame import Closed, Link
from payhub_stack_fixture import QUICK, TREE

LEASE = ("janitor.lease=1s", "redis.lock_ttl=1s")
# what the sandbox has no part in; workers die there in t/component/channels
ELSEWHERE = {"before_refresh", "refresh_answered", "refresh_after_commit",
             "notice_between_parts", "capture_sent"}
READY_S, DIES_S, REST_S = 30, 6, 60
CALL_S = 8


class Gone(Exception):
    """The worker died, or hung up, before it answered."""


class Doomed:
    """A worker of our own, with a point to die at."""

    def __init__(self, stack, point):
        self.stack = stack
        self.path = os.path.join(stack.folder, "run", "doomed.sock")
        if os.path.exists(self.path):
            os.unlink(self.path)
        user = os.stat(os.path.join(stack.folder, "run", "state.json"))
        config = os.path.join(stack.folder, "conf", "payhub.conf")
        with open(os.path.join(stack.scratch, "doomed.log"), "a",
                  encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [program(stack), "--config", config], stdout=log, stderr=log,
                cwd="/", preexec_fn=lambda: demote(user), env={
                    "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8",
                    "ASAN_OPTIONS": "detect_leaks=0",
                    "PAYHUB_CRASH_AT": point,
                    "PAYHUB_WORKER_LISTEN": "unix:" + self.path})

    def is_dead(self):
        return self.process.poll() is not None

    def wait_ready(self):
        end = time.monotonic() + READY_S
        while time.monotonic() < end and not self.is_dead():
            try:
                if self.call("GET", "/readyz").status == 200:
                    return
            except (OSError, Gone):
                time.sleep(0.05)
        if not self.is_dead():
            raise RuntimeError("the doomed worker was not ready")

    def call(self, method, target, body=b"", **more):
        env = self.stack.env
        identity = (env["PAYHUB_KEY_ID"], env["PAYHUB_APP_ID"],
                    env["PAYHUB_MERCHANT_ID"])
        try:
            with Link(self.path, CALL_S, identity) as link:
                return link.call(method, target, body, **more)
        except (Closed, TimeoutError, ConnectionError,
                FileNotFoundError) as error:
            raise Gone() from error

    def end(self):
        """True = it had died by its own hand."""
        end = time.monotonic() + DIES_S
        while not self.is_dead() and time.monotonic() < end:
            time.sleep(0.05)
        was_dead = self.process.poll() == -signal.SIGKILL
        if not self.is_dead():
            self.process.kill()
        self.process.wait()
        return was_dead


def program(stack):
    return os.path.join(stack.folder, "bin", "payhub-worker")


def demote(owner):
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)


def points_of(stack):
    """Names in the program; they are those that the sources pass."""
    done = subprocess.run([program(stack), "--crash-points"], check=True,
                          capture_output=True, text=True)
    return [line.split(" ", 1)[0] for line in done.stdout.splitlines()]


def points_passed():
    """Names in the sources of the worker."""
    found = set()
    for name in os.listdir(os.path.join(TREE, "worker")):
        if name.endswith(".c"):
            with open(os.path.join(TREE, "worker", name),
                      encoding="utf-8") as file:
                found |= set(re.findall(r'"([a-z]+(?:_[a-z]+)+)"', file.read()))
    return found


class Ways:
    """The three ways, each wide enough to pass every point it can.  What was
    asked is asked again, of the other worker, when all is over."""

    def __init__(self, stack, log, hook):
        self.stack, self.log, self.hook = stack, log, hook
        self.prefix = f"c{os.getpid()}-"
        self.count = 0
        self.asked = []  # (kind, number, target, body)
        with open(os.path.join(stack.folder, "keys", "sandbox.key"),
                  "rb") as file:
            self.key = file.read().removesuffix(b"\n")
        self.account = stack.rows("SELECT id FROM channel_account")[0][0]

    def ask(self, call, kind, target, body, **more):
        number = body[kind]
        self.log.note(number, None, kind)
        self.asked.append((kind, number, target, body))
        answer = call("POST", target, body, **more)
        if answer.status in (200, 201, 202):
            self.log.note(number, answer.json["status"], kind)
        return answer

    def ask_again(self):
        """Faults: what is not answered now, or is another one than before."""
        faults = []
        for kind, number, target, body in self.asked:
            answer = self.stack.client.call("POST", target, body)
            if answer.status not in (200, 201, 202):
                faults.append(f"{number} asked again: {answer}")
            else:
                self.log.note(number, answer.json["status"], kind)
        self.asked.clear()
        return faults

    def number(self):
        self.count += 1
        return f"{self.prefix}{self.count}"

    def pay(self, call, amount, method="sandbox_bar", **more):
        body = {"order_no": self.number(), "amount": amount,
                "currency": "CNY", "method": method, "subject": "tea",
                "notify_url": self.hook}
        if method == "sandbox_bar":
            body["extra"] = {"auth_code": "134567890123456789"}
        return self.ask(call, "order_no", "/v1/payments", body, **more)

    def refund(self, call, payment, amount):
        return self.ask(call, "refund_no", f"/v1/payments/{payment}/refunds",
                        {"refund_no": self.number(), "amount": amount})

    def close(self, call, payment):
        return call("POST", f"/v1/payments/{payment}/close", b"")

    # --- the channel's side

    def signed(self, body):
        stamp = str(int(time.time()))
        mac = hmac.new(self.key, f"{stamp}\n".encode() + body + b"\n",
                       hashlib.sha256).digest()
        return {"Sandbox-Timestamp": stamp,
                "Sandbox-Signature": base64.b64encode(mac).decode()}

    def order(self, number):
        """As the sandbox tells it to a signed query."""
        body = json.dumps({"out_trade_no": number}).encode()
        request = urllib.request.Request(
            self.stack.env["PAYHUB_SANDBOX_URL"] + "/query", data=body,
            headers=self.signed(body))
        context = ssl.create_default_context(
            cafile=self.stack.env["PAYHUB_CA_FILE"])
        with urllib.request.urlopen(request, context=context,
                                    timeout=10) as reply:
            return json.load(reply)

    def notice(self, call, number):
        """What the sandbox would post about an order of its books."""
        said = self.order(number)
        body = json.dumps({
            "notice_id": secrets.token_hex(8), "out_trade_no": number,
            **{name: said[name] for name in ("trade_no", "amount", "currency",
                                             "status", "paid_at")}}).encode()
        call("POST", "/notify/sandbox/" + self.account, body, identity=False,
             headers=list(self.signed(body).items()))

    # --- the ways: each goes on until it is done or the worker is gone

    def ready_pay(self):
        return None

    def way_pay(self, call, _):
        """Paid; no account takes it; answer lost, so that the janitor asks."""
        self.pay(call, 10100, more=[("IDEMPOTENCY_KEY", secrets.token_hex(8))])
        self.pay(call, 19017)
        self.pay(call, 19004)

    def ready_refund(self):
        made = self.pay(self.stack.client.call, 30000)
        assert made.status == 201, made
        return made.json["id"]

    def way_refund(self, call, payment):
        """A part, one that comes late, one that fails; then the refund that
        nobody asked for, of an order paid after it was closed."""
        for amount in 400, 9014, 9015:
            self.refund(call, payment, amount)
        made = self.pay(call, 19010, "sandbox_qr").json
        self.close(call, made["id"])
        time.sleep(1.3)
        self.notice(call, made["attempts"][0]["id"])

    def ready_qr(self):
        return None

    def way_qr(self, call, _):
        """Shown, paid, told by notice; another one is closed."""
        made = self.pay(call, 10200, "sandbox_qr").json
        number = made["attempts"][0]["id"]
        self.stack.sandbox("/_payer/pay", {"out_trade_no": number})
        self.notice(call, number)
        self.close(call, self.pay(call, 10300, "sandbox_qr").json["id"])


WAYS = ("pay", "refund", "qr")
# Where a sample of one way is surest to pass a point.
LIKELY = (("refund", "refund"), ("auto_refund", "refund"), ("notice", "qr"),
          ("clos", "qr"), ("close", "qr"), ("before_close", "qr"), ("", "pay"))


def likely(point):
    return next(way for head, way in LIKELY if point.startswith(head))


def payers_pay(stack, prefix):
    for rows in attempts_by_order(stack, prefix).values():
        for status, one, attempt_status in rows:
            if status == "paying" and attempt_status == "wait_user":
                attempt(stack.sandbox, "/_payer/pay", {"out_trade_no": one})


def rest(stack, prefix):
    """{what: how many} that is still open in the end."""
    end = time.monotonic() + REST_S
    while (left := open_rows(stack)) and time.monotonic() < end:
        payers_pay(stack, prefix)
        time.sleep(0.3)
    return left


def one_round(stack, ways, point, way):
    """(did it die there, faults)"""
    given = getattr(ways, "ready_" + way)()
    faults = [f"{point} {way}: {count} {what} not at rest before it"
              for what, count in rest(stack, ways.prefix).items()]
    other = running_pid(stack, "worker_1")
    os.kill(other, signal.SIGSTOP)
    try:
        doomed = Doomed(stack, point)
        try:
            doomed.wait_ready()
            getattr(ways, "way_" + way)(doomed.call, given)
        except (Gone, KeyError):
            pass  # KeyError: an answer without what the next step needs
        died = doomed.end()
    finally:
        os.kill(other, signal.SIGCONT)
    if not died and doomed.process.returncode not in (-signal.SIGKILL, 0):
        faults.append(f"{point} {way}: ended by {doomed.process.returncode}")
    faults += [f"{point} {way}: {fault}" for fault in ways.ask_again()]
    faults += [f"{point} {way}: {count} {what} not at rest"
               for what, count in rest(stack, ways.prefix).items()]
    return died, faults


def crashpoints(stack, points=0, seed=1, say=print):
    """points: how many are sampled, each on its likeliest way; 0 = all of
    them, each on every way."""
    told = os.path.join(stack.scratch, "told.jsonl")
    log, chance = Log(told), random.Random(seed)
    hook = Receiver(stack.env["PAYHUB_WEBHOOK_SECRET"])
    added = stack.cli("channel", "account", "add", "sandbox", "--name", "two",
                      "--set", "base_url=" + stack.env["PAYHUB_SANDBOX_URL"],
                      "--secret", "key=@" + os.path.join(
                          stack.folder, "keys", "sandbox.key"))
    assert added.returncode == 0, added.stderr
    ways = Ways(stack, log, hook.url)
    names = points_of(stack)
    faults = [f"{name} is in crash_points.def and nobody passes it"
              for name in names if name not in points_passed()]
    names = [name for name in names if name not in ELSEWHERE]
    chosen = [(point, way) for point in names for way in WAYS] if not points \
        else [(point, likely(point)) for point in chance.sample(
            names, min(points, len(names)))]
    died = {}
    for number, (point, way) in enumerate(chosen):
        was_there, wrong = one_round(stack, ways, point, way)
        died.setdefault(point, set()).update({way} if was_there else ())
        faults += wrong
        if number % 12 == 11 or wrong:
            say(f"# {number + 1} of {len(chosen)}: {point} {way}: "
                f"{'dead' if was_there else 'not passed'} {wrong}", flush=True)
    faults += [f"{point} was not passed" for point, by in died.items()
               if not by]
    log.close()
    with open(os.path.join(stack.scratch, "doomed.log"), encoding="utf-8",
              errors="replace") as file:
        faults += [f"the doomed worker: {line.strip()}" for line in file
                   if "Sanitizer:" in line or "runtime error:" in line]
    lost, doubled = judge(stack, log, attempts_by_order(stack, ways.prefix),
                          set())
    more = judge_refunds(stack, log)
    lost, doubled = lost + more[0], doubled + more[1]
    faults += lost + doubled + checks(stack, told)
    hook.close()
    for point, by in died.items():
        say(f"# {point}: {' '.join(sorted(by))}")
    return {"crashpoints.points": (len(died), "points"),
            "crashpoints.rounds": (len(chosen), "rounds"),
            "crashpoints.deaths": (sum(map(len, died.values())), "deaths"),
            "crashpoints.lost": (len(lost), "payments"),
            "crashpoints.doubled": (len(doubled), "payments")}, faults


RUNS = {"crashpoints": Run(crashpoints, QUICK + LEASE, build="asan",
                           short={"points": 8})}
