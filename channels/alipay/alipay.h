/* alipay.h - the adapter of Alipay's open platform (gateway.do, RSA2). */
#ifndef PH_CHANNEL_ALIPAY_H
#define PH_CHANNEL_ALIPAY_H

#include "channels/channel.h"

extern const struct ph_channel ph_channel_alipay;

#endif
