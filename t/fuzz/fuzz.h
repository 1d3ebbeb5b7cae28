/*
 * fuzz.h - a fuzz target is one function over bytes, libFuzzer's or replay.c's.
 */
#ifndef T_FUZZ_H
#define T_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "libpayhub/base/buf.h"
#include "libpayhub/base/rc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* abort() is what both drivers notice, in every build profile */
#define FUZZ_HOLDS(property)                                                   \
    do {                                                                       \
        if (!(property)) {                                                     \
            abort();                                                           \
        }                                                                      \
    } while (0)

#endif
