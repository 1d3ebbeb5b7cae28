/*
 * db.h - connections to MySQL or MariaDB by libmysqlclient's API, and to
 * Redis by hiredis (redis.c): opened the same way by every daemon and by the
 * CLI.
 */
#ifndef PH_IO_DB_H
#define PH_IO_DB_H

#include <mysql.h>

#include "libpayhub/base/conf.h"

struct redisContext;

enum ph_db_user {
    PH_DB_WORKER, /* store.user: reads and writes rows, no DDL */
    PH_DB_OWNER,  /* store.owner: schema, checks */
    PH_DB_SIDECAR /* sidecar.user: the binlog, no SELECT on traffic */
};

/*
 * Connected and set up: utf8mb4, time_zone +00:00, strict mode, READ
 * COMMITTED, multi statements, timeouts of store.timeout, no auto-reconnect.
 * The sidecar's gets none of the session SQL.  With store.tls nothing but the
 * login goes over a link that is not what it asks for; with verify not even
 * that.  NULL = `why` says what failed.
 * @owns: caller, mysql_close().
 */
MYSQL *ph_mysql_open(const struct ph_conf *conf, enum ph_db_user user,
                     struct ph_buf *why) PH_MUST_CHECK;

/*
 * Blocking; redis.timeout for connect and for each answer.  With Sentinels it
 * is the master they name; in a Cluster the one that has the counters.  After
 * a fail-over the link ends or refuses to write: open it anew.  Logged in by
 * redis_login.h.
 * @owns: caller, redisFree().
 */
struct redisContext *ph_redis_open(const struct ph_conf *conf,
                                   struct ph_buf        *why) PH_MUST_CHECK;

/* the same; in a Cluster the master that has this key */
struct redisContext *ph_redis_open_key(const struct ph_conf *conf,
                                       struct ph_str         key,
                                       struct ph_buf        *why) PH_MUST_CHECK;

/* one place, whatever is there; not logged in */
struct ph_redis_place;
struct redisContext *ph_redis_dial(const struct ph_redis_place *place,
                                   int64_t                      timeout_ms,
                                   struct ph_buf *why) PH_MUST_CHECK;

/*
 * Makes sure that the server has our function library, at least as new as
 * ours: loads or replaces an older one, leaves a newer one.
 */
bool ph_redis_functions(struct redisContext *redis,
                        struct ph_buf       *why) PH_MUST_CHECK;

/* the library's text and its version, made from schema/redis/payhub.lua */
extern const char          ph_redis_library[];
extern const unsigned long ph_redis_library_version;

#endif
