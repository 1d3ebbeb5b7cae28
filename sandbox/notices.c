/*
 * notices.c - tells the merchant's side that money moved.
 *
 * One notice a charge, tried at the delays below until it is answered by
 * 200 "ok", then given up.  Repeats carry the same notice_id: at least once is
 * the promise, as with real channels.  What was not acknowledged when the
 * process died is tried again after the start.
 *
 * @thread clock, but for sb_clock_notice()
 */
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"
#include "sandbox/clock_int.h"

#define NOTICE_TIMEOUT_MS 5000L
#define LEVEL_FIRST 0 /* before the answer */
#define LEVEL_NORMAL 1

static const uint32_t delays_ms[NOTICE_LEVELS]
    = { 0, 100, 1000, 2000, 4000, 8000, 16000, 32000, 60000 };

/* --- the queues ----------------------------------------------------------- */

static void
queue_put(struct sb_clock *clock, struct sb_charge *charge, uint8_t level,
          uint64_t now_ms)
{
    charge->tries  = level;
    charge->due_ms = now_ms + delays_ms[level];
    DL_APPEND(clock->queues[level], charge);
}

void
sb_clock_notice(struct sb_clock *clock, struct sb_charge *charge,
                uint64_t now_ms)
{
    const struct sb_behaviour *how = sb_behaviour_of(charge->amount);

    if (charge->notify_url == NULL || how->notice == SB_NOTICE_NEVER) {
        return;
    }
    if (how->notice == SB_NOTICE_FIRST) {
        queue_put(clock, charge, LEVEL_FIRST, now_ms);
        curl_multi_wakeup(clock->multi);
        return;
    }
    queue_put(clock, charge, LEVEL_NORMAL, now_ms);
}

void
notices_resume(struct sb_clock *clock, uint64_t now_ms)
{
    struct sb_charge *charge;

    for (uint32_t i = 0; (charge = sb_books_charge_at(clock->books, i)) != NULL;
         i++)
    {
        if (charge->status == SB_PAID && !charge->is_told
            && charge->notify_url != NULL
            && sb_behaviour_of(charge->amount)->notice != SB_NOTICE_NEVER)
        {
            queue_put(clock, charge, LEVEL_NORMAL, now_ms);
        }
    }
}

/* lock: one copy is over, well or badly */
static void
charge_settle(struct sb_clock *clock, struct sb_charge *charge, bool is_ok)
{
    unsigned level
        = charge->tries == LEVEL_FIRST ? LEVEL_NORMAL + 1u : charge->tries + 1u;

    charge->sending--;
    if (is_ok && !charge->is_told) {
        sb_books_told(clock->books, charge);
    }
    if (charge->sending == 0) {
        clock_release(clock, charge);
        if (charge->is_told) {
            return;
        }
        if (level < NOTICE_LEVELS) {
            queue_put(clock, charge, (uint8_t) level, ph_now_ms());
            return;
        }
        ph_log(PH_LOG_WARN, "notice_given_up",
               { "number", ph_str_z(charge->out_trade_no) });
        sb_books_told(clock->books, charge);
    }
}

/* --- one copy ------------------------------------------------------------- */

static void
text_member(struct ph_buf *buf, struct ph_str name, struct ph_str text)
{
    ph_buf_json(buf, name);
    ph_buf_byte(buf, ':');
    ph_buf_json(buf, text);
    ph_buf_byte(buf, ',');
}

static void
body_make(struct notice_send *send)
{
    const struct sb_charge *charge = send->charge;
    char                    text[SB_TRADE_NO_MAX];
    struct ph_buf           value = PH_BUF_INIT(text);
    struct ph_buf           body  = PH_BUF_INIT(send->body);

    ph_buf_byte(&body, '{');
    text_member(&body, PH_STR("out_trade_no"), ph_str_z(charge->out_trade_no));
    sb_trade_no_add(&value, charge);
    text_member(&body, PH_STR("trade_no"), ph_buf_str(&value));
    text_member(&body, PH_STR("notice_id"), ph_buf_str(&value));
    ph_buf_add(&body, PH_STR("\"amount\":"));
    ph_buf_i64(&body, charge->amount);
    ph_buf_byte(&body, ',');
    text_member(&body, PH_STR("currency"), ph_str_z(charge->currency));
    text_member(&body, PH_STR("status"),
                ph_str_z(sb_status_text(charge->status)));
    ph_buf_cut(&value, 0);
    sb_time_add(&value, charge->paid_at_ms);
    ph_buf_json(&body, PH_STR("paid_at"));
    ph_buf_byte(&body, ':');
    ph_buf_json(&body, ph_buf_str(&value));
    ph_buf_byte(&body, '}');
    send->body_len = body.len;
}

