#!/usr/bin/env python3
"""deploy/up --tls: TLS on every connection, a user for each program, Kafka's own authorizer. The basic life of operations,
what each user is refused, that no secret shows anywhere, and what a listener on the network sees (as root)."""
import hashlib
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

import confluent_kafka
import redis

from grounds import not_on
from queue_stack import BIN, ROOT, TYPES, eventually, free_ports

PAYLOAD = "payload-that-nobody-shall-see"
ETH_P_ALL = 3
CONFIG = """[queue]
shards = 4
submit_partitions = 2
[type WebCart]
handler = exec
command = /bin/sh -c 'read p; echo result-of-$p; [ "$p" != fails ]'
retry_limit = 1
retry_backoff_ms = 1
"""


class Capture(threading.Thread):
    """Every packet on loopback that has one of these ports."""

    def __init__(self, ports):
        super().__init__(daemon=True)
        self.ports, self.bytes, self.ended = ports, {}, False
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)      # SO_RCVBUFFORCE
        self.socket.bind(("lo", 0))
        self.socket.settimeout(0.2)

    def run(self):
        while not self.ended:
            try:
                packet = self.socket.recv(1 << 17)
            except socket.timeout:
                continue
            if packet[12:14] != b"\x08\x00" or packet[23] != 6:      # IPv4, TCP
                continue
            tcp = 14 + (packet[14] & 15) * 4
            ends = {int.from_bytes(packet[tcp:tcp + 2], "big"), int.from_bytes(packet[tcp + 2:tcp + 4], "big")}
            for port in ends & self.ports:
                self.bytes.setdefault(port, bytearray()).extend(packet[tcp + (packet[tcp + 12] >> 4) * 4:])

    def end(self):
        self.ended = True
        self.join()
        self.socket.close()
        return self.bytes


