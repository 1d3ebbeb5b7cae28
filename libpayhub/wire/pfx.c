/*
 * pfx.c - PKCS #12 files, as old tools write them and as new ones do.
 *
 * RC2 needs OpenSSL's legacy provider.  It is loaded into a library context of
 * this call alone, so that nothing else of the process can use such ciphers;
 * what came out of the file is written anew into the common one.
 */
#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/pkcs12err.h>
#include <openssl/provider.h>
#include <openssl/x509.h>

#include "libpayhub/wire/cert.h"
#include "libpayhub/wire/cert_x509.h"

#define PASSWORD_MAX 256

struct room {
    OSSL_LIB_CTX  *context;
    OSSL_PROVIDER *usual;
    OSSL_PROVIDER *legacy; /* NULL where it is not installed */
};

static bool
room_open(struct room *room)
{
    room->context = OSSL_LIB_CTX_new();
    room->usual   = room->context != NULL
                        ? OSSL_PROVIDER_load(room->context, "default")
                        : NULL;
    room->legacy  = room->usual != NULL
                        ? OSSL_PROVIDER_load(room->context, "legacy")
                        : NULL;
    return room->usual != NULL;
}

static void
room_close(struct room *room)
{
    if (room->legacy != NULL) {
        OSSL_PROVIDER_unload(room->legacy);
    }
    if (room->usual != NULL) {
        OSSL_PROVIDER_unload(room->usual);
    }
    OSSL_LIB_CTX_free(room->context);
}

static PKCS12 *
p12_read(const struct room *room, struct ph_str der)
{
    const unsigned char *at = (const unsigned char *) der.ptr;
    PKCS12 *p12 = PKCS12_init_ex(NID_pkcs7_data, room->context, NULL);

    if (p12 != NULL && d2i_PKCS12(&p12, &at, (long) der.len) == NULL) {
        p12 = NULL; /* the reader released it */
    }
    if (p12 != NULL && at != (const unsigned char *) der.ptr + der.len) {
        PKCS12_free(p12);
        p12 = NULL;
    }
    return p12;
}

/* The same key in the common context. */
static EVP_PKEY *
key_move(const EVP_PKEY *key)
{
    PKCS8_PRIV_KEY_INFO *info  = EVP_PKEY2PKCS8(key);
    EVP_PKEY            *moved = info != NULL ? EVP_PKCS82PKEY(info) : NULL;

    PKCS8_PRIV_KEY_INFO_free(info);
    return moved;
}

static X509 *
x509_move(const X509 *x509)
{
    unsigned char *der = NULL;
    int            len = i2d_X509(x509, &der);
    X509          *moved;

    const unsigned char *at = der;
    moved                   = len > 0 ? d2i_X509(NULL, &at, len) : NULL;
    OPENSSL_free(der);
    return moved;
}

static enum ph_rc
p12_parse(PKCS12 *p12, const char *password, EVP_PKEY **key, X509 **x509)
{
    ERR_clear_error();
    if (PKCS12_parse(p12, password, key, x509, NULL) != 1) {
        unsigned long error = ERR_peek_last_error();
        return ERR_GET_LIB(error) == ERR_LIB_PKCS12
                       && ERR_GET_REASON(error) == PKCS12_R_MAC_VERIFY_FAILURE
                   ? PH_E_SIGNATURE
                   : PH_E_UNKNOWN;
    }
    return *key != NULL && *x509 != NULL ? PH_OK : PH_E_MISSING;
}

static enum ph_rc
halves_take(EVP_PKEY *inner_key, const X509 *inner_x509,
            struct ph_private_key **key, struct ph_cert **cert)
{
    EVP_PKEY  *pkey = key_move(inner_key);
    X509      *x509 = x509_move(inner_x509);
    enum ph_rc rc;

    if (pkey == NULL || x509 == NULL) {
        EVP_PKEY_free(pkey);
        X509_free(x509);
        return PH_E_CRYPTO;
    }
    rc = ph_private_key_of(key, pkey);
    if (rc != PH_OK) {
        X509_free(x509);
        return rc == PH_E_CRYPTO ? rc : PH_E_UNKNOWN;
    }
    rc = ph_cert_of(cert, x509);
    if (rc != PH_OK) {
        ph_private_key_free(*key);
    }
    return rc;
}

enum ph_rc
ph_pfx_open(struct ph_str der, struct ph_str password,
            struct ph_private_key **key, struct ph_cert **cert)
{
    struct room room = { NULL, NULL, NULL };
    char        text[PASSWORD_MAX + 1];
    EVP_PKEY   *pkey = NULL;
    X509       *x509 = NULL;
    PKCS12     *p12  = NULL;
    enum ph_rc  rc   = PH_E_SYNTAX;

    if (der.len == 0 || der.len > PH_PFX_MAX) {
        return PH_E_SYNTAX;
    }
    if (password.len > PASSWORD_MAX
        || (password.len != 0
            && memchr(password.ptr, '\0', password.len) != NULL))
    {
        return PH_E_SIGNATURE;
    }
    if (password.len != 0) {
        memcpy(text, password.ptr, password.len);
    }
    text[password.len] = '\0';

    if (!room_open(&room)) {
        rc = PH_E_CRYPTO;
        goto done;
    }
    p12 = p12_read(&room, der);
    if (p12 != NULL) {
        rc = p12_parse(p12, text, &pkey, &x509);
    }
    if (rc == PH_OK) {
        rc = halves_take(pkey, x509, key, cert);
    }

done:
    OPENSSL_cleanse(text, sizeof(text));
    EVP_PKEY_free(pkey);
    X509_free(x509);
    PKCS12_free(p12);
    room_close(&room);
    ERR_clear_error();
    return rc;
}
