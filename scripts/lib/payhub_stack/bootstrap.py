"""What must exist before the processes start: secrets, certificates, an empty
database with three users, an app and a sandbox account.  Every step is done
once; a stack that starts again finds its data and keys as they were.  Runs as
the unprivileged user."""

import json
import os
import secrets
import shutil
import subprocess

from . import texts
from .errors import StackError
from .layout import file_write

COMMAND_WAIT_S = 120


def command(layout, argv, name, text="", env=None):
    """Runs to its end; the output goes to log/NAME.log as well."""
    try:
        done = subprocess.run(argv, input=text, capture_output=True, text=True,
                              timeout=COMMAND_WAIT_S, cwd=layout.root,
                              env=env)
    except subprocess.TimeoutExpired:
        raise StackError(f"{name}: no end within {COMMAND_WAIT_S} s")
    except OSError as error:
        raise StackError(f"{name}: {error}")
    log = layout.log(name)
    failed = done.returncode != 0
    # mariadb-install-db tells its faults on stdout; where a command succeeds,
    # stdout may hold secrets and stays out of the log.
    said = (done.stdout if failed else "") + done.stderr
    with open(log, "a", encoding="utf-8") as file:
        file.write(said)
    if failed:
        raise StackError(f"{name}: exit {done.returncode}: "
                         f"{said.strip()[-400:]}", log=log)
    return done.stdout


def secret_once(path, make):
    if not os.path.exists(path):
        file_write(path, make() + "\n", 0o600)


def secrets_make(layout):
    def hexes():
        return secrets.token_hex(32)

    for name in ("worker.password", "sidecar.password", "seal.key",
                 "sandbox.key"):
        secret_once(layout.path("keys", name), hexes)
    platform = layout.path("keys", "platform.pem")
    if not os.path.exists(platform):
        file_write(platform, command(
            layout, ["openssl", "genpkey", "-algorithm", "ed25519"],
            "platform-key"), 0o600)
    if not os.path.exists(layout.keys_conf):
        file_write(layout.keys_conf, "", 0o600)


def _certificate(layout, name, ca):
    """A server certificate for loopback, signed by the CA."""
    at = layout.path
    key, request = at("tls", name + ".key"), at("tmp", name + ".csr")
    command(layout, ["openssl", "req", "-newkey", "ec", "-pkeyopt",
                     "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
                     "-out", request, "-subj", f"/CN=payhub {name}"], "tls")
    command(layout, ["openssl", "x509", "-req", "-in", request, "-CA",
                     ca + ".pem", "-CAkey", ca + ".key", "-days", "3650",
                     "-set_serial", str(secrets.randbits(63)), "-out",
                     at("tls", name + ".pem"), "-extfile",
                     at("tmp", "san.cnf")], "tls")
    os.chmod(key, 0o600)
    os.chmod(at("tls", name + ".pem"), 0o644)
    os.unlink(request)


def certificates_make(layout):
    """The CA signs two certificates and its key is thrown away."""
    at = layout.path
    done = at("tls", "made")
    if os.path.exists(done):
        return
    ca = at("tls", "ca")
    command(layout, ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                     "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                     ca + ".key", "-out", ca + ".pem", "-days", "3650",
                     "-subj", "/CN=payhub stack CA", "-addext",
                     "keyUsage=critical,keyCertSign,cRLSign"], "tls")
    os.chmod(ca + ".pem", 0o644)
    file_write(at("tmp", "san.cnf"),
               "subjectAltName=DNS:localhost,IP:127.0.0.1\n"
               "basicConstraints=critical,CA:FALSE\n"
               "keyUsage=critical,digitalSignature\n"
               "extendedKeyUsage=serverAuth\n"
               "subjectKeyIdentifier=hash\n"
               "authorityKeyIdentifier=keyid\n")
    for name in ("edge", "sandbox"):
        _certificate(layout, name, ca)
    os.unlink(ca + ".key")
    file_write(done, "")


def trust_write(layout):
    """Two stacks, two CAs."""
    both = ""
    for root in (layout.root, layout.store_root):
        with open(os.path.join(root, "tls", "ca.pem"),
                  encoding="ascii") as file:
            both += file.read()
    file_write(layout.trust, both, 0o644)


