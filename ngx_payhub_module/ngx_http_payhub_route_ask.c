
/*
 * What a request asks of its route, and the answer in words.
 */


#include "ngx_http_payhub_route_int.h"
#include "libpayhub/base/money.h"


#define NGX_HTTP_PAYHUB_ROUTE_FIELDS  4


struct ph_route *
ngx_http_payhub_routes_find(ngx_http_payhub_routes_t *routes,
    struct ph_str name)
{
    ngx_uint_t  i;

    for (i = 0; i < routes->routes_n; i++) {
        if (ph_str_eq(routes->routes[i].name, name)) {
            return &routes->routes[i];
        }
    }

    return NULL;
}


/* the four that every route reads, and the keys of metadata of this one */

enum ph_scan
ngx_http_payhub_route_ask(struct ph_route *route, struct ph_str body,
    struct ph_route_ask *ask, struct ph_str *account)
{
    size_t                i;
    enum ph_scan          verdict;
    struct ph_scan_field  f[NGX_HTTP_PAYHUB_ROUTE_FIELDS + PH_ROUTE_KEYS_MAX];

    ngx_memzero(f, (NGX_HTTP_PAYHUB_ROUTE_FIELDS + route->key_count)
                   * sizeof(struct ph_scan_field));

    f[0].name = PH_STR("method");
    f[1].name = PH_STR("currency");
    f[2].name = PH_STR("amount");
    f[2].is_integer = 1;
    f[3].name = PH_STR("account");

    for (i = 0; i < route->key_count; i++) {
        f[NGX_HTTP_PAYHUB_ROUTE_FIELDS + i].name = route->keys[i];
        f[NGX_HTTP_PAYHUB_ROUTE_FIELDS + i].in_metadata = 1;
    }

    verdict = ph_field_scan(body, f, NGX_HTTP_PAYHUB_ROUTE_FIELDS
                                     + route->key_count);

    if (verdict != PH_SCAN_CLEAR) {
        return verdict;
    }

    /* a name that is no name is left to who answers for the whole body */

    for (i = 0; i < NGX_HTTP_PAYHUB_ROUTE_FIELDS; i++) {
        if (f[i].found && !f[i].is_integer
            && !ph_str_is_token(f[i].text, PH_ROUTE_NAME_MAX))
        {
            return PH_SCAN_TYPE;
        }
    }

    /* what no payment can ask for must not count as given to an account */

    if (f[2].found && f[2].integer > PH_AMOUNT_MAX) {
        return PH_SCAN_RANGE;
    }

    ask->method = f[0].text;
    ask->currency = f[1].text;
    ask->has_amount = f[2].found;
    ask->amount = f[2].integer;
    *account = f[3].text;

    for (i = 0; i < route->key_count; i++) {
        ask->values[i] = f[NGX_HTTP_PAYHUB_ROUTE_FIELDS + i].text;
    }

    return PH_SCAN_CLEAR;
}


static json_t *
ngx_http_payhub_route_word(struct ph_str s)
{
    return s.ptr ? json_stringn(s.ptr, s.len) : json_null();
}


static json_t *
ngx_http_payhub_route_explain_seat(ngx_http_payhub_routes_t *routes,
    struct ph_route_ask *ask, struct ph_route_seat *seat)
{
    char                      text[64];
    u_char                   *p;
    json_t                   *one;
    uint64_t                  whole, part;
    enum ph_route_why         why;
    unsigned __int128         fee;
    struct ph_route_sight     sight;
    struct ph_success_view    view;
    struct ph_route_account  *account;

    account = &routes->accounts[seat->account];

    ngx_memzero(&sight, sizeof(struct ph_route_sight));
    sight.wants_calls = 1;
    ngx_http_payhub_health_look(routes, seat->account, &sight);

    why = ph_route_judge(account, ask, &sight);
    fee = ph_route_fee(account, ask->amount);
    whole = (uint64_t) (fee / 1000000);
    part = (uint64_t) (fee % 1000000);

    p = ngx_sprintf((u_char *) text, "%uL.%06uL", whole, part);
    *p = '\0';

    one = json_pack("{s:o, s:o, s:i, s:i, s:b, s:s, s:i, s:s, s:i, s:i, s:I}",
                    "id", ngx_http_payhub_route_word(account->id),
                    "channel", ngx_http_payhub_route_word(account->channel),
                    "weight", (int) seat->weight,
                    "priority", (int) seat->priority,
                    "fallback", (int) seat->is_fallback,
                    "fee", text,
                    "inflight", (int) sight.inflight,
                    "breaker", ph_breaker_word(sight.breaker),
                    "calls", (int) sight.calls,
                    "good", (int) sight.good,
                    "given", (json_int_t) ph_route_given(seat));

    ngx_http_payhub_success_look(routes->faces[seat->account].health, &view);

    (void) json_object_set_new(one, "source",
                               json_string(view.is_counted ? "cluster"
                                                           : "host"));

