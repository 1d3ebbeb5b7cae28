
/*
 * Contexts: what a key needs ready to verify with, kept by each process.
 *
 * They are made at first use and found again by id and version of the key's
 * record, at most NGX_HTTP_PAYHUB_CONTEXTS_MAX of them; beyond that the one
 * used longest ago gives way, an HMAC to an HMAC by being keyed anew.  So a
 * PEM is parsed once for each key that is in use, and a replaced key's context
 * is not found any more.
 *
 * A context that a thread works with is out of the table: it has one user at
 * any time, and one key in use by several threads has several contexts.
 *
 * Dummies are public keys whose private halves were never kept, and an HMAC
 * key.  An unknown id, or one whose algorithm makes signatures of another
 * length, is verified by the dummy of the signature's length, and refused
 * whatever comes out: the work follows from what the caller sent alone.
 */


#include "ngx_http_payhub_verify.h"


#define NGX_HTTP_PAYHUB_CONTEXT_BUCKETS  8192   /* a power of two */


struct ngx_http_payhub_context_s {
    ngx_queue_t                 queue;      /* latest first */
    ngx_http_payhub_context_t  *next;       /* in a bucket */

    uint64_t                    version;
    uint32_t                    hash;
    enum ph_alg                 alg;
    size_t                      id_len;
    u_char                      id[NGX_HTTP_PAYHUB_NAME_MAX];

    struct ph_hmac             *mac;        /* hmac-sha256 */
    struct ph_verifier         *verifier;   /* all others */
};


typedef struct {
    ngx_queue_t                 queue;
    ngx_uint_t                  n;
    ngx_http_payhub_context_t  *buckets[NGX_HTTP_PAYHUB_CONTEXT_BUCKETS];
} ngx_http_payhub_contexts_t;


typedef struct {
    enum ph_alg                 alg;
    size_t                      signature_len;
    size_t                      id_len;     /* contexts of dummies: a name */
    u_char                      id[4];      /* that no key can have */
    ngx_str_t                   material;
} ngx_http_payhub_dummy_t;


static ngx_http_payhub_contexts_t *ngx_http_payhub_contexts(
    ngx_http_payhub_main_conf_t *pmcf);
static ngx_http_payhub_context_t *ngx_http_payhub_context_lookup(
    ngx_http_payhub_contexts_t *all, ngx_http_payhub_key_t *key);
static ngx_http_payhub_context_t *ngx_http_payhub_context_make(
    ngx_http_request_t *r, ngx_http_payhub_contexts_t *all,
    ngx_http_payhub_key_t *key);
static ngx_int_t ngx_http_payhub_context_load(ngx_http_request_t *r,
    ngx_http_payhub_context_t *context, ngx_http_payhub_key_t *key,
    struct ph_str material);
static void ngx_http_payhub_context_insert(ngx_http_payhub_contexts_t *all,
    ngx_http_payhub_context_t *context);
static void ngx_http_payhub_context_remove(ngx_http_payhub_contexts_t *all,
    ngx_http_payhub_context_t *context);
static void ngx_http_payhub_context_free(ngx_http_payhub_context_t *context);


