"""What the binlog was counted into agrees with the rows, and a counter that
does not is named."""

import json
import secrets


def test_drift_is_nothing(stack):
    done = stack.cli("drift")
    assert done.returncode == 0, done


def test_counters_show_the_paid_ones(stack):
    for _ in range(3):
        answer = stack.client.pay("count-" + secrets.token_hex(6), 100)
        assert answer.status == 201, answer
    assert stack.cli("drift").returncode == 0
    done = stack.cli("counters", "--json")
    assert done.returncode == 0, done
    assert json.loads(done.stdout), done.stdout
    assert "paid" in done.stdout and "sandbox" in done.stdout, done.stdout
    account = stack.rows("SELECT id FROM channel_account")[0][0]
    done = stack.cli("counters", "--from", "24h", "--by", "account,state",
                     "--json")
    paid = int(stack.rows("SELECT COUNT(*) FROM payment WHERE account_id="
                          f"'{account}' AND paid_at IS NOT NULL")[0][0])
    assert {"account": account, "state": "paid", "n": paid} in \
        [dict(row) for row in json.loads(done.stdout)["counters"]], done


def test_moved_counter_is_named(stack):
    redis = stack.redis()
    epoch = redis.call("GET", "{ph:c0}:epoch")
    keys = sorted(redis.call("KEYS", "{ph:c0}:" + str(epoch) + ":m:*"))
    assert keys, "no minute bucket"
    key = keys[-1]
    field = next(name for name in redis.call("HKEYS", key)
                 if name.endswith("|paid|n"))
    try:
        redis.call("HINCRBY", key, field, 1)
        done = stack.cli("drift")
        assert done.returncode == 3, done
        assert key in done.stdout + done.stderr, done
    finally:
        redis.call("HINCRBY", key, field, -1)
        redis.close()
    assert stack.cli("drift").returncode == 0


def test_invariants_hold(stack):
    done = stack.cli("invariants")
    assert done.returncode == 0, done
