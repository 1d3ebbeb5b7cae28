/*
 * sign.c - recipes of `sign`, and the check of what others signed.
 */
#include <string.h>

#include "channels/declarative/filter.h"
#include "channels/pick_int.h"
#include "libpayhub/wire/digest.h"
#include "libpayhub/wire/digest_old.h"
#include "libpayhub/wire/form.h"
#include "libpayhub/wire/json_member.h"
#include "libpayhub/wire/rsa.h"

#define CUT_SHARE 4 /* so many places are looked at for one byte of fuel */

enum alg_kind { ALG_DIGEST, ALG_HMAC, ALG_KEY };

struct alg {
    const char   *name;
    enum alg_kind kind;
    int           of; /* enum ph_digest_old or ph_rsa_form */
};

/* clang-format off */
static const struct alg algs[] = {
    { "hmac_md5",    ALG_HMAC,   PH_OLD_MD5 },
    { "hmac_sha256", ALG_HMAC,   PH_OLD_SHA256 },
    { "md5",         ALG_DIGEST, PH_OLD_MD5 },
    { "rsa_raw",     ALG_KEY,    PH_RSA_RAW },
    { "rsa_sha1",    ALG_KEY,    PH_RSA_SHA1 },
    { "rsa_sha256",  ALG_KEY,    PH_RSA_SHA256 },
    { "sha256",      ALG_DIGEST, PH_OLD_SHA256 },
    { "sm2",         ALG_KEY,    PH_SM2_SM3 },
};

const char *const declared_alg_names[] = {
    "hmac_md5", "hmac_sha256", "md5", "rsa_raw", "rsa_sha1", "rsa_sha256",
    "sha256", "sm2", NULL,
};
/* clang-format on */

int
declared_alg_key(int alg)
{
    return algs[alg].kind == ALG_KEY    ? ARG_PUBLIC
           : algs[alg].kind == ALG_HMAC ? ARG_SECRET
                                        : ARG_NONE;
}

/* ---- names and values that are joined ---- */

static bool
is_skipped(const struct declared_sign *sign, struct ph_str name)
{
    for (size_t i = 0; i < sign->skip.count; i++) {
        if (ph_str_eq(sign->skip.items[i], name)) {
            return true;
        }
    }
    return false;
}

static bool
fields_pairs(struct declared_run *run, struct ph_pair *pairs, size_t *count)
{
    const struct declared_fields *fields = run->fields;

    *count = 0;
    for (size_t i = 0; fields != NULL && i < fields->count; i++) {
        const struct declared_field *field = &fields->items[i];
        struct ph_pair              *pair  = &pairs[*count];

        if (field->count != 0 || *count == PH_FORM_PAIRS_MAX) {
            return declared_fault(run, FAULT_VALUE);
        }
        pair->name  = field->name;
        pair->value = field->exact;
        if (field->exact.len == 0
            && !declared_text(run, &field->value, &pair->value)) {
            return false;
        }
        ++*count;
    }
    return true;
}

/* a number as it was sent, for that is what was signed */
static bool
exact_text(struct declared_run *run, const struct declared_doc *doc,
           struct ph_str name, struct ph_str *out)
{
    /* the text is read from its beginning for each */
    return declared_burn(run, doc->text.len / DECLARED_READ_SHARE)
           && ((doc->form == FORM_JSON
                && ph_json_member(doc->text, name, out) == PH_OK)
               || declared_fault(run, FAULT_UNREADABLE));
}

static bool
value_text(struct declared_run *run, const struct declared_doc *doc,
           struct ph_str name, const json_t *value, struct ph_str *out)
{
    if (json_is_string(value)) {
        *out = ph_str_make(json_string_value(value), json_string_length(value));
        return true;
    }
    if (json_is_null(value)) {
        *out = ph_str_make(NULL, 0);
        return true;
    }
    if (json_is_object(value) || json_is_array(value)) {
        return declared_fault(run, FAULT_UNREADABLE);
    }
    return exact_text(run, doc, name, out);
}

/*
 * "a=1&b=2" is the text of {a: "1", b: "2"} and of {a: "1&b=2"}: whoever gets
 * his words into a message could have it read in other pieces, under the same
 * signature.  So what is joined may not hold the beginning of a member that
 * the file reads; where values stand alone, nothing that parts them.
 */
