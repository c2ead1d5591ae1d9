#!/usr/bin/env python3
"""What a rate needs: machines of each kind, and what runs out first, from costs that the kit has measured.

  tests/bench/run --only rate/named/64/noop >costs.json
  tests/bench/run model costs.json [RATE ...]            operations a second (default: 100000 1000000 10000000)

Every figure comes from the file, every assumption is an option and is printed. Costs are taken as they are per operation,
whatever the rate: load makes batches larger and operations cheaper, so this counts too many machines rather than too few.
Handlers are not in it: they are what people bring."""
import dataclasses
import json
import math
import sys

from arguments import Parser, at_least

SHARDS_MAX, PARTITIONS_MAX = 3844, 1024         # common/record/id.h
SHARDS_A_PRIMARY = 8                            # so few that they spread evenly over primaries, and can be moved
NEEDED = {"redis_us_per_operation": "redis_us", "redis_bytes_per_operation": "record_bytes",
          "kafka_bytes_per_operation": "kafka_bytes", "network_bytes_per_operation": "network_bytes",
          "cpu_us_per_operation_kafka": "kafka_us", "cpu_us_per_operation_coordinator": "coordinator_us",
          "cpu_us_per_operation_worker": "worker_us"}


@dataclasses.dataclass(frozen=True)
class Costs:
    """Of one operation, from its submission to Complete."""
    scenario: str
    redis_us: float
    record_bytes: float         # in Redis, once it has ended
    kafka_bytes: float          # appended to all topics, once
    network_bytes: float        # sent by all processes to each other, without replicas
    kafka_us: float
    coordinator_us: float
    worker_us: float


@dataclasses.dataclass(frozen=True)
class Resource:
    """machines: how many of it a rate needs; limit: how many there can be, None: as many as one likes."""
    name: str
    machines: int
    limit: int = None
    why: str = ""


def read_costs(lines, scenario=None):
    """Of the first scenario (or of that one) in a file of the kit. ValueError: it is not there, or lacks a figure."""
    for line in lines:
        row = json.loads(line) if line.startswith("{") else {}
        name = row.get("scenario", "")
        if not name.startswith("rate/") or scenario not in (None, name):
            continue
        figures = row["figures"]
        lacking = [figure for figure in NEEDED if not figures.get(figure, {}).get("median")]
        if lacking:
            raise ValueError(f"{name} has no {lacking[0]}: it was measured by an older kit, or with too few operations")
        return Costs(name, **{field: figures[figure]["median"] for figure, field in NEEDED.items()})
    raise ValueError(f"there is no scenario '{scenario or 'rate/*'}' in it")


def machines_of_cpu(us, rate, options):
    return math.ceil(us * rate / 1e6 / (options.cores * options.busy / 100))


def needs(costs, rate, options):
    """What the rate needs of each kind, in the order of the way an operation takes."""
    primaries_cpu = math.ceil(costs.redis_us * rate / 1e6 / (options.busy / 100))           # one thread
    held = rate * options.retention_h * 3600 * costs.record_bytes
    primaries_memory = math.ceil(held / (options.redis_gib * 2**30))
    copies = options.replication
    stored = rate * costs.kafka_bytes * copies
    network = rate * (costs.network_bytes + costs.kafka_bytes * (copies - 1)) * 8 / 1e9
    most = SHARDS_MAX // SHARDS_A_PRIMARY
    return [
        Resource("Redis primaries, by CPU", primaries_cpu, most, f"{SHARDS_MAX} shards, {SHARDS_A_PRIMARY} a primary"),
        Resource("Redis primaries, by memory", primaries_memory, most, f"{held / 2**40:,.2f} TiB of records that ended"),
        Resource("brokers, by CPU", machines_of_cpu(costs.kafka_us * copies, rate, options)),
        Resource("brokers, by disk", math.ceil(stored / (options.disk_mb * 1e6)), None, f"{stored / 1e6:,.0f} MB/s"),
        Resource("coordinators", machines_of_cpu(costs.coordinator_us, rate, options), PARTITIONS_MAX, "a partition each"),
        Resource("workers, without handlers", machines_of_cpu(costs.worker_us, rate, options)),
        Resource("network cards, all together", math.ceil(network / (options.nic_gbit * options.busy / 100)), None,
                 f"{network:,.1f} Gbit/s"),
    ]


def first_to_run_out(resources):
    """What is over its limit, else what needs the most machines."""
    over = [resource for resource in resources if resource.limit and resource.machines > resource.limit]
    return max(over, key=lambda resource: resource.machines / resource.limit) if over else \
        max(resources, key=lambda resource: resource.machines)


def report(costs, rates, options):
    yield (f"{costs.scenario}: an operation costs Redis {costs.redis_us:.1f} us, Kafka {costs.kafka_us:.1f}, the coordinator "
           f"{costs.coordinator_us:.1f}, the worker {costs.worker_us:.1f}; {costs.record_bytes:,.0f} bytes in Redis, "
           f"{costs.kafka_bytes:,.0f} in Kafka's log, {costs.network_bytes:,.0f} on the network")
    yield (f"machines of {options.cores} cores, busy to {options.busy}%; a primary holds {options.redis_gib} GiB; records kept for "
           f"{options.retention_h} h; Kafka's replication {options.replication}, disks of {options.disk_mb} MB/s, cards of "
           f"{options.nic_gbit} Gbit/s; replicas of Redis are as many machines again")
    for rate in rates:
        resources = needs(costs, rate, options)
        yield f"\n{rate:,} operations a second"
        for resource in resources:
            over = "  MORE THAN THERE CAN BE" if resource.limit and resource.machines > resource.limit else ""
            yield f"  {resource.name:28} {resource.machines:8,}  {resource.why}{over}"
        yield f"  first to run out: {first_to_run_out(resources).name}"


def parse(words=None):
    parser = Parser(prog="tests/bench/run model", description=__doc__, allow_abbrev=False)
    parser.add_argument("costs", help="what the kit printed")
    parser.add_argument("rates", type=at_least(1), nargs="*", metavar="RATE", default=[10**5, 10**6, 10**7])
    parser.add_argument("--scenario", help="of the file (default: the first rate/...)")
    parser.add_argument("--cores", type=at_least(1), default=16, help="of a machine (default: 16)")
    parser.add_argument("--busy", type=at_least(1), default=60, help="percent, at most (default: 60)")
    parser.add_argument("--retention-h", type=at_least(1), default=24, help="hours that ended records stay (default: 24)")
    parser.add_argument("--redis-gib", type=at_least(1), default=48, help="of records in a primary (default: 48)")
    parser.add_argument("--replication", type=at_least(1), default=3, help="Kafka's copies (default: 3)")
    parser.add_argument("--disk-mb", type=at_least(1), default=400, help="a second, of a broker's disk (default: 400)")
    parser.add_argument("--nic-gbit", type=at_least(1), default=25, help="of a network card (default: 25)")
    options = parser.parse_args(words)
    try:
        with open(options.costs) as file:
            return read_costs(file, options.scenario), options
    except (OSError, ValueError) as error:
        parser.error(f"{options.costs}: {error}")


def main():
    costs, options = parse()
    print("\n".join(report(costs, options.rates, options)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
