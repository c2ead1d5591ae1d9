"""A queue to be hurt: tests/e2e's stack with two coordinators and two workers, whose disk can lose, whose clocks can jump
and whose links can be cut. Every fault goes into the history with its begin, its end and what it really did."""
import contextlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from confluent_kafka import Consumer, TopicPartition  # noqa: E402
from history import Entry, Fault, History, read_book  # noqa: E402
from link import Link  # noqa: E402
from queue_stack import AWAY, BIN, Stack, _quiet, within  # noqa: E402

REMOVED_AFTER_S = 15
# For each thing that a load needs one Type. XClean's records go away soon.
CONFIG = f"""
[kafka]
session.timeout.ms = 6000
heartbeat.interval.ms = 1000
[types]
retry_backoff_ms = 200
retry_limit = 5
timeout_ms = 5000
[type WebCart]
handler = exec
command = {BIN}/fault_handler
concurrency = 8
[type SiteTaskCreate]
handler = exec
command = {BIN}/fault_handler
merge_max = 8
concurrency = 4
[type ExternalObjectSync]
handler = exec
command = {BIN}/fault_handler
max_running_per_parent = 2
concurrency = 4
[type XClean]
handler = exec
command = {BIN}/fault_handler
retention_s = {REMOVED_AFTER_S}
concurrency = 4
[type Sweeper]
handler = noop
"""


def mend_aof(log, folder):
    """Power that goes twice within one rewriting of the append-only file leaves a torn file that is not the last one, and Redis
    7.0 does not start. What an operator does then (deploy/RELIABILITY.md); answers whether it was that."""
    last = log.rsplit("Redis is starting", 1)[-1]
    torn = re.findall(r"Truncating the AOF (\S+) at offset", last)
    if "the truncated file is not the last file" not in last or not torn:
        return False
    subprocess.run(["redis-check-aof", "--fix", folder / torn[-1]], input=b"y\n", check=True, stdout=subprocess.DEVNULL)
    return True


