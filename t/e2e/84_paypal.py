"""PayPal end to end: tokens, orders, captures, refunds and webhooks against a
counterpart of node's own crypto - on loopback, and under PayPal's own names
through pay.proxy, by HTTP/2 and a certificate of the test's authority."""

import os
import random
import socket
import subprocess
import time

from payhub_channel_accounts import Paypal, PaypalServer
from payhub_channel_rows import at_once, wait
from payhub_client import Receiver
from payhub_counterpart import KEYS
from payhub_scenario import order
from payhub_stack_fixture import PORTS

NEVER_ARRIVED = ("drop_before", "hang_before", "http500_before")
DONE = ("delay", "drop_after", "hang_after", "http500_after", "conflict")
UNREADABLE = ("truncated", "html", "empty", "big", "deep", "unknown_code",
              "unknown_status", "real_amount", "long_amount")
OF_ANOTHER = ("wrong_amount", "wrong_currency", "wrong_order")
NAMES = ("api-m.sandbox.paypal.com", "api.sandbox.paypal.com")
ROOT = os.path.join(KEYS, "paypal", "root.pem")


def free_port():
    for _ in range(100):
        port = random.randrange(*PORTS)
        with socket.socket() as link:
            try:
                link.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise RuntimeError("no free port")


PROXY = free_port()
SETTINGS = (f"pay.proxy=http://127.0.0.1:{PROXY}", f"pay.ca_file={ROOT}")

AT = {}


class Account(Paypal):
    def invariants(self):
        """The stack's sandbox is of another authority than pay.ca_file."""
        with open(self.stack.env["PAYHUB_CONFIG"], encoding="utf-8") as file:
            text = file.read()
        assert ROOT in text, text
        path = self.stack.env["PAYHUB_CONFIG"] + ".sandbox"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace(ROOT, self.stack.env["PAYHUB_CA_FILE"]))
        return self.stack.cli("invariants", "--config", path)


def at(stack):
    if not AT:
        AT["paypal"] = PaypalServer()
        AT["account"] = channel = Account(stack, AT["paypal"])
        answer, number = channel.pay()  # token and certificate are fetched
        channel.counterpart.pay(number, silent=True)
        channel.ends(answer, "paid")
        channel.told_at_last(number)
        channel.seen_number = number
    return AT["account"]


def test_an_approved_payment_is_captured(stack):
    channel = at(stack)
    receiver = Receiver(stack.env["PAYHUB_WEBHOOK_SECRET"])
    try:
        answer, number = channel.pay(amount=8888, notify_url=receiver.url,
                                     subject="茶 & \"cake\"")
        assert answer.status == 201 and answer.json["status"] == "paying"
        book = channel.book(number)
        assert answer.json["action"] == {
            "type": "redirect", "data": "https://www.sandbox.paypal.com/"
            "checkoutnow?token=" + book["id"]}, answer.json
        assert (book["amount"], book["currency"], book["description"]) == (
            8888, "USD", "茶 & \"cake\""), book
        assert book["invoice"] == number, book
        assert book["context"] == {
            "return_url": "https://shop.example/b?c=d",
            "cancel_url": "https://shop.example/c",
            "user_action": "PAY_NOW"}, book
        told = channel.counterpart.pay(number)  # CHECKOUT.ORDER.APPROVED
        assert [one["status"] for one in told] == [200], told
        paid = channel.ends(answer, "paid")
        book = channel.book(number)
        assert paid["channel_trade_no"] == book["capture"], (paid, book)
        assert [op for op, _ in channel.asked(number)] == [
            "create", "query", "capture"], channel.asked(number)
        channel.told(number, [200])  # PAYMENT.CAPTURE.COMPLETED
        genuine, _, event = receiver.wait(answer.json["order_no"])
        assert genuine and event["type"] == "payment.paid", event
        assert len(receiver.got) == 1, receiver.got
    finally:
        receiver.close()


def test_who_did_not_approve_is_not_captured(stack):
    channel = at(stack)
    answer, number = channel.pay()
    for _ in range(2):
        assert channel.get(answer, sync=True)["status"] == "paying"
    channel.told(number, [200], bend="type:CHECKOUT.ORDER.APPROVED")
    wait(lambda: len(channel.asked(number, "query")) >= 3, "a hint is asked")
    assert not channel.asked(number, "capture"), channel.asked(number)
    assert channel.get(answer)["status"] == "paying"


