/*
 * http.c - see http.h.
 */
#include "cli/http.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define CONNECT_TIMEOUT_S 5L

static size_t
answer_take(char *bytes, size_t one, size_t count, void *data)
{
    struct cli_http *http = data;
    size_t           len  = one * count;

    if (http->on_answer != NULL) {
        return http->on_answer(http->answer_for, bytes, len) ? len : 0;
    }
    if (len > http->answer_max - http->answer_len) {
        http->too_long = true;
        return 0;
    }
    char *grown = realloc(http->answer, http->answer_len + len + 1);
    if (grown == NULL) {
        return 0;
    }
    memcpy(grown + http->answer_len, bytes, len);
    http->answer = grown;
    http->answer_len += len;
    grown[http->answer_len] = '\0';
    return len;
}

static void
header_copy(char *out, size_t size, struct ph_str value)
{
    while (value.len != 0 && (uint8_t) value.ptr[value.len - 1] <= ' ') {
        value.len--;
    }
    value = ph_str_trim(value);
    (void) snprintf(out, size, "%.*s", (int) (value.len < size ? value.len : 0),
                    value.ptr);
}

static size_t
header_take(char *bytes, size_t one, size_t count, void *data)
{
    struct cli_http *http = data;
    struct ph_str    name, value;
    const struct {
        const char *name;
        char       *out;
        size_t      size;
    } kept[] = {
        { "Payhub-Key-Id", http->key_id, sizeof(http->key_id) },
        { "Payhub-Timestamp", http->timestamp, sizeof(http->timestamp) },
        { "Payhub-Nonce", http->nonce, sizeof(http->nonce) },
        { "Payhub-Signature", http->signature, sizeof(http->signature) },
    };

    if (ph_str_cut(ph_str_make(bytes, one * count), ':', &name, &value)) {
        for (size_t i = 0; i < PH_COUNT(kept); i++) {
            if (name.len == strlen(kept[i].name)
                && strncasecmp(name.ptr, kept[i].name, name.len) == 0)
            {
                header_copy(kept[i].out, kept[i].size, value);
            }
        }
    }
    return one * count;
}

static void
easy_set(CURL *easy, struct cli_http *http, struct curl_slist *headers)
{
    (void) curl_easy_setopt(easy, CURLOPT_URL, http->base);
    if (http->target != NULL) {
        (void) curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, http->target);
    }
    (void) curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, http->method);
    (void) curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void) curl_easy_setopt(easy, CURLOPT_PROXY, "");
    (void) curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void) curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    (void) curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
    (void) curl_easy_setopt(easy, CURLOPT_TIMEOUT, http->timeout_s);
    if (http->stall_s != 0) {
        (void) curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
        (void) curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, http->stall_s);
    }
    (void) curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, http->error);
    (void) curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, answer_take);
    (void) curl_easy_setopt(easy, CURLOPT_WRITEDATA, http);
    (void) curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, header_take);
    (void) curl_easy_setopt(easy, CURLOPT_HEADERDATA, http);
    if (http->unix_socket != NULL) {
        (void) curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH,
                                http->unix_socket);
    }
    if (http->ca_file != NULL && http->ca_file[0] != '\0') {
        (void) curl_easy_setopt(easy, CURLOPT_CAINFO, http->ca_file);
    }
    if (strcmp(http->method, "HEAD") == 0) {
        (void) curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    }
    if (http->has_body) {
        (void) curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                                (curl_off_t) http->body.len);
        (void) curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
                                http->body.len != 0 ? http->body.ptr : "");
    }
}

static enum cli_http_outcome
outcome_of(CURL *easy, CURLcode result, struct cli_http *http)
{
    long sent = 0;

    (void) curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &http->status);
    (void) curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &sent);
    if (result == CURLE_OK) {
        return CLI_HTTP_ANSWERED;
    }
    if (http->error[0] == '\0') {
        (void) snprintf(http->error, sizeof(http->error), "%s",
                        curl_easy_strerror(result));
    }
    return sent == 0 ? CLI_HTTP_NOT_SENT : CLI_HTTP_UNKNOWN;
}

enum cli_http_outcome
cli_http_send(struct cli_http *http)
{
    enum cli_http_outcome outcome = CLI_HTTP_NOT_SENT;
    CURL                 *easy    = curl_easy_init();
    struct curl_slist    *headers = NULL;

    /* no 100-continue round: the body is small and goes with its head */
    headers = curl_slist_append(NULL, "Expect:");
    for (size_t i = 0; headers != NULL && i < http->header_count; i++) {
        struct curl_slist *longer
            = curl_slist_append(headers, http->headers[i]);
        if (longer == NULL) {
            curl_slist_free_all(headers);
        }
        headers = longer;
    }
    if (easy == NULL || headers == NULL) {
        (void) snprintf(http->error, sizeof(http->error), "out of memory");
    } else {
        easy_set(easy, http, headers);
        outcome = outcome_of(easy, curl_easy_perform(easy), http);
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(easy);
    return outcome;
}

void
cli_http_free(struct cli_http *http)
{
    free(http->answer);
    http->answer = NULL;
}