static bool
header_add(struct notice_send *send, struct ph_str name, struct ph_str value)
{
    char               line[128];
    struct ph_buf      buf = PH_BUF_INIT(line);
    struct curl_slist *longer;

    ph_buf_add(&buf, name);
    ph_buf_byte(&buf, ':');
    ph_buf_add(&buf, value);
    longer = curl_slist_append(send->headers, ph_buf_z(&buf));
    if (longer != NULL) {
        send->headers = longer;
    }
    return longer != NULL;
}

static bool
headers_make(struct notice_send *send)
{
    char          timestamp[24], signature[SB_SIGNATURE_MAX];
    struct ph_buf when = PH_BUF_INIT(timestamp);
    struct ph_buf mac  = PH_BUF_INIT(signature);

    ph_buf_u64(&when, ph_now_ms() / 1000);
    return sb_sign(&mac, send->clock->options.key, ph_buf_str(&when),
                   ph_str_make(send->body, send->body_len))
           && header_add(send, PH_STR("Sandbox-Timestamp"), ph_buf_str(&when))
           && header_add(send, PH_STR("Sandbox-Signature"), ph_buf_str(&mac))
           && header_add(send, PH_STR("Content-Type"),
                         PH_STR("application/json"))
           && header_add(send, PH_STR("Expect"), PH_STR(""));
}

static void
send_end(struct notice_send *send)
{
    struct sb_clock *clock = send->clock;

    curl_easy_setopt(send->easy, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(send->headers);
    send->headers = NULL;
    send->charge  = NULL;
    LL_PREPEND(clock->idle, send);
    clock->idle_count++;
}

/* lock */
static bool
send_begin(struct sb_clock *clock, struct sb_charge *charge)
{
    struct notice_send *send = clock->idle;

    LL_DELETE(clock->idle, send);
    clock->idle_count--;
    send->charge    = charge;
    send->reply_len = 0;
    body_make(send);
    if (headers_make(send)
        && curl_easy_setopt(send->easy, CURLOPT_URL, charge->notify_url)
               == CURLE_OK
        && curl_easy_setopt(send->easy, CURLOPT_HTTPHEADER, send->headers)
               == CURLE_OK
        && curl_easy_setopt(send->easy, CURLOPT_POSTFIELDSIZE,
                            (long) send->body_len)
               == CURLE_OK
        && curl_easy_setopt(send->easy, CURLOPT_POSTFIELDS, send->body)
               == CURLE_OK
        && curl_multi_add_handle(clock->multi, send->easy) == CURLM_OK)
    {
        return true;
    }
    send_end(send);
    return false;
}

void
notices_start_due(struct sb_clock *clock, uint64_t now_ms)
{
    for (size_t level = 0; level < NOTICE_LEVELS; level++) {
        struct sb_charge *charge;

        while ((charge = clock->queues[level]) != NULL
               && charge->due_ms <= now_ms && clock->idle_count >= 2)
        {
            bool twice
                = level == LEVEL_NORMAL
                  && sb_behaviour_of(charge->amount)->notice == SB_NOTICE_TWICE;

            DL_DELETE(clock->queues[level], charge);
            charge->sending = twice ? 2 : 1;
            for (unsigned i = charge->sending; i > 0; i--) {
                if (!send_begin(clock, charge)) {
                    charge_settle(clock, charge, false);
                }
            }
        }
    }
}

static bool
send_is_acknowledged(struct notice_send *send, CURLcode code)
{
    long status = 0;

    return code == CURLE_OK
           && curl_easy_getinfo(send->easy, CURLINFO_RESPONSE_CODE, &status)
                  == CURLE_OK
           && status == 200
           && ph_str_eq(ph_str_make(send->reply, send->reply_len),
                        PH_STR("ok"));
}

void
notices_turn(struct sb_clock *clock)
{
    CURLMsg *message;
    int      count;

    curl_multi_perform(clock->multi, &count);
    while ((message = curl_multi_info_read(clock->multi, &count)) != NULL) {
        struct notice_send *send = NULL;
        CURL               *easy = message->easy_handle;
        CURLcode            code = message->data.result;

        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &send);
        bool is_ok = send_is_acknowledged(send, code);
        curl_multi_remove_handle(clock->multi, easy);

        sb_books_lock(clock->books);
        charge_settle(clock, send->charge, is_ok);
        sb_books_unlock(clock->books);
        send_end(send);
    }
}

