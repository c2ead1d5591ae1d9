"""The stack of queue_stack.py on a Redis Cluster: primaries and a replica of each, made by redis-cli as a person would."""
import json
import subprocess
import time

import redis
import redis.cluster
import redis.crc

from queue_stack import NOOP_ALL, ROOT, eventually, free_ports, shard_of
from servers_stack import ServersStack



class ClusterStack(ServersStack):
    def __init__(self, config=NOOP_ALL, primaries=3, replicas=True, **more):
        super().__init__(config, **more)
        self.primaries = primaries
        more_ports = (2 if replicas else 1) * primaries - 1
        self.ports = [self.redis_port] + (free_ports(more_ports) if more_ports else [])
        self.replicas = replicas
        scheme = "redis" if primaries > 1 else "redis+cluster"
        self.env["BGOP_REDIS"] = f"{scheme}://" + ",".join(f"127.0.0.1:{port}" for port in self.ports[:primaries])

    def __exit__(self, kind, value, trace):
        try:
            self.assert_no_call_crossed_slots()
        finally:
            super().__exit__(kind, value, trace)
        return False

    def assert_no_call_crossed_slots(self):
        """Each server counts its error replies by their first word, since its start."""
        for port in self.ports:
            if self.ping(port):
                counted = self.node(port).info("errorstats")
                assert "errorstat_CROSSSLOT" not in counted, f"the Redis at {port} refused a call across slots: {counted}"

    # ---- servers ----
    def start_redis(self):
        """All of them; at the first time they are made a cluster."""
        new = not (self.folder / f"redis-{self.ports[0]}").exists()
        for port in self.ports:
            self.launch_server(port)
        for port in self.ports:
            eventually(lambda port=port: self.ping(port), f"the Redis at {port}", 30)
        if new and self.primaries == 1:
            self.cli("-p", self.ports[0], "CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        elif new:
            self.cli("--cluster", "create", *[f"127.0.0.1:{port}@{port + 1}" for port in self.ports],
                     "--cluster-replicas", int(self.replicas), "--cluster-yes")
        eventually(lambda: all(self.says(port, "cluster_state:ok") for port in self.ports), "the cluster to serve", 30)
        eventually(lambda: sorted(self.node(port).info("replication")["role"] for port in self.ports).count("slave")
                   == len(self.ports) - self.primaries, "replicas", 30)
        eventually(self.replicas_are_in_step, "replicas in step", 30)
        self.redis = self.connect(60)

    def connect(self, timeout):
        """To any of its servers, which tells of the others; None before they are there."""
        nodes = [redis.cluster.ClusterNode("127.0.0.1", port) for port in getattr(self, "ports", [])
                 if self.name(port) in self.processes]
        return redis.cluster.RedisCluster(startup_nodes=nodes, decode_responses=True, socket_timeout=timeout,
                                          cluster_error_retry_attempts=20) if nodes else None

    def start_server(self, port):
        self.launch_server(port)
        eventually(lambda: self.ping(port), f"the Redis at {port}", 30)

    def launch_server(self, port):
        data = self.folder / f"redis-{port}"
        data.mkdir(exist_ok=True)
        self.start(self.name(port), [
            "redis-server", ROOT / "deploy/redis/redis.conf", "--port", port, "--dir", data, "--bind", "127.0.0.1",
            "--cluster-enabled", "yes", "--cluster-port", port + 1, "--cluster-node-timeout", self.down_after_ms,
            "--cluster-replica-validity-factor", 0, "--repl-diskless-sync-delay", 0])

    def kill_redis(self):
        self.assert_no_call_crossed_slots()
        for port in self.ports:
            self.kill(self.name(port))

    def redis_servers(self):
        return [self.node(port) for port in self.ports if self.is_primary(port)]

    def redis_folders(self):
        return [self.folder / f"redis-{port}" for port in self.ports if self.is_primary(port)]

    def says(self, port, text):
        return text in self.cli("-p", port, "CLUSTER", "INFO")

    def replicas_are_in_step(self):
        return all(info["role"] == "master" or info["master_link_status"] == "up"
                   for info in (self.node(port).info("replication") for port in self.ports))

    def cli(self, *words):
        done = subprocess.run(["redis-cli", *[str(word) for word in words]], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"redis-cli {words}: {done.stdout}{done.stderr}"
        return done.stdout

    # ---- who has what ----
    def id_of(self, port):
        return self.cli("-p", port, "CLUSTER", "MYID").strip()

    def slot(self, shard):
        return redis.crc.key_slot(f"bgop:{{{shard}}}".encode())

    def port_of(self, slot):
        """Of the primary that serves it, as the live servers say."""
        for port in self.ports:
            if self.name(port) not in self.processes:
                continue
            for first, last, primary, *_ in self.node(port).execute_command("CLUSTER SLOTS"):
                if first <= slot <= last and self.is_primary(primary[1]):
                    return primary[1]
        return None

    def role(self, port):
        """master, slave, or None of one that does not answer."""
        try:
            return self.node(port).info("replication")["role"] if self.name(port) in self.processes else None
        except redis.exceptions.RedisError:
            return None

    def is_primary(self, port):
        return self.role(port) == "master"

    def shards_of(self, port):
        return [s for s in range(self.shards) if self.port_of(self.slot(s)) == port]

    def replica_of(self, port):
        for other in self.ports:
            info = self.node(other).info("replication") if other != port else {}
            if info.get("role") == "slave" and info["master_port"] == port:
                return other
        return None

    # ---- what happens to them ----
    def move_slot(self, slot, to):
        """With all that is in it, while it is used."""
        source = self.port_of(slot)
        self.node(to).execute_command("CLUSTER SETSLOT", slot, "IMPORTING", self.id_of(source))
        self.node(source).execute_command("CLUSTER SETSLOT", slot, "MIGRATING", self.id_of(to))
        moved = 0
        began = time.monotonic()
        with redis.Redis("127.0.0.1", source) as node:      # keys as they are
            while keys := node.execute_command("CLUSTER GETKEYSINSLOT", slot, 500):
                node.execute_command("MIGRATE", "127.0.0.1", to, "", 0, 10000, "KEYS", *keys)
                moved += len(keys)
        for port in (to, source):
            self.node(port).execute_command("CLUSTER SETSLOT", slot, "NODE", self.id_of(to))
        return moved, time.monotonic() - began

    def await_promoted(self, port):
        """Answers when (of the machine's monotonic clock)."""
        eventually(lambda: self.is_primary(port), "the replica to take over", 30, 0.005)
        return time.monotonic()

    def fail_over(self, port):
        """Its primary dies, and its replica takes over."""
        replica = self.replica_of(port)
        self.kill(self.name(port))
        self.await_promoted(replica)
        return replica

    # ---- reading ----
    def stats(self):
        return json.loads(self.ctl("stats", "--json").stdout)

    def retrieve(self, ids, fields="*"):
        """Every shard is asked for its own; who is of none is asked for at the first, and is null."""
        rows = [None] * len(ids)
        for shard in range(self.shards):
            places = [n for n, operation in enumerate(ids) if shard == (shard_of(operation) if len(operation) == 18 else 0)]
            for start in range(0, len(places), 200):
                some = places[start:start + 200]
                for place, row in zip(some, self.ask("bgop_retrieve", shard, fields, *[ids[n] for n in some])):
                    rows[place] = row
        return rows

    def lookup(self, field, value):
        return [found for shard in range(self.shards) for found in self.ask("bgop_lookup", shard, field, value)["ids"]]

    def why(self, operation):
        return self.ask("bgop_why", shard_of(operation), operation)
