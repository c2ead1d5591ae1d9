#!/usr/bin/env python3
"""Kafka goes backwards: a broker with replication 1 dies and comes back without the tail of a partition, or a topic is
deleted and made again. The queue heals by itself: what was recorded ends as it should, what comes later is recorded, and no
Id names two operations.

    test_kafka_backwards.py [NAME ...]      all by default
"""
import json
import os
import re
import signal
import sys
import threading
import time

import confluent_kafka
import confluent_kafka.admin

import queue_stack
from grounds import Stack
from queue_stack import eventually

SHORT_SESSIONS = "[kafka]\nsession.timeout.ms = 6000\nheartbeat.interval.ms = 1000\n"
HEALED_S = 90                # on an idle machine it takes two or three seconds; what it took is printed


def cut(stack, topic, partition, share):
    """Kafka's machines lose their power: the last part of a partition's log was never written. The brokers are dead."""
    for logs in stack.broker_folders():
        folder = logs / f"{topic}-{partition}"
        segment = sorted(folder.glob("*.log"))[-1]
        size = segment.stat().st_size
        with open(segment, "rb+") as file:
            file.truncate(int(size * (1 - share)))
        for pattern in ("*.index", "*.timeindex", "*.snapshot"):
            for path in folder.glob(pattern):
                path.unlink()
        for path in logs.glob("*-checkpoint"):
            path.unlink()


def log_end(stack, topic, partition):
    consumer = confluent_kafka.Consumer(stack.kafka_client(group_id="ends"))
    try:
        return consumer.get_watermark_offsets(confluent_kafka.TopicPartition(topic, partition), 30)[1]
    finally:
        consumer.close()


