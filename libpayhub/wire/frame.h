/*
 * frame.h - payhub frames: what edge, worker and CLI say to one another.
 *
 *   0  magic "PHF1"        4      24  ms left              4
 *   4  version             1      28  attempt              2
 *   5  type                1      30  HTTP status          2
 *   6  flags               2      32  meta length          4  <= 16 KiB
 *   8  request id         16      36  body length          4  <= 1 MiB
 *                                 40  CRC32C               4
 *                                 44  zero                 4
 *   48 meta: fields of (type 2, length 2, bytes), then body
 *
 * Little-endian.  The CRC covers head (with its own field zero), meta and
 * body.  Field types >= 0x8000 may be skipped by who does not know them, any
 * other unknown type refuses the frame.  docs/protocol.md is the prose.
 * Nothing here allocates; lengths are checked before anything is read.
 */
#ifndef PH_WIRE_FRAME_H
#define PH_WIRE_FRAME_H

#include "libpayhub/base/buf.h"
#include "libpayhub/base/rc.h"

#define PH_FRAME_HEAD_LEN 48
#define PH_FRAME_META_MAX (16 * 1024)
#define PH_FRAME_BODY_MAX (1024 * 1024)
#define PH_FRAME_MAX (PH_FRAME_HEAD_LEN + PH_FRAME_META_MAX + PH_FRAME_BODY_MAX)
#define PH_FRAME_VERSION 1
#define PH_FRAME_ID_LEN 16
#define PH_FIELD_OPTIONAL 0x8000u

enum ph_frame_type {
#define FRAME(name, number, meaning) PH_FRAME_##name = (number),
#include "libpayhub/wire/frame_types.def"
#undef FRAME
};

enum ph_field {
#define FIELD(name, number, len_max, meaning) PH_FIELD_##name = (number),
#include "libpayhub/wire/frame_fields.def"
#undef FIELD
};

struct ph_frame {
    uint8_t       version;
    uint8_t       type; /* enum ph_frame_type */
    uint16_t      flags;
    uint8_t       id[PH_FRAME_ID_LEN];
    uint32_t      ms_left; /* of the caller's deadline; 0 = none given */
    uint16_t      attempt; /* 1 = first */
    uint16_t      status;  /* HTTP status in replies, else 0 */
    struct ph_str meta;    /* views into the bytes read */
    struct ph_str body;
};

/*
 * From the 48 bytes of a head: the whole frame's length.  Refuses wrong magic,
 * version, type, reserved bytes and lengths over the maximum: the connection
 * cannot be trusted any further.
 */
enum ph_rc ph_frame_length(struct ph_str head, size_t *len) PH_MUST_CHECK;

/*
 * A whole frame.  PH_E_MORE when bytes end early (never more than
 * PH_FRAME_MAX are asked for), PH_E_CHECKSUM, PH_E_UNKNOWN for a type or a
 * field that must be known, PH_E_RANGE for a field over its maximum,
 * PH_E_DUPLICATE for a field that stands twice (HEADER and CANDIDATE may
 * repeat).  Bytes after the frame are not looked at.
 */
enum ph_rc ph_frame_read(struct ph_str    bytes,
                         struct ph_frame *frame) PH_MUST_CHECK;

/* Appends head, meta and body in one piece. */
enum ph_rc ph_frame_write(struct ph_buf         *buf,
                          const struct ph_frame *frame) PH_MUST_CHECK;

/*
 * For a body in pieces: head with frame->meta and body_len, then feed the meta
 * and each body piece to ph_crc32c() starting from *crc, then ph_frame_close.
 */
enum ph_rc ph_frame_open(uint8_t                head[PH_FRAME_HEAD_LEN],
                         const struct ph_frame *frame, size_t body_len,
                         uint32_t *crc) PH_MUST_CHECK;
void       ph_frame_close(uint8_t head[PH_FRAME_HEAD_LEN], uint32_t crc);

/* Walks fields; false at the end.  The meta must come from ph_frame_read. */
bool ph_field_next(struct ph_str *meta, unsigned *type, struct ph_str *value);

/* {NULL, 0} when absent */
struct ph_str ph_field_find(struct ph_str meta, enum ph_field type);

/* Appends a field; one over its maximum sets buf->full. */
void ph_field_add(struct ph_buf *meta, enum ph_field type, struct ph_str value);

/* "CALL", "method"; NULL when unknown */
const char *ph_frame_type_name(unsigned type);
const char *ph_field_name(unsigned type);

#endif
