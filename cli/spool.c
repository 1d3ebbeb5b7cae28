/*
 * spool.c - see spool.h.
 */
#include "cli/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

static bool
say_file(const char *what)
{
    cli_say("temporary file in %s: %s: %s",
            getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp", what,
            strerror(errno));
    return false;
}

bool
cli_spool_open(struct cli_spool *spool, size_t                      size,
               int (*compare)(const void *a, const void *b), size_t memory_size)
{
    *spool        = (struct cli_spool){ .size        = size,
                                        .compare     = compare,
                                        .memory_size = memory_size / size * size,
                                        .fd          = -1 };
    spool->memory = malloc(spool->memory_size);
    if (spool->memory == NULL) {
        cli_say("out of memory");
        return false;
    }
    return true;
}

void
cli_spool_close(struct cli_spool *spool)
{
    if (spool->memory != NULL) {
        free(spool->memory);
        if (spool->fd != -1) {
            (void) close(spool->fd); /* has no name: nothing is kept */
        }
    }
    *spool = (struct cli_spool){ .fd = -1 };
}

/* --- writing --------------------------------------------------------------
 */

static bool
file_open(struct cli_spool *spool)
{
    const char *folder = getenv("TMPDIR");
    char        path[512];

    if (snprintf(path, sizeof(path), "%s/payhub.XXXXXX",
                 folder != NULL && folder[0] != '\0' ? folder : "/tmp")
        >= (int) sizeof(path))
    {
        errno = ENAMETOOLONG;
        return say_file("open");
    }
    spool->fd = mkostemp(path, O_CLOEXEC);
    if (spool->fd == -1) {
        return say_file("open");
    }
    (void) unlink(path);
    return true;
}

static bool
file_write(const struct cli_spool *spool, const char *from, size_t len)
{
    while (len != 0) {
        ssize_t n = write(spool->fd, from, len);
        if (n < 0 && errno != EINTR) {
            return say_file("write");
        }
        from += n > 0 ? n : 0;
        len -= n > 0 ? (size_t) n : 0;
    }
    return true;
}

/* what is in memory goes out as one run */
static bool
run_write(struct cli_spool *spool)
{
    struct cli_spool_run *run = &spool->runs[spool->run_count];

    if (spool->run_count == CLI_SPOOL_RUNS_MAX) {
        cli_say("found more than %zu bytes to sort, expected at most that",
                CLI_SPOOL_RUNS_MAX * spool->memory_size);
        return false;
    }
    if (spool->fd == -1 && !file_open(spool)) {
        return false;
    }
    qsort(spool->memory, spool->count, spool->size, spool->compare);
    *run = (struct cli_spool_run){ .at  = spool->total - spool->count,
                                   .end = spool->total };
    spool->run_count++;
    bool ok      = file_write(spool, spool->memory, spool->count * spool->size);
    spool->count = 0;
    return ok;
}

bool
cli_spool_add(struct cli_spool *spool, const void *record)
{
    if ((spool->count + 1) * spool->size > spool->memory_size
        && !run_write(spool)) {
        return false;
    }
    memcpy(spool->memory + spool->count * spool->size, record, spool->size);
    spool->count++;
    spool->total++;
    return true;
}

/* --- reading --------------------------------------------------------------
 */

/* the run's next slice of the file; count 0 = it is at its end */
static bool
run_fill(const struct cli_spool *spool, struct cli_spool_run *run)
{
    uint64_t left = run->end - run->at;
    size_t   n    = left < spool->slice_max ? (size_t) left : spool->slice_max;
    size_t   len  = n * spool->size;

    for (size_t done = 0; done < len;) {
        ssize_t got = pread(spool->fd, run->slice + done, len - done,
                            (off_t) (run->at * spool->size) + (off_t) done);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            return say_file("read");
        }
        done += got > 0 ? (size_t) got : 0;
    }
    run->at += n;
    run->next  = 0;
    run->count = n;
    return true;
}

static const char *
head_of(const struct cli_spool *spool, size_t place)
{
    const struct cli_spool_run *run = &spool->runs[spool->heap[place]];

    return run->slice + run->next * spool->size;
}

static void
heap_sink(struct cli_spool *spool, size_t place)
{
    for (;;) {
        size_t least = place;

        for (size_t child = 2 * place + 1;
             child <= 2 * place + 2 && child < spool->heap_count; child++)
        {
            if (spool->compare(head_of(spool, child), head_of(spool, least))
                < 0) {
                least = child;
            }
        }
        if (least == place) {
            return;
        }
        size_t run         = spool->heap[place];
        spool->heap[place] = spool->heap[least];
        spool->heap[least] = run;
        place              = least;
    }
}

bool
cli_spool_sort(struct cli_spool *spool)
{
    if (spool->run_count == 0) {
        qsort(spool->memory, spool->count, spool->size, spool->compare);
        return true;
    }
    if (spool->count != 0 && !run_write(spool)) {
        return false;
    }
    spool->slice_max = spool->memory_size / spool->size / spool->run_count;
    if (spool->slice_max == 0) {
        cli_say("found %zu runs to merge, expected fewer", spool->run_count);
        return false;
    }
    for (size_t i = 0; i < spool->run_count; i++) {
        spool->runs[i].slice
            = spool->memory + i * spool->slice_max * spool->size;
        spool->heap[i] = i;
        if (!run_fill(spool, &spool->runs[i])) {
            return false;
        }
    }
    spool->heap_count = spool->run_count;
    for (size_t i = spool->heap_count; i-- > 0;) {
        heap_sink(spool, i);
    }
    return true;
}

/* past the record that was handed out */
static bool
heap_move(struct cli_spool *spool)
{
    struct cli_spool_run *run = &spool->runs[spool->heap[0]];

    spool->is_moved = false;
    if (++run->next == run->count && !run_fill(spool, run)) {
        return false;
    }
    if (run->count == 0) {
        spool->heap[0] = spool->heap[--spool->heap_count];
    }
    heap_sink(spool, 0);
    return true;
}

bool
cli_spool_next(struct cli_spool *spool, const void **record)
{
    *record = NULL;
    if (spool->run_count == 0) {
        if (spool->next < spool->count) {
            *record = spool->memory + spool->next++ * spool->size;
        }
        return true;
    }
    if (spool->is_moved && !heap_move(spool)) {
        return false;
    }
    if (spool->heap_count != 0) {
        spool->is_moved = true;
        *record         = head_of(spool, 0);
    }
    return true;
}
