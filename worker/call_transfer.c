/*
 * call_transfer.c - one transfer: curl's options, its callbacks, the verdict.
 *
 * The verdict rests on two facts alone.  curl asks PREREQ after the connection
 * stands and before the first byte of the request, so a transfer that never
 * asked has sent nothing.  And it asks again when it is about to repeat a
 * request on a fresh connection: that second question is answered by ABORT.
 *
 * @thread loop
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libpayhub/base/version.h"
#include "worker/address.h"
#include "worker/call_int.h"

/* --- what curl asks ------------------------------------------------------- */

static int
on_prereq(void *data, char *remote_ip, char *local_ip, int remote_port,
          int local_port)
{
    struct call_slot *slot = data;

    (void) remote_ip, (void) local_ip, (void) remote_port, (void) local_port;
    if (slot->prereq_count++ == 0) {
        return CURL_PREREQFUNC_OK;
    }
    slot->why = "connection died under the request, which is not sent twice";
    return CURL_PREREQFUNC_ABORT;
}

static bool
address_is_allowed(const struct call_slot     *slot,
                   const struct curl_sockaddr *address)
{
    const struct call_lane *lane = slot->lane;
    enum wk_address_kind    kind
        = wk_address_kind(&address->addr, (socklen_t) address->addrlen);

    if (lane->kind == WK_CALL_CHANNEL) {
        return !slot->is_plain || kind == WK_ADDRESS_LOOPBACK;
    }
    return kind == WK_ADDRESS_PUBLIC
           || (kind == WK_ADDRESS_LOOPBACK && lane->allow_loopback);
}

static curl_socket_t
on_open_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct call_slot *slot = data;

    if (purpose != CURLSOCKTYPE_IPCXN || !address_is_allowed(slot, address)) {
        slot->is_denied = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC,
                  address->protocol);
}

/* true = there is room for `more` bytes */
static bool
body_grow(struct call_slot *slot, size_t more)
{
    size_t need = slot->body_len + more;
    size_t size = slot->body_size != 0 ? slot->body_size : CALL_BODY_FIRST;

    if (need <= slot->body_size) {
        return true;
    }
    while (size < need) {
        size *= 2; /* need <= reply_max: ends */
    }
    char *body = realloc(slot->body, size);
    if (body == NULL) {
        slot->why = "no memory for the answer";
        return false;
    }
    slot->body      = body;
    slot->body_size = size;
    return true;
}

static size_t
on_body(char *bytes, size_t one, size_t len, void *data)
{
    struct call_slot *slot = data;
    size_t            room = slot->lane->reply_max - slot->body_len;
    size_t            take = len <= room ? len : room;

    (void) one; /* always 1 */
    if (!body_grow(slot, take)) {
        return CURL_WRITEFUNC_ERROR;
    }
    if (take != 0) {
        memcpy(slot->body + slot->body_len, bytes, take);
        slot->body_len += take;
    }
    if (take == len) {
        return len;
    }
    /* of a webhook's answer only the status matters */
    slot->is_cut = slot->lane->kind == WK_CALL_WEBHOOK;
    slot->why    = "answer is larger than the maximum";
    return CURL_WRITEFUNC_ERROR;
}

static void
head_restart(struct call_slot *slot)
{
    slot->head_len           = 0;
    slot->head_is_done       = false;
    slot->reply_header_count = 0;
}

/* Keeps "name: value"; false = the head is over its maximum. */
static bool
head_keep(struct call_slot *slot, struct ph_str line)
{
    struct ph_str name, value;
    char         *at = slot->head + slot->head_len;

    if (!ph_str_cut(line, ':', &name, &value) || name.len == 0) {
        return true; /* a folded or empty line: no header of ours */
    }
    if (line.len > sizeof(slot->head) - slot->head_len
        || slot->reply_header_count == CALL_HEADERS_MAX)
    {
        return false;
    }
    memcpy(at, line.ptr, line.len);
    slot->head_len += line.len;
    value = ph_str_make(at + name.len + 1, value.len);
    slot->reply_headers[slot->reply_header_count++]
        = (struct ph_channel_header){ ph_str_make(at, name.len),
                                      ph_str_trim(value) };
    return true;
}

static size_t
on_head(char *bytes, size_t one, size_t len, void *data)
{
    struct call_slot *slot = data;
    struct ph_str     line = ph_str_make(bytes, len);

    (void) one;
    while (
        line.len > 0
        && (line.ptr[line.len - 1] == '\n' || line.ptr[line.len - 1] == '\r'))
    {
        line.len--;
    }
    if (ph_str_starts(line, PH_STR("HTTP/"))) {
        head_restart(slot); /* after a 1xx another head follows */
        return len;
    }
    if (line.len == 0) {
        slot->head_is_done = true; /* what comes after the body is no head */
        return len;
    }
    if (slot->head_is_done || head_keep(slot, line)
        || slot->lane->kind == WK_CALL_WEBHOOK)
    {
        return len;
    }
    slot->why = "answer's headers are larger than the maximum";
    return 0;
}

/* --- a slot's life -------------------------------------------------------- */

void
call_slot_clear(struct call_slot *slot)
{
    slot->prereq_count  = 0;
    slot->is_denied     = false;
    slot->is_cut        = false;
    slot->is_doomed     = false;
    slot->why           = NULL;
    slot->body_len      = 0;
    slot->curl_error[0] = '\0';
    head_restart(slot);
}

