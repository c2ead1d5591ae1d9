"""What fails is retried by the law, told apart, cut off at its Timeout, and scheduled work starts in time."""
import os
import time
import unittest

from grounds import Stack
from queue_stack import HANDLERS, eventually

CONFIG = f"""
[type WebCart]
handler = exec
command = {HANDLERS}/verb.sh
retry_backoff_ms = 200
retry_limit = 3
concurrency = 16
[type ExternalObject]
handler = exec
command = {HANDLERS}/group.py
retry_backoff_ms = 100
[type Sweeper]
handler = noop
[type XClean]
handler = exec
command = /nonexistent/program
retry_limit = 1
[type BlockchainEventPoller]
handler = exec
command = sh -c 'eval "$(cat)"'
retry_limit = 0
memory_max_mb = 64
processes_max = 50
output_max_mb = 2
"""


class Failures(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(CONFIG)
        cls.stack.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.stack.__exit__(None, None, None)

    def run_one(self, payload, timeout=30, **members):
        [operation] = self.stack.submit([dict({"Type": "WebCart", "Payload": payload}, **members)])
        self.stack.wait_terminal([operation], timeout)
        return self.stack.retrieve([operation])[0]

    def test_retries_follow_the_law(self):
        row = self.run_one("fail 3")
        self.assertEqual((row["Status"], row["RetryCount"], row["Error"]), ("Complete", 3, None))
        self.assertEqual(self.stack.result(row["Id"]), "succeeded at attempt 4")
        tries = self.stack.tries(row["Id"])
        self.assertEqual([t["attempt"] for t in tries], [1, 2, 3])
        self.assertEqual([t["error"] for t in tries], [f"attempt {n} failed" for n in (1, 2, 3)])
        starts = [t["started"] for t in tries] + [int(self.stack.record(row["Id"])["StartedAt"])]
        waits = [start - attempt["finished"] for start, attempt in zip(starts[1:], tries)]
        self.assertGreaterEqual(waits[1], 3 * 200)
        self.assertGreaterEqual(waits[2], 7 * 200)
        self.assertLess(waits[0], 3 * 200, "the first retry is immediate")

    def test_retries_end_in_a_terminal_error(self):
        row = self.run_one("fail 99")
        self.assertEqual((row["Status"], row["RetryCount"], row["Error"]), ("Error", 3, "attempt 4 failed"))
        self.assertIsNotNone(row["FinishedAt"])
        self.assertIsNotNone(row["ExpiresAt"])
        self.assertEqual(len(self.stack.tries(row["Id"])), 4)

    def test_between_retries_the_status_is_error_and_why_shows_the_next_attempt(self):
        [operation] = self.stack.submit([{"Type": "WebCart", "Payload": "fail 99", "RetryBackoff": 20000}])
        self.stack.wait_status(operation, "Error")
        row = self.stack.retrieve([operation])[0]
        self.assertEqual((row["Error"], row["RetryCount"], row["ExpiresAt"]), ("attempt 2 failed", 2, None))
        why = self.stack.why(operation)
        self.assertIsNotNone(why["nextAttemptAt"])
        self.stack.ctl("cancel", operation, "--reason", "enough")
        row = self.stack.retrieve([operation])[0]
        self.assertEqual((row["Status"], row["Error"]), ("Canceled", None))

    def test_a_permanent_error_is_not_retried(self):
        row = self.run_one("permanent column 3")
        self.assertEqual((row["Status"], row["RetryCount"], row["Error"]), ("Error", 0, "bad data: column 3"))

    def test_three_crashes_in_a_row_are_final_whatever_the_retry_limit(self):
        row = self.run_one("crash", RetryLimit=50, RetryBackoff=10)
        self.assertEqual(row["Status"], "Error")
        self.assertRegex(row["Error"], "(?i)segmentation|signal 11|SIGSEGV")
        self.assertEqual(len(self.stack.tries(row["Id"])), 3)

    def test_timeout_ends_the_whole_process_group(self):
        row = self.run_one("hang", Timeout=1000, RetryLimit=0)
        self.assertEqual((row["Status"], row["Error"]), ("Error", "timed out after 1000 ms"))
        pid = int((self.stack.folder / f"hang-{row['Id']}.pid").read_text())
        eventually(lambda: not alive(pid), f"the handler's child {pid} to be gone", 10)

    def test_a_command_that_does_not_exist_is_named(self):
        row = self.run_one("x", Type="XClean")
        self.assertEqual(row["Status"], "Error")
        self.assertIn("/nonexistent/program", row["Error"])

    def test_scheduled_work_waits_and_starts_in_time(self):
        due = int(time.time() * 1000) + 3000
        [operation] = self.stack.submit([{"Type": "Sweeper", "ProcessAfter": due}])
        record = self.stack.wait_status(operation, "Scheduled")
        self.assertEqual(int(record["ProcessAfter"]), due)
        self.stack.wait_terminal([operation])
        started = int(self.stack.record(operation)["StartedAt"])
        self.assertGreaterEqual(started, due)

    def test_a_running_operation_is_cancelled(self):
        [operation] = self.stack.submit([{"Type": "WebCart", "Payload": "sleep 600"}])
        self.stack.wait_status(operation, "Running")
        self.stack.ctl("cancel", operation, "--reason", "no longer wanted")
        self.assertEqual(self.stack.wait_status(operation, "Canceled")["Status"], "Canceled")

    def test_a_type_that_merges_speaks_the_group_protocol(self):
        ids = self.stack.submit([{"Type": "ExternalObject", "ParentKey": "k", "Payload": word}
                                 for word in ("good", "bad", "silent")])
        [retried] = self.stack.submit([{"Type": "ExternalObject", "ParentKey": "r", "Payload": "second"}])
        self.stack.wait_terminal([*ids, retried], 60)
        rows = self.stack.retrieve(ids)
        self.assertIn(rows[0]["Status"], ("Complete", "Merged"))
        self.assertEqual(self.stack.result(ids[0]), "did good")
        self.assertEqual((rows[1]["Status"], rows[1]["Error"]), ("Error", "refused"))
        self.assertEqual(rows[2]["Status"], "Error")
        self.assertEqual(self.stack.retrieve([retried])[0]["RetryCount"], 1)

    def test_handlers_that_run_wild_are_killed_and_neighbours_do_not_notice(self):
        wild = {"f() { if [ $1 -gt 0 ]; then f $(($1 - 1)) & f $(($1 - 1)) & fi; sleep 100; }; f 8": "processes_max",
                "head -c 150000000 /dev/zero | { tail -c 149000000 | sleep 100; }": "memory_max_mb",
                "yes": "output_max_mb"}
        ids = self.stack.submit([{"Type": "BlockchainEventPoller", "Payload": p, "Timeout": 50000} for p in wild])
        neighbours = self.stack.submit([{"Type": kind, "Payload": payload} for _ in range(20) for kind, payload in
                                        (("WebCart", "upper a"), ("BlockchainEventPoller", "echo a"))])
        self.stack.wait_terminal(neighbours + ids)
        self.assertEqual(set(self.stack.statuses(neighbours)), {"Complete"})
        for row, option in zip(self.stack.retrieve(ids), wild.values()):
            self.assertEqual(row["Status"], "Error")
            self.assertRegex(row["Error"], f"^killed: more than .*{option}")

    def test_redrive_brings_a_terminal_error_back(self):
        row = self.run_one("permanent x")
        self.stack.ctl("redrive", row["Id"])
        eventually(lambda: len(self.stack.tries(row["Id"])) == 2, "a second attempt")
        self.stack.wait_terminal([row["Id"]])
        again = self.stack.retrieve([row["Id"]])[0]
        self.assertEqual((again["Status"], again["RetryCount"]), ("Error", 0))


def alive(pid):
    try:
        os.kill(pid, 0)
        return True
    except ProcessLookupError:
        return False


if __name__ == "__main__":
    unittest.main(verbosity=2)
