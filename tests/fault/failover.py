"""Redis with replicas that take over by themselves: a Redis Cluster, or a primary with Sentinels. A failover comes in three
ways: the primary is killed; it stands still, and comes back taking itself for the primary; its replica has heard nothing
for some seconds when it is killed."""
import socket
import sys
import time

from cluster_stack import ClusterStack
from history import Fault
from queue_stack import AWAY, eventually
from rig import Rig
from sentinel_stack import SentinelStack

WAYS = ("kill", "stop", "lag")
TAIL_BYTES = 16 << 20       # of an append-only file: more is not written between two looks
ALIKE_BYTES = 400           # so many bytes in a row are nowhere twice: they hold times and Ids


class FailoverRig(Rig):
    """What both kinds have; ports, shards_of, replica_of and the like are their stacks'."""
    down_after_ms = 3000

    def serving(self):
        """The port of a primary that has shards."""
        raise NotImplementedError

    def lag(self, port):
        """Its replica hears nothing more: its connection ends, and it may not make another."""
        node = self.node(port)
        node.execute_command("ACL SETUSER default -psync -sync")
        node.execute_command("CLIENT KILL TYPE replica")

    def fail_over(self, way):
        """Until the replica has the place of its primary, and all shards are open there. Answers the fault; its detail says
        what was lost and how long it took."""
        old = self.serving()
        new, shards, generations = self.replica_of(old), self.shards_of(old), self.generations()
        fault = Fault("redis-failover", self.name(old), time.monotonic(), detail={"how": way})
        self.history.faults.append(fault)
        if way == "lag":
            self.lag(old)
            time.sleep(self.random.uniform(1, 3))
            fault.detail["behind_bytes"] = self.node(old).info("replication")["master_repl_offset"] - \
                self.node(new).info("replication")["slave_repl_offset"]
        marker = Marker(old, shards[0]) if way == "stop" else None
        if way == "stop":
            self.stand_still(old)
        else:
            self.kill(self.name(old))
        promoted = self.await_promoted(new)
        fault.detail["promoted_s"] = round(promoted - fault.begin, 3)
        written = tail(self.folder / self.name(old)), tail(self.folder / self.name(new))
        eventually(lambda: self.is_open(new, shards, generations), f"shards {shards} open at their new primary", 60, 0.01)
        fault.detail["open_s"] = round(time.monotonic() - promoted, 3)
        fault.detail["lost"] = commands_lost(*written)
        if marker:
            self.come_back(old, new, marker, fault)
        else:
            self.start_server(old)
        eventually(lambda: self.follows(old), f"{self.name(old)} to follow the new primary", 60, 0.05)
        fault.end = time.monotonic()
        return fault

    def come_back(self, old, new, marker, fault):
        """It still takes itself for the primary: what lies in its sockets is the first that it does."""
        marker.write()
        self.stand_still(old, False)
        fault.detail["accepted_by_old"] = marker.taken()
        eventually(lambda: self.follows(old), f"{self.name(old)} to follow the new primary", 60, 0.05)
        if self.node(new).exists(marker.key):
            raise AssertionError(f"what {self.name(old)} was told when it had been replaced is at the new primary")

    def is_open(self, port, shards, above):
        try:
            gates = [self.node(port).hmget(f"bgop:{{{s}}}:gate", "mode", "gen") for s in shards]
        except AWAY:
            return False
        return all(mode == "OPEN" and int(gen) > above[s] for (mode, gen), s in zip(gates, shards))

    def follows(self, port):
        try:
            info = self.node(port).info("replication")
        except AWAY:
            return False
        return info["role"] == "slave" and info["master_link_status"] == "up"


class SentinelRig(FailoverRig, SentinelStack):
    def serving(self):
        return self.primary()


class ClusterRig(FailoverRig, ClusterStack):
    def serving(self):
        return self.port_of(self.slot(self.random.randrange(self.shards)))

    def stats(self):
        """bgopctl puts together what the servers say; a queue that cannot be read is none that is quiet."""
        try:
            return super().stats()
        except AssertionError:
            return {"mode": "AWAY", "byType": {}}


