/*
 * refresh_lease.c - the row of channel_kept as a flight sees it.
 *
 * Two leases stand in it, one for what is fetched for a token and one for what
 * is fetched by an id, so that neither waits for the other.  There is one
 * value: who writes it says which one he has added to, and whoever was
 * overtaken fetches once more.  All times are the database's.
 */
#include "worker/refresh_int.h"

#define NAME(flight, own, by_id)                                               \
    ((flight)->is_by_id ? PH_STR(by_id) : PH_STR(own))

static struct ph_str
flight_id(const struct flight *flight)
{
    return flight->account->face.id;
}

/* ---- the lease ---- */

static void
row_make(struct wk_db *db, struct ph_str id)
{
    wk_sql(db, PH_STR("INSERT INTO channel_kept (account_id,value,refresh_at,"
                      "expires_at,lease_until,tried_at,updated_at) VALUES ("));
    wk_sql_text(db, id);
    wk_sql(db, PH_STR(",'','1970-01-01','1970-01-01','1970-01-01',"
                      "'1970-01-01','1970-01-01') "
                      "ON DUPLICATE KEY UPDATE ver=ver"));
    wk_sql_end(db);
}

enum {
    K_VER,
    K_OWN_VER,
    K_LEASED,
    K_TRIED_MS,
    K_NOT_DUE,
    K_IDS,
    K_NOW_MS,
    K_TEXTS
};

static void
row_ask(struct wk_db *db, const struct flight *flight)
{
    wk_sql(db, PH_STR("SELECT value_ver,own_ver,"));
    wk_sql(db, NAME(flight, "lease_until", "id_lease_until"));
    wk_sql(db, PH_STR(">UTC_TIMESTAMP(3),"
                      "GREATEST(0,TIMESTAMPDIFF(MICROSECOND,tried_at,"
                      "UTC_TIMESTAMP(3))) DIV 1000,refresh_at>UTC_TIMESTAMP(3),"
                      "ids,TIMESTAMPDIFF(MICROSECOND,'1970-01-01',"
                      "UTC_TIMESTAMP(3)) DIV 1000 FROM channel_kept "
                      "WHERE account_id="));
    wk_sql_text(db, flight_id(flight));
    wk_sql(db, PH_STR(" FOR UPDATE"));
    wk_sql_end(db);
}

static bool
is_too_soon(const struct flight *flight, const struct ph_str *row)
{
    uint64_t tried_ms = 0, now_ms = 0;

    (void) ph_str_u64(row[K_TRIED_MS], UINT64_MAX, &tried_ms);
    (void) ph_str_u64(row[K_NOW_MS], UINT64_MAX, &now_ms);
    if (flight->is_again) {
        return false;
    }
    return flight->is_by_id ? !wk_refresh_ids_allow(row[K_IDS], flight->hint,
                                                    now_ms, flight->is_doubted)
                            : tried_ms < WK_REFRESH_GAP_MS;
}

static enum flight_lease
row_judge(const struct flight *flight, const struct ph_str *row)
{
    uint64_t ver = 0, own_ver = 0;

    (void) ph_str_u64(row[K_VER], UINT32_MAX, &ver);
    (void) ph_str_u64(row[K_OWN_VER], UINT32_MAX, &own_ver);
    if (ver != flight->account->kept_ver) {
        return flight->is_by_id || own_ver != flight->account->kept_own_ver
                   ? LEASE_NEWER
                   : LEASE_STALE;
    }
    if (ph_str_eq(row[K_LEASED], PH_STR("1"))) {
        return LEASE_OTHERS;
    }
    if (flight->is_due && ph_str_eq(row[K_NOT_DUE], PH_STR("1"))) {
        return LEASE_NOT_DUE;
    }
    return is_too_soon(flight, row) ? LEASE_TOO_SOON : LEASE_OURS;
}

static void
ids_note(struct flight_job *own, struct ph_str ids, uint64_t now_ms,
         bool is_answered)
{
    char          memory[WK_REFRESH_IDS_LEN];
    struct ph_buf buf = PH_BUF_INIT(memory);

    wk_refresh_ids_note(ids, own->flight->hint, now_ms, is_answered, &buf);
    memcpy(own->ids, memory, buf.len);
    own->ids_len = buf.len;
}

