"""stack up | down | status."""

import argparse
import fcntl
import json
import os
import resource
import shlex
import signal
import socket
import sys
import tarfile
import tempfile
import time
import traceback

from . import layout as places
from . import texts
from .errors import StackError
from .layout import Layout
from .process import group_end, is_alive, kill_quietly, orphans_of
from .supervisor import Supervisor

TREE = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.dirname(os.path.realpath(__file__)))))
ROLES = ("pay", "notify", "janitor", "admin")
PROFILES = ("release", "debug", "asan", "tsan")
PROGRAMS = ("payhub", "payhub-worker", "payhub-sidecar", "payhub-sandbox",
            "ngx_http_payhub_module.so")
NEEDS = ("/usr/sbin/nginx", "/usr/sbin/mariadbd", "/usr/bin/mariadb",
         "/usr/bin/mariadb-install-db", "/usr/bin/redis-server",
         "/usr/bin/openssl")
PORTS = {0: "HTTP", 1: "HTTPS", 2: "sandbox", 3: "admin"}
PORT_FIRST, PORT_LAST = 8080, 9080  # where a base is looked for
FILES_MAX = 65536
LOG_TAIL = 40
DOWN_WAIT_S = 120
KILL_WAIT_S = 30


def arguments_parse(words):
    parser = argparse.ArgumentParser(
        prog="stack", description="A private payhub with everything around "
        "it, under one folder.", epilog="example: stack up --dir /tmp/one "
        "--port 8080; . /tmp/one/stack.env; stack down --dir /tmp/one")
    verbs = parser.add_subparsers(dest="verb", required=True)
    up = verbs.add_parser("up", help="start, and return when all is ready")
    up.add_argument("--dir", required=True)
    up.add_argument("--port", type=int, help="first of four ports; "
                    "else the last one used here, else a free one from 8080")
    up.add_argument("--workers", type=int, default=1, metavar="W")
    up.add_argument("--worker-roles", metavar="ROLES:ROLES...",
                    help="one worker for each: pay,admin:notify:janitor; "
                    "default: W workers of all roles")
    up.add_argument("--nginx-workers", type=int, default=1, metavar="X")
    up.add_argument("--build", choices=PROFILES, default="release")
    up.add_argument("--beside", metavar="D", help="the folder of a stack that "
                    "is up: use its MariaDB, Redis and sandbox, as a second host "
                    "would")
    up.add_argument("--set", action="append", default=[], dest="words",
                    metavar="section.key=value")
    down = verbs.add_parser("down", help="end what up started")
    down.add_argument("--dir", required=True)
    down.add_argument("--wipe", action="store_true",
                      help="remove data, keys and logs as well")
    status = verbs.add_parser("status", help="one line a process")
    status.add_argument("--dir", required=True)
    status.add_argument("--json", action="store_true")
    return parser.parse_args(words)


# -- up ---------------------------------------------------------------------

def needs_check(build):
    missing = [path for path in NEEDS if not os.access(path, os.X_OK)]
    if missing:
        raise StackError(f"not found: {', '.join(missing)}; they come by "
                         "scripts/install-packages run")
    folder = os.path.join(TREE, "build", build)
    missing = [name for name in PROGRAMS
               if not os.path.exists(os.path.join(folder, name))]
    if missing:
        raise StackError(f"not built: {', '.join(missing)} in build/{build}; "
                         f"build with: make -j2 PROFILE={build}")


def ports_busy(base):
    busy = []
    for offset, purpose in PORTS.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", base + offset))
            except OSError as error:
                busy.append(f"{base + offset} ({purpose}): {error.strerror}")
    return busy


def ports_free():
    """The first base from 8080 whose four ports can be had."""
    for base in range(PORT_FIRST, PORT_LAST, len(PORTS)):
        if not ports_busy(base):
            return base
    raise StackError(f"no {len(PORTS)} free ports in a row from {PORT_FIRST} "
                     f"to {PORT_LAST}; name some with --port")


