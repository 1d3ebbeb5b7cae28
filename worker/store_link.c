/* store_link.c - see store_link.h. */
#include "worker/store_link.h"

#include <time.h>

#include "libpayhub/io/daemon.h"
#include "libpayhub/io/db.h"
#include "libpayhub/io/log.h"
#include "worker/time_text.h"

#define LINK_BACKOFF_MS 10
#define LINK_RECONNECT_MS 250

bool
wk_link_connect(struct wk_link *link)
{
    char          text[256];
    struct ph_buf why = PH_BUF_INIT(text);

    if (link->db.mysql != NULL) {
        return true;
    }
    if (ph_monotonic_ns() < link->connect_after_ns) {
        return false;
    }
    link->db.mysql = ph_mysql_open(link->conf, PH_DB_WORKER, &why);
    if (link->db.mysql == NULL) {
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
