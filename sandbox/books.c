/*
 * books.c - the books in memory: charges by number, calls by arrival.
 *
 * Each function that changes something writes the journal first and memory
 * after, so memory never knows more than the disk.
 */
#include "sandbox/books.h"

#include <stdlib.h>
#include <unistd.h>

#include "sandbox/books_int.h"

static const char *const status_texts[] = {
    [SB_PENDING] = "pending",
    [SB_PAID]    = "paid",
    [SB_FAILED]  = "failed",
    [SB_CLOSED]  = "closed",
};

static const char *const op_texts[] = {
    [SB_OP_NONE]         = "unknown",
    [SB_OP_PAY]          = "pay",
    [SB_OP_QUERY]        = "query",
    [SB_OP_CLOSE]        = "close",
    [SB_OP_PAYER]        = "payer",
    [SB_OP_REFUND]       = "refund",
    [SB_OP_REFUND_QUERY] = "refund_query",
};

const char *
sb_status_text(enum sb_status status)
{
    return status_texts[status];
}

const char *
sb_op_text(enum sb_op op)
{
    return op_texts[op];
}

/* birth and index: unique even when the books are thrown away and begun anew */
void
sb_trade_no_add(struct ph_buf *buf, const struct sb_charge *charge)
{
    ph_buf_add(buf, PH_STR("SB"));
    ph_buf_u64(buf, charge->at_ms);
    ph_buf_u64(buf, 10000000u + charge->index);
}

void
sb_books_lock(struct sb_books *books)
{
    pthread_mutex_lock(&books->lock);
}

void
sb_books_unlock(struct sb_books *books)
{
    pthread_mutex_unlock(&books->lock);
}

/* --- calls ---------------------------------------------------------------- */

static struct sb_call *
call_at(struct sb_books *books, uint32_t i)
{
    return &books->calls[i / SB_BLOCK][i % SB_BLOCK];
}

/* true = the next call has a place */
static bool
call_room(struct sb_books *books)
{
    struct sb_call **block;

    if (books->call_count == SB_CALLS_MAX) {
        return false;
    }
    block = &books->calls[books->call_count / SB_BLOCK];
    if (*block == NULL) {
        *block = calloc(SB_BLOCK, sizeof(**block));
    }
    return *block != NULL;
}

bool
books_add_call(struct sb_books *books, const struct sb_call *call)
{
    char *refund_no = NULL;

    if (!call_room(books)) {
        return false;
    }
    if (call->out_refund_no != NULL) {
        refund_no = strdup(call->out_refund_no);
        if (refund_no == NULL) {
            return false;
        }
    }
    struct sb_call *made = call_at(books, books->call_count++);

    *made               = *call;
    made->out_refund_no = refund_no;
    return true;
}

bool
sb_books_call(struct sb_books *books, const struct sb_call *call,
              uint32_t *call_no)
{
    *call_no = books->call_count;
    return call_room(books) && journal_call(books, *call_no, call)
           && books_add_call(books, call);
}

void
sb_books_answered(struct sb_books *books, uint32_t call_no)
{
    if (call_no < books->call_count && journal_answered(books, call_no)) {
        call_at(books, call_no)->answered = true;
    }
}

const struct sb_call *
sb_books_call_at(struct sb_books *books, uint32_t i)
{
    return i < books->call_count ? call_at(books, i) : NULL;
}

/* --- charges -------------------------------------------------------------- */

static struct sb_charge *
charge_at(struct sb_books *books, uint32_t i)
{
    return &books->charges[i / SB_BLOCK][i % SB_BLOCK];
}

static bool
charge_room(struct sb_books *books)
{
    struct sb_charge **block;

    if (books->charge_count == SB_CHARGES_MAX) {
        return false;
    }
    block = &books->charges[books->charge_count / SB_BLOCK];
    if (*block == NULL) {
        *block = calloc(SB_BLOCK, sizeof(**block));
    }
    return *block != NULL;
}

struct sb_charge *
sb_books_find(struct sb_books *books, struct ph_str number)
{
    struct sb_charge *charge = NULL;

    HASH_FIND(hh, books->index, number.ptr, (unsigned) number.len, charge);
    return charge;
}

