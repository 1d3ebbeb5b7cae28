/*
 * certificates.c - ACCOUNT_REFRESH: WeChat Pay's platform certificates.
 *
 * What is kept is a bundle of PEM.  All that the channel lists, and of those
 * that were kept before the expired ones, for WECHAT_LATE_MS: a message on its
 * way may be signed with one.  What it lists no more before its time is dropped
 * at once.
 */
#include "channels/wechatpay/wechatpay_int.h"

#define PATH_MAX_LEN 64
#define KEPT_NONE                                                              \
    "none" /* in place of a bundle: we have asked, and that is all */
#define STATUS_OK 200
#define STATUS_FORBIDDEN 403
#define STATUS_NOT_FOUND 404

/* A certificate of an answer, or of what was kept. */
struct listed {
    struct ph_cert   *cert; /* owned when it is of the answer */
    struct ph_str     pem;
    struct wechat_key key;
};

struct list {
    struct listed of[WECHAT_LISTED_MAX];
    size_t        count;
};

static void
list_free(struct list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        ph_cert_free(list->of[i].cert);
    }
}

/* --- one of them ---------------------------------------------------------- */

static const char *
path_make(char memory[PATH_MAX_LEN], size_t at, const char *name)
{
    struct ph_buf buf;

    ph_buf_init(&buf, memory, PATH_MAX_LEN);
    ph_buf_add(&buf, PH_STR("data."));
    ph_buf_u64(&buf, at);
    ph_buf_byte(&buf, '.');
    ph_buf_add(&buf, ph_str_z(name));
    return ph_buf_z(&buf);
}

/* The certificate that lies sealed in the answer has the serial number that
 * stands beside it, and an RSA key. */
static enum ph_rc
listed_read(const struct ph_channel_account *account, const struct ph_doc *doc,
            size_t at, struct ph_arena *arena, struct listed *out)
{
    char          path[PATH_MAX_LEN];
    struct ph_str named;
    enum ph_rc    rc
        = ph_doc_text(doc, path_make(path, at, "serial_no"), arena, &named);

    if (rc == PH_OK) {
        rc = wechat_sealed_open(account, doc,
                                path_make(path, at, "encrypt_certificate"),
                                arena, &out->pem);
    }
    if (rc == PH_OK) {
        rc = ph_cert_new(&out->cert, out->pem);
    }
    if (rc != PH_OK) {
        return rc;
    }
    if (!wechat_key_of(&out->key, out->cert)) {
        return PH_E_UNKNOWN;
    }
    if (wechat_key_find(&out->key, 1, named, 0) == NULL) {
        return PH_E_CHECKSUM;
    }
    return PH_OK;
}

static enum ph_rc
list_read(const struct ph_channel_account *account, struct ph_str body,
          struct ph_arena *arena, struct list *list)
{
    struct ph_doc *doc;
    enum ph_rc     rc    = ph_doc_json(&doc, body);
    size_t         count = rc == PH_OK ? ph_doc_size(doc, "data") : 0;

    if (rc == PH_OK && count == 0) {
        rc = PH_E_MISSING;
    }
    if (rc == PH_OK && count > WECHAT_LISTED_MAX) {
        rc = PH_E_RANGE;
    }
    while (rc == PH_OK && list->count < count) {
        struct listed *listed = &list->of[list->count];

        *listed = (struct listed){ 0 };
        rc      = listed_read(account, doc, list->count, arena, listed);
        list->count++; /* what was made of it is freed with the list */
    }
    ph_doc_free(doc);
    return rc;
}

/* --- whose answer --------------------------------------------------------- */

/* By a key that is known; else by one of those that it brings. */
static enum ph_rc
list_verify(const struct ph_channel_account *account,
            const struct wechat_signed *that, struct ph_str body,
            const struct list *list, uint64_t now_ms)
{
    const struct wechat_account *opened = account->context;
    const struct wechat_key     *key    = wechat_key_find(
               opened->keys, opened->key_count, that->serial, now_ms);

    for (size_t i = 0; key == NULL && i < list->count; i++) {
        key = wechat_key_find(&list->of[i].key, 1, that->serial, now_ms);
    }
    return key != NULL ? wechat_signed_check(that, key, body) : PH_E_UNKNOWN;
}