def test_a_declined_or_pending_capture(stack):
    """The payer chooses another card; the bank takes its time."""
    channel = at(stack)
    answer, number = channel.pay()
    channel.counterpart.ask("/_decline", number=number)
    channel.counterpart.pay(number)
    wait(lambda: channel.asked(number, "capture"), "a capture")
    assert channel.get(answer)["status"] == "paying"
    channel.counterpart.pay(number, silent=True)
    channel.ends(answer, "paid")
    for state, end in (("COMPLETED", "paid"), ("DECLINED", "failed")):
        answer, number = channel.pay()
        channel.counterpart.ask("/_slow", number=number)
        channel.counterpart.pay(number)
        wait(lambda: (channel.book(number) or {}).get("capture"), "a capture")
        assert channel.get(answer)["status"] == "paying"
        channel.counterpart.ask("/_settle", number=number, status=state)
        channel.told(number, [200])
        channel.ends(answer, end)
        assert len(channel.asked(number, "capture")) == 1


def test_a_token_that_paypal_forgot(stack):
    """401: nothing was done; one new token, and the request once more."""
    channel = at(stack)
    answer, number = channel.paid()
    made = channel.counterpart.ask("/_counts")["tokens"]
    time.sleep(1.1)  # a token is fetched once a second at most
    channel.counterpart.ask("/_expire")
    refund = channel.refund(answer, 100)
    channel.refund_ends(refund, "succeeded")
    assert channel.counterpart.ask("/_counts")["tokens"] == made + 1
    assert channel.book(number)["refunds"][refund.json["id"]]["times"] == 1


def test_many_at_once_share_a_token(stack):
    channel = at(stack)
    made = channel.counterpart.ask("/_counts")["tokens"]
    time.sleep(1.1)
    channel.counterpart.ask("/_expire")

    def one(i):
        # every other refusal comes when the new token is there already
        amount = next(channel.amounts)
        if i % 2:
            channel.counterpart.knob("create", "delay", amount=amount,
                                     ms=200 + 20 * i)
        answer, number = channel.pay(amount=amount)
        assert answer.status == 201, answer
        channel.counterpart.pay(number, silent=True)
        channel.ends(answer, "paid")

    at_once([(i,) for i in range(20)], one)
    assert channel.counterpart.ask("/_counts")["tokens"] == made + 1


def test_close(stack):
    """Only we can capture: what is closed here is never captured."""
    channel = at(stack)
    answer, number = channel.pay()
    closed = channel.close(answer)
    assert (closed.status, closed.json["status"]) == (200, "closed"), closed
    channel.counterpart.pay(number)
    asked = channel.asked(number)
    assert channel.get(answer, sync=True)["status"] == "closed"
    assert not channel.asked(number, "capture"), asked
    assert channel.book(number)["charges"] == 0
    # nor is the money taken of who agreed before
    answer, number = channel.pay()
    channel.counterpart.pay(number, silent=True)
    closed = channel.close(answer)
    assert (closed.status, closed.json["status"]) == (200, "closed"), closed
    assert not channel.asked(number, "capture"), channel.asked(number)
    assert channel.book(number)["charges"] == 0
    # what was taken before is paid
    answer, number = channel.pay()
    channel.counterpart.ask("/_capture", number=number)
    assert channel.close(answer).status == 409
    assert channel.get(answer)["status"] == "paid"


def test_success_after_close_goes_back(stack):
    at(stack).late_success_goes_back()


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
    channel.told(number, [200], refund=rest.json["id"])
    assert {name: (one["amount"], one["times"]) for name, one in
            channel.book(number)["refunds"].items()} == {
        first.json["id"]: (3000, 1), rest.json["id"]: (7000, 1)}
    assert channel.get(answer)["amount_refunded"] == 10000


def test_refunds_that_take_their_time(stack):
    channel = at(stack)
    for status, end, sum_ in (("succeeded", "succeeded", 3000),
                              ("failed", "failed", 0),
                              ("canceled", "failed", 0)):
        answer, number = channel.paid()
        channel.counterpart.ask("/_slow", number=number)
        refund = channel.refund(answer, 3000)
        assert (refund.status, refund.json["status"]) == (201, "processing")
        channel.counterpart.ask("/_settle", number=number, status=status,
                                refund=refund.json["id"])
        if status != "canceled":  # there is no event of it: the query tells
            channel.told(number, [200], refund=refund.json["id"])
        channel.refund_ends(refund, end)
        row = channel.get(answer)
        assert (row["amount_refunded"], row["amount_refunding"]) == (
            sum_, 0), row