def ports_check(base):
    if not 1 <= base <= 65532:
        raise StackError(f"--port {base}: expected 1 to 65532")
    busy = ports_busy(base)
    if busy:
        raise StackError("ports that cannot be had: " + "; ".join(busy)
                         + "; take another --port")


def roles_check(options):
    """["pay,admin", "notify"] or None; what nginx needs must be there."""
    if options.worker_roles is None:
        return
    groups = [group.split(",") for group in options.worker_roles.split(":")]
    for role in (role for group in groups for role in group):
        if role not in ROLES:
            raise StackError(f"--worker-roles: found '{role}', expected some "
                             f"of {', '.join(ROLES)}")
    for needed in ("pay", "admin"):
        if not any(needed in group for group in groups):
            raise StackError(f"--worker-roles: no worker has the role {needed}")
    if options.workers not in (1, len(groups)):
        raise StackError(f"--workers {options.workers}: expected nothing, or "
                         f"{len(groups)} as --worker-roles says")
    options.workers = len(groups)
    options.worker_roles = [",".join(group) for group in groups]


def options_check(options, record):
    roles_check(options)
    if options.port is None:
        options.port = ports_free() if record is None else record["port"]
    for name in ("workers", "nginx_workers"):
        if not 1 <= getattr(options, name) <= 64:
            raise StackError(f"--{name.replace('_', '-')}: found "
                             f"{getattr(options, name)}, expected 1 to 64")
    with open(os.path.join(TREE, "libpayhub/base/conf_keys.def"),
              encoding="utf-8") as file:
        keys = texts.conf_keys(file.read())
    options.settings = texts.settings_parse(options.words, keys)


def parcel_pack(build):
    """Programs and shipped files as one open archive: the unprivileged user,
    who may be unable to read the tree, unpacks it on its own side, so nothing
    under R is ever written by root."""
    file = tempfile.TemporaryFile()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name in PROGRAMS:
            tar.add(os.path.join(TREE, "build", build, name), "bin/" + name)
        for name in ("lua-free-config", "schema"):
            tar.add(os.path.join(TREE, name), "share/" + name)
    file.seek(0)
    return file


def parcel_unpack(layout, file):
    """Into fresh files: a program that runs is not written over."""
    def owned(member, _):
        member.mode = 0o755 if member.isdir() \
            or member.name.startswith("bin/") else 0o644
        member.uid, member.gid = os.getuid(), os.getgid()
        member.uname = member.gname = ""
        return member

    with tarfile.open(fileobj=file, mode="r") as tar:
        for member in tar.getmembers():
            if member.isfile():
                try:
                    os.unlink(layout.path(member.name))
                except FileNotFoundError:
                    pass
            tar.extract(owned(member, None), layout.root,
                        set_attrs=not member.isdir())


def strangers_close(kept):
    """Files that the caller left open (a lock, a pipe) are not ours to hold
    for as long as the stack runs."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in kept:
            try:
                os.close(int(name))
            except OSError:
                pass  # the one that listed the folder


def files_raise():
    """Open files: as many as the system allows, within reason."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, FILES_MAX)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def lock_take(layout):
    """One supervisor a folder, also when two `up` come at once."""
    lock = open(layout.path("run", "lock"), "w", encoding="ascii")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise StackError("another `stack up` of this folder is under way")
    return lock


