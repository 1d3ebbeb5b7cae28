/*
 * books.c - see books.h.
 */
#include "cli/books.h"

#include <stdio.h>

#include "cli/progress.h"

/* one attempt of ours at a sandbox, as the walk meets it */
struct ours {
    const char *id;
    const char *payment_id;
    const char *attempt_status;
    const char *payment_status;
    const char *currency;
    int64_t     amount;
    bool        has_work;
};

/* what the books have under one number */
struct sum {
    int64_t refunded;
    int64_t charged; /* by the last charge, once something went back */
    bool    is_charged;
    bool    has_refunds;
};

/* a charge that was not wholly given back, by its order */
struct kept {
    char payment_id[PH_ID_LEN + 1];
    bool has_work;
};

struct judging {
    struct cli_books            *books;
    struct cli_breaches         *breaches;
    const struct cli_books_move *move; /* the next one; NULL = no more */
    struct cli_spool             kept;
    struct cli_books_asks        asks;
    char                         last[PH_ID_LEN + 1];
    uint64_t                     rows;
};

void
cli_breach(struct cli_breaches *breaches, const char *invariant,
           const char *says, const char *subject, const char *detail)
{
    if (json_array_size(breaches->list) >= CLI_BREACHES_MAX) {
        breaches->left_out++;
        return;
    }
    (void) json_array_append_new(breaches->list,
                                 json_pack("{s:s, s:s, s:s, s:s}", "invariant",
                                           invariant, "says", says, "subject",
                                           subject, "detail", detail));
}

void
cli_books_ask_later(struct cli_books_asks *asks, const char *id, const char *of)
{
    if (asks->count == CLI_BOOKS_ASK_MAX) {
        asks->unasked++;
        return;
    }
    (void) snprintf(asks->id[asks->count], sizeof(asks->id[0]), "%s", id);
    (void) snprintf(asks->of[asks->count], sizeof(asks->of[0]), "%s", of);
    asks->count++;
}

static bool
move_next(struct judging *it)
{
    const void *record;
    bool        ok = cli_spool_next(&it->books->moves, &record);

    it->move = record;
    return ok;
}

static bool
is_one_of(const char *text, const char *const *list)
{
    for (; *list != NULL; list++) {
        if (strcmp(text, *list) == 0) {
            return true;
        }
    }
    return false;
}

/* --- one charge -----------------------------------------------------------
 */

static void
charge_known(struct judging *it, const struct ours *one)
{
    static const char *const settled[]
        = { "paid", "paid_late", "conflict", NULL };
    const struct cli_books_move *charge = it->move;
    char                         detail[128];

    if (!is_one_of(one->payment_status, settled) && !one->has_work) {
        (void) snprintf(detail, sizeof(detail),
                        "charged; payment %s is %s and nobody looks after it",
                        one->payment_id, one->payment_status);
        cli_breach(it->breaches, "I1", "what was charged is not lost", one->id,
                   detail);
    }
    if ((charge->amount != one->amount
         || strcmp(charge->currency, one->currency) != 0)
        && strcmp(one->payment_status, "conflict") != 0 && !one->has_work)
    {
        (void) snprintf(detail, sizeof(detail),
                        "charged %lld %s, our row says %lld %s",
                        (long long) charge->amount, charge->currency,
                        (long long) one->amount, one->currency);
        cli_breach(it->breaches, "I1", "what was charged is what was asked",
                   one->id, detail);
    }
}

/* one == NULL: no attempt of ours has that number */
static void
charge_judge(struct judging *it, const struct ours *one)
{
    const struct cli_books_move *charge = it->move;
    char                         detail[64];

    if (charge->times > 1) {
        (void) snprintf(detail, sizeof(detail), "charged %lld times",
                        (long long) charge->times);
        cli_breach(it->breaches, "I2", "an attempt is charged once",
                   charge->number, detail);
    }
    if (one != NULL) {
        charge_known(it, one);
    } else if (ph_id_is(ph_str_z(charge->number), PH_ID_ATTEMPT)) {
        cli_breach(it->breaches, "I1", "what was charged is not lost",
                   charge->number, "charged; we have no such attempt");
    }
}

/* all that the books have under the number of it->move */
static bool
number_judge(struct judging *it, const struct ours *one, struct sum *sum)
{
    char number[CLI_BOOKS_NUMBER_MAX + 1];
    char detail[96];
    bool ok = true;

    *sum = (struct sum){ 0 };
    memcpy(number, it->move->number, sizeof(number));
    do {
        if (it->move->is_charge) {
            charge_judge(it, one);
            sum->is_charged = true;
            sum->charged = sum->has_refunds ? it->move->amount : sum->charged;
        } else {
            sum->has_refunds = true;
            sum->refunded += it->move->is_done ? it->move->amount : 0;
        }
        ok = move_next(it);
    } while (ok && it->move != NULL && strcmp(it->move->number, number) == 0);
    if (ok && sum->refunded > sum->charged) {
        (void) snprintf(detail, sizeof(detail), "charged %lld, refunded %lld",
                        (long long) sum->charged, (long long) sum->refunded);
        cli_breach(it->breaches, "I3", "no more went back than was charged",
                   number, detail);
    }
    return ok;
}

/* --- the walk -------------------------------------------------------------
 */

/* the books' numbers before `id`, or all that are left, are of no attempt */
static bool
strangers_judge(struct judging *it, const char *id)
{
    struct sum sum;

    while (it->move != NULL && (id == NULL || strcmp(it->move->number, id) < 0))
    {
        if (!number_judge(it, NULL, &sum)) {
            return false;
        }
    }
    return true;
}

