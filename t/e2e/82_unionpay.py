"""UnionPay end to end: the browser's form and the app's number, queries,
refunds, revocations and notices, against a counterpart of node's own crypto
that gives the signatures of the vectors."""

import base64
import datetime
import html
import os
import re
import urllib.parse
import urllib.request

from payhub_channel_accounts import SECURE_KEY, Unionpay
from payhub_channel_rows import at_once, wait
from payhub_client import Receiver
from payhub_counterpart import KEYS, Counterpart
from payhub_scenario import order

NEVER_ARRIVED = ("drop_before", "hang_before", "http500_before", "http429")
DONE = ("delay", "drop_after", "hang_after", "http500_after")
UNREADABLE = ("truncated", "html", "empty", "big", "deep", "unknown_code")
NOT_GENUINE = ("bad_sign", "no_sign", "other_key", "own_key")
OF_ANOTHER = ("wrong_amount", "wrong_order", "other_mer")

AT = {}


def binary(name):
    """A file as an account has it: in base64."""
    with open(os.path.join(KEYS, "unionpay", name), "rb") as file:
        return base64.b64encode(file.read()).decode()


def at(stack):
    """The account that most scenarios share."""
    if not AT:
        AT["bank"] = Counterpart("unionpay")
        AT["account"] = Unionpay(stack, AT["bank"], **Unionpay.certified)
    return AT["account"]


def browser(channel, answer):
    """What a browser does with the page; the form's fields."""
    page = answer.json["action"]["data"]
    where = html.unescape(re.search(r'action="([^"]*)"', page)[1])
    fields = [(html.unescape(name), html.unescape(value)) for name, value in
              re.findall(r'name="([^"]*)" value="([^"]*)"', page)]
    with urllib.request.urlopen(urllib.request.Request(
            where, data=urllib.parse.urlencode(fields).encode()),
            timeout=10) as reply:
        assert reply.status == 200
    assert channel.book(dict(fields)["orderId"]), fields
    return dict(fields)


def test_an_app_payment_is_told_by_notice(stack):
    channel = at(stack)
    receiver = Receiver(stack.env["PAYHUB_WEBHOOK_SECRET"])
    try:
        answer, number = channel.pay(amount=8888, notify_url=receiver.url)
        assert answer.status == 201 and answer.json["status"] == "paying"
        assert answer.json["action"]["type"] == "app", answer.json
        assert re.fullmatch(r"7000\d{21}", answer.json["action"]["data"])
        told = channel.counterpart.pay(number)
        assert [(one["status"], one["body"]) for one in told] == [(200, "ok")]
        paid = channel.ends(answer, "paid")
        assert paid["channel_trade_no"] == answer.json["action"]["data"][4:]
        assert paid["amount"] == channel.book(number)["amount"] == 8888
        genuine, _, event = receiver.wait(answer.json["order_no"])
        assert genuine and event["type"] == "payment.paid", event
    finally:
        receiver.close()


def test_a_browser_payment_by_notice_and_by_query(stack):
    channel = at(stack)
    for silent in (False, True):
        answer, number = channel.pay(
            method="unionpay_web", amount=123456789,
            subject="茶 & {\"cake\"}=[2]",
            return_url="https://shop.example/b?c=d")
        assert answer.status == 201, answer
        fields = browser(channel, answer)
        assert fields["orderId"] == number, fields
        assert (fields["txnAmt"], fields["frontUrl"]) == (
            "123456789", "https://shop.example/b?c=d"), fields
        channel.counterpart.pay(number, silent=silent)
        assert channel.get(answer, sync=True)["status"] == "paid"


def test_who_never_posted_the_form_is_not_found(stack):
    """... and stays payable: the form is in the payer's hands."""
    channel = at(stack)
    answer, number = channel.pay(method="unionpay_web")
    wait(lambda: len(channel.asked(number, "query")) >= 3, "three queries")
    assert channel.get(answer, sync=True)["status"] == "paying"
    browser(channel, answer)
    channel.counterpart.pay(number, silent=True)
    assert channel.ends(answer, "paid")


