/* admin.c - pulls of edges: taken, held, answered; see admin.h. */
#include "worker/admin_int.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "libpayhub/base/crc32c.h"
#include "libpayhub/domain/route.h"
#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"
#include "worker/account.h"

#define TICK_MS 100
#define IDLE_MS 15000 /* nobody asked for so long: nothing is looked at */
#define WAIT_MS_MAX 30000
#define ANSWER_LEN (768 * 1024)
#define ACCOUNTS_LEN (256 * 1024)

/* ---- the end of a pull ---- */

static void
pull_unlink(struct admin_pull *pull)
{
    struct admin_pull **at = &pull->admin->pulls;

    while (*at != pull) {
        at = &(*at)->next;
    }
    *at = pull->next;
    pull->admin->pull_count--;
    json_decref(pull->asks);
}

void
wk_admin_send(struct admin_pull *pull, struct ph_str body)
{
    struct wk_request    *request = pull->request;
    const struct wk_reply reply
        = { .type = PH_FRAME_SYNC_PUSH, .status = 200, .body = body };

    pull_unlink(pull);
    wk_reply(request, &reply);
    free(pull);
}

void
wk_admin_refuse(struct admin_pull *pull, enum ph_frame_type type,
                const char *detail)
{
    struct wk_request      *request = pull->request;
    const struct ph_problem problem
        = { .error  = type == PH_FRAME_BUSY ? PH_ERROR_NOT_EXECUTED
                                            : PH_ERROR_BAD_REQUEST,
            .detail = ph_str_z(detail) };

    pull_unlink(pull);
    wk_reply_problem(request, type, &problem, NULL);
    free(pull);
}

struct ph_str
wk_admin_text(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    return ph_str_make(json_string_value(value), json_string_length(value));
}

/* ---- the answer of a watch ---- */

/* of every account that has no breaker of its own at the edge */
static struct ph_str
breaker_text(const struct wk_admin *admin)
{
    return ph_str_z(ph_conf_text(admin->worker->conf, PH_CONF_pay_breaker));
}

static void
accounts_mark(const struct wk_admin *admin, struct ph_buf *out)
{
    ph_buf_add(out, ph_str_z(admin->boot));
    ph_buf_byte(out, ':');
    ph_buf_u64(out, wk_accounts_generation(admin->worker->accounts));
    ph_buf_byte(out, ':');
    ph_buf_u64(out, wk_admin_success_version(admin->success));
    ph_buf_byte(out, ':');
    ph_buf_u64(out, ph_crc32c(0, breaker_text(admin)));
}

/* Those of its channel.  More than an edge keeps are told by none: every one,
 * and the worker chooses. */
static void
currencies_write(struct ph_buf *out, const char *const *currencies)
{
    size_t count = 0;

    while (currencies != NULL && currencies[count] != NULL) {
        count++;
    }
    if (count == 0 || count > PH_ROUTE_LIST_MAX) {
        return;
    }
    ph_buf_add(out, PH_STR(",\"currencies\":["));
    for (size_t i = 0; i < count; i++) {
        ph_buf_add(out, i != 0 ? PH_STR(",") : PH_STR(""));
        ph_buf_json(out, ph_str_z(currencies[i]));
    }
    ph_buf_byte(out, ']');
}

static void
account_write(const struct wk_admin *admin, struct ph_buf *out,
              const struct wk_account *account)
{
    const char *const *methods = account->channel->methods;

    ph_buf_add(out, PH_STR("{\"id\":"));
    ph_buf_json(out, account->face.id);
    ph_buf_add(out, PH_STR(",\"channel\":"));
    ph_buf_json(out, ph_str_z(account->channel->name));
    ph_buf_add(out, PH_STR(",\"app\":"));
    ph_buf_json(out, account->app_id);
    ph_buf_add(out, PH_STR(",\"weight\":"));
    ph_buf_i64(out, account->weight);
    ph_buf_add(out, account->is_active ? PH_STR(",\"drained\":false")
                                       : PH_STR(",\"drained\":true"));
    ph_buf_add(out, PH_STR(",\"methods\":["));
    for (size_t i = 0; methods[i] != NULL; i++) {
        ph_buf_add(out, i != 0 ? PH_STR(",") : PH_STR(""));
        ph_buf_json(out, ph_str_z(methods[i]));
    }
    ph_buf_byte(out, ']');
    currencies_write(out, account->channel->currencies);
    ph_buf_add(out, PH_STR(",\"breaker\":"));
    ph_buf_json(out, breaker_text(admin));
    wk_admin_success_write(admin->success, account->face.id, out);
    ph_buf_byte(out, '}');
}