/* --- curl's questions ----------------------------------------------------- */

static bool
address_is_allowed(const struct sb_clock_options *options,
                   const struct curl_sockaddr    *address)
{
    char                text[INET6_ADDRSTRLEN] = "";
    struct sockaddr_in  v4;
    struct sockaddr_in6 v6;

    if (address->family == AF_INET && address->addrlen >= sizeof(v4)) {
        memcpy(&v4, &address->addr, sizeof(v4));
        if (ntohl(v4.sin_addr.s_addr) >> 24 == 127) {
            return true;
        }
        inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
    } else if (address->family == AF_INET6 && address->addrlen >= sizeof(v6)) {
        memcpy(&v6, &address->addr, sizeof(v6));
        if (IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr)) {
            return true;
        }
        inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
    }
    for (size_t i = 0; i < options->allow_count; i++) {
        if (strcmp(options->allow[i], text) == 0) {
            return true;
        }
    }
    return false;
}

static curl_socket_t
on_open_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
    const struct notice_send *send = data;

    (void) purpose;
    if (!address_is_allowed(&send->clock->options, address)) {
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC,
                  address->protocol);
}

/* "ok" is all that is looked for; a longer answer is no "ok" */
static size_t
on_reply(char *bytes, size_t one, size_t len, void *data)
{
    struct notice_send *send = data;
    size_t              room = sizeof(send->reply) - send->reply_len;
    size_t              take = len < room ? len : room;

    (void) one;
    memcpy(send->reply + send->reply_len, bytes, take);
    send->reply_len += take;
    return take == len ? len : CURL_WRITEFUNC_ERROR;
}

#define SET(option, value)                                                     \
    (ok = ok && curl_easy_setopt(send->easy, (option), (value)) == CURLE_OK)

static bool
send_prepare(struct notice_send *send, const char *ca_file)
{
    bool ok = true;

    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_TIMEOUT_MS, NOTICE_TIMEOUT_MS);
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_PRIVATE, send);
    SET(CURLOPT_WRITEFUNCTION, on_reply);
    SET(CURLOPT_WRITEDATA, send);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    SET(CURLOPT_OPENSOCKETDATA, send);
    if (ca_file != NULL) {
        SET(CURLOPT_CAINFO, ca_file);
    }
    return ok;
}

bool
notices_open(struct sb_clock *clock)
{
    clock->multi = curl_multi_init();
    if (clock->multi == NULL) {
        return false;
    }
    for (size_t i = 0; i < SB_NOTICES_INFLIGHT; i++) {
        struct notice_send *send = &clock->sends[i];

        send->clock = clock;
        send->easy  = curl_easy_init();
        if (send->easy == NULL || !send_prepare(send, clock->options.ca_file)) {
            ph_log(PH_LOG_ERROR, "notices_unusable");
            return false;
        }
        LL_PREPEND(clock->idle, send);
        clock->idle_count++;
    }
    return true;
}

void
notices_close(struct sb_clock *clock)
{
    for (size_t i = 0; i < SB_NOTICES_INFLIGHT; i++) {
        struct notice_send *send = &clock->sends[i];

        if (send->charge != NULL) {
            curl_multi_remove_handle(clock->multi, send->easy);
        }
        curl_easy_cleanup(send->easy);
        curl_slist_free_all(send->headers);
    }
    curl_multi_cleanup(clock->multi);
}
