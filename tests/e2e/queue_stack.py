"""A whole queue for one test process: real Kafka, real Redis, coordinators and workers, each with its own ports
and a temporary folder. Everything is started here, known by pid, and gone at the end.

    with Stack(config=INI) as stack:
        ids = stack.submit([{"Type": "WebCart", "Payload": "x"}])
        stack.wait_terminal(ids)
"""
import fcntl
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.request

import confluent_kafka
import confluent_kafka.admin
import redis

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("BGOP_BIN", ROOT / "build" / "dev" / "bin")).resolve()
HANDLERS = pathlib.Path(__file__).resolve().parent / "handlers"
TERMINAL = {"Complete", "Error", "Canceled", "Merged"}
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
TYPES = ["BlockchainEventPoller", "CdpMetadataDeploy", "ExternalChangeDataCapture", "ExternalObject",
         "ExternalObjectSync", "ExternalServiceCallback", "SiteTaskCreate", "SiteTaskPublish", "Sweeper", "WebCart",
         "XClean"]
# Limits are what a quiet machine needs; one that is shared gets so many times that.
PATIENCE = float(os.environ.get("BGOP_E2E_PATIENCE", 3))
PORT_LOCKS = []
AWAY = (redis.exceptions.RedisError, redis.exceptions.RedisClusterException)     # the latter is none of the former
NOOP_ALL = "".join(f"[type {name}]\nhandler = noop\n" for name in TYPES)
# SiteTaskCreate does nothing, WebCart what its payload says.
NOOP_AND_VERB = f"""
[type SiteTaskCreate]
handler = noop
[type WebCart]
handler = exec
command = {HANDLERS}/verb.sh
concurrency = 8
"""


# Who ends a test ends its servers, too: SystemExit passes Stack's end.
signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


def within(seconds, condition, what, pause=0.02):
    """The condition's first true value; a failure says what was waited for. For limits that are meant as they stand: a
    promise, or a wait that may well be in vain."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds:g} s in vain for: {what}")
        time.sleep(pause)


def eventually(condition, what, timeout=30.0, pause=0.02):
    """The same, for what surely comes, sooner or later."""
    return within(PATIENCE * timeout, condition, what, pause)


def http_get(uri):
    """From this machine: whatever proxy the environment names is for others."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return opener.open(uri, timeout=60).read().decode()