/* As many as fit: an edge routes by no more. */
static void
accounts_write(const struct wk_admin *admin, struct ph_buf *out)
{
    const struct wk_accounts *accounts = admin->worker->accounts;
    size_t                    count    = wk_accounts_count(accounts);
    size_t                    begin    = out->len;

    ph_buf_add(out, PH_STR(",\"items\":["));
    for (size_t i = 0; i < count && i < ADMIN_ACCOUNTS_MAX; i++) {
        size_t mark = out->len;

        ph_buf_add(out, i != 0 ? PH_STR(",") : PH_STR(""));
        account_write(admin, out, wk_accounts_at(accounts, i));
        if (out->len - begin > ACCOUNTS_LEN) {
            ph_buf_cut(out, mark);
            ph_log(PH_LOG_WARN, "sync_accounts_cut",
                   { "told", ph_log_i64((int64_t) i) },
                   { "of", ph_log_i64((int64_t) count) });
            break;
        }
    }
    ph_buf_byte(out, ']');
}

static struct ph_str
mark_asked(const struct admin_pull *pull, const char *part)
{
    return wk_admin_text(json_object_get(pull->asks, part), "mark");
}

/* {"mark":M[,"items":[...]]}: the items only for who has another mark */
static void
part_write(const struct admin_pull *pull, const char *part, struct ph_buf *out,
           struct ph_str mark,
           void (*write)(const struct wk_admin *admin, struct ph_buf *out))
{
    if (json_object_get(pull->asks, part) == NULL) {
        return;
    }
    ph_buf_byte(out, ',');
    ph_buf_json(out, ph_str_z(part));
    ph_buf_add(out, PH_STR(":{\"mark\":"));
    ph_buf_json(out, mark);
    if (mark.len != 0 && !ph_str_eq(mark, mark_asked(pull, part))) {
        write(pull->admin, out);
    }
    ph_buf_byte(out, '}');
}

static void
live_write(const struct wk_admin *admin, struct ph_buf *out)
{
    wk_admin_live_write(admin->live, out);
}

void
wk_admin_answer(struct admin_pull *pull, const struct ph_buf *keys)
{
    struct wk_admin *admin = pull->admin;
    char            *text  = malloc(ANSWER_LEN);
    char             accounts_memory[ADMIN_MARK_LEN];
    char             live_memory[ADMIN_MARK_LEN];
    struct ph_buf    accounts = PH_BUF_INIT(accounts_memory);
    struct ph_buf    live     = PH_BUF_INIT(live_memory);
    struct ph_buf    out;

    if (text == NULL) {
        wk_admin_refuse(pull, PH_FRAME_BUSY, "no memory");
        return;
    }
    ph_buf_init(&out, text, ANSWER_LEN);
    ph_buf_add(&out, PH_STR("{\"v\":1,\"told\":"));
    ph_buf_u64(&out, pull->told);
    if (pull->told != 0) {
        ph_buf_add(&out, PH_STR(",\"tell\":{\"mark\":"));
        ph_buf_json(&out, ph_str_z(pull->told_at));
        ph_buf_byte(&out, '}');
    }
    if (pull->fault != NULL) {
        ph_buf_add(&out, PH_STR(",\"fault\":"));
        ph_buf_json(&out, ph_str_z(pull->fault));
    }
    if (keys != NULL) {
        ph_buf_add(&out, PH_STR(",\"keys\":"));
        ph_buf_add(&out, ph_buf_str(keys));
    }
    if (wk_accounts_are_fresh(admin->worker->accounts)) {
        accounts_mark(admin, &accounts);
    }
    part_write(pull, "accounts", &out, ph_buf_str(&accounts), accounts_write);
    if (wk_admin_live_heard_ns(admin->live) >= pull->after_ns) {
        wk_admin_live_mark(admin->live, &live);
    }
    part_write(pull, "live", &out, ph_buf_str(&live), live_write);
    ph_buf_byte(&out, '}');
    if (out.full) {
        wk_admin_refuse(pull, PH_FRAME_BUSY, "the answer is too long");
    } else {
        wk_admin_send(pull, ph_buf_str(&out));
    }
    OPENSSL_cleanse(text, out.len); /* secrets of keys were in it */
    free(text);
}

