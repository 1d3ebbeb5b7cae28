"""A private MariaDB and Redis for component tests, and a small TAP printer.

All of it lies in one new temporary folder, listens on unix sockets only,
belongs to a plain user (nobody, when root runs the test) and is ended by pid
with the test.  PAYHUB_KEEP keeps the folder, for a look at its logs.  What a
test runs beside the two servers, and their schema, is its own rig's."""

import atexit
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
BUILDS = ("asan", "release")  # asan first: it has the crash points
RUN_S = 300
WAIT_S = 90
END_S = 10
PAUSE_MAX_S = 0.2
LOG_CHARS = 3000
DETAIL_LINES = 40
LOG_SIZE = "--innodb-log-file-size=16M"


def program(name):
    """The path of a built program: of PAYHUB_BUILD, else of the first build
    that has it."""
    given = os.environ.get("PAYHUB_BUILD")
    paths = [os.path.join(ROOT, "build", build, name)
             for build in ([given] if given else BUILDS)]
    for path in paths:
        if os.path.exists(path):
            return path
    sys.exit(f"found no {name}; expected one of {', '.join(paths)}: run make")


def wait(probe, seconds=20, every=0.02):
    """The first true value of probe(), or None when the time is over.  A probe
    that starts a program takes longer than `every`: it gets a quarter of the
    time, so that what is waited for has the processor."""
    end = time.monotonic() + seconds
    while (began := time.monotonic()) < end:
        value = probe()
        if value:
            return value
        took = time.monotonic() - began
        time.sleep(max(every, min(3 * took, PAUSE_MAX_S)))
    return None


