/*
 * main.c - payhub-sidecar: the command line, threads and signals.
 *
 * The main thread waits for signals and tells the time; the work is done in a
 * thread of its own, so that a signal never interrupts it half-way.
 */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "libpayhub/base/version.h"
#include "libpayhub/io/daemon.h"
#include "libpayhub/io/db.h"
#include "libpayhub/io/log.h"
#include "sidecar/check.h"
#include "sidecar/live.h"
#include "sidecar/tail.h"

#define EXIT_USAGE 2
#define EXIT_DIFFERENCE 3
#define EXIT_NOT_READY 4
#define REPORT_S 60
#define WHY_MAX 1024

enum mode { MODE_COUNT, MODE_PRINT, MODE_LIVE, MODE_CHECK };

struct options {
    enum mode   mode;
    const char *config;
    const char *file;
    const char *from;
    bool        json;
    bool        once;
};

struct job {
    int (*run)(void *context);
    void       *context;
    pthread_t   waiter; /* woken by SIGUSR1 when the work is over */
    int         status;
    atomic_bool is_over;
};

static const char usage[]
    = "usage: payhub-sidecar [--config FILE] [--once]\n"
      "       payhub-sidecar --print FILE [--json]\n"
      "       payhub-sidecar --live [--from now|oldest|GTID] [--once] "
      "[--json] [--config FILE]\n"
      "       payhub-sidecar --check [--json] [--config FILE]\n"
      "       payhub-sidecar --version | --help\n"
      "--once ends at the end of the log; --live then starts at the oldest\n";

/* false = *status is the exit status */
static bool
options_read(int argc, char **argv, struct options *options, int *status)
{
    /* clang-format off */
    static const struct option names[] = {
        { "config", required_argument, NULL, 'c' },
        { "print", required_argument, NULL, 'p' },
        { "live", no_argument, NULL, 'l' },
        { "check", no_argument, NULL, 'k' },
        { "from", required_argument, NULL, 'f' },
        { "json", no_argument, NULL, 'j' },
        { "once", no_argument, NULL, 'o' },
        { "version", no_argument, NULL, 'v' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 }
    };
    /* clang-format on */
    int letter;

    *status = EXIT_SUCCESS;
    while ((letter = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (letter) {
        case 'c':
            options->config = optarg;
            break;
        case 'p':
            options->mode = MODE_PRINT;
            options->file = optarg;
            break;
        case 'l':
            options->mode = MODE_LIVE;
            break;
        case 'k':
            options->mode = MODE_CHECK;
            break;
        case 'f':
            options->from = optarg;
            break;
        case 'j':
            options->json = true;
            break;
        case 'o':
            options->once = true;
            break;
        case 'v':
            (void) puts("payhub-sidecar " PH_VERSION);
            return false;
        case 'h':
            (void) fputs(usage, stdout);
            return false;
        default:
            *status = EXIT_USAGE;
            (void) fputs(usage, stderr);
            return false;
        }
    }
    if (optind != argc) {
        *status = EXIT_USAGE;
        (void) fputs(usage, stderr);
    }
    return optind == argc;
}

static void *
job_main(void *context)
{
    struct job *job = context;

    job->status = job->run(job->context);
    atomic_store(&job->is_over, true);
    (void) pthread_kill(job->waiter, SIGUSR1);
    return NULL;
}

static void
signals_block(sigset_t *set)
{
    static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1 };

    (void) sigemptyset(set);
    for (size_t i = 0; i < PH_COUNT(numbers); i++) {
        (void) sigaddset(set, numbers[i]);
    }
    (void) pthread_sigmask(SIG_BLOCK, set, NULL);
}

/* SIGHUP: the reloadable keys; a bad file changes nothing. */
static void
reload(struct bl_tail *tail, const struct options *options)
{
    char            memory[WHY_MAX];
    struct ph_buf   why  = PH_BUF_INIT(memory);
    struct ph_conf *conf = malloc(sizeof(*conf));

    if (conf != NULL && ph_conf_load(conf, options->config, &why)) {
        bl_queue_tune(
            &tail->queue,
            (uint64_t) ph_conf_number(conf, PH_CONF_sidecar_batch),
            (uint64_t) ph_conf_number(conf, PH_CONF_sidecar_batch_wait));
        (void) ph_log_level_set(ph_conf_text(conf, PH_CONF_log_level));
        ph_log(PH_LOG_INFO, "reloaded",
               { "file",
                 ph_str_z(options->config != NULL ? options->config : "") });
    } else {
        ph_log(PH_LOG_ERROR, "reload_failed", { "why", ph_buf_str(&why) });
    }
    free(conf);
}

static int
tail_job(void *context)
{
    return bl_tail_run(context);
}

static int
live_job(void *context)
{
    return bl_live_run(context);
}

/* Until the work is over; `tail` or `live` is what works. */
static int
job_wait(struct job *job, struct bl_tail *tail, struct bl_live *live,
         const struct options *options)
{
    const struct timespec minute = { .tv_sec = REPORT_S };
    sigset_t              set;
    pthread_t             thread;

    signals_block(&set);
    job->waiter = pthread_self();
    if (pthread_create(&thread, NULL, job_main, job) != 0) {
        return EXIT_FAILURE;
    }
    while (!atomic_load(&job->is_over)) {
        int number = sigtimedwait(&set, NULL, &minute);

        if (number < 0 && errno == EAGAIN && tail != NULL) {
            bl_tail_report(tail, REPORT_S);
        } else if (number == SIGHUP && tail != NULL) {
            reload(tail, options);
        } else if (number <= 0 || number == SIGUSR1) {
            continue; /* the work is over, or a stranger sent it */
        } else if (tail != NULL) {
            ph_daemon_notify("STOPPING=1");
            bl_tail_stop(tail);
        } else {
            bl_live_stop(live);
        }
    }
    (void) pthread_join(thread, NULL);
    return job->status;
}