def test_there_is_no_close(stack):
    channel = at(stack)
    answer, number = channel.pay()
    target = f"/v1/payments/{answer.json['id']}/close"
    closed = stack.client.call("POST", target)
    assert (closed.status, closed.json["code"]) == (409, "PH-A302"), closed
    assert channel.asked(number) == [("create", None)]
    channel.counterpart.pay(number)
    channel.ends(answer, "paid")


def signer_row(stack, name, values):
    """Pays, asks, gives back; believes nothing that is signed otherwise."""
    channel = Unionpay(stack, AT["bank"], **values)
    answer, number = channel.paid()
    assert channel.get(answer)["status"] == "paid", name
    refund = channel.refund(answer, 1)
    channel.refund_ends(refund, "succeeded")
    channel.refused_notices_move_nothing(
        number, ["tampered", "no_sign", "other_method"])
    answer, number = channel.pay()
    channel.counterpart.knob("query", "bad_sign", number=number)
    channel.counterpart.pay(number, silent=True)
    assert channel.get(answer, sync=True)["status"] == "paying", name
    channel.ends(answer, "paid")
    channel.holds()


def test_the_merchants_key_as_a_pfx_or_shared(stack):
    at(stack)
    password = {"pfx_password": "000000", **Unionpay.chain}
    at_once([(stack, name, values) for name, values in (
        ("aes", {"pfx": binary("merchant_aes.pfx"), **password}),
        ("rc2", {"pfx": binary("merchant.pfx"), **password}),
        ("unnamed", {"secure_key": SECURE_KEY}),
        ("sha256", {"secure_key": SECURE_KEY, "sign_method": "11"}),
        ("sm3", {"secure_key": SECURE_KEY, "sign_method": "12"}))],
            signer_row)


def test_refunds(stack):
    """Partial twice, over, the rest; each once at the channel."""
    channel = at(stack)
    answer, number = channel.paid(amount=10000)
    first_no = order("r")
    first = channel.refund(answer, 3000, first_no)
    assert (first.status, first.json["status"]) == (201, "processing"), first
    channel.told(number, [200], refund=first.json["id"])
    channel.refund_ends(first, "succeeded")
    again = channel.refund(answer, 3000, first_no)
    assert again.status == 200 and again.json["id"] == first.json["id"], again
    over = channel.refund(answer, 7001)
    assert (over.status, over.json["code"]) == (422, "PH-A307"), over
    rest = channel.refund(answer, 7000)
    channel.refund_ends(rest, "succeeded")  # by query
    book = channel.book(number)["refunds"]
    assert {name: (one["amount"], one["times"], one["txnType"])
            for name, one in book.items()} == {
        first.json["id"]: (3000, 1, "04"), rest.json["id"]: (7000, 1, "04")}
    assert channel.get(answer)["amount_refunded"] == 10000


def test_a_whole_refund_of_the_day_revokes(stack):
    at(stack)
    channel = Unionpay(stack, AT["bank"], revoke="yes", **Unionpay.certified)
    zone = datetime.timezone(datetime.timedelta(hours=8))
    answer, number = channel.paid(amount=10000)
    before = datetime.datetime.now(zone)
    refund = channel.refund(answer, 10000)
    channel.refund_ends(refund, "succeeded")
    book = channel.book(number)["refunds"][refund.json["id"]]
    assert (book["times"], book["amount"]) == (1, 10000), book
    # near 22:00 and midnight in Beijing either is right
    if datetime.time(0, 1) < before.time() < datetime.time(21, 59):
        assert book["txnType"] == "31", book
    elif datetime.time(22, 1) < before.time() < datetime.time(23, 58):
        assert book["txnType"] == "04", book
    partial, other = channel.paid(amount=10000)
    refund = channel.refund(partial, 9999)
    channel.refund_ends(refund, "succeeded")
    assert channel.book(other)["refunds"][refund.json["id"]][
        "txnType"] == "04"
    channel.holds()


