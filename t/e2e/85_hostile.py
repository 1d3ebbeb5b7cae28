"""What anybody on the Internet may send to the notice addresses, through nginx:
nothing of it moves a row, reaches out to another host, or stops the edge, and
what is genuine is taken right after it."""

import http.client
import json
import os
import socket
import threading

from payhub_channel_rows import Channel, wait
from payhub_scenario import order
from payhub_told import (
    XML_FILE, Alipay, Gateway, Paypal, Row, Said, Stripe, Unionpay, Wechat,
    signer)

# Nothing but notices shall move a row here.
SETTINGS = ("janitor.paying_schedule=1h", "janitor.first_look=10m",
            "janitor.unknown_schedule=1h")
TYPES = {"alipay": "application/x-www-form-urlencoded",
         "unionpay": "application/x-www-form-urlencoded",
         "rowxml": "text/xml"}
KINDS = (Alipay, Wechat, Unionpay, Stripe, Paypal, Row)
BIG = 10 << 20

held = {}  # (kind, account, payment, what is genuine of it)


class Trap:
    """Listens where nobody has business to connect to."""

    def __init__(self):
        self.door = socket.create_server(("127.0.0.1", 0))
        self.port, self.came = self.door.getsockname()[1], 0
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                self.door.accept()[0].close()
            except OSError:
                return
            self.came += 1


def send(stack, channel, body, headers=(), **more):
    """Headers as a list: a name may stand twice.  None = cut off."""
    link = http.client.HTTPConnection(stack.client.host, stack.client.port,
                                      timeout=30)
    try:
        link.putrequest(more.get("method", "POST"), channel.path)
        for name, value in [("Content-Type", TYPES.get(channel.channel,
                                                       "application/json")),
                            *headers]:
            link.putheader(name, value)
        link.putheader("Content-Length", str(more.get("length", len(body))))
        try:
            link.endheaders(body)
            if "length" in more:
                link.sock.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before all of it was sent
        reply = link.getresponse()
        return reply.status, reply.read()
    except (http.client.HTTPException, ConnectionError):
        return None, b""
    finally:
        link.close()


def pids(stack):
    return {name: (row["pid"], row["restarts"])
            for name, row in stack.status()[0].items()}


def rows(stack):
    """All that a notice could move."""
    return stack.rows(
        "CHECKSUM TABLE payment,attempt,refund,notice_in,notice_seen,"
        "channel_trade,notify_task,channel_account,channel_file")


def refused(stack, channel, name, statuses, *message, **more):
    before = rows(stack)
    status, body = send(stack, channel, *message, **more)
    assert status in statuses, (channel.channel, name, status, body[:300])
    assert body.strip() != channel.kind.success.encode(), (name, body)
    assert rows(stack) == before, (channel.channel, name)


def log_lines(stack, channel, word=""):
    path = os.path.join(stack.folder, "log", "access.log")
    with open(path, encoding="utf-8", errors="replace") as file:
        return sum(f"{word} {channel.path} " in line for line in file)