static int
count_mode(const struct ph_conf *conf, const struct options *options)
{
    char            memory[WHY_MAX];
    struct ph_buf   why  = PH_BUF_INIT(memory);
    struct bl_tail *tail = calloc(1, sizeof(*tail));
    struct job      job  = { tail_job, tail, 0, EXIT_FAILURE, false };

    if (tail == NULL) {
        return EXIT_FAILURE;
    }
    if (!bl_tail_init(tail, conf, options->once, &why)) {
        (void) fprintf(stderr, "payhub-sidecar: %.*s\n", (int) why.len,
                       why.ptr);
        job.status = EXIT_USAGE;
    } else {
        job.status = job_wait(&job, tail, NULL, options);
        bl_tail_deinit(tail);
    }
    free(tail);
    return job.status;
}

static int
live_mode(const struct ph_conf *conf, const struct options *options)
{
    char            memory[WHY_MAX];
    struct ph_buf   why  = PH_BUF_INIT(memory);
    struct bl_live *live = calloc(1, sizeof(*live));
    struct job      job  = { live_job, live, 0, EXIT_FAILURE, false };

    if (live == NULL) {
        return EXIT_FAILURE;
    }
    live->from        = options->from;
    live->to_the_end  = options->once;
    live->print.style = options->json ? BL_STYLE_JSON : BL_STYLE_TEXT;
    if (live->from == NULL) {
        live->from = options->once ? "oldest" : "now";
    }
    if (!bl_live_init(live, conf, &why)) {
        (void) fprintf(stderr, "payhub-sidecar: %.*s\n", (int) why.len,
                       why.ptr);
        job.status = EXIT_USAGE;
    } else {
        job.status = job_wait(&job, NULL, live, options);
        bl_live_deinit(live);
    }
    free(live);
    return job.status;
}

static void
findings_print(const struct bl_findings *findings, bool json)
{
    for (size_t i = 0; i < findings->count; i++) {
        const struct bl_finding *finding = &findings->finding[i];
        char                     memory[WHY_MAX];
        struct ph_buf            text = PH_BUF_INIT(memory);

        if (json) {
            ph_buf_add(&text, PH_STR("{\"name\":"));
            ph_buf_json(&text, ph_str_z(finding->name));
            ph_buf_add(&text, PH_STR(",\"found\":"));
            ph_buf_json(&text, ph_str_z(finding->found));
            ph_buf_add(&text, PH_STR(",\"expected\":"));
            ph_buf_json(&text, ph_str_z(finding->wanted));
            ph_buf_add(&text, PH_STR(",\"mend\":"));
            ph_buf_json(&text, ph_str_z(finding->mend));
            ph_buf_add(&text, finding->is_required
                                  ? PH_STR(",\"required\":true}")
                                  : PH_STR(",\"required\":false}"));
        } else {
            ph_buf_add(&text, finding->is_required ? PH_STR("lacking ")
                                                   : PH_STR("advice  "));
            bl_finding_text(finding, &text);
        }
        (void) puts(ph_buf_z(&text));
    }
    if (findings->required == 0 && !json) {
        (void) puts("ok: nothing that counting needs is lacking");
    }
}

static int
check_mode(const struct ph_conf *conf, const struct options *options)
{
    char               memory[WHY_MAX];
    struct ph_buf      why   = PH_BUF_INIT(memory);
    MYSQL             *mysql = ph_mysql_open(conf, PH_DB_SIDECAR, &why);
    struct bl_findings findings;
    int                status = EXIT_NOT_READY;

    if (mysql != NULL && bl_check(mysql, &findings, &why)) {
        findings_print(&findings, options->json);
        status = findings.required == 0 ? EXIT_SUCCESS : EXIT_DIFFERENCE;
    } else {
        (void) fprintf(stderr, "payhub-sidecar: %.*s\n", (int) why.len,
                       why.ptr);
    }
    if (mysql != NULL) {
        mysql_close(mysql);
    }
    return status;
}

static int
configured(const struct options *options)
{
    static struct ph_conf conf;
    char                  memory[WHY_MAX];
    struct ph_buf         why = PH_BUF_INIT(memory);

    if (!ph_conf_load(&conf, options->config, &why)) {
        (void) fprintf(stderr, "payhub-sidecar: %.*s\n", (int) why.len,
                       why.ptr);
        return EXIT_USAGE;
    }
    (void) ph_log_level_set(ph_conf_text(&conf, PH_CONF_log_level));
    switch (options->mode) {
    case MODE_LIVE:
        return live_mode(&conf, options);
    case MODE_CHECK:
        return check_mode(&conf, options);
    case MODE_COUNT:
    case MODE_PRINT:
    default:
        return count_mode(&conf, options);
    }
}

int
main(int argc, char **argv)
{
    struct options options = { .mode = MODE_COUNT };
    int            status;

    if (!options_read(argc, argv, &options, &status)) {
        return status;
    }
    if (!ph_daemon_init("payhub-sidecar")) {
        return EXIT_FAILURE;
    }
    if (options.mode == MODE_PRINT) {
        return bl_print_file(options.file,
                             options.json ? BL_STYLE_JSON : BL_STYLE_TEXT);
    }
    return configured(&options);
}
