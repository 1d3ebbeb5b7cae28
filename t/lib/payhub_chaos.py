"""Killings and what must be true after them, for scripts/chaos and for the
short band.  Judged by the client's own log, the rows and the sandbox's books,
never by what the killed process said.
"""

import concurrent.futures
import os
import random
import re
import signal
import threading
import time

from payhub_stack_fixture import NO_NOTICES, QUICK

SETTLE_WAIT_S = 60
FINAL = ("paid", "failed", "closed", "paid_late", "conflict")
# The worker waits for an answer to these when it is killed; the second payment
# of a kill is one of them, one whose connection drops, or a quick one.
WAITING = ("9002", "9003")
ENDINGS = WAITING + ("9004", "0000")


class Log:
    """What the client sent and what it was told."""

    def __init__(self):
        self.lock = threading.Lock()
        self.told = {}  # order_no -> last status told, or None

    def note(self, order_no, status):
        with self.lock:
            if status is not None or order_no not in self.told:
                self.told[order_no] = status


def pay_noted(stack, log, order_no, amount):
    """One request; a broken connection or 5xx is "not told"."""
    log.note(order_no, None)
    try:
        answer = stack.client.pay(order_no, amount)
    except OSError:
        return
    except Exception as error:  # a half answer of a dying nginx
        if type(error).__module__ != "http.client":
            raise
        return
    if answer.status in (200, 201, 202):
        log.note(order_no, answer.json["status"])


def attempts_by_order(stack, prefix):
    """{order_no: [(payment status, attempt id, attempt status)]}"""
    rows = stack.rows(
        "SELECT p.order_no, p.status, a.id, a.status FROM payment p JOIN "
        f"attempt a ON a.payment_id=p.id WHERE p.order_no LIKE '{prefix}%'")
    found = {}
    for order_no, status, attempt, attempt_status in rows:
        found.setdefault(order_no, []).append(
            (status, attempt, attempt_status))
    return found


def count_sent(stack, prefix):
    """Attempts of these orders that are with the channel."""
    return int(stack.rows(
        "SELECT COUNT(*) FROM attempt a JOIN payment p ON p.id=a.payment_id "
        f"WHERE p.order_no LIKE '{prefix}%' AND a.status='sent'")[0][0])


def wait_sent(stack, prefix, wait_s=5):
    end = time.monotonic() + wait_s
    while count_sent(stack, prefix) == 0 and time.monotonic() < end:
        time.sleep(0.02)


def kill_worker(stack, prefix):
    """How many attempts the kill left with the channel: counted while nobody
    is there to move them."""
    pid = stack.pid("worker_1")
    if pid == 0:
        return 0
    os.kill(pid, signal.SIGKILL)
    return count_sent(stack, prefix)


def wait_settled(stack, prefix):
    """Until every payment is final; returns the rows."""
    end = time.monotonic() + SETTLE_WAIT_S
    while True:
        found = attempts_by_order(stack, prefix)
        open_ones = [number for number, rows in found.items()
                     if rows[0][0] not in FINAL]
        if not open_ones or time.monotonic() > end:
            return found, open_ones
        time.sleep(0.3)


class FailedWatch:
    """Looks all the time whether a charge that was taken was ever called
    failed: a state that is put right later was wrong all the same."""

    def __init__(self, stack, prefix):
        self.stack, self.prefix = stack, prefix
        self.seen = set()
        self.fault = None
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            while not self.stop.wait(0.2):
                self.look()
        except Exception as error:  # told in close(): no looking, no verdict
            self.fault = error

    def look(self):
        for rows in attempts_by_order(self.stack, self.prefix).values():
            self.seen |= {attempt for _, attempt, status in rows
                          if status == "failed"}

    def close(self):
        self.stop.set()
        self.thread.join(10)
        if self.fault is not None:
            raise self.fault
        self.look()
        return self.seen


