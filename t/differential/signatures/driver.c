/*
 * driver.c - judges what generate.mjs made, and compares the verdicts.
 *   usage: driver CASES < stream     exit 0 only if every verdict is equal, no
 *   mutant was taken and there were CASES of them
 *
 * PAYHUB_BREAK=verdict|digest|coverage|signature spoils this side, to show
 * that the comparison fails then.
 */
#include <stdio.h>
#include <stdlib.h>

#include "libpayhub/wire/auth_9421.h"
#include "libpayhub/wire/auth_v3.h"
#include "libpayhub/wire/b64.h"
#include "libpayhub/wire/content_digest.h"
#include "libpayhub/wire/digest.h"

#define KEYS_MAX 32
#define TEXT_MAX (1024 * 1024)
#define NAMES_MAX 64
#define NAME_LEN_MAX 32
#define SHOWN_MAX 20
#define STREAM_END 255

struct key {
    char                id[PH_KEY_ID_LEN_MAX];
    struct ph_str       name;
    enum ph_alg         alg;
    struct ph_verifier *verifier;
};

struct tally {
    char          name[NAME_LEN_MAX];
    unsigned long count, taken;
};

struct request {
    unsigned               scheme;
    bool                   wanted;
    struct ph_str          mutation, body;
    struct ph_9421_request http;
    struct ph_9421_field   fields[PH_9421_FIELDS_MAX];
};

static struct key    keys[KEYS_MAX];
static size_t        key_count;
static uint64_t      now;
static struct tally  tallies[3][NAMES_MAX];
static unsigned long cases, different, mutants_taken, originals_refused;
static char          arena[4 * TEXT_MAX];
static size_t        arena_used;
static const char   *spoil = "";

static void
die(const char *why)
{
    (void) fprintf(stderr, "driver: %s\n", why);
    exit(2);
}

static void
take(void *out, size_t len)
{
    if (fread(out, 1, len, stdin) != len) {
        die("the stream ends early");
    }
}

static uint32_t
take_u32(void)
{
    uint8_t bytes[4];

    take(bytes, sizeof(bytes));
    return bytes[0] | (uint32_t) bytes[1] << 8 | (uint32_t) bytes[2] << 16
           | (uint32_t) bytes[3] << 24;
}

/* lives until the next request */
static struct ph_str
take_text(void)
{
    uint32_t len = take_u32();
    char    *at  = arena + arena_used;

    if (len > TEXT_MAX || len > sizeof(arena) - arena_used) {
        die("a text is too long");
    }
    arena_used += len;
    take(at, len);
    return ph_str_make(at, len);
}

static void
take_keys(void)
{
    now       = take_u32();
    key_count = take_u32();
    if (key_count > KEYS_MAX) {
        die("too many keys");
    }
    for (size_t i = 0; i < key_count; i++) {
        struct key   *key = &keys[i];
        struct ph_str id  = take_text();
        uint8_t       alg;

        take(&alg, 1);
        if (id.len > sizeof(key->id)) {
            die("a key's id is too long");
        }
        memcpy(key->id, id.ptr, id.len);
        key->name = ph_str_make(key->id, id.len);
        key->alg  = (enum ph_alg) alg;
        if (ph_verifier_new(&key->verifier, key->alg, take_text()) != PH_OK) {
            die("a key was refused");
        }
    }
}

static struct key *
key_find(struct ph_str id)
{
    for (size_t i = 0; i < key_count; i++) {
        if (ph_str_eq(keys[i].name, id)) {
            return &keys[i];
        }
    }
    return NULL;
}

static bool
key_known(void *data, struct ph_str id)
{
    (void) data;
    return key_find(id) != NULL;
}

static bool
take_request(struct request *request)
{
    uint8_t head[2];

    arena_used = 0;
    take(head, 1);
    if (head[0] == STREAM_END) {
        return false;
    }
    take(head + 1, 1);
    request->scheme         = head[0];
    request->wanted         = head[1] == 1;
    request->mutation       = take_text();
    request->http.method    = take_text();
    request->http.target    = take_text();
    request->http.scheme    = take_text();
    request->http.authority = take_text();
    request->body           = take_text();
    uint32_t count          = take_u32();
    if (count > PH_COUNT(request->fields) || request->scheme > 2) {
        die("a malformed case");
    }
    for (uint32_t i = 0; i < count; i++) {
        request->fields[i].name  = take_text();
        request->fields[i].value = take_text();
    }
    request->http.fields      = request->fields;
    request->http.field_count = count;
    request->http.has_body    = request->body.len != 0;
    return true;
}

static bool
spoilt(const char *what)
{
    return strcmp(spoil, what) == 0;
}

static bool
signature_holds(const struct key *key, const struct ph_str *pieces,
                size_t count, struct ph_str base64)
{
    char          memory[PH_SIGNATURE_MAX];
    struct ph_buf raw = PH_BUF_INIT(memory);

    if (key == NULL || ph_b64_decode(&raw, base64) != PH_OK) {
        return false;
    }
    enum ph_rc rc
        = ph_verifier_check(key->verifier, pieces, count, ph_buf_str(&raw));
    if (rc == PH_E_CRYPTO) {
        die("the crypto library failed");
    }
    return rc == PH_OK || spoilt("signature");
}

