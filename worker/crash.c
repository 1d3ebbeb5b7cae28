/* crash.c - see crash.h; an empty unit outside PH_TESTING builds. */
#include "worker/crash.h"

#ifdef PH_TESTING

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "libpayhub/base/rc.h"
#include "libpayhub/base/str.h"

static const struct {
    struct ph_str name;
    const char   *meaning;
} points[] = {
#define CRASH_POINT(name, meaning) { PH_STR_INIT(#name), meaning },
#include "worker/crash_points.def"
#undef CRASH_POINT
};

static atomic_uint crash_passes;

static void
point_require(struct ph_str name)
{
    for (size_t i = 0; i < PH_COUNT(points); i++) {
        if (ph_str_eq(points[i].name, name)) {
            return;
        }
    }
    (void) fprintf(stderr,
                   "payhub-worker: found the crash point '%.*s', expected one "
                   "of crash_points.def\n",
                   (int) name.len, name.ptr);
    abort();
}

void
wk_crash_points_print(void)
{
    for (size_t i = 0; i < PH_COUNT(points); i++) {
        (void) printf("%s %s\n", points[i].name.ptr, points[i].meaning);
    }
}

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
    point_require(point);
    point_require(ph_str_z(name));
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
