/*
 * lock.c - `payhub lock KEY TTL_MS -- CMD`: CMD runs while this process holds
 * a lock in Redis, and not a moment longer.
 */
#include "cli/lock.h"

#include <hiredis/hiredis.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "libpayhub/io/daemon.h"

#define NS_PER_MS UINT64_C(1000000)
#define WAIT_MS_MAX INT64_C(86400000)
#define KEY_LEN_MAX 1024
/* Looks without having been told: a holder of another make tells nothing. */
#define LOOK_MS_MIN 50
#define LOOK_MS_MAX 250

static enum cli_exit
number_take(const char *name, const char *text, int64_t min, int64_t max,
            int64_t *out)
{
    uint64_t number;

    if (!ph_str_u64(ph_str_z(text), (uint64_t) max, &number)
        || (int64_t) number < min)
    {
        return cli_usage("%s: found '%s', expected milliseconds from %lld to "
                         "%lld",
                         name, text, (long long) min, (long long) max);
    }
    *out = (int64_t) number;
    return CLI_OK;
}

/* *wait_ms < 0 = for ever */
static enum cli_exit
words_take(struct cli_lock *lock, int64_t *wait_ms)
{
    const struct cli_args *args   = &lock->cli->args;
    const char            *wait   = cli_args_value(args, "wait");
    const char            *layout = cli_args_value(args, "layout");
    struct ph_buf          ttl    = PH_BUF_INIT(lock->ttl_text);

    if (args->rest_count == 0) {
        return cli_usage("expected a command behind --");
    }
    lock->key    = args->words[0];
    lock->layout = layout != NULL ? layout : "string";
    if (lock->key[0] == '\0' || strlen(lock->key) > KEY_LEN_MAX) {
        return cli_usage("KEY: expected 1 to %d bytes", KEY_LEN_MAX);
    }
    if (strcmp(lock->layout, "string") != 0
        && strcmp(lock->layout, "redisson") != 0)
    {
        return cli_usage("--layout: found '%s', expected string or redisson",
                         lock->layout);
    }
    enum cli_exit code = number_take("TTL_MS", args->words[1], 1,
                                     CLI_LOCK_TTL_MS_MAX, &lock->ttl_ms);

    if (code == CLI_OK && wait != NULL) {
        code = number_take("--wait", wait, 0, WAIT_MS_MAX, wait_ms);
    }
    ph_buf_i64(&ttl, lock->ttl_ms);
    (void) ph_buf_z(&ttl);
    return code;
}

/* CMD shall see signals as we did; we read them from a file. */
static bool
signals_take(struct cli_lock *lock)
{
    static const int numbers[] = { SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT };

    (void) sigemptyset(&lock->blocked);
    for (size_t i = 0; i < PH_COUNT(numbers); i++) {
        (void) sigaddset(&lock->blocked, numbers[i]);
    }
    if (sigprocmask(SIG_BLOCK, &lock->blocked, &lock->before) != 0) {
        return false;
    }
    lock->signals = signalfd(-1, &lock->blocked, SFD_CLOEXEC | SFD_NONBLOCK);
    return lock->signals >= 0;
}

static int64_t
smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Until it is ours; else says why. */
static enum cli_exit
wait_for(struct cli_lock *lock, int64_t wait_ms)
{
    uint64_t             began_ns = ph_monotonic_ns();
    int64_t              look_ms  = LOOK_MS_MIN;
    struct redisContext *told     = NULL;
    bool                 is_first = true;
    enum cli_exit        code     = CLI_OK;

    for (;;) {
        enum cli_lock_answer answer = cli_lock_take(lock);
        int64_t              passed_ms
            = (int64_t) ((ph_monotonic_ns() - began_ns) / NS_PER_MS);

        if (answer == CLI_LOCK_YES) {
            break;
        }
        if (answer == CLI_LOCK_AWAY) {
            cli_say("%.*s; the command was not run", (int) lock->why.len,
                    lock->why.ptr);
            code = CLI_NOT_READY;
            break;
        }
        if (wait_ms >= 0 && passed_ms >= wait_ms) {
            cli_say("found the lock %s held by another for %lld ms; the "
                    "command was not run",
                    lock->key, (long long) passed_ms);
            code = CLI_NOT_READY;
            break;
        }
        if (is_first) { /* what was told before this went past us: ask again */
            is_first = false;
            told     = cli_lock_listen(lock);
            continue;
        }
        int64_t ms = look_ms;

        look_ms = smaller(look_ms * 2, LOOK_MS_MAX);
        if (lock->left_ms >= 0) {
            ms = smaller(ms, lock->left_ms + 1);
        }
        if (wait_ms >= 0) {
            ms = smaller(ms, wait_ms - passed_ms);
        }
        if (!cli_lock_pause(lock, &told, ms)) {
            cli_say("interrupted; the command was not run");
            code = CLI_FAILED;
            break;
        }
    }
    redisFree(told);
    return code;
}

enum cli_exit
cli_lock(struct cli *cli)
{
    struct cli_lock lock = { .cli = cli };
    uint8_t         random[CLI_LOCK_VALUE_LEN / 2];
    struct ph_buf   value   = PH_BUF_INIT(lock.value);
    int64_t         wait_ms = -1;

    ph_buf_init(&lock.why, lock.why_text, sizeof(lock.why_text));
    ph_random(random, sizeof(random));
    ph_buf_hex(&value, ph_str_make((const char *) random, sizeof(random)));
    (void) ph_buf_z(&value);

    enum cli_exit code = words_take(&lock, &wait_ms);

    if (code != CLI_OK) {
        return code;
    }
    if (!signals_take(&lock)) {
        cli_say("signals cannot be taken");
        return CLI_FAILED;
    }
    code = wait_for(&lock, wait_ms);
    if (code == CLI_OK) {
        code = (enum cli_exit) cli_lock_run(&lock, cli->args.rest);
    }
    redisFree(lock.redis);
    (void) close(lock.signals);
    return code;
}
