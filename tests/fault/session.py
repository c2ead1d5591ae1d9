"""What every run does: a rig under load, faults, coming back, a drain, and the judgement."""
import collections
import json
import pathlib
import re
import time

import checker
from load import Load, Pollers
from queue_stack import eventually, shard_of, within
from rig import ROOT, Rig


DOCTOR_S = 90       # who was killed is told of for a minute behind its leases (told_ms), and the doctor is not content until then
PROCESSES_PER_S = 60        # operations whose handler is a process: two cores bear no more beside faults; the rest are no-ops


class Void(Exception):
    """The fault had no effect: the run proves nothing."""


class Session:
    def __init__(self, options, kind=Rig, noop=0.3, **rig):
        self.options = options
        self.rig = kind(options.seed, **rig)
        self.random = self.rig.random
        self.times = []                         # seconds until work went on, of each fault
        self.notes = collections.OrderedDict()  # further figures of this run
        self.void = None                        # why the faults had no effect
        self.wrong = []                         # what this run promises beside the history
        self.load = self.pollers = None
        self.noop = max(noop, 1 - PROCESSES_PER_S / options.rate)

    def __enter__(self):
        self.rig.__enter__()
        self.start_load()
        return self

    def start_load(self):
        self.load = Load(self.rig, self.options.rate, self.options.seed, noop=self.noop)
        self.pollers = Pollers(self.rig, self.options.seed)
        self.load.start()
        self.pollers.start()
        eventually(lambda: len(self.rig.new_starts()) > 20, "the first executions", 60)

    def __exit__(self, *error):
        for thread in (self.load, self.pollers):
            if thread and thread.is_alive():
                thread.ended.set()
                thread.join()
        return self.rig.__exit__(*error)

    # ---- between faults ----
    def run_on(self, seconds):
        """The load goes on, undisturbed, for a while: what a fault leaves behind needs time to show."""
        end = time.monotonic() + seconds
        within(seconds + 5, lambda: time.monotonic() >= end, "time", 0.1)

    def wait_back(self, since, most=None, patience=180):
        """Until every shard has begun something that was submitted since then. Longer than `most` (--back) is wrong."""
        most = max(most or 0, self.options.back)
        submissions, seen = self.rig.history.submissions, set()
        position = len(self.rig.new_starts())

        def back():
            nonlocal position
            starts = self.rig.new_starts()
            for at, operation, serial in starts[position:]:
                if at >= since and serial < len(submissions) and submissions[serial].sent_at >= since:
                    seen.add(shard_of(operation))
            position = len(starts)
            return len(seen) == self.rig.shards
        try:
            within(patience, back, "new work in every shard", 0.05)
        except AssertionError:
            self.wrong.append(f"after {patience} s shards {sorted(set(range(self.rig.shards)) - seen)} begin nothing new")
            return
        seconds = time.monotonic() - since
        self.times.append(seconds)
        if seconds > most:
            self.wrong.append(f"{seconds:.1f} s until every shard began new work ({most} s)")

    # ---- the end ----
    def drain(self, timeout=120):
        if not self.load.end():
            self.notes["unanswered"] = sum(s.acked_at is None for s in self.rig.history.submissions)
        self.pollers.end()
        began = time.monotonic()

        def recorded():
            self.pollers.cancel_the_rest()
            return self.rig.wait_quiet(5)
        try:
            within(timeout, recorded, "the drain", 0.5)
        except AssertionError:
            self.wrong.append(f"not drained {timeout} s after the load's end")
        self.notes["drain_s"] = round(time.monotonic() - began, 1)
        lines = []

        def agrees():
            lines[:] = self.rig.doctor()
            return not lines
        try:
            within(DOCTOR_S, agrees, "doctor", 1)
        except AssertionError:
            self.rig.history.doctor = lines

    def judge(self):
        history = self.rig.collect()
        found = checker.check(history)
        if self.options.save:
            history.save(self.options.save)
        return found, checker.figures(history)

    def need(self, what, number, least=1):
        """The effect that this run's faults must have had."""
        self.notes[what] = number
        if number < least:
            raise Void(f"{what}: {number}, and at least {least} are needed")

    def counted_fault(self, *kinds):
        return sum(f.kind in kinds for f in self.rig.history.faults)


def crash_points():
    """(the coordinator's, the worker's) names of the table in common/base/crash_point.h."""
    text = (pathlib.Path(ROOT) / "common/base/crash_point.h").read_text()
    names = re.findall(r'XX\([A-Z_]+, +"([a-z-]+)"', text)
    split = names.index("claim-before")
    return names[:split], names[split:] + ["store-before"]


def bound(number):
    """0 of N says only so much (rule of three)."""
    return f"0 of {number:,}, upper 95% bound {3 / max(number, 1):.2g}"


def line(name, options, session, found, figures, seconds, verdict):
    lost = len(found.get("NO_LOSS", []))
    row = {"run": name, "verdict": verdict, "seed": options.seed, "rate": options.rate, "seconds": round(seconds),
           "faults": len(session.rig.history.faults), "operations": figures["operations"],
           "redis_lost": sum(f.detail.get("lost") or 0 for f in session.rig.history.faults
                             if f.kind in ("redis-rollback", "redis-failover")),
           "kafka_lost": sum(f.detail.get("lost", 0) for f in session.rig.history.faults if f.kind == "kafka-tail"),
           "executions": figures["executions"], "reruns": figures["reruns"], "duplicates": figures["duplicates"],
           "overlaps": figures["overlaps"], "lost": lost,
           "bound": bound(figures["operations"]) if lost == 0 else f"{lost} of {figures['operations']:,}",
           "back_s": [round(t, 1) for t in session.times],
           "broken": {promise: len(lines) for promise, lines in found.items()}, "wrong": session.wrong, "void": session.void,
           **session.notes}
    return row


COLUMNS = ["run", "verdict", "faults", "operations", "redis_lost", "kafka_lost", "reruns", "duplicates", "overlaps", "lost",
           "bound"]


def table_line(row):
    back = row["back_s"]
    return "| " + " | ".join([str(row[c]) for c in COLUMNS] + [f"{max(back):.1f}" if back else "-"]) + " |"


def table_head():
    heads = [c.replace("_", " ") for c in COLUMNS] + ["back after, s (most)"]
    return "| " + " | ".join(heads) + " |\n|" + "---|" * len(heads)


def show(row, found):
    for promise, lines in found.items():
        print(f"{promise}: {checker.PROMISES[promise]}: {len(lines)} times", *lines[:5], sep="\n    ")
    for text in row["wrong"]:
        print(f"wrong: {text}")
    if row["void"]:
        print(f"void: {row['void']}")
    print(table_head())
    print(table_line(row))
    print(json.dumps(row), flush=True)
