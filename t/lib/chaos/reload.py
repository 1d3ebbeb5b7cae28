"""P28: nginx reloads and is upgraded (USR2, then QUIT to the one before),
workers read their configuration anew and drain, one after the other, while
payments run: no request fails of it, a drained process ends by itself in time,
nothing is lost or doubled."""

import os
import random
import re
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request

from chaos.common import (Log, Run, checks, children, is_broken, judge,
                          wait_rest, wait_settled)
from payhub_client import Client
from payhub_stack_fixture import QUICK, free_base, is_alive

CALLERS = 8
DRAIN_MAX_S = 30
# what a client has to take as an answer of a gateway that is busy, never of one
# that reloads: none is expected below its limits
GOOD = (200, 201, 202)


class Edge:
    """An nginx of the stack's configuration beside the stack's own, with ports,
    logs and state of its own, and a daemon: one that somebody watches over
    ("daemon off") takes no USR2."""

    def __init__(self, stack):
        self.stack, self.port = stack, free_base()
        self.folder = os.path.join(stack.folder, "upgrade")
        owner = os.stat(os.path.join(stack.folder, "run"))
        self.ids = (owner.st_uid, owner.st_gid)
        for name in ("", "conf", "data", "log", "run", "tmp"):
            path = os.path.join(self.folder, name)
            os.mkdir(path)
            os.chown(path, *self.ids)
        self.conf = os.path.join(self.folder, "conf", "nginx.conf")
        with open(self.conf, "w", encoding="utf-8") as file:
            file.write(self.text())
        with open(f"/proc/{stack.pid('nginx')}/environ", "rb") as file:
            env = dict(word.split(b"=", 1)
                       for word in file.read().split(b"\0") if b"=" in word)
        subprocess.run(
            ["/usr/sbin/nginx", "-p", self.folder, "-c", self.conf, "-e",
             os.path.join(self.folder, "log", "nginx.log")],
            check=True, env=env, preexec_fn=self.demote)
        self.client = Client(f"http://127.0.0.1:{self.port}",
                             stack.client.key_id, stack.client.secret)
        self.wait("the first master", lambda: self.master() and self.serves())

    def text(self):
        stack, root = self.stack, os.path.realpath(self.stack.folder)
        with open(os.path.join(root, "conf", "nginx.conf"),
                  encoding="utf-8") as file:
            text = file.read().replace("daemon off;", "daemon on;")
        for place in ("log/", "tmp/", "run/nginx", "data/edge"):
            text = text.replace(f"{root}/{place}", f"{self.folder}/{place}")
        return re.sub(
            r"127\.0\.0\.1:(\d+)",
            lambda found: f"127.0.0.1:{self.port + int(found[1]) - stack.port}",
            text)

    def demote(self):
        if os.geteuid() == 0:
            os.setgroups([])
            os.setresgid(*[self.ids[1]] * 3)
            os.setresuid(*[self.ids[0]] * 3)

    def wait(self, what, probe, wait_s=30):
        end = time.monotonic() + wait_s
        while not probe():
            if time.monotonic() > end:
                with open(os.path.join(self.folder, "log", "nginx.log"),
                          encoding="utf-8", errors="replace") as file:
                    raise RuntimeError(f"{what}: {file.read()[-2000:]}")
            time.sleep(0.02)

    def master(self):
        try:
            with open(os.path.join(self.folder, "run", "nginx.pid"),
                      encoding="ascii") as file:
                return int(file.read())
        except (OSError, ValueError):
            return 0

    def serves(self):
        """It answers, and knows who calls."""
        try:
            with urllib.request.urlopen(
                    f"http://127.0.0.1:{self.port + 3}/healthz", timeout=5):
                pass
            return self.client.call("GET", "/v1/payments/none").status != 401
        except (OSError, urllib.error.URLError):
            return False

    def reload(self):
        os.kill(self.master(), signal.SIGHUP)

    def upgrade(self):
        """How long the master of before took to end, once told to."""
        old = self.master()
        os.kill(old, signal.SIGUSR2)
        self.wait("a new master", lambda: self.master() not in (0, old)
                  and children(self.master()))
        began = time.monotonic()
        os.kill(old, signal.SIGQUIT)
        while is_alive(old) and time.monotonic() < began + DRAIN_MAX_S + 5:
            time.sleep(0.02)
        return time.monotonic() - began

    def down(self):
        for number in (signal.SIGQUIT, signal.SIGKILL):
            pid = self.master()
            if pid == 0 or not is_alive(pid):
                return
            os.kill(pid, number)
            end = time.monotonic() + DRAIN_MAX_S
            while is_alive(pid) and time.monotonic() < end:
                time.sleep(0.02)


class Load:
    """Payments without a pause, each over a connection of its own; every
    answer that is not one is a fault."""

    def __init__(self, client, log, prefix, seed):
        self.client, self.log, self.prefix = client, log, prefix
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
                answer = self.client.pay(
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


def act(stack, edge, number):
    """(what was done, seconds that a process took to drain)"""
    which = ("nginx", "worker", "upgrade", "drain")[number % 4]
    if which == "nginx":
        edge.reload()
    elif which == "worker":
        conf_change(stack, number)
        for worker in ("worker_1", "worker_2"):
            os.kill(stack.pid(worker), signal.SIGHUP)
    elif which == "upgrade":
        return which, edge.upgrade()
    else:
        return which, drain(stack, f"worker_{1 + number // 4 % 2}")
    return which, 0


def under_load(stack, edge, load, rounds, pause_ms):
    counts = dict.fromkeys(("nginx", "worker", "upgrade", "drain"), 0)
    longest = 0
    try:
        for number in range(rounds):
            time.sleep(pause_ms / 1000)
            which, took = act(stack, edge, number)
            counts[which] += 1
            longest = max(longest, took)
        time.sleep(1)
    finally:
        load.close()
    return counts, longest


def reload(stack, seed=1, rounds=40, pause_ms=1000, say=print):
    prefix = f"reload-{time.time_ns()}-"
    log, edge = Log(), Edge(stack)
    try:
        load = Load(edge.client, log, prefix, seed)
        counts, longest = under_load(stack, edge, load, rounds, pause_ms)
        found, open_ones = wait_settled(stack, prefix)
        left = wait_rest(stack)
    finally:
        edge.down()
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
            "reload.upgrades": (counts["upgrade"], "upgrades"),
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
