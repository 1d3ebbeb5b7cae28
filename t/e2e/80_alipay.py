"""Alipay end to end: alipay-sdk checks what is sent and signs what comes."""

import os
import subprocess
import urllib.request

from payhub_channel_accounts import (
    ALIPAY_ACTED_FOR, ALIPAY_PROVIDER, ALIPAY_TOKEN, Alipay, key)
from payhub_channel_rows import at_once, wait
from payhub_counterpart import KEYS, Counterpart
from payhub_scenario import order
from payhub_wallet_rows import LOST, ROWS, UNREADABLE

AES_KEY = "MTIzNDU2Nzg5MGFiY2RlZg=="
BUYER = {"buyer_id": "2088102175864321"}
FAULTS = LOST + UNREADABLE + ("root_twice", "error_response", "system_error",
                              "unknown_error", "odd_code")

held = {}  # the counterpart and its accounts, from the first test on


def test_accounts_are_added_live(stack):
    bank = held["counterpart"] = Counterpart("alipay")
    held["key"] = Alipay(stack, bank, first_amount=310100, **Alipay.public)
    held["aes"] = Alipay(stack, bank, first_amount=320100, aes_key=AES_KEY,
                         **Alipay.public)
    held["cert"] = Alipay(stack, bank, first_amount=330100,
                          **Alipay.certified)
    held["acts"] = Alipay(
        stack, bank, first_amount=340100, app_auth_token=ALIPAY_TOKEN,
        sys_service_provider_id=ALIPAY_PROVIDER,
        **{**Alipay.public, "seller_id": ALIPAY_ACTED_FOR})


def test_a_code_is_shown_scanned_paid_and_told(_stack):
    """A code that nobody scanned is no trade: nothing ends by that."""
    channel = held["key"]
    answer, number = channel.shown()
    assert answer.json["action"]["type"] == "qr_code", answer
    assert answer.json["action"]["data"].endswith(number), answer
    assert channel.get(answer, sync=True)["status"] == "paying"
    channel.counterpart.set(number, scanned=True)
    assert channel.get(answer, sync=True)["status"] == "paying"
    told = channel.counterpart.pay(number)
    assert [(one["status"], one["body"]) for one in told] \
        == [(200, "success")], told
    row = channel.ends(answer, "paid")
    assert row["channel_trade_no"] == channel.book(number)["tradeNo"], row
    told = channel.repeats_move_nothing(number, ("waiting", "closed"))
    assert {one["body"] for one in told} == {"success"}, told


def test_notices_of_one_payment_come_three_at_a_time(_stack):
    held["key"].codes_three_at_a_time()


def test_page_wap_and_app_are_signed_without_a_call(_stack):
    channel, counterpart = held["key"], held["counterpart"]
    for method, kind in (("alipay_page", "redirect"),
                         ("alipay_wap", "redirect"), ("alipay_app", "app")):
        answer, number = channel.shown(
            method=method, subject="\u676f\u5b50 & 1=2",
            return_url="https://shop.example/back?a=1&b=%E4%B8%AD")
        action = answer.json["action"]
        assert action["type"] == kind, answer
        assert channel.asked(number) == [], "a call was made"
        if kind == "app":
            request = urllib.request.Request(counterpart.url + "/gateway.do",
                                             data=action["data"].encode())
        else:
            assert action["data"].startswith(counterpart.url), action
            request = action["data"]
        with urllib.request.urlopen(request, timeout=10) as page:
            assert page.status == 200
        book = channel.book(number)
        assert (book["amount"], book["subject"]) \
            == (answer.json["amount"], "\u676f\u5b50 & 1=2"), book
        counterpart.pay(number)
        channel.ends(answer, "paid")


def test_jsapi_and_bar_codes(_stack):
    channel = held["key"]
    answer, number = channel.shown(method="alipay_jsapi", extra=BUYER)
    assert answer.json["action"] == {
        "type": "jsapi",
        "data": {"tradeNO": channel.book(number)["tradeNo"]}}, answer
    channel.counterpart.pay(number)
    channel.ends(answer, "paid")
    for method in ("alipay_bar", "bar"):
        answer, number = channel.pay(method=method,
                                     extra={"auth_code": channel.bar[1]})
        assert (answer.status, answer.json["status"]) == (201, "paid"), answer
        assert answer.json["channel_trade_no"] \
            == channel.book(number)["tradeNo"], answer


