/* json_member.c - see json_member.h. */
#include "libpayhub/wire/json_member.h"

#include <assert.h>

struct reader {
    const char *at;
    const char *end;
};

static void
blanks_skip(struct reader *in)
{
    while (in->at < in->end
           && (*in->at == ' ' || *in->at == '\t' || *in->at == '\n'
               || *in->at == '\r'))
    {
        in->at++;
    }
}

/* behind blanks */
static bool
take(struct reader *in, char expected)
{
    blanks_skip(in);
    if (in->at == in->end || *in->at != expected) {
        return false;
    }
    in->at++;
    return true;
}

/* from the opening quote; *has_escape may be NULL */
static bool
string_skip(struct reader *in, bool *has_escape)
{
    bool is_escaped = false;

    for (in->at++; in->at < in->end; in->at++) {
        if (*in->at == '"') {
            in->at++;
            if (has_escape != NULL) {
                *has_escape = is_escaped;
            }
            return true;
        }
        if (*in->at == '\\') {
            is_escaped = true;
            if (++in->at == in->end) {
                return false;
            }
        }
    }
    return false;
}

static bool
is_of_word(char ch)
{
    return ch > ' ' && strchr(",:\"[]{}", ch) == NULL;
}

/* a number, or true, false, null, or anything that a parser will refuse */
static bool
word_skip(struct reader *in)
{
    const char *from = in->at;

    while (in->at < in->end && is_of_word(*in->at)) {
        in->at++;
    }
    return in->at != from;
}

/* from the opening bracket to behind the one that closes it */
static enum ph_rc
brackets_skip(struct reader *in, unsigned most)
{
    uint64_t objects = 0; /* a bit for each that is open, the newest lowest */
    unsigned depth   = 0;

    while (in->at < in->end) {
        char ch = *in->at;

        if (ch == '"') {
            if (!string_skip(in, NULL)) {
                return PH_E_SYNTAX;
            }
            continue;
        }
        in->at++;
        if (ch == '{' || ch == '[') {
            if (++depth > most) {
                return PH_E_RANGE;
            }
            objects = objects << 1 | (ch == '{');
        } else if (ch == '}' || ch == ']') {
            if ((objects & 1) != (ch == '}')) {
                return PH_E_SYNTAX;
            }
            objects >>= 1;
            if (--depth == 0) {
                return PH_OK;
            }
        }
    }
    return PH_E_SYNTAX;
}

static enum ph_rc
value_skip(struct reader *in, unsigned most, struct ph_str *exact)
{
    const char *from;
    enum ph_rc  rc;

    blanks_skip(in);
    from = in->at;
    if (in->at == in->end) {
        return PH_E_SYNTAX;
    }
    if (*in->at == '{' || *in->at == '[') {
        rc = brackets_skip(in, most);
    } else if (*in->at == '"') {
        rc = string_skip(in, NULL) ? PH_OK : PH_E_SYNTAX;
    } else {
        rc = word_skip(in) ? PH_OK : PH_E_SYNTAX;
    }
    *exact = ph_str_make(from, (size_t) (in->at - from));
    return rc;
}

static enum ph_rc
member_take(struct reader *in, struct ph_str *name, struct ph_str *value)
{
    bool        has_escape;
    const char *from;

    blanks_skip(in);
    from = in->at;
    if (from == in->end || *from != '"' || !string_skip(in, &has_escape)
        || has_escape)
    {
        return PH_E_SYNTAX;
    }
    *name = ph_str_make(from + 1, (size_t) (in->at - from) - 2);
    if (!take(in, ':')) {
        return PH_E_SYNTAX;
    }
    return value_skip(in, PH_JSON_DEPTH_MAX - 1, value);
}

static enum ph_rc
members_look(struct reader *in, struct ph_str name, struct ph_str *exact)
{
    bool is_found = false;

    do {
        struct ph_str its_name, value;
        enum ph_rc    rc = member_take(in, &its_name, &value);

        if (rc != PH_OK) {
            return rc;
        }
        if (ph_str_eq(its_name, name)) {
            if (is_found) {
                return PH_E_DUPLICATE;
            }
            is_found = true;
            *exact   = value;
        }
    } while (take(in, ','));
    if (!take(in, '}')) {
        return PH_E_SYNTAX;
    }
    return is_found ? PH_OK : PH_E_MISSING;
}

static bool
is_over(struct reader *in)
{
    blanks_skip(in);
    return in->at == in->end;
}

enum ph_rc
ph_json_member(struct ph_str object, struct ph_str name, struct ph_str *exact)
{
    struct reader in    = { object.ptr, object.ptr + object.len };
    struct ph_str found = { NULL, 0 };
    enum ph_rc    rc;

    if (!take(&in, '{')) {
        return PH_E_SYNTAX;
    }
    rc = take(&in, '}') ? PH_E_MISSING : members_look(&in, name, &found);
    if ((rc == PH_OK || rc == PH_E_MISSING) && !is_over(&in)) {
        return PH_E_SYNTAX;
    }
    if (rc == PH_OK) {
        *exact = found;
    }
    return rc;
}

enum ph_rc
ph_json_depth(struct ph_str text, unsigned most)
{
    struct reader in = { text.ptr, text.ptr + text.len };
    struct ph_str all;
    enum ph_rc    rc;

    assert(most >= 1 && most <= PH_JSON_DEPTH_MAX);
    rc = value_skip(&in, most, &all);
    return rc == PH_OK && !is_over(&in) ? PH_E_SYNTAX : rc;
}
