"""kill -9 of one kind of process, again and again."""

import concurrent.futures
import os
import random
import re
import signal
import threading
import time

from chaos.common import (SETTLE_WAIT_S, FailedWatch, Log, Run, children, judge,
                          pay_noted, wait_settled)
from payhub_stack_fixture import NO_NOTICES, QUICK

# The worker waits for an answer to the first payment of a kill until the
# channel's deadline, which is long: whatever else runs on this machine, the
# kill comes before it.  The second is one of these, the last two of them soon
# over.
HELD = "9003"
ENDINGS = (HELD, "9002", "9004", "0000")
DEADLINE = "pay.channel_deadline"
LONG = (*(word for word in QUICK if not word.startswith(DEADLINE)),
        DEADLINE + "=10s", *NO_NOTICES)


def count_sent(stack, prefix):
    """Attempts of these orders that are with the channel."""
    return int(stack.rows(
        "SELECT COUNT(*) FROM attempt a JOIN payment p ON p.id=a.payment_id "
        f"WHERE p.order_no LIKE '{prefix}%' AND a.status='sent'")[0][0])


def wait_sent(stack, prefix, wait_s=30):
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


def worker_kill(stack, kills=50, seed=1, say=print):
    """kill -9 of the worker while attempts are with the channel, at random.
    Notices must be off, so that only a query can settle what the kill left
    open.  Returns ({row: (value, unit)}, [faults])."""
    chance, log = random.Random(seed), Log()
    prefix = f"wk{os.getpid()}x{seed}-"
    watch = FailedWatch(stack)
    number = sent_at_kill = 0
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for kill in range(kills):
            jobs = []
            batch = f"{prefix}{kill}-"
            for ending in (HELD, chance.choice(ENDINGS)):
                number += 1
                jobs.append(pool.submit(
                    pay_noted, stack, log, f"{batch}{number}",
                    int(f"{number}{ending}")))
            wait_sent(stack, batch)
            time.sleep(chance.random() * 0.3)
            sent_at_kill += kill_worker(stack, batch) > 0
            for job in jobs:
                job.result(60)
            stack.wait_running(60)
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


def edge_kill(stack, kills=100, seed=1, say=print):
    """kill -9 of nginx workers while payments go through them as fast as eight
    callers can: a caller may be told nothing, but nobody hangs, nothing is
    lost and nothing is charged twice."""
    chance, log = random.Random(seed), Log()
    prefix = f"ek{os.getpid()}x{seed}-"
    watch = FailedWatch(stack)
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


RUNS = {
    "worker-kill": Run(worker_kill, LONG, short={"kills": 8}),
    "edge-kill": Run(edge_kill, QUICK, short={"kills": 20}),
    "sidecar-kill": Run(sidecar_kill, QUICK,
                        short={"payments": 400, "kills": 3}),
}
