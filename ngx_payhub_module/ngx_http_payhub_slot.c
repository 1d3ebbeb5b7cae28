
/*
 * Slots of processes in payhub_zone: who lives, which generation each serves,
 * and the counters.
 */


#include "ngx_http_payhub_zone.h"


#define NGX_HTTP_PAYHUB_COUNTERS_MAX  64    /* places of each slot */


/* cache lines of a process's own: 64 bytes about it, then its counters */

typedef struct {
    uint64_t                 owner;         /* 0: nobody's */
    uint64_t                 generation;
    uint64_t                 epoch;
    uint64_t                 claims;        /* in the last slot: of all */
    uint64_t                 spare[4];
    uint64_t                 counts[NGX_HTTP_PAYHUB_COUNTERS_MAX];
} ngx_http_payhub_slot_t;


_Static_assert(NGX_HTTP_PAYHUB_COUNTERS <= NGX_HTTP_PAYHUB_COUNTERS_MAX,
               "a slot has a place for each counter");


static size_t ngx_http_payhub_counters_size(size_t left);
static ngx_int_t ngx_http_payhub_counters_init(void *area, size_t size,
    ngx_log_t *log);


ngx_http_payhub_area_t  ngx_http_payhub_counters_area = {
    ngx_http_payhub_counters_size, ngx_http_payhub_counters_init
};


static uint64_t  ngx_http_payhub_sink[NGX_HTTP_PAYHUB_COUNTERS_MAX];
uint64_t        *ngx_http_payhub_counts = ngx_http_payhub_sink;


/* of this process; 0 in a master */

static uint64_t    ngx_http_payhub_self;
static ngx_uint_t  ngx_http_payhub_slot_n;


ngx_uint_t
ngx_http_payhub_slot(void)
{
    return ngx_http_payhub_slot_n;
}


static ngx_http_payhub_slot_t *
ngx_http_payhub_slots(void)
{
    size_t  size;

    return ngx_http_payhub_area(NGX_HTTP_PAYHUB_AREA_COUNTERS, &size);
}


/*
 * Start time of a process in ticks since boot; 0: not to be known, 1: it is
 * dead and only waits to be collected.
 */

static uint64_t
ngx_http_payhub_started(ngx_pid_t pid)
{
    char      *p, path[sizeof("/proc//stat") + NGX_INT64_LEN];
    char       buf[1024];
    ssize_t    n;
    ngx_fd_t   fd;
    ngx_uint_t i;

    (void) ngx_sprintf((u_char *) path, "/proc/%P/stat%Z", pid);

    fd = ngx_open_file((u_char *) path, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        return 0;
    }

    n = ngx_read_fd(fd, buf, sizeof(buf) - 1);
    (void) ngx_close_file(fd);

    if (n <= 0) {
        return 0;
    }

    buf[n] = '\0';

    /* the name stands in parentheses and may hold anything; the state is the
       next field, the start time the 20th after it */

    p = strrchr(buf, ')');
    if (p == NULL || p[1] != ' ') {
        return 0;
    }

    p += 2;

    if (*p == 'Z' || *p == 'X') {
        return 1;
    }

    for (i = 0; i < 19; i++) {
        p = strchr(p, ' ');
        if (p == NULL) {
            return 0;
        }

        p++;
    }

    return strtoull(p, NULL, 10);
}


uint64_t
ngx_http_payhub_owner(void)
{
    return ngx_http_payhub_self;
}


ngx_uint_t
ngx_http_payhub_owner_alive(uint64_t owner)
{
    uint64_t   started;
    ngx_pid_t  pid;

    pid = (ngx_pid_t) (owner >> 32);

    if (pid == 0) {
        return 0;
    }

    if (owner == ngx_http_payhub_self) {
        return 1;
    }

    if (kill(pid, 0) == -1 && ngx_errno == ESRCH) {
        return 0;
    }

    started = ngx_http_payhub_started(pid);

    return started == 0
           || (uint32_t) owner == 0
           || (uint32_t) started == (uint32_t) owner;
}


ngx_uint_t
ngx_http_payhub_slot_info(ngx_uint_t slot, ngx_http_payhub_slot_info_t *info)
{
    uint64_t                 owner;
    ngx_http_payhub_slot_t  *slots;

    slots = ngx_http_payhub_slots();

    if (slots == NULL || slot >= NGX_HTTP_PAYHUB_SLOTS_MAX) {
        return 0;
    }

    owner = __atomic_load_n(&slots[slot].owner, __ATOMIC_ACQUIRE);

    if (owner == 0 || !ngx_http_payhub_owner_alive(owner)) {
        return 0;
    }

    info->pid = (ngx_pid_t) (owner >> 32);
    info->generation = slots[slot].generation;
    info->epoch = slots[slot].epoch;

    return 1;
}


