/* books_int.h - shared by books*.c (memory) and journal.c (disk) only. */
#ifndef SB_BOOKS_INT_H
#define SB_BOOKS_INT_H

#include <pthread.h>
#include <sys/types.h>

#include "sandbox/books.h"

#define SB_BLOCK 4096 /* items allocated at once */
#define SB_LINE_MAX 2048

struct sb_books {
    pthread_mutex_t   lock;
    int               fd;
    off_t             size;         /* of whole lines */
    struct sb_charge *index;        /* uthash by out_trade_no */
    struct sb_refund *refund_index; /* by out_refund_no */
    uint32_t          charge_count;
    uint32_t          refund_count;
    uint32_t          call_count;
    /* blocks, so that a charge never moves */
    struct sb_charge *charges[SB_CHARGES_MAX / SB_BLOCK];
    struct sb_refund *refunds[SB_REFUNDS_MAX / SB_BLOCK];
    struct sb_call   *calls[SB_CALLS_MAX / SB_BLOCK];
};

/* books.c: what a line does to memory; NULL/false = no room or nonsense */
struct sb_charge *books_add_charge(struct sb_books       *books,
                                   const struct sb_order *order,
                                   enum sb_status status, uint64_t at_ms);
bool books_add_call(struct sb_books *books, const struct sb_call *call);

/* books_refunds.c */
struct sb_refund *books_add_refund(struct sb_books              *books,
                                   struct sb_charge             *charge,
                                   const struct sb_refund_order *order,
                                   enum sb_refund_status         status,
                                   uint64_t                      at_ms);
void              books_refund_paid(struct sb_refund *refund, uint64_t at_ms);
void              books_free_refunds(struct sb_books *books);

/* journal.c */
bool journal_open(struct sb_books *books, const char *path, struct ph_buf *why);
bool journal_call(struct sb_books *books, uint32_t call_no,
                  const struct sb_call *call);
bool journal_answered(struct sb_books *books, uint32_t call_no);
bool journal_charge(struct sb_books *books, const struct sb_order *order,
                    enum sb_status status, uint64_t at_ms);
bool journal_refund(struct sb_books *books, const struct sb_charge *charge,
                    const struct sb_refund_order *order,
                    enum sb_refund_status status, uint64_t at_ms);
bool journal_refunded(struct sb_books *books, const struct sb_refund *refund,
                      uint64_t at_ms);
/* event: "paid", "closed", "told" */
bool journal_move(struct sb_books *books, const char *event,
                  const struct sb_charge *charge, uint64_t at_ms);

#endif
