/*
 * signatures.c - what verifying one signature costs, by algorithm, under keys
 * that are kept; beside RSA-2048 by OpenSSL alone on a digest made before, with
 * its context made anew, and with its PEM parsed anew, for every check.
 *
 * All run in turns within one process, so that a slow moment slows all; each
 * figure is CPU time, the median of ROUNDS.  Prints "NAME VALUE UNIT" lines.
 */
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "libpayhub/wire/digest.h"
#include "libpayhub/wire/verify.h"

#define ROUNDS 5
#define ROUND_NS 60000000 /* of each subject */
#define MESSAGE_LEN 342

struct subject {
    const char *row;
    enum ph_alg alg;
    const char *kind, *group; /* of the key */
    bool (*check)(struct subject *subject);
    EVP_PKEY           *key;
    char                pem[PH_PUBLIC_KEY_PEM_MAX];
    struct ph_verifier *verifier;
    EVP_PKEY_CTX       *ready; /* check_library */
    char                signature[PH_SIGNATURE_MAX];
    size_t              signature_len;
    uint64_t            ns[ROUNDS];
};

static char message[MESSAGE_LEN];

static bool
check_kept(struct subject *s)
{
    struct ph_str whole = ph_str_make(message, sizeof(message));

    return ph_verifier_check(s->verifier, &whole, 1,
                             ph_str_make(s->signature, s->signature_len))
           == PH_OK;
}

/* what OpenSSL takes for RSA itself: no check can cost less */
static bool
check_library(struct subject *s)
{
    static unsigned char digest[PH_SHA256_LEN];
    struct ph_str        whole = ph_str_make(message, sizeof(message));

    if (s->ready == NULL) {
        s->ready = EVP_PKEY_CTX_new(s->key, NULL);
        if (s->ready == NULL || EVP_PKEY_verify_init(s->ready) != 1
            || EVP_PKEY_CTX_set_rsa_padding(s->ready, RSA_PKCS1_PADDING) != 1
            || EVP_PKEY_CTX_set_signature_md(s->ready, EVP_sha256()) != 1
            || !ph_sha256(&whole, 1, digest))
        {
            return false;
        }
    }
    return EVP_PKEY_verify(s->ready, (const unsigned char *) s->signature,
                           s->signature_len, digest, sizeof(digest))
           == 1;
}

/* the key is kept, its context is not */
static bool
check_new_context(struct subject *s)
{
    EVP_MD_CTX *work = EVP_MD_CTX_new();
    bool        ok
        = EVP_DigestVerifyInit(work, NULL, EVP_sha256(), NULL, s->key) == 1
          && EVP_DigestVerify(work, (const unsigned char *) s->signature,
                              s->signature_len, (const unsigned char *) message,
                              sizeof(message))
                 == 1;

    EVP_MD_CTX_free(work);
    return ok;
}

static bool
check_new_pem(struct subject *s)
{
    EVP_PKEY *kept = s->key;
    BIO      *bio  = BIO_new_mem_buf(s->pem, -1);

    s->key  = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    bool ok = s->key != NULL && check_new_context(s);
    EVP_PKEY_free(s->key);
    s->key = kept;
    BIO_free(bio);
    return ok;
}

/* clang-format off */
static struct subject subjects[] = {
    { .row = "rsa.us", .alg = PH_ALG_RSA_V15_SHA256, .kind = "RSA",
      .check = check_kept },
    { .row = "rsa.library_us", .alg = PH_ALG_RSA_V15_SHA256, .kind = "RSA",
      .check = check_library },
    { .row = "rsa.new_context_us", .alg = PH_ALG_RSA_V15_SHA256, .kind = "RSA",
      .check = check_new_context },
    { .row = "rsa.new_pem_us", .alg = PH_ALG_RSA_V15_SHA256, .kind = "RSA",
      .check = check_new_pem },
    { .row = "rsa.pss_us", .alg = PH_ALG_RSA_PSS_SHA512, .kind = "RSA",
      .check = check_kept },
    { .row = "ecdsa.us", .alg = PH_ALG_ECDSA_P256_SHA256, .kind = "EC",
      .group = "P-256", .check = check_kept },
    { .row = "ed25519.us", .alg = PH_ALG_ED25519, .kind = "ED25519",
      .check = check_kept },
    { .row = "sm2.us", .alg = PH_ALG_SM2_SM3, .kind = "SM2",
      .check = check_kept },
};
/* clang-format on */

static bool
pair_of_der(struct subject *s)
{
    const unsigned char *der = (const unsigned char *) s->signature;
    ECDSA_SIG     *pair = d2i_ECDSA_SIG(NULL, &der, (long) s->signature_len);
    unsigned char *out  = (unsigned char *) s->signature;
    bool           ok   = pair != NULL
              && BN_bn2binpad(ECDSA_SIG_get0_r(pair), out, 32) == 32
              && BN_bn2binpad(ECDSA_SIG_get0_s(pair), out + 32, 32) == 32;

    ECDSA_SIG_free(pair);
    s->signature_len = 64;
    return ok;
}

