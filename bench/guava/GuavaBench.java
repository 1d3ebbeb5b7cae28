// What one decision of Guava's RateLimiter costs, for scripts/bench.d/bucket:
// as it is used, with its own reading of the clock, and bare, with a clock that
// is a number as in bench/bucket.c; hence the package, where one can be given.
//
//   usage: GuavaBench one | two | bare     prints ns of CPU time a decision
package com.google.common.util.concurrent;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CyclicBarrier;

public final class GuavaBench {
    private static final int DECISIONS = 20_000_000;
    private static final int WARM_ROUNDS = 2;

    private static final class Clock extends RateLimiter.SleepingStopwatch {
        private long ns = 1_000_000_000_000L;

        @Override
        protected long readMicros() {
            ns += 10; // the limiter calls it with its lock held
            return ns / 1000;
        }

        @Override
        protected void sleepMicrosUninterruptibly(long micros) {
            if (micros > 0) {
                throw new IllegalStateException("a benchmark that waits");
            }
        }
    }

    private static final OperatingSystemMXBean SYSTEM =
        (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

    private static void decide(RateLimiter limiter) {
        int granted = 0;

        for (int i = 0; i < DECISIONS; i++) {
            granted += limiter.tryAcquire() ? 1 : 0;
        }
        if (granted == 0) {
            throw new IllegalStateException("nothing was granted");
        }
    }

    private static double round(RateLimiter limiter, int threads)
        throws InterruptedException {
        CyclicBarrier gate = new CyclicBarrier(threads);
        Thread[] all = new Thread[threads];
        long begin = SYSTEM.getProcessCpuTime();

        for (int i = 0; i < threads; i++) {
            all[i] = new Thread(() -> {
                try {
                    gate.await();
                } catch (InterruptedException | BrokenBarrierException e) {
                    throw new IllegalStateException(e);
                }
                decide(limiter);
            });
            all[i].start();
        }
        for (Thread thread : all) {
            thread.join();
        }
        return (SYSTEM.getProcessCpuTime() - begin) / (double) DECISIONS
            / threads;
    }

    public static void main(String[] arguments) throws InterruptedException {
        int threads = "two".equals(arguments[0]) ? 2 : 1;
        RateLimiter limiter = RateLimiter.create(1e9);

        if ("bare".equals(arguments[0])) {
            limiter = new SmoothRateLimiter.SmoothBursty(new Clock(), 1.0);
        }
        Thread.setDefaultUncaughtExceptionHandler((thread, problem) -> {
            problem.printStackTrace();
            System.exit(1);
        });
        limiter.setRate(1e9);
        for (int i = 0; i < WARM_ROUNDS; i++) {
            round(limiter, threads);
        }
        System.out.printf("%.2f%n", round(limiter, threads));
    }
}
