/*
 * nonce_table.h - which signed requests were seen, in memory that processes
 * share.
 *
 * Every entry lives equally long, so a bucket is a ring in order of arrival:
 * the next place is that of its oldest entry, and an insert is one 16-byte
 * compare-and-swap on that one place.  Of two processes with the same nonce
 * one wins, always; a process killed anywhere leaves whole entries; nothing
 * that has not expired is ever overwritten: a full bucket says so.
 */
#ifndef PH_DOMAIN_NONCE_TABLE_H
#define PH_DOMAIN_NONCE_TABLE_H

#include "libpayhub/base/siphash.h"

enum ph_nonce_verdict { PH_NONCE_NEW, PH_NONCE_SEEN, PH_NONCE_NO_ROOM };

struct ph_nonce_table; /* lies at the start of the memory */

/* As many buckets as fit into zeroed, 64-byte aligned memory; NULL: too
 * small.  born_s = unix seconds: what was seen before then is not known. */
struct ph_nonce_table *
ph_nonce_table_make(void *memory, size_t size, int64_t born_s,
                    const uint8_t secret[PH_SIPHASH_KEY_LEN]);
struct ph_nonce_table *ph_nonce_table_open(void *memory, size_t size);

int64_t ph_nonce_table_born(const struct ph_nonce_table *table);

/* now_s, keep_s: unix seconds, and how long it must be known (2 x window) */
enum ph_nonce_verdict ph_nonce_insert(struct ph_nonce_table *table,
                                      struct ph_str key_id,
                                      struct ph_str nonce, int64_t now_s,
                                      uint32_t keep_s);

struct ph_nonce_usage {
    uint64_t places, live;
    uint64_t inserted, seen, no_room;
};
void ph_nonce_usage_read(const struct ph_nonce_table *table, int64_t now_s,
                         struct ph_nonce_usage *usage);

#endif
