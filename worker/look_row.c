/* look_row.c - see look_row.h. */
#include "worker/look_row.h"

bool
wk_look_row_lock(struct wk_db *db, struct ph_str id)
{
    wk_db_clear(db);
    wk_sql(db, PH_STR("SELECT 1 FROM work WHERE id="));
    wk_sql_text(db, id);
    wk_sql(db, PH_STR(" FOR UPDATE"));
    wk_sql_end(db);
    return wk_db_run(db);
}

void
wk_look_row_sql(struct wk_db *db, struct ph_str id, const char *lease_name,
                struct wk_rest rest, int64_t tries)
{
    if (rest.is_at_rest) {
        wk_sql(db, PH_STR("DELETE FROM work"));
    } else {
        wk_sql(db, PH_STR("UPDATE work SET ver=ver+1,lease_by='',tries="));
        wk_sql_i64(db, tries < UINT16_MAX ? tries : UINT16_MAX);
        wk_sql(db, PH_STR(",due_at="));
        wk_sql_time(db, rest.due_ms);
    }
    wk_sql(db, PH_STR(" WHERE id="));
    wk_sql_text(db, id);
    wk_sql(db, PH_STR(" AND lease_by="));
    wk_sql_text(db, ph_str_z(lease_name));
    wk_sql_end(db);
}
