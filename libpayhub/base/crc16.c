/* crc16.c - slots of a Redis Cluster; see crc16.h. */
#include "libpayhub/base/crc16.h"

#define CRC16_POLY 0x1021u

uint16_t
ph_crc16(struct ph_str bytes)
{
    unsigned crc = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        crc ^= (unsigned) (unsigned char) bytes.ptr[i] << 8;
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc << 1) ^ ((crc & 0x8000u) != 0 ? CRC16_POLY : 0);
        }
        crc &= 0xffffu;
    }
    return (uint16_t) crc;
}

unsigned
ph_redis_slot(struct ph_str key)
{
    struct ph_str before, behind, tag, rest;

    if (ph_str_cut(key, '{', &before, &behind)
        && ph_str_cut(behind, '}', &tag, &rest) && tag.len != 0)
    {
        key = tag;
    }
    return ph_crc16(key) % PH_REDIS_SLOTS;
}
