"""Every refusal has its stable code and leaves no row behind."""

import http.client
import json
import os
import secrets
import time

from payhub_client import Client, sign_v3

TABLES = ("payment", "payment_no", "attempt", "notify_task", "channel_trade",
          "notice_in")


def good(**changes):
    body = {"order_no": "no-" + secrets.token_hex(6), "amount": 100,
            "currency": "CNY", "method": "sandbox_bar", "subject": "tea",
            "extra": {"auth_code": "134567890123456789"}}
    body.update(changes)
    return {key: value for key, value in body.items() if value is not None}


def text(**changes):
    return json.dumps(good(**changes)).encode()


def counts(stack):
    """Rows by table; of `work`, which settles meanwhile, those of nothing."""
    return stack.rows(" UNION ALL ".join(
        f"SELECT '{name}', COUNT(*) FROM {name}" for name in TABLES)
        + " UNION ALL SELECT 'work', COUNT(*) FROM work w LEFT JOIN payment p "
        "ON p.id=w.id WHERE p.id IS NULL AND w.id LIKE 'P%'")


# body, status, code
BODIES = {
    "empty body": (b"", 400, "PH-A202"),
    "not JSON": (b"{", 400, "PH-A202"),
    "array": (b"[]", 400, ("PH-A202", "PH-A204")),
    "trailing bytes": (text() + b"x", 400, "PH-A202"),
    "not UTF-8": (b'{"subject":"\xff"}', 400, "PH-A202"),
    "too deep": (b'{"metadata":' + b"[" * 40 + b"]" * 40 + b"}", 400,
                 "PH-A202"),
    "duplicate member": (text()[:-1] + b',"amount":1}', 400, "PH-A203"),
    "amount as text": (text(amount="100"), 400, "PH-A204"),
    "amount with a point": (text(amount=1.5), 400, "PH-A204"),
    "amount as exponent": (text().replace(b"100,", b"1e2,"), 400, "PH-A204"),
    "order_no as number": (text(order_no=5), 400, "PH-A204"),
    "metadata as list": (text(metadata=[]), 400, "PH-A204"),
    "metadata value as number": (text(metadata={"a": 1}), 400, "PH-A204"),
    "no order_no": (text(order_no=None), 400, "PH-A205"),
    "no amount": (text(amount=None), 400, "PH-A205"),
    "no currency": (text(currency=None), 400, "PH-A205"),
    "no method": (text(method=None), 400, "PH-A205"),
    "no subject": (text(subject=None), 400, "PH-A205"),
    "unknown member": (text(colour="red"), 400, "PH-A206"),
    "unknown extra": (text(extra={"auth_code": "134567890123456789",
                                  "openid": "x"}), 400, "PH-A206"),
    "amount zero": (text(amount=0), 422, "PH-A211"),
    "amount negative": (text(amount=-1), 422, "PH-A211"),
    "amount too large": (text(amount=10**15), 422, "PH-A211"),
    "lower-case currency": (text(currency="cny"), 422, "PH-A211"),
    "no such currency": (text(currency="QQQ"), 422, "PH-A211"),
    "order_no with a dot": (text(order_no="a.b"), 422, "PH-A211"),
    "order_no too long": (text(order_no="a" * 65), 422, "PH-A211"),
    "order_no empty": (text(order_no=""), 422, "PH-A211"),
    "subject empty": (text(subject=""), 422, "PH-A211"),
    "subject too long": (text(subject="x" * 129), 422, "PH-A211"),
    "subject with a control character": (text(subject="a\x01b"), 422,
                                         "PH-A211"),
    "no such method": (text(method="cash"), 422, "PH-A211"),
    "malformed auth_code": (text(extra={"auth_code": "12 34"}), 422,
                            "PH-A211"),
    "notify_url with user info": (
        text(notify_url="https://a:b@example.com/"), 422, "PH-A211"),
    "notify_url of another scheme": (text(notify_url="ftp://example.com/"),
                                     422, "PH-A211"),
    "notify_url to a private address": (
        text(notify_url="http://10.0.0.1/"), 422, "PH-A211"),
    "expires_in too small": (text(expires_in=1), 422, "PH-A211"),
    "card number in subject": (text(subject="4111 1111 1111 1111"), 422,
                               "PH-A212"),
    "card number in metadata": (text(metadata={"c": "4111111111111111"}), 422,
                                "PH-A212"),
    "no such account": (text(account="acc_none"), 422,
                        ("PH-A402", "PH-A211")),
}


def check_problem(name, answer, status, code):
    assert answer.status == status, (name, answer)
    assert answer.headers["content-type"].startswith(
        "application/problem+json"), (name, answer.headers)
    problem = answer.json
    codes = code if isinstance(code, tuple) else (code,)
    assert problem["code"] in codes, (name, problem)
    assert problem["status"] == status, (name, problem)
    assert problem["request_id"] and problem["title"], (name, problem)
    assert problem["type"] and isinstance(problem["retryable"], bool), problem


