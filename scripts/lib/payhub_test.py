"""The bands of scripts/test: what each runs, and how its output is counted.

A band is a list of commands.  Each command's output goes to build/test/ and is
counted by its reader (TAP, cmocka, prove, a line "N passed, N failed"; one
that only exits is one test).  Of what failed the lines that say why are shown,
and the end.  A command that exits with an error counts as at least one failed
test, one that ran nothing as well: silence is not success.

Bands run side by side in two lanes: one for commands that only compute, which
leaves the processor to the others whenever they want it, and one for the rest,
which wait more than they work, so that several share a processor.  A band is
reported when its last command ends; what took longest in each stands last.

A command of REPEATED bands that failed is run once more when nothing else
runs, if few did: whether it was the load.  Its faults stay shown; it is named
as unsteady, and counts as what it was the second time (decision 0117).
"""

import argparse
import collections
import concurrent.futures
import fcntl
import glob
import os
import re
import signal
import subprocess
import sys
import time

TREE = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
LOGS = os.path.join("build", "test")
LOG_TAIL = 40
DETAIL_MAX = 40  # lines below one fault
FAULTS_MAX = 240  # lines of all faults of one log
LINE_MAX = 240
FAULT_LINE_MAX = 1000
COMMAND_WAIT_S = 900
END_WAIT_S = 60  # for its servers to be ended, when a command took too long
LOOK_S = 0.02
WAITING_PER_CPU = 2
SLOWEST = 5
REPEATS_MAX = 3  # more that fail are no accident
TIDY_NODES = "60000"  # a third of the time; `make check` goes to the end

# used_s: of processor, with what its processes collected
Result = collections.namedtuple("Result",
                                "passed failed log name began ended used_s")


class Command:
    def __init__(self, name, argv, reader):
        self.name = name
        self.argv = argv
        self.reader = reader


# -- readers: text -> (passed, failed), or None when it is not theirs ---------

def read_tap(text):
    passed = len(re.findall(r"^ok\b", text, re.MULTILINE))
    failed = len(re.findall(r"^not ok\b", text, re.MULTILINE))
    return (passed, failed) if passed or failed else None


def read_cmocka(text):
    passed = sum(map(int, re.findall(r"^\[  PASSED  \] (\d+) test", text,
                                     re.MULTILINE)))
    failed = sum(map(int, re.findall(r"^\[  FAILED  \] (\d+) test", text,
                                     re.MULTILINE)))
    return (passed, failed) if passed or failed else None


def read_prove(text):
    total = sum(map(int, re.findall(r"^Files=\d+, Tests=(\d+)", text,
                                    re.MULTILINE)))
    failed = sum(map(int, re.findall(r"Failed (\d+)/\d+ subtests", text)))
    return (total - failed, failed) if total else None


def read_total(text):
    found = re.findall(r"^(?:[\w-]+: )?(\d+) passed, (\d+) failed$", text, re.MULTILINE)
    return tuple(map(int, found[-1])) if found else None


def read_exit(_):
    return (1, 0)


# -- bands ---------------------------------------------------------------------

def tap_files(*patterns):
    """Programs that speak TAP."""
    return [Command(path, [path], read_tap)
            for pattern in patterns for path in sorted(glob.glob(pattern))]


def unit_programs(pattern="t/unit/test_*.c"):
    names = [os.path.basename(path)[:-2] for path in sorted(glob.glob(pattern))]
    return [f"build/asan/t/{name}" for name in names]


def check_steps():
    """The steps of `make check`; its own tests are in the band tools."""
    with open("scripts/check.mk", encoding="utf-8") as file:
        text = file.read().replace("\\\n", " ")
    names = re.search(r"^CHECKS\s*:=(.*)$", text, re.MULTILINE).group(1)
    return [name for name in names.split() if name != "check-tools"]


def band_check(_):
    os.environ.setdefault("TIDY_NODES", TIDY_NODES)
    return [Command("make " + name, ["make", "-s", name], read_exit)
            for name in check_steps()]


def band_tools(_):
    return tap_files("t/tools/*.test") \
        + [Command(path, [path], read_total)
           for path in ("t/tools/run", "t/nginx-selftest/run")]


