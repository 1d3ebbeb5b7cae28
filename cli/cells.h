/*
 * cells.h - counters as a set of (key, field) -> value.
 *
 * A cell that is absent and one that is zero are the same thing: the counter
 * library drops fields that come to zero.
 */
#ifndef CLI_CELLS_H
#define CLI_CELLS_H

#include "libpayhub/base/rc.h"
#include "libpayhub/domain/counter.h"

#define CLI_CELLS_MAX 2000000 /* about 300 MB; more is refused */
#define CLI_CELL_NAME_MAX (PH_COUNTER_KEY_MAX + PH_COUNTER_FIELD_MAX + 2)

struct cli_cell; /* uthash inside cells.c */

struct cli_cells {
    struct cli_cell *head;
    size_t           count;
};

/* Adds `value` to a cell; false = too many cells or no memory. */
bool cli_cells_add(struct cli_cells *cells, struct ph_str key,
                   struct ph_str field, int64_t value) PH_MUST_CHECK;

int64_t cli_cells_get(const struct cli_cells *cells, struct ph_str key,
                      struct ph_str field);

/* in order of (key, field) after cli_cells_sort() */
typedef bool (*cli_cells_visit)(void *data, struct ph_str key,
                                struct ph_str field, int64_t value);
void cli_cells_sort(struct cli_cells *cells);
bool cli_cells_each(const struct cli_cells *cells, cli_cells_visit visit,
                    void *data);

void cli_cells_free(struct cli_cells *cells);

#endif
