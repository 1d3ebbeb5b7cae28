/*
 * list.h - answers GET /v1/payments as a list.
 */
#ifndef WK_LIST_H
#define WK_LIST_H

#include "worker/list_query.h"
#include "worker/server.h"

/* Answers the request.  `query` lies in the block.  @owns: the block is taken
 */
void wk_list_tell(struct wk_request *request, struct wk_block *block,
                  const struct wk_list_query *query);

#endif
