/*
 * journal.c - the books on disk: one JSON object a line, appended, never
 * changed.
 *
 *   {"e":"call","n":0,"op":"pay","no":"A1","at":1,"connection":1}
 *   {"e":"charge","no":"A1","amount":1,"currency":"CNY","method":"sandbox_qr",
 *    "status":"pending","at":1,"expires":2,"notify":"http://..."}
 *   {"e":"paid","no":"A1","at":1}   the same for "closed" and "told"
 *   {"e":"answered","n":0}
 *   {"e":"refund","no":"R1","of":"A1","amount":1,"status":"pending","at":1}
 *   {"e":"refunded","no":"R1","at":1}
 *
 * A call about a refund has "refund":"R1" beside the order's number.
 *
 * A line goes out in one write(2).  A last line without its LF was being
 * written when the process died: nobody was told of it, so it is cut off.  Any
 * other line that cannot be read stops the start with its number.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "sandbox/books_int.h"

/* --- writing -------------------------------------------------------------- */

static bool
line_write(struct sb_books *books, struct ph_buf *line)
{
    ph_buf_add(line, PH_STR("}\n"));
    if (line->full) {
        return false;
    }
    ssize_t n = write(books->fd, line->ptr, line->len);
    if (n == (ssize_t) line->len) {
        books->size += n;
        return true;
    }
    /* a full disk: what went out half must not meet the next line */
    if (n > 0 && ftruncate(books->fd, books->size) != 0) {
        abort();
    }
    return false;
}

static void
line_begin(struct ph_buf *line, const char *event)
{
    ph_buf_add(line, PH_STR("{\"e\":"));
    ph_buf_json(line, ph_str_z(event));
}

static void
line_text(struct ph_buf *line, struct ph_str name, struct ph_str text)
{
    ph_buf_byte(line, ',');
    ph_buf_json(line, name);
    ph_buf_byte(line, ':');
    ph_buf_json(line, text);
}

static void
line_number(struct ph_buf *line, struct ph_str name, uint64_t value)
{
    ph_buf_byte(line, ',');
    ph_buf_json(line, name);
    ph_buf_byte(line, ':');
    ph_buf_u64(line, value);
}

bool
journal_call(struct sb_books *books, uint32_t call_no,
             const struct sb_call *call)
{
    char          text[SB_LINE_MAX];
    struct ph_buf line = PH_BUF_INIT(text);

    line_begin(&line, "call");
    line_number(&line, PH_STR("n"), call_no);
    line_text(&line, PH_STR("op"), ph_str_z(sb_op_text(call->op)));
    line_text(&line, PH_STR("no"), ph_str_z(call->out_trade_no));
    line_number(&line, PH_STR("at"), call->at_ms);
    line_number(&line, PH_STR("connection"), call->connection);
    if (call->out_refund_no != NULL) {
        line_text(&line, PH_STR("refund"), ph_str_z(call->out_refund_no));
    }
    return line_write(books, &line);
}

bool
journal_answered(struct sb_books *books, uint32_t call_no)
{
    char          text[SB_LINE_MAX];
    struct ph_buf line = PH_BUF_INIT(text);

    line_begin(&line, "answered");
    line_number(&line, PH_STR("n"), call_no);
    return line_write(books, &line);
}

bool
journal_charge(struct sb_books *books, const struct sb_order *order,
               enum sb_status status, uint64_t at_ms)
{
    char          text[SB_LINE_MAX];
    struct ph_buf line = PH_BUF_INIT(text);

    line_begin(&line, "charge");
    line_text(&line, PH_STR("no"), order->out_trade_no);
    line_number(&line, PH_STR("amount"), (uint64_t) order->amount);
    line_text(&line, PH_STR("currency"), order->currency);
    line_text(&line, PH_STR("method"), order->method);
    line_text(&line, PH_STR("status"), ph_str_z(sb_status_text(status)));
    line_number(&line, PH_STR("at"), at_ms);
    line_number(&line, PH_STR("expires"), order->expires_at_ms);
    line_text(&line, PH_STR("notify"), order->notify_url);
    return line_write(books, &line);
}

bool
journal_move(struct sb_books *books, const char *event,
             const struct sb_charge *charge, uint64_t at_ms)
{
    char          text[SB_LINE_MAX];
    struct ph_buf line = PH_BUF_INIT(text);

    line_begin(&line, event);
    line_text(&line, PH_STR("no"), ph_str_z(charge->out_trade_no));
    line_number(&line, PH_STR("at"), at_ms);
    return line_write(books, &line);
}

