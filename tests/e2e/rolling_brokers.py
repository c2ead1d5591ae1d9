#!/usr/bin/env python3
"""Three brokers are restarted one after the other while submissions come: nothing may be lost, and each time the queue may
stand still for less than 15 s. Heavy (three JVMs), so it is run by hand: tests/README.md has the last figures.

  BGOP_BIN=build/release/bin tests/e2e/rolling_brokers.py [RATE]      submissions a second, 100 by default; exit 1: broken
"""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

import confluent_kafka
import confluent_kafka.admin
import redis

from queue_stack import BIN, NOOP_ALL, ROOT, eventually, free_ports

SHARDS, STALL_MAX_S = 4, 15


class Submitting(threading.Thread):
    def __init__(self, brokers, rate):
        super().__init__(daemon=True)
        self.producer = confluent_kafka.Producer({"bootstrap.servers": brokers, "enable.idempotence": True,
                                                  "partitioner": "murmur2_random", "log_level": 0})
        self.rate, self.ended, self.acknowledged, self.failed = rate, False, 0, 0

    def delivered(self, error, _):
        self.acknowledged += error is None
        self.failed += error is not None

    def run(self):
        begin, sent = time.monotonic(), 0
        while not self.ended:
            while sent < (time.monotonic() - begin) * self.rate:
                self.producer.produce("bgop.submit", b'{"Type":"WebCart","Payload":"x"}', on_delivery=self.delivered)
                sent += 1
            self.producer.poll(0.005)
        self.producer.flush(60)


class Watching(threading.Thread):
    """How many have ended, and how long none did."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.ended, self.finished, self.stall = server, False, 0, 0.0

    def count(self):
        return sum(int(self.server.hget(f"bgop:{{{s}}}:counts", "finished") or 0) for s in range(SHARDS))

    def run(self):
        last = time.monotonic()
        while not self.ended:
            found = self.count()
            if found != self.finished:
                self.finished, last = found, time.monotonic()
            self.stall = max(self.stall, time.monotonic() - last)
            time.sleep(0.05)


def pid_of(home, name):
    return int(dict(line.split() for line in (home / "pids").read_text().splitlines())[name])


def in_sync(admin):
    try:
        topics = admin.list_topics(timeout=5).topics.values()
    except confluent_kafka.KafkaException:
        return False
    return all(len(p.isrs) == len(p.replicas) == 3 for topic in topics for p in topic.partitions.values())


def restart(home, env, name, watching, admin):
    watching.stall = 0.0
    begin = time.monotonic()
    pid = pid_of(home, name)
    os.kill(pid, signal.SIGTERM)
    eventually(lambda: not pathlib.Path(f"/proc/{pid}").exists(), f"{name} to end", 60)
    subprocess.run([ROOT / "deploy/up", "--restart", name], env=env, check=True)
    eventually(lambda: in_sync(admin), "all copies in sync", 120, 0.5)
    time.sleep(2)
    print(f"{name}: {time.monotonic() - begin:.1f} s until all copies were in sync; longest stall {watching.stall:.1f} s",
          flush=True)
    return watching.stall


def measure(home, env, rate, ports):
    brokers = ",".join(f"127.0.0.1:{ports[0] + 2 * n}" for n in range(3))
    server = redis.Redis(port=ports[1], decode_responses=True)
    admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": brokers, "log_level": 0})
    eventually(lambda: in_sync(admin), "three copies of every topic", 60, 0.5)
    submitting, watching = Submitting(brokers, rate), Watching(server)
    submitting.start()
    watching.start()
    eventually(lambda: watching.finished > rate, "work under way", 60)
    stalls = [restart(home, env, name, watching, admin) for name in ("kafka", "kafka-2", "kafka-3")]
    submitting.ended = True
    submitting.join()
    eventually(lambda: watching.finished >= submitting.acknowledged, "all that was acknowledged to end", 60)
    time.sleep(2)
    print(f"acknowledged {submitting.acknowledged}, not acknowledged {submitting.failed}, ended {watching.count()}, "
          f"longest stall {max(stalls):.1f} s")
    return submitting.acknowledged <= watching.count() <= submitting.acknowledged + submitting.failed and \
        max(stalls) < STALL_MAX_S


def main():
    rate = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    ports = [free_ports(1)[0] - 20000, *free_ports(2)]      # six in a row, below those of the other tests
    with tempfile.TemporaryDirectory(prefix="bgop-e2e-") as scratch:
        home = pathlib.Path(scratch) / "home"
        config = pathlib.Path(scratch) / "queue.ini"
        config.write_text(f"[queue]\nshards = {SHARDS}\nsubmit_partitions = 3\n{NOOP_ALL}")
        env = dict(os.environ, BGOP_HOME=str(home), BGOP_BIN=str(BIN), BGOP_KAFKA_HEAP="256m",
                   BGOP_KAFKA_PORT=str(ports[0]), BGOP_REDIS_PORT=str(ports[1]), BGOP_HTTP_PORT=str(ports[2]))
        try:
            subprocess.run([ROOT / "deploy/up", "--kafka-brokers", "3", "--coordinators", "2", "--workers", "2",
                            "--config", config], env=env, check=True, stdout=subprocess.DEVNULL)
            return 0 if measure(home, env, rate, ports) else 1
        finally:
            subprocess.run([ROOT / "deploy/down"], env=env)


sys.exit(main())
