/*
 * channel_file.h - files that declare a channel: read, compiled, played.
 */
#ifndef CLI_CHANNEL_FILE_H
#define CLI_CHANNEL_FILE_H

#include "channels/declarative/declared.h"
#include "cli/cli.h"

struct cli_channel_file {
    char                memory[PH_DECLARED_FILE_MAX + 1];
    struct ph_str       body;
    struct ph_declared *declared;
};

/* CLI_USAGE: it cannot be read, or does not compile; said why.  @owns: caller,
 * ph_declared_close(). */
enum cli_exit cli_channel_file_open(struct cli_channel_file *file,
                                    const char *path) PH_MUST_CHECK;

/*
 * Plays every PATH.tapes/ *.json, in the order of names, and adds an object for
 * each to `list`.  CLI_OK, CLI_DIFFERS, or CLI_USAGE when one is no tape or
 * there is none at all, said why.
 */
enum cli_exit cli_channel_tapes(struct cli                    *cli,
                                const struct cli_channel_file *file,
                                const char *path, json_t *list) PH_MUST_CHECK;

#endif
