"""Alipay end to end: alipay-sdk checks what is sent and signs what comes."""

import itertools
import os
import subprocess
import urllib.parse
import urllib.request

from payhub_channel_rows import Channel, at_once, wait
from payhub_counterpart import KEYS, Counterpart
from payhub_scenario import order

APP_ID, SELLER_ID = "2021000122671080", "2088101106499364"
AES_KEY = "MTIzNDU2Nzg5MGFiY2RlZg=="
BAR_CODE = {"auth_code": "281234567890123456"}
BUYER = {"buyer_id": "2088102175864321"}

# Answers that nothing may be learned from; what was asked is done or not.
LOST = ("delay", "hang_before", "hang_after", "drop_before", "drop_after",
        "http500_before", "http500_after", "http429")
UNSIGNED = ("bad_sign", "no_sign", "not_base64", "own_key", "root_twice",
            "error_response", "truncated", "html", "empty", "big", "deep")
UNCLEAR = ("system_error", "unknown_error", "odd_code")
FAULTS = LOST + UNSIGNED + UNCLEAR
NOT_DONE = ("hang_before", "drop_before", "http500_before", "http429",
            "system_error", "unknown_error", "odd_code")

held = {}  # the counterpart and its accounts, from the first test on


def key(name):
    path = os.path.join(KEYS, "alipay", name)
    with open(path, encoding="ascii") as file:
        return file.read()


def account(stack, first_amount, **more):
    counterpart = held["counterpart"]
    secrets = {"app_private_key": key("app_pkcs8.pem")}
    if "aes_key" in more:
        secrets["aes_key"] = more.pop("aes_key")
    channel = Channel(
        stack, counterpart, "alipay",
        {"gateway_url": counterpart.url + "/gateway.do", "app_id": APP_ID,
         "seller_id": SELLER_ID, **more}, secrets, method="alipay_qr")
    channel.amounts = itertools.count(first_amount)  # a knob's mark
    return channel


def shown(channel, **more):
    answer, number = channel.pay(**more)
    assert answer.status == 201 and answer.json["status"] == "paying", answer
    return answer, number


def refunds(channel, number):
    return {name: (one["amount"], one["times"])
            for name, one in channel.book(number)["refunds"].items()}


def test_accounts_are_added_live(stack):
    held["counterpart"] = Counterpart("alipay")
    public = {"alipay_public_key": key("platform_public.pem")}
    held["key"] = account(stack, 310100, **public)
    held["aes"] = account(stack, 320100, aes_key=AES_KEY, **public)
    held["cert"] = account(
        stack, 330100, app_cert=key("appCertPublicKey.crt"),
        alipay_cert=key("alipayCertPublicKey.crt"),
        alipay_root_cert=key("alipayRootCert.crt"))


def test_a_code_is_shown_scanned_paid_and_told(_stack):
    """A code that nobody scanned is no trade: nothing ends by that."""
    channel = held["key"]
    answer, number = shown(channel)
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
    before = channel.rows(number)
    for told in (channel.told(number, [200] * 3, copies=3),
                 channel.told(number, [200], bend="replay"),
                 channel.told(number, [200], bend="waiting")):
        assert {one["body"] for one in told} == {"success"}, told
    assert channel.rows(number) == before


def test_notices_of_one_payment_come_three_at_a_time(_stack):
    channel = held["key"]
    answer, number = shown(channel)
    told = channel.counterpart.pay(number, copies=3)
    assert {(one["status"], one["body"]) for one in told} \
        == {(200, "success")}, told
    channel.ends(answer, "paid")


