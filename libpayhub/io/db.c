/*
 * db.c - opening MySQL connections.
 *
 * Only calls that MariaDB's Connector/C and Oracle's libmysqlclient share, but
 * for the words by which each is told to use TLS.
 * Automatic reconnection is off by default in both and stays off: a statement
 * that may have run is never sent again behind our back.
 */
#include "libpayhub/io/db.h"

#include <errmsg.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <unistd.h>

#include "libpayhub/io/daemon.h"

#define DB_PASSWORD_MAX 256

enum db_tls { DB_TLS_OFF, DB_TLS_ON, DB_TLS_VERIFY };

struct db_login {
    const char *user;
    const char *password_file;
    char        password[DB_PASSWORD_MAX]; /* NUL-terminated */
};

static const char db_session[]
    = "SET time_zone='+00:00',sql_mode='STRICT_ALL_TABLES,"
      "NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO'";
static const char db_isolation[]
    = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";

static bool
login_read(const struct ph_conf *conf, enum ph_db_user user,
           struct db_login *login, struct ph_buf *why)
{
    /* clang-format off */
    static const struct {
        enum ph_conf_key name, file;
    } keys[] = {
        [PH_DB_WORKER]  = { PH_CONF_store_user, PH_CONF_store_password_file },
        [PH_DB_OWNER]   = { PH_CONF_store_owner,
                            PH_CONF_store_owner_password_file },
        [PH_DB_SIDECAR] = { PH_CONF_sidecar_user,
                            PH_CONF_sidecar_password_file },
    };
    /* clang-format on */
    struct ph_buf text;

    login->user          = ph_conf_text(conf, keys[user].name);
    login->password_file = ph_conf_text(conf, keys[user].file);
    login->password[0]   = '\0';
    if (login->password_file[0] == '\0') {
        return true;
    }
    ph_buf_init(&text, login->password, sizeof(login->password));
    if (!ph_secret_read(login->password_file, &text, why)) {
        return false;
    }
    if (ph_buf_z(&text)[0] == '\0') {
        ph_buf_add(why, ph_str_z(login->password_file));
        ph_buf_add(why, PH_STR(": found an empty file or over 255 bytes, "
                               "expected a password"));
        return false;
    }
    return true;
}

/* "MySQL USER@WHERE: found ERROR, expected WHAT" */
static void
why_mysql(struct ph_buf *why, const char *user, const char *where, MYSQL *mysql)
{
    unsigned    number   = mysql_errno(mysql);
    const char *expected = number == 0 || number == CR_SSL_CONNECTION_ERROR
                               ? "TLS as store.tls and store.tls_ca ask for it"
                               : "a running server and this account; see "
                                 "[store]";

    ph_buf_add(why, PH_STR("MySQL "));
    ph_buf_add(why, ph_str_z(user));
    ph_buf_byte(why, '@');
    ph_buf_add(why, ph_str_z(where));
    ph_buf_add(why, PH_STR(": found \""));
    ph_buf_add(why, number == 0 ? PH_STR("a server without TLS")
                                : ph_str_z(mysql_error(mysql)));
    ph_buf_add(why, PH_STR("\" ("));
    ph_buf_u64(why, number);
    ph_buf_add(why, PH_STR("), expected "));
    ph_buf_add(why, ph_str_z(expected));
}

/* Whole seconds, rounded up: all that the API knows. */
static unsigned
timeout_s(const struct ph_conf *conf)
{
    return (unsigned) ((ph_conf_number(conf, PH_CONF_store_timeout) + 999)
                       / 1000);
}

static enum db_tls
tls_of(const struct ph_conf *conf)
{
    struct ph_str word = ph_str_z(ph_conf_text(conf, PH_CONF_store_tls));

    if (ph_str_eq(word, PH_STR("verify"))) {
        return DB_TLS_VERIFY;
    }
    return ph_str_eq(word, PH_STR("on")) ? DB_TLS_ON : DB_TLS_OFF;
}

/* An authority that nobody would look at, or that cannot be read, is refused:
 * the library's own words for it name neither the key nor the file. */
