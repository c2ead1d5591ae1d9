"""What must not grow while a queue works: memory and open files of its processes, and what Redis holds beside the records
that are kept and the two logs that have bounds of their own (log_days, deleted_log_days, 32 MiB a shard). Samples are taken
while a run goes on; the middle third is compared with the last."""
import dataclasses
import os
import statistics
import time

MEMORY_MIB = 4          # an allocator's noise
MEMORY_SHARE = 1.05
FILES = 4               # a connection that is being made again
BYTES_OF_REMOVED = 8    # tables that grow by steps, spread over what a run removes
LOGS = ("changes", "deleted")


def resident_kib(pid):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def open_files(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


@dataclasses.dataclass
class Sample:
    at: float
    resident: dict      # process -> MiB
    files: dict         # process -> open files
    redis: float        # bytes in use, without those of its logs
    logs: float         # bytes of these
    records: int        # that are there
    accepted: int       # operations so far


def sample(rig, names):
    stats, server = rig.stats(), rig.redis
    logs = sum(server.memory_usage(f"bgop:{{{shard}}}:{name}") or 0 for shard in range(rig.shards) for name in LOGS)
    pids = {name: rig.processes[name].pid for name in names}
    return Sample(time.monotonic(), {name: resident_kib(pid) / 1024 for name, pid in pids.items()},
                  {name: open_files(pid) for name, pid in pids.items()}, server.info("memory")["used_memory"] - logs, logs,
                  sum(sum(of.values()) for of in stats["byType"].values()), stats["accepted"])


def thirds(samples):
    third = len(samples) // 3
    return samples[third:2 * third], samples[2 * third:]


def median(samples, value):
    return statistics.median(value(s) for s in samples)


def judge(samples, names):
    """(what grows, as lines; figures)."""
    middle, last = thirds(samples)
    wrong, figures = [], {}
    for name in names:
        memory = [round(median(part, lambda s: s.resident[name]), 1) for part in (middle, last)]
        files = [int(median(part, lambda s: s.files[name])) for part in (middle, last)]
        figures[name] = {"resident_mib": memory, "files": files}
        if name != "redis" and memory[1] > memory[0] * MEMORY_SHARE + MEMORY_MIB:
            wrong.append(f"{name} grows from {memory[0]} to {memory[1]} MiB")
        if files[1] > files[0] + FILES:
            wrong.append(f"{name} opens more and more files: {files[0]}, then {files[1]}")
    records = [int(median(part, lambda s: s.records)) for part in (middle, last)]
    held = [int(median(part, lambda s: s.redis)) for part in (middle, last)]
    removed = median(last, lambda s: s.accepted - s.records) - median(middle, lambda s: s.accepted - s.records)
    of_each = (held[1] - held[0]) / max(1, removed)
    logs = [median(part, lambda s: s.logs) for part in (middle, last)]
    figures["redis"].update(records=records, beside_logs_mib=[round(h / 2**20, 2) for h in held],
                            logs_mib=[round(h / 2**20, 2) for h in logs], bytes_of_removed=round(of_each, 1))
    if of_each > BYTES_OF_REMOVED:
        wrong.append(f"Redis holds {of_each:.0f} bytes more for each operation that was removed ({records} records)")
    return wrong, figures
