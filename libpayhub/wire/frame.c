/*
 * frame.c - the codec of payhub frames.
 *
 * Reading judges in this order: length of the head, magic, version, type,
 * reserved bytes, lengths, presence of all bytes, checksum, fields.
 */
#include "libpayhub/wire/frame.h"

#include <assert.h>

#include "libpayhub/base/crc32c.h"
#include "libpayhub/base/cur.h"

#define FRAME_CRC_AT 40
#define FIELD_HEAD_LEN 4

static const struct ph_str frame_magic = PH_STR_INIT("PHF1");

struct field_row {
    unsigned    number;
    size_t      len_max;
    const char *name;
};

/* ascending by number */
static const struct field_row field_rows[] = {
#define FIELD(name, number, len_max, meaning) { (number), (len_max), #name },
#include "libpayhub/wire/frame_fields.def"
#undef FIELD
};

enum field_row_index {
#define FIELD(name, number, len_max, meaning) ROW_##name,
#include "libpayhub/wire/frame_fields.def"
#undef FIELD
    FIELD_ROWS
};

_Static_assert(FIELD_ROWS <= 64, "one bit a row in field_check");

const char *
ph_frame_type_name(unsigned type)
{
    static const struct {
        unsigned    number;
        const char *name;
    } rows[] = {
#define FRAME(name, number, meaning) { (number), #name },
#include "libpayhub/wire/frame_types.def"
#undef FRAME
    };

    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        if (rows[i].number == type) {
            return rows[i].name;
        }
    }
    return NULL;
}

/* index into field_rows, FIELD_ROWS when unknown */
static inline size_t
field_row_find(unsigned type)
{
    switch (type) {
#define FIELD(name, number, len_max, meaning)                                  \
    case (number):                                                             \
        return ROW_##name;
#include "libpayhub/wire/frame_fields.def"
#undef FIELD
    default:
        return FIELD_ROWS;
    }
}

const char *
ph_field_name(unsigned type)
{
    size_t i = field_row_find(type);

    return i < FIELD_ROWS ? field_rows[i].name : NULL;
}

struct frame_head {
    struct ph_frame frame; /* all but meta and body */
    uint32_t        meta_len, body_len, crc;
};

static enum ph_rc
head_read(struct ph_str bytes, struct frame_head *head)
{
    struct ph_frame *frame = &head->frame;
    struct ph_cur    cur;

    ph_cur_init(&cur, bytes);
    struct ph_str magic = ph_cur_take(&cur, frame_magic.len);
    frame->version      = (uint8_t) ph_cur_le(&cur, 1);
    frame->type         = (uint8_t) ph_cur_le(&cur, 1);
    frame->flags        = (uint16_t) ph_cur_le(&cur, 2);
    struct ph_str id    = ph_cur_take(&cur, PH_FRAME_ID_LEN);
    frame->ms_left      = (uint32_t) ph_cur_le(&cur, 4);
    frame->attempt      = (uint16_t) ph_cur_le(&cur, 2);
    frame->status       = (uint16_t) ph_cur_le(&cur, 2);
    head->meta_len      = (uint32_t) ph_cur_le(&cur, 4);
    head->body_len      = (uint32_t) ph_cur_le(&cur, 4);
    head->crc           = (uint32_t) ph_cur_le(&cur, 4);
    uint64_t reserved   = ph_cur_le(&cur, 4);

    if (cur.failed || id.ptr == NULL) {
        return PH_E_MORE;
    }
    memcpy(frame->id, id.ptr, PH_FRAME_ID_LEN);
    if (!ph_str_eq(magic, frame_magic) || reserved != 0) {
        return PH_E_SYNTAX;
    }
    if (frame->version != PH_FRAME_VERSION
        || ph_frame_type_name(frame->type) == NULL)
    {
        return PH_E_UNKNOWN;
    }
    if (head->meta_len > PH_FRAME_META_MAX
        || head->body_len > PH_FRAME_BODY_MAX) {
        return PH_E_RANGE;
    }
    return PH_OK;
}

enum ph_rc
ph_frame_length(struct ph_str head, size_t *len)
{
    struct frame_head in;
    enum ph_rc        rc = head_read(head, &in);

    if (rc == PH_OK) {
        *len = (size_t) PH_FRAME_HEAD_LEN + in.meta_len + in.body_len;
    }
    return rc;
}

/* The checksum of a head as if its own field were zero. */
static uint32_t
head_crc(const char *head)
{
    static const char zero[4];
    const size_t      tail = FRAME_CRC_AT + sizeof(zero);
    uint32_t          crc  = ph_crc32c(0, ph_str_make(head, FRAME_CRC_AT));

    crc = ph_crc32c(crc, ph_str_make(zero, sizeof(zero)));
    return ph_crc32c(crc, ph_str_make(head + tail, PH_FRAME_HEAD_LEN - tail));
}

static bool
field_may_repeat(unsigned type)
{
    return type == PH_FIELD_HEADER || type == PH_FIELD_CANDIDATE;
}

static enum ph_rc
field_check(unsigned type, size_t len, uint64_t *seen)
{
    size_t i = field_row_find(type);

    if (i == FIELD_ROWS) {
        return type >= PH_FIELD_OPTIONAL ? PH_OK : PH_E_UNKNOWN;
    }
    if (len > field_rows[i].len_max) {
        return PH_E_RANGE;
    }
    if ((*seen >> i & 1) != 0 && !field_may_repeat(type)) {
        return PH_E_DUPLICATE;
    }
    *seen |= UINT64_C(1) << i;
    return PH_OK;
}

