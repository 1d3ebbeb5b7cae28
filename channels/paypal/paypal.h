/*
 * paypal.h - orders, captures, refunds and webhooks of PayPal, REST v2.
 */
#ifndef PH_CHANNEL_PAYPAL_H
#define PH_CHANNEL_PAYPAL_H

#include "channels/channel.h"

extern const struct ph_channel ph_channel_paypal;

#endif
