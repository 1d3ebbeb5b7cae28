/*
 * call_int.h - what the files call*.c share; nobody else includes it.
 *
 * A lane is one curl multi with its own trust, rules and kept connections.
 * Channels and webhooks never share one: a webhook must not ride on a
 * connection that was opened under a channel's rules.
 */
#ifndef WK_CALL_INT_H
#define WK_CALL_INT_H

#include <curl/curl.h>
#include <openssl/types.h>

#include "worker/call.h"

#define CALL_URL_MAX 4096
#define CALL_HEADER_LINE_MAX 8192 /* one request header */
#define CALL_HEAD_MAX (16 * 1024) /* all reply headers */
#define CALL_HEADERS_MAX 128      /* reply headers */
#define CALL_WEBHOOK_REPLY_MAX (64 * 1024)
#define CALL_BODY_FIRST 4096       /* first size of a reply buffer */
#define CALL_BODY_KEEP (64 * 1024) /* a larger one is not kept */

/* Servers close idle connections after 60 s or more; a request that meets the
 * close on its way is unknown, so ours are dropped before that. */
#define CALL_IDLE_MAX_S 50L

struct call_lane;

/* One transfer; the slot and its easy handle are used again and again. */
struct call_slot {
    struct call_slot  *prev, *next; /* in lane->idle, busy or doomed */
    struct call_lane  *lane;
    struct wk_call    *call; /* NULL = idle */
    CURL              *easy;
    CURLU             *url;
    struct curl_slist *headers;
    bool               in_multi;
    bool               is_doomed; /* to be finished on the next turn */

    unsigned    prereq_count; /* 0 is the proof that nothing was sent */
    bool        is_plain;     /* http, not https */
    bool        is_denied;    /* an address was refused */
    bool        is_cut;       /* body ended by our maximum, not by them */
    const char *why;          /* our own reason, before curl's */

    char  *body;
    size_t body_len;
    size_t body_size;

    char                     head[CALL_HEAD_MAX];
    size_t                   head_len;
    bool                     head_is_done;
    struct ph_channel_header reply_headers[CALL_HEADERS_MAX];
    size_t                   reply_header_count;

    char curl_error[CURL_ERROR_SIZE];
};

struct call_lane {
    struct wk_calls   *calls;
    enum wk_call_class kind;
    CURLM             *multi;
    X509_STORE        *trust;
    bool               allow_loopback; /* webhooks: loopback, any port */
    uint64_t           fresh_until_ms; /* kept connections are not trusted */
    char              *proxy;          /* NULL = none; never for plain http */
    char              *proxy_login;    /* "USER:PASSWORD", NULL = none */
    long               dns_cache_s;
    size_t             reply_max;
    size_t             slot_max;
    size_t             busy_count; /* started, done() not called yet */
    struct call_slot  *idle, *busy, *doomed;
    uv_timer_t         timer; /* curl's */
    uv_timer_t         later; /* finishes the doomed */
    bool               has_handles;
};

/* call_trust.c: system authorities and those of extra_file ("" = none);
 * NULL = said why in the log. */
X509_STORE *call_trust_new(const char *extra_file) PH_MUST_CHECK;
void        call_trust_free(X509_STORE *trust);

/* a CURLOPT_SSL_CTX_FUNCTION whose data is the X509_STORE */
CURLcode call_trust_use(CURL *easy, void *ssl_ctx, void *trust);

/* call_proxy.c: pay.proxy and its login into the lane; false = said why in the
 * log. */
bool call_proxy_open(struct call_lane     *lane,
                     const struct ph_conf *conf) PH_MUST_CHECK;
void call_proxy_close(struct call_lane *lane);

/* Sets the easy handle up for a request, whose URL is loaded. */
bool call_proxy_load(struct call_slot *slot) PH_MUST_CHECK;

/* call_transfer.c */
struct call_slot *call_slot_new(struct call_lane *lane) PH_MUST_CHECK;
void              call_slot_free(struct call_slot *slot);

/* Empty for the next call. */
void call_slot_clear(struct call_slot *slot);

/* Fills in what the engine owes: outcome, reply, error, times. */
void call_slot_judge(struct call_slot *slot, CURLcode code);

/* call_request.c */
/* Sets the easy handle up; false = slot->why says what is wrong. */
bool call_slot_load(struct call_slot *slot, struct wk_call *call) PH_MUST_CHECK;

/* Forgets the call; the easy handle keeps its fixed options. */
void call_slot_unload(struct call_slot *slot);

#endif