def band_unit(_):
    return [Command(path, [path], read_cmocka)
            for path in unit_programs() if "vector" not in path]


def band_vectors(_):
    return [Command(path + " --check", [path, "--check"], read_exit)
            for path in ("t/data/frames/make.py", "t/data/vectors/make.py")] \
        + [Command(path, [path], read_cmocka)
           for path in unit_programs("t/unit/test_*vector*.c")] \
        + tap_files("t/vectors/*.test")


def band_fuzz(options):
    commands = [Command(f"replay {name}",
                        [f"build/asan/t/replay_{name}",
                         f"t/fuzz/corpus/{name}"], read_exit)
                for name in fuzz_names()]
    if not options.quick:
        commands.append(Command(
            "make fuzz", ["make", f"-j{os.cpu_count() or 1}",
                          "--output-sync=target", "fuzz", "FUZZ_SECONDS=5"],
            read_exit))
    return commands


def band_component(_):
    return tap_files("t/component/*/*.test", "t/differential/*.test")


def band_nginx(options):
    """A command a file and way, so that files run side by side."""
    ways = [[]] if options.quick else [[], ["--hup"], ["--workers", "2"]]
    return [Command(" ".join(words), words, read_prove) for words in (
        ["t/run-nginx", "--asan", *way, path] for way in ways
        for path in sorted(glob.glob("t/nginx/*.t")))]


def has_settings(path):
    with open(path, encoding="utf-8") as file:
        return re.search(r"^SETTINGS\b", file.read(), re.MULTILINE)


def band_e2e(_):
    """A command a stack: the files with settings have one to themselves."""
    paths = sorted(glob.glob("t/e2e/[0-9]*.py"))
    own = [path for path in paths if has_settings(path)]
    words = [["t/e2e/run", *(os.path.basename(path)[:-3] + "."
                             for path in group)]
             for group in [[path for path in paths if path not in own],
                           *([path] for path in own)]]
    return [Command("t/e2e/run " + (group[1] if len(group) == 2 else "shared"),
                    group, read_tap) for group in words] \
        + tap_files("t/e2e/sandbox-*.test")


def band_short_chaos(options):
    """A command a run: each has stacks of its own."""
    words = ["--quick"] if options.quick else []
    return [Command(" ".join((path, name)), [path, name], read_tap)
            for path in sorted(glob.glob("t/chaos/short/*.test"))
            for name in subprocess.run(
                [path, "--list", *words], capture_output=True, check=True,
                text=True).stdout.split()]


BANDS = {"check": band_check, "tools": band_tools, "unit": band_unit,
         "vectors": band_vectors, "fuzz": band_fuzz,
         "component": band_component, "nginx": band_nginx, "e2e": band_e2e,
         "short-chaos": band_short_chaos}
# They only compute; one at a time, each uses every processor by itself.
COMPUTING = {"check", "fuzz"}
# They wait for servers and clocks.  What only computes fails for a reason, and
# so do the runs that count money: those are never asked twice.
REPEATED = {"component", "e2e", "nginx", "tools"}
# Their longest commands take a minute: last, one would run alone.
FIRST = ("short-chaos", "e2e")


def fuzz_names():
    return [os.path.basename(path)[5:-2]
            for path in sorted(glob.glob("t/fuzz/fuzz_*.c"))]


# -- building and running --------------------------------------------------------

# (band, profile, what make has to bring)
NEEDS = (
    ("check", "release", lambda: ["module",
                                  "build/release/gen/redis_library.c"]),
    ("unit", "asan", lambda: unit_programs()),
    ("vectors", "asan", lambda: [*unit_programs("t/unit/test_*vector*.c"),
                                 "build/asan/payhub"]),
    ("fuzz", "asan", lambda: [f"build/asan/t/replay_{name}"
                              for name in fuzz_names()]),
    ("component", "asan", lambda: ["programs", "module",
                                   "build/asan/t/bucket-traces"]),
    ("component", "release", lambda: ["module"]),
    ("nginx", "asan", lambda: ["module"]),
    ("e2e", "asan", lambda: ["all"]),
    ("short-chaos", "release", lambda: ["all"]),
)