static enum ph_rc
meta_check(struct ph_str meta)
{
    struct ph_str value;
    unsigned      type;
    uint64_t      seen = 0;

    while (ph_field_next(&meta, &type, &value)) {
        enum ph_rc rc = field_check(type, value.len, &seen);

        if (rc != PH_OK) {
            return rc;
        }
    }
    return meta.len == 0 ? PH_OK : PH_E_SYNTAX; /* a field cut short */
}

enum ph_rc
ph_frame_read(struct ph_str bytes, struct ph_frame *frame)
{
    struct frame_head head;
    enum ph_rc        rc = head_read(bytes, &head);

    if (rc != PH_OK) {
        return rc;
    }
    size_t        rest_len = (size_t) head.meta_len + head.body_len;
    struct ph_str rest     = ph_str_make(bytes.ptr + PH_FRAME_HEAD_LEN,
                                         bytes.len - PH_FRAME_HEAD_LEN);
    if (rest.len < rest_len) {
        return PH_E_MORE;
    }
    rest.len = rest_len;
    if (ph_crc32c(head_crc(bytes.ptr), rest) != head.crc) {
        return PH_E_CHECKSUM;
    }
    head.frame.meta = ph_str_make(rest.ptr, head.meta_len);
    head.frame.body = ph_str_make(rest.ptr + head.meta_len, head.body_len);
    rc              = meta_check(head.frame.meta);
    if (rc == PH_OK) {
        *frame = head.frame;
    }
    return rc;
}

enum ph_rc
ph_frame_open(uint8_t head[PH_FRAME_HEAD_LEN], const struct ph_frame *frame,
              size_t body_len, uint32_t *crc)
{
    struct ph_buf buf;

    if (frame->meta.len > PH_FRAME_META_MAX || body_len > PH_FRAME_BODY_MAX) {
        return PH_E_RANGE;
    }
    if (frame->version != PH_FRAME_VERSION
        || ph_frame_type_name(frame->type) == NULL)
    {
        return PH_E_UNKNOWN;
    }
    ph_buf_init(&buf, (char *) head, PH_FRAME_HEAD_LEN);
    ph_buf_add(&buf, frame_magic);
    ph_buf_le(&buf, frame->version, 1);
    ph_buf_le(&buf, frame->type, 1);
    ph_buf_le(&buf, frame->flags, 2);
    ph_buf_add(&buf, ph_str_make((const char *) frame->id, PH_FRAME_ID_LEN));
    ph_buf_le(&buf, frame->ms_left, 4);
    ph_buf_le(&buf, frame->attempt, 2);
    ph_buf_le(&buf, frame->status, 2);
    ph_buf_le(&buf, frame->meta.len, 4);
    ph_buf_le(&buf, body_len, 4);
    ph_buf_le(&buf, 0, 4); /* the checksum's place */
    ph_buf_le(&buf, 0, 4);
    assert(!buf.full && buf.len == PH_FRAME_HEAD_LEN);

    *crc = ph_crc32c(0, ph_buf_str(&buf));
    return PH_OK;
}

void
ph_frame_close(uint8_t head[PH_FRAME_HEAD_LEN], uint32_t crc)
{
    struct ph_buf buf;

    ph_buf_init(&buf, (char *) head + FRAME_CRC_AT, 4);
    ph_buf_le(&buf, crc, 4);
}

enum ph_rc
ph_frame_write(struct ph_buf *buf, const struct ph_frame *frame)
{
    uint8_t    head[PH_FRAME_HEAD_LEN];
    uint32_t   crc;
    enum ph_rc rc = ph_frame_open(head, frame, frame->body.len, &crc);

    if (rc != PH_OK) {
        return rc;
    }
    crc = ph_crc32c(ph_crc32c(crc, frame->meta), frame->body);
    ph_frame_close(head, crc);

    size_t mark = buf->len;
    ph_buf_add(buf, ph_str_make((const char *) head, sizeof(head)));
    ph_buf_add(buf, frame->meta);
    ph_buf_add(buf, frame->body);
    if (buf->full) {
        buf->len = mark;
        return PH_E_FULL;
    }
    return PH_OK;
}

bool
ph_field_next(struct ph_str *meta, unsigned *type, struct ph_str *value)
{
    struct ph_cur cur;

    ph_cur_init(&cur, *meta);
    unsigned      number = (unsigned) ph_cur_le(&cur, 2);
    struct ph_str bytes  = ph_cur_take(&cur, (size_t) ph_cur_le(&cur, 2));

    if (cur.failed) {
        return false; /* *meta keeps what is left: nothing, or a cut field */
    }
    *type  = number;
    *value = bytes;
    meta->ptr += FIELD_HEAD_LEN + bytes.len;
    meta->len -= FIELD_HEAD_LEN + bytes.len;
    return true;
}

struct ph_str
ph_field_find(struct ph_str meta, enum ph_field type)
{
    struct ph_str value;
    unsigned      number;

    while (ph_field_next(&meta, &number, &value)) {
        if (number == (unsigned) type) {
            return value;
        }
    }
    return ph_str_make(NULL, 0);
}

void
ph_field_add(struct ph_buf *meta, enum ph_field type, struct ph_str value)
{
    size_t i = field_row_find((unsigned) type);

    assert(i < FIELD_ROWS);

    if (value.len > field_rows[i].len_max) {
        meta->full = true;
        return;
    }
    char *at = ph_buf_reserve(meta, FIELD_HEAD_LEN + value.len);

    if (at == NULL) {
        return;
    }
    at[0] = (char) (unsigned char) ((unsigned) type & 0xff);
    at[1] = (char) (unsigned char) ((unsigned) type >> 8);
    at[2] = (char) (unsigned char) (value.len & 0xff);
    at[3] = (char) (unsigned char) (value.len >> 8);
    if (value.len != 0) {
        memcpy(at + FIELD_HEAD_LEN, value.ptr, value.len);
    }
}
