/*
 * books.h - the sandbox's own truth: which money moved, and who called.
 *
 * Everything that happens is a line in an append-only journal, written with
 * write(2) before it is shown to anybody, so it survives kill -9 of the
 * process (not a power cut: nothing here is synced).  The maps in memory are
 * what the lines say, read again at start.
 *
 * All functions but open and close want sb_books_lock() held.  A false return
 * of a function that writes means: nothing was changed, in memory or on disk.
 *
 * @thread any, under the lock
 */
#ifndef SB_BOOKS_H
#define SB_BOOKS_H

#include <uthash.h>

#include "libpayhub/base/buf.h"
#include "libpayhub/base/money.h"
#include "libpayhub/base/rc.h"

#define SB_NUMBER_MAX 64
#define SB_URL_MAX 512
#define SB_METHOD_MAX 16
#define SB_CHARGES_MAX (4u * 1024u * 1024u)
#define SB_REFUNDS_MAX (1024u * 1024u)
#define SB_CALLS_MAX (16u * 1024u * 1024u)
#define SB_TRADE_NO_MAX 48

enum sb_status { SB_PENDING = 0, SB_PAID, SB_FAILED, SB_CLOSED };

enum sb_op {
    SB_OP_NONE = 0,
    SB_OP_PAY,
    SB_OP_QUERY,
    SB_OP_CLOSE,
    SB_OP_PAYER,
    SB_OP_REFUND,
    SB_OP_REFUND_QUERY
};

enum sb_refund_status {
    SB_REFUND_PENDING = 0,
    SB_REFUND_SUCCEEDED,
    SB_REFUND_FAILED
};

struct sb_charge {
    char           out_trade_no[SB_NUMBER_MAX + 1];
    char           currency[4];
    char           method[SB_METHOD_MAX + 1];
    enum sb_status status;
    uint32_t       index; /* order of arrival */
    uint32_t       times; /* effects: how often the money moved */
    int64_t        amount;
    uint64_t       at_ms;
    uint64_t       paid_at_ms;
    uint64_t       closed_at_ms;
    uint64_t       expires_at_ms; /* 0 = never */
    int64_t        refunded;      /* the sum that went back */
    int64_t        refunding;     /* the sum of the pending ones */
    char          *notify_url;    /* NULL = none */

    /* the notice; kept by notices.c */
    bool              is_told; /* acknowledged, or given up */
    uint8_t           tries;
    uint8_t           sending; /* copies on the wire */
    uint64_t          due_ms;
    struct sb_charge *next, *prev; /* in one of its queues */

    UT_hash_handle hh;
};

struct sb_refund {
    char                  out_refund_no[SB_NUMBER_MAX + 1];
    enum sb_refund_status status;
    uint32_t              index;
    uint32_t              times; /* how often the money went back */
    int64_t               amount;
    uint64_t              at_ms;
    uint64_t              refunded_at_ms;
    struct sb_charge     *charge;

    uint64_t          due_ms; /* in the clock's list of late ones */
    struct sb_refund *next, *prev;

    UT_hash_handle hh;
};

struct sb_call {
    char       out_trade_no[SB_NUMBER_MAX + 1]; /* "" = not readable */
    char      *out_refund_no;                   /* NULL = none */
    enum sb_op op;
    bool       arrived;  /* the whole request was read */
    bool       answered; /* an answer was put on the wire whole */
    uint32_t   connection;
    uint64_t   at_ms;
};

struct sb_order { /* what /pay asks for */
    struct ph_str out_trade_no;
    struct ph_str currency;
    struct ph_str method;
    struct ph_str notify_url;
    int64_t       amount;
    uint64_t      expires_at_ms;
};

struct sb_refund_order { /* what /refund asks for */
    struct ph_str out_refund_no;
    int64_t       amount;
};

struct sb_books;

/* NULL = `why` says what failed.  @owns: caller, sb_books_close(). */
struct sb_books *sb_books_open(const char    *path,
                               struct ph_buf *why) PH_MUST_CHECK;
void             sb_books_close(struct sb_books *books); /* accepts NULL */

void sb_books_lock(struct sb_books *books);
void sb_books_unlock(struct sb_books *books);

/* An arrival; *call_no names it for sb_books_answered().  Its texts are
 * copied. */
bool sb_books_call(struct sb_books *books, const struct sb_call *call,
                   uint32_t *call_no) PH_MUST_CHECK;
void sb_books_answered(struct sb_books *books, uint32_t call_no);

/* NULL when the number is not in the books */
struct sb_charge *sb_books_find(struct sb_books *books, struct ph_str number);

/* A new charge; the number must not be in the books.  NULL = full or disk. */
struct sb_charge *sb_books_charge(struct sb_books       *books,
                                  const struct sb_order *order,
                                  enum sb_status         status,
                                  uint64_t               now_ms) PH_MUST_CHECK;

/* The money moves: times grows.  Refuses one that is paid already. */
bool sb_books_pay(struct sb_books *books, struct sb_charge *charge,
                  uint64_t now_ms) PH_MUST_CHECK;
bool sb_books_shut(struct sb_books *books, struct sb_charge *charge,
                   uint64_t now_ms) PH_MUST_CHECK;
void sb_books_told(struct sb_books *books, struct sb_charge *charge);

/* NULL when the number is not in the books */
struct sb_refund *sb_books_refund_find(struct sb_books *books,
                                       struct ph_str    number);

/* the charge is paid, and what is left of it holds the amount */
bool sb_charge_holds(const struct sb_charge *charge, int64_t amount);

/*
 * A new refund of a charge that holds it; the number must not be in the books.
 * NULL = full or disk.
 */
struct sb_refund *sb_books_refund(struct sb_books              *books,
                                  struct sb_charge             *charge,
                                  const struct sb_refund_order *order,
                                  enum sb_refund_status         status,
                                  uint64_t now_ms) PH_MUST_CHECK;

/* A pending one succeeds: times grows.  Refuses any other. */
bool sb_books_refund_pay(struct sb_books *books, struct sb_refund *refund,
                         uint64_t now_ms) PH_MUST_CHECK;

/* by index, NULL after the last */
struct sb_refund     *sb_books_refund_at(struct sb_books *books, uint32_t i);
struct sb_charge     *sb_books_charge_at(struct sb_books *books, uint32_t i);
const struct sb_call *sb_books_call_at(struct sb_books *books, uint32_t i);

const char *sb_status_text(enum sb_status status);
const char *sb_refund_status_text(enum sb_refund_status status);
const char *sb_op_text(enum sb_op op);
void        sb_trade_no_add(struct ph_buf *buf, const struct sb_charge *charge);
void sb_refund_no_add(struct ph_buf *buf, const struct sb_refund *refund);

#endif
