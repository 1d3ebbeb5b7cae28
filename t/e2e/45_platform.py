"""Callers without a shared secret: answers signed by the platform's key, judged
by node's crypto; idempotency keys, which only rfc9421 signs."""

import base64
import json
import os
import secrets
import subprocess
import time

NODE = """
const crypto = require('crypto');
const rows = JSON.parse(require('fs').readFileSync(0, 'utf8'));
console.log(JSON.stringify(rows.map((r) => crypto.verify(null,
  Buffer.from(r.message, 'base64'), crypto.createPublicKey(r.pem),
  Buffer.from(r.signature, 'base64')))));
"""


class Caller:
    """An app with an Ed25519 key; headers are made by `payhub sign`."""

    def __init__(self, stack):
        self.stack = stack
        self.private = os.path.join(stack.scratch, "caller-%s.pem"
                                    % secrets.token_hex(4))
        public = self.private + ".pub"
        for words in (["genpkey", "-algorithm", "ed25519", "-out",
                       self.private],
                      ["pkey", "-in", self.private, "-pubout", "-out",
                       public]):
            subprocess.run(["openssl", *words], check=True,
                           capture_output=True)
        done = stack.cli("app", "add", "--merchant", "M1", "--name", "asym",
                         "--alg", "ed25519", "--public-key", public, "--json")
        assert done.returncode == 0, done
        self.key_id = json.loads(done.stdout)["key_id"]
        end = time.monotonic() + 3
        while self.call("GET", "/v1/keys").status == 401:
            assert time.monotonic() < end, "the key is not known"
            time.sleep(0.05)

    def call(self, method, target, body=b"", scheme="payhub-v3", key=None,
             headers=()):
        file = os.path.join(self.stack.scratch, "body")
        with open(file, "wb") as out:
            out.write(body)
        words = ["sign", method, target, "--key-id", self.key_id, "--alg",
                 "ed25519", "--private-key", self.private, "--scheme", scheme,
                 "--json"]
        words += ["--body", file] if body else []
        words += ["--idempotency-key", key] if key else []
        done = self.stack.cli(*words)
        assert done.returncode == 0, done
        told = json.loads(done.stdout)
        names = {"authorization": "Authorization",
                 "content_digest": "Content-Digest",
                 "idempotency_key": "Idempotency-Key",
                 "signature_input": "Signature-Input"}
        if scheme == "rfc9421":
            names["signature"] = "Signature"
        signed = {header: told[name] for name, header in names.items()
                  if name in told}
        if "Signature" in signed:
            signed["Signature"] = f"payhub=:{signed['Signature']}:"
        if body:
            signed["Content-Type"] = "application/json"
        return self.stack.client.send(method, target, {**signed,
                                                       **dict(headers)}, body)


def message(answer, body=None, status=None):
    got = answer.headers
    return (f"{got['payhub-timestamp']}\n{got['payhub-nonce']}\n"
            f"{status or answer.status}\n".encode()
            + (answer.body if body is None else body) + b"\n")


def verified(pem, *rows):
    """[(message, answer)] to what node says of each signature"""
    asked = [{"pem": pem, "message": base64.b64encode(text).decode(),
              "signature": answer.headers["payhub-signature"]}
             for text, answer in rows]
    done = subprocess.run(["node", "-e", NODE], input=json.dumps(asked),
                          capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def order(**more):
    return json.dumps({"order_no": "asym-" + secrets.token_hex(6),
                       "amount": 100, "currency": "CNY",
                       "method": "sandbox_qr", "subject": "tea",
                       **more}).encode()


def test_answers_are_signed_by_the_platform(stack):
    caller = Caller(stack)
    keys = caller.call("GET", "/v1/keys")
    assert keys.status == 200, keys
    key = keys.json["data"][0]
    answers = [keys,
               caller.call("POST", "/v1/payments", order()),
               caller.call("POST", "/v1/payments", order(), "rfc9421"),
               caller.call("POST", "/v1/payments", b"{"),
               caller.call("GET", "/v1/payments/none"),
               caller.call("GET", "/v1/payments?limit=3"),
               caller.call("DELETE", "/v1/payments")]
    assert [one.status for one in answers] == [200, 201, 201, 400, 404, 200,
                                               405], answers
    for one in answers:
        assert one.headers["payhub-key-id"] == key["key_id"], one.headers
    good = [(message(one), one) for one in answers]
    assert verified(key["public_key"], *good) == [True] * len(good)
    bad = [(message(one, body=one.body + b" "), one) for one in answers]
    bad += [(message(one, status=299), one) for one in answers]
    assert verified(key["public_key"], *bad) == [False] * len(bad)


def test_hmac_answers_stay_as_they_are(stack):
    answer = stack.client.call("GET", "/v1/keys")
    assert answer.status == 200, answer
    assert answer.headers["payhub-key-id"] == stack.client.key_id
    assert answer.json["data"][0]["alg"] == "ed25519", answer.json
    assert stack.client.send("GET", "/v1/keys", {}).status == 401


def test_idempotency_key_counts_where_it_is_signed(stack):
    caller, body = Caller(stack), order()
    first = caller.call("POST", "/v1/payments", body, "rfc9421", "key-1")
    again = caller.call("POST", "/v1/payments", body, "rfc9421", "key-1")
    assert (first.status, again.status) == (201, 201), (first, again)
    assert again.body == first.body
    assert again.headers.get("idempotent-replayed") == "true", again.headers
    other = caller.call("POST", "/v1/payments", order(), "rfc9421", "key-1")
    assert (other.status, other.json["code"]) == (422, "PH-A213"), other
    # unsigned, it changes nothing
    made = caller.call("POST", "/v1/payments", order(),
                       headers=[("Idempotency-Key", "key-1")])
    assert made.status == 201, made
    assert "idempotent-replayed" not in made.headers, made.headers
