/*
 * limit_table.c
 */
#include "libpayhub/domain/limit_table.h"
