/*
 * fuzz_civil.c - calendar times: what is read is written again, to the second,
 * and read as the same.
 */
#include "t/fuzz/fuzz.h"

#include "libpayhub/base/civil.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char          memory[64];
    struct ph_buf buf = PH_BUF_INIT(memory);
    uint64_t      at_ms, again_ms;

    if (size < 2) {
        return 0;
    }
    const enum ph_civil_shape shape  = (enum ph_civil_shape)(data[0] % 3);
    const int                 offset = ((int) data[1] - 128) * 11;
    const struct ph_str text = ph_str_make((const char *) data + 2, size - 2);

    if (ph_civil_parse(text, shape, offset, &at_ms) != PH_OK) {
        return 0;
    }
    ph_civil_add(&buf, shape, at_ms, offset);
    FUZZ_HOLDS(!buf.full);
    if (ph_civil_parse(ph_buf_str(&buf), shape, offset, &again_ms) != PH_OK) {
        /* an offset may carry a time over an end of the calendar */
        FUZZ_HOLDS(shape == PH_CIVIL_RFC3339);
        return 0;
    }
    FUZZ_HOLDS(again_ms == at_ms / 1000 * 1000);
    return 0;
}