class Marker:
    """A write that a server which stands still finds when it goes on, over a connection that it had before."""

    def __init__(self, port, shard):
        self.key = f"bgop:{{{shard}}}:fault-marker"
        self.connection = socket.create_connection(("127.0.0.1", port), 10)
        self.connection.sendall(b"*1\r\n$4\r\nPING\r\n")
        self.connection.recv(100)

    def write(self):
        words = [b"SET", self.key.encode(), b"1"]
        self.connection.sendall(b"*3\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))

    def taken(self):
        try:
            return self.connection.recv(100).startswith(b"+OK")
        except OSError:
            return False
        finally:
            self.connection.close()


# ---- what was lost ----
def tail(folder):
    """The end of what a server has written to its append-only files."""
    text = b""
    for path in sorted((folder / "appendonlydir").glob("*.incr.aof"), key=lambda p: int(p.name.split(".")[-3])):
        with open(path, "rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            text += file.read()
    return text[-TAIL_BYTES:]


def ends_of_commands(text):
    """(end, name) of each whole command behind the first that begins in this text."""
    at, ends = text.find(b"*"), []
    while 0 <= at < len(text) and text[at:at + 1] == b"*":
        line = text.find(b"\r\n", at)
        try:
            arguments, name = int(text[at + 1:line]), None
            at = line + 2
            for _ in range(arguments):
                line = text.index(b"\r\n", at)
                size = int(text[at + 1:line])
                name = name or text[line + 2:line + 2 + size]
                at = line + 2 + size + 2
        except ValueError:
            break
        if at <= len(text):
            ends.append((at, name))
    return ends


def commands_lost(old, new):
    """How many commands the old primary has written that the new one does not have: what both have is a beginning. None:
    nothing in common is found (one of them began a new file just then)."""
    ends = [(end, name) for end, name in ends_of_commands(old) if end >= ALIKE_BYTES]
    common, lost = -1, len(ends)
    while lost - common > 1:
        middle = (common + lost) // 2
        if old[ends[middle][0] - ALIKE_BYTES:ends[middle][0]] in new:
            common = middle
        else:
            lost = middle
    if common < 0:
        return None
    return sum(name not in (b"MULTI", b"EXEC", b"SELECT") for _, name in ends[lost:])


# ---- the run ----
def median(numbers):
    return sorted(numbers)[len(numbers) // 2]


def failovers(session):
    """A failover each --every seconds, the load going on: the primary is killed; stands still, and comes back taking itself
    for the primary; is killed when its replica has heard nothing for some seconds."""
    rig, faults = session.rig, []
    for i in range(session.options.count):
        began = time.monotonic()
        fault = rig.fail_over(WAYS[i % len(WAYS)])
        faults.append(fault)
        print(f"failover {i + 1}: {fault.target} {fault.detail}", file=sys.stderr, flush=True)
        session.wait_back(fault.begin + fault.detail["promoted_s"], most=60)
        session.run_on(max(0.0, (session.options.every or 30) - (time.monotonic() - began)))
    session.notes["open_after_promotion_s"] = [median([f.detail["open_s"] for f in faults]),
                                               max(f.detail["open_s"] for f in faults)]
    session.notes["promoted_after_s"] = [median([f.detail["promoted_s"] for f in faults]),
                                         max(f.detail["promoted_s"] for f in faults)]
    session.notes["accepted_by_old"] = sum(f.detail.get("accepted_by_old", False) for f in faults)
    session.notes["lost_by_way"] = {way: sum(f.detail["lost"] or 0 for f in faults if f.detail["how"] == way) for way in WAYS}
    session.notes["lost_unknown"] = sum(f.detail["lost"] is None for f in faults)
    session.need("failovers", len(faults), session.options.count)
    if session.options.count >= len(WAYS):
        session.need("behind_bytes", sum(f.detail.get("behind_bytes", 0) for f in faults))