void
ngx_http_payhub_slot_serves(uint64_t generation)
{
    ngx_http_payhub_slot_t  *slots;

    slots = ngx_http_payhub_slots();

    if (slots && ngx_http_payhub_self) {
        slots[ngx_http_payhub_slot_n].epoch = ngx_http_payhub_epoch();
        slots[ngx_http_payhub_slot_n].generation = generation;
    }
}


uint64_t
ngx_http_payhub_count_read(ngx_http_payhub_counter_e counter)
{
    uint64_t                 sum;
    ngx_uint_t               i;
    ngx_http_payhub_slot_t  *slots;

    slots = ngx_http_payhub_slots();

    if (slots == NULL) {
        return ngx_http_payhub_sink[counter];
    }

    sum = 0;

    for (i = 0; i < NGX_HTTP_PAYHUB_SLOTS_MAX; i++) {
        sum += __atomic_load_n(&slots[i].counts[counter], __ATOMIC_RELAXED);
    }

    return sum;
}


uint64_t
ngx_http_payhub_slot_claims(void)
{
    ngx_http_payhub_slot_t  *slots;

    slots = ngx_http_payhub_slots();

    if (slots == NULL) {
        return 0;
    }

    return __atomic_load_n(&slots[NGX_HTTP_PAYHUB_SLOTS_MAX - 1].claims,
                           __ATOMIC_ACQUIRE);
}


/* free slots first, then those of the dead; the sums in them go on */

void
ngx_http_payhub_slot_claim(ngx_log_t *log)
{
    uint64_t                 owner, started;
    ngx_uint_t               i, pass;
    ngx_http_payhub_slot_t  *slots;

    started = ngx_http_payhub_started(ngx_pid);
    ngx_http_payhub_self = (uint64_t) ngx_pid << 32 | (uint32_t) started;

    ngx_http_payhub_slot_n = 0;
    ngx_http_payhub_counts = ngx_http_payhub_sink;

    slots = ngx_http_payhub_slots();
    if (slots == NULL) {
        return;
    }

    for (pass = 0; pass < 2; pass++) {

        for (i = 0; i < NGX_HTTP_PAYHUB_SLOTS_MAX - 1; i++) {
            owner = __atomic_load_n(&slots[i].owner, __ATOMIC_ACQUIRE);

            if (owner == ngx_http_payhub_self) {
                goto found;
            }

            if (pass == 0 ? owner != 0 : ngx_http_payhub_owner_alive(owner)) {
                continue;
            }

            if (__sync_bool_compare_and_swap(&slots[i].owner, owner,
                                             ngx_http_payhub_self))
            {
                goto found;
            }
        }
    }

    ngx_log_error(NGX_LOG_ALERT, log, 0,
                  "payhub: found more than %d processes at payhub_zone, "
                  "expected at most that many: their counters may lose",
                  NGX_HTTP_PAYHUB_SLOTS_MAX - 1);

found:

    ngx_http_payhub_slot_n = i;
    ngx_http_payhub_counts = slots[i].counts;

    slots[i].epoch = ngx_http_payhub_epoch();
    slots[i].generation = 0;

    (void) __atomic_add_fetch(&slots[NGX_HTTP_PAYHUB_SLOTS_MAX - 1].claims, 1,
                              __ATOMIC_ACQ_REL);
}


void
ngx_http_payhub_slot_release(void)
{
    ngx_http_payhub_slot_t  *slots;

    slots = ngx_http_payhub_slots();

    if (slots) {
        (void) __sync_bool_compare_and_swap(
                                        &slots[ngx_http_payhub_slot_n].owner,
                                        ngx_http_payhub_self, 0);
    }

    ngx_http_payhub_counts = ngx_http_payhub_sink;
}


static size_t
ngx_http_payhub_counters_size(size_t left)
{
    return NGX_HTTP_PAYHUB_SLOTS_MAX * sizeof(ngx_http_payhub_slot_t);
}


static ngx_int_t
ngx_http_payhub_counters_init(void *area, size_t size, ngx_log_t *log)
{
    return NGX_OK;
}
