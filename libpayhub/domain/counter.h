/*
 * counter.h - what the binlog is counted into, and the SQL that recounts it.
 *
 * A counter is a GROUP BY kept up to date: every happening of a payment has a
 * time column, and a row change moves the sums by (after) - (before).  So each
 * counter equals, at every committed position, the SQL of ph_counter_sql().
 *
 * Keys, in Redis hash tag {PREFIX:c0}:
 *   {PREFIX:c0}:epoch                  number of the epoch that readers use
 *   {PREFIX:c0}:EPOCH:pos              hash gtid, at_ms, hint, accounts_from
 *   {PREFIX:c0}:EPOCH:m:MINUTE         hash; MINUTE = unix time / 60
 *   {PREFIX:c0}:EPOCH:d:YYYYMMDD       hash; calendar day at sidecar.day_offset
 *   {PREFIX:c0}:EPOCH:a:MINUTE         hash; ends of payments by account
 * Fields of a bucket: CHANNEL|METHOD|STATE|n = how many,
 *   CHANNEL|METHOD|STATE|CUR = their amounts in minor units of CUR.
 * Fields of ends by account: ACCOUNT|STATE|n, of happenings that are ends.
 * They are whole in minutes at and after accounts_from (unix ms), which who
 * began to count by account wrote; where it is absent nobody does.
 */
#ifndef PH_DOMAIN_COUNTER_H
#define PH_DOMAIN_COUNTER_H

#include "libpayhub/base/buf.h"
#include "libpayhub/base/rc.h"

#define PH_COUNTER_MINUTE_TTL_S (48 * 3600)
#define PH_COUNTER_DAY_TTL_S (2 * 366 * 86400)
#define PH_COUNTER_KEY_MAX 96
#define PH_COUNTER_FIELD_MAX 128
#define PH_COUNTER_ACCOUNTS_FROM "accounts_from" /* of the position */

/* a happening of a payment and the column that tells its time */
struct ph_counter_happening {
    const char *state;  /* created sent paid failed closed conflict */
    const char *column; /* created_at ... */
    bool        is_end; /* nothing more is waited for: counted by account too */
};

extern const struct ph_counter_happening ph_counter_happenings[];
extern const size_t                      ph_counter_happening_count;

enum ph_counter_grain {
    PH_COUNTER_MINUTE,
    PH_COUNTER_DAY,
    PH_COUNTER_ACCOUNT /* by minute and account */
};

void ph_counter_epoch_key(struct ph_buf *buf, struct ph_str prefix);
void ph_counter_position_key(struct ph_buf *buf, struct ph_str prefix,
                             uint64_t epoch);

/* the bucket that holds unix time at_ms; day_offset_min in minutes east */
void ph_counter_bucket_key(struct ph_buf *buf, struct ph_str prefix,
                           uint64_t epoch, enum ph_counter_grain grain,
                           uint64_t at_ms, int day_offset_min);

/* measure: PH_STR("n") or a currency code */
void ph_counter_field(struct ph_buf *buf, struct ph_str channel,
                      struct ph_str method, struct ph_str state,
                      struct ph_str measure);

/* a field of PH_COUNTER_ACCOUNT */
void ph_counter_account_field(struct ph_buf *buf, struct ph_str account,
                              struct ph_str state);

/* the account and the state of such a field; false: it is none */
bool ph_counter_account_parse(struct ph_str field, struct ph_str *account,
                              struct ph_str *state) PH_MUST_CHECK;

/*
 * The SQL twin of one happening at one grain: rows (bucket, channel, method,
 * currency, n, amount), by account (bucket, account_id, n); bucket as it
 * stands in the key.  Only whole buckets: the one that holds from_ms and those
 * after it.
 */
void ph_counter_sql(struct ph_buf *buf, const struct ph_counter_happening *what,
                    enum ph_counter_grain grain, uint64_t from_ms,
                    int day_offset_min);

/* "+08:00" to 480; PH_E_SYNTAX, PH_E_RANGE beyond 14 h */
enum ph_rc ph_day_offset(struct ph_str text, int *minutes) PH_MUST_CHECK;

#endif
