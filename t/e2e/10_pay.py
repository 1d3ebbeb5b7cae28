"""Payments that end at once, by notice, or by a definite refusal."""

import concurrent.futures
import re
import subprocess
import time

from payhub_client import Receiver, sign_v3
from payhub_scenario import order

ID = re.compile(r"^P[0-9A-HJKMNP-TV-Z]{26}$")
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
FIELDS = {"id", "order_no", "app_id", "merchant_id", "status", "amount",
          "currency", "amount_refunded", "amount_refunding", "method",
          "channel", "account", "channel_trade_no", "action", "attempts",
          "error", "metadata", "created_at", "expires_at", "paid_at",
          "closed_at"}


def test_ready_and_healthy(stack):
    for target in ("/healthz", "/readyz"):
        answer = stack.client.send("GET", target, {})
        assert answer.status == 200, (target, answer)


def test_bar_is_paid_at_once(stack):
    number = order("bar")
    answer = stack.client.pay(number, 1250, metadata={"table": "7"})
    assert answer.status == 201, answer
    assert "payhub-signature" in answer.headers, answer.headers
    paid = answer.json
    assert FIELDS <= paid.keys(), FIELDS - paid.keys()
    assert ID.match(paid["id"]), paid["id"]
    assert paid["status"] == "paid" and paid["order_no"] == number, paid
    assert paid["amount"] == 1250 and paid["currency"] == "CNY", paid
    assert paid["app_id"] == stack.env["PAYHUB_APP_ID"], paid
    assert paid["metadata"] == {"table": "7"}, paid
    assert TIME.match(paid["paid_at"]) and paid["closed_at"] is None, paid
    assert len(paid["attempts"]) == 1, paid
    attempt = paid["attempts"][0]
    assert attempt["status"] == "succeeded", attempt
    charges = stack.books(attempt["id"])["charges"]
    assert [(c["times"], c["amount"], c["status"]) for c in charges] \
        == [(1, 1250, "paid")], charges
    assert charges[0]["out_trade_no"] == attempt["id"]
    again = stack.client.get(paid["id"])
    assert again.json == paid, (again.json, paid)
    found = stack.client.call("GET", f"/v1/payments?order_no={number}")
    assert found.status == 200 and found.json == paid, found


def test_bar_waits_for_its_payer(stack):
    """9010 is pending until the payer types the password."""
    number = order("till")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        till = pool.submit(stack.client.pay, number, 129010)
        found = None
        while found is None:
            rows = stack.rows(
                "SELECT a.id FROM attempt a JOIN payment p ON p.id=a.payment_id "
                f"WHERE p.order_no='{number}' AND a.status='wait_user'")
            found = rows[0][0] if rows else None
        time.sleep(1)
        assert not till.done(), till.result()
        stack.sandbox("/_payer/pay", {"out_trade_no": found})
        began = time.monotonic()
        answer = till.result()
    assert time.monotonic() - began < 1.5
    assert (answer.status, answer.json["status"]) == (201, "paid"), answer
    assert answer.json["attempts"][0]["id"] == found, answer.json


def test_qr_is_paid_by_notice_and_told_by_webhook(stack):
    receiver = Receiver(stack.env["PAYHUB_WEBHOOK_SECRET"], answers=[500])
    try:
        number = order("qr")
        answer = stack.client.pay(number, 2000, "sandbox_qr",
                                  notify_url=receiver.url)
        assert answer.status == 201, answer
        shown = answer.json
        assert shown["status"] == "paying", shown
        assert shown["action"]["type"] == "qr_code", shown
        assert shown["action"]["data"], shown
        attempt = shown["attempts"][0]
        assert attempt["status"] == "wait_user", attempt
        stack.sandbox("/_payer/pay", {"out_trade_no": attempt["id"]})
        paid = stack.client.wait_status(shown["id"], ("paid",))
        assert paid["attempts"][0]["status"] == "succeeded", paid
        receiver.wait(number)
        with receiver.changed:
            assert receiver.changed.wait_for(
                lambda: len(receiver.got) >= 2, 20), \
                "a refused webhook was not tried again"
        for genuine, headers, event in receiver.got:
            assert genuine, headers
            assert event["type"] == "payment.paid", event
            assert event["sequence"] == 1, event
            assert event["id"] == headers["webhook-id"], (event, headers)
            assert event["data"]["id"] == shown["id"], event
            assert event["data"]["status"] == "paid", event
        assert len({one[2]["id"] for one in receiver.got}) == 1
    finally:
        receiver.close()