def candidate_ports():
    """Even ports that neither outgoing connections get (the kernel may give one away between our look and Kafka's
    start) nor deploy's own scripts choose."""
    low, high = map(int, pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    ports = [port for port in range(26000, 32000, 2) if not low <= port <= high]
    return ports or range(10000, 65000, 2)


def bindable(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


def lock_port(port):
    """False: another test process has it. The lock lasts as long as this process."""
    lock = open(pathlib.Path(tempfile.gettempdir()) / f"bgop-port-{port}", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return False
    PORT_LOCKS.append(lock)
    return True


def free_ports(count):
    """Ports nobody listens on, and no other test process will choose; the one above each too, for Kafka's controller."""
    ports = []
    candidates = list(candidate_ports())
    random.shuffle(candidates)
    for port in candidates:
        if lock_port(port) and bindable(port) and bindable(port + 1):
            ports.append(port)
        if len(ports) == count:
            return ports
    raise AssertionError(f"found {len(ports)} of {count} free ports")


def murmur2(data):
    """As Kafka's Java client; written here a second time so that the programs are checked against it."""
    m, mask = 0x5bd1e995, 0xffffffff
    h = (0x9747b28c ^ len(data)) & mask
    end = len(data) & ~3
    for i in range(0, end, 4):
        k = int.from_bytes(data[i:i + 4], "little") * m & mask
        k = (k ^ (k >> 24)) * m & mask
        h = (h * m & mask) ^ k
    tail = data[end:]
    if tail:
        h = ((h ^ int.from_bytes(tail, "little")) * m) & mask
    h = ((h ^ (h >> 13)) * m) & mask
    return h ^ (h >> 15)


def base62(number, digits):
    text = ""
    for _ in range(digits):
        number, digit = divmod(number, 62)
        text = ALPHABET[digit] + text
    return text


def id_suffix(id15):
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
    return "".join(letters[sum(1 << j for j in range(5) if "A" <= id15[i + j] <= "Z")] for i in (0, 5, 10))


def operation_id(partition, offset, routing_key, shards):
    """The Id that a submission at these coordinates gets (common/record/README.md, "The Id")."""
    if routing_key:
        shard = (murmur2(routing_key.encode()) & 0x7fffffff) % shards
    else:
        shard = (partition + offset) % shards
    id15 = "08P" + "0" + base62(shard, 2) + base62(partition << 43 | offset, 9)
    return id15 + id_suffix(id15)


def shard_of(operation):
    return ALPHABET.index(operation[4]) * 62 + ALPHABET.index(operation[5])


def partition_of(operation):
    number = 0
    for digit in operation[6:15]:
        number = number * 62 + ALPHABET.index(digit)
    return number >> 43


class Stack:
    """Starts and stops processes; asks Redis. `config` is the INI text given to coordinators and workers.

    This one is of one broker and one Redis, in clear. grounds.py has others, which tests of the whole suite run on: what
    differs between them is asked of the methods here."""

    BROKERS = ["kafka"]
    REPLICATION = 1             # of topics that a test makes

    def __init__(self, config=NOOP_ALL, coordinators=1, workers=1, shards=4, start=True):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="bgop-e2e-"))
        self.kafka_port, self.redis_port = free_ports(2)
        self.processes = {}
        self.shards = shards
        self.config = self.folder / "bgop.ini"
        self.config.write_text(f"[queue]\nshards = {shards}\nsubmit_partitions = 4\nlease_ms = 6000\n" + config)
        self.env = dict(os.environ, BGOP_KAFKA=f"127.0.0.1:{self.kafka_port}",
                        BGOP_REDIS=f"redis://127.0.0.1:{self.redis_port}")
        self.counts = (coordinators, workers)
        self.start_at_enter = start
        self.redis = self.connect(60)
        self.producer_handle = None

    def __enter__(self):
        try:
            if self.start_at_enter:
                self.start_kafka()
                self.start_redis()
                for n in range(self.counts[0]):
                    self.start_coordinator(n + 1)
                self.wait_open()
                for n in range(self.counts[1]):
                    self.start_worker(n + 1)
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, value, trace):
        if kind:
            print("".join(traceback.format_exception_only(kind, value)).rstrip(), file=sys.stderr)    # the logs are long
            self.show_logs()
        order = sorted(self.processes, key=lambda n: ("worker", "coordinator", "redis", "kafka").index(n.split("-")[0]))
        for name in order:
            self.stop(name)
        shutil.rmtree(self.folder, ignore_errors=True)
        return False

    # ---- processes ----
    def start(self, name, command, env=None):
        log = open(self.folder / f"{name}.log", "ab")
        process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   env=env or self.env, cwd=self.folder, start_new_session=True)
        log.close()
        self.processes[name] = process
        return process

    def start_kafka(self, timeout=90):
        try:
            self.run_kafka(timeout)
        except AssertionError:
            if "is taken by" not in self.log("kafka") or "coordinator-1" in self.processes:
                raise
            # Somebody else was quicker, and nobody knows the port yet: another one.
            [self.kafka_port] = free_ports(1)
            self.env["BGOP_KAFKA"] = f"127.0.0.1:{self.kafka_port}"
            self.run_kafka(timeout)

    def run_kafka(self, timeout):
        self.start("kafka", [ROOT / "deploy/kafka/start", "--port", self.kafka_port, "--data", self.folder / "kafka",
                             "--log", self.folder / "kafka-log"])
        self.wait_for_kafka(timeout)

    def wait_for_kafka(self, timeout):
        admin = self.admin(log_level=0)

        def answers():
            for name in self.BROKERS:
                self.assert_alive(name)
            try:
                return len(admin.list_topics(timeout=1).brokers) == len(self.BROKERS)
            except confluent_kafka.KafkaException:
                return None
        eventually(answers, "Kafka answers", timeout)

    def grant_kafka(self):
        """What the programs may do there, before any of them is started: nobody asks here."""

    def kill_kafka(self):
        """All of it."""
        for name in self.BROKERS:
            self.kill(name)

    def broker_folders(self):
        return [self.folder / name / "logs" for name in self.BROKERS]

    def start_redis(self):
        data = self.folder / "redis"
        data.mkdir(exist_ok=True)
        self.start("redis", ["redis-server", ROOT / "deploy/redis/redis.conf", "--dir", data, "--bind", "127.0.0.1",
                             "--daemonize", "no", *self.redis_listens()])
        eventually(self.redis_answers, "Redis answers", 30)

    def redis_listens(self):
        return ["--port", self.redis_port]

    def kill_redis(self):
        self.kill("redis")

    def redis_servers(self):
        """A client of each that has a part of the queue."""
        return [self.redis]

    def redis_folders(self):
        """Of the same."""
        return [self.folder / "redis"]

    def connect(self, timeout):
        """A client of its own, whatever kind of Redis it is."""
        return redis.Redis(host="127.0.0.1", port=self.redis_port, decode_responses=True, socket_timeout=timeout)

    def redis_answers(self):
        try:
            return self.redis.ping()
        except (redis.exceptions.ConnectionError, redis.exceptions.BusyLoadingError, redis.exceptions.TimeoutError):
            return False

    def start_coordinator(self, number=1, *more, env=None):
        config = self.config_of("coordinator", self.config)
        return self.start(f"coordinator-{number}", [BIN / "bgop-coordinator", "--config", config, *more], env)

    def start_worker(self, number=1, config=None, env=None):
        config = self.config_of("worker", config or self.config)
        return self.start(f"worker-{number}", [BIN / "bgop-worker", "--config", config], env)

    def config_of(self, _program, config):
        """With what that program logs in with, where it must."""
        return config

    def kill(self, name):
        """SIGKILL to exactly this process (a worker's handlers must die by their own means)."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self, name, timeout=40):
        process = self.processes.pop(name, None)
        if process is None:
            return None
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout)
            except subprocess.TimeoutExpired:
                print(f"{name} did not stop within {timeout} s", file=sys.stderr)
                process.kill()
                process.wait()
        return process.returncode

    def assert_alive(self, name):
        code = self.processes[name].poll()
        if code is not None:
            raise AssertionError(f"{name} ended with {code}:\n{self.log(name)[-3000:]}")

    def log(self, name):
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def show_logs(self):
        for path in sorted(self.folder.glob("*.log")):
            text = path.read_text(errors="replace")
            print(f"---- {path.name} (its last 4,000 of {len(text)} characters)\n{text[-4000:]}", file=sys.stderr)

    # ---- the queue's state ----
    def modes(self):
        return [self.redis.hget(f"bgop:{{{s}}}:gate", "mode") for s in range(self.shards)]

    def generations(self):
        return [int(self.redis.hget(f"bgop:{{{s}}}:gate", "gen") or 0) for s in range(self.shards)]

    def wait_open(self, timeout=60, above=None):
        """Every shard open; `above`: in generations higher than those (of before a restart)."""
        def opened():
            for name in [n for n in self.processes if n.startswith("coordinator")]:
                self.assert_alive(name)
            try:
                risen = above is None or all(new > old for new, old in zip(self.generations(), above))
                return risen and all(mode == "OPEN" for mode in self.modes())
            except AWAY:
                return False
        eventually(opened, "every shard OPEN", timeout)

    def record(self, operation):
        return self.redis.hgetall(f"bgop:{{{shard_of(operation)}}}:op:{operation}")

    def result(self, operation):
        return self.redis.get(f"bgop:{{{shard_of(operation)}}}:out:{operation}")

    def tries(self, operation):
        return [json.loads(t) for t in self.redis.lrange(f"bgop:{{{shard_of(operation)}}}:tries:{operation}", 0, -1)]

    def statuses(self, ids):
        pipe = self.redis.pipeline(transaction=False)
        for operation in ids:
            pipe.hget(f"bgop:{{{shard_of(operation)}}}:op:{operation}", "Status")
        return pipe.execute()

    def wait_status(self, operation, status, timeout=30):
        wanted = {status} if isinstance(status, str) else set(status)
        return eventually(lambda: self.record(operation) if self.record(operation).get("Status") in wanted else None,
                          f"{operation} to be {status}; it is {self.record(operation)}", timeout)

    def wait_terminal(self, ids, timeout=60):
        """Every operation terminal: an Error with retries left is not, and no Merged whose leader still runs."""
        left = list(ids)

        def done():
            nonlocal left
            found = self.statuses(left)
            waiting = [i for i, status in zip(left, found) if status not in TERMINAL]
            undecided = [i for i, status in zip(left, found) if status in ("Error", "Merged")]
            waiting += [i for i in undecided if not self.record(i).get("ExpiresAt")]
            left = waiting
            return not left
        try:
            eventually(done, "all operations terminal", timeout, 0.1)
        except AssertionError:
            shown = [(i, self.record(i)) for i in left[:5]]
            raise AssertionError(f"{len(left)} of {len(ids)} operations did not end within {PATIENCE * timeout} s: {shown}")

    def counted(self):
        """Status -> number, by a full scan of the records."""
        counts = {}
        for key in self.redis.scan_iter("bgop:{*}:op:*", count=5000):
            status = self.redis.hget(key, "Status")
            counts[status] = counts.get(status, 0) + 1
        return counts

    def stats(self):
        return json.loads(self.redis.fcall_ro("bgop_stats", 0))

    def health(self):
        """What bgop_stats says is wrong: (what, first word of where)."""
        return {(trouble["what"], trouble["where"].split()[0]) for trouble in self.stats()["health"]}

    def retrieve(self, ids, fields="*"):
        rows = []
        for start in range(0, len(ids), 200):
            rows += json.loads(self.redis.fcall_ro("bgop_retrieve", 0, fields, *ids[start:start + 200]))
        return rows

    def lookup(self, field, value):
        """The Ids of one page."""
        return json.loads(self.redis.fcall_ro("bgop_lookup", 0, field, value))["ids"]

    def why(self, operation):
        return json.loads(self.redis.fcall_ro("bgop_why", 0, operation))

    def ask(self, function, shard, *words, client=None):
        """What a reading function says of one shard: of a cluster the server that has it."""
        return json.loads((client or self.redis).fcall_ro(function, 1, f"bgop:{{{shard}}}", *words))

    # ---- Kafka ----
    def kafka_client(self, **more):
        """Properties of a client that may do everything; a _ of a name stands for a dot."""
        return {"bootstrap.servers": self.env["BGOP_KAFKA"], "logger": _quiet,
                **{name if name == "log_level" else name.replace("_", "."): value for name, value in more.items()}}

    def admin(self, **more):
        return confluent_kafka.admin.AdminClient(self.kafka_client(**more))

    def producer(self):
        if self.producer_handle is None:
            self.producer_handle = confluent_kafka.Producer(self.kafka_client(
                enable_idempotence=True, linger_ms=2, queue_buffering_max_messages=200000))
        return self.producer_handle

    def produce(self, messages, topic="bgop.submit"):
        """(key, value) pairs to a topic; answers the coordinates of each, once the log has all."""
        coordinates = [None] * len(messages)
        producer = self.producer()

        def delivered(index):
            def on_delivery(error, message):
                assert error is None, f"not delivered: {error}"
                coordinates[index] = (message.partition(), message.offset())
            return on_delivery
        for index, (key, value) in enumerate(messages):
            while True:
                try:
                    producer.produce(topic, value, key, on_delivery=delivered(index))
                    break
                except BufferError:
                    producer.poll(0.1)
            producer.poll(0)
        assert producer.flush(60) == 0, "messages left unsent"
        return coordinates

    def submit(self, operations):
        """Submits dicts in the record's member names as JSON; answers their Ids in order."""
        coordinates = self.produce([(o.get("ParentKey"), json.dumps(o)) for o in operations])
        return [operation_id(p, offset, o.get("ParentKey") or o.get("SequenceGroup") or o.get("Name"), self.shards)
                for o, (p, offset) in zip(operations, coordinates)]

    def rejects(self, count, topic="bgop.submit", timeout=30, until=None):
        """The first `count` rejects of messages of that topic; until: (partition, offset) is among them, or the time is up."""
        consumer = confluent_kafka.Consumer(self.kafka_client(group_id="test", auto_offset_reset="earliest",
                                                              enable_auto_commit=False))
        consumer.assign([confluent_kafka.TopicPartition("bgop.rejects", 0, 0)])
        found, end = [], time.monotonic() + PATIENCE * timeout

        def enough():
            return len(found) >= count and (until is None or (found[-1]["partition"], found[-1]["offset"]) == until)
        while not enough() and time.monotonic() < end:
            message = consumer.poll(0.2)
            if message is not None and message.error() is None:
                reject = json.loads(message.value())
                found += [reject] if reject["topic"] == topic else []
        consumer.close()
        assert len(found) >= count, f"{len(found)} rejects of {count}: {found}"
        return found

    # ---- bgopctl ----
    def ctl_command(self, *words):
        return [BIN / "bgopctl", *[str(w) for w in words]]

    def ctl(self, *words, check=True, timeout=60, **options):
        done = subprocess.run(self.ctl_command(*words), env=self.env, capture_output=True, text=True, timeout=timeout,
                              **options)
        if check and done.returncode != 0:
            raise AssertionError(f"bgopctl {' '.join(map(str, words))} exited {done.returncode}:\n{done.stdout}{done.stderr}")
        return done


class _Quiet:
    """Swallows librdkafka's log lines of test clients: outages are what these tests are about."""
    def log(self, *_args, **_kwargs):
        pass
    debug = info = warning = error = critical = log


_quiet = _Quiet()
