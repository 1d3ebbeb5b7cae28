/* load.c - see load.h. */
#include "channels/load.h"

#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "channels/codes.h"
#include "channels/context.h"
#include "channels/fields.h"

#define FILES_MAX 256 /* looked at in the folder */
#define PATH_LEN_MAX 1024
#define FILE_NAME_MAX 255
#define KEY_LEN_MAX 64
#define SUFFIX ".so"

struct names {
    char   text[FILES_MAX][FILE_NAME_MAX + 1];
    size_t count;
};

static bool
fault_say(struct ph_channel_fault *fault, struct ph_str found,
          const char *expected)
{
    struct ph_buf buf = PH_BUF_INIT(fault->found);

    if (found.len >= sizeof(fault->found)) {
        found.len = sizeof(fault->found) - 1;
    }
    ph_buf_add(&buf, found);
    (void) ph_buf_z(&buf);
    fault->expected = expected;
    return false;
}

static bool
fault_number(struct ph_channel_fault *fault, const char *what, uint64_t number,
             const char *expected)
{
    char          memory[96];
    struct ph_buf text = PH_BUF_INIT(memory);

    ph_buf_add(&text, ph_str_z(what));
    ph_buf_byte(&text, ' ');
    ph_buf_u64(&text, number);
    return fault_say(fault, ph_buf_str(&text), expected);
}

static bool
is_word(struct ph_str text, size_t len_max)
{
    if (text.len < 2 || text.len > len_max || text.ptr[0] < 'a'
        || text.ptr[0] > 'z')
    {
        return false;
    }
    for (size_t i = 1; i < text.len; i++) {
        char c = text.ptr[i];

        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_') {
            return false;
        }
    }
    return true;
}

bool
ph_channel_name_ok(struct ph_str name)
{
    return is_word(name, PH_CHANNEL_NAME_MAX);
}

/* a text of the object, which need not end within `most` */
static struct ph_str
text_of(const char *text, size_t most)
{
    return ph_str_make(text, text != NULL ? strnlen(text, most + 1) : 0);
}

/* How many a list ended by NULL has; SIZE_MAX = more than `most`. */
static size_t
list_count(const char *const *list, size_t most)
{
    size_t count = 0;

    while (list != NULL && list[count] != NULL) {
        if (count++ == most) {
            return SIZE_MAX;
        }
    }
    return count;
}

/* --- the table ------------------------------------------------------------ */

static bool
methods_ok(const struct ph_channel *channel, struct ph_channel_fault *fault)
{
    size_t count = list_count(channel->methods, PH_CHANNEL_METHODS_MAX);

    if (count == 0 || count == SIZE_MAX) {
        return fault_say(fault,
                         count == 0 ? PH_STR("no method")
                                    : PH_STR("more than 64 methods"),
                         "1-64 methods");
    }
    for (size_t i = 0; i < count; i++) {
        struct ph_str name = text_of(channel->methods[i], PH_CHANNEL_NAME_MAX);

        if (!ph_channel_name_ok(name)) {
            return fault_say(fault, name,
                             "a method's name of [a-z][a-z0-9_]{1,31}");
        }
    }
    return true;
}

static bool
fields_ok(const struct ph_channel *channel, struct ph_channel_fault *fault)
{
    if (channel->field_count > PH_CHANNEL_FIELDS_MAX) {
        return fault_number(fault, "fields", channel->field_count,
                            "at most 24");
    }
    if (channel->fields == NULL && channel->field_count != 0) {
        return fault_say(fault, PH_STR("no fields"),
                         "as many as field_count says");
    }
    for (size_t i = 0; i < channel->field_count; i++) {
        const struct ph_channel_field *field = &channel->fields[i];
        struct ph_str                  key   = text_of(field->key, KEY_LEN_MAX);

        if (!is_word(key, KEY_LEN_MAX) || field->meaning == NULL) {
            return fault_say(fault, key,
                             "a field's key of [a-z][a-z0-9_]{1,63}, and what "
                             "it means");
        }
        if ((unsigned) field->kind > PH_VALUE_SECRET) {
            return fault_number(fault, "kind", (unsigned) field->kind,
                                "a kind of enum ph_channel_value");
        }
        for (size_t k = 0; k < i; k++) {
            if (strcmp(channel->fields[k].key, field->key) == 0) {
                return fault_say(fault, key, "each key once");
            }
        }
    }
    return true;
}