def test_refunds_of_the_console(stack):
    at(stack).console_refund_row()


def test_a_refused_refund_gives_back_what_it_held(stack):
    channel = at(stack)
    answer, number = channel.paid(amount=10000)
    channel.counterpart.ask("/_console_refund", number=number, amount=9000)
    channel.untold.add(number)
    refund = channel.refund(answer, 2000)
    assert (refund.status, refund.json["status"]) == (201, "failed"), refund
    row = channel.get(answer)
    assert (row["amount_refunded"], row["amount_refunding"]) == (0, 0), row
    assert refund.json["id"] not in channel.book(number)["refunds"]


def test_notices_that_are_not_genuine(stack):
    channel = at(stack)
    answer, number = channel.pay()
    channel.refused_notices_move_nothing(
        number, ["tampered", "no_sign", "other_key", "own_key", "twice",
                 "other_mer"])
    channel.counterpart.pay(number)
    channel.ends(answer, "paid")
    refund = channel.refund(answer, 10)
    channel.refund_ends(refund, "succeeded")
    channel.refused_notices_move_nothing(
        number, ["tampered", "other_key"], refund=refund.json["id"])


def test_notices_again_at_once_and_late(stack):
    """Duplicates and replays are acknowledged and have one effect."""
    channel = at(stack)
    answer, number = channel.pay()
    told = channel.counterpart.pay(number, copies=3)
    assert [one["status"] for one in told] == [200] * 3, told
    assert channel.get(answer)["status"] == "paid"
    before = channel.rows(number)
    channel.told(number, [200] * 3, copies=3)
    assert channel.rows(number) == before
    refund = channel.refund(answer, 5)
    channel.told(number, [200] * 3, refund=refund.json["id"], copies=3)
    channel.refund_ends(refund, "succeeded")
    assert channel.get(answer)["amount_refunded"] == 5


def test_genuine_notices_of_something_else(stack):
    channel = at(stack)
    for bend in ("wrong_amount",):
        receiver = Receiver(stack.env["PAYHUB_WEBHOOK_SECRET"])
        try:
            answer, number = channel.pay(notify_url=receiver.url)
            told = channel.told(number, [200], bend=bend)
            assert told[0]["body"] == "ok", told
            assert channel.get(answer)["status"] == "conflict", bend
            genuine, _, event = receiver.wait(answer.json["order_no"])
            assert genuine and event["type"] == "payment.conflict", event
        finally:
            receiver.close()
    answer, number = channel.pay()
    before = channel.rows(number)
    channel.told(number, [200], bend="nobody")
    assert channel.rows(number) == before


def test_success_after_it_was_called_failed_goes_back(stack):
    at(stack).late_success_goes_back()


def test_faults_of_answers(stack):
    channel = at(stack)
    rows = [(channel.lie_row, fault) for fault in NOT_GENUINE]
    for fault in NEVER_ARRIVED + DONE + UNREADABLE + NOT_GENUINE + OF_ANOTHER:
        is_conflict = fault in OF_ANOTHER
        rows.append((channel.create_row, fault, "conflict" if is_conflict else
                     "failed" if fault in NEVER_ARRIVED else "paid"))
        rows.append((channel.query_row, fault,
                     "conflict" if is_conflict else "paid"))
        rows.append((channel.refund_row, "refund", fault))
        rows.append((channel.refund_row, "refund_query", fault))
    at_once(rows, lambda function, *words: function(*words))


def test_all_of_it_holds(stack):
    channel = at(stack)
    try:
        channel.holds()
        seen = channel.counterpart.seen()["notices"]
        assert all(one["body"] == "ok" for one in seen
                   if one["status"] == 200), seen
        assert {one["status"] for one in seen} == {200, 400}, seen
    finally:
        AT["bank"].end()
        AT.clear()
