/*
 * card_number.c - finds what looks like a card number in free text, so that
 * none is ever stored: 13 to 19 digits that pass Luhn, plain or in groups
 * parted by single blanks or hyphens.  Pure.
 */
#include "worker/payment_request.h"

#define CARD_DIGITS_MIN 13
#define CARD_DIGITS_MAX 19

static bool
is_digit(char ch)
{
    return ch >= '0' && ch <= '9';
}

static bool
luhn_holds(const char *digits, size_t len)
{
    unsigned sum = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned value = (unsigned) (digits[len - 1 - i] - '0');

        if (i % 2 == 1) {
            value = value * 2 > 9 ? value * 2 - 9 : value * 2;
        }
        sum += value;
    }
    return sum % 10 == 0;
}

/* Groups of digits from `at` on, joined until they are a card or too long. */
static bool
card_begins_at(struct ph_str text, size_t at)
{
    char   digits[CARD_DIGITS_MAX + 1];
    size_t len = 0;

    while (at < text.len && is_digit(text.ptr[at])) {
        while (at < text.len && is_digit(text.ptr[at])) {
            if (len == CARD_DIGITS_MAX) {
                return false;
            }
            digits[len++] = text.ptr[at++];
        }
        if (len >= CARD_DIGITS_MIN && luhn_holds(digits, len)) {
            return true;
        }
        if (at < text.len && (text.ptr[at] == ' ' || text.ptr[at] == '-')) {
            at++;
        }
    }
    return false;
}

bool
wk_has_card_number(struct ph_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        bool begins
            = is_digit(text.ptr[i]) && (i == 0 || !is_digit(text.ptr[i - 1]));

        if (begins && card_begins_at(text, i)) {
            return true;
        }
    }
    return false;
}
