"""WeChat Pay v3 end to end, over TLS and HTTP/2: wechatpay-axios-plugin checks
what is sent, signs and encrypts what comes."""

from payhub_channel_accounts import SUB_APPID, SUB_MCHIDS, Wechat
from payhub_channel_rows import at_once, wait
from payhub_counterpart import Counterpart
from payhub_scenario import order
from payhub_wallet_rows import LOST, ROWS, UNREADABLE

OPENID = {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"}
BY_SIGNATURE = ("stale", "future", "signtest", "unknown_serial")
FAULTS = LOST + UNREADABLE + BY_SIGNATURE + (
    "system_error", "system_error_done", "unavailable", "odd_code", "accepted")
REFUSED = ("tampered", "bad_sign", "no_sign", "not_base64", "own_key", "stale",
           "future", "signtest", "bad_tag", "bad_aad", "short", "truncated",
           "html", "odd_amount")

held = {}  # the counterpart and its accounts, from the first test on


def test_accounts_are_added_live(stack):
    bank = held["counterpart"] = Counterpart("wechatpay", keys="wechat",
                                             stack=stack)
    held["key"] = Wechat(stack, bank, first_amount=410100, **Wechat.public)
    held["cert"] = Wechat(stack, bank, first_amount=420100,
                          **Wechat.certified)
    held["provider"] = Wechat(
        stack, bank, first_amount=430100, service_provider="yes",
        sub_mchid=SUB_MCHIDS[0], sub_appid=SUB_APPID, **Wechat.public)


def test_a_code_is_shown_paid_and_told(_stack):
    for channel in (held["key"], held["cert"]):
        answer, number = channel.shown()
        assert answer.json["action"]["type"] == "qr_code", answer
        assert answer.json["action"]["data"].endswith(number), answer
        assert channel.get(answer, sync=True)["status"] == "paying"
        told = channel.counterpart.pay(number)
        assert [one["status"] for one in told] == [200], told
        row = channel.ends(answer, "paid")
        assert row["channel_trade_no"] == channel.book(number)["tradeNo"], row
        channel.repeats_move_nothing(number,
                                     ("waiting", "closed", "other_event"))


def test_certificates_are_fetched_before_the_first_call(_stack):
    """Once, and only by the account that has no public key."""
    asked = [one["op"] for one in held["counterpart"].seen()["seen"]]
    assert asked.count("refresh") == 1, asked


def test_notices_of_one_payment_come_three_at_a_time(_stack):
    held["key"].codes_three_at_a_time()


def test_what_the_payers_app_is_called_with_is_signed(_stack):
    channel, counterpart = held["key"], held["counterpart"]
    for method, extra in (("wechat_jsapi", OPENID), ("wechat_mini", OPENID),
                          ("wechat_app", {})):
        answer, number = channel.shown(method=method, extra=extra)
        action = answer.json["action"]
        kind = "app" if method == "wechat_app" else "jsapi"
        assert action["type"] == kind, answer
        assert number in str(action["data"]), answer
        checked = counterpart.ask("/_invoke", kind=kind, data=action["data"],
                                  number=number)
        assert checked == {"genuine": True}, (method, action)
        counterpart.pay(number)
        channel.ends(answer, "paid")
    answer, number = channel.shown(method="wechat_h5",
                                   client_ip="14.23.150.211")
    assert answer.json["action"]["type"] == "redirect", answer
    assert answer.json["action"]["data"].endswith(number), answer
    counterpart.pay(number)
    channel.ends(answer, "paid")


def test_bar_codes(_stack):
    channel = held["key"]
    for method in ("wechat_bar", "bar"):
        answer, number = channel.pay(method=method,
                                     extra={"auth_code": channel.bar[1]})
        assert (answer.status, answer.json["status"]) == (201, "paid"), answer
        assert answer.json["channel_trade_no"] \
            == channel.book(number)["tradeNo"], answer
    answer, _ = channel.bar_pay("declined")
    assert (answer.status, answer.json["status"]) == (201, "failed"), answer
    assert answer.json["error"]["channel_code"] == "NOTENOUGH", answer


def test_for_the_merchants_of_a_service_provider(_stack):
    """Each order is one's, with the app of the provider or of that merchant;
    queries, closes and refunds ask about it in his name."""
    channel = held["provider"]
    first, second = SUB_MCHIDS
    sub_openid = {"sub_openid": "oSubF8uMuAJO_M2pxb1Q9zNjWeS6"}
    for method, extra, sub, app in (
            ("wechat_native", {}, first, SUB_APPID),
            ("wechat_native", {"sub_mch_id": second}, second, None),
            ("wechat_jsapi", OPENID, first, SUB_APPID),
            ("wechat_mini", sub_openid, first, SUB_APPID),
            ("wechat_jsapi", {**OPENID, "sub_mch_id": second}, second, None),
            ("wechat_app", {}, first, SUB_APPID),
            ("wechat_app", {"sub_mch_id": second}, second, None),
            ("wechat_h5", {}, first, SUB_APPID)):
        answer, number = channel.shown(method=method, extra=extra,
                                       client_ip="14.23.150.211")
        row = (method, extra, answer.json["action"])
        told = channel.book(number)["sub"]
        assert (told["mchid"], told.get("appid")) == (sub, app), row
        if answer.json["action"]["type"] in ("jsapi", "app"):
            checked = channel.counterpart.ask(
                "/_invoke", kind=answer.json["action"]["type"],
                data=answer.json["action"]["data"], number=number)
            assert checked == {"genuine": True}, row
        told = channel.counterpart.pay(number)
        assert [one["status"] for one in told] == [200], (row, told)
        channel.ends(answer, "paid")
        refund = channel.refund(answer, 100)
        assert refund.status == 201, (row, refund)
        channel.told(number, [200], refund=refund.json["id"])
        channel.refund_ends(refund, "succeeded")
    for method, more, sub in (("wechat_bar", {"sub_mch_id": second}, second),
                              ("bar", {}, first)):
        answer, number = channel.pay(method=method, extra={
            "auth_code": channel.bar[1], **more})
        assert answer.json["status"] == "paid", answer
        assert channel.book(number)["sub"]["mchid"] == sub, method


def test_what_a_service_provider_is_told_of_another_merchant(_stack):
    channel = held["provider"]
    channel.conflicts_by_notice(("wrong_sub", "wrong_seller", "wrong_app"))
    channel.conflicts_by_answer(("wrong_sub",))
    answer, number = channel.paid()
    channel.refused_notices_move_nothing(number, ("tampered", "bad_tag"))
    for extra in ({**OPENID, "sub_mch_id": "12x"},
                  {"sub_mch_id": SUB_MCHIDS[1], "sub_openid": "o"}):
        answer, _ = channel.pay(method="wechat_jsapi", extra=extra)
        assert answer.status == 422, (extra, answer)
    answer, _ = held["key"].pay(extra={"sub_mch_id": SUB_MCHIDS[0]})
    assert answer.status == 422, answer


def test_close(_stack):
    channel = held["key"]
    answer, number = channel.shown()
    closed = channel.close(answer)
    assert (closed.status, closed.json["status"]) == (200, "closed"), closed
    assert channel.book(number)["status"] == "closed"
    assert channel.close(answer).status == 200
    answer, number = channel.paid_silently()
    closed = channel.close(answer)
    assert closed.status in (200, 409), closed
    assert channel.get(answer)["status"] == "paid", "it was paid before"


def test_success_after_close_goes_back(_stack):
    held["key"].late_success_goes_back()


def test_refunds_full_partial_and_twice(_stack):
    """Accepted is not done: a notice or a query tells the end."""
    channel = held["key"]
    answer, number = channel.paid()
    amount = answer.json["amount"]
    name = order("r")
    first = channel.refund(answer, 300, name)
    assert first.status == 201 and first.json["status"] == "processing", first
    told = channel.told(number, [200] * 3, refund=first.json["id"], copies=3)
    assert channel.refund_ends(first, "succeeded")["refunded_at"], told
    again = channel.refund(answer, 300, name)
    assert (again.status, again.json["id"]) == (200, first.json["id"]), again
    over = channel.refund(answer, amount - 299)
    assert over.json["code"] == "PH-A307", over
    rest = channel.refund(answer, amount - 300)
    channel.refund_ends(rest, "succeeded")
    assert channel.refunds(number) == {
        first.json["id"]: (300, 1), rest.json["id"]: (amount - 300, 1)}
    before = channel.rows(number)
    channel.told(number, [200], refund=rest.json["id"])
    assert channel.rows(number) == before
    row = channel.get(answer, sync=True)
    assert (row["status"], row["amount_refunded"]) == ("paid", amount), row


def test_refunds_of_the_console(_stack):
    held["key"].console_refund_row()


def test_refunds_that_end_otherwise(_stack):
    channel = held["key"]
    answer, number = channel.paid()
    channel.counterpart.knob("refund", "refund_closed", number=number)
    refund = channel.refund(answer, 100)
    channel.refund_ends(refund, "failed")
    assert channel.get(answer)["amount_refunding"] == 0
    answer, number = channel.paid()
    channel.counterpart.knob("refund", "abnormal", number=number)
    refund = channel.refund(answer, 100)
    wait(lambda: ("refund_query", None) in channel.asked(number), "a query")
    told = channel.told(number, [200], refund=refund.json["id"])
    row = channel.stack.client.call(
        "GET", f"/v1/refunds/{refund.json['id']}?sync=true").json
    assert row["status"] == "processing", (row, told)
    assert channel.get(answer)["amount_refunding"] == 100
    answer, number = channel.paid()
    channel.counterpart.knob("refund", "poor", number=number)
    refund = channel.refund(answer, 100)  # asked again under its number
    channel.refund_ends(refund, "succeeded", wait_s=35)
    assert channel.refunds(number) == {refund.json["id"]: (100, 1)}


# --- keys that change --------------------------------------------------------

def test_notices_change_over_from_certificates(_stack):
    """An account with a public key takes one that a certificate signs."""
    channel = held["key"]
    answer, number = channel.shown()
    channel.counterpart.set(number, serial=None)
    told = channel.counterpart.pay(number)
    assert [one["status"] for one in told] == [200], told
    channel.ends(answer, "paid")


def test_another_certificate_is_fetched_when_a_message_names_it(_stack):
    channel, counterpart = held["cert"], held["counterpart"]
    answer, number = channel.shown()
    counterpart.ask("/_platform", signer="platform2",
                    listed=["platform2", "platform1"])

    def pay():
        told = counterpart.pay(number) or counterpart.notice(number)
        return [one["status"] for one in told] == [200]

    # refreshes of hints are held apart: then the notice comes again
    wait(lambda: pay() or counterpart.notice(number)[0]["status"] == 200,
         "a notice of the new certificate", 15)
    channel.ends(answer, "paid")
    answer, number = channel.paid_silently()
    assert channel.get(answer, sync=True)["status"] == "paid"


# --- notices that are not what they seem -------------------------------------

def test_refused_notices_move_nothing(_stack):
    for channel in (held["key"], held["cert"]):
        _, number = channel.shown()
        channel.refused_notices_move_nothing(number, REFUSED)
    answer, number = channel.paid()
    channel.refused_notices_move_nothing(number, ("tampered", "bad_tag"))
    assert channel.get(answer)["status"] == "paid"


def test_a_notice_of_an_unknown_serial_is_refused(_stack):
    """One refresh may be tried for it; then it is nobody's."""
    channel = held["cert"]
    _, number = channel.shown()
    before = channel.rows(number)
    for _ in range(5):
        told = channel.counterpart.notice(number, bend="unknown_serial")
        assert told[0]["status"] in (400, 503), told
    assert channel.rows(number) == before


def test_genuine_notices_about_something_else_are_conflicts(_stack):
    held["key"].conflicts_by_notice(
        ("wrong_amount", "wrong_app", "wrong_seller"))


def test_a_notice_that_tells_nothing_of_ours_is_acknowledged(_stack):
    channel = held["key"]
    answer, number = channel.shown()
    before = channel.rows(number)
    channel.told(number, [200], bend="nobody")
    channel.told(number, [200], bend="other_event")
    assert channel.rows(number) == before
    channel.told(number, [200], bend="odd_status")
    assert channel.get(answer)["status"] == "paying"


# --- faults of answers -------------------------------------------------------

def bar_taken_back(fault, name="key"):
    """Not within 15 s of the create; `fault` of the reverse."""
    channel = held[name]
    more = {"reverse": fault} if fault else {}
    answer, number = channel.bar_pay("wait", **more)
    channel.ends(answer, "closed", wait_s=40)
    assert channel.book(number)["status"] == "reversed", channel.book(number)
    assert ("reverse", fault) in channel.asked(number), channel.asked(number)


def lies():
    """(row, how): what somebody else answers in WeChat's place."""
    return [(row, how)
            for how in ("own_key", "bad_sign", "no_sign", "not_base64")
            + BY_SIGNATURE
            for channel in (held["key"], held["cert"])
            for row in (channel.refund_query_lie, channel.refund_lie,
                        channel.bar_lie, channel.query_lie,
                        channel.close_lie)]


def test_faults_and_lies_of_every_operation(_stack):
    channel, cert, provider = held["key"], held["cert"], held["provider"]
    rows = [(bar_taken_back, fault) for fault in
            (None, "drop_before", "drop_after", "bad_sign", "system_error")]
    rows += [(bar_taken_back, None, "provider"),
             (provider.refund_query_row, "drop_after"),
             (provider.refund_row, "drop_before"),
             (provider.query_row, "bad_sign"), (provider.query_lie, "own_key"),
             (provider.close_row, "drop_after"),
             (provider.bar_row, "hang_after")]
    rows += [(channel.bar_paid_meanwhile,), (channel.bar_taken_back_later,)]
    rows += [(row, fault) for fault in FAULTS
             for row in (channel.refund_row, channel.refund_query_row,
                         channel.close_row, channel.create_row,
                         channel.bar_row, channel.query_row)]
    rows += [(row, fault) for fault in BY_SIGNATURE + ("no_sign",)
             for row in (cert.refund_row, cert.create_row, cert.query_row)]
    rows += [(channel.refund_row, "wrong_amount"),
             (channel.refund_row, "wrong_order"),
             (channel.refund_row, "rate_limited"),
             (channel.refund_query_row, "slow"),
             (channel.query_row, "rate_limited"),
             (channel.query_row, "odd_amount"),
             (channel.query_row, "odd_status")]
    rows += lies()
    slow = ("bar_taken_back", "bar_taken_back_later", "refund_query_lie",
            "refund_row")
    rows.sort(key=lambda row: row[0].__name__ not in slow)
    at_once(rows, lambda row, *words: row(*words), ROWS)


def test_genuine_answers_about_something_else_are_conflicts(_stack):
    held["key"].conflicts_by_answer(("wrong_amount", "wrong_order",
                                     "wrong_mchid"))


def test_a_create_that_wechat_did_not_take_is_not_sent(_stack):
    for fault in ("rate_limited", "no_auth"):
        held["key"].not_sent(fault)


def test_calls_went_by_http_2(_stack):
    versions = {one["http"] for one in held["counterpart"].seen()["seen"]}
    assert versions == {"2.0"}, versions


def test_the_books_hold(_stack):
    for channel in ("key", "cert", "provider"):
        held[channel].holds()
    held["counterpart"].end()
