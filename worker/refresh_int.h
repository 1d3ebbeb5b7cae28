/*
 * refresh_int.h - a flight: one fetch for all who wait for it in this process.
 * Shared by refresh.c, which flies it, and refresh_lease.c, which reads and
 * writes its row of channel_kept on a store thread.
 */
#ifndef WK_REFRESH_INT_H
#define WK_REFRESH_INT_H

#include "worker/op.h"
#include "worker/refresh_ids.h"
#include "worker/store.h"

#define FLIGHT_LEASE_S 15

enum flight_lease {
    LEASE_OURS,
    LEASE_OTHERS, /* somebody is at it */
    LEASE_NEWER,  /* somebody was */
    LEASE_STALE,  /* another purpose's value came: first it has to be read */
    LEASE_TOO_SOON,
    LEASE_NOT_DUE
};

struct flight;

struct flight_job {
    struct wk_store_job store;
    struct flight      *flight;
    enum flight_lease   lease;
    bool                is_written;
    /* as the row has them with our attempt in it */
    char     ids[WK_REFRESH_IDS_LEN];
    size_t   ids_len;
    uint64_t tried_ms; /* when that was */
};

struct flight {
    struct flight       *next;
    struct wk_refreshes *home;
    struct wk_worker    *worker;
    struct wk_account   *account; /* held; what is fetched is added to it */
    struct wk_refresh   *waiters;
    size_t               waiter_count;
    char                 hint_memory[PH_CHANNEL_HINT_MAX];
    struct ph_str        hint;
    bool                 is_by_id; /* else it is for a token, or by the clock */
    bool                 is_doubted;
    bool                 is_due;      /* nobody asked but the clock */
    bool                 is_again;    /* its value was overtaken, not had */
    bool                 is_answered; /* by the channel: what it has, we have */
    unsigned             fetches;
    unsigned             polls;
    struct wk_timer     *timer;
    struct wk_block     *block;
    struct wk_op         op;
    struct ph_str        sealed;
    struct flight_job    job;
};

/* Take the lease, or say why not; write what came, or that nothing did, and
 * give the lease back.  Of wk_store_job.run, @thread store. */
enum wk_run flight_lease_run(struct wk_db *db, struct wk_store_job *job);
enum wk_run flight_write_run(struct wk_db *db, struct wk_store_job *job);

#endif
