"""One child of the supervisor: started in a session of its own, so that the
children it leaves behind (nginx workers of a killed master) are found by their
process group and ended before it is started again.

A dead child is left unreaped until its group is empty: as long as it is a
zombie its number cannot be given to a stranger.
"""

import os
import signal
import time

GROUP_WAIT_S = 0.3  # between TERM and KILL for a dead process's group
DELAY_MIN_S = 0.1
DELAY_MAX_S = 0.8
STEADY_S = 5.0  # a run this long resets the delay


def stat_fields(pid):
    """Fields of /proc/PID/stat from the state on, or None."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii",
                  errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None


def start_ticks(pid):
    """With the pid, the name of a process that is never used twice."""
    fields = stat_fields(pid)
    return int(fields[19]) if fields else None


def is_alive(pid, ticks):
    fields = stat_fields(pid)
    return fields is not None and int(fields[19]) == ticks \
        and fields[0] not in ("Z", "X")


def group_members(group):
    """Living processes of a process group."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        fields = stat_fields(name)
        if fields and int(fields[2]) == group and fields[0] not in ("Z", "X"):
            found.append(int(name))
    return found


def orphans_of(leader, ticks):
    """Members of the session of a leader that is gone or a zombie.  Its number
    stays taken as long as the session has members, so they are its own."""
    if start_ticks(leader) not in (None, ticks) or is_alive(leader, ticks):
        return []
    return [pid for pid in group_members(leader)
            if (start_ticks(pid) or 0) >= ticks]


def kill_quietly(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def group_end(group, wait_s=GROUP_WAIT_S):
    """Ends what is left of a group; returns how many there were."""
    members = group_members(group)
    for pid in members:
        kill_quietly(pid, signal.SIGTERM)
    end = time.monotonic() + wait_s
    while time.monotonic() < end and group_members(group):
        time.sleep(0.01)
    for pid in group_members(group):
        kill_quietly(pid, signal.SIGKILL)
    return len(members)


class Process:
    """stopped -> starting -> running -> restarting -> starting ..."""

    def __init__(self, name, argv, log, probe, env=None, stale=(),
                 stop=(signal.SIGTERM,), stop_wait_s=15.0, ready_socket=None):
        self.name = name
        self.argv = argv
        self.log = log
        self.probe = probe  # () -> bool, asked while starting
        self.env = env or {}
        self.first_env = {}  # for the first start only
        self.stale = stale  # sockets a killed predecessor leaves
        self.stop = stop  # signals to end it, gentlest first
        self.stop_wait_s = stop_wait_s
        self.ready_socket = ready_socket
        self.state = "stopped"
        self.pid = 0
        self.ticks = 0
        self.restarts = 0
        self.started_at = 0.0
        self.due_at = 0.0
        self.delay_s = DELAY_MIN_S

    def spawn(self, base_env):
        for path in self.stale:
            try:
                os.unlink(path)
            except FileNotFoundError:
                pass
        env = {**base_env, **self.env, **self.first_env}
        self.first_env = {}
        if self.ready_socket is not None:
            self.ready_socket.ready = False
            env["NOTIFY_SOCKET"] = self.ready_socket.path
        log = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            self.pid = os.posix_spawn(
                self.argv[0], self.argv, env, setsid=True, setsigmask=[],
                setsigdef=[signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT,
                           signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD],
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, log, 1),
                    (os.POSIX_SPAWN_DUP2, log, 2)])
        finally:
            os.close(log)
        self.ticks = start_ticks(self.pid) or 0
        self.started_at = time.monotonic()
        self.state = "starting"

    def check_ready(self):
        if self.state == "starting" and self.probe():
            self.state = "running"
            return True
        return False

    def has_exited(self):
        return self.pid != 0 and os.waitid(
            os.P_PID, self.pid,
            os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def reap(self):
        """Only after has_exited().  Returns how it ended, in words."""
        orphans = group_end(self.pid)
        status = os.waitpid(self.pid, 0)[1]
        self.pid = 0
        words = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) \
            else f"exit {os.WEXITSTATUS(status)}"
        return words + (f", {orphans} left behind ended" if orphans else "")

    def schedule(self):
        """Start again: at once after a steady run, within 1 s always."""
        now = time.monotonic()
        if now - self.started_at >= STEADY_S:
            self.delay_s = DELAY_MIN_S
        self.due_at = now + self.delay_s
        self.delay_s = min(2 * self.delay_s, DELAY_MAX_S)
        self.restarts += 1
        self.state = "restarting"

    def finish(self):
        """Ends it for good, waiting; gentlest signal first, KILL last."""
        if self.pid == 0:
            self.state = "stopped"
            return
        for number in (*self.stop, signal.SIGKILL):
            kill_quietly(self.pid, number)
            end = time.monotonic() + self.stop_wait_s
            while time.monotonic() < end and not self.has_exited():
                time.sleep(0.01)
            if self.has_exited():
                break
        self.reap()
        self.state = "stopped"

    def row(self):
        return {"name": self.name, "pid": self.pid, "state": self.state,
                "restarts": self.restarts, "ticks": self.ticks}
