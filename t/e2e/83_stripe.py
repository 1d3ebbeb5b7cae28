"""Stripe end to end, over TLS and HTTP/2, against a counterpart that the
official client uses too: payments by intent, confirmed ones, close, refunds,
webhooks, each fault."""

import os
import re
import subprocess

from payhub_channel_accounts import Stripe, WEBHOOK_SECRET
from payhub_channel_rows import at_once, wait
from payhub_client import Receiver
from payhub_counterpart import Counterpart
from payhub_scenario import order

NEVER_ARRIVED = ("drop_before", "hang_before", "http500_before")
DONE = ("delay", "drop_after", "hang_after", "http500_after", "in_use")
UNREADABLE = ("truncated", "html", "empty", "big", "deep", "unknown_code",
              "unknown_status", "real_amount")
REFUSED = ("http401", "http429")
OF_ANOTHER = ("wrong_amount", "wrong_currency", "wrong_order")

AT = {}


def at(stack):
    if not AT:
        AT["stripe"] = Counterpart("stripe", stack=stack)
        AT["account"] = Stripe(stack, AT["stripe"])
    return AT["account"]


def official(channel, number):
    """(intent, refunds) as the official client reads them."""
    read = channel.counterpart.ask("/_client", number=number)
    return read["intent"], read["refunds"]


def test_a_payment_is_told_by_webhook(stack):
    channel = at(stack)
    receiver = Receiver(stack.env["PAYHUB_WEBHOOK_SECRET"])
    try:
        answer, number = channel.pay(amount=8888, notify_url=receiver.url,
                                     subject="茶 & cake = 100 %+")
        assert answer.status == 201 and answer.json["status"] == "paying"
        assert answer.json["action"]["type"] == "client_secret", answer.json
        intent, _ = official(channel, number)
        assert answer.json["action"]["data"] == intent["client_secret"]
        assert (intent["status"], intent["amount"], intent["currency"]) == (
            "requires_payment_method", 8888, "usd"), intent
        assert intent["metadata"]["out_trade_no"] == number, intent
        assert intent["description"] == "茶 & cake = 100 %+", intent
        told = channel.counterpart.pay(number)
        assert [one["status"] for one in told] == [200], told
        paid = channel.ends(answer, "paid")
        assert paid["channel_trade_no"] == intent["id"], paid
        genuine, _, event = receiver.wait(answer.json["order_no"])
        assert genuine and event["type"] == "payment.paid", event
    finally:
        receiver.close()


def test_what_the_official_client_makes_is_nobodys(stack):
    channel = at(stack)
    made = channel.counterpart.ask("/_client", key="dashboard-1", make={
        "amount": 500, "currency": "usd", "description": "中文 & = +",
        "automatic_payment_methods": {"enabled": True},
        "metadata": {"out_trade_no": "DASHBOARD1"}})
    assert made["status"] == "requires_payment_method", made
    before = stack.rows("SELECT COUNT(*) FROM payment")
    told = channel.counterpart.pay("DASHBOARD1")
    assert [one["status"] for one in told] == [200], told
    assert stack.rows("SELECT COUNT(*) FROM payment") == before


def test_a_confirmed_payment(stack):
    channel = at(stack)
    for method, status, action in (
            ("pm_card_visa", "paid", "none"),
            ("pm_card_chargeDeclined", "paying", "client_secret"),
            ("pm_card_authenticationRequired", "paying", "redirect")):
        answer, number = channel.pay(
            extra={"payment_method": method, "confirm": True},
            return_url="https://shop.example/b?c=d")
        assert answer.status == 201 and answer.json["status"] == status, answer
        assert answer.json["action"]["type"] == action, answer.json
        assert [op for op, _ in channel.asked(number)][:2] == [
            "create", "confirm"], channel.asked(number)
        if status == "paying":  # another card, or the bank's page
            channel.counterpart.pay(number)
            channel.ends(answer, "paid")
        assert channel.book(number)["charges"] == 1


