/* batch_driver.h - what the parts of the batch engine's driver share. */
#ifndef T_BATCH_DRIVER_H
#define T_BATCH_DRIVER_H

#include "libpayhub/base/id.h"
#include "worker/batch.h"
#include "worker/store_link.h"

#define ARENA_LEN (32 * 1024)

_Noreturn void die(const char *what, const char *why);

void link_open(struct wk_link *link, const char *socket);

/* the same id for the same numbers, a payment's */
void id_of(char id[PH_ID_LEN + 1], unsigned process, unsigned round,
           unsigned i);

/* payments of 100, with the ids (7, 1, i) */
void payments_make(struct wk_batch *batch, struct wk_link *link,
                   unsigned count);

void refunds(const char *socket);

#endif
