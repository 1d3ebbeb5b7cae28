/*
 * books_refund.c - refunds in the sandbox's books against ours; see books.h.
 *
 * What is in the books under a number of ours was committed here before the
 * call, so a number that we do not know is lost.  What succeeded there is
 * succeeded here or still looked after; what succeeded here is there, once and
 * with the same amount.  Numbers of another make are not ours to judge.  That
 * no more went back than was charged is judged where charges are.
 */
#include <stdio.h>

#include "cli/books.h"
#include "cli/progress.h"

/* one refund of ours, as the walk meets it */
struct ours {
    const char *id;
    const char *attempt_id;
    const char *status;
    int64_t     amount;
    bool        has_work;
};

struct judging {
    struct cli_books              *books;
    struct cli_breaches           *breaches;
    const struct cli_books_refund *made; /* the next one; NULL = no more */
    struct cli_books_asks          asks;
    char                           last[PH_ID_LEN + 1];
    uint64_t                       rows;
};

static bool
made_next(struct judging *it)
{
    const void *record;
    bool        ok = cli_spool_next(&it->books->refunds, &record);

    it->made = record;
    return ok;
}

/* --- one refund ------------------------------------------------------------
 */

static void
refund_known(struct judging *it, const struct ours *one)
{
    const struct cli_books_refund *made = it->made;
    char                           detail[160];

    if (strcmp(one->status, "succeeded") != 0 && !one->has_work) {
        (void) snprintf(detail, sizeof(detail),
                        "refunded; here it is %s and nobody looks after it",
                        one->status);
        cli_breach(it->breaches, "I1", "what was refunded is not lost", one->id,
                   detail);
    }
    if (made->amount != one->amount || strcmp(made->of, one->attempt_id) != 0) {
        (void) snprintf(detail, sizeof(detail),
                        "refunded %lld of %s, our row says %lld of %s",
                        (long long) made->amount, made->of,
                        (long long) one->amount, one->attempt_id);
        cli_breach(it->breaches, "I1", "what was refunded is what was asked",
                   one->id, detail);
    }
}

/* one == NULL: no refund of ours has that number */
static void
refund_judge(struct judging *it, const struct ours *one)
{
    const struct cli_books_refund *made = it->made;
    char                           detail[64];

    if (made->times > 1) {
        (void) snprintf(detail, sizeof(detail), "refunded %lld times",
                        (long long) made->times);
        cli_breach(it->breaches, "I2", "a refund is made once", made->number,
                   detail);
    }
    if (one == NULL && ph_id_is(ph_str_z(made->number), PH_ID_REFUND)) {
        cli_breach(it->breaches, "I1", "what was refunded is not lost",
                   made->number, "refunded; we have no such refund");
    }
    if (one != NULL && made->is_done) {
        refund_known(it, one);
    }
}

/* --- the walk -------------------------------------------------------------
 */

static bool
strangers_judge(struct judging *it, const char *id)
{
    while (it->made != NULL && (id == NULL || strcmp(it->made->number, id) < 0))
    {
        refund_judge(it, NULL);
        if (!made_next(it)) {
            return false;
        }
    }
    return true;
}

static bool
ours_judge(struct judging *it, const struct ours *one)
{
    bool is_made = false;

    if (!strangers_judge(it, one->id)) {
        return false;
    }
    while (it->made != NULL && strcmp(it->made->number, one->id) == 0) {
        is_made = is_made || it->made->is_done;
        refund_judge(it, one);
        if (!made_next(it)) {
            return false;
        }
    }
    if (!is_made && strcmp(one->status, "succeeded") == 0
        && it->books->count != 0) {
        cli_books_ask_later(&it->asks, one->id, one->attempt_id);
    }
    return true;
}

static bool
on_row(void *data, MYSQL_ROW row)
{
    struct judging *it     = data;
    uint64_t        amount = 0;
    struct ours     one    = { .id         = row[0],
                               .attempt_id = row[1],
                               .status     = row[2],
                               .has_work   = row[4] != NULL };

    if (!ph_str_u64(ph_str_z(row[3]), INT64_MAX, &amount)
        || strcmp(it->last, one.id) >= 0)
    {
        cli_say("refund: found '%s' of amount %s behind '%s', expected ids "
                "that rise and an amount",
                one.id, row[3], it->last);
        return false;
    }
    one.amount = (int64_t) amount;
    (void) snprintf(it->last, sizeof(it->last), "%s", one.id);
    cli_progress("books: %llu refunds compared",
                 (unsigned long long) ++it->rows);
    return ours_judge(it, &one);
}

/* made after the books were read, or never: ask by the charge's number */
static bool
is_made_now(struct cli_books *books, const char *id, const char *of)
{
    bool made = false;

    for (size_t i = 0; !made && i < books->count; i++) {
        json_t *now = cli_books_ask(books, i, of);
        json_t *item;
        size_t  at;

        books->is_away = books->is_away || now == NULL;
        json_array_foreach(json_object_get(now, "refunds"), at, item)
        {
            const char *number
                = json_string_value(json_object_get(item, "out_refund_no"));
            const char *status
                = json_string_value(json_object_get(item, "status"));
            made = made
                   || (number != NULL && status != NULL
                       && strcmp(number, id) == 0
                       && strcmp(status, "succeeded") == 0);
        }
        json_decref(now);
    }
    return made;
}

static void
succeeded_judge(struct judging *it)
{
    for (size_t i = 0; i < it->asks.count && !it->books->is_away; i++) {
        cli_progress("books: %zu of %zu refunds asked for by number", i,
                     it->asks.count);
        if (!is_made_now(it->books, it->asks.id[i], it->asks.of[i])
            && !it->books->is_away)
        {
            cli_breach(it->breaches, "I1", "what we call refunded went back",
                       it->asks.id[i],
                       "succeeded; the channel has no such refund");
        }
    }
    it->books->unasked += it->asks.unasked;
}

bool
cli_books_judge_refunds(struct cli_books *books, MYSQL *db,
                        struct cli_breaches *breaches)
{
    static struct judging it;

    it      = (struct judging){ .books = books, .breaches = breaches };
    bool ok = made_next(&it)
              && cli_sql_stream(
                  db,
                  PH_STR("SELECT r.id,r.attempt_id,r.status,r.amount,w.id "
                         "FROM refund r LEFT JOIN work w ON w.id=r.id "
                         "WHERE r.channel='sandbox' AND r.kind<>'foreign' "
                         "ORDER BY r.id"),
                  on_row, &it)
              && strangers_judge(&it, NULL);

    if (ok) {
        succeeded_judge(&it);
    }
    return ok;
}
