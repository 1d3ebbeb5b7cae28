/* At which addresses an account may have its channel. */
#include "t/unit/support.h"

#include "libpayhub/domain/base_url.h"

static const struct {
    const char *url;
    bool        ok;
} urls[] = {
    { "https://example.com", true },
    { "https://example.com:8443/a/b", true },
    { "https://[2001:db8::1]:443", true },
    { "http://127.0.0.1:8080", true },
    { "http://127.9.9.9", true },
    { "http://[::1]:1", true },
    { "http://localhost/x", true },
    { "", false },
    { "https://", false },
    { "https:///x", false },
    { "https://:443", false },
    { "ftp://example.com", false },
    { "HTTPS://example.com", false },
    { "http://example.com", false },
    { "http://127.0.0.1.example.com", false },
    { "http://127.0.0.256", false },
    { "http://127.0.0", false },
    { "http://0127.0.0.1", false },
    { "http://localhost.example.com", false },
    { "http://127.0.0.1@example.com", false },
    { "http://[::1", false },
    { "https://example.com:0", false },
    { "https://example.com:65536", false },
    { "https://example.com:1x", false },
    { "https://user:x@example.com", false },
    { "https://example.com/#x", false },
    { "https://example.com/a?x=1", false },
    { "https://example.com?x", false },
    { "https://exa mple.com", false },
    { "https://example.com\\x", false },
    { "https://example.com/\n", false },
};

static void
addresses(void **state)
{
    (void) state;
    for (size_t i = 0; i < PH_COUNT(urls); i++) {
        if (ph_base_url_ok(ph_str_z(urls[i].url)) != urls[i].ok) {
            fail_msg("%s: expected %d", urls[i].url, urls[i].ok);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(addresses) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
