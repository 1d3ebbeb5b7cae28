
/*
 * payhub_key lines, the table of keys, and the kept HMAC contexts.
 *
 * Contexts are made in worker processes at first use, at most
 * NGX_HTTP_PAYHUB_MACS_MAX of them; beyond that the context used longest ago
 * is keyed anew.
 */


#include "ngx_http_payhub.h"


typedef char *(*ngx_http_payhub_param_pt)(ngx_conf_t *cf,
    ngx_http_payhub_key_t *key, ngx_str_t *value, size_t offset);


typedef struct {
    ngx_str_t                  name;
    ngx_http_payhub_param_pt   set;
    size_t                     offset;
} ngx_http_payhub_param_t;


static char *ngx_http_payhub_key_param(ngx_conf_t *cf,
    ngx_http_payhub_key_t *key, ngx_str_t *arg, ngx_uint_t *seen);
static char *ngx_http_payhub_key_secret(ngx_conf_t *cf,
    ngx_http_payhub_key_t *key, ngx_str_t *value, size_t offset);
static char *ngx_http_payhub_key_pub(ngx_conf_t *cf,
    ngx_http_payhub_key_t *key, ngx_str_t *value, size_t offset);
static char *ngx_http_payhub_key_schemes(ngx_conf_t *cf,
    ngx_http_payhub_key_t *key, ngx_str_t *value, size_t offset);
static char *ngx_http_payhub_key_name(ngx_conf_t *cf,
    ngx_http_payhub_key_t *key, ngx_str_t *value, size_t offset);
static char *ngx_http_payhub_key_role(ngx_conf_t *cf,
    ngx_http_payhub_key_t *key, ngx_str_t *value, size_t offset);
static char *ngx_http_payhub_key_time(ngx_conf_t *cf,
    ngx_http_payhub_key_t *key, ngx_str_t *value, size_t offset);
static char *ngx_http_payhub_key_insert(ngx_conf_t *cf,
    ngx_http_payhub_main_conf_t *pmcf, ngx_http_payhub_key_t *key);

static char *ngx_http_payhub_secret_open(ngx_conf_t *cf,
    ngx_http_payhub_key_t *key, ngx_str_t *path);
static char *ngx_http_payhub_secret_check(ngx_conf_t *cf, ngx_str_t *path,
    ngx_file_info_t *fi);
static char *ngx_http_payhub_secret_read(ngx_conf_t *cf,
    ngx_http_payhub_key_t *key, ngx_str_t *path, ngx_fd_t fd);
static void ngx_http_payhub_secret_cleanup(void *data);


static ngx_http_payhub_param_t  ngx_http_payhub_params[] = {
    { ngx_string("secret="), ngx_http_payhub_key_secret, 0 },
    { ngx_string("pub="), ngx_http_payhub_key_pub, 0 },
    { ngx_string("schemes="), ngx_http_payhub_key_schemes, 0 },
    { ngx_string("app="), ngx_http_payhub_key_name,
      offsetof(ngx_http_payhub_key_t, app) },
    { ngx_string("mch="), ngx_http_payhub_key_name,
      offsetof(ngx_http_payhub_key_t, merchant) },
    { ngx_string("role="), ngx_http_payhub_key_role, 0 },
    { ngx_string("not_before="), ngx_http_payhub_key_time,
      offsetof(ngx_http_payhub_key_t, not_before) },
    { ngx_string("not_after="), ngx_http_payhub_key_time,
      offsetof(ngx_http_payhub_key_t, not_after) },
    { ngx_null_string, NULL, 0 }
};


/* payhub_key id alg secret=file:path [parameter=value ...] */

char *
ngx_http_payhub_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payhub_main_conf_t  *pmcf = conf;

    char                   *rv;
    ngx_str_t              *value;
    ngx_uint_t              i, seen;
    ngx_pool_cleanup_t     *cln;
    ngx_http_payhub_key_t  *key;

    value = cf->args->elts;

    cln = ngx_pool_cleanup_add(cf->pool, sizeof(ngx_http_payhub_key_t));
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    key = cln->data;
    ngx_memzero(key, sizeof(ngx_http_payhub_key_t));
    cln->handler = ngx_http_payhub_secret_cleanup;

    if (!ph_str_is_token(ngx_http_payhub_view(&value[1]), PH_KEY_ID_LEN_MAX)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C102 payhub_key: found id \"%V\", expected "
                           "1 to %d of [A-Za-z0-9_-]",
                           &value[1], PH_KEY_ID_LEN_MAX);
        return NGX_CONF_ERROR;
    }

    key->sn.str = value[1];

    if (value[2].len != sizeof("hmac-sha256") - 1
        || ngx_strcmp(value[2].data, "hmac-sha256") != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C102 payhub_key: found \"%V\", expected "
                           "hmac-sha256", &value[2]);
        return NGX_CONF_ERROR;
    }

    seen = 0;

    for (i = 3; i < cf->args->nelts; i++) {
        rv = ngx_http_payhub_key_param(cf, key, &value[i], &seen);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (key->secret.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C102 payhub_key: found no secret for \"%V\", "
                           "expected secret=file:PATH", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (key->not_after && key->not_before >= key->not_after) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C102 payhub_key: found not_before=%T and "
                           "not_after=%T, expected the first below the second",
                           key->not_before, key->not_after);
        return NGX_CONF_ERROR;
    }

    if (key->schemes == 0) {
        key->schemes = PH_SCHEME_V3;
    }

    return ngx_http_payhub_key_insert(cf, pmcf, key);
}