class Rig(Stack):
    def __init__(self, seed, coordinators=2, workers=2, linked=False, small_disk=False, removed_after_s=None):
        config, short = CONFIG, ["XClean"]
        if removed_after_s:             # all of them, not XClean alone
            config = config.replace("[types]\n", f"[types]\nretention_s = {removed_after_s}\n")
            short += ["Sweeper", "WebCart", "SiteTaskCreate", "ExternalObjectSync"]
        super().__init__(config, coordinators=coordinators, workers=workers)
        self.random = random.Random(seed)
        self.linked, self.links, self.crash = linked, {}, {}
        self.small_disk = small_disk
        self.history = History(noop_types=["Sweeper"], lease_s=6.0,
                               retention_ms=dict.fromkeys(short, (removed_after_s or REMOVED_AFTER_S) * 1000))
        self.book = self.folder / "executions.book"
        self.book_read, self.starts = 0, []
        self.delay = self.folder / "sync-delay"
        self.delay.write_text("0")
        self.skews = {}
        self.redis_data = self.folder / "redis"

    # ---- processes, each with its own preloads, link and crash point ----
    def start(self, name, command, env=None):
        env = dict(env or self.env)
        preloads = []
        if name == "redis":
            preloads.append(BIN / "power_loss.so")
            env["BGOP_SYNC_DELAY"] = str(self.delay)
        elif self.linked and name != "kafka":
            env["BGOP_REDIS"] = f"redis://127.0.0.1:{self.link(name).port}"
        if name == "redis" or name.startswith("worker"):
            preloads.append(BIN / "skew.so")
            env["BGOP_SKEW"] = str(self.skew_file(name))
        if name in self.crash:
            env["BGOP_CRASH"] = self.crash.pop(name)
        if preloads:
            env["LD_PRELOAD"] = " ".join(map(str, preloads))
        return super().start(name, command, env)

    def start_kafka(self, timeout=300):
        super().start_kafka(timeout)

    def wait_open(self, timeout=180, above=None):
        """How long it may take is judged elsewhere (Session.wait_back)."""
        super().wait_open(timeout, above)

    def link(self, name):
        if name not in self.links:
            self.links[name] = Link(self.redis_port)
        return self.links[name]

    def skew_file(self, name):
        path = self.folder / f"skew-{name}"
        if name not in self.skews:
            path.write_bytes(struct.pack("=q", 0))
            self.skews[name] = path
        return path

    def start_redis(self):
        """On a disk of its own, of 64 MB, where a run fills it."""
        if self.small_disk and not self.redis_data.exists():
            self.redis_data.mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "bgop-fault", self.redis_data], check=True)
        try:
            super().start_redis()
        except AssertionError:
            if not mend_aof(self.log("redis"), self.redis_data / "appendonlydir"):
                raise
            super().start_redis()

    def __exit__(self, kind, value, trace):
        try:
            return self.end(kind, value, trace)
        finally:
            if self.small_disk and os.path.ismount(self.redis_data):
                subprocess.run(["umount", self.redis_data], check=True)
                shutil.rmtree(self.folder, ignore_errors=True)

    def end(self, kind, value, trace):
        for process in self.processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
        for link in self.links.values():
            link.close()
        return super().__exit__(kind, value, trace)

    def again(self, name):
        """Starts a coordinator or worker that died."""
        self.processes.pop(name, None)
        kind, number = name.split("-")
        return (self.start_coordinator if kind == "coordinator" else self.start_worker)(int(number))

    def named(self, kind):
        return sorted(n for n in self.processes if n.startswith(kind))

    # ---- faults ----
    @contextlib.contextmanager
    def fault(self, kind, target, **detail):
        fault = Fault(kind, target, time.monotonic(), detail=detail)
        self.history.faults.append(fault)
        yield fault
        fault.end = time.monotonic()

    def kill_now(self, name):
        with self.fault("kill", name):
            self.kill(name)

    @contextlib.contextmanager
    def stopped(self, name):
        process = self.processes[name]
        with self.fault("stop", name):
            process.send_signal(signal.SIGSTOP)
            try:
                yield
            finally:
                process.send_signal(signal.SIGCONT)

    def power_cut(self, down_s=0.0):
        """Redis as after a loss of power: killed, its AOF cut somewhere between what was synced and what was written."""
        with self.fault("redis-rollback", "redis") as fault:
            self.kill("redis")
            path = self.aof()
            written = path.stat().st_size
            mark = pathlib.Path(f"{path}.synced")
            synced = min(int(mark.read_text()), written) if mark.exists() else 0
            cut = self.random.randint(synced, written)
            fault.detail.update(synced=synced, written=written, cut=cut, lost=commands_behind(path, cut))
            os.truncate(path, cut)
            time.sleep(down_s)
            self.start_redis()
        return fault

    def aof(self):
        return max((self.redis_data / "appendonlydir").glob("*.incr.aof"), key=lambda p: int(p.name.split(".")[-3]))

    def kafka_tail(self, *cuts):
        """The broker killed, the newest part of some logs, as (topic, partition, share), cut off at any byte, and started
        again. Answers the faults, one for each log."""
        faults = [Fault("kafka-tail", f"{topic}-{p}", time.monotonic(), detail={"topic": topic, "partition": p})
                  for topic, p, _ in cuts]
        self.history.faults += faults
        self.kill("kafka")
        for fault, (topic, p, share) in zip(faults, cuts):
            path = sorted((self.folder / "kafka" / "logs" / f"bgop.{topic}-{p}").glob("*.log"))[-1]
            fault.detail.update(self.cut_segment(path, share))
        self.start_kafka()
        for fault in faults:
            fault.end = time.monotonic()
        return faults

    def cut_segment(self, path, share):
        batches = list(batches_of(path))
        if not batches:
            return {"kept": 0, "was": 0, "lost": 0}
        first, end = batches[0][1] - batches[0][2], batches[-1][1]
        position, kept = 0, first
        for start, behind, _, size in batches:
            if behind > end - max(1, int((end - first) * share)):
                position = start + self.random.randrange(size)       # what is half a batch is none
                break
            kept = behind
        os.truncate(path, position)
        return {"kept": kept, "was": end, "lost": end - kept}

    def redis_offset(self, milliseconds, name="redis"):
        """The clock of one process jumps."""
        with open(self.skew_file(name), "r+b") as file:
            file.write(struct.pack("=q", milliseconds))
        self.history.faults.append(Fault("clock", name, time.monotonic(), time.monotonic(), {"offset_ms": milliseconds}))

    # ---- what goes on ----
    def new_starts(self):
        """(moment, Id, serial) of every execution that began, as far as the book goes."""
        if self.book.exists():
            with open(self.book, "rb") as file:
                file.seek(self.book_read)
                text = file.read()
            whole = text.rfind(b"\n") + 1
            self.book_read += whole
            for line in text[:whole].decode().splitlines():
                words = line.split()
                if words[0] == "start":
                    self.starts.append((int(words[1]) / 1e6, words[4], int(words[8])))
        return self.starts

    # ---- the end ----
    def collect(self):
        """Fills the history with what is recorded, logged and removed."""
        h = self.history
        h.executions = read_book(self.book) if self.book.exists() else []
        h.records = self.all_records()
        h.removed = self.all_removed()
        h.entries = self.status_log()
        h.messages, h.rejects = self.submit_messages(), self.all_rejects()
        stats = self.stats()
        h.totals = {name: stats[name] for name in ("accepted", "duplicates", "rejected")} | stats["totals"]
        h.by_type = {kind: {s: n for s, n in of.items() if n} for kind, of in stats["byType"].items() if any(of.values())}
        return h

    def all_records(self):
        keys = list(self.redis.scan_iter("bgop:{*}:op:*", count=5000))
        records = {}
        for start in range(0, len(keys), 500):
            some = keys[start:start + 500]
            pipe = self.redis.pipeline(transaction=False)
            for key in some:
                pipe.hgetall(key)
                pipe.lrange(key.replace(":op:", ":tries:"), 0, -1)
            answers = pipe.execute()
            for key, record, tries in zip(some, answers[::2], answers[1::2]):
                if record:
                    record.pop("in", None)
                    records[key.rsplit(":", 1)[1]] = dict(record, tries=[json.loads(t) for t in tries])
        return records

    def all_removed(self):
        removed, now = {}, int(time.time() * 1000)
        for shard in range(self.shards):
            cursor, more = None, []
            while cursor or not more:
                more = [now - 86400000, now + 120000, *([cursor] if cursor else [])]
                page = self.ask("bgop_get_deleted", shard, *more)
                for row in page["deletedRecords"]:
                    removed[row["id"]] = removed.get(row["id"], 0) + 1
                cursor = page["cursor"]
        return removed

    def read_topic(self, topic):
        """Every message of a topic as (partition, offset, value)."""
        consumer = Consumer({"bootstrap.servers": self.env["BGOP_KAFKA"], "group.id": "fault", "enable.auto.commit": False,
                             "auto.offset.reset": "earliest", "enable.partition.eof": False, "logger": _quiet})
        try:
            partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
            for p in partitions:
                low, high = consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=30)
                if high > low:
                    consumer.assign([TopicPartition(topic, p, low)])
                at = low
                while at < high:
                    message = consumer.poll(10)
                    assert message is not None, f"{topic}-{p} ends at {at}, not {high}"
                    if message.error() is None and message.partition() == p:
                        at = message.offset() + 1
                        yield p, message.offset(), message.value()
        finally:
            consumer.close()

    def submit_messages(self):
        return sum(1 for _ in self.read_topic("bgop.submit"))

    def all_rejects(self):
        rejects = (json.loads(value) for _, _, value in self.read_topic("bgop.rejects"))
        return sorted({(r["partition"], r["offset"]) for r in rejects if r["topic"] == "bgop.submit"})

    def status_log(self):
        batch = status_batch()
        entries = []
        for partition, offset, value in self.read_topic("bgop.status"):
            batch.ParseFromString(value)
            entries += [Entry(partition, offset, kind_name(batch, e.kind), e.id, e.token) for e in batch.entry]
        return entries

    def doctor(self):
        done = self.ctl("doctor", check=False, timeout=600)
        return [] if done.returncode == 0 else [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]

    def wait_quiet(self, timeout):
        """Nothing waits, runs or is due, and what was to be removed soon is gone. False: time is up, and the checker will say what did not come to its end."""
        def quiet():
            try:
                stats = self.stats()
                pipe = self.redis.pipeline(transaction=False)
                for s in range(self.shards):
                    pipe.zcard(f"bgop:{{{s}}}:due")
                    pipe.hlen(f"bgop:{{{s}}}:leases")
                busy = sum(pipe.execute())
            except AWAY:
                return False
            left = sum(of.get(s, 0) for of in stats["byType"].values() for s in ("New", "Scheduled", "Waiting", "Running"))
            left += sum(stats["byType"].get(kind, {}).get(s, 0) for kind in self.history.retention_ms
                        for s in ("Complete", "Canceled", "Merged"))
            return stats["mode"] == "OPEN" and left == 0 and busy == 0
        try:
            within(timeout, quiet, "nothing waits or runs", 0.3)
            return True
        except AssertionError:
            return False


