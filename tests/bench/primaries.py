#!/usr/bin/env python3
"""Three Redis primaries beside a single server, and a cluster of one. The same named operations through each, one after
the other: what an operation costs Redis, whether a call ever crossed slots, and whether the model that predicts larger
set-ups tells what this machine really does.

All of it runs on this machine, so three primaries do not make the queue faster here; they must not make it dearer."""
import collections
import os
import time

from bench_stack import Figure, Stack, eventually, main
import kit_queue
from cluster_stack import ClusterStack

CONFIG = """
[type SiteTaskCreate]
handler = noop
"""
PARENTS, PAYLOAD, CORES = 1000, "x" * 200, os.cpu_count()


class Cluster(ClusterStack):
    def __init__(self, config, primaries):
        super().__init__(config, primaries=primaries, replicas=False, shards=16)

    def servers(self):
        return [self.node(port) for port in self.ports]


class Single(Stack):
    def servers(self):
        return [self.redis]


def completed(stack):
    return sum(int(stack.redis.hget(f"bgop:{{{s}}}:counts", "SiteTaskCreate:Complete") or 0) for s in range(stack.shards))


def redis_us(stack):
    return sum(1e6 * (cpu["used_cpu_user"] + cpu["used_cpu_sys"]) for cpu in (server.info("cpu") for server in stack.servers()))


def run_load(stack, first, count):
    """Submits so many and waits until they are Complete; seconds."""
    began, before = time.monotonic(), completed(stack)
    stack.produce([(f"k{n % PARENTS}", '{"Type":"SiteTaskCreate","ParentKey":"k%d","Name":"n%d","Payload":"%s"}' % (n % PARENTS, n, PAYLOAD))
                   for n in range(first, first + count)])
    eventually(lambda: completed(stack) == before + count, "all Complete", 300, 0.2)
    return time.monotonic() - began


def crossed(stack):
    """How often a server answered that the keys of a call are not in one slot."""
    return sum(server.info("errorstats").get("errorstat_CROSSSLOT", {"count": 0})["count"] for server in stack.servers())


Run = collections.namedtuple("Run", "redis_us all_us per_s crossed")


def one_run(stack, operations):
    with stack:
        run_load(stack, 0, operations // 5)                             # warms all of them
        roots = {name: process.pid for name, process in stack.processes.items()}
        spent, redis = sum(kit_queue.spent(roots).values()), redis_us(stack)
        own = sum(os.times()[:2])
        seconds = run_load(stack, operations, operations)
        redis = redis_us(stack) - redis
        everything = sum(kit_queue.spent(roots).values()) - spent + sum(os.times()[:2]) - own
        return Run(redis / operations, 1e6 * everything / operations, operations / seconds, crossed(stack))


def measure(options):
    single = one_run(Single(CONFIG), options.operations)
    one = one_run(Cluster(CONFIG, 1), options.operations)
    several = one_run(Cluster(CONFIG, options.primaries), options.operations)
    predicted = 1e6 * CORES / several.all_us
    return [
        Figure("single server: Redis us per operation", single.redis_us),
        Figure("a cluster of one: Redis us per operation", one.redis_us),
        Figure(f"{options.primaries} primaries: Redis us per operation, all of them", several.redis_us),
        Figure("throughput per Redis us, % of that of a single server", 100 * single.redis_us / several.redis_us, ">=", 90),
        Figure("calls that crossed slots", several.crossed, "==", 0),
        Figure("single server: operations a second", single.per_s),
        Figure(f"{options.primaries} primaries: operations a second", several.per_s),
        Figure("single server: CPU us per operation, everybody's", single.all_us),
        Figure(f"{options.primaries} primaries: CPU us per operation, everybody's", several.all_us),
        Figure(f"{options.primaries} primaries: reached, % of what {CORES} cores allow at that", 100 * several.per_s / predicted),
    ]


if __name__ == "__main__":
    main(__doc__, measure, [("--operations", 60000), ("--primaries", 3)])