static bool
ours_judge(struct judging *it, const struct ours *one)
{
    static const char *const done[] = { "succeeded", "duplicate", NULL };
    struct sum               sum    = { 0 };
    struct kept              kept   = { .has_work = one->has_work };

    if (!strangers_judge(it, one->id)
        || (it->move != NULL && strcmp(it->move->number, one->id) == 0
            && !number_judge(it, one, &sum)))
    {
        return false;
    }
    if (!sum.is_charged) {
        if (is_one_of(one->attempt_status, done) && it->books->count != 0) {
            cli_books_ask_later(&it->asks, one->id, "");
        }
        return true;
    }
    (void) snprintf(kept.payment_id, sizeof(kept.payment_id), "%s",
                    one->payment_id);
    return sum.refunded >= one->amount || cli_spool_add(&it->kept, &kept);
}

static bool
on_row(void *data, MYSQL_ROW row)
{
    struct judging *it     = data;
    uint64_t        amount = 0;
    struct ours     one    = { .id             = row[0],
                               .payment_id     = row[1],
                               .attempt_status = row[2],
                               .payment_status = row[3] != NULL ? row[3] : "",
                               .currency       = row[5],
                               .has_work       = row[6] != NULL };

    if (!ph_str_u64(ph_str_z(row[4]), INT64_MAX, &amount)
        || strcmp(it->last, one.id) >= 0)
    {
        cli_say("attempt: found '%s' of amount %s behind '%s', expected ids "
                "that rise and an amount",
                one.id, row[4], it->last);
        return false;
    }
    one.amount = (int64_t) amount;
    (void) snprintf(it->last, sizeof(it->last), "%s", one.id);
    cli_progress("books: %llu attempts compared",
                 (unsigned long long) ++it->rows);
    return ours_judge(it, &one);
}

static bool
attempts_walk(struct judging *it, MYSQL *db)
{
    return move_next(it)
           && cli_sql_stream(
               db,
               PH_STR("SELECT a.id,a.payment_id,a.status,p.status,a.amount,"
                      "a.currency,COALESCE(w.id,o.payment_id,"
                      "IF(p.proof_source='person',p.id,NULL)) FROM attempt a "
                      "LEFT JOIN payment p ON p.id=a.payment_id "
                      "LEFT JOIN work w ON w.id=a.payment_id "
                      "LEFT JOIN (SELECT DISTINCT r.payment_id FROM work x "
                      "STRAIGHT_JOIN refund r ON r.id=x.id) o "
                      "ON o.payment_id=a.payment_id WHERE a.channel='sandbox' "
                      "ORDER BY a.id"),
               on_row, it)
           && strangers_judge(it, NULL);
}

/* --- orders, and what the books did not have ------------------------------
 */

static int
kept_cmp(const void *a, const void *b)
{
    const struct kept *left = a, *right = b;

    return strcmp(left->payment_id, right->payment_id);
}

static void
order_judge(struct judging *it, const struct kept *order, unsigned charges)
{
    char detail[64];

    if (charges > 1 && !order->has_work) {
        (void) snprintf(detail, sizeof(detail), "%u charges net of refunds",
                        charges);
        cli_breach(it->breaches, "I2", "an order is charged once",
                   order->payment_id, detail);
    }
}

static bool
orders_judge(struct judging *it)
{
    struct kept order   = { 0 };
    unsigned    charges = 0;
    const void *record;
    bool        ok = cli_spool_sort(&it->kept);

    while (ok && (ok = cli_spool_next(&it->kept, &record)) && record != NULL) {
        if (kept_cmp(&order, record) != 0) {
            order_judge(it, &order, charges);
            charges = 0;
        }
        memcpy(&order, record, sizeof(order));
        charges++;
    }
    order_judge(it, &order, charges);
    return ok;
}

/* paid here after the books were read, or not charged at all: ask by number */
static bool
is_charged_now(struct cli_books *books, const char *id)
{
    bool paid = false;

    for (size_t i = 0; !paid && i < books->count; i++) {
        json_t *one    = cli_books_ask(books, i, id);
        books->is_away = books->is_away || one == NULL;
        const json_t *charge
            = json_array_get(json_object_get(one, "charges"), 0);
        const char *status
            = json_string_value(json_object_get(charge, "status"));
        paid = status != NULL && strcmp(status, "paid") == 0;
        json_decref(one);
    }
    return paid;
}

static void
succeeded_judge(struct judging *it)
{
    for (size_t i = 0; i < it->asks.count && !it->books->is_away; i++) {
        cli_progress("books: %zu of %zu charges asked for by number", i,
                     it->asks.count);
        if (!is_charged_now(it->books, it->asks.id[i]) && !it->books->is_away) {
            cli_breach(it->breaches, "I1", "what we call paid was charged",
                       it->asks.id[i],
                       "succeeded; the channel has no such charge");
        }
    }
    it->books->unasked += it->asks.unasked;
}

bool
cli_books_judge(struct cli_books *books, MYSQL *db,
                struct cli_breaches *breaches)
{
    static struct judging it;

    it      = (struct judging){ .books = books, .breaches = breaches };
    bool ok = cli_spool_open(&it.kept, sizeof(struct kept), kept_cmp,
                             CLI_SPOOL_MEMORY)
              && attempts_walk(&it, db) && orders_judge(&it);

    if (ok) {
        succeeded_judge(&it);
    }
    cli_spool_close(&it.kept);
    return ok;
}
