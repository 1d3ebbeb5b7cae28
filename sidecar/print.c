/*
 * print.c - row changes as lines, and whole files.
 *
 * Works on any table: nothing here knows what is counted.
 */
#include "sidecar/print.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sidecar/when.h"

#define MAGIC                                                                  \
    PH_STR("\xfe"                                                              \
           "bin")
#define MAGIC_ENCRYPTED                                                        \
    PH_STR("\xfd"                                                              \
           "bin")

static const char *const change_names[] = {
    [BL_INSERT] = "insert", [BL_UPDATE] = "update", [BL_DELETE] = "delete"
};

static void
padded(struct bl_out *out, uint32_t value, unsigned digits)
{
    char text[12];

    (void) snprintf(text, sizeof(text), "%0*u", (int) digits, value);
    bl_out_add(out, ph_str_z(text));
}

static void
time_write(struct bl_out *out, uint32_t time_s)
{
    struct bl_when when = bl_epoch_split(time_s);

    padded(out, when.year, 4);
    bl_out_byte(out, '-');
    padded(out, when.month, 2);
    bl_out_byte(out, '-');
    padded(out, when.day, 2);
    bl_out_byte(out, 'T');
    padded(out, when.hour, 2);
    bl_out_byte(out, ':');
    padded(out, when.minute, 2);
    bl_out_byte(out, ':');
    padded(out, when.second, 2);
    bl_out_byte(out, 'Z');
}

/* "-" for logs without GTIDs */
static void
gtid_write(struct bl_out *out, const struct bl_decoder *decoder)
{
    if (!decoder->in_transaction) {
        bl_out_byte(out, '-');
        return;
    }
    bl_out_u64(out, decoder->gtid.domain);
    bl_out_byte(out, '-');
    bl_out_u64(out, decoder->gtid.server_id);
    bl_out_byte(out, '-');
    bl_out_u64(out, decoder->gtid.seq);
}

static void
column_name_write(struct bl_print *print, const struct bl_table *table,
                  size_t column)
{
    if (table->has_names) {
        bl_out_add(&print->out, table->column[column].name);
    } else {
        bl_out_byte(&print->out, '@');
        bl_out_u64(&print->out, column + 1);
    }
}

static void
image_text(struct bl_print *print, struct bl_decoder *decoder,
           const struct bl_table *table, const struct bl_image *image)
{
    for (size_t i = 0; i < table->columns; i++) {
        if (image->value[i].ptr == bl_value_absent) {
            continue;
        }
        bl_out_byte(&print->out, ' ');
        column_name_write(print, table, i);
        bl_out_byte(&print->out, '=');
        bl_value_write(&print->out, BL_STYLE_TEXT, &table->column[i],
                       image->value[i], &decoder->unpacker);
    }
}

static void
image_json(struct bl_print *print, struct bl_decoder *decoder,
           const struct bl_table *table, const struct bl_image *image)
{
    bool first = true;

    bl_out_byte(&print->out, '{');
    for (size_t i = 0; i < table->columns; i++) {
        if (image->value[i].ptr == bl_value_absent) {
            continue;
        }
        bl_out_add(&print->out, first ? PH_STR("\"") : PH_STR(",\""));
        column_name_write(print, table, i);
        bl_out_add(&print->out, PH_STR("\":"));
        bl_value_write(&print->out, BL_STYLE_JSON, &table->column[i],
                       image->value[i], &decoder->unpacker);
        first = false;
    }
    bl_out_byte(&print->out, '}');
}

static void
row_text(struct bl_print *print, struct bl_decoder *decoder,
         const struct bl_row *row)
{
    struct bl_out *out = &print->out;

    time_write(out, decoder->head.time_s);
    bl_out_byte(out, ' ');
    gtid_write(out, decoder);
    bl_out_byte(out, ' ');
    bl_out_add(out, ph_str_z(change_names[row->change]));
    bl_out_byte(out, ' ');
    bl_out_add(out, row->table->db);
    bl_out_byte(out, '.');
    bl_out_add(out, row->table->name);
    if (row->change != BL_INSERT) {
        image_text(print, decoder, row->table, &row->before);
    }
    if (row->change == BL_UPDATE) {
        bl_out_add(out, PH_STR(" =>"));
    }
    if (row->change != BL_DELETE) {
        image_text(print, decoder, row->table, &row->after);
    }
    bl_out_byte(out, '\n');
}

static void
row_json(struct bl_print *print, struct bl_decoder *decoder,
         const struct bl_row *row)
{
    struct bl_out *out = &print->out;

    bl_out_add(out, PH_STR("{\"at\":\""));
    time_write(out, decoder->head.time_s);
    bl_out_add(out, PH_STR("\",\"gtid\":\""));
    gtid_write(out, decoder);
    bl_out_add(out, PH_STR("\",\"change\":\""));
    bl_out_add(out, ph_str_z(change_names[row->change]));
    bl_out_add(out, PH_STR("\",\"db\":"));
    bl_out_json(out, row->table->db);
    bl_out_add(out, PH_STR(",\"table\":"));
    bl_out_json(out, row->table->name);
    if (row->change != BL_INSERT) {
        bl_out_add(out, PH_STR(",\"before\":"));
        image_json(print, decoder, row->table, &row->before);
    }
    if (row->change != BL_DELETE) {
        bl_out_add(out, PH_STR(",\"after\":"));
        image_json(print, decoder, row->table, &row->after);
    }
    bl_out_add(out, PH_STR("}\n"));
}

