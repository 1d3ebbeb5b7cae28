/*
 * books_refunds.c - the books in memory: refunds by number.
 *
 * A pending refund holds its sum at the charge, a succeeded one has taken it,
 * a failed one holds nothing; the two sums together never pass the charge.
 */
#include <stdlib.h>

#include "sandbox/books_int.h"

static const char *const status_texts[] = {
    [SB_REFUND_PENDING]   = "pending",
    [SB_REFUND_SUCCEEDED] = "succeeded",
    [SB_REFUND_FAILED]    = "failed",
};

const char *
sb_refund_status_text(enum sb_refund_status status)
{
    return status_texts[status];
}

/* birth and index, as a charge's; unlike it in its first letters */
void
sb_refund_no_add(struct ph_buf *buf, const struct sb_refund *refund)
{
    ph_buf_add(buf, PH_STR("SR"));
    ph_buf_u64(buf, refund->at_ms);
    ph_buf_u64(buf, 10000000u + refund->index);
}

static struct sb_refund *
refund_at(struct sb_books *books, uint32_t i)
{
    return &books->refunds[i / SB_BLOCK][i % SB_BLOCK];
}

static bool
refund_room(struct sb_books *books)
{
    struct sb_refund **block;

    if (books->refund_count == SB_REFUNDS_MAX) {
        return false;
    }
    block = &books->refunds[books->refund_count / SB_BLOCK];
    if (*block == NULL) {
        *block = calloc(SB_BLOCK, sizeof(**block));
    }
    return *block != NULL;
}

struct sb_refund *
sb_books_refund_at(struct sb_books *books, uint32_t i)
{
    return i < books->refund_count ? refund_at(books, i) : NULL;
}

struct sb_refund *
sb_books_refund_find(struct sb_books *books, struct ph_str number)
{
    struct sb_refund *refund = NULL;

    HASH_FIND(hh, books->refund_index, number.ptr, (unsigned) number.len,
              refund);
    return refund;
}

bool
sb_charge_holds(const struct sb_charge *charge, int64_t amount)
{
    return charge->status == SB_PAID && amount >= 1
           && amount <= charge->amount - charge->refunded - charge->refunding;
}

struct sb_refund *
books_add_refund(struct sb_books *books, struct sb_charge *charge,
                 const struct sb_refund_order *order,
                 enum sb_refund_status status, uint64_t at_ms)
{
    struct ph_str     number = order->out_refund_no;
    struct sb_refund *refund;

    if (!refund_room(books) || number.len == 0 || number.len > SB_NUMBER_MAX
        || sb_books_refund_find(books, number) != NULL
        || !sb_charge_holds(charge, order->amount))
    {
        return NULL;
    }
    refund  = refund_at(books, books->refund_count);
    *refund = (struct sb_refund){
        .status         = status,
        .index          = books->refund_count,
        .times          = status == SB_REFUND_SUCCEEDED ? 1 : 0,
        .amount         = order->amount,
        .at_ms          = at_ms,
        .refunded_at_ms = status == SB_REFUND_SUCCEEDED ? at_ms : 0,
        .charge         = charge,
    };
    memcpy(refund->out_refund_no, number.ptr, number.len);
    if (status == SB_REFUND_SUCCEEDED) {
        charge->refunded += order->amount;
    }
    if (status == SB_REFUND_PENDING) {
        charge->refunding += order->amount;
    }
    books->refund_count++;
    HASH_ADD(hh, books->refund_index, out_refund_no, (unsigned) number.len,
             refund);
    return refund;
}

void
books_refund_paid(struct sb_refund *refund, uint64_t at_ms)
{
    refund->status         = SB_REFUND_SUCCEEDED;
    refund->refunded_at_ms = at_ms;
    refund->times++;
    refund->charge->refunding -= refund->amount;
    refund->charge->refunded += refund->amount;
}

struct sb_refund *
sb_books_refund(struct sb_books *books, struct sb_charge *charge,
                const struct sb_refund_order *order,
                enum sb_refund_status status, uint64_t now_ms)
{
    if (!refund_room(books)
        || !journal_refund(books, charge, order, status, now_ms))
    {
        return NULL;
    }
    return books_add_refund(books, charge, order, status, now_ms);
}

bool
sb_books_refund_pay(struct sb_books *books, struct sb_refund *refund,
                    uint64_t now_ms)
{
    if (refund->status != SB_REFUND_PENDING
        || !journal_refunded(books, refund, now_ms))
    {
        return false;
    }
    books_refund_paid(refund, now_ms);
    return true;
}

void
books_free_refunds(struct sb_books *books)
{
    HASH_CLEAR(hh, books->refund_index);
    for (size_t i = 0; i < PH_COUNT(books->refunds); i++) {
        free(books->refunds[i]);
    }
}
