/*
 * siphash.h - SipHash-2-4 with 128-bit answers: keys of tables that strangers
 * choose the names for.
 *
 * OpenSSL has it as an EVP_MAC whose set-up costs many times the hash
 * (docs/decisions).  Test vectors: the reference table of its authors.
 */
#ifndef PH_BASE_SIPHASH_H
#define PH_BASE_SIPHASH_H

#include "libpayhub/base/str.h"

#define PH_SIPHASH_KEY_LEN 16

struct ph_hash128 {
    uint64_t lo, hi;
};

struct ph_hash128 ph_siphash(const uint8_t key[PH_SIPHASH_KEY_LEN],
                             struct ph_str bytes);

#endif
