"""The stack of queue_stack.py on a primary, its replica and three Sentinels."""
import shutil
import time

import redis
import redis.sentinel

from queue_stack import ROOT, eventually, free_ports
from servers_stack import ServersStack

NAME = "mine"
SENTINELS = 3


class SentinelStack(ServersStack):
    def __init__(self, config, **more):
        super().__init__(config, **more)
        [second, *self.sentinel_ports] = free_ports(1 + SENTINELS)
        self.ports = [self.redis_port, second]
        addresses = ",".join(f"127.0.0.1:{port}" for port in self.sentinel_ports)
        self.env["BGOP_REDIS"] = f"redis+sentinel://{addresses}/{NAME}"
        self.redis = self.connect(60)

    def connect(self, timeout):
        if not hasattr(self, "sentinel_ports"):         # not chosen yet
            return None
        sentinels = redis.sentinel.Sentinel([("127.0.0.1", port) for port in self.sentinel_ports], socket_timeout=10)
        return sentinels.master_for(NAME, decode_responses=True, socket_timeout=timeout)

    # ---- servers ----
    def start_redis(self):
        for port in self.ports:
            self.start_server(port)
        self.node(self.ports[1]).replicaof("127.0.0.1", self.ports[0])
        for port in self.sentinel_ports:
            self.start_sentinel(port)
        eventually(lambda: all(self.knows_all(port) for port in self.sentinel_ports), "Sentinels that know all", 60)
        eventually(self.in_step, "a replica in step", 60)

    def start_server(self, port):
        """On a configuration of its own: Sentinels have it write down whose replica it is."""
        data = self.folder / f"redis-{port}"
        own = data / "redis.conf"
        if not data.exists():
            data.mkdir()
            shutil.copy(ROOT / "deploy/redis/redis.conf", own)
        self.start(self.name(port), ["redis-server", own, "--port", port, "--dir", data, "--bind", "127.0.0.1",
                                     "--repl-diskless-sync-delay", 0])
        eventually(lambda: self.ping(port), f"the Redis at {port}", 30)

    def start_sentinel(self, port):
        """It writes into its configuration what it learns, so it has one of its own."""
        file = self.folder / f"sentinel-{port}.conf"
        file.write_text(f"port {port}\nbind 127.0.0.1\ndir {self.folder}\n"
                        f"sentinel monitor {NAME} 127.0.0.1 {self.ports[0]} 2\n"
                        f"sentinel down-after-milliseconds {NAME} {self.down_after_ms}\n"
                        f"sentinel failover-timeout {NAME} {4 * self.down_after_ms}\n")
        self.start(f"redis-sentinel-{port}", ["redis-server", file, "--sentinel"])
        eventually(lambda: self.ping(port), f"the Sentinel at {port}", 30)

    def knows_all(self, port):
        state = self.node(port).sentinel_master(NAME)
        return state["num-slaves"] == 1 and state["num-other-sentinels"] == SENTINELS - 1

    # ---- who is what ----
    def role(self, port):
        """master, slave, or None of one that does not answer."""
        try:
            return self.node(port).info("replication")["role"]
        except redis.exceptions.RedisError:
            return None

    def in_step(self):
        """The one is a primary, the other its replica."""
        try:
            infos = [self.node(port).info("replication") for port in self.ports]
        except redis.exceptions.RedisError:
            return False
        return sorted(info["role"] for info in infos) == ["master", "slave"] and \
            all(info.get("master_link_status", "up") == "up" for info in infos)

    def primary(self):
        """The port of the server that the Sentinels name."""
        return int(self.node(self.sentinel_ports[0]).sentinel_get_master_addr_by_name(NAME)[1])

    def replica_of(self, port):
        return self.ports[1 - self.ports.index(port)]

    def shards_of(self, _):
        """Those that it serves while it is the primary."""
        return list(range(self.shards))

    # ---- what happens to them ----
    def await_promoted(self, port):
        """Answers when (of the machine's monotonic clock)."""
        eventually(lambda: self.role(port) == "master", "the replica to be promoted", 60, 0.005)
        return time.monotonic()
