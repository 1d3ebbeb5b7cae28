"""The launcher keeps its promises: what dies comes back, one stack does not
disturb another, down leaves nothing."""

import os
import signal
import subprocess
import time

from payhub_stack_fixture import SCRIPT, Stack, free_base, is_alive


def test_everything_killed_comes_back_within_a_second(stack):
    before, _ = stack.status()
    names = [name for name in before if name != "supervisor"]
    for name in names:
        os.kill(before[name]["pid"], signal.SIGKILL)
    killed = time.monotonic()
    while True:
        now, _ = stack.status()
        back = [name for name in names if now[name]["pid"]
                and now[name]["pid"] != before[name]["pid"]]
        if len(back) == len(names):
            break
        assert time.monotonic() - killed < 2.0, (before, now)
        time.sleep(0.02)
    stack.wait_running(30)
    end = time.monotonic() + 15
    while stack.client.send("GET", "/readyz", {}).status != 200:
        assert time.monotonic() < end, "not ready again"
        time.sleep(0.1)
    assert all(now[name]["restarts"] >= 1 for name in names), now
    paid = stack.client.pay(f"back-{os.getpid()}-{time.time_ns()}", 100)
    assert paid.status == 201 and paid.json["status"] == "paid", paid


def test_bad_line_in_keys_conf(stack):
    """A running nginx keeps what it has; one that has to start is tried until
    the line is mended, and then is back within a second."""
    path = os.path.join(stack.folder, "keys.conf")
    with open(path, encoding="utf-8") as file:
        good = file.read()
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write("payhub_key nonsense;\n")
        time.sleep(0.5)
        answer = stack.client.call("GET", "/v1/payments?order_no=none")
        assert answer.status == 404, answer
        nginx = stack.status()[0]["nginx"]
        os.kill(nginx["pid"], signal.SIGKILL)
        end = time.monotonic() + 15
        while stack.status()[0]["nginx"]["restarts"] < nginx["restarts"] + 3:
            assert time.monotonic() < end, "not tried again"
            time.sleep(0.1)
    finally:
        with open(path, "w", encoding="utf-8") as file:
            file.write(good)
    stack.wait_running(3)
    answer = stack.client.call("GET", "/v1/payments?order_no=none")
    assert answer.status == 404, answer


def test_second_up_is_refused(stack):
    done = subprocess.run(
        [SCRIPT, "up", "--dir", stack.folder, "--port", str(stack.port),
         "--build", stack.build], capture_output=True, text=True)
    assert done.returncode == 1 and "already up" in done.stderr, done


def test_bad_setting_is_named(stack):
    folder = os.path.join(stack.scratch, "bad")
    done = subprocess.run(
        [SCRIPT, "up", "--dir", folder, "--port", "19990", "--build",
         stack.build, "--set", "pay.channel_deadlin=3s"],
        capture_output=True, text=True)
    assert done.returncode == 1, done
    assert "pay.channel_deadline" in done.stderr, done
    done = subprocess.run(
        [SCRIPT, "up", "--dir", folder, "--port", str(free_base()), "--build",
         stack.build, "--set", "pay.channel_deadline=soon"],
        capture_output=True, text=True)
    assert done.returncode == 1 and "payhub.conf:" in done.stderr, done


def test_two_stacks_side_by_side(stack):
    other = Stack(build=stack.build)
    # Three folders deep in a closed one: the data then lives elsewhere.
    closed = os.path.join(other.scratch, "closed")
    os.mkdir(closed, 0o700)
    other.folder = os.path.join(closed, "x" * 60, "stack")
    try:
        other.up()
        for one in (stack, other):
            paid = one.client.pay("same-number", 100)
            assert paid.status == 201 and paid.json["status"] == "paid", paid
        assert stack.rows("SELECT id FROM payment WHERE order_no="
                          "'same-number'") != \
            other.rows("SELECT id FROM payment WHERE order_no='same-number'")
        pids = [row["pid"] for row in other.status()[0].values()]
        assert other.down(wipe=False) == 0
        assert not [pid for pid in pids if is_alive(pid)]
        assert stack.status()[1] == 0, stack.status()
        key = other.env["PAYHUB_KEY_ID"]
        other.up()
        assert other.env["PAYHUB_KEY_ID"] == key, "keys changed"
        again = other.client.pay("same-number", 100)
        assert again.status == 200 and again.json["status"] == "paid", again
        assert other.down(wipe=False) == 0
        assert other.down(wipe=False) == 0, "down twice is not an error"
    finally:
        other.down()
