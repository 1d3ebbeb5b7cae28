/*
 * tail.c - reader and applier.
 *
 * The reader blocks in the socket, the applier in Redis; between them stand
 * two batches (queue.h).  Waiting times double from BACKOFF_MIN_MS to
 * BACKOFF_MAX_MS while nothing gets better.
 */
#include "sidecar/tail.h"

#include <inttypes.h>
#include <stdlib.h>

#include "libpayhub/io/daemon.h"
#include "libpayhub/io/log.h"

#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000
#define HEARTBEATS_MISSED 4
#define DEAD_STARTS_MAX 6 /* the timeout grows to 64 times, no further */
#define WHY_MAX 1024

enum step {
    STEP_AGAIN,  /* trouble: pause, then from the stored position */
    STEP_AT_END, /* all is read and applied */
    STEP_FAILED  /* a person must look */
};

static struct bl_sums *
batch_begin(void *context, bool settled)
{
    struct bl_tail *tail = context;

    return bl_queue_begin(&tail->queue, settled);
}

static void
batch_end(void *context)
{
    struct bl_tail *tail = context;

    bl_queue_end(&tail->queue);
}

/* The counters may be wrong from here on: a person must rebuild them. */
static void
alarm_log(const struct bl_decoder *decoder, const char *what)
{
    ph_log(PH_LOG_ERROR, "counters_unsure", { "why", ph_str_z(what) },
           { "file", ph_str_z(decoder->file) },
           { "position", ph_log_i64(decoder->head.end_pos) });
}

/* Nothing is lost: the server that crashed has rolled it back. */
static void
cut_log(const struct bl_decoder *decoder)
{
    char          memory[64];
    struct ph_buf gtid = PH_BUF_INIT(memory);

    ph_buf_u64(&gtid, decoder->gtid.domain);
    ph_buf_byte(&gtid, '-');
    ph_buf_u64(&gtid, decoder->gtid.server_id);
    ph_buf_byte(&gtid, '-');
    ph_buf_u64(&gtid, decoder->gtid.seq);
    ph_log(PH_LOG_WARN, "transaction_cut", { "gtid", ph_buf_str(&gtid) },
           { "before_file", ph_str_z(decoder->file) });
}

bool
bl_tail_init(struct bl_tail *tail, const struct ph_conf *conf, bool to_the_end,
             struct ph_buf *why)
{
    uint64_t batch = (uint64_t) ph_conf_number(conf, PH_CONF_sidecar_batch);
    uint64_t wait_ms
        = (uint64_t) ph_conf_number(conf, PH_CONF_sidecar_batch_wait);

    memset(tail, 0, sizeof(*tail));
    tail->conf           = conf;
    tail->to_the_end     = to_the_end;
    tail->count.database = ph_str_z(ph_conf_text(conf, PH_CONF_store_database));
    tail->count.batches  = (struct bl_batches){ tail, batch_begin, batch_end };
    tail->count.alarm    = alarm_log;
    tail->count.cut      = cut_log;
    struct bl_visitor visitor = bl_count_visitor(&tail->count);
    if (!bl_sink_init(&tail->sink, conf, why)) {
        return false;
    }
    if (!bl_stream_init(&tail->stream)
        || !bl_queue_init(&tail->queue, batch, wait_ms)
        || !bl_decoder_init(&tail->decoder, &visitor, 0))
    {
        ph_buf_add(why, PH_STR("out of memory"));
        return false;
    }
    return true;
}

void
bl_tail_deinit(struct bl_tail *tail)
{
    bl_decoder_deinit(&tail->decoder);
    bl_count_deinit(&tail->count);
    bl_queue_deinit(&tail->queue);
    bl_stream_deinit(&tail->stream);
    bl_sink_deinit(&tail->sink);
}

void
bl_tail_stop(struct bl_tail *tail)
{
    bl_queue_stop(&tail->queue);
    bl_stream_stop(&tail->stream);
}

