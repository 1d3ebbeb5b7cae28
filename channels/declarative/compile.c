/*
 * compile.c - a file from its text, and accounts of it.
 */
#include <stdlib.h>

#include "channels/context.h"
#include "channels/declarative/check.h"
#include "channels/declarative/compile.h"
#include "libpayhub/wire/b64.h"
#include "libpayhub/wire/rsa.h"

/* ---- the channel's table ---- */

static int
code_compare(const void *a, const void *b)
{
    const struct ph_channel_code *one = a, *other = b;
    int                           order = ph_str_cmp(one->code, other->code);

    /* of one code, those for some operations first */
    return order != 0              ? order
           : one->ops > other->ops ? -1
                                   : one->ops < other->ops;
}

static uint32_t
caps_of(const struct ph_declared *file)
{
    static const struct {
        enum ph_channel_op op;
        uint32_t           cap;
    } rows[] = {
        { PH_OP_QUERY, PH_CAP_QUERY },
        { PH_OP_CLOSE, PH_CAP_CLOSE },
        { PH_OP_REFUND, PH_CAP_REFUND },
        { PH_OP_REVERSE, PH_CAP_REVERSE },
    };
    uint32_t caps = (file->notice != NULL ? PH_CAP_NOTICE : 0u)
                    | (file->repeats ? PH_CAP_REPEAT : 0u);

    for (size_t i = 0; i < PH_COUNT(rows); i++) {
        caps |= file->ops[rows[i].op].count != 0 ? rows[i].cap : 0;
    }
    return caps;
}

static bool
channel_finish(struct compile *c)
{
    struct ph_channel      *channel = &c->file->channel;
    struct ph_channel_code *codes
        = compile_take(c, c->code_count, sizeof(codes[0]));

    if (codes == NULL) {
        return false;
    }
    if (c->code_count != 0) {
        qsort(c->codes, c->code_count, sizeof(c->codes[0]), code_compare);
        memcpy(codes, c->codes, c->code_count * sizeof(codes[0]));
    }
    c->file->reads.items = compile_take(c, c->read_count, sizeof(c->reads[0]));
    if (c->file->reads.items == NULL) {
        return false;
    }
    memcpy(c->file->reads.items, c->reads, c->read_count * sizeof(c->reads[0]));
    c->file->reads.count   = c->read_count;
    channel->abi           = PH_CHANNEL_ABI;
    channel->size          = sizeof(*channel);
    channel->name          = c->file->name.ptr;
    channel->caps          = caps_of(c->file);
    channel->codes         = codes;
    channel->code_count    = c->code_count;
    channel->self          = c->file;
    channel->step          = declared_step;
    channel->notice        = declared_notice;
    channel->account_open  = declared_account_open;
    channel->account_close = declared_account_close;
    channel->order_check   = declared_order_check;
    channel->expected      = declared_expected;
    return check_file(c);
}

static struct ph_declared *
file_compile(struct compile *c, const struct ph_doc *doc)
{
    c->file = ph_arena_take(c->arena, sizeof(*c->file));
    if (c->file == NULL) {
        return NULL;
    }
    c->file->places = -1;
    return compile_object(c, ph_doc_root(doc), &grammar_file, c->file)
                   && channel_finish(c)
               ? c->file
               : NULL;
}

/* Compiled into a block of `size`; *used tells how much it took. */
static struct ph_declared *
block_compile(const struct ph_doc *doc, size_t size, size_t *used,
              struct ph_buf *why)
{
    struct compile     *c      = ph_context_new(sizeof(*c));
    char               *memory = ph_context_new(size);
    struct ph_declared *file   = NULL;
    struct ph_arena     arena;

    if (c == NULL || memory == NULL) {
        ph_buf_add(why, PH_STR("/: found no memory, expected some"));
    } else {
        ph_arena_init(&arena, memory, size);
        c->arena = &arena;
        c->why   = why;
        ph_buf_init(&c->pointer, c->pointer_memory, sizeof(c->pointer_memory));
        file  = file_compile(c, doc);
        *used = arena.len;
    }
    ph_context_free(c);
    if (file == NULL) {
        ph_context_free(memory);
    }
    return file;
}

