/* random.c - see random.h. */
#include "worker/random.h"

#include <stdint.h>
#include <string.h>

#include "libpayhub/io/daemon.h"

#define RANDOM_POOL 512

void
wk_random(void *out, size_t len)
{
    static _Thread_local uint8_t pool[RANDOM_POOL];
    static _Thread_local size_t  left;

    if (len > sizeof(pool)) {
        ph_random(out, len);
        return;
    }
    if (len > left) {
        ph_random(pool, sizeof(pool));
        left = sizeof(pool);
    }
    left -= len;
    memcpy(out, pool + left, len);
    memset(pool + left, 0, len);
}
