/*
 * words.h - the command that applies a batch, word by word.
 */
#ifndef SIDECAR_WORDS_H
#define SIDECAR_WORDS_H

#include "sidecar/sink.h"

void bl_words_clear(struct bl_words *words);
void bl_words_deinit(struct bl_words *words);
void bl_words_add(struct bl_words *words, struct ph_str word);
void bl_words_i64(struct bl_words *words, int64_t number);

static inline struct ph_str
bl_words_get(const struct bl_words *words, size_t i)
{
    return ph_str_make(words->text + words->from[i],
                       words->from[i + 1] - words->from[i]);
}

/*
 * All words of "FCALL ph_apply ..." for a batch.  Adds the day sums into
 * sink->days.  False = no memory, or a sum that overflows.
 */
bool bl_apply_words(struct bl_sink *sink, const struct bl_sums *sums);

/* {PREFIX:c0}:EPOCH:xa:XID, where rows of a prepared transaction wait */
void bl_xa_key(const struct bl_sink *sink, const char *xid, struct ph_buf *key);

/*
 * One field of such a hash, as bl_apply_words() wrote it, added to the sums:
 * taken out of the pending ones, and counted if it was committed.
 */
bool bl_xa_resolve(struct bl_sums *sums, uint8_t xa, struct ph_str field,
                   struct ph_str value);

#endif