bool
journal_refund(struct sb_books *books, const struct sb_charge *charge,
               const struct sb_refund_order *order,
               enum sb_refund_status status, uint64_t at_ms)
{
    char          text[SB_LINE_MAX];
    struct ph_buf line = PH_BUF_INIT(text);

    line_begin(&line, "refund");
    line_text(&line, PH_STR("no"), order->out_refund_no);
    line_text(&line, PH_STR("of"), ph_str_z(charge->out_trade_no));
    line_number(&line, PH_STR("amount"), (uint64_t) order->amount);
    line_text(&line, PH_STR("status"), ph_str_z(sb_refund_status_text(status)));
    line_number(&line, PH_STR("at"), at_ms);
    return line_write(books, &line);
}

bool
journal_refunded(struct sb_books *books, const struct sb_refund *refund,
                 uint64_t at_ms)
{
    char          text[SB_LINE_MAX];
    struct ph_buf line = PH_BUF_INIT(text);

    line_begin(&line, "refunded");
    line_text(&line, PH_STR("no"), ph_str_z(refund->out_refund_no));
    line_number(&line, PH_STR("at"), at_ms);
    return line_write(books, &line);
}

/* --- reading -------------------------------------------------------------- */

static struct ph_str
text_of(const json_t *root, const char *name)
{
    const json_t *value = json_object_get(root, name);

    return ph_str_make(json_string_value(value), json_string_length(value));
}

static uint64_t
number_of(const json_t *root, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(root, name));

    return value > 0 ? (uint64_t) value : 0;
}

static bool
status_find(struct ph_str text, enum sb_status *out)
{
    for (int i = SB_PENDING; i <= SB_CLOSED; i++) {
        if (ph_str_eq(text, ph_str_z(sb_status_text((enum sb_status) i)))) {
            *out = (enum sb_status) i;
            return true;
        }
    }
    return false;
}

static enum sb_op
op_find(struct ph_str text)
{
    int i = SB_OP_REFUND_QUERY;

    while (i > SB_OP_NONE
           && !ph_str_eq(text, ph_str_z(sb_op_text((enum sb_op) i)))) {
        i--;
    }
    return (enum sb_op) i;
}

static bool
refund_status_find(struct ph_str text, enum sb_refund_status *out)
{
    for (int i = SB_REFUND_PENDING; i <= SB_REFUND_FAILED; i++) {
        *out = (enum sb_refund_status) i;
        if (ph_str_eq(text, ph_str_z(sb_refund_status_text(*out)))) {
            return true;
        }
    }
    return false;
}

static bool
replay_call(struct sb_books *books, const json_t *root)
{
    struct ph_str  number    = text_of(root, "no");
    struct ph_str  refund_no = text_of(root, "refund");
    char           refund_z[SB_NUMBER_MAX + 1];
    struct sb_call call = {
        .op         = op_find(text_of(root, "op")),
        .arrived    = true,
        .connection = (uint32_t) number_of(root, "connection"),
        .at_ms      = number_of(root, "at"),
    };

    if (number.len > SB_NUMBER_MAX || refund_no.len > SB_NUMBER_MAX) {
        return false;
    }
    if (refund_no.len != 0) {
        memcpy(refund_z, refund_no.ptr, refund_no.len);
        refund_z[refund_no.len] = '\0';
        call.out_refund_no      = refund_z;
    }
    if (number.len != 0) {
        memcpy(call.out_trade_no, number.ptr, number.len);
    }
    return books_add_call(books, &call);
}

static bool
replay_answered(struct sb_books *books, const json_t *root)
{
    uint64_t n = number_of(root, "n");

    if (n >= books->call_count) {
        return false;
    }
    books->calls[n / SB_BLOCK][n % SB_BLOCK].answered = true;
    return true;
}

static bool
replay_charge(struct sb_books *books, const json_t *root)
{
    enum sb_status  status;
    struct sb_order order = {
        .out_trade_no  = text_of(root, "no"),
        .currency      = text_of(root, "currency"),
        .method        = text_of(root, "method"),
        .notify_url    = text_of(root, "notify"),
        .amount        = (int64_t) number_of(root, "amount"),
        .expires_at_ms = number_of(root, "expires"),
    };

    return order.out_trade_no.len != 0
           && status_find(text_of(root, "status"), &status)
           && books_add_charge(books, &order, status, number_of(root, "at"))
                  != NULL;
}

