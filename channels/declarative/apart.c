/*
 * apart.c - see apart.h.
 *
 *   {in.at}|{in.memo}|{in.no}      A memo that holds "|" would move the cut.
 *
 * Between two values that came stands a text that did not, and it stands
 * nowhere else: were it in a value as well, the same whole could be cut there.
 * So whatever was signed, one cut of it at most is believed.  A value with its
 * length in front ends by itself.
 */
#include "channels/declarative/apart.h"

#include <string.h>

#include "channels/declarative/run.h"

static bool
source_is_told(enum declared_source_kind kind)
{
    return kind == SOURCE_IN || kind == SOURCE_INNER || kind == SOURCE_HEADER
           || kind == SOURCE_BODY;
}

static struct declared_let *
let_find(const struct compile *c, struct ph_str name)
{
    for (size_t i = 0; c->lets != NULL && i < c->lets->count; i++) {
        if (ph_str_eq(c->lets->items[i].name, name)) {
            return &c->lets->items[i];
        }
    }
    return NULL;
}

bool
/* NOLINTNEXTLINE(misc-no-recursion): a `let` names those above it alone */
apart_is_told(const struct compile *c, const struct declared_template *text)
{
    for (size_t i = 0; i < text->count; i++) {
        const struct declared_source *source = &text->pieces[i].source;
        const struct declared_let    *let
            = source->kind == SOURCE_LET ? let_find(c, source->name) : NULL;

        if (source_is_told(source->kind)
            || (let != NULL && apart_is_told(c, &let->value)))
        {
            return true;
        }
    }
    return false;
}

static bool
is_left_out(const struct declared_sign *sign, const struct declared_source *at)
{
    struct ph_str path = at->name, name = { NULL, 0 };

    if (sign == NULL
        || !((sign->join == JOIN_IN && at->kind == SOURCE_IN)
             || (sign->join == JOIN_INNER && at->kind == SOURCE_INNER))
        || !ph_str_next(&path, '.', &name))
    {
        return false;
    }
    for (size_t i = 0; i < sign->skip.count; i++) {
        if (ph_str_eq(sign->skip.items[i], name)) {
            return true;
        }
    }
    return false;
}

bool
/* NOLINTNEXTLINE(misc-no-recursion): a `let` names those above it alone */
apart_is_unsigned(const struct compile *c, const struct declared_template *text)
{
    for (size_t i = 0; i < text->count; i++) {
        const struct declared_source *source = &text->pieces[i].source;
        const struct declared_let    *let
            = source->kind == SOURCE_LET ? let_find(c, source->name) : NULL;

        if (is_left_out(c->signed_by, source)
            || (let != NULL && apart_is_unsigned(c, &let->value)))
        {
            return true;
        }
    }
    return false;
}

static bool
piece_is_told(const struct compile *c, const struct declared_piece *piece)
{
    const struct declared_let *let = piece->source.kind == SOURCE_LET
                                         ? let_find(c, piece->source.name)
                                         : NULL;

    return source_is_told(piece->source.kind)
           || (let != NULL && apart_is_told(c, &let->value));
}

/* It came, and says nowhere how long it is. */
static bool
runs_on(const struct declared_piece *piece)
{
    const size_t last = piece->filter_count;

    return piece->is_told
           && (last == 0
               || strcmp(piece->filters[last - 1].row->name, "len32") != 0);
}

/* ---- a file ---- */

static bool
/* NOLINTNEXTLINE(misc-no-recursion): a `let` names those above it alone */
text_mark(struct compile *c, struct declared_template *text, bool is_followed)
{
    const struct declared_piece *before = NULL;

    for (size_t i = 0; i < text->count; i++) {
        struct declared_piece *piece = &text->pieces[i];
        struct declared_let   *let   = piece->source.kind == SOURCE_LET
                                           ? let_find(c, piece->source.name)
                                           : NULL;

        if (let != NULL && !text_mark(c, &let->value, false)) {
            return false;
        }
        piece->is_told = piece_is_told(c, piece);
        if (piece->is_told && before != NULL && runs_on(before)) {
            return false;
        }
        before = piece;
    }
    text->is_apart    = true;
    text->is_followed = is_followed;
    return !is_followed || before == NULL || !runs_on(before);
}

static bool
sign_mark(struct compile *c, struct declared_sign *sign)
{
    return text_mark(c, &sign->text, false)
           && text_mark(c, &sign->head, sign->join != JOIN_NONE)
           && !apart_is_told(c, &sign->tail);
}