def confirm_row(channel, fault):
    amount = next(channel.amounts)
    channel.counterpart.knob("confirm", fault, ms=300, amount=amount)
    answer, number = channel.pay(amount=amount, extra={
        "payment_method": "pm_card_visa", "confirm": True})
    assert answer.status in (201, 202), answer
    assert answer.json["status"] in ("paying", "paid", "conflict"), answer.json
    channel.ends(answer, "conflict" if fault in OF_ANOTHER else "paid")
    channel.not_believed(number, "confirm", fault,
                         "conflict" if fault in OF_ANOTHER else "paid")
    assert channel.book(number)["charges"] == 1


def test_close(stack):
    channel = at(stack)
    answer, number = channel.pay()
    closed = channel.close(answer)
    assert (closed.status, closed.json["status"]) == (200, "closed"), closed
    assert official(channel, number)[0]["status"] == "canceled"
    assert channel.close(answer).status == 200
    assert len(channel.asked(number, "close")) == 1
    # who paid a moment before
    answer, number = channel.pay()
    channel.counterpart.pay(number, silent=True)
    assert channel.close(answer).status == 409
    assert channel.get(answer)["status"] == "paid"


def test_refunds(stack):
    channel = at(stack)
    answer, number = channel.paid(amount=10000)
    first_no = order("r")
    first = channel.refund(answer, 3000, first_no)
    assert (first.status, first.json["status"]) == (201, "succeeded"), first
    again = channel.refund(answer, 3000, first_no)
    assert again.status == 200 and again.json["id"] == first.json["id"], again
    over = channel.refund(answer, 7001)
    assert (over.status, over.json["code"]) == (422, "PH-A307"), over
    rest = channel.refund(answer, 7000)
    assert (rest.status, rest.json["status"]) == (201, "succeeded"), rest
    _, refunds = official(channel, number)
    assert sorted((one["amount"], one["metadata"]["out_refund_no"])
                  for one in refunds) == [
        (3000, first.json["id"]), (7000, rest.json["id"])], refunds
    assert channel.get(answer)["amount_refunded"] == 10000


def slow_refund(channel, status):
    """A refund that is pending first; a notice tells its end."""
    answer, number = channel.paid()
    channel.counterpart.ask("/_slow", number=number)
    refund = channel.refund(answer, 3000)
    assert (refund.status, refund.json["status"]) == (201, "processing")
    channel.counterpart.ask("/_settle", number=number, status=status,
                            refund=refund.json["id"])
    channel.told(number, [200], refund=refund.json["id"])
    return answer, number, refund


def test_refunds_that_take_their_time(stack):
    channel = at(stack)
    for status, end, sum_ in (("succeeded", "succeeded", 3000),
                              ("failed", "failed", 0),
                              ("canceled", "failed", 0)):
        answer, _, refund = slow_refund(channel, status)
        channel.refund_ends(refund, end)
        row = channel.get(answer)
        assert (row["amount_refunded"], row["amount_refunding"]) == (
            sum_, 0), row


def test_a_refund_that_fails_after_it_succeeded_is_an_alarm(stack):
    """The money came back to the merchant's balance days later: no step
    back, but a person has to know."""
    channel = at(stack)
    answer, number, refund = slow_refund(channel, "succeeded")
    channel.refund_ends(refund, "succeeded")
    channel.counterpart.ask("/_settle", number=number, status="failed",
                            refund=refund.json["id"])
    before = channel.rows(number)
    channel.told(number, [200], refund=refund.json["id"])
    assert channel.rows(number) == before
    wait(lambda: channel.log(refund.json["id"], "ev=refund_conflict"),
         "an alarm", 5)
    # the books of this one say otherwise from now on, as they have to
    channel.counterpart.ask("/_settle", number=number, status="succeeded",
                            refund=refund.json["id"])
    assert channel.get(answer)["amount_refunded"] == 3000


