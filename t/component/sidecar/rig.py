"""A private MariaDB, Redis and payhub-sidecar for the tests of the sidecar.

Everything lies in one temporary folder, listens on unix sockets only, belongs
to a plain user and is ended by pid.  The counters' SQL twin stands here in
Python a second time, apart from the product's, so that both must agree."""

import atexit
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../.."))
BUILDS = ("build/asan/payhub-sidecar", "build/release/payhub-sidecar")
WAIT_S = 90
STATES = ("created", "sent", "paid", "failed", "closed", "conflict")


def program():
    given = os.environ.get("PAYHUB_SIDECAR_BIN")
    for path in [given] if given else BUILDS:
        if os.path.exists(os.path.join(ROOT, path)):
            return os.path.join(ROOT, path)
    sys.exit("found no payhub-sidecar; expected one of " + ", ".join(BUILDS))


class Tap:
    def __init__(self):
        self.count = 0
        self.failed = 0

    def ok(self, good, name, detail=""):
        self.count += 1
        print(f"{'ok' if good else 'not ok'} {self.count} - {name}", flush=True)
        if not good:
            self.failed += 1
            for line in str(detail).splitlines()[-40:]:
                print("#", line)

    def equal(self, found, expected, name):
        self.ok(found == expected, name,
                f"found    {found!r}\nexpected {expected!r}")

    def done(self):
        print(f"1..{self.count}", flush=True)
        sys.exit(1 if self.failed else 0)