void
bl_tail_report(struct bl_tail *tail, uint64_t seconds)
{
    uint64_t rows  = atomic_exchange(&tail->row_changes, 0);
    uint64_t calls = atomic_exchange(&tail->batches, 0);
    uint64_t at_ms = atomic_load(&tail->at_ms);
    uint64_t lag   = at_ms != 0 ? ph_now_ms() - at_ms : 0;

    ph_log(PH_LOG_INFO, "counted", { "rows", ph_log_i64((int64_t) rows) },
           { "rows_per_s", ph_log_i64((int64_t) (rows / seconds)) },
           { "calls", ph_log_i64((int64_t) calls) },
           { "lag_ms", ph_log_i64((int64_t) lag) });
}

static void *
applier_main(void *context)
{
    struct bl_tail *tail = context;
    struct bl_sums *sums;

    while ((sums = bl_queue_take(&tail->queue)) != NULL) {
        char          memory[WHY_MAX];
        struct ph_buf why    = PH_BUF_INIT(memory);
        enum bl_apply result = bl_sink_apply(&tail->sink, sums, &why);

        if (result == BL_APPLY_OK) {
            (void) atomic_fetch_add(&tail->row_changes, sums->row_changes);
            (void) atomic_fetch_add(&tail->batches, 1);
            atomic_store(&tail->at_ms, sums->at_ms);
        } else {
            ph_log(PH_LOG_WARN,
                   result == BL_APPLY_STALE ? "position_stale" : "apply_failed",
                   { "why", ph_buf_str(&why) });
        }
        bl_queue_done(&tail->queue, result == BL_APPLY_OK);
    }
    return NULL;
}

/* The server has found our place: a transaction after it, or none yet. */
static void
place_found(struct bl_tail *tail)
{
    tail->dead_starts = 0;
    if (!tail->is_ready) {
        tail->is_ready = true;
        ph_log(PH_LOG_INFO, "ready", { "file", ph_str_z(tail->decoder.file) });
        ph_daemon_notify("READY=1");
    }
}

/* The stream says that it ends, or why it cannot go on. */
static enum step
stream_end(struct bl_tail *tail, enum bl_stream_rc rc, struct ph_str why)
{
    if (rc == BL_STREAM_END && tail->to_the_end) {
        return bl_queue_flush(&tail->queue) ? STEP_AT_END : STEP_AGAIN;
    }
    switch (rc) {
    case BL_STREAM_REFUSED:
        ph_log(PH_LOG_ERROR, "stream_refused", { "why", why });
        return STEP_FAILED;
    case BL_STREAM_CLASH:
        ph_log(PH_LOG_ERROR, "server_id_clash", { "why", why });
        return STEP_AGAIN;
    case BL_STREAM_END:
    case BL_STREAM_DOWN:
    case BL_STREAM_OK:
    default:
        if (!bl_queue_is_down(&tail->queue)) {
            ph_log(PH_LOG_WARN, "stream_down", { "why", why });
        }
        return STEP_AGAIN;
    }
}

static enum step
events_read(struct bl_tail *tail)
{
    struct bl_decoder *decoder = &tail->decoder;
    uint64_t           beats   = decoder->heartbeats;
    bool               found   = false;

    for (;;) {
        char              memory[WHY_MAX];
        struct ph_buf     why = PH_BUF_INIT(memory);
        struct ph_str     event;
        enum bl_stream_rc rc = bl_stream_next(&tail->stream, &event, &why);

        if (rc != BL_STREAM_OK) {
            tail->dead_starts += rc == BL_STREAM_DOWN && !found;
            return stream_end(tail, rc, ph_buf_str(&why));
        }
        bool ok = bl_decode(decoder, event);
        if (!ok && bl_queue_is_down(&tail->queue)) {
            return STEP_AGAIN;
        }
        if (!ok) {
            ph_log(PH_LOG_ERROR, "event_refused",
                   { "why", ph_buf_str(&decoder->why) });
            return STEP_FAILED;
        }
        if (!found && (decoder->in_transaction || decoder->heartbeats != beats))
        {
            found = true;
            place_found(tail);
        }
        if (decoder->heartbeats != beats) {
            beats = decoder->heartbeats;
            if (bl_queue_is_down(&tail->queue)) {
                return STEP_AGAIN;
            }
            bl_queue_touch(&tail->queue, ph_now_ms());
        }
    }
}

