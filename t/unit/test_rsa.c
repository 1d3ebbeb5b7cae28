/*
 * test_rsa.c - keys as vendors hand them out, and what they sign and open.
 * The signatures and blocks below were made by openssl(1) with
 * t/data/vectors/keys/alipay/app_*.pem and the SM2 key here, over MESSAGE.
 */
#include "t/unit/support.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>

#include "libpayhub/wire/b64.h"
#include "libpayhub/wire/digest.h"
#include "libpayhub/wire/rsa.h"

#define KEYS "t/data/vectors/keys/alipay/"
#define MESSAGE PH_STR("what is signed")
#define RSA_LEN 256

static const char sha256_sign[]
    = "hpxnwLrYRYkkHwcjRacDIkfnSZNtcbJoLCnQ6fo9Uufh+AQp5xqxCE9RtsnKgMvs"
      "xS2cj8Xqd/3ZH0iNX6MgNCMjWGZrAwi7r5F+cq/tIcCkwT4aUPElmnLfUQvpKdcX"
      "6ks6AzVUfKT9DSKQMT3TWnN+4UBigxYBaeZofuII8+mZorXmyUg3BtmOFdF37Gus"
      "ucdH6XEb6AxHO0vNd++MGUfV3m/sHlQ0QU5IJBjcjmqsoZ+nN0GiO1YrN+FCVDv6"
      "fNLopnTGx8NH3xw68Vr9h9MBaHKiZj6GXu9YGKEEr8Ogthu6CfoRLVqiPFHz6DsJ"
      "2mp28wDbMumJ1/dc3Ljltg==";
static const char sha1_sign[]
    = "rEl7snZpdLhyUPEGEhPbw/TRwZZMYM7AKjyAJV8BvtvQmIBzYbjEl0izbevhl8R2"
      "aidmiku56YlSeT87c77hCc8rOKdU73visnZ2RcNuxxkYIjLAYS1l2mK8mK8X8vmt"
      "BqAL4VXa5s5Ml5jAZIGMs17hET/bLMrwoU+ohUk4bnYlhi50BIE3H+Zuk/9flE5c"
      "VU1Zmu0tNTVrNdCrJPBjrUqp/AQmvLnwS6fNCO0AHpmX5ghWMuA11wXkprxPdh/6"
      "u3pd4lvEXvnp1/e+NK4X/+RoavDWLsBISy93MM6kSRmktkIarp2XhuyX2b2n+qj7"
      "1WfY5Jupc9bcYqZoZ/68uw==";
static const char raw_sign[]
    = "GaCiFlFHjm/wHtMwWrqSFcBh1+c+ijjvYTOUVVmVGTy31tMAfP0JS1Rm9TIEc8hH"
      "XUNHR4WGcoQWG2UNkTN7gVN8WhKvAnCeTRtPzr/nPW4ZvI962g/fOuC0Xr3Jd5ZY"
      "w1z1PJeuX0utvpn6bPLlRa4D0NKsKk11fSLcWYhZawWZDM/8K2kkZo8UbtPRJjcP"
      "hjkQ+AFzdw49ntaIxp4cKn83x3sxSdnJOWC2R5PUAwAFCew6l35wAddj8xWhEja6"
      "vMBXk63DDQTEcWeRYhEROgBQb+JCwqBOCNSvrprl8ZPlOsyE0PH5j/TUgu1JxMj1"
      "pDtxZUNsRevBxeUzIJWj+w==";
static const char pss_sign[]
    = "SGTy+qCJoBZDQI3VFKzeghmHLh8117V3iT3cf7slEX5Lg1WhPoPU16ZivAXhdPgt"
      "XyetroT8kNMYRcHb5Z6v89Bibec+fmfYGvZPp1O/ox+MyQR+s3lrA8A89JwrrUwI"
      "PQTFafnQTqiyqpfadrkkSuDFny26ApA+PzeHBjG3cJeC3HSrvERViyQXR/ABInyI"
      "5vMf9pgNBzMnreUF0QgKDbuZiPJU+9t7PkeN4/0TqDCf4SiVN4eoBX5ydx5D2TkU"
      "RbeJ+Pjp9usKPtyKQIoLASk6u4Yw4JIsFgfgWEhV6UM3U4mMhWSIT2P5O1+1QYf/"
      "2YPQj70ylU77W4i/n0r4iA==";