def test_every_channel_waits_for_a_payer(stack):
    Said.gateway = held["gateway"] = Gateway()
    path = os.path.join(stack.scratch, "rowxml.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(XML_FILE, file)
    done = stack.cli("channel", "add", path, "--no-tapes")
    assert done.returncode == 0, done
    held["ran"], held["rows"] = pids(stack), []
    for kind in KINDS:
        channel = Channel(
            stack, None, kind.channel,
            {name: text.replace("{url}", held["gateway"].url)
             for name, text in kind.account.items()}, kind.secret,
            method=kind.method, currency=kind.currency, amount=8888,
            **kind.more, **({"extra": kind.extra} if kind.extra else {}))
        channel.kind = kind
        answer, number = channel.pay(expires_in=3600)
        assert answer.status == 201, answer
        assert answer.json["status"] == "paying", answer
        held["rows"].append((channel, answer, kind(number)))


def test_long_deep_and_foreign_texts(stack):
    for channel, _, _ in held["rows"]:  # nginx keeps its lines for a second
        refused(stack, channel, "PATCH", (404, 405), b"", method="PATCH")
    for channel, _, said in held["rows"]:
        wait(lambda: log_lines(stack, channel, '"PATCH'), "all until then")
        channel.lines = log_lines(stack, channel)
        body, headers = said.make(said.told())
        refused(stack, channel, "10 MB", (413, None), b"a" * BIG, headers)
        refused(stack, channel, "10 MB claimed", (413,), b"a=1", headers,
                length=BIG)
        refused(stack, channel, "900 KiB", (413,), b"a=" + b"x" * 900000,
                headers)
        for name, text in (
                ("deep", b'{"a":' * 20000 + b"1" + b"}" * 20000),
                ("brackets", b"[" * 100000),
                ("HTML", b"<html><body>It works!</body></html>"),
                ("nothing", b""),
                ("laughs", b'<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">'
                 b'<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><r><no>&b;</no></r>'),
                ("an external entity", b'<!DOCTYPE r [<!ENTITY x SYSTEM '
                 b'"file:///etc/passwd">]><r><no>&x;</no></r>'),
                ("bytes", bytes(range(256)) * 16)):
            refused(stack, channel, name, (400,), text, headers)
        refused(stack, channel, "GET", (404, 405), b"", headers, method="GET")
        refused(stack, channel, "PUT", (404, 405), body, headers, method="PUT")
    for channel, _, _ in held["rows"]:
        wait(lambda: log_lines(stack, channel) >= channel.lines + 12,
             f"{channel.channel}: a line each")
        assert log_lines(stack, channel) == channel.lines + 12, channel.channel


def test_headers(stack):
    """Many, long, twice, and bodies that end too soon."""
    for channel, _, said in held["rows"]:
        _, headers = said.make(said.told())
        forged = said.make(said.told())[0][:-3] + b"000"
        many = [(f"X-Header-{i}", "v" * 20) for i in range(200)]
        refused(stack, channel, "200 headers", (400, 431, 494), forged,
                many + headers)
        refused(stack, channel, "one of 40 KB", (400, 413, 431, 494), forged,
                [("X-Long", "v" * 40000), *headers])
        refused(stack, channel, "compressed", (400, 415), forged,
                [("Content-Encoding", "gzip"), *headers])
        refused(stack, channel, "twice", (400,), forged, headers + headers)
        refused(stack, channel, "cut", (400, None), forged, headers,
                length=len(forged) + 100)


def test_certificates_of_other_hosts(stack):
    """PayPal names the address of its certificate in a header."""
    trap = Trap()
    channel, _, said = held["rows"][KINDS.index(Paypal)]
    path = "/v1/notifications/certs/CERT-1"
    asked = len(held["gateway"].calls)
    for url in (f"http://127.0.0.1:{trap.port}{path}",
                f"https://127.0.0.1:{trap.port}{path}",
                f"https://localhost:{trap.port}{path}",
                f"https://api.paypal.com@127.0.0.1:{trap.port}{path}",
                f"https://api.paypal.com:{trap.port}{path}",
                f"https://api.paypal.com.localhost:{trap.port}{path}",
                f"https://127.0.0.1:{trap.port}#@api.paypal.com{path}",
                f"https://127.0.0.1:{trap.port}/?https://api.paypal.com{path}",
                f"//127.0.0.1:{trap.port}{path}", "file:///etc/passwd",
                "{url}/paypal/v1/oauth2/token"):
        refused(stack, channel, url, (400,),
                *said.make(said.told(), url=url))
    assert trap.came == 0
    trap.door.close()
    assert not [call for call in held["gateway"].calls[asked:]
                if "certs" in call], held["gateway"].calls[asked:]


def test_a_crowd_of_forged_ones(stack):
    """From many at a time, while genuine payments go on."""
    channel, _, said = held["rows"][KINDS.index(Wechat)]
    body, headers = said.make(said.told(), "platform2_pkcs8.pem")
    answers = []

    def crowd():
        answers.extend(send(stack, channel, body, headers)[0]
                       for _ in range(40))

    threads = [threading.Thread(target=crowd) for _ in range(8)]
    for thread in threads:
        thread.start()
    paid = [stack.client.pay(order("crowd"), 10000) for _ in range(20)]
    for thread in threads:
        thread.join()
    assert [one.json["status"] for one in paid] == ["paid"] * 20, paid
    assert set(answers) <= {400, 429, 503} and len(answers) == 320, \
        set(answers)


def test_the_genuine_ones_are_taken(stack):
    """PayPal's is a hint: the order itself says that it is paid."""
    held["gateway"].is_captured = True
    for channel, answer, said in held["rows"]:
        assert channel.get(answer)["status"] == "paying", channel.channel
        told = []

        def is_taken():
            told[:] = send(stack, channel, *said.make(said.told()))
            return told[0] == 200

        # PayPal's certificate is fetched for it, at its own time
        wait(is_taken, f"{channel.channel}: {told}", 20)
        assert channel.kind.success in told[1].decode(), told
        channel.ends(answer, "paid")
    checked = stack.cli("invariants")
    assert checked.returncode == 0, checked
    assert pids(stack) == held["ran"], "something ended"
    signer.end()
