/* The CLI's table of account keys is the adapters' own; addresses. */
#include "t/unit/support.h"

#include "channels/channel.h"
#include "libpayhub/domain/channel_fields.h"

static void
adapters_agree(void **state)
{
    const struct ph_channel *channel;
    size_t                   count = 0;

    (void) state;
    for (; (channel = ph_channel_at(count)) != NULL; count++) {
        struct ph_str name = ph_str_z(channel->name);
        for (size_t i = 0; i < channel->field_count; i++) {
            const struct ph_channel_field *theirs = &channel->fields[i];
            const struct ph_channel_key   *ours
                = ph_channel_key_find(name, ph_str_z(theirs->key));
            assert_non_null(ours);
            assert_int_equal(ours->required, theirs->required);
            assert_int_equal(ours->secret, theirs->secret);
        }
        assert_null(ph_channel_key_at(name, channel->field_count));
    }
    assert_true(count != 0);
    assert_null(ph_channel_name_at(count));
}

static void
unknown_names(void **state)
{
    (void) state;
    assert_null(ph_channel_key_at(PH_STR("nosuch"), 0));
    assert_null(ph_channel_key_find(PH_STR("sandbox"), PH_STR("nosuch")));
    assert_null(ph_channel_key_find(PH_STR("nosuch"), PH_STR("key")));
    assert_null(ph_channel_key_at((struct ph_str){ NULL, 0 }, 0));
}

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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adapters_agree),
        cmocka_unit_test(unknown_names),
        cmocka_unit_test(addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
