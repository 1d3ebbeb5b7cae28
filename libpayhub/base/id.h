/*
 * id.h - the 27-character ids of payments, attempts and what belongs to them.
 *
 *   P 0K1M2N3P4Q 7Z 0123456789ABCD
 *   | |          |  +- 14: 70 random bits
 *   | |          +- 2: shard, 10 bits, shared by all rows of an order
 *   | +- 10: 48 bits of unix milliseconds, so that ids sort by birth
 *   +- 1: type letter
 *
 * Crockford base32, upper case, no I L O U.  Time never falls within one
 * ph_id_maker, whatever the clock does.
 */
#ifndef PH_BASE_ID_H
#define PH_BASE_ID_H

#include "libpayhub/base/str.h"

#define PH_ID_LEN 27
#define PH_ID_SHARD_AT 11 /* where the shard begins */
#define PH_ID_SHARDS 1024
#define PH_ID_RANDOM_LEN 9 /* bytes; 70 of the 72 bits are used */

enum ph_id_type {
    PH_ID_PAYMENT  = 'P',
    PH_ID_ATTEMPT  = 'A',
    PH_ID_REFUND   = 'R',
    PH_ID_TRANSFER = 'T',
    PH_ID_NOTIFY   = 'N',
    PH_ID_EVENT    = 'E'
};

struct ph_id {
    char text[PH_ID_LEN + 1]; /* NUL-terminated */
};

/* One per thread; starts zeroed. */
struct ph_id_maker {
    uint64_t last_ms;
};

/* shard < PH_ID_SHARDS (ph_shard_of() in wire/digest.h) */
struct ph_id ph_id_make(struct ph_id_maker *maker, enum ph_id_type type,
                        uint64_t now_ms, unsigned shard,
                        const uint8_t random[PH_ID_RANDOM_LEN]);

/* the two characters of a shard, as they stand in ids */
#define PH_SHARD_TEXT_LEN 2
void ph_shard_text(unsigned shard, char text[PH_SHARD_TEXT_LEN]);

/* a well-formed id of that type */
bool ph_id_is(struct ph_str in, enum ph_id_type type);

/* The parts of a well-formed id. */
uint64_t ph_id_ms(struct ph_str id);
unsigned ph_id_shard(struct ph_str id);

/* The same order's id under another letter: an automatic refund's number. */
struct ph_id ph_id_retype(struct ph_str id, enum ph_id_type type);

/* First 11 characters of every id of `type` born at or after `ms`, then
 * zeros: the boundary of a monthly partition. */
struct ph_id ph_id_floor(enum ph_id_type type, uint64_t ms);

#endif