class Load:
    """Submissions at a steady rate from a thread of its own, each with a ParentKey of its own; who acknowledged what."""

    def __init__(self, stack, rate=200):
        self.stack, self.rate = stack, rate
        self.acknowledged = {}                  # ParentKey -> (partition, offset, when)
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.stopping.set()
        self.thread.join()

    def run(self):
        # No retries: what the broker took just before it died, and did not acknowledge, would stand in the log twice.
        producer = confluent_kafka.Producer(self.stack.kafka_client(acks="all", retries=0, linger_ms=2))
        number = 0
        while not self.stopping.is_set():
            for _ in range(self.rate // 10 if len(producer) < 1000 else 0):
                number += 1
                key = f"load-{number}"
                producer.produce("bgop.submit", json.dumps({"Type": "Sweeper", "ParentKey": key}), partition=1 if number % 4 else 2,
                                 on_delivery=lambda error, message, key=key: self.delivered(key, error, message))
            producer.poll(0)
            self.stopping.wait(0.1)
        producer.flush(60)

    def delivered(self, key, error, message):
        if error is None:
            self.acknowledged[key] = (message.partition(), message.offset(), time.monotonic())


def records(stack):
    """Id -> ParentKey, of all there are."""
    keys = list(stack.redis.scan_iter("bgop:{*}:op:*", count=5000))
    pipe = stack.redis.pipeline(transaction=False)
    for key in keys:
        pipe.hget(key, "ParentKey")
    return {key.rsplit(":", 1)[1]: parent for key, parent in zip(keys, pipe.execute())}


def fences(stack, field):
    return [int((stack.redis.hget(f"bgop:{{{s}}}:fences", field) or "0").split()[0]) for s in range(stack.shards)]


def place_of(operation):
    number = 0
    for digit in operation[6:15]:
        number = number * 62 + queue_stack.ALPHABET.index(digit)
    return number >> 43, number & ((1 << 43) - 1)


def partition_of(key, partitions=4):
    return (queue_stack.murmur2(key.encode()) & 0x7fffffff) % partitions


def check_books(stack, before, load, since):
    """before: the records that there were when Kafka died."""
    lost = {key for key, (_, _, at) in load.acknowledged.items() if at >= since} - set(records(stack).values())
    eventually(lambda: not {key for key, (_, _, at) in load.acknowledged.items() if at >= since} -
               set(records(stack).values()), f"all that was acknowledged after the restart to be recorded; {len(lost)} were not", 60)
    after = records(stack)
    changed = [i for i, key in before.items() if after.get(i) != key]
    assert not changed, f"{len(changed)} Ids name another operation than before: {changed[:3]}"
    of = {}
    for operation, key in after.items():
        of.setdefault(key, []).append(operation)
    twice = [key for key, ids in of.items() if len(ids) > 1]
    assert not twice, f"{len(twice)} submissions are two operations: {[(k, of[k]) for k in twice[:3]]}"
    for key, (partition, offset, at) in load.acknowledged.items():
        if at >= since:
            assert place_of(of[key][0]) == (partition, offset), f"{key} is at {partition}, {offset}: {of[key]}"
    stack.wait_terminal(list(after), 120)
    wrong = {i: s for i, s in zip(after, stack.statuses(list(after))) if s != "Complete"}
    assert not wrong, f"{len(wrong)} did not complete: {list(wrong.items())[:3]}"


def submit_tail():
    """Half of one submit partition's log, which was applied, is gone; producers go on."""
    with Stack(coordinators=2, workers=1) as stack, Load(stack) as load:
        eventually(lambda: len(load.acknowledged) > 500, "500 submissions", 100)
        end = log_end(stack, "bgop.submit", 1)
        eventually(lambda: max(fences(stack, "s1")) >= end, "them to be recorded", 60)
        stack.kill_kafka()
        eventually(lambda: all("loop=intake-1 topic=bgop.submit partitions=2 why=brokers-away" in stack.log(f"coordinator-{n}")
                               for n in (1, 2)), "Kafka to be missed", 60)
        before, applied = records(stack), max(fences(stack, "s1"))
        cut(stack, "bgop.submit", 1, 0.5)
        stack.start_kafka()
        since = time.monotonic()
        eventually(lambda: stack.redis.hget("bgop:epochs", "1") == "1" and not stack.redis.hget("bgop:rewinds", "1"),
                   "a new epoch for the partition", HEALED_S)
        eventually(lambda: any(i[3] == "1" for i in records(stack)), "something to be recorded in it",
                   HEALED_S - (time.monotonic() - since))
        print(f"healed {time.monotonic() - since:.1f} s after the broker's return")
        point = int(stack.redis.hget("bgop:rewinds", "1:1").split()[0])
        assert applied - point >= 100, f"only {applied - point} messages that were applied are gone: void"
        done = stack.ctl("submit", "--type", "Sweeper", "--parent", "by-hand")
        stack.ctl("wait", done.stdout.strip(), "--timeout", "30")
        assert stack.record(done.stdout.strip())["ParentKey"] == "by-hand"
        load.stop()
        check_books(stack, before | {}, load, since + 1)
        print(f"{applied - point} applied messages lost, {len(before)} records before, {len(load.acknowledged)} acknowledged")


def status_tail():
    """Outcomes that a worker reported, and that were applied, are gone from a shard's status log."""
    with Stack(coordinators=2, workers=1) as stack:
        shard = 1
        keys = [key for key in (f"k{n}" for n in range(200)) if partition_of(key, stack.shards) == shard]
        first = []
        while (applied := fences(stack, "t")[shard]) < 200:     # outcomes come many in a message: each round has its own
            first += stack.submit([{"Type": "Sweeper", "ParentKey": key} for key in keys[:20]])
            eventually(lambda applied=applied: fences(stack, "t")[shard] > applied, "an outcome to be applied")
        stack.wait_terminal(first, 120)
        running = stack.submit([{"Type": "Sweeper", "ParentKey": f"r{n}"} for n in range(50)])
        stack.kill_kafka()
        cut(stack, "bgop.status", shard, 0.9)
        stack.start_kafka()
        since = time.monotonic()
        eventually(lambda: any("kafka went backwards topic=bgop.status partition=1" in stack.log(f"coordinator-{n}")
                               for n in (1, 2)), "the status log to be rewound", HEALED_S)
        log = stack.log("coordinator-1") + stack.log("coordinator-2")
        found = re.search(r"backwards topic=bgop.status partition=1 lost-from=(\d+) lost-to=(\d+)", log)
        lost = int(found[2]) - int(found[1])
        print(f"rewound {time.monotonic() - since:.1f} s after the broker's return: {lost} applied messages lost")
        assert lost >= 100, "void"
        more = stack.submit([{"Type": "Sweeper", "ParentKey": f"m{n}"} for n in range(200)])
        stack.wait_terminal(first + running + more, 120)
        wrong = [i for i, s in zip(first + running + more, stack.statuses(first + running + more)) if s != "Complete"]
        assert not wrong, f"{len(wrong)} did not complete: {wrong[:3]}"


def command_tail(grown=False):
    """Commands that were read are gone; what is sent at those offsets afterwards is read, too. grown: it stands there, and
    more, before a coordinator looks."""
    with Stack(coordinators=2, workers=0) as stack:
        ids = stack.submit([{"Type": "Sweeper", "ParentKey": f"k{n}"} for n in range(200)])
        eventually(lambda: all(stack.statuses(ids)), "them to be recorded", 60)
        for operation in ids[:100]:
            stack.produce([(None, json.dumps({"Command": "cancel", "Id": operation}))], "bgop.command")
        eventually(lambda: stack.statuses(ids[:100]) == ["Canceled"] * 100, "100 commands to be applied", 60)
        for number in (1, 2) if grown else ():
            stack.processes[f"coordinator-{number}"].send_signal(signal.SIGSTOP)
        stack.kill_kafka()
        for partition in range(4):
            cut(stack, "bgop.command", partition, 0.6)
        stack.start_kafka()
        stack.producer_handle = None
        stack.produce([(None, json.dumps({"Command": "cancel", "Id": operation})) for operation in ids[100:]], "bgop.command")
        for number in (1, 2) if grown else ():
            stack.processes[f"coordinator-{number}"].send_signal(signal.SIGCONT)

        def applied():
            for number in (1, 2) if grown else ():      # one that stood still for too long has ended itself
                if stack.processes[f"coordinator-{number}"].poll() is not None:
                    stack.start_coordinator(number)
            return stack.statuses(ids) == ["Canceled"] * 200
        eventually(applied, "every command to be applied", 60)


def command_tail_grown():
    command_tail(grown=True)


def topic_made_again():
    """The submit topic is deleted and made again: new submissions stand at old offsets, and have new Ids."""
    with Stack(coordinators=2, workers=1) as stack:
        first = stack.submit([{"Type": "Sweeper", "ParentKey": f"k{n}"} for n in range(400)])
        stack.wait_terminal(first, 120)
        before = records(stack)
        admin = stack.admin()
        for future in admin.delete_topics(["bgop.submit"]).values():
            future.result()
        topic = confluent_kafka.admin.NewTopic("bgop.submit", 4, stack.REPLICATION)

        def made():
            try:
                for future in admin.create_topics([topic]).values():
                    future.result()
                return True
            except confluent_kafka.KafkaException:
                return False
        eventually(made, "the topic to be made again", 30, 0.2)
        stack.producer_handle = None
        stack.produce([(f"n{n}", json.dumps({"Type": "Sweeper", "ParentKey": f"n{n}"})) for n in range(200)])
        eventually(lambda: sum(i[3] != "0" for i in records(stack)) == 200, "200 new operations with new Ids", 60)
        after = records(stack)
        assert all(after[i] == key for i, key in before.items()), "an Id names another operation than before"
        stack.wait_terminal(list(after), 60)


def rewind_cut_short():
    """The coordinator dies in the middle of a rewinding; the next one ends it. BGOP_CRASH_POINTS=all: at each point of it."""
    every = os.environ.get("BGOP_CRASH_POINTS") == "all"
    with Stack(coordinators=1, workers=1, config=SHORT_SESSIONS + queue_stack.NOOP_ALL) as stack:
        for point in ("rewind-recorded", "rewind-epoch", "rewind-fences") if every else ("rewind-epoch",):
            keys = [f"{point} {n}" for n in range(100)]     # their Ids have the epochs of the rounds before
            [(partition, _), *_] = stack.produce([("same", json.dumps({"Type": "Sweeper", "ParentKey": key})) for key in keys])
            eventually(lambda keys=keys: set(keys) <= set(records(stack).values()), "100 more to be recorded", 60)
            before = records(stack)
            stack.wait_terminal(list(before), 120)
            stack.kill_kafka()
            stack.kill("coordinator-1")
            cut(stack, "bgop.submit", partition, 0.5)
            stack.start_kafka()
            stack.producer_handle = None
            stack.start_coordinator(1, env=dict(stack.env, BGOP_CRASH=f"{point}:1"))
            eventually(lambda: stack.processes["coordinator-1"].poll() is not None, f"the death at {point}", 60)
            assert f"crash point name={point}" in stack.log("coordinator-1"), f"no death at {point}"
            stack.processes.pop("coordinator-1")
            stack.start_coordinator(1)
            stack.produce([("same", json.dumps({"Type": "Sweeper", "ParentKey": f"after {point}"}))])
            eventually(lambda point=point: f"after {point}" in records(stack).values(), f"work to go on after {point}", 60)
            after = records(stack)
            assert all(after[i] == key for i, key in before.items()), f"{point}: an Id names another operation than before"
            assert not stack.redis.hget("bgop:rewinds", str(partition)), f"{point}: something is left to be put back"
            stack.wait_terminal(list(after), 120)


def begin_log_at(stack, topic, partition, offset):
    """Retention took what is before it. The brokers are dead."""
    for logs in stack.broker_folders():
        (logs / "log-start-offset-checkpoint").write_text(f"0\n1\n{topic} {partition} {offset}\n")


def retention_passed():
    """Nobody read a partition for so long that retention took what was unread. It halts, everything says so, other
    partitions go on; a person decides, and it goes on without what is gone."""
    with Stack(coordinators=1, workers=1) as stack:
        key, other = "halted", next(k for k in (f"other{n}" for n in range(99)) if partition_of(k) != partition_of("halted"))
        stack.wait_terminal(stack.submit([{"Type": "Sweeper", "ParentKey": key} for _ in range(30)]))
        stack.stop("coordinator-1")
        unread = stack.submit([{"Type": "Sweeper", "ParentKey": key} for _ in range(100)])
        partition, start = place_of(unread[60])
        stack.kill_kafka()
        begin_log_at(stack, "bgop.submit", partition, start)
        stack.start_kafka()
        stack.producer_handle = None
        stack.start_coordinator(1)
        halted = ("source halted", f"bgop.submit[{partition}]")
        eventually(lambda: halted in stack.health(), "the partition to halt")
        stack.wait_terminal(stack.submit([{"Type": "Sweeper", "ParentKey": other}]))
        told = stack.ctl("doctor", check=False)
        assert told.returncode == 1 and "recover" in told.stdout, told.stdout
        assert f"log begins at {start}" in stack.ctl("recover").stdout, "a dry run tells what it would do"
        assert halted in stack.health() and not any(stack.statuses(unread)), "a dry run changes nothing"
        stack.ctl("recover", "--apply")
        stack.wait_terminal(unread[60:], 60)
        assert not any(stack.statuses(unread[:60])), "what retention took is recorded"
        eventually(lambda: not stack.health(), f"all to be well: {stack.health()}", 60)
        assert stack.ctl("recover").stdout.startswith("nothing"), stack.ctl("recover").stdout


CASES = [submit_tail, status_tail, command_tail, command_tail_grown, topic_made_again, rewind_cut_short,
         retention_passed]

if __name__ == "__main__":
    for case in CASES:
        if len(sys.argv) < 2 or case.__name__ in sys.argv[1:]:
            begin = time.monotonic()
            case()
            print(f"ok {case.__name__} {time.monotonic() - begin:.0f} s", flush=True)
