"""What the acceptance benchmarks share: a private queue on real Kafka and Redis (the harness of tests/e2e), a web server
as handler, reading what happened when, and the table of figures against their laws.

    def measure(options):                       one round, on a queue of its own
        return [Figure("retries, p99 ms late", 7.2, "<=", 50), Figure("retries early", 0, "==", 0)]
    main(__doc__, measure, [("--operations", 200)])
"""
import argparse
import collections
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
os.environ.setdefault("BGOP_BIN", str(ROOT / "build" / "release" / "bin"))
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from arguments import Parser, at_least  # noqa: E402
from confluent_kafka import Producer  # noqa: E402
import queue_stack  # noqa: E402
from queue_stack import eventually, free_ports, operation_id, shard_of  # noqa: E402

# What the benchmarks take from here; some of it is queue_stack's.
__all__ = ["ROOT", "Figure", "Handlers", "Producer", "Stack", "eventually", "free_ports", "main", "operation_id", "percentile",
           "shard_of"]


def come_first(pid):
    """On a machine that others use too: BGOP_BENCH_NICE (such as -15) goes to the scheduler's group of this session."""
    if os.environ.get("BGOP_BENCH_NICE"):
        pathlib.Path(f"/proc/{pid}/autogroup").write_text(os.environ["BGOP_BENCH_NICE"])


class Stack(queue_stack.Stack):
    """The queue of the tests, with as many shards as an untouched configuration has."""

    def __init__(self, config, **options):
        options.setdefault("shards", 16)
        super().__init__(config, **options)
        self.redis.response_callbacks.pop("XRANGE", None)   # as dicts, entries would lose fields of the same name

    def start(self, name, command, env=None):
        process = super().start(name, command, env)
        come_first(process.pid)
        return process

    def changes(self):
        """Every change of a status, from the stream that anybody can read: Id -> [(ms, status)], in order."""
        found = {}
        for shard in range(self.shards):
            start = "-"
            while True:
                entries = self.redis.execute_command("XRANGE", f"bgop:{{{shard}}}:changes", start, "+", "COUNT", 5000)
                for entry_id, fields in entries:
                    ms = int(entry_id.split("-")[0])
                    for status, ids in zip(fields[::2], fields[1::2]):
                        for operation in ids.split():
                            found.setdefault(operation, []).append((ms, status))
                if len(entries) < 5000:
                    break
                start = "(" + entries[-1][0]
        return found

    def count(self, kind, status):
        """How many of that Type are in that status, by the queue's own counts: cheaper to ask than the records."""
        pipe = self.redis.pipeline(transaction=False)
        for shard in range(self.shards):
            pipe.hget(f"bgop:{{{shard}}}:counts", f"{kind}:{status}")
        return sum(int(number or 0) for number in pipe.execute())

    def times(self, ids, *fields):
        """Those fields of every record as numbers (None: absent), in the order of ids."""
        pipe = self.redis.pipeline(transaction=False)
        for operation in ids:
            pipe.hmget(f"bgop:{{{shard_of(operation)}}}:op:{operation}", *fields)
        return [[int(value) if value is not None else None for value in row] for row in pipe.execute()]


class Handlers:
    """A web server that does what payloads say, and keeps a book of it (handler_server.py says how)."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="bgop-bench-")
        self.path = pathlib.Path(self.folder.name) / "book"
        [port] = free_ports(1)
        self.url = f"http://127.0.0.1:{port}/"
        self.process = subprocess.Popen([sys.executable, "-B", pathlib.Path(__file__).parent / "handler_server.py",
                                         str(port), str(self.path)], stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        assert self.process.stdout.readline().strip() == "ready", "the web server did not start"
        return self

    def __exit__(self, kind, value, trace):
        self.end()
        self.folder.cleanup()

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(30)
        self.process.stdout.close()

    def book(self):
        """Ends the server; answers every line of its book: Line(what, ms, request, id, token, attempt, payload)."""
        self.end()
        lines = (line.split(" ", 6) for line in self.path.read_text().splitlines())
        return [Line(what, float(ms), int(request), operation, int(token), int(attempt), payload)
                for what, ms, request, operation, token, attempt, payload in lines]


Line = collections.namedtuple("Line", "what ms request id token attempt payload")


# ---- figures and laws ----

class Figure:
    """One number; sign and limit are its law. A law with == must hold in every round, others for the median."""

    def __init__(self, name, value, sign=None, limit=None):
        self.name, self.value, self.sign, self.limit = name, value, sign, limit

    def holds(self, value):
        return {None: True, "<=": self.sign == "<=" and value <= self.limit,
                ">=": self.sign == ">=" and value >= self.limit,
                "==": self.sign == "==" and value == self.limit}[self.sign]


def percentile(values, percent):
    """The smallest of the values that so many percent do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)] if ordered else 0


def number(value):
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def judged(rounds):
    """The table's rows: name, median, all rounds, law, whether it holds."""
    for column in zip(*rounds):
        first, values = column[0], [figure.value for figure in column]
        median = statistics.median(values)
        median = int(median) if median == int(median) else median
        good = all(map(first.holds, values)) if first.sign == "==" else first.holds(median)
        law = f"{first.sign} {number(first.limit)}" if first.sign else "-"
        yield first.name, median, values, law, good


def main(about, measure, options=()):
    parser = Parser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("--check", action="store_true", help="only look whether the options are right")
    parser.add_argument("--rounds", type=at_least(1), default=1, help="how often; figures are medians (default: 1)")
    parser.add_argument("--seed", type=int, default=None, help="of whatever is random (default: another each time)")
    for name, default in options:
        parser.add_argument(name, type=at_least(0), default=default, help=f"(default: {default})")
    chosen = parser.parse_args()
    if chosen.check:
        sys.exit(0)
    come_first("self")
    seed = chosen.seed if chosen.seed is not None else int(time.time())
    print(f"{' '.join(about.split('.')[0].split())} (seed {seed})")
    random.seed(seed)
    rounds = [measure(chosen) for _ in range(chosen.rounds)]
    missed = 0
    print(f"{'measurement':58} {'reached':>12}   {'law':10}")
    for name, median, values, law, good in judged(rounds):
        spread = "   of " + ", ".join(map(number, values)) if len(values) > 1 else ""
        print(f"{name:58} {number(median):>12}   {law:10}{'' if good else ' MISSED'}{spread}")
        missed += not good
    sys.exit(1 if missed else 0)