/* ---- looking ---- */

/* an empty mark is a part that is away, and who names no part wants none */
static bool
mark_is_news(const struct admin_pull *pull, const char *part,
             const struct ph_buf *mark)
{
    return mark->len != 0 && json_object_get(pull->asks, part) != NULL
           && !ph_str_eq(ph_buf_str(mark), mark_asked(pull, part));
}

static void
pull_look(struct admin_pull *pull)
{
    struct wk_admin *admin = pull->admin;
    char             keys_memory[ADMIN_MARK_LEN], memory[ADMIN_MARK_LEN];
    struct ph_buf    keys_mark = PH_BUF_INIT(keys_memory);
    struct ph_buf    mark      = PH_BUF_INIT(memory);
    bool             is_over   = admin->is_draining || pull->fault != NULL
                   || uv_now(&admin->worker->loop) >= pull->until_ms;

    pull->is_held = true;
    if (!is_over && wk_admin_live_heard_ns(admin->live) < pull->after_ns) {
        return; /* the table without its changes would take them back */
    }
    wk_admin_keys_mark(admin->keys, &keys_mark);
    if (mark_is_news(pull, "keys", &keys_mark)) {
        struct ph_str cursor
            = wk_admin_text(json_object_get(pull->asks, "keys"), "cursor");

        pull->is_held = false;
        if (!wk_admin_keys_page(admin->keys, pull, cursor,
                                ph_buf_str(&keys_mark))) {
            wk_admin_answer(pull, NULL);
        }
        return;
    }
    accounts_mark(admin, &mark);
    bool is_news = wk_accounts_are_fresh(admin->worker->accounts)
                   && mark_is_news(pull, "accounts", &mark);

    ph_buf_cut(&mark, 0);
    wk_admin_live_mark(admin->live, &mark);
    is_news = is_news || mark_is_news(pull, "live", &mark);
    if (is_news || is_over || pull->told != 0) {
        pull->is_held = false;
        wk_admin_answer(pull, NULL);
    }
}

void
wk_admin_look(struct wk_admin *admin)
{
    struct admin_pull *next;

    for (struct admin_pull *pull = admin->pulls; pull != NULL; pull = next) {
        next = pull->next; /* an answer frees the pull, and only that one */
        if (pull->is_held) {
            pull_look(pull);
        }
    }
}

void
wk_admin_told(struct admin_pull *pull)
{
    pull_look(pull);
}

static void
admin_tick(uv_timer_t *timer)
{
    struct wk_admin *admin = timer->data;

    if (uv_now(timer->loop) - admin->asked_ms > IDLE_MS) {
        return;
    }
    wk_admin_keys_poll(admin->keys);
    wk_admin_live_poll(admin->live);
    wk_admin_success_poll(admin->success);
    wk_admin_look(admin);
}

/* ---- taking ---- */

static const char *
pull_check(const struct admin_pull *pull)
{
    struct ph_str link = wk_admin_text(pull->asks, "link");
    struct ph_str host = wk_admin_text(pull->asks, "host");

    if (json_integer_value(json_object_get(pull->asks, "v")) != 1) {
        return "expected a JSON object with \"v\":1";
    }
    if (!ph_str_is_token(host, 32)) {
        return "expected \"host\", 1 to 32 of [A-Za-z0-9_-]";
    }
    if (!ph_str_eq(link, PH_STR("watch")) && !ph_str_eq(link, PH_STR("share")))
    {
        return "expected \"link\":\"watch\" or \"share\"";
    }
    return NULL;
}

