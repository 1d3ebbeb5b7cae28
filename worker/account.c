/* account.c - the list of channel accounts; see account.h. */
#include <openssl/crypto.h>
#include <stdlib.h>

#include "channels/fields.h"
#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"
#include "libpayhub/io/trust.h"
#include "libpayhub/wire/cert.h"
#include "libpayhub/wire/frame.h"
#include "worker/account_int.h"
#include "worker/refresh.h"

#define LOAD_EVERY_MS 500
#define FRESH_NS UINT64_C(5000000000)
#define WHY_MAX 512

/* ---- one account ---- */

struct wk_account *
wk_account_hold(struct wk_account *account)
{
    account->refs++;
    return account;
}

void
wk_account_free(struct wk_account *account)
{
    if (account == NULL) {
        return;
    }
    ph_channel_account_close(&account->face);
    OPENSSL_cleanse(account->memory, account->memory_len);
    free(account->memory);
    free(account);
}

static struct wk_account_use *
use_hold(struct wk_account_use *use)
{
    use->refs++;
    return use;
}

static void
use_release(struct wk_account_use *use)
{
    if (--use->refs == 0) {
        free(use);
    }
}

void
wk_account_release(struct wk_account *account)
{
    if (account != NULL && --account->refs == 0) {
        struct wk_channel     *home = account->home;
        struct wk_account_use *use  = account->use;

        wk_account_free(account);
        use_release(use);
        wk_channel_release(home);
    }
}

/* ---- the list ---- */

static void
slots_release(struct account_slots *slots)
{
    for (size_t i = 0; i < slots->count; i++) {
        wk_account_release(slots->list[i].account);
        use_release(slots->list[i].use);
    }
    free(slots->list);
    *slots = (struct account_slots){ NULL, 0 };
}

static int
weight_compare(const void *a, const void *b)
{
    const struct wk_account *x = *(struct wk_account *const *) a;
    const struct wk_account *y = *(struct wk_account *const *) b;

    return x->weight != y->weight ? (x->weight < y->weight ? 1 : -1)
                                  : ph_str_cmp(x->face.id, y->face.id);
}

/* Of the account as it was before, refused or not; else its own. */
static void
use_settle(const struct account_slots *before, struct account_slot *slot)
{
    const struct account_slot *old
        = slot->is_new ? wk_account_slot_find(before, ph_str_z(slot->id))
                       : slot;

    if (old != NULL && old != slot) {
        free(slot->use);
        slot->use = old->use;
    }
    (void) use_hold(slot->use);
}

/* false = no memory: the old list stands, the next tick tries again */
static bool
list_replace(struct wk_accounts *accounts, struct accounts_load *load)
{
    struct wk_account  **list   = calloc(load->slots.count + 1, sizeof(*list));
    struct account_slots before = accounts->slots;
    size_t               count  = 0;

    if (list == NULL) {
        return false;
    }
    if (load->has_set) {
        wk_channels_use(accounts->worker->channels, &load->set);
        load->has_set = false;
    }
    for (size_t i = 0; i < load->slots.count; i++) {
        struct account_slot *slot = &load->slots.list[i];

        use_settle(&before, slot);
        if (slot->account != NULL) {
            if (slot->is_new) {
                wk_channel_hold(slot->channel);
                slot->account->use = use_hold(slot->use);
            }
            list[count++] = wk_account_hold(slot->account);
        }
        slot->is_new = false;
    }
    qsort(list, count, sizeof(*list), weight_compare);
    free(accounts->list);
    accounts->list  = list;
    accounts->count = count;
    accounts->bad   = load->slots.count - count;
    accounts->slots = load->slots;
    load->slots     = (struct account_slots){ NULL, 0 };
    slots_release(&before);
    accounts->generation++;
    ph_log(PH_LOG_INFO, "accounts_loaded",
           { "good", ph_log_i64((int64_t) count) },
           { "bad", ph_log_i64((int64_t) accounts->bad) });
    return true;
}

