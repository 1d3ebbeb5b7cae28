/*
 * redis_login.h - who we are at Redis: redis.user with redis.password_file; at
 * Sentinels redis.sentinel_user with redis.sentinel_password_file.
 *
 * The file is read for each connection, as MySQL's is: a changed password is
 * that of the next connection, and those that stand are not asked again.
 */
#ifndef PH_IO_REDIS_LOGIN_H
#define PH_IO_REDIS_LOGIN_H

#include "libpayhub/base/conf.h"

#define PH_REDIS_PASSWORD_MAX 512
#define PH_REDIS_AUTH_WORDS 3

struct redisContext;

enum ph_redis_at { PH_REDIS_SERVER = 0, PH_REDIS_SENTINEL };

struct ph_redis_login {
    enum ph_redis_at at;
    const char      *user;          /* NULL, "" = the default user */
    const char      *password_file; /* NULL, "" = none */
};

/* The words of AUTH; count 0 = there is neither a user nor a password. */
struct ph_redis_auth {
    struct ph_str word[PH_REDIS_AUTH_WORDS];
    size_t        count;
    char          password[PH_REDIS_PASSWORD_MAX + 1];
};

/* Its texts are conf's. */
struct ph_redis_login ph_redis_login(const struct ph_conf *conf,
                                     enum ph_redis_at      at);

/* False = `why` says what is wrong with the file.  Either way wipe it. */
bool ph_redis_auth_read(const struct ph_redis_login *login,
                        struct ph_redis_auth        *auth,
                        struct ph_buf               *why) PH_MUST_CHECK;
void ph_redis_auth_wipe(struct ph_redis_auth *auth);

/* Blocking; on a connection that has asked nothing yet. */
bool ph_redis_log_in(struct redisContext         *redis,
                     const struct ph_redis_login *login,
                     struct ph_buf               *why) PH_MUST_CHECK;

/* An error of Redis that says that we are not let in, or may not do that. */
bool ph_redis_is_refusal(struct ph_str error);

/* What the server of such an error expects of us: for `expected ...`. */
const char *ph_redis_expected(enum ph_redis_at at, struct ph_str error);

#endif
