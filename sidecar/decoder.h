/*
 * decoder.h - a run of binlog events, from a file or a server, in order.
 *
 * Checks each event (length, checksum, type), keeps the format and the table
 * maps, finds where transactions begin and end, and tells a visitor.  An event
 * of a type that is neither known nor marked ignorable ends the run: a gap
 * that nobody hears of is worse than a stop.
 *
 *   GTID -> begin   rows -> row...   query   XID, COMMIT, XA PREPARE -> end
 *   FORMAT_DESCRIPTION of the next file in a transaction -> abort
 *
 * Pure but for its memory; one thread.
 */
#ifndef SIDECAR_DECODER_H
#define SIDECAR_DECODER_H

#include "libpayhub/base/buf.h"
#include "sidecar/payload.h"
#include "sidecar/rows.h"
#include "sidecar/unpack.h"

#define BL_WHY_MAX 512
#define BL_FILE_NAME_MAX 255

/* how a transaction ended */
enum bl_end {
    BL_END_COMMIT,
    BL_END_XA_PREPARE, /* its rows count when XA COMMIT comes */
    BL_END_XA_COMMIT,
    BL_END_XA_ROLLBACK
};

struct bl_row {
    enum bl_change         change;
    const struct bl_table *table;
    struct bl_image        before; /* of UPDATE and DELETE */
    struct bl_image        after;  /* of INSERT and UPDATE */
};

struct bl_decoder;

/* Each returns false to end the run, with decoder->why filled in. */
struct bl_visitor {
    void *context;
    bool (*begin)(void *context, struct bl_decoder *decoder,
                  const struct bl_gtid *gtid);
    /* a new or changed map: set table->wanted and slots */
    bool (*table)(void *context, struct bl_decoder *decoder,
                  struct bl_table *table);
    /* an event of a wanted table, before its rows; may be NULL */
    bool (*rows)(void *context, struct bl_decoder *decoder,
                 const struct bl_table *table, const struct bl_rows *rows);
    bool (*row)(void *context, struct bl_decoder *decoder,
                const struct bl_row *row);
    /* any statement that is not framing; may be NULL */
    bool (*query)(void *context, struct bl_decoder *decoder,
                  const struct bl_query *query);
    bool (*end)(void *context, struct bl_decoder *decoder, enum bl_end how);
    /* the server crashed before it had written the end, and undid what the
     * transaction did; may be NULL */
    bool (*abort)(void *context, struct bl_decoder *decoder);
    /* the server lost events and says so; may be NULL */
    bool (*incident)(void *context, struct bl_decoder *decoder);
};

struct bl_decoder {
    struct bl_visitor  visitor;
    struct bl_format   format;
    bool               has_format;
    struct bl_tables   tables;
    struct bl_unpacker unpacker;
    struct bl_payload  payload;
    struct bl_head     head; /* of the current event */
    struct bl_gtid     gtid; /* of the current transaction */
    char               xid[BL_XID_MAX];
    bool               in_transaction;
    bool               is_old_format; /* before MySQL 5.0: nothing to read */
    uint64_t           events;
    uint64_t           row_changes;
    uint64_t           heartbeats;
    char               file[BL_FILE_NAME_MAX + 1];
    struct ph_str     *before; /* BL_COLUMNS_MAX values each */
    struct ph_str     *after;
    struct ph_buf      why;
    char               why_memory[BL_WHY_MAX];
};

/*
 * false = no memory.  checksum: of events before the FORMAT_DESCRIPTION, as
 * asked from the server; 0 for files.
 */
bool bl_decoder_init(struct bl_decoder       *decoder,
                     const struct bl_visitor *visitor, uint8_t checksum);
void bl_decoder_deinit(struct bl_decoder *decoder);

/* Forgets the stream, not the counts: before a new connection. */
void bl_decoder_reset(struct bl_decoder *decoder, uint8_t checksum);

/* One whole event.  False: ended, decoder->why says where and why. */
bool bl_decode(struct bl_decoder *decoder, struct ph_str event);

/* "FILE:POS EVENT: " and a text in decoder->why; always false */
bool bl_refuse(struct bl_decoder *decoder, const char *text);

#endif
