"""Members of a sequence group run one at a time, in order, whatever fails and whoever dies; a member that fails for good
holds, is passed over or ends its group, as its Type says. Judged as in the benchmark (tests/bench/sequences.py)."""
import json
import random
import sys
import unittest

from grounds import Stack
from queue_stack import ROOT, eventually

sys.path.insert(0, str(ROOT / "tests" / "bench"))
from bench_stack import Handlers  # noqa: E402
from sequences import book_figures  # noqa: E402

CONFIG = """
[types]
handler = http
url = {url}
[worker]
types = WebCart Sweeper XClean
[type WebCart]
retry_backoff_ms = 10
retry_limit = 20
[type Sweeper]
retry_limit = 0
on_sequence_failure = skip
[type XClean]
retry_limit = 0
on_sequence_failure = fail
"""


def member(kind, group, number, payload):
    return {"Type": kind, "ParentKey": "parent", "SequenceGroup": group, "SequenceNumber": number, "Payload": payload}


class Sequences(unittest.TestCase):
    def setUp(self):
        self.handlers = self.enterContext(Handlers())

    def queue(self, **options):
        return Stack(CONFIG.format(url=self.handlers.url), **options)

    def test_order_is_kept_through_failures_and_a_killed_worker(self):
        groups, members = 8, 15
        with self.queue(workers=2) as stack:
            stack.ctl("pause", "--type", "WebCart")
            all_members = [(group, number) for group in range(groups) for number in range(members)]
            random.shuffle(all_members)
            ids = stack.submit([member("WebCart", f"g{group}", number, f"flaky 30 10 g{group}:{number}")
                                for group, number in all_members])
            eventually(lambda: all(stack.statuses(ids)), "all recorded")
            self.assertEqual(set(stack.statuses(ids)) - {"New", "Waiting"}, set(), "nothing starts while it is paused")
            stack.ctl("resume", "--type", "WebCart")
            eventually(lambda: stack.statuses(ids).count("Complete") > groups * members / 4, "a quarter Complete")
            stack.kill("worker-1")
            stack.start_worker(1)
            stack.wait_terminal(ids, 120)
            self.assertEqual(set(stack.statuses(ids)), {"Complete"})
            attempts, failed, disordered, overlaps = book_figures(self.handlers.book())
            self.assertGreaterEqual(attempts, len(ids))
            self.assertGreater(failed, 0)
            self.assertEqual((disordered, overlaps), (0, 0), "attempts out of order, two of a group at once")

    def test_a_member_that_failed_for_good_holds_its_group_until_it_is_redriven(self):
        with self.queue() as stack:
            first, second = stack.submit([dict(member("WebCart", "g", 1, "once 0 g:1"), RetryLimit=0),
                                          member("WebCart", "g", 2, "ok 0 g:2")])
            stack.wait_status(first, "Error")
            stack.wait_status(second, "Waiting")
            [held] = eventually(lambda: json.loads(stack.ctl("blocked", "--json").stdout), "the held group is listed")
            self.assertIn(first, held.values(), "with the member that holds it")
            self.assertNotIn("ExpiresAt", stack.record(first), "who holds others is not removed")
            stack.ctl("redrive", first)
            stack.wait_terminal([first, second])
            self.assertEqual(stack.statuses([first, second]), ["Complete", "Complete"])
            self.assertEqual(json.loads(stack.ctl("blocked", "--json").stdout), [])
            started = [int(stack.record(i)["StartedAt"]) for i in (first, second)]
            self.assertLessEqual(*started, "it took its place again")

    def test_skip_passes_over_a_failed_member_and_fail_ends_those_behind_it(self):
        with self.queue() as stack:
            ids = stack.submit([member(kind, "g", number, "ok 0 -" if number != 2 else "fail 0 -")
                                for kind in ("Sweeper", "XClean") for number in (1, 2, 3)])
            stack.wait_terminal(ids)
            self.assertEqual(stack.statuses(ids), ["Complete", "Error", "Complete", "Complete", "Error", "Error"])
            self.assertNotIn("StartedAt", stack.record(ids[5]), "what ended with another never ran")


if __name__ == "__main__":
    unittest.main(verbosity=2)
