/*
 * channel_test.c - `payhub channel test FILE`, and the reading of such files.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/channel_file.h"
#include "cli/tape.h"
#include "libpayhub/io/daemon.h"

#define PATH_MAX_LEN 4096
#define TAPES_MAX 512
#define ABOUT_MAX 512

enum cli_exit
cli_channel_file_open(struct cli_channel_file *file, const char *path)
{
    char          says[PH_DECLARED_WHY_MAX];
    struct ph_buf why = PH_BUF_INIT(says);
    struct ph_buf buf = PH_BUF_INIT(file->memory);

    if (!ph_file_read(path, &buf, &why)) {
        return cli_usage("%.*s", (int) why.len, why.ptr);
    }
    file->body     = ph_buf_str(&buf);
    file->declared = ph_declared_open(file->body, &why);
    return file->declared != NULL
               ? CLI_OK
               : cli_usage("%s: %.*s", path, (int) why.len, why.ptr);
}

/* ---- tapes ---- */

static int
is_tape(const struct dirent *entry)
{
    struct ph_str name = ph_str_z(entry->d_name), end = PH_STR(".json");

    return name.len > end.len && entry->d_name[0] != '.'
           && ph_str_eq(ph_str_make(name.ptr + name.len - end.len, end.len),
                        end);
}

static const char *
end_text(enum cli_tape_end end)
{
    return end == CLI_TAPE_SAME      ? "same"
           : end == CLI_TAPE_DIFFERS ? "differs"
                                     : "bad";
}

static enum cli_tape_end
tape_one(const struct ph_channel *channel, const char *path, const char *name,
         json_t *list)
{
    static const struct ph_channel_env env;
    static char       text[CLI_TAPE_MAX], said[CLI_TAPE_TOLD_MAX];
    char              about_text[ABOUT_MAX], says[CLI_WHY_MAX];
    struct ph_buf     tape = PH_BUF_INIT(text), told = PH_BUF_INIT(said);
    struct ph_buf     about = PH_BUF_INIT(about_text), why = PH_BUF_INIT(says);
    enum cli_tape_end end = CLI_TAPE_BAD;

    if (!ph_file_read(path, &tape, &why)) {
        ph_buf_add(&told, ph_buf_str(&why));
    } else {
        end = cli_tape_play(channel, &env, ph_buf_str(&tape), &about, &told);
    }
    (void) json_array_append_new(
        list,
        json_pack("{s:s, s:s%, s:s, s:s%}", "tape", name, "about", about.ptr,
                  about.len, "end", end_text(end), "told", told.ptr, told.len));
    return end;
}

enum cli_exit
cli_channel_tapes(struct cli *cli, const struct cli_channel_file *file,
                  const char *path, json_t *list)
{
    char            folder[PATH_MAX_LEN], full[PATH_MAX_LEN + 300];
    struct dirent **entries = NULL;
    enum cli_exit   code    = CLI_OK;

    (void) cli;
    (void) snprintf(folder, sizeof(folder), "%s.tapes", path);
    int count = scandir(folder, &entries, is_tape, alphasort);

    if (count <= 0 || count > TAPES_MAX) {
        free((void *) entries);
        return cli_usage("%s: found %s tapes, expected 1 to %d files *.json; "
                         "`payhub channel add --no-tapes` goes without",
                         folder, count <= 0 ? "no" : "too many", TAPES_MAX);
    }
    for (int i = 0; i < count; i++) {
        (void) snprintf(full, sizeof(full), "%s/%s", folder,
                        entries[i]->d_name);
        enum cli_tape_end end = tape_one(ph_declared_channel(file->declared),
                                         full, entries[i]->d_name, list);

        if (end == CLI_TAPE_BAD) {
            code = CLI_USAGE;
        } else if (end == CLI_TAPE_DIFFERS && code == CLI_OK) {
            code = CLI_DIFFERS;
        }
        free(entries[i]);
    }
    free((void *) entries);
    return code;
}

/* ---- the command ---- */

static void
lines_print(const json_t *list)
{
    size_t  i;
    json_t *row;

    json_array_foreach((json_t *) (uintptr_t) list, i, row)
    {
        const char *end  = json_string_value(json_object_get(row, "end"));
        const char *told = json_string_value(json_object_get(row, "told"));

        (void) printf("%s %zu - %s: %s\n",
                      strcmp(end, "same") == 0 ? "ok" : "not ok", i + 1,
                      json_string_value(json_object_get(row, "tape")),
                      json_string_value(json_object_get(row, "about")));
        for (const char *at = told; *at != '\0';) {
            size_t len = strcspn(at, "\n");

            (void) printf("#   %.*s\n", (int) len, at);
            at += len + (at[len] == '\n' ? 1 : 0);
        }
    }
    (void) printf("1..%zu\n", json_array_size(list));
}

enum cli_exit
cli_channel_test(struct cli *cli)
{
    static struct cli_channel_file file;
    const char                    *path = cli->args.words[0];
    json_t                        *list = json_array();
    enum cli_exit                  code = cli_channel_file_open(&file, path);

    if (code == CLI_OK) {
        code = cli_channel_tapes(cli, &file, path, list);
        if (json_array_size(list) != 0 && cli->json) {
            cli_out(cli, json_pack("{s:s, s:O}", "channel",
                                   ph_declared_channel(file.declared)->name,
                                   "tapes", list));
        } else if (json_array_size(list) != 0) {
            lines_print(list);
        }
        ph_declared_close(file.declared);
    }
    json_decref(list);
    return code;
}
