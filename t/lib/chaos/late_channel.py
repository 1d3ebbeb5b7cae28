"""A channel whose answers to /pay come late: the sandbox takes the money at
once, what it said is kept back.  Everything else passes as it is."""

import http.client
import os
import ssl
import threading
import time
import urllib.parse

import payhub_peer
from chaos.common import is_broken

HEADERS = ("Content-Type", "Sandbox-Timestamp", "Sandbox-Signature")
ANSWER_S = 30  # of the sandbox


class LateChannel:
    """`told` has the seconds after which each answer was written, whether or
    not anybody was there to read it."""

    def __init__(self, stack, late_s):
        self.late_s, self.told, self.lock = late_s, [], threading.Lock()
        self.open = 0
        self.context = ssl.create_default_context(
            cafile=stack.env["PAYHUB_CA_FILE"])
        self.sandbox = urllib.parse.urlsplit(stack.env["PAYHUB_SANDBOX_URL"])
        peer = self

        class Handler(payhub_peer.Handler):
            def do_POST(self):
                peer.serve(self)

            do_GET = do_POST

        self.server = payhub_peer.Server(Handler)
        self.account = self.account_add(stack)

    def account_add(self, stack):
        key = os.path.join(stack.folder, "keys", "sandbox.key")
        done = stack.cli(
            "channel", "account", "add", "sandbox", "--name", "late", "--set",
            "base_url=" + self.server.url,
            "--secret", "key=@" + key, "--weight", "0")
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        time.sleep(1.5)  # every edge and worker knows it
        return done.stdout.split()[-1]

    def serve(self, request):
        began = time.monotonic()
        is_late = request.path == "/pay"
        body = request.rfile.read(int(
            request.headers["Content-Length"] or 0))
        with self.lock:
            self.open += is_late
        try:
            status, headers, answer = self.ask(request, body)
            if is_late:
                time.sleep(max(0, began + self.late_s - time.monotonic()))
                with self.lock:
                    self.told.append(time.monotonic() - began)
            request.send_response(status)
            for name, value in headers:
                request.send_header(name, value)
            request.send_header("Content-Length", str(len(answer)))
            request.end_headers()
            request.wfile.write(answer)
        except Exception as error:
            if not is_broken(error):
                raise
            request.close_connection = True
        finally:
            with self.lock:
                self.open -= is_late

    def ask(self, request, body):
        link = http.client.HTTPSConnection(
            self.sandbox.hostname, self.sandbox.port, timeout=ANSWER_S,
            context=self.context)
        try:
            link.request(request.command, request.path, body or None, {
                name: request.headers[name] for name in HEADERS
                if name in request.headers})
            answer = link.getresponse()
            return (answer.status,
                    [(name, answer.headers[name]) for name in HEADERS
                     if name in answer.headers], answer.read())
        finally:
            link.close()

    def wait_told(self):
        """Until the last answer is out."""
        end = time.monotonic() + self.late_s + ANSWER_S
        while self.open and time.monotonic() < end:
            time.sleep(0.1)
        return len(self.told)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
