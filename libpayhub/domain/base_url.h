/*
 * base_url.h - the addresses at which accounts may have their channels.
 */
#ifndef PH_DOMAIN_BASE_URL_H
#define PH_DOMAIN_BASE_URL_H

#include "libpayhub/base/str.h"

/*
 * An https address, or an http one of a loopback host: "localhost",
 * 127.0.0.0/8 or [::1].  No user info, blank, query or fragment.
 */
bool ph_base_url_ok(struct ph_str url);

#endif
