/*
 * channels.h - the channels that this installation has, as the workers see
 * them: built in, of pay.channel_dir, and of the rows of channel_file.
 */
#ifndef CLI_CHANNELS_H
#define CLI_CHANNELS_H

#include "channels/channel.h"
#include "cli/cli.h"

/* The row of a declared channel as it was found; of others it is zero. */
struct cli_channel_file_row {
    bool     is_declared;
    bool     is_withdrawn;
    uint64_t ver;
};

/* CLI_OK and *channel, which lives until the end of the process; else said
 * why.  What is withdrawn is found as well. */
enum cli_exit cli_channel_find(struct cli *cli, struct ph_str name,
                               const struct ph_channel    **channel,
                               struct cli_channel_file_row *row) PH_MUST_CHECK;

/* Within a transaction: the channel stays as it was found until the commit;
 * else said why. */
enum cli_exit
cli_channel_keep(MYSQL *db, struct ph_str name,
                 const struct cli_channel_file_row *row) PH_MUST_CHECK;

/* The i-th that no row declares; NULL after the last. */
const struct ph_channel *cli_channel_at(struct cli *cli, size_t i);

/* what adapters read accounts with; NULL = said why */
const struct ph_channel_env *cli_channel_env(struct cli *cli) PH_MUST_CHECK;

#endif
