/*
 * payload.c - inflates and cuts a compressed transaction.
 *
 * Every length in it is the sender's word.  Room grows with the bytes that
 * zstd has really made, never with what a header announces.
 */
#include "sidecar/payload.h"

#include <stdlib.h>
#include <zstd.h>

#define WINDOW_LOG_MAX 27 /* 128 MiB, what zstd itself takes unasked */
#define LENGTH_AT 9       /* of an event's length in its header */

enum field {
    FIELD_END       = 0,
    FIELD_SIZE      = 1,
    FIELD_ALGORITHM = 2,
    FIELD_RAW       = 3
};

enum algorithm { ALGORITHM_ZSTD = 0, ALGORITHM_NONE = 255 };

struct head {
    uint64_t size;
    uint64_t algorithm;
    uint64_t raw;
    unsigned seen; /* a bit for each field */
};

struct walk {
    struct bl_payload *payload;
    bl_payload_take   *take;
    void              *context;
    const char       **why;
};

static bool
refuse(const char **why, const char *text)
{
    *why = text;
    return false;
}

/* Fields that a later server adds are passed over by their length. */
static bool
head_read(struct ph_cur *body, struct head *head)
{
    *head = (struct head){ .algorithm = ALGORITHM_NONE };
    for (;;) {
        uint64_t type = bl_lenenc(body);

        if (body->failed || type == FIELD_END) {
            return !body->failed;
        }
        uint64_t      len   = bl_lenenc(body);
        struct ph_str bytes = ph_cur_take(body, (size_t) len);
        struct ph_cur value;
        uint64_t      number;

        if (body->failed) {
            return false;
        }
        if (type > FIELD_RAW) {
            continue;
        }
        ph_cur_init(&value, bytes);
        number = bl_lenenc(&value);
        if (value.failed || ph_cur_left(&value) != 0
            || (head->seen & 1u << type) != 0) {
            return false;
        }
        head->seen |= 1u << type;
        *(type == FIELD_SIZE        ? &head->size
          : type == FIELD_ALGORITHM ? &head->algorithm
                                    : &head->raw)
            = number;
    }
}

static bool
head_check(const struct head *head, size_t left, const char **why)
{
    if (head->seen
            != (1u << FIELD_SIZE | 1u << FIELD_ALGORITHM | 1u << FIELD_RAW)
        && !(head->algorithm == ALGORITHM_NONE
             && (head->seen & 1u << FIELD_SIZE) != 0))
    {
        return refuse(why, "its payload's header lacks a field");
    }
    if (head->size != left) {
        return refuse(why, "its payload's size is not what is left of it");
    }
    if (head->algorithm != ALGORITHM_ZSTD && head->algorithm != ALGORITHM_NONE)
    {
        return refuse(why, "found a payload of another compression, expected "
                           "zstd or none");
    }
    if (head->algorithm == ALGORITHM_ZSTD
        && (head->raw > BL_PAYLOAD_MAX
            || head->raw > head->size * BL_PAYLOAD_RATIO_MAX))
    {
        return refuse(why, "its payload's raw size is impossible");
    }
    return true;
}

/* How many bytes of `bytes` were whole events; SIZE_MAX = stopped. */
static size_t
events_take(const struct walk *walk, struct ph_str bytes)
{
    size_t at = 0;

    while (bytes.len - at >= BL_HEAD_LEN) {
        struct ph_cur cur;

        ph_cur_init(&cur, ph_str_make(bytes.ptr + at + LENGTH_AT, 4));
        uint64_t len = ph_cur_le(&cur, 4);
        if (len < BL_HEAD_LEN || len > BL_PAYLOAD_EVENT_MAX) {
            (void) refuse(walk->why, "an event in its payload has an "
                                     "impossible length");
            return SIZE_MAX;
        }
        if (len > bytes.len - at) {
            break;
        }
        if (!walk->take(walk->context, ph_str_make(bytes.ptr + at, len))) {
            return SIZE_MAX;
        }
        at += len;
    }
    return at;
}

