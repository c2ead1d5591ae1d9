#!/usr/bin/env python3
"""What it costs to have a handler do next to nothing: a Python process for each operation, one that stays
(persistent = yes), and a web server of asyncio. One operation at a time and one process, so that it is one core's
work; from the first submit to the last Complete."""
import time

from bench_stack import ROOT, Figure, Handlers, Stack, main

CONFIG = f"""
[type WebCart]
handler = exec
command = {ROOT}/tests/bench/handler_lone.py
concurrency = 1
[type Sweeper]
handler = exec
command = {ROOT}/tests/e2e/handlers/example_persistent.py
persistent = yes
concurrency = {{processes}}
[type ExternalObject]
handler = http
url = {{url}}
concurrency = 64
"""


def rate(stack, kind, operations, payload):
    begin = time.monotonic()
    ids = stack.submit([{"Type": kind, "Payload": payload} for _ in range(operations)])
    stack.wait_terminal(ids, 300)
    took = time.monotonic() - begin
    wrong = sum(status != "Complete" for status in stack.statuses(ids))
    return operations / took, wrong


def measure(options):
    with Handlers() as handlers, Stack(CONFIG.format(url=handlers.url, processes=options.processes)) as stack:
        rate(stack, "Sweeper", 100, '{"name": "warm"}')
        lone, lone_wrong = rate(stack, "WebCart", max(options.operations // 100, 1), '{"name": "one"}')
        stays, stays_wrong = rate(stack, "Sweeper", options.operations, '{"name": "one"}')
        http, http_wrong = rate(stack, "ExternalObject", options.operations, "ok 0 tag")
        return [
            Figure("operations a second, a process each", lone),
            Figure("operations a second, a process that stays", stays),
            Figure("operations a second, http", http),
            Figure("a process that stays, times a process each", stays / lone, ">=", 10),
            Figure("operations that are not Complete", lone_wrong + stays_wrong + http_wrong, "==", 0),
        ]


if __name__ == "__main__":
    main(__doc__, measure, [("--operations", 20000), ("--processes", 1)])
