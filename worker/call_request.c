/*
 * call_request.c - a request into a slot: address rules, headers, body.
 *
 * What is refused here never reaches curl, so it is NOT_SENT by construction.
 *
 * @thread loop
 */
#include <stdlib.h>

#include "worker/address.h"
#include "worker/call_int.h"

#define CALL_TIMEOUT_MAX_MS (24 * 3600 * 1000)

#define SET(option, value)                                                     \
    (ok = ok && curl_easy_setopt(slot->easy, (option), (value)) == CURLE_OK)

static bool
port_is_web(const char *port)
{
    return strcmp(port, "443") == 0 || strcmp(port, "80") == 0;
}

/* NULL or why the address may not be called. */
static const char *
parts_judge(const struct call_lane *lane, const char *scheme, const char *host,
            const char *port, bool has_user)
{
    bool is_https = strcmp(scheme, "https") == 0;

    if (has_user) {
        return "URL holds user information";
    }
    if (lane->kind == WK_CALL_CHANNEL) {
        /* what the name means is checked again when the socket is made */
        return is_https || wk_address_is_loopback_text(ph_str_z(host))
                       || strcmp(host, "localhost") == 0
                   ? NULL
                   : "plain http is for loopback only";
    }
    return lane->allow_loopback || port_is_web(port)
               ? NULL
               : "webhooks go to ports 80 and 443 only";
}

static const char *
url_judge(struct call_slot *slot)
{
    const char *why    = "URL is not acceptable";
    char       *scheme = NULL, *host = NULL, *port = NULL, *user = NULL;

    if (curl_url_get(slot->url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK
        && curl_url_get(slot->url, CURLUPART_HOST, &host, 0) == CURLUE_OK
        && curl_url_get(slot->url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT)
               == CURLUE_OK)
    {
        bool has_user
            = curl_url_get(slot->url, CURLUPART_USER, &user, 0) == CURLUE_OK;
        slot->is_plain = strcmp(scheme, "https") != 0;
        why            = parts_judge(slot->lane, scheme, host, port, has_user);
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_free(user);
    return why;
}

static bool
url_load(struct call_slot *slot, struct ph_str url)
{
    char text[CALL_URL_MAX + 1];
    bool ok = true;

    slot->why = "URL is not acceptable";
    if (url.len == 0 || url.len > CALL_URL_MAX || ph_str_has_control(url)) {
        return false;
    }
    memcpy(text, url.ptr, url.len);
    text[url.len] = '\0';
    if (curl_url_set(slot->url, CURLUPART_URL, text, CURLU_PATH_AS_IS)
        != CURLUE_OK) {
        return false;
    }
    slot->why = url_judge(slot);
    return slot->why == NULL && SET(CURLOPT_CURLU, slot->url);
}

static bool
header_append(struct call_slot *slot, const char *line)
{
    struct curl_slist *longer = curl_slist_append(slot->headers, line);

    if (longer == NULL) {
        slot->why = "no memory for a header";
        return false;
    }
    slot->headers = longer;
    return true;
}

static bool
header_load(struct call_slot *slot, const struct ph_channel_header *header)
{
    char          line[CALL_HEADER_LINE_MAX];
    struct ph_buf buf = PH_BUF_INIT(line);

    /* "Name;" is how curl is told of an empty value */
    ph_buf_add(&buf, header->name);
    ph_buf_add(&buf, header->value.len != 0 ? PH_STR(": ") : PH_STR(";"));
    ph_buf_add(&buf, header->value);
    if (header->name.len == 0 || ph_str_has_control(header->name)
        || ph_str_has_control(header->value) || ph_buf_z(&buf) == NULL
        || buf.full)
    {
        slot->why = "a header is empty, too long or holds control bytes";
        return false;
    }
    return header_append(slot, line);
}

static bool
headers_load(struct call_slot *slot, const struct ph_channel_request *request)
{
    bool ok = true;

    for (size_t i = 0; i < request->header_count; i++) {
        if (!header_load(slot, &request->headers[i])) {
            return false;
        }
    }
    /* a 100-continue wait is one more way to lose an answer */
    return header_append(slot, "Expect:")
           && SET(CURLOPT_HTTPHEADER, slot->headers);
}

static bool
method_load(struct call_slot *slot, const struct ph_channel_request *request)
{
    static const char *const methods[]
        = { "GET", "POST", "PUT", "PATCH", "DELETE" };
    bool ok = true;

    for (size_t i = 0; i < PH_COUNT(methods); i++) {
        if (!ph_str_eq(request->method, ph_str_z(methods[i]))) {
            continue;
        }
        if (i == 0) {
            SET(CURLOPT_CUSTOMREQUEST, NULL);
            return SET(CURLOPT_HTTPGET, 1L);
        }
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_CUSTOMREQUEST, methods[i]);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) request->body.len);
        return SET(CURLOPT_POSTFIELDS,
                   request->body.len != 0 ? request->body.ptr : "");
    }
    slot->why = "method is not one of GET, POST, PUT, PATCH, DELETE";
    return false;
}

/* curl takes 0 for no timeout at all */
static long
timeout_clamp(uint64_t timeout_ms)
{
    if (timeout_ms == 0) {
        return 1;
    }
    return timeout_ms < CALL_TIMEOUT_MAX_MS ? (long) timeout_ms
                                            : CALL_TIMEOUT_MAX_MS;
}

bool
call_slot_load(struct call_slot *slot, struct wk_call *call)
{
    bool ok = true;

    call_slot_clear(slot);
    slot->call = call;

    long timeout_ms = timeout_clamp(call->timeout_ms);
    long is_fresh = uv_now(slot->lane->timer.loop) < slot->lane->fresh_until_ms;
    return url_load(slot, call->request->url)
           && headers_load(slot, call->request)
           && method_load(slot, call->request) && call_proxy_load(slot)
           && SET(CURLOPT_DNS_CACHE_TIMEOUT, slot->lane->dns_cache_s)
           && SET(CURLOPT_FRESH_CONNECT, is_fresh)
           && SET(CURLOPT_TIMEOUT_MS, timeout_ms)
           && SET(CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
}

void
call_slot_unload(struct call_slot *slot)
{
    slot->call = NULL;
    curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDS, "");
    curl_slist_free_all(slot->headers);
    slot->headers = NULL;
    if (slot->body_size > CALL_BODY_KEEP) {
        free(slot->body);
        slot->body      = NULL;
        slot->body_size = 0;
    }
}
