/*
 * cipher.h - the ciphers that channels put around their contents.  Pure: the
 * library's contexts live and die within a call, any thread.
 *
 * What is opened is appended only on PH_OK; what an unsuccessful attempt left
 * behind is wiped.  seal.h is for our own secrets at rest.
 */
#ifndef PH_WIRE_CIPHER_H
#define PH_WIRE_CIPHER_H

#include "libpayhub/base/buf.h"
#include "libpayhub/base/rc.h"

#define PH_CIPHER_BLOCK 16
#define PH_DES3_BLOCK 8
#define PH_DES3_KEY_LEN 24
#define PH_GCM_NONCE_LEN 12
#define PH_GCM_TAG_LEN 16
#define PH_CIPHER_TEXT_MAX (1024 * 1024) /* in or out */

/*
 * AES with PKCS#7 padding; a key of 16, 24 or 32 bytes.
 *   PH_E_RANGE   another length of key, or a text over PH_CIPHER_TEXT_MAX
 *   PH_E_SYNTAX  no whole blocks, or the padding is wrong: the wrong key, or
 *                not its text.  Nobody who sent it may learn which.
 *   PH_E_FULL    no room: the padded text's, to encrypt; the sent one's, to
 * open PH_E_CRYPTO  the library failed
 */
enum ph_rc ph_aes_cbc(bool enc, struct ph_str key,
                      const uint8_t iv[PH_CIPHER_BLOCK], struct ph_str in,
                      struct ph_buf *out) PH_MUST_CHECK;
enum ph_rc ph_aes_ecb(bool enc, struct ph_str key, struct ph_str in,
                      struct ph_buf *out) PH_MUST_CHECK;

/* AES-GCM; `in` is the text with its tag behind.  As above, but PH_E_SYNTAX:
 * shorter than a tag; PH_E_RANGE also a nonce that is not of 12 bytes;
 * PH_E_CHECKSUM: key, nonce, aad or text are not those of the sealing. */
enum ph_rc ph_aes_gcm_open(struct ph_str key, struct ph_str nonce,
                           struct ph_str aad, struct ph_str in,
                           struct ph_buf *out) PH_MUST_CHECK;

/* DES-EDE3-ECB without padding: whole blocks of 8 bytes, a key of 24 bytes. */
enum ph_rc ph_des3_ecb(bool enc, struct ph_str key, struct ph_str in,
                       struct ph_buf *out) PH_MUST_CHECK;

#endif
