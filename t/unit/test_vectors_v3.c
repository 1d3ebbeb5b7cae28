/*
 * test_vectors_v3.c - signatures and shards that another implementation
 * computed: t/data/vectors/, or the folder PAYHUB_VECTORS where it has the
 * file.
 */
#include "t/unit/support.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "libpayhub/base/id.h"
#include "libpayhub/wire/auth_v3.h"
#include "libpayhub/wire/b64.h"
#include "libpayhub/wire/digest.h"

#define BODY_MAX 8192
#define PATH_LEN_MAX 4096

static struct ph_str
vectors(const char *name)
{
    static char path[PATH_LEN_MAX];
    const char *given = getenv("PAYHUB_VECTORS");

    (void) snprintf(path, sizeof(path), "%s/%s", given != NULL ? given : "",
                    name);
    if (given == NULL || access(path, F_OK) != 0) {
        (void) snprintf(path, sizeof(path), "t/data/vectors/%s", name);
    }
    print_message("vectors: %s\n", path);
    return t_file(path);
}

static int
set_up(void **state)
{
    struct ph_str text = vectors("payhub-v3.json");
    json_error_t  error;

    *state = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, &error);
    return *state != NULL && ph_digest_init() ? 0 : -1;
}

static int
tear_down(void **state)
{
    json_decref(*state);
    ph_digest_deinit();
    return 0;
}

static struct ph_str
member(const json_t *row, const char *name)
{
    const json_t *value = json_object_get(row, name);

    assert_true(json_is_string(value));
    return ph_str_make(json_string_value(value), json_string_length(value));
}

static struct ph_str
decoded(const json_t *row, const char *name, struct ph_buf *buf)
{
    assert_int_equal(ph_b64_decode(buf, member(row, name)), PH_OK);
    return ph_buf_str(buf);
}

/* HMAC over prefix, body, LF is the row's signature */
static void
same_signature(const json_t *row, struct ph_str prefix, struct ph_str body)
{
    const struct ph_str pieces[] = { prefix, body, PH_STR("\n") };
    uint8_t             sum[PH_SHA256_LEN];
    char                memory[64];
    struct ph_buf       text = PH_BUF_INIT(memory);

    assert_true(
        ph_hmac_once(member(row, "key"), pieces, PH_COUNT(pieces), sum));
    ph_b64_encode(&text, ph_str_make((const char *) sum, sizeof(sum)));
    t_same(ph_buf_str(&text), member(row, "signature"));
}

static void
test_requests(void **state)
{
    const json_t *rows = json_object_get(*state, "requests");

    assert_true(json_array_size(rows) >= 40);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        static char   body_memory[BODY_MAX], signed_memory[BODY_MAX];
        char          memory[512];
        struct ph_buf prefix      = PH_BUF_INIT(memory);
        struct ph_buf body_buf    = PH_BUF_INIT(body_memory);
        struct ph_buf signed_buf  = PH_BUF_INIT(signed_memory);
        struct ph_str body        = decoded(row, "body", &body_buf);
        struct ph_str signed_text = decoded(row, "signed", &signed_buf);

        ph_auth_v3_prefix(&prefix, member(row, "method"), member(row, "target"),
                          member(row, "timestamp"), member(row, "nonce"));
        assert_false(prefix.full);
        assert_int_equal(signed_text.len, prefix.len + body.len + 1);
        t_same(ph_str_make(signed_text.ptr, prefix.len), ph_buf_str(&prefix));
        same_signature(row, ph_buf_str(&prefix), body);
    }
}

static void
test_answers(void **state)
{
    const json_t *rows = json_object_get(*state, "answers");

    assert_true(json_array_size(rows) != 0);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        char          memory[256], body_memory[256];
        struct ph_buf prefix = PH_BUF_INIT(memory);
        struct ph_buf body   = PH_BUF_INIT(body_memory);
        json_int_t status = json_integer_value(json_object_get(row, "status"));

        ph_answer_v3_prefix(&prefix, member(row, "timestamp"),
                            member(row, "nonce"), (unsigned) status);
        same_signature(row, ph_buf_str(&prefix), decoded(row, "body", &body));
    }
}

static void
test_shards(void **state)
{
    const json_t        *rows = json_object_get(*state, "shards");
    static const uint8_t zeros[PH_ID_RANDOM_LEN];
    struct ph_id_maker   maker = { 0 };

    assert_true(json_array_size(rows) >= 60);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row   = json_array_get(rows, i);
        unsigned      shard = PH_ID_SHARDS;

        assert_true(ph_shard_of(member(row, "app_id"), member(row, "order_no"),
                                &shard));
        assert_int_equal(shard,
                         json_integer_value(json_object_get(row, "shard")));
        struct ph_id id = ph_id_make(&maker, PH_ID_PAYMENT, 1, shard, zeros);
        t_same(ph_str_make(id.text + 11, 2), member(row, "text"));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_shards),
    };

    return cmocka_run_group_tests_name("vectors_v3", tests, set_up, tear_down);
}
