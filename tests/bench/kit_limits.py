"""The limits beside the queue's figures: what the same Redis and the same Kafka do when there is no queue in between."""
import json
import subprocess

import confluent_kafka.admin

from kit_queue import Failed, RedisServer, admin_client

DEPTH = 64                  # commands in flight
PARTITIONS = 8              # as bgop.submit has
TOPIC = "bench-limits"


def measure(tools, *words):
    done = subprocess.run([tools / "bench_limits", *map(str, words)], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"bench_limits {words[0]}: {done.stderr.strip()}")
    figures = json.loads(done.stdout)
    return figures.pop("limit"), figures


def run(operations, record, tools, broker):
    """One run of each limit: (name, figures). record: field, value, ... of what a finished operation leaves."""
    with RedisServer() as server:
        yield measure(tools, "hset", server.redis_port, operations, DEPTH, *record)
    admin = admin_client(broker.env["BGOP_KAFKA"])
    admin.create_topics([confluent_kafka.admin.NewTopic(TOPIC, PARTITIONS, 1)])[TOPIC].result()
    try:
        for what in ("produce", "consume"):
            yield measure(tools, what, broker.env["BGOP_KAFKA"], TOPIC, operations)
    finally:
        admin.delete_topics([TOPIC])[TOPIC].result()
