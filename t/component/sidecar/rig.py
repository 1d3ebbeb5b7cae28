"""A private MariaDB, Redis and payhub-sidecar for the tests of the sidecar.

The counters' SQL twin stands here in Python a second time, apart from the
product's, so that both must agree."""

import os
import shutil
import socket
import sys
import threading
import time

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../.."))
sys.path.insert(0, os.path.join(ROOT, "t/lib"))
sys.dont_write_bytecode = True

import payhub_private  # noqa: E402

Tap = payhub_private.Tap
STATES = ("created", "sent", "paid", "failed", "closed", "conflict")
ENDS = STATES[2:]  # counted by account as well


def program():
    return payhub_private.program("payhub-sidecar")


class Rig(payhub_private.Private):
    base_env = {**payhub_private.Private.base_env, "LC_ALL": "C.UTF-8"}
    redis_options = ("--appendonly", "yes", "--appendfsync", "everysec")

    def __init__(self, mariadb=True, redis=True, mariadb_options=(),
                 encrypted=False):
        super().__init__("phsidecar.")
        self.bin = self.path("payhub-sidecar")
        shutil.copy(program(), self.bin)
        self.mariadb_options = [
            "--innodb-buffer-pool-size=64M", "--innodb-log-file-size=64M",
            "--default-time-zone=+00:00", *mariadb_options]
        if encrypted:
            keys = self.write("keys", "1;" + "5a" * 32 + "\n")
            self.mariadb_options += [
                "--plugin-load-add=file_key_management", "--encrypt-binlog=ON",
                "--file-key-management-filename=" + keys]
        self.config()
        if mariadb:
            self.mariadb_up()
            self.schema()
        if redis:
            self.redis_up()

    @property
    def db(self):
        return self.children["mariadbd"]

    @property
    def redis(self):
        return self.children["redis"]

    def config(self, name="payhub.conf", **more):
        return self.configure(name, {
            "store": {"socket": self.path("db.sock"), "database": "payhub"},
            "redis": {"socket": self.path("redis.sock")},
            "sidecar": {"user": "payhub_sidecar", "heartbeat": "200ms"},
        }, more)

    def schema(self):
        self.sql("CREATE DATABASE payhub CHARACTER SET utf8mb4;"
                 "CREATE USER payhub_sidecar@localhost;"
                 "GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.*"
                 " TO payhub_sidecar@localhost;", database="")
        with open(os.path.join(ROOT, "schema/0001_core.sql"),
                  encoding="utf-8") as file:
            self.sql(file.read())

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
        for state in ENDS:
            for row in self.sql(
                    f"SELECT FLOOR(UNIX_TIMESTAMP({state}_at) / 60) AS b,"
                    f" account_id, COUNT(*) FROM payment"
                    f" WHERE {state}_at IS NOT NULL GROUP BY 1, 2"):
                found.setdefault(f"{{ph:c0}}:1:a:{row[0]}", {})[
                    f"{row[1]}|{state}|n"] = int(row[2])
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
            currency="CNY", created="UTC_TIMESTAMP(3)", account="acc1"):
    """The VALUES of one payment; `number` makes its id."""
    return (f"('P{number:026d}', 'm1', 'a1', 'o{number}', 'created', {amount},"
            f" '{currency}', '{method}', '{channel}', '{account}',"
            f" 'A{number:026d}',"
            f" 'subject {number}', {created}, UTC_TIMESTAMP(3))")


def insert(*values):
    return f"INSERT INTO payment ({COLUMNS}) VALUES {', '.join(values)};\n"


def paid(number):
    return ("UPDATE payment SET status = 'paid', paid_at = UTC_TIMESTAMP(3),"
            f" ver = ver + 1 WHERE id = 'P{number:026d}';\n")
