/* order_insert.c - the four rows of a new order; see order_insert.h. */
#include "worker/order_insert.h"

static void
payment_fill(struct wk_payment *payment, const struct wk_order_birth *birth,
             uint64_t now_ms)
{
    const struct wk_payment_request *asked = birth->asked;

    *payment = (struct wk_payment){
        .id            = birth->payment_id,
        .merchant_id   = birth->merchant_id,
        .app_id        = birth->app_id,
        .order_no      = asked->order_no,
        .status        = PH_PAYMENT_PAYING,
        .amount        = asked->amount,
        .currency      = asked->currency,
        .method        = asked->method,
        .channel       = birth->channel,
        .account_id    = birth->account_id,
        .attempt_ids   = birth->attempt_id,
        .subject       = asked->subject,
        .description   = asked->description,
        .notify_url    = asked->notify_url,
        .return_url    = asked->return_url,
        .client_ip     = asked->client_ip,
        .extra         = asked->extra,
        .metadata      = asked->metadata,
        .proof_source  = PH_STR("none"),
        .fence         = birth->fence,
        .created_at_ms = now_ms,
        .expires_at_ms = now_ms + (uint64_t) asked->expires_in_s * 1000,
        .sent_at_ms    = now_ms,
    };
}

static void
attempt_fill(struct wk_attempt *attempt, const struct wk_order_birth *birth,
             uint64_t now_ms)
{
    *attempt = (struct wk_attempt){
        .id            = birth->attempt_id,
        .payment_id    = birth->payment_id,
        .merchant_id   = birth->merchant_id,
        .app_id        = birth->app_id,
        .status        = PH_ATTEMPT_SENT,
        .channel       = birth->channel,
        .account_id    = birth->account_id,
        .method        = birth->asked->method,
        .amount        = birth->asked->amount,
        .currency      = birth->asked->currency,
        .action_type   = PH_STR("none"),
        .proof_source  = PH_STR("none"),
        .fence         = birth->fence,
        .created_at_ms = now_ms,
        .sent_at_ms    = now_ms,
    };
}

/* One affected row: the number is ours.  None: it had an owner. */
static void
sql_payment_no(struct wk_db *db, const struct wk_order_birth *birth)
{
    wk_sql(db, PH_STR("INSERT INTO payment_no (app_id,order_no,payment_id,"
                      "request_hash,ver) VALUES ("));
    wk_sql_text(db, birth->app_id);
    wk_sql(db, PH_STR(","));
    wk_sql_text(db, birth->asked->order_no);
    wk_sql(db, PH_STR(","));
    wk_sql_text(db, birth->payment_id);
    wk_sql(db, PH_STR(","));
    wk_sql_bytes(db, ph_str_make((const char *) birth->hash, PH_SHA256_LEN));
    wk_sql(db, PH_STR(",0) ON DUPLICATE KEY UPDATE ver=ver"));
    wk_sql_end(db);
}

static void
sql_work(struct wk_db *db, const struct wk_order_birth *birth)
{
    wk_sql(db, PH_STR("INSERT INTO work (payment_id,due_at) VALUES ("));
    wk_sql_text(db, birth->payment_id);
    wk_sql(db, PH_STR(","));
    wk_sql_time(db, db->now_ms + (uint64_t) birth->first_look_ms);
    wk_sql(db, PH_STR(")"));
    wk_sql_end(db);
}

/* All in one packet: one way to the server and back. */
bool
wk_order_insert(struct wk_db *db, const struct wk_order_birth *birth,
                struct wk_order *order, bool *is_ours)
{
    payment_fill(&order->payment, birth, db->now_ms);
    attempt_fill(&order->attempt[0], birth, db->now_ms);
    order->attempt_count = 1;

    sql_payment_no(db, birth);
    wk_sql_insert(db, &wk_payment_table, &order->payment);
    wk_sql_end(db);
    wk_sql_insert(db, &wk_attempt_table, &order->attempt[0]);
    wk_sql_end(db);
    sql_work(db, birth);
    if (!wk_db_run(db)) {
        return false;
    }
    *is_ours = db->answer[0].affected == 1;
    return true;
}
