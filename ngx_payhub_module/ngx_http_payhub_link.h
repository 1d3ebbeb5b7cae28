
/*
 * A link: one connection of this process to a worker, which carries the calls
 * of many requests at once.  For nginx's upstream each call looks like a
 * connection of its own, so the choice of peers, timeouts, next peers, the
 * variables and the logs are nginx's.
 *
 * The bytes of all calls that came in one turn of the event loop leave by one
 * send(), answers come back in any order and are told apart by request id.
 */


#ifndef _NGX_HTTP_PAYHUB_LINK_H_INCLUDED_
#define _NGX_HTTP_PAYHUB_LINK_H_INCLUDED_


#include "ngx_http_payhub.h"


typedef struct ngx_http_payhub_link_s  ngx_http_payhub_link_t;
typedef struct ngx_http_payhub_call_s  ngx_http_payhub_call_t;

typedef void (*ngx_http_payhub_call_pt)(ngx_http_payhub_call_t *call);


/* in the memory of its request */

struct ngx_http_payhub_call_s {
    ngx_queue_t                  queue;     /* of the link */
    ngx_queue_t                  waiting;   /* nothing is out yet */
    ngx_http_payhub_call_t      *next;      /* with the same hash */
    ngx_http_payhub_link_t      *link;      /* NULL: none, or it is gone */

    u_char                      *id;        /* PH_FRAME_ID_LEN bytes */
    uint64_t                     start;     /* in the stream of the link */
    size_t                       len;

    struct ph_frame             *answer;    /* valid while "bytes" last */
    struct ph_str                bytes;     /* of it, not taken yet */

    /* at the first byte that leaves: from here on it may have happened */
    ngx_http_payhub_call_pt      leaves;
    ngx_http_request_t          *request;

    ngx_msec_t                   since;     /* when it was queued, or left */

    ngx_event_get_peer_pt        get;
    ngx_event_free_peer_pt       free;
    ngx_event_notify_peer_pt     notify;
    void                        *data;

    unsigned                     queued:1;
    unsigned                     sent:1;
    unsigned                     failed:1;  /* an error, not an end */
    unsigned                     blameless:1;   /* the peer has not failed */

    /* what nginx's upstream sees */
    ngx_connection_t             connection;
    ngx_event_t                  read;
    ngx_event_t                  write;
};


/* after the balancer's own init: its peers are reached by links */

void ngx_http_payhub_link_wrap(ngx_http_request_t *r,
    ngx_http_payhub_call_t *call);

/* the frame is copied and leaves at the end of this turn of the loop */

ngx_int_t ngx_http_payhub_link_send(ngx_http_payhub_call_t *call,
    ngx_chain_t *in);

ngx_int_t ngx_http_payhub_link_init_process(ngx_cycle_t *cycle);
void ngx_http_payhub_link_exit_process(ngx_cycle_t *cycle);


#endif /* _NGX_HTTP_PAYHUB_LINK_H_INCLUDED_ */
