/*
 * load.h - channels from shared objects in a folder.
 *
 * Such an object has one symbol, PH_CHANNEL_SYMBOL, a struct ph_channel.  Its
 * table is copied as far as `size` covers it, the rest is zero: whoever reads
 * a channel finds all members.  An object that was opened stays until the
 * process ends, refused or not.
 */
#ifndef PH_CHANNEL_LOAD_H
#define PH_CHANNEL_LOAD_H

#include "channels/channel.h"

#define PH_CHANNEL_SYMBOL "payhub_channel_v1"
#define PH_CHANNEL_NAME_MAX 32
#define PH_CHANNEL_METHODS_MAX 64
#define PH_CHANNEL_EXTRA_MAX 32
#define PH_CHANNEL_LIST_MAX 256 /* of currencies, of wire_fields */

struct ph_channel_fault {
    char        found[200];
    const char *expected;
};

struct ph_channel_load {
    const char *folder;
    unsigned    owner; /* the user besides root whose files are taken */
    void (*refused)(void *data, const char *file,
                    const struct ph_channel_fault *fault);
    void *data;
};

/*
 * Takes every NAME.so of the folder, in the order of names; what is wrong with
 * one of them, or with the folder, is told and counted in *refused.  Returns
 * how many channels stand in list[0..most).
 */
size_t ph_channels_load(const struct ph_channel_load *load,
                        const struct ph_channel **list, size_t most,
                        size_t *refused);

/* a name of a channel or method: [a-z][a-z0-9_]{1,31} */
bool ph_channel_name_ok(struct ph_str name);

/* Whether a table is one that the core can use; *fault says why not. */
bool ph_channel_table_ok(const struct ph_channel *channel,
                         struct ph_channel_fault *fault);

#endif
