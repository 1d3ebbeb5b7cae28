/*
 * test_cert.c - certificates of channels: what is read, what they say, which
 * chains hold, key files.  Chains are signed here with the vectors' keys.
 */
#include "t/unit/support.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "libpayhub/wire/cert.h"
#include "libpayhub/wire/digest.h"
#include "libpayhub/wire/rsa.h"

#define KEYS "t/data/vectors/keys/"
#define NOW_S 1795478400 /* 2026-11-24 00:00 UTC */
#define DAY_S 86400L
#define NOW_MS (NOW_S * UINT64_C(1000))

enum { ROOT, MIDDLE, LEAF, OTHER, PAIRS };

static const char *const key_files[PAIRS] = {
    KEYS "unionpay/root_pkcs8.pem",
    KEYS "unionpay/middle_pkcs8.pem",
    KEYS "unionpay/acpsign_pkcs8.pem",
    KEYS "unionpay/evil_pkcs8.pem",
};

static EVP_PKEY *pairs[PAIRS];

static int
set_up(void **state)
{
    (void) state;
    for (size_t i = 0; i < PAIRS; i++) {
        FILE *file = fopen(key_files[i], "rb");

        assert_non_null(file);
        pairs[i] = PEM_read_PrivateKey(file, NULL, NULL, NULL);
        assert_non_null(pairs[i]);
        (void) fclose(file);
    }
    return ph_digest_init() ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void) state;
    for (size_t i = 0; i < PAIRS; i++) {
        EVP_PKEY_free(pairs[i]);
    }
    ph_digest_deinit();
    return 0;
}

/* A certificate of the vectors. */
static struct ph_cert *
cert_file(const char *path)
{
    struct ph_cert *cert = NULL;

    assert_int_equal(ph_cert_new(&cert, t_file(path)), PH_OK);
    return cert;
}

/* --- reading -------------------------------------------------------------- */

static void
der_of_file(const char *path, unsigned char **der, int *len)
{
    FILE *file = fopen(path, "rb");
    X509 *x509 = file != NULL ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;

    assert_non_null(x509);
    *der = NULL;
    *len = i2d_X509(x509, der);
    assert_true(*len > 0);
    (void) fclose(file);
    X509_free(x509);
}

static void
reads_as(struct ph_str text, enum ph_rc want)
{
    struct ph_cert *cert = NULL;

    assert_int_equal(ph_cert_new(&cert, text), want);
    if (want == PH_OK) {
        char          memory[64];
        struct ph_buf buf = PH_BUF_INIT(memory);

        ph_cert_serial_decimal(cert, &buf);
        t_same(ph_buf_str(&buf), PH_STR("276063963090"));
        ph_cert_free(cert);
    }
}

static void
test_shapes_of_one(void **state)
{
    static char    memory[PH_CERT_TEXT_MAX + 1];
    struct ph_buf  buf = PH_BUF_INIT(memory);
    struct ph_str  pem = t_file(KEYS "unionpay/acpsign.cer");
    unsigned char *der;
    int            der_len;

    (void) state;
    reads_as(pem, PH_OK);
    ph_buf_add(&buf, PH_STR("Bag Attributes\n  localKeyID: 01\n"));
    ph_buf_add(&buf, pem);
    reads_as(ph_buf_str(&buf), PH_OK);
    /* the first one of a file counts */
    ph_buf_add(&buf, t_file(KEYS "unionpay/root.cer"));
    reads_as(ph_buf_str(&buf), PH_OK);

    ph_buf_cut(&buf, 0);
    pem = t_file(KEYS "unionpay/acpsign.cer");
    for (size_t i = 0; i < pem.len; i++) {
        ph_buf_add(&buf, pem.ptr[i] == '\n' ? PH_STR("\r\n")
                                            : ph_str_make(&pem.ptr[i], 1));
    }
    reads_as(ph_buf_str(&buf), PH_OK);

    der_of_file(KEYS "unionpay/acpsign.cer", &der, &der_len);
    struct ph_str raw = ph_str_make((const char *) der, (size_t) der_len);
    reads_as(raw, PH_OK);
    for (size_t i = 0; i < raw.len; i++) {
        reads_as(ph_str_make(raw.ptr, i), PH_E_SYNTAX);
    }
    ph_buf_cut(&buf, 0);
    ph_buf_add(&buf, raw);
    ph_buf_byte(&buf, 0);
    reads_as(ph_buf_str(&buf), PH_E_SYNTAX);

    memory[EVP_EncodeBlock((unsigned char *) memory, der, der_len)] = '\0';
    reads_as(ph_str_z(memory), PH_OK);
    OPENSSL_free(der);

    reads_as(ph_str_make(NULL, 0), PH_E_SYNTAX);
    reads_as(PH_STR("-----BEGIN CERTIFICATE-----\n"), PH_E_SYNTAX);
    reads_as(PH_STR("-----BEGIN CERTIFICATE-----\nMIIB\n"
                    "-----END CERTIFICATE-----\n"),
             PH_E_SYNTAX);
    reads_as(t_file(KEYS "unionpay/root_pkcs8.pem"), PH_E_SYNTAX);
    memset(memory, 'A', sizeof(memory));
    reads_as(ph_str_make(memory, sizeof(memory)), PH_E_RANGE);
}

