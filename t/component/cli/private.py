"""A private MariaDB and Redis for the tests of the command line, and a small
TAP printer.  Everything lies in one temporary folder, listens on unix sockets
only, belongs to a plain user and is ended by pid."""

import atexit
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../.."))
BUILDS = ("build/asan/payhub", "build/release/payhub")


def program():
    given = os.environ.get("PAYHUB_BIN")
    for path in [given] if given else BUILDS:
        if os.path.exists(os.path.join(ROOT, path)):
            return os.path.join(ROOT, path)
    sys.exit("found no payhub program; expected one of " + ", ".join(BUILDS))


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

    def equal(self, found, expected, name):
        self.ok(found == expected, name,
                f"found    {found!r}\nexpected {expected!r}")

    def done(self):
        print(f"1..{self.count}", flush=True)
        sys.exit(1 if self.failed else 0)


class Answer:
    def __init__(self, run):
        self.code, self.out, self.err = run.returncode, run.stdout, run.stderr

    def json(self):
        return json.loads(self.out)

    def __str__(self):
        return f"exit {self.code}\n{self.out}\n{self.err}"


class Private:
    """`with_redis`: also a Redis.  The folder dies with the test."""

    def __init__(self, with_db=True, with_redis=False):
        self.dir = tempfile.mkdtemp(prefix="phcli.")
        self.user = None
        if os.geteuid() == 0:
            self.user = pwd.getpwnam("nobody")
            os.chown(self.dir, self.user.pw_uid, self.user.pw_gid)
        self.children = []
        atexit.register(self.end)
        self.bin = self.path("payhub")
        shutil.copy(program(), self.bin)
        shutil.copytree(os.path.join(ROOT, "schema"), self.path("schema"))
        os.chmod(self.dir, 0o755)
        self.write("seal.key", "11" * 32 + "\n")
        self.config()
        if with_db:
            self.mariadb()
        if with_redis:
            self.redis()

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
        settings = {
            "store": {"socket": self.path("db.sock"), "owner": "owner",
                      "database": "payhub"},
            "redis": {"socket": self.path("redis.sock"), "timeout": "5s"},
            "seal": {"key_file": self.path("seal.key")},
            "admin": {"keys_file": self.path("keys.conf")},
        }
        for name, value in more.items():
            section, key = name.split("__")
            settings.setdefault(section, {})[key] = value
        text = "".join(f"[{section}]\n"
                       + "".join(f"{k} = {v}\n" for k, v in keys.items())
                       for section, keys in settings.items())
        return self.write("payhub.conf", text)

    def demote(self):
        if self.user:
            os.setgroups([])
            os.setresgid(*[self.user.pw_gid] * 3)
            os.setresuid(*[self.user.pw_uid] * 3)

    def run(self, argv, text=None, env=None):
        return subprocess.run(argv, input=text, capture_output=True, text=True,
                              preexec_fn=self.demote, cwd=self.dir, timeout=120,
                              env={"PATH": "/usr/bin:/bin:/usr/sbin",
                                   "LSAN_OPTIONS": "detect_leaks=1",
                                   **(env or {})})

    def payhub(self, *words, text=None, env=None):
        return Answer(self.run([self.bin, *words, "--config",
                                self.path("payhub.conf")], text, env))

    def start(self, name, argv):
        log = open(self.path(name + ".log"), "w", encoding="utf-8")
        child = subprocess.Popen(argv, stdout=log, stderr=log, cwd=self.dir,
                                 preexec_fn=self.demote)
        self.children.append(child)
        return child

    def wait(self, name, child, probe):
        deadline = time.monotonic() + 60
        while not probe():
            if child.poll() is not None or time.monotonic() > deadline:
                with open(self.path(name + ".log"), encoding="utf-8") as log:
                    sys.exit(f"{name} did not start:\n{log.read()[-3000:]}")
            time.sleep(0.05)

    def mariadb(self):
        os.makedirs(self.path("data"))
        if self.user:
            os.chown(self.path("data"), self.user.pw_uid, self.user.pw_gid)
        made = self.run(["mariadb-install-db", "--no-defaults", "--skip-test-db",
                         "--datadir=" + self.path("data"),
                         "--auth-root-authentication-method=normal",
                         "--force"])  # the host's name need not resolve
        if made.returncode != 0:
            sys.exit(made.stdout + made.stderr)
        child = self.start("mariadbd", [
            "/usr/sbin/mariadbd", "--no-defaults",
            "--datadir=" + self.path("data"), "--socket=" + self.path("db.sock"),
            "--skip-networking", "--innodb-buffer-pool-size=32M",
            "--innodb-log-file-size=16M", "--performance-schema=OFF",
            "--innodb-flush-log-at-trx-commit=0", "--log-bin=binlog",
            "--server-id=1", "--binlog-format=ROW", "--binlog-row-image=FULL",
            "--max-connections=64", "--default-time-zone=+00:00"])
        self.wait("mariadbd", child, lambda: self.run(
            ["mariadb-admin", "--no-defaults", "--user=root",
             "--socket=" + self.path("db.sock"), "ping"]).returncode == 0)
        self.sql("CREATE DATABASE payhub CHARACTER SET utf8mb4; "
                 "CREATE USER owner@localhost; "
                 "GRANT ALL ON *.* TO owner@localhost", database="")

    def sql(self, text, database="payhub"):
        run = self.run(["mariadb", "--no-defaults", "--user=root", "-N", "-B",
                        "--default-character-set=utf8mb4",
                        "--socket=" + self.path("db.sock"),
                        *([database] if database else [])], text)
        if run.returncode != 0:
            sys.exit(run.stderr)
        return [line.split("\t") for line in run.stdout.splitlines()]

    def redis(self):
        child = self.start("redis", [
            "/usr/bin/redis-server", "--port", "0", "--unixsocket",
            self.path("redis.sock"), "--save", "", "--dir", self.dir])
        self.wait("redis", child,
                  lambda: self.run(["redis-cli", "-s", self.path("redis.sock"),
                                    "ping"]).stdout == "PONG\n")

    def redis_do(self, *words):
        return self.run(["redis-cli", "-s", self.path("redis.sock"),
                         *words]).stdout.strip()

    def end(self):
        for child in self.children:
            child.kill()
        for child in self.children:
            child.wait()
        shutil.rmtree(self.dir, ignore_errors=True)
