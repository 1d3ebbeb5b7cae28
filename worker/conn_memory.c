/*
 * conn_memory.c - what connections hold, counted: boxes of requests, and bytes
 * that wait.  Whoever announces large frames leaves room for small ones.
 */
#include <openssl/crypto.h>
#include <stdlib.h>

#include "worker/server_int.h"

void
wk_bytes_wipe(struct wk_bytes *bytes)
{
    if (bytes->is_secret) {
        OPENSSL_cleanse(bytes->ptr, bytes->len);
    }
    bytes->is_secret = false;
    bytes->from      = 0;
    bytes->len       = 0;
}

void
wk_bytes_free(struct wk_server *server, struct wk_bytes *bytes)
{
    wk_bytes_wipe(bytes);
    free(bytes->ptr);
    server->bytes_held -= bytes->size;
    *bytes = (struct wk_bytes){ 0 };
}

bool
wk_bytes_reserve(struct wk_server *server, struct wk_bytes *bytes, size_t more)
{
    size_t size = bytes->size != 0 ? bytes->size : CONN_OUT_FIRST;

    if (more <= bytes->size - bytes->len) {
        return true;
    }
    while (size - bytes->len < more) {
        size *= 2; /* lengths are at most CONN_OUT_END and one frame */
    }
    if (server->bytes_held - bytes->size + size > SERVER_BYTES_MAX) {
        return false;
    }
    char *grown = malloc(size);

    if (grown == NULL) {
        return false;
    }
    const struct wk_bytes old = *bytes;

    if (old.len != 0) {
        memcpy(grown, old.ptr, old.len);
    }
    wk_bytes_free(server, bytes);
    *bytes      = old;
    bytes->ptr  = grown;
    bytes->size = size;
    server->bytes_held += size;
    return true;
}

struct wk_box *
wk_box_take(struct wk_conn *conn, struct wk_server *server, size_t len)
{
    size_t         size = sizeof(struct wk_box) + len;
    struct wk_box *box  = NULL;

    size        = size < BOX_SMALL_LEN ? BOX_SMALL_LEN : size;
    size_t most = size == BOX_SMALL_LEN ? SERVER_READ_MAX : SERVER_LARGE_MAX;

    if (server->bytes_held + size > most) {
        return NULL;
    }
    if (size == BOX_SMALL_LEN && server->boxes != NULL) {
        box           = server->boxes;
        server->boxes = box->next;
        server->boxes_free--;
    } else {
        box = malloc(size);
    }
    if (box == NULL) {
        return NULL;
    }
    box->request = (struct wk_request){ .worker = server->worker };
    box->conn    = conn;
    box->size    = size;
    box->len     = len;
    server->bytes_held += size;
    return box;
}

void
wk_box_give(struct wk_server *server, struct wk_box *box)
{
    server->bytes_held -= box->size;
    if (box->size != BOX_SMALL_LEN || server->boxes_free + 1 > BOXES_KEPT) {
        free(box);
        return;
    }
    box->next     = server->boxes;
    server->boxes = box;
    server->boxes_free++;
}

void
wk_boxes_free(struct wk_server *server)
{
    while (server->boxes != NULL) {
        struct wk_box *box = server->boxes;

        server->boxes = box->next;
        free(box);
    }
    server->boxes_free = 0;
}
