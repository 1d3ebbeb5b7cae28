"""Steps that several scenarios share."""

import secrets

from payhub_client import Receiver


def order(name):
    return f"{name}-{secrets.token_hex(6)}"


def settle(stack, amount, wanted, charged, by_query):
    """A payment whose outcome is not clear at first ends as `wanted`; the
    channel saw one create for it and took the money `charged` times.  Without
    notices only a query can tell."""
    receiver = Receiver(stack.env["PAYHUB_WEBHOOK_SECRET"])
    try:
        number = order(f"u{amount}")
        answer = stack.client.pay(number, amount, notify_url=receiver.url)
        assert answer.status == 202 or (
            answer.status == 201 and not by_query), answer
        first = answer.json
        if answer.status == 202:
            assert first["status"] == "paying", first
            assert first["attempts"][0]["status"] == "unknown", first
        end = stack.client.wait_status(first["id"],
                                       ("paid", "failed", "closed"))
        assert end["status"] == wanted, end
        attempt = end["attempts"][0]
        assert len(end["attempts"]) == 1 and attempt["status"] == (
            "succeeded" if wanted == "paid" else wanted), end
        books = stack.books(attempt["id"])
        assert [c["times"] for c in books["charges"]
                if c["status"] == "paid"] == charged, books
        creates = [call for call in books["calls"] if call["op"] == "pay"]
        assert len(creates) == 1, creates
        assert not by_query or any(call["op"] == "query"
                                   for call in books["calls"]), books
        genuine, _, event = receiver.wait(number)
        assert genuine and event["type"] == f"payment.{wanted}", event
    finally:
        receiver.close()
