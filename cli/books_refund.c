/*
 * books_refund.c - refunds in the sandbox's books against ours; see books.h.
 *
 * What is in the books under a number of ours was committed here before the
 * call, so a number that we do not know is lost.  What succeeded there is
 * succeeded here or still looked after; what succeeded here is there, once and
 * with the same amount.  Numbers of another make are not ours to judge.
 */
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#include "cli/books.h"
#include "libpayhub/base/id.h"

struct ours {
    UT_hash_handle hh;
    char           id[PH_ID_LEN + 1];
    char           attempt_id[PH_ID_LEN + 1];
    char           status[16];
    int64_t        amount;
    bool           has_work;
    bool           is_made; /* by the books */
};

/* what went back of one charge, by the books */
struct net {
    UT_hash_handle hh;
    char           number[80];
    int64_t        charged;
    int64_t        refunded;
};

struct judging {
    struct ours *ours;
    struct net  *nets;
    json_t      *breaches;
    size_t       refunds;
    size_t       asked;
};

static bool
ours_add(void *data, MYSQL_ROW row)
{
    struct judging *it     = data;
    uint64_t        amount = 0;
    struct ours    *one    = calloc(1, sizeof(*one));

    if (one == NULL || !ph_str_u64(ph_str_z(row[3]), INT64_MAX, &amount)) {
        free(one);
        return false;
    }
    (void) snprintf(one->id, sizeof(one->id), "%s", row[0]);
    (void) snprintf(one->attempt_id, sizeof(one->attempt_id), "%s", row[1]);
    (void) snprintf(one->status, sizeof(one->status), "%s", row[2]);
    one->amount   = (int64_t) amount;
    one->has_work = row[4] != NULL;
    HASH_ADD_STR(it->ours, id, one);
    return true;
}

static bool
ours_read(struct judging *it, MYSQL *db)
{
    return cli_sql_each(
        db,
        PH_STR("SELECT r.id,r.attempt_id,r.status,r.amount,w.id "
               "FROM refund r LEFT JOIN work w ON w.id=r.id "
               "WHERE r.channel='sandbox' AND r.kind<>'foreign'"),
        ours_add, it);
}

static const char *
text_of(const json_t *item, const char *name)
{
    const char *text = json_string_value(json_object_get(item, name));

    return text != NULL ? text : "";
}

/* --- one charge's sum ------------------------------------------------------
 */

/* NULL = no memory */
static struct net *
net_of(struct judging *it, const char *number)
{
    struct net *net = NULL;

    HASH_FIND_STR(it->nets, number, net);
    if (net == NULL) {
        net = calloc(1, sizeof(*net));
        if (net == NULL) {
            return NULL;
        }
        (void) snprintf(net->number, sizeof(net->number), "%s", number);
        HASH_ADD_STR(it->nets, number, net);
    }
    return net;
}

static bool
nets_read(struct judging *it, const json_t *books)
{
    size_t  i;
    json_t *item;

    json_array_foreach(json_object_get(books, "refunds"), i, item)
    {
        struct net *net = net_of(it, text_of(item, "out_trade_no"));

        if (net == NULL) {
            return false;
        }
        if (strcmp(text_of(item, "status"), "succeeded") == 0) {
            net->refunded
                += json_integer_value(json_object_get(item, "amount"));
        }
    }
    json_array_foreach(json_object_get(books, "charges"), i, item)
    {
        struct net *net = NULL;

        HASH_FIND_STR(it->nets, text_of(item, "out_trade_no"), net);
        if (net != NULL && strcmp(text_of(item, "status"), "paid") == 0) {
            net->charged = json_integer_value(json_object_get(item, "amount"));
        }
    }
    return true;
}

static void
nets_judge(struct judging *it)
{
    struct net *net, *next;
    char        detail[96];

    HASH_ITER(hh, it->nets, net, next)
    {
        if (net->refunded > net->charged) {
            (void) snprintf(
                detail, sizeof(detail), "charged %lld, refunded %lld",
                (long long) net->charged, (long long) net->refunded);
            cli_breach(it->breaches, "I3", "no more went back than was charged",
                       net->number, detail);
        }
    }
}

/* --- one refund ------------------------------------------------------------
 */

