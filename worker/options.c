/* options.c - command line and configuration of the worker; see options.h. */
#include "worker/options.h"

#include <stdio.h>

#include "libpayhub/base/version.h"
#include "libpayhub/domain/health.h"
#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"
#include "libpayhub/io/redis_login.h"
#include "worker/call.h"
#include "worker/crash.h"

static const struct {
    const char *name;
    unsigned    bit;
} roles[] = {
    { "pay", WK_ROLE_PAY },
    { "notify", WK_ROLE_NOTIFY },
    { "janitor", WK_ROLE_JANITOR },
    { "admin", WK_ROLE_ADMIN },
};

static bool
usage_refuse(const char *found)
{
    (void) fprintf(stderr,
                   "payhub-worker: found '%s', expected --config FILE, "
                   "--check, --help or --version\n",
                   found);
    return false;
}

bool
wk_options_read(struct wk_options *options, int argc, char **argv)
{
    *options = (struct wk_options){ 0 };
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--config") == 0 && i + 1 < argc) {
            options->config_path = argv[++i];
        } else if (strcmp(argv[i], "--check") == 0) {
            options->check_only = true;
        } else if (strcmp(argv[i], "--version") == 0) {
            (void) printf("payhub-worker %s\n", PH_VERSION);
            options->tells = true;
#ifdef PH_TESTING
        } else if (strcmp(argv[i], "--crash-points") == 0) {
            wk_crash_points_print();
            options->tells = true;
#endif
        } else if (strcmp(argv[i], "--help") == 0) {
            (void) printf("usage: payhub-worker [--config FILE] [--check]\n"
                          "  --check  reads the configuration and ends\n");
            options->tells = true;
        } else {
            return usage_refuse(argv[i]);
        }
    }
    return true;
}

/* "FILE:LINE: section.key: found X, expected Y" for a value that only the
 * worker can judge. */
static bool
conf_refuse(const struct wk_options *options, const struct ph_conf *conf,
            enum ph_conf_key key, const char *expected)
{
    const struct ph_conf_row *row = ph_conf_row(key);

    (void) fprintf(
        stderr, "payhub-worker: %s:%u: %s.%s: found '%s', expected %s\n",
        options->config_path != NULL ? options->config_path : "payhub.conf",
        conf->line[key], row->section, row->key, ph_conf_text(conf, key),
        expected);
    return false;
}

/* The reader of payhub.conf has judged the list: known names, each once. */
static unsigned
roles_read(const struct ph_conf *conf)
{
    struct ph_str rest = ph_str_z(ph_conf_text(conf, PH_CONF_worker_roles));
    struct ph_str name;
    unsigned      bits = 0;

    while (ph_str_next(&rest, ',', &name)) {
        for (size_t i = 0; i < PH_COUNT(roles); i++) {
            if (ph_str_eq(ph_str_trim(name), ph_str_z(roles[i].name))) {
                bits |= roles[i].bit;
            }
        }
    }
    return bits;
}

const char *
wk_breaker_fault(const struct ph_conf *conf)
{
    struct ph_breaker_spec spec;

    return ph_breaker_parse(ph_str_z(ph_conf_text(conf, PH_CONF_pay_breaker)),
                            &spec)
                   == PH_OK
               ? NULL
               : "off or PERCENT%/CALLS/OPEN/PROBES as 50%/20/5s/3";
}

/* Only for --check: without Redis a worker goes on by the rows, so that a start
 * tells of such a file and does not end for it. */
static bool
redis_files_check(const struct ph_conf *conf, struct ph_buf *why)
{
    static const enum ph_redis_at ats[]
        = { PH_REDIS_SERVER, PH_REDIS_SENTINEL };
    bool ok = true;

    for (size_t i = 0; ok && i < PH_COUNT(ats); i++) {
        struct ph_redis_login login = ph_redis_login(conf, ats[i]);
        struct ph_redis_auth  auth;

        ok = ph_redis_auth_read(&login, &auth, why);
        ph_redis_auth_wipe(&auth);
    }
    return ok;
}

bool
wk_options_check(struct wk_options *options, const struct ph_conf *conf,
                 struct ph_seal_key keys[2], size_t *key_count)
{
    struct ph_str listen = ph_str_z(ph_conf_text(conf, PH_CONF_worker_listen));
    char          memory[512];
    struct ph_buf why = PH_BUF_INIT(memory);
    struct ph_str scheme;

    options->roles       = roles_read(conf);
    options->socket_path = listen.ptr;
    if (ph_str_cut(listen, ':', &scheme, &listen)) {
        options->socket_path = listen.ptr;
    }
    if (!ph_log_level_set(ph_conf_text(conf, PH_CONF_log_level))) {
        return conf_refuse(options, conf, PH_CONF_log_level,
                           "error, warn, info or debug");
    }
    if (wk_breaker_fault(conf) != NULL) {
        return conf_refuse(options, conf, PH_CONF_pay_breaker,
                           wk_breaker_fault(conf));
    }
    if ((options->check_only
         && (!redis_files_check(conf, &why)
             || !wk_call_proxy_check(conf, &why)))
        || !ph_seal_keys_load(conf, keys, key_count, &why))
    {
        (void) fprintf(stderr, "payhub-worker: %.*s\n", (int) why.len, why.ptr);
        return false;
    }
    if (*key_count == 0) {
        return conf_refuse(options, conf, PH_CONF_seal_key_file,
                           "a file of 64 hex digits (0600) that opens the "
                           "secrets in the tables");
    }
    return true;
}