bool
declared_can_be_cut(const struct ph_declared   *file,
                    const struct declared_sign *sign, struct ph_str text)
{
    struct ph_str between = sign->between;

    for (size_t i = 0; i + between.len <= text.len; i++) {
        struct ph_str rest = ph_str_make(text.ptr + i, text.len - i);

        if (!ph_str_starts(rest, between)) {
            continue;
        }
        if (sign->pair == PAIR_VALUE) {
            return true;
        }
        rest.ptr += between.len;
        rest.len -= between.len;
        for (size_t k = 0; k < file->reads.count; k++) {
            size_t len = file->reads.items[k].len;

            if (ph_str_starts(rest, file->reads.items[k])
                && (sign->pair == PAIR_TOGETHER
                    || (rest.len > len && rest.ptr[len] == '=')))
            {
                return true;
            }
        }
    }
    return false;
}

/* Each place of the value is looked at for each name that the file reads. */
static size_t
cut_cost(const struct ph_declared *file, struct ph_str value)
{
    return value.len / CUT_SHARE * (1 + file->reads.count);
}

static bool
name_is_plain(struct ph_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char ch = name.ptr[i];

        if (!((ch >= '0' && ch <= '9') || (ch >= 'A' && ch <= 'Z')
              || (ch >= 'a' && ch <= 'z') || ch == '_' || ch == '-'
              || ch == '.'))
        {
            return false;
        }
    }
    return name.len != 0;
}

static bool
doc_pairs(struct declared_run *run, const struct declared_sign *sign,
          struct ph_pair *pairs, size_t *count)
{
    const struct declared_doc *doc
        = declared_doc_get(run, sign->join == JOIN_INNER);

    *count = 0;
    if (doc == NULL) {
        return false;
    }
    const json_t *root = ph_doc_root(doc->doc);

    if (json_object_size(root) > PH_FORM_PAIRS_MAX) {
        return declared_fault(run, FAULT_UNREADABLE);
    }
    for (void *at = json_object_iter((json_t *) (uintptr_t) root); at != NULL;
         at       = json_object_iter_next((json_t *) (uintptr_t) root, at))
    {
        struct ph_pair *pair = &pairs[(*count)++];

        pair->name = ph_str_make(json_object_iter_key(at),
                                 json_object_iter_key_len(at));
        if (is_skipped(sign, pair->name)) {
            --*count;
            continue;
        }
        if (!value_text(run, doc, pair->name, json_object_iter_value(at),
                        &pair->value)) {
            return false;
        }
        if (!declared_burn(run, cut_cost(run->file, pair->value))) {
            return false;
        }
        if (!name_is_plain(pair->name)
            || declared_can_be_cut(run->file, sign, pair->value))
        {
            return declared_fault(run, FAULT_UNREADABLE);
        }
    }
    return true;
}

static void
pair_add(struct ph_buf *buf, const struct declared_sign *sign,
         const struct ph_pair *pair)
{
    if (sign->pair != PAIR_VALUE) {
        ph_buf_add(buf, pair->name);
    }
    if (sign->pair == PAIR_KEY_VALUE) {
        ph_buf_byte(buf, '=');
    }
    if (sign->pair != PAIR_KEY) {
        ph_buf_add(buf, pair->value);
    }
}

static bool
join_text(struct declared_run *run, const struct declared_sign *sign,
          struct ph_str *out)
{
    struct ph_pair *pairs
        = ph_arena_take(run->arena, PH_FORM_PAIRS_MAX * sizeof(*pairs));
    size_t        count;
    struct ph_str head, tail;
    struct ph_buf buf;
    bool          is_first = true;

    if (pairs == NULL) {
        return declared_fault(run, FAULT_ROOM);
    }
    if (!(sign->join == JOIN_FIELDS ? fields_pairs(run, pairs, &count)
                                    : doc_pairs(run, sign, pairs, &count))
        || !declared_text(run, &sign->head, &head)
        || !declared_text(run, &sign->tail, &tail))
    {
        return false;
    }
    if (sign->sorts) {
        ph_pairs_sort(pairs, count);
    }
    ph_arena_open(run->arena, &buf);
    ph_buf_add(&buf, head);
    for (size_t i = 0; i < count; i++) {
        if (is_skipped(sign, pairs[i].name)
            || (pairs[i].value.len == 0 && !sign->keeps_empty))
        {
            continue;
        }
        ph_buf_add(&buf, is_first ? PH_STR("") : sign->between);
        pair_add(&buf, sign, &pairs[i]);
        is_first = false;
    }
    ph_buf_add(&buf, tail);
    return declared_filter_end(run, &buf, out);
}

