"""P29: many times more requests than there is room for.  What is refused is
refused early and with a reason, what is taken is done, and a merchant who
floods is held by his limit while the others are served as before.
"""

import json
import os
import statistics
import subprocess
import threading
import time

from chaos.common import (Run, checks, running_pid, wait_rest)
from payhub_client import Client
from payhub_stack_fixture import QUICK, TREE

LOAD = os.path.join(TREE, "build", "release", "bench", "http", "load")
BODY = json.dumps({"order_no": "%n", "amount": 10000, "currency": "CNY",
                   "method": "sandbox_bar", "subject": "load",
                   "extra": {"auth_code": "280000000000000000"}})
ROOMY, CROWD = 64, 1024  # requests in flight: room for all; for a part
TIMES, GOODPUT, SLOWER = 3, 0.9, 2
QUIET_PACE_S = 0.05
# A merchant's p99 is not looked at below this: one tick of a busy machine.
FLOOR_MS = 40
MEMORY_MB = 256


def load(stack, connections, seconds, rate=0):
    """(good a second, answered a second, unanswered); rate: requests a second,
    0 = the next one as soon as one is answered"""
    env = {**os.environ, **({"LOAD_RATE": str(int(rate))} if rate else {})}
    done = subprocess.run(
        [LOAD, stack.env["PAYHUB_URL"].rpartition(":")[2], str(connections),
         "2000000", str(seconds), "POST", "/v1/payments", BODY,
         stack.env["PAYHUB_KEY_ID"], stack.env["PAYHUB_SECRET_FILE"]],
        check=True, capture_output=True, text=True, env=env)
    answered, good, unanswered, _, took = done.stdout.split()[:5]
    return (int(good) / float(took), int(answered) / float(took),
            int(unanswered))


