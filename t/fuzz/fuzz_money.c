/*
 * fuzz_money.c - amounts.  The first byte is the exponent; what is taken
 * formats to a text that is taken as the same amount, and differs from the
 * input at most by zeros in front and after the dot.
 */
#include "t/fuzz/fuzz.h"

#include "libpayhub/base/money.h"

/* the same amount by hand: digits without the dot, zeros up to the exponent */
static bool
same_digits(struct ph_str in, int exponent, int64_t minor)
{
    int64_t value = 0;
    int     after = -1;

    for (size_t i = 0; i < in.len; i++) {
        if (in.ptr[i] == '.') {
            after = 0;
            continue;
        }
        value = value * 10 + (in.ptr[i] - '0');
        after += after >= 0;
    }
    for (after = after < 0 ? 0 : after; after < exponent; after++) {
        value *= 10;
    }
    return value == minor;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char          memory[32];
    struct ph_buf buf   = PH_BUF_INIT(memory);
    int64_t       minor = -1, back = -2;

    if (size == 0) {
        return 0;
    }
    int           exponent = data[0] % 5;
    struct ph_str in       = ph_str_make((const char *) data + 1, size - 1);

    (void) ph_currency_exponent(in);
    if (ph_money_parse(in, exponent, &minor) != PH_OK) {
        FUZZ_HOLDS(minor == -1);
        return 0;
    }
    FUZZ_HOLDS(minor >= 0 && minor <= PH_AMOUNT_MAX);
    FUZZ_HOLDS(same_digits(in, exponent, minor));
    ph_money_format(&buf, minor, exponent);
    FUZZ_HOLDS(!buf.full);
    FUZZ_HOLDS(ph_money_parse(ph_buf_str(&buf), exponent, &back) == PH_OK);
    FUZZ_HOLDS(back == minor);
    return 0;
}
