/*
 * crc32c.c - CRC-32C by the CPU's instruction where it has one, else by table.
 */
#include "libpayhub/base/crc32c.h"

/* Four bits at a time: entry i is the remainder of i, reflected polynomial
 * 0x82f63b78. */
/* clang-format off */
static const uint32_t crc_nibble[16] = {
    0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
    0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
    0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
    0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};
/* clang-format on */

uint32_t
ph_crc32c_table(uint32_t crc, struct ph_str bytes)
{
    crc = ~crc;
    for (size_t i = 0; i < bytes.len; i++) {
        crc ^= (uint8_t) bytes.ptr[i];
        crc = crc >> 4 ^ crc_nibble[crc & 15];
        crc = crc >> 4 ^ crc_nibble[crc & 15];
    }
    return ~crc;
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) static uint32_t
crc_sse42(uint32_t crc, struct ph_str bytes)
{
    uint64_t sum = (uint32_t) ~crc;
    size_t   at  = 0;

    for (; bytes.len - at >= sizeof(uint64_t); at += sizeof(uint64_t)) {
        uint64_t word;

        memcpy(&word, bytes.ptr + at, sizeof(word)); /* any alignment */
        sum = __builtin_ia32_crc32di(sum, word);
    }
    uint32_t tail = (uint32_t) sum;
    for (; at < bytes.len; at++) {
        tail = __builtin_ia32_crc32qi(tail, (uint8_t) bytes.ptr[at]);
    }
    return ~tail;
}

uint32_t
ph_crc32c(uint32_t crc, struct ph_str bytes)
{
    return __builtin_cpu_supports("sse4.2") ? crc_sse42(crc, bytes)
                                            : ph_crc32c_table(crc, bytes);
}

#else

uint32_t
ph_crc32c(uint32_t crc, struct ph_str bytes)
{
    return ph_crc32c_table(crc, bytes);
}

#endif
