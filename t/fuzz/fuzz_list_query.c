/*
 * fuzz_list_query.c - the query of a list.
 *
 * What is taken has values of the right kinds, and the cursor of a page of it
 * is taken back for the same filters; what is refused says why in JSON's reach.
 */
#include "t/fuzz/fuzz.h"

#include "libpayhub/domain/states.h"
#include "libpayhub/wire/digest.h"
#include "worker/list_query.h"

static const struct ph_str app = PH_STR_INIT("app_1");

static void
tokens(const struct wk_list_values *values)
{
    FUZZ_HOLDS(values->count <= WK_LIST_VALUES_MAX);
    for (size_t i = 0; i < values->count; i++) {
        FUZZ_HOLDS(ph_str_is_token(values->value[i], 64));
    }
}

/* Appended to the query as it was, the cursor leads on. */
static void
leads_on(struct ph_str text, const struct wk_list_query *first)
{
    static const char     id[] = "P0123456789AB00000000000000";
    static char           memory[WK_LIST_QUERY_MAX + 128];
    struct ph_buf         buf = PH_BUF_INIT(memory);
    struct wk_query_fault fault;
    struct wk_list_query *next = malloc(sizeof(*next));

    FUZZ_HOLDS(next != NULL);
    ph_buf_add(&buf, text);
    ph_buf_add(&buf, text.len != 0 ? PH_STR("&cursor=") : PH_STR("cursor="));
    wk_list_cursor(&buf, first, ph_str_z(id));
    if (!buf.full
        && wk_list_query_parse(ph_buf_str(&buf), app, NULL, next, &fault)) {
        FUZZ_HOLDS(ph_str_eq(next->before_id, ph_str_z(id)));
        FUZZ_HOLDS(next->limit == first->limit);
        FUZZ_HOLDS(next->from_ms == first->from_ms);
        FUZZ_HOLDS(!wk_list_query_parse(ph_buf_str(&buf), PH_STR("app_2"), NULL,
                                        next, &fault));
    } else { /* only for want of room */
        FUZZ_HOLDS(buf.full
                   || first->memory_len + WK_LIST_CURSOR_LEN
                          > sizeof(first->memory));
    }
    free(next);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ph_str         text = ph_str_make((const char *) data, size);
    struct wk_query_fault fault;
    struct wk_list_query *query = malloc(sizeof(*query));
    bool                  is_sync;
    struct ph_str         number;

    FUZZ_HOLDS(query != NULL && (ph_digest_is_ready() || ph_digest_init()));
    if (wk_list_query_parse(text, app, NULL, query, &fault)) {
        tokens(&query->statuses);
        tokens(&query->methods);
        tokens(&query->channels);
        tokens(&query->accounts);
        if (query->order_no.ptr != NULL) {
            FUZZ_HOLDS(ph_str_is_token(query->order_no, 64));
        } else {
            FUZZ_HOLDS(query->limit >= 1 && query->limit <= WK_LIST_LIMIT_MAX);
            if (query->before_id.ptr == NULL) {
                leads_on(text, query);
            } else {
                FUZZ_HOLDS(ph_id_is(query->before_id, PH_ID_PAYMENT));
            }
        }
    } else {
        struct ph_str detail = ph_str_z(fault.detail);

        FUZZ_HOLDS(fault.error != PH_ERROR_NONE);
        FUZZ_HOLDS(!ph_str_has_control(detail)
                   && ph_str_utf8_count(detail) != SIZE_MAX);
    }
    FUZZ_HOLDS(wk_sync_query_parse(text, &is_sync, &fault)
               == (fault.error == PH_ERROR_NONE));
    FUZZ_HOLDS(wk_refund_query_parse(text, &number, &is_sync, &fault)
               == (fault.error == PH_ERROR_NONE));
    free(query);
    return 0;
}
