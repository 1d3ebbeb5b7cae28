/*
 * books_read.c - the books of all sandboxes, cut into entries as they come and
 * sorted; see books.h.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cli/books.h"
#include "cli/books_cut.h"
#include "cli/http.h"
#include "cli/progress.h"

#define READ_MAX_S 1800 /* one sandbox's books */
#define STALL_MAX_S 30  /* without a byte */
#define ASK_BYTES_MAX (1024u * 1024)
#define ASK_MAX_S 30
#define URL_MAX 512

struct reading {
    struct cli_books    *books;
    struct cli_books_cut cut;
    unsigned             book;
    bool                 is_spoiled; /* no place here: said why */
};

/* --- an entry -------------------------------------------------------------
 */

static const char *
text_of(const json_t *item, const char *name)
{
    const char *text = json_string_value(json_object_get(item, name));

    return text != NULL ? text : "";
}

static int64_t
number_of(const json_t *item, const char *name)
{
    return (int64_t) json_integer_value(json_object_get(item, name));
}

static bool
number_take(struct reading *it, char out[CLI_BOOKS_NUMBER_MAX + 1],
            const char *text)
{
    if (strlen(text) > CLI_BOOKS_NUMBER_MAX) {
        it->cut.why = "found a number of over 64 bytes";
        return false;
    }
    (void) snprintf(out, CLI_BOOKS_NUMBER_MAX + 1, "%s", text);
    return true;
}

static bool
move_add(struct reading *it, const struct cli_books_move *move)
{
    it->is_spoiled = !cli_spool_add(&it->books->moves, move);
    return !it->is_spoiled;
}

/* what was never paid is nothing to judge */
static bool
charge_take(struct reading *it, const json_t *item)
{
    struct cli_books_move move = { .book      = it->book,
                                   .place     = it->books->moves.total,
                                   .is_charge = true,
                                   .is_done   = true,
                                   .times     = number_of(item, "times"),
                                   .amount    = number_of(item, "amount") };
    const char *currency = json_string_value(json_object_get(item, "currency"));

    it->books->charge_count++;
    if (!json_is_string(json_object_get(item, "out_trade_no"))
        || strcmp(text_of(item, "status"), "paid") != 0)
    {
        return true;
    }
    (void) snprintf(move.currency, sizeof(move.currency), "%.7s",
                    currency != NULL ? currency : "-");
    return number_take(it, move.number, text_of(item, "out_trade_no"))
           && move_add(it, &move);
}

static bool
refund_take(struct reading *it, const json_t *item)
{
    bool done = strcmp(text_of(item, "status"), "succeeded") == 0;
    struct cli_books_move   move   = { .book    = it->book,
                                       .place   = it->books->moves.total,
                                       .is_done = done,
                                       .amount  = number_of(item, "amount") };
    struct cli_books_refund refund = { .is_done = done,
                                       .place   = it->books->refunds.total,
                                       .times   = number_of(item, "times"),
                                       .amount  = move.amount };

    it->books->refund_count++;
    if (!number_take(it, move.number, text_of(item, "out_trade_no"))
        || !number_take(it, refund.of, text_of(item, "out_trade_no"))
        || !number_take(it, refund.number, text_of(item, "out_refund_no"))
        || !move_add(it, &move))
    {
        return false;
    }
    it->is_spoiled = !cli_spool_add(&it->books->refunds, &refund);
    return !it->is_spoiled;
}

static bool
on_item(void *data, enum cli_books_list list, const char *text, size_t len)
{
    struct reading *it   = data;
    json_t         *item = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    bool            ok   = item != NULL;

    if (!ok) {
        it->cut.why = "found an entry that is no JSON";
    } else {
        ok = list == CLI_BOOKS_CHARGES ? charge_take(it, item)
                                       : refund_take(it, item);
        cli_progress("books: %zu charges, %zu refunds read",
                     it->books->charge_count, it->books->refund_count);
    }
    json_decref(item);
    return ok;
}

/* in the order of books_judge(): by number, book after book, in each one what
 * went back before what was charged */
static int
move_cmp(const void *a, const void *b)
{
    const struct cli_books_move *left = a, *right = b;
    int                          order = strcmp(left->number, right->number);

    if (order != 0) {
        return order;
    }
    if (left->book != right->book) {
        return left->book < right->book ? -1 : 1;
    }
    if (left->is_charge != right->is_charge) {
        return left->is_charge ? 1 : -1;
    }
    return (left->place > right->place) - (left->place < right->place);
}

