/*
 * channel.c - what adapters and core share: looking up a header.
 */
#include "channels/channel.h"

#include <strings.h>

struct ph_str
ph_channel_header(const struct ph_channel_header *headers, size_t count,
                  struct ph_str name)
{
    for (size_t i = 0; i < count; i++) {
        if (headers[i].name.len == name.len
            && strncasecmp(headers[i].name.ptr, name.ptr, name.len) == 0)
        {
            return headers[i].value;
        }
    }
    return ph_str_make(NULL, 0);
}
