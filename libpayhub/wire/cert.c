/*
 * cert.c - certificates, bundles of them, chains.
 *
 * OpenSSL parses and verifies; which texts are taken, what a chain has to be,
 * and which of its answers count as what is decided here.
 */
#include "libpayhub/wire/cert.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <time.h>

#include "libpayhub/wire/cert_x509.h"

/* As OpenSSL counts them: MD5 has 39 bits, SHA-1 63, SHA-224 112. */
static const int chain_bits[] = { [PH_CHAIN_SHA2] = 112, [PH_CHAIN_SHA1] = 60 };
#define DER_SEQUENCE 0x30

static const char pem_begin[] = "-----BEGIN ";
static const char pem_name[]  = "CERTIFICATE";

struct ph_cert {
    X509                 *x509;
    struct ph_public_key *key;
};

struct ph_trust {
    X509_STORE *store;
    size_t      count;
};

/* --- one certificate ------------------------------------------------------ */

/* The whole of `der` as one certificate. */
static X509 *
x509_of_der(const unsigned char *der, long len)
{
    const unsigned char *at   = der;
    X509                *x509 = d2i_X509(NULL, &at, len);

    if (x509 != NULL && at != der + len) {
        X509_free(x509);
        x509 = NULL;
    }
    return x509;
}

/*
 * The next certificate of a PEM.  PH_E_MISSING: no more; PH_E_SYNTAX: one that
 * cannot be read.  Blocks of other names are skipped.
 */
static enum ph_rc
pem_next(BIO *bio, X509 **x509)
{
    enum ph_rc     rc = PH_E_MORE;
    char          *name, *header;
    unsigned char *der;
    long           len;

    while (rc == PH_E_MORE) {
        name = header = NULL;
        der           = NULL;
        if (PEM_read_bio(bio, &name, &header, &der, &len) != 1) {
            unsigned long error = ERR_peek_last_error();
            return ERR_GET_LIB(error) == ERR_LIB_PEM
                           && ERR_GET_REASON(error) == PEM_R_NO_START_LINE
                       ? PH_E_MISSING
                       : PH_E_SYNTAX;
        }
        if (strcmp(name, pem_name) == 0) {
            *x509 = header[0] == '\0' ? x509_of_der(der, len) : NULL;
            rc    = *x509 != NULL ? PH_OK : PH_E_SYNTAX;
        }
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(der);
    }
    return rc;
}

/* NULL when the library failed; `text` may be {NULL, 0} */
static BIO *
bio_of(struct ph_str text)
{
    return BIO_new_mem_buf(text.ptr != NULL ? text.ptr : "", (int) text.len);
}

static X509 *
x509_of_pem(struct ph_str pem)
{
    X509 *x509 = NULL;
    BIO  *bio  = bio_of(pem);

    if (bio != NULL && pem_next(bio, &x509) != PH_OK) {
        x509 = NULL;
    }
    BIO_free(bio);
    return x509;
}

/* Base64 in one line or several, nothing around it. */
static X509 *
x509_of_b64(struct ph_str text)
{
    X509           *x509 = NULL;
    EVP_ENCODE_CTX *ctx  = EVP_ENCODE_CTX_new();
    unsigned char  *der  = OPENSSL_malloc(text.len + 4);
    int             len = 0, rest = 0;

    if (ctx != NULL && der != NULL) {
        EVP_DecodeInit(ctx);
        if (EVP_DecodeUpdate(ctx, der, &len, (const unsigned char *) text.ptr,
                             (int) text.len)
                >= 0
            && EVP_DecodeFinal(ctx, der + len, &rest) == 1)
        {
            x509 = x509_of_der(der, len + rest);
        }
    }
    OPENSSL_free(der);
    EVP_ENCODE_CTX_free(ctx);
    return x509;
}