static bool
tls_ca_fits(const struct ph_conf *conf, struct ph_buf *why)
{
    const char *file = ph_conf_text(conf, PH_CONF_store_tls_ca);
    const char *found
        = tls_of(conf) != DB_TLS_VERIFY ? "found a file beside store.tls = "
          : access(file, R_OK) != 0     ? "found nothing that can be read, "
                                          "expected certificates in PEM"
                                        : NULL;

    if (file[0] == '\0' || found == NULL) {
        return true;
    }
    ph_buf_add(why, PH_STR("store.tls_ca: "));
    ph_buf_add(why, ph_str_z(file));
    ph_buf_add(why, PH_STR(": "));
    ph_buf_add(why, ph_str_z(found));
    if (tls_of(conf) != DB_TLS_VERIFY) {
        ph_buf_add(why, ph_str_z(ph_conf_text(conf, PH_CONF_store_tls)));
        ph_buf_add(why, PH_STR(", expected store.tls = verify"));
    }
    return false;
}

static bool
tls_set_up(MYSQL *mysql, const struct ph_conf *conf)
{
    const char *ca = ph_conf_text(conf, PH_CONF_store_tls_ca);

    if (ca[0] != '\0' && mysql_options(mysql, MYSQL_OPT_SSL_CA, ca) != 0) {
        return false;
    }
#ifdef MARIADB_BASE_VERSION
    my_bool is_on     = tls_of(conf) != DB_TLS_OFF;
    my_bool is_proved = tls_of(conf) == DB_TLS_VERIFY;

    return mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &is_on) == 0
           && mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &is_proved)
                  == 0;
#else
    static const unsigned modes[] = {
        [DB_TLS_OFF]    = SSL_MODE_DISABLED,
        [DB_TLS_ON]     = SSL_MODE_REQUIRED,
        [DB_TLS_VERIFY] = SSL_MODE_VERIFY_IDENTITY,
    };

    return mysql_options(mysql, MYSQL_OPT_SSL_MODE, &modes[tls_of(conf)]) == 0;
#endif
}

static bool
mysql_set_up(MYSQL *mysql, const struct ph_conf *conf)
{
    unsigned timeout = timeout_s(conf);
    unsigned off     = 0;

    return mysql_options(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &timeout) == 0
           && mysql_options(mysql, MYSQL_OPT_READ_TIMEOUT, &timeout) == 0
           && mysql_options(mysql, MYSQL_OPT_WRITE_TIMEOUT, &timeout) == 0
           && mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &off) == 0
           && mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4") == 0
           && tls_set_up(mysql, conf);
}

/* Connector/C goes on in the clear when a server offers no TLS and nobody asked
 * for its certificate. */
static bool
tls_holds(MYSQL *mysql, const struct ph_conf *conf)
{
    return tls_of(conf) == DB_TLS_OFF || mysql_get_ssl_cipher(mysql) != NULL;
}

static bool
mysql_join(MYSQL *mysql, const struct ph_conf *conf, enum ph_db_user user,
           const struct db_login *login, const char *host)
{
    const char *socket = ph_conf_text(conf, PH_CONF_store_socket);
    const char *schema = ph_conf_text(conf, PH_CONF_store_database);
    unsigned    port   = (unsigned) ph_conf_number(conf, PH_CONF_store_port);
    bool        local  = host[0] == '\0';

    /* the replica's account has no rights on the schema, so it names none */
    return mysql_real_connect(
               mysql, local ? NULL : host, login->user, login->password,
               user == PH_DB_SIDECAR ? NULL : schema, local ? 0 : port,
               local ? socket : NULL, CLIENT_MULTI_STATEMENTS)
               != NULL
           && tls_holds(mysql, conf)
           && (user == PH_DB_SIDECAR
               || (mysql_query(mysql, db_session) == 0
                   && mysql_query(mysql, db_isolation) == 0));
}

MYSQL *
ph_mysql_open(const struct ph_conf *conf, enum ph_db_user user,
              struct ph_buf *why)
{
    const char *host = ph_conf_text(conf, PH_CONF_store_host);
    const char *where
        = host[0] != '\0' ? host : ph_conf_text(conf, PH_CONF_store_socket);
    struct db_login login;
    MYSQL          *mysql;

    if (!tls_ca_fits(conf, why) || !login_read(conf, user, &login, why)) {
        OPENSSL_cleanse(login.password, sizeof(login.password));
        return NULL;
    }
    mysql = mysql_init(NULL);
    if (mysql == NULL) {
        ph_buf_add(why, PH_STR("MySQL: found no memory, expected some"));
    } else if (!mysql_set_up(mysql, conf)
               || !mysql_join(mysql, conf, user, &login, host))
    {
        why_mysql(why, login.user, where, mysql);
        mysql_close(mysql);
        mysql = NULL;
    }
    OPENSSL_cleanse(login.password, sizeof(login.password));
    return mysql;
}
