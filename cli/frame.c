/*
 * frame.c - `payhub frame decode`: one frame as text.
 */
#include "cli/cli.h"

#include <stdio.h>

#include "cli/secrets.h"
#include "libpayhub/io/daemon.h"
#include "libpayhub/wire/frame.h"

#define TEXT_MAX 16400

static char frame_memory[PH_FRAME_MAX + 1];

static const char *
fault_text(enum ph_rc rc)
{
    switch (rc) {
    case PH_E_MORE:
        return "the bytes end before the frame does";
    case PH_E_SYNTAX:
        return "no frame: magic or reserved bytes";
    case PH_E_UNKNOWN:
        return "a version, type or field that must be known and is not";
    case PH_E_RANGE:
        return "a length over its maximum";
    case PH_E_DUPLICATE:
        return "a field that stands twice";
    case PH_E_CHECKSUM:
        return "the checksum does not match the bytes";
    case PH_OK:
    case PH_E_MISSING:
    case PH_E_FULL:
    case PH_E_SIGNATURE:
    case PH_E_CRYPTO:
    case PH_E_IO:
    default:
        return "not readable";
    }
}

/* text where it is text, else hex behind "0x" */
static json_t *
bytes_json(struct ph_str bytes)
{
    static char   memory[2 * TEXT_MAX + 4];
    struct ph_buf hex = PH_BUF_INIT(memory);

    if (bytes.len == 0) {
        return json_string("");
    }
    if (ph_str_utf8_count(bytes) != SIZE_MAX && !ph_str_has_control(bytes)) {
        return json_stringn(bytes.ptr, bytes.len);
    }
    ph_buf_add(&hex, PH_STR("0x"));
    ph_buf_hex(&hex, ph_str_make(bytes.ptr,
                                 bytes.len < TEXT_MAX ? bytes.len : TEXT_MAX));
    return json_stringn(hex.ptr, hex.len);
}

/* bodies are JSON in practice; line feeds do not make them binary */
static json_t *
body_json(struct ph_str body)
{
    return body.len != 0 && ph_str_utf8_count(body) != SIZE_MAX
                   && memchr(body.ptr, '\0', body.len) == NULL
               ? json_stringn(body.ptr, body.len)
               : bytes_json(body);
}

static json_t *
fields_json(struct ph_str meta)
{
    json_t       *list = json_array();
    struct ph_str value;
    unsigned      type;

    while (ph_field_next(&meta, &type, &value)) {
        const char *name = ph_field_name(type);
        json_t *row = json_pack("{s:i, s:s, s:o}", "type", (int) type, "name",
                                name != NULL ? name : "unknown", "value",
                                bytes_json(value));
        (void) json_array_append_new(list, row);
    }
    return list;
}

static void
frame_print(const struct cli *cli, const struct ph_frame *frame, size_t after)
{
    char          id[2 * PH_FRAME_ID_LEN + 1];
    struct ph_buf hex  = PH_BUF_INIT(id);
    const char   *name = ph_frame_type_name(frame->type);

    ph_buf_hex(&hex, ph_str_make((const char *) frame->id, PH_FRAME_ID_LEN));
    (void) ph_buf_z(&hex);
    cli_out(cli,
            json_pack("{s:s, s:i, s:i, s:s, s:I, s:i, s:i, s:I, s:o, s:I, s:o}",
                      "type", name != NULL ? name : "unknown", "version",
                      (int) frame->version, "flags", (int) frame->flags,
                      "request_id", id, "ms_left", (json_int_t) frame->ms_left,
                      "attempt", (int) frame->attempt, "status",
                      (int) frame->status, "body_length",
                      (json_int_t) frame->body.len, "body",
                      body_json(frame->body), "bytes_after", (json_int_t) after,
                      "fields", fields_json(frame->meta)));
}

enum cli_exit
cli_frame_decode(struct cli *cli)
{
    struct ph_buf   in   = PH_BUF_INIT(frame_memory);
    const char     *path = cli->args.word_count != 0 ? cli->args.words[0] : "-";
    char            memory[CLI_WHY_MAX];
    struct ph_buf   why = PH_BUF_INIT(memory);
    struct ph_frame frame;

    if (strcmp(path, "-") == 0 ? !cli_stdin(&in)
                               : !ph_file_read(path, &in, &why)) {
        if (why.len != 0) {
            cli_say("%.*s", (int) why.len, why.ptr);
        }
        return CLI_FAILED;
    }
    enum ph_rc rc = ph_frame_read(ph_buf_str(&in), &frame);
    if (rc != PH_OK) {
        cli_say("%s: found %s, expected one whole frame", path, fault_text(rc));
        return CLI_DIFFERS;
    }
    size_t len = PH_FRAME_HEAD_LEN + frame.meta.len + frame.body.len;
    frame_print(cli, &frame, in.len - len);
    return CLI_OK;
}
