/*
 * channels.h - the channels of this process: built in, loaded from
 * pay.channel_dir at the start, and declared by the rows of channel_file, which
 * the tick of account.c reads.
 *
 * Declared ones stand in a set.  A store thread makes the next set while the
 * loop uses the one before; what did not change is in both.  A channel stays
 * until the last set and the last account that have it are gone.
 * @thread loop, unless said.
 */
#ifndef WK_CHANNELS_H
#define WK_CHANNELS_H

#include "channels/load.h"
#include "libpayhub/wire/digest.h"
#include "worker/db.h"
#include "worker/worker.h"

#define WK_CHANNEL_ID_MAX 64 /* of a file's name, in /readyz */

struct ph_declared;

struct wk_channel {
    const struct ph_channel *face;
    size_t                   refs;     /* sets and accounts */
    struct ph_declared      *declared; /* NULL = not by a row */
    uint8_t                  digest[PH_SHA256_LEN];
};

struct wk_channel_set {
    struct wk_channel *list[PH_CHANNEL_LOADED_MAX];
    bool               is_new[PH_CHANNEL_LOADED_MAX]; /* in no set before */
    size_t             count;
    /* rows whose file cannot be used; the last good one of them goes on */
    char   bad[PH_CHANNEL_LOADED_MAX][PH_CHANNEL_NAME_MAX + 1];
    size_t bad_count;
};

struct wk_channels;

/* NULL = no memory.  What of the folder cannot be used is said in the log. */
struct wk_channels *wk_channels_new(const struct ph_conf *conf) PH_MUST_CHECK;
void                wk_channels_free(struct wk_channels *channels);

struct wk_channel *wk_channel_find(struct wk_channels          *channels,
                                   const struct wk_channel_set *set,
                                   struct ph_str                name);

/* The set in use; @thread any, while no other is put in its place. */
const struct wk_channel_set *
wk_channels_set(const struct wk_channels *channels);

/* What channel_file says now; false = the database failed.  @thread store.
 * @owns: caller: wk_channels_use() or wk_channel_set_drop(). */
bool wk_channel_set_read(struct wk_db *db, struct wk_channels *channels,
                         struct wk_channel_set *next) PH_MUST_CHECK;
void wk_channel_set_drop(struct wk_channel_set *next);
void wk_channels_use(struct wk_channels          *channels,
                     const struct wk_channel_set *next);

void wk_channel_hold(struct wk_channel *channel);
void wk_channel_release(struct wk_channel *channel);

/* The i-th that is not built in; NULL after the last. */
const struct ph_channel *wk_channels_more(const struct wk_channels *channels,
                                          size_t                    i);

/* The i-th file or row that cannot be used; NULL after the last. */
const char *wk_channels_bad(const struct wk_channels *channels, size_t i);

#endif
