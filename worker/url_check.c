/*
 * url_check.c - which addresses a merchant may name: see wk_url_check().
 *
 * Only the text is judged; what a name resolves to is checked at connect.
 * Whatever a browser or libcurl could read in two ways is refused.
 */
#include <arpa/inet.h>
#include <stdio.h>

#include "worker/address.h"
#include "worker/payment_request.h"

#define URL_LEN_MAX 512
#define HOST_LEN_MAX 253

struct url_parts {
    struct ph_str host;
    struct ph_str port; /* {NULL, 0} = none */
};

static bool
url_is_clean(struct ph_str url)
{
    for (size_t i = 0; i < url.len; i++) {
        unsigned char ch = (unsigned char) url.ptr[i];

        if (ch <= 0x20 || ch >= 0x7f || ch == '\\' || ch == '#' || ch == '"'
            || ch == '<' || ch == '>')
        {
            return false;
        }
    }
    return true;
}

static bool
url_scheme_take(struct ph_str *url)
{
    static const struct ph_str schemes[]
        = { PH_STR_INIT("http://"), PH_STR_INIT("https://") };

    for (size_t i = 0; i < PH_COUNT(schemes); i++) {
        if (ph_str_starts(*url, schemes[i])) {
            *url = ph_str_make(url->ptr + schemes[i].len,
                               url->len - schemes[i].len);
            return true;
        }
    }
    return false;
}

/* host[:port] or [v6][:port] */
static bool
url_authority_split(struct ph_str authority, struct url_parts *parts)
{
    struct ph_str rest = authority;

    *parts = (struct url_parts){ authority, { NULL, 0 } };
    if (authority.len > 0 && authority.ptr[0] == '[') {
        if (!ph_str_cut(authority, ']', &parts->host, &rest)) {
            return false;
        }
        parts->host = ph_str_make(parts->host.ptr + 1, parts->host.len - 1);
        if (rest.len > 0 && rest.ptr[0] != ':') {
            return false;
        }
        if (rest.len > 0) {
            parts->port = ph_str_make(rest.ptr + 1, rest.len - 1);
        }
        return true;
    }
    (void) ph_str_cut(authority, ':', &parts->host, &parts->port);
    return true;
}

/* Made of digits and dots, or with a last label that begins with a digit:
 * some resolvers read "1.1", "0x7f.1" or "2130706433" as an address. */
static bool
host_is_number_like(struct ph_str host)
{
    struct ph_str rest = host, label, last = host;

    while (ph_str_next(&rest, '.', &label)) {
        if (label.len > 0) {
            last = label;
        }
    }
    return last.len > 0 && last.ptr[0] >= '0' && last.ptr[0] <= '9';
}

static bool
host_is_name(struct ph_str host)
{
    struct ph_str rest = host, label;

    while (ph_str_next(&rest, '.', &label)) {
        if (label.len == 0 || label.len > 63 || label.ptr[0] == '-'
            || label.ptr[label.len - 1] == '-'
            || !ph_str_is_token(label, label.len))
        {
            return false;
        }
    }
    return true;
}

/* NULL = may be named */
static const char *
host_address_check(const struct sockaddr *address, socklen_t len,
                   bool allow_loopback)
{
    switch (wk_address_kind(address, len)) {
    case WK_ADDRESS_PUBLIC:
        return NULL;
    case WK_ADDRESS_LOOPBACK:
        return allow_loopback ? NULL : "found a loopback address";
    case WK_ADDRESS_RESERVED:
        break;
    }
    return "found an address that is not public";
}

static const char *
host_check(struct ph_str host, bool is_v6, bool allow_loopback)
{
    char                text[HOST_LEN_MAX + 1];
    struct sockaddr_in  v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

    if (host.len == 0 || host.len > HOST_LEN_MAX) {
        return "found no host, or one over 253 bytes";
    }
    (void) snprintf(text, sizeof(text), "%.*s", (int) host.len, host.ptr);
    if (is_v6) {
        return inet_pton(AF_INET6, text, &v6.sin6_addr) == 1
                   ? host_address_check((const struct sockaddr *) &v6,
                                        sizeof(v6), allow_loopback)
                   : "found brackets around what is no IPv6 address";
    }
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        return host_address_check((const struct sockaddr *) &v4, sizeof(v4),
                                  allow_loopback);
    }
    if (host_is_number_like(host) || !host_is_name(host)) {
        return "found a host that is neither a name nor an address";
    }
    return NULL;
}

static const char *
port_check(struct ph_str port, bool allow_any)
{
    uint64_t number;

    if (port.ptr == NULL) {
        return NULL;
    }
    if (!ph_str_u64(port, 65535, &number) || number == 0) {
        return "found a port that is no number of 1 to 65535";
    }
    return allow_any || number == 80 || number == 443
               ? NULL
               : "found a port other than 80 and 443";
}

/* NULL when the URL may be used, else what is wrong with it. */
const char *
wk_url_check(struct ph_str url, bool allow_loopback)
{
    struct ph_str    rest = url;
    struct url_parts parts;

    if (url.len == 0 || url.len > URL_LEN_MAX) {
        return "found an URL that is empty or over 512 bytes";
    }
    if (!url_is_clean(url)) {
        return "found a byte that an URL here may not hold: blank, control, "
               "non-ASCII, backslash, fragment";
    }
    if (!url_scheme_take(&rest)) {
        return "expected http:// or https://";
    }
    size_t len = 0;
    while (len < rest.len && rest.ptr[len] != '/' && rest.ptr[len] != '?') {
        len++;
    }
    struct ph_str authority = ph_str_make(rest.ptr, len);
    struct ph_str user, host;

    if (ph_str_cut(authority, '@', &user, &host)) {
        return "found user information";
    }
    if (!url_authority_split(authority, &parts)) {
        return "found brackets that do not close";
    }
    const char *why
        = host_check(parts.host, authority.ptr[0] == '[', allow_loopback);

    return why != NULL ? why : port_check(parts.port, allow_loopback);
}
