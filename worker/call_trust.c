/*
 * call_trust.c - the certificate authorities that calls trust.
 *
 * One store a lane, read once at start and shared by all its connections:
 * handing curl a file or blob makes it parse some 140 certificates anew for
 * every connection, on the loop.
 *
 * @thread loop
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include "libpayhub/io/log.h"
#include "worker/call_int.h"

#define TRUST_SYSTEM_FILE "/etc/ssl/certs/ca-certificates.crt"

static bool
trust_load(X509_STORE *trust, const char *file)
{
    if (X509_STORE_load_file(trust, file) == 1) {
        return true;
    }
    char reason[256];

    ERR_error_string_n(ERR_peek_last_error(), reason, sizeof(reason));
    ERR_clear_error();
    ph_log(PH_LOG_ERROR, "ca_file_unusable", { "file", ph_str_z(file) },
           { "found", ph_str_z(reason) },
           { "expected", PH_STR("certificates in PEM") });
    return false;
}

X509_STORE *
call_trust_new(const char *extra_file)
{
    X509_STORE *trust      = X509_STORE_new();
    bool        has_system = access(TRUST_SYSTEM_FILE, R_OK) == 0;

    if (trust == NULL) {
        return NULL;
    }
    /* an intermediate that the operator names is trusted by itself */
    X509_STORE_set_flags(trust,
                         X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
    if (!has_system) {
        ph_log(PH_LOG_WARN, "ca_system_missing",
               { "file", PH_STR(TRUST_SYSTEM_FILE) });
    }
    if ((has_system && !trust_load(trust, TRUST_SYSTEM_FILE))
        || (extra_file[0] != '\0' && !trust_load(trust, extra_file)))
    {
        X509_STORE_free(trust);
        return NULL;
    }
    return trust;
}

void
call_trust_free(X509_STORE *trust)
{
    X509_STORE_free(trust); /* accepts NULL */
}

CURLcode
call_trust_use(CURL *easy, void *ssl_ctx, void *trust)
{
    (void) easy;
    SSL_CTX_set1_cert_store(ssl_ctx, trust);
    return CURLE_OK;
}
