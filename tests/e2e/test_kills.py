"""Machines die: workers and coordinators are killed under load, and nothing is lost."""
import collections
import signal
import unittest

from grounds import Stack
from queue_stack import NOOP_AND_VERB, eventually


class Kills(unittest.TestCase):
    def test_a_worker_and_a_coordinator_killed_under_load_lose_nothing(self):
        with Stack(NOOP_AND_VERB, coordinators=2, workers=3) as stack:
            ids = stack.submit([{"Type": "SiteTaskCreate", "ParentKey": f"k{n % 97}", "Payload": "x" * 100}
                                for n in range(10000)])
            eventually(lambda: stack.counted().get("Complete", 0) > 100, "some completed")
            stack.kill("worker-1")
            stack.kill("coordinator-1")
            ids += stack.submit([{"Type": "SiteTaskCreate", "ParentKey": f"k{n % 97}"} for n in range(2000)])
            stack.wait_terminal(ids, 120)
            self.assertEqual(stack.counted(), {"Complete": len(ids)})
            self.assert_stats_agree(stack, len(ids))

    def assert_stats_agree(self, stack, count):
        def complete():
            stats = stack.stats()
            by_type = {t: {s: n for s, n in c.items() if n} for t, c in stats["byType"].items()}
            by_type = {t: c for t, c in by_type.items() if c}
            return by_type == {"SiteTaskCreate": {"Complete": count}} and stats["accepted"] == count
        eventually(complete, f"stats to show {count} accepted and Complete: {stack.stats()}")

    def test_work_of_a_killed_worker_runs_elsewhere_and_its_handlers_die_with_it(self):
        with Stack(NOOP_AND_VERB, workers=1) as stack:
            ids = stack.submit([{"Type": "WebCart", "ParentKey": f"k{n}", "Payload": "sleep 4"} for n in range(4)])
            for operation in ids:
                stack.wait_status(operation, "Running")
            tokens = [stack.record(i)["token"] for i in ids]
            stack.kill("worker-1")
            stack.start_worker(2)
            stack.wait_terminal(ids, 60)
            for operation, token in zip(ids, tokens):
                record = stack.record(operation)
                self.assertEqual(record["Status"], "Complete")
                self.assertGreater(int(record["token"]), int(token), "a new attempt has a higher token")
                self.assertEqual(record.get("RetryCount", "0"), "0", "a lost lease is not a failed attempt")
            book = [line.split() for line in (stack.folder / "executions.book").read_text().splitlines()]
            ends = collections.Counter(line[1] for line in book if line[0] == "end")
            self.assertEqual(dict(ends), {i: 1 for i in ids}, "the dead worker's handlers ran on to their end")

    def test_attempts_of_a_stopped_worker_do_not_overlap_those_of_the_next(self):
        with Stack(NOOP_AND_VERB, workers=1) as stack:
            [operation] = stack.submit([{"Type": "WebCart", "Payload": "beat 20"}])
            eventually(lambda: "beat" in self.book(stack), "the first attempt runs")
            stack.processes["worker-1"].send_signal(signal.SIGSTOP)
            stack.start_worker(2)
            stack.wait_terminal([operation], 60)
            stack.processes["worker-1"].send_signal(signal.SIGCONT)
            row = stack.retrieve([operation])[0]
            self.assertEqual((row["Status"], row["RetryCount"]), ("Complete", 0))
            attempts = [line.split()[3] for line in self.book(stack).splitlines()]
            self.assertEqual(attempts, sorted(attempts), "an attempt went on beside the next one")
            eventually(lambda: "why=lost_lease by=bgop-exec-host" in stack.log("worker-1"), "worker-1 to see what it lost")
            self.assertEqual(stack.stop("worker-1"), 0, "it goes on")

    def book(self, stack):
        path = stack.folder / "executions.book"
        return path.read_text() if path.exists() else ""

    def test_a_worker_that_drains_gives_back_what_it_did_not_start(self):
        with Stack(NOOP_AND_VERB, workers=1) as stack:
            ids = stack.submit([{"Type": "WebCart", "ParentKey": f"k{n}", "Payload": "sleep 1"} for n in range(40)])
            eventually(lambda: "Running" in stack.statuses(ids), "something runs")
            self.assertEqual(stack.stop("worker-1"), 0, "a drained worker exits 0")
            self.assertNotIn("Running", stack.statuses(ids))
            stack.start_worker(2)
            stack.wait_terminal(ids, 60)
            rows = stack.retrieve(ids, "Id,Status,RetryCount")
            self.assertEqual({(r["Status"], r["RetryCount"]) for r in rows}, {("Complete", 0)})


if __name__ == "__main__":
    unittest.main(verbosity=2)
