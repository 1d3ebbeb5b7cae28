/*
 * pick_int.h - what a document is inside, for those in channels/ that build or
 * walk one.
 */
#ifndef PH_CHANNEL_PICK_INT_H
#define PH_CHANNEL_PICK_INT_H

#include <jansson.h>

#include "channels/pick.h"

/* takes the reference; NULL gives NULL */
static inline struct ph_doc *
ph_doc_of(json_t *root)
{
    return (struct ph_doc *) root;
}

/* borrowed from the document */
static inline const json_t *
ph_doc_root(const struct ph_doc *doc)
{
    return (const json_t *) doc;
}

#endif
