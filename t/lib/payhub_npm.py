"""Packages of npm for tests, exactly those of a lock file."""

import os
import shutil
import subprocess
import sys

TREE = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
NAMES = ("package.json", "package-lock.json")


def same_file(one, other):
    try:
        with open(one, "rb") as ours, open(other, "rb") as theirs:
            return ours.read() == theirs.read()
    except FileNotFoundError:
        return False


def modules(folder):
    """The folder under build/ that has node_modules of `folder`'s lock file;
    what is missing ends the test."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            sys.exit(f"Bail out! found no {program}, expected it: "
                     "apt-get install nodejs npm")
    made = os.path.join(TREE, "build", "npm",
                        os.path.relpath(folder, TREE).replace(os.sep, "-"))
    marker = os.path.join(made, "node_modules", ".complete")
    if os.path.exists(marker) and all(
            same_file(os.path.join(folder, name), os.path.join(made, name))
            for name in NAMES):
        return made
    shutil.rmtree(made, ignore_errors=True)
    os.makedirs(made)
    for name in NAMES:
        shutil.copy(os.path.join(folder, name), made)
    done = subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=made, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit("Bail out! npm ci: "
                 + done.stderr.strip().replace("\n", " ")[-400:])
    with open(marker, "w", encoding="ascii"):
        pass
    return made
