"""The configuration files of a stack, as text.  Pure: options in, text out."""

import re

from .errors import StackError

LINE_MAX = 190  # what the reader of payhub.conf takes

CONF_ROW = re.compile(r"^CONF\((\w+), (\w+), (\w+),", re.MULTILINE)


def conf_keys(table):
    """{"section.key"} of libpayhub/base/conf_keys.def, the one table."""
    keys = [f"{row[0]}.{row[1]}" for row in CONF_ROW.findall(table)]
    if not keys:
        raise StackError("conf_keys.def: found no CONF row")
    return keys


def settings_parse(words, keys):
    """["section.key=value"] -> {"section.key": "value"}"""
    settings = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise StackError(f"--set {word}: expected section.key=value")
        if name not in keys:
            section = name.partition(".")[0] + "."
            near = [key for key in keys if key.startswith(section)]
            raise StackError(f"--set {word}: no key {name} in payhub.conf; "
                             f"known: {', '.join(near or keys)}")
        if name in settings:
            raise StackError(f"--set {name}: stands twice")
        if not value.isprintable():
            raise StackError(f"--set {name}: found a control character, "
                             "expected one line of text")
        settings[name] = value
    return settings


def mariadb(layout):
    """Durable and replicable: what the sidecar demands of a server."""
    at = layout.path
    return f"""[mariadbd]
datadir = {at("data", "mariadb")}
socket = {layout.mysql_socket}
pid-file = {at("run", "mariadb.pid")}
log-error = {layout.log("mariadb")}
tmpdir = {at("tmp")}
skip-networking
skip-name-resolve
performance-schema = OFF
local-infile = OFF
character-set-server = utf8mb4
default-time-zone = '+00:00'
max-connections = 256
innodb-buffer-pool-size = 128M
innodb-log-file-size = 96M
innodb-flush-log-at-trx-commit = 1
sync-binlog = 1
server-id = 1
gtid-domain-id = 0
gtid-strict-mode = ON
log-bin = {at("data", "binlog", "binlog")}
binlog-format = ROW
binlog-row-image = FULL
binlog-row-metadata = FULL
binlog-checksum = CRC32
binlog-expire-logs-seconds = 604800
"""


def redis(layout):
    return f"""port 0
unixsocket {layout.redis_socket}
unixsocketperm 700
daemonize no
dir {layout.path("data", "redis")}
logfile {layout.log("redis")}
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
"""


def payhub(layout, port, settings):
    """payhub.conf: the stack's own values, then those of --set."""
    ca_file = layout.trust
    values = {
        "worker.listen": "unix:" + layout.worker_socket(1),
        "store.socket": layout.mysql_socket,
        "store.user": "payhub_worker",
        "store.password_file": layout.store_key("worker.password"),
        "store.owner": "payhub",
        "store.database": "payhub",
        "redis.socket": layout.redis_socket,
        "sidecar.user": "payhub_sidecar",
        "sidecar.password_file": layout.store_key("sidecar.password"),
        "notify.allow_loopback": "yes",
        "notify.ca_file": ca_file,
        "admin.socket": layout.admin_socket,
        "admin.api_url": f"http://127.0.0.1:{port}",
        "seal.key_file": layout.store_key("seal.key"),
        "pay.platform_key_file": layout.store_key("platform.pem"),
        "pay.public_url": f"http://127.0.0.1:{port}",
        "pay.ca_file": ca_file,
    }
    values.update(settings)
    lines = ["; made by scripts/stack up"]
    section = None
    for name in sorted(values, key=lambda key: key.split(".")[0]):
        head, key = name.split(".")
        if head != section:
            lines += ["", f"[{head}]"]
            section = head
        lines.append(f"{key} = {values[name]}")
    for line in lines:
        if len(line.encode()) > LINE_MAX:
            raise StackError(f"payhub.conf would get a line of over {LINE_MAX}"
                             f" bytes: {line[:60]}...; take a shorter --dir")
    return "\n".join(lines) + "\n"


def servers_of(layout, workers, roles, role):
    return "\n".join(
        f"        server unix:{layout.worker_socket(number)} max_fails=0;"
        for number in range(1, workers + 1)
        if not roles or role in roles[number - 1].split(","))


def nginx(layout, port, workers, nginx_workers, roles=None):
    at = layout.path
    servers = servers_of(layout, workers, roles, "pay")
    admins = servers_of(layout, workers, roles, "admin")
    admin, admin_upstream = "payhub_workers", ""
    if admins != servers:
        admin = "payhub_admins"
        admin_upstream = f"""
    upstream {admin} {{
{admins}
    }}
"""
    locations = at("share", "lua-free-config", "payhub-locations.conf")
    return f"""# made by scripts/stack up
load_module {at("bin", "ngx_http_payhub_module.so")};
daemon off;
worker_processes {nginx_workers};
worker_shutdown_timeout 30s;
error_log {layout.log("nginx")} notice;
pid {at("run", "nginx.pid")};

events {{
    worker_connections 2048;
}}

http {{
    default_type application/octet-stream;
    server_tokens off;
    keepalive_requests 10000;
    log_format payhub '$time_iso8601 $remote_addr "$request" $status '
                      'request=$payhub_request_id key=$payhub_key_id '
                      'verify=$payhub_verify order=$payhub_order_id '
                      'outcome=$payhub_outcome time=$request_time';
    access_log {at("log", "access.log")} payhub buffer=32k flush=1s;

    client_body_temp_path {at("tmp", "body")};
    proxy_temp_path {at("tmp", "proxy")};
    fastcgi_temp_path {at("tmp", "fastcgi")};
    uwsgi_temp_path {at("tmp", "uwsgi")};
    scgi_temp_path {at("tmp", "scgi")};

    upstream payhub_workers {{
        least_conn;
{servers}
    }}
{admin_upstream}
    payhub_zone edge:32m;
    payhub_sync {admin} state={at("data", "edge.state")}
                seal=file:{at("keys", "seal.key")};
    payhub_limit_zone payhub_address:1m key=address rate=100000/s burst=1s;
    payhub_limit_zone payhub_app:1m key=app rate=100000/s burst=1s;
    payhub_limit_zone payhub_notice:1m key=address rate=100000/s burst=1s;
    payhub_route default {{
        rule all -> any;
    }}
    include {layout.keys_conf};

    server {{
        listen 127.0.0.1:{port};
        server_name localhost;
        include {locations};
    }}

    server {{
        listen 127.0.0.1:{port + 1} ssl http2;
        server_name localhost;
        ssl_certificate {at("tls", "edge.pem")};
        ssl_certificate_key {at("tls", "edge.key")};
        include {locations};
    }}

    server {{
        listen 127.0.0.1:{port + 3};
        listen unix:{layout.admin_socket};
        server_name localhost;

        location = /healthz {{
            default_type text/plain;
            return 200 "ok\\n";
        }}

        location = /status {{
            payhub_status html;
        }}

        location = /metrics {{
            payhub_status prometheus;
        }}

        location = /control {{
            payhub_control;
        }}
    }}
}}
"""