def test_each_bad_body(stack):
    before = counts(stack)
    wrong = []
    for name, (body, status, code) in BODIES.items():
        try:
            check_problem(name, stack.client.call("POST", "/v1/payments",
                                                  body), status, code)
        except AssertionError as error:
            wrong.append(str(error))
    assert not wrong, "\n".join(wrong)
    assert counts(stack) == before, (before, counts(stack))


def test_too_large_body(stack):
    before = counts(stack)
    answer = stack.client.call("POST", "/v1/payments",
                               text(description="x" * 70000))
    check_problem("too large", answer, 413, "PH-A209")
    assert counts(stack) == before


def test_media_type_and_encoding(stack):
    for headers in ({"Content-Type": "text/plain"},
                    {"Content-Encoding": "gzip"}):
        answer = stack.client.call("POST", "/v1/payments", text(),
                                   headers=headers)
        check_problem(headers, answer, 415, "PH-A210")


def test_method_and_target(stack):
    client = stack.client
    check_problem("DELETE", client.call("DELETE", "/v1/payments"), 405,
                  "PH-A208")
    for target in ("/v1/nothing", "/v1/transfers", "/v1/bills",
                   "/v1/payments/P0000000000000000000000000A",
                   "/v1//payments", "/v1/./payments", "/v1/payments;x",
                   "/v1/%70ayments"):
        check_problem(target, client.call("GET", target), 404, "PH-A207")
    check_problem("unknown parameter",
                  client.call("GET", "/v1/payments?colour=red"), 400,
                  "PH-A206")


def auth_cases(client, body):
    """name -> header value; each must be the same 401."""
    def sign(**more):
        return sign_v3(client.secret, more.pop("key", client.key_id), "POST",
                       "/v1/payments", more.pop("body", body), **more)[0]

    value = sign()
    head, _, signature = value.rpartition('signature="')
    flipped = ("B" if signature[0] == "A" else "A") + signature[1:]
    return {
        "no header": None,
        "tampered signature": head + 'signature="' + flipped,
        "another body": sign(body=body + b" "),
        "unknown key": sign(key="key_nobody"),
        "clock behind": sign(timestamp=int(time.time()) - 400),
        "clock ahead": sign(timestamp=int(time.time()) + 400),
        "timestamp with a sign": sign(timestamp="+" + str(int(time.time()))),
        "short nonce": sign(nonce="abc"),
        "another scheme": "Bearer abc",
        "field twice": value + f',key_id="{client.key_id}"',
        "field missing": value.replace(",nonce=", ",mince="),
        "blank inside": value.replace(",nonce", ", nonce"),
        "unpadded base64": value.replace('="', '"')
        if value.endswith('=="') else value[:-2] + '"',
    }


def test_authentication_failures_look_alike(stack):
    before = counts(stack)
    seen = set()
    body = text()
    for name, header in auth_cases(stack.client, body).items():
        headers = {"Content-Type": "application/json"}
        if header is not None:
            headers["Authorization"] = header
        answer = stack.client.send("POST", "/v1/payments", headers, body)
        check_problem(name, answer, 401, "PH-A101")
        problem = answer.json
        problem.pop("request_id")
        seen.add((json.dumps(problem, sort_keys=True), tuple(sorted(
            key for key in answer.headers if key != "date"))))
        assert "payhub-signature" not in answer.headers, (name, answer)
    assert len(seen) == 1, seen
    assert counts(stack) == before


def test_401_comes_before_404(stack):
    answer = stack.client.send("GET", "/v1/nothing", {})
    check_problem("unsigned", answer, 401, "PH-A101")


def test_two_authorization_headers(stack):
    client = stack.client
    auth, _ = sign_v3(client.secret, client.key_id, "GET",
                      "/v1/payments?order_no=x", b"")
    link = http.client.HTTPConnection(client.host, client.port, timeout=10)
    link.putrequest("GET", "/v1/payments?order_no=x")
    link.putheader("Authorization", auth)
    link.putheader("Authorization", auth)
    link.endheaders()
    reply = link.getresponse()
    problem = json.loads(reply.read())
    link.close()
    assert reply.status == 400, (reply.status, problem)
    assert problem["code"] in ("PH-A102", "PH-A290"), problem


def test_another_apps_payment_is_not_found(stack):
    paid = stack.client.pay("mine-" + secrets.token_hex(6), 100).json
    secret_file = os.path.join(stack.scratch, "other.secret")
    done = stack.cli("app", "add", "--merchant", "M2", "--name", "other",
                     "--secret-out", secret_file, "--json")
    assert done.returncode == 0, done
    with open(secret_file, "rb") as file:
        secret = file.read().removesuffix(b"\n")
    other = Client(stack.client.url, json.loads(done.stdout)["key_id"],
                   secret)
    end = time.monotonic() + 3
    while True:
        answer = other.get(paid["id"])
        if answer.status != 401 or time.monotonic() > end:
            break
        time.sleep(0.1)
    check_problem("other app", answer, 404, "PH-A207")
