"""Accounts change while payments run: added, weighted, drained, rotated, no
reload, nothing lost; who was drained or had another key still reads what the
channel tells about old payments."""

import os
import secrets
import threading
import time
import urllib.parse

from payhub_bank import KEY, Bank
from payhub_channel_rows import Channel, wait
from payhub_scenario import order
from payhub_signer import KEYS, Signer
from payhub_stack_fixture import TREE

FILE = os.path.join(TREE, "t", "data", "channels", "amberbank.json")
BAR = {"method": "agatebank_bar", "extra": {"auth_code": "AGATE-1"}}
ADDED = 8
ALIPAY = {"app_id": "2021000122671080", "seller_id": "2088101106499364"}

held = {}  # banks and accounts, from test to test


def pids(stack):
    rows, _ = stack.status()
    return {name: (row["pid"], row["restarts"]) for name, row in rows.items()}


class Load:
    """Payments on all the time, on any account that takes them."""

    def __init__(self, stack, threads=2, **payment):
        self.answers, self.ended = [], threading.Event()
        self.threads = [threading.Thread(target=self.run,
                                         args=(stack, payment))
                        for _ in range(threads)]

    def run(self, stack, payment):
        while not self.ended.is_set():
            self.answers.append(stack.client.pay(order("load"), 10000,
                                                 **payment))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def all_paid(self):
        assert self.answers, "there was no load"
        wrong = [one for one in self.answers
                 if one.status != 201 or one.json["status"] != "paid"]
        assert not wrong, wrong[:3]


def bank_add(stack, name):
    bank = Bank(shop=name)
    return Channel(stack, bank, "agatebank",
                   {"base_url": bank.url, "shop": name}, {"key": KEY},
                   method="agatebank_qr")


def account(stack, *words):
    done = stack.cli("channel", "account", *words)
    assert done.returncode == 0, done
    return done.stdout


def used(stack, count, **payment):
    """How often each account took one of so many payments."""
    seen = {}
    for _ in range(count):
        answer = stack.client.pay(order("spread"), 10000, **payment)
        assert answer.status == 201, answer
        name = answer.json["account"]
        seen[name] = seen.get(name, 0) + 1
    return seen


def secret_file(stack, text):
    path = os.path.join(stack.scratch, "secret." + secrets.token_hex(4))
    with open(path, "w", encoding="utf-8",
              opener=lambda *at: os.open(*at, 0o600)) as file:
        file.write(text)
    return path


def test_accounts_are_added_while_payments_run(stack):
    held["ran"] = pids(stack)
    with open(FILE, encoding="utf-8") as file:
        text = file.read().replace("amberbank", "agatebank")
    path = os.path.join(stack.scratch, "agatebank.json")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    with Load(stack) as load:
        done = stack.cli("channel", "add", path, "--no-tapes")
        assert done.returncode == 0, done
        held["accounts"] = [bank_add(stack, f"shop-{i}") for i in range(ADDED)]
        for channel in held["accounts"]:  # each is there, and takes payments
            answer, _ = channel.pay(**BAR)
            assert answer.status == 201, answer
            assert answer.json["account"] == channel.id, answer
            assert answer.json["status"] == "paid", answer
    load.all_paid()


def test_weights_choose(stack):
    light, heavy, *rest = held["accounts"]
    for channel in rest:
        account(stack, "set", channel.id, "--weight", "0")
    account(stack, "set", heavy.id, "--weight", "3")
    wait(lambda: set(used(stack, 5, **BAR)) <= {light.id, heavy.id},
         "weights are known", 5)
    seen = used(stack, 60, **BAR)
    assert set(seen) == {light.id, heavy.id}, seen
    assert seen[heavy.id] > seen[light.id], seen
    answer, _ = rest[0].pay(**BAR)  # of no weight, and asked for by name
    assert answer.status == 201, answer
    assert answer.json["account"] == rest[0].id, answer


def test_a_drained_account_ends_what_it_began(stack):
    light, heavy, *_ = held["accounts"]
    told, told_at = heavy.pay()
    asked, asked_at = heavy.pay()
    shut, _ = heavy.pay()
    paid, _ = heavy.pay(**BAR)
    with Load(stack, **BAR) as load:
        account(stack, "drain", heavy.id)
        wait(lambda: set(used(stack, 5, **BAR)) == {light.id}, "drained", 5)
        assert set(used(stack, 20, **BAR)) == {light.id}
    load.all_paid()
    answer, _ = heavy.pay(**BAR)
    assert answer.status >= 400, answer
    rows = stack.cli("channel", "account", "list", "--json")
    assert heavy.id in rows.stdout and "drain" in rows.stdout, rows
    # a notice, a query, a close and a refund of before
    assert [one["status"] for one in heavy.counterpart.pay(told_at)] == [200]
    heavy.ends(told, "paid")
    heavy.counterpart.pay(asked_at, silent=True)
    assert heavy.get(asked, sync=True)["status"] == "paid"
    closed = stack.client.call(
        "POST", f"/v1/payments/{shut.json['id']}/close", {})
    assert closed.status == 200, closed
    heavy.ends(shut, "closed")
    refund = heavy.refund(paid, 3000)
    assert refund.status == 201, refund
    heavy.refund_ends(refund, "succeeded")
    account(stack, "resume", heavy.id)
    wait(lambda: heavy.pay(**BAR)[0].status == 201, "resumed", 5)


