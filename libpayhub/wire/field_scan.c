/* field_scan.c - see field_scan.h. */
#include "libpayhub/wire/field_scan.h"

#include "libpayhub/base/span.h"

enum expect {
    EXPECT_FIRST_KEY,
    EXPECT_KEY,
    EXPECT_FIRST_VALUE,
    EXPECT_VALUE,
    EXPECT_NEXT /* a comma or the end of what is open */
};

struct scan {
    const char           *at;
    const char           *end;
    struct ph_scan_field *fields;
    size_t                count;
    enum expect           expect;
    unsigned              depth;
    uint32_t              objects; /* bit of a depth: 1 = object, 0 = array */
    uint64_t              names;   /* bits of names that mean something here */

    bool wants_metadata;
    bool has_metadata;
    bool in_metadata; /* inside of it, at any depth */

    /* whose value comes next */
    struct ph_scan_field *field;
    bool                  is_metadata;
};

static bool
is_open(const struct scan *scan, bool object)
{
    return ((scan->objects >> scan->depth & 1) != 0) == object;
}

/* mostly there are none */
static inline void
blanks_skip(struct scan *scan)
{
    if (scan->at < scan->end && ph_span_is_blank(*scan->at)) {
        scan->at = ph_span_blanks(scan->at, scan->end);
    }
}

static bool
is_hex(char ch)
{
    return (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'f')
           || (ch >= 'A' && ch <= 'F');
}

/* what stands behind a backslash; false = no escape of JSON */
static bool
escape_skip(struct scan *scan)
{
    if (scan->at == scan->end) {
        return false;
    }
    if (*scan->at != 'u') {
        return *scan->at != '\0' && strchr("\"\\/bfnrt", *scan->at++) != NULL;
    }
    scan->at++;
    for (int i = 0; i < 4; i++) {
        if (scan->at == scan->end || !is_hex(*scan->at++)) {
            return false;
        }
    }
    return true;
}

struct string {
    struct ph_str text; /* what stands between the quotes */
    bool          escaped;
    bool          high; /* false = surely ASCII */
};

/* from the opening quote */
static inline bool
string_take(struct scan *scan, struct string *string)
{
    const char *from = scan->at + 1, *end = scan->end, *at = from;
    bool        high = false;

    string->escaped = false;
    while ((at = ph_span_text(at, end, &high)) < end) {
        if (*at == '"') {
            string->text = ph_str_make(from, (size_t) (at - from));
            string->high = high;
            scan->at     = at + 1;
            return true;
        }
        scan->at = at + 1;
        if (*at != '\\' || !escape_skip(scan)) {
            return false;
        }
        string->escaped = true;
        at              = scan->at;
    }
    return false;
}

static size_t
digits_skip(struct scan *scan)
{
    const char *from = scan->at;

    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9') {
        scan->at++;
    }
    return (size_t) (scan->at - from);
}

static bool
char_skip(struct scan *scan, char a, char b)
{
    if (scan->at < scan->end && (*scan->at == a || *scan->at == b)) {
        scan->at++;
        return true;
    }
    return false;
}

/* the grammar of RFC 8259; an integer has neither fraction nor exponent */
static bool
number_take(struct scan *scan, struct ph_str *text, bool *is_integer)
{
    const char *from = scan->at;

    *is_integer = true;
    (void) char_skip(scan, '-', '-');
    if (!char_skip(scan, '0', '0') && digits_skip(scan) == 0) {
        return false;
    }
    if (char_skip(scan, '.', '.')) {
        *is_integer = false;
        if (digits_skip(scan) == 0) {
            return false;
        }
    }
    if (char_skip(scan, 'e', 'E')) {
        *is_integer = false;
        (void) char_skip(scan, '+', '-');
        if (digits_skip(scan) == 0) {
            return false;
        }
    }
    *text = ph_str_make(from, (size_t) (scan->at - from));
    return true;
}

static bool
integer_read(struct ph_str text, int64_t *out)
{
    bool     negative = text.ptr[0] == '-';
    uint64_t value    = 0;
    uint64_t max      = (uint64_t) INT64_MAX + (negative ? 1 : 0);

    if (!ph_str_u64(
            ph_str_make(text.ptr + negative, text.len - (size_t) negative), max,
            &value))
    {
        return false;
    }
    *out = (int64_t) (negative ? 0 - value : value);
    return true;
}