/* As banks hand them out: DER, or its base64 alone. */
static void
test_bundles_of_one(void **state)
{
    static char      memory[PH_CERT_TEXT_MAX];
    struct ph_trust *trust = NULL;
    struct ph_cert  *certs[1];
    unsigned char   *der;
    int              der_len;
    size_t           count = 0;

    (void) state;
    der_of_file(KEYS "unionpay/root.cer", &der, &der_len);
    struct ph_str raw = ph_str_make((const char *) der, (size_t) der_len);
    assert_int_equal(ph_trust_new(&trust, &raw, 1), PH_OK);
    ph_trust_free(trust);
    assert_int_equal(ph_certs_new(certs, 1, &count, raw), PH_OK);
    assert_int_equal(count, 1);
    ph_certs_free(certs, count);
    memory[EVP_EncodeBlock((unsigned char *) memory, der, der_len)] = '\0';
    raw = ph_str_z(memory);
    assert_int_equal(ph_trust_new(&trust, &raw, 1), PH_OK);
    ph_trust_free(trust);
    OPENSSL_free(der);
}

static void
test_bundles(void **state)
{
    struct ph_cert *certs[8];
    size_t          count = 0;
    struct ph_str   all   = t_file(KEYS "alipay/alipayRootCert.crt");

    (void) state;
    assert_int_equal(ph_certs_new(certs, 8, &count, all), PH_OK);
    assert_int_equal(count, 3);
    assert_int_equal(ph_cert_is_rsa_signed(certs[0])
                         + ph_cert_is_rsa_signed(certs[1])
                         + ph_cert_is_rsa_signed(certs[2]),
                     2);
    ph_certs_free(certs, count);
    assert_int_equal(ph_certs_new(certs, 2, &count, all), PH_E_FULL);
    assert_int_equal(ph_certs_new(certs, 8, &count, PH_STR("nothing\n")),
                     PH_E_MISSING);
    assert_int_equal(ph_certs_new(certs, 8, &count, ph_str_make(NULL, 0)),
                     PH_E_MISSING);
    /* one that is cut makes none of them */
    assert_int_equal(
        ph_certs_new(certs, 8, &count, ph_str_make(all.ptr, all.len - 40)),
        PH_E_SYNTAX);
    assert_int_equal(
        ph_certs_new(certs, 8, &count, t_file(KEYS "unionpay/root_pkcs8.pem")),
        PH_E_MISSING);
}

/* --- what they say -------------------------------------------------------- */

