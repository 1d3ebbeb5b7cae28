/*
 * listing.c - GET /_books: the books as JSON, piece by piece.
 *
 * Books may hold a million charges; a piece is all that is ever in memory, and
 * the lock is held for one piece at a time.
 */
#include "sandbox/listing.h"

#include "sandbox/text.h"

enum { HEAD, CHARGES, REFUNDS, CALLS, TAIL, END };

static void
member_text(struct ph_buf *buf, struct ph_str name, struct ph_str text)
{
    ph_buf_json(buf, name);
    ph_buf_byte(buf, ':');
    ph_buf_json(buf, text);
    ph_buf_byte(buf, ',');
}

static void
member_time(struct ph_buf *buf, uint64_t ms)
{
    ph_buf_add(buf, PH_STR("\"at\":\""));
    sb_time_add(buf, ms);
    ph_buf_byte(buf, '"');
}

static void
item_begin(struct sb_listing *listing, struct ph_buf *buf)
{
    if (listing->has_item) {
        ph_buf_byte(buf, ',');
    }
    listing->has_item = true;
    ph_buf_byte(buf, '{');
}

static bool
is_wanted(const struct sb_listing *listing, const char *number)
{
    return listing->number[0] == '\0' || strcmp(listing->number, number) == 0;
}

/* the next charge: of one number there is one at most */
static const struct sb_charge *
charge_next(struct sb_listing *listing)
{
    uint32_t i = listing->next++;

    if (listing->number[0] == '\0') {
        return sb_books_charge_at(listing->books, i);
    }
    return i == 0 ? sb_books_find(listing->books, ph_str_z(listing->number))
                  : NULL;
}

/* false = there is no such charge any more */
static bool
charge_add(struct sb_listing *listing, struct ph_buf *buf)
{
    const struct sb_charge *charge = charge_next(listing);

    if (charge == NULL) {
        return false;
    }
    item_begin(listing, buf);
    member_text(buf, PH_STR("out_trade_no"), ph_str_z(charge->out_trade_no));
    ph_buf_add(buf, PH_STR("\"amount\":"));
    ph_buf_i64(buf, charge->amount);
    ph_buf_byte(buf, ',');
    member_text(buf, PH_STR("currency"), ph_str_z(charge->currency));
    ph_buf_add(buf, PH_STR("\"times\":"));
    ph_buf_u64(buf, charge->times);
    ph_buf_byte(buf, ',');
    member_text(buf, PH_STR("status"),
                ph_str_z(sb_status_text(charge->status)));
    member_time(buf, charge->at_ms);
    ph_buf_byte(buf, '}');
    return true;
}

static bool
refund_add(struct sb_listing *listing, struct ph_buf *buf)
{
    const struct sb_refund *refund
        = sb_books_refund_at(listing->books, listing->next++);

    if (refund == NULL || !is_wanted(listing, refund->charge->out_trade_no)) {
        return refund != NULL;
    }
    item_begin(listing, buf);
    member_text(buf, PH_STR("out_refund_no"), ph_str_z(refund->out_refund_no));
    member_text(buf, PH_STR("out_trade_no"),
                ph_str_z(refund->charge->out_trade_no));
    ph_buf_add(buf, PH_STR("\"amount\":"));
    ph_buf_i64(buf, refund->amount);
    ph_buf_add(buf, PH_STR(",\"times\":"));
    ph_buf_u64(buf, refund->times);
    ph_buf_byte(buf, ',');
    member_text(buf, PH_STR("status"),
                ph_str_z(sb_refund_status_text(refund->status)));
    member_time(buf, refund->at_ms);
    ph_buf_byte(buf, '}');
    return true;
}

static bool
call_add(struct sb_listing *listing, struct ph_buf *buf)
{
    const struct sb_call *call
        = sb_books_call_at(listing->books, listing->next++);

    if (call == NULL || listing->without_calls) {
        return false;
    }
    if (!is_wanted(listing, call->out_trade_no)) {
        return true;
    }
    item_begin(listing, buf);
    member_text(buf, PH_STR("op"), ph_str_z(sb_op_text(call->op)));
    member_text(buf, PH_STR("out_trade_no"), ph_str_z(call->out_trade_no));
    if (call->out_refund_no != NULL) {
        member_text(buf, PH_STR("out_refund_no"),
                    ph_str_z(call->out_refund_no));
    }
    ph_buf_add(buf, PH_STR("\"connection\":"));
    ph_buf_u64(buf, call->connection);
    ph_buf_add(buf, call->arrived ? PH_STR(",\"arrived\":true,")
                                  : PH_STR(",\"arrived\":false,"));
    ph_buf_add(buf, call->answered ? PH_STR("\"answered\":true,")
                                   : PH_STR("\"answered\":false,"));
    member_time(buf, call->at_ms);
    ph_buf_byte(buf, '}');
    return true;
}

static void
section_open(struct sb_listing *listing, struct ph_buf *buf, struct ph_str head)
{
    ph_buf_add(buf, head);
    listing->section++;
    listing->next     = 0;
    listing->has_item = false;
}

/* one step: an item, or the words between two sections */
static void
piece_add(struct sb_listing *listing, struct ph_buf *buf)
{
    switch (listing->section) {
    case HEAD:
        section_open(listing, buf, PH_STR("{\"charges\":["));
        break;
    case CHARGES:
        if (!charge_add(listing, buf)) {
            section_open(listing, buf, PH_STR("],\"refunds\":["));
        }
        break;
    case REFUNDS:
        if (!refund_add(listing, buf)) {
            section_open(listing, buf, PH_STR("],\"calls\":["));
        }
        break;
    case CALLS:
        if (!call_add(listing, buf)) {
            section_open(listing, buf, PH_STR("]}\n"));
        }
        break;
    default:
        listing->section = END;
        break;
    }
}

size_t
sb_listing_fill(struct sb_listing *listing, char *out, size_t size)
{
    struct ph_buf buf;

    ph_buf_init(&buf, out, size);
    sb_books_lock(listing->books);
    while (listing->section != END && size - buf.len >= SB_LISTING_PIECE_MAX) {
        piece_add(listing, &buf);
    }
    sb_books_unlock(listing->books);
    return buf.len;
}
