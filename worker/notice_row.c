/* notice_row.c - see notice_row.h. */
#include "worker/notice_row.h"

/* clang-format off */
#define E(member, kind)                                                        \
    { #member, WK_COLUMN_##kind, false,                                        \
      offsetof(struct wk_notice_row, member), false }

static const struct wk_column notice_columns[] = {
    E(id, TEXT),
    E(channel, TEXT),
    E(account_id, TEXT),
    E(notice_id, TEXT),
    E(attempt_id, TEXT),
    E(verdict, TEXT),
    E(headers, TEXT),
    E(body, BLOB),
    { "created_at", WK_COLUMN_TIME, false,
      offsetof(struct wk_notice_row, created_at_ms), false },
};
/* clang-format on */

static const struct wk_table notice_table
    = { "notice_in", notice_columns, PH_COUNT(notice_columns) };

void
wk_notice_want(struct wk_batch *batch, const struct wk_notice_row *notice,
               struct wk_want *want)
{
    want->by     = WK_WANT_NOTICE;
    want->key[0] = notice->account_id;
    want->key[1] = notice->notice_id;
    wk_batch_want(batch, want);
}

static struct ph_str
verdict_text(enum wk_notice_verdict verdict)
{
    switch (verdict) {
    case WK_NOTICE_REPEATED:
        return PH_STR("repeated");
    case WK_NOTICE_APPLIED:
        return PH_STR("applied");
    case WK_NOTICE_CONFLICT:
        return PH_STR("conflict");
    case WK_NOTICE_IGNORED:
        break;
    }
    return PH_STR("ignored");
}

bool
wk_notice_plan(struct wk_batch *batch, struct wk_notice_row *notice,
               struct ph_str about, enum wk_notice_verdict verdict)
{
    const struct ph_str key[3]
        = { notice->account_id, notice->notice_id, { NULL, 0 } };

    notice->attempt_id    = about;
    notice->verdict       = verdict_text(verdict);
    notice->created_at_ms = wk_batch_now_ms(batch);
    if ((verdict == WK_NOTICE_APPLIED || verdict == WK_NOTICE_CONFLICT)
        && !wk_batch_unique(batch, WK_NOTICE_SEEN, key, notice->id,
                            ph_str_make(NULL, 0)))
    {
        return false;
    }
    return wk_batch_insert(batch, &notice_table, notice);
}