static char *
ngx_http_payhub_key_param(ngx_conf_t *cf, ngx_http_payhub_key_t *key,
    ngx_str_t *arg, ngx_uint_t *seen)
{
    ngx_str_t                 value;
    ngx_uint_t                n;
    ngx_http_payhub_param_t  *param;

    for (n = 0; ngx_http_payhub_params[n].name.len; n++) {
        param = &ngx_http_payhub_params[n];

        if (arg->len < param->name.len
            || ngx_strncmp(arg->data, param->name.data, param->name.len) != 0)
        {
            continue;
        }

        if (*seen & ((ngx_uint_t) 1 << n)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "PH-C102 payhub_key: found \"%V\" twice, "
                               "expected it once", &param->name);
            return NGX_CONF_ERROR;
        }

        *seen |= (ngx_uint_t) 1 << n;

        value.data = arg->data + param->name.len;
        value.len = arg->len - param->name.len;

        return param->set(cf, key, &value, param->offset);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "PH-C102 payhub_key: found \"%V\", expected secret=, "
                       "schemes=, app=, mch=, role=, not_before= or "
                       "not_after=", arg);
    return NGX_CONF_ERROR;
}


static char *
ngx_http_payhub_key_secret(ngx_conf_t *cf, ngx_http_payhub_key_t *key,
    ngx_str_t *value, size_t offset)
{
    ngx_str_t  path;

    if (value->len <= sizeof("file:") - 1
        || ngx_strncmp(value->data, "file:", sizeof("file:") - 1) != 0)
    {
        /* what stands here instead may be the secret itself: not shown */

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C102 payhub_key: found secret= without "
                           "\"file:\", expected secret=file:PATH");
        return NGX_CONF_ERROR;
    }

    path.data = value->data + sizeof("file:") - 1;
    path.len = value->len - (sizeof("file:") - 1);

    if (ngx_conf_full_name(cf->cycle, &path, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_payhub_secret_open(cf, key, &path);
}


static char *
ngx_http_payhub_key_pub(ngx_conf_t *cf, ngx_http_payhub_key_t *key,
    ngx_str_t *value, size_t offset)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "PH-C102 payhub_key: found pub=, expected "
                       "secret=file:PATH for hmac-sha256");
    return NGX_CONF_ERROR;
}


static char *
ngx_http_payhub_key_schemes(ngx_conf_t *cf, ngx_http_payhub_key_t *key,
    ngx_str_t *value, size_t offset)
{
    ngx_str_t      name;
    ngx_uint_t     scheme;
    struct ph_str  list, piece;

    list = ngx_http_payhub_view(value);

    while (ph_str_next(&list, ',', &piece)) {
        name.data = (u_char *) piece.ptr;
        name.len = piece.len;

        scheme = ngx_http_payhub_scheme(&name);

        if (scheme == 0 || (key->schemes & scheme)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "PH-C102 payhub_key: found scheme \"%V\"%s, "
                               "expected payhub-v3", &name,
                               scheme ? " twice" : "");
            return NGX_CONF_ERROR;
        }

        key->schemes |= scheme;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_payhub_key_name(ngx_conf_t *cf, ngx_http_payhub_key_t *key,
    ngx_str_t *value, size_t offset)
{
    if (!ph_str_is_token(ngx_http_payhub_view(value),
                         NGX_HTTP_PAYHUB_NAME_MAX))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C102 payhub_key: found app or mch \"%V\", "
                           "expected 1 to %d of [A-Za-z0-9_-]",
                           value, NGX_HTTP_PAYHUB_NAME_MAX);
        return NGX_CONF_ERROR;
    }

    *(ngx_str_t *) ((u_char *) key + offset) = *value;

    return NGX_CONF_OK;
}


