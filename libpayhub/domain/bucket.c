/*
 * bucket.c
 */
#include "libpayhub/domain/bucket.h"
