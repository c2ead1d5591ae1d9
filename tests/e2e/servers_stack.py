"""What the stacks with several Redis servers share: each server has a port, and dies, stands still and answers by itself."""
import logging
import signal

import redis

from queue_stack import Stack

logging.getLogger("redis").setLevel(logging.CRITICAL)     # it logs what it heals itself


class ServersStack(Stack):
    down_after_ms = 2000        # how long a primary is away before its replica takes over

    def name(self, port):
        return f"redis-{port}"

    def node(self, port):
        return redis.Redis("127.0.0.1", port, decode_responses=True, socket_timeout=10)

    def ping(self, port):
        try:
            return self.node(port).ping()
        except redis.exceptions.RedisError:
            return False

    def stand_still(self, port, stopped=True):
        self.processes[self.name(port)].send_signal(signal.SIGSTOP if stopped else signal.SIGCONT)
