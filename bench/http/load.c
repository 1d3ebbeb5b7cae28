/*
 * load.c - see load.h.
 */
#include "bench/http/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX 128
#define GRACE_NS UINT64_C(5000000000) /* for the last answers */

struct link {
    int      fd;
    bool     busy; /* a request is on the way */
    uint64_t sent_ns;
    size_t   out_len, out_done;
    size_t   in_len;
    char     out[LOAD_REQUEST_MAX];
    char     in[LOAD_ANSWER_MAX];
};

struct load {
    const struct load_plan *plan;
    struct load_result     *result;
    struct ph_hmac         *mac;
    struct link            *links;
    int                     poll_fd;
    uint64_t                started; /* requests */
    unsigned                turn;    /* the link that is looked at next */
    uint64_t                begin_ns, end_ns, last_ns;
    uint32_t               *waits_ns; /* at most 4.2 s each */
};

static uint64_t
now_ns(void)
{
    struct timespec ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t) ts.tv_sec * 1000000000u + (uint64_t) ts.tv_nsec;
}

static uint64_t
unix_s(void)
{
    struct timespec ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t) ts.tv_sec;
}

static bool
link_open(struct load *load, struct link *link)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port   = htons((uint16_t) load->plan->port),
                              .sin_addr   = { htonl(INADDR_LOOPBACK) } };
    struct epoll_event ev = { .events = EPOLLIN, .data = { .ptr = link } };
    int                on = 1;

    link->fd     = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    link->in_len = 0;
    link->busy   = false;
    if (link->fd < 0
        || connect(link->fd, (const struct sockaddr *) &to, sizeof(to)) != 0
        || setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0
        || epoll_ctl(load->poll_fd, EPOLL_CTL_ADD, link->fd, &ev) != 0)
    {
        (void) fprintf(stderr, "load: 127.0.0.1:%u: %s\n", load->plan->port,
                       strerror(errno));
        return false;
    }
    return true;
}

static bool
is_over(const struct load *load)
{
    return load->started >= load->plan->requests || now_ns() >= load->end_ns;
}

/* With a rate, links rest until it is time for the next request. */
static bool
is_early(const struct load *load)
{
    uint64_t due = load->plan->rate * (now_ns() - load->begin_ns) / 1000000000;

    return load->plan->rate != 0 && load->started > due;
}

/* A request is small: the socket takes it whole or the link is broken. */
static bool
link_send(struct load *load, struct link *link)
{
    struct ph_buf out;

    ph_buf_init(&out, link->out, sizeof(link->out));
    if (!load_request(&out, load->plan, load->mac, load->started, unix_s())) {
        (void) fprintf(stderr, "load: the request does not fit\n");
        return false;
    }
    load->started++;
    link->in_len  = 0;
    link->busy    = true;
    link->sent_ns = now_ns();
    return send(link->fd, out.ptr, out.len, MSG_NOSIGNAL) == (ssize_t) out.len;
}

static bool
link_again(struct load *load, struct link *link)
{
    load->result->unanswered += link->busy;
    (void) close(link->fd);
    link->fd   = -1;
    link->busy = false;
    if (is_over(load)) {
        return true;
    }
    return link_open(load, link) && (is_early(load) || link_send(load, link));
}

/* length of the whole answer when it is there, 0 when more must come */
static size_t
answer_length(const struct link *link, bool *closes)
{
    const char *end  = memmem(link->in, link->in_len, "\r\n\r\n", 4);
    size_t      body = 0;

    if (end == NULL) {
        return 0;
    }
    size_t head = (size_t) (end - link->in) + 4;
    for (const char *at = link->in; at < end;
         at             = (const char *) memchr(at, '\n', head) + 1)
    {
        if (strncasecmp(at, "content-length:", 15) == 0) {
            body = strtoul(at + 15, NULL, 10);
        } else if (strncasecmp(at, "connection: close", 17) == 0) {
            *closes = true;
        }
    }
    return link->in_len >= head + body ? head + body : 0;
}

static void
answer_count(struct load *load, struct link *link)
{
    struct load_result *result = load->result;
    unsigned            status = (unsigned) strtoul(link->in + 9, NULL, 10);

    load->last_ns = now_ns();
    uint64_t wait = load->last_ns - link->sent_ns;
    load->waits_ns[result->answered++]
        = wait < UINT32_MAX ? (uint32_t) wait : UINT32_MAX;
    if (status >= 200 && status < 300) {
        result->good++;
    } else {
        result->bad_status = status;
    }
    link->busy = false;
}

