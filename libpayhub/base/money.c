/*
 * money.c - exact amounts: digits in, digits out, every step overflow-checked.
 */
#include "libpayhub/base/money.h"

#include <assert.h>
#include <stdlib.h>

#include "libpayhub/base/buf.h"

#define MONEY_EXPONENT_MAX 4

/* ISO 4217 table A.1, ascending by code; three letters and the decimals. */
/* clang-format off */
static const char currencies[][5] = {
    "AED2", "AFN2", "ALL2", "AMD2", "AOA2", "ARS2", "AUD2", "AWG2", "AZN2",
    "BAM2", "BBD2", "BDT2", "BHD3", "BIF0", "BMD2", "BND2", "BOB2", "BOV2",
    "BRL2", "BSD2", "BTN2", "BWP2", "BYN2", "BZD2",
    "CAD2", "CDF2", "CHE2", "CHF2", "CHW2", "CLF4", "CLP0", "CNY2", "COP2",
    "COU2", "CRC2", "CUP2", "CVE2", "CZK2",
    "DJF0", "DKK2", "DOP2", "DZD2",
    "EGP2", "ERN2", "ETB2", "EUR2",
    "FJD2", "FKP2",
    "GBP2", "GEL2", "GHS2", "GIP2", "GMD2", "GNF0", "GTQ2", "GYD2",
    "HKD2", "HNL2", "HTG2", "HUF2",
    "IDR2", "ILS2", "INR2", "IQD3", "IRR2", "ISK0",
    "JMD2", "JOD3", "JPY0",
    "KES2", "KGS2", "KHR2", "KMF0", "KPW2", "KRW0", "KWD3", "KYD2", "KZT2",
    "LAK2", "LBP2", "LKR2", "LRD2", "LSL2", "LYD3",
    "MAD2", "MDL2", "MGA2", "MKD2", "MMK2", "MNT2", "MOP2", "MRU2", "MUR2",
    "MVR2", "MWK2", "MXN2", "MXV2", "MYR2", "MZN2",
    "NAD2", "NGN2", "NIO2", "NOK2", "NPR2", "NZD2",
    "OMR3",
    "PAB2", "PEN2", "PGK2", "PHP2", "PKR2", "PLN2", "PYG0",
    "QAR2",
    "RON2", "RSD2", "RUB2", "RWF0",
    "SAR2", "SBD2", "SCR2", "SDG2", "SEK2", "SGD2", "SHP2", "SLE2", "SOS2",
    "SRD2", "SSP2", "STN2", "SVC2", "SYP2", "SZL2",
    "THB2", "TJS2", "TMT2", "TND3", "TOP2", "TRY2", "TTD2", "TWD2", "TZS2",
    "UAH2", "UGX0", "USD2", "USN2", "UYI0", "UYU2", "UYW4", "UZS2",
    "VED2", "VES2", "VND0", "VUV0",
    "WST2",
    "YER2",
    "ZAR2", "ZMW2", "ZWG2",
};
/* clang-format on */

static int
currency_cmp(const void *code, const void *row)
{
    return memcmp(code, row, 3);
}

int
ph_currency_exponent(struct ph_str code)
{
    const char *row;

    if (code.len != 3) {
        return -1;
    }
    row = bsearch(code.ptr, currencies, PH_COUNT(currencies),
                  sizeof(currencies[0]), currency_cmp);
    return row != NULL ? row[3] - '0' : -1;
}

/*
 * The digits of "12.34" and how many stand after the dot; false when the text
 * is not of the grammar.
 */
static bool
money_shape(struct ph_str in, int exponent, int *decimals)
{
    bool dot = false;

    *decimals = 0;
    for (size_t i = 0; i < in.len; i++) {
        char ch = in.ptr[i];

        if (ch == '.' && !dot && i > 0 && i + 1 < in.len) {
            dot = true;
            continue;
        }
        if (ch < '0' || ch > '9' || (dot && (*decimals)++ == exponent)) {
            return false;
        }
    }
    return in.len != 0;
}

/* value * 10 + digit, false beyond PH_AMOUNT_MAX */
static bool
money_push(int64_t *value, int digit)
{
    return !__builtin_mul_overflow(*value, 10, value)
           && !__builtin_add_overflow(*value, digit, value)
           && *value <= PH_AMOUNT_MAX;
}

enum ph_rc
ph_money_parse(struct ph_str in, int exponent, int64_t *minor)
{
    int64_t value = 0;
    int     decimals;

    assert(exponent >= 0 && exponent <= MONEY_EXPONENT_MAX);

    if (!money_shape(in, exponent, &decimals)) {
        return PH_E_SYNTAX;
    }
    for (size_t i = 0; i < in.len; i++) {
        if (in.ptr[i] != '.' && !money_push(&value, in.ptr[i] - '0')) {
            return PH_E_RANGE;
        }
    }
    for (; decimals < exponent; decimals++) {
        if (!money_push(&value, 0)) {
            return PH_E_RANGE;
        }
    }
    *minor = value;
    return PH_OK;
}

void
ph_money_format(struct ph_buf *buf, int64_t minor, int exponent)
{
    char     decimals[MONEY_EXPONENT_MAX];
    uint64_t rest = (uint64_t) minor;
    size_t   mark = buf->len;

    assert(minor >= 0);
    assert(exponent >= 0 && exponent <= MONEY_EXPONENT_MAX);

    for (int i = exponent; i-- > 0;) {
        decimals[i] = (char) ('0' + rest % 10);
        rest /= 10;
    }
    ph_buf_u64(buf, rest);
    if (exponent != 0) {
        ph_buf_byte(buf, '.');
        ph_buf_add(buf, ph_str_make(decimals, (size_t) exponent));
    }
    if (buf->full) {
        buf->len = mark; /* half an amount is another amount */
    }
}

bool
ph_money_add(int64_t a, int64_t b, int64_t *sum)
{
    int64_t result;

    if (__builtin_add_overflow(a, b, &result)) {
        return false;
    }
    *sum = result;
    return true;
}

bool
ph_money_rescale(int64_t minor, int from, int to, int64_t *out)
{
    assert(from >= 0 && from <= MONEY_EXPONENT_MAX);
    assert(to >= 0 && to <= MONEY_EXPONENT_MAX);

    if (minor < 0 || minor > PH_AMOUNT_MAX) {
        return false;
    }
    for (; from < to; from++) {
        if (!money_push(&minor, 0)) {
            return false;
        }
    }
    for (; from > to; from--) {
        if (minor % 10 != 0) {
            return false;
        }
        minor /= 10;
    }
    *out = minor;
    return true;
}