def test_refunds_of_the_dashboard(stack):
    """Told by webhook: counted.  Not told: ours is refused for its amount."""
    channel = at(stack)
    channel.console_refund_row()
    answer, number = channel.paid(amount=10000)
    channel.counterpart.ask("/_console_refund", number=number, amount=9000)
    channel.untold.add(number)
    refund = channel.refund(answer, 2000)
    assert (refund.status, refund.json["status"]) == (201, "failed"), refund
    row = channel.get(answer)
    assert (row["amount_refunded"], row["amount_refunding"]) == (0, 0), row


def test_webhooks_that_are_not_genuine(stack):
    channel = at(stack)
    answer, number = channel.pay()
    bends = ["tampered", "no_sign", "other_key", "stale", "v0", "livemode"]
    channel.refused_notices_move_nothing(number, bends)
    channel.counterpart.pay(number)
    channel.ends(answer, "paid")
    channel.refused_notices_move_nothing(number, ["tampered", "stale"])


def test_webhooks_again_at_once_and_late(stack):
    channel = at(stack)
    answer, number = channel.pay()
    told = channel.counterpart.pay(number, copies=3)
    assert [one["status"] for one in told] == [200] * 3, told
    assert channel.get(answer)["status"] == "paid"
    before = channel.rows(number)
    channel.told(number, [200] * 3, copies=3)
    for kind in ("payment_intent.processing", "payment_intent.requires_action",
                 "payment_intent.payment_failed", "charge.dispute.created"):
        channel.told(number, [200], bend="type:" + kind)
    assert channel.rows(number) == before
    refund = channel.refund(answer, 5)
    channel.told(number, [200] * 3, refund=refund.json["id"], copies=3)
    assert channel.get(answer)["amount_refunded"] == 5


def test_success_after_close_goes_back(stack):
    at(stack).late_success_goes_back()


def test_genuine_webhooks_of_something_else(stack):
    channel = at(stack)
    for bend in ("wrong_amount", "wrong_currency"):
        receiver = Receiver(stack.env["PAYHUB_WEBHOOK_SECRET"])
        try:
            answer, number = channel.pay(notify_url=receiver.url)
            told = channel.counterpart.pay(number, bend=bend)
            assert [one["status"] for one in told] == [200], told
            assert channel.get(answer)["status"] == "conflict", bend
            genuine, _, event = receiver.wait(answer.json["order_no"])
            assert genuine and event["type"] == "payment.conflict", event
        finally:
            receiver.close()
    answer, number = channel.pay()
    before = channel.rows(number)
    channel.told(number, [200], bend="wrong_order")
    assert channel.rows(number) == before
    # a hint is only a hint: the query tells
    channel.counterpart.pay(number, silent=True)
    channel.told(number, [200], bend="type:payment_intent.payment_failed")
    channel.ends(answer, "paid")


def test_secrets_of_webhooks_rotate(stack):
    at(stack)
    channel = Stripe(stack, AT["stripe"], webhook_secret=(
        "whsec_the_one_before_this " + WEBHOOK_SECRET))
    try:
        answer, _ = channel.paid()
        channel.holds()
    finally:
        AT["account"].hook()


def test_amounts_of_currencies(stack):
    """What Stripe writes with other decimals than ISO 4217."""
    at(stack)
    channel = Stripe(stack, AT["stripe"])
    for currency, amount, told in (
            ("JPY", 500, 500), ("KRW", 999, 999), ("EUR", 1, 1),
            ("KWD", 10500, 10500), ("UGX", 5, 500), ("ISK", 5, 500),
            ("MGA", 500, 5), ("HUF", 1050, 1050), ("TWD", 1050, 1050),
            ("KWD", 10505, None), ("MGA", 550, None)):
        answer, number = channel.pay(currency=currency, amount=amount)
        if told is None:
            assert answer.status == 422, (currency, amount, answer)
            continue
        assert answer.status == 201, (currency, amount, answer)
        assert channel.book(number)["amount"] == told, (currency, amount)
        channel.counterpart.pay(number)
        paid = channel.ends(answer, "paid")
        assert (paid["amount"], paid["currency"]) == (amount, currency), paid
        refund = channel.refund(answer, amount)
        channel.refund_ends(refund, "succeeded")
        assert sum(one["amount"] for one in
                   channel.book(number)["refunds"].values()) == told
    AT["account"].hook()


