"""How many requests a Kafka broker has answered: its own counters, read over JMX with the reader that belongs to Kafka
(one jar beside the broker's, fetched when it is first needed)."""
import os
import pathlib
import re
import select
import signal
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
COUNTERS = "kafka.network:type=RequestMetrics,name=RequestsPerSec,*"
PARTS_OF_FETCH = ("FetchConsumer", "FetchFollower")     # counted under Fetch as well
START_S = 60


def jvm_options(port):
    """For the broker (BGOP_KAFKA_JVM_OPTS): it answers on that port of the loopback."""
    name = "com.sun.management.jmxremote"
    return (f"-D{name} -D{name}.port={port} -D{name}.rmi.port={port} -D{name}.host=127.0.0.1 -D{name}.authenticate=false "
            f"-D{name}.ssl=false -Djava.rmi.server.hostname=127.0.0.1")


def reader_jar():
    """Where Kafka's own reader is; fetched like the broker (deploy/kafka/fetch) and kept beside it."""
    jars = pathlib.Path(subprocess.run([ROOT / "deploy/kafka/fetch"], check=True, capture_output=True, text=True).stdout.strip())
    version = re.search(r"<kafka.version>(.*)</kafka.version>", (ROOT / "deploy/kafka/pom.xml").read_text())[1]
    folder = jars.with_name(f"kafka-tools-{version}")
    jar = folder / f"kafka-tools-{version}.jar"
    if not jar.exists():
        done = subprocess.run(["mvn", "-q", "-B", "-f", ROOT / "deploy/kafka/pom.xml", "dependency:copy",
                               f"-Dartifact=org.apache.kafka:kafka-tools:{version}", f"-DoutputDirectory={folder}"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0 or not jar.exists():
            raise RuntimeError(f"Maven could not fetch {jar.name}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return [jar, *jars.glob("*.jar")]


class Requests:
    """Stands still except while count() is asked, so that it takes nothing from what is measured. It knows the kinds of
    requests that the broker had answered when it was started: start it when the queue is warm."""

    def __init__(self, port, folder):
        path = ":".join(map(str, reader_jar()))
        self.process = subprocess.Popen(
            ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m", "-cp", path, "org.apache.kafka.tools.JmxTool",
             "--jmx-url", f"service:jmx:rmi:///jndi/rmi://127.0.0.1:{port}/jmxrmi", "--object-name", COUNTERS,
             "--attributes", "Count", "--reporting-interval", "20"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=open(pathlib.Path(folder) / "requests.log", "ab"))
        self.rest = b""
        head = self.line()
        if b"RequestsPerSec" not in head:
            raise RuntimeError(f"Kafka's counters cannot be read: {head[:500]!r}")
        self.counted = [kind not in PARTS_OF_FETCH for kind in re.findall(r"request=(\w+)", head.decode())]
        self.line()
        self.stand_still()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def line(self):
        end = time.monotonic() + START_S
        while b"\n" not in self.rest:
            if not select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))[0]:
                raise RuntimeError(f"Kafka's counters: nothing within {START_S} s")
            more = os.read(self.process.stdout.fileno(), 1 << 20)
            if not more:
                raise RuntimeError("Kafka's counters: the reader ended")
            self.rest += more
        line, self.rest = self.rest.split(b"\n", 1)
        return line

    def stand_still(self):
        """A line may still have been on its way: what was printed before does not count."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitpid(self.process.pid, os.WUNTRACED)
        while select.select([self.process.stdout], [], [], 0)[0]:
            self.rest += os.read(self.process.stdout.fileno(), 1 << 20)
        self.rest = self.rest[self.rest.rfind(b"\n") + 1:]

    def count(self):
        """All requests so far. The first line may have been half made before; the second is of now."""
        self.process.send_signal(signal.SIGCONT)
        self.line()
        numbers = self.line().decode().strip().split(",")[1:]
        self.stand_still()
        return sum(int(number) for number, counted in zip(numbers, self.counted, strict=True) if counted)