def supervisor_main(layout, options, user, parcel, pipe):
    """The daemon's side of the fork."""
    code = 1
    try:
        os.setsid()
        if os.fork() != 0:
            os._exit(0)
        places.become(user)
        os.umask(0o022)
        strangers_close((pipe, parcel.fileno()))
        files_raise()
        layout.make_folders()
        os.chdir(layout.root)
        lock = lock_take(layout)
        null = os.open("/dev/null", os.O_RDONLY)
        log = os.open(layout.log("supervisor"),
                      os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        for source, target in ((null, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        parcel_unpack(layout, parcel)
        parcel.close()

        def progress(message):
            os.write(pipe, json.dumps(message).encode() + b"\n")

        with lock:
            code = Supervisor(layout, options, progress).run()
    except BaseException as error:
        traceback.print_exc()
        text = str(error) if isinstance(error, StackError) else repr(error)
        os.write(pipe, json.dumps({"failed": text}).encode() + b"\n")
    finally:
        os._exit(code)


def supervisor_start(layout, options, user):
    """Returns the reading end of its progress."""
    parcel = parcel_pack(options.build)
    reader, writer = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.close(reader)
        supervisor_main(layout, options, user, parcel, writer)
    os.close(writer)
    parcel.close()
    os.waitpid(child, 0)
    return os.fdopen(reader, encoding="utf-8")


def log_tail(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.readlines()[-LOG_TAIL:]
    except OSError:
        return []


def progress_follow(lines):
    """Prints it; returns what "ready" brought, or raises."""
    failure = None
    for line in lines:
        message = json.loads(line)
        if "say" in message:
            print("stack:", message["say"], flush=True)
        elif "ready" in message:
            return message["ready"]
        elif "failed" in message and failure is None:
            failure = message
    if failure is None:
        failure = {"failed": "the supervisor ended without a word",
                   "log": None}
    if failure.get("log"):
        print(f"stack: last lines of {failure['log']}:", file=sys.stderr)
        sys.stderr.writelines(log_tail(failure["log"]))
    raise StackError(failure["failed"])


def store_find(beside, folder):
    """The record of the stack of --beside; None = no such word."""
    if beside is None:
        return None
    other = os.path.realpath(beside)
    record = places.record_read(other) if os.path.isdir(other) else None
    if record is None or other == folder:
        raise StackError(f"--beside {beside}: expected the folder of another "
                         "stack that is up")
    missing = {"mariadb", "redis", "sandbox"} - {row["name"] for row in
                                      rows_living(Layout(record["root"]))}
    if missing:
        raise StackError(f"--beside {beside}: no {', '.join(sorted(missing))} "
                         "runs there; expected a stack that is up and has its "
                         "own")
    return record


def env_text(folder, layout, options, ready):
    """D/stack.env: one NAME=value a line, quoted for the shell, and one line
    that hands them on to the commands of a shell that reads the file."""
    app, base = ready["app"], options.port
    values = {
        "PAYHUB_URL": f"http://127.0.0.1:{base}",
        "PAYHUB_TLS_URL": f"https://127.0.0.1:{base + 1}",
        "PAYHUB_SANDBOX_URL": f"https://127.0.0.1:{ready['sandbox_port']}",
        "PAYHUB_ADMIN_URL": f"http://127.0.0.1:{base + 3}",
        "PAYHUB_CA_FILE": layout.trust,
        "PAYHUB_ADMIN_SOCKET": layout.admin_socket,
        "PAYHUB_CONFIG": layout.config,
        "PAYHUB_MYSQL_SOCKET": layout.mysql_socket,
        "PAYHUB_MYSQL_USER": "payhub",
        "PAYHUB_MYSQL_DB": "payhub",
        "PAYHUB_REDIS_SOCKET": layout.redis_socket,
        "REDIS_URL": "unix:" + layout.redis_socket,
        "PAYHUB_MERCHANT_ID": app["merchant_id"],
        "PAYHUB_APP_ID": app["app_id"],
        "PAYHUB_KEY_ID": app["key_id"],
        "PAYHUB_SECRET_FILE": app["secret_file"],
        "PAYHUB_WEBHOOK_SECRET": app["webhook_secret"],
    }
    for row in ready["processes"]:
        values["PAYHUB_PID_" + row["name"].upper()] = str(row["pid"])
    return "".join(f"{name}={shlex.quote(value)}\n"
                   for name, value in values.items()) \
        + f"export {' '.join(values)}\n"


def up(options):
    folder = os.path.realpath(options.dir)
    record = places.record_read(folder) if os.path.isdir(folder) else None
    options_check(options, record)
    needs_check(options.build)
    if record is not None:
        living = [row["name"] for row in rows_living(Layout(record["root"]))]
        if living:
            raise StackError(f"{folder} is already up ({', '.join(living)}); "
                             f"scripts/stack down --dir {options.dir} first")
    ports_check(options.port)
    store = store_find(options.beside, folder)
    user = places.run_user()
    root = places.claim(folder, user)
    layout = Layout(root, store and store["root"])
    places.link(folder, root)
    places.file_write(os.path.join(folder, places.RECORD), json.dumps(
        {"root": root, "port": options.port, "workers": options.workers,
         "build": options.build}) + "\n", 0o644)
    with supervisor_start(layout, options, user) as lines:
        ready = progress_follow(lines)
    ready["sandbox_port"] = (store or {"port": options.port})["port"] + 2
    places.file_write(os.path.join(folder, places.ENV),
                      env_text(folder, layout, options, ready))
    print(f"stack: ready; . {shlex.quote(os.path.join(folder, places.ENV))}")
    return 0


# -- status, down -----------------------------------------------------------

def rows_read(layout):
    """What the supervisor says, else what it wrote down last."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.settimeout(10.0)
            link.connect(layout.control_socket)
            link.sendall(b"status\n")
            chunks = []
            while chunk := link.recv(65536):
                chunks.append(chunk)
            return json.loads(b"".join(chunks))
    except (OSError, ValueError):
        pass
    try:
        with open(layout.state_file, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return []


def rows_living(layout):
    return [row for row in rows_read(layout)
            if row["pid"] and is_alive(row["pid"], row["ticks"])]


def record_of(options):
    folder = os.path.realpath(options.dir)
    return folder, places.record_read(folder)


def status(options):
    _, record = record_of(options)
    rows = rows_read(Layout(record["root"])) if record else []
    for row in rows:
        if row["pid"] and not is_alive(row["pid"], row["ticks"]):
            row["state"], row["pid"] = "dead", 0
        del row["ticks"]
    if options.json:
        print(json.dumps({"processes": rows}))
    elif not rows:
        print(f"stack: nothing runs under {options.dir}", file=sys.stderr)
    else:
        for row in rows:
            print(row["name"], row["pid"], row["state"], row["restarts"])
    return 0 if rows and all(row["state"] == "running" for row in rows) else 1


def leftovers_end(rows):
    """The supervisor is gone: what it started is ended by pid, checked by its
    start time, in the order in which it would have done it."""
    stop = {"nginx": signal.SIGQUIT}
    for row in sorted(rows, key=lambda row: row["name"] in
                      ("redis", "mariadb")):
        if orphans_of(row["pid"], row["ticks"]):
            group_end(row["pid"])
        if not is_alive(row["pid"], row["ticks"]):
            continue
        kill_quietly(row["pid"], stop.get(row["name"], signal.SIGTERM))
        end = time.monotonic() + KILL_WAIT_S
        while is_alive(row["pid"], row["ticks"]) and time.monotonic() < end:
            time.sleep(0.02)
        if is_alive(row["pid"], row["ticks"]):
            kill_quietly(row["pid"], signal.SIGKILL)
            group_end(row["pid"])


def down(options):
    folder, record = record_of(options)
    if record is None:
        return 0
    rows = [row for row in rows_read(Layout(record["root"])) if row["pid"]]
    supervisor = [row for row in rows if row["name"] == "supervisor"
                  and is_alive(row["pid"], row["ticks"])]
    if supervisor:
        kill_quietly(supervisor[0]["pid"], signal.SIGTERM)
        end = time.monotonic() + DOWN_WAIT_S
        while time.monotonic() < end and is_alive(supervisor[0]["pid"],
                                                  supervisor[0]["ticks"]):
            time.sleep(0.05)
    leftovers_end(rows)
    left = [f"{row['name']} {row['pid']}" for row in rows
            if is_alive(row["pid"], row["ticks"])]
    if left:
        raise StackError(f"still running: {', '.join(left)}")
    if options.wipe:
        places.wipe(folder, record["root"])
    return 0


def main(words):
    options = arguments_parse(words)
    try:
        return {"up": up, "down": down, "status": status}[options.verb](options)
    except (StackError, OSError) as error:
        print("stack:", error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
