
/*
 * payhub_key: what it says.
 */


#include "ngx_http_payhub_verify.h"


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
static ngx_int_t ngx_http_payhub_keys_grow(ngx_conf_t *cf,
    ngx_http_payhub_main_conf_t *pmcf);

static ngx_int_t ngx_http_payhub_file_path(ngx_str_t *value, ngx_str_t *path);
static char *ngx_http_payhub_file_open(ngx_conf_t *cf,
    ngx_http_payhub_key_t *key, ngx_str_t *path);
static char *ngx_http_payhub_file_check(ngx_conf_t *cf,
    ngx_http_payhub_key_t *key, ngx_str_t *path, ngx_file_info_t *fi);
static char *ngx_http_payhub_file_read(ngx_conf_t *cf,
    ngx_http_payhub_key_t *key, ngx_str_t *path, ngx_fd_t fd);
static char *ngx_http_payhub_file_secret(ngx_conf_t *cf, ngx_str_t *path,
    size_t len);
static char *ngx_http_payhub_file_public(ngx_conf_t *cf,
    ngx_http_payhub_key_t *key, ngx_str_t *path, struct ph_str pem);
static void ngx_http_payhub_key_cleanup(void *data);


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


#define ALG(name, text, code, is_public, schemes)  ", " text

static char  ngx_http_payhub_alg_names[] =
#include "libpayhub/wire/algs.def"
;

#undef ALG


/* payhub_key id alg secret=file:path|pub=file:path [parameter=value ...] */

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
    cln->handler = ngx_http_payhub_key_cleanup;

    if (!ph_str_is_token(ngx_http_payhub_view(&value[1]), PH_KEY_ID_LEN_MAX)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C102 payhub_key: found id \"%V\", expected "
                           "1 to %d of [A-Za-z0-9_-]",
                           &value[1], PH_KEY_ID_LEN_MAX);
        return NGX_CONF_ERROR;
    }

    key->id = value[1];
    key->alg = ph_alg_find(ngx_http_payhub_view(&value[2]));

    if (key->alg == PH_ALG_NONE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C102 payhub_key: found algorithm \"%V\", "
                           "expected one of %s",
                           &value[2], ngx_http_payhub_alg_names + 2);
        return NGX_CONF_ERROR;
    }

#if !(NGX_THREADS)

    if (key->alg == PH_ALG_SM2_SM3) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C202 payhub_key: found sm2-sm3, expected an "
                           "nginx with threads for it");
        return NGX_CONF_ERROR;
    }

#endif

    seen = 0;

    for (i = 3; i < cf->args->nelts; i++) {
        rv = ngx_http_payhub_key_param(cf, key, &value[i], &seen);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (key->material.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C102 payhub_key: found no %s for \"%V\", "
                           "expected %s=file:PATH",
                           ph_alg_is_public(key->alg) ? "public key"
                                                      : "secret",
                           &value[1],
                           ph_alg_is_public(key->alg) ? "pub" : "secret");
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
        key->schemes = ph_alg_schemes(key->alg);
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
                       "pub=, schemes=, app=, mch=, role=, not_before= or "
                       "not_after=", arg);
    return NGX_CONF_ERROR;
}


static char *
ngx_http_payhub_key_secret(ngx_conf_t *cf, ngx_http_payhub_key_t *key,
    ngx_str_t *value, size_t offset)
{
    ngx_str_t  path;

    if (ph_alg_is_public(key->alg)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C102 payhub_key: found secret=, expected "
                           "pub=file:PATH for an algorithm with public keys");
        return NGX_CONF_ERROR;
    }

    if (ngx_http_payhub_file_path(value, &path) != NGX_OK) {

        /* what stands here instead may be the secret itself: not shown */

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C102 payhub_key: found secret= without "
                           "\"file:\", expected secret=file:PATH");
        return NGX_CONF_ERROR;
    }

    return ngx_http_payhub_file_open(cf, key, &path);
}