static void
load_take(struct wk_accounts *accounts, struct accounts_load *load)
{
    if (load->is_changed && !list_replace(accounts, load)) {
        return;
    }
    if (load->is_cut) {
        accounts->is_wanted = true; /* the stamps stay: it goes on */
        return;
    }
    if (load->is_changed) {
        memcpy(accounts->stamp, load->stamp, sizeof(accounts->stamp));
        memcpy(accounts->files_stamp, load->files_stamp,
               sizeof(accounts->files_stamp));
    }
    accounts->is_loaded = true;
    accounts->loaded_ns = ph_monotonic_ns();
}

static void
load_done(struct wk_store_job *job)
{
    struct accounts_load *load     = (struct accounts_load *) job;
    struct wk_accounts   *accounts = load->accounts;

    accounts->is_loading = false;
    if (job->outcome == WK_STORE_DONE) {
        load_take(accounts, load);
    }
    wk_accounts_load_drop(load);
    if (accounts->is_stopped) {
        return;
    }
    wk_refreshes_look(accounts->worker->refreshes);
    if (accounts->is_wanted) {
        accounts->is_wanted = false;
        wk_accounts_look(accounts);
    }
}

void
wk_accounts_look(struct wk_accounts *accounts)
{
    if (accounts->is_loading) {
        accounts->is_wanted = true;
        return;
    }
    accounts->load.store
        = (struct wk_store_job){ .run = wk_accounts_read, .done = load_done };
    accounts->is_loading
        = wk_store_submit(accounts->worker->store, &accounts->load.store);
}

static void
accounts_tick(uv_timer_t *timer)
{
    struct wk_accounts *accounts = timer->data;

    if (!accounts->is_loading) {
        wk_accounts_look(accounts);
    }
}

/* ---- the face ---- */

struct wk_accounts *
wk_accounts_new(struct wk_worker *worker)
{
    struct wk_accounts *accounts = calloc(1, sizeof(*accounts));
    char                memory[WHY_MAX];
    struct ph_buf       why = PH_BUF_INIT(memory);

    if (accounts == NULL) {
        return NULL;
    }
    if (!ph_trust_read(&accounts->trust,
                       ph_conf_text(worker->conf, PH_CONF_pay_ca_file), &why))
    {
        ph_log(PH_LOG_ERROR, "ca_file_unusable", { "why", ph_buf_str(&why) });
        free(accounts);
        return NULL;
    }
    accounts->worker        = worker;
    accounts->env           = (struct ph_channel_env){ accounts->trust };
    accounts->load.accounts = accounts;
    accounts->tick.data     = accounts;
    (void) uv_timer_init(&worker->loop, &accounts->tick);
    (void) uv_timer_start(&accounts->tick, accounts_tick, 0, LOAD_EVERY_MS);
    return accounts;
}

void
wk_accounts_stop(struct wk_accounts *accounts)
{
    accounts->is_stopped = true;
    uv_close((uv_handle_t *) &accounts->tick, NULL);
}

void
wk_accounts_free(struct wk_accounts *accounts)
{
    if (accounts == NULL) {
        return;
    }
    slots_release(&accounts->slots);
    free(accounts->list);
    ph_trust_free(accounts->trust);
    free(accounts);
}

struct wk_account *
wk_account_find(struct wk_accounts *accounts, struct ph_str id)
{
    const struct account_slot *slot
        = wk_account_slot_find(&accounts->slots, id);

    return slot != NULL ? slot->account : NULL;
}

bool
wk_account_has_room(const struct wk_account *account, struct ph_str app_id,
                    size_t inflight_max)
{
    return wk_share_fits(&account->use->callers, wk_share_slot(app_id),
                         account->use->inflight, inflight_max);
}

struct wk_account *
wk_account_enter(struct wk_account *account, struct ph_str app_id)
{
    account->use->inflight++;
    account->use->callers.count[wk_share_slot(app_id)]++;
    return wk_account_hold(account);
}