static bool
judge_v3(const struct request *request)
{
    static char       memory[2 * PH_9421_BASE_MAX];
    struct ph_buf     prefix = PH_BUF_INIT(memory);
    struct ph_auth_v3 auth;

    if (ph_auth_v3_parse(request->fields[0].value, &auth) != PH_OK) {
        return false;
    }
    ph_auth_v3_prefix(&prefix, request->http.method, request->http.target,
                      auth.timestamp_text, auth.nonce);
    struct ph_str pieces[]
        = { ph_buf_str(&prefix), request->body, PH_STR("\n") };
    return !prefix.full
           && signature_holds(key_find(auth.key_id), pieces, PH_COUNT(pieces),
                              auth.signature);
}

static bool
judge_9421(const struct request *request)
{
    static struct ph_9421           all;
    static char                     memory[PH_9421_BASE_MAX];
    struct ph_buf                   base = PH_BUF_INIT(memory);
    const struct ph_9421_signature *chosen;

    if (ph_9421_read(&request->http, &all) != PH_9421_OK
        || ph_9421_choose(&all, key_known, NULL, &chosen) != PH_9421_OK)
    {
        return false;
    }
    const struct key  *key = key_find(chosen->keyid);
    enum ph_9421_fault fault
        = ph_9421_check(&all, chosen, &request->http, key->alg, now);
    if (fault != PH_9421_OK
        && !(spoilt("coverage") && fault == PH_9421_NOT_COVERED))
    {
        return false;
    }
    if (all.content_digest.ptr != NULL && !spoilt("digest")
        && ph_content_digest_check(all.content_digest, &request->body, 1)
               != PH_OK)
    {
        return false;
    }
    if (ph_9421_base(chosen, &request->http, &base) != PH_9421_OK) {
        return false;
    }
    struct ph_str pieces[] = { ph_buf_str(&base) };
    return signature_holds(key, pieces, 1, chosen->signature);
}

static void
count_case(const struct request *request, bool taken)
{
    struct tally *row = tallies[request->scheme];
    size_t        i   = 0;

    while (i + 1 < NAMES_MAX && row[i].name[0] != '\0'
           && !ph_str_eq(ph_str_z(row[i].name), request->mutation))
    {
        i++;
    }
    if (row[i].name[0] == '\0') {
        (void) snprintf(row[i].name, NAME_LEN_MAX, "%.*s",
                        (int) request->mutation.len, request->mutation.ptr);
    }
    row[i].count++;
    row[i].taken += taken;
}

static void
show(const struct request *request, bool taken)
{
    (void) printf("different: %s case %lu, %.*s: theirs %d, ours %d\n",
                  request->scheme == 1 ? "payhub-v3" : "rfc9421", cases,
                  (int) request->mutation.len, request->mutation.ptr,
                  request->wanted, taken);
    (void) printf("  %.*s %.*s\n", (int) request->http.method.len,
                  request->http.method.ptr, (int) request->http.target.len,
                  request->http.target.ptr);
    for (size_t i = 0; i < request->http.field_count; i++) {
        (void) printf("  %.*s: %.*s\n", (int) request->fields[i].name.len,
                      request->fields[i].name.ptr,
                      (int) request->fields[i].value.len,
                      request->fields[i].value.ptr);
    }
}

static void
judge(const struct request *request)
{
    bool taken = request->scheme == 1 ? judge_v3(request) : judge_9421(request);
    bool original = ph_str_eq(request->mutation, PH_STR("original"));

    cases++;
    if (spoilt("verdict") && cases == 1000) {
        taken = !taken;
    }
    mutants_taken += taken && !original;
    originals_refused += !taken && original;
    count_case(request, taken);
    if (taken != request->wanted && different++ < SHOWN_MAX) {
        show(request, taken);
    }
}

static void
print_tallies(void)
{
    for (size_t scheme = 1; scheme <= 2; scheme++) {
        for (size_t i = 0; i < NAMES_MAX; i++) {
            const struct tally *row = &tallies[scheme][i];

            if (row->count != 0) {
                (void) printf("%s %s: %lu judged, %lu taken\n",
                              scheme == 1 ? "payhub-v3" : "rfc9421", row->name,
                              row->count, row->taken);
            }
        }
    }
}

int
main(int argc, char **argv)
{
    static struct request request;
    uint64_t              wanted = 0;

    if (argc != 2 || !ph_str_u64(ph_str_z(argv[1]), UINT32_MAX, &wanted)) {
        die("usage: driver CASES < stream");
    }
    if (getenv("PAYHUB_BREAK") != NULL) {
        spoil = getenv("PAYHUB_BREAK");
    }
    if (!ph_digest_init()) {
        die("no usable OpenSSL");
    }
    take_keys();
    while (take_request(&request)) {
        judge(&request);
    }
    print_tallies();
    (void) printf("%lu cases, %lu verdicts differ, %lu mutants taken, "
                  "%lu originals refused\n",
                  cases, different, mutants_taken, originals_refused);
    for (size_t i = 0; i < key_count; i++) {
        ph_verifier_free(keys[i].verifier);
    }
    ph_digest_deinit();
    return cases == wanted && different + mutants_taken + originals_refused == 0
               ? 0
               : 1;
}
