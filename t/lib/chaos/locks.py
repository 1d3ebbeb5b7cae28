"""Locks: exclusion with clients of other makes (P8), wake-up (P10), and that
losing them loses nothing (P9)."""

import concurrent.futures
import hashlib
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time

import payhub_npm
import payhub_private
import payhub_redis
from chaos.common import Run
from payhub_client import Redis
from payhub_frame import Closed

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))))
ROOM = os.path.join(TREE, "t", "component", "locks")
STRING = {"redlock4": 4, "redlock5": 4, "universal": 2, "payhub-string": 4}
REDISSON = {"redisson": 4, "payhub-redisson": 4}
SETTLE_S = 60
CONTEND_S = 900
DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def contend(rig, holders, rounds, ttl=5000):
    """What t/component/locks/contend.mjs found."""
    rig.redis_do("FLUSHALL")
    asked = {"socket": rig.path("redis.sock"), "key": "contended", "ttl": ttl,
             "rounds": rounds, "holders": holders,
             "payhub": rig.path("payhub")}
    done = subprocess.run(
        ["node", os.path.join(ROOM, "contend.mjs"), json.dumps(asked)],
        capture_output=True, text=True, check=False, timeout=CONTEND_S,
        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0",
             "MODULES": payhub_npm.modules(os.path.join(ROOM, "npm"))})
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-2000:])
    return json.loads(done.stdout)


def contend_faults(found, holders, rounds):
    turns = sum(holders.values()) * rounds
    right = {"turns": turns, "overlaps": 0, "count": turns, "busy": 0,
             "left": 0, "faults": []}
    return [f"{name}: found {found[name]}, expected {value}"
            for name, value in right.items() if found[name] != value]


def locks(rounds=250, say=print, build="release"):
    """Holders of four makes, and of Redisson's layout, take turns."""
    os.environ["PAYHUB_BUILD"] = build
    rig = payhub_private.Private("phlock.")
    rig.user = None  # the holders run as we do
    os.chmod(rig.dir, 0o755)
    # a copy: the build may be made anew while they take turns
    shutil.copy(payhub_private.program("payhub"), rig.path("payhub"))
    rig.redis_up()
    rows, faults, turns, overlaps = {}, [], 0, 0
    for name, holders in (("string", STRING), ("redisson", REDISSON)):
        found = contend(rig, holders, rounds)
        say(f"# {name}: {found['by']} in {found['ms']} ms")
        turns += found["turns"]
        overlaps += found["overlaps"]
        faults += [f"{name}: {fault}"
                   for fault in contend_faults(found, holders, rounds)]
    rig.end()
    rows["locks.turns"] = (turns, "turns")
    rows["locks.overlaps"] = (overlaps, "turns")
    return rows, faults


def order_key(app_id, order_no):
    """The order's lock; its shard from docs: ten bits of a SHA-256."""
    digest = hashlib.sha256(f"{app_id}\n{order_no}".encode()).digest()
    number = digest[0] << 2 | digest[1] >> 6
    return (f"{{ph:{DIGITS[number >> 5]}{DIGITS[number & 31]}}}:lock:"
            f"{app_id}:{order_no}")


def worker_rig(**settings):
    sys.path.insert(0, os.path.join(TREE, "t", "component", "worker"))
    from rig import Rig  # pylint: disable=import-outside-toplevel
    return Rig(**settings)


def wakeups(rig, waiters, name, layout="string"):
    """Milliseconds from a release to the next grant, by Redis's own clock, of
    orders that somebody else's lock kept waiting in the worker."""
    redis, holder = Redis(rig.path("redis.sock")), "0" * 32
    numbers = [f"wait-{name}-{number}" for number in range(waiters)]
    keys = {number: order_key(rig.app["app_id"], number)
            for number in numbers}
    for key in keys.values():
        redis.call("FCALL", "ph_lock", "1", key, holder, "60000", layout)
    log = rig.path("monitor.log")
    if os.path.exists(log):
        os.unlink(log)
    watch = rig.start("monitor", ["redis-cli", "-s", rig.path("redis.sock"),
                                  "MONITOR"])
    payhub_private.wait(lambda: os.path.getsize(log) > 0, 5)
    answers = []
    with concurrent.futures.ThreadPoolExecutor(waiters) as pool:
        jobs = [pool.submit(rig.pay, rig.body(order_no=number))
                for number in numbers]
        time.sleep(0.3)
        for number in numbers:
            redis.call("FCALL", "ph_unlock", "1", keys[number], holder, layout)
            time.sleep(0.01)
        answers = [job.result(30) for job in jobs]
    time.sleep(0.1)
    rig.kill(watch)
    freed, gaps = {}, []
    for line in rig.log("monitor").splitlines():
        told = re.match(r'(\d+\.\d+) \[0 lua\] "(DEL|SET|HSET)" "([^"]+)"',
                        line)
        if not told:
            continue
        when, word, key = float(told[1]), told[2], told[3]
        if word == "DEL":
            freed.setdefault(key, when)
        elif key in freed and freed[key] is not None:
            gaps.append((when - freed[key]) * 1000)
            freed[key] = None
    return sorted(gaps), [one.status for one in answers]


