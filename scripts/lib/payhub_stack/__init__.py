"""The private stack behind scripts/stack: one MariaDB, one Redis, the sandbox,
workers, sidecar and nginx under one folder, started and kept alive by one
supervisor.  Python's standard library only.

Reading order: layout (where things are), texts (configuration files),
process (one child), supervisor (all of them), bootstrap (what must exist
before they start), commands (up, down, status).
"""
