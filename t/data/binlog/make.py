#!/usr/bin/env python3
"""Makes the binlog files of this folder and the seeds of the fuzz target with
a private MariaDB.  usage: make.py   (their server's times and ids differ from
run to run, so they are made once and kept)"""

import os
import shutil
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.realpath(os.path.join(HERE, "../../.."))
sys.path.insert(0, os.path.join(ROOT, "t/component/sidecar"))
import rig  # noqa: E402

CORPUS = os.path.join(ROOT, "t/fuzz/corpus/binlog")
TYPES = ("a TINYINT UNSIGNED, b SMALLINT, c MEDIUMINT, d INT, e BIGINT UNSIGNED,"
         " f FLOAT, g DOUBLE, h DECIMAL(30,10), i YEAR, j DATE, k TIME(3),"
         " l DATETIME(6), m TIMESTAMP(1) NULL, n CHAR(5), o VARCHAR(300),"
         " p BINARY(4), q BLOB, r TEXT, s ENUM('x','y'), t SET('p','q','r'),"
         " u BIT(11), v JSON, w TEXT COMPRESSED, x POINT, y UUID")
VALUES = ("(200, -3, -8388608, 5, 18446744073709551615, 1.5, 0.1,"
          " -1234567890.0123456789, 2026, '2024-02-29', '-00:00:00.125',"
          " '2026-01-02 03:04:05.678901', '2026-01-02 03:04:05.6', 'abc',"
          " REPEAT('o', 10), 'bi', x'00ff', 'text', 'y', 'p,r', 1025, '[1]',"
          " REPEAT('w', 200), POINT(1, 2), UUID())")


def payments():
    return (rig.insert(rig.payment(1), rig.payment(2, 5, "alipay", "alipay_qr"))
            + rig.paid(1) + "DELETE FROM payment WHERE id LIKE '%2';"
            "XA START 'one'; " + rig.insert(rig.payment(3))
            + "XA END 'one'; XA PREPARE 'one'; XA COMMIT 'one';"
            "XA START 'two'; " + rig.insert(rig.payment(4))
            + "XA END 'two'; XA PREPARE 'two'; XA ROLLBACK 'two';")


def types():
    return (f"CREATE TABLE types ({TYPES}); INSERT INTO types VALUES {VALUES};"
            "UPDATE types SET b = b + 1; SET binlog_row_image = 'MINIMAL';"
            "UPDATE types SET c = 1; DELETE FROM types")


def log(at, name, text, setting=""):
    """One log file with what `text` did."""
    at.sql(setting + "FLUSH BINARY LOGS")
    number = at.sql("SHOW MASTER STATUS")[0][0]
    at.sql(text)
    at.sql("FLUSH BINARY LOGS; DROP TABLE IF EXISTS types; DELETE FROM payment")
    for folder in (HERE, CORPUS):
        shutil.copy(at.path("data", number), os.path.join(folder, name))
        os.chmod(os.path.join(folder, name), 0o644)


def main():
    os.makedirs(CORPUS, exist_ok=True)
    at = rig.Rig(redis=False)
    plain = "SET GLOBAL binlog_checksum = 'NONE';"
    log(at, "payments.binlog", payments())
    log(at, "payments-plain.binlog", payments(), plain)
    log(at, "types-plain.binlog", types(), plain)
    log(at, "compressed-plain.binlog", payments() + types(), plain
        + "SET GLOBAL log_bin_compress = ON;"
          "SET GLOBAL log_bin_compress_min_len = 10;")


main()
