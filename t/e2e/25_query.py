"""Notices go astray: what may have happened is asked about until there is
proof, and is never called failed before."""

import collections
import concurrent.futures
import os
import signal
import time

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


def breaker_set(stack, text):
    """A value of pay.breaker, and the time that edges take to hear of it."""
    path = stack.env["PAYHUB_CONFIG"]
    with open(path, encoding="utf-8") as file:
        lines = [line for line in file.read().splitlines()
                 if not line.startswith("breaker =")]
    lines.insert(lines.index("[pay]") + 1, f"breaker = {text}")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    os.kill(stack.pid("worker_1"), signal.SIGHUP)
    time.sleep(1)


def failing_calls(stack, count):
    """Answers to payments whose calls all end unknown."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        return collections.Counter(pool.map(
            lambda _: stack.client.pay(order("bad"), 219006).status,
            range(count)))


def test_breaker_is_off_on_opens_and_closes_as_pay_breaker_says(stack):
    breaker_set(stack, "off")
    assert failing_calls(stack, 40) == {202: 40}
    breaker_set(stack, "50%/4/3s/2")
    answers = failing_calls(stack, 40)
    assert set(answers) == {202, 503} and answers[503] > 20, answers
    time.sleep(3.5)
    assert stack.client.pay(order("good"), 900).status == 201
    assert stack.client.pay(order("good"), 900).status == 201
    breaker_set(stack, "51%/1/x")  # refused: what held holds
    answers = failing_calls(stack, 40)
    assert answers[503] > 20, answers
    breaker_set(stack, "off")
    assert failing_calls(stack, 10) == {202: 10}
