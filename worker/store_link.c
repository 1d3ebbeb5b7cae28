/* store_link.c - see store_link.h. */
#include "worker/store_link.h"

#include <time.h>

#include "libpayhub/io/daemon.h"
#include "libpayhub/io/db.h"
#include "libpayhub/io/log.h"
#include "worker/time_text.h"

#define LINK_BACKOFF_MS 10
#define LINK_RECONNECT_MS 250
#define LINK_WAIT_PART 4 /* of store.timeout: a lock is waited for so long */
#define LINK_IDLE_S 60   /* then the server ends a connection, and its locks */
#define LINK_IDLE_NS (UINT64_C(1000000000) * LINK_IDLE_S / 4)

/* A packet that the server does not take ends the connection every time. */
static bool
link_packet_fits(struct wk_link *link, struct ph_buf *why)
{
    struct ph_str text;
    uint64_t      bytes = 0;

    wk_db_clear(&link->db);
    wk_sql(&link->db, PH_STR("SELECT @@max_allowed_packet"));
    wk_sql_end(&link->db);
    if (!wk_db_run(&link->db) || !wk_db_next(&link->db, 0, &text, 1)
        || !ph_str_u64(text, UINT64_MAX, &bytes))
    {
        ph_buf_add(why, ph_str_z(link->db.error));
        return false;
    }
    if (bytes > WK_DB_SQL_MAX) {
        return true;
    }
    ph_buf_add(why, PH_STR("max_allowed_packet: found "));
    ph_buf_u64(why, bytes);
    ph_buf_add(why, PH_STR(", expected more than "));
    ph_buf_u64(why, WK_DB_SQL_MAX);
    return false;
}

/*
 * Who waits for a lock hears of it before the connection is given up: then the
 * others of its commit go on without it.  And a worker whose host went away in
 * the middle of a transaction does not keep its rows from the others.
 */
static bool
link_limits(struct wk_link *link, struct ph_buf *why)
{
    int64_t timeout_ms = ph_conf_number(link->conf, PH_CONF_store_timeout);
    int64_t wait_s     = timeout_ms / (1000 * LINK_WAIT_PART);

    wait_s = wait_s > 0 ? wait_s : 1;
    wk_db_clear(&link->db);
    wk_sql(&link->db, PH_STR("SET SESSION innodb_lock_wait_timeout="));
    wk_sql_i64(&link->db, wait_s);
    wk_sql(&link->db, PH_STR(",lock_wait_timeout="));
    wk_sql_i64(&link->db, wait_s);
    wk_sql(&link->db, PH_STR(",wait_timeout="));
    wk_sql_i64(&link->db, LINK_IDLE_S);
    wk_sql_end(&link->db);
    if (!wk_db_run(&link->db)) {
        ph_buf_add(why, ph_str_z(link->db.error));
        return false;
    }
    return true;
}

static bool
link_open(struct wk_link *link, struct ph_buf *why)
{
    link->db.mysql = ph_mysql_open(link->conf, PH_DB_WORKER, why);
    if (link->db.mysql == NULL) {
        return false;
    }
    if (link_packet_fits(link, why) && link_limits(link, why)) {
        wk_db_clear(&link->db);
        return true;
    }
    wk_link_disconnect(link);
    return false;
}

/* Nothing has been sent on it yet, so nothing can be lost by a new one. */
static bool
link_is_up(struct wk_link *link)
{
    uint64_t now_ns  = ph_monotonic_ns();
    bool     is_idle = now_ns - link->used_ns > LINK_IDLE_NS;

    link->used_ns = now_ns;
    if (link->db.mysql != NULL && is_idle && mysql_ping(link->db.mysql) != 0) {
        wk_link_disconnect(link);
    }
    return link->db.mysql != NULL;
}

bool
wk_link_connect(struct wk_link *link)
{
    char          text[256];
    struct ph_buf why = PH_BUF_INIT(text);

    if (link_is_up(link)) {
        return true;
    }
    if (ph_monotonic_ns() < link->connect_after_ns) {
        return false;
    }
    if (!link_open(link, &why)) {
        link->connect_after_ns
            = ph_monotonic_ns() + LINK_RECONNECT_MS * UINT64_C(1000000);
        if (link->was_up) {
            ph_log(PH_LOG_WARN, "store_away", { "why", ph_buf_str(&why) });
        }
        link->was_up = false;
        return false;
    }
    if (!link->was_up) {
        ph_log(PH_LOG_INFO, "store_up",
               { "server", ph_str_z(mysql_get_server_info(link->db.mysql)) });
    }
    link->was_up = true;
    return true;
}

void
wk_link_disconnect(struct wk_link *link)
{
    wk_db_clear(&link->db);
    if (link->db.mysql != NULL) {
        mysql_close(link->db.mysql);
        link->db.mysql = NULL;
    }
}

void
wk_link_begin(struct wk_link *link)
{
    wk_sql(&link->db, PH_STR("START TRANSACTION"));
    wk_sql_end(&link->db);
    wk_sql(&link->db, PH_STR("SELECT NOW(3)"));
    wk_sql_end(&link->db);
}

bool
wk_link_begun(struct wk_link *link)
{
    struct ph_str now;

    return wk_db_next(&link->db, 1, &now, 1)
           && wk_time_parse(now, &link->db.now_ms);
}

void
wk_link_rollback(struct wk_link *link)
{
    struct wk_db *db       = &link->db;
    unsigned      error_no = db->error_no;

    if (wk_db_is_lost(db) || db->mysql == NULL
        || mysql_rollback(db->mysql) != 0) {
        wk_link_disconnect(link);
    }
    db->error_no = error_no;
}

enum wk_commit
wk_link_commit(struct wk_link *link)
{
    struct wk_db *db = &link->db;

    wk_db_clear(db);
    if (mysql_commit(db->mysql) == 0) {
        return WK_COMMIT_DONE;
    }
    db->error_no = mysql_errno(db->mysql);
    if (wk_db_is_deadlock(db)) { /* a cluster may refuse at COMMIT */
        wk_link_rollback(link);
        return WK_COMMIT_UNDONE;
    }
    ph_log(PH_LOG_ERROR, "commit_unknown",
           { "why", ph_str_z(mysql_error(db->mysql)) });
    wk_link_disconnect(link);
    return WK_COMMIT_UNKNOWN;
}

void
wk_link_pause(unsigned tries)
{
    uint8_t random;

    ph_random(&random, sizeof(random));
    uint64_t ms = ((uint64_t) LINK_BACKOFF_MS << tries)
                  * (128 + (uint64_t) random) / 256;
    struct timespec pause
        = { (time_t) (ms / 1000), (long) (ms % 1000) * 1000000 };
    (void) nanosleep(&pause, NULL);
}
