/*
 * docs.h - documents made from the .def tables.  make-docs writes them, a
 * unit test compares the committed files with them.
 */
#ifndef SCRIPTS_DOCS_H
#define SCRIPTS_DOCS_H

#include "libpayhub/base/buf.h"

#define DOCS_MAX (64 * 1024)

struct docs_page {
    const char *name; /* file in docs/ */
    void (*write)(struct ph_buf *buf);
};

extern const struct docs_page docs_pages[];
extern const size_t           docs_page_count;

#endif