static bool
codes_ok(const struct ph_channel *channel, struct ph_channel_fault *fault)
{
    enum ph_codes_fault wrong;
    size_t              at = 0;

    if (channel->codes == NULL && channel->code_count != 0) {
        return fault_say(fault, PH_STR("no codes"),
                         "as many as code_count says");
    }
    wrong = ph_codes_check(channel, &at);
    return wrong == PH_CODES_OK
           || fault_say(fault, channel->codes[at].code,
                        ph_codes_expected(wrong));
}

static bool
extras_ok(const struct ph_channel *channel, struct ph_channel_fault *fault)
{
    if (list_count(channel->currencies, PH_CHANNEL_LIST_MAX) == SIZE_MAX
        || list_count(channel->wire_fields, PH_CHANNEL_LIST_MAX) == SIZE_MAX)
    {
        return fault_say(fault, PH_STR("a list without an end"),
                         "at most 256 currencies, 256 wire_fields");
    }
    if (channel->extra_count > PH_CHANNEL_EXTRA_MAX
        || (channel->extra == NULL && channel->extra_count != 0))
    {
        return fault_number(fault, "extra", channel->extra_count, "at most 32");
    }
    for (size_t i = 0; i < channel->extra_count; i++) {
        struct ph_str key = text_of(channel->extra[i].key, KEY_LEN_MAX);

        if (!is_word(key, KEY_LEN_MAX)) {
            return fault_say(fault, key, "a member of extra by its name");
        }
    }
    return true;
}

static bool
identity_ok(const struct ph_channel *channel, struct ph_channel_fault *fault)
{
    size_t count = list_count(channel->identity, PH_CHANNEL_FIELDS_MAX), at;

    if (count == SIZE_MAX) {
        return fault_say(fault, PH_STR("a list without an end"),
                         "at most 24 keys of identity");
    }
    for (size_t i = 0; i < count; i++) {
        struct ph_str key = text_of(channel->identity[i], KEY_LEN_MAX);

        if (!ph_channel_field_find(channel, key, &at)) {
            return fault_say(fault, key, "a key of fields in identity");
        }
    }
    return true;
}

bool
ph_channel_table_ok(const struct ph_channel *channel,
                    struct ph_channel_fault *fault)
{
    struct ph_str name = text_of(channel->name, PH_CHANNEL_NAME_MAX);

    if (!ph_channel_name_ok(name)) {
        return fault_say(fault, name, "a name of [a-z][a-z0-9_]{1,31}");
    }
    if (channel->step == NULL) {
        return fault_say(fault, PH_STR("no step"), "step()");
    }
    if ((channel->caps & PH_CAP_NOTICE) != 0 && channel->notice == NULL) {
        return fault_say(fault, PH_STR("PH_CAP_NOTICE without notice"),
                         "notice()");
    }
    if ((channel->account_open == NULL) != (channel->account_close == NULL)) {
        return fault_say(fault, PH_STR("account_open and account_close apart"),
                         "both or none");
    }
    return methods_ok(channel, fault) && fields_ok(channel, fault)
           && codes_ok(channel, fault) && extras_ok(channel, fault)
           && identity_ok(channel, fault);
}

/* --- the file ------------------------------------------------------------- */

/* Nobody but root and `owner` may have written it. */
static bool
place_ok(const char *path, mode_t type, unsigned owner,
         struct ph_channel_fault *fault)
{
    struct stat is;

    if (lstat(path, &is) != 0) {
        return fault_say(fault, PH_STR("nothing that can be looked at"),
                         "a file");
    }
    if ((is.st_mode & S_IFMT) != type) {
        return fault_say(fault,
                         S_ISLNK(is.st_mode) ? PH_STR("a symbolic link")
                                             : PH_STR("something else"),
                         type == S_IFDIR ? "a folder" : "a regular file");
    }
    if (is.st_uid != 0 && is.st_uid != owner) {
        return fault_number(fault, "owner", is.st_uid,
                            "root or the user that runs this");
    }
    if ((is.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return fault_say(fault, PH_STR("others may write it"),
                         "mode 0755 or less");
    }
    return true;
}

static const struct ph_channel *
is_taken(const struct ph_channel *const *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i]->name, name) == 0) {
            return list[i];
        }
    }
    return ph_channel_find(ph_str_z(name));
}

/* A whole table of ours with what theirs covers. */
static struct ph_channel *
table_copy(const struct ph_channel *theirs, struct ph_channel_fault *fault)
{
    struct ph_channel *ours;

    if (theirs->abi != PH_CHANNEL_ABI) {
        (void) fault_number(fault, "abi", theirs->abi, "abi 1");
        return NULL;
    }
    if (theirs->size < offsetof(struct ph_channel, self)) {
        (void) fault_number(fault, "size", theirs->size,
                            "sizeof(struct ph_channel)");
        return NULL;
    }
    ours = ph_context_new(sizeof(*ours));
    if (ours == NULL) {
        (void) fault_say(fault, PH_STR("no memory"), "some");
        return NULL;
    }
    memcpy(ours, theirs,
           theirs->size < sizeof(*ours) ? theirs->size : sizeof(*ours));
    return ours;
}

