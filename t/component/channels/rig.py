"""The worker's rig with one channel more: `script`, a shared object whose every
answer the test scripts (script.c)."""

import importlib.util
import json
import os
import re
import subprocess
import threading

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../.."))


def load(path):
    spec = importlib.util.spec_from_file_location("worker_rig",
                                                  os.path.join(ROOT, path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


base = load("t/component/worker/rig.py")
Tap, wait, program = base.Tap, base.wait, base.program
Link, payhub_peer = base.Link, base.payhub_peer
KEY = "key-of-the-scripted-channel"
HERE = "t/component/channels/"
CC = ["cc", "-shared", "-fPIC", "-std=gnu11", "-Wall", "-Wextra", "-Werror",
      "-O1", "-fvisibility=hidden", "-I.", "-D_GNU_SOURCE"]


def run(*words):
    made = subprocess.run(words, cwd=ROOT, capture_output=True, text=True,
                          check=False)
    if made.returncode != 0:
        raise SystemExit(f"{words}: {made.stderr}")


class Script:
    """What an operation meets is plan[op]: a function (script, asked) that
    returns a dict, (status, dict), or None to hang up."""

    def __init__(self):
        self.calls = []  # what was asked, each with its op
        self.plan = {}
        self.lock = threading.Lock()
        peer = self

        class Handler(payhub_peer.Handler):
            def do_POST(self):
                asked = json.loads(self.rfile.read(
                    int(self.headers["Content-Length"])))
                with peer.lock:
                    peer.calls.append(asked)
                said = peer.plan.get(asked["op"], Script.settles)(peer, asked)
                if said is None:
                    self.close_connection = True
                    return self.connection.shutdown(base.socket.SHUT_RDWR)
                status, said = said if isinstance(said, tuple) else (200, said)
                data = said if isinstance(said, bytes) \
                    else json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self.server = payhub_peer.Server(Handler)
        self.url = self.server.url

    def of(self, asked, result, **more):
        """An answer about what was asked."""
        back = asked["op"].startswith("refund")
        return {"class": result, "number": asked["refund" if back else "number"],
                "amount": asked["back" if back else "amount"],
                "currency": asked["currency"],
                "trade_no": ("F" if back else "T") + asked["number"][1:], **more}

    def settles(self, asked):
        if asked["op"] == "create" and asked["method"] == "script_qr":
            return self.of(asked, "wait_user", qr="script://" + asked["number"])
        return self.of(asked, "succeeded")

    def asked(self, op):
        with self.lock:
            return [call for call in self.calls if call["op"] == op]


class Rig(base.Rig):
    """`objects` are files of this folder, built before the worker starts:
    {name: (source, flags)}."""

    objects = {"script.so": ("script.c", ())}

    def __init__(self, crash_at=None, **settings):
        self.script = Script()
        self.are_built = False
        super().__init__(crash_at, **settings)

    def config(self, **more):
        if not self.are_built:
            self.are_built = True
            os.mkdir(self.path("objects"), 0o755)
            self.give(self.path("objects"))
            self.settings["pay__channel_dir"] = self.path("objects")
            for name, (source, flags) in self.objects.items():
                self.build(name, source, *flags)
        return super().config(**more)

    def build(self, name, source, *flags):
        path = self.path("objects", name)
        library = os.path.join(os.path.dirname(program("payhub-worker")),
                               "libpayhub.a")
        with_library = source == "script.c"
        run(*CC, *flags, "-o", path, HERE + source,
            *(["channels/context.c", "-Wl,--exclude-libs,ALL", library,
               "-ljansson", "-lcrypto"] if with_library else []))
        os.chmod(path, 0o755)
        self.give(path)
        return path

    def script_add(self, name, *words, url=None, key=KEY):
        key_path = self.write(name + ".key", key)
        return json.loads(self.payhub(
            "channel", "account", "add", "script", "--name", name, "--set",
            "base_url=" + (url or self.script.url), "--secret",
            "key=@" + key_path, "--json", *words))["account_id"]

    def ready(self):
        with Link(self.path("w.sock"), 5) as link:
            return link.call("GET", "/readyz").json

    def loaded(self, accounts, seconds=10):
        """Until the worker has so many."""
        return wait(lambda: self.ready()["accounts"] == accounts, seconds, 0.02)

    def lines(self, event, name="worker"):
        """The log's lines of an event."""
        return [line for line in self.log(name).splitlines()
                if f" ev={event} " in line]

    def notify(self, body, headers=(), account=None):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        with self.link() as link:
            return link.call("POST", "/notify/script/" + account, body,
                             identity=False, headers=list(headers))

    def pay_script(self, method="script_bar", **more):
        extra = {"auth_code": "code-1"} if method == "script_bar" else None
        return self.pay(method=method, **{"extra": extra, **more})


def field(line, name):
    """A value of a line of the log."""
    found = re.search(rf' {name}=(?:"((?:[^"\\]|\\.)*)"|(\S+))', line)
    return found and (found.group(1) if found.group(1) is not None
                      else found.group(2))
