
/*
 * How payments of each account ended, as the cluster's workers tell it: into
 * the accounts' records in the zone, and from there into choices.
 */


#include "ngx_http_payhub_route_int.h"


/* items without their figures, which move all the time */

json_t *
ngx_http_payhub_success_bare(json_t *items)
{
    size_t       i, n;
    json_t      *all, *item, *bare;

    static const char *const figures[] = { "ended", "paid", "as_of" };

    all = json_array();

    json_array_foreach(items, i, item) {
        bare = json_copy(item);

        for (n = 0; n < sizeof(figures) / sizeof(figures[0]); n++) {
            (void) json_object_del(bare, figures[n]);
        }

        if (json_array_append_new(all, bare) != 0) {
            json_decref(all);
            return NULL;
        }
    }

    return all;
}


/*
 * Figures go to the account's record, which every process reads as it is: no
 * table is built anew for them.  The table of this process has the accounts
 * in the order of the items.
 */

void
ngx_http_payhub_success_set(json_t *items)
{
    size_t                     i;
    json_t                    *item;
    ngx_uint_t                 n, at;
    struct ph_str              id;
    ngx_http_payhub_routes_t  *routes;

    routes = ngx_http_payhub_routes(ngx_http_payhub_live_now());

    if (routes == NULL || !ngx_http_payhub_zone_lock()) {
        return;                             /* they are told again */
    }

    at = 0;

    json_array_foreach(items, i, item) {
        id = ngx_http_payhub_route_text(item, "id");

        for (n = 0; n < routes->accounts_n; n++, at++) {
            at = (at < routes->accounts_n) ? at : 0;

            if (ph_str_eq(routes->accounts[at].id, id)) {
                break;
            }
        }

        if (n == routes->accounts_n || routes->faces[at].health == NULL) {
            continue;
        }

        ph_success_set(&routes->faces[at].health->success,
                       json_integer_value(json_object_get(item, "ended")),
                       json_integer_value(json_object_get(item, "paid")),
                       json_integer_value(json_object_get(item, "as_of")));
    }

    ngx_http_payhub_zone_unlock();
}


/* what by=success compares; NULL: an account that the table has no room for */

void
ngx_http_payhub_success_look(ngx_http_payhub_health_t *health,
    struct ph_success_view *view)
{
    if (health == NULL) {
        ngx_memzero(view, sizeof(struct ph_success_view));
        return;
    }

    ph_success_look(&health->success, &health->health, (uint64_t) ngx_time(),
                    ngx_current_msec, view);
}
