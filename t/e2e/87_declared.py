"""A channel that is a file, added to a stack that runs: it takes payments,
refunds and notices without a reload, and bears what every channel has to."""

import json
import os

from payhub_bank import KEY, SHOP, Bank
from payhub_channel_rows import Channel, at_once, wait
from payhub_scenario import order
from payhub_stack_fixture import TREE

FILE = os.path.join(TREE, "t", "data", "channels", "amberbank.json")
BAR = {"method": "amberbank_bar", "extra": {"auth_code": "AMB-1"}}
LOST = ("delay", "hang_before", "hang_after", "drop_before", "drop_after",
        "http500_before", "http500_after", "http429")
UNSIGNED = ("bad_sign", "no_sign", "stale", "truncated", "html", "empty", "big",
            "deep", "twice", "odd_code")

held = {}  # the bank, its account, and who ran before


def running(stack):
    """(pid, restarts) of all, and nginx's own workers."""
    rows, _ = stack.status()
    nginx = rows["nginx"]["pid"]
    with open(f"/proc/{nginx}/task/{nginx}/children", encoding="ascii") as file:
        children = file.read().split()
    return {name: (row["pid"], row["restarts"]) for name, row in rows.items()
            }, sorted(children)


def test_a_file_is_added_to_a_running_stack(stack):
    held["ran"], held["bank"] = running(stack), Bank()
    refused = stack.client.pay(order("declared"), 1200, method="amberbank_qr")
    assert refused.status == 422, refused
    tested = stack.cli("channel", "test", FILE)
    assert tested.returncode == 0, tested
    added = stack.cli("channel", "add", FILE)
    assert added.returncode == 0, added
    listed = stack.cli("channel", "list", "--json")
    assert listed.returncode == 0 and "amberbank" in listed.stdout, listed
    held["channel"] = Channel(
        stack, held["bank"], "amberbank",
        {"base_url": held["bank"].url, "shop": SHOP}, {"key": KEY},
        method="amberbank_qr")


def test_it_takes_a_payment_a_notice_and_refunds(stack):
    channel = held["channel"]
    answer, number = channel.pay()
    assert answer.status == 201 and answer.json["status"] == "paying", answer
    assert answer.json["channel"] == "amberbank", answer
    assert answer.json["action"] == {
        "type": "qr_code", "data": "amber://pay/" + number}, answer
    told = channel.counterpart.pay(number, copies=3)
    assert [(one["status"], one["body"]) for one in told] \
        == [(200, "OK")] * 3, told
    row = channel.ends(answer, "paid")
    assert row["channel_trade_no"] == channel.book(number)["bank_no"], row
    before = channel.rows(number)
    for told in (channel.told(number, [200] * 2, copies=2),
                 channel.told(number, [200], bend="replay")):
        assert {one["body"] for one in told} == {"OK"}, told
    assert channel.rows(number) == before
    half = row["amount"] // 2
    first = channel.refund(answer, half)
    assert first.status == 201, first
    channel.refund_ends(first, "succeeded")
    again = channel.refund(answer, row["amount"])
    assert again.status == 422, again
    rest = channel.refund(answer, row["amount"] - half)
    channel.refund_ends(rest, "succeeded")
    assert channel.get(answer)["amount_refunded"] == row["amount"]
    book = channel.book(number)
    assert [one["times"] for one in book["refunds"].values()] == [1, 1], book


def test_nothing_was_started_anew_for_it(stack):
    assert running(stack) == held["ran"]


def test_its_other_operations(_stack):
    channel = held["channel"]
    answer, number = channel.pay(**BAR)
    assert answer.status == 201 and answer.json["status"] == "paid", answer
    answer, _ = channel.pay(**{**BAR, "extra": {"auth_code": "POOR"}})
    assert answer.status == 201 and answer.json["status"] == "failed", answer
    answer, _ = channel.pay(method="amberbank_bar", extra={})
    assert answer.status in (400, 422), answer  # auth_code must be there
    answer, number = channel.pay()
    channel.counterpart.pay(number, silent=True)
    assert channel.get(answer, sync=True)["status"] == "paid"
    answer, number = channel.pay()
    closed = channel.stack.client.call(
        "POST", f"/v1/payments/{answer.json['id']}/close", {})
    assert closed.status == 200, closed
    channel.ends(answer, "closed")
    assert channel.book(number)["status"] == "closed"
    answer, number = channel.pay()
    told = channel.told(number, [200], bend="wrong_amount")
    assert told[0]["body"] == "OK", told
    channel.ends(answer, "conflict")


def test_notices_that_are_not_the_banks(_stack):
    channel = held["channel"]
    answer, number = channel.pay()
    channel.refused_notices_move_nothing(number, (
        "no_sign", "other_key", "tampered", "stale", "truncated", "html",
        "empty"))
    assert channel.get(answer)["status"] == "paying"
    channel.counterpart.pay(number)
    channel.ends(answer, "paid")


def refund_query_row(fault):
    """Accepted, and the first two answers to what became of it are bad."""
    channel = held["channel"]
    answer, number = channel.paid()
    channel.counterpart.knob("refund", "working", number=number)
    channel.counterpart.knob("refund_query", fault, times=2, number=number)
    refund = channel.refund(answer, 3000)
    assert refund.status == 201, refund
    assert refund.json["status"] == "processing", refund
    channel.counterpart.refund_done(number, refund.json["id"])
    channel.refund_ends(refund, "succeeded")
    assert ("refund_query", fault) in channel.asked(number), fault


def test_every_fault_of_create_query_and_refund(_stack):
    channel = held["channel"]
    channel.repeats = True  # the file says so
    rows = [(channel.create_row, fault, "paid") for fault in LOST + UNSIGNED]
    rows += [(channel.create_row, "wrong_order", "conflict"),
             (channel.create_row, "wrong_amount", "conflict"),
             (channel.query_row, "wrong_amount", "conflict")]
    rows += [(channel.query_row, fault, "paid") for fault in LOST + UNSIGNED]
    rows += [(channel.refund_row, "refund", fault)
             for fault in LOST + UNSIGNED]
    rows += [(refund_query_row, fault) for fault in LOST + UNSIGNED]
    at_once(rows, lambda function, *words: function(*words))


def test_a_newer_file_takes_its_place(stack):
    """A longer title and another acknowledgement, while payments wait."""
    channel = held["channel"]
    answer, number = channel.pay()
    with open(FILE, encoding="utf-8") as file:
        newer = json.load(file)
    newer["notice"]["ack"]["body"] = "TAKEN"
    path = os.path.join(stack.scratch, "amberbank.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(newer, file)
    done = stack.cli("channel", "add", path, "--no-tapes")
    assert done.returncode == 0, done
    told = []

    def is_new():
        told[:] = channel.counterpart.pay(number)
        return told[0]["body"] == "TAKEN"

    wait(is_new, "the newer file is used", 5)
    channel.ends(answer, "paid")


def test_the_books_hold(stack):
    held["channel"].holds()
    assert running(stack) == held["ran"]
    held["bank"].end()
