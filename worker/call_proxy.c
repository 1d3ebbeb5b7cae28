/*
 * call_proxy.c - the way out: channels are called by https through pay.proxy.
 *
 * The proxy sees a name, a port and TLS.  It refuses a tunnel before PREREQ is
 * asked, so that nothing was sent then.  Plain http is for loopback and goes
 * there straight.
 *
 * @thread loop
 */
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"
#include "worker/call_int.h"

#define LOGIN_MAX 512

static bool
login_read(const char *file, char login[LOGIN_MAX], struct ph_buf *why)
{
    struct ph_buf text;

    ph_buf_init(&text, login, LOGIN_MAX - 1);
    if (!ph_secret_read(file, &text, why)) {
        return false;
    }
    const struct ph_str whole = ph_buf_str(&text);

    if (memchr(whole.ptr, ':', whole.len) == NULL || ph_str_has_control(whole))
    {
        ph_buf_add(why, ph_str_z(file));
        ph_buf_add(why, PH_STR(": found another text, expected one line "
                               "USER:PASSWORD"));
        return false;
    }
    login[whole.len] = '\0';
    return true;
}

/* Into memory of the lane's own; the configuration may go. */
static bool
text_keep(char **kept, const char *text)
{
    *kept = strdup(text);
    return *kept != NULL;
}

bool
call_proxy_open(struct call_lane *lane, const struct ph_conf *conf)
{
    const char   *proxy = ph_conf_text(conf, PH_CONF_pay_proxy);
    const char   *file  = ph_conf_text(conf, PH_CONF_pay_proxy_auth_file);
    char          login[LOGIN_MAX], reason[512];
    struct ph_buf why = PH_BUF_INIT(reason);

    if (proxy[0] == '\0') {
        return true;
    }
    if (file[0] == '\0') {
        return text_keep(&lane->proxy, proxy);
    }
    bool is_good = login_read(file, login, &why);

    if (is_good) {
        is_good = text_keep(&lane->proxy, proxy)
                  && text_keep(&lane->proxy_login, login);
    } else {
        ph_log(PH_LOG_ERROR, "proxy_unusable", { "why", ph_buf_str(&why) });
    }
    OPENSSL_cleanse(login, sizeof(login));
    return is_good;
}

void
call_proxy_close(struct call_lane *lane)
{
    if (lane->proxy_login != NULL) {
        OPENSSL_cleanse(lane->proxy_login, strlen(lane->proxy_login));
    }
    free(lane->proxy_login);
    free(lane->proxy);
    lane->proxy = lane->proxy_login = NULL;
}

bool
wk_call_proxy_check(const struct ph_conf *conf, struct ph_buf *why)
{
    const char *file = ph_conf_text(conf, PH_CONF_pay_proxy_auth_file);
    char        login[LOGIN_MAX];
    const bool  is_good = file[0] == '\0' || login_read(file, login, why);

    OPENSSL_cleanse(login, sizeof(login));
    return is_good;
}

#define SET(option, value)                                                     \
    (ok = ok && curl_easy_setopt(slot->easy, (option), (value)) == CURLE_OK)

bool
call_proxy_load(struct call_slot *slot)
{
    const struct call_lane *lane    = slot->lane;
    bool                    ok      = true;
    bool                    is_used = lane->proxy != NULL && !slot->is_plain;

    /* "" also keeps the environment's proxies out */
    SET(CURLOPT_PROXY, is_used ? lane->proxy : "");
    SET(CURLOPT_PROXYUSERPWD, is_used ? lane->proxy_login : NULL);
    return ok;
}
