// Guava's own RateLimiter against the traces of ../driver.c, read from standard
// input.  The class stands in Guava's package, where the limiter's clock can be
// given: it stands still but for the traces.
//
// After each request Guava's limiter does what ours did, so that a decision
// which differs does not end the comparison.  Guava cuts each grant to whole
// microseconds: a wait of the bursty kind may be lower by one for each grant
// since both were full, and a decision may differ only where the wait is as near
// to what was allowed.
//
// A warming limiter adds up to three parts in a grant (cold, warm and fresh
// tokens) and cuts each; what was cut comes back as stored tokens, and a cold
// one costs up to three intervals, two more than it took to store: its waits may
// be higher as well, by twice the cuts.
package com.google.common.util.concurrent;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.concurrent.TimeUnit;

public final class GuavaModel {
    /** What double arithmetic may add to a cut, in microseconds. */
    private static final double NOISE_US = 0.01;

    private static final class Clock extends RateLimiter.SleepingStopwatch {
        long nowUs;
        long sleptUs;

        @Override
        protected long readMicros() {
            return nowUs;
        }

        @Override
        protected void sleepMicrosUninterruptibly(long micros) {
            sleptUs = micros;
        }
    }

    private Clock clock;
    private SmoothRateLimiter limiter;
    private boolean isWarming;
    private long cuts; // since both were full

    private long traces;
    private long requests;
    private long changes;
    private long flips;
    private long wrong;
    private long beyond; // one microsecond for each grant
    private long grants;

    private void begin(long[] n) {
        clock = new Clock();
        limiter = n[0] == 0
            ? new SmoothRateLimiter.SmoothBursty(clock, n[4] / 1e9)
            : new SmoothRateLimiter.SmoothWarmingUp(clock, n[5] / 1000,
                                                    TimeUnit.MICROSECONDS, 3.0);
        limiter.setRate(n[1] * 1e9 / n[2]);
        isWarming = n[0] != 0;
        cuts = 0;
        grants = 0;
        traces++;
    }

    private void change(long[] n) {
        clock.nowUs = n[0] / 1000;
        limiter.setRate(n[1] * 1e9 / n[2]);
        changes++;
    }

    private void request(long[] n) {
        long now = n[0] / 1000;
        int cost = (int) n[1];
        long timeout = n[2] / 1000;
        boolean granted = n[3] != 0;
        double told = n[4] / 1000.0;

        clock.nowUs = now;
        long earliest = limiter.queryEarliestAvailable(now);
        double wait = Math.max(earliest - now, 0);
        double over = cuts + 0.001 + NOISE_US;
        double under = (isWarming ? 2 * cuts : 0) + 0.001 + NOISE_US;
        double off = told - wait;

        requests++;
        if (off < -under || off > over) {
            wrong++;
        }
        if (Math.abs(off) > grants + 0.001 + NOISE_US) {
            beyond++;
        }
        int parts = granted ? parts(cost, now) : 0;
        if (earliest - timeout <= now == granted) {
            boolean did = limiter.tryAcquire(cost, timeout,
                                             TimeUnit.MICROSECONDS);
            if (did != granted || did && clock.sleptUs != (long) wait) {
                wrong++;
            }
        } else {
            flips++;
            if (Math.abs(told - timeout) > Math.max(over, under)) {
                wrong++;
            }
            if (granted) {
                limiter.reserveAndGetWaitLength(cost, now);
            }
        }
        if (granted) {
            grants++;
            cuts += parts;
        }
    }

    /** How many times a grant is cut to whole microseconds. */
    private int parts(int cost, long now) {
        if (!isWarming) {
            return 1;
        }
        limiter.resync(now);
        double half = limiter.maxPermits / 2;
        double cold = Math.max(limiter.storedPermits - half, 0);

        return (cold > 0 ? 1 : 0) + (cost > cold && limiter.storedPermits > 0
            ? 1 : 0) + (cost > limiter.storedPermits ? 1 : 0);
    }

    /** What was cut is gone when both are full. */
    private void refill(long now) {
        long idle = now - limiter.queryEarliestAvailable(now) - cuts;

        if (idle >= 0 && limiter.storedPermits
            + idle / limiter.coolDownIntervalMicros() >= limiter.maxPermits) {
            cuts = 0;
            grants = 0;
        }
    }

    private void line(String line) {
        String[] words = line.split(" ");
        long[] numbers = new long[words.length - 1];

        for (int i = 0; i < numbers.length; i++) {
            numbers[i] = Long.parseLong(words[i + 1]);
        }
        switch (words[0]) {
            case "T" -> begin(numbers);
            case "R" -> change(numbers);
            default -> {
                refill(numbers[0] / 1000);
                request(numbers);
            }
        }
    }

    public static void main(String[] arguments) throws IOException {
        GuavaModel model = new GuavaModel();

        try (BufferedReader in = new BufferedReader(
                 new InputStreamReader(System.in))) {
            for (String line = in.readLine(); line != null;
                 line = in.readLine()) {
                model.line(line);
            }
        }
        System.out.printf("traces %d, requests %d, changes of rate %d, flips "
                          + "inside the band %d, warming waits beyond 1 us a "
                          + "grant %d, outside the band %d%n",
                          model.traces, model.requests, model.changes,
                          model.flips, model.beyond, model.wrong);
        System.exit(model.wrong > 0 || model.requests == 0 ? 1 : 0);
    }
}
