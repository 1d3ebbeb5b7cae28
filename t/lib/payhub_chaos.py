"""The table of the runs of scripts/chaos: every module of t/lib/chaos that has
RUNS, and how one of them is run."""

import glob
import importlib
import inspect
import os

from payhub_stack_fixture import Stack

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "chaos")
RUNS = {}
for path in sorted(glob.glob(os.path.join(FOLDER, "*.py"))):
    module = importlib.import_module(
        "chaos." + os.path.basename(path).removesuffix(".py"))
    RUNS.update(getattr(module, "RUNS", {}))


def parameters(name):
    """What of a run may be given on the command line."""
    return {word for word in inspect.signature(RUNS[name].function).parameters
            if word not in ("stack", "second", "say", "build")}


def stack_make(run, build):
    stack = Stack(build=build, settings=run.settings, nginx_workers=1)
    stack.words += run.words
    return stack


def perform(name, build="release", options=None, short=False):
    """({row: (value, unit)}, [faults], [folders with logs])"""
    run = RUNS[name]
    build = run.build or build
    words = {**(run.short if short else {}), **(options or {})}
    if run.stacks == 0:
        if "build" in inspect.signature(run.function).parameters:
            words["build"] = build
        rows, faults = run.function(**words)
        return rows, faults, []
    stacks, faults = [], ["it did not end"]
    try:
        for number in range(run.stacks):
            stacks.append(stack_make(run, build))
            if number:
                stacks[number].words += ["--beside", stacks[0].folder]
            stacks[number].up()
        if run.stacks > 1:
            words["second"] = stacks[1]
        rows, faults = run.function(stacks[0], **words)
        faults = faults + [f"sanitizer report {path}" for stack in stacks
                           for path in stack.sanitizer_reports()]
    finally:
        for stack in reversed(stacks):
            stack.down(wipe=not faults)
    return rows, faults, [stack.folder for stack in stacks] if faults else []
