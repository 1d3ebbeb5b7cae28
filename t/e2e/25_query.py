"""Notices go astray: what may have happened is asked about until there is
proof, and is never called failed before."""

from payhub_scenario import order, settle
from payhub_stack_fixture import NO_NOTICES

SETTINGS = NO_NOTICES


def test_9003_hangs_after_taking_the_money(stack):
    settle(stack, 119003, "paid", [1], by_query=True)


def test_9004_closes_after_taking_the_money(stack):
    settle(stack, 119004, "paid", [1], by_query=True)


def test_9004_as_second_request_of_a_kept_connection(stack):
    """The connection that the first payment leaves open dies under the second
    after it arrived: libcurl alone would send it again."""
    first = stack.client.pay(order("warm"), 700)
    assert first.json["status"] == "paid", first
    settle(stack, 129004, "paid", [1], by_query=True)


def test_9005_closes_before_taking_anything(stack):
    settle(stack, 119005, "failed", [], by_query=True)


def test_9002_is_slower_than_the_deadline(stack):
    settle(stack, 119002, "paid", [1], by_query=True)


def test_qr_without_notice_is_paid_by_query(stack):
    shown = stack.client.pay(order("quiet"), 2200, "sandbox_qr").json
    stack.sandbox("/_payer/pay", {"out_trade_no": shown["attempts"][0]["id"]})
    stack.client.wait_status(shown["id"], ("paid",))


def test_no_attempt_was_failed_without_proof(stack):
    rows = stack.rows(
        "SELECT id FROM attempt WHERE status='failed' AND "
        "proof_source='none' AND sent_at IS NOT NULL")
    assert rows == [], rows


def test_invariants_hold(stack):
    done = stack.cli("invariants")
    assert done.returncode == 0, done
