/*
 * route.c - what one choice of a route costs: 20 rules of which the last
 * matches, 20 accounts that all can, with the health of each looked up as the
 * edge does.
 *
 *   route weight|priority|cost|success|volume|scan
 *
 * `scan` is the scanner over a payment of 300 bytes.  CPU time in ns each.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "libpayhub/domain/route.h"
#include "libpayhub/wire/field_scan.h"

#define RULES 20
#define ACCOUNTS 20
#define TIMES 1000000

static struct ph_health             health[ACCOUNTS];
static struct ph_route_account      accounts[ACCOUNTS];
static char                         ids[ACCOUNTS][8];
static struct ph_route_rule         rules[PH_ROUTE_RULES_MAX];
static char                         memory[512 * 1024];
static const struct ph_breaker_spec usual  = PH_BREAKER_DEFAULT;
static uint64_t                     now_ms = 1000000;

static void
look(void *data, size_t account, struct ph_route_sight *out)
{
    struct ph_health_window window;

    (void) data;
    out->breaker = ph_health_state(&health[account], &usual, now_ms);
    if (!out->wants_calls) {
        return;
    }
    ph_health_look(&health[account], now_ms, &window);
    out->calls = window.calls;
    out->good  = window.calls - window.refused - window.failed - window.unknown;
}

static bool
route_make(struct ph_route *route, const char *by)
{
    struct ph_arena arena;
    struct ph_str   unknown;
    char            text[128], said[256];
    struct ph_buf   fault = PH_BUF_INIT(said);

    ph_arena_init(&arena, memory, sizeof(memory));
    route->rules = rules;
    for (int i = 0; i < ACCOUNTS; i++) {
        (void) snprintf(ids[i], sizeof(ids[i]), "acc%d", i);
        accounts[i] = (struct ph_route_account){ .id       = ph_str_z(ids[i]),
                                                 .channel  = PH_STR("x"),
                                                 .priority = 10,
                                                 .weight   = 1 + (unsigned) i,
                                                 .fee_ppm  = 6000 };
        ph_health_add(&health[i], &usual, now_ms, PH_CALL_SUCCEEDED, 5);
    }
    for (int i = 0; i < RULES; i++) {
        (void) snprintf(text, sizeof(text),
                        "rule%d method=%s currency=CNY amount=1-500000 -> any "
                        "by=%s",
                        i, i == RULES - 1 ? "card" : "wallet,sandbox_qr", by);
        if (ph_route_rule_add(route, &arena, ph_str_z(text), &fault) != PH_OK) {
            (void) fprintf(stderr, "route: %s\n", ph_buf_z(&fault));
            return false;
        }
    }
    return ph_route_link(route, &arena, accounts, ACCOUNTS, &unknown);
}

static double
cpu_ns(void)
{
    struct timespec ts;

    (void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double) ts.tv_sec * 1e9 + (double) ts.tv_nsec;
}

static int
choose_run(const char *by)
{
    struct ph_route            route = { 0 };
    const struct ph_route_ask  ask   = { .method     = PH_STR("card"),
                                         .currency   = PH_STR("CNY"),
                                         .has_amount = true,
                                         .amount     = 1000 };
    const struct ph_route_eyes eyes  = { look, NULL };
    struct ph_route_choice     choice;

    if (!route_make(&route, by)) {
        return 2;
    }
    double from = cpu_ns();
    for (uint32_t i = 0; i < TIMES; i++) {
        ph_route_choose(&route, &ask, &eyes, i * 2654435761U, &choice);
        if (choice.count != PH_ROUTE_CANDIDATES_MAX) {
            return 1;
        }
    }
    (void) printf("%.1f\n", (cpu_ns() - from) / TIMES);
    return 0;
}

static int
scan_run(void)
{
    static char          body[300];
    struct ph_scan_field fields[4]
        = { { .name = PH_STR("method") },
            { .name = PH_STR("currency") },
            { .name = PH_STR("amount"), .is_integer = true },
            { .name = PH_STR("account") } };

    (void) snprintf(body, sizeof(body),
                    "{\"order_no\":\"20260101000000000001\",\"amount\":100,"
                    "\"currency\":\"CNY\",\"method\":\"sandbox_bar\","
                    "\"subject\":\"%0150d\"}",
                    7);
    double from = cpu_ns();
    for (int i = 0; i < TIMES; i++) {
        if (ph_field_scan(ph_str_z(body), fields, 4) != PH_SCAN_CLEAR) {
            return 1;
        }
    }
    (void) printf("%.1f\n", (cpu_ns() - from) / TIMES);
    return 0;
}

int
main(int argc, char **argv)
{
    if (argc != 2) {
        (void) fprintf(stderr, "usage: route RULE|scan\n");
        return 2;
    }
    return strcmp(argv[1], "scan") == 0 ? scan_run() : choose_run(argv[1]);
}