def close_row(channel, fault):
    answer, number = channel.pay()
    channel.counterpart.knob("close", fault, number=number, ms=300)
    closed = channel.close(answer)
    assert closed.status in (200, 202) or fault in OF_ANOTHER, closed
    channel.ends(answer, "conflict" if fault in OF_ANOTHER else "closed")
    channel.not_believed(number, "close", fault,
                         "conflict" if fault in OF_ANOTHER else "closed")
    assert channel.book(number)["status"] == "closed"


def kept_row(channel):
    """Stripe repeats a stored 500 for a day: nothing is known, and nothing
    can be paid, for the secret was never shown."""
    amount = next(channel.amounts)
    channel.counterpart.knob("create", "kept_500", amount=amount)
    answer, number = channel.pay(amount=amount)
    assert answer.status == 202 and answer.json["status"] == "paying", answer
    wait(lambda: len(channel.asked(number, "create")) > 3, "repeats")
    found = channel.get(answer)
    assert (found["status"], found["action"]["type"]) == ("paying", "none")
    assert channel.book(number)["status"] == "open"


def refused_row(channel, fault):
    """In Stripe's own words: nothing was made, nothing can have been paid."""
    amount = next(channel.amounts)
    channel.counterpart.knob("create", fault, amount=amount)
    answer, number = channel.pay(amount=amount)
    assert answer.json["status"] == "failed", answer
    assert channel.book(number) is None
    assert channel.asked(number) == [("create", fault)], channel.asked(number)


def test_faults_of_answers(stack):
    channel = at(stack)
    rows = [(kept_row, channel), (channel.refund_row, "refund", "kept_500"),
            *((refused_row, channel, fault) for fault in REFUSED)]
    for fault in REFUSED:
        rows += [(channel.query_row, fault), (close_row, channel, fault),
                 (channel.refund_row, "refund", fault),
                 (channel.refund_row, "refund_query_slow", fault)]
    for fault in NEVER_ARRIVED + DONE + UNREADABLE + OF_ANOTHER:
        end = "conflict" if fault in OF_ANOTHER else "paid"
        rows.append((channel.create_row, fault, end))
        rows.append((confirm_row, channel, fault))
        rows.append((channel.query_row, fault, end))
        rows.append((close_row, channel, fault))
        rows.append((channel.refund_row, "refund", fault))
        rows.append((channel.refund_row, "refund_query_slow", fault))
    at_once(rows, lambda function, *words: function(*words))


def self_signed(stack):
    """What is common of the names of a certificate and its key."""
    made = os.path.join(stack.scratch, "nobody")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days",
         "2", "-subj", "/CN=nobody", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", made + ".key", "-out", made + ".pem"],
        check=True, capture_output=True)
    return made


def test_the_key_goes_to_nobody_whom_the_authorities_do_not_name(stack):
    """A server of another authority is told nothing: no order is made there,
    and none was sent."""
    at(stack)
    other = Counterpart("stripe", stack=stack, tls=self_signed(stack))
    try:
        channel = Stripe(stack, other)
        answer, number = channel.pay()
        assert answer.json["status"] == "failed", answer
        assert answer.json["error"]["code"] == "PH-A403", answer
        seen = other.seen()
        assert (seen["seen"], seen["refused"]) == ([], []), seen
        assert channel.book(number) is None
    finally:
        other.end()


def test_calls_went_by_http_2(stack):
    versions = {one["http"] for one in at(stack).counterpart.seen()["seen"]
                if not one["agent"].startswith("Stripe/")}
    assert versions == {"2.0"}, versions


def test_all_of_it_holds(stack):
    channel = at(stack)
    try:
        channel.holds()
        for number in list(channel.counterpart.books())[:20]:
            intent, _ = official(channel, number)
            assert re.fullmatch(r"pi_\w+", intent["id"]), intent
    finally:
        AT["stripe"].end()
        AT.clear()
