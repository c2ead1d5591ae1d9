"""The coordinator dies at named points, between two writes of its own; what it was doing is done once, by the next one.

A few points by default, all of them with BGOP_CRASH_POINTS=all (minutes: each waits for the dead member's session)."""
import json
import os
import unittest

from grounds import Stack
from queue_stack import eventually

CONFIG = """
[kafka]
session.timeout.ms = 6000
heartbeat.interval.ms = 1000
[types]
retry_backoff_ms = 200
[type WebCart]
handler = noop
[type XClean]
handler = exec
command = /bin/false
retry_limit = 2
"""
STARTING = ["genesis-after", "control-before", "control-after", "arm-after", "open-before", "open-after"]
WORKING = ["ingest-before", "ingest-sent", "ingest-after", "hint-after", "reject-before", "reject-after", "command-after",
           "store-before", "apply-before", "apply-sent", "apply-after", "tick-sent", "tick-after"]
FEW = {"genesis-after", "control-after", "ingest-sent", "ingest-after", "reject-before", "reject-after", "apply-sent"}
GOOD, FAILING, BAD, CANCELED, NAMED, CONFLICTING = 60, 6, 3, 4, 1, 1


def chosen(points):
    return points if os.environ.get("BGOP_CRASH_POINTS") == "all" else [p for p in points if p in FEW]


class CrashPoints(unittest.TestCase):
    def die_at(self, stack, point, act):
        """Runs a coordinator that dies when it first passes a point, while act() is done to it."""
        stack.start_coordinator(1, env=dict(stack.env, BGOP_CRASH=f"{point}:1"))
        result = act()
        eventually(lambda: stack.processes["coordinator-1"].poll() is not None, f"the death at {point}", 60)
        self.assertIn(f"crash point name={point}", stack.log("coordinator-1"))
        self.assertEqual(stack.processes.pop("coordinator-1").returncode, -9)
        return result

    def load(self, stack, point):
        good = stack.submit([{"Type": "WebCart", "ParentKey": f"{point}-{i}", "Payload": i} for i in range(GOOD)])
        failing = stack.submit([{"Type": "XClean", "ParentKey": f"{point}-{i}"} for i in range(FAILING)])
        stack.produce([(None, f"rubbish of {point} {i}".encode()) for i in range(BAD)])
        for payload in (1, 2):
            named = {"Type": "WebCart", "Name": f"n-{point}", "Payload": payload}
            [conflict] = stack.produce([(named["Name"], json.dumps(named))])
        later = stack.submit([{"Type": "WebCart", "ParentKey": f"c-{point}-{i}", "ProcessAfter": "2099-01-01T00:00:00Z"}
                              for i in range(CANCELED)])
        stack.produce([(None, json.dumps({"Command": "cancel", "Id": i}).encode()) for i in later], "bgop.command")
        return good, failing, later, conflict

    def check(self, stack, point, good, failing, later, conflict):
        stack.wait_terminal(good + failing + later, 90)
        self.assertEqual(set(stack.statuses(good)), {"Complete"}, point)
        self.assertEqual(set(stack.statuses(later)), {"Canceled"}, point)
        for record in map(stack.record, failing):
            self.assertEqual((record["Status"], record["RetryCount"]), ("Error", "2"), point)
        refused = {(reject["partition"], reject["offset"]) for reject in stack.rejects(1, until=conflict)}
        self.assertIn(conflict, refused, point)

    def test_a_start_that_dies_is_finished_by_the_next(self):
        with Stack(CONFIG, start=False) as stack:
            stack.start_kafka()
            stack.start_redis()
            for point in chosen(STARTING):
                self.die_at(stack, point, lambda: None)
            stack.start_coordinator(1)
            stack.wait_open(90)
            stack.start_worker(1)
            ids = stack.submit([{"Type": "WebCart", "ParentKey": f"k{i}"} for i in range(20)])
            stack.wait_terminal(ids)

    def test_work_cut_short_at_a_point_is_done_once(self):
        with Stack(CONFIG, start=False) as stack:
            stack.start_kafka()
            stack.start_redis()
            stack.start_coordinator(1)
            stack.wait_open(90)
            stack.start_worker(1)
            stack.stop("coordinator-1")
            everything, bad = 0, 0
            for point in chosen(WORKING):
                loads = self.die_at(stack, point, lambda: self.load(stack, point))
                stack.start_coordinator(1)
                self.check(stack, point, *loads)
                everything += GOOD + FAILING + CANCELED + NAMED
                bad += BAD + CONFLICTING
                self.assertEqual(sum(stack.counted().values()), everything, point)
                stats = stack.stats()
                self.assertEqual(stats["accepted"], everything, f"{point}: {stats}")
                self.assertEqual(stats["rejected"], bad, f"{point}: {stats}")
                self.assertEqual(stats["duplicates"], 0, point)
                self.assertEqual(stack.stop("coordinator-1"), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