class Rig:
    def __init__(self, mariadb=True, redis=True, mariadb_options=(),
                 encrypted=False):
        self.dir = tempfile.mkdtemp(prefix="phsidecar.")
        self.user = None
        if os.geteuid() == 0:
            self.user = pwd.getpwnam("nobody")
            os.chown(self.dir, self.user.pw_uid, self.user.pw_gid)
        os.chmod(self.dir, 0o755)
        self.children = []
        atexit.register(self.end)
        self.bin = self.path("payhub-sidecar")
        shutil.copy(program(), self.bin)
        self.mariadb_options = list(mariadb_options)
        if encrypted:
            keys = self.write("keys", "1;" + "5a" * 32 + "\n")
            self.mariadb_options += [
                "--plugin-load-add=file_key_management", "--encrypt-binlog=ON",
                "--file-key-management-filename=" + keys]
        self.config()
        if mariadb:
            self.install()
            self.mariadb_up()
            self.schema()
        if redis:
            self.redis_up()

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def write(self, name, text):
        path = self.path(name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        if self.user:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)
        return path

    def config(self, name="payhub.conf", **more):
        settings = {
            "store": {"socket": self.path("db.sock"), "database": "payhub"},
            "redis": {"socket": self.path("redis.sock")},
            "sidecar": {"user": "payhub_sidecar", "heartbeat": "200ms"},
        }
        for key, value in more.items():
            section, word = key.split("__")
            settings.setdefault(section, {})[word] = value
        return self.write(name, "".join(
            f"[{section}]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items())
            for section, keys in settings.items()))

    # -- processes ---------------------------------------------------------

    def demote(self):
        if self.user:
            os.setgroups([])
            os.setresgid(*[self.user.pw_gid] * 3)
            os.setresuid(*[self.user.pw_uid] * 3)

    def run(self, argv, text=None, raw=False):
        return subprocess.run(
            argv, input=text, capture_output=True, text=not raw, cwd=self.dir,
            preexec_fn=self.demote, timeout=300,
            env={"PATH": "/usr/bin:/bin:/usr/sbin", "LC_ALL": "C.UTF-8"})

    def start(self, name, argv):
        log = open(self.path(name + ".log"), "a", encoding="utf-8")
        child = subprocess.Popen(
            argv, stdout=log, stderr=log, cwd=self.dir, preexec_fn=self.demote,
            env={"PATH": "/usr/bin:/bin:/usr/sbin"})
        log.close()
        self.children.append(child)
        return child

    def log(self, name):
        with open(self.path(name + ".log"), encoding="utf-8",
                  errors="replace") as log:
            return log.read()

    def wait(self, what, probe, child=None, seconds=WAIT_S):
        deadline = time.monotonic() + seconds
        while not probe():
            dead = child is not None and child.poll() is not None
            if dead or time.monotonic() > deadline:
                for name in ("mariadbd", "redis", "sidecar"):
                    if os.path.exists(self.path(name + ".log")):
                        print("#", self.log(name)[-3000:].replace("\n", "\n# "))
                sys.exit(f"waited in vain for {what}")
            time.sleep(0.02)

    def kill(self, child, number=signal.SIGKILL):
        if child.poll() is None:
            child.send_signal(number)
        status = child.wait(timeout=60)
        if child in self.children:
            self.children.remove(child)
        return status

    def end(self):
        for child in self.children:
            child.kill()
        for child in self.children:
            child.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    # -- MariaDB -----------------------------------------------------------

    def install(self):
        os.makedirs(self.path("data"))
        if self.user:
            os.chown(self.path("data"), self.user.pw_uid, self.user.pw_gid)
        made = self.run(["mariadb-install-db", "--no-defaults", "--skip-test-db",
                         "--datadir=" + self.path("data"),
                         "--auth-root-authentication-method=normal",
                         "--force"])  # the host's name need not resolve
        if made.returncode != 0:
            sys.exit(made.stdout + made.stderr)

    def mariadb_up(self):
        self.db = self.start("mariadbd", [
            "/usr/sbin/mariadbd", "--no-defaults", "--skip-networking",
            "--datadir=" + self.path("data"), "--socket=" + self.path("db.sock"),
            "--innodb-buffer-pool-size=64M", "--innodb-log-file-size=64M",
            "--performance-schema=OFF", "--max-connections=64",
            "--innodb-flush-log-at-trx-commit=0", "--sync-binlog=0",
            "--default-time-zone=+00:00", "--server-id=1",
            "--log-bin=" + self.path("data", "b"), "--binlog-format=ROW",
            "--binlog-row-image=FULL", "--binlog-row-metadata=FULL",
            "--gtid-strict-mode=ON", "--binlog-checksum=CRC32",
            *self.mariadb_options])
        self.wait("MariaDB", lambda: self.run(
            ["mariadb-admin", "--no-defaults", "--user=root",
             "--socket=" + self.path("db.sock"), "ping"]).returncode == 0,
            self.db)

    def mysql(self, text, database="payhub", user="root"):
        return self.run(["mariadb", "--no-defaults", "--user=" + user, "-N",
                         "-B", "--default-character-set=utf8mb4",
                         "--socket=" + self.path("db.sock"),
                         *([database] if database else [])], text)

    def sql(self, text, database="payhub"):
        done = self.mysql(text, database)
        if done.returncode != 0:
            sys.exit(done.stderr)
        return [line.split("\t") for line in done.stdout.splitlines()]

    def schema(self):
        self.sql("CREATE DATABASE payhub CHARACTER SET utf8mb4;"
                 "CREATE USER payhub_sidecar@localhost;"
                 "GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.*"
                 " TO payhub_sidecar@localhost;", database="")
        with open(os.path.join(ROOT, "schema/0001_core.sql"),
                  encoding="utf-8") as file:
            self.sql(file.read())

    # -- Redis -------------------------------------------------------------

    def redis_up(self):
        self.redis = self.start("redis", [
            "/usr/bin/redis-server", "--port", "0", "--unixsocket",
            self.path("redis.sock"), "--save", "", "--appendonly", "yes",
            "--appendfsync", "everysec", "--dir", self.dir])
        self.wait("Redis", lambda: self.redis_do("ping") == "PONG", self.redis)

    def redis_do(self, *words):
        return self.run(["redis-cli", "-s", self.path("redis.sock"),
                         *words]).stdout.strip()

    # -- the sidecar -------------------------------------------------------

    def sidecar(self, *words, conf="payhub.conf", name="sidecar"):
        return self.start(name, [self.bin, "--config", self.path(conf), *words])

    def once(self, *words, conf="payhub.conf"):
        return self.run([self.bin, "--config", self.path(conf), *words])

    def position(self):
        return self.redis_do("HGET", "{ph:c0}:1:pos", "gtid")

    def dumps_end(self, how="KILL"):
        """Ends every dump that the server has under way."""
        for row in self.sql("SHOW PROCESSLIST"):
            if row[4].startswith("Binlog Dump"):
                self.mysql(f"{how} {row[0]}")

    def caught_up(self, child=None):
        """Waits until the stored position is the server's."""
        want = self.sql("SELECT @@gtid_binlog_pos")[0][0]
        self.wait(f"position {want}", lambda: self.position() == want, child)

    def counters(self):
        """{bucket: {field: sum}} as Redis has it, XA leftovers included."""
        found = {}
        for key in self.redis_do("--scan", "--pattern", "{ph:c0}:1:*").split():
            if key.endswith(":pos"):
                continue
            words = self.redis_do("HGETALL", key).split("\n")
            found[key] = {words[i]: int(words[i + 1])
                          for i in range(0, len(words) - 1, 2)}
        return found

    def twin(self, offset_min=480):
        """The same from SQL."""
        found = {}
        for state in STATES:
            column = state + "_at"
            for letter, bucket in (
                    ("m", f"FLOOR(UNIX_TIMESTAMP({column}) / 60)"),
                    ("d", f"DATE_FORMAT(DATE_ADD({column}, INTERVAL"
                          f" {offset_min} MINUTE), '%Y%m%d')")):
                for row in self.sql(
                        f"SELECT {bucket} AS b, channel, method, currency,"
                        f" COUNT(*), SUM(amount) FROM payment"
                        f" WHERE {column} IS NOT NULL GROUP BY 1, 2, 3, 4"):
                    key = f"{{ph:c0}}:1:{letter}:{row[0]}"
                    field = f"{row[1]}|{row[2]}|{state}|"
                    bucket_sums = found.setdefault(key, {})
                    bucket_sums[field + "n"] = \
                        bucket_sums.get(field + "n", 0) + int(row[4])
                    if int(row[5]) != 0:
                        bucket_sums[field + row[3]] = int(row[5])
        return found

    def drift(self):
        """[] when Redis equals SQL, else what differs."""
        redis, sql = self.counters(), self.twin()
        return [f"{key} {field}: Redis {redis.get(key, {}).get(field)}"
                f" SQL {sql.get(key, {}).get(field)}"
                for key in sorted(redis.keys() | sql.keys())
                for field in sorted(redis.get(key, {}).keys()
                                    | sql.get(key, {}).keys())
                if redis.get(key, {}).get(field) != sql.get(key, {}).get(field)]


