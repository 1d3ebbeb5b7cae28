/*
 * spool.h - many records sorted in little memory.
 *
 * Records of one size are added, sorted, and read back in order.  More than
 * CLI_SPOOL_MEMORY bytes of them lie as sorted runs in a file without a name,
 * in TMPDIR or /tmp, that goes with the process.
 */
#ifndef CLI_SPOOL_H
#define CLI_SPOOL_H

#include "libpayhub/base/rc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLI_SPOOL_MEMORY (4u * 1024 * 1024) /* of each */
#define CLI_SPOOL_RUNS_MAX 512              /* 2 GiB in all */

struct cli_spool_run {
    uint64_t at, end; /* what is unread of it, in records of the file */
    char    *slice;   /* in `memory` */
    size_t   next, count;
};

struct cli_spool {
    size_t size; /* of a record */
    int (*compare)(const void *a, const void *b);
    size_t               memory_size;
    char                *memory;
    size_t               count; /* in `memory`, while adding */
    size_t               next;  /* read of them, when there is no run */
    uint64_t             total;
    int                  fd; /* -1 = no run yet */
    size_t               slice_max;
    size_t               run_count;
    struct cli_spool_run runs[CLI_SPOOL_RUNS_MAX];
    size_t               heap[CLI_SPOOL_RUNS_MAX]; /* runs, the least first */
    size_t               heap_count;
    bool                 is_moved; /* the least run's head was handed out */
};

/* compare must order all records: equal ones come out in any order.
 * memory_size: CLI_SPOOL_MEMORY, or less in tests.  False = said why. */
bool cli_spool_open(struct cli_spool *spool, size_t size,
                    int (*compare)(const void *a, const void *b),
                    size_t memory_size) PH_MUST_CHECK;
bool cli_spool_add(struct cli_spool *spool, const void *record) PH_MUST_CHECK;

/* After the last one was added. */
bool cli_spool_sort(struct cli_spool *spool) PH_MUST_CHECK;

/* The next in order, valid until the next call; *record = NULL at the end.
 * False = said why. */
bool cli_spool_next(struct cli_spool *spool, const void **record) PH_MUST_CHECK;

void cli_spool_close(struct cli_spool *spool); /* accepts a zeroed one */

#endif
