/*
 * random.h - random bytes for ids and lock owners, a system call for many.
 *
 * A pool of each thread's own, wiped as it is given out.  Only for a process
 * that does not fork: a child would give out the same bytes.
 */
#ifndef WK_RANDOM_H
#define WK_RANDOM_H

#include <stddef.h>

void wk_random(void *out, size_t len);

#endif
