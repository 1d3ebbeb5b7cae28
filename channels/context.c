/*
 * context.c - see context.h.  The length stands before the block, so that the
 * end wipes all of it: a context may hold secrets.
 */
#include "channels/context.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

union head {
    size_t      size;
    max_align_t aligned;
};

void *
ph_context_new(size_t size)
{
    union head *head;

    if (size > PH_CONTEXT_MAX) {
        return NULL;
    }
    head = calloc(1, sizeof(*head) + size);
    if (head == NULL) {
        return NULL;
    }
    head->size = size;
    return head + 1;
}

void
ph_context_free(void *context)
{
    union head *head;

    if (context == NULL) {
        return;
    }
    head = (union head *) context - 1;
    explicit_bzero(context, head->size);
    free(head);
}
