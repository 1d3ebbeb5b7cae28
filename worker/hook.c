/* hook.c - rows of `work` for deliveries; see hook.h. */
#include "worker/hook.h"

uint64_t
wk_hook_longest_ms(const struct ph_conf *conf)
{
    return WK_HOOK_WAITING_MS + WK_HOOK_MARGIN_MS
           + (uint64_t) ph_conf_number(conf, PH_CONF_janitor_tick)
           + (uint64_t) ph_conf_number(conf, PH_CONF_notify_timeout);
}

static uint64_t
row_due_ms(const struct ph_conf *conf, const struct wk_task *task)
{
    int64_t  ms[PH_CONF_TIMES_MAX];
    size_t   count    = ph_conf_times(conf, PH_CONF_notify_schedule, ms);
    uint64_t first_ms = wk_hook_longest_ms(conf);

    if (count != 0 && (uint64_t) ms[0] > first_ms) {
        first_ms = (uint64_t) ms[0];
    }
    return task->tries == 0 ? task->created_at_ms + first_ms : 0;
}

void
wk_hook_sql_rows(struct wk_db *db, const struct ph_conf *conf,
                 const struct wk_task *tasks, size_t count)
{
    bool is_first = true;

    for (size_t i = 0; i < count; i++) {
        if (!ph_str_eq(tasks[i].status, PH_STR("pending"))) {
            continue;
        }
        uint64_t due_ms = row_due_ms(conf, &tasks[i]);

        wk_sql(db, is_first
                       ? PH_STR("INSERT INTO work (id,queue,due_at) VALUES (")
                       : PH_STR(",("));
        wk_sql_text(db, tasks[i].id);
        wk_sql(db, PH_STR(",'hook',"));
        wk_sql_time(db, due_ms > db->now_ms ? due_ms : db->now_ms);
        wk_sql(db, PH_STR(")"));
        is_first = false;
    }
    if (!is_first) {
        wk_sql(db, PH_STR(" ON DUPLICATE KEY UPDATE ver=ver"));
        wk_sql_end(db);
    }
}
