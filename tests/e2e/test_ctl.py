"""bgopctl steers and examines a queue of real programs: nothing is redriven twice, and the doctor raises no alarm."""
import json
import os
import signal
import subprocess
import tempfile
import time
import unittest

import confluent_kafka

from grounds import Stack
from queue_stack import eventually, shard_of

BROKEN = tempfile.mkdtemp(prefix="bgop-ctl-") + "/broken"
CONFIG = f"""
[type WebCart]
handler = noop
[type ExternalObject]
handler = noop
[type Sweeper]
handler = exec
command = /bin/sh -c 'test ! -e {BROKEN} || {{ echo backend is away >&2; exit 65; }}'
concurrency = 16
redrive_limit = 2
"""


STACK = Stack(CONFIG)


def setUpModule():
    STACK.__enter__()


def tearDownModule():
    STACK.__exit__(None, None, None)
    if os.path.exists(BROKEN):
        os.remove(BROKEN)
    os.rmdir(os.path.dirname(BROKEN))


class OnOneQueue(unittest.TestCase):
    stack = STACK

    def break_backend(self, broken):
        if broken:
            open(BROKEN, "w").close()
        elif os.path.exists(BROKEN):
            os.remove(BROKEN)

    def failed(self, parent, count):
        self.break_backend(True)
        ids = self.stack.submit([{"Type": "Sweeper", "ParentKey": parent} for _ in range(count)])
        self.stack.wait_terminal(ids)
        self.assertEqual(set(self.stack.statuses(ids)), {"Error"})
        return ids

    def attempts(self, ids):
        return [int(self.stack.record(i)["token"]) % 2**20 for i in ids]


