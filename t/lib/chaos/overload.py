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


def rate_faults(peak, offered, good, base_ms, quiet_ms, bad):
    faults = []
    if offered < 0.8 * TIMES * peak:
        faults.append(f"{offered:.0f}/s asked, expected {TIMES} times "
                      f"{peak:.0f}")
    if good < GOODPUT * peak:
        faults.append(f"{good:.0f}/s paid of a crowd, expected {GOODPUT} of "
                      f"{peak:.0f}")
    if quiet_ms > max(SLOWER * base_ms, FLOOR_MS):
        faults.append(f"the quiet merchant's p99 is {quiet_ms:.0f} ms, "
                      f"expected {SLOWER} times {base_ms:.0f}")
    if bad:
        faults.append(f"the quiet merchant was refused {len(bad)} times: "
                      f"{sorted(set(bad))}")
    return faults


def overload(stack, seconds=300, seed=1, say=print, rates=True):
    """seconds: of each of the two floods; the base takes a fifth of it.
    rates: whether rates and waits are judged, which seconds cannot be."""
    del seed
    if not os.path.exists(LOAD):
        subprocess.run(["make", "-s", "PROFILE=release",
                        os.path.relpath(LOAD, TREE)], cwd=TREE, check=True)
    quiet = Quiet(stack)
    base_s = max(seconds // 5, 5)
    live(stack, "app")
    load(stack, ROOMY, 3)  # connections, caches, first pages
    peak, _, _ = load(stack, ROOMY, base_s)
    (half, _, _), base_ms, _ = quiet.pay_while(
        lambda: load(stack, ROOMY, base_s, peak / 2))
    say(f"# room for all: {peak:.0f}/s; at {half:.0f}/s the quiet merchant's "
        f"p99 is {base_ms:.0f} ms", flush=True)
    good, offered, unanswered = load(stack, CROWD, seconds, TIMES * peak)
    say(f"# crowd of {CROWD}: {offered:.0f}/s asked, {good:.0f}/s paid",
        flush=True)
    done = stack.cli("limit", "set", "payhub_app",
                     f"rate={max(int(half), 1)}/s", "burst=1s")
    assert done.returncode == 0, done.stderr
    live(stack, "limit")
    (flood, flood_offered, _), quiet_ms, bad = quiet.pay_while(
        lambda: load(stack, CROWD, seconds, TIMES * peak))
    say(f"# one floods, limited: {flood_offered:.0f}/s asked, {flood:.0f}/s "
        f"paid; the quiet merchant's p99 {quiet_ms:.0f} ms", flush=True)
    used = {name: memory_mb(stack, name) for name in ("worker_1", "sidecar")}
    faults = [f"{count} {what} are not at rest" for what, count in
              wait_rest(stack).items()] + checks(stack)
    if unanswered:
        faults.append(f"{unanswered} requests were not answered")
    if rates:
        faults += rate_faults(peak, offered, good, base_ms, quiet_ms, bad)
    faults += [f"{name} took {size} MiB, expected at most {MEMORY_MB}"
               for name, size in used.items() if size > MEMORY_MB]
    return {"overload.peak": (round(peak), "payments/s"),
            "overload.asked": (round(offered), "requests/s"),
            "overload.goodput": (round(good / peak, 2), "of peak"),
            "overload.base_p99": (round(base_ms), "ms"),
            "overload.quiet_p99": (round(quiet_ms), "ms"),
            "overload.quiet_refused": (len(bad), "payments"),
            "overload.worker": (used["worker_1"], "MiB")}, faults


RUNS = {"overload": Run(overload, QUICK, short={"seconds": 7, "rates": False})}
