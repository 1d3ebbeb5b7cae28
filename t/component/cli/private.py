"""The rig of the command line's tests: the program in a private folder, with a
private MariaDB and Redis when a test asks for them."""

import json
import os
import shutil
import sys

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../.."))
sys.path.insert(0, os.path.join(ROOT, "t/lib"))
sys.dont_write_bytecode = True

import payhub_private  # noqa: E402

Tap = payhub_private.Tap


class Answer:
    def __init__(self, run):
        self.code, self.out, self.err = run.returncode, run.stdout, run.stderr

    def json(self):
        return json.loads(self.out)

    def __str__(self):
        return f"exit {self.code}\n{self.out}\n{self.err}"


class Private(payhub_private.Private):
    base_env = {**payhub_private.Private.base_env,
                "LSAN_OPTIONS": "detect_leaks=1"}
    mariadb_options = ("--default-time-zone=+00:00",)

    def __init__(self, with_db=True, with_redis=False):
        super().__init__("phcli.")
        self.bin = self.path("payhub")
        shutil.copy(payhub_private.program("payhub"), self.bin)
        shutil.copytree(os.path.join(ROOT, "schema"), self.path("schema"))
        self.write("seal.key", "11" * 32 + "\n")
        self.config()
        if with_db:
            self.mariadb_up()
            self.sql("CREATE DATABASE payhub CHARACTER SET utf8mb4; "
                     "CREATE USER owner@localhost; "
                     "GRANT ALL ON *.* TO owner@localhost", database="")
        if with_redis:
            self.redis_up()

    def config(self, **more):
        return self.configure("payhub.conf", {
            "store": {"socket": self.path("db.sock"), "owner": "owner",
                      "database": "payhub"},
            "redis": {"socket": self.path("redis.sock"), "timeout": "5s"},
            "seal": {"key_file": self.path("seal.key")},
            "admin": {"keys_file": self.path("keys.conf")},
        }, more)

    def payhub(self, *words, text=None, env=None):
        return Answer(self.run([self.bin, *words, "--config",
                                self.path("payhub.conf")], text, env))
