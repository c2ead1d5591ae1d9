"""A queue on a primary that Sentinels watch: it dies under load and a replica takes its place; the new one stands still, and
comes back taking itself for the primary. Nothing is lost, and an address that is wrong says so."""
import json
import subprocess
import unittest

from queue_stack import BIN, NOOP_AND_VERB, eventually
from sentinel_stack import NAME, SentinelStack
from test_redis_cluster import Load


class RedisSentinel(unittest.TestCase):
    def test_a_primary_dies_and_another_stands_still_under_load(self):
        with SentinelStack(NOOP_AND_VERB, coordinators=2, shards=8) as stack:
            with Load(stack) as load:
                eventually(lambda: len(load.ids) > 100, "some load")
                runs = stack.submit([{"Type": "WebCart", "ParentKey": f"w{n}", "Payload": "sleep 3"} for n in range(8)])
                eventually(lambda: "Running" in stack.statuses(runs), "some that run meanwhile")
                self.kill_the_primary(stack)
                self.stop_the_primary(stack)
                count = len(load.ids)
                eventually(lambda: len(load.ids) > count + 300, "load after it")
            stack.wait_terminal(load.ids + runs, 120)
            self.assertEqual(set(stack.statuses(load.ids + runs)), {"Complete"})
            for name in ("coordinator-1", "coordinator-2", "worker-1"):
                stack.assert_alive(name)
            self.check_reads(stack, len(load.ids + runs), runs[0])

    def kill_the_primary(self, stack):
        generations, old = stack.generations(), stack.primary()
        stack.kill(stack.name(old))
        stack.await_promoted(stack.replica_of(old))
        stack.wait_open(above=generations)
        stack.start_server(old)         # it comes back as what it was, and becomes a replica
        eventually(stack.in_step, "the old primary to follow the new one", 60)

    def stop_the_primary(self, stack):
        """Nobody closes a connection to it, and calls of ours are in its socket when it goes on."""
        generations, old = stack.generations(), stack.primary()
        stack.stand_still(old)
        stack.await_promoted(stack.replica_of(old))
        stack.wait_open(above=generations)
        stack.stand_still(old, False)
        eventually(stack.in_step, "the old primary to follow the new one", 60)

    def check_reads(self, stack, complete, operation):
        """By whoever asks the Sentinels: bgopctl (which has libbgop, too) after the failovers."""
        stats = json.loads(stack.ctl("stats", "--json").stdout)
        self.assertEqual(stats["mode"], "OPEN")
        self.assertEqual(sum(by.get("Complete", 0) for by in stats["byType"].values()), complete)
        self.assertEqual(json.loads(stack.ctl("get", operation, "--json").stdout)["Status"], "Complete")

        def agrees():
            report = json.loads(stack.ctl("doctor", "--json", check=False).stdout)
            return (report["operations"], report["mismatches"]) == (complete, [])
        eventually(agrees, "a doctor with nothing to say", 90, 1)
        seen = stack.ctl("watch", "--json", "--since", "now-1h", "--status", "Complete", "--count", "1").stdout
        self.assertTrue(json.loads(seen)["Id"])
        submitted = stack.ctl("submit", "--type", "WebCart", "--payload", "upper hello").stdout.split()[0]
        self.assertIn("Complete", stack.ctl("wait", submitted).stdout)
        self.check_addresses(stack)

    def check_addresses(self, stack):
        """What a person must change ends a program that starts: 78; bgopctl too. One that is away: 69."""
        sentinel, server = stack.sentinel_ports[0], stack.primary()
        wrong = {f"redis+sentinel://127.0.0.1:{sentinel}/other": f"it knows {NAME}",
                 f"redis+sentinel://127.0.0.1:{server}/{NAME}": "it is no Sentinel",
                 f"redis://127.0.0.1:{sentinel}": "it is a Sentinel"}
        for url, text in wrong.items():
            for program in (["bgop-coordinator", "--config", stack.config], ["bgop-worker", "--config", stack.config],
                            ["bgopctl", "stats"]):
                self.assertEqual(self.ends(stack, program, url, text), 78)
        self.assertEqual(self.ends(stack, ["bgopctl", "stats"], "redis+sentinel://127.0.0.1:1/x", "127.0.0.1:1"), 69)

    def ends(self, stack, program, url, text):
        done = subprocess.run([BIN / program[0], *program[1:]], env=dict(stack.env, BGOP_REDIS=url),
                              capture_output=True, text=True, timeout=120)
        self.assertIn(text, done.stdout + done.stderr, f"{program[0]} {url}")
        return done.returncode


if __name__ == "__main__":
    unittest.main()
