/*
 * books_cut.c - see books_cut.h.
 *
 *   depth 1: the members' names          {"charges":
 *   depth 2: between the items of a list {"charges":[
 *   depth 3: an item                     {"charges":[{
 *
 * Only brackets and texts are looked at here; an item is read, and refused
 * when it is no JSON, by whoever takes it.
 */
#include "cli/books_cut.h"

#include <string.h>

static bool
refuse(struct cli_books_cut *cut, const char *why)
{
    cut->why = why;
    return false;
}

static bool
keep(struct cli_books_cut *cut, char byte)
{
    if (cut->len == sizeof(cut->item)) {
        return refuse(cut, "found an item or a name of over 4096 bytes");
    }
    cut->item[cut->len++] = byte;
    return true;
}

static bool
is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static bool
is_item(const struct cli_books_cut *cut)
{
    return cut->depth >= 3 && cut->list != CLI_BOOKS_OTHER;
}

static bool
name_take(struct cli_books_cut *cut)
{
    static const char *const names[]
        = { [CLI_BOOKS_CHARGES] = "charges", [CLI_BOOKS_REFUNDS] = "refunds" };

    cut->is_key = false;
    cut->list   = CLI_BOOKS_OTHER;
    for (size_t i = CLI_BOOKS_CHARGES; i <= CLI_BOOKS_REFUNDS; i++) {
        if (cut->len == strlen(names[i])
            && memcmp(cut->item, names[i], cut->len) == 0) {
            cut->list = (enum cli_books_list) i;
            if (cut->has[i]) {
                return refuse(cut, "found a list twice");
            }
        }
    }
    cut->len = 0;
    return true;
}

static bool
text_feed(struct cli_books_cut *cut, char byte)
{
    bool is_end = byte == '"' && !cut->is_escaped;

    cut->is_escaped = byte == '\\' && !cut->is_escaped;
    cut->in_text    = !is_end;
    if (cut->is_key) {
        return is_end ? name_take(cut) : keep(cut, byte);
    }
    return !is_item(cut) || keep(cut, byte);
}

static bool
bracket_open(struct cli_books_cut *cut, char byte)
{
    if (cut->depth == CLI_BOOKS_DEPTH_MAX) {
        return refuse(cut, "found it nested too deep");
    }
    if (cut->is_ended || (cut->depth == 0 && byte != '{')
        || (cut->depth == 1 && cut->list != CLI_BOOKS_OTHER && byte != '[')
        || (cut->depth == 2 && cut->list != CLI_BOOKS_OTHER && byte != '{'))
    {
        return refuse(cut, "found something else than lists of objects");
    }
    if (cut->depth == 1) {
        cut->has[cut->list] = true;
    }
    cut->open[cut->depth++] = byte;
    return !is_item(cut) || keep(cut, byte);
}

static bool
bracket_close(struct cli_books_cut *cut, char byte)
{
    bool was_item = is_item(cut);

    if (cut->depth == 0
        || cut->open[cut->depth - 1] != (byte == '}' ? '{' : '[')) {
        return refuse(cut, "found a bracket that closes another");
    }
    if (was_item && !keep(cut, byte)) {
        return false;
    }
    cut->depth--;
    cut->is_ended = cut->depth == 0;
    if (was_item && cut->depth == 2) {
        size_t len = cut->len;
        cut->len   = 0;
        return cut->on_item(cut->data, cut->list, cut->item, len);
    }
    if (cut->depth == 1) {
        cut->list = CLI_BOOKS_OTHER;
    }
    return true;
}

static bool
byte_feed(struct cli_books_cut *cut, char byte)
{
    if (cut->in_text) {
        return text_feed(cut, byte);
    }
    switch (byte) {
    case '{':
    case '[':
        return bracket_open(cut, byte);
    case '}':
    case ']':
        return bracket_close(cut, byte);
    default:
        break;
    }
    if (cut->depth == 0 && !is_blank(byte)) {
        return refuse(cut, "found no JSON object");
    }
    if (byte == '"') {
        cut->in_text = true;
        cut->is_key  = cut->depth == 1 && !cut->is_value;
    }
    if (cut->depth == 1 && (byte == ':' || byte == ',')) {
        cut->is_value = byte == ':';
    }
    if (is_item(cut)) {
        return keep(cut, byte);
    }
    if (cut->depth != 0 && cut->list != CLI_BOOKS_OTHER && !is_blank(byte)
        && byte != (cut->depth == 1 ? ':' : ','))
    {
        return refuse(cut, "found something else than lists of objects");
    }
    return true;
}

bool
cli_books_cut(struct cli_books_cut *cut, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!byte_feed(cut, bytes[i])) {
            return false;
        }
    }
    return true;
}

bool
cli_books_cut_whole(struct cli_books_cut *cut)
{
    if (!cut->is_ended) {
        return refuse(cut, "found it cut off");
    }
    if (!cut->has[CLI_BOOKS_CHARGES] || !cut->has[CLI_BOOKS_REFUNDS]) {
        return refuse(cut, "found no charges or no refunds");
    }
    return true;
}