/* The object's table; the object stays. */
static const struct ph_channel *
object_open(const char *path, struct ph_channel_fault *fault)
{
    void                    *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const struct ph_channel *theirs
        = object != NULL ? dlsym(object, PH_CHANNEL_SYMBOL) : NULL;

    if (object == NULL) {
        (void) fault_say(fault, ph_str_z(dlerror()), "a shared object");
    } else if (theirs == NULL) {
        (void) fault_say(fault, PH_STR("no symbol " PH_CHANNEL_SYMBOL),
                         "a const struct ph_channel of that name");
    }
    /* cppcheck-suppress resourceLeak ; its code may be running somewhere */
    return theirs;
}

static const struct ph_channel *
object_take(const char *path, const struct ph_channel *const *list,
            size_t count, struct ph_channel_fault *fault)
{
    const struct ph_channel *theirs = object_open(path, fault);
    struct ph_channel *ours = theirs != NULL ? table_copy(theirs, fault) : NULL;

    if (ours == NULL) {
        return NULL;
    }
    if (!ph_channel_table_ok(ours, fault)) {
        ph_context_free(ours);
        return NULL;
    }
    if (is_taken(list, count, ours->name) != NULL) {
        (void) fault_say(fault, ph_str_z(ours->name),
                         "a name that no other channel has");
    } else if (ours->init != NULL && !ours->init()) {
        (void) fault_say(fault, PH_STR("init() that says no"),
                         "one that says yes");
    } else {
        return ours;
    }
    ph_context_free(ours);
    return NULL;
}

static const struct ph_channel *
file_take(const struct ph_channel_load *load, const char *name,
          const struct ph_channel *const *list, size_t count,
          struct ph_channel_fault *fault)
{
    char path[PATH_LEN_MAX];
    int  len = snprintf(path, sizeof(path), "%s/%s", load->folder, name);

    if (len < 0 || (size_t) len >= sizeof(path)) {
        (void) fault_say(fault, PH_STR("a path that is too long"),
                         "fewer than 1024 bytes");
        return NULL;
    }
    return place_ok(path, S_IFREG, load->owner, fault)
               ? object_take(path, list, count, fault)
               : NULL;
}

/* --- the folder ----------------------------------------------------------- */

static int
names_compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static bool
names_read(const char *folder, struct names *names,
           struct ph_channel_fault *fault)
{
    DIR *dir = opendir(folder);

    names->count = 0;
    if (dir == NULL) {
        return fault_say(fault, PH_STR("a folder that cannot be read"),
                         "a folder");
    }
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        size_t len = strlen(entry->d_name);

        if (len <= strlen(SUFFIX) || len > FILE_NAME_MAX
            || strcmp(entry->d_name + len - strlen(SUFFIX), SUFFIX) != 0)
        {
            continue;
        }
        if (names->count == FILES_MAX) {
            (void) closedir(dir);
            return fault_say(fault, PH_STR("more than 256 files"),
                             "at most 64 channels");
        }
        memcpy(names->text[names->count++], entry->d_name, len + 1);
    }
    (void) closedir(dir);
    qsort(names->text, names->count, sizeof(names->text[0]), names_compare);
    return true;
}

size_t
ph_channels_load(const struct ph_channel_load *load,
                 const struct ph_channel **list, size_t most, size_t *refused)
{
    struct ph_channel_fault fault = { .expected = "" };
    struct names           *names = ph_context_new(sizeof(*names));
    size_t                  count = 0;

    *refused = 0;
    if (names == NULL || !place_ok(load->folder, S_IFDIR, load->owner, &fault)
        || !names_read(load->folder, names, &fault))
    {
        load->refused(load->data, load->folder, &fault);
        ph_context_free(names);
        *refused = 1;
        return 0;
    }
    for (size_t i = 0; i < names->count; i++) {
        const struct ph_channel *channel = NULL;

        if (count == most) {
            (void) fault_number(&fault, "channels before it", most,
                                "no more than that");
        } else {
            channel = file_take(load, names->text[i], list, count, &fault);
        }
        if (channel != NULL) {
            list[count++] = channel;
        } else {
            load->refused(load->data, names->text[i], &fault);
            ++*refused;
        }
    }
    ph_context_free(names);
    return count;
}
