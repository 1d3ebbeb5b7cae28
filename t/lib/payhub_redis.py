"""Redis servers that belong together, for tests: a master with replicas under
Sentinels, and a Cluster.  They run in the folder of a payhub_private.Private
and end with it; on free ports of 127.0.0.1, since they must find each other.
"""

import os
import random
import socket

from payhub_private import wait


def free_ports(count, above=0):
    """Ports nobody listens on, nor on port + above."""
    found = []
    while len(found) < count:
        port = random.randrange(20000, 31000)
        taken = False
        for one in {port, port + above}:
            with socket.socket() as link:
                try:
                    link.bind(("127.0.0.1", one))
                except OSError:
                    taken = True
        if not taken and port not in found:
            found.append(port)
    return found


class Servers:
    """`password` is that of the default user everywhere, if there is one."""

    def __init__(self, rig, password=""):
        self.rig = rig
        self.ports = []
        self.password = password

    def password_of(self, port):
        return self.password

    def login(self):
        """Options of a server."""
        return ["--requirepass", self.password, "--masterauth",
                self.password] if self.password else []

    def up(self, port, *words):
        """Also after a kill, with the data that is there."""
        folder = self.rig.path(f"redis-{port}")
        if not os.path.exists(folder):
            os.makedirs(folder)
            self.rig.give(folder)
        name = f"redis-{port}"
        child = self.rig.start(name, [
            "/usr/bin/redis-server", "--port", str(port), "--bind",
            "127.0.0.1", "--dir", folder, "--save", "", *self.login(),
            *words])
        self.rig.wait(name, lambda: self.do(port, "PING") == "PONG", child)
        return child

    def env(self, port):
        """For redis-cli."""
        password = self.password_of(port)
        return {"REDISCLI_AUTH": password} if password else {}

    def do(self, port, *words):
        return self.rig.run(["redis-cli", "-p", str(port), *words],
                            env=self.env(port)).stdout.strip()

    def kill(self, port):
        self.rig.kill(self.rig.children[f"redis-{port}"])


class Sentinels(Servers):
    """One master, two replicas, three Sentinels; the master's name is m.
    `own` is the Sentinels' password, `acl` a further line for them."""

    down_after_ms = 700

    def __init__(self, rig, password="", own="", acl=""):
        super().__init__(rig, password)
        self.own = own
        self.ports = free_ports(3)
        self.watchers = free_ports(3)
        login = f"sentinel auth-pass m {password}\n" if password else ""
        if own:
            login += f"requirepass {own}\nsentinel sentinel-pass {own}\n"
        for port in self.ports:
            self.up(port, *self.words(port, self.ports[0]))
        for port in self.watchers:
            path = rig.write(f"sentinel-{port}.conf", (
                f"port {port}\nbind 127.0.0.1\ndir {rig.dir}\n"
                f"sentinel monitor m 127.0.0.1 {self.ports[0]} 2\n"
                f"sentinel down-after-milliseconds m {self.down_after_ms}\n"
                f"sentinel failover-timeout m 3000\n{login}{acl}"))
            rig.start(f"sentinel-{port}",
                      ["/usr/bin/redis-server", path, "--sentinel"])
        rig.wait("Sentinels", self.is_whole)

    def password_of(self, port):
        return self.own if port in self.watchers else self.password

    def words(self, port, master):
        words = ["--repl-diskless-sync-delay", "0",
                 "--repl-diskless-load", "swapdb"]
        if port != master:
            words += ["--replicaof", "127.0.0.1", str(master)]
        return words

    def is_whole(self):
        """Every Sentinel knows the two others and both replicas."""
        for port in self.watchers:
            words = self.do(port, "SENTINEL", "MASTER", "m").split()
            if not ("num-slaves" in words
                    and words[words.index("num-slaves") + 1] == "2"
                    and words[words.index("num-other-sentinels") + 1] == "2"
                    and words[words.index("flags") + 1] == "master"):
                return False
        return self.replicas_are_linked()

    def replicas_are_linked(self):
        """Nobody else can be promoted."""
        master = self.master()
        return all("master_link_status:up" in self.do(port, "INFO",
                                                      "replication")
                   for port in self.ports if port != master)

    def settings(self):
        """Of a payhub.conf, as payhub_private.configure takes them."""
        return {"redis__sentinels": " ".join(f"127.0.0.1:{port}"
                                             for port in self.watchers),
                "redis__master": "m"}

    def master(self):
        said = self.do(self.watchers[0], "SENTINEL",
                       "get-master-addr-by-name", "m").split()
        return int(said[1]) if len(said) == 2 else 0

    def move(self, kill=False, seconds=20):
        """Another one becomes the master; its port.  A killed one comes back
        as a replica."""
        old = self.master()
        if kill:
            self.kill(old)
        elif self.do(self.watchers[0], "SENTINEL", "FAILOVER", "m") != "OK":
            return old
        new = wait(lambda: self.master() not in (0, old) and self.master(),
                   seconds)
        if kill:
            self.up(old, *self.words(old, new or old))
        return new or old


class Cluster(Servers):
    """Three masters, without replicas."""

    def __init__(self, rig, password=""):
        super().__init__(rig, password)
        self.ports = free_ports(3, above=10000)
        for port in self.ports:
            self.up(port, "--cluster-enabled", "yes",
                    "--cluster-node-timeout", "2000",
                    "--cluster-require-full-coverage", "no")
        made = rig.run(["redis-cli", "--cluster", "create",
                        *(f"127.0.0.1:{port}" for port in self.ports),
                        "--cluster-yes"], env=self.env(self.ports[0]))
        if made.returncode != 0:
            raise RuntimeError(made.stdout + made.stderr)
        rig.wait("Cluster", lambda: all(
            "cluster_state:ok" in self.do(port, "CLUSTER", "INFO")
            for port in self.ports))

    def settings(self):
        return {"redis__cluster": " ".join(f"127.0.0.1:{port}"
                                           for port in self.ports)}

    def slot(self, key):
        return int(self.do(self.ports[0], "CLUSTER", "KEYSLOT", key))

    def id_of(self, port):
        return self.do(port, "CLUSTER", "MYID")

    def owner(self, slot):
        """The port of the master that has the slot."""
        for line in self.do(self.ports[0], "CLUSTER", "NODES").splitlines():
            words = line.split()
            for word in words[8:]:
                first, _, last = word.partition("-")
                if first.isdigit() and int(first) <= slot <= int(
                        last or first):
                    return int(words[1].split("@")[0].split(":")[1])
        return 0

    def move_slot(self, slot, target, half=False):
        """Hands a slot over with its keys; `half` leaves it under way."""
        source = self.owner(slot)
        self.do(target, "CLUSTER", "SETSLOT", str(slot), "IMPORTING",
                self.id_of(source))
        self.do(source, "CLUSTER", "SETSLOT", str(slot), "MIGRATING",
                self.id_of(target))
        for key in self.do(source, "CLUSTER", "GETKEYSINSLOT", str(slot),
                           "1000").splitlines():
            self.do(source, "MIGRATE", "127.0.0.1", str(target), key, "0",
                    "5000", *(["AUTH", self.password] if self.password
                              else []))
        if not half:
            for port in (target, source, *self.ports):
                self.do(port, "CLUSTER", "SETSLOT", str(slot), "NODE",
                        self.id_of(target))
        return source
