/* Each row of the address tables from both of its edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "libpayhub/base/rc.h"
#include "worker/address.h"

#define RESERVED WK_ADDRESS_RESERVED
#define PUBLIC WK_ADDRESS_PUBLIC
#define LOOPBACK WK_ADDRESS_LOOPBACK

/* clang-format off */
static const struct {
    const char          *text;
    enum wk_address_kind want;
} rows[] = {
    { "0.0.0.0", RESERVED },         { "0.255.255.255", RESERVED },
    { "1.0.0.0", PUBLIC },           { "9.255.255.255", PUBLIC },
    { "10.0.0.0", RESERVED },        { "10.255.255.255", RESERVED },
    { "11.0.0.0", PUBLIC },          { "100.63.255.255", PUBLIC },
    { "100.64.0.0", RESERVED },      { "100.127.255.255", RESERVED },
    { "100.128.0.0", PUBLIC },       { "126.255.255.255", PUBLIC },
    { "127.0.0.0", LOOPBACK },       { "127.0.0.1", LOOPBACK },
    { "127.255.255.255", LOOPBACK }, { "128.0.0.0", PUBLIC },
    { "169.253.255.255", PUBLIC },   { "169.254.0.0", RESERVED },
    { "169.254.169.254", RESERVED }, { "169.255.0.0", PUBLIC },
    { "172.15.255.255", PUBLIC },    { "172.16.0.0", RESERVED },
    { "172.31.255.255", RESERVED },  { "172.32.0.0", PUBLIC },
    { "192.0.0.1", RESERVED },       { "192.0.1.0", PUBLIC },
    { "192.0.2.1", RESERVED },       { "192.88.99.1", RESERVED },
    { "192.167.255.255", PUBLIC },   { "192.168.0.0", RESERVED },
    { "192.168.255.255", RESERVED }, { "192.169.0.0", PUBLIC },
    { "198.17.255.255", PUBLIC },    { "198.18.0.0", RESERVED },
    { "198.19.255.255", RESERVED },  { "198.20.0.0", PUBLIC },
    { "198.51.100.7", RESERVED },    { "203.0.113.7", RESERVED },
    { "203.0.114.0", PUBLIC },       { "223.255.255.255", PUBLIC },
    { "224.0.0.0", RESERVED },       { "239.255.255.255", RESERVED },
    { "240.0.0.0", RESERVED },       { "255.255.255.255", RESERVED },
    { "::", RESERVED },              { "::1", LOOPBACK },
    { "::2", RESERVED },             { "::7f00:1", RESERVED },
    { "::ffff:127.0.0.1", RESERVED },{ "::ffff:8.8.8.8", RESERVED },
    { "64:ff9b::a00:1", RESERVED },  { "64:ff9b:1::1", RESERVED },
    { "100::1", RESERVED },          { "1fff:ffff::1", RESERVED },
    { "2001::1", RESERVED },         { "2001:1ff::1", RESERVED },
    { "2001:200::1", PUBLIC },       { "2001:db8::1", RESERVED },
    { "2001:db9::1", PUBLIC },       { "2002:a00:1::1", RESERVED },
    { "2003::1", PUBLIC },           { "2606:4700::1111", PUBLIC },
    { "3ffe::1", PUBLIC },           { "3fff::1", RESERVED },
    { "3fff:fff::1", RESERVED },     { "3fff:1000::1", PUBLIC },
    { "4000::1", RESERVED },         { "5f00::1", RESERVED },
    { "fc00::1", RESERVED },         { "fd12:3456::1", RESERVED },
    { "fe80::1", RESERVED },         { "fec0::1", RESERVED },
    { "ff02::1", RESERVED },
};

static const struct {
    const char *text;
    bool        want;
} texts[] = {
    { "127.0.0.1", true },  { "127.9.9.9", true },  { "::1", true },
    { "[::1]", true },      { "localhost", false }, { "", false },
    { "[]", false },        { "128.0.0.1", false }, { "127.1", false },
    { "0x7f000001", false },{ "127.0.0.1.example", false },
    { "::ffff:127.0.0.1", false },
    { "0000:0000:0000:0000:0000:0000:0000:0000:0000:0001", false },
};
/* clang-format on */

static enum wk_address_kind
kind_of(const char *text)
{
    struct sockaddr_in  v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        return wk_address_kind((const struct sockaddr *) &v4, sizeof(v4));
    }
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return wk_address_kind((const struct sockaddr *) &v6, sizeof(v6));
}

static void
every_edge_of_every_row(void **state)
{
    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        if (kind_of(rows[i].text) != rows[i].want) {
            fail_msg("%s: found %d, expected %d", rows[i].text,
                     (int) kind_of(rows[i].text), (int) rows[i].want);
        }
    }
}

static void
other_families_and_short_addresses_are_reserved(void **state)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr    un = { .sa_family = AF_UNIX };

    (void) state;
    v4.sin_addr.s_addr = htonl(0x08080808);
    assert_int_equal(
        wk_address_kind((const struct sockaddr *) &v4, sizeof(v4) - 1),
        RESERVED);
    assert_int_equal(wk_address_kind(&un, sizeof(un)), RESERVED);
}

static void
only_literal_loopback_is_loopback_text(void **state)
{
    (void) state;
    for (size_t i = 0; i < PH_COUNT(texts); i++) {
        if (wk_address_is_loopback_text(ph_str_z(texts[i].text))
            != texts[i].want) {
            fail_msg("'%s': expected %d", texts[i].text, texts[i].want);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_edge_of_every_row),
        cmocka_unit_test(other_families_and_short_addresses_are_reserved),
        cmocka_unit_test(only_literal_loopback_is_loopback_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
