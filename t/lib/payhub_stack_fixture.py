"""A running stack as tests see it: started in a scratch folder by
scripts/stack, asked by HTTP, SQL, Redis and the CLI, taken down at the end."""

import json
import os
import random
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.request

from payhub_client import Client, Redis

TREE = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
SCRIPT = os.path.join(TREE, "scripts", "stack")

PORTS = (20000, 32000)  # below the kernel's ephemeral range, above t/run-nginx

# Times of minutes in production are seconds here.
QUICK = ("pay.channel_deadline=2s", "pay.request_deadline=4s",
         "pay.bar_wait=3s", "pay.bar_schedule=300ms 500ms 1s",
         "janitor.tick=100ms", "janitor.first_look=1s",
         "janitor.unknown_schedule=300ms 500ms 1s 1s 2s",
         "janitor.paying_schedule=1s 2s", "janitor.not_found_final=2s",
         "notify.schedule=0s 500ms 1s 2s 2s")
# Nobody listens there: every notice of the channel is lost.
NO_NOTICES = ("pay.public_url=http://127.0.0.1:1",)


def free_base():
    """Four ports in a row.  Drawn, not searched: two runs that start together
    would find the same ones."""
    for _ in range(1000):
        base = random.randrange(*PORTS, 4)
        links = []
        try:
            for offset in range(4):
                link = socket.socket()
                links.append(link)
                link.bind(("127.0.0.1", base + offset))
            return base
        except OSError:
            continue
        finally:
            for link in links:
                link.close()
    raise RuntimeError(f"no four free ports in a row within {PORTS}")


def is_alive(pid):
    """A zombie that nobody collects is not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii",
                  errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def env_read(path):
    """What a shell makes of stack.env."""
    text = subprocess.run(
        ["env", "-i", "sh", "-c", '. "$0" && env', path], check=True,
        capture_output=True, text=True).stdout
    return dict(line.split("=", 1) for line in text.splitlines())


class Stack:
    def __init__(self, build="asan", settings=QUICK, workers=1,
                 nginx_workers=2, parent=None):
        self.build = build
        self.scratch = tempfile.mkdtemp(prefix="payhub-e2e-", dir=parent)
        os.chmod(self.scratch, 0o755)
        self.folder = os.path.join(self.scratch, "stack")
        self.port = free_base()
        self.words = ["--workers", str(workers), "--nginx-workers",
                      str(nginx_workers), "--build", build]
        for word in settings:
            self.words += ["--set", word]
        self.env = {}

    def up(self):
        done = subprocess.run(
            [SCRIPT, "up", "--dir", self.folder, "--port", str(self.port),
             *self.words], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"stack up: {done.stdout}{done.stderr}")
        self.env = env_read(os.path.join(self.folder, "stack.env"))
        with open(self.env["PAYHUB_SECRET_FILE"], "rb") as file:
            secret = file.read().removesuffix(b"\n")
        self.client = Client(self.env["PAYHUB_URL"],
                             self.env["PAYHUB_KEY_ID"], secret)

    def down(self, wipe=True):
        words = ["--wipe"] if wipe else []
        done = subprocess.run([SCRIPT, "down", "--dir", self.folder, *words],
                              capture_output=True, text=True)
        if wipe:
            shutil.rmtree(self.scratch, ignore_errors=True)
        return done.returncode

    def status(self):
        """({name: row}, exit code)"""
        done = subprocess.run(
            [SCRIPT, "status", "--dir", self.folder, "--json"],
            capture_output=True, text=True)
        rows = json.loads(done.stdout)["processes"]
        return {row["name"]: row for row in rows}, done.returncode

    def pid(self, name):
        return self.status()[0][name]["pid"]

    def wait_running(self, wait_s=10):
        end = time.monotonic() + wait_s
        while self.status()[1] != 0:
            assert time.monotonic() < end, f"not all run: {self.status()}"
            time.sleep(0.05)

    def sql(self, text, user="payhub", password_file=None):
        """(exit code, rows of texts, stderr)"""
        words = ["mariadb", "--no-defaults", "--batch", "--skip-column-names",
                 "--socket=" + self.env["PAYHUB_MYSQL_SOCKET"], "--user=" + user,
                 self.env["PAYHUB_MYSQL_DB"]]
        env = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
        if password_file:
            with open(password_file, encoding="ascii") as file:
                env["MYSQL_PWD"] = file.read().strip()
        if user == "payhub_sidecar":
            words.pop()  # it may not even enter the database
        done = subprocess.run(words, input=text, capture_output=True,
                              text=True, env=env)
        return (done.returncode,
                [line.split("\t") for line in done.stdout.splitlines()],
                done.stderr)

    def rows(self, text):
        code, rows, errors = self.sql(text)
        assert code == 0, errors
        return rows

    def redis(self):
        return Redis(self.env["PAYHUB_REDIS_SOCKET"])

    def cli(self, *words, wait_s=60):
        """The payhub command with the stack's variables."""
        program = os.path.join(TREE, "build", self.build, "payhub")
        return subprocess.run(
            [program, *words], capture_output=True, text=True, timeout=wait_s,
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8",
                 "ASAN_OPTIONS": "detect_leaks=0",
                 **{name: value for name, value in self.env.items()
                    if name.startswith(("PAYHUB_", "REDIS_"))}})

    def sandbox(self, target, body=None):
        """One request to the sandbox channel, as its own customer."""
        context = ssl.create_default_context(
            cafile=self.env["PAYHUB_CA_FILE"])
        request = urllib.request.Request(
            self.env["PAYHUB_SANDBOX_URL"] + target,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, context=context,
                                    timeout=10) as reply:
            return json.loads(reply.read() or b"null")

    def books(self, attempt_id=None):
        query = f"?out_trade_no={attempt_id}" if attempt_id else ""
        return self.sandbox("/_books" + query)

    def sanitizer_reports(self):
        folder = os.path.join(self.folder, "log")
        return sorted(os.path.join(folder, name)
                      for name in os.listdir(folder)
                      if name.startswith(("asan.", "tsan.")))
