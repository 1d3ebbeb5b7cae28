"""A proxy on the wire to MariaDB that cuts a transaction at its COMMIT.

    wire = Commits(near_path, server_path)
    wire.arm("refund", "after")     the next transaction that writes a refund:
                                    its COMMIT is done, the answer never comes
    wire.arm("refund", "before")    its COMMIT never arrives
    wire.cut_at                     when it was cut; None = not yet

Only the connection of that transaction ends; all others go on.
"""

import threading
import time

from payhub_proxy import Proxy

COMMIT = b"\x07\0\0\0\x03COMMIT"  # a packet of the client's own
# what a transaction has sent that does this
WRITES = {
    "payment": b"INSERT INTO payment_no ",
    "settle": b"UPDATE attempt SET ",
    "refund": b"INSERT INTO refund_no ",
    "refund settle": b"UPDATE refund SET ",
    "kept answer": b"INSERT INTO idem ",
}
OVERLAP = max(map(len, WRITES.values())) - 1


class Commits(Proxy):
    def __init__(self, at, to):
        self.arming = threading.Lock()
        self.armed = None  # (bytes, "before" or "after")
        self.cut_at = None
        super().__init__(at, to)

    def arm(self, what, when):
        assert when in ("before", "after"), when
        with self.arming:
            self.armed, self.cut_at = (WRITES[what], when), None

    def wait(self, seconds):
        """True once it was cut."""
        end = time.monotonic() + seconds
        while self.cut_at is None and time.monotonic() < end:
            time.sleep(0.01)
        return self.cut_at is not None

    def take(self, seen):
        """"before", "after" or None, for a transaction that has sent this."""
        with self.arming:
            if self.armed is None or self.armed[0] not in seen:
                return None
            when, self.armed = self.armed[1], None
            self.cut_at = time.monotonic()
            return when

    def may_pass(self, link, data, is_asked):
        if not is_asked:
            return link.get("cut") != "after"  # the answer to COMMIT
        text = link.get("tail", b"") + data
        link.setdefault("seen", set()).update(
            mark for mark in WRITES.values() if mark in text)
        link["tail"] = text[-OVERLAP:]
        if data.endswith(COMMIT):
            link["cut"] = self.take(link["seen"])
            link.update(seen=set(), tail=b"")
        return link.get("cut") != "before"
