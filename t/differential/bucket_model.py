#!/usr/bin/env python3
"""Exact token buckets against the driver's traces (see driver.c).

Guava's formulas over rational numbers, so nothing of the C code's ticks, fine
ticks or rounding is in here.  The surcharge of a cold bucket is a square, whose
exact denominator would double its length with every request: numbers of the
warm-up are cut to 2^-256 ns instead, and nothing else is.

  usage: bucket_model.py < TRACES
What a wait may be off follows from three roundings alone, in ns, and from the
formulas' own slope; no number here is fitted to what was seen:

  TICK   the C code's unit of time is an eighth of a ns at most
  ASK    a wait is told in whole ns (1/2), of a moment and a debt in whole ticks;
         a warm-up has finer moments, so its debt alone (1/2 tick)
  FRESH  a refill happens at a moment in whole ticks (1/2 tick); one that warms
         makes next free time and store eighths of it, both less by the same
  CHANGE another rate: two moments, two full stores, and the store or the debt
         are rounded (1/2 each)

So after a refill the next free time is off by `fresh`, the store by `apart +
fresh`.  A grant that takes part of what is cold answers what the store is off by
`steep` times as much (0 to 2) of the next free time, and what the two differ by
is what the store is off behind the next refill.  Whatever it was, it is gone
when the bucket is full.  A decision may differ only where the exact wait was as
near as that.  Whatever the slope allows, no wait may be off by more than 1 ns
but for those behind a change of rate.
"""

import sys
from fractions import Fraction

CUT = 1 << 256
NS = Fraction(1)
TICK = 1 / 8
CHANGE = 5 * TICK / 2


def cut(number):
    return Fraction(number.numerator * CUT // number.denominator, CUT)


class Bursty:
    ask = 1 / 2 + TICK
    fresh = TICK / 2
    whole = TICK / 2  # a full store is one of whole ticks

    def __init__(self, tokens, per_ns, burst_tokens, burst_ns, _):
        self.interval = Fraction(per_ns, tokens)
        self.burst_tokens = burst_tokens
        self.burst_ns = burst_ns
        self.stored = self.most = self.room()
        self.free = Fraction(0)
        self.is_changed = False
        self.forget()

    def forget(self):
        """Nothing is off yet.  Parts of `apart` and of `fresh` by which free and
        store are off, and what has no sign that is known."""
        self.apart = self.whole
        self.free_off, self.stored_off = (0.0, 0.0), (0.0, 0.0)
        self.free_loose = self.stored_loose = 0.0

    def room(self):
        return Fraction(self.burst_tokens) if self.burst_tokens \
            else self.burst_ns / self.interval

    def size(self, off):
        return abs(off[0]) * self.apart + abs(off[1]) * self.fresh

    def off(self):
        """The most by which a wait may be off now.  Where less is left in the
        store than it may be off by, it may be empty and the rest owed."""
        store = self.size(self.stored_off) + self.stored_loose
        owed = max(0.0, store - float(self.stored * self.interval)) \
            if self.stored else 0.0
        return self.ask + self.size(self.free_off) + self.free_loose + owed

    def refill(self, now):
        if now <= self.free:
            return
        self.stored = min(self.most,
                          self.stored + (now - self.free) / self.interval)
        self.free = Fraction(now)
        self.apart = self.size((self.stored_off[0] - self.free_off[0],
                                self.stored_off[1] - self.free_off[1])) \
            + self.stored_loose + self.free_loose
        self.stored_loose = self.free_loose = 0.0
        self.free_off, self.stored_off = (0.0, 1.0), (1.0, 1.0)
        if self.stored == self.most:
            self.apart = self.whole
            self.is_changed = False

    def take(self, now, cost):
        self.refill(now)
        spent = min(Fraction(cost), self.stored)
        self.free += self.cold(spent) + (cost - spent) * self.interval
        self.stored -= spent

    def empty(self):
        self.stored_off, self.stored_loose = (0.0, 0.0), 0.0

    def cold(self, spent):
        """What stored tokens cost: nothing.  What is not there is paid for."""
        if spent == self.stored:
            self.free_off = tuple(free - stored for free, stored
                                  in zip(self.free_off, self.stored_off))
            self.free_loose += self.stored_loose
            self.empty()
        return 0

    def rate(self, now, tokens, per_ns):
        self.refill(now)
        was, self.interval = self.interval, Fraction(per_ns, tokens)
        most, self.most = self.most, self.room()
        self.stored = self.stored * self.most / most if most else Fraction(0)
        longer = float(self.interval / was) if self.burst_tokens else 1.0
        stored = (self.size(self.stored_off) + self.stored_loose) * longer \
            + CHANGE * max(1.0, longer)
        owed = self.size(self.free_off) + self.free_loose + CHANGE
        self.forget()
        self.stored_loose = stored if self.stored else 0.0
        if self.free > now:
            self.free_loose = owed
        else:
            self.free_off = (0.0, 1.0)
        self.is_changed = True

    def is_full(self, now):
        return now - self.free >= (self.most - self.stored) * self.interval


class WarmUp(Bursty):
    ask = 1 / 2 + TICK / 2
    fresh = TICK / 8
    whole = 0.0

    def __init__(self, tokens, per_ns, _, __, warmup_ns):
        self.warmup = warmup_ns
        super().__init__(tokens, per_ns, 0, 0, warmup_ns)

    def room(self):
        # half the warm-up at the stable interval, and the trapezoid above
        self.threshold = Fraction(self.warmup, 2) / self.interval
        above = 2 * self.warmup / (self.interval + 3 * self.interval)
        self.slope = 2 * self.interval / above
        return self.threshold + above

    def cold(self, spent):
        above = max(self.stored - self.threshold, 0)
        taken = min(above, spent)
        steep = float(taken * self.slope / self.interval)
        self.free_off = tuple(free + steep * stored for free, stored
                              in zip(self.free_off, self.stored_off))
        self.free_loose += steep * self.stored_loose
        if spent == self.stored:
            self.empty()
        time = taken * (2 * self.interval
                        + (2 * above - taken) * self.slope) / 2
        return cut(time + (spent - taken) * self.interval)

    def refill(self, now):
        super().refill(now)
        self.stored = cut(self.stored)


def main():
    bucket = None
    waits = beyond = flips = wrong = 0
    worst = [0.0, 0.0]  # with no change of rate since it was full, and with one
    widest = 0.0  # with no change
    for line in sys.stdin:
        word, *rest = line.split()
        numbers = list(map(int, rest))
        if word == "T":
            bucket = (Bursty, WarmUp)[numbers[0]](*numbers[1:])
            continue
        if word == "R":
            bucket.rate(*numbers)
            continue
        now, cost, wait_max, granted, told = numbers
        wait = max(bucket.free - now, 0)
        off = abs(wait - told)
        allowed = bucket.off()
        waits += 1
        if bucket.is_full(now):
            bucket.is_changed = False
        worst[bucket.is_changed] = max(worst[bucket.is_changed], float(off))
        if not bucket.is_changed:
            widest = max(widest, allowed)
        beyond += off > NS and not bucket.is_changed
        wrong += off > allowed or (off > NS and not bucket.is_changed)
        if (wait <= wait_max) != granted:
            flips += 1
            wrong += abs(wait - wait_max) > allowed
        if granted:
            bucket.take(now, cost)
    print(f"waits {waits}, worst {worst[0]:.3f} ns, after a change of rate "
          f"{worst[1]:.3f} ns, beyond 1 ns {beyond}, flips {flips}, "
          f"widest {widest:.3f} ns, wrong {wrong}")
    return 1 if wrong or not waits else 0


sys.exit(main())
