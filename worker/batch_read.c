/*
 * batch_read.c - what all jobs of a batch want to know, in two packets.
 *
 *   1. begin, the clock, and where things are: ids of payments and attempts
 *   2. the rows themselves, locked ones first and sorted by id
 *
 * READ COMMITTED: the second packet may see more than the first.  A want whose
 * rows do not fit together is asked again in the next transaction.
 */
#include <stdlib.h>

#include "worker/batch_int.h"

#define PLACE_COLUMNS 13
#define ANSWER_NONE SIZE_MAX

static unsigned
hash_add(unsigned hash, struct ph_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        hash = (hash ^ (unsigned char) text.ptr[i]) * 16777619u;
    }
    return hash ^ (hash >> 15);
}

static unsigned
key_slot(enum wk_want_by by, struct ph_str a, struct ph_str b)
{
    return hash_add(hash_add(2166136261u + (unsigned) by, a), b)
           % BATCH_WANT_SLOTS;
}

static unsigned
order_slot(struct ph_str payment_id)
{
    return hash_add(2166136261u, payment_id) % BATCH_WANT_SLOTS;
}

/* The first want of this key and after it the others; NULL = no more. */
static struct wk_want *
want_next(const struct wk_batch *batch, struct wk_want *last,
          enum wk_want_by by, struct ph_str a, struct ph_str b)
{
    struct wk_want *want
        = last != NULL ? last->next_same : batch->want_slot[key_slot(by, a, b)];

    while (want != NULL
           && (want->by != by || !ph_str_eq(want->key[0], a)
               || !ph_str_eq(want->key[1], b)))
    {
        want = want->next_same;
    }
    return want;
}

static struct wk_want *
order_next(const struct wk_batch *batch, struct wk_want *last,
           struct ph_str payment_id)
{
    struct wk_want *want = last != NULL
                               ? last->next_order
                               : batch->order_slot[order_slot(payment_id)];

    while (want != NULL && !ph_str_eq(want->payment_id, payment_id)) {
        want = want->next_order;
    }
    return want;
}

static void
wants_index(struct wk_batch *batch)
{
    for (size_t i = 0; i < BATCH_WANT_SLOTS; i++) {
        batch->want_slot[i] = batch->order_slot[i] = NULL;
    }
    for (size_t i = 0; i < batch->want_count; i++) {
        struct wk_want  *want = batch->want[i];
        struct wk_want **slot
            = &batch->want_slot[key_slot(want->by, want->key[0], want->key[1])];

        want->next_order = NULL;
        want->next_same  = *slot;
        *slot            = want;
    }
}

/* ---- packet 1 ---- */

static const struct place_query {
    enum wk_want_by by;
    const char     *select;
    const char     *key[3]; /* of the WHERE; [1] NULL = one column, by IN */
    size_t          columns;
} place_queries[] = {
    { WK_WANT_PAYMENT,
      "SELECT id,'',id,attempt_ids,app_id FROM payment",
      { "id", NULL },
      5 },
    { WK_WANT_ATTEMPT,
      "SELECT a.id,'',a.payment_id,p.attempt_ids,p.app_id,a.status,a.amount,"
      "a.currency,a.channel,a.account_id,a.channel_trade_no,CONCAT_WS(',',"
      "a.ver,p.ver),p.status FROM attempt a JOIN payment p ON "
      "p.id=a.payment_id",
      { "a.id", NULL },
      PLACE_COLUMNS },
    { WK_WANT_ORDER_NO,
      "SELECT n.app_id,n.order_no,p.id,p.attempt_ids,p.app_id,n.request_hash "
      "FROM payment_no n JOIN payment p ON p.id=n.payment_id",
      { "n.app_id", "n.order_no" },
      6 },
    { WK_WANT_REFUND,
      "SELECT r.id,'',p.id,p.attempt_ids,p.app_id,'',r.id FROM refund r JOIN "
      "payment p ON p.id=r.payment_id",
      { "r.id", NULL },
      7 },
    { WK_WANT_REFUND_NO,
      "SELECT n.app_id,n.refund_no,p.id,p.attempt_ids,p.app_id,n.request_hash,"
      "n.refund_id FROM refund_no n JOIN refund r ON r.id=n.refund_id JOIN "
      "payment p ON p.id=r.payment_id",
      { "n.app_id", "n.refund_no" },
      7 },
    { WK_WANT_NOTICE,
      "SELECT account_id,notice_id FROM notice_seen",
      { "account_id", "notice_id" },
      2 },
    { WK_WANT_TRADE,
      "SELECT t.account_id,t.trade_no,p.id,p.attempt_ids,p.app_id,a.id,'','' "
      "FROM channel_trade t JOIN attempt a ON a.id=t.attempt_id JOIN payment p "
      "ON p.id=a.payment_id",
      { "t.account_id", "t.trade_no", "t.channel" },
      8 },
};