def test_webhooks_that_are_not_genuine(stack):
    channel = at(stack)
    answer, number = channel.pay()
    bends = ["tampered", "no_sign", "no_cert", "other_key", "other_webhook",
             "algo", "host", "other_path"]
    certs = channel.counterpart.ask("/_counts")["certs"]
    channel.refused_notices_move_nothing(number, bends)
    assert channel.counterpart.ask("/_counts")["certs"] == certs
    channel.counterpart.pay(number)
    channel.ends(answer, "paid")
    channel.refused_notices_move_nothing(number, ["tampered", "other_key"])


def test_webhooks_again_at_once_and_late(stack):
    channel = at(stack)
    answer, number = channel.pay()
    told = channel.counterpart.pay(number, copies=3)
    assert [one["status"] for one in told] == [200] * 3, told
    channel.ends(answer, "paid")
    channel.told(number, [200] * 3, copies=3)
    before = channel.rows(number)
    channel.told(number, [200] * 3, copies=3)
    for kind in ("CHECKOUT.ORDER.APPROVED", "PAYMENT.CAPTURE.PENDING",
                 "CUSTOMER.DISPUTE.CREATED"):
        channel.told(number, [200], bend="type:" + kind)
    assert channel.rows(number) == before
    refund = channel.refund(answer, 5)
    channel.told(number, [200] * 3, refund=refund.json["id"], copies=3)
    assert channel.get(answer)["amount_refunded"] == 5
    assert channel.book(number)["charges"] == 1


def test_what_a_webhook_tells_is_asked_for(stack):
    """It is a hint, and no more: who could bend one moves nothing by it."""
    channel = at(stack)
    for bend in ("wrong_amount", "wrong_currency"):
        receiver = Receiver(stack.env["PAYHUB_WEBHOOK_SECRET"])
        try:
            answer, number = channel.pay(notify_url=receiver.url)
            channel.counterpart.ask("/_slow", number=number)
            channel.counterpart.pay(number)
            wait(lambda: channel.book(number).get("capture"), "a capture")
            channel.told(number, [200], bend="type:PAYMENT.CAPTURE.COMPLETED")
            assert channel.get(answer, sync=True)["status"] == "paying"
            channel.counterpart.ask("/_settle", number=number,
                                    status="COMPLETED")
            channel.told(number, [200], bend=bend)
            channel.ends(answer, "paid")
            genuine, _, event = receiver.wait(answer.json["order_no"])
            assert genuine and event["type"] == "payment.paid", event
        finally:
            receiver.close()
    answer, number = channel.pay()
    before = channel.rows(number)
    channel.told(number, [200], bend="wrong_order")
    assert channel.rows(number) == before


def test_a_refund_made_at_paypal_is_counted(stack):
    channel = at(stack)
    channel.console_refund_row()


def test_amounts_of_currencies(stack):
    """HUF, JPY and TWD have no decimals at PayPal."""
    at(stack)
    channel = Account(stack, AT["paypal"])

    def one(currency, amount, told):
        answer, number = channel.pay(currency=currency, amount=amount)
        if told is None:
            assert answer.status == 422, answer
            return
        assert answer.status == 201, answer
        assert channel.book(number)["amount"] == told
        channel.counterpart.pay(number, silent=True)
        paid = channel.ends(answer, "paid")
        assert (paid["amount"], paid["currency"]) == (amount, currency), paid
        refund = channel.refund(answer, amount)
        channel.refund_ends(refund, "succeeded")
        assert sum(one["amount"] for one in
                   channel.book(number)["refunds"].values()) == told

    at_once([("JPY", 500, 500), ("HUF", 105000, 1050), ("TWD", 1000, 10),
             ("EUR", 1, 1), ("HUF", 105050, None)], one)
    AT["account"].hook()