def judge(stack, log, found, failed):
    """(lost, doubled): a charge nobody accounts for, a payment told and gone,
    a charge that was ever called failed; a charge made twice."""
    books = [c for c in stack.books()["charges"] if c["status"] == "paid"]
    charged = {c["out_trade_no"]: c["times"] for c in books}
    of_attempt = {attempt: (number, status)
                  for number, rows in found.items()
                  for status, attempt, _ in rows}
    known = {row[0] for row in stack.rows("SELECT id FROM attempt")}
    lost = {f"charge {one} has no attempt" for one in charged
            if one not in known}
    lost |= {f"{of_attempt[one][0]} is charged and {of_attempt[one][1]}"
             for one in charged
             if one in of_attempt and of_attempt[one][1] != "paid"}
    lost |= {f"{of_attempt[one][0]} is charged and was called failed"
             for one in failed & charged.keys()}
    lost |= {f"{number} was answered {told} and has no row"
             for number, told in log.told.items()
             if told is not None and number not in found}
    lost |= {f"{number} is {rows[0][0]} and not charged"
             for number, rows in found.items() if rows[0][0] == "paid"
             and not any(attempt in charged for _, attempt, _ in rows)}
    doubled = {f"{one} was charged {times} times"
               for one, times in charged.items() if times > 1}
    doubled |= {f"{number} has {len(rows)} charged attempts"
                for number, rows in found.items()
                if sum(attempt in charged for _, attempt, _ in rows) > 1}
    return sorted(lost), sorted(doubled)


def worker_kill(stack, kills=50, seed=1, say=print):
    """kill -9 of the worker while attempts are with the channel, at random.
    Notices must be off, so that only a query can settle what the kill left
    open.  Returns ({row: (value, unit)}, [faults])."""
    chance, log = random.Random(seed), Log()
    prefix = f"wk{os.getpid()}x{seed}-"
    watch = FailedWatch(stack, prefix)
    number = sent_at_kill = 0
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for kill in range(kills):
            jobs = []
            batch = f"{prefix}{kill}-"
            for ending in (chance.choice(WAITING), chance.choice(ENDINGS)):
                number += 1
                jobs.append(pool.submit(
                    pay_noted, stack, log, f"{batch}{number}",
                    int(f"{number}{ending}")))
            wait_sent(stack, batch)
            time.sleep(chance.random() * 0.3)
            sent_at_kill += kill_worker(stack, batch) > 0
            for job in jobs:
                job.result(60)
            stack.wait_running(10)
            if kill % 10 == 9:
                say(f"# {kill + 1} kills")
    found, open_ones = wait_settled(stack, prefix)
    lost, doubled = judge(stack, log, found, watch.close())
    faults = lost + doubled + [f"{one} is not settled" for one in open_ones]
    if sent_at_kill < kills * 0.9:
        faults.append(f"only {sent_at_kill} of {kills} kills met an attempt "
                      "that was with the channel")
    return {"kill.payments": (len(log.told), "payments"),
            "kill.kills": (kills, "kills"),
            "kill.sent_at_kill": (sent_at_kill, "kills"),
            "kill.unsettled": (len(open_ones), "payments"),
            "kill.lost": (len(lost), "payments"),
            "kill.doubled": (len(doubled), "payments")}, faults


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children",
                  encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def edge_kill(stack, kills=100, seed=1, say=print):
    """kill -9 of nginx workers while payments go through them as fast as eight
    callers can: a caller may be told nothing, but nobody hangs, nothing is
    lost and nothing is charged twice."""
    chance, log = random.Random(seed), Log()
    prefix = f"ek{os.getpid()}x{seed}-"
    watch = FailedWatch(stack, prefix)
    stop, slowest = threading.Event(), [0.0] * 8
    killed = 0

    def caller(mine):
        number = 0
        while not stop.is_set():
            number += 1
            began = time.monotonic()
            pay_noted(stack, log, f"{prefix}{mine}-{number}",
                      100 + number % 1000)
            slowest[mine] = max(slowest[mine], time.monotonic() - began)

    with concurrent.futures.ThreadPoolExecutor(len(slowest)) as pool:
        jobs = [pool.submit(caller, mine) for mine in range(len(slowest))]
        for kill in range(kills):
            time.sleep(0.05 + chance.random() * 0.1)
            victims = children(stack.pid("nginx"))
            if victims:
                os.kill(chance.choice(victims), signal.SIGKILL)
                killed += 1
            if kill % 20 == 19:
                say(f"# {kill + 1} kills, {len(log.told)} payments")
        stop.set()
        for job in jobs:
            job.result(SETTLE_WAIT_S)
    found, open_ones = wait_settled(stack, prefix)
    lost, doubled = judge(stack, log, found, watch.close())
    told = sum(status is not None for status in log.told.values())
    faults = lost + doubled + [f"{one} is not settled" for one in open_ones]
    if killed < kills * 0.9:
        faults.append(f"only {killed} of {kills} kills met a worker")
    if told < len(log.told) // 2:
        faults.append(f"only {told} of {len(log.told)} payments were told")
    return {"edge.payments": (len(log.told), "payments"),
            "edge.kills": (killed, "kills"),
            "edge.slowest_ms": (round(max(slowest) * 1000), "ms"),
            "edge.lost": (len(lost), "payments"),
            "edge.doubled": (len(doubled), "payments")}, faults