static void
test_numbers(void **state)
{
    static const struct {
        const char *file;
        const char *decimal;
        const char *hex;
        const char *alipay; /* of the vectors, computed by alipay-sdk */
    } rows[] = {
        { KEYS "unionpay/merchant.cer", "18051823068123974", "40220995861346",
          NULL },
        { KEYS "unionpay/enc.cer", "276063963091", "4046B1C7D3", NULL },
        { KEYS "unionpay/middle.cer", "268435457", "10000001", NULL },
        { KEYS "alipay/appCertPublicKey.crt", NULL, NULL,
          "8fa1c2a1b87d4c72da130327af8b04f4" },
        { KEYS "alipay/alipayCertPublicKey.crt", NULL, NULL,
          "6e04c3526d3982fe27555f89ed1b7926" },
        { KEYS "alipay/root1.crt", NULL, NULL,
          "39508df51cf254757f42cff52d85f67f" },
        { KEYS "alipay/root2.crt", NULL, NULL,
          "33d58f46375b1e4e04f6d2dcb84210f2" },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_cert *cert = cert_file(rows[i].file);
        char            memory[128];
        struct ph_buf   buf = PH_BUF_INIT(memory);

        if (rows[i].decimal != NULL) {
            ph_cert_serial_decimal(cert, &buf);
            t_same(ph_buf_str(&buf), ph_str_z(rows[i].decimal));
            ph_buf_cut(&buf, 0);
            ph_cert_serial_hex(cert, &buf);
            t_same(ph_buf_str(&buf), ph_str_z(rows[i].hex));
        }
        if (rows[i].alipay != NULL) {
            assert_true(ph_cert_alipay_sn(cert, &buf));
            t_same(ph_buf_str(&buf), ph_str_z(rows[i].alipay));
        }
        ph_buf_init(&buf, memory, 4);
        ph_cert_serial_hex(cert, &buf);
        assert_true(buf.full);
        assert_false(ph_cert_alipay_sn(cert, &buf));
        ph_cert_free(cert);
    }
}

static void
test_names_dates_keys(void **state)
{
    struct ph_cert *cert  = cert_file(KEYS "unionpay/acpsign.cer");
    struct ph_cert *same  = cert_file(KEYS "unionpay/acpsign.cer");
    struct ph_cert *evil  = cert_file(KEYS "unionpay/evil.cer");
    struct ph_cert *curve = cert_file(KEYS "alipay/rootec.crt");
    char            memory[256];
    struct ph_arena arena;
    uint64_t        from = 0, until = 0;

    (void) state;
    ph_arena_init(&arena, memory, sizeof(memory));
    t_same(ph_cert_cn(cert, &arena), PH_STR("041@Z12@00040000:SIGN@00000001"));
    t_same(ph_cert_cn(evil, &arena), PH_STR("041@Z12@00040000:SIGN@00000001"));
    ph_cert_dates(cert, &from, &until);
    assert_int_equal(from, UINT64_C(1795400509000)); /* 2026-11-23 02:21:49 */
    assert_int_equal(until, UINT64_C(1953080509000));
    assert_true(ph_cert_same(cert, same));
    assert_false(ph_cert_same(cert, evil));
    assert_non_null(ph_cert_key(cert));
    assert_null(ph_cert_key(curve));
    assert_false(ph_cert_is_rsa_signed(curve));
    assert_true(ph_cert_is_rsa_signed(cert));
    ph_arena_init(&arena, memory, 16);
    assert_null(ph_cert_cn(cert, &arena).ptr);
    ph_cert_free(cert);
    ph_cert_free(same);
    ph_cert_free(evil);
    ph_cert_free(curve);
    ph_cert_free(NULL);
}

/* --- certificates of our own ---------------------------------------------- */

struct shape {
    const char *cn; /* of the subject; NULL = none */
    size_t      cn_len;
    int         key;
    int         signer;
    const char *issuer; /* its CN */
    bool        is_authority;
    bool        signs_by_md5;
    bool        signs_by_sha1;
    long        from_s, until_s; /* from NOW_S on; 0, 0 = ten days around */
    const char *second_cn;
};

static void
name_add(X509_NAME *name, const char *cn, size_t len)
{
    if (cn != NULL) {
        assert_int_equal(X509_NAME_add_entry_by_NID(
                             name, NID_commonName, V_ASN1_UTF8STRING,
                             (const unsigned char *) cn, (int) len, -1, 0),
                         1);
    }
}

static void
dates_set(X509 *x509, const struct shape *shape)
{
    bool usual = shape->from_s == 0 && shape->until_s == 0;

    assert_non_null(
        ASN1_TIME_set(X509_getm_notBefore(x509),
                      NOW_S + (usual ? -10 * DAY_S : shape->from_s)));
    assert_non_null(
        ASN1_TIME_set(X509_getm_notAfter(x509),
                      NOW_S + (usual ? 10 * DAY_S : shape->until_s)));
}

