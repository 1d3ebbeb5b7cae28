/*
 * run.h - one call of a declared channel: what is known, what was made of it,
 * and what the files of this folder do with it.  template.c evaluates, filter.c
 * and cipher.c change texts, sign.c signs and verifies, message.c makes
 * requests, answer.c judges.
 */
#ifndef PH_DECLARED_RUN_H
#define PH_DECLARED_RUN_H

#include "channels/declarative/declared_int.h"

#define DECLARED_FUEL (1024 * 1024) /* bytes produced by one call */
#define DECLARED_SOURCE_COST 32     /* of it, for what a source looks up */
#define DECLARED_SIGN_COST 8192     /* of it, for a private key's signature */
#define DECLARED_READ_SHARE 8       /* so many bytes are read for one of it */

/* ---- account: parsed keys ---- */

struct declared_key {
    struct ph_private_key *own;
    struct ph_public_key  *theirs;
    struct ph_str          raw; /* of base64: the bytes */
};

struct declared_keys {
    size_t              count;
    struct declared_key at[PH_CHANNEL_FIELDS_MAX];
    char                memory[]; /* of raw */
};

void *declared_account_open(const struct ph_channel_account *account,
                            const struct ph_channel_env *env, uint64_t now_ms,
                            struct ph_arena *arena, const char **why);
void  declared_account_close(void *context);

/* ---- evaluation ---- */

enum declared_fault {
    FAULT_NONE = 0,
    FAULT_VALUE,      /* a filter refused what it was given */
    FAULT_UNREADABLE, /* what came is not of its form */
    FAULT_ROOM,       /* fuel, arena, length of a value */
    FAULT_CRYPTO
};

enum declared_state { STATE_NEW = 0, STATE_BEGUN, STATE_MADE };

struct declared_doc {
    enum declared_state state;
    struct ph_doc      *doc;
    struct ph_str       text; /* it was read from */
    int                 form;
};

/* One call of step() or notice(). */
struct declared_run {
    const struct ph_declared        *file;
    const struct ph_channel_account *account;
    const struct declared_keys      *keys;
    const struct ph_channel_order   *order; /* NULL in notices */
    struct ph_arena                 *arena;
    uint64_t                         now_ms;
    const uint8_t                   *random; /* NULL in notices */

    const struct declared_lets *lets;
    struct ph_str               let_values[DECLARED_LETS_MAX];
    uint8_t                     let_states[DECLARED_LETS_MAX];

    /* of ours */
    const struct declared_fields *fields;
    struct ph_str                 http, url;
    struct ph_str                 body; /* ours, or what came */

    /* of theirs */
    const struct declared_message  *message;
    unsigned                        status;
    const struct ph_channel_header *headers;
    size_t                          header_count;
    struct declared_doc             in, inner;

    size_t              fuel; /* left */
    enum declared_fault fault;
};

void declared_run_free(struct declared_run *run); /* the documents */

/* false with run->fault set; *out lives in run->arena or longer */
bool declared_text(struct declared_run *run,
                   const struct declared_template *template,
                   struct ph_str *out) PH_MUST_CHECK;
bool declared_source_text(struct declared_run          *run,
                          const struct declared_source *source,
                          struct ph_str                *out) PH_MUST_CHECK;
bool declared_filters_run(struct declared_run          *run,
                          const struct declared_filter *filters, size_t count,
                          struct ph_str *value) PH_MUST_CHECK;
bool declared_fault(struct declared_run *run, enum declared_fault fault);

/* counts what was produced; false: too much */
bool declared_burn(struct declared_run *run, size_t len) PH_MUST_CHECK;

/* the document, read when it is first asked for; NULL with a fault */
const struct declared_doc *declared_doc_get(struct declared_run *run,
                                            bool                 is_inner);

/* in sign.c */

/* Whether the text holds what would be another member of the joined, were it
 * cut there. */
bool                     declared_can_be_cut(const struct ph_declared   *file,
                                             const struct declared_sign *sign, struct ph_str text);
bool                     declared_sign_text(struct declared_run        *run,
                                            const struct declared_sign *sign,
                                            struct ph_str              *out) PH_MUST_CHECK;
enum ph_rc               declared_verify(struct declared_run          *run,
                                         const struct declared_verify *verify) PH_MUST_CHECK;
extern const char *const declared_alg_names[]; /* NULL-terminated */
/* which key of an account the algorithm takes; ARG_NONE = none */
int declared_alg_key(int alg);

/* in message.c */
enum ph_channel_step
     declared_request_make(struct declared_run           *run,
                           const struct declared_request *request,
                           struct ph_channel_request     *out);
bool declared_fields_json(struct declared_run          *run,
                          const struct declared_fields *fields,
                          struct ph_str                *out) PH_MUST_CHECK;
bool declared_action_make(struct declared_run          *run,
                          const struct declared_action *action,
                          struct ph_channel_result     *result) PH_MUST_CHECK;

/* in answer.c */

/* It would come back in messages that are not believed then. */
bool declared_is_unsignable(const struct ph_declared *file, struct ph_str text);
enum ph_channel_step declared_step(struct ph_channel_call        *call,
                                   const struct ph_channel_reply *last,
                                   struct ph_channel_out         *out);
enum ph_rc           declared_notice(const struct ph_channel_account *account,
                                     const struct ph_channel_notice *in, uint64_t now_ms,
                                     struct ph_arena              *arena,
                                     struct ph_channel_notice_out *out);
void                 declared_expected(const struct ph_channel_account *account,
                                       const struct ph_channel_order   *order,
                                       struct ph_arena *arena, struct ph_channel_expected *out);
const char *declared_order_check(const struct ph_channel_account *account,
                                 const struct ph_channel_order   *order);

/* ---- filters ---- */

enum declared_arg {
    ARG_NONE,
    ARG_COUNT,   /* :N */
    ARG_TEXT,    /* :TEXT */
    ARG_PLACES,  /* [:N] */
    ARG_TIME,    /* :SHAPE[+8] */
    ARG_SECRET,  /* :account.KEY */
    ARG_PRIVATE, /* a private key */
    ARG_PUBLIC,  /* a public key or a certificate */
    ARG_SOURCE,  /* :SOURCE */
    ARG_GCM      /* :account.KEY:SOURCE:SOURCE */
};

struct declared_filter_row {
    const char       *name;
    enum declared_arg arg;
    bool              sees_empty; /* else an empty value stays empty */
    bool (*run)(struct declared_run *run, const struct declared_filter *filter,
                struct ph_str in, struct ph_str *out);
    const char *about;
};

extern const struct declared_filter_row declared_filters[];
extern const size_t                     declared_filter_count;

/* times: the shapes that ARG_TIME names, in this order */
enum declared_shape {
    SHAPE_UNIX,
    SHAPE_MS,
    SHAPE_COMPACT,
    SHAPE_PLAIN,
    SHAPE_RFC3339,
    SHAPES
};
extern const char *const declared_shapes[SHAPES];

#endif
