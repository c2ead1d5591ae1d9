"""What happened in a run, as everybody outside the queue saw it: the three books (what producers were told, what handlers
did, what is recorded in the end), what pollers saw, what the status log holds, and the faults. checker.py judges it.

Moments are seconds of CLOCK_MONOTONIC of the one machine, unless a name ends in _ms: those are Redis' epoch milliseconds."""
import dataclasses
import json

INFINITE = float("inf")


@dataclasses.dataclass
class Submission:
    """One message to the submit topic. acked_at None: its producer never learned whether Kafka has it."""
    serial: int
    type: str
    key: str
    crc: int                                # of key, value and timestamp, as the record keeps it
    sent_at: float
    acked_at: float = None
    partition: int = None
    offset: int = None
    parent: str = None
    name: str = None
    sequence: str = None
    number: int = None
    process_after_ms: int = None
    backoff_ms: int = 200
    limit: int = 5
    timeout_ms: int = 60000
    refused: str = None                     # why it must be refused: poison, or a Name with other content
    repeats: int = None                     # the serial of the one whose Name and content it repeats
    canceled: bool = False                  # somebody asked for that


@dataclasses.dataclass
class Execution:
    """One attempt at one operation. end None: nobody saw it end; seen_at: the last sign of life."""
    id: str
    token: int
    attempt: int
    serial: int
    leader: str
    pid: int
    start: float
    start_ms: float                         # by the machine's clock, which is Redis' where nobody shifted it
    seen_at: float
    end: float = None
    outcome: str = None                     # ok, error, permanent, crash, skipped


@dataclasses.dataclass
class Observation:
    """What a poller was answered by a queue that was open, between two moments."""
    id: str
    status: str
    final: bool
    asked_at: float
    answered_at: float


@dataclasses.dataclass
class Fault:
    kind: str                               # FAULTS in checker.py
    target: str
    begin: float
    end: float = INFINITE
    detail: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Entry:
    """One entry of the status log, in the log's order."""
    partition: int
    offset: int
    kind: str
    id: str
    token: int


@dataclasses.dataclass
class History:
    submissions: list = dataclasses.field(default_factory=list)
    executions: list = dataclasses.field(default_factory=list)
    observations: list = dataclasses.field(default_factory=list)
    faults: list = dataclasses.field(default_factory=list)
    entries: list = dataclasses.field(default_factory=list)
    rejects: list = dataclasses.field(default_factory=list)         # (partition, offset) of refused submissions
    records: dict = dataclasses.field(default_factory=dict)         # Id -> fields of the hash, and "tries"
    removed: dict = dataclasses.field(default_factory=dict)         # Id -> how often getDeleted lists it
    totals: dict = dataclasses.field(default_factory=dict)          # of bgop_stats
    by_type: dict = dataclasses.field(default_factory=dict)
    doctor: list = dataclasses.field(default_factory=list)          # what bgopctl doctor found wrong
    messages: int = 0                                               # in the submit topic
    lease_s: float = 6.0
    noop_types: list = dataclasses.field(default_factory=list)      # Types without a handler of ours: no book is kept
    retention_ms: dict = dataclasses.field(default_factory=dict)    # Type -> of its finished records

    def save(self, path):
        with open(path, "w") as file:
            json.dump(dataclasses.asdict(self), file)

    @staticmethod
    def load(path):
        with open(path) as file:
            plain = json.load(file)
        kinds = {"submissions": Submission, "executions": Execution, "observations": Observation, "faults": Fault,
                 "entries": Entry}
        for name, kind in kinds.items():
            plain[name] = [kind(**row) for row in plain[name]]
        plain["rejects"] = [tuple(row) for row in plain["rejects"]]
        return History(**plain)


# ---- the handlers' book ----
def read_book(path):
    """Lines of `handler.c`: start|alive|end, monotonic us, epoch us, pid, Id, token, attempt, leader, serial, outcome."""
    running = {}
    executions = []
    with open(path) as file:
        for line in file:
            what, at, wall, pid, operation, token, attempt, leader, serial, outcome = line.split()
            key, moment = (operation, int(token), int(pid)), int(at) / 1e6
            if what == "start":
                running[key] = Execution(operation, int(token), int(attempt), int(serial), leader, int(pid), moment,
                                         int(wall) / 1e3, moment)
                executions.append(running[key])
                continue
            execution = running[key]
            execution.seen_at = moment
            if what == "end":
                execution.end, execution.outcome = moment, outcome
    return executions


# ---- CRC-32C, as records keep it of (key, value, timestamp) ----
def _table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82f63b78 if byte & 1 else 0)
        table.append(byte)
    return table


_CRC = _table()


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = _CRC[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xffffffff


def message_crc(key, value, timestamp_ms):
    return crc32c(key + value + timestamp_ms.to_bytes(8, "big"))