@not_on("cluster", "it is about what deploy/up --tls makes, which has one Redis")
class Secured(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory(prefix="bgop-e2e-")
        cls.home = pathlib.Path(cls.scratch.name) / "home"
        cls.kafka_port, cls.redis_port, cls.http_port = free_ports(3)
        config = pathlib.Path(cls.scratch.name) / "queue.ini"
        config.write_text(CONFIG)
        cls.env = dict(os.environ, BGOP_HOME=str(cls.home), BGOP_BIN=str(BIN), BGOP_KAFKA_HEAP="256m",
                       BGOP_KAFKA_PORT=str(cls.kafka_port), BGOP_REDIS_PORT=str(cls.redis_port),
                       BGOP_HTTP_PORT=str(cls.http_port))
        cls.capture = None
        if os.geteuid() == 0:
            cls.capture = Capture({cls.kafka_port, cls.kafka_port + 1, cls.redis_port})
            cls.capture.start()
        up = subprocess.run([ROOT / "deploy/up", "--tls", "--config", config], env=cls.env, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        cls.said = up.stdout
        if up.returncode != 0:
            cls.tearDownClass()
            raise AssertionError(up.stdout)
        cls.env.update(BGOP_KAFKA=f"127.0.0.1:{cls.kafka_port}", BGOP_REDIS=f"rediss://127.0.0.1:{cls.redis_port}")
        cls.ids = []

    @classmethod
    def tearDownClass(cls):
        subprocess.run([ROOT / "deploy/down"], env=cls.env, stderr=subprocess.DEVNULL)
        cls.scratch.cleanup()

    def ctl(self, user, *words, code=0):
        done = subprocess.run([BIN / "bgopctl", words[0], "--config", self.home / f"tls/{user}.ini", *words[1:]],
                              env=self.env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        type(self).said += done.stdout
        self.assertEqual(done.returncode, code, f"{user} {words}: {done.stdout}")
        return done.stdout

    def password(self, user):
        return (self.home / "tls/users" / user).read_text()

    def client(self, user, **more):
        return {"bootstrap.servers": self.env["BGOP_KAFKA"], "security.protocol": "sasl_ssl", "sasl.mechanism": "PLAIN",
                "sasl.username": user, "sasl.password": self.password(user), "log_level": 0,
                "ssl.ca.location": str(self.home / "tls/ca.pem"), "logger": _quiet, **more}

    def test_1_operations_live_as_everywhere(self):
        for payload in (PAYLOAD, "fails"):
            line = self.ctl("bgop-submitter", "submit", "--type", "WebCart", "--payload", payload, "--name", payload)
            self.ids.append(line.split()[0])
        self.ctl("bgop-monitor", "wait", self.ids[0], "--timeout", "60")
        self.ctl("bgop-monitor", "wait", self.ids[1], "--timeout", "60", code=2)
        self.assertIn("result-of-" + PAYLOAD, self.ctl("bgop-monitor", "get", self.ids[0]))
        later = self.ctl("bgop-submitter", "submit", "--type", "WebCart", "--after", "2099-01-01T00:00:00Z").split()[0]
        self.ids.append(later)
        self.ctl("bgop-operator", "cancel", later)
        self.ctl("bgop-operator", "redrive", self.ids[1])
        self.ctl("bgop-operator", "pause", "--type", "WebCart", "--reason", "secured")
        self.ctl("bgop-operator", "resume", "--type", "WebCart")
        self.ctl("bgop-monitor", "wait", self.ids[1], "--timeout", "60", code=2)
        eventually(lambda: "all agree" in self.ctl("bgop-operator", "doctor"), "doctor finds nothing")

    def denied(self, user):
        """What the authorizer has refused this user, beside what the tests below try."""
        log = (self.home / "log/kafka-server.log").read_text()
        return re.findall(rf"Principal = User:{user} is Denied operation = (\S+) .*? resource = (\S+)", log)

    def test_2_programs_need_no_more_than_the_page_gives(self):
        for user in ("bgop-coordinator", "bgop-worker", "bgop-submitter", "bgop-operator"):
            self.assertEqual(self.denied(user), [])

    def writable(self, user, topics):
        """Which of the queue's topics take a message of this user."""
        taken = []

        def delivered(error, message):
            if error is None:
                taken.append(message.topic().removeprefix("bgop."))
        producer = confluent_kafka.Producer(self.client(user, **{"message.timeout.ms": 10000}))
        for topic in topics:
            producer.produce(f"bgop.{topic}", b"x", partition=0, on_delivery=delivered)
        self.assertEqual(producer.flush(15), 0)
        return taken

    def readable(self, user, topic):
        """What a fetch is answered: messages or the log's end (True), or a refusal."""
        consumer = confluent_kafka.Consumer(self.client(user, **{"group.id": "x", "enable.partition.eof": True}))
        consumer.assign([confluent_kafka.TopicPartition(f"bgop.{topic}", 0, 0)])

        def answer():
            message = consumer.poll(0.2)
            name = message and (message.error().name() if message.error() else "a message")
            return name if name != "GROUP_AUTHORIZATION_FAILED" else None
        try:
            return eventually(answer, "an answer to a fetch") != "TOPIC_AUTHORIZATION_FAILED"
        finally:
            consumer.close()

    def test_3_a_submitter_reads_nothing_and_writes_nothing_else(self):
        topics = ["submit", "command", "status", "control", "rejects", "WebCart"]
        self.assertEqual(self.writable("bgop-submitter", topics), ["submit"])
        self.assertFalse(self.readable("bgop-submitter", "submit"))
        consumer = confluent_kafka.Consumer(self.client("bgop-submitter", **{"group.id": "x"}))
        self.assertEqual(set(consumer.list_topics(timeout=10).topics), {"bgop.submit"})
        consumer.close()
        self.assertIn(("DESCRIBE", "Group:LITERAL:x"), self.denied("bgop-submitter"))

    def test_4_a_worker_writes_outcomes_only(self):
        topics = ["submit", "command", "control", "rejects", "WebCart"]
        self.assertEqual(self.writable("bgop-worker", topics), [])
        self.assertFalse(self.readable("bgop-worker", "status"))
        self.assertTrue(self.readable("bgop-worker", "WebCart"))

    def test_5_who_has_no_login_is_refused(self):
        plain = redis.Redis(port=self.redis_port, ssl=True, ssl_ca_certs=str(self.home / "tls/ca.pem"))
        with self.assertRaises(redis.exceptions.AuthenticationError):
            plain.ping()
        wrong_file = self.home / "tls/wrong.ini"
        wrong_file.touch(0o600)
        wrong_file.write_text((self.home / "tls/bgop-operator.ini").read_text().replace(
            "users/bgop-operator", "users/bgop-monitor"))
        self.assertIn("WRONGPASS", self.ctl("wrong", "stats", code=78))
        wrong = self.client("bgop-worker", **{"sasl.password": "nonsense"})
        with self.assertRaises(confluent_kafka.KafkaException):
            confluent_kafka.Consumer({**wrong, "group.id": "x"}).list_topics(timeout=3)

    def test_5_topics_that_may_not_be_made_are_listed(self):
        text = (self.home / "tls/coordinator.ini").read_text().replace("sasl.username = bgop-coordinator",
                                                                       "sasl.username = bgop-submitter")
        poor = self.home / "tls/poor.ini"
        poor.touch(0o600)
        poor.write_text(text.replace("users/bgop-coordinator\nssl", "users/bgop-submitter\nssl"))
        done = subprocess.run([BIN / "bgop-coordinator", "--config", poor], env=self.env, text=True, timeout=120,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        type(self).said += done.stdout
        self.assertEqual(done.returncode, 78, done.stdout)
        self.assertIn("topic bgop.control is missing: make it with 1 partitions, retention.ms=-1", done.stdout)
        self.assertIn("topic bgop.status is missing: make it with 4 partitions", done.stdout)
        self.assertNotIn("topic bgop.submit is missing", done.stdout)

    def test_6_secrets_show_nowhere(self):
        secrets = {user.name: user.read_text() for user in (self.home / "tls/users").iterdir()}
        self.assertEqual(len(secrets), 7)
        for config in ("coordinator", "worker"):
            done = subprocess.run([BIN / f"bgop-{config}", "--config", self.home / f"tls/{config}.ini", "--print-config"],
                                  env=self.env, text=True, stdout=subprocess.PIPE, check=True)
            type(self).said += done.stdout
        texts = {"what was printed": self.said}
        for path in (self.home / "log").rglob("*.log"):
            texts[str(path)] = path.read_text(errors="replace")
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                texts[str(path)] = path.read_bytes().decode(errors="replace")
            except OSError:
                pass
        for user, secret in secrets.items():
            self.assertGreaterEqual(len(secret), 32)
            shown = [name for name, text in texts.items() if secret in text or
                     hashlib.sha256(secret.encode()).hexdigest() in text]
            self.assertEqual(shown, [], f"the password of {user}")
        readable = [path for path in (self.home / "tls").rglob("*") if path.stat().st_mode & 0o077]
        self.assertEqual(readable, [])

    def test_7_all_listen_on_loopback(self):
        ours = {int(line.split()[1]) for line in (self.home / "pids").read_text().splitlines()}
        inodes = set()
        for pid in ours:
            for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
                inodes.update(re.findall(r"socket:\[(\d+)\]", os.readlink(fd)))
        found = set()
        for table in ("tcp", "tcp6"):
            for line in pathlib.Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and fields[9] in inodes:
                    address, port = fields[1].split(":")
                    found.add(int(port, 16))
                    self.assertIn(address, ("0100007F", "0000000000000000FFFF00000100007F",
                                            "00000000000000000000000001000000"))
        self.assertLessEqual({self.kafka_port, self.kafka_port + 1, self.redis_port, self.http_port}, found)

    @unittest.skipUnless(os.geteuid() == 0, "packets are for root to see")
    def test_8_the_network_sees_nothing(self):
        seen = self.capture.end()
        type(self).capture = None
        self.assertGreater(len(seen[self.kafka_port]), 20000)
        self.assertGreater(len(seen[self.redis_port]), 20000)
        words = [PAYLOAD, "result-of", "WebCart", "bgop", "FCALL", *self.ids, *TYPES]
        words += [user.read_text() for user in (self.home / "tls/users").iterdir()]
        for port, stream in seen.items():
            self.assertEqual([word for word in words if word.encode() in stream], [], f"port {port}")


def _quiet(*_):
    pass


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