static u_char  ngx_http_payhub_dummy_secret[NGX_HTTP_PAYHUB_SECRET_MIN];
static u_char  ngx_http_payhub_dummy_rsa2048[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAq3CTc5txQ6MREyAYhjnX\n"
    "80s5/p8BkoxAWJk8sg9XGcD2HMeQ4zjm/bNegNjdD4CzwRGju5QuYBtsMPKeLk8D\n"
    "vRyAEXKm5gcQT1MWTZUJk35SqL0YPUYU3rhetosq31khMUetDcTJW0IL2F31sZyF\n"
    "oE9nTDvj23wFfE/9u7vdHzY4x/SjnbZvIi8urkbalU+3BlwRg9w0A6ljdPfLpui8\n"
    "w82HYN1/DLpGUtvdHZF1HP3KRX1HDzyTMBvri/wFqk55UshiZf6AYDfKLYsXF+Bn\n"
    "d66UyFGv2imiuFS5Usd+We4rcPbquDWEw5NOrDOjKlUX9LQO5By6IyYgnb0F7mRV\n"
    "bQIDAQAB\n"
    "-----END PUBLIC KEY-----\n";
static u_char  ngx_http_payhub_dummy_rsa3072[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIIBojANBgkqhkiG9w0BAQEFAAOCAY8AMIIBigKCAYEAryxdQVEIDyvgE2/ZbOJS\n"
    "JWEJfQfJ0BuzKNI1Tm0GrN7bijC7WzkHQ0SgSPLImaH2nIzkSuRbP+82+Zturfm8\n"
    "ZsBfS3dmcKkJ43o2D+TZuCXZk2+O886POViO2cMR38sJbMF89toUCZpDG+e540Rz\n"
    "gTObHvIJ2LsU685NxYraF/R3hyNxKIUFIO1F7plYDJoHFecUdLB2IXV/+s66pbBT\n"
    "kVAJ6elCVYQHpNOPbdxaAh89VPjnn0/I6ngNJGdZMJEgUctHFPsWquow/Ozad/km\n"
    "GhjCdegYbGTK8EaV8C/5CYVfJcvHho7s6alTG3SIVd4R+Zw6aOfp5SrHzx7+Z5jm\n"
    "X2aEPMrWAx37vu4HNE76ZaXkPMzXUTfgcpwk5ui8QH7bPR45scpPM/JkkNJVhmaq\n"
    "lt5GxMD5KWA6TyVWsqn6/s4W67+5TgmFmw8tXN05Mt7D0W89Hom2henwqv1SC87t\n"
    "gKEsmEGJbSEQhB0vtTfzAl3dGo+sjMMHccKwMFB5N4FVAgMBAAE=\n"
    "-----END PUBLIC KEY-----\n";
static u_char  ngx_http_payhub_dummy_rsa4096[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIICIjANBgkqhkiG9w0BAQEFAAOCAg8AMIICCgKCAgEAqyIx5QalFuMOSKtcoGIc\n"
    "QE3fjRkdAWzZdK5FlHcAkcvkE+FtYt+CX2vZr8rggGzzjqXE97cDM0M9f1/gXRn7\n"
    "n0yOiiMVw6AaX4A0iw71C3z1x2aGC2pevH38CuL7fqE13Jup0v4zrFXfBM8q7QzM\n"
    "viNRtAs90OqgnobI4Fp44idKF1Vux28Q5DW7zZML85DwmmMqpbydyvtPuaKNJRXk\n"
    "hkit62bYaSwVWMkxf8uVBnKflpKmUgJIK03GQ8ep7we6NrBehwqiU1LEaqpdZAQ2\n"
    "v8V3gLAYGZpQirE+q8qRL671bnZVos3d7nM9kLUPfSUWt+MUhi2c6iMO4MvOqrgd\n"
    "CJ+WSBd8SZfqA24kyedwKHFto5WMBOUlB0QKkG7Da4Sd4y8fjnusUuRt8HAlOF8B\n"
    "347du7uMqRFAknlHsEOT5v98cDeIM3lH3UfDpDIK9lEkd6fqvvu/NZRJql7xAG6Z\n"
    "DXMwH6Cxqq+wo5QnFnoltKbYH5joDacP8quSaRZjm6jkbqOMAHUTYesyUtLHrs4O\n"
    "k4VvlH7OBQmxC5UjKs+I5w9ffKUuMoGaUvSnSh3G9E+d2vHzGzmAqTmzG33X84n6\n"
    "ZfyfiBhM5Oj4EiJJtQbKC5CPuv34kn77aWjXizMVW9vxGc8hmiTjEar45gLHqPRP\n"
    "yytBBC7tj8O8LhUeDMBEt9UCAwEAAQ==\n"
    "-----END PUBLIC KEY-----\n";
static u_char  ngx_http_payhub_dummy_p256[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEE1JsaiUZ4aC7GlhaEXKpkqDcRY1V\n"
    "x4pfkEVLw65Qa5Ws9LS+6nkrgWIY6pMBZbHs3Rxuj0Pl1oP9UsNMzluQgg==\n"
    "-----END PUBLIC KEY-----\n";
static u_char  ngx_http_payhub_dummy_ed25519[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MCowBQYDK2VwAyEAKE/ltK/zKhjC0g6de0gGdeyNMMsVJmUnKCZj6XltCv8=\n"
    "-----END PUBLIC KEY-----\n";
static u_char  ngx_http_payhub_dummy_sm2[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoEcz1UBgi0DQgAE7VjlBIf7RZSGcjtYtgqzwVIGlyjJ\n"
    "/Q/m3jQffB3jKHRpnWE4BMJBLB/JTn+ffboseUQxCGEnEQ9Moe9OT9wQlg==\n"
    "-----END PUBLIC KEY-----\n";


#define ngx_http_payhub_dummy_pem(alg, len, name, text)                       \
    { alg, len, sizeof(name) - 1, name, { sizeof(text) - 1, text } }


/* by signature length; RSA serves both of its algorithms */

static ngx_http_payhub_dummy_t  ngx_http_payhub_dummies[] = {
    { PH_ALG_HMAC_SHA256, 32, 2, ".h",
      { NGX_HTTP_PAYHUB_SECRET_MIN, ngx_http_payhub_dummy_secret } },
    ngx_http_payhub_dummy_pem(PH_ALG_ED25519, 64, ".e",
                              ngx_http_payhub_dummy_ed25519),
    ngx_http_payhub_dummy_pem(PH_ALG_ECDSA_P256_SHA256, 64, ".p",
                              ngx_http_payhub_dummy_p256),
    ngx_http_payhub_dummy_pem(PH_ALG_SM2_SM3, NGX_HTTP_PAYHUB_SM2_LEN_MAX,
                              ".s", ngx_http_payhub_dummy_sm2),
    ngx_http_payhub_dummy_pem(PH_ALG_RSA_V15_SHA256, 256, ".r2",
                              ngx_http_payhub_dummy_rsa2048),
    ngx_http_payhub_dummy_pem(PH_ALG_RSA_V15_SHA256, 384, ".r3",
                              ngx_http_payhub_dummy_rsa3072),
    ngx_http_payhub_dummy_pem(PH_ALG_RSA_V15_SHA256, 512, ".r4",
                              ngx_http_payhub_dummy_rsa4096)
};


static ngx_http_payhub_key_t
    ngx_http_payhub_dummy_keys[sizeof(ngx_http_payhub_dummies)
                               / sizeof(ngx_http_payhub_dummies[0])];


/* NULL when the crypto library or memory fails; borrowed until a next call */

ngx_http_payhub_context_t *
ngx_http_payhub_context(ngx_http_request_t *r, ngx_http_payhub_key_t *key)
{
    ngx_http_payhub_context_t    *context;
    ngx_http_payhub_contexts_t   *all;
    ngx_http_payhub_main_conf_t  *pmcf;

    pmcf = ngx_http_get_module_main_conf(r, ngx_http_payhub_module);

    all = ngx_http_payhub_contexts(pmcf);
    if (all == NULL) {
        return NULL;
    }

    context = ngx_http_payhub_context_lookup(all, key);

    if (context) {

        if (ngx_queue_head(&all->queue) != &context->queue) {
            ngx_queue_remove(&context->queue);
            ngx_queue_insert_head(&all->queue, &context->queue);
        }

        return context;
    }

    context = ngx_http_payhub_context_make(r, all, key);

    if (context) {
        ngx_http_payhub_context_insert(all, context);
    }

    return context;
}


/* the same for a thread: nobody else uses it until it is given back */

ngx_http_payhub_context_t *
ngx_http_payhub_context_take(ngx_http_request_t *r,
    ngx_http_payhub_key_t *key)
{
    ngx_http_payhub_context_t    *context;
    ngx_http_payhub_main_conf_t  *pmcf;

    context = ngx_http_payhub_context(r, key);

    if (context) {
        pmcf = ngx_http_get_module_main_conf(r, ngx_http_payhub_module);
        ngx_http_payhub_context_remove(pmcf->contexts, context);
    }

    return context;
}


void
ngx_http_payhub_context_give(ngx_http_payhub_main_conf_t *pmcf,
    ngx_http_payhub_context_t *context)
{
    ngx_queue_t                 *q;
    ngx_http_payhub_context_t   *old;
    ngx_http_payhub_contexts_t  *all;

    all = pmcf->contexts;

    if (all->n >= NGX_HTTP_PAYHUB_CONTEXTS_MAX) {
        q = ngx_queue_last(&all->queue);
        old = ngx_queue_data(q, ngx_http_payhub_context_t, queue);

        ngx_http_payhub_context_remove(all, old);
        ngx_http_payhub_context_free(old);
    }

    ngx_http_payhub_context_insert(all, context);
}


/* whether this key makes signatures of so many bytes */

ngx_uint_t
ngx_http_payhub_context_fits(ngx_http_payhub_context_t *context, size_t len)
{
    switch (context->alg) {

    case PH_ALG_HMAC_SHA256:
        return len == PH_SHA256_LEN;

    case PH_ALG_SM2_SM3:
        return len >= NGX_HTTP_PAYHUB_SM2_LEN_MIN
               && len <= NGX_HTTP_PAYHUB_SM2_LEN_MAX;

    default:
        return len == ph_verifier_signature_len(context->verifier);
    }
}


enum ph_alg
ngx_http_payhub_context_alg(ngx_http_payhub_context_t *context)
{
    return context->alg;
}


/* on any thread, by whoever owns the context */

enum ph_rc
ngx_http_payhub_context_check(ngx_http_payhub_context_t *context,
    struct ph_str *pieces, size_t count, struct ph_str signature)
{
    size_t  i;
    u_char  sum[PH_SHA256_LEN];

    if (context->mac == NULL) {
        return ph_verifier_check(context->verifier, pieces, count, signature);
    }

    if (!ph_hmac_begin(context->mac)) {
        return PH_E_CRYPTO;
    }

    for (i = 0; i < count; i++) {
        if (!ph_hmac_add(context->mac, pieces[i])) {
            return PH_E_CRYPTO;
        }
    }

    if (!ph_hmac_end(context->mac, sum)) {
        return PH_E_CRYPTO;
    }

    if (!ph_same_secret(ph_str_make((char *) sum, sizeof(sum)), signature)) {
        return PH_E_SIGNATURE;
    }

    return PH_OK;
}


struct ph_hmac *
ngx_http_payhub_context_mac(ngx_http_payhub_context_t *context)
{
    return context->mac;
}


/* NULL when the key is not an HMAC's, or the crypto library fails */

struct ph_hmac *
ngx_http_payhub_key_mac(ngx_http_request_t *r, ngx_http_payhub_key_t *key)
{
    ngx_http_payhub_context_t  *context;

    if (key->alg != PH_ALG_HMAC_SHA256) {
        return NULL;
    }

    context = ngx_http_payhub_context(r, key);

    return context ? context->mac : NULL;
}


/*
 * What verifies a signature of `len` bytes for nobody; NULL when no key here
 * can make one.  Of two algorithms with one length the id says which: the same
 * id always costs the same.
 */

ngx_http_payhub_key_t *
ngx_http_payhub_dummy(ngx_http_payhub_main_conf_t *pmcf, ngx_uint_t algs,
    struct ph_str id, size_t len)
{
    uint32_t                  hash;
    ngx_uint_t                i, n, rsa;
    ngx_http_payhub_key_t    *key;
    ngx_http_payhub_dummy_t  *dummy;

    n = sizeof(ngx_http_payhub_dummies) / sizeof(ngx_http_payhub_dummies[0]);
    key = NULL;

    if (algs & NGX_HTTP_PAYHUB_ALG(PH_ALG_RSA_PSS_SHA512)) {
        algs |= NGX_HTTP_PAYHUB_ALG(PH_ALG_RSA_V15_SHA256);
    }

    if (len >= NGX_HTTP_PAYHUB_SM2_LEN_MIN
        && len <= NGX_HTTP_PAYHUB_SM2_LEN_MAX)
    {
        len = NGX_HTTP_PAYHUB_SM2_LEN_MAX;
    }

    for (i = 0; i < n; i++) {
        dummy = &ngx_http_payhub_dummies[i];

        if (!(algs & NGX_HTTP_PAYHUB_ALG(dummy->alg))) {
            continue;
        }

        rsa = (dummy->alg == PH_ALG_RSA_V15_SHA256);

        /* RSA keys of other sizes: the next size stands in */

        if (rsa ? (len < PH_RSA_BITS_MIN / 8
                   || (len > dummy->signature_len && i + 1 < n))
                : len != dummy->signature_len)
        {
            continue;
        }

        if (key && dummy->alg == PH_ALG_ECDSA_P256_SHA256) {
            hash = ngx_murmur_hash2((u_char *) id.ptr, id.len) ^ pmcf->salt;

            if (hash * 2654435761u >> 31) {
                break;
            }
        }

        key = &ngx_http_payhub_dummy_keys[i];

        key->id.data = dummy->id;
        key->id.len = dummy->id_len;
        key->alg = dummy->alg;
        key->material = dummy->material;
        key->hash = (uint32_t) i;

        if (dummy->alg != PH_ALG_ED25519) {
            break;
        }
    }

    return key;
}


void
ngx_http_payhub_contexts_cleanup(void *data)
{
    ngx_http_payhub_main_conf_t  *pmcf = data;

    ngx_queue_t                 *q;
    ngx_http_payhub_context_t   *context;
    ngx_http_payhub_contexts_t  *all;

    all = pmcf->contexts;

    if (all == NULL) {
        return;
    }

    while (!ngx_queue_empty(&all->queue)) {
        q = ngx_queue_head(&all->queue);
        context = ngx_queue_data(q, ngx_http_payhub_context_t, queue);

        ngx_queue_remove(q);
        ngx_http_payhub_context_free(context);
    }

    ngx_free(all);
    pmcf->contexts = NULL;
}


/* made at first use: the master has none */

static ngx_http_payhub_contexts_t *
ngx_http_payhub_contexts(ngx_http_payhub_main_conf_t *pmcf)
{
    ngx_http_payhub_contexts_t  *all;

    if (pmcf->contexts) {
        return pmcf->contexts;
    }

    all = ngx_calloc(sizeof(ngx_http_payhub_contexts_t), ngx_cycle->log);

    if (all) {
        ngx_queue_init(&all->queue);
        pmcf->contexts = all;
    }

    return all;
}


static ngx_http_payhub_context_t *
ngx_http_payhub_context_lookup(ngx_http_payhub_contexts_t *all,
    ngx_http_payhub_key_t *key)
{
    ngx_http_payhub_context_t  *context;

    context = all->buckets[key->hash & (NGX_HTTP_PAYHUB_CONTEXT_BUCKETS - 1)];

    for ( /* void */ ; context; context = context->next) {

        if (context->hash == key->hash
            && context->version == key->version
            && context->id_len == key->id.len
            && ngx_memcmp(context->id, key->id.data, key->id.len) == 0)
        {
            return context;
        }
    }

    return NULL;
}


static ngx_http_payhub_context_t *
ngx_http_payhub_context_make(ngx_http_request_t *r,
    ngx_http_payhub_contexts_t *all, ngx_http_payhub_key_t *key)
{
    u_char                      material[PH_KEY_MATERIAL_MAX];
    ngx_int_t                   rc;
    ngx_queue_t                *q;
    struct ph_str               view;
    ngx_http_payhub_context_t  *context;

    context = NULL;

    if (all->n >= NGX_HTTP_PAYHUB_CONTEXTS_MAX) {
        q = ngx_queue_last(&all->queue);
        context = ngx_queue_data(q, ngx_http_payhub_context_t, queue);

        ngx_http_payhub_context_remove(all, context);

        if (context->mac == NULL || key->alg != PH_ALG_HMAC_SHA256) {
            ngx_http_payhub_context_free(context);
            context = NULL;
        }
    }

    if (context == NULL) {
        context = ngx_calloc(sizeof(ngx_http_payhub_context_t),
                             ngx_cycle->log);
        if (context == NULL) {
            return NULL;
        }
    }

    if (key->material.len) {
        view = ngx_http_payhub_view(&key->material);

        return ngx_http_payhub_context_load(r, context, key, view) == NGX_OK
               ? context : NULL;
    }

    rc = NGX_ERROR;

    if (ngx_http_payhub_key_material(key, material)) {
        view = ph_str_make((char *) material, key->material_len);
        rc = ngx_http_payhub_context_load(r, context, key, view);

    } else {
        key->stale = 1;
        ngx_http_payhub_context_free(context);
    }

    ngx_explicit_memzero(material, key->material_len);

    return (rc == NGX_OK) ? context : NULL;
}


/* frees the context when it fails */

static ngx_int_t
ngx_http_payhub_context_load(ngx_http_request_t *r,
    ngx_http_payhub_context_t *context, ngx_http_payhub_key_t *key,
    struct ph_str material)
{
    enum ph_rc  rc;
    ngx_uint_t  ok;

    if (key->alg != PH_ALG_HMAC_SHA256) {
        rc = ph_verifier_new(&context->verifier, key->alg, material);
        ok = (rc == PH_OK);

        if (!ok) {
            context->verifier = NULL;
            key->unfit = (rc != PH_E_CRYPTO);
        }

    } else if (context->mac) {
        ok = ph_hmac_rekey(context->mac, material);

    } else {
        context->mac = ph_hmac_new(material);
        ok = (context->mac != NULL);
    }

    if (!ok) {

        if (key->unfit) {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "payhub verify: key \"%V\": found material that is "
                          "no key of its algorithm", &key->id);

        } else {
            ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                          "payhub verify: key \"%V\" could not be made "
                          "ready", &key->id);
        }

        ngx_http_payhub_context_free(context);
        return NGX_ERROR;
    }

    context->version = key->version;
    context->hash = key->hash;
    context->alg = key->alg;
    context->id_len = key->id.len;
    ngx_memcpy(context->id, key->id.data, key->id.len);

    return NGX_OK;
}


static void
ngx_http_payhub_context_insert(ngx_http_payhub_contexts_t *all,
    ngx_http_payhub_context_t *context)
{
    ngx_http_payhub_context_t  **bucket;

    bucket = &all->buckets[context->hash
                           & (NGX_HTTP_PAYHUB_CONTEXT_BUCKETS - 1)];

    context->next = *bucket;
    *bucket = context;

    ngx_queue_insert_head(&all->queue, &context->queue);
    all->n++;
}


static void
ngx_http_payhub_context_remove(ngx_http_payhub_contexts_t *all,
    ngx_http_payhub_context_t *context)
{
    ngx_http_payhub_context_t  **p;

    p = &all->buckets[context->hash & (NGX_HTTP_PAYHUB_CONTEXT_BUCKETS - 1)];

    while (*p != context) {
        p = &(*p)->next;
    }

    *p = context->next;

    ngx_queue_remove(&context->queue);
    all->n--;
}


static void
ngx_http_payhub_context_free(ngx_http_payhub_context_t *context)
{
    ph_hmac_free(context->mac);
    ph_verifier_free(context->verifier);
    ngx_free(context);
}
