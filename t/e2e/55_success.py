"""What became of payments moves the edge's choice: an account whose payers
never pay, and one whose payers do, look alike to the edge; the database knows,
the sidecar counts, and by=success goes to the better one."""

import json
import os
import signal
import time

from payhub_edge import UnixConnection
from payhub_scenario import order

SETTINGS = ("pay.expires_min=1s",)
COUNT = 6
WITHIN_S = 8.0  # of the last end: sidecar, worker, edge


def change(stack, body):
    link = UnixConnection(stack.env["PAYHUB_ADMIN_SOCKET"])
    link.request("POST", "/control", json.dumps(body))
    answer = link.getresponse()
    text = answer.read()
    link.close()
    assert answer.status == 200, text


def explain(stack):
    """({account: figures}, who would be chosen)"""
    path = os.path.join(stack.scratch, "body.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"method": "sandbox_qr", "currency": "CNY", "amount": 100},
                  file)
    done = stack.cli("route", "explain", "--body", path, "--json")
    assert done.returncode == 0, done
    answer = json.loads(done.stdout)
    return ({row["id"]: row for row in answer["accounts"]},
            answer["candidates"][0])


def counted(stack, account, ended, paid):
    row = explain(stack)[0][account]
    return row["source"] == "cluster" and (row["ended"], row["paid"]) == (
        ended, paid)


def soon(probe, what, limit):
    begun = time.monotonic()
    while not probe():
        assert time.monotonic() - begun <= limit, f"{what}: not in {limit} s"
        time.sleep(0.1)
    return time.monotonic() - begun


def qr(stack, **more):
    answer = stack.client.pay(order("rate"), 100, "sandbox_qr", **more)
    assert answer.status == 201, answer
    assert answer.json["status"] == "paying", answer
    return answer.json


def account_add(stack):
    key = os.path.join(stack.folder, "keys", "sandbox.key")
    done = stack.cli("channel", "account", "add", "sandbox", "--name", "second",
                     "--set", "base_url=" + stack.env["PAYHUB_SANDBOX_URL"],
                     "--secret", "key=@" + key, "--json")
    assert done.returncode == 0, done
    return json.loads(done.stdout)["account_id"]


def accounts(stack):
    """The first account and one that stands beside it, by=success."""
    rows = stack.rows("SELECT id FROM channel_account ORDER BY created_at")
    first, second = rows[0][0], account_add(stack)
    change(stack, {"kind": "route", "name": "default", "rules": [
        f"all -> {first} {second} by=success"]})
    soon(lambda: len(explain(stack)[0]) == 2, "both accounts at the edge", 3)
    return first, second


def test_who_is_paid_is_preferred(stack):
    first, second = accounts(stack)
    for _ in range(COUNT):
        qr(stack, account=first, expires_in=2)
    made = [qr(stack, account=second) for _ in range(COUNT)]
    rows, _ = explain(stack)
    assert all(row["source"] == "host" and row["good"] == row["calls"]
               for row in rows.values()), \
        ("to the edge both do well", rows)
    for payment in made:
        stack.sandbox("/_payer/pay",
                      {"out_trade_no": payment["attempts"][0]["id"]})
    for payment in made:
        stack.client.wait_status(payment["id"], ("paid",))
    soon(lambda: stack.rows("SELECT COUNT(*) FROM payment WHERE account_id="
                            f"'{first}' AND closed_at IS NOT NULL")
         == [[str(COUNT)]], "the first one's payments expire", 30)
    took = soon(lambda: counted(stack, first, COUNT, 0)
                and counted(stack, second, COUNT, COUNT),
                f"what became of them at the edge: {explain(stack)}", WITHIN_S)
    print(f"# {took:.1f} s from the last end to the edge")
    assert explain(stack)[1] == second, explain(stack)
    chosen = {qr(stack)["account"] for _ in range(10)}
    assert chosen == {second}, chosen


def test_goes_on_without_the_sidecar(stack):
    pid = stack.pid("sidecar")
    os.kill(pid, signal.SIGSTOP)
    try:
        qr(stack)
        soon(lambda: all(row["source"] == "host"
                         for row in explain(stack)[0].values()),
             "figures that are older than half a minute do not count", 45)
        qr(stack)
    finally:
        os.kill(pid, signal.SIGCONT)
    soon(lambda: all(row["source"] == "cluster"
                     for row in explain(stack)[0].values()),
         "they count again", 20)
    assert stack.cli("drift").returncode == 0