/* --- what is kept --------------------------------------------------------- */

static bool
list_has(const struct list *list, const struct wechat_key *key)
{
    for (size_t i = 0; i < list->count; i++) {
        if (wechat_key_find(&list->of[i].key, 1,
                            ph_str_make(key->serial, key->serial_len), 0)
            != NULL)
        {
            return true;
        }
    }
    return false;
}

/* The PEM of the i-th certificate of a bundle, as it stands in it. */
static struct ph_str
bundle_next(struct ph_str *rest)
{
    static const struct ph_str begin
        = PH_STR_INIT("-----BEGIN CERTIFICATE-----");
    static const struct ph_str end = PH_STR_INIT("-----END CERTIFICATE-----");
    const char                *from, *until;

    if (rest->len == 0) {
        return ph_str_make(NULL, 0);
    }
    from = memmem(rest->ptr, rest->len, begin.ptr, begin.len);
    if (from == NULL) {
        return ph_str_make(NULL, 0);
    }
    rest->len -= (size_t) (from - rest->ptr);
    rest->ptr = from;
    until     = memmem(rest->ptr, rest->len, end.ptr, end.len);
    if (until == NULL) {
        return ph_str_make(NULL, 0);
    }
    until += end.len;
    rest->len -= (size_t) (until - rest->ptr);
    rest->ptr = until;
    return ph_str_make(from, (size_t) (until - from));
}

/* Those of before that the channel has not listed: kept while they are late,
 * or, when it lists nothing at all, as long as they are good for anything. */
static void
list_add_kept(const struct ph_channel_account *account, struct list *list,
              uint64_t now_ms, bool only_late)
{
    const struct wechat_account *opened = account->context;
    struct ph_str                rest
        = account->kept != NULL ? account->kept->value : ph_str_make(NULL, 0);

    for (size_t i = 0; i < opened->cert_count; i++) {
        struct listed before  = { .pem = bundle_next(&rest) };
        bool          is_read = wechat_key_of(&before.key, opened->certs[i]);
        bool          is_late = is_read && now_ms > before.key.until_ms;

        if (before.pem.len == 0 || list->count == WECHAT_LISTED_MAX) {
            return;
        }
        if (is_read && (is_late || !only_late) && !list_has(list, &before.key))
        {
            list->of[list->count++] = before;
        }
    }
}

static int
listed_newest_first(const struct listed *a, const struct listed *b)
{
    return a->key.from_ms < b->key.from_ms   ? 1
           : a->key.from_ms > b->key.from_ms ? -1
                                             : 0;
}

static void
list_sort(struct list *list)
{
    for (size_t i = 1; i < list->count; i++) {
        struct listed one = list->of[i];
        size_t        at  = i;

        while (at > 0 && listed_newest_first(&list->of[at - 1], &one) > 0) {
            list->of[at] = list->of[at - 1];
            at--;
        }
        list->of[at] = one;
    }
}

/* The newest that there is room for. */
static void
kept_make(const struct list *list, uint64_t now_ms, struct ph_arena *arena,
          struct ph_channel_kept *kept)
{
    struct ph_buf buf;
    size_t        count = 0;

    *kept = (struct ph_channel_kept){ .refresh_at_ms
                                      = now_ms + WECHAT_REFRESH_MS };
    ph_arena_open(arena, &buf);
    for (size_t i = 0; i < list->count && count < WECHAT_CERTS_MAX; i++) {
        struct ph_str rest = list->of[i].pem, pem = bundle_next(&rest);
        uint64_t      end = list->of[i].key.until_ms + WECHAT_LATE_MS;

        if (pem.len == 0 || end < now_ms
            || buf.len + pem.len + 1 > PH_CHANNEL_KEPT_MAX) {
            continue;
        }
        ph_buf_add(&buf, pem);
        ph_buf_byte(&buf, '\n');
        count++;
        if (end > kept->expires_at_ms) {
            kept->expires_at_ms = end;
        }
    }
    kept->value = ph_arena_close(arena, &buf);
}

