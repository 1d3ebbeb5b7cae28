"""Payments and refunds through all five channels at once, each at its
counterpart, whose answers are lost, late or bent at random; meanwhile kill -9
of the worker.  Then the channels' books against the rows."""

import collections
import concurrent.futures
import os
import random
import threading
import time

from chaos.common import (FailedWatch, Log, Run, attempt, attempts_by_order,
                          checks, judge, judge_refunds, open_rows, pay_noted)
from chaos.parts import kill_worker
from payhub_channel_accounts import (
    Alipay, Paypal, PaypalServer, Stripe, Unionpay, Wechat)
from payhub_counterpart import Counterpart
from payhub_stack_fixture import QUICK

CALLERS = 24
GAP_S = 0.8    # after a kill, before the next at the soonest
ANSWER_S = 60  # within which a request that is asked again is answered
REST_S = 180
FAULTS = ("delay", "hang_before", "hang_after", "drop_before", "drop_after",
          "http500_before", "http500_after", "truncated", "html", "empty")
# of who signs his answers
SIGNED = ("bad_sign", "no_sign", "own_key")
# refused by a code, or taken and not told yet, is no news to callers
ANSWERED = (200, 201, 202, 400, 404, 409, 422)


def accounts(stack):
    """One of each channel, made at the same time."""
    makers = (
        lambda: Alipay(stack, Counterpart("alipay"), **Alipay.public),
        lambda: Wechat(stack, Counterpart("wechatpay", keys="wechat",
                                          stack=stack), **Wechat.public),
        lambda: Unionpay(stack, Counterpart("unionpay"),
                         **Unionpay.certified),
        lambda: Stripe(stack, Counterpart("stripe", stack=stack)),
        lambda: Paypal(stack, PaypalServer(), **Paypal.trusting))
    with concurrent.futures.ThreadPoolExecutor(len(makers)) as pool:
        return [one.result() for one in [pool.submit(make)
                                         for make in makers]]


class Books:
    """What five channels have on their books, in the sandbox's words, so that
    one judge will do.  A bar code that was taken back is no charge."""

    def __init__(self, stack, channels):
        self.rows, self.channels = stack.rows, channels

    def books(self):
        told = {"charges": [], "refunds": []}
        for channel in self.channels:
            for number, book in channel.counterpart.books().items():
                if not book["charges"] or book["status"] == "reversed":
                    continue
                told["charges"].append({
                    "out_trade_no": number, "status": "paid",
                    "times": book["charges"], "amount": book["amount"]})
                told["refunds"] += [
                    {"out_refund_no": name, "out_trade_no": number,
                     "amount": one["amount"], "times": one["times"]}
                    for name, one in book["refunds"].items()]
        return told


class Shop:
    """The merchant and his payers."""

    def __init__(self, stack, channels, log, seed, is_long):
        self.stack, self.channels, self.log = stack, channels, log
        self.prefix = f"ch{os.getpid()}x{seed}-"
        self.seed, self.is_long = seed, is_long
        self.done = collections.Counter()  # by channel and deed

    def fault(self, chance, channel, op, **of):
        """Perhaps one, of an operation that is still to come."""
        if chance.random() < 0.3:
            signed = SIGNED if channel.channel in (
                "alipay", "wechatpay", "unionpay") else ()
            channel.counterpart.knob(op, chance.choice(FAULTS + signed), ms=300,
                                     **of)

    def insist(self, *words):
        """Asks until there is an answer."""
        end = time.monotonic() + ANSWER_S
        while time.monotonic() < end:
            answer = attempt(self.stack.client.call, *words)
            if answer is not None and answer.status in ANSWERED:
                return answer
            time.sleep(0.1)
        raise RuntimeError(f"no answer to {words}: {answer}")

    def create(self, chance, channel, order_no):
        amount = next(channel.amounts)
        asked = {"account": channel.id, **channel.payment}
        if self.is_long and channel.channel == "alipay" \
                and chance.random() < 0.3:
            asked |= {"method": channel.bar[0],
                      "extra": {"auth_code": channel.bar[1]}}
        self.fault(chance, channel, "create", amount=amount)
        end = time.monotonic() + ANSWER_S
        while time.monotonic() < end:
            answer = pay_noted(self.stack, self.log, order_no, amount, **asked)
            if answer is not None:
                return answer
            time.sleep(0.1)
        raise RuntimeError(f"{order_no} is not answered")

    def refund(self, chance, channel, answer, number):
        self.fault(chance, channel, "refund_query", number=number)
        if self.is_long:  # one that is lost is asked about after 10 s
            self.fault(chance, channel, "refund", number=number)
        refund_no = answer.json["order_no"] + "r"
        self.log.note(refund_no, None, "refund_no")
        asked = self.insist(
            "POST", f"/v1/payments/{answer.json['id']}/refunds",
            {"refund_no": refund_no,
             "amount": chance.randint(1, answer.json["amount"])})
        if asked.status in (200, 201, 202):
            self.log.note(refund_no, asked.json["status"], "refund_no")
            self.done[channel.channel, "refund"] += 1

    def one(self, place):
        """A payment; then its payer pays, with news of it or without, or the
        merchant closes it, or nothing comes of it until the end."""
        chance = random.Random(self.seed * 1000003 + place)
        channel = self.channels[place % len(self.channels)]
        answer = self.create(chance, channel, f"{self.prefix}{place}")
        number = answer.json["attempts"][-1]["id"]
        self.done[channel.channel, "payment"] += 1
        for op in ("query", "capture"):
            self.fault(chance, channel, op, number=number)
        deed = chance.random()
        if deed < 0.7:
            channel.counterpart.pay(number, silent=chance.random() < 0.5,
                                    copies=chance.choice((1, 1, 2)))
        elif deed < 0.9:
            self.fault(chance, channel, "close", number=number)
            self.insist("POST", f"/v1/payments/{answer.json['id']}/close")
        if chance.random() < 0.5:
            found = self.insist(
                "GET", f"/v1/payments/{answer.json['id']}?sync=true")
            if found.json.get("status") == "paid":
                self.refund(chance, channel, answer, number)


