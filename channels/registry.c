/*
 * registry.c - the built-in adapters: one row a channel, ascending by name.
 */
#include "channels/channel.h"
#include "channels/sandbox/sandbox.h"

static const struct ph_channel *const channels[] = {
    &ph_channel_sandbox,
};

const struct ph_channel *
ph_channel_find(struct ph_str name)
{
    for (size_t i = 0; i < PH_COUNT(channels); i++) {
        if (ph_str_eq(ph_str_z(channels[i]->name), name)) {
            return channels[i];
        }
    }
    return NULL;
}

const struct ph_channel *
ph_channel_at(size_t i)
{
    return i < PH_COUNT(channels) ? channels[i] : NULL;
}
