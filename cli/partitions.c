/*
 * partitions.c - see partitions.h.
 */
#include "cli/partitions.h"

#include <stdio.h>

#include "libpayhub/io/partitions.h"

static void
tell(void *data, const char *table, unsigned month)
{
    char name[64];

    (void) snprintf(name, sizeof(name), "%s.p_%u", table, month);
    (void) json_array_append_new(data, json_string(name));
}

bool
cli_partitions_make(MYSQL *db, uint64_t now_ms, json_t *made)
{
    const struct ph_partition_told told = { tell, made };
    char                           memory[CLI_WHY_MAX];
    struct ph_buf                  why = PH_BUF_INIT(memory);

    if (!ph_partitions_make(db, now_ms, &told, &why)) {
        cli_say("%.*s", (int) why.len, why.ptr);
        return false;
    }
    return true;
}
