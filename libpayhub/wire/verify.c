/*
 * verify.c
 */
#include "libpayhub/wire/verify.h"
