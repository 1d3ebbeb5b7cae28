/* unionpay.h - the adapter of UnionPay's online gateway, 5.1.0. */
#ifndef PH_CHANNEL_UNIONPAY_H
#define PH_CHANNEL_UNIONPAY_H

#include "channels/channel.h"

extern const struct ph_channel ph_channel_unionpay;

#endif
