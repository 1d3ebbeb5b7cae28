/*
 * lock_child.c - CMD under the lock.
 *
 * CMD leads a session of its own, so that all of it can be ended at once.  The
 * lock is renewed at a third of its life.  When it is lost, or cannot be
 * renewed before its life ends, CMD is killed: a timer of the kernel does it,
 * so that no answer that Redis owes us can hold it up.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/lock.h"
#include "libpayhub/io/daemon.h"

#define NS_PER_MS UINT64_C(1000000)
#define RETRY_MS_MIN 20
#define NOT_FOUND 127
#define NOT_STARTED 126

static volatile sig_atomic_t group;   /* of CMD; 0 = none */
static volatile sig_atomic_t expired; /* the timer has killed it */

static void
on_alarm(int number)
{
    (void) number;
    if (group > 0) {
        (void) kill(-(pid_t) group, SIGKILL);
        expired = 1;
    }
}

/* A hundredth of its life and 2 ms: clocks that do not run alike. */
static uint64_t
life_ns(const struct cli_lock *lock)
{
    uint64_t ttl_ns   = (uint64_t) lock->ttl_ms * NS_PER_MS;
    uint64_t guard_ns = ttl_ns / 100 + 2 * NS_PER_MS;

    return ttl_ns > guard_ns ? ttl_ns - guard_ns : 1;
}

/* CMD ends when the lock does. */
static void
alarm_set(const struct cli_lock *lock)
{
    uint64_t ends_ns = lock->granted_ns + life_ns(lock);
    uint64_t now_ns  = ph_monotonic_ns();
    uint64_t us      = ends_ns > now_ns ? (ends_ns - now_ns) / 1000 : 0;

    us                    = us != 0 ? us : 1; /* 0 would stop the timer */
    struct itimerval once = { .it_value = { (time_t) (us / 1000000),
                                            (suseconds_t) (us % 1000000) } };

    (void) setitimer(ITIMER_REAL, &once, NULL);
}

static void
alarm_stop(void)
{
    struct itimerval none = { { 0, 0 }, { 0, 0 } };

    (void) setitimer(ITIMER_REAL, &none, NULL);
}

static void
child_run(const struct cli_lock *lock, pid_t parent, const char *const *argv)
{
    (void) setsid();
    (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(NOT_STARTED); /* nobody is there to keep the lock */
    }
    (void) signal(SIGPIPE, SIG_DFL);
    (void) signal(SIGALRM, SIG_DFL);
    (void) umask(lock->cli->umask_before);
    (void) sigprocmask(SIG_SETMASK, &lock->before, NULL);
    (void) execvp(argv[0], (char *const *) (uintptr_t) argv);
    int error = errno;

    cli_say("%s: %s", argv[0], strerror(error));
    _exit(error == ENOENT ? NOT_FOUND : NOT_STARTED);
}

/* true = it has ended, *status */
static bool
signals_take(struct cli_lock *lock, pid_t child, int *status)
{
    struct signalfd_siginfo info;

    if (read(lock->signals, &info, sizeof(info)) != (ssize_t) sizeof(info)) {
        return false;
    }
    if (info.ssi_signo == SIGCHLD) {
        return waitpid(child, status, WNOHANG) == child;
    }
    (void) kill(-child, (int) info.ssi_signo); /* CMD decides what it means */
    return false;
}

static int64_t
ms_until(uint64_t when_ns)
{
    uint64_t now_ns = ph_monotonic_ns();

    return when_ns > now_ns ? (int64_t) ((when_ns - now_ns) / NS_PER_MS) + 1
                            : 0;
}

/* CMD runs; true = it ended by itself, false = the lock is lost */
static bool
hold(struct cli_lock *lock, pid_t child, int *status)
{
    uint64_t third_ns = (uint64_t) lock->ttl_ms * NS_PER_MS / 3;
    uint64_t retry_ns = third_ns / 4 > RETRY_MS_MIN * NS_PER_MS
                            ? third_ns / 4
                            : RETRY_MS_MIN * NS_PER_MS;
    uint64_t due_ns   = lock->granted_ns + third_ns;

    for (;;) {
        struct redisContext *none = NULL;
        int64_t              ms   = ms_until(due_ns);

        if (ms > 0 && !cli_lock_pause(lock, &none, ms)
            && signals_take(lock, child, status))
        {
            return true;
        }
        if (expired) {
            ph_buf_add(&lock->why, PH_STR(" (not renewed in time)"));
            return false;
        }
        if (ph_monotonic_ns() < due_ns) {
            continue;
        }
        switch (cli_lock_renew(lock)) {
        case CLI_LOCK_YES:
            alarm_set(lock);
            due_ns = lock->granted_ns + third_ns;
            break;
        case CLI_LOCK_NO:
            lock->why.len = 0;
            ph_buf_add(&lock->why, PH_STR("another has it, or nobody"));
            return false;
        case CLI_LOCK_AWAY:
            due_ns = ph_monotonic_ns() + retry_ns;
            break;
        }
    }
}

static int
lost(struct cli_lock *lock, pid_t child)
{
    int status;

    if (child > 0) {
        (void) kill(-child, SIGKILL);
        while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
        }
    }
    cli_say("found the lock %s lost: %.*s; %s", lock->key, (int) lock->why.len,
            lock->why.ptr,
            child > 0 ? "killed the command" : "the command ran");
    return CLI_LOST;
}

/* CMD has ended: gives the lock back.  Whoever has it now came in before the
 * end, so that CMD did not run alone. */
static int
finish(struct cli_lock *lock, int status)
{
    lock->why.len = 0;
    switch (cli_lock_drop(lock)) {
    case CLI_LOCK_NO:
        ph_buf_add(&lock->why, PH_STR("it was not ours at the end"));
        return lost(lock, 0);
    case CLI_LOCK_AWAY:
        if (ph_monotonic_ns() - lock->granted_ns >= life_ns(lock)) {
            return lost(lock, 0);
        }
        cli_say("the lock %s ends by itself: %.*s", lock->key,
                (int) lock->why.len, lock->why.ptr);
        break;
    case CLI_LOCK_YES:
        break;
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int
cli_lock_run(struct cli_lock *lock, const char *const *argv)
{
    struct sigaction action = { .sa_handler = on_alarm };
    pid_t            parent = getpid();
    int              status = 0;

    (void) fflush(NULL);
    (void) sigaction(SIGALRM, &action, NULL);
    pid_t child = fork();

    if (child == 0) {
        child_run(lock, parent, argv);
    }
    if (child < 0) {
        cli_say("fork: %s", strerror(errno));
        (void) cli_lock_drop(lock);
        return CLI_FAILED;
    }
    group = child;
    alarm_set(lock);
    bool has_ended = hold(lock, child, &status);

    alarm_stop();
    group = 0;
    if (expired) { /* CMD may have been quicker than the timer: it is lost */
        return lost(lock, has_ended ? 0 : child);
    }
    return has_ended ? finish(lock, status) : lost(lock, child);
}
