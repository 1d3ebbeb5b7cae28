/* fields.c - see fields.h. */
#include "channels/fields.h"

#include "libpayhub/domain/base_url.h"
#include "libpayhub/wire/b64.h"

#define SHOWN_MAX 64 /* bytes of a wrong value */

bool
ph_channel_field_find(const struct ph_channel *channel, struct ph_str key,
                      size_t *at)
{
    for (size_t i = 0; i < channel->field_count; i++) {
        if (ph_str_eq(ph_str_z(channel->fields[i].key), key)) {
            *at = i;
            return true;
        }
    }
    return false;
}

static const char *
why_close(struct ph_arena *arena, struct ph_buf *buf)
{
    struct ph_str text;

    ph_buf_byte(buf, '\0');
    text = ph_arena_close(arena, buf);
    return arena->full ? "no room to say what is wrong with the account"
                       : text.ptr;
}

/* "KEY: found X, expected Y" */
static const char *
why_value(const struct ph_channel_field *field, struct ph_str value,
          const char *expected, struct ph_arena *arena)
{
    struct ph_buf buf;

    ph_arena_open(arena, &buf);
    ph_buf_add(&buf, ph_str_z(field->key));
    ph_buf_add(&buf, PH_STR(": found "));
    if (value.len == 0) {
        ph_buf_add(&buf, PH_STR("nothing"));
    } else if (!field->secret && value.len <= SHOWN_MAX
               && !ph_str_has_control(value))
    {
        ph_buf_add(&buf, value);
    } else {
        ph_buf_u64(&buf, value.len);
        ph_buf_add(&buf, PH_STR(" bytes"));
    }
    ph_buf_add(&buf, PH_STR(", expected "));
    ph_buf_add(&buf, ph_str_z(expected));
    return why_close(arena, &buf);
}

/* strict base64, but for white space at line ends and around it */
static bool
is_base64(struct ph_str text, struct ph_arena *arena)
{
    struct ph_buf squeezed, raw;
    size_t        before = arena->len;
    bool          ok;

    ph_arena_open(arena, &squeezed);
    for (size_t i = 0; i < text.len; i++) {
        if (strchr(" \t\r\n", text.ptr[i]) == NULL || text.ptr[i] == '\0') {
            ph_buf_byte(&squeezed, text.ptr[i]);
        }
    }
    struct ph_str clean = ph_arena_close(arena, &squeezed);

    ph_arena_open(arena, &raw);
    ok = ph_b64_decode(&raw, clean) == PH_OK && !arena->full;
    if (!arena->full) { /* no secret stays behind in the caller's memory */
        explicit_bzero(arena->ptr + before, clean.len);
        explicit_bzero(raw.ptr, raw.len);
        arena->len = before;
    }
    return ok;
}

static const char *
value_check(const struct ph_channel_field *field, struct ph_str value,
            struct ph_arena *arena)
{
    if (value.len > PH_CHANNEL_VALUE_MAX) {
        return why_value(field, value, "at most 16384 bytes", arena);
    }
    switch (field->kind) {
    case PH_VALUE_TEXT:
        return ph_str_has_control(value)
                   ? why_value(field, value, "one line of text", arena)
                   : NULL;
    case PH_VALUE_URL:
        return ph_base_url_ok(value)
                   ? NULL
                   : why_value(field, value,
                               "https://HOST[:PORT][/PATH], or http:// of a "
                               "loopback address",
                               arena);
    case PH_VALUE_YESNO:
        return ph_str_eq(value, PH_STR("yes")) || ph_str_eq(value, PH_STR("no"))
                   ? NULL
                   : why_value(field, value, "yes or no", arena);
    case PH_VALUE_PFX:
    case PH_VALUE_BASE64:
        return is_base64(value, arena)
                   ? NULL
                   : why_value(field, value, "base64", arena);
    case PH_VALUE_PRIVATE_KEY:
    case PH_VALUE_PUBLIC_KEY:
    case PH_VALUE_CERT:
    case PH_VALUE_CERTS:
    case PH_VALUE_SECRET:
        break; /* the adapter reads them */
    }
    return NULL;
}