class Killer(threading.Thread):
    def __init__(self, stack, kills, seed, prefix):
        super().__init__(daemon=True)
        self.stack, self.kills, self.prefix = stack, kills, prefix
        self.chance = random.Random(seed + 1)
        self.killed, self.sent, self.ending = 0, 0, threading.Event()
        self.fault = None

    def run(self):
        try:
            while self.killed < self.kills and not self.ending.wait(
                    GAP_S + self.chance.random()):
                self.stack.wait_running(60)
                self.sent += kill_worker(self.stack, self.prefix)
                self.killed += 1
        except Exception as error:
            self.fault = error


def payers_pay(stack, channels, prefix):
    """Who can still pay does: some channels have no other end."""
    waiting = {one for rows in attempts_by_order(stack, prefix).values()
               for status, one, _ in rows if status == "paying"}
    for channel in channels:
        for number, book in channel.counterpart.books().items():
            if number in waiting and book["status"] == "open":
                channel.counterpart.pay(number, silent=True)


def rest(stack, channels, prefix):
    """Until all is at rest, or {what: how many} is still open."""
    for channel in channels:
        channel.counterpart.ask("/_unknob")
    end = time.monotonic() + REST_S
    while (left := open_rows(stack)) and time.monotonic() < end:
        payers_pay(stack, channels, prefix)
        time.sleep(0.3)
    return left


def orders_run(shop, payments, faults):
    """All of them, by so many callers."""
    with concurrent.futures.ThreadPoolExecutor(CALLERS) as pool:
        for job in [pool.submit(shop.one, place)
                    for place in range(payments)]:
            try:
                job.result()
            except Exception as error:
                faults.append(repr(error))


def met(channels, shop):
    """({channel: faults that a call met}, what did not happen at all).  Whether
    a payment is paid when it is to go back is chance: few may miss that."""
    deeds = ("payment", "refund") if shop.is_long else ("payment",)
    seen = {one.channel: sum(1 for call in one.counterpart.seen()["seen"]
                             if call.get("fault")) for one in channels}
    missing = [f"{name} met no fault" for name, count in seen.items()
               if not count]
    missing += [f"{one.channel} made no {deed}" for one in channels
                for deed in deeds if not shop.done[one.channel, deed]]
    return seen, missing


def story(stack, banks, texts):
    """What the channels were asked about the orders that `texts` name, and
    when: for who has to find out."""
    told = []
    for order_no in sorted({text.split()[0] for text in texts})[:10]:
        for number, status, at in stack.rows(
                "SELECT a.id,a.status,a.created_at FROM attempt a JOIN payment "
                f"p ON p.id=a.payment_id WHERE p.order_no='{order_no}'"):
            asked = [(one["at"], one["op"], one.get("fault"))
                     for bank in banks
                     for one in bank.counterpart.seen()["seen"]
                     if one.get("number") == number]
            told.append(f"{order_no} {number} {status} of {at}: {asked}")
    return told


def channels(stack, payments=2000, kills=25, full=1, seed=1, say=print):
    """full: bar codes too, and refunds whose answers are lost."""
    told = os.path.join(stack.scratch, "told.jsonl")
    log, faults, began = Log(told), [], time.monotonic()
    banks = accounts(stack)
    shop = Shop(stack, banks, log, seed, bool(full))
    watch, killer = FailedWatch(stack), Killer(stack, kills, seed, shop.prefix)
    killer.start()
    orders_run(shop, payments, faults)
    killer.ending.set()
    killer.join(60)
    stack.wait_running(60)
    say(f"# {payments} payments in {time.monotonic() - began:.0f} s")
    left = rest(stack, banks, shop.prefix)
    log.close()
    faults += [f"{count} {what} are not at rest" for what, count in
               left.items()]
    seen, missing = met(banks, shop)
    books = Books(stack, banks)
    lost, doubled = judge(books, log, attempts_by_order(stack, shop.prefix),
                          watch.close())
    more = judge_refunds(books, log)
    lost, doubled = lost + more[0], doubled + more[1]
    for line in story(stack, banks, lost + doubled):
        say("#", line)
    faults += missing + lost + doubled + checks(stack, told)
    faults += [f"{one.channel} refused {text}" for one in banks
               for text in one.counterpart.seen()["refused"][:2]]
    if killer.fault is not None:
        faults.append(f"the killer: {killer.fault!r}")
    if killer.killed < kills / 2:
        faults.append(f"only {killer.killed} of {kills} kills")
    gone = sum(one.counterpart.seen()["gone"] for one in banks)
    for one in banks:
        one.counterpart.end()
    say(f"# {time.monotonic() - began:.0f} s; {dict(shop.done)}; {seen}; "
        f"left before they were read: {gone}")
    return {"channels.payments": (len(log.told), "payments"),
            "channels.refunds": (len(log.refunds), "refunds"),
            "channels.kills": (killer.killed, "kills"),
            "channels.sent_at_kill": (killer.sent, "attempts"),
            "channels.faults": (sum(seen.values()), "answers"),
            "channels.unsettled": (sum(left.values()), "rows"),
            "channels.lost": (len(lost), "payments"),
            "channels.doubled": (len(doubled), "payments")}, faults


# what a killed worker had taken is free again after its lease
RUNS = {"channels": Run(channels, (*QUICK, "janitor.lease=5s"), short={
    "payments": 150, "kills": 2, "full": 0})}
