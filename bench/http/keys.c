/*
 * keys.c - a state file of many keys, as payhub_zone reads it at a start
 * (docs/live.md), so that a measurement has a million keys without a database.
 *
 *   keys COUNT PREFIX SEAL_FILE SECRET_FILE PATH
 *
 * Ids are PREFIX and 1..COUNT, apps "a" and the same number, all of
 * hmac-sha256 and payhub-v3 with one secret.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "libpayhub/wire/seal.h"
#include "libpayhub/wire/verify.h"

#define MAGIC "PHSF\001"
#define ID_LEN 16
#define CHUNK_PLAIN 16000
#define KEYS_MAX 2000000
#define SECRET_MAX 512
#define HEAD_LEN 26 /* of a key */

struct state {
    FILE              *file;
    struct ph_seal_key key;
    unsigned           chunk;
    size_t             len;
    uint8_t            id[ID_LEN];
    char               plain[CHUNK_PLAIN];
};

static void
fail(const char *what)
{
    (void) fprintf(stderr, "keys: %s\n", what);
    exit(1);
}

/* seals what there is; the chunk's number and whether it is the last are in
 * what it is sealed for */
static void
flush(struct state *state, bool is_last)
{
    char                 sealed[CHUNK_PLAIN + PH_SEAL_OVERHEAD_MAX];
    char                 owner[2 * ID_LEN], column[32];
    uint8_t              nonce[PH_SEAL_NONCE_LEN];
    struct ph_buf        out        = PH_BUF_INIT(sealed);
    struct ph_buf        owner_buf  = PH_BUF_INIT(owner);
    struct ph_buf        column_buf = PH_BUF_INIT(column);
    struct ph_seal_place place      = { .table = PH_STR("edge state") };

    ph_buf_hex(&owner_buf, ph_str_make((const char *) state->id, ID_LEN));
    ph_buf_add(&column_buf, PH_STR("keys "));
    ph_buf_u64(&column_buf, state->chunk++);
    ph_buf_add(&column_buf, is_last ? PH_STR(" last") : PH_STR(""));
    place.owner  = ph_buf_str(&owner_buf);
    place.column = ph_buf_str(&column_buf);
    if (getrandom(nonce, sizeof(nonce), 0) != sizeof(nonce)
        || ph_seal(&out, &state->key, &place, nonce,
                   ph_str_make(state->plain, state->len))
               != PH_OK)
    {
        fail("a chunk could not be sealed");
    }
    uint8_t len[4] = { (uint8_t) out.len, (uint8_t) (out.len >> 8),
                       (uint8_t) (out.len >> 16), 0 };
    if (fwrite(len, 1, sizeof(len), state->file) != sizeof(len)
        || fwrite(out.ptr, 1, out.len, state->file) != out.len)
    {
        fail("the file cannot be written");
    }
    state->len = 0;
}

static void
add(struct state *state, const void *data, size_t len)
{
    const char *from = data;

    while (len != 0) {
        if (state->len == CHUNK_PLAIN) {
            flush(state, false);
        }
        size_t part
            = len < CHUNK_PLAIN - state->len ? len : CHUNK_PLAIN - state->len;
        memcpy(state->plain + state->len, from, part);
        state->len += part;
        from += part;
        len -= part;
    }
}

static void
add_key(struct state *state, const char *prefix, uint64_t number,
        struct ph_str secret)
{
    char          id[32], app[32];
    uint8_t       head[HEAD_LEN] = { 0 };
    uint16_t      schemes        = PH_SCHEME_V3;
    uint16_t      len            = (uint16_t) secret.len;
    struct ph_buf id_buf         = PH_BUF_INIT(id);
    struct ph_buf app_buf        = PH_BUF_INIT(app);

    ph_buf_add(&id_buf, ph_str_z(prefix));
    ph_buf_u64(&id_buf, number);
    ph_buf_byte(&app_buf, 'a');
    ph_buf_u64(&app_buf, number);
    if (id_buf.full || app_buf.full) {
        fail("the prefix is too long");
    }
    memcpy(head + 16, &schemes, sizeof(schemes));
    memcpy(head + 18, &len, sizeof(len));
    head[20] = PH_ALG_HMAC_SHA256;
    head[22] = (uint8_t) id_buf.len;
    head[23] = (uint8_t) app_buf.len;
    head[24] = 1;
    add(state, head, sizeof(head));
    add(state, id_buf.ptr, id_buf.len);
    add(state, app_buf.ptr, app_buf.len);
    add(state, "m", 1);
    add(state, secret.ptr, secret.len);
}

/* the file's bytes without one closing LF */
static struct ph_str
file_read(const char *path, char *memory, size_t size)
{
    FILE  *file = fopen(path, "re");
    size_t len  = file != NULL ? fread(memory, 1, size, file) : 0;

    if (file == NULL || len == 0 || fclose(file) != 0) {
        fail("a file cannot be read");
    }
    len -= memory[len - 1] == '\n';
    return ph_str_make(memory, len);
}

static void
seal_read(struct state *state, const char *path)
{
    char          text[2 * PH_SEAL_KEY_LEN + 1];
    struct ph_str hex = file_read(path, text, sizeof(text));

    for (size_t i = 0; i < PH_SEAL_KEY_LEN; i++) {
        char digits[3]      = { hex.ptr[2 * i], hex.ptr[2 * i + 1], '\0' };
        state->key.bytes[i] = (uint8_t) strtoul(digits, NULL, 16);
    }
    state->key.id = PH_STR("edge");
}

int
main(int argc, char **argv)
{
    static struct state state;
    static char         memory[SECRET_MAX];
    uint64_t            count;
    uint8_t             end[HEAD_LEN + 8] = { 0 };

    if (argc != 6 || !ph_str_u64(ph_str_z(argv[1]), KEYS_MAX, &count)) {
        (void) fprintf(stderr,
                       "usage: keys COUNT PREFIX SEAL_FILE SECRET_FILE PATH\n");
        return 2;
    }
    struct ph_str secret = file_read(argv[4], memory, sizeof(memory));
    seal_read(&state, argv[3]);
    state.file = fopen(argv[5], "we");
    if (state.file == NULL || getrandom(state.id, ID_LEN, 0) != ID_LEN
        || fwrite(MAGIC, 1, 5, state.file) != 5
        || fwrite(state.id, 1, ID_LEN, state.file) != ID_LEN)
    {
        fail("the file cannot be written");
    }
    for (uint64_t number = 1; number <= count; number++) {
        add_key(&state, argv[2], number, secret);
    }
    for (size_t i = 0; i < 8; i++) {
        end[HEAD_LEN + i] = (uint8_t) (count >> 8 * i);
    }
    add(&state, end, sizeof(end));
    flush(&state, true);
    return fclose(state.file) == 0 ? 0 : 1;
}
