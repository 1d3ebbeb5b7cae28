/*
 * read.c - the two shapes of UnionPay's messages, and what they say.
 *
 * What is signed is the pairs' text, in which a value with a & could as well be
 * two pairs.  So a & stands in no value but between the brackets that one
 * begins with, and a name is letters, digits and `_`: the text has one reading.
 */
#include "channels/unionpay/union_int.h"

#define AMOUNT_MAX UINT64_C(999999999999) /* txnAmt has 12 digits */

static bool
is_name(struct ph_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char ch = name.ptr[i];

        if (!(ch >= 'A' && ch <= 'Z') && !(ch >= 'a' && ch <= 'z')
            && !(ch >= '0' && ch <= '9') && ch != '_')
        {
            return false;
        }
    }
    return name.len != 0 && name.len <= UNION_NAME_MAX;
}

/* How much of `text`, a value and what follows it, is the value; SIZE_MAX =
 * brackets that do not end. */
static size_t
value_len(struct ph_str text)
{
    char   open  = text.len != 0 ? text.ptr[0] : '\0';
    char   close = open == '{' ? '}' : ']';
    size_t depth = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (open == '{' || open == '[') {
            depth += text.ptr[i] == open;
            depth -= text.ptr[i] == close && depth != 0;
        }
        if (text.ptr[i] == '&' && depth == 0) {
            return i;
        }
    }
    return depth == 0 ? text.len : SIZE_MAX;
}

static enum ph_rc
pair_check(const struct ph_pair *pairs, size_t at)
{
    const struct ph_pair *pair = &pairs[at];

    if (!is_name(pair->name)
        || (pair->value.len != 0
            && memchr(pair->value.ptr, '\0', pair->value.len) != NULL))
    {
        return PH_E_SYNTAX;
    }
    return ph_pair_find(pairs, at, pair->name).ptr != NULL ? PH_E_DUPLICATE
                                                           : PH_OK;
}

enum ph_rc
union_answer_split(struct ph_str body, struct ph_pair *pairs, size_t most,
                   size_t *count)
{
    size_t used = 0;

    if (body.len > UNION_BODY_MAX) {
        return PH_E_RANGE;
    }
    for (;;) {
        struct ph_str name, rest;
        enum ph_rc    rc;
        size_t        len;

        if (used == most) {
            return PH_E_FULL;
        }
        if (!ph_str_cut(body, '=', &name, &rest)
            || (len = value_len(rest)) == SIZE_MAX) {
            return PH_E_SYNTAX;
        }
        pairs[used] = (struct ph_pair){ name, ph_str_make(rest.ptr, len) };
        rc          = pair_check(pairs, used++);
        if (rc != PH_OK) {
            return rc;
        }
        if (len == rest.len) {
            *count = used;
            return PH_OK;
        }
        body = ph_str_make(rest.ptr + len + 1, rest.len - len - 1);
    }
}

/* Leaves out the pairs whose names stand in the address. */
static enum ph_rc
query_drop(struct ph_str query, struct ph_arena *arena, struct ph_pair *pairs,
           size_t *count)
{
    struct ph_pair *of_query;
    size_t          query_count = 0, kept = 0;
    enum ph_rc      rc;

    if (query.len == 0) {
        return PH_OK;
    }
    of_query = ph_arena_take(arena, UNION_PAIRS_MAX * sizeof(*of_query));
    if (of_query == NULL) {
        return PH_E_FULL;
    }
    rc = ph_form_decode(query, arena, of_query, UNION_PAIRS_MAX, &query_count);
    for (size_t i = 0; rc == PH_OK && i < *count; i++) {
        if (ph_pair_find(of_query, query_count, pairs[i].name).ptr == NULL) {
            pairs[kept++] = pairs[i];
        }
    }
    *count = kept;
    return rc;
}

enum ph_rc
union_notice_split(struct ph_str body, struct ph_str query,
                   struct ph_arena *arena, struct ph_pair *pairs, size_t most,
                   size_t *count)
{
    enum ph_rc rc;

    if (body.len > UNION_BODY_MAX) {
        return PH_E_RANGE;
    }
    rc = ph_form_decode(body, arena, pairs, most, count);
    for (size_t i = 0; rc == PH_OK && i < *count; i++) {
        rc = pair_check(pairs, i);
        if (rc == PH_OK && value_len(pairs[i].value) != pairs[i].value.len) {
            rc = PH_E_SYNTAX;
        }
    }
    if (rc == PH_OK) {
        rc = query_drop(query, arena, pairs, count);
    }
    return rc;
}

/* --- what it says --------------------------------------------------------- */

static bool
amount_read(struct ph_str text, int64_t *amount)
{
    uint64_t value;

    *amount = -1;
    if (text.len == 0) {
        return true;
    }
    if (!ph_str_u64(text, AMOUNT_MAX, &value)) {
        return false;
    }
    *amount = (int64_t) value;
    return true;
}

/* The one currency of this gateway by its letters; another one is told as it
 * came, and fits no order. */
static struct ph_str
currency_of(struct ph_str code)
{
    return ph_str_eq(code, PH_STR("156")) ? PH_STR("CNY") : code;
}

static bool
is_utf8(const struct ph_pair *pairs, size_t count)
{
    struct ph_str encoding = ph_pair_find(pairs, count, PH_STR("encoding"));

    for (size_t i = 0; i < count; i++) {
        if (ph_str_utf8_count(pairs[i].value) == SIZE_MAX) {
            return false;
        }
    }
    return encoding.len == 0 || ph_str_eq(encoding, PH_STR("UTF-8"));
}

enum ph_rc
union_said_read(const struct ph_pair *pairs, size_t count,
                struct ph_arena *arena, struct union_said *said)
{
    *said = (struct union_said){ .amount = -1, .settle_amount = -1 };

    struct ph_str amount = { NULL, 0 }, settle_amount = { NULL, 0 };
    const struct {
        const char    *name;
        struct ph_str *text;
    } rows[] = {
        { "respCode", &said->code },
        { "respMsg", &said->message },
        { "origRespCode", &said->orig_code },
        { "origRespMsg", &said->orig_message },
        { "txnType", &said->txn_type },
        { "merId", &said->mer_id },
        { "orderId", &said->order_id },
        { "queryId", &said->query_id },
        { "origQryId", &said->orig_query_id },
        { "tn", &said->tn },
        { "currencyCode", &said->currency },
        { "settleCurrencyCode", &said->settle_currency },
        { "txnAmt", &amount },
        { "settleAmt", &settle_amount },
    };

    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_str text = ph_pair_find(pairs, count, ph_str_z(rows[i].name));

        if (text.len != 0) {
            *rows[i].text = ph_arena_dup(arena, text);
        }
    }
    said->currency        = currency_of(said->currency);
    said->settle_currency = currency_of(said->settle_currency);
    if (arena->full) {
        return PH_E_FULL;
    }
    return is_utf8(pairs, count) && amount_read(amount, &said->amount)
                   && amount_read(settle_amount, &said->settle_amount)
               ? PH_OK
               : PH_E_SYNTAX;
}