def build(bands):
    targets = {}
    for band, profile, names in NEEDS:
        if band in bands:
            targets.setdefault(profile, set()).update(names())
    jobs = f"-j{os.cpu_count() or 1}"
    for profile, names in sorted(targets.items(), reverse=True):
        done = run(Command(f"build {profile}",
                           ["make", jobs, "PROFILE=" + profile,
                            *sorted(names)], read_exit))
        report("build " + profile, *done[:2], done.ended - done.began)
        if done.failed:
            show(done.log)
            return False
    return True


def log_path(command):
    name = re.sub(r"[^A-Za-z0-9]+", "-", command.name).strip("-")
    return os.path.join(LOGS, name + ".log")


def wait_used(child, seconds):
    """Its exit status, None when the time is over; the processor it used."""
    over = time.monotonic() + seconds
    while time.monotonic() < over:
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        if pid:
            child.returncode = os.waitstatus_to_exitcode(status)
            return child.returncode, usage.ru_utime + usage.ru_stime
        time.sleep(LOOK_S)
    return None, 0


def run(command):
    log = log_path(command)
    began, status, used_s = time.monotonic(), None, 0
    with open(log, "wb") as file:
        try:
            child = subprocess.Popen(
                command.argv, stdin=subprocess.DEVNULL, stdout=file,
                stderr=subprocess.STDOUT)
            status, used_s = wait_used(child, COMMAND_WAIT_S)
            if status is None:
                end(child)
                file.write(f"\nno end within {COMMAND_WAIT_S} s\n".encode())
        except OSError as error:
            file.write(f"\n{error}\n".encode())
    with open(log, encoding="utf-8", errors="replace") as file:
        counted = command.reader(file.read())
    passed, failed = counted or (0, 1)
    if status != 0 and command.reader is read_exit:
        passed, failed = 0, 1
    elif status != 0 and failed == 0:
        failed = 1
    return Result(passed, failed, log, command.name, began, time.monotonic(),
                  used_s)


