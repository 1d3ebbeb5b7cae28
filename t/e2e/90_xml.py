"""An XML channel whose answer, notice or tape names an external entity: no file
of ours is opened for it and no host is asked, by the worker that runs or by
the command that tries a file."""

import ctypes
import hashlib
import hmac
import json
import os
import re
import shutil
import subprocess
import threading

import payhub_peer
from payhub_channel_rows import Channel, wait
from payhub_stack_fixture import TREE
from payhub_told import XML_FILE

KEY = "a key of the row of XML"
IN_OPEN, NONBLOCK = 0x20, 0o4000

held = {}


class Opened:
    """How often a file was opened, as the kernel tells (inotify)."""

    def __init__(self, path):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.link = self.libc.inotify_init1(NONBLOCK)
        assert self.link >= 0, os.strerror(ctypes.get_errno())
        assert self.libc.inotify_add_watch(
            self.link, path.encode(), IN_OPEN) >= 0, path

    def count(self):
        try:  # 16 bytes each: a file that is watched itself has no name
            return len(os.read(self.link, 4096)) // 16
        except BlockingIOError:
            return 0

    def close(self):
        os.close(self.link)


class Bank:
    """Answers as it is told; everything else that comes is counted."""

    def __init__(self):
        self.answer, self.strays, self.seen = b"", [], []
        bank = self

        class Handler(payhub_peer.Handler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                bank.seen.append(self.path)
                self.send_response(200)
                self.send_header("Sign", sign(bank.answer))
                self.send_header("Content-Length", str(len(bank.answer)))
                self.end_headers()
                self.wfile.write(bank.answer)

            def do_GET(self):
                bank.strays.append(self.path)
                self.send_error(404)

        self.server = payhub_peer.Server(Handler)
        self.url = self.server.url


def sign(body):
    return hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest()


def declared():
    """rowxml with a word for "paid"."""
    made = json.loads(json.dumps(XML_FILE).replace("rowxml", "entityxml"))
    made["answer"]["status"]["map"]["PAID"] = "succeeded"
    return made


def plain(number, state, **more):
    fields = {"no": number, "sum": "88.88", "cur": "CNY", "shop": "shop-7",
              "state": state, "qr": "row://" + number, **more}
    return "<r>" + "".join(f"<{k}>{v}</{k}>" for k, v in fields.items()) \
        + "</r>"


def entities(target, number, state):
    """{name: text}: each wants `target` to be read."""
    body = plain(number, state, event="E1")
    return {
        "general": f'<!DOCTYPE r [<!ENTITY e SYSTEM "{target}">]>'
        + body.replace("shop-7", "&e;"),
        "parameter": f'<!DOCTYPE r [<!ENTITY % e SYSTEM "{target}"> %e;]>'
        + body,
        "subset": f'<!DOCTYPE r SYSTEM "{target}">' + body,
        "public": f'<!DOCTYPE r PUBLIC "-//x//y" "{target}">' + body,
        "xinclude": body.replace("<r>", '<r xmlns:x="http://www.w3.org/2001/'
                                 f'XInclude"><x:include href="{target}"/>'),
        "style": f'<?xml-stylesheet href="{target}"?>' + body}


def targets():
    return (f"file://{held['path']}", held["path"],
            held["bank"].url + "/stray")


def nothing_was_read(what):
    assert held["opened"].count() == 0, what
    assert held["bank"].strays == [], (what, held["bank"].strays)


def test_an_xml_channel_is_added(stack):
    held["path"] = os.path.join(stack.scratch, "entity.txt")
    with open(held["path"], "w", encoding="ascii") as file:
        file.write("shop-7")
    os.chmod(held["path"], 0o644)
    held["opened"] = Opened(held["path"])
    with open(held["path"], encoding="ascii"):
        assert held["opened"].count() == 1, "the watch sees nothing"
    path = os.path.join(stack.scratch, "entityxml.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(declared(), file)
    done = stack.cli("channel", "add", path, "--no-tapes")
    assert done.returncode == 0, done
    bank = held["bank"] = Bank()
    held["channel"] = Channel(stack, bank, "entityxml",
                              {"base_url": bank.url}, {"key": KEY},
                              method="entityxml_qr", amount=8888)


def begun():
    """A payment whose create was answered well."""
    channel, bank = held["channel"], held["bank"]
    lock = held.setdefault("lock", threading.Lock())
    with lock:
        bank.answer = b"?"
        answer, number = channel.pay()
        bank.answer = plain(number, "OPEN").encode()
        assert channel.get(answer, sync=True)["status"] == "paying"
    return answer, number


def test_answers_open_nothing(stack):
    """Signed by the channel's own key, and not read as "paid" either."""
    channel, bank = held["channel"], held["bank"]
    answer, number = begun()
    for target in targets():
        for name, text in entities(target, number, "PAID").items():
            bank.answer = text.encode()
            asked = len(bank.seen)
            found = channel.get(answer, sync=True)
            assert len(bank.seen) > asked, name
            assert found["status"] == "paying", (name, found)
            nothing_was_read((name, target))
    bank.answer = plain(number, "PAID").encode()
    assert channel.get(answer, sync=True)["status"] == "paid"


def test_notices_open_nothing(stack):
    channel = held["channel"]
    answer, number = begun()
    before = channel.rows(number)
    for target in targets():
        for name, text in entities(target, number, "PAID").items():
            told = stack.client.send(
                "POST", channel.path, {"Sign": sign(text.encode()),
                                       "Content-Type": "text/xml"},
                text.encode())
            assert told.status == 400, (name, told)
            nothing_was_read((name, target))
    assert channel.rows(number) == before
    text = plain(number, "PAID", event="E2").encode()
    told = stack.client.send("POST", channel.path, {
        "Sign": sign(text), "Content-Type": "text/xml"}, text)
    assert told.status == 200, told
    channel.ends(answer, "paid")


def tape(body, result):
    number = "A0K1M2N3P4Q7Z0123456789ABCD"
    return {"about": "an entity", "now": 1795429230,
            "account": {"base_url": "https://bank.example.com", "key": KEY},
            "op": "query",
            "order": {"number": number, "method": "entityxml_qr",
                      "amount": 8888, "currency": "CNY"},
            "request": {"method": "POST",
                        "url": "https://bank.example.com/query",
                        "headers": {
                            "Content-Type": "application/xml; charset=utf-8"},
                        "body": '<?xml version="1.0" encoding="UTF-8"?><xml>'
                        f"<no>{number}</no></xml>"},
            "answer": {"status": 200, "headers": {"Sign": sign(
                body.encode())}, "body": body}, "result": result}


def tapes(number):
    """One that is read, to see that the others would be."""
    return [tape(plain(number, "PAID"), {
        "class": "succeeded", "number": number, "amount": 8888,
        "currency": "CNY", "seller": "shop-7"})] + [
        tape(text, {"class": "unknown", "error_class": "unreadable"})
        for target in targets()
        for text in entities(target, number, "PAID").values()]


def traced(stack, name, played):
    """(what `payhub channel test` said, what it opened beside what it was
    given, whom it connected to)."""
    path = os.path.join(stack.scratch, name + ".json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(declared(), file)
    os.mkdir(path + ".tapes")
    for at, one in enumerate(played):
        with open(os.path.join(path + ".tapes", f"{at:02}.json"), "w",
                  encoding="utf-8") as file:
            json.dump(one, file)
    log = os.path.join(stack.scratch, name + ".trace")
    done = subprocess.run(
        ["strace", "-f", "-o", log, "-e",
         "trace=open,openat,openat2,connect,stat,access",
         os.path.join(TREE, "build", stack.build, "payhub"), "channel", "test",
         path], capture_output=True, text=True, timeout=60,
        env={"PATH": "/usr/bin:/bin", "ASAN_OPTIONS": "detect_leaks=0"})
    with open(log, encoding="utf-8", errors="replace") as file:
        lines = file.read()
    assert name + ".json" in lines, (done, lines[-2000:])
    opened = re.findall(r'(?:open|openat|openat2|stat|access)\([^"]*"([^"]*)"',
                        lines)
    return done, [one for one in opened if stack.scratch in one
                  and ".json" not in one], re.findall(r"connect\(.*", lines)


def test_the_kernel_saw_no_file_opened(stack):
    """`channel test` under strace, with the worst of them as tapes."""
    assert shutil.which("strace"), "strace is missing: scripts/install-packages"
    played = tapes("A0K1M2N3P4Q7Z0123456789ABCD")
    done, opened, connected = traced(stack, "entities", played)
    assert done.returncode == 0, done
    assert done.stdout.count("\nok ") + 1 == len(played), done.stdout
    assert (opened, connected) == ([], []), (opened, connected)
    nothing_was_read("strace")


def test_the_books_hold(stack):
    assert wait(lambda: held["channel"].invariants().returncode == 0, "them")
    held["opened"].close()
    held["bank"].server.shutdown()
