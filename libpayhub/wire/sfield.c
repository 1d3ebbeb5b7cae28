/*
 * sfield.c - structured field items.
 */
#include "libpayhub/wire/sfield.h"

static bool
is_digit(char ch)
{
    return ch >= '0' && ch <= '9';
}

static bool
is_lower(char ch)
{
    return ch >= 'a' && ch <= 'z';
}

static bool
is_letter(char ch)
{
    return is_lower(ch) || (ch >= 'A' && ch <= 'Z');
}

static bool
is_one_of(char ch, struct ph_str set)
{
    return memchr(set.ptr, ch, set.len) != NULL;
}

static struct ph_str
sf_since(const struct ph_sf *sf, const char *from)
{
    return ph_str_make(from, (size_t) (sf->at - from));
}

void
ph_sf_spaces(struct ph_sf *sf)
{
    while (ph_sf_byte(sf, ' ')) {
    }
}

static void
sf_blanks(struct ph_sf *sf)
{
    while (ph_sf_byte(sf, ' ') || ph_sf_byte(sf, '\t')) {
    }
}

bool
ph_sf_comma(struct ph_sf *sf)
{
    const char *from = sf->at;

    sf_blanks(sf);
    if (ph_sf_byte(sf, ',')) {
        sf_blanks(sf);
        if (!ph_sf_at_end(sf)) {
            return true;
        }
    }
    sf->at = from; /* a comma at the end is left there, and so refused */
    return false;
}

bool
ph_sf_key(struct ph_sf *sf, struct ph_str *key)
{
    const char *from = sf->at;

    if (ph_sf_at_end(sf) || !(is_lower(*sf->at) || *sf->at == '*')) {
        return false;
    }
    while (sf->at < sf->end
           && (is_lower(*sf->at) || is_digit(*sf->at)
               || is_one_of(*sf->at, PH_STR("_-.*"))))
    {
        sf->at++;
    }
    *key = sf_since(sf, from);
    return true;
}

/* digits; false when there is none, too many, or a needless leading zero */
static bool
sf_digits(struct ph_sf *sf, size_t len_max, bool leading_zeros)
{
    const char *from = sf->at;

    while (sf->at < sf->end && is_digit(*sf->at)) {
        sf->at++;
    }
    size_t len = (size_t) (sf->at - from);
    return len != 0 && len <= len_max
           && (leading_zeros || len == 1 || *from != '0');
}

static bool
sf_number(struct ph_sf *sf, struct ph_sf_item *item)
{
    const char *from     = sf->at;
    bool        negative = ph_sf_byte(sf, '-');
    const char *digits   = sf->at;

    item->kind = PH_SF_INTEGER;
    if (!sf_digits(sf, PH_SF_INTEGER_DIGITS_MAX, false)) {
        return false;
    }
    bool zero = sf->at - digits == 1 && *digits == '0';
    if (ph_sf_byte(sf, '.')) {
        const char *fraction = sf->at;

        item->kind = PH_SF_DECIMAL;
        if (fraction - 1 - digits > PH_SF_WHOLE_DIGITS_MAX
            || !sf_digits(sf, PH_SF_FRACTION_DIGITS_MAX, true)
            || (sf->at[-1] == '0' && sf->at - fraction > 1))
        {
            return false;
        }
        zero = zero && *fraction == '0' && sf->at - fraction == 1;
    }
    item->text = item->value = sf_since(sf, from);
    return !(negative && zero);
}

static bool
sf_string(struct ph_sf *sf, struct ph_sf_item *item)
{
    const char *from = sf->at++;

    while (sf->at < sf->end && *sf->at != '"') {
        if (*sf->at == '\\') {
            item->escaped = true;
            sf->at++;
            if (ph_sf_at_end(sf) || (*sf->at != '"' && *sf->at != '\\')) {
                return false;
            }
        }
        unsigned char ch = (unsigned char) *sf->at;
        if (ch < 0x20 || ch >= 0x7f) {
            return false;
        }
        sf->at++;
    }
    if (!ph_sf_byte(sf, '"')) {
        return false;
    }
    item->kind  = PH_SF_STRING;
    item->text  = sf_since(sf, from);
    item->value = ph_str_make(from + 1, item->text.len - 2);
    return true;
}

static bool
sf_bytes(struct ph_sf *sf, struct ph_sf_item *item)
{
    const char *from = sf->at++;

    while (sf->at < sf->end
           && (is_letter(*sf->at) || is_digit(*sf->at)
               || is_one_of(*sf->at, PH_STR("+/="))))
    {
        sf->at++;
    }
    if (!ph_sf_byte(sf, ':')) {
        return false;
    }
    item->kind  = PH_SF_BYTES;
    item->text  = sf_since(sf, from);
    item->value = ph_str_make(from + 1, item->text.len - 2);
    return true;
}

static bool
sf_token(struct ph_sf *sf, struct ph_sf_item *item)
{
    const char *from = sf->at++;

    while (sf->at < sf->end
           && (is_letter(*sf->at) || is_digit(*sf->at)
               || is_one_of(*sf->at, PH_STR("!#$%&'*+-.^_`|~:/"))))
    {
        sf->at++;
    }
    item->kind = PH_SF_TOKEN;
    item->text = item->value = sf_since(sf, from);
    return true;
}

static bool
sf_boolean(struct ph_sf *sf, struct ph_sf_item *item)
{
    const char *from = sf->at++;

    if (!ph_sf_byte(sf, '0')) {
        return false;
    }
    item->kind = PH_SF_BOOLEAN;
    item->text = item->value = sf_since(sf, from);
    return true;
}

bool
ph_sf_item(struct ph_sf *sf, struct ph_sf_item *item)
{
    *item = (struct ph_sf_item){ .kind = PH_SF_NONE };
    if (ph_sf_at_end(sf)) {
        return false;
    }
    if (is_digit(*sf->at) || *sf->at == '-') {
        return sf_number(sf, item);
    }
    if (is_letter(*sf->at) || *sf->at == '*') {
        return sf_token(sf, item);
    }
    switch (*sf->at) {
    case '"':
        return sf_string(sf, item);
    case ':':
        return sf_bytes(sf, item);
    case '?':
        return sf_boolean(sf, item);
    default:
        return false;
    }
}
