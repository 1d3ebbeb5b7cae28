/*
 * payload.h - MySQL's TRANSACTION_PAYLOAD: the events of one transaction in
 * one event, mostly compressed by zstd.
 *
 *   { type, length, value }... 0   then a run of events without checksums
 *
 * Inflated piece by piece: never more than one event of it is held.
 * Source: MySQL source documentation, "Transaction_payload_event".
 */
#ifndef SIDECAR_PAYLOAD_H
#define SIDECAR_PAYLOAD_H

#include "sidecar/event.h"

#define BL_PAYLOAD_MAX (1u << 30)         /* raw bytes of all of its events */
#define BL_PAYLOAD_EVENT_MAX (256u << 20) /* raw bytes of one of them */
#define BL_PAYLOAD_RATIO_MAX (1u << 16)   /* zstd does no better by far */
#define BL_PAYLOAD_PIECE (256u << 10)

struct ZSTD_DCtx_s;

/* Starts zeroed; keeps its room from event to event. */
struct bl_payload {
    struct ZSTD_DCtx_s *zstd;
    char               *room; /* what is inflated and not taken yet */
    size_t              used;
    size_t              size;
};

/* where its events go; false = stop */
typedef bool bl_payload_take(void *context, struct ph_str event);

/*
 * Each event of the payload, in order; a view that lives until the next.
 * False: *why says what is wrong, or is NULL when `take` stopped it.
 */
bool bl_payload_walk(struct bl_payload *payload, struct ph_cur body,
                     bl_payload_take *take, void *context, const char **why);

void bl_payload_deinit(struct bl_payload *payload);

#endif