void
wk_account_leave(struct wk_account *account, struct ph_str app_id)
{
    account->use->inflight--;
    account->use->callers.count[wk_share_slot(app_id)]--;
    wk_account_release(account);
}

static bool
account_was_tried(const struct wk_account *account,
                  const struct wk_choice  *choice)
{
    for (size_t i = 0; i < choice->tried_count; i++) {
        if (ph_str_eq(choice->tried[i].account_id, account->face.id)) {
            return true;
        }
    }
    return false;
}

static bool
currency_is_of(const char *const *currencies, struct ph_str currency)
{
    for (size_t i = 0; currencies != NULL && currencies[i] != NULL; i++) {
        if (ph_str_eq(ph_str_z(currencies[i]), currency)) {
            return true;
        }
    }
    return currencies == NULL;
}

/* Who offers the method may still not take this order. */
static bool
account_takes(const struct wk_account *account, const struct wk_choice *choice)
{
    const struct ph_channel *channel = account->channel;
    const char              *why     = NULL;

    if (choice->order == NULL) {
        return true;
    }
    if (!currency_is_of(channel->currencies, choice->order->currency)) {
        why = "the channel does not take this currency";
    } else if (channel->order_check != NULL) {
        why = channel->order_check(&account->face, choice->order);
    }
    if (why != NULL && choice->why != NULL) {
        *choice->why = why;
    }
    return why == NULL;
}

static bool
account_fits(const struct wk_account *account, const struct wk_choice *choice)
{
    if (account == NULL || !account->is_active
        || account_was_tried(account, choice)
        || (account->app_id.len != 0
            && !ph_str_eq(account->app_id, choice->app_id)))
    {
        return false;
    }
    for (size_t i = 0; account->channel->methods[i] != NULL; i++) {
        if (ph_str_eq(ph_str_z(account->channel->methods[i]), choice->method)) {
            return account_takes(account, choice);
        }
    }
    return false;
}

struct wk_account *
wk_account_choose(struct wk_accounts *accounts, const struct wk_choice *choice)
{
    struct ph_str      meta = choice->frame_meta, value;
    struct wk_account *full = NULL;
    unsigned           type;

    if (choice->forced.len != 0) {
        struct wk_account *forced = wk_account_find(accounts, choice->forced);

        return account_fits(forced, choice) ? forced : NULL;
    }
    while (ph_field_next(&meta, &type, &value)) {
        struct wk_account *offered = type == PH_FIELD_CANDIDATE
                                         ? wk_account_find(accounts, value)
                                         : NULL;

        if (offered == NULL || !account_fits(offered, choice)) {
            continue;
        }
        if (wk_account_has_room(offered, choice->app_id, choice->inflight_max))
        {
            return offered;
        }
        full = full != NULL ? full : offered;
    }
    for (size_t i = 0; i < accounts->count && !choice->is_routed; i++) {
        if (!account_fits(accounts->list[i], choice)) {
            continue;
        }
        if (wk_account_has_room(accounts->list[i], choice->app_id,
                                choice->inflight_max))
        {
            return accounts->list[i];
        }
        full = full != NULL ? full : accounts->list[i];
    }
    return full;
}

uint64_t
wk_accounts_generation(const struct wk_accounts *accounts)
{
    return accounts->generation;
}

const struct wk_account *
wk_accounts_at(const struct wk_accounts *accounts, size_t i)
{
    return accounts->list[i];
}

size_t
wk_accounts_count(const struct wk_accounts *accounts)
{
    return accounts->count;
}

size_t
wk_accounts_bad(const struct wk_accounts *accounts)
{
    return accounts->bad;
}

bool
wk_accounts_are_fresh(const struct wk_accounts *accounts)
{
    return accounts->is_loaded
           && ph_monotonic_ns() - accounts->loaded_ns < FRESH_NS;
}
