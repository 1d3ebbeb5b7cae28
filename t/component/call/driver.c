/*
 * driver.c - the call engine behind a line protocol, for call.test.
 *
 * Commands on stdin, one a line, words parted by one blank:
 *   start ID channel|webhook TIMEOUT_MS METHOD URL BODY_LEN [NAME=VALUE]
 *   cancel ID
 *   again N         the next N calls that end are started anew from done()
 *   wait            runs the loop until nothing is in flight
 * Answers on stdout, one a finished call, then "idle" for each wait:
 *   ID outcome status body_len header_count total_us phases lookups|error
 * phases: n of a new connection, t of TLS, f of a first byte, - of none;
 * lookups: of names under .call-test, which are all 127.0.0.1, so far.
 * usage: driver CONFIG_FILE
 */
#include <dlfcn.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libpayhub/io/daemon.h"
#include "worker/call.h"

#define CALLS_MAX 1024
#define LINE_MAX_LEN 8192
#define BODY_MAX (64 * 1024)

struct slot {
    struct wk_call            call;
    struct ph_channel_request request;
    char                      line[LINE_MAX_LEN];
    bool                      in_start; /* done() now would be a fault */
    unsigned                  done_count;
};

static struct wk_calls *engine;
static uint64_t         again_left;
static struct slot     *slots[CALLS_MAX];
static atomic_uint      lookups;
static char             body[BODY_MAX];

static const char *const outcomes[] = {
    [WK_CALL_UNKNOWN]  = "unknown",
    [WK_CALL_NOT_SENT] = "not_sent",
    [WK_CALL_ANSWERED] = "answered",
};

static void
die(const char *why)
{
    fprintf(stderr, "driver: %s\n", why);
    exit(2);
}

/* In the place of the C library's, for curl too. */
int
getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
            struct addrinfo **found)
{
    int (*real)(const char *, const char *, const struct addrinfo *,
                struct addrinfo **);
    const char *tail = name != NULL ? strstr(name, ".call-test") : NULL;

    *(void **) &real = dlsym(RTLD_NEXT, "getaddrinfo");
    if (tail != NULL) {
        atomic_fetch_add(&lookups, 1);
        name = "127.0.0.1";
    }
    return real(name, service, hints, found);
}

static const char *
phases(const struct wk_call *call)
{
    static char text[8];
    char       *at = text;

    if (call->is_new_connection && call->connect_us != 0) {
        *at++ = 'n';
    }
    if (call->tls_us != 0) {
        *at++ = 't';
    }
    if (call->first_byte_us != 0) {
        *at++ = 'f';
    }
    if (at == text) {
        *at++ = '-';
    }
    *at = '\0';
    return text;
}

static void
on_done(struct wk_call *call)
{
    struct slot *slot = call->data;

    if (slot->in_start) {
        die("done() was called inside wk_call_start()");
    }
    if (++slot->done_count != 1) {
        die("done() was called twice");
    }
    unsigned id = 0;
    while (slots[id] != slot) {
        id++;
    }
    printf("%u %s %u %zu %zu %" PRIu64 " %s %u|%s\n", id,
           outcomes[call->outcome], call->reply.status, call->reply.body.len,
           call->reply.header_count, call->total_us, phases(call),
           atomic_load(&lookups), call->error);
    if (again_left > 0) {
        again_left--;
        slot->done_count = 0;
        if (!wk_call_start(engine, call)) {
            printf("%u full 0 0 0 0 - 0|\n", id);
        }
    }
}

static uint64_t
number(struct ph_str text, uint64_t max)
{
    uint64_t value = 0;

    if (!ph_str_u64(text, max, &value)) {
        die("expected a number");
    }
    return value;
}

static struct ph_str
word(struct ph_str *line)
{
    struct ph_str piece = { NULL, 0 };

    if (!ph_str_next(line, ' ', &piece)) {
        die("a word is missing");
    }
    return piece;
}

static void
start(struct wk_calls *calls, struct ph_str line)
{
    struct slot  *slot = calloc(1, sizeof(*slot));
    struct ph_str pair, name, value;

    if (slot == NULL || line.len >= sizeof(slot->line)) {
        die("no room");
    }
    memcpy(slot->line, line.ptr, line.len);
    line      = ph_str_make(slot->line, line.len);
    size_t id = (size_t) number(word(&line), CALLS_MAX - 1);
    free(slots[id]);
    slots[id]             = slot;
    slot->call.kind       = ph_str_eq(word(&line), PH_STR("webhook"))
                                ? WK_CALL_WEBHOOK
                                : WK_CALL_CHANNEL;
    slot->call.timeout_ms = number(word(&line), 600000);
    slot->request.method  = word(&line);
    slot->request.url     = word(&line);
    slot->request.body    = ph_str_make(body, number(word(&line), BODY_MAX));
    while (ph_str_next(&line, ' ', &pair)
           && ph_str_cut(pair, '=', &name, &value)) {
        slot->request.headers[slot->request.header_count++]
            = (struct ph_channel_header){ name, value };
    }
    slot->call.request = &slot->request;
    slot->call.done    = on_done;
    slot->call.data    = slot;
    slot->in_start     = true;
    bool started       = wk_call_start(calls, &slot->call);
    slot->in_start     = false;
    if (!started) {
        printf("%zu full 0 0 0 0 - 0|\n", id);
    }
}

static void
command(uv_loop_t *loop, struct wk_calls *calls, struct ph_str line)
{
    struct ph_str verb = word(&line);

    if (ph_str_eq(verb, PH_STR("start"))) {
        start(calls, line);
    } else if (ph_str_eq(verb, PH_STR("again"))) {
        again_left = number(word(&line), CALLS_MAX);
    } else if (ph_str_eq(verb, PH_STR("wait"))) {
        while (wk_calls_count(calls) != 0) {
            uv_run(loop, UV_RUN_ONCE);
        }
        printf("idle\n");
    } else {
        die("unknown command");
    }
    fflush(stdout);
}

static void
conf_read(struct ph_conf *conf, const char *path)
{
    static char   text[PH_CONF_TEXT_MAX];
    char          reason[512];
    struct ph_buf in  = PH_BUF_INIT(text);
    struct ph_buf why = PH_BUF_INIT(reason);

    ph_conf_init(conf);
    if (!ph_file_read(path, &in, &why)
        || ph_conf_parse(conf, path, ph_buf_str(&in), &why) != PH_OK)
    {
        die(ph_buf_z(&why));
    }
}

int
main(int argc, char **argv)
{
    static struct ph_conf conf;
    static uv_loop_t      loop;
    char                  line[LINE_MAX_LEN];

    if (argc != 2 || !ph_daemon_init("call-driver")) {
        die("usage: driver CONFIG_FILE");
    }
    conf_read(&conf, argv[1]);
    memset(body, 'x', sizeof(body));
    uv_loop_init(&loop);
    struct wk_calls *calls = wk_calls_new(&loop, &conf);
    if (calls == NULL) {
        die("no engine");
    }
    engine = calls;
    while (fgets(line, sizeof(line), stdin) != NULL) {
        command(&loop, calls, ph_str_make(line, strcspn(line, "\n")));
    }
    wk_calls_free(calls);
    uv_run(&loop, UV_RUN_DEFAULT);
    for (size_t i = 0; i < CALLS_MAX; i++) {
        free(slots[i]);
    }
    return uv_loop_close(&loop) == 0 ? 0 : 1;
}