bool
apart_check(struct compile *c, struct declared_verify *verify)
{
    bool ok;

    if (verify->of != NULL) {
        ok = sign_mark(c, &c->file->signs[verify->of - c->file->signs]);
    } else {
        ok = text_mark(c, &verify->text, false);
    }
    if (!ok) {
        (void) compile_enter(c, "of");
    }
    return ok
           || compile_fault(c, PH_STR("two values with nothing between them"),
                            "a text that can be cut in one way only");
}

/* ---- a call ---- */

struct run {
    size_t from, to;
};

/* The text of a call, cut into what came and the runs that did not. */
struct cut {
    struct run    runs[DECLARED_PIECES_MAX + 1];
    size_t        count;
    struct ph_str looked_at; /* without a body at the end */
};

/* The body as a whole may hold anything behind headers: they have no lines. */
static bool
is_last_body(const struct declared_template *text, size_t at)
{
    bool is = text->pieces[at].source.kind == SOURCE_BODY
              && text->pieces[at].filter_count == 0 && !text->is_followed;

    for (size_t i = 0; i < text->count; i++) {
        const struct declared_piece *piece = &text->pieces[i];

        is &= i == at || !piece->is_told
              || (i < at && piece->source.kind == SOURCE_HEADER);
    }
    return is;
}

/* false: two values with nothing between them, in this call */
static bool
text_cut(const struct declared_template *text, const struct ph_str *pieces,
         struct ph_str whole, struct cut *cut)
{
    const struct declared_piece *before = NULL;
    size_t                       at     = 0;

    cut->count     = 1;
    cut->runs[0]   = (struct run){ 0, 0 };
    cut->looked_at = whole;
    for (size_t i = 0; i < text->count; i++) {
        struct run *last = &cut->runs[cut->count - 1];

        if (!text->pieces[i].is_told) {
            at += pieces[i].len;
            last->to = at;
            continue;
        }
        if (before != NULL && runs_on(before) && last->from == last->to) {
            return false;
        }
        if (is_last_body(text, i)) {
            cut->looked_at.len = at;
        }
        before = &text->pieces[i];
        at += pieces[i].len;
        cut->runs[cut->count++] = (struct run){ at, at };
    }
    return !text->is_followed || before == NULL || !runs_on(before)
           || cut->runs[cut->count - 1].to != cut->runs[cut->count - 1].from;
}

static bool
is_in_run(const struct cut *cut, size_t from, size_t to)
{
    for (size_t i = 0; i < cut->count; i++) {
        if (from >= cut->runs[i].from && to <= cut->runs[i].to) {
            return true;
        }
    }
    return false;
}

/* What parts values stands where it parts them and nowhere else. */
static bool
parts_only(const struct cut *cut, struct ph_str whole, const struct run *run)
{
    const struct ph_str part
        = ph_str_make(whole.ptr + run->from, run->to - run->from);
    const struct ph_str text = cut->looked_at;
    const char         *at;

    for (size_t from = 0; from < text.len; from++) {
        at = memmem(text.ptr + from, text.len - from, part.ptr, part.len);
        if (at == NULL) {
            return true;
        }
        from = (size_t) (at - text.ptr);
        if (!is_in_run(cut, from, from + part.len)) {
            return false;
        }
    }
    return true;
}

bool
apart_holds(const struct declared_template *text, const struct ph_str *pieces,
            struct ph_str whole)
{
    struct cut cut;

    if (!text->is_apart) {
        return true;
    }
    if (!text_cut(text, pieces, whole, &cut)) {
        return false;
    }
    /* the first run is in front of all, the last one behind */
    for (size_t i = 1; i + (text->is_followed ? 0 : 1) < cut.count; i++) {
        if (cut.runs[i].from != cut.runs[i].to
            && !parts_only(&cut, whole, &cut.runs[i]))
        {
            return false;
        }
    }
    return true;
}

bool
apart_splits(const struct declared_template *text, struct ph_str value)
{
    bool has_member = false, parts = false;
    bool is_behind = false;

    for (size_t i = 0; text->is_apart && i < text->count; i++) {
        const struct declared_piece *piece = &text->pieces[i];

        has_member |= piece->is_told && piece->source.kind != SOURCE_HEADER
                      && piece->source.kind != SOURCE_BODY;
        parts |= is_behind && piece->source.kind == SOURCE_NONE
                 && (i + 1 < text->count || text->is_followed) && value.len != 0
                 && memmem(value.ptr, value.len, piece->literal.ptr,
                           piece->literal.len)
                        != NULL;
        is_behind |= piece->is_told;
    }
    return has_member && parts;
}
