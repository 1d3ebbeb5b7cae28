"""The rig of the locks' tests: the program and Redis servers in a private
folder; single ones on unix sockets, those that must find each other on free
ports of 127.0.0.1."""

import itertools
import os
import re
import shutil
import sys
import time

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../.."))
sys.path.insert(0, os.path.join(ROOT, "t/lib"))
sys.dont_write_bytecode = True

import payhub_private  # noqa: E402
from chaos.locks import order_key  # noqa: E402

Tap = payhub_private.Tap
wait = payhub_private.wait


FREE_S = 0.85  # who hears of nothing looks after 0.35, 0.75, 1.55 s
WOKEN_S = 1.5
TRIES = 5


def woken(tap, rig, numbers, cli, name, env=None, place=None):
    """Payments of these numbers wait for a lock that another one holds: are
    they told when it is free?  A machine that stands still makes a wait longer
    and never shorter, so that one in time is proof; one that ended too soon is
    none if the worker gave Redis up meanwhile: then the rows decide.  Where
    the server may become another, place() gives the words `cli` of now."""
    seen, early = [], 0
    for number in itertools.islice(numbers, TRIES):
        cli = place() if place else cli
        key, logged = order_key(rig.app["app_id"], number), len(
            rig.log("worker"))
        rig.run([*cli, "FCALL", "ph_lock", "1", key, "other", "60000"],
                env=env)
        began = time.monotonic()
        rig.start("free", ["sh", "-c", f'sleep {FREE_S}; exec "$@"', "sh",
                           *cli, "FCALL", "ph_unlock", "1", key, "other"], env)
        status = rig.pay(order_no=number).status
        took = time.monotonic() - began
        seen.append((status, took))
        if status != 201 or FREE_S <= took < WOKEN_S:
            break
        if took < FREE_S:
            wait(rig.is_ready)
            early += (place is None or place() == cli) and (
                "redis_away" not in rig.log("worker")[logged:])
    tap.ok(early == 0 and seen[-1][0] == 201
           and FREE_S <= seen[-1][1] < WOKEN_S, name, seen)


def numbers(name):
    return [f"{name}-{i}" for i in range(TRIES)]


def rights(password):
    """The words of each `ACL SETUSER payhub` in docs/operating.md."""
    path = os.path.join(ROOT, "docs/operating.md")
    with open(path, encoding="utf-8") as file:
        lines = re.findall(r"^ACL SETUSER payhub (.*)$", file.read(), re.M)
    return [line.replace("PASSWORD", password).split() for line in lines]


class Private(payhub_private.Private):
    base_env = {**payhub_private.Private.base_env,
                "LSAN_OPTIONS": "detect_leaks=1"}

    def __init__(self):
        super().__init__("phlock.")
        self.bin = self.path("payhub")
        shutil.copy(payhub_private.program("payhub"), self.bin)
        self.redis_up()
        self.env = {"REDIS_URL": "unix:" + self.path("redis.sock")}

    def lock(self, *words, env=None):
        """(exit code, stdout, stderr)"""
        run = self.run([self.bin, "lock", *words],
                       env=self.env if env is None else env)
        return run.returncode, run.stdout, run.stderr

    def lock_start(self, name, *words):
        return self.start(name, [self.bin, "lock", *words], self.env)
