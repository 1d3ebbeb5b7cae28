"""Refunds through the edge: signed, told by webhook, unclear, failed, late."""

import re
import time

from payhub_client import Receiver
from payhub_scenario import order

ID = re.compile(r"^R[0-9A-HJKMNP-TV-Z]{26}$")


def paid_make(stack, amount=120000, **more):
    answer = stack.client.pay(order("refund"), amount, **more)
    assert answer.status == 201 and answer.json["status"] == "paid", answer
    return answer.json


def refund(stack, payment, amount, refund_no=None, **more):
    return stack.client.call(
        "POST", f"/v1/payments/{payment['id']}/refunds",
        {"refund_no": refund_no or order("r"), "amount": amount, **more})


def refund_wait(stack, refund_id, status, wait_s=30):
    end = time.monotonic() + wait_s
    while True:
        answer = stack.client.call("GET", "/v1/refunds/" + refund_id)
        assert answer.status == 200, answer
        if answer.json["status"] == status:
            return answer.json
        assert time.monotonic() < end, answer
        time.sleep(0.1)


def book(stack, payment):
    attempt = payment["attempts"][-1]["id"]
    return {r["out_refund_no"]: (r["amount"], r["times"], r["status"])
            for r in stack.books(attempt)["refunds"]}


def sums(stack, payment):
    row = stack.client.get(payment["id"]).json
    return row["amount_refunded"], row["amount_refunding"]


def test_a_refund_is_told_kept_and_repeated(stack):
    receiver = Receiver(stack.env["PAYHUB_WEBHOOK_SECRET"])
    try:
        payment = paid_make(stack, notify_url=receiver.url)
        number = order("r")
        made = refund(stack, payment, 50000, number, reason="a cup broke")
        assert made.status == 201 and ID.match(made.json["id"]), made
        assert made.json["status"] == "succeeded", made
        assert book(stack, payment) == {
            made.json["id"]: (50000, 1, "succeeded")}
        again = refund(stack, payment, 50000, number, reason="a cup broke")
        assert again.status == 200 and again.json == made.json, again
        assert again.headers["idempotent-replayed"] == "true", again.headers
        for tail in (f"/{made.json['id']}", f"?refund_no={number}"):
            found = stack.client.call("GET", "/v1/refunds" + tail)
            assert found.json == made.json, found
        other = refund(stack, payment, 50001, number)
        assert (other.status, other.json["code"]) == (422, "PH-A308"), other
        over = refund(stack, payment, 70001)
        assert (over.status, over.json["code"]) == (422, "PH-A307"), over
        assert sums(stack, payment) == (50000, 0)
        end = time.monotonic() + 20
        while True:
            events = [event for genuine, _, event in list(receiver.got)
                      if genuine and event["data"]["id"] == made.json["id"]]
            if events:
                break
            assert time.monotonic() < end, receiver.got
            time.sleep(0.05)
        assert (events[0]["type"], events[0]["sequence"], events[0]["data"]) \
            == ("refund.succeeded", 2, made.json), events
    finally:
        receiver.close()


def test_9014_an_unclear_refund_stays_reserved_until_proved(stack):
    payment = paid_make(stack)
    made = refund(stack, payment, 19014)
    assert (made.status, made.json["status"]) == (202, "unknown"), made
    assert sums(stack, payment) == (0, 19014)
    over = refund(stack, payment, 120000 - 19014 + 1)
    assert over.json["code"] == "PH-A307", over
    refund_wait(stack, made.json["id"], "succeeded")
    assert sums(stack, payment) == (19014, 0)
    assert book(stack, payment) == {made.json["id"]: (19014, 1, "succeeded")}


def test_9015_a_failed_refund_gives_back_what_it_held(stack):
    payment = paid_make(stack)
    made = refund(stack, payment, 19015)
    assert (made.status, made.json["status"]) == (201, "failed"), made
    assert made.json["error"]["code"] == "PH-A401", made
    assert sums(stack, payment) == (0, 0)
    assert refund(stack, payment, 120000).status == 201
    assert sums(stack, payment) == (120000, 0)


def test_sync_asks_the_channel(stack):
    payment = paid_make(stack)
    made = refund(stack, payment, 29014)
    assert made.json["status"] == "unknown", made
    time.sleep(1.2)  # the sandbox has done it by now
    found = stack.client.call("GET", f"/v1/refunds/{made.json['id']}?sync=true")
    assert found.json["status"] == "succeeded", found


def test_9010_a_late_success_is_refunded_by_itself(stack):
    """The sandbox pays after it was closed."""
    made = stack.client.pay(order("late"), 129010, method="sandbox_qr")
    assert made.status == 201, made
    closed = stack.client.call("POST", f"/v1/payments/{made.json['id']}/close")
    assert closed.status in (200, 202), closed
    late = stack.client.wait_status(made.json["id"], ("paid_late",))
    attempt = late["attempts"][0]["id"]
    done = refund_wait(stack, "R" + attempt[1:], "succeeded")
    assert (done["amount"], done["refund_no"]) == (129010, None), done
    assert sums(stack, late) == (129010, 0)
    assert book(stack, late) == {done["id"]: (129010, 1, "succeeded")}


def test_all_of_it_holds(stack):
    for check in ("invariants", "drift"):
        done = stack.cli(check)
        assert done.returncode == 0, (check, done)
