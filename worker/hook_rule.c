/* hook_rule.c - rules of webhooks; see hook_rule.h. */
#include "worker/hook_rule.h"

#include <curl/curl.h>
#include <strings.h>

#define DATE_LEN_MAX 64

/* ---- when again ---- */

uint64_t
wk_hook_retry_after_ms(struct ph_str value, uint64_t now_ms)
{
    char     text[DATE_LEN_MAX + 1];
    uint64_t seconds;

    value = ph_str_trim(value);
    if (ph_str_u64(value, UINT32_MAX, &seconds)) {
        return seconds * 1000;
    }
    if (value.len == 0 || value.len > DATE_LEN_MAX || ph_str_has_control(value))
    {
        return 0;
    }
    memcpy(text, value.ptr, value.len);
    text[value.len] = '\0';
    time_t at       = curl_getdate(text, NULL);

    return at > 0 && (uint64_t) at * 1000 > now_ms
               ? (uint64_t) at * 1000 - now_ms
               : 0;
}

static uint64_t
retry_after_ms(const struct ph_channel_header *headers, size_t count,
               uint64_t now_ms)
{
    static const struct ph_str name = PH_STR_INIT("retry-after");
    uint64_t                   ms   = 0;

    for (size_t i = 0; i < count; i++) {
        if (headers[i].name.len == name.len
            && strncasecmp(headers[i].name.ptr, name.ptr, name.len) == 0)
        {
            ms = wk_hook_retry_after_ms(headers[i].value, now_ms);
        }
    }
    return ms < WK_HOOK_RETRY_AFTER_MAX_MS ? ms : WK_HOOK_RETRY_AFTER_MAX_MS;
}

struct wk_hook_next
wk_hook_judge(const struct ph_conf *conf, unsigned status,
              const struct ph_channel_header *headers, size_t header_count,
              int64_t tries, uint64_t now_ms)
{
    struct wk_hook_next next = { .verdict = WK_HOOK_LATER };
    int64_t             ms[PH_CONF_TIMES_MAX];
    size_t count = ph_conf_times(conf, PH_CONF_notify_schedule, ms);
    size_t at    = (size_t) tries + 1;

    if (status / 100 == 2) {
        next.verdict = WK_HOOK_TAKEN;
        return next;
    }
    /* no answer at all is what a receiver that is down looks like */
    next.is_slow
        = status == 0 || status == 429 || (status >= 502 && status <= 504);
    if (status == 410 || at >= count) {
        next.verdict = WK_HOOK_DEAD;
        return next;
    }
    uint64_t after_ms = retry_after_ms(headers, header_count, now_ms);

    next.due_ms
        = now_ms
          + (after_ms > (uint64_t) ms[at] ? after_ms : (uint64_t) ms[at]);
    return next;
}

/* ---- addresses ---- */

/* where the path begins: a URL was checked when it was taken */
static size_t
path_at(struct ph_str url)
{
    size_t i = 0;

    while (i + 2 < url.len && memcmp(url.ptr + i, "://", 3) != 0) {
        i++;
    }
    i = i + 2 < url.len ? i + 3 : 0;
    while (i < url.len && url.ptr[i] != '/' && url.ptr[i] != '?') {
        i++;
    }
    return i;
}

struct ph_str
wk_hook_origin(struct ph_str url)
{
    return ph_str_make(url.ptr, path_at(url));
}

/* The request line of a URL without a path has one all the same. */
void
wk_hook_target(struct ph_buf *buf, struct ph_str url)
{
    size_t at = path_at(url);

    if (at == url.len || url.ptr[at] != '/') {
        ph_buf_byte(buf, '/');
    }
    ph_buf_add(buf, ph_str_make(url.ptr + at, url.len - at));
}
