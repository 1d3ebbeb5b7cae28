/*
 * call.h - HTTP calls to channels and webhooks by libcurl multi on the loop.
 *
 * The rule that this file exists for: a request that may have reached the
 * other side is never sent twice.  libcurl by itself repeats a request (POST
 * too) when a reused connection dies before the first byte of the answer, so
 * every transfer installs CURLOPT_PREREQFUNCTION and aborts the second
 * invocation.  "Nothing sent" is a proof - PREREQ was never called, so no byte
 * of the request left - and never an error text.
 *
 * @thread loop.  Jobs own wk_call; the engine owns everything in it until
 * done() is called, exactly once, never from inside wk_call_start().
 */
#ifndef WK_CALL_H
#define WK_CALL_H

#include <uv.h>

#include "channels/channel.h"
#include "libpayhub/base/buf.h"
#include "libpayhub/base/conf.h"

enum wk_call_outcome {
    WK_CALL_UNKNOWN = 0, /* may have arrived */
    WK_CALL_NOT_SENT,    /* proof: no byte of the request left */
    WK_CALL_ANSWERED     /* a whole HTTP answer is in reply */
};

enum wk_call_class {
    WK_CALL_CHANNEL, /* pay.ca_file, response to PH_CHANNEL_REPLY_MAX */
    WK_CALL_WEBHOOK  /* notify.ca_file, SSRF rules, response <= 64 KiB, cut */
};

struct wk_calls; /* the engine; one a loop */

struct wk_call {
    /* set by the caller */
    enum wk_call_class               kind;
    const struct ph_channel_request *request; /* lives until done() */
    uint64_t                         timeout_ms;
    void (*done)(struct wk_call *call);
    void *data;

    /* set by the engine before done() */
    enum wk_call_outcome    outcome;
    struct ph_channel_reply reply; /* views into engine memory that live
                                      until done() returns */
    char error[128];               /* for logs, NUL-terminated */
    bool is_new_connection;        /* else connect and tls took no time */
    /* by phases: name and connection; TLS, 0 = none; from the request's end to
     * the answer's begin.  total is the whole call. */
    uint64_t connect_us, tls_us, first_byte_us, total_us;

    void *engine; /* private */
};

/* NULL = said why in the log.  @owns: caller, wk_calls_free(). */
struct wk_calls *wk_calls_new(uv_loop_t            *loop,
                              const struct ph_conf *conf) PH_MUST_CHECK;

/* What pay.proxy_auth_file holds is a login; false: *why. */
bool wk_call_proxy_check(const struct ph_conf *conf,
                         struct ph_buf        *why) PH_MUST_CHECK;

/* false = the engine is full (pay.max_inflight): not started, not sent */
bool wk_call_start(struct wk_calls *calls, struct wk_call *call) PH_MUST_CHECK;

/*
 * Takes what a reload may change: how many at once, and whether webhooks may go
 * to loopback.  Connections that stood before are not used for what begins
 * under stricter rules.
 */
void wk_calls_configure(struct wk_calls *calls, const struct ph_conf *conf);

/* transfers in flight */
size_t wk_calls_count(const struct wk_calls *calls);

void wk_calls_free(struct wk_calls *calls); /* none may be in flight */

#endif
