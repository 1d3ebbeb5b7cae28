/*
 * books.c - see books.h.
 */
#include "cli/books.h"

#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#include "cli/http.h"
#include "libpayhub/base/id.h"

#define BOOKS_BYTES_MAX (512u * 1024 * 1024)
#define FETCH_TIMEOUT_S 30
#define URL_MAX 512

/* one attempt of ours at a sandbox, by its id */
struct ours {
    UT_hash_handle hh;
    char           id[PH_ID_LEN + 1];
    char           payment_id[PH_ID_LEN + 1];
    char           attempt_status[16];
    char           payment_status[16];
    char           currency[4];
    int64_t        amount;
    int64_t        refunded; /* by the books */
    bool           has_work;
    bool           is_charged; /* by the books */
};

/* how often an order was charged, net of refunds */
struct order {
    UT_hash_handle hh;
    char           payment_id[PH_ID_LEN + 1];
    unsigned       charges;
    bool           has_work;
};

struct judging {
    struct ours  *ours;
    struct order *orders;
    json_t       *breaches;
    size_t        charges;
    size_t        asked;
};

void
cli_breach(json_t *breaches, const char *invariant, const char *says,
           const char *subject, const char *detail)
{
    (void) json_array_append_new(breaches,
                                 json_pack("{s:s, s:s, s:s, s:s}", "invariant",
                                           invariant, "says", says, "subject",
                                           subject, "detail", detail));
}

static json_t *
books_get(const char *base_url, const char *query, const char *ca_file)
{
    char            url[URL_MAX];
    size_t          len   = strlen(base_url);
    struct cli_http http  = { .base       = url,
                              .method     = "GET",
                              .ca_file    = ca_file,
                              .timeout_s  = FETCH_TIMEOUT_S,
                              .answer_max = BOOKS_BYTES_MAX };
    json_t         *books = NULL;
    json_error_t    why;

    len -= len != 0 && base_url[len - 1] == '/';
    (void) snprintf(url, sizeof(url), "%.*s/_books%s", (int) len, base_url,
                    query);
    if (cli_http_send(&http) != CLI_HTTP_ANSWERED || http.status != 200) {
        cli_say("%s: %s (HTTP %ld)", url,
                http.error[0] != '\0' ? http.error : "expected 200",
                http.status);
    } else {
        books = json_loadb(http.answer, http.answer_len, JSON_REJECT_DUPLICATES,
                           &why);
        if (books == NULL) {
            cli_say("%s: found no JSON: %s", url, why.text);
        }
    }
    cli_http_free(&http);
    return books;
}

/* the addresses of sandbox accounts, each once */
static bool
urls_read(MYSQL *db, struct cli_books *out)
{
    MYSQL_RES *rows
        = cli_sql_rows(db, PH_STR("SELECT settings FROM channel_account WHERE "
                                  "channel='sandbox' ORDER BY id LIMIT 1000"));

    if (rows == NULL) {
        return false;
    }
    for (MYSQL_ROW row; (row = mysql_fetch_row(rows)) != NULL;) {
        json_t     *settings = json_loads(row[0], 0, NULL);
        const char *url
            = json_string_value(json_object_get(settings, "base_url"));
        bool known = url == NULL || out->count == CLI_BOOKS_MAX;
        for (size_t i = 0; !known && i < out->count; i++) {
            known = strcmp(out->base_url[i], url) == 0;
        }
        if (!known) {
            out->base_url[out->count++] = strdup(url);
        }
        json_decref(settings);
    }
    mysql_free_result(rows);
    return true;
}

enum cli_exit
cli_books_fetch(struct cli *cli, MYSQL *db, struct cli_books *out)
{
    *out = (struct cli_books){ 0 };
    (void) snprintf(out->ca_file, sizeof(out->ca_file), "%s",
                    ph_conf_text(&cli->conf, PH_CONF_pay_ca_file));
    if (!urls_read(db, out)) {
        return CLI_FAILED;
    }
    for (size_t i = 0; i < out->count; i++) {
        out->books[i] = books_get(out->base_url[i], "", out->ca_file);
        if (out->books[i] == NULL) {
            return CLI_NOT_READY;
        }
    }
    return CLI_OK;
}

