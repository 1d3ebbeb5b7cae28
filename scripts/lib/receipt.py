"""Reads a payment or a refund from standard input, prints it as a receipt; exit
0 only if it is paid or succeeded."""

import json
import sys

# minor units of the currencies that are not in hundredths; a receipt only
EXPONENTS = {"JPY": 0, "KRW": 0, "VND": 0, "KWD": 3, "BHD": 3, "JOD": 3}


def money(amount, currency):
    exponent = EXPONENTS.get(currency, 2)
    digits = str(amount).rjust(exponent + 1, "0")
    whole = digits[:-exponent] if exponent else digits
    return f"{whole}.{digits[-exponent:]} {currency}" if exponent \
        else f"{whole} {currency}"


def payment_rows(payment):
    return {
        "payment": payment["id"],
        "order": payment["order_no"],
        "status": payment["status"],
        "amount": money(payment["amount"], payment["currency"]),
        "channel": f"{payment['channel']} ({payment['method']})",
        "trade": payment["channel_trade_no"],
        "paid at": payment["paid_at"],
    }


def refund_rows(refund):
    return {
        "refund": refund["id"],
        "number": refund["refund_no"],
        "of": refund["payment_id"],
        "status": refund["status"],
        "amount": money(refund["amount"], refund["currency"]),
        "done at": refund["refunded_at"],
    }


def main():
    told = json.load(sys.stdin)
    is_refund = "refund_no" in told
    for name, value in (refund_rows if is_refund
                        else payment_rows)(told).items():
        print(f"  {name:<9} {value}")
    return 0 if told["status"] == ("succeeded" if is_refund else "paid") else 1


sys.exit(main())