#define SET(option, value)                                                     \
    (ok = ok && curl_easy_setopt(slot->easy, (option), (value)) == CURLE_OK)

static bool
options_of_safety(struct call_slot *slot)
{
    bool ok = true;

    SET(CURLOPT_PROTOCOLS_STR, "https,http");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, ""); /* the environment's proxies are not ours */
    SET(CURLOPT_NOPROXY, "");
    SET(CURLOPT_HTTPPROXYTUNNEL, 1L);
    SET(CURLOPT_PROXYAUTH, (long) CURLAUTH_BASIC);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L); /* they are no answer */
    SET(CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_CAINFO, NULL); /* the store below replaces curl's own */
    SET(CURLOPT_CAPATH, NULL);
    SET(CURLOPT_SSL_CTX_FUNCTION, call_trust_use);
    SET(CURLOPT_SSL_CTX_DATA, slot->lane->trust);
    SET(CURLOPT_PREREQFUNCTION, on_prereq);
    SET(CURLOPT_PREREQDATA, slot);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    SET(CURLOPT_OPENSOCKETDATA, slot);
    return ok;
}

static bool
options_of_habit(struct call_slot *slot)
{
    bool ok = true;

    SET(CURLOPT_NOSIGNAL, 1L);
    /* a cancelled look-up is left to its thread; the loop never waits for it */
    SET(CURLOPT_QUICK_EXIT, 1L);
    SET(CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_2TLS);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_MAXAGE_CONN, CALL_IDLE_MAX_S);
    SET(CURLOPT_USERAGENT, "payhub/" PH_VERSION);
    SET(CURLOPT_PRIVATE, slot);
    SET(CURLOPT_ERRORBUFFER, slot->curl_error);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, slot);
    SET(CURLOPT_HEADERFUNCTION, on_head);
    SET(CURLOPT_HEADERDATA, slot);
    return ok;
}

struct call_slot *
call_slot_new(struct call_lane *lane)
{
    struct call_slot *slot = calloc(1, sizeof(*slot));

    if (slot == NULL) {
        return NULL;
    }
    slot->lane = lane;
    slot->easy = curl_easy_init();
    slot->url  = curl_url();
    if (slot->easy == NULL || slot->url == NULL || !options_of_safety(slot)
        || !options_of_habit(slot))
    {
        call_slot_free(slot);
        return NULL;
    }
    return slot;
}

void
call_slot_free(struct call_slot *slot)
{
    curl_easy_cleanup(slot->easy);
    curl_url_cleanup(slot->url);
    curl_slist_free_all(slot->headers);
    free(slot->body);
    free(slot);
}

/* --- the verdict ---------------------------------------------------------- */

static uint64_t
time_of(struct call_slot *slot, CURLINFO info)
{
    curl_off_t us = 0;

    /* one that was never performed would tell the times of the one before */
    if (slot->is_doomed || curl_easy_getinfo(slot->easy, info, &us) != CURLE_OK
        || us < 0)
    {
        return 0;
    }
    return (uint64_t) us;
}

static const char *
reason_of(const struct call_slot *slot, CURLcode code)
{
    if (slot->call->outcome == WK_CALL_ANSWERED) {
        return slot->is_cut ? "answer cut at the maximum" : "";
    }
    if (slot->is_denied && slot->prereq_count == 0) {
        return "address not allowed";
    }
    if (slot->why != NULL) {
        return slot->why;
    }
    return slot->curl_error[0] != '\0' ? slot->curl_error
                                       : curl_easy_strerror(code);
}

/* curl counts all of them from the beginning of the call. */
static void
times_fill(struct call_slot *slot, struct wk_call *call)
{
    uint64_t connected = time_of(slot, CURLINFO_CONNECT_TIME_T);
    uint64_t secured   = time_of(slot, CURLINFO_APPCONNECT_TIME_T);
    uint64_t sent      = time_of(slot, CURLINFO_PRETRANSFER_TIME_T);
    uint64_t first     = time_of(slot, CURLINFO_STARTTRANSFER_TIME_T);
    long     connects  = 0;

    call->total_us = time_of(slot, CURLINFO_TOTAL_TIME_T);
    call->first_byte_us
        = call->outcome == WK_CALL_ANSWERED && first > sent ? first - sent : 0;
    call->is_new_connection
        = !slot->is_doomed
          && curl_easy_getinfo(slot->easy, CURLINFO_NUM_CONNECTS, &connects)
                 == CURLE_OK
          && connects > 0;
    call->connect_us = call->is_new_connection ? connected : 0;
    call->tls_us     = call->is_new_connection && secured > connected
                           ? secured - connected
                           : 0;
}

void
call_slot_judge(struct call_slot *slot, CURLcode code)
{
    struct wk_call *call   = slot->call;
    long            status = 0;

    call->reply = (struct ph_channel_reply){ 0 };
    call->outcome
        = slot->prereq_count == 0 ? WK_CALL_NOT_SENT : WK_CALL_UNKNOWN;
    if ((code == CURLE_OK || slot->is_cut)
        && curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &status)
               == CURLE_OK
        && status >= 200)
    {
        call->outcome = WK_CALL_ANSWERED;
        call->reply   = (struct ph_channel_reply){
              .status       = (unsigned) status,
              .body         = ph_str_make(slot->body, slot->body_len),
              .headers      = slot->reply_headers,
              .header_count = slot->reply_header_count,
        };
    }
    (void) snprintf(call->error, sizeof(call->error), "%.127s",
                    reason_of(slot, code));
    times_fill(slot, call);
}
