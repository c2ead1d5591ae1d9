"""A queue for one run of the benchmark kit, and what it costs while it is loaded: the programs of a build on a Redis and on
topics of their own. The Kafka is one for a whole session, because Java takes minutes to become warm; for a cold start it is
new as well."""
import contextlib
import itertools
import json
import logging
import os
import pathlib
import socket
import subprocess
import sys
import time

import confluent_kafka.admin

from bench_stack import ROOT, Stack, come_first, free_ports, queue_stack
import kafka_requests
import kit_figures
from kit_scenarios import HTTP_WAIT_MS

TICK = os.sysconf("SC_CLK_TCK")
NUMBERS = itertools.count(1)
HANDLER = "bench_handler"
IDLE_AFTER_S = 35                       # behind the last operation: what goes on because there was work is over


class Failed(Exception):
    """A run whose operations did not all end Complete, or that did not come about."""


# ---- CPU seconds ----

def processes():
    """pid -> (parent, name, CPU seconds with those of its children that ended), of all."""
    found = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            head, _, tail = path.read_text().rpartition(")")
            words = tail.split()
            found[int(path.parent.name)] = (int(words[1]), head.partition("(")[2], sum(map(int, words[11:15])) / TICK)
    return found


def spent(roots):
    """Name -> CPU seconds of each of these processes ({name: pid}) with all below it; what handlers took stands apart. One
    that is alone of its kind has no number."""
    kinds = [name.split("-")[0] for name in roots]
    found, sums = processes(), {}
    children = {}
    for pid, (parent, _, _) in found.items():
        children.setdefault(parent, []).append(pid)
    for name, root in roots.items():
        below = [root]
        while below:
            pid = below.pop()
            below += children.get(pid, [])
            _, program, seconds = found.get(pid, (0, "", 0))
            kind = name.split("-")[0]
            owner = "handler" if program == HANDLER else kind if kinds.count(kind) == 1 else name
            sums[owner] = sums.get(owner, 0) + seconds
    return sums


def costs(cpu, operations):
    """Name -> CPU seconds, as figures."""
    figures = {f"cpu_s_{name}": round(seconds, 2) for name, seconds in cpu.items()}
    return {**figures, **{f"cpu_us_per_operation_{name}": round(seconds * 1e6 / operations, 3) for name, seconds in cpu.items()}}


def machine_cpu():
    """CPU seconds of everything on this machine."""
    with open("/proc/stat") as stat:
        words = [int(word) for word in stat.readline().split()[1:9]]
    return (sum(words) - words[3] - words[4]) / TICK


def loopback_bytes():
    """Sent over the loopback, by everybody on this machine."""
    for line in pathlib.Path("/proc/net/dev").read_text().splitlines():
        name, _, numbers = line.partition(":")
        if name.strip() == "lo":
            return int(numbers.split()[8])
    return 0


# ---- processes ----

def admin_client(brokers):
    """One that keeps to itself when its broker ends before it."""
    logger = logging.getLogger("kafka")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    return confluent_kafka.admin.AdminClient({"bootstrap.servers": brokers, "logger": logger})


class Broker(Stack):
    """The Kafka of a session."""

    def __init__(self):
        super().__init__("", start=False)
        [self.counters_port] = free_ports(1)
        self.env["BGOP_KAFKA_JVM_OPTS"] = kafka_requests.jvm_options(self.counters_port)

    def __enter__(self):
        with self.clean_start():
            self.start_kafka()
        return self

    @contextlib.contextmanager
    def clean_start(self):
        try:
            yield
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise


class RedisServer(Broker):
    """A Redis alone, with the queue's own redis.conf: for the limits, and for other queues."""

    def __enter__(self):
        with self.clean_start():
            self.start_redis()
        return self


class PeerServer(Broker):
    """Another queue: its servers are started by kit_peers.py."""

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        for name in reversed(list(self.processes)):
            self.stop(name)
        return super().__exit__(kind, value, trace)

    @staticmethod
    def more_ports(count):
        return free_ports(count)

    def wait_port(self, port):
        def answers():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return True
        queue_stack.eventually(answers, f"port {port} answers")

    def wait_log(self, name, text):
        queue_stack.eventually(lambda: text in self.log(name), f'{name} says "{text}"')


