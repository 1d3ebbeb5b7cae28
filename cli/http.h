/*
 * http.h - one HTTP request by libcurl, sent once: no redirect, no reuse of a
 * connection, so nothing that libcurl would repeat by itself.
 */
#ifndef CLI_HTTP_H
#define CLI_HTTP_H

#include "libpayhub/base/buf.h"
#include "libpayhub/base/rc.h"

#define CLI_HTTP_HEADERS_MAX 8

enum cli_http_outcome {
    CLI_HTTP_UNKNOWN = 0, /* sent, and no whole answer came */
    CLI_HTTP_NOT_SENT,    /* no connection: nothing was sent */
    CLI_HTTP_ANSWERED
};

struct cli_http {
    /* set by the caller */
    const char   *base;   /* https://host:port */
    const char   *target; /* as it goes into the request line */
    const char   *method;
    const char   *unix_socket;                   /* NULL = by the address */
    const char   *ca_file;                       /* NULL or "" = the system's */
    const char   *headers[CLI_HTTP_HEADERS_MAX]; /* "Name: value" */
    size_t        header_count;
    struct ph_str body;
    bool          has_body;
    long          timeout_s;
    size_t        answer_max;
    long          stall_s; /* 0 = as long as timeout_s without a byte */
    /* NULL = kept in `answer`; takes its bytes as they come, false ends it */
    bool (*on_answer)(void *data, const char *bytes, size_t len);
    void *answer_for;

    /* set by the call */
    long   status;
    char   error[256];
    char   key_id[64], timestamp[32], nonce[80], signature[128]; /* Payhub-* */
    char  *answer; /* heap, NUL-terminated; cli_http_free() */
    size_t answer_len;
    bool   too_long;
};

enum cli_http_outcome cli_http_send(struct cli_http *http);
void                  cli_http_free(struct cli_http *http);

#endif
