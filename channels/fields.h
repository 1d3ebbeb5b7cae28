/*
 * fields.h - an account from its values: are they what the channel's fields
 * ask for, and what does the adapter make of them.
 */
#ifndef PH_CHANNEL_FIELDS_H
#define PH_CHANNEL_FIELDS_H

#include "channels/channel.h"

#define PH_CHANNEL_VALUE_MAX (16 * 1024) /* of one key */

/* the place of the key among fields[]; false = it is none of them */
bool ph_channel_field_find(const struct ph_channel *channel, struct ph_str key,
                           size_t *at) PH_MUST_CHECK;

/*
 * NULL, or "KEY: found X, expected Y": a value that is missing, of the wrong
 * kind or too long.  It never shows a secret.
 */
const char *ph_channel_values_check(const struct ph_channel *channel,
                                    const struct ph_str     *values,
                                    struct ph_arena         *arena);

/*
 * Checks account->values by the fields of account->channel and has the adapter
 * read them into account->context.  false: *why, in `arena`, says what is
 * wrong.  @owns: caller, ph_channel_account_close().
 */
bool ph_channel_account_open(struct ph_channel_account   *account,
                             const struct ph_channel_env *env, uint64_t now_ms,
                             struct ph_arena *arena,
                             const char     **why) PH_MUST_CHECK;

void ph_channel_account_close(struct ph_channel_account *account);

#endif
