"""Where the files of a stack are, and under which user they are made.

D is the folder the caller named.  R is the folder everything really lives in:
D itself where the user that runs the stack can write there and unix socket
paths stay short enough, else a fresh folder under /var/tmp that D points to
by symbolic links.
"""

import json
import os
import pwd
import re
import shutil
import subprocess
import tempfile

from .errors import StackError

USER = "payhub"
SOCKET_PATH_MAX = 107  # sizeof(sun_path) - 1
LONGEST_SOCKET = "run/worker_64.ready"
RECORD = "stack.json"
ENV = "stack.env"
LINKS = ("bin", "conf", "data", "keys", "keys.conf", "log", "run", "tls")


class Layout:
    """Names under R.  Only `run`, `conf`, `keys` and `data` hold what others
    must not reach; they are 0700."""

    PRIVATE = ("conf", "keys", "data", "run", "tmp")
    PUBLIC = ("bin", "log", "tls", "share")

    def __init__(self, root, store_root=None):
        """store_root: of the stack whose MariaDB, Redis and sandbox this one
        uses."""
        self.root = root
        self.store_root = store_root or root
        self.has_store = self.store_root == root

    def path(self, *parts):
        return os.path.join(self.root, *parts)

    def log(self, name):
        return self.path("log", name + ".log")

    def worker_socket(self, number):
        return self.path("run", f"worker_{number}.sock")

    @property
    def mysql_socket(self):
        return os.path.join(self.store_root, "run", "mysql.sock")

    @property
    def redis_socket(self):
        return os.path.join(self.store_root, "run", "redis.sock")

    @property
    def trust(self):
        """Certificates of who signed the stack's own, and the sandbox's."""
        return self.path("tls", "ca.pem" if self.has_store else "trust.pem")

    def store_key(self, name):
        """A secret that goes with the data: passwords, the seal."""
        return os.path.join(self.store_root, "keys", name)

    @property
    def admin_socket(self):
        return self.path("run", "nginx-admin.sock")

    @property
    def control_socket(self):
        return self.path("run", "control.sock")

    @property
    def state_file(self):
        return self.path("run", "state.json")

    @property
    def config(self):
        return self.path("conf", "payhub.conf")

    @property
    def keys_conf(self):
        return self.path("keys.conf")

    def make_folders(self):
        for name in self.PRIVATE:
            os.makedirs(self.path(name), mode=0o700, exist_ok=True)
            os.chmod(self.path(name), 0o700)
        for name in self.PUBLIC:
            os.makedirs(self.path(name), mode=0o755, exist_ok=True)
            os.chmod(self.path(name), 0o755)


def run_user():
    """The account everything runs as: the caller, or for root the system user
    `payhub`, made on first need.  None = no change of user."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(USER)
    except KeyError:
        pass
    made = subprocess.run(
        ["/usr/sbin/useradd", "--system", "--user-group", "--no-create-home",
         "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", USER],
        capture_output=True, text=True)
    try:
        return pwd.getpwnam(USER)  # another `up` may have made it meanwhile
    except KeyError:
        raise StackError(f"user {USER} cannot be made: {made.stderr.strip()}")


def become(user):
    """Gives up root for good."""
    if user is None:
        return
    os.setgroups([])
    os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
    os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)


def writable_by(user, folder):
    """Asked of the kernel by a child under that user, so that modes, parents
    and access lists all count."""
    child = os.fork()
    if child == 0:
        try:
            become(user)
            os._exit(0 if os.access(folder, os.R_OK | os.W_OK | os.X_OK)
                     else 1)
        except BaseException:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def is_plain(folder):
    """nginx.conf and payhub.conf take the path as it is, and socket paths
    under it fit."""
    return re.fullmatch(r"[A-Za-z0-9/._@,=+-]+", folder) is not None and len(os.fsencode(os.path.join(folder, LONGEST_SOCKET))) \
        <= SOCKET_PATH_MAX


def record_read(folder):
    """What the last `up` wrote down about this D, or None."""
    try:
        with open(os.path.join(folder, RECORD), encoding="utf-8") as file:
            record = json.load(file)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StackError(f"{folder}/{RECORD}: {error}; expected the record of "
                         "an earlier `stack up`")
    return record


def file_write(path, text, mode=0o600):
    """Temporary file and rename: a reader never sees half a file, and a link
    that waits under the name is replaced, not followed."""
    folder = os.path.dirname(path)
    handle, temp = tempfile.mkstemp(dir=folder, prefix=".tmp-")
    try:
        os.fchmod(handle, mode)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(temp, path)
    except BaseException:
        os.unlink(temp)
        raise


def claim(folder, user):
    """Makes D ready and returns R.  D is handed over to the user only when it
    is ours or empty: a folder with other people's files keeps its owner."""
    record = record_read(folder)
    if record is not None and os.path.isdir(record["root"]):
        return record["root"]
    os.makedirs(folder, mode=0o755, exist_ok=True)
    if user is not None and not os.listdir(folder):
        os.chown(folder, user.pw_uid, user.pw_gid)
    if is_plain(folder) and writable_by(user, folder):
        return folder
    root = tempfile.mkdtemp(prefix="payhub-", dir="/var/tmp")
    if user is not None:
        os.chown(root, user.pw_uid, user.pw_gid)
    os.chmod(root, 0o755)
    return root


def link(folder, root):
    """D shows what really lives in R."""
    if folder == root:
        return
    for name in LINKS:
        path = os.path.join(folder, name)
        if os.path.islink(path):
            os.unlink(path)
        if os.path.lexists(path):
            raise StackError(f"{path} is in the way: expected a link to "
                             f"{root}/{name}; move it or take another --dir")
        os.symlink(os.path.join(root, name), path)


def wipe(folder, root):
    """Removes everything that `up` made, and D itself when nothing else is
    left in it."""
    for name in (*LINKS, *Layout.PRIVATE, *Layout.PUBLIC, RECORD, ENV):
        path = os.path.join(folder, name)
        if os.path.islink(path) or os.path.isfile(path):
            os.unlink(path)
        elif os.path.isdir(path):
            shutil.rmtree(path)
    if folder != root:
        shutil.rmtree(root, ignore_errors=True)
    try:
        os.rmdir(folder)
    except OSError:
        pass
