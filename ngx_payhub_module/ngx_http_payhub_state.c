
/*
 * The state file: what seals it, and writing.
 */


#include "ngx_http_payhub_state_int.h"
#include "libpayhub/wire/digest.h"
#include <fcntl.h>
#include <sys/file.h>
#include <openssl/rand.h>


#define NGX_HTTP_PAYHUB_STATE_SLICE     2000    /* keys between other work */
#define NGX_HTTP_PAYHUB_STATE_EVERY     1000    /* ms, at most one writing */
#define NGX_HTTP_PAYHUB_STATE_AGAIN     10000   /* ms after a failure */
#define NGX_HTTP_PAYHUB_STATE_SHARE     20      /* of the time, one part */


ngx_http_payhub_state_file_t  ngx_http_payhub_state_files[2];


static ngx_int_t ngx_http_payhub_state_seal_read(ngx_conf_t *cf, char *code,
    ngx_str_t *directive, ngx_str_t *path, u_char *key);


char *
ngx_http_payhub_state_set(ngx_conf_t *cf, char *code, ngx_str_t *directive,
    ngx_str_t *state, ngx_str_t *seal)
{
    u_char                        *p;
    ngx_str_t                      path;
    ngx_http_payhub_zone_conf_t   *zcf;
    ngx_http_payhub_state_conf_t  *conf;

    zcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_payhub_zone_module);
    conf = &zcf->state;

    if (conf->path.len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s %V: found a second state=, expected one of "
                           "payhub_zone and payhub_sync to have it",
                           code, directive);
        return NGX_CONF_ERROR;
    }

    if (state->len == 0 || seal->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s %V: found %s alone, expected state=PATH and "
                           "seal=file:PATH together", code, directive,
                           state->len ? "state=" : "seal=");
        return NGX_CONF_ERROR;
    }

    if (seal->len <= 5 || ngx_strncmp(seal->data, "file:", 5) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s %V: found seal= without \"file:\", expected "
                           "seal=file:PATH", code, directive);
        return NGX_CONF_ERROR;
    }

    path.data = seal->data + 5;
    path.len = seal->len - 5;

    if (ngx_conf_full_name(cf->cycle, &path, 1) != NGX_OK
        || ngx_conf_full_name(cf->cycle, state, 1) != NGX_OK
        || ngx_http_payhub_state_seal_read(cf, code, directive, &path,
                                           conf->key.bytes)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    conf->key.id = PH_STR("edge");
    conf->path = *state;

    p = ngx_pnalloc(cf->pool, state->len + sizeof(".keys"));
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    conf->keys_path.data = p;
    conf->keys_path.len = ngx_sprintf(p, "%V.keys%Z", state) - p - 1;

    return NGX_CONF_OK;
}


/* 64 hexadecimal digits, as [seal] key_file of payhub.conf */

static ngx_int_t
ngx_http_payhub_state_seal_read(ngx_conf_t *cf, char *code,
    ngx_str_t *directive, ngx_str_t *path, u_char *key)
{
    u_char      buf[2 * PH_SEAL_KEY_LEN + 2];
    ssize_t     n;
    ngx_fd_t    fd;
    ngx_int_t   value;
    ngx_uint_t  i;

    fd = ngx_open_file(path->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "%s %V: found no readable file \"%V\", expected "
                           "the seal there", code, directive, path);
        return NGX_ERROR;
    }

    n = ngx_read_fd(fd, buf, sizeof(buf));
    (void) ngx_close_file(fd);

    if (n > 0 && buf[n - 1] == LF) {
        n--;
    }

    value = 0;

    for (i = 0; n == 2 * PH_SEAL_KEY_LEN && i < PH_SEAL_KEY_LEN; i++) {
        value = ngx_hextoi(&buf[2 * i], 2);

        if (value == NGX_ERROR) {
            break;
        }

        key[i] = (u_char) value;
    }

    ngx_explicit_memzero(buf, sizeof(buf));

    if (n != 2 * PH_SEAL_KEY_LEN || value == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s %V: found something else in \"%V\", expected "
                           "64 hexadecimal digits", code, directive, path);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_payhub_state_info(ngx_http_payhub_state_info_t *changes,
    ngx_http_payhub_state_info_t *keys)
{
    ngx_http_payhub_live_head_t  *head;

    head = ngx_http_payhub_live_head();

    if (head == NULL) {
        return 0;
    }

    *changes = head->info[NGX_HTTP_PAYHUB_STATE_CHANGES];
    *keys = head->info[NGX_HTTP_PAYHUB_STATE_KEYS];

    return 1;
}


/* --- chunks */

