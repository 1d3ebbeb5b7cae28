"""P5: answers that never come, of creates that were taken and of creates that
were not; and money that comes after the end.  All of it settles by itself, in
few questions, nothing is charged twice and nothing that was charged is failed.
"""

import collections
import concurrent.futures
import random
import time

from chaos.common import (FailedWatch, Run, checks, judge, judge_refunds, Log,
                          pay_noted, wait_rest, wait_settled)
from chaos.late_channel import LateChannel
from payhub_stack_fixture import NO_NOTICES

CALLERS = 24
ROUNDS_MAX = 3  # questions until a bar code is settled
SETTINGS = ("pay.channel_deadline=1s", "pay.request_deadline=4s",
            "pay.bar_wait=3s", "pay.expires_min=4s", "janitor.tick=100ms",
            "janitor.first_look=4s", "janitor.expiry_tick=200ms",
            "janitor.unknown_schedule=500ms 2s 2s",
            "janitor.paying_schedule=2s", "janitor.not_found_final=2s",
            "notify.schedule=0s 500ms 1s 2s 2s")

# of twenty: 30 % taken without an answer, 30 % not taken, 10 % answered too
# late (by three seconds, by a minute), the rest as usual; the codes among them
# live for four seconds
LATE = "late"  # a bar code at the channel that answers late
TWENTY = [("sandbox_bar", 9004)] * 3 + [("sandbox_bar", 9003)] \
    + [("sandbox_qr", 9004)] * 2 + [("sandbox_bar", 9005)] * 4 \
    + [("sandbox_qr", 9005)] * 2 + [("sandbox_bar", 9002), (LATE, 0)] \
    + [("sandbox_bar", 0)] * 6
# how they have to end
ENDS = {("sandbox_bar", 9004): "paid", ("sandbox_qr", 9004): "closed",
        ("sandbox_bar", 9005): "failed", ("sandbox_qr", 9005): "failed",
        ("sandbox_bar", 9002): "paid", ("sandbox_bar", 0): "paid",
        ("sandbox_bar", 9003): "paid", (LATE, 0): "paid",
        ("sandbox_bar", 9010): "paid_late", ("sandbox_qr", 9010): "paid_late"}


def send(stack, log, kinds, prefix, late_account):
    """{order_no: kind}, all of them sent once.  The account is forced, so that
    no breaker of the edge holds them off."""
    account = stack.rows("SELECT id FROM channel_account ORDER BY created_at")[
        0][0]

    def one(place):
        method, digits = kinds[place]
        more = {"expires_in": 4} if method == "sandbox_qr" else {}
        pay_noted(stack, log, f"{prefix}{place}", 10000 * (1 + place % 9)
                  + digits, account=late_account if method == LATE else account,
                  method="sandbox_bar" if method == LATE else method, **more)

    with concurrent.futures.ThreadPoolExecutor(CALLERS) as pool:
        for done in [pool.submit(one, place) for place in range(len(kinds))]:
            done.result()
    return {f"{prefix}{place}": kind for place, kind in enumerate(kinds)}


def ended(kinds, found):
    """Orders that did not end as their kind has to."""
    faults = []
    for number, kind in kinds.items():
        status = found[number][0][0] if number in found else "not there"
        if status != ENDS[kind]:
            faults.append(f"{number} {kind} is {status}")
        if len(found.get(number, ())) > 1:
            faults.append(f"{number} {kind} has {len(found[number])} attempts")
    return faults


def asked(stack, kinds, found):
    """(most questions about a bar code, [faults])"""
    calls = collections.Counter(
        (call["op"], call["out_trade_no"]) for call in stack.books()["calls"])
    most, faults = 0, []
    for number, (method, digits) in kinds.items():
        if method == "sandbox_qr" or number not in found:
            continue
        attempt = found[number][0][1]
        rounds = calls["query", attempt]
        most = max(most, rounds)
        if rounds > ROUNDS_MAX:
            faults.append(f"{number} {digits}: {rounds} questions")
        if calls["pay", attempt] != 1:
            faults.append(f"{number} {digits}: created "
                          f"{calls['pay', attempt]} times")
    return most, faults


def run(stack, kinds, seed, say, prefix, late_account=None):
    draw = random.Random(seed)
    draw.shuffle(kinds)
    log = Log()
    watch = FailedWatch(stack)
    began = time.monotonic()
    kinds = send(stack, log, kinds, prefix, late_account)
    say(f"# sent in {time.monotonic() - began:.0f} s")
    found, open_ones = wait_settled(stack, prefix, 120)
    return log, kinds, found, open_ones, watch, began