static void
pull_begin(struct admin_pull *pull)
{
    struct wk_admin *admin   = pull->admin;
    const json_t    *changes = json_object_get(pull->asks, "changes");
    json_int_t       wait_ms
        = json_integer_value(json_object_get(pull->asks, "wait_ms"));

    if (ph_str_eq(wk_admin_text(pull->asks, "link"), PH_STR("share"))) {
        wk_admin_share(pull);
        return;
    }
    wait_ms        = wait_ms < 0 ? 0 : wait_ms;
    wait_ms        = wait_ms > WAIT_MS_MAX ? WAIT_MS_MAX : wait_ms;
    pull->until_ms = uv_now(&admin->worker->loop) + (uint64_t) wait_ms;
    if (json_array_size(changes) != 0) {
        wk_admin_live_tell(admin->live, pull, changes);
    } else {
        pull_look(pull);
    }
}

void
wk_admin_pull(struct wk_request *request)
{
    struct wk_worker  *worker = request->worker;
    struct wk_admin   *admin  = worker->admin;
    struct admin_pull *pull   = calloc(1, sizeof(*pull));
    const char        *why;

    if (pull == NULL) {
        wk_reply_error(request, PH_ERROR_INTERNAL, "no memory");
        return;
    }
    pull->admin   = admin;
    pull->request = request;
    pull->next    = admin->pulls;
    admin->pulls  = pull;
    admin->pull_count++;
    if ((worker->roles & WK_ROLE_ADMIN) == 0) {
        wk_admin_refuse(pull, PH_FRAME_REFUSED,
                        "this worker has not the role admin");
        return;
    }
    if (admin->pull_count > WK_ADMIN_PULLS_MAX || admin->is_draining) {
        wk_admin_refuse(pull, PH_FRAME_BUSY, "this worker takes no more edges");
        return;
    }
    admin->asked_ms = uv_now(&worker->loop);
    pull->asks = json_loadb(request->frame.body.ptr, request->frame.body.len,
                            JSON_REJECT_DUPLICATES, NULL);
    why        = pull_check(pull);
    if (why != NULL) {
        wk_admin_refuse(pull, PH_FRAME_REFUSED, why);
    } else {
        pull_begin(pull);
    }
}

/* ---- the face ---- */

struct wk_admin *
wk_admin_new(struct wk_worker *worker)
{
    struct wk_admin *admin = calloc(1, sizeof(*admin));
    uint8_t          random[(sizeof(admin->boot) - 1) / 2];

    if (admin == NULL) {
        return NULL;
    }
    admin->worker   = worker;
    admin->asked_ms = 0;
    ph_random(random, sizeof(random));
    struct ph_buf boot = PH_BUF_INIT(admin->boot);
    ph_buf_hex(&boot, ph_str_make((const char *) random, sizeof(random)));
    (void) ph_buf_z(&boot);
    admin->keys    = wk_admin_keys_new(admin);
    admin->live    = wk_admin_live_new(admin);
    admin->success = wk_admin_success_new(admin);
    if (admin->keys == NULL || admin->live == NULL || admin->success == NULL) {
        wk_admin_keys_free(admin->keys);
        wk_admin_live_free(admin->live);
        wk_admin_success_free(admin->success);
        free(admin);
        return NULL;
    }
    admin->tick.data = admin;
    (void) uv_timer_init(&worker->loop, &admin->tick);
    (void) uv_timer_start(&admin->tick, admin_tick, TICK_MS, TICK_MS);
    return admin;
}

void
wk_admin_drain(struct wk_admin *admin)
{
    admin->is_draining = true;
    wk_admin_look(admin);
}

void
wk_admin_stop(struct wk_admin *admin)
{
    uv_close((uv_handle_t *) &admin->tick, NULL);
}

void
wk_admin_free(struct wk_admin *admin)
{
    if (admin == NULL) {
        return;
    }
    wk_admin_keys_free(admin->keys);
    wk_admin_live_free(admin->live);
    wk_admin_success_free(admin->success);
    free(admin);
}
