"""Three producers that share nothing with the queue but its topic: kcat with JSON, Python's Kafka client with protobuf,
and bgopctl from a file of JSON lines. Each learns the Ids of what it sent in its own way."""
import pathlib
import subprocess
import sys

import confluent_kafka

import ids

TOPIC = "bgop.submit"


class Kcat:
    """JSON lines through kcat, which reports nothing back: the Ids are looked up by Name later."""
    name = "kcat (JSON)"

    def __init__(self, kafka):
        self.command = ["kcat", "-P", "-b", kafka, "-t", TOPIC, "-K", "\t", "-X", "acks=all"]

    def send(self, operations):
        lines = "".join(f"{o.parent}\t{o.as_json()}\n" for o in operations)
        subprocess.run(self.command, input=lines.encode(), check=True)


class Python:
    """Protobuf of proto/bgop/v1/submission.proto; each delivery report names the operation it created."""
    name = "Python (protobuf)"

    def __init__(self, kafka, shards, repository, folder):
        proto = pathlib.Path(repository) / "proto"
        generated = pathlib.Path(folder) / "generated"
        generated.mkdir(exist_ok=True)
        subprocess.run(["protoc", "-I", proto, "--python_out", generated, proto / "bgop/v1/submission.proto"], check=True)
        sys.path.insert(0, str(generated))
        from bgop.v1 import submission_pb2
        self.message = submission_pb2.Submission
        self.shards = shards
        self.errors = []
        self.producer = confluent_kafka.Producer({"bootstrap.servers": kafka, "acks": "all", "linger.ms": 2})

    def send(self, operations):
        for operation in operations:
            submission = self.message(type=operation.type, parent_key=operation.parent, name=operation.name)
            if operation.payload:
                submission.payload = operation.payload
            if operation.process_after_ms:
                submission.process_after_ms = operation.process_after_ms
            self.producer.produce(TOPIC, submission.SerializeToString(), key=operation.parent,
                                  on_delivery=lambda error, message, o=operation: self.delivered(error, message, o))
            self.producer.poll(0)
        left = self.producer.flush(30)
        if left or self.errors:
            raise RuntimeError(f"Kafka did not take {left + len(self.errors)} submissions: {self.errors[:1]}")

    def delivered(self, error, message, operation):
        if error:
            self.errors.append(str(error))
        else:
            operation.id = ids.from_delivery(message.partition(), message.offset(), operation.parent, self.shards)


class Bgopctl:
    """A file of JSON lines; bgopctl prints the Ids in the order of the lines."""
    name = "bgopctl (file)"

    def __init__(self, program, folder):
        self.program = program
        self.file = pathlib.Path(folder) / "submissions.jsonl"

    def send(self, operations):
        self.file.write_text("".join(o.as_json() + "\n" for o in operations))
        done = subprocess.run([self.program, "submit", "--from", self.file], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
        found = done.stdout.split()
        if done.returncode or len(found) != len(operations):
            raise RuntimeError(f"bgopctl submit ended with {done.returncode}, {len(found)} Ids for "
                               f"{len(operations)} lines:\n{done.stderr}")
        for operation, operation_id in zip(operations, found):
            operation.id = operation_id