static void
lease_take(struct wk_db *db, const struct flight_job *own)
{
    const struct flight *flight = own->flight;

    wk_sql(db, PH_STR("UPDATE channel_kept SET "));
    wk_sql(db, NAME(flight, "lease_by=", "id_lease_by="));
    wk_sql_text(db, ph_str_z(flight->worker->lease_name));
    wk_sql(db, NAME(flight, ",lease_until=", ",id_lease_until="));
    wk_sql(db, PH_STR("UTC_TIMESTAMP(3)+INTERVAL "));
    wk_sql_i64(db, FLIGHT_LEASE_S);
    wk_sql(db, PH_STR(" SECOND,"));
    if (flight->is_by_id) {
        wk_sql(db, PH_STR("hint="));
        wk_sql_text(db, flight->hint);
        wk_sql(db, PH_STR(",ids="));
        wk_sql_bytes(db, ph_str_make(own->ids, own->ids_len));
    } else {
        wk_sql(db, PH_STR("tried_at=UTC_TIMESTAMP(3)"));
    }
    wk_sql(db, PH_STR(",ver=ver+1 WHERE account_id="));
    wk_sql_text(db, flight_id(flight));
    wk_sql_end(db);
}

enum wk_run
flight_lease_run(struct wk_db *db, struct wk_store_job *job)
{
    struct flight_job *own    = (struct flight_job *) job;
    struct flight     *flight = own->flight;
    struct ph_str      row[K_TEXTS];
    uint64_t           now_ms = 0;

    wk_db_clear(db);
    row_make(db, flight_id(flight));
    row_ask(db, flight);
    if (!wk_db_run(db) || !wk_db_next(db, 1, row, PH_COUNT(row))) {
        return WK_RUN_FAILED;
    }
    own->lease = row_judge(flight, row);
    if (own->lease != LEASE_OURS) {
        return WK_RUN_DONE;
    }
    (void) ph_str_u64(row[K_NOW_MS], UINT64_MAX, &now_ms);
    ids_note(own, row[K_IDS], now_ms, false);
    own->tried_ms = now_ms;
    wk_db_clear(db);
    lease_take(db, own);
    return wk_db_run(db) ? WK_RUN_DONE : WK_RUN_FAILED;
}

/* ---- what came ---- */

static void
lease_where(struct wk_db *db, const struct flight *flight)
{
    wk_sql(db, PH_STR(" WHERE account_id="));
    wk_sql_text(db, flight_id(flight));
    wk_sql(db, NAME(flight, " AND lease_by=", " AND id_lease_by="));
    wk_sql_text(db, ph_str_z(flight->worker->lease_name));
}

static void
value_write(struct wk_db *db, const struct flight *flight)
{
    const struct ph_channel_kept *kept = &flight->op.out.kept;

    wk_sql(db, PH_STR("UPDATE channel_kept SET ver=ver+1,value_ver=value_ver+1,"
                      "updated_at=UTC_TIMESTAMP(3),value="));
    wk_sql_bytes(db, flight->sealed);
    wk_sql(db, NAME(flight, ",own_ver=own_ver+1", ""));
    wk_sql(db, PH_STR(",refresh_at="));
    wk_sql_time(db, kept->refresh_at_ms != 0 ? kept->refresh_at_ms
                                             : kept->expires_at_ms);
    wk_sql(db, PH_STR(",expires_at="));
    wk_sql_time(db, kept->expires_at_ms);
    lease_where(db, flight);
    wk_sql(db, PH_STR(" AND value_ver="));
    wk_sql_i64(db, (int64_t) flight->account->kept_ver);
    wk_sql_end(db);
}

static void
lease_give(struct wk_db *db, struct flight_job *own)
{
    const struct flight *flight = own->flight;

    wk_sql(db, PH_STR("UPDATE channel_kept SET ver=ver+1,"));
    if (flight->is_by_id) {
        wk_sql(db, PH_STR("ids="));
        wk_sql_bytes(db, ph_str_make(own->ids, own->ids_len));
        wk_sql(db, PH_STR(",id_lease_until=UTC_TIMESTAMP(3),id_lease_by=''"));
    } else {
        wk_sql(db, PH_STR("lease_until=UTC_TIMESTAMP(3),lease_by=''"));
    }
    lease_where(db, flight);
    wk_sql_end(db);
}

enum wk_run
flight_write_run(struct wk_db *db, struct wk_store_job *job)
{
    struct flight_job   *own    = (struct flight_job *) job;
    const struct flight *flight = own->flight;
    const bool           had    = flight->sealed.len != 0;

    own->is_written = false;
    if (had) {
        wk_db_clear(db);
        value_write(db, flight);
        if (!wk_db_run(db)) {
            return WK_RUN_FAILED;
        }
        own->is_written = db->answer[0].affected == 1;
    }
    /* an id that was overtaken was not had: it may be asked for again */
    ids_note(own, ph_str_make(own->ids, own->ids_len), own->tried_ms,
             flight->is_answered && (own->is_written || !had));
    wk_db_clear(db);
    lease_give(db, own);
    return wk_db_run(db) ? WK_RUN_DONE : WK_RUN_FAILED;
}