enum ph_rc
ph_cert_of(struct ph_cert **out, X509 *x509)
{
    struct ph_cert *cert = calloc(1, sizeof(*cert));
    EVP_PKEY       *key;
    enum ph_rc      rc = PH_OK;

    /* what is computed at first use is computed now: threads share it */
    if (cert == NULL || X509_check_purpose(x509, -1, 0) != 1) {
        X509_free(x509);
        free(cert);
        ERR_clear_error();
        return cert == NULL ? PH_E_CRYPTO : PH_E_SYNTAX;
    }
    cert->x509 = x509;
    key        = X509_get_pubkey(x509);
    if (key != NULL) {
        rc = ph_public_key_of(&cert->key, key);
    }
    ERR_clear_error();
    if (rc == PH_E_CRYPTO) {
        ph_cert_free(cert);
        return rc;
    }
    *out = cert;
    return PH_OK;
}

static bool
has_pem(struct ph_str text)
{
    return text.len != 0
           && memmem(text.ptr, text.len, pem_begin, sizeof(pem_begin) - 1)
                  != NULL;
}

/* A text that is one certificate and no PEM. */
static X509 *
x509_of_bare(struct ph_str text)
{
    if (text.len == 0 || text.len > PH_CERT_TEXT_MAX) {
        return NULL;
    }
    return text.ptr[0] == DER_SEQUENCE
               ? x509_of_der((const unsigned char *) text.ptr, (long) text.len)
               : x509_of_b64(text);
}

enum ph_rc
ph_cert_new(struct ph_cert **out, struct ph_str text)
{
    X509 *x509;

    if (text.len > PH_CERT_TEXT_MAX) {
        return PH_E_RANGE;
    }
    x509 = has_pem(text) ? x509_of_pem(text) : x509_of_bare(text);
    ERR_clear_error();
    return x509 != NULL ? ph_cert_of(out, x509) : PH_E_SYNTAX;
}

void
ph_cert_free(struct ph_cert *cert)
{
    if (cert == NULL) {
        return;
    }
    ph_public_key_free(cert->key);
    X509_free(cert->x509);
    free(cert);
}

/*
 * Every certificate of a text goes to `take`, which owns it from then on.
 * PH_E_MISSING: there is none.
 */
static enum ph_rc
x509_each(struct ph_str text, enum ph_rc (*take)(void *data, X509 *x509),
          void         *data)
{
    enum ph_rc rc    = PH_OK;
    size_t     found = 0;
    X509      *x509;
    BIO       *bio;

    if (text.len > PH_CERTS_TEXT_MAX) {
        return PH_E_RANGE;
    }
    if (!has_pem(text)) {
        x509 = x509_of_bare(text);
        ERR_clear_error();
        return x509 != NULL ? take(data, x509) : PH_E_MISSING;
    }
    bio = bio_of(text);
    if (bio == NULL) {
        return PH_E_CRYPTO;
    }
    while (rc == PH_OK) {
        rc = pem_next(bio, &x509);
        if (rc == PH_OK) {
            rc = take(data, x509);
            found++;
        }
    }
    BIO_free(bio);
    ERR_clear_error();
    return rc == PH_E_MISSING && found != 0 ? PH_OK : rc;
}

struct certs {
    struct ph_cert **out;
    size_t           most, count;
};

static enum ph_rc
certs_take(void *data, X509 *x509)
{
    struct certs *certs = data;
    enum ph_rc    rc;

    if (certs->count == certs->most) {
        X509_free(x509);
        return PH_E_FULL;
    }
    rc = ph_cert_of(&certs->out[certs->count], x509);
    certs->count += rc == PH_OK;
    return rc;
}

enum ph_rc
ph_certs_new(struct ph_cert **out, size_t most, size_t *count,
             struct ph_str text)
{
    struct certs certs = { out, most, 0 };
    enum ph_rc   rc    = x509_each(text, certs_take, &certs);

    if (rc != PH_OK) {
        ph_certs_free(out, certs.count);
        return rc;
    }
    *count = certs.count;
    return PH_OK;
}

void
ph_certs_free(struct ph_cert *const *certs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ph_cert_free(certs[i]);
    }
}

