/*
 * lock.h - the parts of `payhub lock`: the lock in Redis, and CMD under it.
 */
#ifndef CLI_LOCK_H
#define CLI_LOCK_H

#include <signal.h>

#include "cli/cli.h"

#define CLI_LOCK_VALUE_LEN 32
#define CLI_LOCK_TTL_MS_MAX INT64_C(86400000)

struct redisContext;

enum cli_lock_answer {
    CLI_LOCK_AWAY = 0, /* Redis did not answer; `why` says what */
    CLI_LOCK_NO,       /* another's */
    CLI_LOCK_YES
};

struct cli_lock {
    struct cli          *cli;
    const char          *key;
    int64_t              ttl_ms;
    const char          *layout; /* "string" or "redisson" */
    char                 value[CLI_LOCK_VALUE_LEN + 1];
    char                 ttl_text[24];
    struct redisContext *redis;      /* NULL = not connected */
    uint64_t             granted_ns; /* of the question that was answered */
    int64_t              left_ms;    /* of another's lock, < 0 unknown */
    int64_t              replicas;   /* that must have it, too */
    int                  signals;    /* a signalfd of `blocked` */
    sigset_t             blocked, before;
    char                 why_text[CLI_WHY_MAX];
    struct ph_buf        why;
};

/* cli/lock_redis.c: each asks once, and connects first when that is needed */
enum cli_lock_answer cli_lock_take(struct cli_lock *lock);
enum cli_lock_answer cli_lock_renew(struct cli_lock *lock);
enum cli_lock_answer cli_lock_drop(struct cli_lock *lock);

/* a link on which releases of this key are told; NULL = look by yourself */
struct redisContext *cli_lock_listen(struct cli_lock *lock);

/* until something is told, a signal comes, or ms have passed; false = signal */
bool cli_lock_pause(struct cli_lock *lock, struct redisContext **told,
                    int64_t ms);

/* cli/lock_child.c: the exit status of all */
int cli_lock_run(struct cli_lock *lock, const char *const *argv);

#endif