def lock_wakeup(waiters=50, rounds=6, slow_ms=20, say=print, build="release"):
    """From a release to the next holder; p99 at most slow_ms."""
    os.environ["PAYHUB_BUILD"] = build
    rig, gaps, faults = worker_rig(), [], []
    for number in range(rounds):
        more, statuses = wakeups(rig, waiters, number)
        gaps += more
        if statuses != [201] * waiters or len(more) != waiters:
            faults.append(f"round {number}: {len(more)} grants, {statuses}")
    rig.end()
    gaps.sort()
    median, p99 = gaps[len(gaps) // 2], gaps[int(len(gaps) * 0.99)]
    say(f"# {len(gaps)} grants, slowest {gaps[-1]:.1f} ms")
    if median > 2 or p99 > slow_ms:
        faults.append(f"median {median:.2f} ms, p99 {p99:.2f} ms")
    return {"locks.wakeup_median_ms": (round(median, 2), "ms"),
            "locks.wakeup_p99_ms": (round(p99, 2), "ms")}, faults


class Payer:
    """Payments as fast as some senders can; every order twice at a time, so
    that what the lock keeps apart is put to the test."""

    def __init__(self, rig, payments, senders):
        self.rig, self.numbers = rig, itertools.count()
        self.payments, self.told, self.errors = payments, {}, 0
        self.lock = threading.Lock()
        self.pool = concurrent.futures.ThreadPoolExecutor(senders * 2)
        self.jobs = [self.pool.submit(self.run) for _ in range(senders)]

    def run(self):
        while (number := next(self.numbers)) < self.payments:
            body = self.rig.body(order_no=f"loss-{number}")
            other = self.pool.submit(self.one, body)
            self.one(body)
            other.result()

    def one(self, body):
        try:
            with self.rig.link() as link:
                answer = link.call("POST", "/v1/payments", body)
            good = answer.status in (200, 201, 202)
        except (OSError, Closed):
            good = False
        with self.lock:
            if good:
                self.told[body["order_no"]] = answer.json["status"]
            else:
                self.errors += 1

    def is_done(self):
        return all(job.done() for job in self.jobs)

    def end(self):
        for job in self.jobs:
            job.result()
        self.pool.shutdown()


def loss_judge(rig, payer):
    """[faults] by the rows and by what the channel charged."""
    open_rows = payhub_private.wait(lambda: rig.sql(
        "SELECT COUNT(*) FROM payment WHERE status NOT IN ('paid','failed',"
        "'closed','paid_late','conflict')")[0][0] == "0", SETTLE_S, 0.3)
    rows = rig.sql("SELECT p.order_no,p.status,a.id FROM payment p JOIN "
                   "attempt a ON a.payment_id=p.id")
    charges = rig.channel.charges
    faults = [] if open_rows else ["not all are settled"]
    faults += [f"{number} is {status} and charged {charges.get(attempt, 0)} "
               "times" for number, status, attempt in rows
               if charges.get(attempt, 0) != (1 if status == "paid" else 0)]
    known = {attempt for _, _, attempt in rows}
    faults += [f"charge {one} has no attempt" for one in charges
               if one not in known]
    states = {number: status for number, status, _ in rows}
    if len(states) != len(rows):
        faults.append("an order has two attempts")
    faults += [f"{number} was told {told} and is {states.get(number)}"
               for number, told in payer.told.items()
               if states.get(number) is None
               or (told == "paid") > (states[number] == "paid")]
    return faults


def lock_loss(payments=10000, every=10, senders=12, seconds=600, say=print,
              build="release"):
    """Fail-over and FLUSHALL while payments run."""
    os.environ["PAYHUB_BUILD"] = build
    servers = payhub_private.Private("phsent.")
    sentinels = payhub_redis.Sentinels(servers)
    rig = worker_rig(**sentinels.settings())
    payer = Payer(rig, payments, senders)
    began, moves, flushes = time.monotonic(), 0, 0
    while not payer.is_done() and time.monotonic() - began < seconds:
        due = began + (moves + 1) * every
        while not payer.is_done() and time.monotonic() < due:
            time.sleep(min(0.5, max(0.01, due - time.monotonic())))
            sentinels.do(sentinels.master(), "FLUSHALL")
            flushes += 1
        old = sentinels.master()
        servers.wait("replicas", sentinels.replicas_are_linked)
        if sentinels.move(kill=moves % 2 == 0) != old:
            moves += 1
        say(f"# {len(payer.told)} of {payments} told, {moves} fail-overs")
    payer.end()
    faults = loss_judge(rig, payer)
    share = payer.errors / (2 * payments)
    if share > 0.01:
        faults.append(f"{payer.errors} of {2 * payments} requests failed")
    if moves == 0 or flushes == 0:
        faults.append(f"{moves} fail-overs, {flushes} FLUSHALL")
    faults += [f"sanitizer: {lines[0]}" for lines in rig.sanitizer_reports()]
    rows = {"loss.payments": (len(payer.told), "payments"),
            "loss.failovers": (moves, "fail-overs"),
            "loss.flushes": (flushes, "FLUSHALL"),
            "loss.errors": (payer.errors, "requests"),
            "loss.wrong": (len(faults), "faults")}
    rig.end()
    servers.end()
    return rows, faults[:20]


RUNS = {
    "locks": Run(locks, stacks=0, short={"rounds": 25}),
    "lock-wakeup": Run(lock_wakeup, stacks=0,
                       short={"rounds": 2, "slow_ms": 100}),
    "lock-loss": Run(lock_loss, stacks=0,
                     short={"payments": 300, "every": 2, "senders": 4}),
}