enum ph_rc
wechat_certificates_read(const struct ph_channel_account *account,
                         const struct ph_channel_reply *reply, uint64_t now_ms,
                         struct ph_arena *arena, struct ph_channel_kept *kept)
{
    struct wechat_signed that;
    struct list          list = { .count = 0 };
    enum ph_rc rc = wechat_signed_read(reply->headers, reply->header_count,
                                       now_ms, &that);

    if (rc == PH_OK) {
        rc = list_read(account, reply->body, arena, &list);
        /* its faults are told from those of the headers */
        rc = rc == PH_E_RANGE || rc == PH_E_MISSING || rc == PH_E_UNKNOWN
                 ? PH_E_SYNTAX
                 : rc;
    }
    if (rc == PH_OK) {
        rc = list_verify(account, &that, reply->body, &list, now_ms);
    }
    if (rc == PH_OK) {
        list_add_kept(account, &list, now_ms, true);
        list_sort(&list);
        kept_make(&list, now_ms, arena, kept);
        rc = kept->value.len == 0 ? PH_E_SYNTAX
             : arena->full        ? PH_E_FULL
                                  : PH_OK;
    }
    list_free(&list);
    return rc;
}

/* --- the operation -------------------------------------------------------- */

/* With a public key certificates are no more given out, sooner or later: what
 * is here stays for the messages that were signed before. */
static bool
refused_is_fine(const struct ph_channel_account *account,
                const struct ph_channel_reply   *reply)
{
    return (reply->status == STATUS_FORBIDDEN
            || reply->status == STATUS_NOT_FOUND)
           && account->values[WECHAT_PUBLIC_KEY].len != 0;
}

static void
refused_keep(const struct ph_channel_call *call, struct ph_channel_kept *kept)
{
    struct list list = { .count = 0 };

    list_add_kept(call->account, &list, call->now_ms, false);
    kept_make(&list, call->now_ms, call->arena, kept);
    if (kept->value.len == 0) {
        kept->value = PH_STR(KEPT_NONE);
    }
    kept->refresh_at_ms = call->now_ms + WECHAT_REFRESH_REFUSED_MS;
    if (kept->expires_at_ms < kept->refresh_at_ms) {
        kept->expires_at_ms = kept->refresh_at_ms;
    }
}

enum ph_channel_step
wechat_refresh_step(const struct ph_channel_call  *call,
                    const struct ph_channel_reply *last,
                    struct ph_channel_out         *out)
{
    enum ph_rc rc;

    if (last == NULL) {
        return wechat_request_make(call, PH_OP_ACCOUNT_REFRESH, &out->request)
                   ? PH_STEP_NEED_REQUEST
                   : PH_STEP_ERROR;
    }
    wechat_result_clear(&out->result, PH_STR("signature"));
    if (refused_is_fine(call->account, last)) {
        refused_keep(call, &out->kept);
        out->result.class = PH_RESULT_SUCCEEDED;
    } else if (last->status >= 500) {
        out->result.error_class = PH_STR("channel_error");
        return PH_STEP_DONE;
    } else if (last->status != STATUS_OK) {
        out->result.error_class = PH_STR("config");
        return PH_STEP_DONE;
    } else {
        rc = wechat_certificates_read(call->account, last, call->now_ms,
                                      call->arena, &out->kept);
        out->result.error_class = rc == PH_E_RANGE      ? PH_STR("stale")
                                  : rc == PH_E_FULL     ? PH_STR("no_room")
                                  : rc == PH_E_CHECKSUM ? PH_STR("config")
                                  : rc == PH_E_SYNTAX   ? PH_STR("unreadable")
                                                        : PH_STR("signature");
        out->result.class       = rc == PH_OK ? PH_RESULT_SUCCEEDED
                                              : PH_RESULT_UNKNOWN;
    }
    if (out->result.class == PH_RESULT_SUCCEEDED) {
        out->result.error_class = ph_str_make(NULL, 0);
    }
    return PH_STEP_DONE;
}
