/*
 * route_table.h - a route over five accounts, for the tests of route.c: each
 * file that includes it has a table of its own.
 */
#ifndef PH_T_UNIT_ROUTE_TABLE_H
#define PH_T_UNIT_ROUTE_TABLE_H

#include "t/unit/support.h"

#include "libpayhub/domain/route.h"

#define S(text) PH_STR_INIT(text)

static char memory[256 * 1024];

/* ---- a route to play with ---- */

struct table {
    struct ph_arena         arena;
    struct ph_route         route;
    struct ph_route_rule    rules[PH_ROUTE_RULES_MAX];
    struct ph_route_account accounts[8];
    struct ph_route_sight   sights[8];
    struct ph_str           unknown;
};

static struct table table;

static void
look(void *data, size_t account, struct ph_route_sight *out)
{
    const struct table *from = data;

    *out = from->sights[account];
}

static const struct ph_route_eyes eyes = { look, &table };

/* a, b, c, d at channel x, e at channel y */
static void
accounts_make(void)
{
    static const struct ph_str ids[]
        = { S("a"), S("b"), S("c"), S("d"), S("e") };

    memset(&table, 0, sizeof(table));
    ph_arena_init(&table.arena, memory, sizeof(memory));
    table.route.rules = table.rules;
    for (size_t i = 0; i < PH_COUNT(ids); i++) {
        table.accounts[i]
            = (struct ph_route_account){ .id = ids[i],
                                         .channel
                                         = i < 4 ? PH_STR("x") : PH_STR("y"),
                                         .priority = PH_ROUTE_PRIORITY,
                                         .weight   = 1 };
    }
}

static void
rules_add(const char *const *texts)
{
    char          said[512];
    struct ph_buf fault = PH_BUF_INIT(said);

    for (; *texts != NULL; texts++) {
        if (ph_route_rule_add(&table.route, &table.arena, ph_str_z(*texts),
                              &fault)
            != PH_OK)
        {
            fail_msg("%s: %s", *texts, ph_buf_z(&fault));
        }
    }
    assert_true(ph_route_link(&table.route, &table.arena, table.accounts, 5,
                              &table.unknown));
}

static void
one_rule(const char *text)
{
    const char *const texts[] = { text, NULL };

    accounts_make();
    rules_add(texts);
}

static struct ph_route_ask
usual_ask(void)
{
    return (struct ph_route_ask){ .method     = PH_STR("card"),
                                  .currency   = PH_STR("CNY"),
                                  .app        = PH_STR("shop"),
                                  .merchant   = PH_STR("acme"),
                                  .has_amount = true,
                                  .amount     = 1000 };
}

static struct ph_route_choice
choose(uint32_t draw)
{
    struct ph_route_ask    ask = usual_ask();
    struct ph_route_choice choice;

    ph_route_choose(&table.route, &ask, &eyes, draw, &choice);
    return choice;
}

#endif