/* As a PEM in `memory`. */
static struct ph_str
pem_make(const struct shape *shape, char *memory, size_t size)
{
    X509      *x509 = X509_new();
    X509_NAME *issuer;
    BIO       *bio = BIO_new(BIO_s_mem());
    char      *text;

    assert_non_null(x509);
    assert_int_equal(X509_set_version(x509, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x509), 77), 1);
    dates_set(x509, shape);
    name_add(X509_get_subject_name(x509), shape->cn,
             shape->cn_len != 0 ? shape->cn_len : ph_str_z(shape->cn).len);
    name_add(X509_get_subject_name(x509), shape->second_cn,
             ph_str_z(shape->second_cn).len);
    issuer = X509_get_issuer_name(x509);
    name_add(issuer, shape->issuer, ph_str_z(shape->issuer).len);
    assert_int_equal(X509_set_pubkey(x509, pairs[shape->key]), 1);
    if (shape->is_authority) {
        X509_EXTENSION *extension = X509V3_EXT_conf_nid(
            NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");

        assert_int_equal(X509_add_ext(x509, extension, -1), 1);
        X509_EXTENSION_free(extension);
    }
    assert_true(X509_sign(x509, pairs[shape->signer],
                          shape->signs_by_md5    ? EVP_md5()
                          : shape->signs_by_sha1 ? EVP_sha1()
                                                 : EVP_sha256())
                > 0);
    assert_int_equal(PEM_write_bio_X509(bio, x509), 1);
    size_t len = (size_t) BIO_get_mem_data(bio, &text);
    assert_true(len <= size);
    memcpy(memory, text, len);
    BIO_free(bio);
    X509_free(x509);
    return ph_str_make(memory, len);
}

static struct ph_cert *
cert_make(const struct shape *shape)
{
    char            memory[4096];
    struct ph_cert *cert = NULL;

    assert_int_equal(
        ph_cert_new(&cert, pem_make(shape, memory, sizeof(memory))), PH_OK);
    return cert;
}

static void
test_odd_names(void **state)
{
    static const struct {
        struct shape shape;
        const char  *want; /* NULL = no name */
    } rows[] = {
        { { .cn     = "041@Z12@\xe4\xb8\xad\xe5\x9b\xbd@1",
            .key    = LEAF,
            .signer = LEAF },
          "041@Z12@\xe4\xb8\xad\xe5\x9b\xbd@1" },
        { { .cn = "good\0evil", .cn_len = 9, .key = LEAF, .signer = LEAF },
          NULL },
        { { .cn = "one", .second_cn = "two", .key = LEAF, .signer = LEAF },
          NULL },
        { { .key = LEAF, .signer = LEAF }, NULL },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_cert *cert = cert_make(&rows[i].shape);
        char            memory[256];
        struct ph_arena arena;

        ph_arena_init(&arena, memory, sizeof(memory));
        t_same(ph_cert_cn(cert, &arena), ph_str_z(rows[i].want));
        ph_cert_free(cert);
    }
}

/* --- chains --------------------------------------------------------------- */

#define ROOT_SHAPE                                                             \
    {                                                                          \
        .cn = "root", .key = ROOT, .signer = ROOT, .issuer = "root",           \
        .is_authority = true                                                   \
    }
#define MIDDLE_SHAPE                                                           \
    {                                                                          \
        .cn = "middle", .key = MIDDLE, .signer = ROOT, .issuer = "root",       \
        .is_authority = true                                                   \
    }
#define LEAF_SHAPE                                                             \
    {                                                                          \
        .cn = "leaf", .key = LEAF, .signer = MIDDLE, .issuer = "middle"        \
    }

