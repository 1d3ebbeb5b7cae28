/*
 * fuzz_frame.c - the frame reader on any bytes.
 *
 * The first byte chooses: even = the rest is a frame as it stands; odd = the
 * rest is meta and body, put into a frame with a right checksum, so that the
 * fields are reached.  What is read is written again to the same bytes.
 */
#include "t/fuzz/fuzz.h"

#include "libpayhub/wire/frame.h"

static char frame_memory[PH_FRAME_MAX];
static char again_memory[PH_FRAME_MAX];

static void
walk(const struct ph_frame *frame)
{
    struct ph_str meta = frame->meta, value;
    unsigned      type;
    size_t        sum = 0;

    while (ph_field_next(&meta, &type, &value)) {
        FUZZ_HOLDS(type >= PH_FIELD_OPTIONAL || ph_field_name(type) != NULL);
        sum += 4 + value.len;
    }
    FUZZ_HOLDS(meta.len == 0 && sum == frame->meta.len);
    (void) ph_field_find(frame->meta, PH_FIELD_TARGET);
}

static void
read_any(struct ph_str bytes)
{
    struct ph_frame frame, back;
    size_t          len = 0;
    enum ph_rc      rc  = ph_frame_length(bytes, &len);
    struct ph_buf   again;

    FUZZ_HOLDS(rc != PH_OK
               || (len >= PH_FRAME_HEAD_LEN && len <= PH_FRAME_MAX));
    enum ph_rc read = ph_frame_read(bytes, &frame);
    if (rc != PH_OK) {
        FUZZ_HOLDS(read == rc);
        return;
    }
    FUZZ_HOLDS((read == PH_E_MORE) == (bytes.len < len));
    if (read != PH_OK) {
        return;
    }
    walk(&frame);
    ph_buf_init(&again, again_memory, sizeof(again_memory));
    FUZZ_HOLDS(ph_frame_write(&again, &frame) == PH_OK);
    FUZZ_HOLDS(again.len == len && memcmp(again.ptr, bytes.ptr, len) == 0);
    FUZZ_HOLDS(ph_frame_read(ph_buf_str(&again), &back) == PH_OK);
    FUZZ_HOLDS(ph_str_eq(back.meta, frame.meta));
    FUZZ_HOLDS(ph_str_eq(back.body, frame.body));
}

/* the second byte tells how much is meta, in sixteenths */
static void
read_wrapped(struct ph_str rest)
{
    size_t          meta_len = 0;
    struct ph_buf   buf;
    struct ph_frame frame
        = { .version = PH_FRAME_VERSION, .type = PH_FRAME_CALL };

    if (rest.len == 0) {
        return;
    }
    meta_len   = (rest.len - 1) * ((uint8_t) rest.ptr[0] % 17) / 16;
    frame.meta = ph_str_make(rest.ptr + 1, meta_len);
    frame.body = ph_str_make(rest.ptr + 1 + meta_len, rest.len - 1 - meta_len);
    ph_buf_init(&buf, frame_memory, sizeof(frame_memory));
    if (ph_frame_write(&buf, &frame) == PH_OK) {
        read_any(ph_buf_str(&buf));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct ph_str rest = ph_str_make((const char *) data + 1, size - 1);

    if (data[0] % 2 == 0) {
        read_any(rest);
    } else {
        read_wrapped(rest);
    }
    return 0;
}
