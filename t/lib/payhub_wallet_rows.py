"""Rows of faults that Alipay and WeChat Pay share: codes that are shown, bar
codes that are read, and what a lost or bent answer of each operation may lead
to.  The same money moves in each, so the ends are the same."""

import concurrent.futures

from payhub_channel_rows import Channel, wait

# Answers that nothing may be learned from; what was asked is done or not.
LOST = ("delay", "hang_before", "hang_after", "drop_before", "drop_after",
        "http500_before", "http500_after", "http429")
UNREADABLE = ("bad_sign", "no_sign", "not_base64", "own_key", "truncated",
              "html", "empty", "big", "deep")
NOT_DONE = ("hang_before", "drop_before", "http500_before", "http429",
            "system_error", "unknown_error", "odd_code", "unavailable")
ROWS = 48  # at once: most of them wait
SLOW_S = 35  # a refund is asked about no sooner than 10 s after its birth


class Wallet(Channel):
    """`bar`: method, auth_code; the first amount makes a knob's mark."""

    bar = ("", "")

    def shown(self, **more):
        """(answer, number) of a payment that waits for its payer."""
        answer, number = self.pay(**more)
        assert answer.status == 201, answer
        assert answer.json["status"] == "paying", answer
        return answer, number

    def shown_later(self, **more):
        """Shown at once, or when the create was made again."""
        answer, number = self.pay(**more)
        assert answer.status in (201, 202), answer
        wait(lambda: self.get(answer)["action"]["type"] != "none",
             f"{answer.json['id']} shows its action")
        return answer, number

    def scanned(self):
        answer, number = self.shown()
        self.counterpart.set(number, scanned=True)
        return answer, number

    def paid_silently(self):
        """The payer paid, and no notice told."""
        answer, number = self.shown()
        self.counterpart.pay(number, silent=True)
        return answer, number

    def bar_pay(self, fault=None, **more):
        """A payment by bar code, its create answered with `fault`."""
        method, code = self.bar
        amount = next(self.amounts)
        if fault:
            self.counterpart.knob("create", fault, amount=amount)
        for op, other in more.items():
            self.counterpart.knob(op, other, amount=amount)
        return self.pay(method=method, amount=amount,
                        extra={"auth_code": code})

    # ---- rows: one fault of one operation ----

    def bar_paid_meanwhile(self):
        """The payer types a password while we wait for it."""
        amount = next(self.amounts)
        self.counterpart.knob("create", "wait", amount=amount)

        def payer():
            number = wait(lambda: next(
                (one["number"] for one in self.counterpart.books().values()
                 if one["amount"] == amount), None), f"an order of {amount}")
            self.counterpart.pay(number, silent=True)

        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            paying = pool.submit(payer)
            answer, _ = self.pay(method=self.bar[0], amount=amount,
                                 extra={"auth_code": self.bar[1]})
            paying.result()
        self.ends(answer, "paid")

    def create_row(self, fault):
        amount = next(self.amounts)
        self.counterpart.knob("create", fault, amount=amount)
        answer, number = self.shown_later(amount=amount)
        assert ("create", fault) in self.asked(number)
        told = self.counterpart.pay(number)
        assert [one["status"] for one in told] == [200], told
        self.ends(answer, "paid")

    def bar_row(self, fault):
        answer, number = self.bar_pay(fault)
        assert answer.status in (201, 202), answer
        is_lost = fault in NOT_DONE
        self.ends(answer, *(("failed", "closed") if is_lost else ("paid",)),
                  wait_s=SLOW_S)
        book = self.book(number)
        assert (book is None or book["charges"] == 0) == is_lost, book
        assert ("create", fault) in self.asked(number)

    def query_row(self, fault):
        answer, number = self.shown()
        self.counterpart.knob("query", fault, number=number)
        self.counterpart.pay(number, silent=True)
        row = self.get(answer, sync=True)
        assert row["status"] in ("paying", "paid"), row
        self.ends(answer, "paid")
        assert ("query", fault) in self.asked(number)

    def close_row(self, fault):
        answer, number = self.scanned()
        self.counterpart.knob("close", fault, number=number)
        closed = self.close(answer)
        assert closed.status in (200, 202), closed
        self.ends(answer, "closed", wait_s=SLOW_S)
        assert self.book(number)["status"] == "closed"
        assert ("close", fault) in self.asked(number)

    def refund_row(self, fault, after=""):
        """`after`: what comes of the query that follows the answer."""
        answer, number = self.paid()
        self.counterpart.knob("refund", fault, number=number)
        if after:
            self.counterpart.knob("refund_query", after, number=number)
        refund = self.refund(answer, 700)
        assert refund.status in (201, 202), refund
        self.refund_ends(refund, "succeeded", wait_s=SLOW_S)
        assert self.refunds(number) == {refund.json["id"]: (700, 1)}
        assert self.get(answer)["amount_refunded"] == 700
        assert ("refund", fault) in self.asked(number)
        assert not after or ("refund_query", after) in self.asked(number)

    def refund_query_row(self, fault):
        self.refund_row("drop_after", fault)

    def bar_taken_back_later(self):
        """Paid at the moment of the reverse, which is carried out later than
        it is answered: what queries say in between is no success."""
        answer, number = self.bar_pay("wait", reverse="late")
        self.ends(answer, "closed", wait_s=SLOW_S + 5)
        assert self.book(number)["status"] == "reversed", self.book(number)
        assert self.asked(number, "reverse")[:2] == [
            ("reverse", "late"), ("reverse", None)], self.asked(number)

    # ---- rows: what somebody else answers in the channel's place ----

    def bar_lie(self, how):
        """It calls a payment done that nobody made."""
        answer, number = self.bar_pay("lie:" + how)
        assert answer.json["status"] != "paid", answer.body
        self.ends(answer, "failed", "closed", wait_s=SLOW_S)
        assert ("create", "lie:" + how) in self.asked(number)

    def query_lie(self, how):
        answer, number = self.scanned()
        self.counterpart.knob("query", "lie:" + how, times=2, number=number)
        for _ in range(2):
            row = self.get(answer, sync=True)
            assert row["status"] == "paying", row
        assert ("query", "lie:" + how) in self.asked(number)
        told = self.counterpart.pay(number)
        assert [one["status"] for one in told] == [200], told
        self.ends(answer, "paid")

    def close_lie(self, how):
        """It calls an order closed that can still be paid, and is."""
        answer, number = self.scanned()
        self.counterpart.knob("close", "lie:" + how, number=number)
        closed = self.close(answer)
        assert closed.json["status"] != "closed", closed
        assert ("close", "lie:" + how) in self.asked(number)
        self.ends(answer, "closed", wait_s=SLOW_S)
        assert self.book(number)["status"] == "closed"

    def refund_lie(self, how):
        answer, number = self.paid()
        self.counterpart.knob("refund", "lie:" + how, number=number)
        refund = self.refund(answer, 700)
        assert refund.json["status"] != "succeeded", refund
        self.refund_honest(refund, number)
        assert ("refund", "lie:" + how) in self.asked(number)

    def refund_query_lie(self, how):
        answer, number = self.paid()
        self.counterpart.knob("refund", "drop_before", number=number)
        self.counterpart.knob("refund_query", "lie:" + how, number=number)
        refund = self.refund(answer, 700)
        self.refund_honest(refund, number)
        assert ("refund_query", "lie:" + how) in self.asked(number)

    def refund_honest(self, refund, number):
        """Called done when the books know it, and no sooner."""
        self.refund_ends(refund, "succeeded", wait_s=SLOW_S)
        assert self.refunds(number) == {refund.json["id"]: (700, 1)}

    # ---- steps that both have ----

    def codes_three_at_a_time(self):
        answer, number = self.shown()
        told = self.counterpart.pay(number, copies=3)
        assert [one["status"] for one in told] == [200] * 3, told
        self.ends(answer, "paid")

    def repeats_move_nothing(self, number, bends):
        before = self.rows(number)
        told = self.told(number, [200] * 3, copies=3)
        for bend in ("replay", *bends):
            told += self.told(number, [200], bend=bend)
        assert self.rows(number) == before
        return told

    def conflicts_by_notice(self, bends):
        for bend in bends:
            answer, number = self.paid_silently()
            self.told(number, [200], bend=bend)
            self.ends(answer, "conflict")

    def conflicts_by_answer(self, bends):
        for bend in bends:
            answer, _ = self.bar_pay(bend)
            self.ends(answer, "conflict")
            answer, number = self.shown()
            self.counterpart.knob("query", bend, times=9, number=number)
            self.counterpart.pay(number, silent=True)
            self.get(answer, sync=True)
            self.ends(answer, "conflict")

    def not_sent(self, fault):
        """A genuine answer: nothing was made, another account might."""
        amount = next(self.amounts)
        self.counterpart.knob("create", fault, amount=amount)
        answer, number = self.pay(amount=amount)
        assert (answer.status, answer.json["status"]) == (201, "failed"), \
            answer
        assert answer.json["error"]["code"] == "PH-A403", answer.body
        assert self.book(number) is None

    def late(self):
        answer, number = self.scanned()
        assert self.close(answer).json["status"] == "closed"
        self.counterpart.set(number, status="open")
        self.pays(number)
        return answer, number