    if (view.is_counted) {
        (void) json_object_set_new(one, "ended",
                                   json_integer((json_int_t) view.ended));
        (void) json_object_set_new(one, "paid",
                                   json_integer((json_int_t) view.paid));
        (void) json_object_set_new(one, "as_of",
                                   json_integer((json_int_t) view.as_of_s));
    }

    (void) json_object_set_new(one, "against",
                               why == PH_ROUTE_MAY ? json_null()
                               : json_string(ph_route_why_word(why)));

    return one;
}


/* the choice over copies of the shares: nothing is counted */

static json_t *
ngx_http_payhub_route_explain_rule(ngx_http_payhub_routes_t *routes,
    struct ph_route *route, struct ph_route_ask *ask, json_t *answer)
{
    size_t                  i;
    json_t                 *seats, *candidates;
    uint64_t                kept[PH_ROUTE_SEATS_MAX];
    uint64_t               *share[PH_ROUTE_SEATS_MAX];
    struct ph_route_eyes    eyes;
    struct ph_route_rule   *rule;
    struct ph_route_choice  choice;
    struct ph_buf           reason;
    char                    words[PH_ROUTE_REASON_MAX];

    for (i = 0; i < route->rule_count; i++) {
        if (ph_route_rule_matches(&route->rules[i], ask)) {
            break;
        }
    }

    if (i == route->rule_count) {
        (void) json_object_set_new(answer, "verdict", json_string("free"));
        return answer;
    }

    rule = &route->rules[i];

    for (i = 0; i < rule->seat_count; i++) {
        share[i] = rule->seats[i].share;
        kept[i] = __atomic_load_n(share[i], __ATOMIC_RELAXED);
        rule->seats[i].share = &kept[i];
    }

    eyes.look = ngx_http_payhub_health_look;
    eyes.data = routes;

    ph_route_choose(route, ask, &eyes, PH_ROUTE_DRAWS - 1, &choice);

    ph_buf_init(&reason, words, sizeof(words));
    ph_route_reason(route, &choice.note, &reason);

    for (i = 0; i < rule->seat_count; i++) {
        rule->seats[i].share = share[i];
    }

    seats = json_array();
    candidates = json_array();

    for (i = 0; i < rule->seat_count; i++) {
        (void) json_array_append_new(seats,
                   ngx_http_payhub_route_explain_seat(routes, ask,
                                                      &rule->seats[i]));
    }

    for (i = 0; i < choice.count; i++) {
        (void) json_array_append_new(candidates,
                   ngx_http_payhub_route_word(
                                 routes->accounts[choice.accounts[i]].id));
    }

    (void) json_object_set_new(answer, "rule",
                               ngx_http_payhub_route_word(rule->name));
    (void) json_object_set_new(answer, "text",
                               ngx_http_payhub_route_word(rule->text));
    (void) json_object_set_new(answer, "by",
                               json_string(ph_route_by_word(rule->by)));
    (void) json_object_set_new(answer, "verdict",
                 json_string(choice.verdict == PH_ROUTE_CHOSEN ? "chosen"
                             : choice.verdict == PH_ROUTE_OUT ? "out"
                                                              : "none"));
    (void) json_object_set_new(answer, "reason",
                               json_stringn(reason.ptr, reason.len));
    (void) json_object_set_new(answer, "candidates", candidates);
    (void) json_object_set_new(answer, "accounts", seats);

    return answer;
}


json_t *
ngx_http_payhub_route_explain_json(struct ph_str body, const char *name,
    const char *app, const char *merchant)
{
    json_t                    *answer;
    enum ph_scan               verdict;
    struct ph_str              account;
    struct ph_route           *route;
    struct ph_route_ask        ask;
    ngx_http_payhub_routes_t  *routes;

    answer = json_object();
    routes = ngx_http_payhub_routes(ngx_http_payhub_live_now());

    if (answer == NULL || routes == NULL) {
        json_decref(answer);
        return NULL;
    }

    name = name ? name : "default";
    route = ngx_http_payhub_routes_find(routes, ph_str_z(name));

    (void) json_object_set_new(answer, "route", json_string(name));

    if (route == NULL) {
        (void) json_object_set_new(answer, "verdict", json_string("no route"));
        return answer;
    }

    if (routes->accounts_n == 0) {
        (void) json_object_set_new(answer, "verdict",
                                   json_string("no account known"));
        return answer;
    }

    ngx_memzero(&ask, sizeof(struct ph_route_ask));

    verdict = ngx_http_payhub_route_ask(route, body, &ask, &account);

    if (verdict != PH_SCAN_CLEAR) {
        (void) json_object_set_new(answer, "verdict", json_string("unclear"));
        (void) json_object_set_new(answer, "reason",
                                   json_string(ph_scan_word(verdict)));
        return answer;
    }

    ask.app = ph_str_z(app);
    ask.merchant = ph_str_z(merchant);

    if (account.ptr) {
        (void) json_object_set_new(answer, "verdict", json_string("forced"));
        (void) json_object_set_new(answer, "forced",
                                   ngx_http_payhub_route_word(account));
        return answer;
    }

    return ngx_http_payhub_route_explain_rule(routes, route, &ask, answer);
}
