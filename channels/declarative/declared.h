/*
 * declared.h - channels that a JSON file describes: docs/channels.md.
 *
 * A file is compiled once into one block and is immutable from then on, used
 * by any thread.  What comes out is a channel as any other; its accounts have
 * account->channel set to it, for its functions find the file by that.
 */
#ifndef PH_DECLARED_H
#define PH_DECLARED_H

#include "channels/channel.h"

#define PH_DECLARED_FILE_MAX (64 * 1024) /* bytes of a file */
#define PH_DECLARED_WHY_MAX 512 /* of "/pointer: found X, expected Y" */

struct ph_declared; /* a compiled file */

/*
 * NULL: `why` holds one line, with the JSON pointer of what is at fault.
 * @owns: caller, ph_declared_close(), when no account of it is open.
 */
struct ph_declared *ph_declared_open(struct ph_str  file,
                                     struct ph_buf *why) PH_MUST_CHECK;
void                ph_declared_close(struct ph_declared *declared);

/* lives as long as the file does */
const struct ph_channel *
ph_declared_channel(const struct ph_declared *declared);

/* the title in "en" or "zh"; {NULL, 0} when it has none */
struct ph_str ph_declared_title(const struct ph_declared *declared,
                                const char               *language);

/* docs/schema/channel.schema.json, from the tables that the compiler reads */
void ph_declared_schema(struct ph_buf *buf);

#endif
