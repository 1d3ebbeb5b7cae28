/*
 * main.c - payhub-sandbox: a payment channel of our own for trying and for
 * faults.  docs/sandbox.md is its manual.
 *
 * It listens on loopback only and moves no real money.
 */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "libpayhub/base/version.h"
#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"
#include "sandbox/server.h"
#include "sandbox/text.h"

#define PEM_MAX (64 * 1024)
#define KEY_LEN_MIN 16
#define FILES_WANTED 4096 /* connections, notices and a few */

struct options {
    const char              *listen;
    const char              *cert;
    const char              *key;
    const char              *books;
    const char              *account_key;
    struct sb_clock_options  clock;
    struct sb_server_options server;
};

static char cert_pem[PEM_MAX + 1];
static char key_pem[PEM_MAX + 1];
static char account_key[SB_KEY_MAX];

static const char usage[]
    = "usage: payhub-sandbox --listen 127.0.0.1:PORT|[::1]:PORT --cert FILE\n"
      "         --key FILE --books FILE --account-key-file FILE\n"
      "         [--ca-file FILE] [--notify-allow ADDRESS]... [--version]\n";

/* --- the command line ----------------------------------------------------- */

/* "127.0.0.1:PORT" or "[::1]:PORT" */
static bool
listen_parse(const char *text, struct sb_server_options *out)
{
    struct ph_str in = ph_str_z(text);
    struct ph_str v4 = PH_STR("127.0.0.1:");
    struct ph_str v6 = PH_STR("[::1]:");
    uint64_t      port;

    out->is_v6 = ph_str_starts(in, v6);
    if (!out->is_v6 && !ph_str_starts(in, v4)) {
        return false;
    }
    size_t skip = out->is_v6 ? v6.len : v4.len;
    if (!ph_str_u64(ph_str_make(in.ptr + skip, in.len - skip), 65535, &port)
        || port == 0)
    {
        return false;
    }
    out->port = (uint16_t) port;
    return true;
}

static bool
allow_add(struct sb_clock_options *clock, const char *text)
{
    struct in6_addr address;

    if (clock->allow_count == SB_ALLOW_MAX
        || (inet_pton(AF_INET, text, &address) != 1
            && inet_pton(AF_INET6, text, &address) != 1))
    {
        (void) fprintf(stderr,
                       "payhub-sandbox: --notify-allow: found '%s', expected a "
                       "literal address, at most %d of them\n",
                       text, SB_ALLOW_MAX);
        return false;
    }
    clock->allow[clock->allow_count++] = text;
    return true;
}

static bool
option_take(struct options *options, int option, const char *value)
{
    switch (option) {
    case 'l':
        options->listen = value;
        return true;
    case 'c':
        options->cert = value;
        return true;
    case 'k':
        options->key = value;
        return true;
    case 'b':
        options->books = value;
        return true;
    case 'a':
        options->account_key = value;
        return true;
    case 'f':
        options->clock.ca_file = value;
        return true;
    case 'n':
        return allow_add(&options->clock, value);
    case 'v':
        printf("payhub-sandbox %s\n", PH_VERSION);
        exit(0);
    default:
        (void) fputs(usage, stderr);
        return false;
    }
}

static bool
options_are_whole(struct options *options)
{
    if (options->listen == NULL || options->cert == NULL || options->key == NULL
        || options->books == NULL || options->account_key == NULL)
    {
        (void) fputs(usage, stderr);
        return false;
    }
    if (!listen_parse(options->listen, &options->server)) {
        (void) fprintf(
            stderr,
            "payhub-sandbox: --listen: found '%s', expected "
            "127.0.0.1:PORT or [::1]:PORT; it serves loopback only\n",
            options->listen);
        return false;
    }
    return true;
}

