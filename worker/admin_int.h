/*
 * admin_int.h - shared by worker/admin*.c.
 *
 *   pull -> telling --changes are in Redis--> looking --nothing new--> held
 *                                                |                      |
 *                                                v <-- something new ---'
 *                                             reading a page of keys ->
 * answered
 */
#ifndef WK_ADMIN_INT_H
#define WK_ADMIN_INT_H

#include <jansson.h>

#include "worker/admin.h"
#include "worker/store.h"

#define ADMIN_MARK_LEN 64
#define ADMIN_CURSOR_LEN 128
#define ADMIN_ACCOUNTS_MAX 1024 /* what an edge keeps */
#define ADMIN_PAGE_KEYS 500
#define ADMIN_PAGE_LEN (160 * 1024) /* an edge parses one in about 1 ms */
#define ADMIN_CHANGES_MAX 1024
#define ADMIN_CHANGE_LEN 16384
#define ADMIN_OVERLAP_MS 10000 /* commits may show later than their times */

struct admin_keys;
struct admin_live;
struct admin_success;

struct admin_pull {
    struct admin_pull *next;
    struct wk_admin   *admin;
    struct wk_request *request;
    json_t            *asks;     /* the body */
    uint64_t           until_ms; /* of the loop; while held */
    bool               is_held;
    size_t             telling; /* changes whose answer is not there yet */
    size_t             told;
    char        told_at[ADMIN_MARK_LEN]; /* version of the change told last */
    const char *fault;    /* why a change was not taken, or NULL */
    uint64_t    after_ns; /* its changes show in what Redis is asked
                             for after this moment; 0 = it has none */
};

struct wk_admin {
    struct wk_worker     *worker;
    struct admin_keys    *keys;
    struct admin_live    *live;
    struct admin_success *success;
    struct admin_pull    *pulls;
    size_t                pull_count;
    uv_timer_t            tick;
    uint64_t              asked_ms; /* loop time of the last pull */
    bool                  is_draining;
    char                  boot[17]; /* marks of another process are not ours */
};

/* admin.c: something may be new: answers who is held and does not have it */
void wk_admin_look(struct wk_admin *admin);

/* the keys part is there; NULL = the store is away */
void wk_admin_answer(struct admin_pull *pull, const struct ph_buf *keys);

/* changes of the pull are in Redis, or were refused */
void wk_admin_told(struct admin_pull *pull);

/* a member of an object, "" when it is none or no text */
struct ph_str wk_admin_text(const json_t *object, const char *name);

/* admin_keys.c */
struct admin_keys *wk_admin_keys_new(struct wk_admin *admin) PH_MUST_CHECK;
void               wk_admin_keys_free(struct admin_keys *keys);
void               wk_admin_keys_poll(struct admin_keys *keys);
void wk_admin_keys_mark(const struct admin_keys *keys, struct ph_buf *out);

/* false = the store takes nothing now */
bool wk_admin_keys_page(struct admin_keys *keys, struct admin_pull *pull,
                        struct ph_str cursor, struct ph_str mark) PH_MUST_CHECK;

/* admin_live.c */
struct admin_live *wk_admin_live_new(struct wk_admin *admin) PH_MUST_CHECK;
void               wk_admin_live_free(struct admin_live *live);
void               wk_admin_live_poll(struct admin_live *live);
void wk_admin_live_mark(const struct admin_live *live, struct ph_buf *out);
void wk_admin_live_write(const struct admin_live *live, struct ph_buf *out);

/* when what is held was asked for */
uint64_t wk_admin_live_heard_ns(const struct admin_live *live);

/* Sends the changes of the pull; wk_admin_told() follows, maybe at once. */
void wk_admin_live_tell(struct admin_live *live, struct admin_pull *pull,
                        const json_t *changes);

/* admin_success.c */
struct admin_success      *
wk_admin_success_new(struct wk_admin *admin) PH_MUST_CHECK;
void wk_admin_success_free(struct admin_success *success);
void wk_admin_success_poll(struct admin_success *success);

/* counts the changes of what is told; 0 = nothing was ever */
uint64_t wk_admin_success_version(const struct admin_success *success);

/* ,"ended":N,"paid":N,"as_of":S of an account, or nothing */
void wk_admin_success_write(const struct admin_success *success,
                            struct ph_str id, struct ph_buf *out);

/* admin_share.c: answers the pull by itself */
void wk_admin_share(struct admin_pull *pull);

/* Ends a pull: the body is sent, the pull is freed. */
void wk_admin_send(struct admin_pull *pull, struct ph_str body);
void wk_admin_refuse(struct admin_pull *pull, enum ph_frame_type type,
                     const char *detail);

#endif
