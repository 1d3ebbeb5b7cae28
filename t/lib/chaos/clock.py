"""P14: the clock of one of two workers is an hour ahead, an hour behind, jumps
back second by second, stands at the leap second and in the year 2038, while both
take payments, often the same one.  Nothing is charged twice or lost, locks hold,
a call that was heard is heard no second time.

libfaketime lies to that one process, its monotonic clock included or not.  A
channel that signs its answers by the minute does not take, nor is taken by, a
worker whose clock is an hour off: such payments are unknown until the clock is
right again, and never failed."""

import os
import secrets
import sys
import threading
import time

from chaos.common import Run

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))))
LIBRARIES = ("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
             "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1")
# what a worker may answer: a payment, or that it runs elsewhere just now
GOOD = (200, 201, 202, 409)
FINAL = ("paid", "failed", "closed", "paid_late")


def offsets():
    """(name, how far off in seconds)"""
    now = time.time()
    return [("an hour ahead", 3600), ("an hour behind", -3600),
            ("a minute ahead", 60), ("back by seconds", None),
            ("the leap second", 1483228798 - now),  # end of 2016
            ("the year 2038", 2147483640 - now), ("right", 0)]


class Hosts:
    """Two workers on one database; the second one's clock is ours."""

    def __init__(self, monotonic):
        # the rig of the component tests, which ends by itself
        sys.path.insert(0, os.path.join(TREE, "t", "component", "worker"))
        os.environ.setdefault("PAYHUB_BUILD", "release")
        from hooks import beside
        from rig import Link, Rig
        self.link = Link
        self.rig = Rig(janitor__not_found_final="2s", redis__lock_ttl="2s",
                       janitor__lease="3s", pay__nonce_ttl="660s")
        library = next((path for path in LIBRARIES if os.path.exists(path)),
                       None)
        if library is None:
            raise RuntimeError("found no libfaketimeMT.so.1, expected it: "
                               "apt-get install libfaketime")
        self.file = self.rig.write("clock", "+0\n", 0o644)
        beside(self.rig, "skewed", "pay,notify,janitor,admin", {
            "LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": self.file,
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "0" if monotonic else "1",
            "DONT_FAKE_MONOTONIC": "0" if monotonic else "1"})

    def clock(self, seconds):
        """In one piece: the library reads it all the time."""
        with open(self.file + ".new", "w", encoding="ascii") as file:
            file.write(f"{seconds:+.3f}\n")
        os.chmod(self.file + ".new", 0o644)
        os.rename(self.file + ".new", self.file)

    def call(self, host, method, target, body=b"", more=()):
        path = self.rig.path("w.sock" if host == 0 else "skewed.sock")
        with self.link(path, 30, self.rig.identity) as link:
            return link.call(method, target, body, more=list(more))


class Round:
    """One offset: payments to both hosts, a third of them to both at once."""

    def __init__(self, hosts, count, told, faults, name):
        self.hosts, self.count, self.name = hosts, count, name
        self.told, self.faults = told, faults
        self.lock = threading.Lock()
        self.replayed = 0

    def send(self, host, body):
        try:
            answer = self.hosts.call(host, "POST", "/v1/payments", body)
        except OSError as error:
            return self.fault(f"{body['order_no']}: {error!r}")
        if answer.status not in GOOD:
            return self.fault(f"{body['order_no']} at host {host}: "
                              f"{answer.status} {answer.code}")
        with self.lock:
            if answer.status != 409:
                self.told.setdefault(body["order_no"], []).append(
                    answer.json["status"])
        return None

    def fault(self, text):
        with self.lock:
            self.faults.append(f"{self.name}: {text}")

    def run(self):
        for number in range(self.count):
            body = self.hosts.rig.body()
            threads = [threading.Thread(target=self.send, args=(host, body))
                       for host in ((number % 2,), (0, 1), (1, 0))[number % 3]]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.replay()

    def replay(self):
        """One signed call, heard by the host whose clock is right and sent
        again to the other, and the other way round."""
        for first in (0, 1):
            body = self.hosts.rig.body()
            fields = [("NONCE", secrets.token_hex(16)),
                      ("TIMESTAMP", str(int(time.time())))]
            heard = self.hosts.call(first, "POST", "/v1/payments", body, fields)
            again = self.hosts.call(1 - first, "POST", "/v1/payments", body,
                                    fields)
            if heard.status in GOOD and again.status in GOOD:
                self.fault(f"host {1 - first} heard a call a second time: "
                           f"{again.status}")
            self.replayed += heard.status in GOOD