def test_notice_that_is_not_genuine_is_refused(stack):
    number = order("forged")
    shown = stack.client.pay(number, 2100, "sandbox_qr").json
    attempt = shown["attempts"][0]["id"]
    body = (f'{{"out_trade_no":"{attempt}","trade_no":"S1","amount":2100,'
            '"currency":"CNY","status":"paid",'
            '"paid_at":"2026-01-01T00:00:00.000Z","notice_id":"n1"}').encode()
    answer = stack.client.send(
        "POST", f"/notify/sandbox/{shown['account']}",
        {"Content-Type": "application/json", "Sandbox-Timestamp": "1767225600",
         "Sandbox-Signature": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
        body)
    assert 400 <= answer.status < 500 and answer.body != b"ok", answer
    assert stack.client.get(shown["id"]).json["status"] == "paying"
    gone = stack.client.send("POST", "/notify/sandbox/no_such_account",
                             {"Content-Type": "application/json"}, body)
    assert gone.status == 404, gone


def test_declined_is_failed_with_reason(stack):
    answer = stack.client.pay(order("declined"), 109001)
    assert answer.status == 201, answer
    failed = answer.json
    assert failed["status"] == "failed" and failed["paid_at"] is None, failed
    assert failed["error"]["code"] == "PH-A401", failed
    assert failed["error"]["channel_code"], failed
    assert failed["attempts"][0]["status"] == "failed", failed


def test_same_request_is_replayed_other_refused(stack):
    number = order("again")
    first = stack.client.pay(number, 300)
    second = stack.client.pay(number, 300)
    assert first.status == 201 and second.status == 200, (first, second)
    assert second.headers.get("idempotent-replayed") == "true", second.headers
    assert "idempotent-replayed" not in first.headers, first.headers
    assert second.json == first.json, (first, second)
    other = stack.client.pay(number, 301)
    assert other.status == 422 and other.json["code"] == "PH-A213", other
    charges = stack.books(first.json["attempts"][0]["id"])["charges"]
    assert [c["times"] for c in charges] == [1], charges


def test_many_senders_of_one_order_charge_once(stack):
    number = order("race")
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(
            lambda _: stack.client.pay(number, 400), range(12)))
    assert {a.status for a in answers} <= {200, 201, 409}, answers
    assert sum(a.status == 201 for a in answers) == 1, answers
    rows = stack.rows(f"SELECT id FROM payment WHERE order_no='{number}'")
    assert len(rows) == 1, rows
    charges = [c for c in stack.books()["charges"] if c["amount"] == 400
               and c["out_trade_no"] in {
                   a["id"] for one in answers if one.status != 409
                   for a in one.json["attempts"]}]
    assert [c["times"] for c in charges] == [1], charges


def test_chunked_body_is_the_same_request(stack):
    body = (f'{{"order_no":"{order("chunk")}","amount":500,"currency":"CNY",'
            '"method":"sandbox_bar","subject":"分块",'
            '"extra":{"auth_code":"134567890123456789"}}').encode()
    answer = stack.client.call("POST", "/v1/payments", body, chunked=True)
    assert answer.status == 201 and answer.json["status"] == "paid", answer


def test_http2_by_curl(stack):
    body = (f'{{"order_no":"{order("h2")}","amount":600,"currency":"CNY",'
            '"method":"sandbox_bar","subject":"two",'
            '"extra":{"auth_code":"134567890123456789"}}')
    client = stack.client
    auth, _ = sign_v3(client.secret, client.key_id, "POST", "/v1/payments",
                      body.encode())
    done = subprocess.run(
        ["curl", "-sS", "--http2", "--cacert", stack.env["PAYHUB_CA_FILE"],
         "-H", "Authorization: " + auth, "-H",
         "Content-Type: application/json", "--data-binary", body, "-w",
         "\n%{http_version} %{http_code}",
         stack.env["PAYHUB_TLS_URL"] + "/v1/payments"],
        capture_output=True, text=True)
    assert done.stdout.endswith("\n2 201"), done
    assert '"status":"paid"' in done.stdout.replace(" ", ""), done.stdout
