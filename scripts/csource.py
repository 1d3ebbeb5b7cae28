"""What the checkers share: the files of the tree, C text without comments and
literals, functions with their lines, and one way to report.

Not a C parser: it sees what a careful reader of well-formed code sees.
"""

import os
import re
import sys

SKIPPED_DIRS = {".git", "build", "node_modules", "dist", "__pycache__"}
GENERATED = {"compile_commands.json"}
LITERAL = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.M)
HEAD = re.compile(r"(\w+)\s*\([^{}]*\)\s*(?:__attribute__\s*\(\(.*\)\)\s*)?\Z", re.S)
NOT_FUNCTIONS = {"if", "for", "while", "switch", "return", "sizeof"}


def files(*suffixes, under="."):
    """Paths below `under`, sorted, as git names them ("a/b.c")."""
    found = []
    for folder, dirs, names in os.walk(under):
        dirs[:] = [d for d in dirs if d not in SKIPPED_DIRS]
        found += [os.path.normpath(os.path.join(folder, name))
                  for name in names
                  if name.endswith(suffixes or ("",)) and name not in GENERATED]
    return sorted(found)


def read(path):
    with open(path, encoding="utf-8", errors="replace") as source:
        return source.read()


def blank(text, keep_comments=False, keep_strings=False):
    """The text with comments and literals as blanks, at the same places."""
    def one(match):
        piece = match.group(0)
        is_comment = piece.startswith(("//", "/*"))
        if keep_comments if is_comment else keep_strings:
            return piece
        return re.sub(r"[^\n]", " ", piece)
    return LITERAL.sub(one, text)


def strings(text):
    """(line, value) of each string literal; adjacent ones are one."""
    code = blank(text, keep_strings=True)
    for run in re.finditer(r'"(?:\\.|[^"\\\n])*"(?:\s*"(?:\\.|[^"\\\n])*")*', code):
        pieces = re.findall(r'"((?:\\.|[^"\\\n])*)"', run.group(0))
        yield line_of(text, run.start()), "".join(pieces)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


class Function:
    """A definition: its name, first line (return type) and last line."""

    def __init__(self, name, first, last, is_static):
        self.name, self.first, self.last = name, first, last
        self.is_static = is_static
        self.lines = last - first + 1


def functions(text):
    code = blank(text)
    code = DIRECTIVE.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)), code)
    found, depth, start, open_head = [], 0, 0, None
    for match in re.finditer(r"[{};]", code):
        char, at = match.group(0), match.start()
        if char == "{":
            if depth == 0:
                head = code[start:at]
                name = HEAD.search(head)
                open_head = None
                if name and "=" not in head and name.group(1) not in NOT_FUNCTIONS:
                    lead = len(head) - len(head.lstrip())
                    open_head = (name.group(1), start + lead, "static" in head)
            depth += 1
        elif char == "}":
            depth = max(depth - 1, 0)
            if depth == 0:
                if open_head:
                    name, begin, is_static = open_head
                    found.append(Function(name, line_of(text, begin),
                                          line_of(text, at), is_static))
                    open_head = None
                start = match.end()
        elif depth == 0:
            start = match.end()
    return found


class Report:
    """Findings: where, what was found, what was expected, what to do."""

    def __init__(self, name):
        self.name, self.count = name, 0

    def add(self, path, line, found, expected):
        self.count += 1
        print(f"{path}:{line}: found {found}; expected {expected}")

    def finish(self, checked):
        state = f"{self.count} findings" if self.count else "ok"
        print(f"{self.name}: {state} ({checked})",
              file=sys.stderr if self.count else sys.stdout)
        return 1 if self.count else 0