static ngx_int_t
ngx_http_payhub_state_write_fd(ngx_http_payhub_state_file_t *file,
    u_char *data, size_t len)
{
    ssize_t  n;

    while (len) {
        n = ngx_write_fd(file->fd, data, len);

        if (n <= 0) {
            return NGX_ERROR;
        }

        data += n;
        len -= n;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payhub_state_flush(ngx_http_payhub_state_file_t *file,
    ngx_uint_t last)
{
    u_char                nonce[PH_SEAL_NONCE_LEN], len[4], memory[128];
    struct ph_buf         buf;
    struct ph_seal_place  place;

    ngx_http_payhub_state_place(file, last, memory, &place);
    ph_buf_init(&buf, (char *) file->sealed, sizeof(file->sealed));

    if (RAND_bytes(nonce, sizeof(nonce)) != 1
        || ph_seal(&buf, file->key, &place, nonce,
                   ph_str_make((char *) file->plain, file->len))
           != PH_OK)
    {
        return NGX_ERROR;
    }

    len[0] = (u_char) buf.len;
    len[1] = (u_char) (buf.len >> 8);
    len[2] = (u_char) (buf.len >> 16);
    len[3] = 0;

    file->chunk++;
    file->len = 0;

    if (ngx_http_payhub_state_write_fd(file, len, 4) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_payhub_state_write_fd(file, file->sealed, buf.len);
}


static ngx_int_t
ngx_http_payhub_state_add(ngx_http_payhub_state_file_t *file, void *data,
    size_t len)
{
    u_char  *p = data;
    size_t   part;

    while (len) {

        if (file->len == NGX_HTTP_PAYHUB_STATE_PLAIN
            && ngx_http_payhub_state_flush(file, 0) != NGX_OK)
        {
            return NGX_ERROR;
        }

        part = ngx_min(len, NGX_HTTP_PAYHUB_STATE_PLAIN - file->len);
        ngx_memcpy(file->plain + file->len, p, part);

        file->len += part;
        p += part;
        len -= part;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payhub_state_add_number(ngx_http_payhub_state_file_t *file,
    uint64_t value)
{
    u_char      bytes[8];
    ngx_uint_t  i;

    for (i = 0; i < 8; i++) {
        bytes[i] = (u_char) (value >> 8 * i);
    }

    return ngx_http_payhub_state_add(file, bytes, 8);
}


/* --- writing */

static void
ngx_http_payhub_state_temp(ngx_str_t *path, const char *tail, u_char *to)
{
    (void) ngx_snprintf(to, NGX_MAX_PATH, "%V%s%Z", path, tail);
}


static ngx_int_t
ngx_http_payhub_state_begin(ngx_http_payhub_state_file_t *file,
    ngx_http_payhub_state_conf_t *state, ngx_str_t *path)
{
    u_char  head[NGX_HTTP_PAYHUB_STATE_HEAD], temp[NGX_MAX_PATH + 1];

    /*
     * Processes of an earlier zone, or of the nginx before a USR2, may be
     * writing too: one at a time, and none with an earlier zone afterwards.
     */

    ngx_http_payhub_state_temp(path, ".lock", temp);

    file->lock = open((char *) temp, O_RDWR|O_CREAT|O_CLOEXEC, 0600);

    if (file->lock == NGX_INVALID_FILE) {
        return NGX_ERROR;
    }

    if (flock(file->lock, LOCK_EX|LOCK_NB) == -1
        || !ngx_http_payhub_epoch_latest())
    {
        (void) ngx_close_file(file->lock);
        return NGX_BUSY;
    }

    ngx_http_payhub_state_temp(path, ".tmp", temp);

    /* a new file, whatever a killed process left there */

    (void) ngx_delete_file(temp);

    file->fd = open((char *) temp, O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0600);

    if (file->fd == NGX_INVALID_FILE) {
        (void) ngx_close_file(file->lock);
        return NGX_ERROR;
    }

    file->open = 1;
    file->key = &state->key;
    file->chunk = 0;
    file->len = 0;
    file->walk = 0;
    file->keys = 0;
    file->began = ngx_current_msec;

    if (RAND_bytes(file->id, NGX_HTTP_PAYHUB_STATE_ID) != 1) {
        return NGX_ERROR;
    }

    ngx_memcpy(head, NGX_HTTP_PAYHUB_STATE_MAGIC, 5);
    ngx_memcpy(head + 5, file->id, NGX_HTTP_PAYHUB_STATE_ID);

    return ngx_http_payhub_state_write_fd(file, head, sizeof(head));
}


static void
ngx_http_payhub_state_close(ngx_http_payhub_state_file_t *file)
{
    if (file->open) {
        (void) ngx_close_file(file->fd);
        (void) ngx_close_file(file->lock);
        file->open = 0;
    }
}


static ngx_int_t
ngx_http_payhub_state_fsync_folder(ngx_str_t *path)
{
    u_char    folder[NGX_MAX_PATH + 1], *p;
    ngx_fd_t  fd;
    ngx_int_t rc;

    ngx_http_payhub_state_temp(path, "", folder);

    p = (u_char *) strrchr((char *) folder, '/');
    if (p == NULL) {
        return NGX_OK;
    }

    p[1] = '\0';

    fd = open((char *) folder, O_RDONLY|O_DIRECTORY|O_CLOEXEC);
    if (fd == NGX_INVALID_FILE) {
        return NGX_ERROR;
    }

    rc = fsync(fd) == -1 ? NGX_ERROR : NGX_OK;
    (void) ngx_close_file(fd);

    return rc;
}


static ngx_int_t
ngx_http_payhub_state_end(ngx_http_payhub_state_file_t *file, ngx_str_t *path,
    ngx_http_payhub_state_info_t *info)
{
    u_char  temp[NGX_MAX_PATH + 1], refused[NGX_MAX_PATH + 1];

    if (ngx_http_payhub_state_flush(file, 1) != NGX_OK
        || fsync(file->fd) == -1)
    {
        return NGX_ERROR;
    }

    ngx_http_payhub_state_temp(path, ".tmp", temp);

    if (info->loaded == NGX_HTTP_PAYHUB_STATE_REFUSED && info->saved_at == 0) {

        /* somebody may want to see it */

        ngx_http_payhub_state_temp(path, ".refused", refused);
        (void) ngx_rename_file(path->data, refused);
    }

    if (ngx_rename_file(temp, path->data) == NGX_FILE_ERROR
        || ngx_http_payhub_state_fsync_folder(path) != NGX_OK)
    {
        return NGX_ERROR;
    }

    info->saved = file->mark;
    info->saved_at = (uint64_t) ngx_time();

    return NGX_OK;
}


static ngx_int_t
ngx_http_payhub_state_write_changes(ngx_http_payhub_state_file_t *file)
{
    u_char     *text;
    ssize_t     len;
    ngx_int_t   rc;

    text = ngx_alloc(NGX_HTTP_PAYHUB_LIVE_MAX, ngx_cycle->log);
    if (text == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;
    len = ngx_http_payhub_live_read(text, NGX_HTTP_PAYHUB_LIVE_MAX,
                                    &file->mark);

    if (len >= 0
        && ngx_http_payhub_state_add_number(file, file->mark) == NGX_OK
        && ngx_http_payhub_state_add_number(file,
                                            ngx_http_payhub_live_told_until())
           == NGX_OK
        && ngx_http_payhub_state_add_number(file, len) == NGX_OK)
    {
        rc = ngx_http_payhub_state_add(file, text, len);
    }

    ngx_free(text);

    return rc;
}


static ngx_int_t
ngx_http_payhub_state_write_key(ngx_http_payhub_state_file_t *file,
    struct ph_key_table *table, struct ph_key_record *record)
{
    u_char     head[NGX_HTTP_PAYHUB_STATE_KEY_HEAD], *p;
    u_char     material[PH_KEY_MATERIAL_MAX];
    ngx_int_t  rc;

    if (!ph_key_material(table, ph_str_make(record->id, record->id_len),
                         record->version, material))
    {
        /* it changed meanwhile: there will be another writing */
        return NGX_OK;
    }

    p = head;
    p = ngx_cpymem(p, &record->not_before, 8);
    p = ngx_cpymem(p, &record->not_after, 8);
    p = ngx_cpymem(p, &record->schemes, 2);
    p = ngx_cpymem(p, &record->material_len, 2);
    *p++ = record->alg;
    *p++ = record->is_revoked;
    *p++ = record->id_len;
    *p++ = record->app_len;
    *p++ = record->merchant_len;
    *p++ = record->role_len;

    rc = NGX_ERROR;

    if (ngx_http_payhub_state_add(file, head, sizeof(head)) == NGX_OK
        && ngx_http_payhub_state_add(file, record->id, record->id_len)
           == NGX_OK
        && ngx_http_payhub_state_add(file, record->app, record->app_len)
           == NGX_OK
        && ngx_http_payhub_state_add(file, record->merchant,
                                     record->merchant_len)
           == NGX_OK
        && ngx_http_payhub_state_add(file, record->role, record->role_len)
           == NGX_OK)
    {
        rc = ngx_http_payhub_state_add(file, material, record->material_len);
    }

    ngx_explicit_memzero(material, record->material_len);
    file->keys++;

    return rc;
}


/* NGX_AGAIN: there are more */

static ngx_int_t
ngx_http_payhub_state_write_keys(ngx_http_payhub_state_file_t *file,
    struct ph_key_table *table, ngx_uint_t all)
{
    u_char                end[NGX_HTTP_PAYHUB_STATE_KEY_HEAD];
    ngx_uint_t            n;
    struct ph_key_record  record;

    for (n = 0; all || n < NGX_HTTP_PAYHUB_STATE_SLICE; n++) {

        if (!ph_key_next(table, &file->walk, &record)) {

            ngx_memzero(end, sizeof(end));

            if (ngx_http_payhub_state_add(file, end, sizeof(end)) != NGX_OK) {
                return NGX_ERROR;
            }

            return ngx_http_payhub_state_add_number(file, file->keys);
        }

        if (ngx_http_payhub_state_write_key(file, table, &record) != NGX_OK) {
            return NGX_ERROR;
        }
    }

#ifdef SYNC_FILE_RANGE_WRITE
    /* so that little is left for the fsync() */
    (void) sync_file_range(file->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
#endif

    return NGX_AGAIN;
}


/* tells seals apart, and nothing of them; 0: none */

static uint64_t
ngx_http_payhub_state_print(ngx_http_payhub_state_conf_t *state)
{
    uint8_t        sum[PH_SHA256_LEN];
    uint64_t       print;
    struct ph_str  key;

    key = ph_str_make((char *) state->key.bytes, PH_SEAL_KEY_LEN);
    print = 0;

    if (ph_sha256(&key, 1, sum)) {
        ngx_memcpy(&print, sum, sizeof(print));
    }

    return print;
}


void
ngx_http_payhub_state_seal(ngx_http_payhub_state_conf_t *state)
{
    ngx_http_payhub_live_head()->seal = ngx_http_payhub_state_print(state);
}


static ngx_uint_t
ngx_http_payhub_state_file_tick(ngx_http_payhub_state_conf_t *state,
    ngx_uint_t kind, ngx_uint_t all)
{
    void                          *area;
    size_t                         size;
    uint64_t                       mark, print;
    ngx_int_t                      rc;
    ngx_str_t                     *path;
    ngx_msec_t                     took;
    struct ph_key_table           *table;
    ngx_http_payhub_live_head_t   *head;
    ngx_http_payhub_state_file_t  *file;
    ngx_http_payhub_state_info_t  *info;

    head = ngx_http_payhub_live_head();
    file = &ngx_http_payhub_state_files[kind];
    info = &head->info[kind];
    path = kind == NGX_HTTP_PAYHUB_STATE_KEYS ? &state->keys_path
                                              : &state->path;

    area = ngx_http_payhub_area(NGX_HTTP_PAYHUB_AREA_KEYS, &size);
    table = ph_key_table_open(area, size);

    mark = kind == NGX_HTTP_PAYHUB_STATE_CHANGES
           ? head->word >> NGX_HTTP_PAYHUB_LIVE_LEN_BITS
           : table ? ph_key_changes(table) : 0;

    print = ngx_http_payhub_state_print(state);

    if (!file->open) {
        if (print != head->seal
            || (mark == info->saved && print == head->sealed[kind])
            || (!all && file->waits
                && (ngx_msec_int_t) (file->next - ngx_current_msec) > 0))
        {
            return 0;
        }

        file->kind = kind;
        file->mark = mark;

        rc = ngx_http_payhub_state_begin(file, state, path);

        if (rc == NGX_BUSY) {
            return 0;
        }

    } else {
        rc = NGX_OK;
    }

    if (rc == NGX_OK) {
        rc = kind == NGX_HTTP_PAYHUB_STATE_CHANGES
             ? ngx_http_payhub_state_write_changes(file)
             : ngx_http_payhub_state_write_keys(file, table, all);
    }

    if (rc == NGX_AGAIN) {
        return 1;
    }

    if (rc == NGX_OK) {
        rc = ngx_http_payhub_state_end(file, path, info);
    }

    if (rc == NGX_OK) {
        head->sealed[kind] = print;
    }

    ngx_time_update();
    took = ngx_current_msec - file->began;

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, ngx_errno,
                      "payhub: state file \"%V\" cannot be written", path);
        info->failed++;
    }

    ngx_http_payhub_state_close(file);

    file->waits = 1;
    file->next = ngx_current_msec
                 + (rc == NGX_OK ? ngx_max(NGX_HTTP_PAYHUB_STATE_EVERY,
                                           took * NGX_HTTP_PAYHUB_STATE_SHARE)
                                 : NGX_HTTP_PAYHUB_STATE_AGAIN);

    return 0;
}


ngx_uint_t
ngx_http_payhub_state_tick(ngx_http_payhub_state_conf_t *state,
    ngx_uint_t all)
{
    ngx_uint_t  i, more;

    more = 0;

    for (i = 0; i < NGX_HTTP_PAYHUB_STATE_KINDS; i++) {
        more |= ngx_http_payhub_state_file_tick(state, i, all);
    }

    return more;
}


/* another process does it from now on */

void
ngx_http_payhub_state_stop(void)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_PAYHUB_STATE_KINDS; i++) {
        ngx_http_payhub_state_close(&ngx_http_payhub_state_files[i]);
    }
}
