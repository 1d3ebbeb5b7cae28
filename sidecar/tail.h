/*
 * tail.h - the sidecar at work: read, sum, apply, from the stored position.
 *
 *   load position from Redis -> connect -> events -> open batch -> (applier)
 *        ^                                                          |
 *        +------ link lost, Redis down, position stale -------------+
 *
 * There is one way back from every trouble: rest, forget what is not applied,
 * read the position from Redis, connect there.  So a kill at any instruction
 * needs no code of its own.
 */
#ifndef SIDECAR_TAIL_H
#define SIDECAR_TAIL_H

#include <stdatomic.h>

#include "sidecar/count.h"
#include "sidecar/queue.h"
#include "sidecar/sink.h"
#include "sidecar/stream.h"

struct bl_tail {
    const struct ph_conf *conf;
    bool                  to_the_end;  /* stop at the end of the log */
    bool                  is_ready;    /* READY=1 was told */
    unsigned              dead_starts; /* links lost on the way to our place */
    struct bl_stream      stream;
    struct bl_queue       queue;
    struct bl_sink        sink;
    struct bl_decoder     decoder;
    struct bl_count       count;
    _Atomic uint64_t      row_changes; /* applied since the start */
    _Atomic uint64_t      batches;
    _Atomic uint64_t      at_ms; /* counters hold everything until then */
};

bool bl_tail_init(struct bl_tail *tail, const struct ph_conf *conf,
                  bool to_the_end, struct ph_buf *why);
void bl_tail_deinit(struct bl_tail *tail);

/* The reader; starts and joins the applier.  Exit status of the program. */
int bl_tail_run(struct bl_tail *tail);

/* Any thread: run() returns soon after. */
void bl_tail_stop(struct bl_tail *tail);

/* One log line: rows a second since the last one, lag. */
void bl_tail_report(struct bl_tail *tail, uint64_t seconds);

#endif