def test_page_wap_and_app_are_signed_without_a_call(_stack):
    channel, counterpart = held["key"], held["counterpart"]
    for method, kind in (("alipay_page", "redirect"),
                         ("alipay_wap", "redirect"), ("alipay_app", "app")):
        answer, number = shown(
            channel, method=method,
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
        assert channel.book(number)["amount"] == answer.json["amount"]
        counterpart.pay(number)
        channel.ends(answer, "paid")


def test_jsapi_and_bar_codes(_stack):
    channel = held["key"]
    answer, number = shown(channel, method="alipay_jsapi", extra=BUYER)
    assert answer.json["action"] == {
        "type": "jsapi",
        "data": {"tradeNO": channel.book(number)["tradeNo"]}}, answer
    channel.counterpart.pay(number)
    channel.ends(answer, "paid")
    for method in ("alipay_bar", "bar"):
        answer, number = channel.pay(method=method, extra=BAR_CODE)
        assert (answer.status, answer.json["status"]) == (201, "paid"), answer
        assert answer.json["channel_trade_no"] \
            == channel.book(number)["tradeNo"], answer


def bar(channel, fault):
    amount = next(channel.amounts)
    channel.counterpart.knob("create", fault, amount=amount)
    return channel.pay(method="alipay_bar", amount=amount, extra=BAR_CODE)


def bar_waits_and_is_paid():
    channel = held["key"]
    answer, number = bar(channel, "wait")
    channel.counterpart.pay(number, silent=True)
    channel.ends(answer, "paid")


def bar_waits_and_is_taken_back(fault):
    """`fault` of the cancel."""
    channel = held["key"]
    amount = next(channel.amounts)
    channel.counterpart.knob("create", "wait", amount=amount)
    if fault:
        channel.counterpart.knob("reverse", fault, amount=amount)
    answer, number = channel.pay(method="alipay_bar", amount=amount,
                                 extra=BAR_CODE)
    row = channel.ends(answer, "closed", wait_s=35)
    book = channel.book(number)
    assert row["status"] == "closed" and book["status"] == "closed", book
    assert book["reverses"] == 1, book
    assert ("reverse", fault) in channel.asked(number), channel.asked(number)


def bar_is_declined():
    channel = held["key"]
    answer, _ = bar(channel, "declined")
    assert (answer.status, answer.json["status"]) == (201, "failed"), answer
    assert answer.json["error"]["channel_code"] \
        == "ACQ.BUYER_BALANCE_NOT_ENOUGH", answer


def test_bar_codes_that_wait_fail_or_stay_unfinished(_stack):
    at_once([(bar_waits_and_is_paid,), (bar_is_declined,)]
            + [(lambda fault=fault: bar_waits_and_is_taken_back(fault),)
               for fault in (None, "retry", "drop_before", "drop_after",
                             "bad_sign", "no_sign", "system_error")],
            lambda step: step())


def test_keys_certificates_and_encryption(_stack):
    """Every operation in every mode."""
    def row(name):
        channel = held[name]
        answer, number = channel.paid()
        refund = channel.refund(answer, 100)
        assert (refund.status, refund.json["status"]) == (201, "succeeded"), \
            refund
        assert refunds(channel, number) == {refund.json["id"]: (100, 1)}
        answer, number = shown(channel)
        channel.counterpart.pay(number, silent=True)
        assert channel.get(answer, sync=True)["status"] == "paid"
        answer, number = shown(channel)
        channel.counterpart.set(number, scanned=True)
        closed = close(channel, answer)
        assert closed.json["status"] == "closed", closed
        answer, number = channel.pay(method="alipay_bar", extra=BAR_CODE)
        assert answer.json["status"] == "paid", answer
        answer, _ = shown(channel, method="alipay_jsapi", extra=BUYER)
        answer, _ = shown(channel, method="alipay_page")
        with urllib.request.urlopen(answer.json["action"]["data"],
                                    timeout=10) as page:
            assert page.status == 200

    at_once([(name,) for name in ("key", "aes", "cert")], row)


def close(channel, answer):
    return channel.stack.client.call(
        "POST", f"/v1/payments/{answer.json['id']}/close")


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
    counterpart.ask("/_rotate", cert=texts["c"] + key("mid.crt"),
                    key=texts["k"])
    answer, number = shown_later(channel)
    counterpart.pay(number, silent=True)
    wait(lambda: channel.get(answer, sync=True)["status"] == "paid",
         "answers of the new certificate are read")
    answer, number = shown(channel)
    counterpart.pay(number, silent=True)
    assert channel.get(answer, sync=True)["status"] == "paid"


def shown_later(channel, **more):
    """Shown at once, or when the create was made again."""
    answer, number = channel.pay(**more)
    assert answer.status in (201, 202), answer
    wait(lambda: channel.get(answer)["action"]["type"] != "none",
         f"{answer.json['id']} shows its action")
    return answer, number


def test_close(_stack):
    channel, counterpart = held["key"], held["counterpart"]
    answer, number = shown(channel)
    counterpart.set(number, scanned=True)
    closed = close(channel, answer)
    assert (closed.status, closed.json["status"]) == (200, "closed"), closed
    assert channel.book(number)["status"] == "closed"
    assert close(channel, answer).status == 200
    answer, number = shown(channel)
    counterpart.pay(number, silent=True)
    closed = close(channel, answer)
    assert closed.status in (200, 409), closed
    assert channel.get(answer)["status"] == "paid", "Alipay was paid before"


def close_with(fault):
    channel, counterpart = held["key"], held["counterpart"]
    answer, number = shown(channel)
    counterpart.set(number, scanned=True)
    counterpart.knob("close", fault, number=number)
    closed = close(channel, answer)
    assert closed.status in (200, 202), closed
    channel.ends(answer, "closed")
    assert channel.book(number)["status"] == "closed"


def test_close_and_its_faults(_stack):
    at_once([(fault,) for fault in FAULTS], close_with)


def test_a_code_that_is_scanned_after_it_was_closed(_stack):
    """No trade could be closed; the payer's money is not lost."""
    channel, counterpart = held["key"], held["counterpart"]
    answer, number = shown(channel)
    close(channel, answer)
    told = counterpart.pay(number)
    assert [one["status"] for one in told] == [200], told
    row = channel.ends(answer, "paid", "paid_late")
    if row["status"] == "paid_late":
        wait(lambda: refunds(channel, number)
             == {"R" + number[1:]: (row["amount"], 1)}, "it went back")


def test_success_after_close_goes_back(_stack):
    channel, counterpart = held["key"], held["counterpart"]
    answer, number = shown(channel)
    counterpart.set(number, scanned=True)
    assert close(channel, answer).json["status"] == "closed"
    counterpart.set(number, status="open")
    told = counterpart.pay(number)
    assert [one["status"] for one in told] == [200], told
    row = channel.ends(answer, "paid_late")
    wait(lambda: refunds(channel, number)
         == {"R" + number[1:]: (row["amount"], 1)}, "it went back")


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
    assert refunds(channel, number) == {
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


def test_a_refund_that_alipay_refuses_has_failed(_stack):
    channel = held["key"]
    answer, number = channel.paid()
    channel.counterpart.knob("refund", "poor", number=number)
    refund = channel.refund(answer, 100)
    row = channel.refund_ends(refund, "failed")
    assert row["error"]["channel_code"] == "ACQ.SELLER_BALANCE_NOT_ENOUGH", row
    assert refunds(channel, number) == {}
    assert channel.get(answer)["amount_refunding"] == 0
    assert channel.refund(answer, 100).json["status"] == "succeeded"


# --- notices that are not what they seem -------------------------------------

def test_refused_notices_move_nothing(_stack):
    channel = held["key"]
    _, number = shown(channel)
    channel.refused_notices_move_nothing(
        number, ("tampered", "bad_sign", "no_sign", "own_key", "weak",
                 "truncated", "html"))
    answer, number = channel.paid()
    channel.refused_notices_move_nothing(number, ("tampered", "bad_sign"))
    assert channel.get(answer)["status"] == "paid"


def test_genuine_notices_about_something_else_are_conflicts(_stack):
    channel = held["key"]
    for bend in ("wrong_amount", "wrong_app", "wrong_seller"):
        answer, number = shown(channel)
        channel.counterpart.pay(number, silent=True)
        told = channel.told(number, [200], bend=bend)
        assert told[0]["body"] == "success", told
        channel.ends(answer, "conflict")


def test_a_notice_of_nobodys_order_is_acknowledged(_stack):
    channel = held["key"]
    _, number = shown(channel)
    before = channel.rows(number)
    channel.told(number, [200], bend="nobody")
    assert channel.rows(number) == before


def test_a_notice_with_an_odd_amount_does_not_pay(_stack):
    channel = held["key"]
    answer, number = shown(channel)
    told = channel.counterpart.notice(number, bend="odd_amount")
    assert channel.get(answer)["status"] == "paying", told
    told = channel.counterpart.notice(number, bend="odd_status")
    assert channel.get(answer)["status"] == "paying", told


# --- faults of answers -------------------------------------------------------

def create_with(fault):
    channel, counterpart = held["key"], held["counterpart"]
    amount = next(channel.amounts)
    counterpart.knob("create", fault, amount=amount)
    answer, number = shown_later(channel, amount=amount)
    assert ("create", fault) in channel.asked(number)
    told = counterpart.pay(number)
    assert [one["status"] for one in told] == [200], told
    channel.ends(answer, "paid")


def bar_with(fault):
    channel = held["key"]
    answer, number = bar(channel, fault)
    assert answer.status in (201, 202), answer
    wanted = "failed" if fault in NOT_DONE else "paid"
    channel.ends(answer, *([wanted, "closed"] if wanted == "failed"
                           else [wanted]), wait_s=35)
    book = channel.book(number)
    assert (book is not None and book["status"] == "paid") \
        == (wanted == "paid"), book


def query_with(fault):
    channel, counterpart = held["key"], held["counterpart"]
    answer, number = shown(channel)
    counterpart.knob("query", fault, number=number)
    counterpart.pay(number, silent=True)
    row = channel.get(answer, sync=True)
    assert row["status"] in ("paying", "paid"), row
    channel.ends(answer, "paid")
    assert ("query", fault) in channel.asked(number)


def refund_with(fault, after=""):
    """`after`: what comes of the query that follows a lost answer."""
    channel, counterpart = held["key"], held["counterpart"]
    answer, number = channel.paid()
    counterpart.knob("refund", fault, number=number)
    if after:
        counterpart.knob("refund_query", after, number=number)
    refund = channel.refund(answer, 700)
    assert refund.status in (201, 202), refund
    channel.refund_ends(refund, "succeeded", wait_s=35)
    assert refunds(channel, number) == {refund.json["id"]: (700, 1)}
    assert channel.get(answer)["amount_refunded"] == 700
    assert ("refund", fault) in channel.asked(number)
    assert not after or ("refund_query", after) in channel.asked(number)


def test_faults_of_every_operation(_stack):
    rows = [(operation, fault) for fault in FAULTS
            for operation in (create_with, bar_with, query_with, refund_with)]
    rows += [(lambda fault: refund_with("drop_after", fault), fault)
             for fault in FAULTS]
    rows += [(refund_with, "wrong_amount"), (refund_with, "wrong_order"),
             (refund_with, "system_error_done"),
             (query_with, "odd_amount"), (query_with, "odd_status")]
    # refunds that were lost take longest
    rows.sort(key=lambda row: row[0] is not refund_with)
    at_once(rows, lambda operation, fault: operation(fault))


def test_genuine_answers_about_something_else_are_conflicts(_stack):
    channel, counterpart = held["key"], held["counterpart"]
    for bend in ("wrong_amount", "wrong_order"):
        answer, _ = bar(channel, bend)
        channel.ends(answer, "conflict")
        answer, number = shown(channel)
        counterpart.knob("query", bend, times=9, number=number)
        counterpart.pay(number, silent=True)
        channel.get(answer, sync=True)
        channel.ends(answer, "conflict")


def test_a_create_that_alipay_did_not_take_is_not_sent(_stack):
    """Signed: the app may not do this.  Nothing was made."""
    channel = held["key"]
    amount = next(channel.amounts)
    channel.counterpart.knob("create", "no_permission", amount=amount)
    answer, number = channel.pay(amount=amount)
    assert (answer.status, answer.json["status"]) == (201, "failed"), answer
    assert answer.json["error"]["code"] == "PH-A403", answer.body
    assert channel.book(number) is None


def test_the_books_hold(_stack):
    for channel in ("key", "aes", "cert"):
        held[channel].holds()
    held["counterpart"].end()
