"""The processes of a stack, in the order in which they start."""

import glob
import os
import signal
import subprocess

from . import probes
from .errors import StackError
from .process import Process

SANITIZERS = ("libasan.so", "libubsan.so")


def sanitizer_preload():
    """nginx itself is built without sanitizers, so their libraries must be
    there before it loads a module that has them."""
    paths = []
    for name in SANITIZERS:
        found = subprocess.run(["gcc", f"-print-file-name={name}"],
                               capture_output=True, text=True).stdout.strip()
        if not os.path.isabs(found):
            raise StackError(f"{name} not found; scripts/install-packages "
                             "build")
        paths.append(os.path.realpath(found))
    return ":".join(paths)


def sanitizer_env(layout, build, name):
    """Leaks are looked for by the unit tests: LeakSanitizer needs a dumpable
    process, and daemons that hold keys are not."""
    if build == "asan":
        at = layout.path("log", f"asan.{name}")
        return {"ASAN_OPTIONS": f"log_path={at}:detect_leaks=0",
                "UBSAN_OPTIONS": f"log_path={at}:print_stacktrace=1"}
    if build == "tsan":
        at = layout.path("log", f"tsan.{name}")
        return {"TSAN_OPTIONS": f"log_path={at}"}
    return {}


def sanitizer_reports(log_folder):
    return sorted(glob.glob(os.path.join(log_folder, "[at]san.*")))


def _daemon(layout, options, name, argv, env=None, **more):
    path = layout.path("run", name + ".ready")
    if os.path.exists(path):
        os.unlink(path)
    ready = probes.ReadySocket(path)
    return Process(
        name, argv, layout.log(name), lambda: ready.ready,
        env={**sanitizer_env(layout, options.build, name), **(env or {})},
        ready_socket=ready, **more)


def mariadb(layout):
    path = layout.mysql_socket
    return Process(
        "mariadb",
        ["/usr/sbin/mariadbd",
         "--defaults-file=" + layout.path("conf", "mariadb.cnf")],
        layout.log("mariadb"), lambda: probes.mariadb(path),
        stale=(path, layout.path("run", "mariadb.pid")), stop_wait_s=30.0)


def redis(layout):
    path = layout.redis_socket
    return Process(
        "redis", ["/usr/bin/redis-server", layout.path("conf", "redis.conf")],
        layout.log("redis"), lambda: probes.redis(path), stale=(path,))


def sandbox(layout, options):
    return _daemon(
        layout, options, "sandbox",
        [layout.path("bin", "payhub-sandbox"),
         "--listen", f"127.0.0.1:{options.port + 2}",
         "--cert", layout.path("tls", "sandbox.pem"),
         "--key", layout.path("tls", "sandbox.key"),
         "--books", layout.path("data", "sandbox", "books"),
         "--account-key-file", layout.path("keys", "sandbox.key"),
         "--ca-file", layout.path("tls", "ca.pem")])


def worker(layout, options, number):
    """Each has its own socket; nginx balances over them."""
    path = layout.worker_socket(number)
    process = _daemon(
        layout, options, f"worker_{number}",
        [layout.path("bin", "payhub-worker"), "--config", layout.config],
        env={"PAYHUB_WORKER_LISTEN": "unix:" + path,
             **({"PAYHUB_WORKER_ROLES": options.worker_roles[number - 1]}
                if options.worker_roles else {})}, stale=(path,))
    if "PAYHUB_CRASH_AT" in os.environ:
        process.first_env = {"PAYHUB_CRASH_AT": os.environ["PAYHUB_CRASH_AT"]}
    return process


def sidecar(layout, options):
    return _daemon(
        layout, options, "sidecar",
        [layout.path("bin", "payhub-sidecar"), "--config", layout.config])


def nginx(layout, options):
    env = sanitizer_env(layout, options.build, "nginx")
    if options.build == "asan":
        env["LD_PRELOAD"] = sanitizer_preload()
    port = options.port
    return Process(
        "nginx",
        ["/usr/sbin/nginx", "-p", layout.root,
         "-c", layout.path("conf", "nginx.conf"),
         "-e", layout.log("nginx")],
        layout.log("nginx"),
        lambda: (probes.http_ok(port + 3, "/healthz")
                 and probes.edge_has_keys(layout.admin_socket)),
        env=env, stale=(layout.admin_socket,),
        stop=(signal.SIGQUIT, signal.SIGTERM), stop_wait_s=5.0)
