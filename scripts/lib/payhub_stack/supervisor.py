"""The supervisor: starts the processes in order, starts again what dies, tells
nginx about new keys, and ends all of it.  One thread, one loop; it runs as the
unprivileged user, in a session of its own, until `stack down` or SIGTERM.

Anything that dies before the stack is ready is a failure of `up`; anything
that dies later is started again.
"""

import json
import os
import selectors
import signal
import socket
import time

from . import bootstrap, probes, services
from .errors import StackError
from .layout import file_write
from .process import kill_quietly, start_ticks

TICK_S = 0.1  # how often keys.conf is looked at
START_WAIT_S = 90
READY_WAIT_S = 30


class Supervisor:
    def __init__(self, layout, options, progress):
        self.layout = layout
        self.options = options
        self.progress = progress  # (dict) -> None, raises when nobody listens
        self.processes = []
        self.nginx = None
        self.keys_seen = None
        self.up = False
        self.must_end = False
        self.env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                    "LANG": "C.UTF-8", "HOME": layout.root}
        self.cli_env = services.sanitizer_env(layout, options.build, "cli")
        self.selector = selectors.DefaultSelector()
        self.control = None

    # -- starting ---------------------------------------------------------

    def say(self, text):
        print(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), text,
              flush=True)
        if not self.up:
            self.progress({"say": text})

    def listen(self):
        """Signals and the control socket wake the loop."""
        reader, writer = socket.socketpair()
        for end in (reader, writer):
            end.setblocking(False)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.on_term)
        self.wakeups = (reader, writer)
        self.selector.register(reader, selectors.EVENT_READ,
                               self.on_wakeup)
        path = self.layout.control_socket
        if os.path.exists(path):
            os.unlink(path)
        self.control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.control.bind(path)
        self.control.listen(8)
        self.selector.register(self.control, selectors.EVENT_READ,
                               self.on_control)

    def start(self, process):
        """Starts one process and waits until it is ready."""
        self.processes.append(process)
        if process.ready_socket is not None:
            self.selector.register(process.ready_socket,
                                   selectors.EVENT_READ,
                                   process.ready_socket.read)
        began = time.monotonic()
        process.spawn(self.env)
        self.save()
        while process.state != "running":
            self.turn()
            if self.must_end:
                raise StackError("asked to stop")
            if time.monotonic() - began > START_WAIT_S:
                raise StackError(f"{process.name} was not ready within "
                                 f"{START_WAIT_S} s", log=process.log)
        self.save()
        self.say(f"{process.name} ready, pid {process.pid}, "
                 f"{time.monotonic() - began:.1f} s")

    def bring_up(self):
        layout, options = self.layout, self.options
        self.listen()
        bootstrap.secrets_make(layout)
        bootstrap.certificates_make(layout)
        bootstrap.configs_write(layout, options)
        if layout.has_store:
            self.store_up()
        bootstrap.schema_up(layout, self.cli_env)
        app = bootstrap.app_once(layout, options, self.cli_env)
        if layout.has_store:
            bootstrap.account_once(layout, options, self.cli_env)
            self.start(services.sandbox(layout, options))
        self.say("schema, app and sandbox account ready")
        for number in range(1, options.workers + 1):
            self.start(services.worker(layout, options, number))
        if layout.has_store:
            self.start(services.sidecar(layout, options))
        self.keys_seen = self.keys_mark()
        self.nginx = services.nginx(layout, options)
        self.start(self.nginx)
        self.wait_readyz()
        self.progress({"ready": {"app": app, "processes": self.rows()}})
        self.up = True

    def store_up(self):
        layout = self.layout
        if not bootstrap.database_made(layout):
            self.say("making an empty database")
        bootstrap.database_install(layout)
        self.start(services.mariadb(layout))
        bootstrap.database_users(layout)
        self.start(services.redis(layout))

    def wait_readyz(self):
        end = time.monotonic() + READY_WAIT_S
        while not probes.http_ok(self.options.port, "/readyz"):
            self.turn()
            if self.must_end:
                raise StackError("asked to stop")
            if time.monotonic() > end:
                raise StackError("GET /readyz was not 200 within "
                                 f"{READY_WAIT_S} s", log=self.nginx.log)

    # -- the loop ---------------------------------------------------------

    def turn(self):
        """One turn: what woke us, who died, who is due, who became ready."""
        for key, _ in self.selector.select(TICK_S):
            key.data()
        for process in self.processes:
            if process.has_exited():
                self.on_exit(process)
            if process.state == "restarting" \
                    and time.monotonic() >= process.due_at:
                self.start_again(process)
            if process.check_ready():
                self.save()
        self.keys_watch()

    def on_exit(self, process):
        how = process.reap()
        if not self.up:
            process.state = "stopped"
            raise StackError(f"{process.name} ended while the stack was "
                             f"starting: {how}", log=process.log)
        process.schedule()
        self.say(f"{process.name} ended ({how}), again in "
                 f"{process.due_at - time.monotonic():.1f} s, restart "
                 f"{process.restarts}")
        self.save()

    def start_again(self, process):
        if process is self.nginx:
            self.keys_seen = self.keys_mark()
        try:
            process.spawn(self.env)
        except OSError as error:
            self.say(f"{process.name}: {error}")
            process.schedule()
        self.save()

    def keys_mark(self):
        try:
            info = os.stat(self.layout.keys_conf)
        except FileNotFoundError:
            return None
        return (info.st_ino, info.st_size, info.st_mtime_ns)

    def keys_watch(self):
        """A HUP before nginx has its handlers would end it: it waits until
        nginx has answered once."""
        if self.nginx is None or self.nginx.state != "running":
            return
        mark = self.keys_mark()
        if mark != self.keys_seen and mark is not None:
            self.keys_seen = mark
            kill_quietly(self.nginx.pid, signal.SIGHUP)
            self.say("keys.conf changed, nginx told")

    def on_wakeup(self):
        try:
            while self.wakeups[0].recv(512):
                pass
        except BlockingIOError:
            pass

    def on_term(self, *_):
        self.must_end = True

    # -- questions from outside --------------------------------------------

    def on_control(self):
        link, _ = self.control.accept()
        with link:
            link.settimeout(1.0)
            try:
                if link.recv(64).strip() == b"status":
                    link.sendall(json.dumps(self.rows()).encode())
            except OSError:
                pass

    def rows(self):
        me = os.getpid()
        return [{"name": "supervisor", "pid": me, "state": "running",
                 "restarts": 0, "ticks": start_ticks(me)},
                *(process.row() for process in self.processes)]

    def save(self):
        file_write(self.layout.state_file, json.dumps(self.rows()), 0o600)

    # -- ending ------------------------------------------------------------

    def end_all(self):
        """nginx first, so that nothing new comes in; the stores last."""
        order = {"nginx": 0, "worker": 1, "sidecar": 2, "sandbox": 3,
                 "redis": 4, "mariadb": 5}
        for process in sorted(self.processes, key=lambda process:
                              order[process.name.partition("_")[0]]):
            process.finish()
        for path in (self.layout.control_socket, self.layout.state_file):
            try:
                os.unlink(path)
            except FileNotFoundError:
                pass

    def run(self):
        try:
            self.bring_up()
        except (StackError, OSError, ValueError) as error:
            self.say_failed(error)
            self.end_all()
            self.progress_quietly({"ended": True})
            return 1
        while not self.must_end:
            try:
                self.turn()
            except OSError as error:  # such as a full disk: the watching goes on
                self.say_quietly(f"{error}")
                time.sleep(TICK_S)
        self.say_quietly("ending")
        self.end_all()
        self.say_quietly("ended")
        return 0

    def say_quietly(self, text):
        try:
            self.say(text)
        except OSError:
            pass

    def say_failed(self, error):
        self.progress_quietly({"failed": str(error),
                               "log": getattr(error, "log", None)})
        print("failed:", error, flush=True)

    def progress_quietly(self, message):
        try:
            self.progress(message)
        except OSError:
            pass
