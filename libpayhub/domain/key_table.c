/*
 * key_table.c
 */
#include "libpayhub/domain/key_table.h"
