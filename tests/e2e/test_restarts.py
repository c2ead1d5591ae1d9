"""Redis and Kafka go away and come back: the queue heals without anybody's help."""
import re
import unittest

import confluent_kafka.admin

from grounds import Stack
from queue_stack import NOOP_AND_VERB, eventually, partition_of


class Restarts(unittest.TestCase):
    def test_redis_killed_and_started_again(self):
        with Stack(NOOP_AND_VERB) as stack:
            slow = stack.submit([{"Type": "WebCart", "ParentKey": f"s{n}", "Payload": "sleep 6"} for n in range(4)])
            for operation in slow:
                stack.wait_status(operation, "Running")
            ids = stack.submit([{"Type": "SiteTaskCreate", "ParentKey": f"k{n % 31}"} for n in range(2000)])
            generations = stack.generations()
            stack.kill_redis()
            ids += stack.submit([{"Type": "SiteTaskCreate", "ParentKey": f"k{n % 31}"} for n in range(500)])
            stack.start_redis()
            stack.wait_open(above=generations)
            stack.wait_terminal(ids + slow, 90)
            self.assertEqual(stack.counted(), {"Complete": len(ids) + len(slow)})
            book = [line.split() for line in (stack.folder / "executions.book").read_text().splitlines()]
            self.assertEqual(len([line for line in book if line[0] == "start"]), len(slow),
                             "what ran during the restart was re-asserted, not run again")

    def test_redis_restarted_with_its_tail_lost_is_brought_forward_from_kafka(self):
        with Stack(NOOP_AND_VERB) as stack:
            first = stack.submit([{"Type": "SiteTaskCreate", "ParentKey": f"k{n % 31}"} for n in range(500)])
            stack.wait_terminal(first)
            folders = stack.redis_folders()
            before = {path: path.stat().st_size for folder in folders for path in folder.rglob("*.incr.aof")}
            second = stack.submit([{"Type": "SiteTaskCreate", "ParentKey": f"k{n % 31}"} for n in range(1000)])
            stack.wait_terminal(second)
            generations = stack.generations()
            stack.kill_redis()
            self.assertEqual(len(before), len(folders))
            for aof, was in before.items():
                size = aof.stat().st_size
                self.assertGreater(size, was)
                with open(aof, "r+b") as file:     # acknowledged writes are gone, as after a power cut
                    file.truncate(was + (size - was) // 3)
            stack.start_redis()
            stack.wait_open(above=generations)
            stack.wait_terminal(first + second, 90)
            self.assertEqual(stack.counted(), {"Complete": len(first) + len(second)})

    def test_kafka_killed_and_started_again(self):
        with Stack(NOOP_AND_VERB) as stack:
            first = stack.submit([{"Type": "SiteTaskCreate", "ParentKey": f"k{n % 31}"} for n in range(1000)])
            slow = stack.submit([{"Type": "WebCart", "ParentKey": "s", "Payload": "sleep 5"}])
            stack.wait_status(slow[0], "Running")
            eventually(lambda: stack.health() == set(), "a queue that is well")
            stack.kill_kafka()
            eventually(lambda: {("Kafka outage", "coordinator"), ("Kafka outage", "worker")} <= stack.health(),
                       "both processes to tell of the outage")
            # The gravest first: once the worker is the last to notice, sources have been waiting for long enough to be told.
            self.assertRegex(stack.ctl("stats").stdout.splitlines()[0],
                             r"^NOT WELL  (source waiting: bgop\.|Kafka outage: coordinator )")
            stack.start_kafka()
            second = stack.submit([{"Type": "SiteTaskCreate", "ParentKey": f"k{n % 31}"} for n in range(1000)])
            stack.wait_terminal(first + slow + second, 120)
            self.assertEqual(stack.counted(), {"Complete": 2001})
            for name in ("coordinator-1", "worker-1"):
                stack.assert_alive(name)
            eventually(lambda: stack.health() == set(), "a queue that is well again")
            self.check_deaths_and_leaving(stack)

    def check_deaths_and_leaving(self, stack):
        self.assertEqual(stack.stop("coordinator-1"), 0)
        self.assertEqual(stack.health(), {("no coordinator", "the")})
        stack.start_coordinator(1)
        eventually(lambda: stack.health() == set(), "the new coordinator to be known")
        self.assertEqual(stack.stop("worker-1"), 0)
        stack.kill("coordinator-1")
        eventually(lambda: ("no coordinator", "the") in stack.health(), "the only coordinator to be missed", 15)
        self.assertEqual(stack.health(), {("no coordinator", "the"), ("coordinator gone", "coordinator")})
        done = stack.ctl("doctor", check=False)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("what to do: Start bgop-coordinator", done.stdout)
        stack.start_coordinator(1)
        eventually(lambda: not any("no coordinator" in what for what, _ in stack.health()), "one to be there again")

    def test_partitions_added_while_it_runs_are_told_and_wait_until_they_are_taken_in(self):
        with Stack(NOOP_AND_VERB, coordinators=2) as stack:
            admin = stack.admin()
            grown = {"bgop.submit": 6, "bgop.status": 6, "bgop.SiteTaskCreate": 6, "bgop.command": 5, "bgop.control": 2,
                     "bgop.rejects": 2}
            for future in admin.create_partitions([confluent_kafka.admin.NewPartitions(topic, count)
                                                   for topic, count in grown.items()]).values():
                future.result()
            logs = ("coordinator-1", "coordinator-2", "worker-1")
            for topic in ("bgop.submit", "bgop.status", "bgop.SiteTaskCreate"):
                eventually(lambda topic=topic: any(f"topic={topic} found=6 configured=4" in stack.log(n) for n in logs),
                           f"a line about {topic}", 40)
            ids, waiting = [], []
            stack.producer_handle = None    # one that knows the new partitions
            while not waiting or len(ids) < 100:
                operations = [{"Type": "SiteTaskCreate", "ParentKey": f"k{len(ids) + len(waiting) + n}"} for n in range(50)]
                for operation in stack.submit(operations):
                    added = partition_of(operation) >= 4
                    (waiting if added else ids).append(operation)
            stack.wait_terminal(ids)
            self.assertEqual(set(stack.statuses(waiting)), {None})
            found = stack.ctl("doctor", check=False)
            self.assertEqual(found.returncode, 1)
            self.assertRegex(found.stdout, r"bgop\.submit\[[45]\].*submit_partitions = 6")
            stack.config.write_text(stack.config.read_text().replace("submit_partitions = 4", "submit_partitions = 6"))
            for n in (1, 2):
                self.assertEqual(stack.stop(f"coordinator-{n}"), 0)
                stack.start_coordinator(n)
            stack.wait_terminal(waiting)
            self.assertEqual(stack.counted(), {"Complete": len(ids) + len(waiting)})
            self.assertEqual(stack.ctl("doctor").returncode, 0)
            for name in logs:
                stack.assert_alive(name)
                last = stack.log(name).split(" start version=")[-1]     # of the process that runs now
                told = [line for line in last.splitlines() if "partitions ignored" in line]
                self.assertEqual(len(told), len({line.split(" topic=")[1].split()[0] for line in told}), told)

    def test_daemons_wait_for_servers_that_are_not_there_yet(self):
        with Stack(NOOP_AND_VERB, start=False) as stack:
            stack.grant_kafka()             # for a refusal a daemon does not wait: it ends with 78
            stack.start_coordinator(1)
            stack.start_worker(1)
            # Of a cluster any of the addresses that it was told.
            one_of_them = re.compile("|".join(re.findall(r"127\.0\.0\.1:\d+", stack.env["BGOP_REDIS"])))
            eventually(lambda: one_of_them.search(stack.log("coordinator-1")) and one_of_them.search(stack.log("worker-1")),
                       "both daemons to name the address that does not answer", 20)
            done = stack.ctl("stats", check=False)
            self.assertEqual(done.returncode, 69, done.stderr)
            self.assertRegex(done.stderr, one_of_them)
            stack.start_redis()
            stack.start_kafka()
            stack.wait_open()
            stack.wait_terminal(stack.submit([{"Type": "SiteTaskCreate"}]))


if __name__ == "__main__":
    unittest.main(verbosity=2)
