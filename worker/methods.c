/* methods.c - see methods.h. */
#include "worker/methods.h"

#include "worker/channels.h"

const struct wk_methods *
wk_methods_read(const struct wk_worker *worker, struct wk_methods_now *now)
{
    const struct ph_channel *channel;
    size_t                   count = 0;

    while (count < PH_COUNT(now->channels)
           && (channel = wk_channels_more(worker->channels, count)) != NULL)
    {
        now->channels[count++] = channel;
    }
    now->methods = (struct wk_methods){ now->channels, count };
    return &now->methods;
}