def status_batch():
    """A StatusBatch of proto/, by the compiler of protobuf: read with other code than the queue's own."""
    import importlib
    import tempfile
    folder = tempfile.mkdtemp(prefix="bgop-proto-")
    subprocess.run(["protoc", f"--proto_path={ROOT / 'proto'}", f"--python_out={folder}", "bgop/v1/status.proto"], check=True)
    sys.path.insert(0, folder)
    try:
        return importlib.import_module("bgop.v1.status_pb2").StatusBatch()
    finally:
        sys.path.remove(folder)
        subprocess.run(["rm", "-rf", folder], check=True)


def kind_name(batch, number):
    field = batch.DESCRIPTOR.fields_by_name["entry"].message_type.fields_by_name["kind"]
    return field.enum_type.values_by_number[number].name.lower()


def batches_of(path):
    """(position, offset behind it, messages, bytes) of each batch of messages in a segment (format 2)."""
    data, position = path.read_bytes(), 0
    while position + 61 <= len(data):
        base, length = struct.unpack_from(">qi", data, position)
        last_delta, = struct.unpack_from(">i", data, position + 23)
        if length <= 0 or position + 12 + length > len(data):
            return
        yield position, base + last_delta + 1, last_delta + 1, 12 + length
        position += 12 + length


def commands_behind(path, position):
    """How many commands a cut at that position takes from an AOF: those that end behind it, without MULTI and the like."""
    data, at, lost = path.read_bytes(), 0, 0
    while at < len(data) and data[at:at + 1] == b"*":
        line = data.index(b"\n", at)
        arguments, name, at = int(data[at + 1:line]), None, line + 1
        for _ in range(arguments):
            line = data.find(b"\n", at)
            if line < 0:
                return lost
            size = int(data[at + 1:line])
            name = name or data[line + 1:line + 1 + size]
            at = line + 1 + size + 2
        lost += at > position and name not in (b"MULTI", b"EXEC", b"SELECT")
    return lost
