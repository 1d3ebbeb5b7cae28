
/*
 * What the payhub modules share: the key table, the record of a request, and
 * the calls between them.
 *
 * Everything here belongs to one worker process and runs on its event loop.
 * A record lives in a cleanup of the main request's pool: contexts are zeroed
 * by internal redirects, cleanups are not, and subrequests find their main
 * request's record.
 */


#ifndef _NGX_HTTP_PAYHUB_H_INCLUDED_
#define _NGX_HTTP_PAYHUB_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "libpayhub/base/crc32c.h"
#include "libpayhub/base/rc.h"
#include "libpayhub/domain/error.h"
#include "libpayhub/wire/auth_v3.h"
#include "libpayhub/wire/b64.h"
#include "libpayhub/wire/digest.h"
#include "libpayhub/wire/frame.h"
#include "libpayhub/wire/verify.h"
#include "ngx_http_payhub_zone.h"


#define NGX_HTTP_PAYHUB_KEY_BUCKETS     64          /* a power of two */
#define NGX_HTTP_PAYHUB_KEYS_MAX        65536
#define NGX_HTTP_PAYHUB_SECRET_MIN      16
#define NGX_HTTP_PAYHUB_SECRET_MAX      512
#define NGX_HTTP_PAYHUB_NAME_MAX        32
#define NGX_HTTP_PAYHUB_ROLE_MAX        16
#define NGX_HTTP_PAYHUB_TARGET_MAX      8192
#define NGX_HTTP_PAYHUB_METHOD_MAX      16

/* verdicts */
#define NGX_HTTP_PAYHUB_NONE            0
#define NGX_HTTP_PAYHUB_OK              1
#define NGX_HTTP_PAYHUB_REFUSED         2


typedef struct ngx_http_payhub_key_s      ngx_http_payhub_key_t;
typedef struct ngx_http_payhub_context_s  ngx_http_payhub_context_t;


/* a key of nginx.conf, or a request's own copy of one in the zone */

struct ngx_http_payhub_key_s {
    ngx_str_t                id;
    ngx_str_t                app;
    ngx_str_t                merchant;
    ngx_str_t                role;

    enum ph_alg              alg;
    ngx_uint_t               schemes;       /* bits */
    time_t                   not_before;    /* unix seconds, 0: none */
    time_t                   not_after;     /* unix seconds, 0: none */

    uint64_t                 version;       /* of the record, 0: nginx.conf */
    ngx_str_t                material;      /* of nginx.conf */
    size_t                   material_len;  /* in the zone */
    uint32_t                 hash;          /* of id and version */
    ngx_http_payhub_key_t   *next;          /* in the table of nginx.conf */
    unsigned                 unfit:1;       /* the material is no such key */
    unsigned                 stale:1;       /* replaced since it was found */
};


typedef struct {
    ngx_http_payhub_key_t  **keys;          /* by id */
    ngx_uint_t               keys_mask;
    ngx_uint_t               keys_n;
    ngx_uint_t               algs;          /* of keys in nginx.conf, bits */
    uint32_t                 salt;

    /* kept contexts of this process, see ngx_http_payhub_context.c */
    void                    *contexts;
} ngx_http_payhub_main_conf_t;


typedef struct {
    ngx_flag_t               used;          /* by this server or inside it */
} ngx_http_payhub_srv_conf_t;


/* one a main request */

typedef struct {
    u_char                   id[PH_FRAME_ID_LEN];
    u_char                   id_text[2 * PH_FRAME_ID_LEN];

    /* the verdict, bound to the request line that it was given for */

    ngx_uint_t               verdict;
    ngx_uint_t               scheme;
    ngx_str_t                line;
    ngx_http_payhub_key_t   *claim;         /* named, not proven */
    ngx_http_payhub_key_t   *key;           /* proven */
    ngx_str_t                method;        /* as received, once looked at */
    ngx_str_t                target;
    struct ph_auth_v3        auth;          /* rfc9421 fills it as well */
    ngx_str_t                idempotency;   /* key, when signed */
    void                    *proof;         /* of verification, under way */
    char                    *reason;        /* of a refusal, for logs */

    /* the edge's own refusal; raised is the status that nginx carries */

    enum ph_error            error;
    ngx_uint_t               raised;
    char                    *detail;

    /* status with which an error page was entered, 0: none was */
    ngx_uint_t               error_run;

    /* what the worker told */

    ngx_str_t                channel;
    ngx_str_t                order_id;
    ngx_str_t                outcome;
    uint64_t                 sent_us;
    uint64_t                 upstream_us;

    /* steps behind verification; each module keeps its own record here */

    void                    *live;          /* ngx_http_payhub_live_t */
    void                    *limits;        /* limits taken */
    void                    *route;         /* ngx_http_payhub_choice_t */

    unsigned                 reading:1;     /* the body is being asked for */
    unsigned                 nonce_new:1;   /* inserted by this request */
    unsigned                 nonce_old:1;   /* this host cannot know */
    unsigned                 nonce_cold:1;  /* nor is that accepted here: the
                                               worker has to ask Redis */
    unsigned                 retry_after:1; /* the header is there */
    unsigned                 passed:1;      /* payhub_pass was entered */
    unsigned                 sent:1;        /* a byte may have left, and no
                                               worker said "not executed" */
    unsigned                 answered:1;
} ngx_http_payhub_request_t;


