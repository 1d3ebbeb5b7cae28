"""What the command line changes is live at the edge, without a reload: keys,
accounts, limits; and stays when worker or nginx goes."""

import json
import os
import subprocess
import time

from payhub_client import Client

WITHIN_S = 1.0


def payhub(stack, *words):
    done = subprocess.run(
        [os.path.join(stack.folder, "bin", "payhub"), *words, "--json"],
        capture_output=True, text=True, env={**os.environ, **stack.env})
    assert done.returncode == 0, (words, done)
    return json.loads(done.stdout)


def client(stack, key, secret):
    return Client(stack.env["PAYHUB_URL"], key, secret.encode())


def status(one):
    return one.call("GET", "/v1/payments?order_no=none").status


def soon(probe, what, limit=WITHIN_S):
    begun = time.monotonic()
    while not probe():
        took = time.monotonic() - begun
        assert took <= limit, f"{what}: not within {limit} s"
        time.sleep(0.01)


def test_app_add_is_live(stack):
    nginx = stack.status()[0]["nginx"]
    made = payhub(stack, "app", "add", "--merchant", "M9", "--name", "live")
    one = client(stack, made["key_id"], made["secret"])
    soon(lambda: status(one) == 404, "app add")
    more = payhub(stack, "key", "add", "--app", made["app_id"])
    two = client(stack, more["key_id"], more["secret"])
    soon(lambda: status(two) == 404, "key add")
    assert status(one) == 404, "two keys are live"
    payhub(stack, "key", "revoke", "--app", made["app_id"], "--key",
           made["key_id"])
    soon(lambda: status(one) == 401, "key revoke")
    assert status(two) == 404, "the second key stays"
    assert stack.status()[0]["nginx"] == nginx, "nginx was not started anew"


def test_keys_outlive_worker_and_nginx(stack):
    """/v1 asks a worker after the proof: 503 is a proven caller."""
    rows, _ = stack.status()
    workers = [row for name, row in rows.items() if name.startswith("worker")]
    time.sleep(1.2)  # the state file is written within a second
    for row in workers:
        os.kill(row["pid"], 19)
    try:
        os.kill(rows["nginx"]["pid"], 9)
        soon(lambda: stack.status()[0]["nginx"]["state"] == "running"
             and stack.status()[0]["nginx"]["pid"] != rows["nginx"]["pid"],
             "nginx is back", 15)
        wrong = client(stack, stack.env["PAYHUB_KEY_ID"], "x" * 43)
        assert status(wrong) == 401, "a wrong secret is refused"
    finally:
        for row in workers:
            os.kill(row["pid"], 18)
    stack.wait_running(15)
    soon(lambda: stack.client.call(
        "GET", "/v1/payments?order_no=none").status == 404,
        "the first app", 15)