/* clang-format off */
static const struct {
    const char  *about;
    struct shape root, middle, leaf;
    bool         lacks_middle;
    enum ph_rc   want;
} chains[] = {
    { "whole", ROOT_SHAPE, MIDDLE_SHAPE, LEAF_SHAPE, false, PH_OK },
    { "root signs the leaf", ROOT_SHAPE, MIDDLE_SHAPE,
      { .cn = "leaf", .key = LEAF, .signer = ROOT, .issuer = "root" },
      true, PH_OK },
    { "middle missing", ROOT_SHAPE, MIDDLE_SHAPE, LEAF_SHAPE, true,
      PH_E_SIGNATURE },
    { "expired leaf", ROOT_SHAPE, MIDDLE_SHAPE,
      { .cn = "leaf", .key = LEAF, .signer = MIDDLE, .issuer = "middle",
        .from_s = -9 * DAY_S, .until_s = -1 }, false, PH_E_RANGE },
    { "leaf's last second", ROOT_SHAPE, MIDDLE_SHAPE,
      { .cn = "leaf", .key = LEAF, .signer = MIDDLE, .issuer = "middle",
        .from_s = -9 * DAY_S, .until_s = 1 }, false, PH_OK },
    { "leaf begins now", ROOT_SHAPE, MIDDLE_SHAPE,
      { .cn = "leaf", .key = LEAF, .signer = MIDDLE, .issuer = "middle",
        .from_s = -1, .until_s = DAY_S }, false, PH_OK },
    { "leaf not yet", ROOT_SHAPE, MIDDLE_SHAPE,
      { .cn = "leaf", .key = LEAF, .signer = MIDDLE, .issuer = "middle",
        .from_s = 1, .until_s = DAY_S }, false, PH_E_RANGE },
    { "expired middle", ROOT_SHAPE,
      { .cn = "middle", .key = MIDDLE, .signer = ROOT, .issuer = "root",
        .is_authority = true, .from_s = -9 * DAY_S, .until_s = -1 },
      LEAF_SHAPE, false, PH_E_RANGE },
    { "expired root",
      { .cn = "root", .key = ROOT, .signer = ROOT, .issuer = "root",
        .is_authority = true, .from_s = -9 * DAY_S, .until_s = -1 },
      MIDDLE_SHAPE, LEAF_SHAPE, false, PH_E_RANGE },
    { "another root of the same name",
      { .cn = "root", .key = OTHER, .signer = OTHER, .issuer = "root",
        .is_authority = true }, MIDDLE_SHAPE, LEAF_SHAPE, false,
      PH_E_SIGNATURE },
    { "another middle of the same name", ROOT_SHAPE,
      { .cn = "middle", .key = OTHER, .signer = ROOT, .issuer = "root",
        .is_authority = true }, LEAF_SHAPE, false, PH_E_SIGNATURE },
    { "middle of nobody", ROOT_SHAPE,
      { .cn = "middle", .key = MIDDLE, .signer = OTHER, .issuer = "root",
        .is_authority = true }, LEAF_SHAPE, false, PH_E_SIGNATURE },
    { "middle that signs itself is no root", ROOT_SHAPE,
      { .cn = "middle", .key = MIDDLE, .signer = MIDDLE, .issuer = "middle",
        .is_authority = true }, LEAF_SHAPE, false, PH_E_SIGNATURE },
    { "middle without authority: a merchant signs", ROOT_SHAPE,
      { .cn = "middle", .key = MIDDLE, .signer = ROOT, .issuer = "root" },
      LEAF_SHAPE, false, PH_E_SIGNATURE },
    { "leaf that signs itself", ROOT_SHAPE, MIDDLE_SHAPE,
      { .cn = "leaf", .key = OTHER, .signer = OTHER, .issuer = "leaf" },
      false, PH_E_SIGNATURE },
    { "leaf signed by another key", ROOT_SHAPE, MIDDLE_SHAPE,
      { .cn = "leaf", .key = LEAF, .signer = OTHER, .issuer = "middle" },
      false, PH_E_SIGNATURE },
    { "leaf signed over MD5", ROOT_SHAPE, MIDDLE_SHAPE,
      { .cn = "leaf", .key = LEAF, .signer = MIDDLE, .issuer = "middle",
        .signs_by_md5 = true }, false, PH_E_SIGNATURE },
    { "middle signed over MD5", ROOT_SHAPE,
      { .cn = "middle", .key = MIDDLE, .signer = ROOT, .issuer = "root",
        .is_authority = true, .signs_by_md5 = true }, LEAF_SHAPE, false,
      PH_E_SIGNATURE },
    { "leaf signed over SHA-1", ROOT_SHAPE, MIDDLE_SHAPE,
      { .cn = "leaf", .key = LEAF, .signer = MIDDLE, .issuer = "middle",
        .signs_by_sha1 = true }, false, PH_OK },
    { "middle signed over SHA-1", ROOT_SHAPE,
      { .cn = "middle", .key = MIDDLE, .signer = ROOT, .issuer = "root",
        .is_authority = true, .signs_by_sha1 = true }, LEAF_SHAPE, 0, PH_OK },
    { "root signed over MD5",
      { .cn = "root", .key = ROOT, .signer = ROOT, .issuer = "root",
        .is_authority = true, .signs_by_md5 = true }, MIDDLE_SHAPE,
      LEAF_SHAPE, false, PH_OK },
};
/* clang-format on */

