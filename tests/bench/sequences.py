#!/usr/bin/env python3
"""Sequence groups under failures and kills, on real Kafka and Redis. Groups are submitted in random order while their Type
is paused, then resumed; attempts fail, workers are killed (SIGKILL) and started again. Every group starts strictly in
order, nothing overlaps, nothing is lost, and operations of other keys are not slower for it: their latency (from produce to
FinishedAt) is taken before, undisturbed, and beside the groups.
"""
import json
import random
import threading
import time

from bench_stack import Figure, Handlers, Producer, Stack, eventually, main, operation_id, percentile, shard_of

CONFIG = """
[type WebCart]
handler = http
url = {url}
concurrency = 128
retry_backoff_ms = 10
retry_limit = 20
"""


PARENTS = 10      # groups share ParentKeys


class SideLoad:
    """Operations of other keys, at a fixed rate, open loop."""

    def __init__(self, stack, rate, hold_ms):
        self.stack, self.rate, self.hold_ms = stack, rate, hold_ms
        self.sent, self.stopping = [], threading.Event()    # (ms, Id); appended when the log has it
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.producer = Producer({"bootstrap.servers": self.stack.env["BGOP_KAFKA"],
                                                              "linger.ms": 0})
        self.producer.list_topics("bgop.submit", 10)
        self.thread.start()
        return self

    def __exit__(self, kind, value, trace):
        self.stopping.set()
        self.thread.join()
        self.producer.flush(30)

    def send(self, number):
        key, ms = f"other-{number % 499}", time.time() * 1000

        def delivered(error, message):
            assert error is None, error
            operation = operation_id(message.partition(), message.offset(), key, self.stack.shards)
            self.sent.append((ms, operation))
        value = json.dumps({"Type": "WebCart", "ParentKey": key, "Payload": f"ok {self.hold_ms} side"})
        self.producer.produce("bgop.submit", value, key, on_delivery=delivered)

    def run(self):
        begin, number = time.monotonic(), 0
        while not self.stopping.is_set():
            self.send(number)
            number += 1
            while (rest := begin + number / self.rate - time.monotonic()) > 0:
                self.producer.poll(rest)        # comes back at each report

    def latencies(self):
        """Milliseconds from produce to FinishedAt of all that were sent; once everything has ended."""
        ids = [operation for _, operation in self.sent]
        self.stack.wait_terminal(ids, 60)
        return [row[0] - ms for row, (ms, _) in zip(self.stack.times(ids, "FinishedAt"), self.sent)]


# ---- the groups ----

def submit_groups(stack, options):
    members = [(group, number) for group in range(options.groups) for number in range(options.members)]
    random.shuffle(members)
    ids = stack.submit([{"Type": "WebCart", "ParentKey": f"parent-{group % PARENTS}", "SequenceGroup": f"g{group}",
                         "SequenceNumber": number, "Payload": f"flaky {options.failing} {options.hold} g{group}:{number}"}
                        for group, number in members])
    recorded = stack.count("WebCart", "Complete") + len(ids)
    eventually(lambda: sum(stack.count("WebCart", status) for status in ("New", "Waiting", "Complete")) == recorded,
               "all members recorded", 120)
    return dict(zip(members, ids))


def kill_and_restart(stack, options, ids):
    """Kills one worker after the other, spread over the run; answers how many were."""
    killed, before = 0, stack.count("WebCart", "Complete")
    while killed < options.kills:
        if stack.count("WebCart", "Complete") - before >= len(ids) * (killed + 1) / (options.kills + 1.5):
            victim = killed % options.workers + 1
            stack.kill(f"worker-{victim}")
            stack.start_worker(victim)
            killed += 1
        time.sleep(0.1)
    return killed


