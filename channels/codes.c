/* codes.c - see codes.h. */
#include "channels/codes.h"

struct word {
    struct ph_str text;
    const char   *meaning;
};

/* clang-format off */
static const struct word words[] = {
#define ERROR_CLASS(word, meaning) { PH_STR_INIT(word), (meaning) },
#include "channels/error_classes.def"
#undef ERROR_CLASS
};
/* clang-format on */

#define OPS_ALL                                                                \
    (((UINT32_C(1) << PH_OP_COUNT) - 1) & ~PH_OP_BIT(0)) /* 1..7               \
                                                          */

/* the first row that is not below `code` */
static size_t
code_lower(const struct ph_channel *channel, struct ph_str code)
{
    size_t low = 0, high = channel->code_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (ph_str_cmp(channel->codes[middle].code, code) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const struct ph_channel_code *
ph_code_find(const struct ph_channel *channel, struct ph_str code,
             enum ph_channel_op op)
{
    const struct ph_channel_code *every = NULL;

    for (size_t i = code_lower(channel, code);
         i < channel->code_count && ph_str_eq(channel->codes[i].code, code);
         i++)
    {
        const struct ph_channel_code *row = &channel->codes[i];

        if ((row->ops & PH_OP_BIT(op)) != 0) {
            return row;
        }
        if (row->ops == 0) {
            every = row;
        }
    }
    return every;
}

bool
ph_error_class_is_known(struct ph_str word)
{
    size_t low = 0, high = PH_COUNT(words);

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int    order  = ph_str_cmp(words[middle].text, word);

        if (order == 0) {
            return true;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}

const char *
ph_error_class_at(size_t i, const char **meaning)
{
    if (i >= PH_COUNT(words)) {
        return NULL;
    }
    *meaning = words[i].meaning;
    return words[i].text.ptr;
}

static bool
is_result(enum ph_result_class result)
{
    return result >= PH_RESULT_UNKNOWN && result <= PH_RESULT_NOT_SENT;
}

/* all rows of a code, from the first: do two of them judge one operation */
static bool
is_twice(const struct ph_channel *channel, size_t i)
{
    const struct ph_channel_code *row = &channel->codes[i];

    while (i > 0 && ph_str_eq(channel->codes[i - 1].code, row->code)) {
        const struct ph_channel_code *before = &channel->codes[--i];

        if (row->ops == before->ops || (row->ops & before->ops) != 0) {
            return true;
        }
    }
    return false;
}

enum ph_codes_fault
ph_codes_check(const struct ph_channel *channel, size_t *at)
{
    for (size_t i = 0; i < channel->code_count; i++) {
        const struct ph_channel_code *row = &channel->codes[i];

        *at = i;
        if (row->code.len == 0
            || (i > 0 && ph_str_cmp(channel->codes[i - 1].code, row->code) > 0))
        {
            return PH_CODES_UNSORTED;
        }
        if (is_twice(channel, i)) {
            return PH_CODES_TWICE;
        }
        if ((row->ops & ~OPS_ALL) != 0) {
            return PH_CODES_OPS;
        }
        if (!is_result(row->result)) {
            return PH_CODES_RESULT;
        }
        /* what went well needs no word */
        if (row->error_class.len == 0
                ? row->result != PH_RESULT_SUCCEEDED
                      && row->result != PH_RESULT_WAIT_USER
                      && row->result != PH_RESULT_CLOSED
                : !ph_error_class_is_known(row->error_class))
        {
            return PH_CODES_WORD;
        }
    }
    return PH_CODES_OK;
}

const char *
ph_codes_expected(enum ph_codes_fault fault)
{
    switch (fault) {
    case PH_CODES_OK:
        break;
    case PH_CODES_UNSORTED:
        return "codes in ascending order";
    case PH_CODES_TWICE:
        return "one row of a code for an operation";
    case PH_CODES_OPS:
        return "operations of enum ph_channel_op";
    case PH_CODES_RESULT:
        return "a class of enum ph_result_class";
    case PH_CODES_WORD:
        return "an error class of channels/error_classes.def";
    }
    return "";
}
