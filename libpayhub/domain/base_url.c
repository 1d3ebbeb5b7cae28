/* base_url.c - see base_url.h. */
#include "libpayhub/domain/base_url.h"

static bool
is_loopback(struct ph_str host)
{
    if (ph_str_eq(host, PH_STR("localhost"))
        || ph_str_eq(host, PH_STR("[::1]"))) {
        return true;
    }
    struct ph_str rest = host, part;
    uint64_t      value;
    size_t        parts = 0;
    while (ph_str_next(&rest, '.', &part)) {
        if (!ph_str_u64(part, 255, &value) || (parts == 0 && value != 127)) {
            return false;
        }
        parts++;
    }
    return parts == 4;
}

/* "host", "host:port", "[v6]:port" */
static bool
authority_split(struct ph_str in, struct ph_str *host)
{
    struct ph_str port;
    uint64_t      number = 1;
    size_t        end    = 0;

    if (in.len != 0 && in.ptr[0] == '[') {
        const char *close = memchr(in.ptr, ']', in.len);
        if (close == NULL) {
            return false;
        }
        end = (size_t) (close - in.ptr) + 1;
    } else {
        const char *colon = in.len != 0 ? memchr(in.ptr, ':', in.len) : NULL;
        end               = colon != NULL ? (size_t) (colon - in.ptr) : in.len;
    }
    *host = ph_str_make(in.ptr, end);
    port  = ph_str_make(in.ptr + end, in.len - end);
    if (port.len != 0) {
        port = ph_str_make(port.ptr + 1, port.len - 1);
        return in.ptr[end] == ':' && ph_str_u64(port, 65535, &number)
               && number != 0 && host->len != 0;
    }
    return host->len != 0;
}

bool
ph_base_url_ok(struct ph_str url)
{
    static const struct ph_str https = PH_STR_INIT("https://");
    static const struct ph_str http  = PH_STR_INIT("http://");
    bool                       plain = ph_str_starts(url, http);
    struct ph_str              rest, host;

    if (!plain && !ph_str_starts(url, https)) {
        return false;
    }
    for (size_t i = 0; i < url.len; i++) {
        if ((uint8_t) url.ptr[i] <= ' ' || (uint8_t) url.ptr[i] >= 0x7f
            || strchr("@#?\\\"'<>", url.ptr[i]) != NULL)
        {
            return false;
        }
    }
    size_t skip = plain ? http.len : https.len;
    rest        = ph_str_make(url.ptr + skip, url.len - skip);
    (void) ph_str_cut(rest, '/', &rest, &host);
    return authority_split(rest, &host) && (!plain || is_loopback(host));
}