static bool
word_skip(struct scan *scan, struct ph_str word)
{
    struct ph_str left = ph_str_make(scan->at, (size_t) (scan->end - scan->at));

    if (!ph_str_starts(left, word)) {
        return false;
    }
    scan->at += word.len;
    return true;
}

/* ---- names ---- */

/* two names that differ mostly have different ones */
static inline uint64_t
name_bit(const char *name, size_t len)
{
    return UINT64_C(1) << (((unsigned char) *name + 5 * len) & 63);
}

static struct ph_scan_field *
field_of(const struct scan *scan, struct ph_str name)
{
    for (size_t i = 0; i < scan->count; i++) {
        struct ph_scan_field *field = &scan->fields[i];

        if (field->name.len == name.len && name.len != 0
            && *field->name.ptr == *name.ptr
            && field->in_metadata == scan->in_metadata
            && ph_str_same(field->name.ptr, name.ptr, name.len))
        {
            return field;
        }
    }
    return NULL;
}

static enum ph_scan
name_judge(struct scan *scan, struct ph_str name, bool escaped)
{
    if (scan->depth != (scan->in_metadata ? 2U : 1U)) {
        return PH_SCAN_CLEAR;
    }
    if (escaped) {
        return PH_SCAN_ESCAPE; /* it may spell a wanted one */
    }
    scan->field = field_of(scan, name);
    if (scan->field != NULL) {
        if (scan->field->found) {
            return PH_SCAN_DUPLICATE;
        }
        scan->field->found = true;
    }
    if (scan->depth == 1 && scan->wants_metadata
        && ph_str_eq(name, PH_STR("metadata")))
    {
        if (scan->has_metadata) {
            return PH_SCAN_DUPLICATE;
        }
        scan->has_metadata = true;
        scan->is_metadata  = true;
    }
    return PH_SCAN_CLEAR;
}

static enum ph_scan
key_take(struct scan *scan)
{
    struct string name;

    scan->field       = NULL;
    scan->is_metadata = false;
    if (*scan->at != '"' || !string_take(scan, &name)) {
        return PH_SCAN_BROKEN;
    }
    blanks_skip(scan);
    if (!char_skip(scan, ':', ':')) {
        return PH_SCAN_BROKEN;
    }
    scan->expect = EXPECT_VALUE;
    return name_judge(scan, name.text, name.escaped);
}

/* ---- values ---- */

static enum ph_scan
open_take(struct scan *scan, bool object)
{
    if (scan->field != NULL || (scan->is_metadata && !object)) {
        return PH_SCAN_TYPE;
    }
    if (scan->depth == PH_SCAN_DEPTH_MAX) {
        return PH_SCAN_DEPTH;
    }
    scan->at++;
    scan->depth++;
    scan->objects &= ~(UINT32_C(1) << scan->depth);
    scan->objects |= (uint32_t) object << scan->depth;
    scan->expect      = object ? EXPECT_FIRST_KEY : EXPECT_FIRST_VALUE;
    scan->in_metadata = scan->in_metadata || scan->is_metadata;
    scan->is_metadata = false;
    return PH_SCAN_CLEAR;
}

static enum ph_scan
close_take(struct scan *scan)
{
    if (!is_open(scan, *scan->at == '}')) {
        return PH_SCAN_BROKEN;
    }
    scan->at++;
    scan->depth--;
    scan->expect      = EXPECT_NEXT;
    scan->in_metadata = scan->in_metadata && scan->depth > 1;
    return PH_SCAN_CLEAR;
}

static enum ph_scan
text_value(struct scan *scan)
{
    struct string string;

    if (!string_take(scan, &string)) {
        return PH_SCAN_BROKEN;
    }
    if (scan->is_metadata) {
        return PH_SCAN_TYPE;
    }
    if (scan->field == NULL) {
        return PH_SCAN_CLEAR;
    }
    if (scan->field->is_integer) {
        return PH_SCAN_TYPE;
    }
    if (string.escaped) {
        return PH_SCAN_ESCAPE;
    }
    if (string.high && ph_str_utf8_count(string.text) == SIZE_MAX) {
        return PH_SCAN_ENCODING;
    }
    scan->field->text = string.text;
    return PH_SCAN_CLEAR;
}

