/*
 * live.c - prints a stream.
 *
 * Stands beside a running sidecar without touching it: another server_id, no
 * Redis, no position kept.
 */
#include "sidecar/live.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SERVER_ID_BASE 0x70000000u /* above what people give to servers */
#define PID_MASK 0x0fffffffu
#define HEARTBEATS_MISSED 4

bool
bl_live_init(struct bl_live *live, const struct ph_conf *conf,
             struct ph_buf *why)
{
    bool named
        = strcmp(live->from, "now") != 0 && strcmp(live->from, "oldest") != 0;

    live->conf = conf;
    bl_out_init(&live->print.out, STDOUT_FILENO);
    if (named
        && bl_position_parse(ph_str_z(live->from), &live->position) != PH_OK) {
        ph_buf_add(why, PH_STR("--from: found "));
        ph_buf_add(why, ph_str_z(live->from));
        ph_buf_add(why, PH_STR(", expected now, oldest or a list of "
                               "DOMAIN-SERVER-SEQ"));
        return false;
    }
    struct bl_visitor visitor = bl_print_visitor(&live->print);
    if (!bl_stream_init(&live->stream)
        || !bl_decoder_init(&live->decoder, &visitor, 0))
    {
        ph_buf_add(why, PH_STR("out of memory"));
        return false;
    }
    return true;
}

void
bl_live_deinit(struct bl_live *live)
{
    bl_decoder_deinit(&live->decoder);
    bl_stream_deinit(&live->stream);
}

void
bl_live_stop(struct bl_live *live)
{
    bl_stream_stop(&live->stream);
}

static enum bl_stream_rc
events_print(struct bl_live *live, struct ph_buf *why)
{
    struct bl_decoder *decoder = &live->decoder;

    bl_decoder_reset(decoder, live->stream.checksum);
    for (;;) {
        struct ph_str     event;
        enum bl_stream_rc rc = bl_stream_next(&live->stream, &event, why);

        if (rc != BL_STREAM_OK) {
            return rc;
        }
        if (!bl_decode(decoder, event)) {
            ph_buf_add(why, ph_buf_str(&decoder->why));
            return BL_STREAM_REFUSED;
        }
        if (!live->to_the_end && !decoder->in_transaction) {
            (void) bl_out_flush(&live->print.out); /* somebody watches */
        }
    }
}

int
bl_live_run(struct bl_live *live)
{
    char                   memory[1024];
    struct ph_buf          why   = PH_BUF_INIT(memory);
    bool                   now   = strcmp(live->from, "now") == 0;
    struct bl_stream_start start = {
        .conf      = live->conf,
        .position  = now ? NULL : &live->position,
        .server_id = SERVER_ID_BASE | ((uint32_t) getpid() & PID_MASK),
        .timeout_ms
        = (uint32_t) ph_conf_number(live->conf, PH_CONF_sidecar_heartbeat)
          * HEARTBEATS_MISSED,
        .to_the_end = live->to_the_end,
    };
    enum bl_stream_rc rc = bl_stream_open(&live->stream, &start, &why);

    if (rc == BL_STREAM_OK) {
        rc = events_print(live, &why);
    }
    bool stopped = live->stream.is_stopping;
    bl_stream_close(&live->stream);
    bool ok = (rc == BL_STREAM_END && live->to_the_end) || stopped;
    if (!ok) {
        (void) bl_out_flush(&live->print.out);
        (void) fprintf(stderr, "payhub-sidecar: %.*s\n", (int) why.len,
                       why.ptr);
    }
    bl_print_count(&live->print, &live->decoder);
    return bl_out_flush(&live->print.out) && ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
