/*
 * admin.h - what edges are told: keys, accounts, live changes, shares of
 * limits.  The role admin.
 *
 * An edge keeps two connections.  "watch" asks for what is newer than the
 * marks that it names and is held until there is something, or until its wait
 * is over; it also brings the changes that were made at the edge.  "share"
 * tells what cluster limits were asked for and is answered with shares.
 * docs/protocol.md has the bodies.
 *
 * Tables and Redis are looked at only while some edge asks.  @thread loop.
 */
#ifndef WK_ADMIN_H
#define WK_ADMIN_H

#include "worker/server.h"

#define WK_ADMIN_PULLS_MAX 64 /* asked and not answered yet */

struct wk_admin;

/* NULL = no memory.  @owns: caller, wk_admin_free(). */
struct wk_admin *wk_admin_new(struct wk_worker *worker) PH_MUST_CHECK;

/* A SYNC_PULL; answered exactly once. */
void wk_admin_pull(struct wk_request *request);

/* Answers who is held, and holds nobody any more. */
void wk_admin_drain(struct wk_admin *admin);

void wk_admin_stop(struct wk_admin *admin);
void wk_admin_free(struct wk_admin *admin); /* after the loop has ended */

#endif