static const char sm2_sign[]
    = "MEYCIQC+/ikX/N42/gbpmtWuxIF5GXY5abmBt4EjRV4U0tGv9wIhAKzwqvd/ppsI"
      "uCgptKnVxkis1rZjtdo4JpQfNUaHcwT8";
static const char oaep_block[]
    = "HKLgQPJKdDK8rS/6ezEndeQYp5vnUZR8S9Hj3KgXl46HFEPjcN2ofc06PwBR+XJS"
      "nJN9MK3QMgAEesuJPErKQEZwtUA1Gz4rE/dBD9rUSaD1+RrSbZAFKM3Uc96WGg1Y"
      "J9GHgzcCaTwZJDYdY7AiPdS170E5n3x05c3b/0Wx+b2yIVu+w6CGJ77CYd+W4wNy"
      "Kl2YSe69TX6czI8QUDprRENIvBylvudlK4yilFokNnYzkz1h5+0L2GZK0gzfdHZK"
      "pdoAItewrM4PNXG8dn8W/dRI42foEdvsSnQr5Kw+TrttUed8+ySqNz8dxoX2mBX3"
      "qxtmFn0CC/Zd9ZpdAXZanw==";
static const char v15_block[]
    = "kTMEkL5tVvxUp1Z/Z3Awp3ySgCpcL9QC0xCjZrOBoYn9bNC2muTmm9Xgyn8lJXGu"
      "SbbM7nMjYbIviHUipamlUz9o3xl81rVJ9rU6LQxOxYMDit6JbuJZYxuw6d+qelgR"
      "1+H7XabEuh+Dt+w1nNocyqtUR+Yn48NsDLSR2d1wBbmWqjKfz9hLmoKur2D66lVM"
      "hhiJvJEFYijgqh0fzyL0KwdLM7x923IOW9qaxLhQxATiXK78ZA/YflyeDuCEUTiW"
      "0ZbFXOD46sTAWqSuNys33aAZ8ibF3oUNRu2j+g75h96tWfey2dlj5Xx5j2La9QHq"
      "fci5BZaYXJHW3PumazrR6g==";
static const char sm2_private[]
    = "-----BEGIN PRIVATE KEY-----\n"
      "MIGHAgEAMBMGByqGSM49AgEGCCqBHM9VAYItBG0wawIBAQQgbSaCyE2lY49hfBYk\n"
      "5QSL3BOuaqItQBcnZJQ7TagakJKhRANCAARt2jM7DgGCcIL6vmLlZF7i7a6vPxCC\n"
      "nMNjFQYg7iL19FVpmFugPvapmdQ7abWvtfDWH84j6CD4p7QaloRHIUvz\n"
      "-----END PRIVATE KEY-----\n";
static const char sm2_public[]
    = "-----BEGIN PUBLIC KEY-----\n"
      "MFkwEwYHKoZIzj0CAQYIKoEcz1UBgi0DQgAEbdozOw4BgnCC+r5i5WRe4u2urz8Q\n"
      "gpzDYxUGIO4i9fRVaZhboD72qZnUO2m1r7Xw1h/OI+gg+Ke0GpaERyFL8w==\n"
      "-----END PUBLIC KEY-----\n";

static struct ph_private_key *priv, *sm2_priv;
static struct ph_public_key  *pub, *sm2_pub, *other_pub;

/* a file's text that stays, of one test at a time */
static struct ph_str
kept_file(const char *path)
{
    static char   memory[4][T_FILE_MAX / 16];
    static size_t next;
    struct ph_str text = t_file(path);
    char         *to   = memory[next++ % PH_COUNT(memory)];

    assert_true(text.len < sizeof(memory[0]));
    memcpy(to, text.ptr, text.len);
    return ph_str_make(to, text.len);
}

static struct ph_str
raw_of(const char *text)
{
    static char   memory[4][RSA_LEN + 8];
    static size_t next;
    struct ph_buf buf;

    ph_buf_init(&buf, memory[next++ % PH_COUNT(memory)], sizeof(memory[0]));
    assert_int_equal(ph_b64_decode(&buf, ph_str_z(text)), PH_OK);
    return ph_buf_str(&buf);
}

static int
set_up(void **state)
{
    (void) state;
    assert_true(ph_digest_init());
    assert_int_equal(ph_private_key_new(&priv, kept_file(KEYS "app_pkcs8.pem")),
                     PH_OK);
    assert_int_equal(ph_public_key_new(&pub, kept_file(KEYS "app_public.pem")),
                     PH_OK);
    assert_int_equal(
        ph_public_key_new(&other_pub, kept_file(KEYS "platform_public.pem")),
        PH_OK);
    assert_int_equal(ph_private_key_new(&sm2_priv, PH_STR(sm2_private)), PH_OK);
    assert_int_equal(ph_public_key_new(&sm2_pub, PH_STR(sm2_public)), PH_OK);
    return 0;
}

