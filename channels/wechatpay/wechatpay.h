/* wechatpay.h - WeChat Pay, API v3; docs/channels.md. */
#ifndef PH_CHANNEL_WECHATPAY_H
#define PH_CHANNEL_WECHATPAY_H

#include "channels/channel.h"

extern const struct ph_channel ph_channel_wechatpay;

#endif