static char *
ngx_http_payhub_key_role(ngx_conf_t *cf, ngx_http_payhub_key_t *key,
    ngx_str_t *value, size_t offset)
{
    if (!ph_str_is_token(ngx_http_payhub_view(value),
                         NGX_HTTP_PAYHUB_ROLE_MAX))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C102 payhub_key: found role \"%V\", expected "
                           "1 to %d of [A-Za-z0-9_-]",
                           value, NGX_HTTP_PAYHUB_ROLE_MAX);
        return NGX_CONF_ERROR;
    }

    key->role = *value;

    return NGX_CONF_OK;
}


static char *
ngx_http_payhub_key_time(ngx_conf_t *cf, ngx_http_payhub_key_t *key,
    ngx_str_t *value, size_t offset)
{
    time_t  when;

    when = ngx_atotm(value->data, value->len);

    if (when == (time_t) NGX_ERROR || when == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C102 payhub_key: found time \"%V\", expected "
                           "unix seconds above 0", value);
        return NGX_CONF_ERROR;
    }

    *(time_t *) ((u_char *) key + offset) = when;

    return NGX_CONF_OK;
}


static char *
ngx_http_payhub_key_insert(ngx_conf_t *cf, ngx_http_payhub_main_conf_t *pmcf,
    ngx_http_payhub_key_t *key)
{
    if (ngx_http_payhub_key_find(pmcf, ngx_http_payhub_view(&key->sn.str))
        != pmcf->dummy)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C102 payhub_key: found \"%V\" twice, expected "
                           "each id once", &key->sn.str);
        return NGX_CONF_ERROR;
    }

    if (pmcf->keys == NGX_HTTP_PAYHUB_KEYS_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C101 payhub_key: found more than %d keys, "
                           "expected at most that many",
                           NGX_HTTP_PAYHUB_KEYS_MAX);
        return NGX_CONF_ERROR;
    }

    key->sn.node.key = ngx_crc32_short(key->sn.str.data, key->sn.str.len);
    ngx_rbtree_insert(&pmcf->tree, &key->sn.node);
    pmcf->keys++;

    return NGX_CONF_OK;
}


static char *
ngx_http_payhub_secret_open(ngx_conf_t *cf, ngx_http_payhub_key_t *key,
    ngx_str_t *path)
{
    char             *rv;
    ngx_fd_t          fd;
    ngx_file_info_t   fi;

    fd = ngx_open_file(path->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "PH-C103 payhub_key: found no readable file "
                           "\"%V\", expected the secret there", path);
        return NGX_CONF_ERROR;
    }

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "PH-C103 payhub_key: " ngx_fd_info_n
                           " \"%V\" failed", path);
        rv = NGX_CONF_ERROR;
        goto done;
    }

    rv = ngx_http_payhub_secret_check(cf, path, &fi);

    if (rv == NGX_CONF_OK) {
        rv = ngx_http_payhub_secret_read(cf, key, path, fd);
    }

done:

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", path);
    }

    return rv;
}


static char *
ngx_http_payhub_secret_check(ngx_conf_t *cf, ngx_str_t *path,
    ngx_file_info_t *fi)
{
    ngx_uint_t  mode;

    if (!ngx_is_file(fi)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C103 payhub_key: found \"%V\", expected an "
                           "ordinary file", path);
        return NGX_CONF_ERROR;
    }

    /* as nginx does with private keys: told, not refused */

    mode = ngx_file_access(fi);

    if (mode & 077) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "PH-C103 payhub_key: found mode 0%ui%ui%ui of "
                           "\"%V\", expected no access for group and "
                           "others: chmod 600", mode >> 6 & 7,
                           mode >> 3 & 7, mode & 7, path);
    }

    return NGX_CONF_OK;
}


/* one LF at the end is not part of the secret */

static char *
ngx_http_payhub_secret_read(ngx_conf_t *cf, ngx_http_payhub_key_t *key,
    ngx_str_t *path, ngx_fd_t fd)
{
    size_t   len;
    ssize_t  n;
    u_char   buf[NGX_HTTP_PAYHUB_SECRET_MAX + 2];

    len = 0;

    do {
        n = ngx_read_fd(fd, buf + len, sizeof(buf) - len);

        if (n == -1) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                               "PH-C103 payhub_key: " ngx_read_fd_n
                               " \"%V\" failed", path);
            ngx_explicit_memzero(buf, sizeof(buf));
            return NGX_CONF_ERROR;
        }

        len += n;

    } while (n && len < sizeof(buf));

    if (len && buf[len - 1] == LF) {
        len--;
    }

    if (len == 0 || len > NGX_HTTP_PAYHUB_SECRET_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C103 payhub_key: found %uz%s bytes in \"%V\", "
                           "expected a secret of 1 to %d bytes", len,
                           len > NGX_HTTP_PAYHUB_SECRET_MAX ? " or more" : "",
                           path, NGX_HTTP_PAYHUB_SECRET_MAX);
        ngx_explicit_memzero(buf, sizeof(buf));
        return NGX_CONF_ERROR;
    }

    if (len < NGX_HTTP_PAYHUB_SECRET_MIN) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "PH-C103 payhub_key: found %uz bytes in \"%V\", "
                           "expected %d or more: a short secret can be "
                           "guessed", len, path, NGX_HTTP_PAYHUB_SECRET_MIN);
    }

    key->secret.data = ngx_pnalloc(cf->pool, len);

    if (key->secret.data) {
        key->secret.len = len;
        ngx_memcpy(key->secret.data, buf, len);
    }

    ngx_explicit_memzero(buf, sizeof(buf));

    return key->secret.data ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static void
