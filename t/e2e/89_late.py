"""Who has `pay.late = accept` keeps the money that comes after the end of a
payment, whatever channel brings it; the merchant is told, and may give it
back.  With `refund` it goes back by itself: 80 to 84."""

from payhub_channel_accounts import (
    Alipay, Paypal, PaypalServer, Stripe, Unionpay, Wechat)
from payhub_channel_rows import at_once, wait
from payhub_client import Receiver
from payhub_counterpart import Counterpart

SETTINGS = ("pay.late=accept",)
OTHERS = {"alipay": {"app_id": "2021000122671081"},
          "wechatpay": {"mchid": "1900009192"},
          "unionpay": {"mer_id": "777290058110097"},
          "paypal": {"client_id": "AYanother"}}

held = {}


def channels(stack):
    """One account of each channel, each with a counterpart of its own."""
    return (Alipay(stack, Counterpart("alipay"), **Alipay.public),
            Wechat(stack, Counterpart("wechatpay", keys="wechat", stack=stack),
                   **Wechat.public),
            Unionpay(stack, Counterpart("unionpay"), **Unionpay.certified),
            Stripe(stack, Counterpart("stripe")),
            Paypal(stack, PaypalServer(), **Paypal.trusting))


def row(stack, channel):
    receiver = Receiver(stack.env["PAYHUB_WEBHOOK_SECRET"])
    try:
        channel.payment["notify_url"] = receiver.url
        answer, number = channel.late()
        channel.ends(answer, "paid_late")
        wait(lambda: [event for genuine, _, event in receiver.got
                      if genuine and event["type"] == "payment.paid_late"],
             "its webhook")
        assert stack.rows("SELECT id FROM refund WHERE payment_id="
                          f"'{answer.json['id']}'") == []
        assert channel.book(number)["refunds"] == {}, channel.book(number)
        refund = channel.refund(answer, 100)
        channel.refund_ends(refund, "succeeded")
        assert channel.refunds(number) == {refund.json["id"]: (100, 1)}
        assert channel.get(answer)["status"] == "paid_late"
        channel.holds()
        channel.counterpart.end()
    finally:
        receiver.close()


def test_money_that_comes_late_is_kept(stack):
    held["channels"] = channels(stack)
    at_once([(stack, channel) for channel in held["channels"]], row)


def test_an_account_that_took_payments_stays_whose_it_is(stack):
    """Another merchant would say of them, truly, that he knows none."""
    for channel in held["channels"]:
        for name, other in OTHERS.get(channel.channel, {}).items():
            done = stack.cli("channel", "account", "set", channel.id, "--set",
                             f"{name}={other}")
            assert done.returncode == 2, done
            assert done.stderr.startswith(f"payhub: {name}: found"), done
