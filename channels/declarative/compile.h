/*
 * compile.h - how a file becomes a struct ph_declared: a table of kinds and
 * members (grammar.c) that one reader walks, with readers of their own for what
 * is no plain text, word, number or object (own.c, ask.c, proof.c).
 */
#ifndef PH_DECLARED_COMPILE_H
#define PH_DECLARED_COMPILE_H

#include "channels/declarative/run.h"
#include "channels/pick_int.h"

#define COMPILE_POINTER_MAX 512

struct compile {
    struct ph_arena            *arena;
    struct ph_buf              *why;
    char                        pointer_memory[COMPILE_POINTER_MAX];
    struct ph_buf               pointer; /* of what is read, RFC 6901 */
    struct ph_declared         *file;
    uint32_t                    base;  /* sources that are known here */
    uint32_t                    where; /* and in this member */
    const struct declared_lets *lets;
    const struct declared_sign *signed_by; /* of what is told; or NULL */
    bool                        has_inner; /* what is read may name {inner.*} */
    enum ph_channel_op          op;        /* whose request is read; 0 = none */
    size_t                      fields;    /* of the message so far */
    struct ph_channel_code      codes[DECLARED_CODES_MAX];
    size_t                      code_count;
    struct ph_str               reads[DECLARED_READS_MAX]; /* once each */
    size_t                      read_count;
    size_t general_count; /* of them, of the general answer */
};

/* "POINTER: found X, expected Y"; gives false */
bool compile_fault(struct compile *c, struct ph_str found,
                   const char *expected);
bool compile_fault_type(struct compile *c, const json_t *found,
                        const char *expected);
void compile_expected(struct compile *c, struct ph_str found);

/* goes into a member, or the i-th value; give the length back to leave it */
size_t compile_enter(struct compile *c, const char *name);
size_t compile_enter_at(struct compile *c, size_t i);
void   compile_leave(struct compile *c, size_t mark);

void *compile_take(struct compile *c, size_t count, size_t size);

#define EACH_MEMBER(value, at)                                                 \
    for (void *at = json_object_iter((json_t *) (uintptr_t) (value));          \
         (at) != NULL;                                                         \
         (at) = json_object_iter_next((json_t *) (uintptr_t) (value), (at)))

/* ---- the table ---- */

enum grammar_type {
    G_TEXT,     /* struct ph_str */
    G_TEMPLATE, /* struct declared_template */
    G_WORD,     /* int: row.first and on */
    G_NUMBER,   /* uint32_t */
    G_YES,      /* bool */
    G_OBJECT,   /* pointer to the kind's struct */
    G_INLINE,   /* the kind's struct itself */
    G_INCLUDE,  /* members of another kind, in the same object */
    G_TEXTS,    /* struct declared_texts */
    G_OWN       /* row.read() */
};

/* what a name may be made of */
struct grammar_name {
    const char *first, *rest;
    size_t      least, most;
    const char *expected;
    const char *pattern; /* the same for the schema */
};

struct grammar_member {
    const char                *name;
    enum grammar_type          type;
    bool                       is_required;
    size_t                     at; /* in the kind's struct */
    const struct grammar_kind *kind;
    const char *const         *words;
    int                        first;
    uint32_t                   low, high;
    uint32_t                   base; /* 0 = as around it */
    uint32_t                   more;
    const struct grammar_name *names;
    bool (*read)(struct compile *c, const json_t *value, void *at);
    const char *schema; /* of G_OWN, and of texts with a form */
    const char *about;
};

struct grammar_kind {
    const char                  *name;
    size_t                       size;
    const struct grammar_member *members; /* ends in a NULL name */
    void (*begin)(struct compile *c, const json_t *value, void *at);
    bool (*check)(struct compile *c, void *at);
};

extern const struct grammar_kind grammar_file, grammar_key, grammar_sign_use;
extern const struct grammar_kind grammar_request, grammar_told, grammar_sign;
extern const struct grammar_kind grammar_verify;
extern const struct grammar_name grammar_names_plain, grammar_names_header;
extern const struct grammar_name grammar_names_field, grammar_names_channel;
extern const char *const         grammar_ops[PH_OP_COUNT + 1];
extern const char *const         grammar_classes[];
extern const char *const         grammar_kinds[];

bool compile_object(struct compile *c, const json_t *value,
                    const struct grammar_kind *kind, void *at) PH_MUST_CHECK;

/* readers of one value; false = a fault was said */
bool compile_text(struct compile *c, const json_t *value,
                  struct ph_str *out) PH_MUST_CHECK;
bool compile_name(struct compile *c, struct ph_str text,
                  const struct grammar_name *names) PH_MUST_CHECK;
bool compile_texts(struct compile *c, const json_t *value,
                   const struct grammar_name *names,
                   struct declared_texts     *out) PH_MUST_CHECK;
bool compile_template(struct compile *c, const json_t *value,
                      struct declared_template *out) PH_MUST_CHECK;
bool compile_word(struct compile *c, const json_t *value,
                  const char *const *words, int first, int *out) PH_MUST_CHECK;

/* an object of 1 to `most` members; a member's name, kept (names: or NULL) */
bool compile_map(struct compile *c, const json_t *value, size_t most,
                 const char *expected) PH_MUST_CHECK;
bool compile_key_keep(struct compile *c, const char *key,
                      const struct grammar_name *names,
                      struct ph_str             *out) PH_MUST_CHECK;

/* parse.c: texts of the small language */
bool compile_parse(struct compile *c, struct ph_str text,
                   struct declared_template *out) PH_MUST_CHECK;
bool compile_filter(struct compile *c, struct ph_str text,
                    struct declared_filter *out, uint32_t *uses) PH_MUST_CHECK;
bool compile_key(struct compile *c, struct ph_str text, enum declared_arg arg,
                 size_t *index) PH_MUST_CHECK;
bool compile_sign_find(struct compile *c, struct ph_str name, uint32_t where,
                       size_t *index) PH_MUST_CHECK;

/* the readers that the table names */
#define COMPILE_OWN(name)                                                      \
    bool compile_##name(struct compile *c, const json_t *value, void *at)
COMPILE_OWN(version);
COMPILE_OWN(currencies);
COMPILE_OWN(account);
COMPILE_OWN(methods);
COMPILE_OWN(signs);
COMPILE_OWN(then);
COMPILE_OWN(lets);
COMPILE_OWN(op);
COMPILE_OWN(headers);
COMPILE_OWN(fields);
COMPILE_OWN(body);
COMPILE_OWN(sign_use);
COMPILE_OWN(own_told);
COMPILE_OWN(verify);
COMPILE_OWN(verify_of);
COMPILE_OWN(verify_key);
COMPILE_OWN(verify_old_key);
COMPILE_OWN(same);
COMPILE_OWN(words);
COMPILE_OWN(error);
COMPILE_OWN(deadline);
COMPILE_OWN(wire_fields);

#endif
