/*
 * digest.h - SHA-256, SHA-512, HMAC-SHA256 on kept keyed contexts, the shard of
 * an order.  Algorithms are fetched from OpenSSL once a process.
 *
 * A ph_hmac holds one key's contexts; keying costs several times more than a
 * short message, so whoever verifies often keeps one per key.  One thread at
 * a time may use a ph_hmac.
 */
#ifndef PH_WIRE_DIGEST_H
#define PH_WIRE_DIGEST_H

#include "libpayhub/base/buf.h"
#include "libpayhub/base/rc.h"
#include "libpayhub/base/str.h"

#define PH_SHA256_LEN 32
#define PH_SHA512_LEN 64
#define PH_HMAC_ROOM 72 /* see ph_hmac_buf() */

struct ph_hmac; /* opaque */

/* Fetches the algorithms; call once at start, false = no usable OpenSSL. */
bool ph_digest_init(void) PH_MUST_CHECK;
bool ph_digest_is_ready(void);
void ph_digest_deinit(void);

/* over the concatenation of `count` pieces */
bool ph_sha256(const struct ph_str *pieces, size_t count,
               uint8_t out[PH_SHA256_LEN]) PH_MUST_CHECK;
bool ph_sha512(const struct ph_str *pieces, size_t count,
               uint8_t out[PH_SHA512_LEN]) PH_MUST_CHECK;

/* NULL on failure of the crypto library.  @owns: caller, ph_hmac_free(). */
struct ph_hmac *ph_hmac_new(struct ph_str key) PH_MUST_CHECK;
void            ph_hmac_free(struct ph_hmac *mac); /* accepts NULL */

/* Puts another key into the same context; on false it may only be freed. */
bool ph_hmac_rekey(struct ph_hmac *mac, struct ph_str key) PH_MUST_CHECK;

/* begin, add any number of pieces, end; begin resets what came before.  A
 * false ends the message: only begin or free may follow. */
bool ph_hmac_begin(struct ph_hmac *mac) PH_MUST_CHECK;
bool ph_hmac_add(struct ph_hmac *mac, struct ph_str piece) PH_MUST_CHECK;
bool ph_hmac_end(struct ph_hmac *mac, uint8_t out[PH_SHA256_LEN]) PH_MUST_CHECK;

/*
 * The same of a message that lies in one piece, with fewer instructions: what
 * the hash has behind its last byte is appended in the buffer, so it needs room
 * for PH_HMAC_ROOM bytes more.  false: too little room, or the library failed.
 */
bool ph_hmac_buf(struct ph_hmac *mac, struct ph_buf *message,
                 uint8_t out[PH_SHA256_LEN]) PH_MUST_CHECK;

/* One message under a key that is not kept: adapters, rare events. */
bool ph_hmac_once(struct ph_str key, const struct ph_str *pieces, size_t count,
                  uint8_t out[PH_SHA256_LEN]) PH_MUST_CHECK;

/* constant time for equal lengths */
bool ph_same_secret(struct ph_str a, struct ph_str b);

/* SHA-256(app_id 0x0A order_no), first 10 bits: 0..1023 */
bool ph_shard_of(struct ph_str app_id, struct ph_str order_no,
                 unsigned *shard) PH_MUST_CHECK;

#endif
