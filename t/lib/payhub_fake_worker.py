"""A worker that is none: it takes pulls of payhub_sync and answers what a test
tells it to."""

import json
import os
import socket
import struct
import threading
import time

from payhub_frame import TYPES, encode


def push(body, kind="SYNC_PUSH"):
    """A reply with that JSON, or those bytes."""
    text = body if isinstance(body, bytes) else json.dumps(
        body, ensure_ascii=False).encode()
    return lambda ident, _: [encode(kind, b"", text, request_id=ident)]


class Fake:
    """Answers each pull by what `reply` makes of (request id, body): bytes to
    send, seconds (float) to wait, None to hang up."""

    def __init__(self, path):
        self.path = path
        self.reply = push({"v": 1})
        self.pulls = 0
        self.last = None
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(self.path)
        os.chmod(self.path, 0o777)
        self.server.listen(16)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            link, _ = self.server.accept()
            threading.Thread(target=self.talk, args=(link,),
                             daemon=True).start()

    def talk(self, link):
        data = b""
        try:
            while piece := link.recv(65536):
                data += piece
                while len(data) >= 48:
                    size = 48 + sum(struct.unpack_from("<II", data, 32))
                    if len(data) < size:
                        break
                    assert data[5] == TYPES["SYNC_PULL"]
                    self.pulls += 1
                    self.last = json.loads(data[48:size])
                    for part in self.reply(data[8:24], self.last):
                        if part is None:
                            return link.close()
                        if isinstance(part, float):
                            time.sleep(part)
                        else:
                            link.sendall(part)
                    data = data[size:]
        except OSError:
            pass
        link.close()
