"""A merchant's side of payhub in Python's standard library, written from
docs and not from our C: signs requests, checks signed answers and webhooks.
What it accepts is therefore a second opinion on what the product sends.
"""

import base64
import hashlib
import hmac
import http.client
import http.server
import json
import secrets
import socket
import threading
import time
import urllib.parse


class Answer:
    """status, headers (lower-case names), body; json is parsed on demand."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


def mac(secret, *pieces):
    return base64.b64encode(
        hmac.new(secret, b"".join(pieces), hashlib.sha256).digest()).decode()


def sign_v3(secret, key_id, method, target, body, timestamp=None, nonce=None):
    """The value of the Authorization header, and the nonce used."""
    timestamp = str(int(time.time()) if timestamp is None else timestamp)
    nonce = nonce or secrets.token_hex(12)
    text = f"{method}\n{target}\n{timestamp}\n{nonce}\n".encode()
    signature = mac(secret, text, body, b"\n")
    return (f'PAYHUB-V3 key_id="{key_id}",timestamp="{timestamp}",'
            f'nonce="{nonce}",signature="{signature}"'), nonce


class Client:
    def __init__(self, url, key_id, secret, timeout_s=40):
        self.url = url
        self.key_id = key_id
        self.secret = secret
        self.timeout_s = timeout_s
        parts = urllib.parse.urlsplit(url)
        self.host, self.port = parts.hostname, parts.port

    def send(self, method, target, headers, body=b"", chunked=False):
        """One request on a connection of its own, sent once."""
        link = http.client.HTTPConnection(self.host, self.port,
                                          timeout=self.timeout_s)
        try:
            if chunked:
                link.request(method, target, body=iter(
                    [body[i:i + 7] for i in range(0, len(body), 7)]),
                    headers={**headers, "Transfer-Encoding": "chunked"},
                    encode_chunked=True)
            else:
                link.request(method, target, body=body or None,
                             headers=headers)
            reply = link.getresponse()
            return Answer(reply.status,
                          {k.lower(): v for k, v in reply.getheaders()},
                          reply.read())
        finally:
            link.close()

    def call(self, method, target, body=None, *, chunked=False, headers=None,
             **sign):
        """Signed; a verified answer's signature is checked."""
        data = b"" if body is None else (
            body if isinstance(body, bytes) else json.dumps(body).encode())
        auth, nonce = sign_v3(self.secret, self.key_id, method, target, data,
                              **sign)
        more = {"Authorization": auth}
        if data:
            more["Content-Type"] = "application/json"
        answer = self.send(method, target, {**more, **(headers or {})}, data,
                           chunked)
        if "payhub-signature" in answer.headers:
            self.check_answer(answer, nonce)
        return answer

    def check_answer(self, answer, nonce):
        got = answer.headers
        text = (f"{got['payhub-timestamp']}\n{got['payhub-nonce']}\n"
                f"{answer.status}\n").encode()
        expected = mac(self.secret, text, answer.body, b"\n")
        assert got["payhub-key-id"] == self.key_id, got
        assert got["payhub-nonce"] == nonce, got
        assert abs(int(got["payhub-timestamp"]) - time.time()) < 60, got
        assert hmac.compare_digest(got["payhub-signature"], expected), \
            f"answer signature is wrong: {got}"

    def pay(self, order_no, amount, method="sandbox_bar", **more):
        body = {"order_no": order_no, "amount": amount, "currency": "CNY",
                "method": method, "subject": "one coffee", **more}
        if method.endswith("bar"):
            body.setdefault("extra", {"auth_code": "134567890123456789"})
        return self.call("POST", "/v1/payments", body)

    def get(self, payment_id):
        return self.call("GET", "/v1/payments/" + payment_id)

    def wait_status(self, payment_id, statuses, wait_s=30):
        """Polls until the payment has one of the statuses."""
        end = time.monotonic() + wait_s
        while True:
            answer = self.get(payment_id)
            assert answer.status == 200, answer
            if answer.json["status"] in statuses:
                return answer.json
            assert time.monotonic() < end, \
                f"still {answer.json['status']} after {wait_s} s, " \
                f"expected {statuses}"
            time.sleep(0.1)


def webhook_genuine(secret_text, headers, body, now=None):
    """Standard Webhooks, symmetric v1."""
    key = base64.b64decode(secret_text.removeprefix("whsec_"), validate=True)
    stamp = headers["webhook-timestamp"]
    if abs(int(stamp) - (now or time.time())) > 300:
        return False
    signed = f"{headers['webhook-id']}.{stamp}.".encode()
    expected = "v1," + mac(key, signed, body)
    return any(hmac.compare_digest(one, expected)
               for one in headers["webhook-signature"].split(" "))


class Receiver:
    """A merchant's webhook endpoint on loopback; keeps what it got."""

    def __init__(self, webhook_secret, answers=()):
        self.secret = webhook_secret
        self.answers = list(answers)  # statuses given first; then 200
        self.got = []  # (genuine, headers, event)
        self.changed = threading.Condition()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.take(
                    {k.lower(): v for k, v in self.headers.items()}, body)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0),
                                                      Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever,
                         kwargs={"poll_interval": 0.05}, daemon=True).start()

    def take(self, headers, body):
        with self.changed:
            self.got.append((webhook_genuine(self.secret, headers, body),
                             headers, json.loads(body)))
            self.changed.notify_all()
            return self.answers.pop(0) if self.answers else 200

    def wait(self, order_no, wait_s=20):
        """The first event about an order."""
        def find():
            return next((one for one in self.got
                         if one[2]["data"].get("order_no") == order_no), None)

        with self.changed:
            assert self.changed.wait_for(find, wait_s), \
                f"no webhook about {order_no} within {wait_s} s"
            return find()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Redis:
    """Enough RESP to look and to tamper."""

    def __init__(self, path):
        self.link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.link.settimeout(10)
        self.link.connect(path)
        self.file = self.link.makefile("rb")

    def call(self, *words):
        parts = [f"*{len(words)}\r\n".encode()]
        for word in words:
            data = str(word).encode()
            parts += [f"${len(data)}\r\n".encode(), data, b"\r\n"]
        self.link.sendall(b"".join(parts))
        return self.read()

    def read(self):
        line = self.file.readline().rstrip(b"\r\n")
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest.decode()
        if kind == b":":
            return int(rest)
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b"$":
            if int(rest) < 0:
                return None
            data = self.file.read(int(rest) + 2)[:-2]
            return data.decode()
        assert kind == b"*", line
        return [self.read() for _ in range(int(rest))]

    def close(self):
        self.file.close()
        self.link.close()