static void
sql_where(struct wk_db *db, const struct place_query *query,
          const struct wk_want *want, size_t count)
{
    if (query->key[1] == NULL) {
        wk_sql(db, count == 0 ? PH_STR(" WHERE ") : PH_STR(","));
        if (count == 0) {
            wk_sql(db, ph_str_z(query->key[0]));
            wk_sql(db, PH_STR(" IN ("));
        }
        wk_sql_text(db, want->key[0]);
        return;
    }
    for (size_t i = 0; i < PH_COUNT(query->key) && query->key[i] != NULL; i++) {
        wk_sql(db, i != 0       ? PH_STR(" AND ")
                   : count == 0 ? PH_STR(" WHERE (")
                                : PH_STR(" OR ("));
        wk_sql(db, ph_str_z(query->key[i]));
        wk_sql(db, PH_STR("="));
        wk_sql_text(db, want->key[i]);
    }
    wk_sql(db, PH_STR(")"));
}

static size_t
sql_places(struct wk_batch *batch, const struct place_query *query)
{
    struct wk_db *db    = batch->db;
    size_t        count = 0;

    for (size_t i = 0; i < batch->want_count; i++) {
        if (batch->want[i]->by != query->by) {
            continue;
        }
        if (count == 0) {
            wk_sql(db, ph_str_z(query->select));
        }
        sql_where(db, query, batch->want[i], count++);
    }
    if (count == 0) {
        return ANSWER_NONE;
    }
    wk_sql(db, query->key[1] == NULL ? PH_STR(")") : PH_STR(""));
    wk_sql_end(db);
    return db->statements - 1;
}

static struct ph_str
keep(struct wk_want *want, struct ph_str text)
{
    return text.ptr != NULL ? ph_arena_dup(want->arena, text) : text;
}

/* What most notices find. */
static bool
is_settled(const struct ph_str *texts)
{
    enum ph_payment_state status = ph_payment_state_of(texts[12]);

    return ph_attempt_state_of(texts[5]) == PH_ATTEMPT_SUCCEEDED
           && (status == PH_PAYMENT_PAID || status == PH_PAYMENT_PAID_LATE);
}

static bool
brief_fill(struct wk_want *want, const struct ph_str *texts)
{
    struct wk_order   *order   = want->order;
    struct wk_attempt *attempt = &order->attempt[0];
    struct ph_str      vers[2];
    uint64_t           amount, attempt_ver, payment_ver;

    if (!ph_str_u64(texts[6], INT64_MAX, &amount)
        || !ph_str_cut(texts[11], ',', &vers[0], &vers[1])
        || !ph_str_u64(vers[0], UINT32_MAX, &attempt_ver)
        || !ph_str_u64(vers[1], UINT32_MAX, &payment_ver))
    {
        return false;
    }
    order->payment
        = (struct wk_payment){ .id          = want->payment_id,
                               .app_id      = want->app_id,
                               .attempt_ids = want->attempt_ids,
                               .status      = ph_payment_state_of(texts[12]),
                               .ver         = (int64_t) payment_ver };
    *attempt             = (struct wk_attempt){ .id         = want->key[0],
                                                .payment_id = want->payment_id,
                                                .status     = ph_attempt_state_of(texts[5]),
                                                .amount     = (int64_t) amount,
                                                .currency   = keep(want, texts[7]),
                                                .channel    = keep(want, texts[8]),
                                                .account_id = keep(want, texts[9]),
                                                .channel_trade_no = keep(want, texts[10]),
                                                .ver              = (int64_t) attempt_ver };
    order->attempt_count = 1;
    want->is_loaded      = true;
    return true;
}

