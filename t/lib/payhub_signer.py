"""Signatures of channels for tests that play one: made by node's crypto, not
by our code."""

import base64
import json
import os
import subprocess
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
KEYS = os.path.join(os.path.dirname(HERE), "data", "vectors", "keys")


class Signer:
    def __init__(self):
        self.child = subprocess.Popen(
            ["node", os.path.join(HERE, "signer.mjs")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.lock = threading.Lock()

    def ask(self, **asked):
        asked["text"] = base64.b64encode(asked["text"]).decode()
        with self.lock:
            self.child.stdin.write(json.dumps(asked).encode() + b"\n")
            self.child.stdin.flush()
            return self.child.stdout.readline().decode().strip()

    def rsa(self, key, text):
        """Base64 of the signature by a file of t/data/vectors/keys."""
        return self.ask(key=os.path.join(KEYS, key), text=text)

    def seal(self, key, nonce, aad, text):
        """Base64 of text and tag."""
        return self.ask(seal=key, nonce=nonce, aad=aad, text=text)

    def end(self):
        self.child.stdin.close()
        self.child.wait(timeout=10)