def bar_waits_and_is_taken_back(fault, channel=None):
    """`fault` of the cancel."""
    channel = channel or held["key"]
    more = {"reverse": fault} if fault else {}
    answer, number = channel.bar_pay("wait", **more)
    channel.ends(answer, "closed", wait_s=35)
    book = channel.book(number)
    assert (book["status"], book["reverses"]) == ("closed", 1), book
    assert ("reverse", fault) in channel.asked(number), channel.asked(number)


def bar_is_declined():
    channel = held["key"]
    answer, _ = channel.bar_pay("declined")
    assert (answer.status, answer.json["status"]) == (201, "failed"), answer
    assert answer.json["error"]["channel_code"] \
        == "ACQ.BUYER_BALANCE_NOT_ENOUGH", answer


def test_bar_codes_that_wait_fail_or_stay_unfinished(_stack):
    at_once([(held["key"].bar_paid_meanwhile,), (bar_is_declined,),
             (held["key"].bar_taken_back_later,)]
            + [(bar_waits_and_is_taken_back, fault)
               for fault in (None, "retry", "drop_before", "drop_after",
                             "bad_sign", "no_sign", "system_error")],
            lambda step, *words: step(*words))


def test_keys_certificates_and_encryption(_stack):
    """Every operation in every mode."""
    def row(name):
        channel = held[name]
        answer, number = channel.paid()
        refund = channel.refund(answer, 100)
        assert (refund.status, refund.json["status"]) == (201, "succeeded"), \
            refund
        assert channel.refunds(number) == {refund.json["id"]: (100, 1)}
        channel.refund_query_row("bad_sign")
        answer, number = channel.paid_silently()
        assert channel.get(answer, sync=True)["status"] == "paid"
        answer, number = channel.scanned()
        closed = channel.close(answer)
        assert closed.json["status"] == "closed", closed
        answer, number = channel.bar_pay()
        assert answer.json["status"] == "paid", answer
        answer, _ = channel.shown(method="alipay_jsapi", extra=BUYER)
        answer, _ = channel.shown(method="alipay_page")
        with urllib.request.urlopen(answer.json["action"]["data"],
                                    timeout=10) as page:
            assert page.status == 200

    at_once([(name,) for name in ("key", "aes", "cert")], row)


def test_alipay_takes_another_certificate(stack):
    """It is fetched by its number, and read from then on."""
    channel, counterpart = held["cert"], held["counterpart"]
    folder = os.path.join(stack.scratch, "next")
    os.mkdir(folder)
    keys = os.path.join(KEYS, "alipay")

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True,
                       capture_output=True)

    openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "k",
            "-out", "q", "-subj",
            "/C=CN/O=Alipay sim/OU=Alipay/CN=Alipay sim platform")
    openssl("x509", "-req", "-in", "q", "-CA", f"{keys}/mid.crt", "-CAkey",
            f"{keys}/mid_pkcs8.pem", "-set_serial", "0x2027", "-days", "30",
            "-sha256", "-out", "c")
    texts = {}
    for name in ("k", "c"):
        with open(os.path.join(folder, name), encoding="ascii") as file:
            texts[name] = file.read()
    counterpart.ask("/_rotate", cert=texts["c"] + key("alipay", "mid.crt"),
                    key=texts["k"])
    answer, number = channel.shown_later()
    counterpart.pay(number, silent=True)
    wait(lambda: channel.get(answer, sync=True)["status"] == "paid",
         "answers of the new certificate are read")
    answer, number = channel.paid_silently()
    assert channel.get(answer, sync=True)["status"] == "paid"
    asked = [one["op"] for one in counterpart.seen()["seen"]]
    assert asked.count("refresh") == 1, asked.count("refresh")


