/*
 * address.c - the table of addresses that a webhook may not reach.
 *
 * IPv4: everything is public but the rows below.  IPv6: only 2000::/3 is
 * global unicast, so everything else is reserved, and inside it the rows
 * below are taken out.  Addresses that carry an IPv4 address (mapped, NAT64,
 * 6to4, Teredo) are refused whole: what they reach depends on the network.
 * Source: IANA special-purpose address registries (RFC 6890 and updates).
 *
 * @thread any
 */
#include "worker/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "libpayhub/base/rc.h"

#define ADDRESS_TEXT_MAX 46 /* INET6_ADDRSTRLEN */

struct address_row {
    uint8_t              prefix[16];
    unsigned             bits;
    enum wk_address_kind kind;
};

/* clang-format off */
static const struct address_row address_v4[] = {
    { { 0 },             8, WK_ADDRESS_RESERVED }, /* this network */
    { { 10 },            8, WK_ADDRESS_RESERVED }, /* private */
    { { 100, 64 },      10, WK_ADDRESS_RESERVED }, /* carrier NAT */
    { { 127 },           8, WK_ADDRESS_LOOPBACK },
    { { 169, 254 },     16, WK_ADDRESS_RESERVED }, /* link-local */
    { { 172, 16 },      12, WK_ADDRESS_RESERVED }, /* private */
    { { 192, 0, 0 },    24, WK_ADDRESS_RESERVED }, /* IETF protocols */
    { { 192, 0, 2 },    24, WK_ADDRESS_RESERVED }, /* documentation */
    { { 192, 88, 99 },  24, WK_ADDRESS_RESERVED }, /* 6to4 relays */
    { { 192, 168 },     16, WK_ADDRESS_RESERVED }, /* private */
    { { 198, 18 },      15, WK_ADDRESS_RESERVED }, /* benchmarks */
    { { 198, 51, 100 }, 24, WK_ADDRESS_RESERVED }, /* documentation */
    { { 203, 0, 113 },  24, WK_ADDRESS_RESERVED }, /* documentation */
    { { 224 },           4, WK_ADDRESS_RESERVED }, /* multicast */
    { { 240 },           4, WK_ADDRESS_RESERVED }, /* future, broadcast */
    { { 0 },             0, WK_ADDRESS_PUBLIC },
};

static const struct address_row address_v6[] = {
    { { [15] = 1 },           128, WK_ADDRESS_LOOPBACK },
    { { 0x20, 0x01, 0 },       23, WK_ADDRESS_RESERVED }, /* IETF, Teredo */
    { { 0x20, 0x01, 0x0d, 0xb8 }, 32, WK_ADDRESS_RESERVED }, /* documents */
    { { 0x20, 0x02 },          16, WK_ADDRESS_RESERVED }, /* 6to4 */
    { { 0x3f, 0xff },          20, WK_ADDRESS_RESERVED }, /* documents */
    { { 0x20 },                 3, WK_ADDRESS_PUBLIC },
    { { 0 },                    0, WK_ADDRESS_RESERVED }, /* all the rest */
};
/* clang-format on */

static bool
prefix_matches(const uint8_t *bytes, const struct address_row *row)
{
    size_t   whole = row->bits / 8;
    unsigned rest  = row->bits % 8;

    if (memcmp(bytes, row->prefix, whole) != 0) {
        return false;
    }
    return rest == 0 || (bytes[whole] ^ row->prefix[whole]) >> (8 - rest) == 0;
}

/* The last row of each table matches everything. */
static enum wk_address_kind
rows_judge(const uint8_t *bytes, const struct address_row *row)
{
    while (!prefix_matches(bytes, row)) {
        row++;
    }
    return row->kind;
}

enum wk_address_kind
wk_address_kind(const struct sockaddr *address, socklen_t len)
{
    struct sockaddr_in  v4;
    struct sockaddr_in6 v6;

    if (len >= sizeof(v4) && address->sa_family == AF_INET) {
        memcpy(&v4, address, sizeof(v4));
        return rows_judge((const uint8_t *) &v4.sin_addr, address_v4);
    }
    if (len >= sizeof(v6) && address->sa_family == AF_INET6) {
        memcpy(&v6, address, sizeof(v6));
        return rows_judge(v6.sin6_addr.s6_addr, address_v6);
    }
    return WK_ADDRESS_RESERVED;
}

bool
wk_address_is_loopback_text(struct ph_str host)
{
    char            text[ADDRESS_TEXT_MAX];
    struct in_addr  v4;
    struct in6_addr v6;

    if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']') {
        host = ph_str_make(host.ptr + 1, host.len - 2);
    }
    if (host.len == 0 || host.len >= sizeof(text)) {
        return false;
    }
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';

    if (inet_pton(AF_INET, text, &v4) == 1) {
        return rows_judge((const uint8_t *) &v4, address_v4)
               == WK_ADDRESS_LOOPBACK;
    }
    return inet_pton(AF_INET6, text, &v6) == 1
           && rows_judge(v6.s6_addr, address_v6) == WK_ADDRESS_LOOPBACK;
}
