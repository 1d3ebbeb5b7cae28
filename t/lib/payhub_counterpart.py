"""A channel's counterpart: a node program of t/counterparts that checks what
payhub sends by the channel's own SDK and signs what it answers."""

import json
import os
import shutil
import ssl
import subprocess
import threading
import urllib.request

import payhub_npm

TREE = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
FOLDER = os.path.join(TREE, "t", "counterparts")
KEYS = os.path.join(TREE, "t", "data", "vectors", "keys")


class Counterpart:
    """One program; the keys are those of t/data/vectors/keys.  With a stack it
    speaks TLS, with the certificate of that stack's sandbox; `tls` is the
    common part of the names of another certificate and its key."""

    def __init__(self, name, keys=None, stack=None, tls=None):
        modules = payhub_npm.modules(FOLDER)
        # a module is found from where the program lies: so it lies beside them
        for file in ("lib.mjs", f"{name}.mjs"):
            made = os.path.join(modules, file)
            mine = f"{made}.{os.getpid()}.{threading.get_ident()}"
            shutil.copyfile(os.path.join(FOLDER, file), mine)
            os.replace(mine, made)
        more, self.context = {}, None
        if stack:
            made = tls or os.path.join(stack.folder, "tls", "sandbox")
            authority = made + ".pem" if tls else stack.env["PAYHUB_CA_FILE"]
            more = {"COUNTERPART_CERT": made + ".pem",
                    "COUNTERPART_KEY": made + ".key",
                    "NODE_EXTRA_CA_CERTS": authority}
            self.context = ssl.create_default_context(cafile=authority)
        self.child = subprocess.Popen(
            ["node", os.path.join(modules, f"{name}.mjs"),
             os.path.join(KEYS, keys or name)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, **more})
        line = self.child.stdout.readline()
        assert line, f"{name}.mjs ended before it listened"
        self.port = json.loads(line)["port"]
        self.url = f"http{'s' if stack else ''}://127.0.0.1:{self.port}"

    def ask(self, door, **asked):
        request = urllib.request.Request(
            self.url + door, data=json.dumps(asked).encode())
        with urllib.request.urlopen(request, timeout=30,
                                    context=self.context) as reply:
            return json.loads(reply.read())

    def knob(self, op, fault, times=1, **more):
        self.ask("/_knob", op=op, fault=fault, times=times, **more)

    def pay(self, number, **more):
        """The payer pays; what the gateway answered to the notices."""
        return self.ask("/_pay", number=number, **more)

    def notice(self, number, refund=None, bend=None, copies=1):
        return self.ask("/_notice", number=number, refund=refund, bend=bend,
                        copies=copies)

    def set(self, number, **fields):
        """What an order is from now on, in the counterpart's own words."""
        return self.ask("/_set", number=number, **fields)

    def books(self):
        return self.ask("/_books")

    def seen(self):
        """{seen, refused, notices}; refused has to stay empty."""
        return self.ask("/_seen")

    def end(self):
        self.child.stdin.close()
        self.child.wait(timeout=10)
