/* rows.c - loading orders; see rows.h. */
#include "worker/rows.h"

/* Room for one id in quotes with its comma. */
static void
sql_id_list(struct wk_db *db, struct ph_str ids)
{
    struct ph_str id;
    bool          is_first = true;

    wk_sql(db, PH_STR("("));
    while (ph_str_next(&ids, ',', &id)) {
        wk_sql(db, is_first ? PH_STR("") : PH_STR(","));
        wk_sql_text(db, id);
        is_first = false;
    }
    wk_sql(db, PH_STR(")"));
}

static enum wk_found
attempts_load(struct wk_db *db, struct ph_arena *arena, struct wk_order *order)
{
    wk_db_clear(db);
    wk_sql_select(db, &wk_attempt_table);
    wk_sql(db, PH_STR(" WHERE id IN "));
    sql_id_list(db, order->payment.attempt_ids);
    wk_sql(db, PH_STR(" ORDER BY id"));
    wk_sql_end(db);
    if (!wk_db_run(db)) {
        return WK_FOUND_FAILED;
    }
    order->attempt_count = 0;
    while (order->attempt_count < WK_ATTEMPTS_MAX
           && wk_db_fetch(db, 0, &wk_attempt_table, arena,
                          &order->attempt[order->attempt_count]))
    {
        order->attempt_count++;
    }
    return arena->full || db->error_no != 0 ? WK_FOUND_FAILED : WK_FOUND_ROW;
}

enum wk_found
wk_order_load(struct wk_db *db, struct ph_arena *arena,
              struct ph_str payment_id, struct wk_order *order)
{
    wk_db_clear(db);
    wk_sql_select(db, &wk_payment_table);
    wk_sql(db, PH_STR(" WHERE id="));
    wk_sql_text(db, payment_id);
    wk_sql_end(db);
    if (!wk_db_run(db)) {
        return WK_FOUND_FAILED;
    }
    if (!wk_db_fetch(db, 0, &wk_payment_table, arena, &order->payment)) {
        return arena->full || db->error_no != 0 ? WK_FOUND_FAILED
                                                : WK_FOUND_NONE;
    }
    return attempts_load(db, arena, order);
}

enum wk_found
wk_texts_load(struct wk_db *db, struct ph_arena *arena, struct ph_str *texts,
              size_t count)
{
    wk_sql_end(db);
    if (!wk_db_run(db)) {
        return WK_FOUND_FAILED;
    }
    if (!wk_db_fetch_texts(db, 0, arena, texts, count)) {
        return arena->full || db->error_no != 0 ? WK_FOUND_FAILED
                                                : WK_FOUND_NONE;
    }
    return WK_FOUND_ROW;
}

enum wk_found
wk_order_load_by_attempt(struct wk_db *db, struct ph_arena *arena,
                         struct ph_str attempt_id, struct wk_order *order)
{
    struct ph_str payment_id;

    wk_db_clear(db);
    wk_sql(db, PH_STR("SELECT payment_id FROM attempt WHERE id="));
    wk_sql_text(db, attempt_id);
    enum wk_found found = wk_texts_load(db, arena, &payment_id, 1);

    return found == WK_FOUND_ROW ? wk_order_load(db, arena, payment_id, order)
                                 : found;
}

enum wk_found
wk_order_load_by_no(struct wk_db *db, struct ph_arena *arena,
                    struct ph_str app_id, struct ph_str order_no,
                    struct wk_order *order, struct ph_str *hash)
{
    struct ph_str texts[2];

    wk_db_clear(db);
    wk_sql(db, PH_STR("SELECT payment_id,request_hash FROM payment_no "
                      "WHERE app_id="));
    wk_sql_text(db, app_id);
    wk_sql(db, PH_STR(" AND order_no="));
    wk_sql_text(db, order_no);
    enum wk_found found = wk_texts_load(db, arena, texts, 2);

    if (found != WK_FOUND_ROW) {
        return found;
    }
    *hash = texts[1];
    return wk_order_load(db, arena, texts[0], order);
}

bool
wk_tasks_load(struct wk_db *db, struct ph_arena *arena, struct ph_str newest_id,
              struct wk_task *tasks, size_t *count)
{
    *count = 0;
    while (newest_id.len != 0 && *count < WK_TASKS_MAX) {
        wk_db_clear(db);
        wk_sql_select(db, &wk_task_table);
        wk_sql(db, PH_STR(" WHERE id="));
        wk_sql_text(db, newest_id);
        wk_sql_end(db);
        if (!wk_db_run(db)) {
            return false;
        }
        if (!wk_db_fetch(db, 0, &wk_task_table, arena, &tasks[*count])) {
            return !arena->full && db->error_no == 0; /* archived */
        }
        newest_id = tasks[*count].prev_id;
        (*count)++;
    }
    return true;
}
