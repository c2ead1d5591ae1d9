"""The scenarios of the benchmark kit: one table. A scenario is measured on a queue of its own: what is in it comes from
the measurement alone.

    rate      as many operations as go through: from the first submit to the last Complete in Redis
    latency   an open loop at a rate: from the moment an operation is due to Complete visible in Redis
    cold      latency from the moment that a queue with everything new (Kafka, too) says it is open: nothing is warm
    idle      nothing is submitted: what each process takes of a core, and Redis' commands a second
"""
import dataclasses
import fnmatch

# Which operations: queue_load.c has what is in them.
SHAPES = {"plain": "Type and payload of 200 bytes",
          "parent": "the same with a ParentKey, 1,000 of them",
          "named": "the same with ParentKey and a Name of its own",
          "sequence": "on 1,000 ParentKeys, each a sequence group: one after the other",
          "merging": "on 1,000 ParentKeys, of a Type that merges (up to 100 in an execution)"}

# What a handler does; {port} is where bench_handler listens, {handler} the program itself.
HANDLERS = {"noop": "handler = noop",
            "5ms": "handler = http\nurl = http://127.0.0.1:{port}/",
            "http": "handler = http\nurl = http://127.0.0.1:{port}/",
            "persistent": "handler = exec\npersistent = yes\ncommand = {handler} persistent 0"}
HTTP_WAIT_MS = {"5ms": 5, "http": 0}

TYPES = {"merging": "ExternalObject"}       # by shape; of the others:
TYPE = "SiteTaskCreate"
FEW = 8                                     # slots of a worker whose handlers wait: what more workers add is seen


@dataclasses.dataclass(frozen=True)
class Scenario:
    kind: str
    shape: str
    slots: int
    handler: str
    workers: int = 1
    coordinators: int = 1
    share: float = 1.0                      # of --operations: what is slow needs fewer
    shards: int = 16                        # as an untouched configuration has it

    @property
    def name(self):
        more = f"/{self.workers}-workers" if self.workers > 1 else ""
        more += f"/{self.coordinators}-coordinators" if self.coordinators > 1 else ""
        more += f"/{self.shards}-shards" if self.shards != 16 else ""
        return f"{self.kind}/{self.shape}/{self.slots}/{self.handler}{more}"

    @property
    def type(self):
        return TYPES.get(self.shape, TYPE)

    def config(self, prefix, port, handler):
        """The file that coordinators and workers get: everything else is as shipped."""
        return (f"[queue]\nprefix = {prefix}\nshards = {self.shards}\n[worker]\nconcurrency = {self.slots}\n[type {self.type}]\n"
                f"concurrency = {self.slots}\n" + HANDLERS[self.handler].format(port=port, handler=handler) + "\n")


def matrix():
    """Every shape with every number of slots and every handler, as far as a machine can have it."""
    for handler in HANDLERS:
        for shape in SHAPES:
            for slots in (64, 4096):
                if handler == "persistent" and slots > 64:
                    continue                # a process for each slot
                whole = handler == "noop" or (handler, slots) == ("http", 64) and shape in ("parent", "merging")
                yield Scenario("rate", shape, slots, handler, share=1.0 if whole else 0.2)


SCENARIOS = [*matrix(),
             *(Scenario("rate", "plain", FEW, "5ms", workers=n, share=0.1) for n in (1, 2, 3)),
             Scenario("rate", "named", 64, "noop", workers=2, coordinators=2),
             Scenario("latency", "plain", 4096, "noop"),
             Scenario("latency", "plain", 64, "noop"),
             Scenario("latency", "named", 64, "noop"),
             Scenario("latency", "sequence", 64, "noop"),
             Scenario("cold", "named", 64, "noop"),
             Scenario("idle", "named", 64, "noop"),
             Scenario("idle", "named", 64, "noop", workers=2, coordinators=2),
             *(Scenario("idle", "named", 64, "noop", shards=n) for n in (64, 256)),
             *(Scenario("rate", "named", 64, "noop", shards=n) for n in (4, 64, 256))]

# What is told beside the table when both were measured: how many times as much the first reaches as the second, and what is
# meant to be reached at least.
TIMES = [(f"rate/plain/{FEW}/5ms/2-workers", f"rate/plain/{FEW}/5ms", 1.95),
         (f"rate/plain/{FEW}/5ms/3-workers", f"rate/plain/{FEW}/5ms", 2.9),
         ("rate/merging/64/http", "rate/parent/64/http", 2.0)]

# Without --only: what tells most of a change, in half an hour or so.
USUAL = ["rate/*/noop", "rate/plain/64/*", "rate/parent/64/http", "rate/merging/64/http", "rate/plain/8/5ms*", "latency/plain/4096/noop",
         "latency/named/64/noop", "cold/*", "idle/named/64/noop"]
QUICK = ["rate/named/64/noop"]


def chosen(patterns):
    """The scenarios whose names fit one of the patterns, in the order of the table; a pattern that fits none: ValueError."""
    for pattern in patterns:
        if not any(fnmatch.fnmatch(scenario.name, pattern) for scenario in SCENARIOS):
            raise ValueError(f"no scenario is called '{pattern}'; --list prints their names")
    return [scenario for scenario in SCENARIOS if any(fnmatch.fnmatch(scenario.name, p) for p in patterns)]
