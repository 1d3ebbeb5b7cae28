/*
 * crash.h - named points at which a test build may kill its own process.
 *
 * PAYHUB_CRASH_AT=NAME or NAME:N dies by SIGKILL the Nth time that the point
 * is passed (default 1), so that "kill -9 at any instruction" is tested at the
 * instructions that matter.  Their names are in crash_points.def and nowhere
 * else.  Outside PH_TESTING builds a point is nothing.
 */
#ifndef WK_CRASH_H
#define WK_CRASH_H

#ifdef PH_TESTING
void wk_crash_point(const char *name); /* any thread; NULL does nothing */
void wk_crash_points_print(void);      /* "NAME meaning" a line, to stdout */
#else
#define wk_crash_point(name) ((void) (name))
#endif

#endif
