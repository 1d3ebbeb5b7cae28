/*
 * account_int.h - shared by account.c (the list that jobs see) and
 * account_load.c (what a store thread makes of the tables).
 */
#ifndef WK_ACCOUNT_INT_H
#define WK_ACCOUNT_INT_H

#include "worker/account.h"
#include "worker/channels.h"
#include "worker/store.h"

#define ACCOUNT_STAMP_MAX 192
/* opened by one job, some milliseconds each; what is left is the next one's */
#define ACCOUNT_OPEN_MAX 64
#define ACCOUNT_CHANNEL_MAX 32 /* bytes of a channel's name */

/* An account as the tables have it; one that cannot be used is remembered, so
 * that it is neither opened nor told again before something changes. */
struct account_slot {
    struct wk_account *account; /* NULL = it cannot be used */
    char               id[33];
    char               channel_name[ACCOUNT_CHANNEL_MAX + 1];
    struct wk_channel *channel; /* NULL = there is none of that name */
    uint64_t           ver;
    uint64_t           kept_ver;
    bool               is_new; /* opened by the load that it is of */
    /* of a new one its own, until the list takes it */
    struct wk_account_use *use;
};

struct account_slots {
    struct account_slot *list; /* ascending by id */
    size_t               count;
};

struct accounts_load {
    struct wk_store_job store;
    struct wk_accounts *accounts;
    char                stamp[ACCOUNT_STAMP_MAX];
    char                files_stamp[ACCOUNT_STAMP_MAX];

    /* out */
    bool                  is_changed;
    bool                  is_cut; /* more are to be opened */
    bool                  has_set;
    struct wk_channel_set set;
    struct account_slots  slots; /* those of accounts that did not change are
                                    the old ones, not held */
};

struct wk_accounts {
    struct wk_worker    *worker;
    uv_timer_t           tick;
    struct accounts_load load;
    bool                 is_loading;
    bool                 is_loaded;
    bool                 is_wanted; /* look again at once */
    bool                 is_stopped;
    uint64_t             loaded_ns;
    char                 stamp[ACCOUNT_STAMP_MAX];
    char                 files_stamp[ACCOUNT_STAMP_MAX];
    struct account_slots slots;
    struct wk_account  **list; /* the usable: heaviest first, then by id */
    size_t               count;
    size_t               bad;
    uint64_t             generation;
    /* what adapters read accounts with */
    struct ph_channel_env env;
    struct ph_trust      *trust;
};

/* of wk_store_job.run; @thread store */
enum wk_run wk_accounts_read(struct wk_db *db, struct wk_store_job *job);

/* What a load made and nobody took; its own accounts are freed. */
void wk_accounts_load_drop(struct accounts_load *load);

struct account_slot *wk_account_slot_find(const struct account_slots *slots,
                                          struct ph_str               id);

/* Closes and wipes it; nobody holds it. */
void wk_account_free(struct wk_account *account);

#endif