void
cli_books_free(struct cli_books *books)
{
    for (size_t i = 0; i < books->count; i++) {
        json_decref(books->books[i]);
        free(books->base_url[i]);
    }
    books->count = 0;
}

static void
text_keep(char *out, size_t size, const char *text)
{
    (void) snprintf(out, size, "%s", text != NULL ? text : "");
}

static bool
ours_add(void *data, MYSQL_ROW row)
{
    struct judging *it     = data;
    uint64_t        amount = 0;
    struct ours    *one    = calloc(1, sizeof(*one));

    if (one == NULL || !ph_str_u64(ph_str_z(row[4]), INT64_MAX, &amount)) {
        free(one);
        return false;
    }
    text_keep(one->id, sizeof(one->id), row[0]);
    text_keep(one->payment_id, sizeof(one->payment_id), row[1]);
    text_keep(one->attempt_status, sizeof(one->attempt_status), row[2]);
    text_keep(one->payment_status, sizeof(one->payment_status), row[3]);
    text_keep(one->currency, sizeof(one->currency), row[5]);
    one->amount   = (int64_t) amount;
    one->has_work = row[6] != NULL;
    HASH_ADD_STR(it->ours, id, one);
    return true;
}

static bool
ours_read(struct judging *it, MYSQL *db)
{
    return cli_sql_each(
        db,
        PH_STR("SELECT a.id,a.payment_id,a.status,p.status,a.amount,"
               "a.currency,COALESCE(w.id,o.payment_id,"
               "IF(p.proof_source='person',p.id,NULL)) FROM attempt a "
               "LEFT JOIN payment p ON p.id=a.payment_id "
               "LEFT JOIN work w ON w.id=a.payment_id "
               "LEFT JOIN (SELECT DISTINCT r.payment_id FROM work x "
               "STRAIGHT_JOIN refund r ON r.id=x.id) o "
               "ON o.payment_id=a.payment_id WHERE a.channel='sandbox'"),
        ours_add, it);
}