def rows_of(rig):
    return {row[0]: row[1:] for row in rig.sql(
        "SELECT p.order_no,p.status,a.id,a.status FROM payment p JOIN attempt "
        "a ON a.payment_id=p.id")}


def judge(rig, told):
    """(lost, doubled, untrue)"""
    rows, charges = rows_of(rig), rig.channel.charges
    attempts = {row[1]: row[0] for row in rows.values()}
    lost = [f"{n} charged, {attempts.get(n, 'nobody knows')}" for n in charges
            if attempts.get(n) not in ("paid", "paid_late")]
    doubled = [f"{n} charged {times} times" for n, times in charges.items()
               if times != 1]
    doubled += [f"{order} twice" for order, count in rig.sql(
        "SELECT order_no,COUNT(*) FROM payment GROUP BY app_id,order_no HAVING "
        "COUNT(*)>1")]
    untrue = [f"{order}: told {status}, is {rows[order][0]}"
              for order, all_of in told.items() for status in all_of
              if status in ("paid", "failed", "closed")
              and rows.get(order, ("not there",))[0] != status]
    return lost, doubled, untrue


def settled(rig, wait_s=60):
    end = time.monotonic() + wait_s
    while time.monotonic() < end:
        left = [order for order, row in rows_of(rig).items()
                if row[0] not in FINAL]
        if not left and rig.count("work") == 0:
            return []
        time.sleep(0.3)
    return left or ["rows of work are left"]


def clock(seed=1, payments=60, steps=20, say=print):
    del seed  # offsets and callers are the same each time
    told, faults, replayed, sent = {}, [], 0, 0
    hosts = Hosts(monotonic=False)
    for name, offset in offsets():
        part = Round(hosts, payments, told, faults, name)
        if offset is None:
            stop = threading.Event()

            def step():
                for number in range(steps):
                    hosts.clock(-number - 1)
                    if stop.wait(0.1):
                        return
            thread = threading.Thread(target=step)
            thread.start()
            part.run()
            stop.set()
            thread.join()
        else:
            hosts.clock(offset)
            part.run()
        replayed += part.replayed
        sent += payments
    hosts.clock(0)
    left = settled(hosts.rig)
    lost, doubled, untrue = judge(hosts.rig, told)
    for name in ("worker", "skewed"):
        if hosts.rig.children[name].poll() is not None:
            faults.append(f"{name} died: {hosts.rig.log(name)[-300:]}")
        elif hosts.rig.stop(name) != 0:
            faults.append(f"{name} did not end by itself")
    unknown = sum(status == "paying" for all_of in told.values()
                  for status in all_of)
    faults = faults + lost + doubled + untrue + [f"open: {n}" for n in left]
    return {"clock.payments": (sent, "payments"),
            "clock.offsets": (len(offsets()), "offsets"),
            "clock.unknown_meanwhile": (unknown, "payments"),
            "clock.replays_refused": (replayed, "calls"),
            "clock.lost": (len(lost), "payments"),
            "clock.doubled": (len(doubled), "payments"),
            "clock.untrue": (len(untrue), "answers")}, faults


RUNS = {"clock": Run(clock, (), stacks=0, short={"payments": 9, "steps": 8})}
