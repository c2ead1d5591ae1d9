#!/usr/bin/env python3
"""Execution groups on real Kafka and Redis. Mergeable operations on few ParentKeys: at most one group of a key runs at a
time, its members are in order, each operation has one outcome, and the handler is called far less often than there are
operations. One member of each group fails, retries alone and ends as it should: the others are not run again.
"""
import collections
import time

from bench_stack import Figure, Handlers, Stack, main

CONFIG = """
[type ExternalObject]
handler = http
url = {url}
concurrency = 64
merge_max = 100
retry_backoff_ms = 10
retry_limit = 2
"""


def overlaps(book):
    """Requests that began while another of the same ParentKey was under way."""
    running, found = collections.defaultdict(set), 0
    for line in book:
        key = line.payload.rsplit(" ", 1)[1]
        if line.what == "start":
            found += len(running[key] - {line.request}) > 0
            running[key].add(line.request)
        else:
            running[key].discard(line.request)
    return found


def outcomes(book):
    """Id -> what its attempts came to, in order: [("failed", members of that request) ...]"""
    sizes = collections.Counter(line.request for line in book if line.what == "start")
    found = collections.defaultdict(list)
    for line in book:
        if line.what != "start":
            found[line.id].append((line.what, sizes[line.request]))
    return found


def ended_as_it_should(attempts, status, retries, expires):
    """An operation against the book: once successful; or failed twice in company, and then, alone, at last or for good."""
    whats = [what for what, _ in attempts]
    if whats == ["ok"]:
        return status in ("Complete", "Merged") and retries == 0 and expires is not None
    alone = len(attempts) == 3 and attempts[2][1] == 1 and retries == 2
    if whats == ["failed", "failed", "ok"]:
        return alone and status == "Complete"
    return alone and whats == ["failed"] * 3 and status == "Error" and expires is not None


def figures(stack, ids, book, took):
    requests = collections.defaultdict(list)
    for line in book:
        if line.what == "start":
            requests[line.request].append(line.id)
    attempts, statuses = outcomes(book), stack.statuses(ids)
    numbers = stack.times(ids, "RetryCount", "ExpiresAt")
    wrong = [operation for operation, status, (retries, expires) in zip(ids, statuses, numbers)
             if not ended_as_it_should(attempts[operation], status, retries or 0, expires)]
    groups = [members for members in requests.values() if len(members) > 1]
    return [
        Figure("operations", len(ids)),
        Figure("seconds from the first submit to the last end", took),
        Figure("handler calls", len(requests)),
        Figure("of them groups", len(groups)),
        Figure("operations per handler call", len(ids) / len(requests), ">=", 20),
        Figure("operations that failed in a group", sum(len(found) > 1 for found in attempts.values())),
        Figure("of them Complete at the third attempt, alone", sum(len(attempts[i]) > 1 and status == "Complete"
                                                                   for i, status in zip(ids, statuses))),
        Figure("of them in Error for good", statuses.count("Error")),
        Figure("Merged", statuses.count("Merged")),
        Figure("two groups of one key at a time", overlaps(book), "==", 0),
        Figure("groups with members out of order", sum(members != sorted(members) for members in groups), "==", 0),
        Figure("operations that did not end as they should", len(wrong), "==", 0),
    ]


def measure(options):
    with Handlers() as handlers, Stack(CONFIG.format(url=handlers.url), workers=options.workers) as stack:
        begin = time.monotonic()
        ids = stack.submit([{"Type": "ExternalObject", "ParentKey": f"key-{n % options.keys}",
                             "Payload": f"pick {options.hold} key-{n % options.keys}"} for n in range(options.operations)])
        while sum(stack.count("ExternalObject", status) for status in ("Complete", "Merged", "Error")) < len(ids) and \
                time.monotonic() < begin + 300:
            time.sleep(0.1)
        stack.wait_terminal(ids, 60)
        return figures(stack, ids, handlers.book(), time.monotonic() - begin)


if __name__ == "__main__":
    main(__doc__, measure, [("--operations", 20000), ("--keys", 20), ("--hold", 20), ("--workers", 2)])