static int
tear_down(void **state)
{
    (void) state;
    ph_private_key_free(priv);
    ph_private_key_free(sm2_priv);
    ph_public_key_free(pub);
    ph_public_key_free(other_pub);
    ph_public_key_free(sm2_pub);
    ph_private_key_free(NULL);
    ph_public_key_free(NULL);
    ph_digest_deinit();
    return 0;
}

/* --- texts ---------------------------------------------------------------- */

/* how a text may come: each made of a PEM */
enum shape { AS_IS, BLANKS_AROUND, CRLF, BARE, BARE_LINES, SHAPES };

static struct ph_str
shaped(struct ph_str pem, enum shape shape)
{
    static char   memory[PH_KEY_TEXT_MAX];
    struct ph_buf buf = PH_BUF_INIT(memory);
    struct ph_str line;

    if (shape == BLANKS_AROUND) {
        ph_buf_add(&buf, PH_STR("\r\n \t"));
    }
    while (ph_str_next(&pem, '\n', &line)) {
        if (shape >= BARE && ph_str_starts(line, PH_STR("-----"))) {
            continue;
        }
        ph_buf_add(&buf, line);
        ph_buf_add(&buf, shape == CRLF   ? PH_STR("\r\n")
                         : shape == BARE ? PH_STR("")
                                         : PH_STR("\n"));
    }
    assert_false(buf.full);
    return ph_buf_str(&buf);
}

static void
every_shape_of_a_private_key_is_taken(void **state)
{
    static const char *const files[]
        = { KEYS "app_pkcs1.pem", KEYS "app_pkcs8.pem" };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(files); i++) {
        for (enum shape shape = AS_IS; shape < SHAPES; shape++) {
            struct ph_private_key *key = NULL;

            assert_int_equal(
                ph_private_key_new(&key, shaped(kept_file(files[i]), shape)),
                PH_OK);
            assert_true(ph_keys_match(key, pub));
            assert_false(ph_keys_match(key, other_pub));
            assert_false(ph_keys_match(key, sm2_pub));
            ph_private_key_free(key);
        }
    }
}

static void
every_shape_of_a_public_key_is_taken(void **state)
{
    static const char *const files[]
        = { KEYS "app_public.pem", KEYS "appCertPublicKey.crt" };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(files); i++) {
        for (enum shape shape = AS_IS; shape < SHAPES; shape++) {
            struct ph_public_key *key = NULL;

            assert_int_equal(
                ph_public_key_new(&key, shaped(kept_file(files[i]), shape)),
                PH_OK);
            assert_true(ph_keys_match(priv, key));
            ph_public_key_free(key);
        }
    }
}

static struct ph_str
two(struct ph_str a, struct ph_str b)
{
    static char   memory[PH_KEY_TEXT_MAX];
    struct ph_buf buf = PH_BUF_INIT(memory);

    ph_buf_add(&buf, a);
    ph_buf_add(&buf, b);
    assert_false(buf.full);
    return ph_buf_str(&buf);
}

/* the first certificate of a bundle, with a text before it */
static void
the_first_certificate_of_a_file_counts(void **state)
{
    struct ph_public_key *key = NULL;
    struct ph_str         app = kept_file(KEYS "appCertPublicKey.crt");

    (void) state;
    assert_int_equal(
        ph_public_key_new(&key, two(app, kept_file(KEYS "mid.crt"))), PH_OK);
    assert_true(ph_keys_match(priv, key));
    ph_public_key_free(key);
    assert_int_equal(
        ph_public_key_new(&key, two(PH_STR("Certificate:\n  Data:\n"), app)),
        PH_OK);
    assert_true(ph_keys_match(priv, key));
    ph_public_key_free(key);
}

static void
pem_of(EVP_PKEY *pkey, bool is_private, const char *passphrase,
       struct ph_buf *out)
{
    BIO  *bio = BIO_new(BIO_s_mem());
    char *text;
    int   ok;

