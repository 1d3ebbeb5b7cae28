/*
 * make-docs: writes the generated pages into a folder.  usage: make-docs DIR
 */
#include <stdio.h>

#include "scripts/docs/docs.h"

static bool
page_write(const char *folder, const struct docs_page *page)
{
    static char   memory[DOCS_MAX];
    struct ph_buf buf = PH_BUF_INIT(memory);
    char          path[512];
    int len = snprintf(path, sizeof(path), "%s/%s", folder, page->name);

    page->write(&buf);
    if (buf.full || len < 0 || (size_t) len >= sizeof(path)) {
        return false;
    }
    FILE *file = fopen(path, "wb");

    return file != NULL && fwrite(buf.ptr, 1, buf.len, file) == buf.len
           && fclose(file) == 0;
}

int
main(int argc, char **argv)
{
    if (argc != 2) {
        (void) fprintf(stderr, "usage: make-docs DIR\n");
        return 2;
    }
    for (size_t i = 0; i < docs_page_count; i++) {
        if (!page_write(argv[1], &docs_pages[i])) {
            (void) fprintf(stderr, "make-docs: %s/%s: cannot be written\n",
                           argv[1], docs_pages[i].name);
            return 1;
        }
    }
    return 0;
}
