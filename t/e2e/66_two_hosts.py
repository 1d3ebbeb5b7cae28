"""Two stacks on one MariaDB and Redis are two hosts of one cluster: what one
has seen the other knows."""

import collections
import http.client
import json
import subprocess
import threading
import time

from payhub_client import Client, sign_v3
from payhub_stack_fixture import SCRIPT, Stack

SETTINGS = ("pay.max_inflight=512",)
COPIES = 200
WITHIN_S = 1.0


class Second:
    """The second host, and its copies of the first one's key."""

    def __init__(self, stack):
        self.first = stack
        self.host = Stack(build=stack.build)
        self.host.words += ["--beside", stack.folder]

    def __enter__(self):
        self.host.up()
        with open(self.first.env["PAYHUB_SECRET_FILE"], "rb") as file:
            self.secret = file.read().removesuffix(b"\n")
        self.key = self.first.env["PAYHUB_KEY_ID"]
        return self

    def __exit__(self, *_):
        self.host.down()

    def client(self):
        return Client(self.host.env["PAYHUB_URL"], self.key, self.secret)


def copies_send(ports, body, header):
    """The same signed request `COPIES` times, at both hosts at once."""
    seen = collections.Counter()
    lock, gate = threading.Lock(), threading.Barrier(COPIES)

    def one(number):
        link = http.client.HTTPConnection(
            "127.0.0.1", ports[number % len(ports)], timeout=40)
        link.connect()
        gate.wait(30)
        link.request("POST", "/v1/payments", body,
                     {"Authorization": header,
                      "Content-Type": "application/json"})
        reply = link.getresponse()
        code = json.loads(reply.read()).get("code")
        link.close()
        with lock:
            seen[reply.status, code] += 1

    threads = [threading.Thread(target=one, args=(n,)) for n in range(COPIES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen


def soon(probe, what, limit=WITHIN_S):
    begun = time.monotonic()
    while not probe():
        assert time.monotonic() - begun <= limit, \
            f"{what}: not within {limit} s"
        time.sleep(0.01)


def limit_now(stack):
    done = stack.cli("limit", "list", "--json")
    assert done.returncode == 0, done
    return {row["name"]: row["rate"] for row in json.loads(done.stdout)}


def test_two_hosts(stack):
    with Second(stack) as two:
        ports = (stack.port, two.host.port)
        assert two.host.status()[1] == 0
        assert sorted(two.host.status()[0]) == ["nginx", "supervisor",
                                                "worker_1"]
        for turn in range(5):
            body = json.dumps({
                "order_no": f"two-{turn}-{time.time_ns()}", "amount": 1000,
                "currency": "CNY", "method": "sandbox_bar", "subject": "two",
                "extra": {"auth_code": "281234567890123456"}}).encode()
            header, _ = sign_v3(two.secret, two.key, "POST", "/v1/payments",
                                body)
            seen = copies_send(ports, body, header)
            assert seen == {(201, None): 1,
                            (401, "PH-A101"): COPIES - 1}, seen

        paid = two.client().pay(f"second-{time.time_ns()}", 100)
        assert paid.status == 201 and paid.json["status"] == "paid", paid
        here = stack.client.call("GET", "/v1/payments/" + paid.json["id"])
        assert here.status == 200 and here.json["status"] == "paid", here

        changed = stack.cli("limit", "set", "payhub_app", "rate=77777/s")
        assert changed.returncode == 0, changed
        soon(lambda: limit_now(two.host)["payhub_app"] == "77777/s",
             "a live limit at the other host")

        done = two.host.cli("app", "add", "--merchant", "M2", "--name", "two",
                            "--json")
        assert done.returncode == 0, done
        made = json.loads(done.stdout)
        one = Client(stack.env["PAYHUB_URL"], made["key_id"],
                     made["secret"].encode())
        soon(lambda: one.call(
            "GET", "/v1/payments?order_no=none").status == 404,
            "a key that was added at the other host")

        for host in (stack, two.host):
            for check in ("drift", "invariants"):
                done = host.cli(check)
                assert done.returncode == 0, (host.folder, check, done)
        assert not two.host.sanitizer_reports(), two.host.sanitizer_reports()
    payment = stack.client.pay(f"alone-{time.time_ns()}", 100)
    assert payment.status == 201, payment


def test_beside_nothing_is_refused(stack):
    done = subprocess.run([SCRIPT, "up", "--dir", stack.folder + "-none",
                           "--beside", stack.folder + "-nobody"],
                          capture_output=True, text=True)
    assert done.returncode == 1 and "--beside" in done.stderr, done
