/*
 * account.h - the channel accounts, as the tables say them within a second.
 *
 * A store job looks twice a second whether channel_account, channel_kept or
 * channel_file changed, and has adapters read the accounts that did.  An
 * account never changes: it is kept as it was while somebody holds it, and
 * another takes its place.  One whose values its adapter refuses is named in
 * the log, counted in /readyz, and never used.  @thread loop.
 */
#ifndef WK_ACCOUNT_H
#define WK_ACCOUNT_H

#include "channels/channel.h"
#include "worker/refresh_ids.h"
#include "worker/row.h"
#include "worker/share.h"
#include "worker/worker.h"

#define WK_ACCOUNTS_MAX PH_CHANNEL_ACCOUNTS_MAX

struct wk_channel;

/* What lasts through all values of an account: one that is opened anew goes on
 * with it. */
struct wk_account_use {
    size_t inflight; /* creates and queries from their choice to their end, so
                        that many at once cannot pass pay.max_inflight_account
                        together */
    struct wk_shares        callers;      /* the creates among them, by app */
    uint64_t                due_again_ns; /* no refresh by the clock before */
    struct wk_refresh_looks looks;        /* into its row */
    size_t                  refs;         /* the list's and the accounts' */
};

struct wk_account {
    struct ph_channel_account face; /* what adapters see */
    const struct ph_channel  *channel;
    struct ph_str             app_id; /* "" = every app */
    int64_t                   weight;
    bool                      is_active; /* takes new payments */
    int64_t                   ver;
    struct ph_channel_kept    kept;     /* face.kept, or nothing yet */
    uint64_t                  kept_ver; /* counts what was kept, from 1 */
    uint64_t kept_own_ver;              /* of it, what no id was named for */
    uint64_t config_told_ns;     /* that the channel does not take its keys */
    struct wk_channel     *home; /* the channel as it is held */
    struct wk_account_use *use;  /* of every account of the list */
    size_t refs; /* the list's and the holders'; freed with the last */
    char  *memory;
    size_t memory_len;
};

struct wk_accounts *wk_accounts_new(struct wk_worker *worker) PH_MUST_CHECK;
void                wk_accounts_stop(struct wk_accounts *accounts);
void                wk_accounts_free(struct wk_accounts *accounts);

/* Borrowed until the loop turns; wk_account_hold() to keep it. */
struct wk_account *wk_account_find(struct wk_accounts *accounts,
                                   struct ph_str       id);

/*
 * The best account for a new payment: the forced one, else the first of the
 * route's candidates, else the heaviest, then the lowest id.  NULL = none of
 * them is active, open to the app and offers the method.
 */
struct wk_choice {
    struct ph_str            app_id;
    struct ph_str            method;
    struct ph_str            forced;     /* {NULL, 0} = free choice */
    struct ph_str            frame_meta; /* CANDIDATE fields, best first */
    bool                     is_routed;  /* no account but those */
    size_t                   inflight_max;
    const struct wk_attempt *tried; /* accounts of these are left out */
    size_t                   tried_count;
    /* amount, currency, method, extra; NULL = any order */
    const struct ph_channel_order *order;
    /* out, or NULL: why the last that was asked cannot take this order; lives
     * as long as its channel; stays when none was asked */
    const char **why;
};

/* The first that fits and has room; when all that fit are full, the first of
 * them; NULL when none fits. */
struct wk_account *wk_account_choose(struct wk_accounts     *accounts,
                                     const struct wk_choice *choice);

struct wk_account *wk_account_hold(struct wk_account *account);
void               wk_account_release(struct wk_account *account);

/* A create of the app: is there room for it; it is under way, held; it ends. */
bool wk_account_has_room(const struct wk_account *account, struct ph_str app_id,
                         size_t inflight_max);
struct wk_account *wk_account_enter(struct wk_account *account,
                                    struct ph_str      app_id);
void wk_account_leave(struct wk_account *account, struct ph_str app_id);

/* Reads the tables now, or as soon as the look that is under way has ended. */
void wk_accounts_look(struct wk_accounts *accounts);

/* Counts the times the list was read anew; with it, an account by place. */
uint64_t wk_accounts_generation(const struct wk_accounts *accounts);
const struct wk_account *wk_accounts_at(const struct wk_accounts *accounts,
                                        size_t                    i);

size_t wk_accounts_count(const struct wk_accounts *accounts);
size_t wk_accounts_bad(const struct wk_accounts *accounts);

/* the tables were read within the last few seconds */
bool wk_accounts_are_fresh(const struct wk_accounts *accounts);

#endif