static enum ph_scan
scalar_value(struct scan *scan)
{
    struct ph_str text;
    bool          is_integer = false;

    if (*scan->at == '-' || (*scan->at >= '0' && *scan->at <= '9')) {
        if (!number_take(scan, &text, &is_integer)) {
            return PH_SCAN_BROKEN;
        }
    } else if (!word_skip(scan, PH_STR("true"))
               && !word_skip(scan, PH_STR("false"))
               && !word_skip(scan, PH_STR("null")))
    {
        return PH_SCAN_BROKEN;
    }
    if (scan->is_metadata) {
        return PH_SCAN_TYPE;
    }
    if (scan->field == NULL) {
        return PH_SCAN_CLEAR;
    }
    if (!is_integer || !scan->field->is_integer) {
        return PH_SCAN_TYPE;
    }
    scan->field->text = text;
    return integer_read(text, &scan->field->integer) ? PH_SCAN_CLEAR
                                                     : PH_SCAN_RANGE;
}

static enum ph_scan
value_take(struct scan *scan)
{
    enum ph_scan verdict;

    if (*scan->at == '{' || *scan->at == '[') {
        return open_take(scan, *scan->at == '{');
    }
    verdict      = *scan->at == '"' ? text_value(scan) : scalar_value(scan);
    scan->expect = EXPECT_NEXT;
    scan->field  = NULL;
    scan->is_metadata = false;
    return verdict;
}

static void
comma_take(struct scan *scan)
{
    scan->at++;
    scan->field       = NULL;
    scan->is_metadata = false;
    scan->expect      = is_open(scan, true) ? EXPECT_KEY : EXPECT_VALUE;
}

/* a name and its value, and mostly the comma behind it */
static enum ph_scan
member_take(struct scan *scan)
{
    enum ph_scan verdict = key_take(scan);

    if (verdict != PH_SCAN_CLEAR) {
        return verdict;
    }
    blanks_skip(scan);
    if (scan->at == scan->end) {
        return PH_SCAN_BROKEN;
    }
    verdict = value_take(scan);
    if (scan->expect == EXPECT_NEXT && scan->at < scan->end && *scan->at == ',')
    {
        comma_take(scan);
    }
    return verdict;
}

/* ---- what nearly every body is made of ---- */

#define QUICK_DIGITS 18 /* no sum of so many overflows */

/* The integer at `at`, of 1 to QUICK_DIGITS digits, when nothing of a number
 * follows; *at behind it. */
static inline bool
quick_integer(const char **at, const char *end, int64_t *out)
{
    const char *from  = *at;
    int64_t     value = 0;

    if (end - from <= QUICK_DIGITS || *from == '0') {
        return false;
    }
    while (**at >= '0' && **at <= '9') {
        if (*at - from == QUICK_DIGITS) {
            return false;
        }
        value = value * 10 + (*(*at)++ - '0');
    }
    *out = value;
    return *at != from && **at != '.' && (**at | 0x20) != 'e';
}

/*
 * member_take() in one piece, for a member of the root with a plain name and a
 * plain text or a small integer of the type that is wanted.  Where anything is
 * otherwise it is false and nothing has happened, so that the verdict is
 * member_take()'s.
 */
