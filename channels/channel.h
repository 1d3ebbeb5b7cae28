/*
 * channel.h - the contract between payhub's core and a channel adapter.
 *
 * An adapter is one const table.  It makes and reads messages: no socket, no
 * clock, no log, no allocation of its own, no state but the 256 bytes that the
 * core keeps in the attempt row.  So any worker can resume any operation.
 *
 * step() is called until it says DONE or ERROR, at most PH_CHANNEL_STEPS_MAX
 * times an operation; who has to wait for the payer is the core.  NEED_REQUEST
 * fills out->request; the core sends it and calls again with the reply.  What
 * may have reached the channel is only ever asked about: a CREATE whose reply
 * is lost is followed by QUERY, never by CREATE, unless the core holds proof
 * that nothing left.
 *
 * All texts given to the adapter live until step() returns; all texts it
 * returns live in call->arena.  Any thread, one call at a time.
 */
#ifndef PH_CHANNEL_H
#define PH_CHANNEL_H

#include "channels/exchange.h"

#define PH_CHANNEL_ABI 1
#define PH_CHANNEL_FIELDS_MAX 24
#define PH_CHANNEL_ACCOUNTS_MAX 4096 /* of an installation, of all channels */
#define PH_CHANNEL_LOADED_MAX 64     /* shared objects and declared files */

enum ph_channel_cap {
    PH_CAP_QUERY   = 1 << 0,
    PH_CAP_CLOSE   = 1 << 1,
    PH_CAP_REFUND  = 1 << 2,
    PH_CAP_NOTICE  = 1 << 3,
    PH_CAP_REVERSE = 1 << 4, /* a bar code's payment is taken back unfinished */
    PH_CAP_REPEAT  = 1 << 5, /* CREATE with the same number shows it again */
    /* REFUND_QUERY without a refund_id tells of channel_refund_no, as its
     * number, what somebody else refunded of trade_no */
    PH_CAP_REFUND_BY_NO = 1 << 6
};

/* what an account's value has to be */
enum ph_channel_value {
    PH_VALUE_TEXT = 0,
    PH_VALUE_URL,
    PH_VALUE_YESNO,
    PH_VALUE_PRIVATE_KEY,
    PH_VALUE_PUBLIC_KEY,
    PH_VALUE_CERT,
    PH_VALUE_CERTS, /* a bundle of PEM */
    PH_VALUE_PFX,   /* the file in base64 */
    PH_VALUE_BASE64,
    PH_VALUE_SECRET
};

/* one key of an account, as `payhub channel account add` takes it */
struct ph_channel_field {
    const char           *key;
    bool                  required;
    bool                  secret; /* sealed at rest, never shown */
    const char           *meaning;
    enum ph_channel_value kind;
    /* groups by name, blank-separated: of the fields that name groups, those
     * of one whole group are needed; NULL = `required` alone decides */
    const char *one_of;
};

struct ph_channel_code {
    struct ph_str        code; /* ascending */
    enum ph_result_class result;
    struct ph_str        error_class; /* of channels/error_classes.def */
    uint32_t             ops; /* whose answers it judges; 0 = every one */
};

struct ph_trust; /* libpayhub/wire/cert.h */
struct ph_channel;

/* Made once for all accounts by whoever owns them. */
struct ph_channel_env {
    const struct ph_trust *trust; /* the system's authorities, pay.ca_file */
};

struct ph_channel_account {
    struct ph_str id;
    struct ph_str values[PH_CHANNEL_FIELDS_MAX]; /* in the order of fields[] */
    const struct ph_channel      *channel;
    const void                   *context; /* account_open()'s: parsed keys */
    const struct ph_channel_kept *kept;    /* NULL = none yet */
};

/* What evidence has to name; {NULL, 0} = nothing to compare. */
struct ph_channel_expected {
    struct ph_str seller;
    struct ph_str app;
};

/* A member of `extra` that methods of this channel take. */
struct ph_channel_extra {
    const char *key;
    const char *methods; /* blank-separated; NULL = all of the channel */
    bool        is_required;
};

struct ph_channel {
    uint32_t abi;  /* PH_CHANNEL_ABI; append only */
    uint32_t size; /* sizeof the adapter's table */

    const char                    *name;
    uint32_t                       caps;
    const char *const             *methods; /* NULL-terminated */
    const struct ph_channel_field *fields;
    size_t                         field_count;
    const struct ph_channel_code  *codes; /* sorted; absent = UNKNOWN */
    size_t                         code_count;

    enum ph_channel_step (*step)(struct ph_channel_call        *call,
                                 const struct ph_channel_reply *last,
                                 struct ph_channel_out         *out);

    /* PH_OK only for a genuine notice; verified before it is parsed */
    enum ph_rc (*notice)(const struct ph_channel_account *account,
                         const struct ph_channel_notice *in, uint64_t now_ms,
                         struct ph_arena              *arena,
                         struct ph_channel_notice_out *out);

    /* From here on all may be NULL or 0. */

    void *self; /* of a declared channel: the compiled file */

    /* Once a process, before anything else: for shared objects. */
    bool (*init)(void);

    const char *const *currencies; /* NULL-terminated; NULL = every one */
    uint32_t           deadline_ms[PH_OP_COUNT]; /* 0 = pay.channel_deadline */
    uint32_t reverse_after_ms; /* a bar code is not taken back sooner */
    const char *const             *wire_fields; /* the wire log may show */
    const struct ph_channel_extra *extra;
    size_t                         extra_count;

    /* Parses keys and certificates, those of account->kept too, on any thread;
     * NULL: *why says "KEY: found X, expected Y", in `arena`.  Immutable from
     * then on, used by any thread.  The values are what fields[] asks for, and
     * live as long as the context. */
    void *(*account_open)(const struct ph_channel_account *account,
                          const struct ph_channel_env *env, uint64_t now_ms,
                          struct ph_arena *arena, const char **why);
    void (*account_close)(void *context);

    /* NULL, or why this account cannot take this order: currency, amount, a
     * code of another wallet.  Pure; before any row is written. */
    const char *(*order_check)(const struct ph_channel_account *account,
                               const struct ph_channel_order   *order);

    /* What evidence about this order has to name.  order->extra {NULL, 0}: by
     * the account alone. */
    void (*expected)(const struct ph_channel_account *account,
                     const struct ph_channel_order   *order,
                     struct ph_arena *arena, struct ph_channel_expected *out);

    /* Keys that say who an account is, NULL-terminated: one that has payments
     * keeps them, for another merchant's "no such order" would be believed of
     * its own.  NULL = none. */
    const char *const *identity;
};

/* The built-in adapters, by name; channels/registry.c. */
const struct ph_channel *ph_channel_find(struct ph_str name);

/* the i-th, NULL after the last */
const struct ph_channel *ph_channel_at(size_t i);

#endif
