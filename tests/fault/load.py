"""The load of a run, open loop: so many submissions a second whatever the queue does, and the pollers who look at records
and cancel. Both keep their part of the history."""
import json
import random
import threading
import time

import confluent_kafka
import redis
from checker import FINAL
from history import Observation, Submission, message_crc
from queue_stack import AWAY, _quiet, operation_id, shard_of

FAR = 4_070_908_800_000         # 2099: waits until it is cancelled
LOOKED_AT = 100                 # operations in a poller's question


class Load(threading.Thread):
    """What is submitted, by the random numbers of one seed. Shares are of submissions; the rest is plain work."""

    def __init__(self, rig, rate, seed, noop=0.3, hot=0.3):
        super().__init__(daemon=True)
        self.rig, self.rate, self.noop, self.hot = rig, rate, noop, hot
        self.random = random.Random(seed)
        self.submissions = rig.history.submissions
        self.producer, self.fatal = self.fresh(), False
        self.producers, self.queue_full, self.failed = 1, 0, 0
        self.ended = threading.Event()
        self.lock = threading.RLock()           # a serial is taken and used up by one thread
        self.numbers = {}
        self.error = None

    def fresh(self):
        return confluent_kafka.Producer({
            "bootstrap.servers": self.rig.env["BGOP_KAFKA"], "enable.idempotence": True, "linger.ms": 2,
            "message.timeout.ms": 1800000, "queue.buffering.max.messages": 20000, "logger": _quiet,
            "reconnect.backoff.max.ms": 500, "error_cb": self.on_error})

    def on_error(self, error):
        if error.fatal():
            self.fatal = True

    # ---- one submission ----
    def key(self):
        if self.random.random() < self.hot:
            return "hot"
        return f"k{int(self.random.paretovariate(0.7)) % 500}"

    def plain(self, serial):
        """Type and verb of ordinary work."""
        dice, ms = self.random.random(), self.random.randint(1, 30)
        kind = self.random.choice(["WebCart", "WebCart", "ExternalObjectSync", "XClean", "SiteTaskCreate"])
        if dice < 0.10:
            return kind, f"{serial} fail {self.random.randint(1, 3)} {ms}"
        if dice < 0.12 and kind != "SiteTaskCreate":
            return kind, f"{serial} crash 1 {ms}"
        if dice < 0.125 and kind != "SiteTaskCreate":
            return kind, f"{serial} hang 1 0"
        if dice < 0.15:
            return kind, f"{serial} bad 0 {ms}"
        if dice < 0.17:
            return kind, f"{serial} ok 0 {self.random.randint(1000, 3000)}"
        return kind, f"{serial} ok 0 {ms}"

    def make(self, serial):
        """(operation, what the checker has to know beside it)."""
        if self.random.random() < self.noop:
            return {"Type": "Sweeper", "ParentKey": self.key(), "Payload": str(serial)}, {}
        kind, payload = self.plain(serial)
        operation, more = {"Type": kind, "ParentKey": self.key(), "Payload": payload}, {}
        dice = self.random.random()
        if dice < 0.10:
            operation.update(self.sequenced(serial, operation["ParentKey"]))
        elif dice < 0.15:
            operation["ProcessAfter"] = int(time.time() * 1000) + self.random.randint(0, 5000)
        elif dice < 0.20:
            operation.update(ProcessAfter=FAR, Type="WebCart", Payload=f"{serial} ok 0 1")
            more["canceled"] = True
        elif dice < 0.25:
            operation["Name"] = f"name-{serial}"
        elif dice < 0.28:
            del operation["ParentKey"]
        return operation, more

    def sequenced(self, serial, parent):
        """The next one or two numbers of a group; what is left out never comes. Nothing of it fails for good."""
        group = f"g{self.random.randint(0, 5)}"
        number = self.numbers[parent, group] = self.numbers.get((parent, group), 0) + self.random.choice([1, 1, 1, 2])
        verb = self.random.choice(["ok 0", "ok 0", "fail 1"])
        return {"Type": "SiteTaskCreate", "SequenceGroup": group, "SequenceNumber": number,
                "Payload": f"{serial} {verb} {self.random.randint(1, 20)}"}

    def poison(self, serial):
        return self.random.choice([f"rubbish {serial}".encode(), json.dumps({"Type": "Nothing", "Payload": serial}).encode(),
                                   json.dumps({"Type": "WebCart", "Wrong": serial}).encode(), b"{\"Type\":"])

    # ---- sending ----
    def send(self, key, value, **fields):
        """Until the client's own queue has it. Its ack comes later, or never."""
        now = int(time.time() * 1000)
        submission = Submission(serial=len(self.submissions), key=key, sent_at=time.monotonic(),
                                crc=message_crc((key or "").encode(), value, now), **fields)
        self.submissions.append(submission)

        def delivered(error, message):
            if error is None:
                submission.partition, submission.offset = message.partition(), message.offset()
                submission.acked_at = time.monotonic()
            else:
                self.failed += 1
                self.fatal = self.fatal or error.fatal()
        while not self.ended.is_set():
            try:
                self.producer.produce("bgop.submit", value, key, on_delivery=delivered, timestamp=now)
                return
            except BufferError:
                self.queue_full += 1
                self.serve(0.1)
            except confluent_kafka.KafkaException:
                self.again()

    def serve(self, seconds):
        try:
            self.producer.poll(seconds)
        except confluent_kafka.KafkaException:              # its fatal errors come out here, too
            self.fatal = True

    def again(self):
        """A producer that Kafka's rewound log made useless: what it still had is unknown, a new one goes on."""
        try:
            self.producer.flush(0)
        except confluent_kafka.KafkaException:
            pass
        self.producer, self.fatal = self.fresh(), False
        self.producers += 1

    def submit(self, operation, **more):
        value = json.dumps(operation).encode()
        self.send(operation.get("ParentKey"), value, type=operation["Type"], parent=operation.get("ParentKey"),
                  name=operation.get("Name"), sequence=operation.get("SequenceGroup"),
                  number=operation.get("SequenceNumber"), process_after_ms=operation.get("ProcessAfter"),
                  timeout_ms=5000, **more)
        return self.submissions[-1]

    def give(self, make):
        """From outside, beside the load: what make(serial) answers is submitted."""
        with self.lock:
            return self.submit(make(len(self.submissions)))

    def one(self):
        serial, dice = len(self.submissions), self.random.random()
        if dice < 0.005:
            return self.send("poison", self.poison(serial), type="", refused="poison")
        operation, more = self.make(serial)
        first = self.submit(operation, **more)
        if operation.get("Name") and dice < 0.5:
            self.submit(operation, repeats=first.serial)
        elif operation.get("Name"):
            self.submit(dict(operation, Payload=f"{serial} ok 1 1"), repeats=first.serial, refused="other content")
        return None

    def run(self):
        try:
            next_at = time.monotonic()
            while not self.ended.is_set():
                with self.lock:
                    if self.fatal:
                        self.again()
                    self.one()
                next_at += 1 / self.rate
                pause = next_at - time.monotonic()
                self.serve(max(0, pause))
                time.sleep(max(0, next_at - time.monotonic()))
        except BaseException as error:          # shown by the run
            self.error = error
            raise

    def end(self, timeout=60):
        """Stops, and waits for what is on its way. False: some of it has no answer."""
        self.ended.set()
        self.join()
        if self.error:
            raise self.error
        try:
            return self.producer.flush(timeout) == 0
        except confluent_kafka.KafkaException:
            return False


