/*
 * support.c - files, hex and comparison for unit tests.
 */
#include "t/unit/support.h"

#include <stdio.h>
#include <sys/mman.h>

struct ph_str
t_file(const char *path)
{
    static char memory[T_FILE_MAX];
    FILE       *file = fopen(path, "rb");

    if (file == NULL) {
        fail_msg("%s: cannot be opened; run at the root of the tree", path);
        return ph_str_make(NULL, 0);
    }
    size_t len = fread(memory, 1, sizeof(memory), file);

    (void) fclose(file);
    assert_true(len < sizeof(memory));
    return ph_str_make(memory, len);
}

static int
hex_digit(char ch)
{
    static const char digits[] = "0123456789abcdef";
    const char       *hit      = ch != '\0' ? strchr(digits, ch) : NULL;

    return hit != NULL ? (int) (hit - digits) : -1;
}

size_t
t_unhex(struct ph_str text, uint8_t *out, size_t size)
{
    size_t   len  = 0;
    unsigned held = 0, digits = 0;

    for (size_t i = 0; i < text.len; i++) {
        int value = hex_digit(text.ptr[i]);

        if (value < 0) {
            continue;
        }
        held = held << 4 | (unsigned) value;
        if (++digits % 2 == 0) {
            assert_true(len < size);
            out[len++] = (uint8_t) held;
            held       = 0;
        }
    }
    assert_int_equal(digits % 2, 0);
    return len;
}

void
t_same(struct ph_str got, struct ph_str want)
{
    if (!ph_str_eq(got, want)) {
        fail_msg("got \"%.*s\", want \"%.*s\"", (int) got.len, got.ptr,
                 (int) want.len, want.ptr);
    }
}

uint32_t
t_next(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223; /* Numerical Recipes' constants */
    return *seed >> 8;
}

void *
t_shared(size_t size)
{
    void *memory
        = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
               /* cppcheck-suppress invalidFunctionArg ; no file */
               -1, 0);

    assert_true(memory != MAP_FAILED);
    return memory;
}