/* --- what it says --------------------------------------------------------- */

/* The serial by one of OpenSSL's writers of numbers. */
static void
serial_add(const struct ph_cert *cert, char *(*write)(const BIGNUM *),
           struct ph_buf        *buf)
{
    BIGNUM *serial
        = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert->x509), NULL);
    char *text = serial != NULL ? write(serial) : NULL;

    if (text != NULL) {
        ph_buf_add(buf, ph_str_z(text));
    } else {
        buf->full = true;
    }
    OPENSSL_free(text);
    BN_free(serial);
    ERR_clear_error();
}

void
ph_cert_serial_hex(const struct ph_cert *cert, struct ph_buf *buf)
{
    serial_add(cert, BN_bn2hex, buf);
}

void
ph_cert_serial_decimal(const struct ph_cert *cert, struct ph_buf *buf)
{
    serial_add(cert, BN_bn2dec, buf);
}

bool
ph_cert_alipay_sn(const struct ph_cert *cert, struct ph_buf *buf)
{
    /* names in UTF-8 as they are, not as \XX */
    static const unsigned long flags = XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB;

    unsigned char md5[EVP_MAX_MD_SIZE];
    unsigned      len = 0;
    bool          ok  = false;
    char         *text, serial[64];
    struct ph_buf number = PH_BUF_INIT(serial);
    BIO          *bio    = BIO_new(BIO_s_mem());

    ph_cert_serial_decimal(cert, &number);
    if (bio != NULL && !number.full
        && X509_NAME_print_ex(bio, X509_get_issuer_name(cert->x509), 0, flags)
               >= 0
        && BIO_write(bio, serial, (int) number.len) == (int) number.len)
    {
        long text_len = BIO_get_mem_data(bio, &text);
        ok = EVP_Digest(text, (size_t) text_len, md5, &len, EVP_md5(), NULL)
             == 1;
    }
    if (ok) {
        ph_buf_hex(buf, ph_str_make((const char *) md5, len));
    }
    BIO_free(bio);
    ERR_clear_error();
    return ok && !buf->full;
}

bool
ph_cert_is_rsa_signed(const struct ph_cert *cert)
{
    int pkey = NID_undef;

    return OBJ_find_sigid_algs(X509_get_signature_nid(cert->x509), NULL, &pkey)
               == 1
           && (pkey == NID_rsaEncryption || pkey == NID_rsassaPss);
}

struct ph_str
ph_cert_cn(const struct ph_cert *cert, struct ph_arena *arena)
{
    const struct ph_str none    = { NULL, 0 };
    const X509_NAME    *subject = X509_get_subject_name(cert->x509);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

    if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
    {
        return none;
    }
    const X509_NAME_ENTRY *entry = X509_NAME_get_entry(subject, at);
    unsigned char         *utf8  = NULL;
    struct ph_str          name  = none;
    int len = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(entry));

    if (len > 0 && memchr(utf8, '\0', (size_t) len) == NULL) {
        name = ph_arena_dup(arena,
                            ph_str_make((const char *) utf8, (size_t) len));
    }
    OPENSSL_free(utf8);
    ERR_clear_error();
    return name;
}

const struct ph_public_key *
ph_cert_key(const struct ph_cert *cert)
{
    return cert->key;
}

/* 0 when it is before 1970 or no time */
static uint64_t
asn1_ms(const ASN1_TIME *time)
{
    struct tm when;

    if (ASN1_TIME_to_tm(time, &when) != 1) {
        return 0;
    }
    const time_t s = timegm(&when);
    return s > 0 ? (uint64_t) s * 1000 : 0;
}

void
ph_cert_dates(const struct ph_cert *cert, uint64_t *from_ms, uint64_t *until_ms)
{
    *from_ms  = asn1_ms(X509_get0_notBefore(cert->x509));
    *until_ms = asn1_ms(X509_get0_notAfter(cert->x509));
}

