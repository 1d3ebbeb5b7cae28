"""Receivers of webhooks, and workers beside the first one."""

import socket
import threading
import time

from rig import Closed, Link, payhub_peer


class Receiver:
    """`self.plan[path]` is a function (receiver, number of this try of the
    event) that returns (status, headers); other paths answer 200."""

    def __init__(self, host="127.0.0.1", port=0):
        self.got = []      # (path, webhook-id, headers, body, when, status)
        self.plan = {}
        self.now = {}      # path -> at once
        self.most = {}     # path -> the most at once
        self.lock = threading.Lock()
        peer = self

        class Handler(payhub_peer.Handler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                path, name = self.path, self.headers["webhook-id"]
                with peer.lock:
                    tries = 1 + sum(1 for p, n, *_ in peer.got
                                    if (p, n) == (path, name))
                    peer.now[path] = peer.now.get(path, 0) + 1
                    peer.most[path] = max(peer.most.get(path, 0),
                                          peer.now[path])
                    row = [path, name, dict(self.headers), body, time.time(),
                           None]
                    peer.got.append(row)
                status, headers = peer.plan.get(
                    path, lambda *_: (200, ()))(peer, tries)
                with peer.lock:
                    peer.now[path] -= 1
                    row[5] = status
                if status is None:
                    self.close_connection = True
                    return self.connection.shutdown(socket.SHUT_RDWR)
                self.send_response(status)
                for header, value in headers:
                    self.send_header(header, value)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return None

        self.server = payhub_peer.Server(Handler, host, port)
        self.url = self.server.url

    def of(self, path):
        with self.lock:
            return [row for row in self.got if row[0] == path]


class Counter:
    """Counts connections; answers with `said` and closes."""

    def __init__(self, host="127.0.0.1", port=0, family=socket.AF_INET,
                 said=b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"):
        self.count, self.heard = 0, []
        self.socket = socket.socket(family)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((host, port))
        self.socket.listen(64)
        self.port = self.socket.getsockname()[1]
        self.said = said
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            link, _ = self.socket.accept()
            self.count += 1
            threading.Thread(target=self.serve, args=(link,),
                             daemon=True).start()

    def serve(self, link):
        try:
            self.heard.append(link.recv(65536))
            link.sendall(self.said)
        except OSError:
            pass
        finally:
            link.close()


def beside(rig, name, roles, env=None, ready=True):
    """One more worker of the same configuration, with a socket of its own."""
    rig.start(name, [rig.path("payhub-worker"), "--config",
                     rig.path("payhub.conf")],
              {"ASAN_OPTIONS": "detect_leaks=0", "PAYHUB_WORKER_ROLES": roles,
               "PAYHUB_WORKER_LISTEN": "unix:" + rig.path(name + ".sock"),
               **(env or {})})
    if ready:
        rig.wait(name, lambda: is_ready(rig, name), rig.children[name])


def is_ready(rig, name):
    try:
        with Link(rig.path(name + ".sock"), 5) as link:
            return link.call("GET", "/readyz").status == 200
    except (OSError, Closed):
        return False


def reports(rig, *names):
    """Sanitizer reports in these logs."""
    return [line for name in names for line in rig.log(name).splitlines()
            if "Sanitizer:" in line or "runtime error:" in line]


def tasks(rig, what="status", where="1=1"):
    return rig.sql(f"SELECT {what} FROM notify_task WHERE {where} ORDER BY id")


def is_testing(rig):
    """Does this build have crash points?"""
    with open(rig.path("payhub-worker"), "rb") as file:
        return b"PAYHUB_CRASH_AT" in file.read()


def payments(rig, count, url=None, threads=8, **more):
    """Makes `count` payments that ask for a webhook; their answers."""
    made, lock = [], threading.Lock()

    def run(number):
        for _ in range(number):
            answer = rig.pay(notify_url=url, **more)
            with lock:
                made.append(answer)
    share = [count // threads + (i < count % threads) for i in range(threads)]
    all_of_them = [threading.Thread(target=run, args=(n,)) for n in share]
    [t.start() for t in all_of_them]
    [t.join() for t in all_of_them]
    return made

