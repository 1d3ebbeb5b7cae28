"""An account of each of the five channels at its counterpart, with the public
keys of t/data/vectors, and what its payers do there.  What a test wants
otherwise it says by key: Alipay(stack, bank, aes_key=...)."""

import itertools
import os

from payhub_channel_rows import Channel, wait
from payhub_counterpart import KEYS, Counterpart
from payhub_wallet_rows import Wallet

ALIPAY_APP, ALIPAY_SELLER = "2021000122671080", "2088101106499364"
# the merchant that the app acts for with this token, and who provides it
ALIPAY_TOKEN, ALIPAY_ACTED_FOR = "202611BBpayhubacts0001", "2088101106499372"
ALIPAY_PROVIDER = "2088511833207846"
MCHID, APPID = "1900009191", "wxd678efh567hg6787"
SUB_MCHIDS, SUB_APPID = ("1900013511", "1900013522"), "wx8888888888888888"
WECHAT_SERIAL = "594AD8626C49935DA207AE268186B30198A6C39F"
APIV3_KEY = "payhubAPIv3key0123456789abcdefgh"
PUB_KEY_ID = "PUB_KEY_ID_019000091912026112300001122"
MER_ID, SECURE_KEY = "777290058110048", "payhub-secure-key-0001"
STRIPE_KEY = "sk_test_payhubpublic0001"
WEBHOOK_SECRET = "whsec_test_secret_public"
WEBHOOK_ID = "8PT597110X687430LKGECATA"
SECRETS = {"app_private_key", "aes_key", "app_auth_token", "private_key",
           "apiv3_key", "old_apiv3_key", "sign_key", "pfx", "pfx_password",
           "secure_key", "secret_key", "webhook_secret", "client_secret",
           "key", "old_key"}


def key(*names):
    """The text of a file of the vectors' keys."""
    with open(os.path.join(KEYS, *names), encoding="ascii") as file:
        return file.read()


def split(values):
    """(settings, secrets)"""
    return ({name: text for name, text in values.items()
             if name not in SECRETS},
            {name: text for name, text in values.items() if name in SECRETS})


def change(channel, unset=(), **values):
    """Live: `payhub channel account set`."""
    words = [word for name in unset for word in ("--unset", name)]
    channel.account(*split(values), "set", channel.id, *words)


def open_(self, stack, counterpart, channel, values, **payment):
    """The values of an account, told by their own names; `first_amount` is
    none of the account's: knobs tell the orders of a counterpart by amounts."""
    first = values.pop("first_amount", None)
    Channel.__init__(self, stack, counterpart, channel, *split(values),
                     **payment)
    if first:
        self.amounts = itertools.count(first)


class Alipay(Wallet):
    bar = ("alipay_bar", "281234567890123456")
    public = {"alipay_public_key": key("alipay", "platform_public.pem")}
    certified = {"app_cert": key("alipay", "appCertPublicKey.crt"),
                 "alipay_cert": key("alipay", "alipayCertPublicKey.crt"),
                 "alipay_root_cert": key("alipay", "alipayRootCert.crt")}

    def __init__(self, stack, counterpart, **values):
        open_(self, stack, counterpart, "alipay",
              {"gateway_url": counterpart.url + "/gateway.do",
               "app_id": ALIPAY_APP, "seller_id": ALIPAY_SELLER,
               "app_private_key": key("alipay", "app_pkcs8.pem"), **values},
              method="alipay_qr")


class Wechat(Wallet):
    bar = ("wechat_bar", "131234567890123456")
    public = {"serial_no": WECHAT_SERIAL, "public_key_id": PUB_KEY_ID,
              "public_key": key("wechat", "wxpub_public.pem")}
    certified = {"merchant_cert": key("wechat", "merchant_cert.pem")}

    def __init__(self, stack, counterpart, **values):
        open_(self, stack, counterpart, "wechatpay",
              {"base_url": counterpart.url, "mchid": MCHID, "appid": APPID,
               "private_key": key("wechat", "merchant_pkcs8.pem"),
               "apiv3_key": APIV3_KEY, **values}, method="wechat_native")


