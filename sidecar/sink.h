/*
 * sink.h - counters and position in Redis.
 *
 * The position and the counters of a batch move in one function call that
 * compares the stored position first.  So a kill leaves both or neither, a
 * second sidecar cannot count twice, and a lost answer is settled by reading
 * the position again.  Owned by the applier while it has a batch, else by the
 * reader (queue.h).
 */
#ifndef SIDECAR_SINK_H
#define SIDECAR_SINK_H

#include "libpayhub/base/conf.h"
#include "sidecar/sums.h"

struct redisContext;
struct redisReply;

enum bl_apply {
    BL_APPLY_OK,
    BL_APPLY_STALE, /* somebody else moved the position: read it again */
    BL_APPLY_DOWN   /* Redis did not answer, or refused: may have happened */
};

/* the words of one Redis command, in one growing text */
struct bl_words {
    char   *text;
    size_t  len;
    size_t  size;
    size_t *from; /* start of each word in the text; one more at the end */
    size_t  count;
    size_t  room;
    bool    failed; /* no memory */
};

struct bl_sink {
    const struct ph_conf  *conf;
    struct ph_str          prefix;
    struct ph_str          day_offset;
    int                    day_offset_min;
    struct redisContext   *redis;
    uint64_t               epoch;
    char                   stored[BL_POSITION_TEXT_MAX];
    struct bl_cells        days;
    struct bl_words        words;
    const struct bl_cell **sorted; /* what the next call moves */
    size_t                 sorted_count;
    size_t                 sorted_size;
    const char           **argv;
    size_t                *argv_len;
    size_t                 argv_size;
};

bool bl_sink_init(struct bl_sink *sink, const struct ph_conf *conf,
                  struct ph_buf *why);
void bl_sink_deinit(struct bl_sink *sink);

enum bl_load {
    BL_LOAD_OK,
    BL_LOAD_DOWN,   /* try again later */
    BL_LOAD_REFUSED /* a person must look */
};

/* Connects when needed; the epoch's position as Redis has it now. */
enum bl_load bl_sink_load(struct bl_sink *sink, struct bl_position *position,
                          struct ph_buf *why);

enum bl_apply bl_sink_apply(struct bl_sink *sink, struct bl_sums *sums,
                            struct ph_buf *why);

#endif
