/*
 * out.c - what a command prints: one JSON line, or text for people.
 */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 16
#define CELL_MAX 600

void
cli_say(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    (void) fputs("payhub: ", stderr);
    (void) vfprintf(stderr, format, list);
    (void) fputc('\n', stderr);
    va_end(list);
}

enum cli_exit
cli_usage(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    (void) fputs("payhub: ", stderr);
    (void) vfprintf(stderr, format, list);
    (void) fputc('\n', stderr);
    va_end(list);
    return CLI_USAGE;
}

/* What is too long is cut between two characters, and says so.  (json_dumpb()
 * would leave holes where a piece had no room.) */
static const char *
nested_text(const json_t *value, char memory[CELL_MAX])
{
    static const char cut[] = "...";
    char             *text  = json_dumps(value, JSON_COMPACT);
    size_t            len   = text != NULL ? strlen(text) : 0;

    if (len >= CELL_MAX) {
        len = CELL_MAX - sizeof(cut);
        while (len > 0 && ((unsigned char) text[len] & 0xc0) == 0x80) {
            len--;
        }
        memcpy(text + len, cut, sizeof(cut));
        len += sizeof(cut) - 1;
    }
    if (len != 0) {
        memcpy(memory, text, len);
    }
    memory[len] = '\0';
    free(text);
    return memory;
}

/* a scalar as text for a table; nested values as their JSON */
static const char *
cell_text(const json_t *value, char memory[CELL_MAX])
{
    if (value == NULL || json_is_null(value)) {
        return "-";
    }
    if (json_is_string(value)) {
        return json_string_value(value);
    }
    if (json_is_boolean(value)) {
        return json_is_true(value) ? "yes" : "no";
    }
    if (json_is_integer(value)) {
        (void) snprintf(memory, CELL_MAX, "%" JSON_INTEGER_FORMAT,
                        json_integer_value(value));
        return memory;
    }
    return nested_text(value, memory);
}

static void
object_print(json_t *object, const char *indent)
{
    const char *key;
    json_t     *value;
    char        memory[CELL_MAX];

    json_object_foreach(object, key, value)
    {
        if (!json_is_array(value)) {
            (void) printf("%s%-16s %s\n", indent, key,
                          cell_text(value, memory));
        }
    }
}

static size_t
table_columns(const json_t *rows, const char *names[COLUMNS_MAX],
              int widths[COLUMNS_MAX])
{
    const char *key;
    json_t     *value, *row;
    size_t      count = 0, i;
    char        memory[CELL_MAX];

    json_object_foreach(json_array_get(rows, 0), key, value)
    {
        if (count < COLUMNS_MAX) {
            names[count]    = key;
            widths[count++] = (int) strlen(key);
        }
    }
    json_array_foreach(rows, i, row)
    {
        for (size_t c = 0; c < count; c++) {
            value     = json_object_get(row, names[c]);
            int len   = (int) strlen(cell_text(value, memory));
            widths[c] = len > widths[c] ? len : widths[c];
        }
    }
    return count;
}

static void
table_print(json_t *rows)
{
    const char *names[COLUMNS_MAX];
    int         widths[COLUMNS_MAX];
    size_t      count = table_columns(rows, names, widths);
    size_t      i;
    json_t     *row;
    char        memory[CELL_MAX];

    for (size_t c = 0; c < count; c++) {
        (void) printf("%-*s%s", widths[c], names[c], c + 1 < count ? "  " : "");
    }
    (void) printf(count != 0 ? "\n" : "(none)\n");
    json_array_foreach(rows, i, row)
    {
        for (size_t c = 0; c < count; c++) {
            (void) printf("%-*s%s", c + 1 < count ? widths[c] : 0,
                          cell_text(json_object_get(row, names[c]), memory),
                          c + 1 < count ? "  " : "\n");
        }
    }
}

/* values alone, one a line */
static void
list_print(const json_t *list)
{
    char memory[CELL_MAX];

    for (size_t i = 0; i < json_array_size(list); i++) {
        (void) printf("  %s\n", cell_text(json_array_get(list, i), memory));
    }
}

static void
text_print(json_t *value)
{
    const char *key;
    json_t     *member;

    if (json_is_array(value)) {
        table_print(value);
        return;
    }
    object_print(value, "");
    json_object_foreach(value, key, member)
    {
        if (json_is_array(member) && json_array_size(member) != 0) {
            (void) printf("%s:\n", key);
            if (json_is_object(json_array_get(member, 0))) {
                table_print(member);
            } else {
                list_print(member);
            }
        }
    }
}

void
cli_out(const struct cli *cli, json_t *value)
{
    if (value == NULL) {
        cli_say("out of memory");
        return;
    }
    if (cli->json) {
        (void) json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
        (void) fputc('\n', stdout);
    } else {
        text_print(value);
    }
    (void) fflush(stdout);
    json_decref(value);
}