/*
 * A step between a request and its content: NGX_DECLINED to go on, else what
 * a phase handler returns.  Steps run in the order of their table, again from
 * the first when a step has waited, and again in the location of an internal
 * redirect: what was done for a request is not done twice.
 */

typedef ngx_int_t (*ngx_http_payhub_step_pt)(ngx_http_request_t *r);


/* ngx_http_payhub_module.c, ngx_http_payhub_variable.c */

ngx_http_payhub_request_t *ngx_http_payhub_find(ngx_http_request_t *r);
ngx_http_payhub_request_t *ngx_http_payhub_get(ngx_http_request_t *r);
ngx_uint_t ngx_http_payhub_proven(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr);
ngx_int_t ngx_http_payhub_refuse(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, enum ph_error error, char *detail);
ngx_int_t ngx_http_payhub_target(ngx_http_request_t *r, ngx_str_t *method,
    ngx_str_t *target);
ngx_int_t ngx_http_payhub_add_header(ngx_http_request_t *r, char *name,
    struct ph_str value);
ngx_table_elt_t *ngx_http_payhub_push_header(ngx_http_request_t *r,
    char *name);
void ngx_http_payhub_set_problem_type(ngx_http_request_t *r);
ngx_int_t ngx_http_payhub_problem(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, enum ph_error error, ngx_uint_t status,
    char *detail, ngx_str_t *doc);
void ngx_http_payhub_mark_server(ngx_conf_t *cf);
char *ngx_http_payhub_duplicate(ngx_conf_t *cf, ngx_command_t *cmd,
    char *code);
ngx_int_t ngx_http_payhub_add_variables(ngx_conf_t *cf);

/* ngx_http_payhub_key_conf.c */

char *ngx_http_payhub_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* ngx_http_payhub_key.c */

ngx_int_t ngx_http_payhub_keys_init(ngx_conf_t *cf,
    ngx_http_payhub_main_conf_t *pmcf);
ngx_http_payhub_key_t *ngx_http_payhub_key_find(ngx_http_request_t *r,
    ngx_http_payhub_request_t *pr, struct ph_str id);
struct ph_hmac *ngx_http_payhub_key_mac(ngx_http_request_t *r,
    ngx_http_payhub_key_t *key);

/* ngx_http_payhub_verify_module.c */

ngx_uint_t ngx_http_payhub_verify_on(ngx_http_request_t *r);

/* seconds that a timestamp may be off; of a block being merged, 0: off */

time_t ngx_http_payhub_verify_skew(ngx_http_request_t *r);
time_t ngx_http_payhub_verify_conf_skew(ngx_conf_t *cf);

/* ngx_http_payhub_verify_step.c, ngx_http_payhub_nonce_module.c */

ngx_int_t ngx_http_payhub_verify_step(ngx_http_request_t *r);
ngx_int_t ngx_http_payhub_nonce_step(ngx_http_request_t *r);

/* ngx_http_payhub_limit_step.c */

ngx_int_t ngx_http_payhub_limit_address_step(ngx_http_request_t *r);
ngx_int_t ngx_http_payhub_limit_identity_step(ngx_http_request_t *r);
ngx_int_t ngx_http_payhub_limit_route_step(ngx_http_request_t *r);

/* ngx_http_payhub_route_module.c */

ngx_int_t ngx_http_payhub_route_step(ngx_http_request_t *r);

void ngx_http_payhub_route_end(void *choice);
void ngx_http_payhub_live_end(void *live);

/* payhub_route_by names a route here */

ngx_uint_t ngx_http_payhub_route_on(ngx_http_request_t *r);

/* ngx_http_payhub_control_module.c */

ngx_uint_t ngx_http_payhub_control_on(ngx_http_request_t *r);

/* ngx_http_payhub_pass_module.c */

ngx_uint_t ngx_http_payhub_pass_on(ngx_http_request_t *r);


static ngx_inline struct ph_str
ngx_http_payhub_view(ngx_str_t *s)
{
    return ph_str_make((char *) s->data, s->len);
}


extern ngx_module_t  ngx_http_payhub_module;
extern ngx_module_t  ngx_http_payhub_verify_module;
extern ngx_module_t  ngx_http_payhub_nonce_module;
extern ngx_module_t  ngx_http_payhub_limit_module;
extern ngx_module_t  ngx_http_payhub_route_module;
extern ngx_module_t  ngx_http_payhub_pass_module;
extern ngx_module_t  ngx_http_payhub_zone_module;
extern ngx_module_t  ngx_http_payhub_control_module;


#endif /* _NGX_HTTP_PAYHUB_H_INCLUDED_ */