static void
place_fill(struct wk_want *want, const struct ph_str *texts, size_t columns)
{
    want->found = WK_FOUND_ROW;
    if (want->by == WK_WANT_NOTICE) {
        return;
    }
    want->payment_id  = keep(want, texts[2]);
    want->attempt_ids = keep(want, texts[3]);
    want->app_id      = keep(want, texts[4]);
    if (columns == 6 || columns == 7) {
        want->hash = keep(want, texts[5]);
    }
    if (columns == 7) {
        want->refund_id = keep(want, texts[6]);
    }
    if (want->by == WK_WANT_TRADE) {
        want->attempt_id = keep(want, texts[5]);
    }
    want->is_brief = want->is_brief && is_settled(texts);
    if (want->is_brief && !brief_fill(want, texts)) {
        want->found = WK_FOUND_FAILED;
    }
}

static void
places_read(struct wk_batch *batch, const struct place_query *query, size_t at)
{
    struct ph_str texts[PLACE_COLUMNS];

    while (at != ANSWER_NONE
           && wk_db_next(batch->db, at, texts, query->columns)) {
        struct wk_want *want = NULL;
        struct ph_str   none = PH_STR("");

        while ((want = want_next(batch, want, query->by, texts[0],
                                 query->key[1] != NULL ? texts[1] : none))
               != NULL)
        {
            place_fill(want, texts, query->columns);
        }
    }
}

/* ---- packet 2 ---- */

static int
id_order(const void *a, const void *b)
{
    const struct ph_str *left = a, *right = b;

    return ph_str_cmp(*left, *right);
}

static bool
is_full_order(const struct wk_want *want)
{
    return want->payment_id.len != 0 && !want->is_brief;
}

/* Payments that are wanted with or without a lock, each once, sorted. */
static size_t
payment_ids(const struct wk_batch *batch, bool is_locked, struct ph_str *ids)
{
    size_t count = 0, kept = 0;

    for (size_t i = 0; i < batch->want_count; i++) {
        const struct wk_want *want = batch->want[i];

        if (is_full_order(want) && want->is_locked == is_locked) {
            ids[count++] = want->payment_id;
        }
    }
    qsort(ids, count, sizeof(ids[0]), id_order);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || !ph_str_eq(ids[i], ids[kept - 1])) {
            ids[kept++] = ids[i];
        }
    }
    return kept;
}

static size_t
sql_payments(struct wk_batch *batch, bool is_locked)
{
    struct ph_str ids[BATCH_WANTS_MAX];
    size_t        count = payment_ids(batch, is_locked, ids);
    struct wk_db *db    = batch->db;

    if (count == 0) {
        return ANSWER_NONE;
    }
    wk_sql_select(db, &wk_payment_table);
    for (size_t i = 0; i < count; i++) {
        wk_sql(db, i == 0 ? PH_STR(" WHERE id IN (") : PH_STR(","));
        wk_sql_text(db, ids[i]);
    }
    wk_sql(db, PH_STR(") ORDER BY id"));
    wk_sql(db, is_locked ? PH_STR(" FOR UPDATE") : PH_STR(""));
    wk_sql_end(db);
    return db->statements - 1;
}

