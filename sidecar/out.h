/*
 * out.h - text on its way to a file, through one buffer.
 */
#ifndef SIDECAR_OUT_H
#define SIDECAR_OUT_H

#include "libpayhub/base/buf.h"

#define BL_OUT_SIZE 65536

struct bl_out {
    int           fd; /* -1 = nowhere: everything is formatted and dropped */
    bool          failed;
    struct ph_buf buf;
    char          memory[BL_OUT_SIZE];
};

void bl_out_init(struct bl_out *out, int fd);
void bl_out_add(struct bl_out *out, struct ph_str bytes);
void bl_out_byte(struct bl_out *out, char byte);
void bl_out_u64(struct bl_out *out, uint64_t value);
void bl_out_hex(struct bl_out *out, struct ph_str bytes);

/* a JSON string with its quotes; the text must be UTF-8 */
void bl_out_json(struct bl_out *out, struct ph_str text);

/* 'text', with backslashes before quotes and for line ends */
void bl_out_quoted(struct bl_out *out, struct ph_str text);

/* Writes what is held; false when some write failed since the start. */
bool bl_out_flush(struct bl_out *out);

#endif
