/*
 * fuzz_binlog.c - the binlog decoder on any bytes, as a whole file.
 *
 * Walked twice: printed (every type of every table), and counted (the table
 * `payment` of the database `payhub`, then the words of the Redis call).  Both
 * walks see the same events up to where one of them refuses.
 */
#include "t/fuzz/fuzz.h"

#include "sidecar/count.h"
#include "sidecar/print.h"
#include "sidecar/words.h"

static struct bl_sums fuzz_sums;

static struct bl_sums *
fuzz_begin(void *context, bool settled)
{
    (void) context;
    if (settled && fuzz_sums.has_pending) {
        struct bl_position position = fuzz_sums.position;

        bl_sums_clear(&fuzz_sums);
        fuzz_sums.position = position;
    }
    return &fuzz_sums;
}

static void
fuzz_end(void *context)
{
    (void) context;
}

static void
print_walk(struct ph_str bytes, enum bl_style style, uint64_t *events)
{
    static struct bl_print   print;
    static struct bl_decoder decoder;

    print.style = style;
    bl_out_init(&print.out, -1);
    struct bl_visitor visitor = bl_print_visitor(&print);
    FUZZ_HOLDS(bl_decoder_init(&decoder, &visitor, 0));
    bool ok = bl_bytes_decode(&decoder, bytes);
    FUZZ_HOLDS(ok || decoder.why.len != 0);
    *events = decoder.events;
    bl_decoder_deinit(&decoder);
}

/* What was summed can be said to Redis, and prepared sums can be read back. */
static void
words_walk(void)
{
    struct bl_sink sink
        = { .prefix = PH_STR("ph"), .epoch = 1, .day_offset_min = 480 };

    FUZZ_HOLDS(bl_cells_init(&sink.days));
    if (bl_apply_words(&sink, &fuzz_sums)) {
        FUZZ_HOLDS(sink.words.count >= 9);
    }
    for (size_t i = 0; i < sink.words.count && fuzz_sums.xids != 0; i++) {
        (void) bl_xa_resolve(&fuzz_sums, 1, bl_words_get(&sink.words, i),
                             PH_STR("-7"));
    }
    bl_words_deinit(&sink.words);
    free(sink.days.cell);
    free(sink.sorted);
}

static void
count_walk(struct ph_str bytes, uint64_t printed)
{
    static struct bl_decoder decoder;
    struct bl_count count = { .batches  = { NULL, fuzz_begin, fuzz_end },
                              .database = PH_STR("payhub") };

    FUZZ_HOLDS(bl_sums_init(&fuzz_sums));
    struct bl_visitor visitor = bl_count_visitor(&count);
    FUZZ_HOLDS(bl_decoder_init(&decoder, &visitor, 0));
    bool ok = bl_bytes_decode(&decoder, bytes);
    FUZZ_HOLDS(ok || decoder.why.len != 0);
    /* counting skips tables that printing may find malformed, never more */
    FUZZ_HOLDS(!ok || decoder.events >= printed);
    words_walk();
    bl_decoder_deinit(&decoder);
    bl_count_deinit(&count);
    bl_sums_deinit(&fuzz_sums);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ph_str bytes  = ph_str_make((const char *) data, size);
    uint64_t      events = 0;

    print_walk(bytes, size % 2 == 0 ? BL_STYLE_TEXT : BL_STYLE_JSON, &events);
    count_walk(bytes, events);
    return 0;
}
