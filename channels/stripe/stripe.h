/*
 * stripe.h - PaymentIntents, refunds and webhooks of Stripe, API v1.
 */
#ifndef PH_CHANNEL_STRIPE_H
#define PH_CHANNEL_STRIPE_H

#include "channels/channel.h"

extern const struct ph_channel ph_channel_stripe;

#endif