static size_t
sql_attempts(struct wk_batch *batch)
{
    struct wk_db *db    = batch->db;
    size_t        count = 0;

    for (size_t i = 0; i < batch->want_count; i++) {
        struct ph_str ids = batch->want[i]->attempt_ids, id;

        while (is_full_order(batch->want[i]) && ph_str_next(&ids, ',', &id)) {
            if (count == 0) {
                wk_sql_select(db, &wk_attempt_table);
            }
            wk_sql(db, count++ == 0 ? PH_STR(" WHERE id IN (") : PH_STR(","));
            wk_sql_text(db, id);
        }
    }
    if (count == 0) {
        return ANSWER_NONE;
    }
    wk_sql(db, PH_STR(") ORDER BY id"));
    wk_sql_end(db);
    return db->statements - 1;
}

static size_t
sql_refunds(struct wk_batch *batch)
{
    struct wk_db *db    = batch->db;
    size_t        count = 0;

    for (size_t i = 0; i < batch->want_count; i++) {
        if (batch->want[i]->refund_id.len != 0) {
            if (count == 0) {
                wk_sql_select(db, &wk_refund_table);
            }
            wk_sql(db, count++ == 0 ? PH_STR(" WHERE id IN (") : PH_STR(","));
            wk_sql_text(db, batch->want[i]->refund_id);
        }
    }
    if (count == 0) {
        return ANSWER_NONE;
    }
    wk_sql(db, PH_STR(")"));
    wk_sql_end(db);
    return db->statements - 1;
}

static struct ph_str
app_of(const struct wk_want *want)
{
    if (want->by == WK_WANT_APP) {
        return want->key[0];
    }
    return want->wants_app && !want->is_brief ? want->app_id
                                              : ph_str_make(NULL, 0);
}

static size_t
sql_apps(struct wk_batch *batch)
{
    struct wk_db *db    = batch->db;
    struct ph_str last  = PH_STR("");
    size_t        count = 0;

    for (size_t i = 0; i < batch->want_count; i++) {
        struct ph_str id = app_of(batch->want[i]);

        /* mostly one app after the other; a repeat costs a few bytes */
        if (id.len == 0 || ph_str_eq(id, last)) {
            continue;
        }
        last = id;
        wk_sql(db, count++ == 0
                       ? PH_STR("SELECT id,webhook_secret,webhook_form "
                                "FROM app WHERE id IN (")
                       : PH_STR(","));
        wk_sql_text(db, id);
    }
    if (count == 0) {
        return ANSWER_NONE;
    }
    wk_sql(db, PH_STR(")"));
    wk_sql_end(db);
    return db->statements - 1;
}

static void
payments_read(struct wk_batch *batch, size_t at, bool is_locked)
{
    struct ph_str texts[WK_COLUMNS_MAX];

    while (at != ANSWER_NONE
           && wk_db_next(batch->db, at, texts, wk_payment_table.column_count))
    {
        struct wk_want *want = NULL;

        while ((want = order_next(batch, want, texts[0])) != NULL) {
            if (want->is_brief || want->is_locked != is_locked) {
                continue;
            }
            want->order->attempt_count = 0;
            want->is_loaded            = true;
            if (!wk_db_fill(batch->db, &wk_payment_table, texts, want->arena,
                            &want->order->payment))
            {
                want->found = WK_FOUND_FAILED;
            }
        }
    }
}

static void
attempts_read(struct wk_batch *batch, size_t at)
{
    struct ph_str texts[WK_COLUMNS_MAX];

    while (at != ANSWER_NONE
           && wk_db_next(batch->db, at, texts, wk_attempt_table.column_count))
    {
        struct wk_want *want = NULL;

        while ((want = order_next(batch, want, texts[1])) != NULL) {
            struct wk_order *order = want->order;

            if (want->is_brief || !want->is_loaded) {
                continue;
            }
            if (order->attempt_count == WK_ATTEMPTS_MAX
                || !wk_db_fill(batch->db, &wk_attempt_table, texts, want->arena,
                               &order->attempt[order->attempt_count]))
            {
                want->found = WK_FOUND_FAILED;
                continue;
            }
            order->attempt_count++;
        }
    }
}

