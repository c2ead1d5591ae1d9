"""Redis and Kafka go away and come back: the queue heals without anybody's help."""
import unittest

from queue_stack import HANDLERS, Stack, eventually

CONFIG = f"""
[type SiteTaskCreate]
handler = noop
[type WebCart]
handler = exec
command = {HANDLERS}/verb.sh
concurrency = 8
"""


class Restarts(unittest.TestCase):
    def test_redis_killed_and_started_again(self):
        with Stack(CONFIG) as stack:
            slow = stack.submit([{"Type": "WebCart", "ParentKey": f"s{n}", "Payload": "sleep 6"} for n in range(4)])
            for operation in slow:
                stack.wait_status(operation, "Running")
            ids = stack.submit([{"Type": "SiteTaskCreate", "ParentKey": f"k{n % 31}"} for n in range(2000)])
            generations = stack.generations()
            stack.kill("redis")
            ids += stack.submit([{"Type": "SiteTaskCreate", "ParentKey": f"k{n % 31}"} for n in range(500)])
            stack.start_redis()
            stack.wait_open(above=generations)
            stack.wait_terminal(ids + slow, 90)
            self.assertEqual(stack.counted(), {"Complete": len(ids) + len(slow)})
            book = [line.split() for line in (stack.folder / "executions.book").read_text().splitlines()]
            self.assertEqual(len([line for line in book if line[0] == "start"]), len(slow),
                             "what ran during the restart was re-asserted, not run again")

    def test_redis_restarted_with_its_tail_lost_is_brought_forward_from_kafka(self):
        with Stack(CONFIG) as stack:
            first = stack.submit([{"Type": "SiteTaskCreate", "ParentKey": f"k{n % 31}"} for n in range(500)])
            stack.wait_terminal(first)
            before = sum(f.stat().st_size for f in (stack.folder / "redis").rglob("*.incr.aof"))
            second = stack.submit([{"Type": "SiteTaskCreate", "ParentKey": f"k{n % 31}"} for n in range(1000)])
            stack.wait_terminal(second)
            generations = stack.generations()
            stack.kill("redis")
            [aof] = list((stack.folder / "redis").rglob("*.incr.aof"))
            size = aof.stat().st_size
            self.assertGreater(size, before)
            with open(aof, "r+b") as file:     # acknowledged writes are gone, as after a power cut
                file.truncate(before + (size - before) // 3)
            stack.start_redis()
            stack.wait_open(above=generations)
            stack.wait_terminal(first + second, 90)
            self.assertEqual(stack.counted(), {"Complete": len(first) + len(second)})

    def test_kafka_killed_and_started_again(self):
        with Stack(CONFIG) as stack:
            first = stack.submit([{"Type": "SiteTaskCreate", "ParentKey": f"k{n % 31}"} for n in range(1000)])
            slow = stack.submit([{"Type": "WebCart", "ParentKey": "s", "Payload": "sleep 5"}])
            stack.wait_status(slow[0], "Running")
            stack.kill("kafka")
            stack.start_kafka()
            second = stack.submit([{"Type": "SiteTaskCreate", "ParentKey": f"k{n % 31}"} for n in range(1000)])
            stack.wait_terminal(first + slow + second, 120)
            self.assertEqual(stack.counted(), {"Complete": 2001})
            for name in ("coordinator-1", "worker-1"):
                stack.assert_alive(name)

    def test_daemons_wait_for_servers_that_are_not_there_yet(self):
        with Stack(CONFIG, start=False) as stack:
            stack.start_coordinator(1)
            stack.start_worker(1)
            eventually(lambda: str(stack.redis_port) in stack.log("coordinator-1")
                       and str(stack.redis_port) in stack.log("worker-1"),
                       "both daemons to name the address that does not answer", 20)
            done = stack.ctl("stats", check=False)
            self.assertEqual(done.returncode, 69, done.stderr)
            self.assertIn(f"127.0.0.1:{stack.redis_port}", done.stderr)
            stack.start_redis()
            stack.start_kafka()
            stack.wait_open()
            stack.wait_terminal(stack.submit([{"Type": "SiteTaskCreate"}]))


if __name__ == "__main__":
    unittest.main(verbosity=2)
