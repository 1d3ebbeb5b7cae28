/*
 * check.h - what the tables of grammar.c cannot say: which members go together.
 */
#ifndef PH_DECLARED_CHECK_H
#define PH_DECLARED_CHECK_H

#include "channels/declarative/compile.h"

void begin_sign(struct compile *c, const json_t *value, void *at);
void begin_message(struct compile *c, const json_t *value, void *at);
void begin_request(struct compile *c, const json_t *value, void *at);

bool check_action(struct compile *c, void *at);
bool check_sign(struct compile *c, void *at);
bool check_verify(struct compile *c, void *at);
bool check_told(struct compile *c, void *at);
bool check_refund(struct compile *c, void *at);
bool check_answer(struct compile *c, void *at);
bool check_notice(struct compile *c, void *at);
bool check_request(struct compile *c, void *at);

/* A fault of a member, "a" or "a/b", of what is read; gives false. */
bool check_fault(struct compile *c, const char *member, const char *found,
                 const char *expected);

/* the whole, when all of it was read */
bool check_file(struct compile *c);

bool read_http(struct compile *c, const json_t *value, void *at);

#endif
