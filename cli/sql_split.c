/*
 * sql_split.c - see sql_split.h.
 */
#include "cli/sql_split.h"

#define DIGITS 4 /* of a migration's number */

/* length of the comment that *at begins with, 0 when it begins with none */
static size_t
comment_len(struct ph_str at, bool *open)
{
    if (ph_str_starts(at, PH_STR("#"))
        || (ph_str_starts(at, PH_STR("--"))
            && (at.len == 2 || (uint8_t) at.ptr[2] <= ' ')))
    {
        const char *end = memchr(at.ptr, '\n', at.len);
        return end != NULL ? (size_t) (end - at.ptr) + 1 : at.len;
    }
    if (ph_str_starts(at, PH_STR("/*"))) {
        const char *end = memmem(at.ptr + 2, at.len - 2, "*/", 2);
        *open           = end == NULL;
        return end != NULL ? (size_t) (end - at.ptr) + 2 : at.len;
    }
    return 0;
}

/* length of the quoted text that begins at at.ptr[0] */
static size_t
quote_len(struct ph_str at, bool *open)
{
    char quote = at.ptr[0];

    for (size_t i = 1; i < at.len; i++) {
        if (at.ptr[i] == '\\' && quote != '`') {
            i++;
        } else if (at.ptr[i] == quote) {
            return i + 1; /* a doubled quote opens again at once */
        }
    }
    *open = true;
    return at.len;
}

static struct ph_str
skip(struct ph_str in, size_t count)
{
    return ph_str_make(in.ptr + count, in.len - count);
}

static enum ph_rc
blanks_skip(struct ph_str *text)
{
    bool open = false;

    while (text->len != 0 && !open) {
        size_t count = (uint8_t) text->ptr[0] <= ' ' || text->ptr[0] == ';'
                           ? 1
                           : comment_len(*text, &open);
        if (count == 0) {
            return PH_OK;
        }
        *text = skip(*text, count);
    }
    return open ? PH_E_SYNTAX : PH_E_MISSING;
}

enum ph_rc
cli_sql_next(struct ph_str *text, struct ph_str *statement)
{
    bool       open = false;
    enum ph_rc rc   = blanks_skip(text);
    size_t     i    = 0;

    if (rc != PH_OK) {
        return rc;
    }
    while (i < text->len && text->ptr[i] != ';') {
        struct ph_str at    = skip(*text, i);
        size_t        count = comment_len(at, &open);
        if (count == 0) {
            count = at.ptr[0] == '\'' || at.ptr[0] == '"' || at.ptr[0] == '`'
                        ? quote_len(at, &open)
                        : 1;
        }
        if (open) {
            return PH_E_SYNTAX;
        }
        i += count;
    }
    *statement = ph_str_make(text->ptr, i);
    *text      = skip(*text, i);
    return PH_OK;
}

bool
cli_migration_name(struct ph_str file, unsigned *version, struct ph_str *name)
{
    const struct ph_str ending = PH_STR(".sql");

    if (file.len < DIGITS + 1 + 1 + ending.len || file.ptr[DIGITS] != '_'
        || !ph_str_eq(skip(file, file.len - ending.len), ending))
    {
        return false;
    }
    *version = 0;
    for (size_t i = 0; i < DIGITS; i++) {
        if (file.ptr[i] < '0' || file.ptr[i] > '9') {
            return false;
        }
        *version = *version * 10 + (unsigned) (file.ptr[i] - '0');
    }
    *name = ph_str_make(file.ptr + DIGITS + 1,
                        file.len - DIGITS - 1 - ending.len);
    return ph_str_is_token(*name, 48);
}