bool
ph_cert_same(const struct ph_cert *a, const struct ph_cert *b)
{
    return X509_cmp(a->x509, b->x509) == 0;
}

/* --- chains --------------------------------------------------------------- */

static enum ph_rc
trust_take(void *data, X509 *x509)
{
    struct ph_trust *trust = data;
    enum ph_rc       rc    = PH_E_RANGE;

    /* one that is there already is no fault */
    if (trust->count < PH_TRUST_MAX) {
        rc = X509_STORE_add_cert(trust->store, x509) == 1 ? PH_OK : PH_E_CRYPTO;
    }
    trust->count++;
    X509_free(x509);
    return rc;
}

enum ph_rc
ph_trust_new(struct ph_trust **out, const struct ph_str *texts, size_t count)
{
    enum ph_rc       rc    = PH_OK;
    struct ph_trust *trust = calloc(1, sizeof(*trust));

    if (trust != NULL) {
        trust->store = X509_STORE_new();
    }
    if (trust == NULL || trust->store == NULL) {
        ph_trust_free(trust);
        return PH_E_CRYPTO;
    }
    for (size_t i = 0; i < count && rc == PH_OK; i++) {
        rc = x509_each(texts[i], trust_take, trust);
        rc = rc == PH_E_MISSING ? PH_OK : rc;
    }
    if (rc == PH_OK && trust->count == 0) {
        rc = PH_E_MISSING;
    }
    if (rc != PH_OK) {
        ph_trust_free(trust);
        return rc;
    }
    *out = trust;
    return PH_OK;
}

void
ph_trust_free(struct ph_trust *trust)
{
    if (trust != NULL) {
        X509_STORE_free(trust->store);
        free(trust);
    }
}

/* Every certificate but the authority's own is signed over a good digest. */
static bool
chain_is_strong(const STACK_OF(X509) * chain, enum ph_chain_digest least)
{
    for (int i = 0; i + 1 < sk_X509_num(chain); i++) {
        int bits = 0;

        if (X509_get_signature_info(sk_X509_value(chain, i), NULL, NULL, &bits,
                                    NULL)
                != 1
            || bits < chain_bits[least])
        {
            return false;
        }
    }
    return true;
}

static enum ph_rc
chain_judge(X509_STORE_CTX *ctx, bool is_chained, enum ph_chain_digest least)
{
    if (is_chained) {
        return chain_is_strong(X509_STORE_CTX_get0_chain(ctx), least)
                   ? PH_OK
                   : PH_E_SIGNATURE;
    }
    switch (X509_STORE_CTX_get_error(ctx)) {
    case X509_V_ERR_CERT_NOT_YET_VALID:
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return PH_E_RANGE;
    case X509_V_ERR_OUT_OF_MEM:
        return PH_E_CRYPTO;
    default:
        return PH_E_SIGNATURE;
    }
}

enum ph_rc
ph_chain_check(const struct ph_cert *leaf, const struct ph_cert *const *middle,
               size_t count, const struct ph_trust *roots, uint64_t now_ms,
               enum ph_chain_digest least)
{
    enum ph_rc      rc     = PH_E_CRYPTO;
    X509_STORE_CTX *ctx    = X509_STORE_CTX_new();
    STACK_OF(X509) *others = sk_X509_new_null();

    if (ctx == NULL || others == NULL || count > PH_CHAIN_MIDDLE_MAX) {
        goto done;
    }
    for (size_t i = 0; i < count; i++) {
        if (sk_X509_push(others, middle[i]->x509) == 0) {
            goto done;
        }
    }
    if (X509_STORE_CTX_init(ctx, roots->store, leaf->x509, others) != 1) {
        goto done;
    }
    X509_STORE_CTX_set_time(ctx, 0, (time_t) (now_ms / 1000));
    rc = chain_judge(ctx, X509_verify_cert(ctx) == 1, least);

done:
    X509_STORE_CTX_free(ctx);
    sk_X509_free(others); /* the certificates are the callers' */
    ERR_clear_error();
    return rc;
}
