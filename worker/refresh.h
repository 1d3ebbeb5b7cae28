/*
 * refresh.h - tokens and certificates of accounts, fetched from their channels:
 * one call for all who wait, whichever worker they are in.
 *
 * Who makes the call holds a lease in channel_kept; what came of it stands
 * there, sealed, and reaches every worker by the tick of account.c.  What is
 * fetched by an id that a message named never waits for what is fetched for a
 * token, nor the other way round.  The id may be forged (a serial in a header),
 * so that few are fetched for, and none again before its time.  @thread loop.
 */
#ifndef WK_REFRESH_H
#define WK_REFRESH_H

#include "worker/account.h"

/* waiters of one flight: what an account's token, or one id, is waited for */
#define WK_REFRESH_WAITERS_MAX 64
/* between two fetches of an account's token; refresh_ids.h bounds the others */
#define WK_REFRESH_GAP_MS 1000

enum wk_refresh_answer {
    WK_REFRESHED,
    WK_REFRESH_FAILED,  /* the channel did not give it, or not in time */
    WK_REFRESH_TOO_SOON /* nothing was asked */
};

struct wk_refresh {
    /* set by the caller */
    struct wk_account *account; /* held by the caller until done() */
    struct ph_str      hint;    /* lives until done(); empty and not doubted:
                                   the account's token */
    bool     is_doubted;        /* asked for by what may be forged */
    uint64_t deadline_ms;       /* from now on */
    void (*done)(struct wk_refresh *refresh, enum wk_refresh_answer answer);
    void *data;

    /* REFRESHED: the account as it is now, held for the caller, who releases
     * it; else NULL */
    struct wk_account *fresh;
    bool is_others; /* that was fetched for something else: what the hint names
                       may be in it, and else may be asked for again */

    /* private */
    struct wk_refresh *next;
    struct wk_timer   *timer;
    struct wk_worker  *worker;
    void              *flight;
    unsigned           answer;
};

/* Joins the refresh that is under way.  done() comes once, on a later turn of
 * the loop. */
void wk_refresh_start(struct wk_worker *worker, struct wk_refresh *refresh);

struct wk_refreshes;
struct wk_refreshes *wk_refreshes_new(struct wk_worker *worker) PH_MUST_CHECK;
void                 wk_refreshes_free(struct wk_refreshes *refreshes);

/* The accounts were read: who waited for one of them hears of it; what is due
 * to be refreshed is, by workers of the janitor's role. */
void wk_refreshes_look(struct wk_refreshes *refreshes);

#endif