def test_acting_for_a_merchant(_stack):
    """By the token of each request; a merchant's orders are his alone."""
    channel = held["acts"]
    answer, number = channel.shown()
    told = channel.counterpart.pay(number)
    assert [one["status"] for one in told] == [200], told
    channel.ends(answer, "paid")
    book = channel.book(number)
    assert (book["token"], book["provider"]) == (
        ALIPAY_TOKEN, ALIPAY_PROVIDER), book
    refund = channel.refund(answer, 100)
    assert refund.json["status"] == "succeeded", refund
    channel.told(number, [200], refund=refund.json["id"])
    channel.refund_query_row("drop_after")
    answer, number = channel.paid_silently()
    assert channel.get(answer, sync=True)["status"] == "paid"
    answer, number = channel.scanned()
    assert channel.close(answer).json["status"] == "closed"
    answer, number = channel.bar_pay()
    assert answer.json["status"] == "paid", answer
    bar_waits_and_is_taken_back(None, channel)
    for method in ("alipay_page", "alipay_wap", "alipay_jsapi"):
        answer, number = channel.shown(
            method=method, extra=BUYER if method == "alipay_jsapi" else {})
        if method != "alipay_jsapi":
            with urllib.request.urlopen(answer.json["action"]["data"],
                                        timeout=10) as page:
                assert page.status == 200
        assert channel.book(number)["token"] == ALIPAY_TOKEN
        channel.counterpart.pay(number)
        channel.ends(answer, "paid")
    # paid, but to another merchant of the same app
    channel.conflicts_by_notice(("wrong_seller", "wrong_app"))
    other = held["key"]
    answer, number = other.paid_silently()
    other.told(number, [200], bend="acted_for")
    other.ends(answer, "conflict")


def test_close(_stack):
    channel = held["key"]
    answer, number = channel.scanned()
    closed = channel.close(answer)
    assert (closed.status, closed.json["status"]) == (200, "closed"), closed
    assert channel.book(number)["status"] == "closed"
    assert channel.close(answer).status == 200
    answer, number = channel.paid_silently()
    closed = channel.close(answer)
    assert closed.status in (200, 409), closed
    assert channel.get(answer)["status"] == "paid", "Alipay was paid before"


def test_a_code_that_is_scanned_after_it_was_closed(_stack):
    """No trade could be closed; the payer's money is not lost."""
    channel = held["key"]
    answer, number = channel.shown()
    channel.close(answer)
    told = channel.counterpart.pay(number)
    assert [one["status"] for one in told] == [200], told
    row = channel.ends(answer, "paid", "paid_late")
    if row["status"] == "paid_late":
        channel.went_back(row, number)


def test_success_after_close_goes_back(_stack):
    held["key"].late_success_goes_back()


def test_refunds_full_partial_and_twice(_stack):
    channel = held["key"]
    answer, number = channel.paid()
    amount = answer.json["amount"]
    name = order("r")
    first = channel.refund(answer, 300, name)
    assert (first.status, first.json["status"]) == (201, "succeeded"), first
    again = channel.refund(answer, 300, name)
    assert (again.status, again.json) == (200, first.json), again
    over = channel.refund(answer, amount - 299)
    assert over.json["code"] == "PH-A307", over
    rest = channel.refund(answer, amount - 300)
    assert rest.json["status"] == "succeeded", rest
    assert channel.refunds(number) == {
        first.json["id"]: (300, 1), rest.json["id"]: (amount - 300, 1)}
    for one in (first, rest):
        told = channel.told(number, [200] * 3, refund=one.json["id"],
                            copies=3)
        assert {each["body"] for each in told} == {"success"}, told
    assert channel.get(answer)["amount_refunded"] == amount
    answer, number = channel.paid()
    whole = channel.refund(answer, answer.json["amount"])
    assert whole.json["status"] == "succeeded", whole
    channel.told(number, [200], refund=whole.json["id"])
    row = channel.get(answer, sync=True)
    assert (row["status"], row["amount_refunded"]) \
        == ("paid", answer.json["amount"]), row


def test_refunds_of_the_console(_stack):
    held["key"].console_refund_row()


def test_a_refund_that_alipay_refuses_has_failed(_stack):
    channel = held["key"]
    answer, number = channel.paid()
    channel.counterpart.knob("refund", "poor", number=number)
    refund = channel.refund(answer, 100)
    row = channel.refund_ends(refund, "failed")
    assert row["error"]["channel_code"] == "ACQ.SELLER_BALANCE_NOT_ENOUGH", row
    assert channel.refunds(number) == {}
    assert channel.get(answer)["amount_refunding"] == 0
    assert channel.refund(answer, 100).json["status"] == "succeeded"


