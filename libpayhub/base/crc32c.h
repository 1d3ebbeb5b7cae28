/*
 * crc32c.h - CRC-32C (Castagnoli, RFC 3720 appendix B.4), the frame checksum.
 */
#ifndef PH_BASE_CRC32C_H
#define PH_BASE_CRC32C_H

#include "libpayhub/base/str.h"

/* Start with crc 0 and feed pieces in order; "123456789" gives 0xE3069283. */
uint32_t ph_crc32c(uint32_t crc, struct ph_str bytes);

/* The same without the CPU's instruction: the fallback, callable for tests. */
uint32_t ph_crc32c_table(uint32_t crc, struct ph_str bytes);

#endif
