/*
 * siphash.c
 */
#include "libpayhub/base/siphash.h"