def wait_for_end(stack, members):
    """Until no group has a member left; asks for little, since the side load is being measured."""
    keys = [f"bgop:{{{shard_of(operation)}}}:seq:WebCart:parent-{group % PARENTS}:g{group}"
            for (group, number), operation in members.items() if number == 0]
    eventually(lambda: stack.redis.exists(*keys) == 0, "no member left", 300, 0.5)
    stack.wait_terminal(members.values(), 10)


def disorder(stack, members):
    """What the stream of changes says: members that became Running before all before them were Complete."""
    changes, wrong = stack.changes(), 0
    for (group, number), operation in members.items():
        if number == 0:
            continue
        before = changes[members[group, number - 1]]
        first_start = next(at for at in changes[operation] if at[1] == "Running")
        wrong += first_start[0] < next(at for at in before if at[1] == "Complete")[0]
    return wrong


def book_figures(book):
    """What the handlers saw: attempts out of order, and two of a group at once."""
    running, newest, disordered, overlaps, attempts, failed = {}, {}, 0, 0, 0, 0
    for line in book:
        tag = line.payload.rsplit(" ", 1)[1]
        if ":" not in tag:
            continue
        group, number = tag.split(":")
        if line.what == "start":
            attempts += 1
            overlaps += running.get(group, 0) > 0
            running[group] = running.get(group, 0) + 1
            disordered += int(number) < newest.get(group, 0) or int(number) > newest.get(group, -1) + 1
            newest[group] = max(newest.get(group, 0), int(number))
        else:
            failed += line.what == "failed"
            running[group] -= 1
    return attempts, failed, disordered, overlaps


def measure(options):
    with Handlers() as handlers, Stack(CONFIG.format(url=handlers.url), workers=options.workers) as stack:
        with SideLoad(stack, options.rate, options.side_hold) as warm:
            time.sleep(options.warm)
        warm.latencies()
        with SideLoad(stack, options.rate, options.side_hold) as alone:
            time.sleep(options.alone)
        undisturbed = percentile(alone.latencies(), 99)
        stack.ctl("pause", "--type", "WebCart")
        members = submit_groups(stack, options)
        ids = list(members.values())
        stack.ctl("resume", "--type", "WebCart")
        with SideLoad(stack, options.rate, options.side_hold) as beside:
            begin = time.monotonic()
            killed = kill_and_restart(stack, options, ids)
            wait_for_end(stack, members)
            took = time.monotonic() - begin
        latencies = beside.latencies()
        disturbed = percentile(latencies, 99)
        complete, wrong = stack.statuses(ids).count("Complete"), disorder(stack, members)
        retries = sum(row[0] or 0 for row in stack.times(ids, "RetryCount"))
        attempts, failed, disordered, overlaps = book_figures(handlers.book())
        return [
            Figure("members", len(ids)), Figure("groups", options.groups),
            Figure("seconds from resume to the last Complete", took),
            Figure("workers killed", killed),
            Figure("attempts (handler calls)", attempts), Figure("of them failed", failed),
            Figure("retries counted", retries),
            Figure("members not Complete", len(ids) - complete, "==", 0),
            Figure("started before the one before was Complete (changes)", wrong, "==", 0),
            Figure("started out of order (handlers)", disordered, "==", 0),
            Figure("two of a group at once (handlers)", overlaps, "==", 0),
            Figure("other keys undisturbed, p50 ms", percentile(alone.latencies(), 50)),
            Figure("other keys undisturbed, p99 ms", undisturbed),
            Figure("other keys beside the groups", len(latencies)),
            Figure("other keys beside the groups, p50 ms", percentile(latencies, 50)),
            Figure("other keys beside the groups, p99 ms", disturbed),
            Figure("p99 of other keys, times the undisturbed", disturbed / undisturbed, "<=", 2),
        ]


if __name__ == "__main__":
    main(__doc__, measure, [("--groups", 50), ("--members", 200), ("--failing", 30), ("--hold", 50), ("--workers", 3),
                            ("--kills", 3), ("--rate", 100), ("--side-hold", 20), ("--warm", 10), ("--alone", 30)])