class Unionpay(Channel):
    chain = {"root_cert": key("unionpay", "root.cer"),
             "middle_cert": key("unionpay", "middle.cer")}
    certified = {**chain, "sign_cert": key("unionpay", "merchant.cer"),
                 "sign_key": key("unionpay", "merchant_pkcs8.pem")}

    def __init__(self, stack, counterpart, **values):
        open_(self, stack, counterpart, "unionpay",
              {"gateway_url": counterpart.url + "/gateway/api",
               "mer_id": MER_ID, **values}, method="unionpay_app")

    def late(self):
        """There is no close.  The channel made the order, its answer was lost,
        and it says that there is none for as long as it takes."""
        amount = next(self.amounts)
        self.counterpart.knob("create", "drop_after", amount=amount)
        answer, number = self.pay(amount=amount)
        assert answer.status == 202, answer
        self.counterpart.knob("query", "not_found", times=9, number=number)
        self.ends(answer, "failed")
        assert self.book(number)["status"] == "open", self.book(number)
        self.pays(number)
        return answer, number


class Hooked(Channel):
    """Notices go where the channel's own console says: to one account."""

    def hook(self, **more):
        self.counterpart.ask(
            "/_endpoint", url=self.stack.env["PAYHUB_URL"] + self.path, **more)


class Stripe(Hooked):
    def __init__(self, stack, counterpart, **values):
        open_(self, stack, counterpart, "stripe",
              {"base_url": counterpart.url, "secret_key": STRIPE_KEY,
               "webhook_secret": WEBHOOK_SECRET, **values},
              method="card", currency="USD")
        self.repeats = True
        self.hook()

    def late(self):
        answer, number = self.pay()
        assert self.close(answer).json["status"] == "closed"
        self.counterpart.ask("/_reopen", number=number)
        self.pays(number)
        return answer, number


class PaypalServer(Counterpart):
    """The payer approves; who captures is payhub."""

    def __init__(self, **more):
        super().__init__("paypal", **more)

    def pay(self, number, **more):
        return self.ask("/_approve", number=number, **more)


class Paypal(Hooked):
    # where pay.ca_file does not name the authority of the vectors
    trusting = {"webhook_ca": key("paypal", "root.pem")}

    def __init__(self, stack, counterpart, base=None, certificates=None,
                 **values):
        """Both on loopback when they are not told."""
        open_(self, stack, counterpart, "paypal",
              {"base_url": base or counterpart.url,
               "client_id": "AYclient-public", "webhook_id": WEBHOOK_ID,
               "client_secret": "ELsecret-public", **values},
              method="paypal", currency="USD",
              return_url="https://shop.example/b?c=d",
              extra={"cancel_url": "https://shop.example/c"})
        self.repeats = True
        self.certificates = certificates or counterpart.url
        self.hook()

    def hook(self, **more):
        super().hook(base=self.certificates)

    def paid(self, **more):
        """Approved, and captured when the hint of it came."""
        answer, number = self.pay(**more)
        assert answer.status == 201, answer
        self.counterpart.pay(number)
        self.ends(answer, "paid")
        return answer, number

    def late(self):
        """Captured all the same, by another who holds the merchant's keys."""
        answer, number = self.pay()
        assert self.close(answer).json["status"] == "closed"
        self.counterpart.ask("/_capture", number=number)
        self.told_at_last(number)
        return answer, number

    def told_at_last(self, number, **more):
        """As PayPal does: again after a 503."""
        def tell():
            told = self.counterpart.notice(number, **more)
            assert {one["status"] for one in told} <= {200, 503}, told
            return all(one["status"] == 200 for one in told)

        wait(tell, f"a notice about {number} is taken")
