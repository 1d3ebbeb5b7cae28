"""Edges and workers of one cluster: a private MariaDB and Redis, any number of
workers with the role admin, any number of nginx that sync with them, each with
a zone of its own as if it were a host."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../.."))
sys.path.insert(0, os.path.join(ROOT, "t/lib"))
sys.dont_write_bytecode = True

import payhub_private  # noqa: E402
from payhub_client import sign_v3  # noqa: E402
from payhub_frame import Closed, Link  # noqa: E402

Tap = payhub_private.Tap
wait = payhub_private.wait
program = payhub_private.program
NGINX = os.environ.get("PAYHUB_NGINX", "/usr/sbin/nginx")


def module():
    """The line that loads the module.  Debian's nginx loads none that was
    built with sanitizers; the nginx of scripts/asan-nginx, named by
    PAYHUB_NGINX, has it linked in."""
    if NGINX != "/usr/sbin/nginx":
        return ""
    path = os.path.join(ROOT, "build/release/ngx_http_payhub_module.so")
    if not os.path.exists(path):
        sys.exit(f"found no {path}: run make")
    return f"load_module {path};"


class UnixHttp(http.client.HTTPConnection):
    def __init__(self, path, timeout=10):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Edge:
    """One nginx as one host."""

    def __init__(self, rig, name, workers, **more):
        self.rig, self.name = rig, name
        self.folder = rig.path(name)
        os.makedirs(self.folder, exist_ok=True)
        rig.give(self.folder)
        self.workers = workers
        self.more = {"processes": 2, "interval": "1s", "http": "",
                     "state": False, "zone": "16m", **more}
        self.child = None

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def configure(self, **more):
        self.more.update(more)
        state = ""
        if self.more["state"]:
            state = f" state={self.path('state')} seal=file:" \
                    + self.rig.path("seal.key")
        servers = "\n".join(f"server unix:{path} max_fails=0;"
                            for path in self.workers)
        text = f"""{module()}