struct ph_declared *
ph_declared_open(struct ph_str file, struct ph_buf *why)
{
    struct ph_declared *first, *last;
    struct ph_doc      *doc;
    size_t              used = 0;

    ph_buf_cut(why, 0);
    if (file.len > PH_DECLARED_FILE_MAX) {
        ph_buf_add(why, PH_STR("/: found a longer file, expected at most "
                               "65536 bytes"));
        return NULL;
    }
    if (ph_doc_json(&doc, file) != PH_OK) {
        ph_buf_add(why, PH_STR("/: found no JSON object, or a member twice, "
                               "expected one JSON object in UTF-8"));
        return NULL;
    }
    /* once to see how much it takes, then into a block of that size */
    first = block_compile(doc, PH_CONTEXT_MAX, &used, why);
    ph_context_free(first);
    last = first != NULL ? block_compile(doc, used, &used, why) : NULL;
    ph_doc_free(doc);
    return last;
}

void
ph_declared_close(struct ph_declared *declared)
{
    ph_context_free(declared);
}

const struct ph_channel *
ph_declared_channel(const struct ph_declared *declared)
{
    return &declared->channel;
}

struct ph_str
ph_declared_title(const struct ph_declared *declared, const char *language)
{
    return strcmp(language, "zh") == 0   ? declared->title.zh
           : strcmp(language, "en") == 0 ? declared->title.en
                                         : ph_str_make(NULL, 0);
}

/* ---- accounts ---- */

void
declared_account_close(void *context)
{
    struct declared_keys *keys = context;

    for (size_t i = 0; keys != NULL && i < keys->count; i++) {
        ph_private_key_free(keys->at[i].own);
        ph_public_key_free(keys->at[i].theirs);
    }
    ph_context_free(keys);
}

/* base64, white space left out */
static bool
raw_read(struct ph_str text, struct ph_arena *arena, struct ph_buf *raw,
         struct ph_str *out)
{
    struct ph_buf squeezed;
    size_t        from = raw->len;

    ph_arena_open(arena, &squeezed);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\0' || strchr(" \t\r\n", text.ptr[i]) == NULL) {
            ph_buf_byte(&squeezed, text.ptr[i]);
        }
    }
    bool ok
        = !squeezed.full && ph_b64_decode(raw, ph_buf_str(&squeezed)) == PH_OK;

    explicit_bzero(squeezed.ptr, squeezed.len);
    *out = ph_str_make(raw->ptr + from, raw->len - from);
    return ok && out->len != 0;
}

static const char *
key_open(enum ph_channel_value kind, struct ph_str text, struct ph_arena *arena,
         struct ph_buf *raw, struct declared_key *key)
{
    switch ((int) kind) {
    case PH_VALUE_PRIVATE_KEY:
        return ph_private_key_new(&key->own, text) == PH_OK
                   ? NULL
                   : "a private key: PEM, or its base64";
    case PH_VALUE_PUBLIC_KEY:
    case PH_VALUE_CERT:
        return ph_public_key_new(&key->theirs, text) == PH_OK
                   ? NULL
                   : "a public key or a certificate: PEM, or its base64";
    case PH_VALUE_BASE64:
        return raw_read(text, arena, raw, &key->raw) ? NULL : "base64";
    default:
        return NULL;
    }
}

static const char *
why_make(struct ph_arena *arena, const char *key, const char *expected)
{
    struct ph_buf buf;
    struct ph_str text;

    ph_arena_open(arena, &buf);
    ph_buf_add(&buf, ph_str_z(key));
    ph_buf_add(&buf, PH_STR(": found something else, expected "));
    ph_buf_add(&buf, ph_str_z(expected));
    ph_buf_byte(&buf, '\0');
    text = ph_arena_close(arena, &buf);
    return arena->full ? "an account's key cannot be read" : text.ptr;
}

void *
declared_account_open(const struct ph_channel_account *account,
                      const struct ph_channel_env *env, uint64_t now_ms,
                      struct ph_arena *arena, const char **why)
{
    const struct ph_channel *channel = account->channel;
    struct declared_keys    *keys;
    struct ph_buf            raw;
    size_t                   len = 0;

    (void) env;
    (void) now_ms;
    for (size_t i = 0; i < channel->field_count; i++) {
        len += channel->fields[i].kind == PH_VALUE_BASE64
                   ? account->values[i].len
                   : 0;
    }
    keys = ph_context_new(sizeof(*keys) + len);
    if (keys == NULL) {
        *why = "account: found no memory, expected some";
        return NULL;
    }
    keys->count = channel->field_count;
    ph_buf_init(&raw, keys->memory, len);
    for (size_t i = 0; i < channel->field_count; i++) {
        const char *expected
            = account->values[i].len == 0
                  ? NULL
                  : key_open(channel->fields[i].kind, account->values[i], arena,
                             &raw, &keys->at[i]);

        if (expected != NULL) {
            *why = why_make(arena, channel->fields[i].key, expected);
            declared_account_close(keys);
            return NULL;
        }
    }
    return keys;
}