def certificate(stack, names):
    """(key, certificate) for names, of the authority that payhub trusts."""
    folder = stack.scratch
    key, request, made = (os.path.join(folder, "names." + end)
                          for end in ("key", "csr", "pem"))
    config = os.path.join(folder, "names.cnf")
    with open(config, "w", encoding="ascii") as file:
        file.write("subjectAltName=" + ",".join("DNS:" + n for n in names))
    for words in (
            ["req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", key,
             "-out", request, "-subj", "/CN=" + names[0]],
            ["x509", "-req", "-in", request, "-CA", ROOT, "-CAkey",
             os.path.join(KEYS, "paypal", "root_pkcs8.pem"), "-days", "2",
             "-set_serial", "77", "-extfile", config, "-out", made]):
        subprocess.run(["openssl", *words], check=True, capture_output=True)
    texts = []
    for path in (key, made):
        with open(path, encoding="ascii") as file:
            texts.append(file.read())
    return texts


def never_proves(channel, bend, name):
    """A certificate that is not chained, or not for webhooks, is fetched once
    when its turn comes, and refused."""
    number = channel.seen_number
    before = channel.rows(number)

    def count():
        return channel.counterpart.ask("/_counts")["certs"].get(name, 0)

    def fetched():
        told = channel.counterpart.notice(number, bend=bend)
        assert told[0]["status"] in (400, 503), told
        return count() == 1

    assert count() == 0, name
    wait(fetched, "the certificate is fetched", 20)
    for _ in range(5):
        told = channel.counterpart.notice(number, bend=bend)
        assert told[0]["status"] in (400, 503), told
    assert count() == 1, name
    assert channel.rows(number) == before
    channel.told_at_last(number)  # a genuine one is believed all the while


def test_under_paypals_own_names(stack):
    """The settings of production: no address of ours, webhook certificates
    from api.sandbox.paypal.com, trust by the system's authorities."""
    at(stack)
    bank = AT["paypal"]
    key, made = certificate(stack, NAMES)
    bank.ask("/_proxy", port=PROXY, key=key, cert=made, names=NAMES)
    # a genuine certificate of the same authority, of another purpose
    bank.ask("/_cert", id="CERT-tls", key=key, pem=made)
    channel = Account(stack, bank, base="https://" + NAMES[0],
                      certificates="https://" + NAMES[1])
    try:
        answer, number = channel.pay()
        assert answer.status == 201, answer
        channel.counterpart.pay(number, silent=True)
        channel.ends(answer, "paid")
        channel.told_at_last(number)
        refund = channel.refund(answer, 1)
        channel.refund_ends(refund, "succeeded")
        channel.told(number, [200], refund=refund.json["id"])
        channel.seen_number = number
        counts = bank.ask("/_counts")
        assert set(counts["hosts"]) == {name + ":443" for name in NAMES}
        assert counts["versions"] == ["2.0"], counts
        AT["names"] = channel
    finally:
        AT["account"].hook()


def capture_row(channel, fault):
    """The request that moves the money."""
    answer, number = channel.pay()
    channel.counterpart.knob("capture", fault, number=number, ms=300)
    channel.counterpart.pay(number, silent=True)
    end = "conflict" if fault in OF_ANOTHER else "paid"
    channel.ends(answer, end)
    channel.not_believed(number, "capture", fault, end)
    assert channel.book(number)["charges"] == 1


def test_faults_of_answers(stack):
    channel = at(stack)
    rows = [(never_proves, channel, "evil_cert", "CERT-evil"),
            (never_proves, AT["names"], "tls_cert", "CERT-tls")]
    for fault in ("http429", "odd_issue"):
        rows += [(channel.query_row, fault), (capture_row, channel, fault),
                 (channel.refund_row, "refund", fault),
                 (channel.refund_row, "refund_query_slow", fault)]
    for fault in NEVER_ARRIVED + DONE + UNREADABLE + OF_ANOTHER:
        end = "conflict" if fault in OF_ANOTHER else "paid"
        rows.append((channel.create_row, fault, end))
        rows.append((channel.query_row, fault, end))
        rows.append((capture_row, channel, fault))
        rows.append((channel.refund_row, "refund", fault))
        rows.append((channel.refund_row, "refund_query_slow", fault))
    at_once(rows, lambda function, *words: function(*words))


def test_all_of_it_holds(stack):
    channel = at(stack)
    try:
        channel.holds()
        AT["names"].holds()
    finally:
        AT["paypal"].end()
        AT.clear()
