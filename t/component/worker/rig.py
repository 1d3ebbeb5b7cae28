"""A private MariaDB, Redis, channel and worker for the tests of this folder.

The channel is a scripted peer that speaks the sandbox's protocol over plain
HTTP on loopback, so that a test decides what each call meets.  Everything lies
in one temporary folder, belongs to a plain user, and is ended by pid.
"""

import atexit
import base64
import hashlib
import hmac
import http.server
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../.."))
sys.path.insert(0, os.path.join(ROOT, "t/lib"))
sys.dont_write_bytecode = True

from payhub_frame import Closed, Link  # noqa: E402

CHANNEL_KEY = "channel-key-of-the-test-0123456789"


def program(name):
    """PAYHUB_BUILD, else asan (it has the crash points), else release."""
    given = os.environ.get("PAYHUB_BUILD")
    for build in [given] if given else ["asan", "release"]:
        path = os.path.join(ROOT, "build", build, name)
        if os.path.exists(path):
            return path
    sys.exit(f"found no {name}; expected it under build/asan")


def wait(probe, seconds=20, every=0.02):
    """The first true value of probe(), or None when the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = probe()
        if value:
            return value
        time.sleep(every)
    return None


class Tap:
    def __init__(self):
        self.count = 0
        self.failed = 0

    def ok(self, good, name, detail=""):
        self.count += 1
        print(f"{'ok' if good else 'not ok'} {self.count} - {name}", flush=True)
        if not good:
            self.failed += 1
            for line in str(detail).splitlines():
                print("#", line)
        return good

    def equal(self, found, expected, name):
        return self.ok(found == expected, name,
                       f"found    {found!r}\nexpected {expected!r}")

    def done(self):
        print(f"1..{self.count}", flush=True)
        sys.exit(1 if self.failed else 0)


def sign(body, at=None):
    stamp = str(int(time.time()) if at is None else at)
    mac = hmac.new(CHANNEL_KEY.encode(), f"{stamp}\n".encode() + body + b"\n",
                   hashlib.sha256).digest()
    return [("Sandbox-Timestamp", stamp),
            ("Sandbox-Signature", base64.b64encode(mac).decode())]


class Channel:
    """What an operation meets is `self.plan[op]`: a function (channel, asked)
    that returns a dict to answer, an int status, or None to hang up."""

    def __init__(self):
        self.calls = []    # (op, out_trade_no)
        self.times = {}    # out_trade_no -> [(op, when)]
        self.charges = {}  # out_trade_no -> times the money moved
        self.asked = {}
        self.plan = {"pay": Channel.pays, "query": Channel.tells,
                     "close": Channel.tells}
        self.hooks = []    # webhooks: (headers, body)
        self.hook_status = 200
        self.lock = threading.Lock()
        peer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path.startswith("/hook"):
                    with peer.lock:
                        peer.hooks.append((dict(self.headers), body))
                    return self.answer(peer.hook_status, b"")
                op, asked = self.path.strip("/"), json.loads(body)
                with peer.lock:
                    peer.calls.append((op, asked["out_trade_no"]))
                    peer.times.setdefault(asked["out_trade_no"], []).append(
                        (op, time.strftime("%T"), time.time() % 1))
                    if op == "pay":
                        peer.asked[asked["out_trade_no"]] = asked
                said = peer.plan[op](peer, asked)
                if said is None:
                    self.close_connection = True
                    return self.connection.shutdown(socket.SHUT_RDWR)
                if isinstance(said, int):
                    return self.answer(said, b"{}")
                data = json.dumps(said).encode()
                return self.answer(200, data, sign(data))

            def answer(self, status, data, headers=()):
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def charge(self, asked):
        with self.lock:
            number = asked["out_trade_no"]
            self.charges[number] = self.charges.get(number, 0) + 1

    def state(self, number, status, **more):
        asked = self.asked.get(number, {})
        return {"code": "ok", "status": status, "out_trade_no": number,
                "trade_no": "T" + number[1:], "amount": asked.get("amount"),
                "currency": asked.get("currency"), **more}

    def pays(self, asked):
        if asked["method"] == "sandbox_qr":
            return self.state(asked["out_trade_no"], "pending",
                              qr_code="sandbox://pay/" + asked["out_trade_no"])
        self.charge(asked)
        return self.state(asked["out_trade_no"], "paid",
                          paid_at="2026-01-01T00:00:00.000Z")

    def tells(self, asked):
        number = asked["out_trade_no"]
        if number not in self.asked:
            return {"code": "not_found", "out_trade_no": number}
        paid = self.charges.get(number)
        return self.state(number, "paid" if paid else "pending")

    def called(self, op, number=None):
        with self.lock:
            return sum(1 for o, n in self.calls
                       if o == op and number in (None, n))

    def notice(self, number, status="paid", notice_id=None, **more):
        """(body, headers) as the channel would post it."""
        said = {**self.state(number, status), **more,
                "notice_id": notice_id or secrets.token_hex(8)}
        said.pop("code")
        body = json.dumps(said).encode()
        return body, sign(body)


class Rig:
    def __init__(self, crash_at=None, **settings):
        self.dir = tempfile.mkdtemp(prefix="phwk.")
        self.user = None
        if os.geteuid() == 0:
            self.user = pwd.getpwnam("nobody")
            os.chown(self.dir, self.user.pw_uid, self.user.pw_gid)
        os.chmod(self.dir, 0o755)
        self.children = {}
        atexit.register(self.end)
        self.settings = settings
        self.channel = Channel()
        for name in ("payhub", "payhub-worker"):
            shutil.copy(program(name), self.path(name))
        shutil.copytree(os.path.join(ROOT, "schema"), self.path("schema"))
        self.write("seal.key", "11" * 32 + "\n")
        self.write("channel.key", CHANNEL_KEY)
        self.config()
        self.mariadb()
        self.redis()
        self.sql("CREATE DATABASE payhub CHARACTER SET utf8mb4; "
                 "CREATE USER payhub@localhost; CREATE USER w@localhost; "
                 "GRANT ALL ON *.* TO payhub@localhost; "
                 "GRANT SELECT,INSERT,UPDATE,DELETE ON payhub.* TO w@localhost",
                 database="")
        self.payhub("schema", "up", "--dir", self.path("schema"))
        self.app = json.loads(self.payhub(
            "app", "add", "--merchant", "M1", "--name", "first", "--secret-out",
            self.path("app.secret"), "--json"))
        self.account = self.account_add("main", self.channel.url)
        self.identity = (self.app["key_id"], self.app["app_id"], "M1")
        self.worker(crash_at)

    # --- files and programs

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def write(self, name, text, mode=0o600):
        path = self.path(name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        if self.user:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)
        return path

    def config(self, **more):
        self.settings.update(more)
        settings = {
            "worker": {"listen": "unix:" + self.path("w.sock")},
            "store": {"socket": self.path("db.sock"), "user": "w",
                      "owner": "payhub", "timeout": "3s"},
            "redis": {"socket": self.path("redis.sock")},
            "seal": {"key_file": self.path("seal.key")},
            "admin": {"keys_file": self.path("keys.conf")},
            "notify": {"allow_loopback": "yes"},
            "janitor": {"tick": "50ms", "first_look": "1s",
                        "unknown_schedule": "200ms 300ms 500ms",
                        "paying_schedule": "500ms 1s"},
            "log": {"level": "debug"},
        }
        for name, value in self.settings.items():
            section, key = name.split("__")
            settings.setdefault(section, {})[key] = value
        return self.write("payhub.conf", "".join(
            f"[{section}]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items())
            for section, keys in settings.items()))

    def demote(self):
        if self.user:
            os.setgroups([])
            os.setresgid(*[self.user.pw_gid] * 3)
            os.setresuid(*[self.user.pw_uid] * 3)

    def run(self, argv, text=None, env=None):
        return subprocess.run(argv, input=text, capture_output=True, text=True,
                              preexec_fn=self.demote, cwd=self.dir, timeout=120,
                              env={"PATH": "/usr/bin:/bin:/usr/sbin",
                                   **(env or {})})

    def payhub(self, *words):
        run = self.run([self.path("payhub"), *words, "--config",
                        self.path("payhub.conf")])
        if run.returncode != 0:
            sys.exit(f"payhub {words}: {run.returncode}\n{run.stderr}")
        return run.stdout

    def start(self, name, argv, env=None):
        with open(self.path(name + ".log"), "a", encoding="utf-8") as log:
            child = subprocess.Popen(
                argv, stdout=log, stderr=log, cwd=self.dir,
                preexec_fn=self.demote,
                env={"PATH": "/usr/bin:/bin:/usr/sbin", **(env or {})})
        self.children[name] = child
        return child

    def log(self, name):
        with open(self.path(name + ".log"), encoding="utf-8",
                  errors="replace") as file:
            return file.read()

    def sanitizer_reports(self):
        """The first lines of each; leaks are looked for by the unit tests."""
        lines = self.log("worker").splitlines()
        return [lines[i:i + 12] for i, line in enumerate(lines)
                if "Sanitizer:" in line or "runtime error:" in line]

    def wait(self, name, probe):
        child = self.children[name]
        if not wait(lambda: child.poll() is not None or probe(), 60, 0.05) \
                or child.poll() is not None:
            sys.exit(f"{name} did not start:\n{self.log(name)[-3000:]}")

    # --- servers

    def mariadb(self):
        if not os.path.exists(self.path("data")):
            os.makedirs(self.path("data"))
            if self.user:
                os.chown(self.path("data"), self.user.pw_uid, self.user.pw_gid)
            made = self.run(["mariadb-install-db", "--no-defaults",
                             "--skip-test-db", "--datadir=" + self.path("data"),
                             "--auth-root-authentication-method=normal",
                             "--force"])  # the host's name need not resolve
            if made.returncode != 0:
                sys.exit(made.stdout + made.stderr)
        self.start("mariadbd", [
            "/usr/sbin/mariadbd", "--no-defaults",
            "--datadir=" + self.path("data"), "--socket=" + self.path("db.sock"),
            "--skip-networking", "--innodb-buffer-pool-size=32M",
            "--innodb-log-file-size=16M", "--performance-schema=OFF",
            "--innodb-flush-log-at-trx-commit=1", "--log-bin=binlog",
            "--server-id=1", "--binlog-format=ROW", "--binlog-row-image=FULL",
            "--max-connections=64"])
        self.wait("mariadbd", lambda: self.run(
            ["mariadb-admin", "--no-defaults", "--user=root",
             "--socket=" + self.path("db.sock"), "ping"]).returncode == 0)

    def redis(self):
        self.start("redis", ["/usr/bin/redis-server", "--port", "0",
                             "--unixsocket", self.path("redis.sock"),
                             "--save", "", "--dir", self.dir])
        self.wait("redis", lambda: self.redis_do("ping") == "PONG")

    def redis_do(self, *words):
        return self.run(["redis-cli", "-s", self.path("redis.sock"),
                         *words]).stdout.strip()

    def worker(self, crash_at=None, ready=True):
        env = {"ASAN_OPTIONS": "detect_leaks=0"}
        if crash_at:
            env["PAYHUB_CRASH_AT"] = crash_at
        self.start("worker", [self.path("payhub-worker"), "--config",
                              self.path("payhub.conf")], env)
        if ready:
            self.wait("worker", self.is_ready)

    def is_ready(self):
        try:
            with Link(self.path("w.sock"), 5) as link:
                return link.call("GET", "/readyz").status == 200
        except (OSError, Closed):
            return False

    def stop(self, name, number=signal.SIGTERM, seconds=30):
        child = self.children[name]
        child.send_signal(number)
        try:
            return child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            return "did not end"

    def end(self):
        for child in self.children.values():
            if child.poll() is None:
                child.kill()
        for child in self.children.values():
            child.wait()
        keep = os.environ.get("PAYHUB_KEEP")
        if not keep:
            shutil.rmtree(self.dir, ignore_errors=True)

    # --- payments

    def sql(self, text, database="payhub"):
        run = self.run(["mariadb", "--no-defaults", "--user=root", "-N", "-B",
                        "--default-character-set=utf8mb4",
                        "--socket=" + self.path("db.sock"),
                        *([database] if database else [])], text)
        if run.returncode != 0:
            sys.exit(run.stderr)
        return [line.split("\t") for line in run.stdout.splitlines()]

    def count(self, table):
        return int(self.sql(f"SELECT COUNT(*) FROM {table}")[0][0])

    def account_add(self, name, url, *words):
        return json.loads(self.payhub(
            "channel", "account", "add", "sandbox", "--name", name, "--set",
            "base_url=" + url, "--secret", "key=@" + self.path("channel.key"),
            "--json", *words))["account_id"]

    def link(self, timeout=30):
        return Link(self.path("w.sock"), timeout, self.identity)

    def body(self, **more):
        body = {"order_no": "o-" + secrets.token_hex(8), "amount": 1000,
                "currency": "CNY", "method": "sandbox_bar", "subject": "tea",
                "extra": {"auth_code": "code-1"}}
        body.update(more)
        return {k: v for k, v in body.items() if v is not None}

    def pay(self, body=None, **more):
        with self.link() as link:
            return link.call("POST", "/v1/payments", body or self.body(**more))

    def get(self, payment_id):
        with self.link() as link:
            return link.call("GET", "/v1/payments/" + payment_id)

    def notify(self, body, headers, account=None):
        with self.link() as link:
            return link.call("POST", "/notify/sandbox/"
                             + (account or self.account), body,
                             identity=False, headers=headers)

    def settled(self, payment_id, status, seconds=20):
        def probe():
            found = self.get(payment_id)
            return found if found.json["status"] == status else None
        return wait(probe, seconds, 0.1)