static bool
print_begin(void *context, struct bl_decoder *decoder,
            const struct bl_gtid *gtid)
{
    (void) context;
    (void) decoder;
    (void) gtid;
    return true;
}

static bool
print_table(void *context, struct bl_decoder *decoder, struct bl_table *table)
{
    (void) context;
    (void) decoder;
    table->wanted = true;
    for (size_t i = 0; i < table->columns; i++) {
        table->column[i].slot = (uint16_t) i;
    }
    return true;
}

static bool
print_row(void *context, struct bl_decoder *decoder, const struct bl_row *row)
{
    struct bl_print *print = context;

    if (print->style == BL_STYLE_JSON) {
        row_json(print, decoder, row);
    } else {
        row_text(print, decoder, row);
    }
    return !print->out.failed || bl_refuse(decoder, "cannot write its text");
}

static bool
print_end(void *context, struct bl_decoder *decoder, enum bl_end how)
{
    (void) context;
    (void) decoder;
    (void) how;
    return true;
}

struct bl_visitor
bl_print_visitor(struct bl_print *print)
{
    return (struct bl_visitor){ .context = print,
                                .begin   = print_begin,
                                .table   = print_table,
                                .row     = print_row,
                                .end     = print_end };
}

void
bl_print_count(struct bl_print *print, const struct bl_decoder *decoder)
{
    struct bl_out *out  = &print->out;
    bool           json = print->style == BL_STYLE_JSON;

    bl_out_add(out, json ? PH_STR("{\"rows\":") : PH_STR("rows="));
    bl_out_u64(out, decoder->row_changes);
    bl_out_add(out, json ? PH_STR(",\"events\":") : PH_STR(" events="));
    bl_out_u64(out, decoder->events);
    bl_out_add(out, json ? PH_STR("}\n") : PH_STR("\n"));
}

bool
bl_bytes_decode(struct bl_decoder *decoder, struct ph_str bytes)
{
    struct ph_cur file;

    ph_cur_init(&file, bytes);
    struct ph_str magic = ph_cur_take(&file, 4);
    if (ph_str_eq(magic, MAGIC_ENCRYPTED)) {
        return bl_refuse(decoder, "found an encrypted file; a server decrypts "
                                  "it for a replica: read it with --live");
    }
    if (!ph_str_eq(magic, MAGIC)) {
        return bl_refuse(decoder,
                         "found other first bytes, expected those of a binlog");
    }
    while (ph_cur_left(&file) != 0) {
        struct ph_cur  peek = file;
        struct bl_head head;

        if (!bl_head_read(&peek, &head)) {
            return bl_refuse(decoder, "after it comes no whole event header");
        }
        struct ph_str event = ph_cur_take(&file, head.len);
        if (file.failed) {
            return bl_refuse(decoder, "after it comes an event that goes "
                                      "beyond the end of the file");
        }
        if (!bl_decode(decoder, event)) {
            return false;
        }
    }
    return true;
}

/* a read-only view of a file; *bytes lives until munmap() */
static bool
file_map(const char *path, struct ph_str *bytes)
{
    struct stat info;
    bool        ok = false;
    int         fd = open(path, O_RDONLY | O_CLOEXEC);

    *bytes = ph_str_make("", 0);
    if (fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
        size_t len = (size_t) info.st_size;
        void  *at
            = len == 0 ? NULL : mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
        ok = at != MAP_FAILED;
        if (at != NULL && ok) {
            *bytes = ph_str_make(at, len);
        }
    } else if (fd >= 0) {
        errno = EINVAL;
    }
    if (fd >= 0) {
        (void) close(fd);
    }
    return ok;
}

static bool
bytes_print(const char *path, struct ph_str bytes, struct bl_print *print)
{
    struct bl_decoder decoder;
    struct bl_visitor visitor = bl_print_visitor(print);
    bool              ok      = bl_decoder_init(&decoder, &visitor, 0);

    if (ok) {
        ok = bl_bytes_decode(&decoder, bytes);
        if (!ok) {
            (void) bl_out_flush(&print->out);
            (void) fprintf(stderr, "%s: %.*s\n", path, (int) decoder.why.len,
                           decoder.why.ptr);
        }
        bl_print_count(print, &decoder);
    }
    bl_decoder_deinit(&decoder);
    return bl_out_flush(&print->out) && ok;
}

int
bl_print_file(const char *path, enum bl_style style)
{
    struct bl_print *print = calloc(1, sizeof(*print));
    struct ph_str    bytes;

    if (print == NULL) {
        return EXIT_FAILURE;
    }
    print->style = style;
    bl_out_init(&print->out, STDOUT_FILENO);
    bool ok = file_map(path, &bytes);
    if (!ok) {
        (void) fprintf(stderr, "%s: found %s, expected a binlog file\n", path,
                       strerror(errno));
    } else {
        ok = bytes_print(path, bytes, print);
    }
    free(print);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
