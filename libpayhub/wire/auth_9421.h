/*
 * auth_9421.h - scheme rfc9421: the fields Signature-Input and Signature, what
 * a signature has to cover, and the string that it signs (the base).
 *
 * In order: ph_9421_read(), ph_9421_choose(), the key's record, then
 * ph_9421_check(), ph_9421_base(), the body's digest (content_digest.h), the
 * signature itself (verify.h).  The clock window over `created` is the
 * caller's, as for payhub-v3.  Nothing here allocates; all views are into the
 * caller's request.
 *
 * Stricter than RFC 8941, which takes the last of two equal names and lets
 * numbers be written in several ways: here a name stands once and a value in
 * its one canonical form.  Blanks are taken where the RFC lets them stand.
 */
#ifndef PH_WIRE_AUTH_9421_H
#define PH_WIRE_AUTH_9421_H

#include "libpayhub/wire/auth_v3.h"
#include "libpayhub/wire/verify.h"

#define PH_9421_HEADER_MAX 4096 /* bytes of Signature-Input; of Signature */
#define PH_9421_SIGNATURES_MAX 8
#define PH_9421_COMPONENTS_MAX 16 /* of one signature */
#define PH_9421_PARAMS_MAX 8      /* of one signature */
#define PH_9421_LABEL_LEN_MAX 64
#define PH_9421_COMPONENT_LEN_MAX 64
#define PH_9421_FIELDS_MAX 128 /* header fields of a request */
#define PH_9421_BASE_MAX 16384 /* bytes of a base; more is PH_9421_TOO_LONG */

/*
 * FAULT(NAME, HTTP status, text).  401 is every failure to prove who sent
 * this; 400 a request that may be genuine and cannot be judged.
 */
#define PH_9421_FAULTS(FAULT)                                                  \
    FAULT(OK, 0, "no fault")                                                   \
    FAULT(SYNTAX, 401, "a signature field that cannot be read")                \
    FAULT(LABELS, 401, "Signature-Input and Signature with other labels")      \
    FAULT(PARAMETER, 401, "created, keyid, nonce or expires unfit or missing") \
    FAULT(ALG, 401, "another algorithm than the key's")                        \
    FAULT(EXPIRED, 401, "a signature after its expires")                       \
    FAULT(NOT_COVERED, 401, "a required component that is not covered")        \
    FAULT(COMPONENT, 401, "a component that cannot be built")                  \
    FAULT(UNKNOWN, 401, "no signature by a known key")                         \
    FAULT(COMPONENT_PARAMS, 400, "a component with parameters")                \
    FAULT(SEVERAL, 400, "several signatures by known keys")                    \
    FAULT(TWICE, 400, "a field twice that may stand once")                     \
    FAULT(TOO_LONG, 400, "more or longer fields than are taken")

enum ph_9421_fault {
#define FAULT(name, status, text) PH_9421_##name,
    PH_9421_FAULTS(FAULT)
#undef FAULT
};

unsigned      ph_9421_status(enum ph_9421_fault fault);
struct ph_str ph_9421_text(enum ph_9421_fault fault);

struct ph_9421_field {
    struct ph_str name; /* in any case */
    struct ph_str value;
};

struct ph_9421_request {
    struct ph_str method;    /* as received */
    struct ph_str target;    /* as received, from its first "/" */
    struct ph_str scheme;    /* "http" | "https": which port is the default */
    struct ph_str authority; /* Host or :authority as received */

    const struct ph_9421_field *fields; /* every header field, in order */
    size_t                      field_count;
    bool                        has_body; /* of one byte or more */
};

struct ph_9421_param {
    struct ph_str key;
    struct ph_str value; /* its text with "=" and quotes; empty = true */
};

struct ph_9421_signature {
    struct ph_str label;
    struct ph_str signature; /* base64 text, strict when decoded */
    struct ph_str components[PH_9421_COMPONENTS_MAX]; /* without quotes */
    size_t        component_count;
    bool          component_params; /* some component has parameters */

    struct ph_9421_param params[PH_9421_PARAMS_MAX]; /* in order: signed */
    size_t               param_count;

    /* {NULL, 0} = absent; without quotes; {"", 0} = not a string */
    struct ph_str keyid, nonce, alg;
    struct ph_str created_text; /* digits, as signed */
    uint64_t      created;      /* unix seconds */
    uint64_t      expires;
    bool          has_created, has_expires;
    bool          params_unfit; /* a known parameter of another type or range */
};

struct ph_9421 {
    struct ph_9421_signature signatures[PH_9421_SIGNATURES_MAX];
    size_t                   count;
    struct ph_str            content_digest;  /* {NULL, 0} = not sent */
    struct ph_str            idempotency_key; /* {NULL, 0} = not sent */
};

/*
 * Finds and reads Signature-Input, Signature, Content-Digest and
 * Idempotency-Key; each may stand once (PH_9421_TWICE).  `out` is valid only
 * on PH_9421_OK, with 1 or more signatures.
 */
enum ph_9421_fault ph_9421_read(const struct ph_9421_request *request,
                                struct ph_9421 *out) PH_MUST_CHECK;

/*
 * The signature whose keyid `known` knows.  PH_9421_UNKNOWN: none, and *out is
 * the first one, to be judged as if it were, so that the answers are alike.
 * PH_9421_SEVERAL: two or more, *out is the first of them; to be told only to
 * who proves that one, or anybody could ask which keys there are.
 */
typedef bool (*ph_9421_known)(void *data, struct ph_str keyid);
enum ph_9421_fault
ph_9421_choose(const struct ph_9421 *all, ph_9421_known known, void *data,
               const struct ph_9421_signature **out) PH_MUST_CHECK;

/*
 * What the server demands of the chosen one: components, parameters, `alg`
 * (PH_ALG_NONE = the key is unknown: not compared), `expires` against `now`
 * in unix seconds.
 */
enum ph_9421_fault ph_9421_check(const struct ph_9421           *all,
                                 const struct ph_9421_signature *signature,
                                 const struct ph_9421_request   *request,
                                 enum ph_alg alg, uint64_t now) PH_MUST_CHECK;

/* Does the signature cover this component (a field's name in lower case)? */
bool ph_9421_covers(const struct ph_9421_signature *signature,
                    struct ph_str                   component);

/* Appends the signature base; the buffer needs up to PH_9421_BASE_MAX. */
enum ph_9421_fault ph_9421_base(const struct ph_9421_signature *signature,
                                const struct ph_9421_request   *request,
                                struct ph_buf *buf) PH_MUST_CHECK;

/* Appends ("a" "b");created=1;... as Signature-Input has it; for clients. */
void ph_9421_params_format(const struct ph_9421_signature *signature,
                           struct ph_buf                  *buf);

#endif
