/*
 * books_cut.h - the items of a sandbox's books, cut out of its JSON as it
 * comes, in pieces of any length.
 *
 * The text is an object; what it has in its arrays "charges" and "refunds" is
 * handed on, one object a time.  Other members are passed over.  Nothing of
 * the text is kept but the item that is being read.
 */
#ifndef CLI_BOOKS_CUT_H
#define CLI_BOOKS_CUT_H

#include "libpayhub/base/rc.h"

#include <stdbool.h>
#include <stddef.h>

#define CLI_BOOKS_ITEM_MAX 4096 /* bytes */
#define CLI_BOOKS_DEPTH_MAX 16

enum cli_books_list {
    CLI_BOOKS_OTHER = 0,
    CLI_BOOKS_CHARGES,
    CLI_BOOKS_REFUNDS
};

struct cli_books_cut {
    /* false ends the reading */
    bool (*on_item)(void *data, enum cli_books_list list, const char *text,
                    size_t len);
    void               *data;
    const char         *why; /* NULL, or what was wrong */
    enum cli_books_list list;
    bool                has[CLI_BOOKS_REFUNDS + 1]; /* lists that were there */
    bool                in_text, is_escaped, is_key, is_value;
    char                open[CLI_BOOKS_DEPTH_MAX]; /* '{' and '[' */
    size_t              depth;
    bool                is_ended;
    size_t              len;
    char                item[CLI_BOOKS_ITEM_MAX];
};

/* zeroed but for on_item and data at first; false = `why`, or on_item's */
bool cli_books_cut(struct cli_books_cut *cut, const char *bytes,
                   size_t len) PH_MUST_CHECK;

/* at the end of the text: it was whole, and had both lists */
bool cli_books_cut_whole(struct cli_books_cut *cut) PH_MUST_CHECK;

#endif
