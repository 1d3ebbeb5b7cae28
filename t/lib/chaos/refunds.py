"""P7: refunds of one order from two hosts at once never pass what was paid, and
take all of it; nor do random ones of many orders."""

import collections
import concurrent.futures
import random
import threading
import time

from chaos.common import (Run, attempt, checks, judge_refunds, Log, pay_noted,
                          wait_rest)
from payhub_client import Client
from payhub_stack_fixture import QUICK

CALLERS = 32  # at once, over both hosts
PIECE = 100
TRIES = 200
MAGIC = range(9001, 9018)
LATE, FAILS = 9014, 9015

# What must hold at every moment: one statement sees one moment.
SUMS = """SELECT p.id,p.amount,p.amount_refunded,p.amount_refunding,r.d,r.o
FROM payment p JOIN (SELECT payment_id,SUM(IF(status='succeeded',amount,0)) d,
SUM(IF(status IN ('created','processing','unknown'),amount,0)) o FROM refund
WHERE kind<>'duplicate' GROUP BY payment_id) r ON r.payment_id=p.id
WHERE p.amount_refunded+p.amount_refunding>p.amount OR p.amount_refunded<>r.d
OR p.amount_refunding<>r.o"""


class Watch:
    """Looks at I3 all the time."""

    def __init__(self, stack):
        self.stack, self.looks, self.wrong = stack, 0, []
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stop.wait(0.02):
            code, rows, errors = self.stack.sql(SUMS)
            self.looks += 1
            self.wrong += rows if code == 0 else [[errors]]

    def close(self):
        self.stop.set()
        self.thread.join(30)
        return [f"at some moment: {' '.join(row)}" for row in self.wrong[:5]]


class Callers:
    """Refunds asked of both hosts in turn, each until it is answered."""

    def __init__(self, stack, second, log):
        self.hosts = [stack.client, Client(second.env["PAYHUB_URL"],
                                           stack.client.key_id,
                                           stack.client.secret)]
        self.log, self.lock = log, threading.Lock()
        self.said = {}  # refund_no -> (payment id, amount, status, code)
        self.again = collections.Counter()

    def one(self, place, payment_id, refund_no, amount):
        self.log.note(refund_no, None, "refund_no")
        for turn in range(TRIES):
            answer = attempt(
                self.hosts[(place + turn) % 2].call, "POST",
                f"/v1/payments/{payment_id}/refunds",
                {"refund_no": refund_no, "amount": amount})
            code = answer.json.get("code") if answer is not None else "broken"
            if code not in ("PH-A301", "PH-A304", "PH-A303", "broken"):
                break
            with self.lock:
                self.again[code] += 1
            time.sleep(0.05)
        if code is None:
            self.log.note(refund_no, answer.json["status"], "refund_no")
        with self.lock:
            self.said[refund_no] = (
                payment_id, amount,
                answer.json.get("status") if answer is not None else None, code)

    def all(self, asked):
        """asked: [(payment id, refund_no, amount)]"""
        with concurrent.futures.ThreadPoolExecutor(CALLERS) as pool:
            for done in [pool.submit(self.one, place, *one)
                         for place, one in enumerate(asked)]:
                done.result()


def plain(draw, low, high):
    """An amount that the sandbox knows nothing special of."""
    while (amount := draw.randint(low, high)) % 10000 in MAGIC:
        pass
    return amount


def one_order(stack, callers, each, prefix):
    """Twice as many pieces as the order holds, half of them at each host."""
    paid = pay_noted(stack, callers.log, prefix + "one", each * PIECE)
    callers.all([(paid.json["id"], f"{prefix}o{i}", PIECE)
                 for i in range(2 * each)])
    said = collections.Counter(
        (status, code) for of, _, status, code in callers.said.values()
        if of == paid.json["id"])
    row = stack.client.get(paid.json["id"]).json
    right = {("succeeded", None): each, (422, "PH-A307"): each}
    if said != right or row["amount_refunded"] != each * PIECE:
        return [f"one order: answered {dict(said)}, refunded "
                f"{row['amount_refunded']}, expected {right}"]
    return []


def orders_make(stack, log, count, draw, prefix):
    """[(payment id, [amounts of its refunds], plain or not)]"""
    kinds = [draw.choice((LATE, FAILS) if i % 5 == 4 else (None,))
             for i in range(count)]
    amounts = [plain(draw, 20000, 90000) for _ in kinds]
    with concurrent.futures.ThreadPoolExecutor(CALLERS) as pool:
        paid = list(pool.map(
            lambda i: pay_noted(stack, log, f"{prefix}m{i}", amounts[i]),
            range(count)))
    orders = []
    for answer, amount, kind in zip(paid, amounts, kinds):
        asked = [plain(draw, amount // 8, amount // 3) for _ in range(8)]
        if kind:
            asked[draw.randrange(8)] = kind
        orders.append((answer.json["id"], asked, kind is None))
    return orders


def many_orders(stack, callers, count, draw, prefix):
    orders = orders_make(stack, callers.log, count, draw, prefix)
    asked = [(of, f"{prefix}{of[-8:]}-{i}", amount)
             for of, amounts, _ in orders for i, amount in enumerate(amounts)]
    draw.shuffle(asked)
    callers.all(asked)
    left_open = wait_rest(stack)
    if left_open:
        return [f"not at rest: {left_open}"]
    left = {row[0]: int(row[1]) for row in stack.rows(
        "SELECT id,amount-amount_refunded-amount_refunding FROM payment")}
    faults = []
    for of, _, is_plain in orders:
        refused = [amount for payment, amount, _, code in callers.said.values()
                   if payment == of and code == "PH-A307"]
        # nothing came back meanwhile, so what was refused does not fit now
        if is_plain and refused and min(refused) <= left[of]:
            faults.append(f"{of}: {min(refused)} was refused, {left[of]} left")
    odd = {(status, code) for _, _, status, code in callers.said.values()} \
        - {("succeeded", None), ("failed", None), ("unknown", None),
           ("processing", None), (422, "PH-A307")}
    return faults + ([f"answered {odd}"] if odd else [])


def refunds(stack, second, each=400, orders=1000, seed=1, say=print):
    """each: pieces that one order holds; twice as many are asked for."""
    draw = random.Random(seed)
    log = Log()
    callers = Callers(stack, second, log)
    watch = Watch(stack)
    prefix = f"p7-{time.time_ns()}-"
    began = time.monotonic()
    faults = one_order(stack, callers, each, prefix)
    say(f"# one order: {time.monotonic() - began:.0f} s")
    faults += many_orders(stack, callers, orders, draw, prefix)
    say(f"# all: {time.monotonic() - began:.0f} s, asked again "
        f"{dict(callers.again)}, looked {watch.looks} times")
    faults += watch.close()
    lost, doubled = judge_refunds(stack, log)
    faults += lost + doubled + checks(stack)
    said = [status for _, _, status, code in callers.said.values()
            if code is None]
    return {"refunds.asked": (len(callers.said), "refunds"),
            "refunds.taken": (len(said), "refunds"),
            "refunds.looks": (watch.looks, "looks"),
            "refunds.lost": (len(lost), "refunds"),
            "refunds.doubled": (len(doubled), "refunds"),
            "refunds.over": (len(watch.wrong), "moments")}, faults


RUNS = {"refunds": Run(refunds, QUICK, stacks=2,
                       short={"each": 40, "orders": 50})}