static char *
ngx_http_payhub_key_pub(ngx_conf_t *cf, ngx_http_payhub_key_t *key,
    ngx_str_t *value, size_t offset)
{
    ngx_str_t  path;

    if (!ph_alg_is_public(key->alg)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C102 payhub_key: found pub=, expected "
                           "secret=file:PATH for hmac-sha256");
        return NGX_CONF_ERROR;
    }

    if (ngx_http_payhub_file_path(value, &path) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C102 payhub_key: found pub=\"%V\", expected "
                           "pub=file:PATH", value);
        return NGX_CONF_ERROR;
    }

    return ngx_http_payhub_file_open(cf, key, &path);
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

        scheme = ph_scheme_find(piece);

        if (scheme == 0 || (key->schemes & scheme)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "PH-C102 payhub_key: found scheme \"%V\"%s, "
                               "expected payhub-v3 or rfc9421", &name,
                               scheme ? " twice" : "");
            return NGX_CONF_ERROR;
        }

        if (!(ph_alg_schemes(key->alg) & scheme)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "PH-C102 payhub_key: found scheme \"%V\", "
                               "expected one that the algorithm serves",
                               &name);
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
    ngx_http_payhub_key_t  **bucket;

    key->hash = ngx_murmur_hash2(key->id.data, key->id.len);

    if (ngx_http_payhub_key_static(pmcf, ngx_http_payhub_view(&key->id),
                                   key->hash))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C102 payhub_key: found \"%V\" twice, expected "
                           "each id once", &key->id);
        return NGX_CONF_ERROR;
    }

    if (pmcf->keys_n == NGX_HTTP_PAYHUB_KEYS_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C101 payhub_key: found more than %d keys, "
                           "expected at most that many",
                           NGX_HTTP_PAYHUB_KEYS_MAX);
        return NGX_CONF_ERROR;
    }

    if (pmcf->keys_n > pmcf->keys_mask
        && ngx_http_payhub_keys_grow(cf, pmcf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    bucket = &pmcf->keys[key->hash & pmcf->keys_mask];

    key->next = *bucket;
    *bucket = key;

    pmcf->keys_n++;
    pmcf->algs |= NGX_HTTP_PAYHUB_ALG(key->alg);

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_payhub_keys_grow(ngx_conf_t *cf, ngx_http_payhub_main_conf_t *pmcf)
{
    ngx_uint_t               i, mask;
    ngx_http_payhub_key_t   *key, *next, **keys;

    mask = pmcf->keys_mask * 2 + 1;

    keys = ngx_pcalloc(cf->pool, (mask + 1) * sizeof(ngx_http_payhub_key_t *));
    if (keys == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i <= pmcf->keys_mask; i++) {

        for (key = pmcf->keys[i]; key; key = next) {
            next = key->next;
            key->next = keys[key->hash & mask];
            keys[key->hash & mask] = key;
        }
    }

    (void) ngx_pfree(cf->pool, pmcf->keys);

    pmcf->keys = keys;
    pmcf->keys_mask = mask;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payhub_file_path(ngx_str_t *value, ngx_str_t *path)
{
    if (value->len <= sizeof("file:") - 1
        || ngx_strncmp(value->data, "file:", sizeof("file:") - 1) != 0)
    {
        return NGX_DECLINED;
    }

    path->data = value->data + sizeof("file:") - 1;
    path->len = value->len - (sizeof("file:") - 1);

    return NGX_OK;
}


static char *
ngx_http_payhub_file_open(ngx_conf_t *cf, ngx_http_payhub_key_t *key,
    ngx_str_t *path)
{
    char             *rv;
    ngx_fd_t          fd;
    ngx_file_info_t   fi;

    if (ngx_conf_full_name(cf->cycle, path, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    fd = ngx_open_file(path->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "PH-C103 payhub_key: found no readable file "
                           "\"%V\", expected the %s there", path,
                           ph_alg_is_public(key->alg) ? "public key"
                                                      : "secret");
        return NGX_CONF_ERROR;
    }

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "PH-C103 payhub_key: " ngx_fd_info_n
                           " \"%V\" failed", path);
        rv = NGX_CONF_ERROR;
        goto done;
    }

    rv = ngx_http_payhub_file_check(cf, key, path, &fi);

    if (rv == NGX_CONF_OK) {
        rv = ngx_http_payhub_file_read(cf, key, path, fd);
    }

done:

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", path);
    }

    return rv;
}


static char *
ngx_http_payhub_file_check(ngx_conf_t *cf, ngx_http_payhub_key_t *key,
    ngx_str_t *path, ngx_file_info_t *fi)
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

    if (!ph_alg_is_public(key->alg) && (mode & 077)) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "PH-C103 payhub_key: found mode 0%ui%ui%ui of "
                           "\"%V\", expected no access for group and "
                           "others: chmod 600", mode >> 6 & 7,
                           mode >> 3 & 7, mode & 7, path);
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_payhub_file_read(ngx_conf_t *cf, ngx_http_payhub_key_t *key,
    ngx_str_t *path, ngx_fd_t fd)
{
    char     *rv;
    size_t    len, max;
    ssize_t   n;
    u_char    buf[PH_PUBLIC_KEY_PEM_MAX + 2];

    max = ph_alg_is_public(key->alg) ? PH_PUBLIC_KEY_PEM_MAX
                                     : NGX_HTTP_PAYHUB_SECRET_MAX;
    len = 0;

    do {
        n = ngx_read_fd(fd, buf + len, max + 2 - len);

        if (n == -1) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                               "PH-C103 payhub_key: " ngx_read_fd_n
                               " \"%V\" failed", path);
            rv = NGX_CONF_ERROR;
            goto done;
        }

        len += n;

    } while (n && len < max + 2);

    /* one LF at the end is not part of it */

    if (len && buf[len - 1] == LF) {
        len--;
    }

    if (len == 0 || len > max) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C103 payhub_key: found %uz%s bytes in \"%V\", "
                           "expected a %s of 1 to %uz bytes", len,
                           len > max ? " or more" : "", path,
                           ph_alg_is_public(key->alg) ? "public key"
                                                      : "secret", max);
        rv = NGX_CONF_ERROR;
        goto done;
    }

    if (ph_alg_is_public(key->alg)) {
        rv = ngx_http_payhub_file_public(cf, key, path,
                                         ph_str_make((char *) buf, len));

    } else {
        rv = ngx_http_payhub_file_secret(cf, path, len);
    }

    if (rv != NGX_CONF_OK) {
        goto done;
    }

    key->material.data = ngx_pnalloc(cf->pool, len);

    if (key->material.data == NULL) {
        rv = NGX_CONF_ERROR;
        goto done;
    }

    key->material.len = len;
    ngx_memcpy(key->material.data, buf, len);

