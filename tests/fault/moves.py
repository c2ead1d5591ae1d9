"""What people do to servers while the queue is at work: brokers are restarted one after another, shards are moved to other
Redis servers. Nothing is lost by it, and the stall has a bound."""
import json
import sys
import time

from failover import median
from queue_stack import ROOT, free_ports, shard_of, within
from rig import Rig

STALL_S = 15            # of a restart of one broker, at most
MOVED_P99_MS = 250      # from a submission to its end while shards move


class BrokersRig(Rig):
    """Three brokers, three copies of each topic, two of them in sync."""
    BROKERS = ["kafka", "kafka-2", "kafka-3"]
    REPLICATION = 3

    def __init__(self, seed, **more):
        super().__init__(seed, **more)
        self.kafka_ports = [self.kafka_port, *free_ports(2)]
        self.env.update(BGOP_KAFKA=",".join(f"127.0.0.1:{port}" for port in self.kafka_ports), BGOP_KAFKA_HEAP="256m")

    def start_kafka(self, timeout=300):
        for name in self.BROKERS:
            self.start_broker(name)
        self.wait_for_kafka(timeout)

    def start_broker(self, name):
        number = self.BROKERS.index(name)
        controllers = ",".join(f"{n}@127.0.0.1:{port + 1}" for n, port in enumerate(self.kafka_ports, 1))
        self.start(name, [ROOT / "deploy/kafka/start", "--port", self.kafka_ports[number], "--data", self.folder / name, "--log",
                          self.folder / f"{name}-log", "--node", number + 1, "--controllers", controllers])

    def behind(self):
        """Partitions that lack a copy in sync."""
        topics = self.admin(log_level=0).list_topics(timeout=10).topics.values()
        return sum(len(partition.isrs) < len(partition.replicas) for topic in topics for partition in topic.partitions.values())

    def is_whole(self):
        try:
            return len(self.admin(log_level=0).list_topics(timeout=5).brokers) == len(self.BROKERS) and self.behind() == 0
        except Exception:       # noqa: BLE001  a broker that begins refuses in many ways
            return False


def longest_pause(rig, since, until):
    """Seconds between two beginnings of work that follow each other in a shard, the most of all shards."""
    times = [[since] for _ in range(rig.shards)]
    for at, operation, _ in sorted(rig.starts):
        if since <= at <= until:
            times[shard_of(operation)].append(at)
    return max(b - a for of in times for a, b in zip(of, of[1:] + [until]))


def brokers(session):
    """A rolling restart of three brokers, each stopped as an operator stops it and started again when all copies are in
    sync, --count times, under the load: nothing is lost, and no restart stalls a shard for long."""
    rig, pauses = session.rig, []
    for _ in range(session.options.count):
        for name in rig.BROKERS:
            with rig.fault("broker-restart", name) as fault:
                rig.stop(name)
                fault.detail["stopped_s"] = round(time.monotonic() - fault.begin, 1)
                rig.start_broker(name)
                within(180, rig.is_whole, f"{name} to be in step again", 0.5)
            session.run_on(5)
            rig.new_starts()
            pauses.append(longest_pause(rig, fault.begin, time.monotonic()))
            print(f"{name}: {fault.detail} whole after {fault.end - fault.begin:.1f} s, longest pause {pauses[-1]:.1f} s",
                  file=sys.stderr, flush=True)
    session.times = pauses
    most = max(STALL_S, session.options.back)
    if max(pauses) > most:
        session.wrong.append(f"a shard began nothing for {max(pauses):.1f} s ({most:g} s)")
    session.need("restarts", session.counted_fault("broker-restart"))


def shards(session):
    """Each shard is moved to another primary of a Redis Cluster with all that is in it (bgopctl shards), one each --every
    seconds, --count times, under the load: nothing is lost, and operations that come meanwhile are done as quickly as before."""
    rig, took, held_up, keys = session.rig, [], [], 0
    session.run_on(10)
    for _ in range(session.options.count):
        for shard in range(rig.shards):
            slot = rig.slot(shard)
            source = rig.port_of(slot)
            target = session.random.choice([p for p in rig.ports if p != source and rig.is_primary(p)])
            with rig.fault("shard-moved", f"shard {shard}") as fault:
                moved = json.loads(rig.ctl("shards", shard, "--to", f"127.0.0.1:{target}", "--json").stdout)
            fault.detail.update(moved)
            took.append(moved["ms"])
            held_up.append(moved["heldUpMs"])
            keys += moved["keys"]
            session.wait_back(fault.end)
            session.run_on(max(0.0, (session.options.every or 10) - (time.monotonic() - fault.begin)))
    session.notes["moved_keys"] = keys
    session.notes["move_ms"], session.notes["held_up_ms"] = ([median(of), max(of)] for of in (took, held_up))
    session.need("moves", session.counted_fault("shard-moved"))


def shards_after(session, figures, history):
    """Of what has no handler, and so no cause of its own to wait."""
    wall = time.time() - time.monotonic()
    moves = [f for f in history.faults if f.kind == "shard-moved"]
    begin, end = ((at + wall) * 1000 for at in (moves[0].begin, moves[-1].end)) if moves else (0, 0)
    waits = sorted(int(r["FinishedAt"]) - int(r["SubmittedAt"]) for r in history.records.values()
                   if r["Type"] == "Sweeper" and r["Status"] == "Complete" and begin <= int(r["SubmittedAt"]) <= end)
    if not waits:
        session.wrong.append("nothing was submitted while shards moved")
        return
    p99 = waits[len(waits) * 99 // 100]
    session.notes["while_moved_ms"] = {"operations": len(waits), "p50": waits[len(waits) // 2], "p99": p99, "most": waits[-1]}
    if p99 > MOVED_P99_MS:
        session.wrong.append(f"p99 {p99} ms from submission to end while shards moved ({MOVED_P99_MS} ms)")
