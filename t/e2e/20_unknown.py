"""What may have happened is asked about, never sent again and never called
failed before there is proof."""

import secrets

from payhub_client import Receiver


def order(name):
    return f"{name}-{secrets.token_hex(6)}"


def settle(stack, amount, wanted, charged):
    """A payment whose outcome is unknown at first ends as `wanted`, and the
    channel saw one create for it."""
    receiver = Receiver(stack.env["PAYHUB_WEBHOOK_SECRET"])
    try:
        number = order(f"u{amount}")
        answer = stack.client.pay(number, amount, notify_url=receiver.url)
        assert answer.status == 202, answer
        unknown = answer.json
        assert unknown["status"] == "paying", unknown
        assert unknown["attempts"][0]["status"] == "unknown", unknown
        end = stack.client.wait_status(unknown["id"],
                                       ("paid", "failed", "closed"))
        assert end["status"] == wanted, end
        attempt = end["attempts"][0]
        assert len(end["attempts"]) == 1 and attempt["status"] == (
            "succeeded" if wanted == "paid" else wanted), end
        books = stack.books(attempt["id"])
        assert [c["times"] for c in books["charges"]
                if c["status"] == "paid"] == charged, books
        creates = [call for call in books["calls"] if call["op"] == "pay"]
        assert len(creates) <= 1, creates
        assert any(call["op"] == "query" for call in books["calls"]), books
        genuine, _, event = receiver.wait(number)
        assert genuine and event["type"] == f"payment.{wanted}", event
    finally:
        receiver.close()


def test_9003_hangs_after_taking_the_money(stack):
    settle(stack, 119003, "paid", [1])


def test_9004_closes_after_taking_the_money(stack):
    settle(stack, 119004, "paid", [1])


def test_9004_as_second_request_of_a_kept_connection(stack):
    """The connection that the first payment leaves open dies under the second
    after it arrived: libcurl alone would send it again."""
    first = stack.client.pay(order("warm"), 700)
    assert first.json["status"] == "paid", first
    settle(stack, 129004, "paid", [1])


def test_9005_closes_before_taking_anything(stack):
    settle(stack, 119005, "failed", [])


def test_9002_is_slower_than_the_deadline(stack):
    settle(stack, 119002, "paid", [1])


def test_9012_notice_comes_before_the_answer(stack):
    answer = stack.client.pay(order("early"), 119012)
    assert answer.status in (201, 202), answer
    paid = stack.client.wait_status(answer.json["id"], ("paid",))
    books = stack.books(paid["attempts"][0]["id"])
    assert [c["times"] for c in books["charges"]] == [1], books
    rows = stack.rows("SELECT COUNT(*) FROM notify_task WHERE payment_id="
                      f"'{paid['id']}'")
    assert rows in ([["0"]], [["1"]]), rows


def test_no_attempt_was_ever_failed_without_proof(stack):
    rows = stack.rows(
        "SELECT id FROM attempt WHERE status='failed' AND "
        "proof_source='none' AND sent_at IS NOT NULL")
    assert rows == [], rows