    assert_non_null(pkey);
    ok = is_private ? PEM_write_bio_PrivateKey(
             bio, pkey, passphrase != NULL ? EVP_aes_128_cbc() : NULL, NULL, 0,
             NULL, (void *) (uintptr_t) passphrase)
                    : PEM_write_bio_PUBKEY(bio, pkey);
    assert_int_equal(ok, 1);
    long len = BIO_get_mem_data(bio, &text);
    ph_buf_add(out, ph_str_make(text, (size_t) len));
    assert_false(out->full);
    BIO_free(bio);
    EVP_PKEY_free(pkey);
}

static void
both_refused(EVP_PKEY *pkey, enum ph_rc want)
{
    char                   memory[8192];
    struct ph_buf          text   = PH_BUF_INIT(memory);
    struct ph_private_key *secret = NULL;
    struct ph_public_key  *open   = NULL;

    assert_int_equal(EVP_PKEY_up_ref(pkey), 1);
    pem_of(pkey, true, NULL, &text);
    assert_int_equal(ph_private_key_new(&secret, ph_buf_str(&text)), want);
    text.len = 0;
    pem_of(pkey, false, NULL, &text);
    assert_int_equal(ph_public_key_new(&open, ph_buf_str(&text)), want);
    assert_null(secret);
    assert_null(open);
    assert_true(ERR_peek_error() == 0);
}

static void
weak_and_foreign_keys_are_refused(void **state)
{
    (void) state;
    both_refused(EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t) 1024),
                 PH_E_RANGE);
    both_refused(EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t) 2040),
                 PH_E_RANGE);
    both_refused(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"), PH_E_UNKNOWN);
    both_refused(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), PH_E_UNKNOWN);
}

static void
refused(struct ph_str text)
{
    struct ph_private_key *secret = NULL;
    struct ph_public_key  *open   = NULL;

    assert_int_equal(ph_private_key_new(&secret, text), PH_E_SYNTAX);
    assert_int_equal(ph_public_key_new(&open, text), PH_E_SYNTAX);
    assert_null(secret);
    assert_null(open);
    assert_true(ERR_peek_error() == 0);
}

static void
what_is_no_key_is_refused(void **state)
{
    static char            long_text[PH_KEY_TEXT_MAX + 1];
    char                   memory[8192];
    struct ph_buf          text = PH_BUF_INIT(memory);
    struct ph_private_key *key  = NULL;
    struct ph_public_key  *open = NULL;
    struct ph_str          pem  = kept_file(KEYS "app_pkcs8.pem");
    struct ph_str          spki = kept_file(KEYS "app_public.pem");

    (void) state;
    memset(long_text, 'A', sizeof(long_text));
    refused(ph_str_make(NULL, 0));
    refused(PH_STR(" \n"));
    refused(PH_STR("key"));
    refused(PH_STR("QUJD"));
    refused(PH_STR("-----BEGIN PRIVATE KEY-----"));
    refused(PH_STR("-----BEGIN PRIVATE KEY-----\nQUJD\n"
                   "-----END PRIVATE KEY-----\n"));
    refused(PH_STR("-----BEGIN CERTIFICATE-----\nQUJD\n"
                   "-----END CERTIFICATE-----\n"));
    refused(ph_str_make(long_text, PH_KEY_TEXT_MAX));
    refused(ph_str_make(long_text, sizeof(long_text)));
    /* one of the other half */
    assert_int_equal(ph_private_key_new(&key, spki), PH_E_SYNTAX);
    assert_int_equal(ph_public_key_new(&open, pem), PH_E_SYNTAX);
    /* something before, something after, a second one */
    refused(two(PH_STR("x\n"), pem));
    refused(two(pem, PH_STR("x")));
    refused(two(pem, pem));
    refused(two(PH_STR("x\n"), spki));
    refused(two(spki, spki));
    refused(two(shaped(pem, BARE), PH_STR("QUJD")));
    /* a passphrase is asked of nobody */
    pem_of(EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t) 2048), true, "secret",
           &text);
    refused(ph_buf_str(&text));
    refused(shaped(ph_buf_str(&text), BARE));
    /* every truncation of the base64 */
    struct ph_str bare = shaped(spki, BARE);
    for (size_t len = 0; len < bare.len; len++) {
        refused(ph_str_make(bare.ptr, len));
    }
}

/* --- signatures ----------------------------------------------------------- */

static const struct form_row {
    enum ph_rsa_form form;
    const char      *signature;
    bool             is_fixed; /* the same text each time */
} forms[] = {
    { PH_RSA_SHA256, sha256_sign, true },
    { PH_RSA_SHA1, sha1_sign, true },
    { PH_RSA_RAW, raw_sign, true },
    { PH_RSA_PSS_SHA256, pss_sign, false },
    { PH_SM2_SM3, sm2_sign, false },
};

