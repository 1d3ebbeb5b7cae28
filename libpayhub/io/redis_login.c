/* redis_login.c - who we are at Redis; see redis_login.h. */
#include "libpayhub/io/redis_login.h"

#include <openssl/crypto.h>

#include "libpayhub/io/daemon.h"

struct ph_redis_login
ph_redis_login(const struct ph_conf *conf, enum ph_redis_at at)
{
    bool is_server = at == PH_REDIS_SERVER;

    return (struct ph_redis_login){
        .at   = at,
        .user = ph_conf_text(conf, is_server ? PH_CONF_redis_user
                                             : PH_CONF_redis_sentinel_user),
        .password_file
        = ph_conf_text(conf, is_server ? PH_CONF_redis_password_file
                                       : PH_CONF_redis_sentinel_password_file),
    };
}

static bool
is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

bool
ph_redis_auth_read(const struct ph_redis_login *login,
                   struct ph_redis_auth *auth, struct ph_buf *why)
{
    struct ph_buf password = PH_BUF_INIT(auth->password);
    bool          has_file = is_set(login->password_file);

    auth->count = 0;
    if (has_file && !ph_secret_read(login->password_file, &password, why)) {
        return false;
    }
    if (has_file
        && (password.len == 0 || password.full
            || password.len > PH_REDIS_PASSWORD_MAX))
    {
        ph_buf_add(why, ph_str_z(login->password_file));
        ph_buf_add(why, PH_STR(": found an empty file or over 512 bytes, "
                               "expected a password"));
        return false;
    }
    if (!has_file && !is_set(login->user)) {
        return true;
    }
    auth->word[auth->count++] = PH_STR("AUTH");
    if (is_set(login->user)) {
        auth->word[auth->count++] = ph_str_z(login->user);
    }
    /* without one it is empty: a user with `nopass` takes any */
    auth->word[auth->count++] = ph_buf_str(&password);
    return true;
}

void
ph_redis_auth_wipe(struct ph_redis_auth *auth)
{
    OPENSSL_cleanse(auth, sizeof(*auth));
}

bool
ph_redis_is_refusal(struct ph_str error)
{
    static const struct ph_str begins[]
        = { PH_STR_INIT("NOAUTH"), PH_STR_INIT("WRONGPASS"),
            PH_STR_INIT("NOPERM"), PH_STR_INIT("ERR AUTH") };

    for (size_t i = 0; i < PH_COUNT(begins); i++) {
        if (ph_str_starts(error, begins[i])) {
            return true;
        }
    }
    return false;
}

const char *
ph_redis_expected(enum ph_redis_at at, struct ph_str error)
{
    if (ph_str_starts(error, PH_STR("NOPERM"))) {
        return "the rights that docs/operating.md lists for this user";
    }
    return at == PH_REDIS_SERVER
               ? "redis.user and redis.password_file as this server has them"
               : "redis.sentinel_user and redis.sentinel_password_file as this "
                 "Sentinel has them";
}
