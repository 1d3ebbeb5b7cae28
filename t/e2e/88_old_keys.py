"""The key that a channel signs with changes while payments wait: each of them
is told by the key of its create.  That one is believed as long as the account
has it as its old one, and not any longer; the new one at once."""

import json
import os
import secrets
import subprocess

from payhub_bank import KEY, SHOP, Bank
from payhub_channel_accounts import (
    APIV3_KEY, PUB_KEY_ID, WEBHOOK_SECRET, Alipay, Stripe, Unionpay, Wechat,
    change, key, open_)
from payhub_channel_rows import Channel, at_once, wait
from payhub_counterpart import Counterpart
from payhub_stack_fixture import TREE

FILE = os.path.join(TREE, "t", "data", "channels", "amberbank.json")
NEXT_PUB_KEY_ID = "PUB_KEY_ID_019000091912027010100003344"
NEXT_APIV3, NEXT_SECRET, NEXT_KEY = (
    "the-next-APIv3-key-of-32-letters", "whsec_the_next_one_of_it",
    "the next key of the jade bank")


class Jade(Channel):
    """The amber bank of docs/channels.md with another name and an old key."""

    def __init__(self, stack, bank, **values):
        open_(self, stack, bank, "jadebank",
              {"base_url": bank.url, "shop": SHOP, "key": KEY, **values},
              method="jadebank_qr")


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True,
                   capture_output=True)


def text(folder, name):
    with open(os.path.join(folder, name), encoding="ascii") as file:
        return file.read()


def issued(folder, name, subject, authority=None, days="30"):
    """name.key and name.pem, by `authority` (names without their ends)."""
    openssl(folder, "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout",
            name + ".key", "-out", name + ".csr", "-subj", subject)
    by = ["-CA", authority + ".pem", "-CAkey", authority + ".key"] \
        if authority else ["-signkey", name + ".key"]
    with open(os.path.join(folder, "ca.cnf"), "w", encoding="ascii") as file:
        file.write("basicConstraints=critical,CA:TRUE")
    more = [] if name == "sign" else ["-extfile", "ca.cnf"]
    openssl(folder, "x509", "-req", "-in", name + ".csr", *by, "-days", days,
            "-set_serial", f"0x{secrets.token_hex(6)}", "-sha256", *more,
            "-out", name + ".pem")


def folder_of(stack, name):
    folder = os.path.join(stack.scratch, "keys-" + name)
    os.mkdir(folder)
    return folder


# --- what changes: (account, what the channel does, values, what goes later) --

def alipay_key(stack):
    bank = Counterpart("alipay")
    new = key("alipay", "mid_public.pem")
    return (Alipay(stack, bank, **Alipay.public),
            lambda: bank.ask("/_key", public=new,
                             key=key("alipay", "mid_pkcs8.pem")),
            {"alipay_public_key": new,
             "old_alipay_public_key": Alipay.public["alipay_public_key"]},
            ["old_alipay_public_key"])


def alipay_certificate(stack):
    """Its own file is changed by hand, before Alipay uses the next one."""
    bank, folder = Counterpart("alipay"), folder_of(stack, "alipay")
    with open(os.path.join(folder, "mid.pem"), "w", encoding="ascii") as file:
        file.write(key("alipay", "mid.crt"))
    with open(os.path.join(folder, "mid.key"), "w", encoding="ascii") as file:
        file.write(key("alipay", "mid_pkcs8.pem"))
    issued(folder, "sign",
           "/C=CN/O=Alipay sim/OU=Alipay/CN=Alipay sim platform", "mid")
    new = text(folder, "sign.pem") + key("alipay", "mid.crt")
    return (Alipay(stack, bank, **Alipay.certified),
            lambda: bank.ask("/_rotate", cert=new,
                             key=text(folder, "sign.key")),
            {"alipay_cert": new,
             "old_alipay_public_key": Alipay.certified["alipay_cert"]},
            ["old_alipay_public_key"])


def wechat_public_key(stack):
    """Who signs is what the request asks for: the channel has both."""
    bank = Counterpart("wechatpay", keys="wechat", stack=stack)
    return (Wechat(stack, bank, **Wechat.public), lambda: None,
            {"public_key_id": NEXT_PUB_KEY_ID,
             "public_key": key("wechat", "ca_public.pem"),
             "old_public_key_id": PUB_KEY_ID,
             "old_public_key": Wechat.public["public_key"]},
            ["old_public_key_id", "old_public_key"])