/* A server far from our place scans its log in silence: more patience then. */
static uint32_t
timeout_ms(const struct bl_tail *tail)
{
    int64_t  beat  = ph_conf_number(tail->conf, PH_CONF_sidecar_heartbeat);
    unsigned shift = tail->dead_starts < DEAD_STARTS_MAX ? tail->dead_starts
                                                         : DEAD_STARTS_MAX;

    return (uint32_t) (beat * HEARTBEATS_MISSED) << shift;
}

static enum step
stream_read(struct bl_tail *tail, const struct bl_position *position)
{
    char                   memory[WHY_MAX];
    struct ph_buf          why   = PH_BUF_INIT(memory);
    struct bl_stream_start start = {
        .conf     = tail->conf,
        .position = position,
        .server_id
        = (uint32_t) ph_conf_number(tail->conf, PH_CONF_sidecar_server_id),
        .timeout_ms   = timeout_ms(tail),
        .to_the_end   = tail->to_the_end,
        .for_counting = true,
    };
    enum bl_stream_rc rc = bl_stream_open(&tail->stream, &start, &why);
    enum step         step;

    if (rc == BL_STREAM_OK) {
        bl_decoder_reset(&tail->decoder, tail->stream.checksum);
        tail->count.sums    = NULL;
        tail->count.was_cut = false;
        ph_log(PH_LOG_INFO, "streaming",
               { "from", ph_str_z(tail->sink.stored) },
               { "epoch", ph_log_i64((int64_t) tail->sink.epoch) });
        step = events_read(tail);
    } else {
        step = stream_end(tail, rc, ph_buf_str(&why));
    }
    bl_stream_close(&tail->stream);
    return step;
}

/* From the position in Redis until something ends it. */
static enum step
session(struct bl_tail *tail)
{
    char               memory[WHY_MAX];
    struct ph_buf      why = PH_BUF_INIT(memory);
    struct bl_position position;

    bl_queue_rest(&tail->queue);
    switch (bl_sink_load(&tail->sink, &position, &why)) {
    case BL_LOAD_OK:
        bl_queue_start(&tail->queue, &position);
        return stream_read(tail, &position);
    case BL_LOAD_REFUSED:
        ph_log(PH_LOG_ERROR, "position_refused", { "why", ph_buf_str(&why) });
        return STEP_FAILED;
    case BL_LOAD_DOWN:
    default:
        ph_log(PH_LOG_WARN, "redis_down", { "why", ph_buf_str(&why) });
        return STEP_AGAIN;
    }
}

static enum step
sessions(struct bl_tail *tail)
{
    uint64_t wait_ms = BACKOFF_MIN_MS;
    uint64_t before  = tail->decoder.events;

    for (;;) {
        enum step step = session(tail);

        if (step != STEP_AGAIN) {
            return step;
        }
        if (tail->decoder.events != before) {
            before  = tail->decoder.events;
            wait_ms = BACKOFF_MIN_MS;
        }
        if (!bl_queue_pause(&tail->queue, wait_ms)) {
            return STEP_AT_END; /* told to stop */
        }
        wait_ms = wait_ms * 2 < BACKOFF_MAX_MS ? wait_ms * 2 : BACKOFF_MAX_MS;
    }
}

int
bl_tail_run(struct bl_tail *tail)
{
    pthread_t applier;

    if (pthread_create(&applier, NULL, applier_main, tail) != 0) {
        ph_log(PH_LOG_ERROR, "start_failed", { "why", PH_STR("no thread") });
        return EXIT_FAILURE;
    }
    enum step step = sessions(tail);
    bl_queue_stop(&tail->queue);
    (void) pthread_join(applier, NULL);
    return step == STEP_AT_END ? EXIT_SUCCESS : EXIT_FAILURE;
}
