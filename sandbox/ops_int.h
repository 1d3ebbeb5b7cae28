/* ops_int.h - shared by ops.c (payments) and refunds.c only. */
#ifndef SB_OPS_INT_H
#define SB_OPS_INT_H

#include <jansson.h>

#include "sandbox/ops.h"

/* one request while it runs; texts are views into the parsed body */
struct sb_run {
    const struct sb_world *world;
    struct sb_reply       *reply;
    struct sb_order        order;
    struct sb_refund_order refund;
    struct ph_str          auth_code;
    uint64_t               now_ms;
};

/* ops.c */
struct ph_str ops_text_of(const json_t *root, const char *name);
void          ops_member_text(struct ph_buf *buf, struct ph_str name,
                              struct ph_str text);
void ops_member_number(struct ph_buf *buf, struct ph_str name, int64_t value);
void ops_answer_code(struct sb_reply *reply, unsigned status,
                     struct ph_str code);
void ops_answer_refusal(const struct sb_run *run, unsigned status,
                        struct ph_str code);
struct sb_charge *ops_charge_find(struct sb_run *run);

/* refunds.c; lock */
bool refunds_read(struct sb_run *run, const json_t *root);
void refunds_run(struct sb_run *run);
void refunds_run_query(struct sb_run *run);

#endif