class Queue(Broker):
    """broker: the session's Kafka; None: a new one. tools: the folder of bench_queue; build: that of the queue's programs."""

    def __init__(self, scenario, build, tools, broker=None, stages=None):
        super().__init__()
        if stages:
            self.env["BGOP_STAGES"] = str(stages)
        self.scenario, self.build, self.tools, self.broker = scenario, build, tools, broker
        self.prefix = f"bench{next(NUMBERS)}"
        self.shards = scenario.shards
        if broker:
            self.env["BGOP_KAFKA"] = broker.env["BGOP_KAFKA"]
            self.counters_port = broker.counters_port
        self.handler = None

    def __enter__(self):
        with self.clean_start():
            port = self.start_handler()
            self.config.write_text(self.scenario.config(self.prefix, port, self.tools / HANDLER))
            if not self.broker:
                self.start_kafka()
            self.start_redis()
            for number in range(self.scenario.coordinators):
                self.start(f"coordinator-{number + 1}", [self.build / "bgop-coordinator", "--config", self.config])
            self.wait_open()
            for number in range(self.scenario.workers):
                self.start(f"worker-{number + 1}", [self.build / "bgop-worker", "--config", self.config])
        return self

    def __exit__(self, kind, value, trace):
        super().__exit__(kind, value, trace)
        if self.handler:
            self.handler.terminate()
            self.handler.wait()
            self.handler.stdout.close()
        if self.broker:
            self.delete_topics()

    def start_handler(self):
        """Where the web service listens, if the scenario needs one."""
        if self.scenario.handler not in HTTP_WAIT_MS:
            return None
        self.handler = subprocess.Popen([self.tools / HANDLER, "http", str(HTTP_WAIT_MS[self.scenario.handler])],
                                        stdout=subprocess.PIPE, text=True, start_new_session=True)
        come_first(self.handler.pid)
        return int(self.handler.stdout.readline())

    def delete_topics(self):
        """A broker with the partitions of fifty queues is another broker."""
        admin = admin_client(self.env["BGOP_KAFKA"])
        names = [name for name in admin.list_topics(timeout=30).topics if name.startswith(self.prefix + ".")]
        for future in (admin.delete_topics(names) if names else {}).values():   # none, when it did not come so far
            future.result()

    def roots(self):
        pids = {name: process.pid for name, process in (self.broker.processes if self.broker else {}).items()}
        pids.update((name, process.pid) for name, process in self.processes.items())
        if self.handler:
            pids["handler"] = self.handler.pid
        return pids

    def log_bytes(self):
        """Of all its topics in Kafka's log."""
        logs = (self.broker or self).folder / "kafka" / "logs"
        return sum(path.stat().st_size for path in logs.glob(f"{self.prefix}.*/*.log"))

    # ---- loads ----
    def load(self, *words):
        """bench_queue with these words: its object. Failed, when an operation did not end Complete."""
        done = subprocess.run([self.tools / "bench_queue", "--config", self.config, *map(str, words)], env=self.env,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"{self.scenario.name}: bench_queue {' '.join(map(str, words))} ended with {done.returncode}: "
                         f"{done.stdout.strip()} {done.stderr.strip()}")
        return json.loads(done.stdout)

    def measured(self, *words, requests=None):
        """The same with what it cost: CPU of each process, Kafka's requests, how busy the machine was before."""
        figures = {"load_average": round(os.getloadavg()[0], 2)}
        asked = requests.count() if requests else None
        before, machine, children = spent(self.roots()), machine_cpu(), os.times()
        sent, logged = loopback_bytes(), self.log_bytes()
        figures.update(self.load(*words))
        after, machine, ended = spent(self.roots()), machine_cpu() - machine, os.times()
        operations = figures.pop("submitted")           # those of a latency's first seconds cost as much as all others
        cpu = {name: after[name] - before.get(name, 0) for name in after}
        cpu["load"] = ended.children_user + ended.children_system - children.children_user - children.children_system
        cpu["others"] = max(0, machine - sum(cpu.values()))
        if requests:
            figures["kafka_requests_per_operation"] = round((requests.count() - asked) / operations, 5)
        figures["network_bytes_per_operation"] = round((loopback_bytes() - sent) / operations)
        figures["kafka_bytes_per_operation"] = round((self.log_bytes() - logged) / operations)
        shared = kit_figures.balance(cpu, "coordinator")
        if shared is not None:
            figures["coordinators_balance"] = shared
        figures.update(costs(cpu, operations))
        return {name: value for name, value in figures.items() if name not in ("bench", "shape")}

    def commands(self):
        """How many Redis has executed, those inside functions too."""
        return sum(each["calls"] for each in self.redis.info("commandstats").values())

    def measured_idle(self, seconds):
        """Nothing is submitted: percent of a core of each process, and Redis' commands a second (this question is two)."""
        time.sleep(IDLE_AFTER_S)
        figures = {"load_average": round(os.getloadavg()[0], 2)}
        before, commands, machine, start = spent(self.roots()), self.commands(), machine_cpu(), time.monotonic()
        time.sleep(seconds)
        after, machine, elapsed = spent(self.roots()), machine_cpu() - machine, time.monotonic() - start
        figures["redis_commands_per_s"] = round((self.commands() - commands) / elapsed, 1)
        cpu = {name: after[name] - before.get(name, 0) for name in after}
        cpu["others"] = max(0, machine - sum(cpu.values()))
        figures.update((f"cpu_percent_{name}", round(100 * seconds / elapsed, 2)) for name, seconds in cpu.items())
        return figures

    def measured_warm(self, *words):
        """With Kafka's requests: to start who counts them takes a second of a core, which a cold start cannot bear."""
        with kafka_requests.Requests(self.counters_port, self.folder) as requests:
            return self.measured(*words, requests=requests)

    def finished_record(self):
        """Field, value, ... of one record that has ended: what a native HSET would have to write."""
        for key in self.redis.scan_iter("bgop:{*}:op:*", count=1000):
            record = self.redis.hgetall(key)
            if record.get("Status") == "Complete":
                return [word for pair in record.items() for word in pair]
        raise Failed(f"{self.scenario.name}: no record is Complete")


# ---- runs ----

def run(scenario, sizes, build, tools, broker):
    """One run of a scenario on a new queue, after a warm-up (a cold start has none): its figures, and a record."""
    with Queue(scenario, build, tools, None if scenario.kind == "cold" else broker) as queue:
        if scenario.kind == "cold":
            figures = queue.measured("latency", sizes.rate, sizes.seconds, scenario.shape, 0)
        else:
            operations = max(1, int(sizes.operations * scenario.share))
            queue.load("rate", max(1, operations // 5), scenario.shape)
            if scenario.kind == "idle":
                return queue.measured_idle(sizes.seconds), queue.finished_record()
            words = ["rate", operations, scenario.shape]
            if scenario.kind == "latency":
                words = ["latency", sizes.rate, sizes.seconds, scenario.shape, sizes.warm_up]
            figures = queue.measured_warm(*words)
        return figures, queue.finished_record()


__all__ = ["ROOT", "Broker", "Failed", "PeerServer", "Queue", "RedisServer", "admin_client", "costs", "queue_stack", "run", "spent"]