static void
test_chains(void **state)
{
    (void) state;
    for (size_t i = 0; i < PH_COUNT(chains); i++) {
        char                  memory[4096];
        struct ph_trust      *trust     = NULL;
        struct ph_cert       *middle    = cert_make(&chains[i].middle);
        struct ph_cert       *leaf      = cert_make(&chains[i].leaf);
        const struct ph_cert *others[1] = { middle };
        size_t                count     = chains[i].lacks_middle ? 0 : 1;
        bool                  is_old
            = chains[i].leaf.signs_by_sha1 || chains[i].middle.signs_by_sha1;
        struct ph_str root = pem_make(&chains[i].root, memory, sizeof(memory));
        assert_int_equal(ph_trust_new(&trust, &root, 1), PH_OK);
        print_message("  %s\n", chains[i].about);
        enum ph_rc old
            = ph_chain_check(leaf, others, count, trust, NOW_MS, PH_CHAIN_SHA1);
        enum ph_rc got
            = ph_chain_check(leaf, others, count, trust, NOW_MS, PH_CHAIN_SHA2);
        assert_int_equal(old, chains[i].want);
        assert_int_equal(got, is_old ? PH_E_SIGNATURE : old);
        ph_trust_free(trust);
        ph_cert_free(middle);
        ph_cert_free(leaf);
    }
}

static void
test_chains_of_the_vectors(void **state)
{
    static const struct {
        const char *leaf;
        uint64_t    now_s;
        bool        lacks_middle;
        enum ph_rc  want;
    } rows[] = {
        { KEYS "unionpay/acpsign.cer", NOW_S, false, PH_OK },
        { KEYS "unionpay/merchant.cer", NOW_S, false, PH_OK },
        { KEYS "unionpay/acpsign.cer", NOW_S, true, PH_E_SIGNATURE },
        { KEYS "unionpay/evil.cer", NOW_S, false, PH_E_SIGNATURE },
        { KEYS "unionpay/acpsign.cer", 1795400508, false, PH_E_RANGE },
        { KEYS "unionpay/acpsign.cer", 1795400509, false, PH_OK },
        { KEYS "unionpay/acpsign.cer", 1953080508, false, PH_OK },
        { KEYS "unionpay/acpsign.cer", 1953080509, false, PH_E_RANGE },
        { KEYS "paypal/webhook_cert.pem", NOW_S, false, PH_E_SIGNATURE },
    };
    struct ph_str    root  = t_file(KEYS "unionpay/root.cer");
    struct ph_trust *trust = NULL;

    (void) state;
    assert_int_equal(ph_trust_new(&trust, &root, 1), PH_OK);
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_cert       *middle    = cert_file(KEYS "unionpay/middle.cer");
        struct ph_cert       *leaf      = cert_file(rows[i].leaf);
        const struct ph_cert *others[1] = { middle };
        enum ph_rc            got
            = ph_chain_check(leaf, others, rows[i].lacks_middle ? 0 : 1, trust,
                             rows[i].now_s * 1000, PH_CHAIN_SHA2);
        assert_int_equal(got, rows[i].want);
        ph_cert_free(middle);
        ph_cert_free(leaf);
    }
    ph_trust_free(trust);
}

static void
test_trust(void **state)
{
    static char      memory[2][8192];
    struct ph_trust *trust = NULL;
    struct ph_str    pems[2];

    (void) state;
    for (size_t i = 0; i < 2; i++) {
        struct ph_str file = t_file(i == 0 ? KEYS "unionpay/root.cer"
                                           : KEYS "alipay/alipayRootCert.crt");

        memcpy(memory[i], file.ptr, file.len);
        pems[i] = ph_str_make(memory[i], file.len);
    }
    assert_int_equal(ph_trust_new(&trust, pems, 2), PH_OK);
    ph_trust_free(trust);
    pems[0] = pems[1]; /* the same twice is no fault */
    assert_int_equal(ph_trust_new(&trust, pems, 2), PH_OK);
    ph_trust_free(trust);
    assert_int_equal(ph_trust_new(&trust, pems, 0), PH_E_MISSING);
    pems[0] = PH_STR("# comments only\n");
    assert_int_equal(ph_trust_new(&trust, pems, 1), PH_E_MISSING);
    pems[0] = PH_STR("MIIB");
    assert_int_equal(ph_trust_new(&trust, pems, 1), PH_E_MISSING);
    pems[0] = ph_str_make(memory[1], 300);
    assert_int_equal(ph_trust_new(&trust, pems, 2), PH_E_SYNTAX);
    ph_trust_free(NULL);
}

