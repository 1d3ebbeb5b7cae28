/*
 * fuzz_form.c - names and values on the wire: what is decoded is encoded again
 * and decoded as the same; sorted, it is in order and nothing is lost.
 */
#include <string.h>

#include "t/fuzz/fuzz.h"

#include "libpayhub/wire/form.h"

static char room[512 * 1024];

static bool
is_in_order(struct ph_str a, struct ph_str b)
{
    const size_t less = a.len < b.len ? a.len : b.len;
    const int    way  = less == 0 ? 0 : memcmp(a.ptr, b.ptr, less);

    return way < 0 || (way == 0 && a.len < b.len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ph_pair pairs[PH_FORM_PAIRS_MAX], again[PH_FORM_PAIRS_MAX];
    struct ph_arena       arena;
    struct ph_buf         buf;
    size_t                count, count_again, len = 0;

    if (size == 0) {
        return 0;
    }
    const enum ph_url_space space
        = data[0] % 2 == 0 ? PH_URL_SPACE_HEX : PH_URL_SPACE_PLUS;

    ph_arena_init(&arena, room, sizeof(room));
    if (ph_form_decode(ph_str_make((const char *) data + 1, size - 1), &arena,
                       pairs, PH_FORM_PAIRS_MAX, &count)
        != PH_OK)
    {
        return 0;
    }
    ph_arena_open(&arena, &buf);
    ph_form_encode(&buf, pairs, count, space);
    struct ph_str text = ph_arena_close(&arena, &buf);
    FUZZ_HOLDS(!arena.full);
    FUZZ_HOLDS(
        ph_form_decode(text, &arena, again, PH_FORM_PAIRS_MAX, &count_again)
        == PH_OK);
    FUZZ_HOLDS(count_again == count);
    for (size_t i = 0; i < count; i++) {
        FUZZ_HOLDS(ph_str_eq(pairs[i].name, again[i].name)
                   && ph_str_eq(pairs[i].value, again[i].value));
        len += pairs[i].name.len + pairs[i].value.len + 2;
    }

    const struct ph_join how = { .drops_empty = false };

    ph_pairs_sort(pairs, count);
    ph_arena_open(&arena, &buf);
    ph_pairs_join(&buf, pairs, count, &how);
    text = ph_arena_close(&arena, &buf);
    FUZZ_HOLDS(arena.full || text.len + 1 == len || count == 0);
    for (size_t i = 0; i < count; i++) {
        FUZZ_HOLDS(i == 0 || is_in_order(pairs[i - 1].name, pairs[i].name));
        FUZZ_HOLDS(ph_str_eq(ph_pair_find(again, count, pairs[i].name),
                             pairs[i].value));
    }
    return 0;
}
