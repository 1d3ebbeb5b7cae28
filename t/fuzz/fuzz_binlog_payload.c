/*
 * fuzz_binlog_payload.c - a compressed transaction's header and zstd frame.
 *
 * Nothing that it hands on is longer than its header says or than the bound,
 * and what was refused says why.
 */
#include "t/fuzz/fuzz.h"

#include "sidecar/payload.h"

static bool
event_taken(void *context, struct ph_str event)
{
    uint64_t      *raw = context;
    struct ph_cur  cur;
    struct bl_head head;

    ph_cur_init(&cur, event);
    FUZZ_HOLDS(bl_head_read(&cur, &head) && head.len == event.len);
    *raw += event.len;
    FUZZ_HOLDS(*raw <= BL_PAYLOAD_MAX);
    return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bl_payload payload = { 0 };
    struct ph_cur     body;
    const char       *why = NULL;
    uint64_t          raw = 0;

    ph_cur_init(&body, ph_str_make((const char *) data, size));
    bool ok = bl_payload_walk(&payload, body, event_taken, &raw, &why);
    FUZZ_HOLDS(ok == (why == NULL));
    FUZZ_HOLDS(raw <= (uint64_t) size * BL_PAYLOAD_RATIO_MAX);
    bl_payload_deinit(&payload);
    return 0;
}
