/* listing.h - GET /_books: the books as JSON, piece by piece. */
#ifndef SB_LISTING_H
#define SB_LISTING_H

#include <sys/types.h>

#include "sandbox/books.h"

#define SB_LISTING_PIECE_MAX 512 /* no item is longer */

struct sb_listing {
    struct sb_books *books;
    char             number[SB_NUMBER_MAX + 1]; /* "" = all */
    bool             without_calls;
    int              section;
    uint32_t         next;
    bool             has_item; /* a comma comes first */
};

/*
 * Fills up to size (>= SB_LISTING_PIECE_MAX) bytes; 0 = the end.  What is
 * added to the books meanwhile may or may not be in it.
 */
size_t sb_listing_fill(struct sb_listing *listing, char *out, size_t size);

#endif
