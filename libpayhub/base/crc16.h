/*
 * crc16.h - where a key lives in a Redis Cluster.
 * @source Redis Cluster specification: CRC16 of XMODEM; "123456789" = 0x31C3.
 * Pure.
 */
#ifndef PH_BASE_CRC16_H
#define PH_BASE_CRC16_H

#include "libpayhub/base/str.h"

#define PH_REDIS_SLOTS 16384

uint16_t ph_crc16(struct ph_str bytes);

/* of what stands between the first { and the next }, if that is something;
 * else of the whole key */
unsigned ph_redis_slot(struct ph_str key);

#endif
