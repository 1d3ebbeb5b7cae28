"""What the runs share: what a run is, the client's own log, the books and the
rows, killing, waiting until all is at rest.

Whatever is judged here is judged by what the client was told, by the rows and
by the sandbox's books, never by what a killed process said of itself.
"""

import collections
import json
import os
import signal
import threading
import time

FINAL = ("paid", "failed", "closed", "paid_late", "conflict")
SETTLE_WAIT_S = 60

# function(stack, seed=, say=, ...) -> ({row: (value, unit)}, [faults]).
# settings: of the stack.  stacks: 0 = the function starts what it needs, 2 = a
# second host beside the first, given as `second`.  build: None = as asked for,
# else the only one that will do.  words: more of `stack up`.  short: arguments
# of the form for every change.
Run = collections.namedtuple(
    "Run", "function settings stacks build words short",
    defaults=((), 1, None, (), {}))


class Log:
    """What the client sent and what it was told, kept in a file as well: a
    line an answer, as `payhub invariants --told` reads it."""

    def __init__(self, path=None):
        self.lock = threading.Lock()
        self.told = {}     # order_no -> last status told, or None
        self.refunds = {}  # refund_no -> last status told, or None
        self.file = open(path, "a", encoding="ascii") if path else None

    def note(self, number, status, kind="order_no"):
        kept = self.told if kind == "order_no" else self.refunds
        with self.lock:
            if status is not None or number not in kept:
                kept[number] = status
            if status is not None and self.file:
                self.file.write(json.dumps(
                    {kind: number, "status": status, "at": time.time()}) + "\n")
                self.file.flush()

    def close(self):
        if self.file:
            self.file.close()


def is_broken(error):
    """A connection that broke in the middle, however Python calls it."""
    return isinstance(error, OSError) \
        or type(error).__module__ == "http.client"


def attempt(function, *words):
    """The answer, or None when the connection broke."""
    try:
        return function(*words)
    except Exception as error:
        if not is_broken(error):
            raise
        return None


def pay_noted(stack, log, order_no, amount, client=None, **more):
    """One request; a broken connection or 5xx is "not told"."""
    log.note(order_no, None)
    answer = attempt(lambda: (client or stack.client).pay(
        order_no, amount, **more))
    if answer is not None and answer.status in (200, 201, 202):
        log.note(order_no, answer.json["status"])
        return answer
    return None


# --- rows and books --------------------------------------------------------

def attempts_by_order(stack, prefix):
    """{order_no: [(payment status, attempt id, attempt status)]}"""
    rows = stack.rows(
        "SELECT p.order_no, p.status, a.id, a.status FROM payment p JOIN "
        f"attempt a ON a.payment_id=p.id WHERE p.order_no LIKE '{prefix}%'")
    found = {}
    for order_no, status, attempt_id, attempt_status in rows:
        found.setdefault(order_no, []).append(
            (status, attempt_id, attempt_status))
    return found


def wait_settled(stack, prefix, wait_s=SETTLE_WAIT_S):
    """Until every payment is final; returns the rows and the open ones."""
    end = time.monotonic() + wait_s
    while True:
        found = attempts_by_order(stack, prefix)
        open_ones = [number for number, rows in found.items()
                     if rows[0][0] not in FINAL]
        if not open_ones or time.monotonic() > end:
            return found, open_ones
        time.sleep(0.3)


def open_rows(stack):
    """What is not at rest yet: {what: how many}."""
    counts = {}
    for name, text in (
            ("payments", "payment WHERE status IN ('created','paying')"),
            ("refunds", "refund WHERE status IN "
             "('created','processing','unknown')"),
            ("webhooks", "notify_task WHERE status='pending'")):
        count = int(stack.rows(f"SELECT COUNT(*) FROM {text}")[0][0])
        if count:
            counts[name] = count
    return counts


def wait_rest(stack, wait_s=120):
    """Until all is at rest, or {what: how many} is still open."""
    end = time.monotonic() + wait_s
    while (left := open_rows(stack)) and time.monotonic() < end:
        time.sleep(0.5)
    return left


class FailedWatch:
    """Looks all the time whether a charge that was taken was ever called
    failed: a state that is put right later was wrong all the same."""

    def __init__(self, stack, every=0.2):
        self.stack, self.every = stack, every
        self.seen = set()
        self.fault = None
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            while not self.stop.wait(self.every):
                self.look()
        except Exception as error:  # told in close(): no looking, no verdict
            self.fault = error

    def look(self):
        code, rows, errors = self.stack.sql(
            "SELECT id FROM attempt WHERE status='failed'")
        # the database may be one of those that are killed
        if code != 0 and not any(text in errors for text in (
                "Can't connect", "Lost connection", "server has gone away",
                "shutdown in progress", "reset by peer")):
            raise AssertionError(errors)
        self.seen |= {row[0] for row in rows}

    def close(self):
        self.stop.set()
        self.thread.join(10)
        if self.fault is not None:
            raise self.fault
        self.look()
        return self.seen


