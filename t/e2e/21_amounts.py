"""Every magic amount of the sandbox through the whole of payhub: how it ends,
how often the money moved, what the merchant is told.  The account is forced, so
that no breaker of the edge holds any of them off."""

import concurrent.futures
import time

from payhub_scenario import order

FINAL = ("paid", "failed", "closed", "paid_late", "conflict")
PAID = ("paid", 1, ["payment.paid"])
FAILED = ("failed", 0, ["payment.failed"])
CONFLICT = ("conflict", 1, ["payment.conflict"])
LATE = ("paid_late", 1, ["payment.closed", "payment.paid_late",
                         "refund.succeeded"])
# digits: what comes of it
BAR = {0: PAID, 8999: PAID, 9001: FAILED, 9002: PAID, 9003: PAID, 9004: PAID,
       9005: FAILED, 9006: PAID, 9007: PAID, 9008: CONFLICT, 9009: FAILED,
       9010: LATE, 9011: PAID, 9012: PAID, 9013: PAID, 9014: PAID, 9015: PAID,
       9016: PAID, 9017: FAILED}
# 9005 never gets a code: it ends at its end (chaos timeouts)
QR = {**BAR, 9008: ("conflict", 0, ["payment.conflict"])}
del QR[9005]
# the merchant is told no end before there is a proof
UNCLEAR = {"sandbox_bar": (9004, 9005, 9006, 9007, 9009, 9016),
           "sandbox_qr": (9004, 9006, 9007, 9009, 9016)}
HOOK = "http://127.0.0.1:9/none"  # what is written counts, not who takes it


def until(probe, wait_s=30):
    end = time.monotonic() + wait_s
    while not (found := probe()) and time.monotonic() < end:
        time.sleep(0.2)
    return found


def pay(stack, method, digits):
    account = stack.rows("SELECT id FROM channel_account ORDER BY created_at")
    answer = stack.client.pay(order(f"m{digits}"), 120000 + digits, method,
                              account=account[0][0], notify_url=HOOK)
    assert answer.status in (201, 202), answer
    if digits in UNCLEAR[method]:
        assert (answer.status, answer.json["status"]) == (202, "paying"), answer
    return answer.json["id"]


def payer(stack, payment_id, digits):
    """A code is paid once it is shown; 9010 is closed instead."""
    def shown():
        row = stack.client.get(payment_id).json
        return row if row["status"] in FINAL \
            or row["action"]["type"] == "qr_code" else None

    row = until(shown)
    assert row, f"{digits}: no code"
    if row["status"] in FINAL:
        return
    if digits == 9010:
        closed = stack.client.call("POST", f"/v1/payments/{payment_id}/close")
        assert closed.status in (200, 202), closed
    else:
        stack.sandbox("/_payer/pay",
                      {"out_trade_no": row["attempts"][0]["id"]})


def one(stack, method, digits, expected):
    """What differs, or None."""
    payment_id = pay(stack, method, digits)
    if method == "sandbox_qr":
        payer(stack, payment_id, digits)

    def seen():
        row = stack.client.get(payment_id).json
        told = [kind for kind, in stack.rows(
            "SELECT type FROM notify_task WHERE "
            f"payment_id='{payment_id}' ORDER BY sequence")]
        books = stack.books(row["attempts"][0]["id"])
        moved = sum(charge["times"] for charge in books["charges"]
                    if charge["status"] == "paid")
        return row["status"], moved, told

    until(lambda: seen() == expected)
    found = seen()
    return None if found == expected \
        else f"{method} {digits}: found {found}, expected {expected}"


def table(stack, method, rows):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        faults = [fault for fault in pool.map(
            lambda digits: one(stack, method, digits, rows[digits]), rows)
            if fault]
    assert not faults, "\n".join(faults)


def test_bar_codes(stack):
    table(stack, "sandbox_bar", BAR)


def test_codes_shown(stack):
    table(stack, "sandbox_qr", QR)


def test_conflicts_are_ended_by_a_person(stack):
    for payment_id, in stack.rows(
            "SELECT id FROM payment WHERE status='conflict'"):
        charged = any(charge["status"] == "paid" for charge in stack.books(
            stack.client.get(payment_id).json["attempts"][0]["id"])["charges"])
        done = stack.cli("payment", "resolve", payment_id, "--to",
                         "paid" if charged else "failed", "--why", "a test")
        assert done.returncode == 0, done


def test_invariants_hold(stack):
    done = stack.cli("invariants")
    assert done.returncode == 0, done
