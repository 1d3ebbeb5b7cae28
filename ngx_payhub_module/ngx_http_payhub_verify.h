
/*
 * What the files of verification share: contexts of keys, the schemes, and
 * the work that a thread does.
 */


#ifndef _NGX_HTTP_PAYHUB_VERIFY_H_INCLUDED_
#define _NGX_HTTP_PAYHUB_VERIFY_H_INCLUDED_


#include "ngx_http_payhub.h"
#include "libpayhub/domain/key_table.h"
#include "libpayhub/wire/auth_9421.h"
#include "libpayhub/wire/content_digest.h"


/* DER of two integers; one below 66 bytes comes once in 2^40 signatures */
#define NGX_HTTP_PAYHUB_SM2_LEN_MIN  66
#define NGX_HTTP_PAYHUB_SM2_LEN_MAX  72

#define NGX_HTTP_PAYHUB_CONTEXTS_MAX 4096   /* kept by a process */
#define NGX_HTTP_PAYHUB_TASKS_MAX    1024   /* with threads, a process */

#define NGX_HTTP_PAYHUB_ALG(alg)     ((ngx_uint_t) 1 << (alg))


typedef struct {
    ngx_uint_t                   schemes;   /* bits, 0: off */
    time_t                       window;    /* seconds, either side */
    ngx_str_t                    pool;      /* name; data NULL: none said */
#if (NGX_THREADS)
    ngx_thread_pool_t           *threads;   /* NULL: no key needs them */
#endif
} ngx_http_payhub_verify_loc_conf_t;


/* a signature to be judged; read by a thread, so nothing of it changes */

typedef struct {
    ngx_http_request_t          *request;
    ngx_http_payhub_main_conf_t *pmcf;
    ngx_http_payhub_key_t       *key;       /* whose context it is */
    ngx_http_payhub_context_t   *context;   /* owned while running */
    struct ph_str               *pieces;
    size_t                       count;
    struct ph_str                signature;
    enum ph_rc                   rc;
    unsigned                     known:1;   /* by the key that was named */
    unsigned                     running:1;
} ngx_http_payhub_task_t;


/* ngx_http_payhub_context.c */

ngx_http_payhub_context_t *ngx_http_payhub_context(ngx_http_request_t *r,
    ngx_http_payhub_key_t *key);
ngx_http_payhub_context_t *ngx_http_payhub_context_take(ngx_http_request_t *r,
    ngx_http_payhub_key_t *key);
void ngx_http_payhub_context_give(ngx_http_payhub_main_conf_t *pmcf,
    ngx_http_payhub_context_t *context);
ngx_uint_t ngx_http_payhub_context_fits(ngx_http_payhub_context_t *context,
    size_t len);
enum ph_rc ngx_http_payhub_context_check(ngx_http_payhub_context_t *context,
    struct ph_str *pieces, size_t count, struct ph_str signature);
struct ph_hmac *ngx_http_payhub_context_mac(
    ngx_http_payhub_context_t *context);
ngx_http_payhub_key_t *ngx_http_payhub_dummy(
    ngx_http_payhub_main_conf_t *pmcf, ngx_uint_t algs, struct ph_str id,
    size_t len);
void ngx_http_payhub_contexts_cleanup(void *data);

/* ngx_http_payhub_key.c */

ngx_http_payhub_key_t *ngx_http_payhub_key_static(
    ngx_http_payhub_main_conf_t *pmcf, struct ph_str id, uint32_t hash);
ngx_uint_t ngx_http_payhub_key_material(ngx_http_payhub_key_t *key,
    u_char *out);
ngx_uint_t ngx_http_payhub_key_algs(ngx_http_payhub_main_conf_t *pmcf);
ngx_uint_t ngx_http_payhub_key_conf_algs(ngx_conf_t *cf);

/* ngx_http_payhub_verify_step.c */

ngx_uint_t ngx_http_payhub_verify_in_window(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr);
ngx_int_t ngx_http_payhub_verify_context(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, ngx_http_payhub_task_t *task);
ngx_int_t ngx_http_payhub_verify_decode(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, ngx_http_payhub_task_t *task);
void ngx_http_payhub_verify_failed(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr);
ngx_int_t ngx_http_payhub_verify_conclude(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, ngx_uint_t scheme, char *reason);
ngx_int_t ngx_http_payhub_verify_refuse(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, enum ph_error error, char *reason);

/* ngx_http_payhub_verify_body.c */

ngx_uint_t ngx_http_payhub_body_plain(ngx_http_request_t *r,
    struct ph_str *body);
ngx_int_t ngx_http_payhub_body_mac(ngx_http_request_t *r,
    struct ph_hmac *mac);
ngx_int_t ngx_http_payhub_body_pieces(ngx_http_request_t *r,
    struct ph_str **pieces, size_t *count);

/* ngx_http_payhub_verify_v3.c */

ngx_int_t ngx_http_payhub_v3_head(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr);
ngx_int_t ngx_http_payhub_v3_all(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr);
ngx_int_t ngx_http_payhub_v3_judged(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, ngx_http_payhub_task_t *task);

/* ngx_http_payhub_verify_9421.c */

ngx_int_t ngx_http_payhub_9421_head(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr);
ngx_int_t ngx_http_payhub_9421_all(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr);

/* ngx_http_payhub_verify_thread.c */

ngx_int_t ngx_http_payhub_task_post(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, ngx_http_payhub_task_t *task);


#endif /* _NGX_HTTP_PAYHUB_VERIFY_H_INCLUDED_ */
