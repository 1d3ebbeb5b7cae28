/*
 * arena.c - bump allocation in one block; nothing is freed singly.
 */
#include "libpayhub/base/arena.h"

#include <assert.h>

#define ARENA_ALIGN 16

void
ph_arena_init(struct ph_arena *arena, char *memory, size_t size)
{
    *arena = (struct ph_arena){ memory, 0, size, false };
}

void
ph_arena_reset(struct ph_arena *arena)
{
    arena->len  = 0;
    arena->full = false;
}

/* Bytes to skip so that the next one stands at a multiple of ARENA_ALIGN. */
static size_t
arena_padding(const struct ph_arena *arena)
{
    uintptr_t at = (uintptr_t) arena->ptr + arena->len;

    return (size_t) (0 - at) & (ARENA_ALIGN - 1);
}

static char *
arena_reserve(struct ph_arena *arena, size_t padding, size_t len)
{
    size_t left = arena->size - arena->len;

    if (arena->full || padding > left || len > left - padding) {
        arena->full = true;
        return NULL;
    }
    char *at = arena->ptr + arena->len + padding;
    arena->len += padding + len;
    return at;
}

void *
ph_arena_take(struct ph_arena *arena, size_t len)
{
    char *at = arena_reserve(arena, arena_padding(arena), len);

    if (at != NULL) {
        memset(at, 0, len);
    }
    return at;
}

struct ph_str
ph_arena_dup(struct ph_arena *arena, struct ph_str bytes)
{
    if (bytes.len == SIZE_MAX) { /* no room for the NUL in a size_t */
        arena->full = true;
        return ph_str_make(NULL, 0);
    }
    char *at = arena_reserve(arena, 0, bytes.len + 1);

    if (at == NULL) {
        return ph_str_make(NULL, 0);
    }
    if (bytes.len != 0) {
        memcpy(at, bytes.ptr, bytes.len);
    }
    at[bytes.len] = '\0';
    return ph_str_make(at, bytes.len);
}

void
ph_arena_open(struct ph_arena *arena, struct ph_buf *buf)
{
    ph_buf_init(buf, arena->ptr + arena->len, arena->size - arena->len);
    buf->full = arena->full;
}

struct ph_str
ph_arena_close(struct ph_arena *arena, struct ph_buf *buf)
{
    assert(buf->ptr == arena->ptr + arena->len); /* no take in between */

    if (buf->full) {
        arena->full = true;
        return ph_str_make(NULL, 0);
    }
    arena->len += buf->len;
    return ph_buf_str(buf);
}
