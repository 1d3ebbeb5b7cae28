/*
 * arena.h - bump memory over one block that the caller owns.
 *
 * Everything taken dies together when the block does or at ph_arena_reset().
 * A take that does not fit gives NULL and sets `full`, which sticks.
 */
#ifndef PH_BASE_ARENA_H
#define PH_BASE_ARENA_H

#include "libpayhub/base/buf.h"

struct ph_arena {
    char  *ptr;
    size_t len;
    size_t size;
    bool   full;
};

void ph_arena_init(struct ph_arena *arena, char *memory, size_t size);
void ph_arena_reset(struct ph_arena *arena);

/* zeroed, aligned to 16 */
void *ph_arena_take(struct ph_arena *arena, size_t len);

/* a copy that ends in a NUL not counted in len; {NULL, 0} when full */
struct ph_str ph_arena_dup(struct ph_arena *arena, struct ph_str bytes);

/* All that is left as a buffer; ph_arena_close() keeps what was written. */
void          ph_arena_open(struct ph_arena *arena, struct ph_buf *buf);
struct ph_str ph_arena_close(struct ph_arena *arena, struct ph_buf *buf);

#endif
