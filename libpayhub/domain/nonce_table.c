/*
 * nonce_table.c
 */
#include "libpayhub/domain/nonce_table.h"
