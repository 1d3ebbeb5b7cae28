"""P6: whatever order the answer of the create, the notice, a query and a close
come in, the payment ends the same.  The channel is a scripted one: the money
moves when the create arrives, its answer waits until it is due.
"""

import collections
import concurrent.futures
import itertools
import os
import random
import sys
import threading
import time

from chaos.common import Run
from payhub_stack_fixture import TREE

sys.path.insert(0, os.path.join(TREE, "t", "component", "worker"))

EVENTS = ("answer", "notice", "query", "close")
# what the create's answer is, and of which method
KINDS = (("told", "sandbox_bar"), ("lost", "sandbox_bar"),
         ("pending", "sandbox_qr"))
AT_ONCE = 8
STEP_S = 0.03  # an event has so long before the next one comes, or none
HOLD_S = 5
END_S = 30


class Held:
    """A create that is with the channel."""

    def __init__(self, kind):
        self.kind = kind
        self.came, self.due = threading.Event(), threading.Event()
        self.number = None


class Play:
    def __init__(self):
        from rig import Closed, Rig, wait
        self.wait, self.closed = wait, Closed
        self.rig = Rig(pay__channel_deadline="8s", pay__request_deadline="10s",
                       pay__late="accept")
        self.channel = self.rig.channel
        self.held = {}  # order_no -> Held
        self.channel.plan["pay"] = self.pays
        self.channel.plan["close"] = type(self.channel).tells
        self.channel.plan["reverse"] = type(self.channel).tells

    def pays(self, peer, asked):
        held = self.held[asked["subject"]]
        peer.charge(asked)
        held.number = asked["out_trade_no"]
        held.came.set()
        held.due.wait(HOLD_S)
        if held.kind == "lost":
            return None
        if held.kind == "pending":
            return peer.state(held.number, "pending", qr_code="sandbox://x")
        return peer.state(held.number, "paid",
                          paid_at="2026-01-01T00:00:00.000Z")

    def call(self, method, target, body=b""):
        try:
            with self.rig.link() as link:
                return link.call(method, target, body)
        except (self.closed, OSError) as error:
            return error

    def event(self, what, order_no, held, payment):
        if what == "answer":
            held.due.set()
        elif what == "notice":
            body, headers = self.channel.notice(
                held.number, paid_at="2026-01-01T00:00:00.000Z")
            answer = self.rig.notify(body, headers)
            if answer.body != b"ok":
                return f"the notice was answered {answer}"
        elif what == "query":
            self.call("GET", f"/v1/payments?order_no={order_no}&sync=true")
        else:
            self.call("POST", f"/v1/payments/{payment}/close")
        return None

    def one(self, order, kind, method, number):
        """What one interleaving came to, as one comparable text."""
        order_no = f"i{os.getpid()}-{number}"
        held = self.held[order_no] = Held(kind)
        body = self.rig.body(order_no=order_no, subject=order_no,
                             method=method, notify_url=self.channel.url
                             + "/hook/" + order_no)
        if method == "sandbox_qr":
            del body["extra"]
        with concurrent.futures.ThreadPoolExecutor(5) as pool:
            pool.submit(self.call, "POST", "/v1/payments", body)
            if not held.came.wait(END_S):
                return "the channel was not called"
            payment = self.rig.sql("SELECT id FROM payment WHERE order_no="
                                   f"'{order_no}'")[0][0]
            events = []
            for what in order:
                job = pool.submit(self.event, what, order_no, held, payment)
                events.append(job)
                concurrent.futures.wait([job], STEP_S)
            wrong = [job.result(END_S) for job in events]
        return next((text for text in wrong if text),
                    self.final(payment, held.number))

    def final(self, payment, number):
        rows = "payment p JOIN attempt a ON a.payment_id=p.id"
        sql = (f"SELECT p.status,a.status,p.sequence,p.amount_refunded FROM "
               f"{rows} WHERE p.id='{payment}'")
        hooks = (f"SELECT type,status FROM notify_task WHERE payment_id="
                 f"'{payment}'")
        self.wait(lambda: self.rig.sql(sql)[0][:2] == ["paid", "succeeded"]
                  and self.rig.sql(hooks) == [["payment.paid", "delivered"]],
                  END_S, 0.1)
        return str((self.rig.sql(sql), self.rig.sql(hooks),
                    self.channel.charges[number],
                    self.channel.called("pay", number)))


WANTED = str(([["paid", "succeeded", "1", "0"]],
              [["payment.paid", "delivered"]], 1, 1))


def interleave(each=200, seed=1, say=print):
    """each: how often every order of the four is played."""
    chance, play = random.Random(seed), Play()
    turns = [(order, *KINDS[number % len(KINDS)])
             for number in range(each)
             for order in itertools.permutations(EVENTS)]
    chance.shuffle(turns)
    ends = collections.Counter()
    faults = []
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = {pool.submit(play.one, *turn, number): turn
                for number, turn in enumerate(turns)}
        for number, job in enumerate(concurrent.futures.as_completed(jobs)):
            end = job.result()
            ends[end] += 1
            if end != WANTED:
                faults.append(f"{jobs[job]}: {end}")
            if number % 500 == 499:
                say(f"# {number + 1} of {len(turns)}, "
                    f"{time.monotonic() - began:.0f} s", flush=True)
    faults += [f"sanitizer: {text}" for text in play.rig.sanitizer_reports()]
    left = play.wait(lambda: play.rig.count("work") == 0, 20, 0.2)
    if not left:
        faults.append(f"{play.rig.count('work')} rows of work are left")
    play.rig.end()
    return {"interleave.orders": (len(set(t[0] for t in turns)), "orders"),
            "interleave.payments": (len(turns), "payments"),
            "interleave.same": (ends[WANTED], "payments"),
            "interleave.other": (len(turns) - ends[WANTED], "payments")}, faults


RUNS = {"interleave": Run(interleave, stacks=0, short={"each": 4})}