daemon off; master_process on; worker_processes {self.more['processes']};
pid {self.path('pid')}; error_log {self.path('error.log')} info;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {self.path('body')};
  proxy_temp_path {self.path('proxy')};
  fastcgi_temp_path {self.path('fcgi')};
  uwsgi_temp_path {self.path('uwsgi')};
  scgi_temp_path {self.path('scgi')};
  payhub_zone edge:{self.more['zone']};
  upstream workers {{ {servers} keepalive 4; }}
  payhub_sync workers interval={self.more['interval']}{state};
  {self.more['http']}
  server {{
    listen unix:{self.path('sock')};
    location /signed {{ payhub_verify payhub-v3; return 200 "$payhub_app\\n"; }}
    location = /control {{ payhub_control; }}
    location = /pid {{ return 200 "$pid\\n"; }}
    {self.more.get('server', '')}
  }}
}}
"""
        with open(self.path("nginx.conf"), "w", encoding="utf-8") as file:
            file.write(text)
        self.rig.give(self.path("nginx.conf"))

    def start(self, **more):
        self.configure(**more)
        try:
            os.unlink(self.path("sock"))
        except FileNotFoundError:
            pass
        self.rig.edges[self.name] = self
        self.child = self.rig.start(self.name, [
            NGINX, "-p", self.folder, "-c", self.path("nginx.conf"), "-e",
            self.path("error.log")], {"ASAN_OPTIONS": "detect_leaks=0"})
        self.rig.wait(self.name, self.is_up, self.child)
        return self

    def is_up(self):
        try:
            return self.get("/pid")[0] == 200
        except OSError:
            return False

    def stop(self, number=signal.SIGQUIT):
        self.child.send_signal(number)
        return self.child.wait(30)

    def reload(self, **more):
        self.configure(**more)
        self.child.send_signal(signal.SIGHUP)

    def pids(self):
        """The worker processes that are there now."""
        found = subprocess.run(["ps", "-o", "pid=,args=", "--ppid",
                                str(self.child.pid)], capture_output=True,
                               text=True).stdout
        return [int(line.split()[0]) for line in found.splitlines()
                if "worker process" in line and "shutting" not in line]

    def request(self, method, target, body=None, headers=None):
        link = UnixHttp(self.path("sock"))
        try:
            link.request(method, target, body, headers or {})
            reply = link.getresponse()
            return reply.status, reply.read().decode()
        finally:
            link.close()

    def get(self, target, headers=None):
        return self.request("GET", target, headers=headers)

    def signed(self, key_id, secret, target="/signed"):
        header, _ = sign_v3(secret.encode(), key_id, "GET", target, b"")
        return self.get(target, {"Authorization": header})

    def control(self):
        return json.loads(self.get("/control")[1])

    def sync(self):
        return self.control()["sync"]

    def change(self, *changes):
        return self.request("POST", "/control", json.dumps(list(changes)))

    def changes(self):
        """What holds here, without the marks of this host."""
        return sorted(
            json.dumps({k: v for k, v in change.items()
                        if k not in ("gen", "sync", "base", "by", "at")},
                       sort_keys=True)
            for change in self.control()["changes"]
            if not change.get("removed"))

    def log(self):
        with open(self.path("error.log"), encoding="utf-8",
                  errors="replace") as file:
            return file.read()

    def alerts(self):
        return [line for line in self.log().splitlines()
                if "[alert]" in line or "[crit]" in line or "[emerg]" in line]


class Rig(payhub_private.Private):
    def __init__(self, **settings):
        super().__init__("phsy.")
        self.settings = settings
        self.edges = {}
        for name in ("payhub", "payhub-worker"):
            shutil.copy(program(name), self.path(name))
        shutil.copytree(os.path.join(ROOT, "schema"), self.path("schema"))
        self.write("seal.key", "11" * 32 + "\n")
        self.config(1)
        self.mariadb_up()
        self.redis_up()
        self.sql("CREATE DATABASE payhub CHARACTER SET utf8mb4; "
                 "CREATE USER payhub@localhost; CREATE USER w@localhost; "
                 "GRANT ALL ON *.* TO payhub@localhost; "
                 "GRANT SELECT,INSERT,UPDATE,DELETE ON payhub.* TO w@localhost",
                 database="")
        self.payhub("schema", "up", "--dir", self.path("schema"))

    def config(self, number, **more):
        return self.configure(f"payhub-{number}.conf", {
            "worker": {"listen": "unix:" + self.socket(number)},
            "store": {"socket": self.path("db.sock"), "user": "w",
                      "owner": "payhub", "timeout": "3s"},
            "redis": {"socket": self.path("redis.sock")},
            "seal": {"key_file": self.path("seal.key")},
            "log": {"level": "info"},
        }, {**self.settings, **more})

    def socket(self, number):
        return self.path(f"w{number}.sock")

    def worker(self, number=1, **more):
        self.config(number, **more)
        child = self.start(f"worker{number}", [
            self.path("payhub-worker"), "--config",
            self.path(f"payhub-{number}.conf")],
            {"ASAN_OPTIONS": "detect_leaks=0"})

        def ready():
            try:
                with Link(self.socket(number), 5) as link:
                    return link.call("GET", "/readyz").status == 200
            except (OSError, Closed):
                return False

        self.wait(f"worker {number}", ready, child)
        return child

    def edge(self, name, numbers=(1,), **more):
        return Edge(self, name, [self.socket(n) for n in numbers],
                    **more).start()

    def cli(self, *words, env=None):
        return self.run([self.path("payhub"), *words, "--config",
                         self.path("payhub-1.conf")], env=env)

    def payhub(self, *words, env=None):
        done = self.cli(*words, env=env)
        if done.returncode != 0:
            sys.exit(f"payhub {words}: {done.returncode}\n{done.stderr}")
        return done.stdout

    def app(self, name="shop"):
        return json.loads(self.payhub("app", "add", "--merchant", "M1",
                                      "--name", name, "--json"))

    def keys_insert(self, count, app, start=0):
        """Rows as the CLI writes them, but for the seal, which these have
        none of: Ed25519 public keys."""
        pem = "-----BEGIN PUBLIC KEY-----\\n" \
              "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\\n" \
              "-----END PUBLIC KEY-----\\n"
        for at in range(start, start + count, 1000):
            rows = ",".join(
                f"('bulk_{n:08d}','{app}','ed25519','payhub-v3','{pem}',"
                "UTC_TIMESTAMP(3))"
                for n in range(at, min(at + 1000, start + count)))
            self.sql("INSERT INTO app_key (id,app_id,alg,schemes,public_key,"
                     "created_at) VALUES " + rows)

    def sanitizer_reports(self):
        """An nginx has its stderr in its error log."""
        logs = [self.log(name) for name in self.children]
        logs += [edge.log() for edge in self.edges.values()]
        return [line for log in logs for line in log.splitlines()
                if "Sanitizer:" in line or "runtime error:" in line]
