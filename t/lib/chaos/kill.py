"""P1: kill -9 of every kind of process in turn, while payments and refunds go
through them at a steady pace, until there were enough of all."""

import collections
import os
import random
import threading
import time

from chaos.common import (FailedWatch, Log, Run, attempt, attempts_by_order,
                          checks, children, judge, judge_refunds, kill_pid,
                          log_count, open_rows, running_pid)
from payhub_client import Receiver
from payhub_stack_fixture import QUICK

CALLERS = 24
PACE_S = 1 / 45  # at most so many requests a second that make money move
GAP_S = 0.2      # between two kills: at random up to this
REST_S = 180
# MariaDB takes longest to come back; it dies in every second round
ROUND = ("nginx_worker", "worker_1", "sidecar", "redis", "nginx")
RARE = "mariadb"
BACKLOG = 100  # with so many requests unanswered no new ones are made
KINDS = (*ROUND, RARE)
# What ends an amount, by weight: most are ordinary, some lose their answer,
# some are with the channel for long.
TAILS = ((None, 70), (9002, 12), (9004, 6), (9006, 4), (9001, 2), (9005, 1),
         (9011, 2), (9012, 1), (9013, 1), (9016, 1))


class Orders:
    """What the callers have made so far, and what they have to ask again."""

    def __init__(self, stack, log, seed, refunds, hook):
        self.stack, self.log, self.hook = stack, log, hook
        self.prefix = f"k{os.getpid()}x{seed}-"
        self.chance = random.Random(seed)
        self.lock = threading.Lock()
        self.share = 0.12 if refunds else 0
        self.count = self.refund_count = 0
        self.again = collections.deque()  # requests that were not answered
        self.paid = []       # (payment id, amount, sum asked back)
        self.statuses = collections.Counter()
        self.refusal = b""   # the last one

    def next(self):
        """(what, number, words) of one request."""
        with self.lock:
            if len(self.again) > BACKLOG or (self.again
                                             and self.chance.random() < 0.5):
                return self.again.popleft()
            if self.paid and self.chance.random() < self.share:
                return self.refund_next()
            self.count += 1
            tail = self.chance.choices([t for t, _ in TAILS],
                                       [w for _, w in TAILS])[0]
            tail = self.chance.randrange(9000) if tail is None else tail
            # 9005 would show a QR code never: its call is repeated for hours
            qr = self.chance.random() < 0.15 and tail != 9005
            words = {"amount": self.count % 90000 * 10000 + 10000 + tail,
                     "method": "sandbox_qr" if qr else "sandbox_bar"}
            if self.chance.random() < 0.2:
                words["notify_url"] = self.hook
            return "pay", f"{self.prefix}{self.count}", words

    def refund_next(self):
        at = self.chance.randrange(len(self.paid))
        payment, amount, asked = self.paid[at]
        part = self.chance.choice((amount - asked, 1, amount // 3,
                                   (amount - asked) // 10000 * 10000 + 9014))
        part = max(1, min(part, amount - asked))
        if asked + part >= amount:
            self.paid.pop(at)
        else:
            self.paid[at] = (payment, amount, asked + part)
        self.refund_count += 1
        return ("refund", f"{self.prefix}r{self.refund_count}",
                {"payment": payment, "amount": part})

    def send(self, what, number, words):
        """One request; what was not answered is asked again later."""
        if what == "pay":
            words = dict(words)
            answer = attempt(lambda: self.stack.client.pay(
                number, words.pop("amount"), **words))
            kind = "order_no"
        else:
            answer = attempt(
                self.stack.client.call, "POST",
                f"/v1/payments/{words['payment']}/refunds",
                {"refund_no": number, "amount": words["amount"]})
            kind = "refund_no"
        status = answer.status if answer is not None else 0
        if status >= 400:
            self.refusal = answer.body[:300]
        with self.lock:
            self.statuses[what, status] += 1
        if status not in (200, 201, 202):
            return status
        self.log.note(number, answer.json["status"], kind)
        if what == "pay":
            self.made(number, answer.json)
        return status

    def made(self, number, said):
        if said["method"] == "sandbox_qr" and said["status"] == "paying" \
                and said["attempts"]:
            attempt(self.stack.sandbox, "/_payer/pay",
                    {"out_trade_no": said["attempts"][-1]["id"]})
        if said["status"] == "paid":
            with self.lock:
                self.paid.append((said["id"], said["amount"], 0))

    def one(self):
        what, number, words = self.next()
        kind = "order_no" if what == "pay" else "refund_no"
        self.log.note(number, None, kind)
        status = self.send(what, number, words)
        # 409: the first of it still runs, or the payment is not paid yet
        if status in (0, 409, 429) or status >= 500:
            with self.lock:
                self.again.append((what, number, words))
        elif status >= 400:
            return f"{what} {number} {words}: {self.refusal}"
        return None


class Killer(threading.Thread):
    """Kills the kinds in turn; each only while it runs."""

    def __init__(self, stack, seed):
        super().__init__(daemon=True)
        self.stack, self.chance = stack, random.Random(seed + 1)
        self.sent = set()  # attempts that were with the channel at a kill
        self.asked = collections.Counter()
        self.ending = threading.Event()
        self.fault = None

    def pid_of(self, kind):
        if kind != "nginx_worker":
            return running_pid(self.stack, kind)
        workers = children(running_pid(self.stack, "nginx") or -1)
        return self.chance.choice(workers) if workers else 0

    def kill(self, kind):
        end = time.monotonic() + 30
        while not (pid := self.pid_of(kind)):
            if time.monotonic() > end:
                raise RuntimeError(f"{kind} did not come back within 30 s")
            if self.ending.wait(0.02):
                return
        if kill_pid(pid):
            self.asked[kind] += 1
        if kind == "worker_1":  # nobody is there to move them
            _, rows, _ = self.stack.sql(
                "SELECT id FROM attempt WHERE status='sent'")
            self.sent |= {row[0] for row in rows}

    def run(self):
        turn = 0
        try:
            while not self.ending.is_set():
                kinds = list(ROUND) + [RARE] * (turn % 2)
                self.chance.shuffle(kinds)
                for kind in kinds:
                    if self.ending.wait(self.chance.random() * GAP_S):
                        return
                    self.kill(kind)
                turn += 1
        except Exception as error:
            self.fault = error


def deaths(stack):
    """{kind: how many} as those tell that waited for them."""
    found = {kind: log_count(stack, "supervisor.log",
                             f"{kind} ended (signal 9")
             for kind in KINDS if kind != "nginx_worker"}
    found["nginx_worker"] = sum(
        log_count(stack, name, "exited on signal 9")
        for name in os.listdir(os.path.join(stack.folder, "log"))
        if name.startswith("nginx"))
    return found


def callers_run(orders, done, faults):
    """Until done() says so, at a steady pace."""
    lock, ends = threading.Lock(), [time.monotonic()]

    def caller():
        while not done():
            with lock:
                ends[0] = max(ends[0] + PACE_S, time.monotonic())
                wait_s = ends[0] - time.monotonic()
            time.sleep(max(wait_s, 0))
            try:
                fault = orders.one()
            except Exception as error:
                fault = repr(error)
            if fault and len(faults) < 20:
                faults.append(fault)

    threads = [threading.Thread(target=caller) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    return threads


def ask_again(orders, wait_s=180):
    """Whatever was never answered is asked until it is: all run now."""
    end = time.monotonic() + wait_s

    def caller():
        while time.monotonic() < end:
            try:
                request = orders.again.popleft()
            except IndexError:
                return
            status = orders.send(*request)
            if status == 0 or status in (409, 429) or status >= 500:
                orders.again.append(request)
                time.sleep(0.05)

    threads = [threading.Thread(target=caller) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [number for _, number, _ in orders.again]


def payers_pay(stack, prefix):
    """QR codes whose answer was lost are still to be paid."""
    for number, rows in attempts_by_order(stack, prefix).items():
        for status, one, _ in rows:
            if status == "paying":
                attempt(stack.sandbox, "/_payer/pay", {"out_trade_no": one})


def kill(stack, payments=10000, refunds=1000, kills=1000, each=100, sent=200,
         seconds=5400, seed=1, say=print):
    """Goes on until there were so many payments, refunds, deaths, deaths of
    each kind and attempts that were with the channel at a kill; or the
    seconds are over, which is a fault."""
    told = os.path.join(stack.scratch, "told.jsonl")
    log, faults = Log(told), []
    hook = Receiver(stack.env["PAYHUB_WEBHOOK_SECRET"])
    orders = Orders(stack, log, seed, refunds, hook.url)
    watch, killer = FailedWatch(stack, 1), Killer(stack, seed)
    began = time.monotonic()
    ending = threading.Event()
    threads = callers_run(orders, ending.is_set, faults)
    killer.start()

    def enough():
        seen = deaths(stack)
        return (len(log.told) >= payments and len(log.refunds) >= refunds
                and sum(seen.values()) >= kills
                and min(seen.values()) >= each and len(killer.sent) >= sent)

    said = began
    while not enough() and killer.fault is None \
            and time.monotonic() - began < seconds:
        time.sleep(0.5)
        if time.monotonic() - said > 30:
            said = time.monotonic()
            say(f"# {said - began:.0f} s: {len(log.told)} payments, "
                f"{len(log.refunds)} refunds, {deaths(stack)}, "
                f"{len(killer.sent)} sent at a kill", flush=True)
    is_enough = enough()
    killer.ending.set()
    killer.join(60)
    ending.set()
    for thread in threads:
        thread.join(90)
    took = time.monotonic() - began
    stack.wait_running(60)
    if killer.fault is not None:
        faults.append(f"the killer: {killer.fault!r}")
    if not is_enough:
        faults.append(f"not enough after {took:.0f} s")
    faults += [f"{number} is not answered" for number in ask_again(orders)]
    end = time.monotonic() + REST_S
    while (left := open_rows(stack)) and time.monotonic() < end:
        payers_pay(stack, orders.prefix)
        time.sleep(1)
    faults += [f"{count} {what} are not at rest" for what, count in
               left.items()]
    log.close()
    found = attempts_by_order(stack, orders.prefix)
    lost, doubled = judge(stack, log, found, watch.close())
    more = judge_refunds(stack, log)
    lost, doubled = lost + more[0], doubled + more[1]
    faults += lost + doubled + checks(stack, told)
    faults += [f"webhook without a good signature: {headers}"
               for is_genuine, headers, _ in hook.got if not is_genuine][:3]
    hook.close()
    seen = deaths(stack)
    say(f"# {took:.0f} s; answers {dict(orders.statuses)}")
    return {"kill.payments": (len(log.told), "payments"),
            "kill.refunds": (len(log.refunds), "refunds"),
            "kill.kills": (sum(seen.values()), "deaths"),
            **{f"kill.{kind}": (count, "deaths")
               for kind, count in sorted(seen.items())},
            "kill.sent": (len(killer.sent), "attempts"),
            "kill.webhooks": (len(hook.got), "deliveries"),
            "kill.seconds": (round(took), "s"),
            "kill.lost": (len(lost), "payments"),
            "kill.doubled": (len(doubled), "payments")}, faults


RUNS = {"kill": Run(kill, QUICK, short={
    "payments": 300, "refunds": 20, "kills": 20, "each": 2, "sent": 4,
    "seconds": 120})}