bool
declared_sign_text(struct declared_run *run, const struct declared_sign *sign,
                   struct ph_str *out)
{
    bool ok = sign->join == JOIN_NONE ? declared_text(run, &sign->text, out)
                                      : join_text(run, sign, out);

    return ok && declared_filters_run(run, sign->then, sign->then_count, out);
}

/* ---- verifying ---- */

static enum ph_rc
same_check(struct declared_run *run, const struct declared_verify *verify)
{
    for (size_t i = 0; i < verify->same_count; i++) {
        struct ph_str left, right;

        if (!declared_text(run, &verify->same[i].left, &left)
            || !declared_text(run, &verify->same[i].right, &right)
            || left.len == 0 || !ph_str_eq(left, right))
        {
            return PH_E_SIGNATURE;
        }
    }
    return PH_OK;
}

static enum ph_rc
time_check(struct declared_run *run, const struct declared_verify *verify)
{
    uint64_t      at_ms, window_ms = (uint64_t) verify->window_s * 1000;
    struct ph_str at;

    if (!verify->at.is_set) {
        return PH_OK;
    }
    if (!declared_text(run, &verify->at, &at)
        || !ph_str_u64(at, UINT64_C(253402300799999), &at_ms))
    {
        return PH_E_SIGNATURE;
    }
    return at_ms + window_ms < run->now_ms || at_ms > run->now_ms + window_ms
               ? PH_E_RANGE
               : PH_OK;
}

static enum ph_rc
secret_check(struct declared_run *run, const struct alg *alg, size_t key,
             struct ph_str text, struct ph_str signature)
{
    char          memory[PH_OLD_DIGEST_MAX];
    struct ph_buf made = PH_BUF_INIT(memory);
    bool          ok;

    ok = alg->kind == ALG_HMAC
             ? ph_hmac_raw((enum ph_digest_old) alg->of,
                           declared_secret(run, key), &text, 1, &made)
             : ph_digest_raw((enum ph_digest_old) alg->of, &text, 1, &made);
    if (!ok) {
        return PH_E_CRYPTO;
    }
    ok = ph_same_secret(ph_buf_str(&made), signature);
    explicit_bzero(memory, sizeof(memory));
    return ok ? PH_OK : PH_E_SIGNATURE;
}

static enum ph_rc
signature_check(struct declared_run *run, const struct alg *alg, size_t key,
                struct ph_str text, struct ph_str signature)
{
    const struct ph_public_key *theirs;

    if (alg->kind != ALG_DIGEST && run->account->values[key].len == 0) {
        return PH_E_SIGNATURE; /* an account without it */
    }
    if (alg->kind != ALG_KEY) {
        return secret_check(run, alg, key, text, signature);
    }
    theirs = run->keys->at[key].theirs;
    return theirs == NULL ? PH_E_CRYPTO
                          : ph_public_check(theirs, (enum ph_rsa_form) alg->of,
                                            &text, 1, signature);
}

enum ph_rc
declared_verify(struct declared_run *run, const struct declared_verify *verify)
{
    const struct alg *alg = &algs[verify->alg];
    struct ph_str     text, signature;
    enum ph_rc        rc;

    if (!(verify->of != NULL ? declared_sign_text(run, verify->of, &text)
                             : declared_text(run, &verify->text, &text))
        || !declared_text(run, &verify->signature, &signature)
        || signature.len == 0)
    {
        return PH_E_SIGNATURE;
    }
    rc = signature_check(run, alg, verify->key, text, signature);
    if (rc != PH_OK && verify->has_old_key) {
        rc = signature_check(run, alg, verify->old_key, text, signature);
    }
    rc = rc == PH_OK ? same_check(run, verify) : rc;
    return rc == PH_OK ? time_check(run, verify) : rc;
}
