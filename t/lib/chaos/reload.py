"""P28: nginx reloads, workers read their configuration anew and drain, one
after the other, while payments run: no request fails of it, a drained worker
ends by itself in time, nothing is lost or doubled."""

import os
import random
import signal
import threading
import time

from chaos.common import (Log, Run, checks, is_broken, judge, wait_rest,
                          wait_settled)
from payhub_stack_fixture import QUICK, is_alive

CALLERS = 8
DRAIN_MAX_S = 30
# what a client has to take as an answer of a gateway that is busy, never of one
# that reloads: none is expected below its limits
GOOD = (200, 201, 202)


class Load:
    """Payments without a pause, each over a connection of its own; every
    answer that is not one is a fault."""

    def __init__(self, stack, log, prefix, seed):
        self.stack, self.log, self.prefix = stack, log, prefix
        self.stop, self.lock = threading.Event(), threading.Lock()
        self.sent, self.failed, self.times = 0, [], []
        self.threads = [threading.Thread(target=self.run, args=(
            number, random.Random(seed * CALLERS + number)), daemon=True)
            for number in range(CALLERS)]
        for thread in self.threads:
            thread.start()

    def run(self, number, chance):
        count = 0
        while not self.stop.is_set():
            order_no = f"{self.prefix}{number}-{count}"
            count += 1
            self.log.note(order_no, None)
            began = time.monotonic()
            try:
                # one in ten is under way for seconds: a drain has to wait
                answer = self.stack.client.pay(
                    order_no, 10000 + (chance.randrange(0, 80)
                                       if chance.randrange(10) else 9002))
                said = None if answer.status in GOOD else \
                    f"{order_no}: {answer.status} {answer.body[:200]!r}"
                if said is None:
                    self.log.note(order_no, answer.json["status"])
            except Exception as error:
                if not is_broken(error):
                    raise
                said = f"{order_no}: {error!r}"
            with self.lock:
                self.sent += 1
                self.times.append(time.monotonic() - began)
                if said is not None:
                    self.failed.append(said)

    def close(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(30)


def conf_change(stack, number):
    """Another value in the file; which one does not matter."""
    path = stack.env["PAYHUB_CONFIG"]
    with open(path, encoding="utf-8") as file:
        lines = [line for line in file.read().splitlines()
                 if not line.startswith("max_inflight_account")]
    at = lines.index("[pay]") + 1
    lines.insert(at, f"max_inflight_account = {128 + number % 2}")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def drain(stack, name):
    """SIGTERM; how long the process took, once another one is in its place."""
    pid = stack.pid(name)
    began = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    while is_alive(pid) and time.monotonic() < began + DRAIN_MAX_S + 5:
        time.sleep(0.02)
    took = time.monotonic() - began
    end = time.monotonic() + 15
    while time.monotonic() < end:
        row = stack.status()[0][name]
        if row["state"] == "running" and row["pid"] not in (0, pid):
            return took
        time.sleep(0.05)
    return DRAIN_MAX_S + 1


def reload(stack, seed=1, rounds=20, pause_ms=1000, say=print):
    prefix = f"reload-{time.time_ns()}-"
    log = Log()
    load = Load(stack, log, prefix, seed)
    counts = {"nginx": 0, "worker": 0, "drain": 0}
    longest = 0
    for number in range(rounds):
        time.sleep(pause_ms / 1000)
        which = ("nginx", "worker", "nginx", "drain")[number % 4]
        counts[which] += 1
        if which == "nginx":
            os.kill(stack.pid("nginx"), signal.SIGHUP)
        elif which == "worker":
            conf_change(stack, number)
            for worker in ("worker_1", "worker_2"):
                os.kill(stack.pid(worker), signal.SIGHUP)
        else:
            longest = max(longest, drain(stack, f"worker_{1 + number // 4 % 2}"))
    time.sleep(1)
    load.close()
    found, open_ones = wait_settled(stack, prefix)
    left = wait_rest(stack)
    lost, doubled = judge(stack, log, found, ())
    faults = load.failed[:10] + lost + doubled + checks(stack)
    faults += [f"open: {open_ones}"] if open_ones else []
    faults += [f"not at rest: {left}"] if left else []
    if longest > DRAIN_MAX_S:
        faults.append(f"a drain took {longest:.1f} s")
    load.times.sort()
    return {"reload.requests": (load.sent, "requests"),
            "reload.failed": (len(load.failed), "requests"),
            "reload.nginx": (counts["nginx"], "reloads"),
            "reload.worker": (counts["worker"], "reloads"),
            "reload.drains": (counts["drain"], "drains"),
            "reload.drain_max": (round(longest, 2), "s"),
            "reload.p99": (round(load.times[int(len(load.times) * 0.99)] * 1000,
                                 1), "ms"),
            "reload.lost": (len(lost), "payments"),
            "reload.doubled": (len(doubled), "payments")}, faults


RUNS = {"reload": Run(reload, QUICK + ("worker.drain=10s",),
                      words=("--workers", "2"),
                      short={"rounds": 8, "pause_ms": 500})}
