/*
 * main.c - the load program of scripts/bench.d/edge and pay.
 *
 *   load PORT CONNECTIONS REQUESTS SECONDS METHOD TARGET BODY \
 *       [KEY_ID FILE [KEYS]]
 *
 * With KEYS the key's id is KEY_ID and a number of 1 to KEYS, drawn by
 * Zipf 1.1. LOAD_RATE in the environment is the most requests a second; links
 * rest between them. Prints "answered good unanswered bad_status seconds p50_ms
 * p99_ms".
 */
#include <stdlib.h>

#include "bench/http/load.h"

#define SECRET_MAX 4096

static unsigned
number_read(const char *text, uint64_t max, const char *name)
{
    uint64_t value;

    if (!ph_str_u64(ph_str_z(text), max, &value) || value == 0) {
        (void) fprintf(stderr, "load: %s: found %s, expected 1-%llu\n", name,
                       text, (unsigned long long) max);
        exit(2);
    }
    return (unsigned) value;
}

/* the file's bytes without one closing LF */
static struct ph_str
secret_read(const char *path)
{
    static char memory[SECRET_MAX];
    FILE       *file = fopen(path, "re");
    size_t      len = file != NULL ? fread(memory, 1, sizeof(memory), file) : 0;

    if (file != NULL) {
        (void) fclose(file);
    }
    len -= len != 0 && memory[len - 1] == '\n';
    if (len == 0) {
        (void) fprintf(stderr, "load: %s: expected a secret\n", path);
        exit(2);
    }
    return ph_str_make(memory, len);
}

int
main(int argc, char **argv)
{
    struct load_result result;
    struct load_plan   plan;
    double            *keys_at = NULL;

    if (argc != 8 && argc != 10 && argc != 12) {
        (void) fprintf(stderr,
                       "usage: load PORT CONNECTIONS REQUESTS SECONDS "
                       "METHOD TARGET BODY [KEY_ID FILE [KEYS zipf|turns]]\n");
        return 2;
    }
    plan = (struct load_plan){
        .port = number_read(argv[1], 65535, "PORT"),
        .connections
        = number_read(argv[2], LOAD_CONNECTIONS_MAX, "CONNECTIONS"),
        .requests = number_read(argv[3], LOAD_REQUESTS_MAX, "REQUESTS"),
        .seconds  = number_read(argv[4], LOAD_SECONDS_MAX, "SECONDS"),
        .method   = argv[5],
        .target   = argv[6],
        .body     = argv[7],
        .key_id   = argc >= 10 ? argv[8] : NULL,
    };
    if (getenv("LOAD_RATE") != NULL) {
        plan.rate = number_read(getenv("LOAD_RATE"), 1000000, "LOAD_RATE");
    }
    if (argc >= 10) {
        plan.secret = secret_read(argv[9]);
    }
    if (argc == 12) {
        plan.keys = number_read(argv[10], LOAD_KEYS_MAX, "KEYS");
        if (strcmp(argv[11], "zipf") == 0) {
            plan.keys_at = keys_at = load_keys(plan.keys);
        }
        if (plan.keys_at == NULL && strcmp(argv[11], "turns") != 0) {
            return 1;
        }
    }
    if (!ph_digest_init() || !load_run(&plan, &result)) {
        return 1;
    }
    (void) printf("%llu %llu %llu %u %.3f %.5f %.5f\n",
                  (unsigned long long) result.answered,
                  (unsigned long long) result.good,
                  (unsigned long long) result.unanswered, result.bad_status,
                  result.seconds, result.p50_ms, result.p99_ms);
    ph_digest_deinit();
    free(keys_at);
    return 0;
}