static void
refund_known(struct judging *it, struct ours *one, const json_t *item)
{
    json_int_t amount = json_integer_value(json_object_get(item, "amount"));
    char       detail[128];

    one->is_made = true;
    if (strcmp(one->status, "succeeded") != 0 && !one->has_work) {
        (void) snprintf(detail, sizeof(detail),
                        "refunded; here it is %s and nobody looks after it",
                        one->status);
        cli_breach(it->breaches, "I1", "what was refunded is not lost", one->id,
                   detail);
    }
    if (amount != one->amount
        || strcmp(text_of(item, "out_trade_no"), one->attempt_id) != 0)
    {
        (void) snprintf(detail, sizeof(detail),
                        "refunded %lld of %.64s, our row says %lld of %s",
                        (long long) amount, text_of(item, "out_trade_no"),
                        (long long) one->amount, one->attempt_id);
        cli_breach(it->breaches, "I1", "what was refunded is what was asked",
                   one->id, detail);
    }
}

static void
refund_judge(struct judging *it, const json_t *item)
{
    const char  *id    = text_of(item, "out_refund_no");
    json_int_t   times = json_integer_value(json_object_get(item, "times"));
    struct ours *one   = NULL;
    char         detail[64];

    it->refunds++;
    if (times > 1) {
        (void) snprintf(detail, sizeof(detail), "refunded %lld times",
                        (long long) times);
        cli_breach(it->breaches, "I2", "a refund is made once", id, detail);
    }
    HASH_FIND_STR(it->ours, id, one);
    if (one == NULL && ph_id_is(ph_str_z(id), PH_ID_REFUND)) {
        cli_breach(it->breaches, "I1", "what was refunded is not lost", id,
                   "refunded; we have no such refund");
    }
    if (one != NULL && strcmp(text_of(item, "status"), "succeeded") == 0) {
        refund_known(it, one, item);
    }
}

/* made after the books were read, or never: ask by the charge's number */
static bool
is_made_now(const struct cli_books *books, const struct ours *one)
{
    bool made = false;

    for (size_t i = 0; !made && i < books->count; i++) {
        json_t *now = cli_books_ask(books, i, one->attempt_id);
        json_t *item;
        size_t  at;

        json_array_foreach(json_object_get(now, "refunds"), at, item)
        {
            made = made
                   || (strcmp(text_of(item, "out_refund_no"), one->id) == 0
                       && strcmp(text_of(item, "status"), "succeeded") == 0);
        }
        json_decref(now);
    }
    return made;
}

static void
succeeded_judge(struct judging *it, const struct cli_books *books)
{
    struct ours *one, *next;

    HASH_ITER(hh, it->ours, one, next)
    {
        if (!one->is_made && strcmp(one->status, "succeeded") == 0
            && it->asked < CLI_BOOKS_ASK_MAX)
        {
            it->asked++;
            if (!is_made_now(books, one)) {
                cli_breach(it->breaches, "I1",
                           "what we call refunded went back", one->id,
                           "succeeded; the channel has no such refund");
            }
        }
    }
}

static void
judging_free(struct judging *it)
{
    struct ours *one = it->ours;
    struct net  *net = it->nets;

    HASH_CLEAR(hh, it->ours); /* the tables only; the chains stay */
    HASH_CLEAR(hh, it->nets);
    while (one != NULL) {
        struct ours *next = one->hh.next;
        free(one);
        one = next;
    }
    while (net != NULL) {
        struct net *next = net->hh.next;
        free(net);
        net = next;
    }
}

bool
cli_books_judge_refunds(struct cli_books *books, MYSQL *db, json_t *breaches,
                        size_t *refunds)
{
    struct judging it = { .breaches = breaches };
    bool           ok = ours_read(&it, db);
    size_t         at;
    json_t        *item;

    for (size_t i = 0; ok && i < books->count; i++) {
        json_array_foreach(json_object_get(books->books[i], "refunds"), at,
                           item)
        {
            refund_judge(&it, item);
        }
        ok = nets_read(&it, books->books[i]);
    }
    nets_judge(&it);
    if (ok && books->count != 0) {
        succeeded_judge(&it, books);
    }
    *refunds = it.refunds;
    judging_free(&it);
    return ok;
}
