"""A proxy for tests between a program and its peer, TCP or unix: it passes
bytes on, late, not at all for a while, or hangs up.

    proxy = Proxy(("127.0.0.1", 0), ("127.0.0.1", 8443))   # or paths
    proxy.hold()      nothing passes either way; what came is kept
    proxy.cut()       all connections end, new ones are refused
    proxy.delay_s = 2 each piece waits so long
    proxy.go()        as before
"""

import os
import socket
import threading
import time

PIECE = 65536


def link_make(address):
    """A connected socket; `address` is a path or (host, port)."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    link = socket.socket(family)
    link.settimeout(10)
    try:
        link.connect(address)
    except OSError:
        link.close()
        raise
    link.settimeout(None)
    return link


class Proxy:
    def __init__(self, at, to):
        self.to = to
        self.delay_s = 0
        self.is_refusing = self.is_ending = False
        self.open = threading.Event()
        self.open.set()
        self.lock = threading.Lock()
        self.links = set()
        family = socket.AF_UNIX if isinstance(at, str) else socket.AF_INET
        self.server = socket.socket(family)
        self.server.bind(at)
        self.server.listen(256)
        self.at = self.server.getsockname()
        if isinstance(at, str):
            os.chmod(at, 0o777)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while not self.is_ending:
            try:
                near = self.server.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.join, args=(near,),
                             daemon=True).start()

    def join(self, near):
        self.open.wait()
        try:
            if self.is_refusing:
                raise OSError("refused")
            far = link_make(self.to)
        except OSError:
            near.close()
            return
        with self.lock:
            self.links |= {near, far}
        link = {}
        for source, sink, is_asked in ((near, far, True), (far, near, False)):
            threading.Thread(target=self.pump, args=(source, sink, link,
                                                     is_asked),
                             daemon=True).start()

    def may_pass(self, link, data, is_asked):
        """False = the link ends here.  `link` is a dict of the link's own."""
        return True

    def pump(self, source, sink, link, is_asked):
        try:
            while data := source.recv(PIECE):
                if self.delay_s:
                    time.sleep(self.delay_s)
                self.open.wait()
                if not self.may_pass(link, data, is_asked):
                    break
                sink.sendall(data)
        except OSError:
            pass
        for link in (source, sink):
            try:
                link.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        with self.lock:
            self.links -= {source, sink}

    # --- faults

    def hold(self):
        self.open.clear()

    def cut(self):
        self.is_refusing = True
        self.drop()

    def drop(self):
        """All connections end."""
        with self.lock:
            links = list(self.links)
        for link in links:
            try:
                link.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def go(self):
        self.is_refusing = False
        self.delay_s = 0
        self.open.set()

    def close(self):
        self.is_ending = True
        self.go()
        self.server.close()
        self.drop()
