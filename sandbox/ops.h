/*
 * ops.h - what a request does to the books and what it is answered.
 *
 * Knows no HTTP library: bytes in, a reply with its manner out.
 */
#ifndef SB_OPS_H
#define SB_OPS_H

#include "sandbox/clock.h"

#define SB_REPLY_MAX 2048

struct sb_world {
    struct sb_books *books;
    struct sb_clock *clock;
    struct ph_str    key;
};

struct sb_reply {
    unsigned                status; /* HTTP */
    enum sb_answer          manner;
    uint32_t                delay_ms;   /* 0 = at once */
    const struct sb_charge *until_told; /* or when its notice is over */
    char                    text[SB_REPLY_MAX];
    struct ph_buf           body; /* over text */
    bool                    has_call;
    uint32_t                call_no;
};

/* by path, SB_OP_NONE when there is no such operation */
enum sb_op sb_op_find(const char *path);

/* A request whose signature is good, or whose operation needs none. */
void sb_op_run(const struct sb_world *world, enum sb_op op, struct ph_str body,
               uint32_t connection, struct sb_reply *reply);

/* A refusal that touches nothing but the list of calls. */
void sb_op_refuse(const struct sb_world *world, enum sb_op op,
                  uint32_t connection, unsigned status, struct ph_str code,
                  struct sb_reply *reply);

#endif