static inline bool
quick_member(struct scan *scan)
{
    const char           *at = scan->at, *end = scan->end;
    struct ph_scan_field *field = NULL;
    struct ph_str         name, text;
    int64_t               integer = 0;

    if (*at != '"' || (at = ph_span_plain(at + 1, end)) == NULL) {
        return false;
    }
    name = ph_str_make(scan->at + 1, (size_t) (at - scan->at - 1));
    if (++at == end || *at++ != ':' || at == end) {
        return false;
    }
    if (*at == ' ' && ++at == end) {
        return false;
    }
    if (name.len != 0 && (scan->names & name_bit(name.ptr, name.len)) != 0) {
        field = field_of(scan, name);
        if ((field != NULL && field->found)
            || (scan->wants_metadata && ph_str_eq(name, PH_STR("metadata"))))
        {
            return false;
        }
    }
    const char *from = at;
    if (*at == '"') {
        at = ph_span_plain(++from, end);
        if (at == NULL || (field != NULL && field->is_integer)) {
            return false;
        }
        text = ph_str_make(from, (size_t) (at++ - from));
    } else {
        if (!quick_integer(&at, end, &integer)
            || (field != NULL && !field->is_integer)) {
            return false;
        }
        text = ph_str_make(from, (size_t) (at - from));
    }
    if (field != NULL) {
        field->found   = true;
        field->text    = text;
        field->integer = integer;
    }
    bool has_next = at < end && *at == ',';

    scan->at     = at + has_next;
    scan->expect = has_next ? EXPECT_KEY : EXPECT_NEXT;
    return true;
}

static void
quick_members(struct scan *scan)
{
    while (scan->expect <= EXPECT_KEY && scan->at < scan->end
           && quick_member(scan)) {
        blanks_skip(scan);
    }
}

/* one part of what is open; at least one byte is left */
static enum ph_scan
step(struct scan *scan)
{
    char ch = *scan->at;

    switch (scan->expect) {
    case EXPECT_FIRST_KEY:
        return ch == '}' ? close_take(scan) : member_take(scan);
    case EXPECT_KEY:
        return member_take(scan);
    case EXPECT_FIRST_VALUE:
        return ch == ']' ? close_take(scan) : value_take(scan);
    case EXPECT_VALUE:
        return value_take(scan);
    case EXPECT_NEXT:
        break;
    }
    if (ch == '}' || ch == ']') {
        return close_take(scan);
    }
    if (ch != ',') {
        return PH_SCAN_BROKEN;
    }
    comma_take(scan);
    return PH_SCAN_CLEAR;
}

enum ph_scan
ph_field_scan(struct ph_str body, struct ph_scan_field *fields, size_t count)
{
    struct scan  scan    = { .fields = fields, .count = count };
    enum ph_scan verdict = PH_SCAN_CLEAR;

    for (size_t i = 0; i < count; i++) {
        fields[i].found   = false;
        fields[i].text    = ph_str_make(NULL, 0);
        fields[i].integer = 0;
        scan.wants_metadata |= fields[i].in_metadata;
        if (fields[i].name.len != 0) {
            scan.names |= name_bit(fields[i].name.ptr, fields[i].name.len);
        }
    }
    scan.names |= name_bit("metadata", sizeof("metadata") - 1);
    if (body.len == 0) {
        return PH_SCAN_BROKEN;
    }
    scan.at  = body.ptr;
    scan.end = body.ptr + body.len;
    blanks_skip(&scan);
    if (scan.at == scan.end || *scan.at != '{') {
        return scan.at == scan.end ? PH_SCAN_BROKEN : PH_SCAN_TYPE;
    }
    verdict = open_take(&scan, true);
    while (verdict == PH_SCAN_CLEAR && scan.depth > 0) {
        blanks_skip(&scan);
        if (scan.depth == 1) {
            quick_members(&scan);
        }
        verdict = scan.at < scan.end ? step(&scan) : PH_SCAN_BROKEN;
    }
    if (verdict == PH_SCAN_CLEAR) {
        blanks_skip(&scan);
        verdict = scan.at == scan.end ? PH_SCAN_CLEAR : PH_SCAN_BROKEN;
    }
    return verdict;
}

const char *
ph_scan_word(enum ph_scan verdict)
{
    switch (verdict) {
    case PH_SCAN_CLEAR:
        return "clear";
    case PH_SCAN_BROKEN:
        return "broken";
    case PH_SCAN_DUPLICATE:
        return "duplicate";
    case PH_SCAN_ESCAPE:
        return "escape";
    case PH_SCAN_TYPE:
        return "type";
    case PH_SCAN_RANGE:
        return "range";
    case PH_SCAN_DEPTH:
        return "depth";
    case PH_SCAN_ENCODING:
        return "encoding";
    }
    return "unknown";
}