def configs_write(layout, options):
    at = layout.path
    if layout.has_store:
        file_write(at("conf", "mariadb.cnf"), texts.mariadb(layout))
        file_write(at("conf", "redis.conf"), texts.redis(layout))
    else:
        trust_write(layout)
    file_write(layout.config,
               texts.payhub(layout, options.port, options.settings))
    file_write(at("conf", "nginx.conf"),
               texts.nginx(layout, options.port, options.workers,
                           options.nginx_workers, options.worker_roles))
    for name in ("redis", "binlog", "sandbox"):
        os.makedirs(at("data", name), mode=0o700, exist_ok=True)


def database_made(layout):
    return os.path.exists(layout.path("data", "mariadb.made"))


def database_install(layout):
    """An interrupted first start leaves no mark and is done over."""
    if database_made(layout):
        return
    at = layout.path
    for name in ("mariadb", "binlog"):
        shutil.rmtree(at("data", name), ignore_errors=True)
        os.makedirs(at("data", name), mode=0o700)
    command(layout, ["/usr/bin/mariadb-install-db", "--no-defaults",
                     "--datadir=" + at("data", "mariadb"),
                     "--tmpdir=" + at("tmp"), "--skip-test-db",
                     # --force: the host's own name need not resolve
                     "--skip-name-resolve", "--force",
                     "--auth-root-authentication-method=normal"],
            "mariadb-install")


def _password(layout, name):
    with open(layout.path("keys", name + ".password"),
              encoding="ascii") as file:
        return file.read().strip()


def database_users(layout):
    """The owner has no password: who reaches the socket in the 0700 folder is
    the owner.  Worker and sidecar have one each and can do only their part.
    None of it goes to the binlog."""
    if database_made(layout):
        return
    sql = f"""SET SESSION sql_log_bin = 0;
CREATE DATABASE IF NOT EXISTS payhub CHARACTER SET utf8mb4;
CREATE OR REPLACE USER payhub@localhost;
GRANT ALL ON *.* TO payhub@localhost WITH GRANT OPTION;
CREATE OR REPLACE USER payhub_worker@localhost
  IDENTIFIED BY '{_password(layout, "worker")}';
GRANT SELECT, INSERT, UPDATE, DELETE ON payhub.* TO payhub_worker@localhost;
CREATE OR REPLACE USER payhub_sidecar@localhost
  IDENTIFIED BY '{_password(layout, "sidecar")}';
GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO payhub_sidecar@localhost;
DELETE FROM mysql.global_priv WHERE User IN ('', 'root');
FLUSH PRIVILEGES;
"""
    command(layout, ["/usr/bin/mariadb", "--no-defaults", "--user=root",
                     "--socket=" + layout.mysql_socket], "mariadb-users", sql)
    file_write(layout.path("data", "mariadb.made"), "")


def payhub(layout, *words, env=None):
    """One command of the CLI, as the stack's own user."""
    argv = [layout.path("bin", "payhub"), *words, "--config", layout.config]
    return command(layout, argv, "cli",
                   env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8",
                        **(env or {})})


def schema_up(layout, env):
    payhub(layout, "schema", "up", "--dir", layout.path("share", "schema"),
           env=env)


def app_once(layout, options, env):
    """The ready app; made on the first start, read back on later ones."""
    path = layout.path("keys", "app.json")
    if not os.path.exists(path):
        secret_file = layout.path("keys", "app.secret")
        if os.path.exists(secret_file):
            os.unlink(secret_file)
        text = payhub(layout, "app", "add", "--merchant", "M1", "--name",
                      "first app", "--secret-out", secret_file, "--json",
                      env=env)
        app = json.loads(text)
        app.pop("secret", None)
        app["secret_file"] = secret_file
        file_write(path, json.dumps(app) + "\n")
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def account_once(layout, options, env):
    """The sandbox account; when the stack moves to other ports, its address
    moves along."""
    path = layout.path("keys", "account.json")
    url = f"https://127.0.0.1:{options.port + 2}"
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            account = json.load(file)
        if account["base_url"] == url:
            return account
        payhub(layout, "channel", "account", "set", account["account_id"],
               "--set", "base_url=" + url, env=env)
    else:
        account = json.loads(payhub(
            layout, "channel", "account", "add", "sandbox", "--name",
            "sandbox", "--set", "base_url=" + url, "--secret",
            "key=@" + layout.path("keys", "sandbox.key"), "--json", env=env))
    account["base_url"] = url
    file_write(path, json.dumps(account) + "\n")
    return account
