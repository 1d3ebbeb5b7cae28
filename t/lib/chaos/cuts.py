"""P13: the wires to MariaDB, Redis and the channel are cut, held and delayed
one after the other, while payments and refunds go on; then single transactions
lose their COMMIT, or the answer to it.  A proxy stands in each of the three;
the wire between nginx and its workers is a socket of one host and is not cut
here.
"""

import os
import threading
import time

from chaos.common import (Log, Run, attempts_by_order, checks, judge,
                          judge_refunds, open_rows)
from chaos.kill import Orders, ask_again, payers_pay
from payhub_client import Receiver
from payhub_commits import Commits
from payhub_proxy import Proxy
from payhub_stack_fixture import QUICK, Stack

CALLERS = 16
PACE_S = 1 / 20
REST_S = 120
BACK_S = 20  # after a wire is whole again, payments succeed within
COMMITS = ("payment", "settle", "refund", "refund settle")
COMMIT_WAIT_S = 30  # until a transaction of the kind comes by
# A caller is never kept longer: the deadline of the request, the store's
# patience before and after the call, and a second.
DEADLINE_S, STORE_S = 4, 3
SLOWEST_S = DEADLINE_S + 2 * STORE_S + 1


def wires_make(stack):
    """{name: Proxy}; paths that the stack will have when it is up."""
    run = os.path.join(stack.folder, "run")
    at = os.path.join(stack.scratch, "wires")
    os.mkdir(at)
    os.chmod(at, 0o755)
    return {
        "mariadb": Commits(os.path.join(at, "mysql.sock"),
                           os.path.join(run, "mysql.sock")),
        "redis": Proxy(os.path.join(at, "redis.sock"),
                       os.path.join(run, "redis.sock")),
        "channel": Proxy(("127.0.0.1", 0), ("127.0.0.1", stack.port + 2))}


def account_turn(stack, port):
    """The account of the sandbox is called through the proxy."""
    account = stack.rows("SELECT id FROM channel_account")[0][0]
    done = stack.cli("channel", "account", "set", account, "--set",
                     f"base_url=https://127.0.0.1:{port}")
    assert done.returncode == 0, done.stderr
    time.sleep(2)  # live within a second


class Callers:
    """Payments and refunds at a steady pace; how long each took."""

    def __init__(self, orders):
        self.orders, self.ending = orders, threading.Event()
        self.slowest, self.faults = 0.0, []
        self.good_at = 0.0  # the last 2xx
        self.lock, self.next_at = threading.Lock(), time.monotonic()
        self.threads = [threading.Thread(target=self.run)
                        for _ in range(CALLERS)]
        for thread in self.threads:
            thread.start()

    def run(self):
        while not self.ending.is_set():
            with self.lock:
                self.next_at = max(self.next_at + PACE_S, time.monotonic())
                wait_s = self.next_at - time.monotonic()
            time.sleep(max(wait_s, 0))
            began = time.monotonic()
            good = self.orders.good
            try:
                fault = self.orders.one()
            except Exception as error:
                fault = repr(error)
            now = time.monotonic()
            with self.lock:
                self.slowest = max(self.slowest, now - began)
                if self.orders.good > good:
                    self.good_at = now
                if fault and len(self.faults) < 20:
                    self.faults.append(fault)

    def close(self):
        self.ending.set()
        for thread in self.threads:
            thread.join(90)


class Asked(Orders):
    """Counts what was answered well."""

    good = 0

    def send(self, what, number, words):
        status = super().send(what, number, words)
        if status in (200, 201, 202):
            with self.lock:
                self.good += 1
        return status


def faults_of(seconds):
    """[(name, what to do, for how long)]"""
    longest = max(seconds)
    rows = [(f"held {s} s", lambda wire: wire.hold(), s) for s in seconds]
    rows.append((f"cut {min(seconds)} s", lambda wire: wire.cut(),
                 min(seconds)))
    rows.append(("half open", lambda wire: wire.hold(), min(5, longest)))
    rows.append(("delayed 2 s", lambda wire: setattr(wire, "delay_s", 2),
                 min(10, longest * 2)))
    return rows


