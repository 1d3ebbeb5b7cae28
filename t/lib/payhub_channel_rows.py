"""What every channel has to bear, against its counterpart: rows of faults run
at the same time, each on a payment of its own; afterwards the counterpart's
books are held against SQL."""

import collections
import concurrent.futures
import itertools
import os
import tempfile
import time
import traceback

from payhub_scenario import order

ROWS_AT_ONCE = 24
FINAL = ("paid", "failed", "closed", "paid_late", "conflict")


class Channel:
    """An account of `channel` at a counterpart, and the payments made there.
    settings and secrets are texts by key."""

    def __init__(self, stack, counterpart, channel, settings, secrets,
                 **payment):
        self.stack = stack
        self.counterpart = counterpart
        self.channel = channel
        self.payment = payment  # method, currency, ... of every one
        self.untold = set()  # numbers whose refunds nobody told us all of
        self.repeats = False  # a create whose outcome is unknown is sent again
        self.amounts = itertools.count(10100)
        told = self.account(settings, secrets, "add", channel, "--name",
                            order(channel), "--json")
        self.id = told.split('"account_id":"')[1].split('"')[0]
        self.path = f"/notify/{channel}/{self.id}"
        wait(lambda: stack.client.send("POST", self.path, {}, b"?").status
             != 404, "the worker knows the account")

    def account(self, settings, secrets, *words):
        """`payhub channel account` with values that no command line shows."""
        with tempfile.TemporaryDirectory(dir=self.stack.scratch) as folder:
            for flag, values in (("--set", settings), ("--secret", secrets)):
                for key, value in values.items():
                    path = os.path.join(folder, key)
                    with open(path, "w", encoding="utf-8",
                              opener=lambda *at: os.open(*at, 0o600)) as file:
                        file.write(value)
                    words = (*words, flag, f"{key}=@{path}")
            done = self.stack.cli("channel", "account", *words)
        assert done.returncode == 0, done
        return done.stdout

    # ---- payments and refunds ----

    def pay(self, **more):
        """The answer, and the attempt's number; None when it tells none."""
        asked = {"amount": next(self.amounts), "account": self.id,
                 **self.payment, **more}
        answer = self.stack.client.pay(order(self.channel),
                                       asked.pop("amount"), **asked)
        return answer, answer.json["attempts"][-1]["id"] if answer.status \
            in (200, 201, 202) else None

    def get(self, answer, sync=False):
        found = self.stack.client.call(
            "GET", f"/v1/payments/{answer.json['id']}"
            + ("?sync=true" if sync else ""))
        assert found.status in (200, 202), found
        return found.json

    def ends(self, answer, *statuses, wait_s=30):
        """Waits until the payment is as expected; another end is a fault."""
        def look():
            found = self.get(answer)
            assert found["status"] not in FINAL \
                or found["status"] in statuses, (found, statuses)
            return found if found["status"] in statuses else None

        return wait(look, f"{answer.json['id']} {statuses}", wait_s)

    def paid(self, **more):
        """A payment that the payer paid; a notice told of it."""
        answer, number = self.pay(**more)
        assert answer.status == 201, answer
        told = self.counterpart.pay(number)
        assert [one["status"] for one in told] == [200], told
        self.ends(answer, "paid")
        return answer, number

    def close(self, answer):
        return self.stack.client.call(
            "POST", f"/v1/payments/{answer.json['id']}/close")

    def refund(self, answer, amount, refund_no=None):
        return self.stack.client.call(
            "POST", f"/v1/payments/{answer.json['id']}/refunds",
            {"refund_no": refund_no or order("r"), "amount": amount})

    def refund_ends(self, refund, *statuses, wait_s=30):
        def look():
            found = self.stack.client.call(
                "GET", "/v1/refunds/" + refund.json["id"])
            assert found.status == 200, found
            status = found.json["status"]
            assert status in statuses or status in ("processing", "unknown"), \
                found.json
            return found.json if status in statuses else None

        return wait(look, f"{refund.json['id']} {statuses}", wait_s)

    def book(self, number):
        return self.counterpart.books().get(number)

    def refunds(self, number):
        """{number: (amount, how often)} of the channel's books."""
        return {name: (one["amount"], one["times"])
                for name, one in self.book(number)["refunds"].items()}

    def went_back(self, row, number):
        wait(lambda: self.refunds(number)
             == {"R" + number[1:]: (row["amount"], 1)}, "it went back")

    def pays(self, number):
        """The payer pays, and what tells of it is taken."""
        told = self.counterpart.pay(number)
        assert [one["status"] for one in told] == [200], told

    def late(self):
        """(answer, number) of a payment that was closed, or had failed, before
        the payer paid it: as each channel lets it happen."""
        raise NotImplementedError

    def late_success_goes_back(self):
        answer, number = self.late()
        self.went_back(self.ends(answer, "paid_late"), number)

    def asked(self, number, op=None):
        """[(op, fault)] of what the channel was asked about an order."""
        return [(one["op"], one.get("fault"))
                for one in self.counterpart.seen()["seen"]
                if one.get("number") == number and op in (None, one["op"])]

    # ---- notices ----

    def told(self, number, statuses, **more):
        """One notice, and what the gateway answered to it."""
        told = self.counterpart.notice(number, **more)
        assert [one["status"] for one in told] == statuses, \
            (more, told)
        return told

    def rows(self, number):
        """What SQL has about an attempt that evidence could move."""
        moved = ("status,channel_trade_no,proof_source,HEX(proof_digest),"
                 "error_class,paid_at,failed_at,closed_at,conflict_at")
        return self.stack.rows(f"""
            SELECT {moved} FROM attempt WHERE id='{number}';
            SELECT {moved},sequence,amount_refunded,amount_refunding
              FROM payment WHERE id=(SELECT payment_id FROM attempt
                                     WHERE id='{number}');
            SELECT id,status,amount,error_class,HEX(proof_digest) FROM refund
              WHERE payment_id=(SELECT payment_id FROM attempt
                                WHERE id='{number}') ORDER BY id;""")

    def refused_notices_move_nothing(self, number, bends, refund=None):
        """Each one: a problem, one log line that names it, no row moves."""
        before = self.rows(number)
        for bend in bends:
            lines = len(self.log("problem=PH-A214"))
            told = self.told(number, [400], bend=bend, refund=refund)
            assert all('"code":"PH-A214"' in one["body"] for one in told), told
            wait(lambda: len(self.log("problem=PH-A214")) > lines, bend)
            assert len(self.log("problem=PH-A214")) == lines + 1, bend
            assert self.rows(number) == before, bend

    def log(self, *texts):
        """Lines of the worker's log about notices to this account, or about
        what the first text names."""
        path = os.path.join(self.stack.folder, "log", "worker_1.log")
        texts = texts if len(texts) > 1 else (self.path, *texts)
        with open(path, encoding="utf-8", errors="replace") as file:
            return [line for line in file
                    if all(text in line for text in texts)]

    # ---- rows of faults: what the channel does, how the payment ends ----

    def create_row(self, fault, end="paid"):
        """end "failed": the channel never had the order and says so, twice and
        late enough; nothing was shown to the payer."""
        amount = next(self.amounts)
        self.counterpart.knob("create", fault, amount=amount, ms=300)
        answer, number = self.pay(amount=amount)
        assert answer.status == (
            202 if end in ("paid", "failed") and fault != "delay" else 201), \
            answer
        assert answer.json["status"] in ("paying", "conflict"), answer.json
        if end == "failed":
            self.ends(answer, "failed")
            assert len(self.asked(number, "query")) >= 2, self.asked(number)
            assert self.book(number) is None, self.book(number)
        else:
            wait(lambda: self.book(number), f"{number} is at the channel")
            if end != "conflict":
                self.counterpart.pay(number, silent=True)
            self.ends(answer, end)
        creates = self.asked(number, "create")
        assert ("create", fault) in creates, creates
        assert len(creates) == 1 or self.repeats, creates

    def query_row(self, fault, end="paid"):
        """Paid without a notice: only queries can tell, the first are bad."""
        answer, number = self.pay()
        self.counterpart.knob("query", fault, times=2, number=number, ms=300)
        self.counterpart.pay(number, silent=True)
        found = self.get(answer, sync=True)
        assert found["status"] in ("paying", end), found
        self.ends(answer, end)
        self.not_believed(number, "query", fault, end)

    def lie_row(self, fault):
        """An answer that is not genuine says that it is paid."""
        answer, number = self.pay()
        self.counterpart.knob("query", fault, times=2, number=number)
        for _ in range(2):
            assert self.get(answer, sync=True)["status"] == "paying"
        wait(lambda: self.asked(number).count(("query", fault)) == 2,
             "two lies")
        found = self.get(answer, sync=True)
        assert found["status"] == "paying", found
        assert self.book(number)["charges"] == 0
        self.counterpart.pay(number, silent=True)
        self.ends(answer, "paid")

    def not_believed(self, number, op, fault, end):
        """What was told is asked again, until there is a clean answer; a
        late one is believed, and one of another order is a conflict."""
        asked = self.asked(number)
        assert (op, fault) in asked, asked
        assert end == "conflict" or fault == "delay" \
            or asked[-1][1] is None, asked

    def refund_row(self, op, fault, end="succeeded"):
        """op "refund" or "refund_query" is what goes wrong; the latter as
        "refund_query_slow" at a channel that would tell the end at once if it
        were not asked to take its time."""
        answer, number = self.paid()
        is_slow = op.endswith("_slow")
        op = op.removesuffix("_slow")
        if is_slow:
            self.counterpart.ask("/_slow", number=number)
        self.counterpart.knob(op, fault, times=1 if op == "refund" else 2,
                              number=number, ms=300)
        refund = self.refund(answer, 3000)
        assert refund.status in (201, 202), refund
        if is_slow:
            self.counterpart.ask("/_settle", number=number, status=end,
                                 refund=refund.json["id"])
        found = self.refund_ends(refund, end)
        assert found["amount"] == 3000, found
        row = self.get(answer)
        assert (row["amount_refunded"], row["amount_refunding"]) == (
            3000 if end == "succeeded" else 0, 0), row
        book = self.book(number)["refunds"].get(refund.json["id"])
        assert (book and book["times"]) == (
            1 if end == "succeeded" else None), book
        self.not_believed(number, op, fault, end)

    def console_refund_row(self):
        """A person gives a part back at the channel's own console: what is
        told of it counts once, and only the rest can go back."""
        answer, number = self.paid()
        amount = answer.json["amount"]
        made = self.counterpart.ask("/_console_refund", number=number,
                                    amount=700)
        for _ in range(2):
            self.told(number, [200], refund=made["number"])
            wait(lambda: self.get(answer)["amount_refunded"] == 700,
                 f"{number}: what went back is counted")
        over = self.refund(answer, amount - 699)
        assert (over.status, over.json["code"]) == (422, "PH-A307"), over
        rest = self.refund(answer, amount - 700)
        self.refund_ends(rest, "succeeded")
        self.told(number, [200], refund=made["number"])
        assert self.get(answer)["amount_refunded"] == amount
        answer, number = self.paid()
        for part, sum_ in ((100, 100), (50, 150)):  # the second on top
            made = self.counterpart.ask("/_console_refund", number=number,
                                        amount=part)
            self.told(number, [200], refund=made["number"])
            wait(lambda: self.get(answer)["amount_refunded"] == sum_,
                 f"{number}: both are counted")

    # ---- after each file ----

    def invariants(self):
        return self.stack.cli("invariants")

    def holds(self, refused=0):
        """Never paid without the books, never failed while the books say
        paid, a payment charged once, what went back counted."""
        seen, books = self.counterpart.seen(), self.counterpart.books()
        assert len(seen["refused"]) == refused, seen["refused"]
        creates = collections.Counter(
            one.get("number") for one in seen["seen"] if one["op"] == "create")
        charged = collections.Counter()
        attempts = self.stack.rows(
            "SELECT a.id,a.status,a.amount,p.status,p.id,p.method FROM attempt "
            "a JOIN payment p ON p.id=a.payment_id "
            f"WHERE a.account_id='{self.id}'")
        assert attempts, "no payment was made"
        for number, status, amount, payment, of, method in attempts:
            book = books.get(number)
            is_paid = book is not None and book["status"] == "paid"
            row = (number, status, payment, book)
            if status == "succeeded" or payment == "paid":
                assert is_paid and book["amount"] == int(amount), row
            if is_paid:
                assert book["charges"] == 1, row
                assert status not in ("failed", "closed"), row
                assert payment in ("paid", "paid_late", "conflict"), row
                charged[of] += 1
            # what takes the money is never sent again
            assert creates[number] <= 1 or not method.endswith("bar"), row
        assert max(charged.values(), default=0) <= 1, charged
        self.refunds_hold(books)
        checked = self.invariants()
        assert checked.returncode == 0, checked

    def refunds_hold(self, books):
        rows = {row[0]: row[1:] for row in self.stack.rows(
            "SELECT r.id,r.status,r.amount FROM refund r "
            "JOIN payment p ON p.id=r.payment_id "
            f"WHERE p.account_id='{self.id}' AND r.kind<>'foreign'")}
        for name, (status, amount) in rows.items():
            found = [book["refunds"][name] for book in books.values()
                     if name in book["refunds"]]
            row = (name, status, amount, found)
            assert len(found) <= 1, row
            if status == "succeeded":
                assert [(one["status"], one["amount"]) for one in found] \
                    == [("succeeded", int(amount))], row
            elif status == "failed":
                assert not found or found[0]["status"] in (
                    "failed", "canceled"), row
        for number, done, on_its_way in self.stack.rows(
                "SELECT a.id,p.amount_refunded,p.amount_refunding FROM attempt "
                "a JOIN payment p ON p.id=a.payment_id WHERE "
                f"a.account_id='{self.id}'"):
            book = books.get(number, {"refunds": {}, "amount": 0})
            back = sum(one["amount"] for one in book["refunds"].values()
                       if one["status"] == "succeeded")
            row = (number, done, on_its_way, book)
            assert back <= book["amount"], row
            assert all(name in rows or name.startswith("CONSOLE")
                       for name in book["refunds"]), row
            assert number in self.untold or int(done) <= back \
                <= int(done) + int(on_its_way), row


def wait(look, what, wait_s=20):
    """The first true value that look() tells."""
    end = time.monotonic() + wait_s
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < end, f"not within {wait_s} s: {what}"
        time.sleep(0.1)


def at_once(rows, function, most=ROWS_AT_ONCE):
    """function(*row) for every row, many at the same time; all that failed
    are told together."""
    def one(row):
        try:
            function(*row)
        except Exception:
            return f"{row}:\n{traceback.format_exc()}"
        return None

    with concurrent.futures.ThreadPoolExecutor(most) as pool:
        failed = [text for text in pool.map(one, rows) if text]
    assert not failed, "\n".join(failed)