def end(child):
    """As by Ctrl-C first, so that it takes its servers down."""
    child.send_signal(signal.SIGINT)
    try:
        child.wait(END_WAIT_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


FAULT = re.compile(r"not ok\b|\s*#\s+Failed test|\[  (ERROR|FAILED) |"
                   r".* error: |.*Sanitizer: ")


def fault_lines(lines):
    """The numbers of those that say what failed: each fault with the lines
    that begin with # below it, which is where a test says what it found."""
    chosen, left = [], 0
    for number, line in enumerate(lines):
        if FAULT.match(line):
            left = DETAIL_MAX
        elif left == 0 or not line.lstrip().startswith("#"):
            left = 0
            continue
        else:
            left -= 1
        chosen.append(number)
    return chosen


NO_ACCIDENT = re.compile(r"Sanitizer: |runtime error: |\[alert\]|"
                         r"(lost|doubled)[:= ]+[1-9]")


def is_accident(result):
    """Whether the machine's load may be why it failed."""
    with open(result.log, encoding="utf-8", errors="replace") as file:
        return not NO_ACCIDENT.search(file.read())


def repeat(failures):
    """[(band, command, result)] of all that failed, once more and alone.
    Returns what is to be added to (passed, failed)."""
    if len(failures) > REPEATS_MAX or not all(
            band in REPEATED and is_accident(result)
            for band, _, result in failures):
        return 0, 0
    passed = failed = 0
    for band, command, first in failures:
        print(f"once more, alone: {band}: {command.name}", flush=True)
        again = run(command)
        if again.failed:
            show(again.log)
        else:
            print(f"UNSTEADY: {band}: {command.name}: {first.failed} failed, "
                  "none when run alone", flush=True)
        passed += again.passed - first.passed
        failed += again.failed - first.failed
    return passed, failed


def show(log):
    """What failed and why, then the end of a log."""
    with open(log, encoding="utf-8", errors="replace") as file:
        lines = file.read().splitlines()
    tail = max(len(lines) - LOG_TAIL, 0)
    faults = [number for number in fault_lines(lines) if number < tail]
    print(f"    {log}:")
    for number in faults[:FAULTS_MAX]:
        print("    |", lines[number][:FAULT_LINE_MAX])
    if len(faults) > FAULTS_MAX:
        print(f"    | ({len(faults) - FAULTS_MAX} more lines of faults)")
    if faults:
        print("    | ...")
    wide = set(fault_lines(lines))
    for number, line in enumerate(lines[tail:], tail):
        print("    |", line[:FAULT_LINE_MAX if number in wide else LINE_MAX])


def report(name, passed, failed, seconds):
    print(f"{name:<14} {passed:>6} passed {failed:>4} failed "
          f"{seconds:>7.1f} s", flush=True)


def chosen(patterns):
    """{band: [parts]}; a name that is none is an error."""
    picked = {}
    for pattern in patterns or BANDS:
        band, _, part = pattern.partition(":")
        if band not in BANDS:
            print(f"test: found '{pattern}', expected one of: "
                  f"{' '.join(BANDS)}; BAND:PART runs what has PART in its "
                  "name", file=sys.stderr)
            sys.exit(2)
        picked.setdefault(band, [])
        if part:
            picked[band].append(part)
    return {band: picked[band] for band in BANDS if band in picked}


def commands_of(band, parts, options):
    return [command for command in BANDS[band](options)
            if not parts or any(part in command.name for part in parts)]


def run_polite(command):
    command.argv = ["nice", "-n", "19", *command.argv]
    return run(command)


def report_band(band, results):
    """Returns (passed, failed, its slowest as text)."""
    passed = sum(result.passed for result in results)
    failed = sum(result.failed for result in results)
    report(band, passed, failed, max(result.ended for result in results)
           - min(result.began for result in results))
    for result in results:
        if result.failed:
            show(result.log)
    results = sorted(results, key=lambda one: one.began - one.ended)
    lines = [f"slowest of {band}, with seconds of processor "
             f"({sum(one.ended - one.began for one in results):.0f} "
             f"{sum(one.used_s for one in results):.0f}):"]
    lines += [f"{one.ended - one.began:9.1f} {one.used_s:7.1f}  {one.name}"
              for one in results[:SLOWEST]]
    return passed, failed, "\n".join(lines)


def run_bands(picked, options):
    """Returns (passed, failed)."""
    passed = failed = 0
    running, slowest, failures = {}, [], []
    cpus = os.cpu_count() or 1
    computing = concurrent.futures.ThreadPoolExecutor(1)
    waiting = concurrent.futures.ThreadPoolExecutor(cpus * WAITING_PER_CPU)
    order = sorted(picked, key=lambda band: band not in FIRST)
    try:
        for band, parts in ((band, picked[band]) for band in order):
            commands = commands_of(band, parts, options)
            if not commands:
                failed += 1
                print(f"{band}: found no test" + (
                    f" with {' or '.join(parts)} in its name" if parts
                    else ""))
                continue
            running[band] = {
                computing.submit(run_polite, command) if band in COMPUTING
                else waiting.submit(run, command): command
                for command in commands}
        for _ in concurrent.futures.as_completed(
                [one for futures in running.values() for one in futures]):
            for band in [band for band, futures in running.items()
                         if all(one.done() for one in futures)]:
                done = [(band, command, future.result())
                        for future, command in running.pop(band).items()]
                good, bad, text = report_band(
                    band, [result for _, _, result in done])
                passed, failed = passed + good, failed + bad
                slowest.append(text)
                failures += [one for one in done if one[2].failed]
    finally:
        for pool in (computing, waiting):
            pool.shutdown(cancel_futures=True)
    print(*slowest, sep="\n")
    good, bad = repeat(failures)
    return passed + good, failed + bad


def lock_take():
    """One run a tree: two would write over each other's logs."""
    lock = open(os.path.join(LOGS, "lock"), "w", encoding="ascii")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print("test: another run is under way in this tree, waiting",
              flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def main():
    parser = argparse.ArgumentParser(prog="test")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("patterns", nargs="*", metavar="BAND")
    options = parser.parse_args()
    os.chdir(TREE)
    picked = chosen(options.patterns)
    os.makedirs(LOGS, exist_ok=True)
    lock = lock_take()
    passed, failed = 0, 1
    if not build(set(picked)):
        print("test: the build failed, nothing was run", file=sys.stderr)
    else:
        passed, failed = run_bands(picked, options)
    lock.close()
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
