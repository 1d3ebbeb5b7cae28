/*
 * live.h - --live: the rows of a running server as text.
 */
#ifndef SIDECAR_LIVE_H
#define SIDECAR_LIVE_H

#include "sidecar/print.h"
#include "sidecar/stream.h"

struct bl_live {
    const struct ph_conf *conf;
    bool                  to_the_end;
    const char           *from; /* "now", "oldest", or a GTID list */
    struct bl_position    position;
    struct bl_stream      stream;
    struct bl_decoder     decoder;
    struct bl_print       print;
};

bool bl_live_init(struct bl_live *live, const struct ph_conf *conf,
                  struct ph_buf *why);
void bl_live_deinit(struct bl_live *live);

/* Exit status of the program; a lost link ends it. */
int  bl_live_run(struct bl_live *live);
void bl_live_stop(struct bl_live *live);

#endif
