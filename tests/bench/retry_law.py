#!/usr/bin/env python3
"""The retry law on real Kafka and Redis. Operations that always fail are retried at once, then (2^k - 1) R after the
failure before: how late is each retry k >= 2 released (Error -> Waiting in the stream of changes), and how late does its
attempt start? Never early.
"""
from bench_stack import Figure, Handlers, Stack, main, percentile


def due_times(tries, backoff_ms):
    """When retry k = 2, 3 ... must fire, by the failures in the record's history."""
    return [attempt["finished"] + (2 ** k - 1) * backoff_ms for k, attempt in enumerate(tries, 1)][1:]


def fired_times(changes):
    """When retries k = 2, 3 ... fired: each Waiting that follows an Error."""
    return [ms for (_, before), (ms, status) in zip(changes, changes[1:]) if (before, status) == ("Error", "Waiting")]


def figures(stack, ids, options):
    changes = stack.changes()
    released, started, retries_missing = [], [], 0
    for operation in ids:
        tries, fired = stack.tries(operation), fired_times(changes[operation])
        due = due_times(tries, options.backoff)[:options.retries - 1]
        retries_missing += abs(len(due) - len(fired)) + abs(len(tries) - 1 - options.retries)
        released += [at - at_due for at, at_due in zip(fired, due)]
        started += [attempt["started"] - at_due for attempt, at_due in zip(tries[2:], due)]
    return [
        Figure("retries k >= 2", len(released)),
        Figure("retries that did not come, or too many", retries_missing, "==", 0),
        Figure("retries fired early", sum(late < 0 for late in released), "==", 0),
        Figure("attempts started early", sum(late < 0 for late in started), "==", 0),
        Figure("fired after it was due, p50 ms", percentile(released, 50)),
        Figure("fired after it was due, p99 ms", percentile(released, 99), "<=", 50),
        Figure("fired after it was due, latest ms", max(released, default=0)),
        Figure("started after it was due, p50 ms", percentile(started, 50)),
        Figure("started after it was due, p99 ms", percentile(started, 99)),
    ]


CONFIG = """
[type WebCart]
handler = http
url = {url}
retry_backoff_ms = {backoff}
retry_limit = {retries}
concurrency = 256
"""


def measure(options):
    with Handlers() as handlers:
        config = CONFIG.format(url=handlers.url, backoff=options.backoff, retries=options.retries)
        with Stack(config) as stack:
            ids = stack.submit([{"Type": "WebCart", "ParentKey": f"k{n}", "Payload": "fail 0 -"}
                                for n in range(options.operations)])
            stack.wait_terminal(ids, 60 + 2 ** (options.retries + 1) * options.backoff / 1000)
            return figures(stack, ids, options)


if __name__ == "__main__":
    main(__doc__, measure, [("--operations", 200), ("--backoff", 200), ("--retries", 5)])
