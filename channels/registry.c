/*
 * registry.c - the built-in adapters: one row a channel, ascending by name.
 */
#include "channels/alipay/alipay.h"
#include "channels/channel.h"
#include "channels/paypal/paypal.h"
#include "channels/sandbox/sandbox.h"
#include "channels/stripe/stripe.h"
#include "channels/unionpay/unionpay.h"
#include "channels/wechatpay/wechatpay.h"

static const struct ph_channel *const channels[] = {
    &ph_channel_alipay, &ph_channel_paypal,   &ph_channel_sandbox,
    &ph_channel_stripe, &ph_channel_unionpay, &ph_channel_wechatpay,
};

const struct ph_channel *
ph_channel_find(struct ph_str name)
{
    for (size_t i = 0; i < PH_COUNT(channels); i++) {
        if (ph_str_eq(ph_str_z(channels[i]->name), name)) {
            return channels[i];
        }
    }
    return NULL;
}

const struct ph_channel *
ph_channel_at(size_t i)
{
    return i < PH_COUNT(channels) ? channels[i] : NULL;
}