static struct ph_public_key *
pub_of(const struct form_row *row)
{
    return row->form == PH_SM2_SM3 ? sm2_pub : pub;
}

static struct ph_private_key *
priv_of(const struct form_row *row)
{
    return row->form == PH_SM2_SM3 ? sm2_priv : priv;
}

static enum ph_rc
check(const struct form_row *row, struct ph_str message,
      struct ph_str signature)
{
    enum ph_rc rc
        = ph_public_check(pub_of(row), row->form, &message, 1, signature);

    assert_true(ERR_peek_error() == 0);
    return rc;
}

static void
others_signatures_are_ours(void **state)
{
    (void) state;
    for (size_t i = 0; i < PH_COUNT(forms); i++) {
        char                memory[RSA_LEN];
        struct ph_buf       raw   = PH_BUF_INIT(memory);
        struct ph_str       given = raw_of(forms[i].signature);
        const struct ph_str pieces[]
            = { PH_STR("what"), ph_str_make(NULL, 0), PH_STR(" is signed") };

        assert_int_equal(check(&forms[i], MESSAGE, given), PH_OK);
        assert_int_equal(ph_public_check(pub_of(&forms[i]), forms[i].form,
                                         pieces, PH_COUNT(pieces), given),
                         PH_OK);
        assert_true(ph_private_sign(priv_of(&forms[i]), forms[i].form, pieces,
                                    PH_COUNT(pieces), &raw));
        if (forms[i].is_fixed) {
            t_same(ph_buf_str(&raw), given);
        }
        assert_int_equal(check(&forms[i], MESSAGE, ph_buf_str(&raw)), PH_OK);
    }
}

/* no bit may change, no byte come or go, no other key or form will do */
static void
nothing_else_is_signed(void **state)
{
    (void) state;
    for (size_t i = 0; i < PH_COUNT(forms); i++) {
        struct ph_str right = raw_of(forms[i].signature);
        char          mutant[RSA_LEN + 1];

        for (size_t bit = 0; bit < right.len * 8; bit += 5) {
            memcpy(mutant, right.ptr, right.len);
            mutant[bit / 8] = (char) (mutant[bit / 8] ^ (1 << bit % 8));
            assert_int_equal(
                check(&forms[i], MESSAGE, ph_str_make(mutant, right.len)),
                PH_E_SIGNATURE);
        }
        memcpy(mutant, right.ptr, right.len);
        mutant[right.len] = 0;
        for (size_t len = 0; len <= right.len + 1; len++) {
            assert_int_equal(
                check(&forms[i], MESSAGE, ph_str_make(mutant, len)),
                len == right.len ? PH_OK : PH_E_SIGNATURE);
        }
        assert_int_equal(check(&forms[i], PH_STR("what is signee"), right),
                         PH_E_SIGNATURE);
        assert_int_equal(check(&forms[i], ph_str_make(NULL, 0), right),
                         PH_E_SIGNATURE);
        for (size_t j = 0; j < PH_COUNT(forms); j++) {
            struct ph_str message = MESSAGE;

            assert_int_equal(ph_public_check(pub_of(&forms[i]), forms[j].form,
                                             &message, 1, right),
                             i == j ? PH_OK : PH_E_SIGNATURE);
            assert_int_equal(
                ph_public_check(other_pub, forms[j].form, &message, 1, right),
                PH_E_SIGNATURE);
        }
        assert_true(ERR_peek_error() == 0);
    }
}

