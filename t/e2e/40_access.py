"""Who may do what: keys live at once, database users only their part."""

import json
import os
import time

from payhub_client import Client


def test_new_app_is_known_within_a_second(stack):
    secret_file = os.path.join(stack.scratch, "fresh.secret")
    done = stack.cli("app", "add", "--merchant", "M1", "--name", "fresh",
                     "--secret-out", secret_file, "--json")
    added = time.monotonic()
    assert done.returncode == 0, done
    assert os.stat(secret_file).st_mode & 0o777 == 0o600
    with open(secret_file, "rb") as file:
        secret = file.read().removesuffix(b"\n")
    app = json.loads(done.stdout)
    client = Client(stack.client.url, app["key_id"], secret)
    while True:
        answer = client.call("GET", "/v1/payments?order_no=none")
        if answer.status == 404:
            break
        assert answer.status == 401, answer
        assert time.monotonic() - added < 1.0, \
            f"key {app['key_id']} is not known after 1 s"
        time.sleep(0.02)
    assert client.pay("fresh-1", 100).status == 201


def test_worker_user_cannot_change_tables(stack):
    password = os.path.join(stack.folder, "keys", "worker.password")
    code, _, error = stack.sql("DROP TABLE payment", "payhub_worker",
                               password)
    assert code != 0 and "denied" in error, (code, error)
    code, rows, error = stack.sql("SELECT COUNT(*) FROM payment",
                                  "payhub_worker", password)
    assert code == 0 and rows, error
    code, _, error = stack.sql("SELECT 1", "payhub_worker")
    assert code != 0 and "denied" in error, "no password, yet let in"


def test_sidecar_user_cannot_read_rows(stack):
    password = os.path.join(stack.folder, "keys", "sidecar.password")
    code, _, error = stack.sql("SELECT COUNT(*) FROM payhub.payment",
                               "payhub_sidecar", password)
    assert code != 0 and "denied" in error, (code, error)
    code, rows, error = stack.sql("SELECT @@gtid_binlog_pos",
                                  "payhub_sidecar", password)
    assert code == 0 and rows, error


def test_secrets_are_not_in_argv_environ_or_logs(stack):
    keys = os.path.join(stack.folder, "keys")
    needles = []
    for name in ("worker.password", "sidecar.password", "seal.key",
                 "sandbox.key"):
        with open(os.path.join(keys, name), encoding="ascii") as file:
            needles.append(file.read().strip())
    needles.append(stack.client.secret.decode())
    needles.append(stack.env["PAYHUB_WEBHOOK_SECRET"].removeprefix("whsec_"))
    places = [os.path.join(stack.folder, "log", name)
              for name in os.listdir(os.path.join(stack.folder, "log"))]
    for row in stack.status()[0].values():
        places += [f"/proc/{row['pid']}/cmdline", f"/proc/{row['pid']}/environ"]
    for place in places:
        try:
            with open(place, "rb") as file:
                data = file.read()
        except PermissionError:
            # A process that holds keys shows its environment to root only.
            assert os.geteuid() != 0 and place.endswith("/environ"), place
            continue
        for needle in needles:
            assert needle.encode() not in data, f"a secret stands in {place}"
