/*
 * address.h - what kind of network address a webhook would connect to.
 *
 * Pure.  The question is asked of the address that is about to be connected,
 * never of a name, so a name that changes its answer gains nothing.
 */
#ifndef WK_ADDRESS_H
#define WK_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "libpayhub/base/str.h"

enum wk_address_kind {
    WK_ADDRESS_RESERVED = 0, /* not public, or a family that is not IP */
    WK_ADDRESS_PUBLIC,
    WK_ADDRESS_LOOPBACK
};

/* len is that of the whole address, as connect(2) takes it */
enum wk_address_kind wk_address_kind(const struct sockaddr *address,
                                     socklen_t              len);

/* A literal 127.0.0.0/8 or ::1, with or without brackets; names are not. */
bool wk_address_is_loopback_text(struct ph_str host);

#endif
