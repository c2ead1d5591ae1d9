#!/usr/bin/env python3
"""Where an operation's time goes, stage by stage: a latency scenario of the kit (tests/bench/README.md), with the moments that
each process wrote down (common/base/trace.h) joined by Id. A row is a stage: how long after the stage before it, and how long after
the operation was due; median and p99 over all operations.
"""
import argparse
import collections
import os
import pathlib
import re
import sys
import tempfile

from arguments import Parser, at_least
import kit_scenarios

ROOT = pathlib.Path(__file__).resolve().parents[2]
STAGE = re.compile(r'^    XX\(TRACE_\w+, "(\w+)", "(.+)"\)', re.M)


def stages():
    """Name -> what has happened, in the order of the way."""
    return dict(STAGE.findall((ROOT / "common" / "base" / "trace.h").read_text()))


def moments(folder):
    """Id -> stage -> microseconds; of a stage that came twice (a hint from Redis and from Kafka) the first."""
    found = collections.defaultdict(dict)
    for path in pathlib.Path(folder).glob("*.trace"):
        for line in path.read_text().splitlines():
            us, stage, operation = line.split()
            found[operation][stage] = min(int(us), found[operation].get(stage, int(us)))
    return found


def percentile(values, percent):
    """The smallest of the values that so many percent do not exceed."""
    return sorted(values)[max(0, -(-len(values) * percent // 100) - 1)] if values else 0


def table(found, names):
    """The lines of the table, of the operations that were due, seen, and have every stage between."""
    whole = [way for way in found.values() if all(name in way for name in names)]
    lines = [f"{'stage':<10} {'p50 ms':>8} {'p99 ms':>8}   {'since due':>9} {'p99':>8}   what has happened"]
    for before, name in zip([next(iter(names)), *names], names):
        steps, all_of_it = [way[name] - way[before] for way in whole], [way[name] - way["due"] for way in whole]
        figures = [percentile(values, percent) / 1000 for values in (steps, all_of_it) for percent in (50, 99)]
        lines.append(f"{name:<10} {figures[0]:>8.3f} {figures[1]:>8.3f}   {figures[2]:>9.3f} {figures[3]:>8.3f}   {names[name]}")
    return len(whole), lines


def main():
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("--check", action="store_true", help="only look whether the options are right")
    parser.add_argument("--scenario", default="latency/named/64/noop", help="one of the kit's latencies (default: %(default)s)")
    parser.add_argument("--rate", type=at_least(1), default=500, help="operations a second (default: %(default)s)")
    parser.add_argument("--seconds", type=at_least(1), default=20, help="(default: %(default)s)")
    options = parser.parse_args()
    [scenario] = [s for s in kit_scenarios.SCENARIOS if s.name == options.scenario and s.kind == "latency"] or [None]
    if not scenario:
        parser.error(f"--scenario: '{options.scenario}' is no latency of the kit (tests/bench/run --list)")
    if options.check:
        return
    import bench_stack          # these need the servers' libraries
    import kit_queue
    bench_stack.come_first("self")
    tools = pathlib.Path(os.environ["BGOP_BIN"])
    with tempfile.TemporaryDirectory(prefix="bgop-trace-") as folder, kit_queue.Broker() as broker:
        with kit_queue.Queue(scenario, tools, tools, broker, trace=folder) as queue:
            queue.load("rate", 20000, scenario.shape)
            queue.load("latency", options.rate, options.seconds, scenario.shape, 5)
        names = stages()
        count, lines = table(moments(folder), names)
    print("\n".join([f"{options.scenario} at {options.rate}/s: {count} operations", *lines]))
    if count < options.rate * options.seconds * 0.9:
        sys.exit("stages: operations lack some")


if __name__ == "__main__":
    main()
