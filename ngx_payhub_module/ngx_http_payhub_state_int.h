
/*
 * The state file as bytes, between its writer and its reader.  Magic, version,
 * 16 random bytes, then chunks: length and sealed bytes.  What each chunk is
 * sealed for is the file's random bytes, its kind, its number, and whether it
 * is the last, so that chunks of two files do not mix, none is lost, none is
 * moved and the end is the end.
 *
 * Numbers lie as this machine has them: a state file is a host's own.
 */


#ifndef _NGX_HTTP_PAYHUB_STATE_INT_H_INCLUDED_
#define _NGX_HTTP_PAYHUB_STATE_INT_H_INCLUDED_


#include "ngx_http_payhub_live_int.h"
#include "libpayhub/domain/key_table.h"


#define NGX_HTTP_PAYHUB_STATE_MAGIC     "PHSF\001"
#define NGX_HTTP_PAYHUB_STATE_ID        16
#define NGX_HTTP_PAYHUB_STATE_HEAD      (5 + NGX_HTTP_PAYHUB_STATE_ID)
#define NGX_HTTP_PAYHUB_STATE_PLAIN     16000   /* bytes of a chunk */
#define NGX_HTTP_PAYHUB_STATE_SEALED                                          \
    (NGX_HTTP_PAYHUB_STATE_PLAIN + PH_SEAL_OVERHEAD_MAX)
#define NGX_HTTP_PAYHUB_STATE_KEY_HEAD  26


typedef enum {
    NGX_HTTP_PAYHUB_STATE_CHANGES = 0,
    NGX_HTTP_PAYHUB_STATE_KEYS,
    NGX_HTTP_PAYHUB_STATE_KINDS
} ngx_http_payhub_state_kind_e;


/* a file that is being written or read */

typedef struct {
    ngx_fd_t                 fd;
    ngx_fd_t                 lock;          /* writing */
    ngx_uint_t               kind;
    u_char                   id[NGX_HTTP_PAYHUB_STATE_ID];
    uint64_t                 chunk;
    struct ph_seal_key      *key;
    ngx_log_t               *log;           /* reading */

    size_t                   len;           /* of plain */
    size_t                   at;            /* reading */
    unsigned                 last:1;        /* reading: no chunk follows */
    unsigned                 open:1;

    /* writing */
    size_t                   walk;
    uint64_t                 keys;
    uint64_t                 mark;          /* what it will have saved */
    ngx_msec_t               began;
    ngx_msec_t               next;          /* not before */
    ngx_uint_t               waits;         /* next counts */

    u_char                   plain[NGX_HTTP_PAYHUB_STATE_PLAIN];
    u_char                   sealed[NGX_HTTP_PAYHUB_STATE_SEALED];
} ngx_http_payhub_state_file_t;


extern ngx_http_payhub_state_file_t  ngx_http_payhub_state_files[2];


static ngx_inline void
ngx_http_payhub_state_place(ngx_http_payhub_state_file_t *file,
    ngx_uint_t last, u_char *memory, struct ph_seal_place *place)
{
    u_char  *p;

    p = ngx_hex_dump(memory, file->id, NGX_HTTP_PAYHUB_STATE_ID);

    place->table = PH_STR("edge state");
    place->owner = ph_str_make((char *) memory, (size_t) (p - memory));

    memory = p;

    p = ngx_sprintf(p, "%s %uL%s",
                    file->kind == NGX_HTTP_PAYHUB_STATE_KEYS ? "keys"
                                                             : "changes",
                    file->chunk, last ? " last" : "");

    place->column = ph_str_make((char *) memory, (size_t) (p - memory));
}


#endif /* _NGX_HTTP_PAYHUB_STATE_INT_H_INCLUDED_ */
