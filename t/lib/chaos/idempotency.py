"""P3: many senders of one order on two hosts, a fifth of whose answers is cut:
one payment, one charge, one answer.  P4: what may be done with an
Idempotency-Key, cell by cell."""

import collections
import concurrent.futures
import json
import os
import random
import secrets
import socket
import struct
import threading
import time

from chaos.common import Run, attempt, checks, wait_rest
from payhub_client import Client, sign_v3
from payhub_stack_fixture import QUICK

SENDERS = 50  # at once, over both hosts
CUT = 0.2
TRIES = 40
AGAIN = ("PH-A301", "PH-A303", "PH-A304", "PH-A305")
LIMITS = ("pay.max_inflight=4096", "pay.max_inflight_account=4096",
          "store.queue=8192")


class Sender:
    """Sends bodies as they are; what came of each is kept."""

    def __init__(self, stack, second):
        self.hosts = [stack.client, Client(second.env["PAYHUB_URL"],
                                           stack.client.key_id,
                                           stack.client.secret)]
        self.lock = threading.Lock()
        self.said = {}  # order_no -> [answer]
        self.count = collections.Counter()

    def cut(self, client, body, wait_s):
        """Sent whole, and the connection broken before the answer is read."""
        auth, _ = sign_v3(client.secret, client.key_id, "POST", "/v1/payments",
                          body)
        head = (f"POST /v1/payments HTTP/1.1\r\nHost: {client.host}\r\n"
                f"Authorization: {auth}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n").encode()
        with socket.create_connection((client.host, client.port), 10) as link:
            link.sendall(head + body)
            time.sleep(wait_s)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                            struct.pack("ii", 1, 0))

    def one(self, place, order_no, body, cut_after):
        client = self.hosts[place % 2]
        if cut_after is not None:
            attempt(self.cut, client, body, cut_after)
            with self.lock:
                self.count["cut"] += 1
            return
        for _ in range(TRIES):
            answer = attempt(client.call, "POST", "/v1/payments", body)
            code = answer.json.get("code") if answer is not None else "broken"
            if code not in AGAIN + ("broken",):
                break
            with self.lock:
                self.count[code] += 1
            time.sleep(0.1)
        with self.lock:
            self.said.setdefault(order_no, []).append(answer)


def faults_of(order_no, body, answers, last):
    """What is wrong with what the senders of one order were told."""
    faults = []
    said = [one for one in answers if one is not None]
    if [one for one in said if one.status not in (200, 201)]:
        faults.append(f"{order_no}: answered "
                      f"{sorted({one.status for one in said})}")
    if sum(one.status == 201 for one in said) > 1:
        faults.append(f"{order_no}: made more than once")
    if len({one.json.get("id") for one in said + [last]}) != 1:
        faults.append(f"{order_no}: more than one payment")
    if last.status != 200 or last.headers.get("idempotent-replayed") != "true":
        faults.append(f"{order_no}: the last one is no replay: {last}")
    final = {one.body for one in said if one.json.get("status") == "paid"}
    if final - {last.body}:
        faults.append(f"{order_no}: replays differ: {len(final)} bodies")
    for one in said:
        marked = one.headers.get("idempotent-replayed") == "true"
        if marked != (one.status == 200):
            faults.append(f"{order_no}: {one.status} and replayed={marked}")
    return faults


def many_senders(stack, sender, orders, each, draw, say):
    prefix = f"p3-{time.time_ns()}-"
    bodies = {f"{prefix}{i}": json.dumps({
        "order_no": f"{prefix}{i}", "amount": 1000 + i % 5000,
        "currency": "CNY", "method": "sandbox_bar", "subject": "one coffee",
        "extra": {"auth_code": "134567890123456789"}}).encode()
        for i in range(orders)}
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(SENDERS) as pool:
        jobs = [pool.submit(sender.one, place, order_no, body,
                            draw.random() * 0.01 if place
                            and draw.random() < CUT else None)
                for order_no, body in bodies.items() for place in range(each)]
        for job in jobs:
            job.result()
    say(f"# {orders} x {each} in {time.monotonic() - began:.0f} s, "
        f"{dict(sender.count)}")
    left = wait_rest(stack)
    faults = [f"still open: {left}"] if left else []
    books = collections.Counter()
    for charge in stack.books()["charges"]:
        books[charge["out_trade_no"]] += charge["times"]
    rows = collections.Counter()
    charged = 0
    for order_no, attempt_id in stack.rows(
            "SELECT p.order_no,a.id FROM payment p JOIN attempt a ON "
            f"a.payment_id=p.id WHERE p.order_no LIKE '{prefix}%'"):
        rows[order_no] += 1
        charged += books[attempt_id]
        if books[attempt_id] != 1:
            faults.append(f"{order_no}: charged {books[attempt_id]} times")
    for number in (0, 1):
        for order_no, body in bodies.items():
            if rows[order_no] != 1:
                faults.append(f"{order_no}: {rows[order_no]} attempts")
            last = sender.hosts[number].call("POST", "/v1/payments", body)
            faults += faults_of(order_no, body, sender.said[order_no], last)
    return charged, sum(rows.values()), faults


# --- P4 ---------------------------------------------------------------------

