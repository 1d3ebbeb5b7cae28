/*
 * load.h - HTTP load over plain sockets and epoll: N kept connections, one
 * request on the way in each, signed with libpayhub as a client signs.
 *
 * One thread.  A connection that closes is opened again; a request whose
 * answer never came is counted as unanswered and not sent again.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdio.h>

#include "libpayhub/wire/auth_v3.h"
#include "libpayhub/wire/digest.h"

#define LOAD_CONNECTIONS_MAX 1024
#define LOAD_REQUESTS_MAX 2000000
#define LOAD_SECONDS_MAX 600
#define LOAD_REQUEST_MAX 8192 /* head and body of one request */
#define LOAD_ANSWER_MAX 65536
#define LOAD_KEYS_MAX 2000000

struct load_plan {
    unsigned      port; /* 127.0.0.1 */
    unsigned      connections;
    uint64_t      requests; /* stop after so many, or after */
    unsigned      seconds;
    unsigned      rate; /* requests a second at most; 0 = each link at once */
    const char   *method;
    const char   *target;
    const char   *body;   /* "%n" stands for a number of its own */
    const char   *key_id; /* NULL = not signed */
    struct ph_str secret;
    unsigned      keys;    /* not 0: key_id with a number of 1..keys behind it,
                            * drawn by Zipf 1.1; all have one secret */
    const double *keys_at; /* cumulated shares, load_keys(); NULL = in turns */
};

struct load_result {
    uint64_t answered;
    uint64_t good;       /* 2xx */
    uint64_t unanswered; /* closed or late with a request on the way */
    unsigned bad_status; /* one of the others, to show */
    double   seconds;
    double   p50_ms, p99_ms; /* of answered ones */
};

/* cumulated shares of `count` keys by Zipf 1.1; the caller frees; NULL = no
 * memory */
double *load_keys(unsigned count) PH_MUST_CHECK;

/* one request, head and body; false = it does not fit or no crypto */
bool load_request(struct ph_buf *out, const struct load_plan *plan,
                  struct ph_hmac *mac, uint64_t number,
                  uint64_t now_s) PH_MUST_CHECK;

/* false = said why on stderr */
bool load_run(const struct load_plan *plan,
              struct load_result     *result) PH_MUST_CHECK;

#endif
