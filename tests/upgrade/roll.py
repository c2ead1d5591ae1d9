"""A queue whose programs are replaced one by one while work goes on: tests/upgrade/run says of which builds.

    roll.py OLD-BIN-FOLDER NEW-BIN-FOLDER
"""
import collections
import itertools
import json
import os
import pathlib
import subprocess
import sys
import threading
import time

OLD, NEW = map(pathlib.Path, sys.argv[1:3])
TESTS = pathlib.Path(__file__).resolve().parents[1]
os.environ["BGOP_BIN"] = str(OLD)
sys.path.insert(0, str(TESTS / "e2e"))
import queue_stack                                      # noqa: E402: after what it reads
from queue_stack import HANDLERS, NOOP_AND_VERB, Stack, eventually      # noqa: E402

PAUSE_S = 2             # of load with what a step has left running
CONFIG = f"""{NOOP_AND_VERB}retry_limit = 3
[type Sweeper]
handler = exec
command = {HANDLERS}/verb.sh
"""


class Load(threading.Thread):
    """Submits until it is told to stop: no-ops, handlers of 50 ms, attempts that fail once, sequence groups."""

    def __init__(self, stack):
        super().__init__(daemon=True)
        self.stack, self.ids, self.number, self.ended = stack, [], itertools.count(), threading.Event()
        self.failure = None

    def batch(self):
        number = next(self.number)
        return [{"Type": "SiteTaskCreate", "ParentKey": f"k{number % 31}"}] * 6 + [
            {"Type": "WebCart", "ParentKey": f"k{number % 31}", "Name": f"slow{number}", "Payload": "sleep 0.05"},
            {"Type": "WebCart", "ParentKey": f"k{number % 31}", "Name": f"fails{number}", "Payload": "fail 1"},
            {"Type": "Sweeper", "ParentKey": f"s{number % 5}", "SequenceGroup": "g", "SequenceNumber": number,
             "Payload": f"upper {number}"}]

    def run(self):
        try:
            while not self.ended.wait(0.1):
                self.ids += self.stack.submit(self.batch())
        except Exception as failure:                    # the test is told, whatever it was
            self.failure = failure

    def end(self):
        self.ended.set()
        self.join(60)
        if self.failure:
            raise self.failure


def library_version(stack):
    return stack.redis.execute_command("FCALL_RO", "bgop_library", 0, "default")[0]


def step(stack, load, name, folder):
    """One process is stopped as a service manager would, and started from the other build."""
    began = time.monotonic()
    before = len(load.ids)
    stack.stop(name, timeout=90)
    queue_stack.BIN = folder
    kind, _, number = name.partition("-")
    known, said = set(instances(stack)), stack.log(name).count(" coordinator ready")
    (stack.start_coordinator if kind == "coordinator" else stack.start_worker)(int(number))
    if kind == "coordinator":
        eventually(lambda: stack.log(name).count(" coordinator ready") > said, f"{name} to be ready", 60)
    else:
        eventually(lambda: set(instances(stack)) - known, f"{name} to register", 60)
    stack.wait_open()
    ready = time.monotonic() - began
    time.sleep(PAUSE_S)                                 # under load; nothing is concluded from how long
    for other in stack.processes:
        stack.assert_alive(other)
    print(f"  {name:13} -> {'new' if folder == NEW else 'old'}  {ready:5.1f} s, {len(load.ids) - before:4} submitted "
          f"meanwhile, library {library_version(stack)}", flush=True)


def instances(stack):
    return [worker["instance"] for worker in json.loads(stack.ctl("workers", "--json").stdout)]


def roll(stack, load, order, folder):
    for name in order:
        step(stack, load, name, folder)


def check_ends(stack, load):
    load.end()
    stack.wait_terminal(load.ids, 120)
    counts = stack.counted()
    assert counts == {"Complete": len(load.ids)}, f"{len(load.ids)} were submitted; there are {counts}"
    book = [line.split() for line in (stack.folder / "executions.book").read_text().splitlines()]
    starts = collections.Counter((word[1], word[3]) for word in book if word[0] == "start")
    twice = [attempt for attempt, count in starts.items() if count > 1]
    runs = collections.Counter(operation for operation, _ in starts)
    failed_once = {row["Id"] for row in json.loads(stack.ctl("query", "--json", "SELECT Id FROM BackgroundOperation WHERE "
                   "RetryCount = 1 LIMIT 50000").stdout)}
    more = [operation for operation, count in runs.items() if count != 1 + (operation in failed_once)]
    assert not twice and not more, f"ran more often than they should have: {twice} {more}"
    for folder in (OLD, NEW):
        done = subprocess.run([folder / "bgopctl", "doctor"], env=stack.env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"doctor of {folder}: {done.stdout}{done.stderr}"
    print(f"  {len(load.ids)} submitted, all Complete; {sum(runs.values())} runs of handlers, none too many; doctor finds "
          "nothing, neither the old nor the new", flush=True)


def main():
    with Stack(CONFIG, coordinators=2, workers=2) as stack:
        load = Load(stack)
        load.start()
        eventually(lambda: len(load.ids) > 50, "load")
        print(f"  everything old      library {library_version(stack)}", flush=True)
        roll(stack, load, ["coordinator-1", "coordinator-2", "worker-1", "worker-2"], NEW)
        roll(stack, load, ["worker-1", "worker-2", "coordinator-1", "coordinator-2"], OLD)
        check_ends(stack, load)


main()
print("upgrade: there and back, nothing lost, nothing run twice")
