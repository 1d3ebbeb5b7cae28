/*
 * support.h - what unit tests share: cmocka with its needs, files, hex.
 * Tests run at the root of the tree.
 */
#ifndef T_UNIT_SUPPORT_H
#define T_UNIT_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "libpayhub/base/buf.h"
#include "libpayhub/base/rc.h"

#define T_FILE_MAX (256 * 1024)

/* A whole file in memory that lives until the next call; fails the test. */
struct ph_str t_file(const char *path);

/* Hex digits (blanks and lines skipped) as bytes; returns how many. */
size_t t_unhex(struct ph_str text, uint8_t *out, size_t size);

/* Fails with both texts when they differ. */
void t_same(struct ph_str got, struct ph_str want);

/* Zeroed memory that children made by fork() share; lives until the end. */
void *t_shared(size_t size);

/* a fixed sequence of bytes, the same on every run */
uint32_t t_next(uint32_t *seed);

#endif