class Pollers(threading.Thread):
    """One after the other asks for some records that Kafka has acknowledged, and cancels what waits for a cancel."""

    def __init__(self, rig, seed, pause=0.2):
        super().__init__(daemon=True)
        self.rig, self.pause = rig, pause
        self.random = random.Random(seed)
        self.redis = rig.connect(3)
        self.commands = confluent_kafka.Producer({"bootstrap.servers": rig.env["BGOP_KAFKA"], "logger": _quiet,
                                                  "enable.idempotence": False, "message.timeout.ms": 20000})
        self.ended = threading.Event()
        self.asked, self.modes = {}, {"open": 0, "recovering": 0, "away": 0}

    def some(self):
        """The newest, and some of all."""
        acked = [s for s in self.rig.history.submissions[-400:] if s.acked_at and not s.refused]
        old = self.rig.history.submissions[:-400]
        acked += [s for s in self.random.sample(old, min(len(old), LOOKED_AT)) if s.acked_at and not s.refused]
        return self.random.sample(acked, min(len(acked), LOOKED_AT))

    def ids_of(self, submissions):
        """Id -> submission, in each epoch that the partition has had: which one is its own, only the record tells."""
        epochs = {int(p): int(e) for p, e in self.redis.hgetall("bgop:epochs").items()}
        ids = {}
        for s in submissions:
            first = operation_id(s.partition, s.offset, s.parent or s.sequence or s.name, self.rig.shards)
            for epoch in range(epochs.get(s.partition, 0) + 1):
                ids[first[:3] + str(epoch) + first[4:]] = s         # the suffix is the same: a digit has no case
        return ids

    def look(self, submissions):
        ids = self.ids_of(submissions)
        if not ids:
            return
        some = list(ids)[:2 * LOOKED_AT]
        asked_at = time.monotonic()
        rows = [row for shard in sorted({shard_of(i) for i in some}) for row in
                self.rig.ask("bgop_retrieve", shard, "Id,Status,ExpiresAt", *[i for i in some if shard_of(i) == shard],
                             client=self.redis)]
        answered_at = time.monotonic()
        self.modes["open"] += 1
        for row in rows:
            if row is None:
                continue
            final = row["Status"] in FINAL and row["ExpiresAt"] is not None
            if final:
                self.rig.history.observations.append(Observation(row["Id"], row["Status"], True, asked_at, answered_at))
            elif row["Status"] == "Scheduled" and ids[row["Id"]].canceled and self.is_its(row["Id"], ids[row["Id"]]):
                self.cancel(row["Id"], answered_at)

    def is_its(self, operation, submission):
        return self.redis.hget(f"bgop:{{{shard_of(operation)}}}:op:{operation}", "crc") == str(submission.crc)

    def cancel(self, operation, now):
        """Again after a while: a command may be lost with the newest part of its topic."""
        if now - self.asked.get(operation, -60) > 20:
            self.asked[operation] = now
            self.commands.produce("bgop.command", json.dumps({"Command": "cancel", "Id": operation}).encode())

    def run(self):
        while not self.ended.wait(self.pause):
            try:
                self.look(self.some())
            except redis.exceptions.ResponseError as error:
                self.modes["recovering" if "RECOVERING" in str(error) else "away"] += 1
            except (*AWAY, IndexError):         # the latter is redis-py's, where a cluster names no primary
                self.modes["away"] += 1
            except BufferError:
                pass
            self.commands.poll(0)

    def cancel_the_rest(self):
        """When the load has ended: each that still waits. By the records: of some nobody knows that Kafka has them. A client of a
        cluster that was there before a failover scans some of its servers only, so it is a new one."""
        try:
            client = self.rig.connect(3)
            keys = list(client.scan_iter("bgop:{*}:op:*", count=1000))
            pipe = client.pipeline(transaction=False)
            for key in keys:
                pipe.hmget(key, "Status", "ProcessAfter")
            for key, (status, after) in zip(keys, pipe.execute()):
                if status == "Scheduled" and after == str(FAR):
                    self.cancel(key.rsplit(":", 1)[1], time.monotonic())
            client.close()
        except AWAY:
            pass
        self.commands.flush(20)

    def end(self):
        self.ended.set()
        self.join()