static bool
subject_sign(struct subject *s)
{
    EVP_MD_CTX   *work = EVP_MD_CTX_new();
    EVP_PKEY_CTX *ctx  = EVP_PKEY_CTX_new_from_pkey(NULL, s->key, NULL);
    const char   *md   = s->alg == PH_ALG_ED25519          ? NULL
                         : s->alg == PH_ALG_RSA_PSS_SHA512 ? "SHA512"
                         : s->alg == PH_ALG_SM2_SM3        ? "SM3"
                                                           : "SHA256";
    bool          ok   = true;

    if (s->alg == PH_ALG_SM2_SM3) {
        ok = EVP_PKEY_CTX_set1_id(ctx, PH_SM2_ID, sizeof(PH_SM2_ID) - 1) == 1;
    }
    EVP_MD_CTX_set_pkey_ctx(work, ctx);
    ok = ok
         && EVP_DigestSignInit_ex(work, NULL, md, NULL, NULL, s->key, NULL)
                == 1;
    if (s->alg == PH_ALG_RSA_PSS_SHA512) {
        ok = ok && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1
             && EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST)
                    == 1;
    }
    s->signature_len = sizeof(s->signature);
    ok               = ok
         && EVP_DigestSign(work, (unsigned char *) s->signature,
                           &s->signature_len, (const unsigned char *) message,
                           sizeof(message))
                == 1;
    EVP_MD_CTX_free(work);
    EVP_PKEY_CTX_free(ctx);
    return ok && (s->alg != PH_ALG_ECDSA_P256_SHA256 || pair_of_der(s));
}

static bool
subject_make(struct subject *s)
{
    char *text;

    s->key = s->group != NULL ? EVP_PKEY_Q_keygen(NULL, NULL, s->kind, s->group)
             : strcmp(s->kind, "RSA") == 0
                 ? EVP_PKEY_Q_keygen(NULL, NULL, s->kind, (size_t) 2048)
                 : EVP_PKEY_Q_keygen(NULL, NULL, s->kind);
    BIO *bio = BIO_new(BIO_s_mem());
    if (s->key == NULL || PEM_write_bio_PUBKEY(bio, s->key) != 1) {
        BIO_free(bio);
        return false;
    }
    size_t len = (size_t) BIO_get_mem_data(bio, &text);
    bool   ok  = len < sizeof(s->pem);
    if (ok) {
        memcpy(s->pem, text, len);
    }
    BIO_free(bio);
    return ok
           && ph_verifier_new(&s->verifier, s->alg, ph_str_make(s->pem, len))
                  == PH_OK
           && subject_sign(s);
}

/* CPU time of this process: what other processes take does not count */
static uint64_t
cpu_ns(void)
{
    struct timespec now = { 0, 0 };

    (void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t) now.tv_sec * 1000000000 + (uint64_t) now.tv_nsec;
}

/* ns a check; 0 = a right signature was refused */
static uint64_t
round_ns(struct subject *s)
{
    uint64_t begin = cpu_ns(), end, checks = 0;

    do {
        if (!s->check(s)) {
            return 0;
        }
        checks++;
        end = cpu_ns();
    } while (end - begin < ROUND_NS);
    return (end - begin) / checks;
}

static int
ns_cmp(const void *a, const void *b)
{
    const uint64_t *left = a, *right = b;

    return (*left > *right) - (*left < *right);
}

int
main(void)
{
    memset(message, 'x', sizeof(message));
    if (!ph_digest_init()) {
        (void) fprintf(stderr, "signatures: no usable OpenSSL\n");
        return 1;
    }
    for (size_t i = 0; i < PH_COUNT(subjects); i++) {
        if (!subject_make(&subjects[i])) {
            (void) fprintf(stderr, "signatures: no key for %s\n",
                           subjects[i].row);
            return 1;
        }
    }
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < PH_COUNT(subjects); i++) {
            subjects[i].ns[round] = round_ns(&subjects[i]);
            if (subjects[i].ns[round] == 0) {
                (void) fprintf(stderr,
                               "signatures: %s: a right signature was "
                               "refused\n",
                               subjects[i].row);
                return 1;
            }
        }
    }
    for (size_t i = 0; i < PH_COUNT(subjects); i++) {
        struct subject *s = &subjects[i];

        qsort(s->ns, ROUNDS, sizeof(s->ns[0]), ns_cmp);
        size_t middle = ROUNDS / 2;
        (void) printf("%s %.1f us\n", s->row, (double) s->ns[middle] / 1e3);
        ph_verifier_free(s->verifier);
        EVP_PKEY_CTX_free(s->ready);
        EVP_PKEY_free(s->key);
    }
    ph_digest_deinit();
    return 0;
}