static bool
options_parse(int argc, char **argv, struct options *options)
{
    static const struct option table[] = {
        { "listen", required_argument, NULL, 'l' },
        { "cert", required_argument, NULL, 'c' },
        { "key", required_argument, NULL, 'k' },
        { "books", required_argument, NULL, 'b' },
        { "account-key-file", required_argument, NULL, 'a' },
        { "ca-file", required_argument, NULL, 'f' },
        { "notify-allow", required_argument, NULL, 'n' },
        { "version", no_argument, NULL, 'v' },
        { NULL, 0, NULL, 0 },
    };
    int option;

    while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
        if (!option_take(options, option, optarg)) {
            return false;
        }
    }
    if (optind != argc) {
        (void) fputs(usage, stderr);
        return false;
    }
    return options_are_whole(options);
}

/* --- files ---------------------------------------------------------------- */

static bool
files_read(struct options *options)
{
    char          reason[512];
    struct ph_buf why  = PH_BUF_INIT(reason);
    struct ph_buf cert = PH_BUF_INIT(cert_pem);
    struct ph_buf key  = PH_BUF_INIT(key_pem);
    struct ph_buf mine = PH_BUF_INIT(account_key);

    if (!ph_file_read(options->cert, &cert, &why)
        || !ph_secret_read(options->key, &key, &why)
        || !ph_secret_read(options->account_key, &mine, &why))
    {
        (void) fprintf(stderr, "payhub-sandbox: %s\n", ph_buf_z(&why));
        return false;
    }
    if (mine.len < KEY_LEN_MIN || cert.len > PEM_MAX || key.len > PEM_MAX) {
        (void) fprintf(
            stderr,
            "payhub-sandbox: found an account key of %zu bytes or a PEM "
            "over %d, expected at least %d and at most that\n",
            mine.len, PEM_MAX, KEY_LEN_MIN);
        return false;
    }
    options->server.cert_pem = cert_pem;
    options->server.key_pem  = key_pem;
    options->clock.key       = ph_buf_str(&mine);
    return true;
}

static struct sb_books *
books_open(const char *path)
{
    char             reason[1024];
    struct ph_buf    why   = PH_BUF_INIT(reason);
    struct sb_books *books = sb_books_open(path, &why);

    if (books == NULL) {
        (void) fprintf(stderr, "payhub-sandbox: %s\n", ph_buf_z(&why));
    }
    return books;
}

/* --- running -------------------------------------------------------------- */

static void
files_raise(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < FILES_WANTED)
    {
        limit.rlim_cur
            = limit.rlim_max < FILES_WANTED ? limit.rlim_max : FILES_WANTED;
        (void) setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Blocked before any thread is made, so that only this one hears them. */
static void
signals_block(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, signals, NULL);
}

static int
serve(struct options *options, struct sb_books *books, const sigset_t *signals)
{
    struct sb_world world = { .books = books, .key = options->clock.key };
    int             got;

    world.clock = sb_clock_start(&options->clock, books);
    if (world.clock == NULL) {
        return 1;
    }
    struct sb_server *server = sb_server_start(&options->server, &world);
    if (server == NULL) {
        sb_clock_stop(world.clock);
        return 1;
    }
    ph_log(PH_LOG_INFO, "ready", { "listen", ph_str_z(options->listen) });
    ph_daemon_notify("READY=1");
    sigwait(signals, &got);
    ph_daemon_notify("STOPPING=1");
    sb_server_quiesce(server);
    sb_clock_halt(world.clock); /* wakes what is parked, takes no more */
    sb_server_stop(server);
    sb_clock_stop(world.clock);
    ph_log(PH_LOG_INFO, "stopped");
    return 0;
}

int
main(int argc, char **argv)
{
    struct options options = { 0 };
    sigset_t       signals;
    int            status = 1;

    if (!options_parse(argc, argv, &options)) {
        return 2;
    }
    if (!ph_daemon_init("payhub-sandbox") || !files_read(&options)
        || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    {
        return 1;
    }
    signals_block(&signals);
    files_raise();
    struct sb_books *books = books_open(options.books);
    if (books != NULL) {
        status = serve(&options, books, &signals);
    }
    sb_books_close(books);
    curl_global_cleanup();
    return status;
}
