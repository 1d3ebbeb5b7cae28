/*
 * stream.c - replica handshake, COM_BINLOG_DUMP, raw packets.
 *
 * Heartbeats make silence mean something: the server sends one whenever it has
 * been quiet for sidecar.heartbeat, so a read that waits for four of them is
 * a dead link.  The client library knows that timeout in whole seconds only,
 * and only from the moment of connecting.
 */
#include "sidecar/stream.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "libpayhub/base/cur.h"
#include "libpayhub/io/db.h"
#include "sidecar/check.h"

#define DUMP_FIRST_POS 4 /* after the magic bytes of a file */
#define DUMP_NON_BLOCK 1 /* end of log instead of waiting */
#define EOF_PACKET 0xfe
#define EOF_PACKET_MAX 8
#define NS_PER_MS UINT64_C(1000000)
#define CLIENT_ERROR_MIN 2000 /* numbers that the library itself makes */
#define CLIENT_ERROR_MAX 2999
#define HANDSHAKE_MAX (BL_POSITION_TEXT_MAX + 256)

enum server_error {
    ER_TOO_MANY_CONNECTIONS = 1040,
    ER_SHUTDOWN             = 1053,
    ER_DUMP                 = 1236,
    ER_KILLED               = 1927,
    ER_SAME_SERVER_ID       = 4052
};

bool
bl_stream_init(struct bl_stream *stream)
{
    *stream = (struct bl_stream){ .fd = -1 };
    return pthread_mutex_init(&stream->lock, NULL) == 0;
}

void
bl_stream_deinit(struct bl_stream *stream)
{
    bl_stream_close(stream);
    (void) pthread_mutex_destroy(&stream->lock);
}

void
bl_stream_stop(struct bl_stream *stream)
{
    (void) pthread_mutex_lock(&stream->lock);
    stream->is_stopping = true;
    if (stream->fd >= 0) {
        (void) shutdown(stream->fd, SHUT_RDWR);
    }
    (void) pthread_mutex_unlock(&stream->lock);
}

/* false = stopping */
static bool
fd_keep(struct bl_stream *stream, int fd)
{
    (void) pthread_mutex_lock(&stream->lock);
    stream->fd = fd;
    bool go_on = !stream->is_stopping;
    (void) pthread_mutex_unlock(&stream->lock);
    return go_on;
}

void
bl_stream_close(struct bl_stream *stream)
{
    (void) fd_keep(stream, -1);
    if (stream->mysql != NULL) {
        mysql_close(stream->mysql);
        stream->mysql = NULL;
    }
}

static enum bl_stream_rc
error_judge(MYSQL *mysql, struct ph_buf *why)
{
    unsigned number = mysql_errno(mysql);

    ph_buf_add(why, PH_STR("MySQL: "));
    ph_buf_add(why, ph_str_z(mysql_error(mysql)));
    ph_buf_add(why, PH_STR(" ("));
    ph_buf_u64(why, number);
    ph_buf_byte(why, ')');
    switch (number) {
    case 0:
    case ER_TOO_MANY_CONNECTIONS:
    case ER_SHUTDOWN:
    case ER_KILLED:
        return BL_STREAM_DOWN;
    case ER_SAME_SERVER_ID:
        ph_buf_add(why, PH_STR("; set another sidecar.server_id"));
        return BL_STREAM_CLASH;
    case ER_DUMP:
        ph_buf_add(why, PH_STR("; the log that the counters need next is not "
                               "there: they must be rebuilt from SQL, which "
                               "this version cannot do"));
        return BL_STREAM_REFUSED;
    default:
        return number >= CLIENT_ERROR_MIN && number <= CLIENT_ERROR_MAX
                   ? BL_STREAM_DOWN
                   : BL_STREAM_REFUSED;
    }
}

static bool
settings_fit(MYSQL *mysql, struct ph_buf *why)
{
    struct bl_findings findings;

    if (!bl_check(mysql, &findings, why)) {
        return false;
    }
    for (size_t i = 0; i < findings.count; i++) {
        if (findings.finding[i].is_required) {
            bl_finding_text(&findings.finding[i], why);
            return false;
        }
    }
    return true;
}

/* The server's own place: what a reader of news only starts from. */
static bool
end_of_log(MYSQL *mysql, struct bl_position *position, struct ph_buf *why)
{
    char          memory[BL_POSITION_TEXT_MAX];
    struct ph_buf text = PH_BUF_INIT(memory);

    if (!bl_sql_value(mysql, "SELECT @@global.gtid_binlog_pos", &text)
        || bl_position_parse(ph_buf_str(&text), position) != PH_OK)
    {
        ph_buf_add(why, PH_STR("found no gtid_binlog_pos, expected that of "
                               "MariaDB"));
        return false;
    }
    return true;
}