static int
refund_cmp(const void *a, const void *b)
{
    const struct cli_books_refund *left = a, *right = b;
    int                            order = strcmp(left->number, right->number);

    return order != 0
               ? order
               : (left->place > right->place) - (left->place < right->place);
}

/* --- over the wire --------------------------------------------------------
 */

static void
url_make(char out[URL_MAX], const char *base_url, const char *query)
{
    size_t len = strlen(base_url);

    len -= len != 0 && base_url[len - 1] == '/';
    (void) snprintf(out, URL_MAX, "%.*s/_books%s", (int) len, base_url, query);
}

static bool
on_bytes(void *data, const char *bytes, size_t len)
{
    struct reading *it = data;

    return cli_books_cut(&it->cut, bytes, len);
}

static enum cli_exit
book_read(struct cli_books *books, size_t i)
{
    char                  url[URL_MAX];
    static struct reading it;
    struct cli_http       http = { .base       = url,
                                   .method     = "GET",
                                   .ca_file    = books->ca_file,
                                   .timeout_s  = READ_MAX_S,
                                   .stall_s    = STALL_MAX_S,
                                   .on_answer  = on_bytes,
                                   .answer_for = &it };

    it             = (struct reading){ .books = books, .book = (unsigned) i };
    it.cut.on_item = on_item;
    it.cut.data    = &it;
    url_make(url, books->base_url[i], "?calls=0");
    enum cli_http_outcome outcome = cli_http_send(&http);
    enum cli_exit         code    = CLI_NOT_READY;

    if (it.is_spoiled) {
        code = CLI_FAILED;
    } else if (http.status != 0 && http.status != 200) {
        cli_say("%s: expected 200 (HTTP %ld)", url, http.status);
    } else if (outcome != CLI_HTTP_ANSWERED && it.cut.why == NULL) {
        cli_say("%s: %s (HTTP %ld)", url, http.error, http.status);
    } else if (it.cut.why != NULL || !cli_books_cut_whole(&it.cut)) {
        cli_say("%s: %s", url, it.cut.why);
    } else {
        code = CLI_OK;
    }
    cli_http_free(&http);
    return code;
}

json_t *
cli_books_ask(const struct cli_books *books, size_t i, const char *number)
{
    char            url[URL_MAX], query[112];
    struct cli_http http  = { .base       = url,
                              .method     = "GET",
                              .ca_file    = books->ca_file,
                              .timeout_s  = ASK_MAX_S,
                              .answer_max = ASK_BYTES_MAX };
    json_t         *found = NULL;
    json_error_t    why;

    (void) snprintf(query, sizeof(query), "?out_trade_no=%.64s&calls=0",
                    number);
    url_make(url, books->base_url[i], query);
    if (cli_http_send(&http) != CLI_HTTP_ANSWERED || http.status != 200) {
        cli_say("%s: %s (HTTP %ld)", url,
                http.error[0] != '\0' ? http.error : "expected 200",
                http.status);
    } else {
        found = json_loadb(http.answer, http.answer_len, JSON_REJECT_DUPLICATES,
                           &why);
        if (found == NULL) {
            cli_say("%s: found no JSON: %s", url, why.text);
        }
    }
    cli_http_free(&http);
    return found;
}

/* --- all of them ----------------------------------------------------------
 */

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
    enum cli_exit code = CLI_OK;

    *out = (struct cli_books){ 0 };
    (void) snprintf(out->ca_file, sizeof(out->ca_file), "%s",
                    ph_conf_text(&cli->conf, PH_CONF_pay_ca_file));
    if (!cli_spool_open(&out->moves, sizeof(struct cli_books_move), move_cmp,
                        CLI_SPOOL_MEMORY)
        || !cli_spool_open(&out->refunds, sizeof(struct cli_books_refund),
                           refund_cmp, CLI_SPOOL_MEMORY)
        || !urls_read(db, out))
    {
        return CLI_FAILED;
    }
    for (size_t i = 0; code == CLI_OK && i < out->count; i++) {
        code = book_read(out, i);
    }
    if (code == CLI_OK
        && (!cli_spool_sort(&out->moves) || !cli_spool_sort(&out->refunds)))
    {
        code = CLI_FAILED;
    }
    return code;
}

void
cli_books_free(struct cli_books *books)
{
    for (size_t i = 0; i < books->count; i++) {
        free(books->base_url[i]);
    }
    cli_spool_close(&books->moves);
    cli_spool_close(&books->refunds);
    books->count = 0;
}