struct sb_charge *
sb_books_charge_at(struct sb_books *books, uint32_t i)
{
    return i < books->charge_count ? charge_at(books, i) : NULL;
}

static void
text_copy(char *to, size_t size, struct ph_str from)
{
    size_t len = from.len < size ? from.len : size - 1;

    memcpy(to, from.ptr, len);
    to[len] = '\0';
}

struct sb_charge *
books_add_charge(struct sb_books *books, const struct sb_order *order,
                 enum sb_status status, uint64_t at_ms)
{
    struct sb_charge *charge;

    if (!charge_room(books) || order->out_trade_no.len > SB_NUMBER_MAX
        || sb_books_find(books, order->out_trade_no) != NULL)
    {
        return NULL;
    }
    charge  = charge_at(books, books->charge_count);
    *charge = (struct sb_charge){
        .status        = status,
        .index         = books->charge_count,
        .times         = status == SB_PAID ? 1 : 0,
        .amount        = order->amount,
        .at_ms         = at_ms,
        .paid_at_ms    = status == SB_PAID ? at_ms : 0,
        .expires_at_ms = order->expires_at_ms,
    };
    text_copy(charge->out_trade_no, sizeof(charge->out_trade_no),
              order->out_trade_no);
    text_copy(charge->currency, sizeof(charge->currency), order->currency);
    text_copy(charge->method, sizeof(charge->method), order->method);
    if (order->notify_url.len != 0) {
        charge->notify_url
            = strndup(order->notify_url.ptr, order->notify_url.len);
        if (charge->notify_url == NULL) {
            return NULL;
        }
    }
    books->charge_count++;
    HASH_ADD(hh, books->index, out_trade_no, (unsigned) order->out_trade_no.len,
             charge);
    return charge;
}

struct sb_charge *
sb_books_charge(struct sb_books *books, const struct sb_order *order,
                enum sb_status status, uint64_t now_ms)
{
    if (!charge_room(books) || !journal_charge(books, order, status, now_ms)) {
        return NULL;
    }
    return books_add_charge(books, order, status, now_ms);
}

bool
sb_books_pay(struct sb_books *books, struct sb_charge *charge, uint64_t now_ms)
{
    if (charge->status == SB_PAID
        || !journal_move(books, "paid", charge, now_ms)) {
        return false;
    }
    charge->status     = SB_PAID;
    charge->paid_at_ms = now_ms;
    charge->times++;
    return true;
}

bool
sb_books_shut(struct sb_books *books, struct sb_charge *charge, uint64_t now_ms)
{
    if (!journal_move(books, "closed", charge, now_ms)) {
        return false;
    }
    charge->status       = SB_CLOSED;
    charge->closed_at_ms = now_ms;
    return true;
}

void
sb_books_told(struct sb_books *books, struct sb_charge *charge)
{
    charge->is_told = true;
    /* a lost line only means that the notice goes out once more */
    (void) journal_move(books, "told", charge, 0);
}

/* --- birth and death ------------------------------------------------------ */

struct sb_books *
sb_books_open(const char *path, struct ph_buf *why)
{
    struct sb_books *books = calloc(1, sizeof(*books));

    if (books == NULL) {
        ph_buf_add(why, PH_STR("no memory"));
        return NULL;
    }
    books->fd = -1;
    pthread_mutex_init(&books->lock, NULL);
    if (!journal_open(books, path, why)) {
        sb_books_close(books);
        return NULL;
    }
    return books;
}

void
sb_books_close(struct sb_books *books)
{
    if (books == NULL) {
        return;
    }
    HASH_CLEAR(hh, books->index);
    for (uint32_t i = 0; i < books->charge_count; i++) {
        free(charge_at(books, i)->notify_url);
    }
    for (uint32_t i = 0; i < books->call_count; i++) {
        free(call_at(books, i)->out_refund_no);
    }
    books_free_refunds(books);
    for (size_t i = 0; i < PH_COUNT(books->charges); i++) {
        free(books->charges[i]);
    }
    for (size_t i = 0; i < PH_COUNT(books->calls); i++) {
        free(books->calls[i]);
    }
    if (books->fd >= 0) {
        close(books->fd);
    }
    pthread_mutex_destroy(&books->lock);
    free(books);
}
