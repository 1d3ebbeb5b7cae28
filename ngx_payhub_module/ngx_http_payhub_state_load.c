
/*
 * The state file: reading, in the master, before any process sees the memory.
 */


#include "ngx_http_payhub_state_int.h"


static ngx_int_t
ngx_http_payhub_state_read_fd(ngx_http_payhub_state_file_t *file, u_char *to,
    size_t len)
{
    ssize_t  n;

    while (len) {
        n = ngx_read_fd(file->fd, to, len);

        if (n <= 0) {
            return NGX_ERROR;
        }

        to += n;
        len -= n;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payhub_state_chunk(ngx_http_payhub_state_file_t *file)
{
    u_char                head[4], memory[128];
    size_t                len;
    ngx_uint_t            last;
    struct ph_buf         buf;
    struct ph_seal_place  place;

    if (file->last
        || ngx_http_payhub_state_read_fd(file, head, 4) != NGX_OK)
    {
        return NGX_ERROR;
    }

    len = head[0] | head[1] << 8 | head[2] << 16 | (size_t) head[3] << 24;

    if (len > NGX_HTTP_PAYHUB_STATE_SEALED
        || ngx_http_payhub_state_read_fd(file, file->sealed, len) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* whether it is the last shows by what it was sealed for */

    for (last = 0; last < 2; last++) {
        ngx_http_payhub_state_place(file, last, memory, &place);
        ph_buf_init(&buf, (char *) file->plain, sizeof(file->plain));

        if (ph_unseal(&buf, file->key, 1, &place,
                      ph_str_make((char *) file->sealed, len))
            == PH_OK)
        {
            file->chunk++;
            file->len = buf.len;
            file->at = 0;
            file->last = last;

            return NGX_OK;
        }
    }

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_payhub_state_get(ngx_http_payhub_state_file_t *file, void *to,
    size_t len)
{
    u_char  *p = to;
    size_t   part;

    while (len) {

        if (file->at == file->len
            && ngx_http_payhub_state_chunk(file) != NGX_OK)
        {
            return NGX_ERROR;
        }

        part = ngx_min(len, file->len - file->at);
        ngx_memcpy(p, file->plain + file->at, part);

        file->at += part;
        p += part;
        len -= part;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payhub_state_get_number(ngx_http_payhub_state_file_t *file,
    uint64_t *value)
{
    u_char      bytes[8];
    ngx_uint_t  i;

    if (ngx_http_payhub_state_get(file, bytes, 8) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0, *value = 0; i < 8; i++) {
        *value |= (uint64_t) bytes[i] << 8 * i;
    }

    return NGX_OK;
}


/* the last chunk was read to its end and nothing stands behind it */

static ngx_int_t
ngx_http_payhub_state_at_end(ngx_http_payhub_state_file_t *file)
{
    u_char  byte;

    return file->last && file->at == file->len
           && ngx_read_fd(file->fd, &byte, 1) == 0
           ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_payhub_state_load_changes(ngx_http_payhub_state_file_t *file)
{
    u_char     *text;
    uint64_t    generation, told, len;
    ngx_int_t   rc;

    if (ngx_http_payhub_state_get_number(file, &generation) != NGX_OK
        || ngx_http_payhub_state_get_number(file, &told) != NGX_OK
        || ngx_http_payhub_state_get_number(file, &len) != NGX_OK
        || len > NGX_HTTP_PAYHUB_LIVE_MAX)
    {
        return NGX_ERROR;
    }

    text = ngx_alloc(len + 1, file->log);
    if (text == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_payhub_state_get(file, text, len);

    if (rc == NGX_OK) {
        rc = ngx_http_payhub_state_at_end(file);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_payhub_live_restore(text, len, generation);
    }

    if (rc == NGX_OK) {
        ngx_http_payhub_live_told(told);
    }

    ngx_free(text);

    return rc;
}


/* `table` NULL: reads only, to see whether all of it is whole */

static ngx_int_t
ngx_http_payhub_state_load_keys(ngx_http_payhub_state_file_t *file,
    struct ph_key_table *table)
{
    u_char                head[NGX_HTTP_PAYHUB_STATE_KEY_HEAD], *p;
    u_char                material[PH_KEY_MATERIAL_MAX];
    uint64_t              keys, count;
    struct ph_key_record  record;

    for (keys = 0; ; keys++) {

        if (ngx_http_payhub_state_get(file, head, sizeof(head)) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_memzero(&record, sizeof(record));

        p = head;
        ngx_memcpy(&record.not_before, p, 8);
        ngx_memcpy(&record.not_after, p + 8, 8);
        ngx_memcpy(&record.schemes, p + 16, 2);
        ngx_memcpy(&record.material_len, p + 18, 2);
        record.alg = p[20];
        record.is_revoked = p[21];
        record.id_len = p[22];
        record.app_len = p[23];
        record.merchant_len = p[24];
        record.role_len = p[25];

        if (record.id_len == 0) {
            return ngx_http_payhub_state_get_number(file, &count) == NGX_OK
                   && count == keys
                   ? ngx_http_payhub_state_at_end(file) : NGX_ERROR;
        }

        if (record.id_len > PH_KEY_NAME_MAX
            || record.app_len > PH_KEY_NAME_MAX
            || record.merchant_len > PH_KEY_NAME_MAX
            || record.role_len > PH_KEY_ROLE_MAX
            || record.material_len > PH_KEY_MATERIAL_MAX
            || ngx_http_payhub_state_get(file, record.id, record.id_len)
               != NGX_OK
            || ngx_http_payhub_state_get(file, record.app, record.app_len)
               != NGX_OK
            || ngx_http_payhub_state_get(file, record.merchant,
                                         record.merchant_len)
               != NGX_OK
            || ngx_http_payhub_state_get(file, record.role, record.role_len)
               != NGX_OK
            || ngx_http_payhub_state_get(file, material, record.material_len)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (table
            && ph_key_put(table, &record,
                          ph_str_make((char *) material, record.material_len))
               != PH_OK)
        {
            ngx_log_error(NGX_LOG_ERR, file->log, 0,
                          "payhub: found more keys in the state file than "
                          "payhub_zone holds, took %uL", keys);
            return NGX_OK;
        }

        ngx_explicit_memzero(material, record.material_len);
    }
}


static ngx_int_t
ngx_http_payhub_state_rewind(ngx_http_payhub_state_file_t *file)
{
    u_char  head[NGX_HTTP_PAYHUB_STATE_HEAD];

    if (lseek(file->fd, 0, SEEK_SET) == -1
        || ngx_http_payhub_state_read_fd(file, head, sizeof(head)) != NGX_OK
        || ngx_memcmp(head, NGX_HTTP_PAYHUB_STATE_MAGIC, 5) != 0)
    {
        return NGX_ERROR;
    }

    ngx_memcpy(file->id, head + 5, NGX_HTTP_PAYHUB_STATE_ID);

    file->chunk = 0;
    file->len = 0;
    file->at = 0;
    file->last = 0;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_payhub_state_load_file(ngx_http_payhub_state_file_t *file,
    ngx_str_t *path, struct ph_key_table *table)
{
    ngx_int_t  rc;

    file->fd = ngx_open_file(path->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                             NGX_FILE_OPEN, 0);

    if (file->fd == NGX_INVALID_FILE && ngx_errno == NGX_ENOENT) {
        return NGX_HTTP_PAYHUB_STATE_NONE;
    }

    rc = NGX_ERROR;

    if (file->fd != NGX_INVALID_FILE
        && ngx_http_payhub_state_rewind(file) == NGX_OK)
    {
        if (file->kind == NGX_HTTP_PAYHUB_STATE_CHANGES) {
            rc = ngx_http_payhub_state_load_changes(file);

        } else if (ngx_http_payhub_state_load_keys(file, NULL) == NGX_OK
                   && ngx_http_payhub_state_rewind(file) == NGX_OK)
        {
            rc = ngx_http_payhub_state_load_keys(file, table);
        }
    }

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, file->log,
                      file->fd == NGX_INVALID_FILE ? ngx_errno : 0,
                      "payhub: state file \"%V\" refused: found it damaged, "
                      "unreadable or sealed with another key; nginx.conf "
                      "alone counts", path);
    }

    if (file->fd != NGX_INVALID_FILE) {
        (void) ngx_close_file(file->fd);
    }

    return rc == NGX_OK ? NGX_HTTP_PAYHUB_STATE_TAKEN
                        : NGX_HTTP_PAYHUB_STATE_REFUSED;
}


/*
 * A key that its holder changes or takes away meanwhile may be carried as it
 * was: the new memory begins with a whole exchange, as after a state file.
 */

void
ngx_http_payhub_state_carry(ngx_cycle_t *cycle, struct ph_key_table *from)
{
    void                  *area;
    u_char                 material[PH_KEY_MATERIAL_MAX];
    size_t                 size, at;
    struct ph_str          id, text;
    struct ph_key_table   *table;
    struct ph_key_record   record;

    area = ngx_http_payhub_area(NGX_HTTP_PAYHUB_AREA_KEYS, &size);
    table = ph_key_table_open(area, size);
    at = 0;

    while (from && table && ph_key_next(from, &at, &record)) {

        id = ph_str_make(record.id, record.id_len);

        if (!ph_key_material(from, id, record.version, material)) {
            continue;
        }

        text = ph_str_make((char *) material, record.material_len);

        if (ph_key_put(table, &record, text) != PH_OK) {
            ngx_log_error(NGX_LOG_ERR, cycle->log, 0,
                          "payhub: found more keys than the new payhub_zone "
                          "holds, took %uz", ph_key_count(table));
            break;
        }
    }

    ngx_explicit_memzero(material, sizeof(material));
}


void
ngx_http_payhub_state_load(ngx_cycle_t *cycle,
    ngx_http_payhub_state_conf_t *state)
{
    void                          *keys;
    size_t                         size;
    uint64_t                       word;
    ngx_uint_t                     i;
    struct ph_key_table           *table;
    ngx_http_payhub_live_head_t   *head;
    ngx_http_payhub_state_file_t  *file;
    ngx_http_payhub_state_info_t  *info;

    head = ngx_http_payhub_live_head();
    word = head->word;

    keys = ngx_http_payhub_area(NGX_HTTP_PAYHUB_AREA_KEYS, &size);
    table = ph_key_table_open(keys, size);

    for (i = 0; i < NGX_HTTP_PAYHUB_STATE_KINDS; i++) {
        file = &ngx_http_payhub_state_files[i];
        info = &head->info[i];

        file->kind = i;
        file->key = &state->key;
        file->log = cycle->log;
        head->sealed[i] = head->seal;

        if (i == NGX_HTTP_PAYHUB_STATE_CHANGES) {

            if (word >> NGX_HTTP_PAYHUB_LIVE_LEN_BITS) {
                info->loaded = NGX_HTTP_PAYHUB_STATE_KEPT;
                continue;
            }

            info->loaded = ngx_http_payhub_state_load_file(file, &state->path,
                                                           NULL);
            info->saved = head->word >> NGX_HTTP_PAYHUB_LIVE_LEN_BITS;
            continue;
        }

        if (table && ph_key_count(table)) {
            info->loaded = NGX_HTTP_PAYHUB_STATE_KEPT;
            continue;
        }

        info->loaded = ngx_http_payhub_state_load_file(file,
                                                       &state->keys_path,
                                                       table);
        info->saved = table ? ph_key_changes(table) : 0;

        /* secrets went through them, and children would inherit it */

        ngx_explicit_memzero(file->plain, sizeof(file->plain));
    }
}
