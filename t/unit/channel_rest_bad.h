/*
 * channel_rest_bad.h - answers that prove nothing, put to an adapter of
 * channel_rest.h.
 */
#ifndef T_CHANNEL_REST_BAD_H
#define T_CHANNEL_REST_BAD_H

#include "t/unit/channel_rest.h"

/* Answers of 200 that nothing can be built on, to every operation. */
static inline void
bodies_prove_nothing(const struct ph_str *bodies, size_t count,
                     void (*before)(void))
{
    static const enum ph_channel_op ops[]
        = { PH_OP_CREATE, PH_OP_QUERY, PH_OP_CLOSE, PH_OP_REFUND,
            PH_OP_REFUND_QUERY };

    for (size_t op = 0; op < PH_COUNT(ops); op++) {
        for (size_t i = 0; i < count; i++) {
            before();
            begin(ops[op]);
            assert_int_equal(answer_with(200, bodies[i], NULL, 0),
                             PH_STEP_DONE);
            if (out.result.class != PH_RESULT_UNKNOWN) {
                fail_msg("operation %d: %s", (int) ops[op], bodies[i].ptr);
            }
            assert_true(out.result.error_class.len != 0);
        }
    }
}

/* `count` times `piece` between head and tail */
struct huge {
    const char *head, *piece, *tail;
    size_t      count;
};

static inline void
huge_proves_nothing(const struct huge *row, void (*before)(void))
{
    before();
    begin(PH_OP_QUERY);
    assert_int_equal(
        answer_with(200,
                    long_text(row->head, row->piece, row->count, row->tail),
                    NULL, 0),
        PH_STEP_DONE);
    proves(PH_RESULT_UNKNOWN, "unreadable");
}

/* Answers that are too long or too deep, and one of the channel's own. */
static inline void
huge_answers_of(const struct huge *own, void (*before)(void))
{
    static const struct huge rows[] = {
        { "{\"id\":\"", "x", "\"}", 10 * 1024 * 1024 },
        { "{\"a\":", "[", "]", 100 },
        { "{\"a\":", "[", "", 100000 },
        { "{\"a\":", "{\"a\":", "", 100000 },
        { "{\"a\":[0", ",0", "]}", 50000 },
    };

    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        huge_proves_nothing(&rows[i], before);
    }
    huge_proves_nothing(own, before);
}

/* Each code of the channel's table has a row in the test's list. */
static inline void
codes_are_listed(bool (*is_listed)(struct ph_str code))
{
    for (size_t i = 0; i < channel->code_count; i++) {
        if (!is_listed(channel->codes[i].code)) {
            fail_msg("%s", channel->codes[i].code.ptr);
        }
    }
}

#endif
