/*
 * nonce_table.h - which signed requests were seen, in memory that processes
 * share.
 *
 * Every entry lives equally long, so a bucket is a ring in order of arrival:
 * the next place is that of its oldest entry, and an insert is one 16-byte
 * compare-and-swap on that one place.  Of two processes with the same nonce
 * one wins, always; a process killed anywhere leaves whole entries; nothing
 * that has not expired is ever overwritten: a full bucket says so.
 *
 * Room: 512 buckets of 127 places a MiB, 65,024 nonces.  A table whose places
 * are half used has no full bucket in practice (docs/decisions/0044).
 */
#ifndef PH_DOMAIN_NONCE_TABLE_H
#define PH_DOMAIN_NONCE_TABLE_H

#include "libpayhub/base/siphash.h"

#define PH_NONCE_NAME_MAX 255 /* key_id and nonce, each */

enum ph_nonce_verdict { PH_NONCE_NEW, PH_NONCE_SEEN, PH_NONCE_NO_ROOM };

struct ph_nonce_table; /* lies at the start of the memory */

/* As many buckets as fit into zeroed, 64-byte aligned memory; NULL: too
 * small.  born_s = unix seconds: what was seen before then is not known. */
struct ph_nonce_table *
ph_nonce_table_make(void *memory, size_t size, int64_t born_s,
                    const uint8_t secret[PH_SIPHASH_KEY_LEN]);

/* NULL: not made by this layout, or not of this size */
struct ph_nonce_table *ph_nonce_table_open(void *memory, size_t size);

int64_t ph_nonce_table_born(const struct ph_nonce_table *table);

/*
 * now_s, keep_s: unix seconds, and how long it must be known (2 x window).
 * The longest keep_s that was ever given holds for all: a table never
 * forgets earlier than any of its users asked for.
 */
enum ph_nonce_verdict ph_nonce_insert(struct ph_nonce_table *table,
                                      struct ph_str key_id, struct ph_str nonce,
                                      int64_t now_s, uint32_t keep_s);

/*
 * Whether a request of this timestamp may have been seen by a table before
 * this one, or by this one and forgotten.  Ask after the insert.
 *
 * Before birth: timestamps up to born + ahead_s, where ahead_s is how far the
 * clocks of callers are ahead of ours.  Forgotten: an entry is overwritten at
 * the age of keep_s, so with steady clocks and keep_s = 2 x window no request
 * inside the window is meant by this; after a clock that jumped, or a window
 * that grew, some are.
 */
bool ph_nonce_is_cold(const struct ph_nonce_table *table, int64_t timestamp_s,
                      int64_t window_s, int64_t ahead_s);

struct ph_nonce_usage {
    uint64_t places, live; /* live: estimated from 1,024 buckets */
    uint64_t inserted;     /* estimated likewise */
    uint64_t seen, no_room;
};
void ph_nonce_usage_read(const struct ph_nonce_table *table, int64_t now_s,
                         struct ph_nonce_usage *usage);

#endif
