"""Webhooks (P24): what a receiver that hangs costs the others, and that every
event is taken at least once while the sender dies each second."""

import asyncio
import concurrent.futures
import itertools
import multiprocessing
import os
import random
import statistics
import threading
import time

import payhub_private
from chaos.common import Run
from chaos.locks import worker_rig
from payhub_frame import Closed

SENDERS = 4
SETTLE_S = 120
SLOW_S = 0.05


async def serve_one(reader, writer, note, chance):
    """What a path means: /hang never answers, /half refuses half of all,
    /slow takes its time, others take everything at once."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            fields = dict(line.split(": ", 1) for line in
                          head.decode("latin-1").lower().split("\r\n")[1:-2])
            await reader.readexactly(int(fields["content-length"]))
            path, when = head.split(b" ", 2)[1].decode(), time.time()
            if path == "/hang":
                await asyncio.sleep(3600)
            if path == "/slow":
                await asyncio.sleep(SLOW_S)
            status = 500 if path == "/half" and chance.random() < 0.5 else 200
            note.write(f"{path} {fields['webhook-id'].upper()} {when:.4f} "
                       f"{status}\n")
            note.flush()
            writer.write(f"HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n"
                         .encode())
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
        pass
    finally:
        writer.close()


def serve(path, pipe, seed):
    async def main():
        chance = random.Random(seed)
        with open(path, "w", encoding="ascii") as note:
            servers = [await asyncio.start_server(
                lambda r, w: serve_one(r, w, note, chance), "127.0.0.1", 0,
                backlog=1024) for _ in range(2)]
            pipe.send([server.sockets[0].getsockname()[1]
                       for server in servers])
            await servers[0].serve_forever()
    asyncio.run(main())


class Receivers:
    """One process of its own, so that its times are not ours; two of them, as
    what shares a host and port shares its places."""

    def __init__(self, rig, seed):
        self.path = os.path.join(rig.dir, "taken")
        ours, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.get_context("fork").Process(
            target=serve, args=(self.path, theirs, seed), daemon=True)
        self.process.start()
        self.url, self.other = (f"http://127.0.0.1:{port}"
                                for port in ours.recv())

    def taken(self):
        """[(path, event, when, status)]"""
        with open(self.path, encoding="ascii") as file:
            rows = [line.split() for line in file if line.endswith("\n")]
        return [(path, event, float(when), int(status))
                for path, event, when, status in rows]

    def end(self):
        self.process.kill()
        self.process.join()


def send(rig, urls, count, per_s):
    """So many payments at an even pace, to the receivers in turn."""
    numbers, began = itertools.count(), time.monotonic()

    def run():
        while (number := next(numbers)) < count:
            time.sleep(max(0, began + number / per_s - time.monotonic()))
            try:
                rig.pay(notify_url=urls[number % len(urls)])
            except (Closed, OSError):
                time.sleep(0.05)  # the worker is dead just now
    threads = [threading.Thread(target=run) for _ in range(SENDERS)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]


def is_at_rest(rig):
    """A payment whose sender died may have its event yet to come."""
    return rig.sql("SELECT (SELECT COUNT(*) FROM payment WHERE status IN "
                   "('created','paying'))+(SELECT COUNT(*) FROM notify_task "
                   "WHERE status='pending')") == [["0"]]


def at(times, share):
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]


def beside(rig, receivers, kind, number, events, per_s):
    """Milliseconds from event to arrival at one that is well, while as many
    events go to another receiver, `kind`."""
    path = f"/good-{number}"
    send(rig, [receivers.url + path, receivers.other + "/" + kind],
         2 * events, per_s)
    payhub_private.wait(lambda: rig.sql(
        "SELECT COUNT(*) FROM notify_task WHERE status='delivered' AND "
        f"url LIKE '%{path}'")[0][0] == str(events), 30, 0.1)
    # what hangs is laid to rest: the next round begins as this one did
    rig.sql("UPDATE notify_task SET status='dead' WHERE status='pending'; "
            "DELETE FROM work WHERE queue='hook'")
    time.sleep(1.2)
    born = {row[0]: float(row[1]) for row in rig.sql(
        "SELECT id,UNIX_TIMESTAMP(created_at) FROM notify_task WHERE "
        f"url LIKE '%{path}'")}
    return [(when - born[event]) * 1000
            for where, event, when, _ in receivers.taken() if where == path]


def neighbours(hosts, rounds, events, per_s, say):
    """{kind: [[milliseconds] a round]}: two hosts that know nothing of each
    other at the same time, so that whatever else the machine does meets both;
    the hanging receiver is of each in turn."""
    times = {"well": [], "hang": []}
    for number in range(rounds):
        kinds = ("well", "hang") if number % 2 else ("hang", "well")
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            jobs = [pool.submit(beside, *host, kind, number, events, per_s)
                    for host, kind in zip(hosts, kinds)]
            for kind, job in zip(kinds, jobs):
                times[kind].append(job.result())
        say("# " + ", ".join(
            f"beside one that is {kind}: p50 {at(found[-1], 0.5):.1f} p99 "
            f"{at(found[-1], 0.99):.1f} ms" for kind, found in times.items()))
    return times


def ratio_of(times, share):
    """The median over the rounds, and what it is made of."""
    rounds = [(at(well, share), at(hang, share))
              for well, hang in zip(times["well"], times["hang"])]
    return (statistics.median(hang / well for well, hang in rounds),
            statistics.median(well for well, _ in rounds),
            statistics.median(hang for _, hang in rounds))


def fate(rig, event, receivers):
    """What the rows and the receiver know of an event that did not come."""
    task, work = (dict(zip(columns.split(","), row)) for columns, row in (
        (columns, next(iter(rig.sql(f"SELECT {columns} FROM {table} WHERE "
                                    f"id='{event}'")), ()))
        for table, columns in (
            ("notify_task", "status,tries,last_status,last_error,created_at"),
            ("work", "queue,due_at,lease_by,tries"))))
    seen = [(where, when, status)
            for where, taken, when, status in receivers.taken()
            if taken == event]
    return f"task {task}, work {work}, receiver {seen}"


def killed(rig, receivers, events, per_s, every):
    """(deaths, events, {lost: its fate}, mean times that one was taken)"""
    deaths, stop = [], threading.Event()

    def killer():
        while not stop.wait(every):
            rig.kill(rig.children["worker"])
            deaths.append(time.monotonic())
            rig.worker(ready=False)
    thread = threading.Thread(target=killer)
    urls = [receivers.url + path for path in ("/half", "/killed", "/slow")]
    before = {row[0] for row in rig.sql("SELECT id FROM notify_task")}
    thread.start()
    send(rig, urls, events, per_s)
    stop.set()
    thread.join()
    rig.wait("worker", rig.is_ready, rig.children["worker"])
    payhub_private.wait(lambda: is_at_rest(rig), SETTLE_S, 0.3)
    made = {row[0]: row[1] for row in
            rig.sql("SELECT id,status FROM notify_task")
            if row[0] not in before}
    taken = {}
    for _, event, _, status in receivers.taken():
        if status == 200 and event in made:
            taken[event] = taken.get(event, 0) + 1
    lost = {event: fate(rig, event, receivers) for event, status in made.items()
            if status != "delivered" or event not in taken}
    return len(deaths), len(made), lost, sum(taken.values()) / max(
        1, len(taken))


def host(seed):
    rig = worker_rig(notify__schedule="0s " + "500ms " * 20 + "1s",
                     notify__timeout="1s", janitor__lease="1s",
                     janitor__first_look="500ms")
    return rig, Receivers(rig, seed)


def webhooks(rounds=10, events=400, per_s=60, killed_events=3000, slack=5,
             again=5, seed=1, say=print, build="release"):
    """A hanging receiver beside one that is well, then kills; slack: percent
    that it may cost the other's p99; again: percent that may be taken twice."""
    os.environ["PAYHUB_BUILD"] = build
    hosts = [host(seed), host(seed + 1)]
    times = neighbours(hosts, rounds, events, per_s, say)
    faults = [f"{kind}: {len(came)} of {events} came"
              for kind, found in times.items() for came in found
              if len(came) != events]
    ratio, alone, hung = ratio_of(times, 0.99)
    if ratio > 1 + slack / 100:
        faults.append(f"p99 {alone:.1f} ms, beside one that hangs "
                      f"{hung:.1f} ms, {ratio:.2f} times")
    rig, receivers = hosts[0]
    deaths, made, lost, mean = killed(rig, receivers, killed_events, per_s, 1)
    faults += [f"{event} was not taken: {how}"
               for event, how in list(lost.items())[:10]]
    if mean > 1 + again / 100 or deaths == 0:
        faults.append(f"{deaths} deaths, taken {mean:.3f} times each")
    gaps = rig.sql("SELECT p.id FROM payment p JOIN notify_task t ON "
                   "t.payment_id=p.id GROUP BY p.id,p.sequence HAVING "
                   "COUNT(*)<>p.sequence OR MAX(t.sequence)<>p.sequence")
    faults += [f"{row[0]}: its sequence has a gap" for row in gaps[:10]]
    for rig, receivers in hosts:
        faults += [f"sanitizer: {lines[0]}"
                   for lines in rig.sanitizer_reports()]
        receivers.end()
        rig.end()
    return {"webhooks.p99_ms": (round(alone, 1), "ms"),
            "webhooks.p99_beside_ms": (round(hung, 1), "ms"),
            "webhooks.p99_ratio": (round(ratio, 3), "ratio"),
            "webhooks.p50_ratio": (round(ratio_of(times, 0.5)[0], 3), "ratio"),
            "webhooks.events": (made, "events"),
            "webhooks.kills": (deaths, "deaths"),
            "webhooks.lost": (len(lost), "events"),
            "webhooks.taken_mean": (round(mean, 3), "times")}, faults


RUNS = {"webhooks": Run(webhooks, stacks=0, short={
    "rounds": 2, "events": 60, "per_s": 40, "killed_events": 160,
    "slack": 900, "again": 25})}
