"""A worker dies at named points with execution groups in hand; another one finishes what it left. Nothing is lost,
every sequence keeps its order, and the records of a group agree.

Two points by default, all of them with BGOP_CRASH_POINTS=all (minutes: each waits for the dead worker's leases)."""
import collections
import json
import os
import unittest

from grounds import Stack
from queue_stack import HANDLERS, eventually

CONFIG = f"""
[kafka]
session.timeout.ms = 6000
heartbeat.interval.ms = 1000
[worker]
types = ExternalObject
[type ExternalObject]
handler = exec
command = {HANDLERS}/book.py
merge_max = 15
retry_backoff_ms = 100
concurrency = 4
"""
POINTS = ["claim-before", "claim-after", "start-before", "spawn-before", "spawn-after", "reap-after", "produce-before",
          "produce-after", "delivery-before", "delivery-after", "store-before", "store-after"]
FEW = {"claim-after", "delivery-before"}
WORK = ["ok", "ok", "fail 1", "ok", "permanent", "large 30000", "silent 1"]
COUNT, PARENTS = 56, 4
INDEXES = (":lane", ":group:", ":seq", ":pending", ":running", ":leases", ":cancels", ":due")


class GroupsCrashPoints(unittest.TestCase):
    def operations(self, point):
        for n in range(COUNT):
            operation = {"Type": "ExternalObject", "ParentKey": f"{point}-{n % PARENTS}",
                         "Payload": WORK[n % len(WORK)]}
            if n % 3 and operation["Payload"] != "permanent":       # that would hold its sequence for ever
                operation.update(SequenceGroup=f"g{n % 2}", SequenceNumber=n)
            yield operation

    def test_what_a_dead_worker_leaves_is_finished_by_another(self):
        everywhere = os.environ.get("BGOP_CRASH_POINTS") == "all"
        with Stack(CONFIG, workers=0) as stack:
            for n, point in enumerate(p for p in POINTS if everywhere or p in FEW):
                stack.start_worker(1, env=dict(stack.env, BGOP_CRASH=f"{point}:{2 + n % 3}"))
                work = list(self.operations(point))
                ids = stack.submit(work)
                eventually(lambda: stack.processes["worker-1"].poll() is not None, f"the death at {point}", 60)
                stack.processes.pop("worker-1")
                stack.start_worker(2)
                stack.wait_terminal(ids, 120)
                eventually(lambda: all(r["ExpiresAt"] for r in stack.retrieve(ids)), "every leader to have ended", 60)
                self.check(point, work, {r["Id"]: r for r in stack.retrieve(ids)}, self.book(stack))
                self.assertEqual(stack.stop("worker-2"), 0)
            left = [key for key in stack.redis.scan_iter("bgop:*", count=5000) if any(i in key for i in INDEXES)]
            self.assertEqual(left, [], "nothing waits, nothing runs")
            report = json.loads(stack.ctl("doctor", "--json", check=False).stdout)
            self.assertEqual(report["mismatches"], [])
            self.assertEqual({t["what"] for t in report["health"]} - {"worker gone"}, set())

    def book(self, stack):
        return [json.loads(line) for line in (stack.folder / "group.book").read_text().splitlines()]

    def check(self, point, work, rows, book):
        for operation, row in zip(work, rows.values()):
            expected = ("Error",) if operation["Payload"] == "permanent" else ("Complete", "Merged")
            self.assertIn(row["Status"], expected, f"{point}: {operation} {row}")
            if row["Status"] == "Merged":
                leader = rows[row["GroupLeaderId"]]
                self.assertEqual(leader["Status"], "Complete", point)
                self.assertEqual(leader["ExecutionGroup"], row["ExecutionGroup"], point)
        followers = collections.Counter(r["ExecutionGroup"] for r in rows.values() if r["Status"] == "Merged")
        for row in rows.values():
            if row["NumFollowers"]:
                self.assertEqual(row["NumFollowers"], followers[row["ExecutionGroup"]], f"{point}: {row}")
        done = [e for e in book if e["event"] == "did" and e["outcome"] == "ok" and e["id"] in rows]
        self.check_order(point, rows, done)

    def check_order(self, point, rows, done):
        first = {}
        for event in done:
            first.setdefault(event["id"], event)
        self.assertEqual(set(first), {i for i, r in rows.items() if r["Status"] != "Error"}, point)
        sequences = collections.defaultdict(list)
        for event in first.values():
            if event["sequence"]:
                sequences[rows[event["id"]]["ParentKey"], event["sequence"]].append(event["number"])
        self.assertEqual(len(sequences), PARENTS, "each ParentKey has one")
        for sequence, numbers in sequences.items():
            self.assertEqual(numbers, sorted(numbers), f"{point}: {sequence}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