/* The field names the group among its own. */
static bool
is_in_group(const struct ph_channel_field *field, struct ph_str group)
{
    struct ph_str rest = ph_str_z(field->one_of), name;

    while (field->one_of != NULL && ph_str_next(&rest, ' ', &name)) {
        if (ph_str_eq(name, group)) {
            return true;
        }
    }
    return false;
}

static bool
group_is_whole(const struct ph_channel *channel, const struct ph_str *values,
               struct ph_str group)
{
    for (size_t i = 0; i < channel->field_count; i++) {
        if (values[i].len == 0 && is_in_group(&channel->fields[i], group)) {
            return false;
        }
    }
    return true;
}

/* "a and b" */
static void
group_name(struct ph_buf *buf, const struct ph_channel *channel,
           struct ph_str group)
{
    bool is_first = true;

    for (size_t i = 0; i < channel->field_count; i++) {
        if (is_in_group(&channel->fields[i], group)) {
            ph_buf_add(buf, is_first ? PH_STR("") : PH_STR(" and "));
            ph_buf_add(buf, ph_str_z(channel->fields[i].key));
            is_first = false;
        }
    }
}

/* One walk over all groups: tries each, or names each; each is met first at
 * the field that comes first in it. */
static bool
groups_walk(const struct ph_channel *channel, const struct ph_str *values,
            struct ph_buf *names)
{
    for (size_t i = 0; i < channel->field_count; i++) {
        struct ph_str rest = ph_str_z(channel->fields[i].one_of), group;

        while (channel->fields[i].one_of != NULL
               && ph_str_next(&rest, ' ', &group)) {
            size_t first = 0;

            while (!is_in_group(&channel->fields[first], group)) {
                first++;
            }
            if (first != i) {
                continue;
            }
            if (names == NULL) {
                if (group_is_whole(channel, values, group)) {
                    return true;
                }
                continue;
            }
            ph_buf_add(names,
                       names->len != 0 && names->ptr[names->len - 1] != ' '
                           ? PH_STR(", or ")
                           : PH_STR(""));
            group_name(names, channel, group);
        }
    }
    return false;
}

static const char *
groups_check(const struct ph_channel *channel, const struct ph_str *values,
             struct ph_arena *arena)
{
    const struct ph_channel_field *first = NULL;
    struct ph_buf                  buf;

    for (size_t i = 0; i < channel->field_count && first == NULL; i++) {
        first = channel->fields[i].one_of != NULL ? &channel->fields[i] : NULL;
    }
    if (first == NULL || groups_walk(channel, values, NULL)) {
        return NULL;
    }
    ph_arena_open(arena, &buf);
    ph_buf_add(&buf, ph_str_z(first->key));
    ph_buf_add(&buf, PH_STR(": found no whole set of keys, expected "));
    (void) groups_walk(channel, values, &buf);
    return why_close(arena, &buf);
}

const char *
ph_channel_values_check(const struct ph_channel *channel,
                        const struct ph_str *values, struct ph_arena *arena)
{
    for (size_t i = 0; i < channel->field_count; i++) {
        const struct ph_channel_field *field = &channel->fields[i];
        const char                    *why   = NULL;

        if (values[i].len != 0) {
            why = value_check(field, values[i], arena);
        } else if (field->required && field->one_of == NULL) {
            why = why_value(field, values[i], field->meaning, arena);
        }
        if (why != NULL) {
            return why;
        }
    }
    return groups_check(channel, values, arena);
}

bool
ph_channel_account_open(struct ph_channel_account   *account,
                        const struct ph_channel_env *env, uint64_t now_ms,
                        struct ph_arena *arena, const char **why)
{
    const struct ph_channel *channel = account->channel;

    account->context = NULL;
    *why             = ph_channel_values_check(channel, account->values, arena);
    if (*why != NULL) {
        return false;
    }
    if (channel->account_open == NULL) {
        return true;
    }
    *why             = "its keys cannot be read";
    account->context = channel->account_open(account, env, now_ms, arena, why);
    if (account->context != NULL) {
        *why = NULL;
    }
    return account->context != NULL;
}

void
ph_channel_account_close(struct ph_channel_account *account)
{
    /* what the table says is its adapter's to free */
    if (account->context != NULL && account->channel->account_close != NULL) {
        account->channel->account_close((void *) (uintptr_t) account->context);
    }
    account->context = NULL;
}