class SlowServer(threading.Thread):
    """Passes a socket on to the rig's MariaDB, but is silent for `silent_s`
    after each COM_BINLOG_DUMP, as a server that scans its log."""

    def __init__(self, at, name="slow.sock"):
        super().__init__(daemon=True)
        self.at = at
        self.silent_s = 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(at.path(name))
        os.chmod(at.path(name), 0o666)
        self.listener.listen(8)
        self.start()

    def run(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.at.path("db.sock"))
            asked = threading.Event()
            for way in ((client, server, asked, True),
                        (server, client, asked, False)):
                threading.Thread(target=self.pump, args=way,
                                 daemon=True).start()

    def pump(self, source, sink, asked, from_client):
        try:
            while data := source.recv(65536):
                if from_client and data[4:5] == b"\x12":
                    asked.set()
                elif not from_client and asked.is_set():
                    asked.clear()
                    time.sleep(self.silent_s)
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


COLUMNS = ("id, merchant_id, app_id, order_no, status, amount, currency, method,"
           " channel, account_id, attempt_ids, subject, created_at, expires_at")


def payment(number, amount=100, channel="sandbox", method="sandbox_qr",
            currency="CNY", created="UTC_TIMESTAMP(3)"):
    """The VALUES of one payment; `number` makes its id."""
    return (f"('P{number:026d}', 'm1', 'a1', 'o{number}', 'created', {amount},"
            f" '{currency}', '{method}', '{channel}', 'acc1', 'A{number:026d}',"
            f" 'subject {number}', {created}, UTC_TIMESTAMP(3))")


def insert(*values):
    return f"INSERT INTO payment ({COLUMNS}) VALUES {', '.join(values)};\n"


def paid(number):
    return ("UPDATE payment SET status = 'paid', paid_at = UTC_TIMESTAMP(3),"
            f" ver = ver + 1 WHERE id = 'P{number:026d}';\n")
