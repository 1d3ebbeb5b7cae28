/*
 * channel_fields.h - which keys an account at a channel has: known to the CLI
 * without the adapters.
 */
#ifndef PH_DOMAIN_CHANNEL_FIELDS_H
#define PH_DOMAIN_CHANNEL_FIELDS_H

#include "libpayhub/base/str.h"

struct ph_channel_key {
    const char *channel;
    const char *key;
    bool        required;
    bool        secret; /* sealed at rest, never shown */
    const char *meaning;
};

/* the i-th key of a channel; NULL after the last, and for unknown channels */
const struct ph_channel_key *ph_channel_key_at(struct ph_str channel, size_t i);

const struct ph_channel_key *ph_channel_key_find(struct ph_str channel,
                                                 struct ph_str key);

/* the i-th channel's name; NULL after the last */
const char *ph_channel_name_at(size_t i);

/*
 * An https address, or an http one of a loopback host: "localhost",
 * 127.0.0.0/8 or [::1].  No user info, blank, query or fragment.
 */
bool ph_base_url_ok(struct ph_str url);

#endif
