/*
 * event.h - the envelope of binlog events: header, format, checksum, and the
 * small events that frame transactions.
 *
 * Pure: bytes in, values out.  Views point into the event and die with it.
 * Source: MariaDB knowledge base, "Replication Protocol"; MySQL internals
 * manual, "Binary Log Events".
 */
#ifndef SIDECAR_EVENT_H
#define SIDECAR_EVENT_H

#include "libpayhub/base/cur.h"
#include "libpayhub/base/rc.h"

#define BL_HEAD_LEN 19
#define BL_CHECKSUM_LEN 4
#define BL_EVENT_MAX (1u << 30) /* max_allowed_packet cannot be more */
#define BL_EVENT_TYPES 256
#define BL_XID_MAX 128            /* gtrid + bqual, as in X/Open XA */
#define BL_HEAD_IN_USE 0x0001     /* not part of the checksum */
#define BL_HEAD_ARTIFICIAL 0x0020 /* made for this stream, not in the log */
#define BL_HEAD_IGNORABLE 0x0080  /* a reader may skip it unknown */

enum bl_type {
    BL_START_V3            = 1,
    BL_QUERY               = 2,
    BL_STOP                = 3,
    BL_ROTATE              = 4,
    BL_FORMAT              = 15,
    BL_XID                 = 16,
    BL_EXECUTE_LOAD        = 18,
    BL_TABLE_MAP           = 19,
    BL_WRITE_V0            = 20,
    BL_DELETE_V0           = 22,
    BL_WRITE_V1            = 23,
    BL_UPDATE_V1           = 24,
    BL_DELETE_V1           = 25,
    BL_INCIDENT            = 26,
    BL_HEARTBEAT           = 27,
    BL_WRITE_V2            = 30,
    BL_UPDATE_V2           = 31,
    BL_DELETE_V2           = 32,
    BL_XA_PREPARE          = 38,
    BL_PARTIAL_UPDATE      = 39,
    BL_TRANSACTION_PAYLOAD = 40,
    BL_HEARTBEAT_V2        = 41,
    BL_GTID                = 162,
    BL_GTID_LIST           = 163,
    BL_ENCRYPTION          = 164,
    BL_QUERY_PACKED        = 165,
    BL_WRITE_PACKED        = 166,
    BL_UPDATE_PACKED       = 167,
    BL_DELETE_PACKED       = 168,
    BL_WRITE_V2_PACKED     = 169,
    BL_UPDATE_V2_PACKED    = 170,
    BL_DELETE_V2_PACKED    = 171
};

struct bl_head {
    uint32_t time_s;
    uint8_t  type;
    uint32_t server_id;
    uint32_t len;     /* of the whole event, checksum included */
    uint32_t end_pos; /* wraps in logs over 4 GiB; a hint, never a position */
    uint16_t flags;
};

/* what the FORMAT_DESCRIPTION says of the events after it */
struct bl_format {
    uint16_t version;      /* 4; 1 and 3 before MySQL 5.0 */
    uint8_t  head_len;     /* >= BL_HEAD_LEN */
    uint8_t  checksum;     /* 0 none, 1 CRC32 */
    bool     has_checksum; /* the server is new enough to know of them */
    bool     is_mariadb;
    uint8_t  post_len[BL_EVENT_TYPES]; /* 0 = not told */
    char     server[51];
};

#define BL_GTID_STANDALONE 0x01
#define BL_GTID_PREPARED_XA 0x40
#define BL_GTID_COMPLETED_XA 0x80

struct bl_gtid {
    uint32_t      domain;
    uint32_t      server_id;
    uint64_t      seq;
    uint8_t       flags;
    uint32_t      xid_format;
    uint8_t       xid_gtrid_len;
    struct ph_str xid; /* gtrid then bqual, for the XA flags */
};

struct bl_query {
    struct ph_str db;
    struct ph_str text; /* packed when the event was QUERY_PACKED */
};

bool bl_head_read(struct ph_cur *cur, struct bl_head *head);

/* a known type that needs no work here, such as INTVAR or GTID_LIST */
bool        bl_type_is_quiet(uint8_t type);
const char *bl_type_name(uint8_t type);

/* CRC32 of the event without its last 4 bytes equals them */
bool bl_checksum_is_right(struct ph_str event, uint16_t flags);

/* The state before any FORMAT_DESCRIPTION. */
void bl_format_init(struct bl_format *format);

/* `event` whole, with its checksum; false = malformed */
bool bl_format_read(struct bl_format *format, struct ph_str event);

/* These take the bytes after the header, without checksum. */
bool bl_gtid_read(struct ph_cur body, uint32_t server_id, struct bl_gtid *gtid);
bool bl_query_read(struct ph_cur body, const struct bl_format *format,
                   uint8_t type, struct bl_query *query);
bool bl_rotate_read(struct ph_cur body, struct ph_str *file, uint64_t *pos);

/* MySQL's length-encoded integer; 251 (NULL) and 255 fail */
uint64_t bl_lenenc(struct ph_cur *cur);

#endif