def processes():
    """[(pid, parent, process group)] of what runs."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="ascii",
                      errors="replace") as file:
                words = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        if words[0] not in "ZX":
            found.append((int(name), int(words[1]), int(words[2])))
    return found


class Tap:
    def __init__(self):
        self.count = 0
        self.failed = 0

    def ok(self, good, name, detail=""):
        self.count += 1
        print(f"{'ok' if good else 'not ok'} {self.count} - {name}", flush=True)
        if not good:
            self.failed += 1
            for line in str(detail).splitlines()[-DETAIL_LINES:]:
                print("#", line)
        return good

    def equal(self, found, expected, name):
        return self.ok(found == expected, name,
                       f"found    {found!r}\nexpected {expected!r}")

    def done(self):
        print(f"1..{self.count}", flush=True)
        sys.exit(1 if self.failed else 0)


class Private:
    """The folder, its files and its processes.  `children` has the newest of
    each name.  A rig derives from this and starts what it needs."""

    # What a rig sets further; of two options of one name the last holds.
    base_env = {"PATH": "/usr/bin:/bin:/usr/sbin"}
    mariadb_options = ()
    redis_options = ()

    def __init__(self, prefix):
        self.dir = tempfile.mkdtemp(prefix=prefix)
        self.user = None
        if os.geteuid() == 0:
            self.user = pwd.getpwnam("nobody")
        self.give(self.dir)
        os.chmod(self.dir, 0o755)
        self.children = {}
        self.started = []
        atexit.register(self.end)

    # -- files -------------------------------------------------------------

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def give(self, path):
        if self.user:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)

    def write(self, name, text, mode=0o600):
        path = self.path(name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        self.give(path)
        return path

    def configure(self, name, settings, more):
        """Writes {section: {key: value}}; `more` has section__key: value."""
        for word, value in more.items():
            section, key = word.split("__")
            settings.setdefault(section, {})[key] = value
        return self.write(name, "".join(
            f"[{section}]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items())
            for section, keys in settings.items()))

    def log(self, name):
        with open(self.path(name + ".log"), encoding="utf-8",
                  errors="replace") as file:
            return file.read()

    # -- processes ---------------------------------------------------------

    def demote(self):
        if self.user:
            os.setgroups([])
            os.setresgid(*[self.user.pw_gid] * 3)
            os.setresuid(*[self.user.pw_uid] * 3)

    def run(self, argv, text=None, env=None):
        return subprocess.run(
            argv, input=text, capture_output=True, text=True, cwd=self.dir,
            preexec_fn=self.demote, timeout=RUN_S,
            env={**self.base_env, **(env or {})})

    def start(self, name, argv, env=None):
        with open(self.path(name + ".log"), "a", encoding="utf-8") as log:
            child = subprocess.Popen(
                argv, stdout=log, stderr=log, cwd=self.dir, process_group=0,
                preexec_fn=self.demote, env={**self.base_env, **(env or {})})
        self.children[name] = child
        self.started.append(child)
        return child

    def wait(self, what, probe, child=None, seconds=WAIT_S):
        """Ends the test when the time is over, or when `child` is: a probe
        may be content with what another process left there."""
        def is_dead():
            return child is not None and child.poll() is not None

        if not wait(lambda: is_dead() or probe(), seconds) or is_dead():
            for name in self.children:
                tail = self.log(name)[-LOG_CHARS:].replace("\n", "\n# ")
                print(f"# {name}:\n# {tail}")
            sys.exit(f"waited in vain for {what}")

    def kill(self, child, number=signal.SIGKILL):
        if child.poll() is None:
            child.send_signal(number)
        return child.wait(timeout=60)

    def end(self):
        """A process with children is asked first, so that it ends them; then
        what is left of each one's group is killed, by pid: of a dead one the
        number may be a stranger's by now, who is not in our folder."""
        parents = {parent for _, parent, _ in processes()}
        masters = [child for child in self.started
                   if child.poll() is None and child.pid in parents]
        for child in masters:
            child.terminate()
        wait(lambda: all(child.poll() is not None for child in masters), END_S)
        groups = {child.pid for child in self.started}
        here = os.path.realpath(self.dir)
        for pid, _, group in processes():
            try:
                if group in groups and os.readlink(
                        f"/proc/{pid}/cwd").startswith(here):
                    os.kill(pid, signal.SIGKILL)
            except OSError:  # it ended by itself
                pass
        for child in self.started:
            child.wait()
        if not os.environ.get("PAYHUB_KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)

    # -- MariaDB -----------------------------------------------------------

    def mariadb_install(self):
        # A server that starts sweeps temporary tables out of its tmpdir, its
        # own or not: servers side by side must not share one.
        for name in ("data", "tmp"):
            os.makedirs(self.path(name), exist_ok=True)
            self.give(self.path(name))
        made = self.run(["mariadb-install-db", "--no-defaults",
                         "--skip-test-db", "--datadir=" + self.path("data"),
                         "--tmpdir=" + self.path("tmp"),
                         "--auth-root-authentication-method=normal",
                         LOG_SIZE,  # as the server has it, not 96 MiB
                         "--force"])  # the host's name need not resolve
        if made.returncode != 0:
            sys.exit(made.stdout + made.stderr)

    def mariadb_up(self):
        """With what payhub asks of its server: full row images in a binlog
        with GTIDs.  Also after a kill, on the data that is there."""
        if not os.path.exists(self.path("data")):
            self.mariadb_install()
        child = self.start("mariadbd", [
            "/usr/sbin/mariadbd", "--no-defaults", "--skip-networking",
            "--datadir=" + self.path("data"),
            "--tmpdir=" + self.path("tmp"),
            "--socket=" + self.path("db.sock"),
            "--innodb-buffer-pool-size=32M", LOG_SIZE,
            "--innodb-flush-log-at-trx-commit=0", "--performance-schema=OFF",
            "--max-connections=64", "--server-id=1", "--log-bin=binlog",
            "--binlog-format=ROW", "--binlog-row-image=FULL",
            "--binlog-row-metadata=FULL", "--gtid-strict-mode=ON",
            *self.mariadb_options])
        self.wait("MariaDB", lambda: self.run(
            ["mariadb-admin", "--no-defaults", "--user=root",
             "--socket=" + self.path("db.sock"), "ping"]).returncode == 0,
            child)

    def mysql(self, text, database="payhub", user="root"):
        return self.run(["mariadb", "--no-defaults", "--user=" + user, "-N",
                         "-B", "--default-character-set=utf8mb4",
                         "--socket=" + self.path("db.sock"),
                         *([database] if database else [])], text)

    def sql(self, text, database="payhub"):
        """The rows, as lists of texts; an error ends the test."""
        done = self.mysql(text, database)
        if done.returncode != 0:
            sys.exit(done.stderr)
        return [line.split("\t") for line in done.stdout.splitlines()]

    # -- Redis -------------------------------------------------------------

    def redis_up(self):
        child = self.start("redis", [
            "/usr/bin/redis-server", "--port", "0", "--unixsocket",
            self.path("redis.sock"), "--save", "", "--dir", self.dir,
            *self.redis_options])
        self.wait("Redis", lambda: self.redis_do("ping") == "PONG", child)

    def redis_do(self, *words):
        return self.run(["redis-cli", "-s", self.path("redis.sock"),
                         *words]).stdout.strip()
