/*
 * seal.h - secrets at rest: AES-256-GCM with the place bound to the value.
 *
 * Sealed: version 1 | key id length 1 | key id | nonce 12 | ciphertext |
 * tag 16.  The additional data is "table LF owner LF column", so that a value
 * copied to another row or column does not open.
 */
#ifndef PH_WIRE_SEAL_H
#define PH_WIRE_SEAL_H

#include "libpayhub/base/buf.h"
#include "libpayhub/base/rc.h"

#define PH_SEAL_KEY_LEN 32
#define PH_SEAL_NONCE_LEN 12
#define PH_SEAL_TAG_LEN 16
#define PH_SEAL_KEY_ID_MAX 32
#define PH_SEAL_OVERHEAD_MAX                                                   \
    (2 + PH_SEAL_KEY_ID_MAX + PH_SEAL_NONCE_LEN + PH_SEAL_TAG_LEN)

#define PH_SEAL_PLAIN_MAX 16320 /* sealed, it fits VARBINARY(16384) */
#define PH_SEAL_PLACE_MAX 255   /* bytes of table, owner or column */

struct ph_seal_key {
    struct ph_str id; /* 1..32 of [A-Za-z0-9_-] */
    uint8_t       bytes[PH_SEAL_KEY_LEN];
};

struct ph_seal_place {
    struct ph_str table;
    struct ph_str owner; /* the row's id */
    struct ph_str column;
};

/* nonce: 12 fresh random bytes, never reused with this key.  PH_E_RANGE for
 * more than PH_SEAL_PLAIN_MAX bytes; on failure nothing is appended. */
enum ph_rc ph_seal(struct ph_buf *out, const struct ph_seal_key *key,
                   const struct ph_seal_place *place,
                   const uint8_t               nonce[PH_SEAL_NONCE_LEN],
                   struct ph_str               plain) PH_MUST_CHECK;

/* the key among keys[0..count) whose id the value names, else PH_E_UNKNOWN;
 * PH_E_CHECKSUM when key, place or bytes are not those of the sealing */
enum ph_rc ph_unseal(struct ph_buf *out, const struct ph_seal_key *keys,
                     size_t count, const struct ph_seal_place *place,
                     struct ph_str sealed) PH_MUST_CHECK;

/* the id of the key that a value names, in `sealed`; empty = no sealed value */
struct ph_str ph_seal_key_id(struct ph_str sealed);

#endif