/* --- key files ------------------------------------------------------------ */

static void
test_pfx(void **state)
{
    static const struct {
        const char *file;
        const char *password;
        enum ph_rc  want;
    } rows[] = {
        { KEYS "unionpay/merchant.pfx", "000000", PH_OK }, /* RC2, 3DES */
        { KEYS "unionpay/merchant_aes.pfx", "000000", PH_OK },
        { KEYS "unionpay/merchant.pfx", "000001", PH_E_SIGNATURE },
        { KEYS "unionpay/merchant_aes.pfx", "", PH_E_SIGNATURE },
        { KEYS "unionpay/merchant.cer", "000000", PH_E_SYNTAX },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_private_key *key  = NULL;
        struct ph_cert        *cert = NULL;
        char                   memory[64];
        struct ph_buf          buf = PH_BUF_INIT(memory);

        assert_int_equal(ph_pfx_open(t_file(rows[i].file),
                                     ph_str_z(rows[i].password), &key, &cert),
                         rows[i].want);
        if (rows[i].want == PH_OK) {
            ph_cert_serial_decimal(cert, &buf);
            t_same(ph_buf_str(&buf), PH_STR("18051823068123974"));
            assert_true(ph_keys_match(key, ph_cert_key(cert)));
            ph_private_key_free(key);
            ph_cert_free(cert);
        }
    }
}

static void
test_pfx_odd(void **state)
{
    struct ph_private_key *key  = NULL;
    struct ph_cert        *cert = NULL;
    static char            memory[PH_PFX_MAX + 1];
    struct ph_str          file = t_file(KEYS "unionpay/merchant_aes.pfx");

    (void) state;
    /* cut anywhere, a byte more, a password that C would cut */
    for (size_t len = 0; len < file.len; len += 37) {
        assert_int_equal(ph_pfx_open(ph_str_make(file.ptr, len),
                                     PH_STR("000000"), &key, &cert),
                         PH_E_SYNTAX);
    }
    memcpy(memory, file.ptr, file.len);
    assert_int_equal(ph_pfx_open(ph_str_make(memory, file.len + 1),
                                 PH_STR("000000"), &key, &cert),
                     PH_E_SYNTAX);
    assert_int_equal(ph_pfx_open(ph_str_make(memory, sizeof(memory)),
                                 PH_STR("000000"), &key, &cert),
                     PH_E_SYNTAX);
    assert_int_equal(ph_pfx_open(file, ph_str_make("000000\0", 7), &key, &cert),
                     PH_E_SIGNATURE);
    memory[file.len / 2] = (char) (memory[file.len / 2] ^ 1);
    assert_int_not_equal(ph_pfx_open(ph_str_make(memory, file.len),
                                     PH_STR("000000"), &key, &cert),
                         PH_OK);
}

/* RC2 stays out of the common context. */
static void
test_pfx_leaves_no_ciphers(void **state)
{
    struct ph_private_key *key  = NULL;
    struct ph_cert        *cert = NULL;

    (void) state;
    assert_int_equal(ph_pfx_open(t_file(KEYS "unionpay/merchant.pfx"),
                                 PH_STR("000000"), &key, &cert),
                     PH_OK);
    ph_private_key_free(key);
    ph_cert_free(cert);
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "RC2-40-CBC", NULL);
    assert_null(cipher);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes_of_one),
        cmocka_unit_test(test_bundles),
        cmocka_unit_test(test_bundles_of_one),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_names_dates_keys),
        cmocka_unit_test(test_odd_names),
        cmocka_unit_test(test_chains),
        cmocka_unit_test(test_chains_of_the_vectors),
        cmocka_unit_test(test_trust),
        cmocka_unit_test(test_pfx),
        cmocka_unit_test(test_pfx_odd),
        cmocka_unit_test(test_pfx_leaves_no_ciphers),
    };

    return cmocka_run_group_tests_name("cert", tests, set_up, tear_down);
}