# --- notices that are not what they seem -------------------------------------

def test_refused_notices_move_nothing(_stack):
    channel = held["key"]
    _, number = channel.shown()
    channel.refused_notices_move_nothing(
        number, ("tampered", "bad_sign", "no_sign", "own_key", "weak",
                 "truncated", "html", "odd_amount"))
    answer, number = channel.paid()
    channel.refused_notices_move_nothing(number, ("tampered", "bad_sign"))
    assert channel.get(answer)["status"] == "paid"


def test_a_genuine_notice_in_other_pieces_does_not_pay(_stack):
    """What is signed has no marks where a value ends: a description that says
    k=v&k=v (Alipay takes 128 characters of it) could pay another order."""
    channel = held["key"]
    dear, victim = channel.shown(amount=99999999)
    answer, number = channel.pay(description=(
        f"x&notify_id=2&out_trade_no={victim}&total_amount=999999.99&"
        "trade_status=TRADE_SUCCESS&zz=1"))
    assert answer.status == 201, answer
    channel.counterpart.pay(number, silent=True)
    before = channel.rows(victim)
    channel.told(number, [400], bend="resplit")
    assert channel.rows(victim) == before
    assert channel.get(dear)["status"] == "paying"
    channel.get(answer, sync=True)
    channel.ends(answer, "paid")


def test_genuine_notices_about_something_else_are_conflicts(_stack):
    held["key"].conflicts_by_notice(
        ("wrong_amount", "wrong_app", "wrong_seller"))


def test_a_notice_that_tells_nothing_of_ours_is_acknowledged(_stack):
    channel = held["key"]
    answer, number = channel.shown()
    before = channel.rows(number)
    channel.told(number, [200], bend="nobody")
    assert channel.rows(number) == before
    channel.told(number, [200], bend="odd_status")
    assert channel.get(answer)["status"] == "paying"


# --- faults of answers -------------------------------------------------------

def lies():
    """(row, how): what somebody else answers in Alipay's place."""
    channel, cert, aes = held["key"], held["cert"], held["aes"]
    rows = [(row, how) for how in ("own_key", "bad_sign", "no_sign",
                                   "not_base64", "error_response",
                                   "root_first", "root_last")
            for row in (channel.refund_query_lie, channel.refund_lie,
                        channel.bar_lie, channel.query_lie,
                        channel.close_lie)]
    rows += [(row, how) for how in ("own_key", "no_sign")
             for other in (cert, aes)
             for row in (other.bar_lie, other.query_lie)]
    return rows + [(cert.bar_lie, "unknown_serial"),
                   (cert.query_lie, "unknown_serial")]


def test_faults_and_lies_of_every_operation(_stack):
    channel, cert, aes = held["key"], held["cert"], held["aes"]
    rows = [(row, fault) for fault in FAULTS
            for row in (channel.refund_row, channel.refund_query_row,
                        channel.close_row, channel.create_row,
                        channel.bar_row, channel.query_row)]
    rows += [(row, fault) for fault in ("unknown_serial", "no_sign")
             for row in (cert.refund_row, cert.refund_query_row,
                         cert.create_row, cert.query_row)]
    rows += [(row, fault) for fault in ("bad_sign", "truncated")
             for row in (aes.refund_row, aes.create_row, aes.query_row)]
    rows += [(channel.refund_row, "wrong_amount"),
             (channel.refund_row, "wrong_order"),
             (channel.refund_row, "system_error_done"),
             (channel.refund_row, "nothing_changed"),
             (channel.query_row, "odd_amount"),
             (channel.query_row, "odd_status")]
    rows += lies()
    # refunds that were lost take longest: they begin first
    slow = ("refund_query_lie", "refund_row")
    rows.sort(key=lambda row: row[0].__name__ not in slow)
    at_once(rows, lambda row, fault: row(fault), ROWS)


def test_genuine_answers_about_something_else_are_conflicts(_stack):
    held["key"].conflicts_by_answer(("wrong_amount", "wrong_order"))


def test_a_create_that_alipay_did_not_take_is_not_sent(_stack):
    """Signed: the app may not do this."""
    held["key"].not_sent("no_permission")


def test_the_books_hold(_stack):
    for channel in ("key", "aes", "cert", "acts"):
        held[channel].holds()
    held["counterpart"].end()