def kill_again(stack, name, wait_s=5):
    """kill -9, also when the last kill was a moment ago."""
    end = time.monotonic() + wait_s
    while time.monotonic() < end:
        pid = stack.pid(name)
        if pid:
            os.kill(pid, signal.SIGKILL)
            return True
        time.sleep(0.05)
    return False


def sidecar_kill(stack, payments=2000, kills=3, seed=1, say=print):
    """kill -9 of the sidecar in the middle of a load; then counters must equal
    the rows and every invariant must hold."""
    chance, log = random.Random(seed), Log()
    prefix = f"sk{os.getpid()}x{seed}-"
    moments = sorted(chance.sample(range(payments // 4, payments * 3 // 4),
                                   kills))
    began = time.monotonic()
    killed = 0

    def one(number):
        pay_noted(stack, log, f"{prefix}{number}", 100 + number % 1000)

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        jobs = [pool.submit(one, number) for number in range(payments)]
        for number, job in enumerate(jobs):
            job.result(60)
            if number in moments:
                killed += kill_again(stack, "sidecar")
    say(f"# {payments} payments in {time.monotonic() - began:.1f} s")
    stack.wait_running(10)
    drift = stack.cli("drift", wait_s=90)
    invariants = stack.cli("invariants", wait_s=90)
    paid = sum(told == "paid" for told in log.told.values())
    differences = len(re.findall(r"\{ph:", drift.stdout + drift.stderr))
    faults = []
    if drift.returncode != 0:
        faults.append(f"drift: exit {drift.returncode}: {drift.stdout}"
                      f"{drift.stderr}")
    if invariants.returncode != 0:
        faults.append(f"invariants: exit {invariants.returncode}: "
                      f"{invariants.stdout}{invariants.stderr}")
    if paid != payments:
        faults.append(f"{paid} of {payments} payments were told paid")
    if killed != kills:
        faults.append(f"{killed} of {kills} kills met a sidecar")
    return {"sidecar.payments": (paid, "payments"),
            "sidecar.kills": (killed, "kills"),
            "sidecar.drift": (0 if drift.returncode == 0
                              else max(differences, 1), "counters")}, faults


# name -> what runs, and on a stack with which settings
RUNS = {"worker-kill": (worker_kill, QUICK + NO_NOTICES),
        "edge-kill": (edge_kill, QUICK),
        "sidecar-kill": (sidecar_kill, QUICK)}
