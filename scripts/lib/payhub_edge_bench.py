"""Servers for the benches of the edge: one nginx or HAProxy worker on core 0
each, load and backends on core 1, and what a request costs them.

Only one server is under load at a time, so that the others cost nothing.
"""

import base64
import os
import pwd
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
MODULES = "/usr/lib/nginx/modules"  # Debian's
SECRET = "bench-secret-bench-secret-bench-secret"
SEAL = "5eed" * 16
BODY = ('{"order_no":"%n","amount":100,"currency":"CNY","method":'
        '"sandbox_bar","subject":"bench"}')
BODY += " " * (300 - len(BODY) - 20)  # %n becomes 18-22 bytes
ANSWER = ('{"id":"P0000000000000000000000000","order_no":"bench",'
          '"status":"paid","amount":100}')  # the responder's own

# The whole edge: limit by address, signature, window, nonce, limit by app,
# route.  Limits that refuse nobody: what is measured is the work of asking.
HTTP = """
    payhub_zone edge:16m;
    payhub_key k hmac-sha256 secret=file:{secret} app=a mch=m;
    payhub_limit_zone address:4m key=address rate=1000000/s burst=1000000;
    payhub_limit_zone app:4m key=app rate=1000000/s burst=1000000;
    payhub_channel acc1 channel=sandbox methods=sandbox_bar weight=70;
    payhub_channel acc2 channel=sandbox methods=sandbox_bar weight=30;
    payhub_route default {{
        rule wallet method=wechat_native -> acc2;
        rule rest   method=sandbox_bar currency=CNY -> acc1 acc2;
    }}
    upstream frames {{ server unix:{frames}; }}
    upstream peer {{ server unix:{peer}; keepalive 64; }}
"""
WHOLE = """payhub_limit address;
            payhub_limit app;
            payhub_verify payhub-v3;
            payhub_nonce zone=nonces:16m;"""
SERVER = """
        location = /return {{ return 200 "ok"; }}
        location = /verify {{ payhub_verify payhub-v3; return 200 "ok"; }}
        location = /whole {{
            {whole}
            payhub_route_by default;
            return 200 "ok";
        }}
        location = /pass {{ payhub_verify payhub-v3; payhub_pass frames; }}
        location = /hop {{
            {whole}
            payhub_pass frames;
        }}
        location = /proxy {{
            proxy_pass http://peer;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
"""
LUA_HTTP = """
    lua_package_path "{folder}/?.lua;/usr/share/lua/5.1/?.lua;;";
    lua_shared_dict nonces 128m;
    lua_shared_dict limits 4m;
    init_by_lua_block {{
        edge = require "edge"
        edge.key("k", "{secret}", "a")
    }}
    rewrite_by_lua_no_postpone on;
    upstream peer {{ server unix:{peer}; keepalive 64; }}
"""
LUA_CHECK = """set $route "";
            rewrite_by_lua_block {{
                local status = edge.check()
                if status ~= 200 then
                    return ngx.exit(status)
                end
            }}"""
LUA_SERVER = f"""
        location = /return {{{{ return 200 "ok"; }}}}
        location = /whole {{{{
            {LUA_CHECK}
            return 200 "ok";
        }}}}
        location = /proxy {{{{
            {LUA_CHECK}
            proxy_pass http://peer;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}}}
"""


def build(*names):
    targets = [f"build/release/{name}" for name in
               ("bench/http/load", "bench/http/responder",
                "bench/http/keys", "ngx_http_payhub_module.so", *names)]
    subprocess.run(["make", "-s", "PROFILE=release", *targets], cwd=ROOT,
                   check=True, stdout=sys.stderr)


def built(name):
    return os.path.join(ROOT, "build/release", name)


def install_peers():
    subprocess.run([os.path.join(ROOT, "scripts/install-packages"), "peers"],
                   check=True, stdout=sys.stderr)


def cpu_ns(pid):
    """Time on a processor: the first figure of schedstat, in ns."""
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0])


def ticks(pid):
    """(user, kernel) time in ticks: coarse, for sums over many requests."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return int(fields[11]), int(fields[12])


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return file.read().split()


def ratio(peer, ours):
    return statistics.median(a / b for a, b in zip(peer, ours))


def wait(what, probe, seconds=10):
    deadline = time.monotonic() + seconds
    while not probe():
        if time.monotonic() > deadline:
            sys.exit(f"bench: {what} did not start in {seconds} s")
        time.sleep(0.05)


class Server:
    """Where requests go, and whose CPU time counts."""

    def __init__(self, name, port, process, pid):
        self.name, self.port = name, port
        self.process, self.pid = process, pid

    def memory_kib(self):
        """Resident memory that is not shared between processes."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            rows = dict(line.split(":", 1) for line in file)
        return sum(int(rows[name].split()[0]) for name in
                   ("RssAnon", "RssFile"))