def judge(stack, log, found, failed):
    """(lost, doubled): a charge nobody accounts for, a payment told and gone,
    a charge that was ever called failed; a charge made twice."""
    books = stack.books()
    charged = {c["out_trade_no"]: c["times"] for c in books["charges"]
               if c["status"] == "paid"}
    of_attempt = {attempt_id: (number, status)
                  for number, rows in found.items()
                  for status, attempt_id, _ in rows}
    known = {row[0] for row in stack.rows("SELECT id FROM attempt")}
    back = {c["out_trade_no"] for c in books["refunds"]
            if c["times"] and c["out_trade_no"] in charged}
    lost = {f"charge {one} has no attempt" for one in charged
            if one not in known}
    lost |= {f"{of_attempt[one][0]} is charged and {of_attempt[one][1]}"
             for one in charged
             if one in of_attempt
             and of_attempt[one][1] not in ("paid", "paid_late")}
    lost |= {f"{of_attempt[one][0]} is charged and was called failed"
             for one in failed & charged.keys()}
    lost |= {f"{number} was answered {told} and has no row"
             for number, told in log.told.items()
             if told is not None and number not in found}
    lost |= {f"{number} is {rows[0][0]} and not charged"
             for number, rows in found.items()
             if rows[0][0] in ("paid", "paid_late")
             and not any(one in charged for _, one, _ in rows)}
    lost |= {f"{number} was told {log.told[number]} and is {rows[0][0]}"
             for number, rows in found.items()
             if log.told.get(number) in ("paid", "paid_late")
             and rows[0][0] != log.told[number]}
    doubled = {f"{one} was charged {times} times"
               for one, times in charged.items() if times > 1}
    doubled |= {f"{number} has {len(rows)} charged attempts"
                for number, rows in found.items()
                if sum(one in charged and one not in back
                       for _, one, _ in rows) > 1}
    return sorted(lost), sorted(doubled)


def judge_refunds(stack, log):
    """The same of refunds."""
    rows = {row[0]: row[1:] for row in stack.rows(
        "SELECT id,refund_no,status,amount,attempt_id FROM refund")}
    told_rows = {row[1]: (row[0], row[2]) for row in (
        [key, *value] for key, value in rows.items()) if row[1]}
    books = stack.books()
    made = {r["out_refund_no"]: r for r in books["refunds"] if r["times"]}
    paid = {c["out_trade_no"]: c["amount"] for c in books["charges"]
            if c["status"] == "paid"}
    lost, doubled = set(), set()
    for number, status in log.refunds.items():
        if status is not None and number not in told_rows:
            lost.add(f"refund {number} was answered {status} and has no row")
        if status == "succeeded" and told_rows.get(number, (0, 0))[1] != status:
            lost.add(f"refund {number} was told succeeded and is "
                     f"{told_rows.get(number)}")
    for one, refund in made.items():
        if one not in rows:
            lost.add(f"refund {one} is in the books and not ours")
        elif rows[one][1] != "succeeded" \
                or int(rows[one][2]) != refund["amount"] \
                or rows[one][3] != refund["out_trade_no"]:
            lost.add(f"refund {one} is made as {refund}, here {rows[one]}")
        if refund["times"] > 1:
            doubled.add(f"refund {one} was made {refund['times']} times")
    lost |= {f"refund {one} succeeded here and not at the channel"
             for one, row in rows.items()
             if row[1] == "succeeded" and one not in made}
    back = collections.Counter()
    for refund in made.values():
        back[refund["out_trade_no"]] += refund["amount"]
    doubled |= {f"{one}: {amount} of {paid.get(one)} went back"
                for one, amount in back.items() if amount > paid.get(one, 0)}
    return sorted(lost), sorted(doubled)


def checks(stack, told=None):
    """Faults that the product's own checkers name: invariants and drift."""
    faults = []
    words = ["--told", told] if told else []
    for name, more in (("invariants", words), ("drift", ())):
        done = stack.cli(name, *more, wait_s=300)
        if done.returncode != 0:
            faults.append(f"{name}: exit {done.returncode}: "
                          f"{done.stdout[-3000:]}{done.stderr[-1000:]}")
    return faults


# --- processes --------------------------------------------------------------

def state_rows(stack):
    """{name: row} as the supervisor wrote it last."""
    for _ in range(50):
        try:
            with open(os.path.join(stack.folder, "run", "state.json"),
                      encoding="utf-8") as file:
                return {row["name"]: row for row in json.load(file)}
        except (OSError, ValueError):
            time.sleep(0.02)
    raise RuntimeError("the supervisor keeps no state")


def running_pid(stack, name):
    row = state_rows(stack).get(name)
    return row["pid"] if row and row["state"] == "running" else 0


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children",
                  encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def kill_pid(pid):
    try:
        os.kill(pid, signal.SIGKILL)
        return True
    except ProcessLookupError:
        return False


def log_count(stack, name, text):
    """Lines of a log of the stack that contain the text."""
    try:
        with open(os.path.join(stack.folder, "log", name), encoding="utf-8",
                  errors="replace") as file:
            return sum(text in line for line in file)
    except OSError:
        return 0