static void
what_cannot_be_signed_is_told(void **state)
{
    static char   big[RSA_LEN];
    char          memory[RSA_LEN];
    struct ph_buf raw     = PH_BUF_INIT(memory);
    struct ph_str message = MESSAGE;
    struct ph_str block   = ph_str_make(big, RSA_LEN - 11);

    (void) state;
    /* another kind of key */
    assert_false(ph_private_sign(priv, PH_SM2_SM3, &message, 1, &raw));
    assert_false(ph_private_sign(sm2_priv, PH_RSA_SHA256, &message, 1, &raw));
    /* as much as a block holds, and a byte more */
    assert_true(ph_private_sign(priv, PH_RSA_RAW, &block, 1, &raw));
    assert_int_equal(
        ph_public_check(pub, PH_RSA_RAW, &block, 1, ph_buf_str(&raw)), PH_OK);
    raw.len = 0;
    block.len++;
    assert_false(ph_private_sign(priv, PH_RSA_RAW, &block, 1, &raw));
    struct ph_str many[PH_RSA_LEN_MAX / RSA_LEN + 1];
    for (size_t i = 0; i < PH_COUNT(many); i++) {
        many[i] = ph_str_make(big, sizeof(big));
    }
    assert_false(ph_private_sign(priv, PH_RSA_RAW, many, PH_COUNT(many), &raw));
    assert_int_equal(ph_public_check(pub, PH_RSA_RAW, many, PH_COUNT(many),
                                     raw_of(raw_sign)),
                     PH_E_SIGNATURE);
    assert_int_equal(raw.len, 0);
    assert_false(raw.full);
    /* no room */
    ph_buf_init(&raw, memory, RSA_LEN - 1);
    assert_false(ph_private_sign(priv, PH_RSA_SHA256, &message, 1, &raw));
    assert_true(raw.full);
    assert_true(ERR_peek_error() == 0);
}

/* --- encryption ----------------------------------------------------------- */

static void
blocks_are_opened(void **state)
{
    static const struct {
        enum ph_rsa_padding padding;
        const char         *block;
    } rows[] = { { PH_RSA_OAEP, oaep_block }, { PH_RSA_V15, v15_block } };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        char          memory[RSA_LEN], other[RSA_LEN];
        struct ph_buf out   = PH_BUF_INIT(memory);
        struct ph_buf block = PH_BUF_INIT(other);
        struct ph_str given = raw_of(rows[i].block);

        assert_int_equal(ph_private_decrypt(priv, rows[i].padding, given, &out),
                         PH_OK);
        t_same(ph_buf_str(&out), MESSAGE);
        /* ours, random each time */
        assert_true(ph_public_encrypt(pub, rows[i].padding, MESSAGE, &block));
        assert_int_equal(block.len, RSA_LEN);
        assert_memory_not_equal(block.ptr, given.ptr, RSA_LEN);
        out.len = 0;
        assert_int_equal(
            ph_private_decrypt(priv, rows[i].padding, ph_buf_str(&block), &out),
            PH_OK);
        t_same(ph_buf_str(&out), MESSAGE);
        /* no room */
        ph_buf_init(&out, memory, 3);
        assert_int_equal(ph_private_decrypt(priv, rows[i].padding, given, &out),
                         PH_E_FULL);
        ph_buf_init(&out, memory, RSA_LEN - 1);
        assert_false(ph_public_encrypt(pub, rows[i].padding, MESSAGE, &out));
        /* cut, another's, another kind of key */
        ph_buf_init(&out, memory, sizeof(memory));
        assert_int_equal(ph_private_decrypt(priv, rows[i].padding,
                                            ph_str_make(given.ptr, 255), &out),
                         PH_E_SYNTAX);
        assert_int_equal(
            ph_private_decrypt(sm2_priv, rows[i].padding, given, &out),
            PH_E_SYNTAX);
        assert_false(
            ph_public_encrypt(sm2_pub, rows[i].padding, MESSAGE, &out));
        assert_int_equal(out.len, 0);
        assert_true(ERR_peek_error() == 0);
    }
    /* a changed OAEP block is nothing; a changed v1.5 block may be anything */
    char          mutant[RSA_LEN], memory[RSA_LEN];
    struct ph_buf out = PH_BUF_INIT(memory);

    memcpy(mutant, raw_of(oaep_block).ptr, RSA_LEN);
    mutant[17] ^= 1;
    assert_int_equal(ph_private_decrypt(priv, PH_RSA_OAEP,
                                        ph_str_make(mutant, RSA_LEN), &out),
                     PH_E_SYNTAX);
    assert_int_equal(
        ph_private_decrypt(priv, PH_RSA_OAEP, raw_of(v15_block), &out),
        PH_E_SYNTAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shape_of_a_private_key_is_taken),
        cmocka_unit_test(every_shape_of_a_public_key_is_taken),
        cmocka_unit_test(the_first_certificate_of_a_file_counts),
        cmocka_unit_test(weak_and_foreign_keys_are_refused),
        cmocka_unit_test(what_is_no_key_is_refused),
        cmocka_unit_test(others_signatures_are_ours),
        cmocka_unit_test(nothing_else_is_signed),
        cmocka_unit_test(what_cannot_be_signed_is_told),
        cmocka_unit_test(blocks_are_opened),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
