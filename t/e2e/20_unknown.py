"""What may have happened is never sent again; a notice may settle it."""

from payhub_scenario import order, settle


def test_9003_hangs_after_taking_the_money(stack):
    settle(stack, 119003, "paid", [1], by_query=False)


def test_9004_closes_after_taking_the_money(stack):
    settle(stack, 119004, "paid", [1], by_query=False)


def test_9012_notice_comes_before_the_answer(stack):
    answer = stack.client.pay(order("early"), 119012)
    assert answer.status in (201, 202), answer
    paid = stack.client.wait_status(answer.json["id"], ("paid",))
    books = stack.books(paid["attempts"][0]["id"])
    assert [c["times"] for c in books["charges"]] == [1], books
    rows = stack.rows("SELECT COUNT(*) FROM channel_trade WHERE attempt_id="
                      f"'{paid['attempts'][0]['id']}'")
    assert rows == [["1"]], rows