static void
refunds_read(struct wk_batch *batch, size_t at)
{
    struct ph_str texts[WK_COLUMNS_MAX];

    while (at != ANSWER_NONE
           && wk_db_next(batch->db, at, texts, wk_refund_table.column_count))
    {
        for (size_t i = 0; i < batch->want_count; i++) {
            struct wk_want *want = batch->want[i];

            if (want->refund != NULL && ph_str_eq(want->refund_id, texts[0])
                && !wk_db_fill(batch->db, &wk_refund_table, texts, want->arena,
                               want->refund))
            {
                want->found = WK_FOUND_FAILED;
            }
        }
    }
}

static void
apps_read(struct wk_batch *batch, size_t at)
{
    struct ph_str texts[3];

    while (at != ANSWER_NONE && wk_db_next(batch->db, at, texts, 3)) {
        for (size_t i = 0; i < batch->want_count; i++) {
            struct wk_want *want = batch->want[i];

            if (!ph_str_eq(app_of(want), texts[0]) || want->app.is_there) {
                continue;
            }
            want->app = (struct wk_app_row){ true, keep(want, texts[1]),
                                             keep(want, texts[2]) };
            if (want->by == WK_WANT_APP) {
                want->found = WK_FOUND_ROW;
            }
        }
    }
}

/* A payment that got another attempt between the packets, or went away. */
static void
wants_check(struct wk_batch *batch)
{
    for (size_t i = 0; i < batch->want_count; i++) {
        struct wk_want     *want  = batch->want[i];
        struct batch_entry *entry = &batch->entry[want->entry];

        if (want->arena != NULL && want->arena->full) {
            want->found = WK_FOUND_FAILED;
        }
        if (want->found == WK_FOUND_ROW && is_full_order(want)
            && (!want->is_loaded
                || !ph_str_eq(want->order->payment.attempt_ids,
                              want->attempt_ids)))
        {
            entry->state = ENTRY_LATER;
            entry->job->rounds++;
        }
    }
}

static bool
orders_read(struct wk_batch *batch)
{
    struct wk_db *db = batch->db;

    wk_db_clear(db);
    size_t locked   = sql_payments(batch, true);
    size_t payments = sql_payments(batch, false);
    size_t attempts = sql_attempts(batch);
    size_t refunds  = sql_refunds(batch);
    size_t apps     = sql_apps(batch);

    if (db->statements == 0) {
        return true;
    }
    if (!wk_db_run(db)) {
        return false;
    }
    payments_read(batch, locked, true);
    payments_read(batch, payments, false);
    attempts_read(batch, attempts);
    refunds_read(batch, refunds);
    apps_read(batch, apps);
    db->error_no = 0; /* a row that did not fit is its want's own fault */
    return true;
}

bool
batch_read(struct wk_batch *batch)
{
    struct wk_db *db = batch->db;
    size_t        at[PH_COUNT(place_queries)];

    wants_index(batch);
    wk_db_clear(db);
    wk_link_begin(batch->link);
    for (size_t i = 0; i < PH_COUNT(place_queries); i++) {
        at[i] = sql_places(batch, &place_queries[i]);
    }
    if (!wk_db_run(db) || !wk_link_begun(batch->link)) {
        return false;
    }
    for (size_t i = 0; i < PH_COUNT(place_queries); i++) {
        places_read(batch, &place_queries[i], at[i]);
    }
    for (size_t i = 0; i < batch->want_count; i++) {
        struct wk_want *want = batch->want[i];

        if (want->payment_id.len != 0) {
            struct wk_want **slot
                = &batch->order_slot[order_slot(want->payment_id)];

            want->next_order = *slot;
            *slot            = want;
        }
    }
    if (!orders_read(batch)) {
        return false;
    }
    wants_check(batch);
    return true;
}