static enum bl_stream_rc
variables_set(struct bl_stream *stream, const struct bl_stream_start *start,
              const struct bl_position *position, struct ph_buf *why)
{
    char          memory[HANDSHAKE_MAX];
    char          word[16];
    struct ph_buf sql      = PH_BUF_INIT(memory);
    struct ph_buf checksum = PH_BUF_INIT(word);
    uint64_t      period_ms
        = (uint64_t) ph_conf_number(start->conf, PH_CONF_sidecar_heartbeat);

    ph_buf_add(&sql, PH_STR("SET @master_binlog_checksum = "
                            "@@global.binlog_checksum, "
                            "@mariadb_slave_capability = 4, "
                            "@slave_gtid_strict_mode = 1, "
                            "@master_heartbeat_period = "));
    ph_buf_u64(&sql, period_ms * NS_PER_MS);
    ph_buf_add(&sql, PH_STR(", @slave_connect_state = '"));
    bl_position_format(position, &sql);
    ph_buf_add(&sql, PH_STR("'"));
    /* what was set is read back: the server's own may change meanwhile */
    if (mysql_query(stream->mysql, ph_buf_z(&sql)) != 0
        || !bl_sql_value(stream->mysql, "SELECT @master_binlog_checksum",
                         &checksum))
    {
        return error_judge(stream->mysql, why);
    }
    stream->checksum = ph_str_eq(ph_buf_str(&checksum), PH_STR("CRC32"));
    return BL_STREAM_OK;
}

static enum bl_stream_rc
dump_ask(struct bl_stream *stream, const struct bl_stream_start *start,
         struct ph_buf *why)
{
    char          memory[16];
    struct ph_buf body = PH_BUF_INIT(memory);

    ph_buf_le(&body, DUMP_FIRST_POS, 4);
    ph_buf_le(&body, start->to_the_end ? DUMP_NON_BLOCK : 0, 2);
    ph_buf_le(&body, start->server_id, 4);
    if (stream->mysql->methods->db_command(stream->mysql, COM_BINLOG_DUMP,
                                           body.ptr, body.len, 1, NULL)
        != 0)
    {
        return error_judge(stream->mysql, why);
    }
    return BL_STREAM_OK;
}

static MYSQL *
connect_to(const struct bl_stream_start *start, struct ph_buf *why)
{
    struct ph_conf *conf  = malloc(sizeof(*conf));
    MYSQL          *mysql = NULL;

    if (conf == NULL) {
        ph_buf_add(why, PH_STR("out of memory"));
        return NULL;
    }
    *conf                               = *start->conf;
    conf->number[PH_CONF_store_timeout] = start->timeout_ms;
    mysql = ph_mysql_open(conf, PH_DB_SIDECAR, why);
    free(conf);
    return mysql;
}

enum bl_stream_rc
bl_stream_open(struct bl_stream *stream, const struct bl_stream_start *start,
               struct ph_buf *why)
{
    struct bl_position        now;
    const struct bl_position *position = start->position;

    stream->mysql = connect_to(start, why);
    if (stream->mysql == NULL) {
        return BL_STREAM_DOWN;
    }
    if (!fd_keep(stream, (int) mysql_get_socket(stream->mysql))) {
        ph_buf_add(why, PH_STR("stopped"));
        return BL_STREAM_DOWN;
    }
    if (start->for_counting && !settings_fit(stream->mysql, why)) {
        return mysql_errno(stream->mysql) != 0 ? BL_STREAM_DOWN
                                               : BL_STREAM_REFUSED;
    }
    if (position == NULL) {
        if (!end_of_log(stream->mysql, &now, why)) {
            return BL_STREAM_REFUSED;
        }
        position = &now;
    } else if (!bl_check_position(stream->mysql, position, why)) {
        return mysql_errno(stream->mysql) != 0 ? BL_STREAM_DOWN
                                               : BL_STREAM_REFUSED;
    }
    enum bl_stream_rc rc = variables_set(stream, start, position, why);
    return rc == BL_STREAM_OK ? dump_ask(stream, start, why) : rc;
}

enum bl_stream_rc
bl_stream_next(struct bl_stream *stream, struct ph_str *event,
               struct ph_buf *why)
{
    unsigned long        len    = mysql_net_read_packet(stream->mysql);
    const unsigned char *packet = stream->mysql->net.read_pos;

    if (len == packet_error || len == 0) {
        return error_judge(stream->mysql, why);
    }
    if (packet[0] == EOF_PACKET && len < EOF_PACKET_MAX) {
        ph_buf_add(why, PH_STR("the server ended the dump"));
        return BL_STREAM_END;
    }
    if (packet[0] != 0) {
        ph_buf_add(why, PH_STR("found a packet that is no event"));
        return BL_STREAM_REFUSED;
    }
    *event = ph_str_make((const char *) packet + 1, len - 1);
    return BL_STREAM_OK;
}
