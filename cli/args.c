/*
 * args.c - see args.h.
 */
#include "cli/args.h"

#define EDITS_FAR 9u
#define WORD_LEN_MAX 40 /* longer words get no hint */

static unsigned
smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/*
 * Optimal string alignment over three rolling rows: a swap of neighbours, the
 * commonest typo, costs one.
 */
unsigned
cli_edits(const char *a, const char *b)
{
    unsigned rows[3][WORD_LEN_MAX + 1];
    size_t   a_len = strlen(a);
    size_t   b_len = strlen(b);

    if (a_len > WORD_LEN_MAX || b_len > WORD_LEN_MAX) {
        return EDITS_FAR;
    }
    for (size_t j = 0; j <= b_len; j++) {
        rows[0][j] = (unsigned) j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        unsigned *now   = rows[i % 3];
        unsigned *above = rows[(i - 1) % 3];
        now[0]          = (unsigned) i;
        for (size_t j = 1; j <= b_len; j++) {
            unsigned cost = a[i - 1] != b[j - 1];
            now[j]        = smaller(smaller(above[j] + 1, now[j - 1] + 1),
                                    above[j - 1] + cost);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
            {
                now[j] = smaller(now[j], rows[(i - 2) % 3][j - 2] + 1);
            }
        }
    }
    return smaller(rows[a_len % 3][b_len], EDITS_FAR);
}

static const struct cli_option *
option_find(const struct cli_option *list, struct ph_str name)
{
    for (; list->name != NULL; list++) {
        if (ph_str_eq(ph_str_z(list->name), name)) {
            return list;
        }
    }
    return NULL;
}

static const char *
option_near(const struct cli_option *list, const char *name, unsigned *best)
{
    const char *near = NULL;

    for (; list->name != NULL; list++) {
        unsigned edits = cli_edits(list->name, name);
        if (edits < *best) {
            *best = edits;
            near  = list->name;
        }
    }
    return near;
}

static enum ph_rc
refuse(struct ph_buf *why, enum ph_rc rc, const char *before,
       struct ph_str name, const char *after)
{
    ph_buf_add(why, ph_str_z(before));
    ph_buf_add(why, name);
    ph_buf_add(why, ph_str_z(after));
    return rc;
}

static enum ph_rc
refuse_unknown(struct ph_buf *why, const char *text,
               const struct cli_option *own, const struct cli_option *common)
{
    unsigned    best = CLI_NEAR_MAX + 1;
    const char *near = option_near(own, text, &best);
    const char *wide = option_near(common, text, &best);

    near = wide != NULL ? wide : near;
    (void) refuse(why, PH_OK, "found the unknown option --", ph_str_z(text),
                  "");
    if (near != NULL) {
        (void) refuse(why, PH_OK, ", did you mean --", ph_str_z(near), "?");
    }
    return PH_E_UNKNOWN;
}

static enum ph_rc
given_add(struct cli_args *args, const struct cli_option *option,
          const char *value, struct ph_buf *why)
{
    struct ph_str name = ph_str_z(option->name);

    if (!option->repeats && cli_args_has(args, option->name)) {
        return refuse(why, PH_E_DUPLICATE, "found --", name,
                      " twice, expected it once");
    }
    if (args->given_count == CLI_GIVEN_MAX) {
        return refuse(why, PH_E_FULL, "too many options at --", name, "");
    }
    args->given[args->given_count++] = (struct cli_given){ option, value };
    return PH_OK;
}

/* "--name value", "--name=value" or "--flag"; *i moves over what was used */
static enum ph_rc
option_take(struct cli_args *args, int argc, const char *const *argv, int *i,
            const struct cli_option *own, const struct cli_option *common,
            struct ph_buf *why)
{
    const char              *text   = argv[*i] + 2;
    struct ph_str            name   = ph_str_z(text);
    struct ph_str            tail   = { NULL, 0 };
    bool                     inside = ph_str_cut(name, '=', &name, &tail);
    const struct cli_option *option = option_find(own, name);

    if (option == NULL) {
        option = option_find(common, name);
    }
    if (option == NULL) {
        return refuse_unknown(why, text, own, common);
    }
    if (option->value == NULL) {
        return inside ? refuse(why, PH_E_SYNTAX, "found a value for --", name,
                               ", expected none")
                      : given_add(args, option, NULL, why);
    }
    if (inside) {
        return given_add(args, option, tail.ptr, why);
    }
    if (*i + 1 >= argc) {
        return refuse(why, PH_E_MISSING, "found --", name,
                      " without its value");
    }
    *i += 1;
    return given_add(args, option, argv[*i], why);
}

enum ph_rc
cli_args_parse(struct cli_args *args, int argc, const char *const *argv,
               const struct cli_option *own, const struct cli_option *common,
               struct ph_buf *why)
{
    bool words_only = false;

    args->given_count = 0;
    args->word_count  = 0;
    for (int i = 0; i < argc; i++) {
        if (!words_only && strcmp(argv[i], "--") == 0) {
            words_only = true;
            continue;
        }
        if (!words_only && strncmp(argv[i], "--", 2) == 0) {
            enum ph_rc rc = option_take(args, argc, argv, &i, own, common, why);
            if (rc != PH_OK) {
                return rc;
            }
            continue;
        }
        if (!words_only && argv[i][0] == '-' && argv[i][1] != '\0') {
            return refuse(why, PH_E_UNKNOWN, "found ", ph_str_z(argv[i]),
                          ", expected a word or an option that begins with --");
        }
        if (args->word_count == CLI_WORDS_MAX) {
            return refuse(why, PH_E_FULL, "too many words at ",
                          ph_str_z(argv[i]), "");
        }
        args->words[args->word_count++] = argv[i];
    }
    return PH_OK;
}

bool
cli_args_has(const struct cli_args *args, const char *name)
{
    for (size_t i = 0; i < args->given_count; i++) {
        if (strcmp(args->given[i].option->name, name) == 0) {
            return true;
        }
    }
    return false;
}

const char *
cli_args_value(const struct cli_args *args, const char *name)
{
    size_t at = 0;

    return cli_args_next(args, name, &at);
}

const char *
cli_args_next(const struct cli_args *args, const char *name, size_t *at)
{
    while (*at < args->given_count) {
        const struct cli_given *given = &args->given[(*at)++];
        if (strcmp(given->option->name, name) == 0) {
            return given->value;
        }
    }
    return NULL;
}
