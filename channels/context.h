/*
 * context.h - the one place of channels/ that takes memory: the block that an
 * adapter's account_open() gives out and its account_close() gives back.
 */
#ifndef PH_CHANNEL_CONTEXT_H
#define PH_CHANNEL_CONTEXT_H

#include <stddef.h>

#include "libpayhub/base/rc.h"

#define PH_CONTEXT_MAX (256 * 1024)

/* Zeroed, aligned for anything; NULL = no memory, or more than PH_CONTEXT_MAX.
 */
void *ph_context_new(size_t size) PH_MUST_CHECK;

/* Wipes and frees; NULL is fine. */
void ph_context_free(void *context);

#endif