class Keyed:
    """Requests with a signed Idempotency-Key, headers by `payhub sign`."""

    def __init__(self, stack, client=None, key_id=None, secret_file=None):
        self.stack, self.client = stack, client or stack.client
        self.key_id = key_id or self.client.key_id
        self.secret = secret_file or stack.env["PAYHUB_SECRET_FILE"]

    def post(self, key, body, target="/v1/payments"):
        file = os.path.join(self.stack.scratch, "keyed-body")
        with open(file, "wb") as out:
            out.write(body)
        words = ["sign", "POST", target, "--key-id", self.key_id,
                 "--secret-file", self.secret, "--scheme", "rfc9421", "--host",
                 f"{self.client.host}:{self.client.port}", "--json",
                 "--idempotency-key", key]
        done = self.stack.cli(*words, *(["--body", file] if body else []))
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        told = json.loads(done.stdout)
        headers = {"Signature-Input": told["signature_input"],
                   "Signature": f"payhub=:{told['signature']}:",
                   "Idempotency-Key": key}
        if body:
            headers.update({"Content-Digest": told["content_digest"],
                            "Content-Type": "application/json"})
        return self.client.send("POST", target, headers, body)


def order(amount=1000, **more):
    return json.dumps({"order_no": "p4-" + secrets.token_hex(8),
                       "amount": amount, "currency": "CNY",
                       "method": "sandbox_bar", "subject": "one coffee",
                       "extra": {"auth_code": "134567890123456789"},
                       **more}).encode()


def told(answer):
    return (answer.status, answer.json.get("code"),
            answer.headers.get("idempotent-replayed") == "true")


def cells(stack, second):
    """[(cell, found, expected)]"""
    here = Keyed(stack)
    there = Keyed(stack, Client(second.env["PAYHUB_URL"],
                                stack.client.key_id, stack.client.secret))
    body, key, rows = order(), secrets.token_hex(8), []

    def cell(name, answer, expected, same=None):
        rows.append((name, told(answer), expected))
        if same is not None:
            rows.append((name + ", byte for byte",
                         (answer.status, answer.body), (same.status,
                                                        same.body)))
        return answer

    first = cell("new", here.post(key, body), (201, None, False))
    cell("the same", here.post(key, body), (201, None, True), first)
    cell("the same on another host", there.post(key, body), (201, None, True),
         first)
    cell("another body", here.post(key, order()), (422, "PH-A213", False))
    cell("another byte", here.post(key, body + b" "), (422, "PH-A213", False))
    cell("another key, the same order", here.post(secrets.token_hex(8), body),
         (200, None, True))
    refund = json.dumps({"refund_no": "p4-" + secrets.token_hex(8),
                         "amount": 10}).encode()
    target = f"/v1/payments/{first.json['id']}/refunds"
    back = cell("another endpoint, the same key",
                here.post(key, refund, target), (201, None, False))
    cell("a refund again", here.post(key, refund, target), (201, None, True),
         back)
    cell("the payment's answer stays as it was", here.post(key, body),
         (201, None, True), first)
    waiting = here.post(secrets.token_hex(8), order(method="sandbox_qr",
                                                    extra={}))
    if waiting.status == 201:
        target = f"/v1/payments/{waiting.json['id']}/close"
        shut = cell("close", here.post(key, b"", target), (200, None, False))
        cell("close again", here.post(key, b"", target), (200, None, True),
             shut)
    else:
        rows.append(("a waiting order", told(waiting), (201, None, False)))

    secret = os.path.join(stack.scratch, "p4.secret")
    done = stack.cli("app", "add", "--merchant", "M1", "--name", "p4",
                     "--secret-out", secret, "--json")
    other = Keyed(stack, key_id=json.loads(done.stdout)["key_id"],
                  secret_file=secret)
    end = time.monotonic() + 5
    while (answer := other.post(key, body)).status == 401 \
            and time.monotonic() < end:
        time.sleep(0.1)
    cell("another app, the same key", answer, (201, None, False))

    key = secrets.token_hex(8)
    cell("refused", here.post(key, order(-1)), (422, "PH-A211", False))
    cell("and not kept", here.post(key, order()), (201, None, False))
    cell("255 bytes", here.post("k" * 255, order()), (201, None, False))

    body, key = order(), secrets.token_hex(8)
    here.post(key, body)
    stack.rows("UPDATE idem SET created_at=created_at-INTERVAL 25 HOUR")
    cell("after a day: the order's number answers", here.post(key, body),
         (200, None, True))

    body, key, slow = order(9002), secrets.token_hex(8), []
    thread = threading.Thread(target=lambda: slow.append(here.post(key, body)))
    thread.start()
    time.sleep(0.7)
    answer = Keyed(stack, there.client).post(key, body)
    rows.append(("while the first still runs", answer.status in (200, 409),
                 True))
    thread.join()
    # whichever of the two was kept is what everybody is told
    cell("kept", there.post(key, body), (slow[0].status, None, True), slow[0])
    cell("kept, at the other host", here.post(key, body),
         (slow[0].status, None, True), slow[0])
    return rows


def idempotency(stack, second, orders=1000, each=50, seed=1, say=print):
    """orders: each of them sent `each` times."""
    draw = random.Random(seed)
    sender = Sender(stack, second)
    charged, made, faults = many_senders(stack, sender, orders, each, draw, say)
    table = cells(stack, second)
    wrong = [f"{name}: found {found}, expected {expected}"
             for name, found, expected in table if found != expected]
    left = wait_rest(stack)
    faults += wrong + ([f"still open: {left}"] if left else [])
    faults += checks(stack)
    return {"idempotency.orders": (orders, "orders"),
            "idempotency.sent": (orders * each, "requests"),
            "idempotency.cut": (sender.count["cut"], "answers"),
            "idempotency.payments": (made, "payments"),
            "idempotency.charges": (charged, "charges"),
            "idempotency.cells": (len(table) - len(wrong), "cells"),
            "idempotency.wrong": (len(faults), "faults")}, faults


RUNS = {"idempotency": Run(idempotency, QUICK + LIMITS, stacks=2,
                           short={"orders": 50, "each": 20})}
