#!/usr/bin/env python3
"""Scheduled work in time, on real Kafka and Redis. Many operations due in the same second, and few: all start, none
early; how late is each released (Scheduled -> New in the stream of changes), and how late does it start?
"""
import random
import time

from bench_stack import Figure, Stack, eventually, main, percentile

CONFIG = """
[type Sweeper]
handler = noop
"""


def schedule(stack, count, options):
    """Operations due within one second that begins when all are recorded; (Ids, when each is due)."""
    begin = int(time.time() * 1000) + options.ahead * 1000
    due = [begin + random.randrange(options.spread) for _ in range(count)]
    ids = stack.submit([{"Type": "Sweeper", "ParentKey": f"k{n % 1000}", "ProcessAfter": at} for n, at in enumerate(due)])
    eventually(lambda: all(stack.statuses(ids)), "all recorded", 60)
    assert time.time() * 1000 < begin, "they were recorded too late to be scheduled: --ahead more seconds"
    return ids, due


def figures(stack, count, options, limit_ms):
    ids, due = schedule(stack, count, options)
    stack.wait_terminal(ids, 120)
    changes = stack.changes()
    released = [next(ms for ms, status in changes[i] if status == "New") - at for i, at in zip(ids, due)]
    started = [row[0] - at for row, at in zip(stack.times(ids, "StartedAt"), due)]
    return [
        Figure(f"{count:,} due: not Complete", stack.statuses(ids).count("Complete") - count, "==", 0),
        Figure(f"{count:,} due: released early", sum(late < 0 for late in released), "==", 0),
        Figure(f"{count:,} due: started early", sum(late < 0 for late in started), "==", 0),
        Figure(f"{count:,} due: released after ProcessAfter, p99 ms", percentile(released, 99)),
        Figure(f"{count:,} due: started after ProcessAfter, p50 ms", percentile(started, 50)),
        Figure(f"{count:,} due: started after ProcessAfter, p99 ms", percentile(started, 99), "<=", limit_ms),
        Figure(f"{count:,} due: started after ProcessAfter, latest ms", max(started)),
    ]


def measure(options):
    with Stack(CONFIG) as stack:
        figures(stack, 100, options, 50)        # the first ones wake what is still cold
        return figures(stack, options.many, options, 1000) + figures(stack, options.few, options, 50)


if __name__ == "__main__":
    main(__doc__, measure, [("--many", 10000), ("--few", 100), ("--spread", 1000), ("--ahead", 6)])