class Rig:
    """One folder, any number of servers; `with` ends what it began."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="phedge.")
        os.chmod(self.folder, 0o755)
        self.processes = []
        self.responder = None
        self.user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        shutil.copy(built("ngx_http_payhub_module.so"), self.path("module.so"))
        self.write("secret", SECRET + "\n", 0o600)
        self.write("seal", SEAL + "\n", 0o600)
        self.own(self.folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.responder is not None:
            self.responder.stdin.close()
        for process in self.processes:
            if process is not self.responder and process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait(timeout=20)
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def own(self, path):
        if self.user:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(self.path(name), mode)
        self.own(self.path(name))

    def demote(self):
        if self.user:
            os.setgroups([])
            os.setgid(self.user.pw_gid)
            os.setuid(self.user.pw_uid)

    def spawn(self, core, *command, **more):
        process = subprocess.Popen(["taskset", "-c", core, *command],
                                   preexec_fn=self.demote, **more)
        self.processes.append(process)
        return process

    @staticmethod
    def port():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    def nginx_text(self, name, listen, modules, http, server, master=True):
        """`http` and `server` are templates of names of this rig."""
        names = {"folder": self.folder, "secret": self.path("secret"),
                 "frames": self.path("frames.sock"),
                 "peer": self.path("peer.sock"), "whole": WHOLE}
        loads = "\n".join(f"load_module {path};" for path in modules)
        return f"""{loads}
daemon off;
master_process {"on" if master else "off"};
worker_processes 1;
pid {self.path(name + ".pid")};
error_log {self.path(name + ".log")} warn;
events {{ worker_connections 512; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {self.path("body")};
    proxy_temp_path {self.path("proxy")};
    fastcgi_temp_path {self.path("fastcgi")};
    uwsgi_temp_path {self.path("uwsgi")};
    scgi_temp_path {self.path("scgi")};
{http.format(**names)}
    server {{
        listen {listen};
{server.format(**names)}
    }}
}}
"""

    def nginx(self, name, modules, http, server, core="0"):
        port = self.port()
        self.write(name + ".conf", self.nginx_text(
            name, f"127.0.0.1:{port}", modules, http, server))
        process = self.spawn(core, "nginx", "-p", self.folder, "-e",
                             self.path(name + ".log"), "-c",
                             self.path(name + ".conf"))
        self.wait_port(name, port, process)
        # the socket is there before its worker, which waits for keys to be read
        wait(name, lambda: children(process.pid), 60)
        return Server(name, port, process, int(children(process.pid)[0]))

    def payhub(self, name="payhub", http=HTTP, server=SERVER):
        return self.nginx(name, [self.path("module.so")], http, server)

    def backends(self):
        """What the edge's hops lead to: a worker and an HTTP server, both of
        which do nothing."""
        self.responder = self.spawn(
            "1", built("bench/http/responder"), self.path("frames.sock"),
            stdin=subprocess.PIPE)
        self.write("peer.conf", self.nginx_text(
            "peer", "unix:" + self.path("peer.sock"), [], "",
            f"        location / {{{{ return 200 '{ANSWER}'; }}}}".replace(
                ANSWER, ANSWER.replace("{", "{{").replace("}", "}}"))))
        self.spawn("1", "nginx", "-p", self.folder, "-e",
                   self.path("peer.log"), "-c", self.path("peer.conf"))
        for name in ("frames.sock", "peer.sock"):
            wait(name, lambda name=name: os.path.exists(self.path(name)))

    def lua(self):
        shutil.copy(os.path.join(ROOT, "bench/lua/edge.lua"),
                    self.path("edge.lua"))
        return self.nginx("lua", [f"{MODULES}/ndk_http_module.so",
                                  f"{MODULES}/ngx_http_lua_module.so"],
                          LUA_HTTP, LUA_SERVER)

    def haproxy(self):
        port = self.port()
        with open(os.path.join(ROOT, "bench/haproxy/edge.cfg"),
                  encoding="ascii") as file:
            text = file.read()
        text = text.replace("127.0.0.1:PORT", f"127.0.0.1:{port}").replace(
            "sha256,SECRET", "sha256," + base64.b64encode(
                SECRET.encode()).decode())
        self.write("haproxy.cfg", text)
        process = self.spawn("0", "haproxy", "-db", "-q", "-f",
                             self.path("haproxy.cfg"))
        self.wait_port("haproxy", port, process)
        return Server("haproxy", port, process, process.pid)

    def wait_port(self, name, port, process):
        def answers():
            if process.poll() is not None:
                sys.exit(f"bench: {name} did not start:\n" + self.log(name))
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return True
            except OSError:
                return False
        wait(name, answers, 60)

    def log(self, name):
        try:
            with open(self.path(name + ".log"), encoding="utf-8") as file:
                return file.read()
        except OSError:
            return ""

    def load(self, server, location, requests, connections=32, key="k",
             keys=0, draw="zipf", seconds=300):
        """(answered, good, ..., p50 in us): every answer is good, or there is
        no figure."""
        more = [str(keys), draw] if keys else []
        out = subprocess.run(
            ["taskset", "-c", "1", built("bench/http/load"), str(server.port),
             str(connections), str(requests), str(seconds), "POST", location,
             BODY, key, self.path("secret"), *more], check=True,
            capture_output=True, text=True).stdout.split()
        if int(out[1]) != requests:
            sys.exit(f"bench: {server.name} {location}: {out[1]} of {requests}"
                     f" good, {out[0]} answered, a status was {out[3]}\n"
                     + self.log(server.name)[-2000:])
        return float(out[5]) * 1000

    def cost_us(self, server, location, requests, **how):
        """CPU of the server per request."""
        before = cpu_ns(server.pid)
        self.load(server, location, requests, **how)
        return (cpu_ns(server.pid) - before) / requests / 1000
