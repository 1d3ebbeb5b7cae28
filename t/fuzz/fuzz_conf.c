/*
 * fuzz_conf.c - payhub.conf as any bytes.
 *
 * What is taken can be written out from what was stored and is taken again as
 * the same; what is refused says where.  An input without LF is also tried as
 * an environment entry.
 */
#include "t/fuzz/fuzz.h"

#include "libpayhub/base/conf_rules.h"

static struct ph_conf conf, again;

static struct ph_str
written(struct ph_buf *buf)
{
    for (unsigned i = 0; i < PH_CONF_KEYS; i++) {
        const struct ph_conf_row *row = ph_conf_row((enum ph_conf_key) i);

        if (conf.line[i] == 0) {
            continue;
        }
        ph_buf_byte(buf, '[');
        ph_buf_add(buf, ph_str_z(row->section));
        ph_buf_add(buf, PH_STR("]\n"));
        ph_buf_add(buf, ph_str_z(row->key));
        ph_buf_byte(buf, '=');
        ph_buf_add(buf, ph_str_z(conf.text[i]));
        ph_buf_byte(buf, '\n');
    }
    return ph_buf_str(buf);
}

static void
check_again(struct ph_str in)
{
    static char   text[4 * PH_CONF_TEXT_MAX];
    char          memory[512];
    struct ph_buf buf = PH_BUF_INIT(text), why = PH_BUF_INIT(memory);
    struct ph_str out = written(&buf);

    FUZZ_HOLDS(!buf.full);
    if (out.len > PH_CONF_TEXT_MAX) {
        return; /* the sections stand more often than in the input */
    }
    ph_conf_init(&again);
    FUZZ_HOLDS(ph_conf_parse(&again, "again", out, &why) == PH_OK);
    for (unsigned i = 0; i < PH_CONF_KEYS; i++) {
        FUZZ_HOLDS(strcmp(conf.text[i], again.text[i]) == 0);
        FUZZ_HOLDS(conf.number[i] == again.number[i]);
        FUZZ_HOLDS((conf.line[i] != 0) == (again.line[i] != 0));
    }
    FUZZ_HOLDS(memchr(in.ptr, '\0', in.len) == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ph_str in = ph_str_make((const char *) data, size);
    char          memory[2048];
    struct ph_buf why = PH_BUF_INIT(memory);

    ph_conf_init(&conf);
    if (ph_conf_parse(&conf, "f", in, &why) == PH_OK) {
        FUZZ_HOLDS(why.len == 0);
        if (size != 0) {
            check_again(in);
        }
    } else {
        FUZZ_HOLDS(ph_str_starts(ph_buf_str(&why), PH_STR("f:")));
    }
    ph_buf_cut(&why, 0);
    if (size != 0 && memchr(data, '\n', size) == NULL) {
        FUZZ_HOLDS((ph_conf_env(&conf, in, &why) == PH_OK) == (why.len == 0));
    }
    return 0;
}
