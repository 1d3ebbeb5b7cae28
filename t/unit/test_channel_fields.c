/* Accounts from their values: kinds, groups, what is said of what is wrong. */
#include "t/unit/support.h"

#include "channels/context.h"
#include "channels/fields.h"

#define SECRET "s3cr3t-of-16-bytes"

enum { URL, NAME, FLAG, KEY, RAW, FILE_PFX, PUB, CERT, ROOT, FIELDS };

/* clang-format off */
static const struct ph_channel_field fields[FIELDS] = {
    [URL]      = { "base_url", true, false, "its address", PH_VALUE_URL, NULL },
    [NAME]     = { "name", false, false, "a name", PH_VALUE_TEXT, NULL },
    [FLAG]     = { "live", false, false, "yes or no", PH_VALUE_YESNO, NULL },
    [KEY]      = { "key", true, true, "the key", PH_VALUE_SECRET, NULL },
    [RAW]      = { "raw", false, true, "bytes", PH_VALUE_BASE64, NULL },
    [FILE_PFX] = { "pfx", false, true, "a file", PH_VALUE_PFX, NULL },
    [PUB]      = { "pub", false, false, "public", PH_VALUE_PUBLIC_KEY, "public" },
    [CERT]     = { "cert", false, false, "cert", PH_VALUE_CERT, "cert" },
    [ROOT]     = { "root", false, false, "roots", PH_VALUE_CERTS, "cert both" },
};
/* clang-format on */

static unsigned opened, closed;

static void *
account_open(const struct ph_channel_account *account,
             const struct ph_channel_env *env, uint64_t now_ms,
             struct ph_arena *arena, const char **why)
{
    (void) env;
    (void) arena;
    assert_int_equal(now_ms, 7);
    if (ph_str_eq(account->values[NAME], PH_STR("no"))) {
        *why = "name: found no, expected a name";
        return NULL;
    }
    opened++;
    return ph_context_new(3);
}

static void
account_close(void *context)
{
    closed++;
    ph_context_free(context);
}

static const struct ph_channel channel = { .abi           = PH_CHANNEL_ABI,
                                           .size          = sizeof(channel),
                                           .name          = "made",
                                           .fields        = fields,
                                           .field_count   = FIELDS,
                                           .account_open  = account_open,
                                           .account_close = account_close };

static char            memory[64 * 1024];
static struct ph_arena arena;

struct row {
    size_t      at; /* the one value that differs from the good account */
    const char *value;
    const char *why; /* NULL = good */
};

static void
good_values(struct ph_str *values)
{
    values[URL] = PH_STR("https://a.example");
    values[KEY] = PH_STR(SECRET);
    values[PUB] = PH_STR("MII");
}

static void
kinds(void **state)
{
    static const struct row rows[] = {
        { NAME, "n", NULL },
        { NAME, "", NULL },
        { URL, "", "base_url: found nothing, expected its address" },
        { URL, "ftp://a",
          "base_url: found ftp://a, expected https://HOST[:PORT][/PATH], or "
          "http:// of a loopback address" },
        { URL, "http://a\n", "base_url: found 9 bytes, expected https://" },
        { NAME, "a\nb", "name: found 3 bytes, expected one line of text" },
        { FLAG, "yes", NULL },
        { FLAG, "no", NULL },
        { FLAG, "true", "live: found true, expected yes or no" },
        { KEY, "", "key: found nothing, expected the key" },
        { RAW, "AAEC", NULL },
        { RAW, "AA\nEC\n", NULL },
        { RAW, "AAE", "raw: found 3 bytes, expected base64" },
        { FILE_PFX, "%%%%", "pfx: found 4 bytes, expected base64" },
        { NAME, "no", "name: found no, expected a name" },
        { PUB, "",
          "pub: found no whole set of keys, expected pub, or cert and "
          "root, or root" },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_channel_account account = { .channel = &channel };
        const char               *why     = NULL;

        ph_arena_init(&arena, memory, sizeof(memory));
        good_values(account.values);
        account.values[rows[i].at] = ph_str_z(rows[i].value);

        bool ok = ph_channel_account_open(&account, NULL, 7, &arena, &why);

        if (ok != (rows[i].why == NULL)
            || (!ok && strncmp(why, rows[i].why, strlen(rows[i].why)) != 0))
        {
            fail_msg("row %zu: %s", i, ok ? "opened" : why);
        }
        assert_int_equal(account.context != NULL, ok);
        ph_channel_account_close(&account);
        assert_null(account.context);
    }
    assert_int_equal(opened, closed);
    assert_true(opened >= 6);
}

static void
groups(void **state)
{
    static const struct {
        const char *pub, *cert, *root;
        bool        ok;
    } rows[] = {
        { "p", "", "", true },   { "", "c", "r", true }, { "", "", "r", true },
        { "p", "c", "", true },  { "", "c", "", false }, { "", "", "", false },
        { "p", "c", "r", true },
    };

    (void) state;
    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        struct ph_str values[PH_CHANNEL_FIELDS_MAX] = { { NULL, 0 } };

        ph_arena_init(&arena, memory, sizeof(memory));
        good_values(values);
        values[PUB]  = ph_str_z(rows[i].pub);
        values[CERT] = ph_str_z(rows[i].cert);
        values[ROOT] = ph_str_z(rows[i].root);
        if ((ph_channel_values_check(&channel, values, &arena) == NULL)
            != rows[i].ok) {
            fail_msg("row %zu", i);
        }
    }
}

static void
no_secret_is_shown(void **state)
{
    static char   long_value[PH_CHANNEL_VALUE_MAX + 2];
    struct ph_str values[PH_CHANNEL_FIELDS_MAX] = { { NULL, 0 } };
    const char   *why;

    (void) state;
    ph_arena_init(&arena, memory, sizeof(memory));
    good_values(values);
    values[RAW] = PH_STR(SECRET "!");
    why         = ph_channel_values_check(&channel, values, &arena);
    assert_non_null(why);
    assert_null(strstr(why, SECRET));

    memset(long_value, 'A', sizeof(long_value) - 1);
    values[RAW] = ph_str_z(long_value);
    why         = ph_channel_values_check(&channel, values, &arena);
    assert_string_equal(why,
                        "raw: found 16385 bytes, expected at most 16384 bytes");
    /* what was decoded to be looked at is not left in the arena */
    values[RAW] = PH_STR("QUFBQUFBQUE=");
    assert_null(ph_channel_values_check(&channel, values, &arena));
    assert_null(memmem(memory, sizeof(memory), "AAAAAAAA", 8));
    assert_null(memmem(memory, sizeof(memory), "QUFB", 4));
}

static void
a_context_is_bounded_and_zeroed(void **state)
{
    char *context = ph_context_new(1000);

    (void) state;
    assert_non_null(context);
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(context[i], 0);
    }
    assert_int_equal((uintptr_t) context % 16, 0);
    ph_context_free(context);
    ph_context_free(NULL);
    assert_null(ph_context_new(PH_CONTEXT_MAX + 1));
    assert_null(ph_context_new(SIZE_MAX));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds),
        cmocka_unit_test(groups),
        cmocka_unit_test(no_secret_is_shown),
        cmocka_unit_test(a_context_is_bounded_and_zeroed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