class Quiet:
    """Another merchant, who pays now and then."""

    def __init__(self, stack):
        secret = os.path.join(stack.scratch, "quiet.secret")
        made = stack.cli("app", "add", "--merchant", "Q", "--name", "quiet",
                         "--secret-out", secret, "--json")
        assert made.returncode == 0, made.stderr
        with open(secret, "rb") as file:
            self.client = Client(stack.env["PAYHUB_URL"],
                                 json.loads(made.stdout)["key_id"],
                                 file.read().removesuffix(b"\n"))
        self.count = 0

    def pay_while(self, function):
        """(what it returns, p99 in ms, [statuses that are not 2xx])"""
        waits, bad, ending = [], [], threading.Event()

        def pays():
            while not ending.wait(QUIET_PACE_S):
                self.count += 1
                began = time.monotonic()
                answer = self.client.pay(f"quiet-{os.getpid()}-{self.count}",
                                         10000)
                waits.append((time.monotonic() - began) * 1000)
                if answer.status not in (200, 201):
                    bad.append(answer.status)

        threads = [threading.Thread(target=pays) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            result = function()
        finally:
            ending.set()
            for thread in threads:
                thread.join()
        return result, statistics.quantiles(waits, n=100)[98], bad


def memory_mb(stack, name):
    with open(f"/proc/{running_pid(stack, name)}/status",
              encoding="ascii") as file:
        line = next(line for line in file if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


def live(stack, name):
    """Until a change of a key or limit is live."""
    del stack, name
    time.sleep(2)


def crowd(stack, seconds, turns, say):
    """([(peak, asked, paid)], unanswered): rates, a round each.  Other work
    on the machine moves all of them, so each round has its own peak."""
    rounds, lost = [], 0
    for _ in range(turns):
        peak, _, _ = load(stack, ROOMY, max(seconds // turns // 4, 3))
        paid, asked, unanswered = load(stack, CROWD, seconds // turns,
                                       TIMES * peak)
        lost += unanswered
        rounds.append((peak, asked, paid))
        say(f"# room for all: {peak:.0f}/s; crowd of {CROWD}: {asked:.0f}/s "
            f"asked, {paid:.0f}/s paid", flush=True)
    return rounds, lost


def beside(stack, quiet, seconds, turns, peak, say):
    """([(base, flooded)], [statuses]): the quiet merchant's p99 in ms while
    another one pays within his limit and while he floods, a round each."""
    rounds, refused = [], []
    for _ in range(turns):
        (half, _, _), base_ms, bad = quiet.pay_while(
            lambda: load(stack, ROOMY, max(seconds // turns // 4, 3),
                         peak / 2))
        refused += bad
        (paid, asked, _), flood_ms, bad = quiet.pay_while(
            lambda: load(stack, CROWD, seconds // turns, TIMES * peak))
        refused += bad
        rounds.append((base_ms, flood_ms))
        say(f"# at {half:.0f}/s the quiet merchant's p99 is {base_ms:.0f} ms; "
            f"another floods, {asked:.0f}/s asked, {paid:.0f}/s paid: "
            f"{flood_ms:.0f} ms", flush=True)
    return rounds, refused


def ratio(rounds, above, below):
    """The median over the rounds."""
    return statistics.median(row[above] / row[below] for row in rounds)


def rate_faults(rounds, waits, bad):
    faults = []
    asked, paid = ratio(rounds, 1, 0), ratio(rounds, 2, 0)
    slower = statistics.median(flood / max(base, FLOOR_MS / SLOWER)
                               for base, flood in waits)
    if asked < 0.8 * TIMES:
        faults.append(f"{asked:.1f} times the peak asked, expected {TIMES}")
    if paid < GOODPUT:
        faults.append(f"{paid:.2f} of the peak paid of a crowd, expected "
                      f"{GOODPUT}")
    if slower > SLOWER:
        faults.append(f"the quiet merchant's p99 is {slower:.1f} times what it "
                      f"was, expected at most {SLOWER}")
    if bad:
        faults.append(f"the quiet merchant was refused {len(bad)} times: "
                      f"{sorted(set(bad))}")
    return faults


def overload(stack, seconds=300, seed=1, say=print, turns=5, rates=True):
    """seconds: of each of the two floods, in so many turns.
    rates: whether rates and waits are judged, which seconds cannot be."""
    del seed
    if not os.path.exists(LOAD):
        subprocess.run(["make", "-s", "PROFILE=release",
                        os.path.relpath(LOAD, TREE)], cwd=TREE, check=True)
    quiet = Quiet(stack)
    live(stack, "app")
    load(stack, ROOMY, 3)  # connections, caches, first pages
    rounds, unanswered = crowd(stack, seconds, turns, say)
    peak = statistics.median(row[0] for row in rounds)
    done = stack.cli("limit", "set", "payhub_app",
                     f"rate={max(int(peak / 2), 1)}/s", "burst=1s")
    assert done.returncode == 0, done.stderr
    live(stack, "limit")
    waits, bad = beside(stack, quiet, seconds, turns, peak, say)
    used = {name: memory_mb(stack, name) for name in ("worker_1", "sidecar")}
    faults = [f"{count} {what} are not at rest" for what, count in
              wait_rest(stack).items()] + checks(stack)
    if unanswered:
        faults.append(f"{unanswered} requests were not answered")
    if rates:
        faults += rate_faults(rounds, waits, bad)
    faults += [f"{name} took {size} MiB, expected at most {MEMORY_MB}"
               for name, size in used.items() if size > MEMORY_MB]
    return {"overload.peak": (round(peak), "payments/s"),
            "overload.asked": (round(ratio(rounds, 1, 0), 2), "of peak"),
            "overload.goodput": (round(ratio(rounds, 2, 0), 2), "of peak"),
            "overload.base_p99": (round(statistics.median(
                base for base, _ in waits)), "ms"),
            "overload.quiet_p99": (round(statistics.median(
                flood for _, flood in waits)), "ms"),
            "overload.quiet_refused": (len(bad), "payments"),
            "overload.worker": (used["worker_1"], "MiB")}, faults


RUNS = {"overload": Run(overload, QUICK, short={"seconds": 7, "turns": 1, "rates": False})}