static bool
replay_paid(struct sb_books *books, const json_t *root)
{
    struct sb_charge *charge = sb_books_find(books, text_of(root, "no"));

    if (charge == NULL) {
        return false;
    }
    charge->status     = SB_PAID;
    charge->paid_at_ms = number_of(root, "at");
    charge->times++;
    return true;
}

static bool
replay_closed(struct sb_books *books, const json_t *root)
{
    struct sb_charge *charge = sb_books_find(books, text_of(root, "no"));

    if (charge == NULL) {
        return false;
    }
    charge->status       = SB_CLOSED;
    charge->closed_at_ms = number_of(root, "at");
    return true;
}

static bool
replay_told(struct sb_books *books, const json_t *root)
{
    struct sb_charge *charge = sb_books_find(books, text_of(root, "no"));

    if (charge == NULL) {
        return false;
    }
    charge->is_told = true;
    return true;
}

static bool
replay_refund(struct sb_books *books, const json_t *root)
{
    struct sb_charge      *charge = sb_books_find(books, text_of(root, "of"));
    enum sb_refund_status  status;
    struct sb_refund_order order = {
        .out_refund_no = text_of(root, "no"),
        .amount        = (int64_t) number_of(root, "amount"),
    };

    return charge != NULL
           && refund_status_find(text_of(root, "status"), &status)
           && books_add_refund(books, charge, &order, status,
                               number_of(root, "at"))
                  != NULL;
}

static bool
replay_refunded(struct sb_books *books, const json_t *root)
{
    struct sb_refund *refund = sb_books_refund_find(books, text_of(root, "no"));

    if (refund == NULL || refund->status != SB_REFUND_PENDING) {
        return false;
    }
    books_refund_paid(refund, number_of(root, "at"));
    return true;
}

static const struct {
    const char *event;
    bool (*replay)(struct sb_books *books, const json_t *root);
} events[] = {
    { "answered", replay_answered }, { "call", replay_call },
    { "charge", replay_charge },     { "closed", replay_closed },
    { "paid", replay_paid },         { "refund", replay_refund },
    { "refunded", replay_refunded }, { "told", replay_told },
};

static bool
line_replay(struct sb_books *books, const char *line, size_t len)
{
    json_t       *root = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
    struct ph_str name = text_of(root, "e");
    bool          ok   = false;

    for (size_t i = 0; i < PH_COUNT(events); i++) {
        if (name.len != 0 && ph_str_eq(name, ph_str_z(events[i].event))) {
            ok = events[i].replay(books, root);
        }
    }
    json_decref(root);
    return ok;
}

/* 0 = all lines are read; else the number of the one that cannot be */
static uint64_t
lines_replay(struct sb_books *books, FILE *file)
{
    char    *line   = NULL;
    size_t   size   = 0;
    uint64_t number = 0;
    uint64_t bad    = 0;
    ssize_t  len;

    while (bad == 0 && (len = getline(&line, &size, file)) > 0) {
        number++;
        if (line[len - 1] != '\n') {
            break;
        }
        if (len > SB_LINE_MAX || !line_replay(books, line, (size_t) len - 1)) {
            bad = number;
        }
        books->size += len;
    }
    free(line);
    return bad;
}

static void
why_path(struct ph_buf *why, const char *path, const char *reason)
{
    ph_buf_add(why, ph_str_z(path));
    ph_buf_add(why, PH_STR(": "));
    ph_buf_add(why, ph_str_z(reason));
}

static bool
file_replay(struct sb_books *books, const char *path, struct ph_buf *why)
{
    FILE    *file = fopen(path, "re");
    uint64_t bad;

    if (file == NULL) {
        why_path(why, path, strerror(errno));
        return false;
    }
    bad = lines_replay(books, file);
    (void) fclose(file); /* was only read */
    if (bad != 0) {
        why_path(why, path, "line ");
        ph_buf_u64(why, bad);
        ph_buf_add(why, PH_STR(": found a line that is no entry of the books, "
                               "or more entries than there is room for; "
                               "expected a journal of payhub-sandbox"));
        return false;
    }
    return true;
}

bool
journal_open(struct sb_books *books, const char *path, struct ph_buf *why)
{
    books->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (books->fd < 0) {
        why_path(why, path, strerror(errno));
        return false;
    }
    if (flock(books->fd, LOCK_EX | LOCK_NB) != 0) {
        why_path(why, path, "another sandbox keeps these books");
        return false;
    }
    if (!file_replay(books, path, why)) {
        return false;
    }
    if (ftruncate(books->fd, books->size) != 0) {
        why_path(why, path, strerror(errno));
        return false;
    }
    return true;
}