done:

    ngx_explicit_memzero(buf, sizeof(buf));

    return rv;
}


static char *
ngx_http_payhub_file_secret(ngx_conf_t *cf, ngx_str_t *path, size_t len)
{
    if (len < NGX_HTTP_PAYHUB_SECRET_MIN) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "PH-C103 payhub_key: found %uz bytes in \"%V\", "
                           "expected %d or more: a short secret can be "
                           "guessed", len, path, NGX_HTTP_PAYHUB_SECRET_MIN);
    }

    return NGX_CONF_OK;
}


/* a key that cannot verify is found at the start, not by its first caller */

static char *
ngx_http_payhub_file_public(ngx_conf_t *cf, ngx_http_payhub_key_t *key,
    ngx_str_t *path, struct ph_str pem)
{
    char                *found;
    ngx_uint_t           kept;
    enum ph_rc           rc;
    struct ph_str        alg;
    struct ph_verifier  *verifier;

    /* only a process that serves requests goes on with the algorithms */

    kept = ph_digest_is_ready();

    if (!ph_digest_init()) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PH-C103 payhub_key: OpenSSL offers no SHA-256");
        return NGX_CONF_ERROR;
    }

    verifier = NULL;

    rc = ph_verifier_new(&verifier, key->alg, pem);
    ph_verifier_free(verifier);

    if (!kept) {
        ph_digest_deinit();
    }

    switch (rc) {

    case PH_OK:
        return NGX_CONF_OK;

    case PH_E_RANGE:
        found = "a key that is too weak or too large";
        break;

    case PH_E_UNKNOWN:
        found = "a key of another kind";
        break;

    case PH_E_SYNTAX:
        found = "no such PEM";
        break;

    default:
        found = "a key that OpenSSL cannot use";
    }

    alg = ph_alg_name(key->alg);

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "PH-C103 payhub_key: found %s in \"%V\", expected a "
                       "PEM \"PUBLIC KEY\" for %*s and nothing else", found,
                       path, alg.len, alg.ptr);
    return NGX_CONF_ERROR;
}


static void
ngx_http_payhub_key_cleanup(void *data)
{
    ngx_http_payhub_key_t  *key = data;

    if (key->material.data) {
        ngx_explicit_memzero(key->material.data, key->material.len);
    }
}
