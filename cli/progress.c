/*
 * progress.c - see progress.h.
 */
#include "cli/progress.h"

#include <stdarg.h>
#include <stdio.h>

#include "cli/cli.h"
#include "libpayhub/io/daemon.h"

void
cli_progress(const char *format, ...)
{
    static uint64_t said_ns;
    uint64_t        now_ns = ph_monotonic_ns();
    char            text[CLI_WHY_MAX];
    va_list         args;

    if (said_ns == 0) {
        said_ns = now_ns;
    }
    if (now_ns - said_ns < CLI_PROGRESS_S * UINT64_C(1000000000)) {
        return;
    }
    said_ns = now_ns;
    va_start(args, format);
    (void) vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    cli_say("%s", text);
}