def test_a_key_is_rotated_while_payments_run(stack):
    """The bank takes both for a while, as banks do."""
    channel = held["accounts"][0]
    account(stack, "set", held["accounts"][1].id, "--weight", "0")
    wait(lambda: set(used(stack, 5, **BAR)) == {channel.id}, "the only one", 5)
    bank, new = channel.counterpart, "a newer key " + secrets.token_hex(8)
    bank.keys = [new, KEY]
    with Load(stack, **BAR) as load:
        account(stack, "set", channel.id, "--secret",
                "key=@" + secret_file(stack, new))
        wait(lambda: bank.log["seen"][-1]["key"] == new, "the new key signs", 5)
        since = time.monotonic()
        while time.monotonic() - since < 0.5:  # old calls may end meanwhile
            time.sleep(0.05)
        bank.keys = [new]
        count = len(bank.log["seen"])
        wait(lambda: len(bank.log["seen"]) > count + 20, "more payments", 10)
    load.all_paid()
    assert not bank.log["refused"], bank.log["refused"]
    answer, number = channel.pay()
    told = channel.told(number, [400], bend="other_key")
    assert "PH-A214" in told[0]["body"], told
    bank.pay(number)
    channel.ends(answer, "paid")
    held["new"] = new


def alipay_notice(channel, number, key):
    """As Alipay tells of a payment, signed by a key of the vectors."""
    said = {**ALIPAY, "charset": "utf-8", "notify_id": secrets.token_hex(16),
            "notify_type": "trade_status_sync", "trade_status": "TRADE_SUCCESS",
            "out_trade_no": number,
            "total_amount": "100.00", "trade_no": secrets.token_hex(14)}
    text = "&".join(f"{name}={value}" for name, value in sorted(said.items()))
    said |= {"sign": held["signer"].rsa("alipay/" + key, text.encode()),
             "sign_type": "RSA2"}
    return channel.stack.client.send(
        "POST", channel.path,
        {"Content-Type": "application/x-www-form-urlencoded"},
        urllib.parse.urlencode(said).encode())


def test_notices_of_the_key_before_are_read(stack):
    """Alipay's key changes: notices of the old one are still on their way."""
    def read(name):
        with open(os.path.join(KEYS, "alipay", name), encoding="ascii") as file:
            return file.read()

    held["signer"] = Signer()
    old, new = read("platform_public.pem"), read("mid_public.pem")
    channel = Channel(
        stack, None, "alipay",
        {**ALIPAY, "gateway_url": "http://127.0.0.1:1/gateway.do",
         "alipay_public_key": old}, {"app_private_key": read("app_pkcs8.pem")},
        method="alipay_page", amount=10000,
        return_url="https://shop.example/r")
    waiting = [channel.pay() for _ in range(4)]
    assert all(one.status == 201 for one, _ in waiting), waiting
    nobodys = "A" + secrets.token_hex(13).upper()

    def is_read(number, key):
        told = alipay_notice(channel, number, key)
        assert told.status in (200, 400), told
        return told.status == 200 and told.body == b"success"

    def pays(which, key):
        answer, number = waiting[which]
        assert is_read(number, key), (which, key)
        channel.ends(answer, "paid")

    assert not is_read(waiting[0][1], "mid_pkcs8.pem")
    account(stack, "set", channel.id, "--set",
            "alipay_public_key=@" + secret_file(stack, new), "--set",
            "old_alipay_public_key=@" + secret_file(stack, old))
    wait(lambda: is_read(nobodys, "mid_pkcs8.pem"), "the new key", 5)
    pays(0, "mid_pkcs8.pem")
    pays(1, "platform_pkcs8.pem")
    account(stack, "drain", channel.id)
    wait(lambda: channel.pay()[0].status >= 400, "drained", 5)
    pays(2, "platform_pkcs8.pem")
    account(stack, "set", channel.id, "--unset", "old_alipay_public_key")
    wait(lambda: not is_read(nobodys, "platform_pkcs8.pem"),
         "without the old key", 5)
    assert not is_read(waiting[3][1], "platform_pkcs8.pem")
    assert channel.get(waiting[3][0])["status"] == "paying"
    pays(3, "mid_pkcs8.pem")
    held["signer"].end()


def test_secrets_are_seen_nowhere(stack):
    """Neither in SQL nor in what the CLI shows or any log has."""
    texts = [stack.cli("channel", "account", "list", "--json").stdout]
    for name in os.listdir(os.path.join(stack.folder, "log")):
        path = os.path.join(stack.folder, "log", name)
        with open(path, encoding="utf-8", errors="replace") as file:
            texts.append(file.read())
    with open(os.path.join(KEYS, "alipay", "app_pkcs8.pem"),
              encoding="ascii") as file:
        private = file.read().splitlines()[1]
    tables = {}
    for table, column in stack.rows(
            "SELECT table_name,column_name FROM information_schema.columns "
            "WHERE table_schema=DATABASE()"):
        tables.setdefault(table, []).append(f"`{column}`")
    for secret in (KEY, held["new"], private):
        assert not any(secret in text for text in texts), secret[:12]
        mark = f"UNHEX('{secret.encode().hex()}')"
        for table, columns in tables.items():
            found = stack.rows(
                f"SELECT COUNT(*) FROM {table} WHERE " + " OR ".join(
                    f"LOCATE({mark},CAST({column} AS BINARY))"
                    for column in columns))
            assert found == [["0"]], (table, secret[:12])


def test_the_books_hold(stack):
    for channel in held["accounts"][:3]:  # who took more than one
        channel.holds()
    for channel in held["accounts"]:
        channel.counterpart.end()
    assert pids(stack) == held["ran"], "something was started anew"