def wechat_apiv3_key(stack):
    bank = Counterpart("wechatpay", keys="wechat", stack=stack)
    return (Wechat(stack, bank, **Wechat.certified),
            lambda: bank.ask("/_platform", apiv3=NEXT_APIV3),
            {"apiv3_key": NEXT_APIV3, "old_apiv3_key": APIV3_KEY},
            ["old_apiv3_key"])


def unionpay_authorities(stack):
    """No old key: the new authorities stand beside the old ones."""
    bank, folder = Counterpart("unionpay"), folder_of(stack, "unionpay")
    issued(folder, "root", "/C=CN/O=CFCA sim/CN=CFCA sim next root")
    issued(folder, "middle", "/C=CN/O=CFCA sim/CN=CFCA sim OCA2", "root")
    issued(folder, "sign", "/C=CN/O=CFCA sim/OU=Enterprises/"
           "CN=041@Z12@00040000:SIGN@00000002", "middle")
    new = {"root_cert": text(folder, "root.pem"),
           "middle_cert": text(folder, "middle.pem")}
    return (Unionpay(stack, bank, **Unionpay.certified),
            lambda: bank.ask("/_signer", cert=text(folder, "sign.pem"),
                             key=text(folder, "sign.key")),
            {name: Unionpay.chain[name] + new[name] for name in new}, new)


def stripe_secret(stack):
    """Two in one text, as the endpoint rolls its secret."""
    bank = Counterpart("stripe")
    return (Stripe(stack, bank),
            lambda: bank.ask("/_secret", secret=NEXT_SECRET),
            {"webhook_secret": f"{NEXT_SECRET} {WEBHOOK_SECRET}"},
            {"webhook_secret": NEXT_SECRET})


def declared_key(stack):
    """A shared one that signs both ways: the bank takes both for a while."""
    with open(FILE, encoding="utf-8") as file:
        said = json.loads(file.read().replace("amberbank", "jadebank"))
    said["account"]["old_key"] = {"kind": "secret", "optional": True}
    for part in ("answer", "notice"):
        said[part]["verify"]["old_key"] = "account.old_key"
    path = os.path.join(stack.scratch, "jadebank.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(said, file)
    done = stack.cli("channel", "add", path, "--no-tapes")
    assert done.returncode == 0, done
    bank = Bank()
    channel = Jade(stack, bank)
    bank.keys = [NEXT_KEY, KEY]
    return (channel, lambda: None, {"key": NEXT_KEY, "old_key": KEY},
            ["old_key"])


def pays_by_notice(channel):
    """A new payment, from its create to what is told of it; asked about when
    that was not believed."""
    answer, number = channel.pay()
    if answer.status == 202:  # the answer came by a key that is not known yet
        return False
    assert answer.status == 201, answer
    told = channel.counterpart.pay(number)
    assert {one["status"] for one in told} <= {200, 400}, told
    is_believed = [one["status"] for one in told] == [200]
    if not is_believed:
        channel.get(answer, sync=True)
    channel.ends(answer, "paid")
    return is_believed


def begun(channel):
    answer, number = channel.pay()
    assert answer.status == 201, answer
    return answer, number


def told_again(channel, number):
    told = channel.counterpart.notice(number)
    return [one["status"] for one in told]


def asked_about(rows):
    """Whether the attempt is paid by what the worker asked by itself."""
    status, _, source, *_ = rows[0]
    return (status, source) == ("paid", "query")


def row(stack, make):
    channel, at_the_channel, values, later = make(stack)
    told, asked, late = (begun(channel) for _ in range(3))
    change(channel, **values)
    at_the_channel()
    wait(lambda: pays_by_notice(channel), "the new key is believed")
    answers = channel.counterpart.pay(told[1])
    assert [one["status"] for one in answers] == [200], answers
    channel.ends(told[0], "paid")
    channel.counterpart.pay(asked[1], silent=True)
    assert channel.get(asked[0], sync=True)["status"] == "paid"
    assert told_again(channel, told[1]) == [200]
    if isinstance(later, dict):
        change(channel, **later)
    else:
        change(channel, unset=later)
    wait(lambda: told_again(channel, told[1]) == [400],
         "the old key is forgotten")
    before = channel.rows(late[1])
    answers = channel.counterpart.pay(late[1])
    assert [one["status"] for one in answers] == [400], answers
    after = channel.rows(late[1])
    assert after == before or asked_about(after), (before, after)
    assert channel.get(late[0], sync=True)["status"] == "paid"
    assert pays_by_notice(channel)
    channel.holds()
    channel.counterpart.end()


def test_the_key_before_is_believed_while_the_account_has_it(stack):
    at_once([(stack, make) for make in (
        alipay_key, alipay_certificate, wechat_public_key, wechat_apiv3_key,
        unionpay_authorities, stripe_secret, declared_key)], row)
