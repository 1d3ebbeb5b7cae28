/* form.c - see form.h. */
#include "libpayhub/wire/form.h"

/* ---- writing ---- */

static bool
is_unreserved(char ch)
{
    return (ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z')
           || (ch >= '0' && ch <= '9') || ch == '-' || ch == '.' || ch == '_'
           || ch == '~';
}

void
ph_url_encode(struct ph_buf *buf, struct ph_str text, enum ph_url_space space)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < text.len; i++) {
        unsigned char ch = (unsigned char) text.ptr[i];

        if (is_unreserved(text.ptr[i])) {
            ph_buf_byte(buf, text.ptr[i]);
        } else if (ch == ' ' && space == PH_URL_SPACE_PLUS) {
            ph_buf_byte(buf, '+');
        } else {
            ph_buf_byte(buf, '%');
            ph_buf_byte(buf, hex[ch >> 4]);
            ph_buf_byte(buf, hex[ch & 15]);
        }
    }
}

void
ph_form_encode(struct ph_buf *buf, const struct ph_pair *pairs, size_t count,
               enum ph_url_space space)
{
    for (size_t i = 0; i < count; i++) {
        if (i != 0) {
            ph_buf_byte(buf, '&');
        }
        ph_url_encode(buf, pairs[i].name, space);
        ph_buf_byte(buf, '=');
        ph_url_encode(buf, pairs[i].value, space);
    }
}

/* ---- reading ---- */

static int
hex_value(char ch)
{
    return ch >= '0' && ch <= '9'   ? ch - '0'
           : ch >= 'A' && ch <= 'F' ? ch - 'A' + 10
           : ch >= 'a' && ch <= 'f' ? ch - 'a' + 10
                                    : -1;
}

/* one byte of `text` from *at on; -1 = no such code, or a NUL */
static int
decode_one(struct ph_str text, size_t *at)
{
    char ch = text.ptr[(*at)++];
    int  high, low;

    if (ch != '%') {
        return ch == '\0' ? -1 : ch == '+' ? ' ' : (unsigned char) ch;
    }
    if (text.len - *at < 2) {
        return -1;
    }
    high = hex_value(text.ptr[*at]);
    low  = hex_value(text.ptr[*at + 1]);
    *at += 2;
    return high < 0 || low < 0 || (high | low) == 0 ? -1 : high << 4 | low;
}

static enum ph_rc
decode(struct ph_str in, struct ph_arena *arena, struct ph_str *out)
{
    struct ph_buf buf;
    size_t        at = 0;

    *out = in;
    if (in.len == 0
        || (memchr(in.ptr, '%', in.len) == NULL
            && memchr(in.ptr, '+', in.len) == NULL))
    {
        return in.len != 0 && memchr(in.ptr, '\0', in.len) != NULL ? PH_E_SYNTAX
                                                                   : PH_OK;
    }
    ph_arena_open(arena, &buf);
    while (at < in.len) {
        int byte = decode_one(in, &at);

        if (byte < 0) {
            buf.len = 0;
            (void) ph_arena_close(arena, &buf);
            return PH_E_SYNTAX;
        }
        ph_buf_byte(&buf, (char) byte);
    }
    *out = ph_arena_close(arena, &buf);
    return arena->full ? PH_E_FULL : PH_OK;
}

static enum ph_rc
pair_decode(struct ph_str in, struct ph_arena *arena, struct ph_pair *pair)
{
    struct ph_str name = in, value = ph_str_make("", 0);
    enum ph_rc    rc;

    (void) ph_str_cut(in, '=', &name, &value);
    rc = decode(name, arena, &pair->name);
    if (rc == PH_OK) {
        rc = decode(value, arena, &pair->value);
    }
    return rc == PH_OK && pair->name.len == 0 ? PH_E_SYNTAX : rc;
}

enum ph_rc
ph_form_decode(struct ph_str in, struct ph_arena *arena, struct ph_pair *pairs,
               size_t most, size_t *count)
{
    struct ph_str left = in.len != 0 ? in : ph_str_make(NULL, 0), piece;
    size_t        used = 0;

    assert(most <= PH_FORM_PAIRS_MAX);
    *count = 0;
    while (ph_str_next(&left, '&', &piece)) {
        enum ph_rc rc
            = used < most ? pair_decode(piece, arena, &pairs[used]) : PH_E_FULL;

        if (rc != PH_OK) {
            return rc;
        }
        if (ph_pair_find(pairs, used, pairs[used].name).ptr != NULL) {
            return PH_E_DUPLICATE;
        }
        used++;
    }
    *count = used;
    return PH_OK;
}

/* ---- pairs ---- */

/* by insertion: there are dozens, mostly in order */
void
ph_pairs_sort(struct ph_pair *pairs, size_t count)
{
    assert(count <= PH_FORM_PAIRS_MAX);
    for (size_t i = 1; i < count; i++) {
        struct ph_pair pair = pairs[i];
        size_t         to   = i;

        while (to > 0 && ph_str_cmp(pairs[to - 1].name, pair.name) > 0) {
            pairs[to] = pairs[to - 1];
            to--;
        }
        pairs[to] = pair;
    }
}

static bool
is_left_out(const struct ph_pair *pair, const struct ph_join *how)
{
    if (how->drops_empty && pair->value.len == 0) {
        return true;
    }
    for (size_t i = 0; i < how->skip_count; i++) {
        if (ph_str_eq(how->skip[i], pair->name)) {
            return true;
        }
    }
    return false;
}

void
ph_pairs_join(struct ph_buf *buf, const struct ph_pair *pairs, size_t count,
              const struct ph_join *how)
{
    bool is_first = true;

    for (size_t i = 0; i < count; i++) {
        if (is_left_out(&pairs[i], how)) {
            continue;
        }
        if (!is_first) {
            ph_buf_byte(buf, '&');
        }
        is_first = false;
        ph_buf_add(buf, pairs[i].name);
        ph_buf_byte(buf, '=');
        ph_buf_add(buf, pairs[i].value);
    }
}

struct ph_str
ph_pair_find(const struct ph_pair *pairs, size_t count, struct ph_str name)
{
    for (size_t i = 0; i < count; i++) {
        if (ph_str_eq(pairs[i].name, name)) {
            return pairs[i].value;
        }
    }
    return ph_str_make(NULL, 0);
}