class Ctl(OnOneQueue):
    def doctor(self, *options, code=0):
        done = self.stack.ctl("doctor", "--json", *options, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def test_the_doctor_raises_no_alarm_while_everything_moves(self):
        operations = []
        for n in range(4000):
            operations.append({"Type": ("WebCart", "ExternalObject")[n % 2], "ParentKey": f"k{n % 40}",
                               **({"SequenceGroup": "g", "SequenceNumber": n} if n % 3 == 0 else {}),
                               **({"Name": f"busy-{n}"} if n % 5 == 0 else {})})
        for start in range(0, len(operations), 1000):
            self.stack.submit(operations[start:start + 1000])
            report = self.doctor()
            self.assertEqual(report["mismatches"], [])
        eventually(lambda: self.doctor()["operations"] >= 4000, "every submission recorded")

    def test_what_is_broken_by_hand_is_named_and_mended(self):
        [operation] = self.stack.submit([{"Type": "WebCart", "ProcessAfter": "2036-01-01T00:00:00Z"}])
        self.stack.wait_status(operation, "Scheduled")
        key = f"bgop:{{{shard_of(operation)}}}"
        self.stack.redis.zrem(f"{key}:due", operation)
        self.stack.redis.hincrby(f"{key}:counts", "WebCart:Complete", -2)
        found = {m["index"] for m in self.doctor(code=1)["mismatches"]}
        self.assertEqual(found, {"due", "counts"})
        self.assertTrue(all(m["mended"] for m in self.doctor("--fix")["mismatches"]))
        self.assertEqual(self.doctor()["mismatches"], [])
        self.assertEqual(self.stack.redis.zscore(f"{key}:due", operation), 2082758400000)

    def test_a_redrive_of_what_goes_on_failing_hits_each_once(self):
        ids = self.failed("still", 30)
        before = self.attempts(ids)
        done = self.stack.ctl("redrive", "--where", "Status = 'Error' AND ParentKey = 'still'", "--rate", "60/s",
                              "--reason", "again")
        self.assertIn("30 redriven", done.stdout)
        self.stack.wait_terminal(ids)
        self.assertEqual(self.attempts(ids), [attempt + 1 for attempt in before])
        record = json.loads(self.stack.ctl("get", ids[0], "--json").stdout)
        self.assertEqual([(c["command"], c["reason"]) for c in record["commands"]], [("redrive", "again")])

    def test_what_recovers_completes_and_the_limit_refuses(self):
        ids = self.failed("limit", 2)
        for _ in range(2):
            self.stack.ctl("redrive", *ids)
            self.stack.wait_terminal(ids)
        refused = self.stack.ctl("redrive", *ids, check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("redrive_limit of Sweeper is 2", refused.stderr)
        fine = self.failed("fine", 2)
        self.break_backend(False)
        self.stack.ctl("redrive", "--where", "ParentKey = 'fine'")
        self.stack.wait_terminal(fine)
        self.assertEqual(set(self.stack.statuses(fine)), {"Complete"})

    def test_what_an_open_transaction_holds_is_not_denied(self):
        stack = self.stack
        transaction = confluent_kafka.Producer(stack.kafka_client(transactional_id="held"))
        transaction.init_transactions(30)
        transaction.begin_transaction()
        transaction.produce("bgop.submit", b'{"Type":"WebCart","ParentKey":"held"}', "held")
        self.assertEqual(transaction.flush(30), 0)
        wanted, unwanted = stack.submit([{"Type": "WebCart", "ParentKey": "held"}] * 2)
        report = self.doctor()
        self.assertGreaterEqual(report["lag"]["submit"], 3)
        [held] = report["openTransactions"]
        self.assertEqual((held["topic"], held["end"] - held["stable"]), ("bgop.submit", 3))
        self.assertIn(f"an open transaction holds bgop.submit[{held['partition']}]", stack.ctl("doctor").stdout)
        for command in (["why", wanted], ["get", wanted], ["redrive", wanted], ["wait", wanted, "--timeout", "0.1"]):
            done = stack.ctl(*command, check=False)
            self.assertEqual(done.returncode, 124 if command[0] == "wait" else 1)
            self.assertIn("not recorded yet: its submission is in bgop.submit", done.stdout + done.stderr)
            self.assertIn("an open transaction holds everything from offset", done.stdout + done.stderr)
        done = stack.ctl("cancel", unwanted, "--timeout", "0.1", check=False)
        self.assertIn("is not recorded yet; the cancel is in the log and will meet it", done.stderr)
        eventually(lambda: stack.redis.hexists(f"bgop:{{{shard_of(unwanted)}}}:parked", unwanted), "the cancel to be parked")
        transaction.commit_transaction(30)
        stack.wait_terminal([wanted, unwanted])
        self.assertEqual(stack.statuses([wanted, unwanted]), ["Complete", "Canceled"])
        self.assertEqual(self.doctor()["openTransactions"], [])

    def test_changes_are_streamed_as_they_happen(self):
        command = self.stack.ctl_command("watch", "--json", "--parent", "seen", "--status", "Complete", "--count", 5)
        watch = subprocess.Popen(command, env=self.stack.env, stdout=subprocess.PIPE, text=True)
        time.sleep(0.3)                 # whether it is there in time decides nothing: it is given more until it ends
        ids = []
        while watch.poll() is None:
            ids += self.stack.submit([{"Type": "WebCart", "ParentKey": "seen"} for _ in range(5)])
            time.sleep(0.2)
        lines = [json.loads(line) for line in watch.stdout]
        self.assertEqual(len(lines), 5)
        self.assertTrue(all(line["Id"] in ids and line["Status"] == "Complete" for line in lines))
        watch.stdout.close()


class DyingCoordinator(OnOneQueue):
    """After Ctl, by its name: who is gone without leaving stays in the health list for a while."""

    def test_an_action_whose_coordinator_is_killed_completes_under_another(self):
        """It dies when the commands of a step are in Kafka and nothing of it is counted: the next one sees what is done."""
        ids, stack = self.failed("killed", 300), self.stack
        self.assertEqual(stack.stop("coordinator-1"), 0)
        dying = stack.start_coordinator(1, env=dict(stack.env, BGOP_CRASH="action-sent:3"))
        stack.wait_open(90)
        action = stack.ctl("redrive", "--where", "ParentKey = 'killed'", "--rate", "240/s", "--reason", "it's back",
                           "--detach").stdout.strip()
        self.assertEqual(dying.wait(90), -signal.SIGKILL)
        stack.processes.pop("coordinator-1")
        seen = json.loads(stack.ctl("actions", action, "--json").stdout)
        self.assertEqual((seen["state"], seen["done"], seen["matching"]), ("Running", 120, 300))
        stack.start_coordinator(1)
        done = stack.ctl("actions", action, "--follow", "--timeout", "60", "--json", timeout=180)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        seen = json.loads(done.stdout)
        self.assertEqual((seen["state"], seen["done"], seen["failed"], seen["skipped"]), ("Complete", 300, 0, 0))
        stack.wait_terminal(ids)
        self.assertEqual(set(self.attempts(ids)), {2}, "each was redriven once in all")
        self.assertEqual([c["commandId"] for c in json.loads(stack.ctl("get", ids[-1], "--json").stdout)["commands"]],
                         [action])


if __name__ == "__main__":
    unittest.main(verbosity=2)
