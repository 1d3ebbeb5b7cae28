/* crash.c - see crash.h; an empty unit outside PH_TESTING builds. */
#include "worker/crash.h"

#ifdef PH_TESTING

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "libpayhub/base/str.h"

static atomic_uint crash_passes;

void
wk_crash_point(const char *name)
{
    struct ph_str wanted = ph_str_z(getenv("PAYHUB_CRASH_AT"));
    struct ph_str point  = wanted;
    struct ph_str text;
    uint64_t      nth = 1;

    if (name == NULL || wanted.len == 0) {
        return;
    }
    if (ph_str_cut(wanted, ':', &point, &text)
        && !ph_str_u64(text, UINT32_MAX, &nth))
    {
        return;
    }
    if (ph_str_eq(point, ph_str_z(name))
        && atomic_fetch_add(&crash_passes, 1) + 1 == nth)
    {
        (void) kill(getpid(), SIGKILL);
    }
}

#else

/* ISO C asks for at least one declaration. */
struct wk_crash_unused;

#endif