def cut_all(callers, wires, seconds, say):
    """Every fault on every wire; faults, and the longest way back."""
    wrong, slowest_back = [], 0.0
    for name, wire in wires.items():
        for what, begin, duration in faults_of(seconds):
            begin(wire)
            time.sleep(duration)
            if what == "half open":
                wire.drop()  # the peer hears of it only now
            wire.go()
            healed = time.monotonic()
            while callers.good_at < healed \
                    and time.monotonic() - healed < BACK_S:
                time.sleep(0.05)
            back = callers.good_at - healed
            if back < 0:
                wrong.append(f"{name} {what}: nothing is paid {BACK_S} s "
                             "after it")
            slowest_back = max(slowest_back, back)
            say(f"# {name} {what}: back after {back:.1f} s, slowest call "
                f"{callers.slowest:.1f} s, {callers.orders.good} answered",
                flush=True)
            time.sleep(1)
    return wrong, slowest_back


def commits_cut(wire, rounds, say):
    """Each kind of transaction, at its COMMIT and behind it; faults, count."""
    wrong, count = [], 0
    for _ in range(rounds):
        for what in COMMITS:
            for when in ("before", "after"):
                wire.arm(what, when)
                if wire.wait(COMMIT_WAIT_S):
                    count += 1
                else:
                    wrong.append(f"no {what} came by in {COMMIT_WAIT_S} s")
                time.sleep(0.2)
    say(f"# {count} transactions cut at their COMMIT", flush=True)
    return wrong, count


def cuts(short=0, seed=1, build="release", say=print):
    """short=1: cuts of one second only."""
    stack = Stack(build=build, settings=(), nginx_workers=1)
    wires = wires_make(stack)
    for word in (*QUICK, f"store.socket={wires['mariadb'].at}",
                 f"redis.socket={wires['redis'].at}",
                 f"store.timeout={STORE_S}s", "redis.timeout=1s"):
        stack.words += ["--set", word]
    faults = ["it did not end"]
    try:
        stack.up()
        account_turn(stack, wires["channel"].at[1])
        rows, faults = run(stack, wires, (1,) if short else (1, 5, 30),
                           1 if short else 12, seed, say)
        faults += [f"sanitizer report {path}"
                   for path in stack.sanitizer_reports()]
    finally:
        for wire in wires.values():
            wire.go()
        stack.down(wipe=not faults)
        for wire in wires.values():
            wire.close()
    if faults:
        say(f"# logs are kept in {stack.folder}/log")
    return rows, faults


def run(stack, wires, seconds, rounds, seed, say):
    told = os.path.join(stack.scratch, "told.jsonl")
    log = Log(told)
    hook = Receiver(stack.env["PAYHUB_WEBHOOK_SECRET"])
    orders = Asked(stack, log, seed, 1, hook.url)
    orders.prefix = f"w{os.getpid()}x{seed}-"
    callers = Callers(orders)
    time.sleep(2)
    wrong, back = cut_all(callers, wires, seconds, say)
    missed, commits = commits_cut(wires["mariadb"], rounds, say)
    callers.close()
    faults = wrong + missed + callers.faults
    faults += [f"{number} is not answered" for number in ask_again(orders)]
    end = time.monotonic() + REST_S
    while (left := open_rows(stack)) and time.monotonic() < end:
        payers_pay(stack, orders.prefix)
        time.sleep(1)
    faults += [f"{count} {what} are not at rest" for what, count in
               left.items()]
    log.close()
    lost, doubled = judge(stack, log, attempts_by_order(stack, orders.prefix),
                          set())
    more = judge_refunds(stack, log)
    lost, doubled = lost + more[0], doubled + more[1]
    faults += lost + doubled + checks(stack, told)
    if callers.slowest > SLOWEST_S:
        faults.append(f"a caller was kept for {callers.slowest:.1f} s, "
                      f"expected at most {SLOWEST_S}")
    hook.close()
    say(f"# answers {dict(orders.statuses)}")
    return {"cuts.cuts": (len(wires) * len(faults_of(seconds)), "cuts"),
            "cuts.commits": (commits, "cuts"),
            "cuts.payments": (len(log.told), "payments"),
            "cuts.refunds": (len(log.refunds), "refunds"),
            "cuts.slowest": (round(callers.slowest, 1), "s"),
            "cuts.back": (round(back, 1), "s"),
            "cuts.lost": (len(lost), "payments"),
            "cuts.doubled": (len(doubled), "payments")}, faults


RUNS = {"cuts": Run(cuts, stacks=0, short={"short": 1})}
