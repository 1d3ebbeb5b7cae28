/* sandbox.h - the adapter of payhub's own test channel; docs/sandbox.md. */
#ifndef PH_CHANNEL_SANDBOX_H
#define PH_CHANNEL_SANDBOX_H

#include "channels/channel.h"

extern const struct ph_channel ph_channel_sandbox;

#endif