static bool
link_read(struct load *load, struct link *link)
{
    bool    closes = false;
    ssize_t got    = recv(link->fd, link->in + link->in_len,
                          sizeof(link->in) - link->in_len - 1, 0);

    if (got <= 0) {
        return link_again(load, link);
    }
    link->in_len += (size_t) got;
    link->in[link->in_len] = '\0';
    if (!link->busy || answer_length(link, &closes) == 0) {
        return true;
    }
    answer_count(load, link);
    if (closes) {
        return link_again(load, link);
    }
    return is_over(load) || is_early(load) || link_send(load, link)
           || link_again(load, link);
}

static bool
any_busy(const struct load *load)
{
    for (unsigned i = 0; i < load->plan->connections; i++) {
        if (load->links[i].busy) {
            return true;
        }
    }
    return false;
}

/* Those that rest, in turns, as far as it is time. */
static bool
resting_send(struct load *load)
{
    unsigned count = load->plan->connections;

    for (unsigned i = 0; i < count && !is_over(load) && !is_early(load); i++) {
        struct link *link = &load->links[load->turn++ % count];

        if (link->fd >= 0 && !link->busy && !link_send(load, link)
            && !link_again(load, link))
        {
            return false;
        }
    }
    return true;
}

static bool
turn(struct load *load)
{
    struct epoll_event events[EVENTS_MAX];
    int                count = epoll_wait(load->poll_fd, events, EVENTS_MAX,
                           load->plan->rate != 0 ? 1 : 100);

    if (load->plan->rate != 0 && !resting_send(load)) {
        return false;
    }

    for (int i = 0; i < count; i++) {
        struct link *link = events[i].data.ptr;
        if (link->fd >= 0 && !link_read(load, link)) {
            return false;
        }
    }
    return true;
}

static bool
links_run(struct load *load)
{
    for (unsigned i = 0; i < load->plan->connections; i++) {
        load->links[i].fd = -1;
    }
    for (unsigned i = 0; i < load->plan->connections && !is_over(load); i++) {
        if (!link_open(load, &load->links[i])
            || (!is_early(load) && !link_send(load, &load->links[i])))
        {
            return false;
        }
    }
    while (!is_over(load) || any_busy(load)) {
        if (!turn(load)) {
            return false;
        }
        if (now_ns() > load->end_ns + GRACE_NS) {
            break;
        }
    }
    for (unsigned i = 0; i < load->plan->connections; i++) {
        load->result->unanswered += load->links[i].busy;
    }
    return true;
}

static int
wait_cmp(const void *a, const void *b)
{
    const uint32_t *left = a, *right = b;

    return (*left > *right) - (*left < *right);
}

static void
figures(struct load *load)
{
    struct load_result *result = load->result;
    uint64_t            count  = result->answered;

    result->seconds = (double) (load->last_ns - load->begin_ns) / 1e9;
    if (count != 0) {
        qsort(load->waits_ns, count, sizeof(load->waits_ns[0]), wait_cmp);
        uint64_t middle = count / 2, tail = count * 99 / 100;
        result->p50_ms = (double) load->waits_ns[middle] / 1e6;
        result->p99_ms = (double) load->waits_ns[tail] / 1e6;
    }
}

bool
load_run(const struct load_plan *plan, struct load_result *result)
{
    struct load load = { .plan = plan, .result = result };
    bool        ok   = false;

    *result       = (struct load_result){ 0 };
    load.links    = calloc(plan->connections, sizeof(*load.links));
    load.waits_ns = calloc(plan->requests, sizeof(*load.waits_ns));
    load.mac      = plan->key_id != NULL ? ph_hmac_new(plan->secret) : NULL;
    load.poll_fd  = epoll_create1(EPOLL_CLOEXEC);
    if (load.links != NULL && load.waits_ns != NULL && load.poll_fd >= 0
        && (plan->key_id == NULL || load.mac != NULL))
    {
        load.begin_ns = now_ns();
        load.last_ns  = load.begin_ns;
        load.end_ns   = load.begin_ns + plan->seconds * UINT64_C(1000000000);
        ok            = links_run(&load);
        figures(&load);
        for (unsigned i = 0; i < plan->connections; i++) {
            if (load.links[i].fd >= 0) {
                (void) close(load.links[i].fd);
            }
        }
    }
    if (load.poll_fd >= 0) {
        (void) close(load.poll_fd);
    }
    ph_hmac_free(load.mac);
    free(load.waits_ns);
    free(load.links);
    return ok;
}
