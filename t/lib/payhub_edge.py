"""An nginx with the payhub module, a master and workers in a private folder,
for tests of what one process alone does not show."""

import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys

sys.dont_write_bytecode = True
from payhub_private import Private, program  # noqa: E402

LINKED = os.environ.get("PAYHUB_NGINX")  # an nginx that has payhub in itself
NGINX = LINKED or "/usr/sbin/nginx"
PORTS = (20000, 32000)  # below the kernel's ephemeral range
TIMEOUT_S = 60


def free_port():
    while True:
        port = random.randrange(*PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def sanitizers(module):
    """What nginx, which is not built with them, needs around such a module."""
    if "/asan/" not in module and not LINKED:
        return {}
    libraries = [subprocess.run(["gcc", f"-print-file-name=lib{name}.so"],
                                check=True, capture_output=True,
                                text=True).stdout.strip()
                 for name in ("asan", "ubsan")]
    return {"LD_PRELOAD": "" if LINKED else " ".join(libraries),
            "ASAN_OPTIONS": "detect_leaks=0:detect_odr_violation=0",
            "UBSAN_OPTIONS": "print_stacktrace=1"}


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=TIMEOUT_S)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Edge(Private):
    """A rig derives from this and gives the inside of http {} by http(): at
    least one server on `listen`, and payhub_control on the socket `control`
    when it asks for changes."""

    workers_count = 2
    level = "notice"
    main = ""  # more lines outside of http {}

    def __init__(self, prefix):
        super().__init__(prefix)
        self.port = free_port()
        self.listen = f"127.0.0.1:{self.port}"
        self.control = self.path("control.sock")
        self.module = program("ngx_http_payhub_module.so")
        os.makedirs(self.path("logs"))
        self.give(self.path("logs"))
        self.nginx = None

    def http(self, **settings):
        raise NotImplementedError

    def configure_nginx(self, **settings):
        temp = "\n".join(f"    {name}_temp_path {self.path(name)};" for name in
                         ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        load = "" if LINKED else f"load_module {self.module};"
        self.write("nginx.conf", f"""
{load}
{self.main}
daemon off;
env LD_PRELOAD;
env ASAN_OPTIONS;
env UBSAN_OPTIONS;
worker_processes {self.workers_count};
worker_shutdown_timeout 30s;
pid {self.path("nginx.pid")};
error_log {self.path("logs/error.log")} {self.level};
events {{ worker_connections 512; }}
http {{
    access_log off;
    keepalive_requests 100000;
{temp}
{self.http(**settings)}
}}
""", 0o644)

    def up(self, **settings):
        """Without settings: on the configuration that stands."""
        if settings or not os.path.exists(self.path("nginx.conf")):
            self.configure_nginx(**settings)
        if os.path.exists(self.control):
            os.unlink(self.control)
        self.nginx = self.start(
            "nginx", [NGINX, "-p", self.dir, "-c", self.path("nginx.conf")],
            sanitizers(self.module))
        self.wait("nginx", lambda: len(self.workers()) == self.workers_count
                  and self.get("/")[0] is not None, self.nginx)

    def down(self, number=signal.SIGQUIT):
        workers = self.workers()
        self.nginx.send_signal(number)
        if number == signal.SIGKILL:
            for pid in workers:
                os.kill(pid, number)
        self.nginx.wait(TIMEOUT_S)

    def restart(self, **settings):
        self.down()
        self.configure_nginx(**settings)
        self.up()

    def workers(self):
        pid = self.nginx.pid
        with open(f"/proc/{pid}/task/{pid}/children",
                  encoding="ascii") as file:
            return [int(word) for word in file.read().split()]

    def reload(self, **settings):
        old = set(self.workers())
        self.configure_nginx(**settings)
        self.nginx.send_signal(signal.SIGHUP)
        self.wait("a reload", lambda: not old & set(self.workers())
                  and len(self.workers()) == self.workers_count, self.nginx)

    def error_log(self):
        with open(self.path("logs/error.log"), encoding="utf-8",
                  errors="replace") as file:
            return file.read()

    def connection(self, timeout=TIMEOUT_S):
        return http.client.HTTPConnection("127.0.0.1", self.port,
                                          timeout=timeout)

    def get(self, target, link=None):
        """(status, body, headers), or (None, "", {}) without an answer."""
        mine = link or self.connection()
        try:
            mine.request("GET", target)
            answer = mine.getresponse()
            return answer.status, answer.read().decode(), answer.headers
        except (OSError, http.client.HTTPException):
            mine.close()
            return None, "", {}
        finally:
            if link is None:
                mine.close()

    def ask(self, method, what=None):
        """payhub_control: (status, JSON), or (None, None) without an answer."""
        link = UnixConnection(self.control)
        try:
            link.request(method, "/",
                         None if what is None else json.dumps(what))
            answer = link.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException):
            return None, None
        finally:
            link.close()
