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

/* a command line on its way; `i` is where it is read */
struct parse {
    struct cli_args         *args;
    const struct cli_option *own, *common;
    const char *const       *argv;
    int                      argc, i;
    struct ph_buf           *why;
};

/* "--name value", "--name=value" or "--flag"; moves over what was used */
static enum ph_rc
option_take(struct parse *p)
{
    const char              *text   = p->argv[p->i] + 2;
    struct ph_str            name   = ph_str_z(text);
    struct ph_str            tail   = { NULL, 0 };
    bool                     inside = ph_str_cut(name, '=', &name, &tail);
    const struct cli_option *option = option_find(p->own, name);

    if (option == NULL) {
        option = option_find(p->common, name);
    }
    if (option == NULL) {
        return refuse_unknown(p->why, text, p->own, p->common);
    }
    if (option->value == NULL) {
        return inside ? refuse(p->why, PH_E_SYNTAX, "found a value for --",
                               name, ", expected none")
                      : given_add(p->args, option, NULL, p->why);
    }
    if (inside) {
        return given_add(p->args, option, tail.ptr, p->why);
    }
    if (p->i + 1 >= p->argc) {
        return refuse(p->why, PH_E_MISSING, "found --", name,
                      " without its value");
    }
    p->i++;
    return given_add(p->args, option, p->argv[p->i], p->why);
}

static enum ph_rc
word_take(struct parse *p)
{
    struct ph_str text = ph_str_z(p->argv[p->i]);

    if (p->args->word_count == CLI_WORDS_MAX) {
        return refuse(p->why, PH_E_FULL, "too many words at ", text, "");
    }
    p->args->words[p->args->word_count++] = p->argv[p->i];
    return PH_OK;
}

/* an option, a word, or a single dash with letters, which is neither */
static enum ph_rc
one_take(struct parse *p)
{
    const char *text = p->argv[p->i];

    if (strncmp(text, "--", 2) == 0) {
        return option_take(p);
    }
    if (text[0] == '-' && text[1] != '\0') {
        return refuse(p->why, PH_E_UNKNOWN, "found ", ph_str_z(text),
                      ", expected a word or an option that begins with --");
    }
    return word_take(p);
}

enum ph_rc
cli_args_parse(struct cli_args *args, int argc, const char *const *argv,
               const struct cli_option *own, const struct cli_option *common,
               struct ph_buf *why)
{
    struct parse p          = { .args   = args,
                                .own    = own,
                                .common = common,
                                .argv   = argv,
                                .argc   = argc,
                                .why    = why };
    bool         words_only = false;
    enum ph_rc   rc         = PH_OK;

    args->given_count = 0;
    args->word_count  = 0;
    args->rest_count  = 0;
    for (p.i = 0; rc == PH_OK && p.i < argc; p.i++) {
        if (!words_only && strcmp(argv[p.i], "--") == 0) {
            words_only = true;
            if (args->keeps_rest) {
                args->rest       = argv + p.i + 1;
                args->rest_count = (size_t) (argc - p.i - 1);
                break;
            }
        } else {
            rc = words_only ? word_take(&p) : one_take(&p);
        }
    }
    return rc;
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