static struct ours *
ours_find(struct judging *it, const char *id)
{
    struct ours *one = NULL;

    HASH_FIND_STR(it->ours, id, one);
    return one;
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

static void
charge_known(struct judging *it, struct ours *one, const json_t *charge)
{
    static const char *const settled[]
        = { "paid", "paid_late", "conflict", NULL };
    const char *currency
        = json_string_value(json_object_get(charge, "currency"));
    json_int_t amount = json_integer_value(json_object_get(charge, "amount"));
    char       detail[128];

    one->is_charged = true;
    if (!is_one_of(one->payment_status, settled) && !one->has_work) {
        (void) snprintf(detail, sizeof(detail),
                        "charged; payment %s is %s and nobody looks after it",
                        one->payment_id, one->payment_status);
        cli_breach(it->breaches, "I1", "what was charged is not lost", one->id,
                   detail);
    }
    if ((amount != one->amount || currency == NULL
         || strcmp(currency, one->currency) != 0)
        && strcmp(one->payment_status, "conflict") != 0 && !one->has_work)
    {
        (void) snprintf(detail, sizeof(detail),
                        "charged %lld %s, our row says %lld %s",
                        (long long) amount, currency != NULL ? currency : "-",
                        (long long) one->amount, one->currency);
        cli_breach(it->breaches, "I1", "what was charged is what was asked",
                   one->id, detail);
    }
}

static void
charge_judge(struct judging *it, const json_t *charge)
{
    const char *id = json_string_value(json_object_get(charge, "out_trade_no"));
    const char *status = json_string_value(json_object_get(charge, "status"));
    json_int_t  times  = json_integer_value(json_object_get(charge, "times"));
    char        detail[64];

    it->charges++;
    if (id == NULL || status == NULL || strcmp(status, "paid") != 0) {
        return;
    }
    if (times > 1) {
        (void) snprintf(detail, sizeof(detail), "charged %lld times",
                        (long long) times);
        cli_breach(it->breaches, "I2", "an attempt is charged once", id,
                   detail);
    }
    struct ours *one = ours_find(it, id);
    if (one != NULL) {
        charge_known(it, one, charge);
    } else if (ph_id_is(ph_str_z(id), PH_ID_ATTEMPT)) {
        cli_breach(it->breaches, "I1", "what was charged is not lost", id,
                   "charged; we have no such attempt");
    }
}

static void
book_judge(struct judging *it, const json_t *books)
{
    size_t  i;
    json_t *item;

    json_array_foreach(json_object_get(books, "charges"), i, item)
    {
        charge_judge(it, item);
    }
    json_array_foreach(json_object_get(books, "refunds"), i, item)
    {
        const char *id
            = json_string_value(json_object_get(item, "out_trade_no"));
        const char *status = json_string_value(json_object_get(item, "status"));
        struct ours *one   = id != NULL ? ours_find(it, id) : NULL;
        if (one != NULL && status != NULL && strcmp(status, "succeeded") == 0) {
            one->refunded
                += json_integer_value(json_object_get(item, "amount"));
        }
    }
}

/* adds a charge to its order; false = no memory */
static bool
order_add(struct judging *it, const struct ours *one)
{
    struct order *order = NULL;

    HASH_FIND_STR(it->orders, one->payment_id, order);
    if (order == NULL) {
        order = calloc(1, sizeof(*order));
        if (order == NULL) {
            return false;
        }
        text_keep(order->payment_id, sizeof(order->payment_id),
                  one->payment_id);
        HASH_ADD_STR(it->orders, payment_id, order);
    }
    order->charges++;
    order->has_work = one->has_work;
    return true;
}

static bool
orders_judge(struct judging *it)
{
    struct ours  *one, *next;
    struct order *order, *after;
    char          detail[64];

    HASH_ITER(hh, it->ours, one, next)
    {
        if (one->is_charged && one->refunded < one->amount
            && !order_add(it, one)) {
            return false;
        }
    }
    HASH_ITER(hh, it->orders, order, after)
    {
        if (order->charges > 1 && !order->has_work) {
            (void) snprintf(detail, sizeof(detail), "%u charges net of refunds",
                            order->charges);
            cli_breach(it->breaches, "I2", "an order is charged once",
                       order->payment_id, detail);
        }
    }
    return true;
}

json_t *
cli_books_ask(const struct cli_books *books, size_t i, const char *number)
{
    char query[96];

    (void) snprintf(query, sizeof(query), "?out_trade_no=%.64s", number);
    return books_get(books->base_url[i], query, books->ca_file);
}

/* paid here after the books were read, or not charged at all: ask by number */
static bool
is_charged_now(struct cli_books *books, const char *id)
{
    for (size_t i = 0; i < books->count; i++) {
        json_t       *one = cli_books_ask(books, i, id);
        const json_t *charge
            = json_array_get(json_object_get(one, "charges"), 0);
        const char *status
            = json_string_value(json_object_get(charge, "status"));
        bool paid = status != NULL && strcmp(status, "paid") == 0;
        json_decref(one);
        if (paid) {
            return true;
        }
    }
    return false;
}

static void
succeeded_judge(struct judging *it, struct cli_books *books)
{
    struct ours *one, *next;

    HASH_ITER(hh, it->ours, one, next)
    {
        if (one->is_charged
            || (strcmp(one->attempt_status, "succeeded") != 0
                && strcmp(one->attempt_status, "duplicate") != 0)
            || it->asked == CLI_BOOKS_ASK_MAX)
        {
            continue;
        }
        it->asked++;
        if (!is_charged_now(books, one->id)) {
            cli_breach(it->breaches, "I1", "what we call paid was charged",
                       one->id, "succeeded; the channel has no such charge");
        }
    }
}

static void
judging_free(struct judging *it)
{
    struct ours  *one   = it->ours;
    struct order *order = it->orders;

    HASH_CLEAR(hh, it->ours); /* the tables only; the chains stay */
    HASH_CLEAR(hh, it->orders);
    while (one != NULL) {
        struct ours *next = one->hh.next;
        free(one);
        one = next;
    }
    while (order != NULL) {
        struct order *next = order->hh.next;
        free(order);
        order = next;
    }
}

bool
cli_books_judge(struct cli_books *books, MYSQL *db, json_t *breaches,
                size_t *charges)
{
    struct judging it = { .breaches = breaches };
    bool           ok = ours_read(&it, db);

    for (size_t i = 0; ok && i < books->count; i++) {
        book_judge(&it, books->books[i]);
    }
    ok = ok && orders_judge(&it);
    if (ok && books->count != 0) {
        succeeded_judge(&it, books);
    }
    *charges = it.charges;
    judging_free(&it);
    return ok;
}
