/*
 * id.c - making and taking apart the 27-character ids.
 */
#include "libpayhub/base/id.h"

#include <assert.h>

#define ID_TIME_AT 1
#define ID_TIME_LEN 10
#define ID_SHARD_LEN 2
#define ID_RANDOM_AT 13
#define ID_RANDOM_TEXT_LEN 14
#define ID_MS_MAX ((UINT64_C(1) << 48) - 1)

static const char id_digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* 0..31, or -1 for a byte that is no upper-case Crockford digit */
static int
id_digit_value(char ch)
{
    const char *hit = ch != '\0' ? strchr(id_digits, ch) : NULL;

    return hit != NULL ? (int) (hit - id_digits) : -1;
}

static void
id_put(char *text, size_t len, uint64_t value)
{
    while (len-- > 0) {
        text[len] = id_digits[value & 31];
        value >>= 5;
    }
}

static uint64_t
id_value(const char *text, size_t len)
{
    uint64_t value = 0;

    for (size_t i = 0; i < len; i++) {
        value = value << 5 | (uint64_t) id_digit_value(text[i]);
    }
    return value;
}

/* The first 70 of the 72 bits. */
static void
id_put_random(char *text, const uint8_t random[PH_ID_RANDOM_LEN])
{
    unsigned bits = 0, held = 0;

    for (size_t i = 0, from = 0; i < ID_RANDOM_TEXT_LEN; i++) {
        if (held < 5) {
            bits = (bits << 8 | random[from++]) & 0xfff;
            held += 8;
        }
        held -= 5;
        text[i] = id_digits[bits >> held & 31];
    }
}

struct ph_id
ph_id_make(struct ph_id_maker *maker, enum ph_id_type type, uint64_t now_ms,
           unsigned shard, const uint8_t random[PH_ID_RANDOM_LEN])
{
    struct ph_id id;

    assert(shard < PH_ID_SHARDS);
    assert(now_ms <= ID_MS_MAX);

    if (now_ms > maker->last_ms) {
        maker->last_ms = now_ms;
    }
    id.text[0] = (char) type;
    id_put(id.text + ID_TIME_AT, ID_TIME_LEN, maker->last_ms);
    id_put(id.text + PH_ID_SHARD_AT, ID_SHARD_LEN, shard);
    id_put_random(id.text + ID_RANDOM_AT, random);
    id.text[PH_ID_LEN] = '\0';
    return id;
}

void
ph_shard_text(unsigned shard, char text[PH_SHARD_TEXT_LEN])
{
    assert(shard < PH_ID_SHARDS);

    id_put(text, PH_SHARD_TEXT_LEN, shard);
}

bool
ph_id_is(struct ph_str in, enum ph_id_type type)
{
    if (in.len != PH_ID_LEN || in.ptr[0] != (char) type) {
        return false;
    }
    for (size_t i = 1; i < PH_ID_LEN; i++) {
        if (id_digit_value(in.ptr[i]) < 0) {
            return false;
        }
    }
    /* 10 digits hold 50 bits; an id's time has 48 */
    return id_value(in.ptr + ID_TIME_AT, ID_TIME_LEN) <= ID_MS_MAX;
}

uint64_t
ph_id_ms(struct ph_str id)
{
    assert(id.len == PH_ID_LEN);

    return id_value(id.ptr + ID_TIME_AT, ID_TIME_LEN);
}

unsigned
ph_id_shard(struct ph_str id)
{
    assert(id.len == PH_ID_LEN);

    return (unsigned) id_value(id.ptr + PH_ID_SHARD_AT, ID_SHARD_LEN);
}

struct ph_id
ph_id_retype(struct ph_str id, enum ph_id_type type)
{
    struct ph_id out;

    assert(id.len == PH_ID_LEN);

    memcpy(out.text, id.ptr, PH_ID_LEN);
    out.text[0]         = (char) type;
    out.text[PH_ID_LEN] = '\0';
    return out;
}

struct ph_id
ph_id_floor(enum ph_id_type type, uint64_t ms)
{
    static const uint8_t zeros[PH_ID_RANDOM_LEN];
    struct ph_id_maker   maker = { 0 };

    return ph_id_make(&maker, type, ms, 0, zeros);
}
