/*
 * cells.c - see cells.h.
 */
#include "cli/cells.h"

#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

struct cli_cell {
    UT_hash_handle hh;
    int64_t        value;
    size_t         key_len, field_len;
    char           name[]; /* key, NUL, field, NUL */
};

static bool
name_make(struct ph_buf *buf, struct ph_str key, struct ph_str field)
{
    ph_buf_add(buf, key);
    ph_buf_byte(buf, '\0');
    ph_buf_add(buf, field);
    return !buf->full;
}

static struct cli_cell *
cell_find(const struct cli_cells *cells, struct ph_str name)
{
    struct cli_cell *cell = NULL;

    HASH_FIND(hh, cells->head, name.ptr, name.len, cell);
    return cell;
}

static struct cli_cell *
cell_make(struct cli_cells *cells, struct ph_str name, size_t key_len)
{
    struct cli_cell *cell;

    if (cells->count == CLI_CELLS_MAX) {
        return NULL;
    }
    cell = calloc(1, sizeof(*cell) + name.len + 1);
    if (cell != NULL) {
        memcpy(cell->name, name.ptr, name.len);
        cell->key_len   = key_len;
        cell->field_len = name.len - key_len - 1;
        HASH_ADD(hh, cells->head, name, name.len, cell);
        cells->count++;
    }
    return cell;
}

bool
cli_cells_add(struct cli_cells *cells, struct ph_str key, struct ph_str field,
              int64_t value)
{
    char          memory[CLI_CELL_NAME_MAX];
    struct ph_buf name = PH_BUF_INIT(memory);

    if (!name_make(&name, key, field)) {
        return false;
    }
    struct cli_cell *cell = cell_find(cells, ph_buf_str(&name));
    if (cell == NULL) {
        cell = cell_make(cells, ph_buf_str(&name), key.len);
    }
    return cell != NULL
           && !__builtin_add_overflow(cell->value, value, &cell->value);
}

int64_t
cli_cells_get(const struct cli_cells *cells, struct ph_str key,
              struct ph_str field)
{
    char          memory[CLI_CELL_NAME_MAX];
    struct ph_buf name = PH_BUF_INIT(memory);

    if (!name_make(&name, key, field)) {
        return 0;
    }
    const struct cli_cell *cell = cell_find(cells, ph_buf_str(&name));
    return cell != NULL ? cell->value : 0;
}

static int
cell_cmp(const struct cli_cell *a, const struct cli_cell *b)
{
    int order = strcmp(a->name, b->name);

    return order != 0
               ? order
               : strcmp(a->name + a->key_len + 1, b->name + b->key_len + 1);
}

void
cli_cells_sort(struct cli_cells *cells)
{
    HASH_SORT(cells->head, cell_cmp);
}

bool
cli_cells_each(const struct cli_cells *cells, cli_cells_visit visit, void *data)
{
    struct cli_cell *cell, *next;

    HASH_ITER(hh, cells->head, cell, next)
    {
        if (!visit(data, ph_str_make(cell->name, cell->key_len),
                   ph_str_make(cell->name + cell->key_len + 1, cell->field_len),
                   cell->value))
        {
            return false;
        }
    }
    return true;
}

void
cli_cells_free(struct cli_cells *cells)
{
    struct cli_cell *cell = cells->head;

    HASH_CLEAR(hh, cells->head); /* the table only; the chain stays */
    while (cell != NULL) {
        struct cli_cell *next = cell->hh.next;
        free(cell);
        cell = next;
    }
    cells->count = 0;
}
