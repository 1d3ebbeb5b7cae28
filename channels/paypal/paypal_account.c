/* paypal_account.c - what an account's values have to be; see paypal_int.h. */
#include "channels/context.h"
#include "channels/paypal/paypal_int.h"

#define VALUE_MAX 256

void
paypal_account_close(void *context)
{
    struct paypal_account *account = context;

    if (account == NULL) {
        return;
    }
    for (size_t i = 0; i < account->cert_count; i++) {
        ph_certs_free(account->certs[i].certs, account->certs[i].count);
    }
    ph_trust_free(account->own_trust);
    ph_context_free(account);
}

static bool
trust_open(struct paypal_account *account, const struct ph_channel_env *env,
           struct ph_str pems)
{
    account->trust = env != NULL ? env->trust : NULL;
    if (pems.len == 0) {
        return true;
    }
    if (ph_trust_new(&account->own_trust, &pems, 1) != PH_OK) {
        return false;
    }
    account->trust = account->own_trust;
    return true;
}

void *
paypal_account_open(const struct ph_channel_account *account,
                    const struct ph_channel_env *env, uint64_t now_ms,
                    struct ph_arena *arena, const char **why)
{
    static const struct {
        enum paypal_field field;
        const char       *key;
    } plain[]                     = { { PAYPAL_CLIENT_ID, "client_id" },
                                      { PAYPAL_CLIENT_SECRET, "client_secret" },
                                      { PAYPAL_WEBHOOK_ID, "webhook_id" } };
    const struct ph_str   *values = account->values;
    struct paypal_account *opened;

    (void) now_ms;
    for (size_t i = 0; i < PH_COUNT(plain); i++) {
        struct ph_str value = values[plain[i].field];

        if (!ph_rest_is_plain(value, VALUE_MAX)
            || (plain[i].field == PAYPAL_CLIENT_ID
                && memchr(value.ptr, ':', value.len) != NULL))
        {
            *why = ph_rest_why(plain[i].key, value,
                               "1 to 256 letters, digits and signs", arena);
            return NULL;
        }
    }
    opened = ph_context_new(sizeof(*opened));
    if (opened == NULL) {
        *why = "no memory";
        return NULL;
    }
    opened->base = ph_rest_base(values[PAYPAL_BASE_URL],
                                PH_STR("https://api-m.paypal.com"));
    if (!trust_open(opened, env, values[PAYPAL_WEBHOOK_CA])) {
        *why = ph_rest_why("webhook_ca", values[PAYPAL_WEBHOOK_CA],
                           "certificates in PEM", arena);
        paypal_account_close(opened);
        return NULL;
    }
    paypal_certs_open(opened, account->kept);
    return opened;
}