static bool
room_make(struct bl_payload *payload, const char **why)
{
    if (payload->size - payload->used >= BL_PAYLOAD_PIECE) {
        return true;
    }
    size_t size = payload->size == 0 ? (size_t) 2 * BL_PAYLOAD_PIECE
                                     : payload->size * 2;
    char  *room = realloc(payload->room, size);

    if (room == NULL) {
        return refuse(why, "no memory for an event in its payload");
    }
    payload->room = room;
    payload->size = size;
    return true;
}

static bool
zstd_ready(struct bl_payload *payload)
{
    if (payload->zstd == NULL) {
        payload->zstd = ZSTD_createDCtx();
    }
    return payload->zstd != NULL
           && !ZSTD_isError(ZSTD_DCtx_reset(payload->zstd,
                                            ZSTD_reset_session_and_parameters))
           && !ZSTD_isError(ZSTD_DCtx_setParameter(
               payload->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX));
}

/* Takes the whole events at the front of the room, keeps the rest. */
static bool
room_take(const struct walk *walk)
{
    struct bl_payload *payload = walk->payload;
    size_t done = events_take(walk, ph_str_make(payload->room, payload->used));

    if (done == SIZE_MAX) {
        return false;
    }
    if (done != 0) {
        memmove(payload->room, payload->room + done, payload->used - done);
        payload->used -= done;
    }
    return true;
}

static bool
inflate_walk(const struct walk *walk, struct ph_str packed, uint64_t raw)
{
    struct bl_payload *payload = walk->payload;
    ZSTD_inBuffer      in      = { packed.ptr, packed.len, 0 };
    uint64_t           made    = 0;
    size_t             rest    = 1; /* 0 = a frame has ended */

    payload->used = 0;
    if (!zstd_ready(payload)) {
        return refuse(walk->why, "no memory for zstd");
    }
    for (;;) {
        if (!room_make(payload, walk->why)) {
            return false;
        }
        ZSTD_outBuffer out
            = { payload->room + payload->used, BL_PAYLOAD_PIECE, 0 };
        size_t before = in.pos;

        rest = ZSTD_decompressStream(payload->zstd, &out, &in);
        if (ZSTD_isError(rest)) {
            return refuse(walk->why, "its payload is malformed");
        }
        payload->used += out.pos;
        made += out.pos;
        if (made > raw) {
            return refuse(walk->why, "its payload is larger than it says");
        }
        if (!room_take(walk)) {
            return false;
        }
        if ((rest == 0 && in.pos == in.size)
            || (out.pos == 0 && in.pos == before)) {
            break;
        }
    }
    if (rest != 0 || made != raw || payload->used != 0) {
        return refuse(walk->why, "its payload is cut short");
    }
    return true;
}

/* One giant's room is not kept. */
static void
room_trim(struct bl_payload *payload)
{
    if (payload->size > 16 * (size_t) BL_PAYLOAD_PIECE) {
        free(payload->room);
        payload->room = NULL;
        payload->size = 0;
    }
    payload->used = 0;
}

bool
bl_payload_walk(struct bl_payload *payload, struct ph_cur body,
                bl_payload_take *take, void *context, const char **why)
{
    struct walk walk = { payload, take, context, why };
    struct head head;

    *why = NULL;
    if (!head_read(&body, &head)) {
        return refuse(why, "its payload's header is malformed");
    }
    if (!head_check(&head, ph_cur_left(&body), why)) {
        return false;
    }
    struct ph_str bytes = ph_cur_take(&body, ph_cur_left(&body));
    if (head.algorithm == ALGORITHM_NONE) {
        size_t done = events_take(&walk, bytes);

        return done == bytes.len
               || (done != SIZE_MAX && refuse(why, "its payload is cut short"));
    }
    bool ok = inflate_walk(&walk, bytes, head.raw);
    room_trim(payload);
    return ok;
}

void
bl_payload_deinit(struct bl_payload *payload)
{
    (void) ZSTD_freeDCtx(payload->zstd);
    free(payload->room);
    *payload = (struct bl_payload){ 0 };
}