def timeouts(stack, payments=2000, late_s=60, seed=1, say=print):
    prefix = f"p5-{time.time_ns()}-"
    channel = LateChannel(stack, late_s)
    log, kinds, found, open_ones, watch, began = run(
        stack, [TWENTY[i % 20] for i in range(payments)], seed, say, prefix,
        channel.account)
    took = time.monotonic() - began
    left = wait_rest(stack)
    told = channel.wait_told()
    found, open_ones = wait_settled(stack, prefix)  # as the last answers left it
    lost, doubled = judge(stack, log, found, watch.close())
    most, faults = asked(stack, kinds, found)
    faults += ended(kinds, found) + lost + doubled + checks(stack)
    channel.close()
    faults += [f"not at rest: {left}"] if left else []
    if told != list(kinds.values()).count((LATE, 0)):
        faults.append(f"{told} late answers")
    unclear = sum(1 for status in log.told.values() if status == "paying")
    return {"timeouts.payments": (len(kinds), "payments"),
            "timeouts.unclear": (unclear, "answers"),
            "timeouts.late": (told, "answers"),
            "timeouts.late_least": (round(min(channel.told, default=0)), "s"),
            "timeouts.settled": (len(found) - len(open_ones), "payments"),
            "timeouts.rounds": (most, "questions"),
            "timeouts.seconds": (round(took), "s"),
            "timeouts.lost": (len(lost), "payments"),
            "timeouts.doubled": (len(doubled), "payments")}, faults


def slow(stack, payments=100, late_s=60, seed=1, say=print):
    """The worker still waits when the late answer comes: its caller has been
    told 202 long ago, and a question may have settled the payment before."""
    prefix = f"slow-{time.time_ns()}-"
    channel = LateChannel(stack, late_s)
    log, kinds, found, open_ones, watch, began = run(
        stack, [(LATE, 0)] * payments, seed, say, prefix, channel.account)
    took = time.monotonic() - began
    told = channel.wait_told()
    left = wait_rest(stack)
    found, open_ones = wait_settled(stack, prefix)
    lost, doubled = judge(stack, log, found, watch.close())
    most, faults = asked(stack, kinds, found)
    faults += ended(kinds, found) + lost + doubled + checks(stack)
    channel.close()
    faults += [f"not at rest: {left}"] if left or open_ones else []
    if told != payments or set(log.told.values()) != {"paying"}:
        faults.append(f"{told} late answers, told {set(log.told.values())}")
    return {"slow.payments": (len(kinds), "payments"),
            "slow.late_least": (round(min(channel.told, default=0)), "s"),
            "slow.rounds": (most, "questions"),
            "slow.seconds": (round(took), "s"),
            "slow.lost": (len(lost), "payments"),
            "slow.doubled": (len(doubled), "payments")}, faults


def late(stack, payments=200, seed=1, say=print):
    """Every order is paid a second after it was closed or taken back: told by a
    notice, recorded, and given back once."""
    prefix = f"late-{time.time_ns()}-"
    kinds = [(("sandbox_bar", "sandbox_qr")[i % 2], 9010)
             for i in range(payments)]
    log, kinds, found, open_ones, watch, _ = run(stack, kinds, seed, say,
                                                 prefix)
    end = time.monotonic() + 60
    while time.monotonic() < end and any(
            rows[0][0] != "paid_late" for rows in found.values()):
        time.sleep(0.5)
        found, open_ones = wait_settled(stack, prefix)
    left = wait_rest(stack)
    lost, doubled = judge(stack, log, found, ())
    lost_refunds, twice = judge_refunds(stack, log)
    watch.close()
    back = stack.rows("SELECT COUNT(*),COUNT(DISTINCT attempt_id) FROM refund "
                      "WHERE kind='late' AND status='succeeded'")
    faults = ended(kinds, found) + lost + doubled + lost_refunds + twice
    if back != [[str(payments), str(payments)]]:
        faults.append(f"given back: {back}, expected {payments}")
    faults += [f"not at rest: {left}"] if left else []
    return {"late.payments": (len(kinds), "payments"),
            "late.given_back": (int(back[0][0]), "refunds"),
            "late.lost": (len(lost) + len(lost_refunds), "payments"),
            "late.doubled": (len(doubled) + len(twice), "payments")}, \
        faults + checks(stack)


RUNS = {"timeouts": Run(timeouts, SETTINGS + NO_NOTICES,
                        short={"payments": 100, "late_s": 6}),
        "slow": Run(slow, ("pay.channel_deadline=90s",) + SETTINGS[1:] + NO_NOTICES,
                    short={"payments": 20, "late_s": 6}),
        "late": Run(late, SETTINGS, short={"payments": 20})}
