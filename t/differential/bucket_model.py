#!/usr/bin/env python3
"""Exact token buckets against the driver's traces (see driver.c).

Guava's formulas over rational numbers, so nothing of the C code's ticks, fine
ticks or rounding is in here.  The surcharge of a cold bucket is a square, whose
exact denominator would double its length with every request: numbers of the
warm-up are cut to 2^-256 ns instead, and nothing else is.

  usage: bucket_model.py < TRACES
A wait may be off by 1 ns, however long the trace.  Stored tokens whose interval
grows by another rate are worth more time, and so is what they were off: a change
adds a quarter of a ns, after the growth of the interval, until the bucket was
full again.  A decision may differ only where the exact one was as near.

One thing no finite arithmetic can follow: a warming bucket whose whole cold part
goes in one grant answers a difference in the store by up to twice as much in the
next free time, which is the next difference in the store.  The model follows
this slope of Guava's formula (`blur`), from an eighth of a ns a grant.
"""

import sys
from fractions import Fraction

CUT = 1 << 256
NS = Fraction(1)
NEAR = Fraction(7, 8)


def cut(number):
    return Fraction(number.numerator * CUT // number.denominator, CUT)


class Bursty:
    def __init__(self, tokens, per_ns, burst_tokens, burst_ns, _):
        self.interval = Fraction(per_ns, tokens)
        self.burst_tokens = burst_tokens
        self.burst_ns = burst_ns
        self.stored = self.most = self.room()
        self.free = Fraction(0)
        self.blur_stored = self.blur_free = self.blur_new = 0.0

    def room(self):
        return Fraction(self.burst_tokens) if self.burst_tokens \
            else self.burst_ns / self.interval

    def refill(self, now):
        if now > self.free:
            self.stored = min(self.most,
                              self.stored + (now - self.free) / self.interval)
            self.free = Fraction(now)
            self.blur_stored = abs(self.blur_stored - self.blur_free) \
                + self.blur_new
            if self.stored == self.most:
                self.blur_stored = 0.0
            self.blur_free = self.blur_new = 0.0

    def blur(self):
        return Fraction(abs(self.blur_free) + self.blur_new)

    def take(self, now, cost):
        self.refill(now)
        spent = min(Fraction(cost), self.stored)
        self.free += self.cold(spent) + (cost - spent) * self.interval
        self.stored -= spent

    def cold(self, _):
        return 0

    def rate(self, now, tokens, per_ns):
        self.refill(now)
        self.interval = Fraction(per_ns, tokens)
        most, self.most = self.most, self.room()
        self.stored = self.stored * self.most / most if most else Fraction(0)

    def is_full(self, now):
        return now - self.free >= (self.most - self.stored) * self.interval


class WarmUp(Bursty):
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
        self.blur_free += steep * self.blur_stored
        self.blur_new += steep / 8
        if spent == self.stored:
            self.blur_stored = 0.0
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
    slack = NS
    for line in sys.stdin:
        word, *rest = line.split()
        numbers = list(map(int, rest))
        if word == "T":
            bucket = (Bursty, WarmUp)[numbers[0]](*numbers[1:])
            slack = NS
            continue
        if word == "R":
            interval = bucket.interval
            bucket.rate(*numbers)
            slack = slack * max(1, bucket.interval / interval) + NS / 4
            continue
        now, cost, wait_max, granted, told = numbers
        if bucket.is_full(now):
            slack = NS
        wait = max(bucket.free - now, 0)
        off = abs(wait - told)
        waits += 1
        worst[slack > NS] = max(worst[slack > NS], float(off))
        allowed = slack - NS + NEAR + bucket.blur()
        beyond += off > NS and slack == NS
        wrong += off > allowed
        if (wait <= wait_max) != granted:
            flips += 1
            wrong += abs(wait - wait_max) > allowed
        if granted:
            bucket.take(now, cost)
    print(f"waits {waits}, worst {worst[0]:.3f} ns, after a change of rate "
          f"{worst[1]:.3f} ns, beyond 1 ns by the slope {beyond}, flips {flips}, "
          f"wrong {wrong}")
    return 1 if wrong or not waits else 0


sys.exit(main())
