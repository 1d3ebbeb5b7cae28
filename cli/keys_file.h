/*
 * keys_file.h - admin.keys_file: the nginx include of payhub_key lines, and
 * the folder keys/ of secrets beside it.
 *
 * One writer at a time by flock; nothing is replaced, lines are appended and
 * synced.  Run as root, new files get the owner of the file's folder.
 */
#ifndef CLI_KEYS_FILE_H
#define CLI_KEYS_FILE_H

#include <limits.h>
#include <sys/types.h>

#include "libpayhub/base/buf.h"
#include "libpayhub/base/rc.h"

struct cli_keys_file {
    int   fd;     /* -1 = not open; holds the lock */
    off_t length; /* before our line; -1 = nothing appended */
    uid_t uid;    /* owner of the folder */
    gid_t gid;
    char  dir[PATH_MAX];    /* absolute, of the keys_file */
    char  secret[PATH_MAX]; /* absolute, "" = none written */
};

/* Opens (makes) and locks the file; false = `why`. */
bool cli_keys_open(struct cli_keys_file *file, const char *path,
                   struct ph_buf *why) PH_MUST_CHECK;

/* what a payhub_key line says */
struct cli_keys_line {
    struct ph_str key_id;
    struct ph_str app_id;
    struct ph_str merchant_id;
    struct ph_str alg;
    struct ph_str schemes;  /* "" = all that the algorithm serves */
    struct ph_str material; /* secret, or PEM */
    bool          is_public;
    uint64_t      not_before; /* unix seconds, 0 = none */
    uint64_t      not_after;
};

/* Writes keys/ID.secret or keys/ID.pem, then the line; both are on disk on
 * true. */
bool cli_keys_add(struct cli_keys_file *file, const struct cli_keys_line *line,
                  struct ph_buf *why) PH_MUST_CHECK;

/* Takes back what cli_keys_add() wrote; false = `why` names what is left. */
bool cli_keys_undo(struct cli_keys_file *file,
                   struct ph_buf        *why) PH_MUST_CHECK;

void cli_keys_close(struct cli_keys_file *file);

#endif
