/*
 * stream.h - binlog events from a server, as a replica gets them.
 *
 * The library connects and authenticates; the dump itself is read as raw
 * packets, for Connector/C's own event parser loses signs and whole types.
 * bl_stream_open() and bl_stream_next() are the only two functions that know
 * which client library is underneath.
 *
 * One thread reads; any thread may call bl_stream_stop().
 */
#ifndef SIDECAR_STREAM_H
#define SIDECAR_STREAM_H

#include <mysql.h>
#include <pthread.h>

#include "libpayhub/base/conf.h"
#include "sidecar/position.h"

struct bl_stream {
    MYSQL          *mysql;
    pthread_mutex_t lock; /* of the two below */
    int             fd;   /* -1 = none */
    bool            is_stopping;
    uint8_t         checksum; /* of events before the FORMAT_DESCRIPTION */
};

struct bl_stream_start {
    const struct ph_conf     *conf;
    const struct bl_position *position;     /* NULL = from the end of the log */
    uint32_t                  server_id;    /* unique among all replicas */
    uint32_t                  timeout_ms;   /* silence that means a dead link */
    bool                      to_the_end;   /* then BL_STREAM_END */
    bool                      for_counting; /* all settings are required */
};

enum bl_stream_rc {
    BL_STREAM_OK,
    BL_STREAM_END,    /* the server ended the dump, asked for or not */
    BL_STREAM_DOWN,   /* the link or the server went: connect again */
    BL_STREAM_CLASH,  /* another replica has our server_id */
    BL_STREAM_REFUSED /* a person must look */
};

bool bl_stream_init(struct bl_stream *stream);
void bl_stream_deinit(struct bl_stream *stream);

enum bl_stream_rc bl_stream_open(struct bl_stream             *stream,
                                 const struct bl_stream_start *start,
                                 struct ph_buf                *why);
void              bl_stream_close(struct bl_stream *stream);

/* *event lives until the next call */
enum bl_stream_rc bl_stream_next(struct bl_stream *stream, struct ph_str *event,
                                 struct ph_buf *why);

/* Ends a blocked read; every later open is refused. */
void bl_stream_stop(struct bl_stream *stream);

#endif
