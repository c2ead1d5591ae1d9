"""The stack of queue_stack.py with three brokers and one Redis, TLS and a login on every connection: secrets as deploy/tls.sh
makes them, each program with the rights of deploy/kafka/acls and deploy/redis/users.acl and no others. What tests do
themselves they do as somebody who may everything."""
import hashlib
import subprocess

import redis

from queue_stack import BIN, NOOP_ALL, ROOT, TYPES, Stack, free_ports

USERS = {"coordinator": "bgop-coordinator", "worker": "bgop-worker"}


class SecuredStack(Stack):
    BROKERS = ["kafka", "kafka-2", "kafka-3"]
    REPLICATION = 3

    def __init__(self, config=NOOP_ALL, **more):
        self.tls = None
        super().__init__(config, **more)
        self.kafka_ports = [self.kafka_port, *free_ports(2)]
        self.tls = self.folder / "tls"
        self.tester = hashlib.sha256(str(self.folder).encode()).hexdigest()
        self.env.update(BGOP_KAFKA=",".join(f"127.0.0.1:{port}" for port in self.kafka_ports),
                        BGOP_REDIS=f"rediss://127.0.0.1:{self.redis_port}", BGOP_KAFKA_HEAP="256m",
                        KCAT_CONFIG=str(self.tls / "bgop-submitter.properties"))
        subprocess.run(["bash", "-euc", '. "$1/deploy/setup.sh" && umask 077 && make_secrets "$2"', "secrets", ROOT, self.tls],
                       check=True, stdout=subprocess.DEVNULL)
        self.redis = self.connect(60)
        self.granted = False

    # ---- servers ----
    def start_kafka(self, timeout=180):
        controllers = ",".join(f"{n}@127.0.0.1:{port + 1}" for n, port in enumerate(self.kafka_ports, 1))
        for number, (name, port) in enumerate(zip(self.BROKERS, self.kafka_ports), 1):
            self.start_broker(name, number, port, controllers)
        self.wait_for_kafka(timeout)
        if not self.granted:
            subprocess.run([ROOT / "deploy/kafka/grant", "--brokers", self.env["BGOP_KAFKA"], "--properties",
                            self.tls / "admin.properties", "--types", ",".join(TYPES)], check=True, timeout=120)
            self.granted = True

    def grant_kafka(self):
        self.start_kafka()
        self.kill_kafka()

    def start_broker(self, name, number, port, controllers):
        self.start(name, [ROOT / "deploy/kafka/start", "--port", port, "--data", self.folder / name, "--log",
                          self.folder / f"{name}-log", "--tls", self.tls, "--node", number, "--controllers", controllers])

    def redis_listens(self):
        users = self.folder / "users.acl"           # that of deploy/tls.sh is made anew when a broker starts
        users.write_text((self.tls / "users.acl").read_text() +
                         f"user tester on #{hashlib.sha256(self.tester.encode()).hexdigest()} ~* &* +@all\n")
        return ["--port", 0, "--tls-port", self.redis_port, "--tls-auth-clients", "no", "--aclfile", users,
                "--tls-cert-file", self.tls / "redis.pem", "--tls-key-file", self.tls / "redis.key",
                "--tls-ca-cert-file", self.tls / "ca.pem"]

    def connect(self, timeout):
        if self.tls is None:
            return None             # there are no secrets yet
        return redis.Redis("127.0.0.1", self.redis_port, decode_responses=True, socket_timeout=timeout, ssl=True, username="tester",
                           password=self.tester, ssl_ca_certs=str(self.tls / "ca.pem"))

    # ---- logins ----
    def config_of(self, program, config):
        return self.with_login(config, USERS[program], self.folder / f"{config.stem}-{program}.ini")

    def with_login(self, config, user, path):
        path.touch(0o600)
        path.write_text(config.read_text() + "\n" + (self.tls / f"{user}.ini").read_text())
        return path

    def kafka_client(self, **more):
        """As Kafka's superuser."""
        lines = (self.tls / "admin.properties").read_text().splitlines()
        return super().kafka_client(**more) | dict(line.split("=", 1) for line in lines)

    def ctl_command(self, *words):
        """One who submits may not read topics, an operator may submit nothing but by hand."""
        return [BIN / "bgopctl", words[0], "--config", self.tls / "bgop-operator.ini", *[str(word) for word in words[1:]]]
