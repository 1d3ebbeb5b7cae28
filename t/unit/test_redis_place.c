/* Places of Redis servers, and slots of keys in a Cluster. */
#include "t/unit/support.h"

#include "libpayhub/base/crc16.h"
#include "libpayhub/base/redis_place.h"

static void
test_crc(void **state)
{
    (void) state;
    assert_int_equal(ph_crc16(PH_STR("123456789")), 0x31C3);
    assert_int_equal(ph_crc16(PH_STR("")), 0);
}

/* expected numbers: CLUSTER KEYSLOT of redis-server 7.0.15 */
static void
test_slots(void **state)
{
    static const struct {
        const char *key;
        unsigned    slot;
    } rows[] = {
        { "foo", 12182 },
        { "123456789", 12739 },
        { "{user1000}.following", 3443 },
        { "{user1000}.followers", 3443 },
        { "foo{}{bar}", 8363 },
        { "foo{{bar}}zap", 4015 },
        { "foo{bar}{zap}", 5061 },
        { "{open", 7674 },
        { "close}", 5262 },
        { "", 0 },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        if (ph_redis_slot(ph_str_z(rows[i].key)) != rows[i].slot) {
            fail_msg("%s: found %u, expected %u", rows[i].key,
                     ph_redis_slot(ph_str_z(rows[i].key)), rows[i].slot);
        }
    }
}

static void
test_place(void **state)
{
    static const struct {
        const char *text, *host;
        int         port; /* < 0 = refused */
    } rows[] = {
        { "127.0.0.1:6379", "127.0.0.1", 6379 },
        { "redis.example:1", "redis.example", 1 },
        { "[::1]:6379", "::1", 6379 },
        { "::1:6379", "::1", 6379 },
        { "/run/redis.sock", "/run/redis.sock", 0 },
        { "", "", -1 },
        { "host", "", -1 },
        { "host:", "", -1 },
        { ":6379", "", -1 },
        { "host:0", "", -1 },
        { "host:65536", "", -1 },
        { "host:6379x", "", -1 },
        { "host:-1", "", -1 },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_redis_place place;
        char                  memory[PH_REDIS_HOST_MAX + 8];
        struct ph_buf         again = PH_BUF_INIT(memory);
        bool ok = ph_redis_place_parse(ph_str_z(rows[i].text), &place);

        if (ok != (rows[i].port >= 0)) {
            fail_msg("%s: taken %d", rows[i].text, ok);
        }
        if (ok) {
            assert_string_equal(place.host, rows[i].host);
            assert_int_equal(place.port, rows[i].port);
            ph_redis_place_text(&place, &again);
            assert_true(again.len > 0);
        }
    }
}

static void
test_places(void **state)
{
    static const struct {
        const char *text;
        int         count; /* < 0 = refused */
    } rows[] = {
        { "", 0 },
        { " ", 0 },
        { "a:1", 1 },
        { "a:1 b:2", 2 },
        { " a:1   b:2 ", 2 },
        { "a:1 b", -1 },
        { "a:1,b:2", -1 },
        { "a:1 a:2 a:3 a:4 a:5 a:6 a:7 a:8 a:9 a:10 a:11 a:12 a:13 a:14 a:15 "
          "a:16",
          16 },
        { "a:1 a:2 a:3 a:4 a:5 a:6 a:7 a:8 a:9 a:10 a:11 a:12 a:13 a:14 a:15 "
          "a:16 a:17",
          -1 },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_redis_place places[PH_REDIS_PLACES_MAX];
        size_t                count;
        bool ok = ph_redis_places_parse(ph_str_z(rows[i].text), places, &count);

        if (ok != (rows[i].count >= 0)
            || (ok && count != (size_t) rows[i].count)) {
            fail_msg("'%s': taken %d, %zu", rows[i].text, ok, count);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc),
        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_place),
        cmocka_unit_test(test_places),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
