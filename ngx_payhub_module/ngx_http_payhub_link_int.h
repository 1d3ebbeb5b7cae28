
/*
 * Among the files of links: _link.c is what nginx's upstream sees of them,
 * _link_io.c the connection itself.
 */


#ifndef _NGX_HTTP_PAYHUB_LINK_INT_H_INCLUDED_
#define _NGX_HTTP_PAYHUB_LINK_INT_H_INCLUDED_


#include "ngx_http_payhub_link.h"


#define NGX_HTTP_PAYHUB_LINK_HASH  1024


typedef struct {
    u_char                  *start;
    u_char                  *pos;
    u_char                  *last;
    u_char                  *end;
} ngx_http_payhub_link_buf_t;


struct ngx_http_payhub_link_s {
    ngx_queue_t                  queue;     /* of this process */
    ngx_queue_t                  calls;     /* without an answer */
    ngx_queue_t                  waiting;   /* calls in the order of sending */
    ngx_uint_t                   calls_n;
    ngx_connection_t            *connection;
    ngx_log_t                    log;       /* it outlives all requests */

    ngx_http_payhub_link_buf_t   out;
    ngx_http_payhub_link_buf_t   in;
    uint64_t                     written;   /* bytes, ever */
    ngx_msec_t                   heard;     /* when it said something */

    ngx_event_t                  flush;     /* at the end of the turn */

    socklen_t                    socklen;
    ngx_sockaddr_t               sockaddr;

    unsigned                     connecting:1;
    unsigned                     leaving:1; /* takes no new call */
    unsigned                     extra:1;   /* others were full: goes again */
    unsigned                     gone:1;    /* nothing more is sent */

    ngx_http_payhub_call_t      *hash[NGX_HTTP_PAYHUB_LINK_HASH];
};


/* NULL: no memory */

ngx_http_payhub_link_t *ngx_http_payhub_link_create(ngx_peer_connection_t *pc);

/* connection is open or on its way: from now on it is the link's */

void ngx_http_payhub_link_start(ngx_http_payhub_link_t *link,
    ngx_connection_t *c);
void ngx_http_payhub_link_close(ngx_http_payhub_link_t *link);

/* room behind b->last */

ngx_int_t ngx_http_payhub_link_room(ngx_http_payhub_link_buf_t *b,
    size_t size);

/* the call is no longer of its link; what has not left never will */

void ngx_http_payhub_link_leave(ngx_http_payhub_call_t *call);
ngx_http_payhub_call_t **ngx_http_payhub_link_slot(
    ngx_http_payhub_link_t *link, const uint8_t *id);


#endif /* _NGX_HTTP_PAYHUB_LINK_INT_H_INCLUDED_ */