ngx_http_payhub_secret_cleanup(void *data)
{
    ngx_http_payhub_key_t  *key = data;

    ph_hmac_free(key->mac);
    key->mac = NULL;

    if (key->secret.data) {
        ngx_explicit_memzero(key->secret.data, key->secret.len);
    }
}


ngx_int_t
ngx_http_payhub_keys_init(ngx_conf_t *cf, ngx_http_payhub_main_conf_t *pmcf)
{
    ngx_pool_cleanup_t     *cln;
    ngx_http_payhub_key_t  *key;

    ngx_rbtree_init(&pmcf->tree, &pmcf->sentinel, ngx_str_rbtree_insert_value);
    ngx_queue_init(&pmcf->macs);

    cln = ngx_pool_cleanup_add(cf->pool, sizeof(ngx_http_payhub_key_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    key = cln->data;
    ngx_memzero(key, sizeof(ngx_http_payhub_key_t));
    cln->handler = ngx_http_payhub_secret_cleanup;

    /* never matched: a claim of this key is refused whatever it signs */

    key->secret.data = ngx_pcalloc(cf->pool, NGX_HTTP_PAYHUB_SECRET_MIN);
    if (key->secret.data == NULL) {
        return NGX_ERROR;
    }

    key->secret.len = NGX_HTTP_PAYHUB_SECRET_MIN;
    pmcf->dummy = key;

    return NGX_OK;
}


/* never NULL: unknown ids get the dummy */

ngx_http_payhub_key_t *
ngx_http_payhub_key_find(ngx_http_payhub_main_conf_t *pmcf, struct ph_str id)
{
    uint32_t         hash;
    ngx_str_t        name;
    ngx_str_node_t  *sn;

    name.data = (u_char *) id.ptr;
    name.len = id.len;

    hash = ngx_crc32_short(name.data, name.len);

    sn = ngx_str_rbtree_lookup(&pmcf->tree, &name, hash);
    if (sn == NULL) {
        return pmcf->dummy;
    }

    return (ngx_http_payhub_key_t *)
               ((u_char *) sn - offsetof(ngx_http_payhub_key_t, sn));
}


/* NULL when the crypto library fails; borrowed until the next call */

struct ph_hmac *
ngx_http_payhub_key_mac(ngx_http_payhub_main_conf_t *pmcf,
    ngx_http_payhub_key_t *key)
{
    ngx_queue_t            *q;
    struct ph_hmac         *mac;
    ngx_http_payhub_key_t  *old;

    if (key->mac) {
        ngx_queue_remove(&key->queue);
        ngx_queue_insert_head(&pmcf->macs, &key->queue);

        return key->mac;
    }

    if (pmcf->macs_n < NGX_HTTP_PAYHUB_MACS_MAX) {
        mac = ph_hmac_new(ngx_http_payhub_view(&key->secret));
        if (mac == NULL) {
            return NULL;
        }

        pmcf->macs_n++;

    } else {
        q = ngx_queue_last(&pmcf->macs);
        old = ngx_queue_data(q, ngx_http_payhub_key_t, queue);

        ngx_queue_remove(q);
        mac = old->mac;
        old->mac = NULL;

        if (!ph_hmac_rekey(mac, ngx_http_payhub_view(&key->secret))) {
            ph_hmac_free(mac);
            pmcf->macs_n--;
            return NULL;
        }
    }

    key->mac = mac;
    ngx_queue_insert_head(&pmcf->macs, &key->queue);

    return mac;
}


/* the bit of a scheme's name, 0 when there is none */

ngx_uint_t
ngx_http_payhub_scheme(ngx_str_t *name)
{
    if (name->len == sizeof("payhub-v3") - 1
        && ngx_strncmp(name->data, "payhub-v3", name->len) == 0)
    {
        return PH_SCHEME_V3;
    }

    return 0;
}
