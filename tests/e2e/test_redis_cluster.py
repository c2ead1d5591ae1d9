"""A queue on a Redis Cluster of three primaries: its lifecycle; a slot that moves, a primary that dies and one that stands
still under load."""
import json
import threading
import unittest

from cluster_stack import ClusterStack
from grounds import not_on
from queue_stack import NOOP_AND_VERB, eventually, shard_of


class WithoutFailover(ClusterStack):
    down_after_ms = 600000      # longer than anything here waits


class Load:
    """Submits without a pause until it is told to end."""

    def __init__(self, stack, pause_s=0.05):
        self.stack, self.pause_s, self.ids, self.ended = stack, pause_s, [], threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.ended.wait(self.pause_s):
            self.ids += self.stack.submit([{"Type": "SiteTaskCreate", "ParentKey": f"k{n}"} for n in range(31)])

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()


@not_on("secured", "it is about a cluster, and makes one in clear")
class RedisCluster(unittest.TestCase):
    def test_lifecycle_then_a_slot_moves_and_a_primary_dies_under_load(self):
        with ClusterStack(NOOP_AND_VERB, shards=8) as stack:
            self.check_lifecycle(stack)
            with Load(stack) as load:
                eventually(lambda: len(load.ids) > 100, "some load")
                self.move_a_shard(stack)
                self.kill_a_primary(stack)
                count = len(load.ids)
                eventually(lambda: len(load.ids) > count + 300, "load after it")
            stack.wait_terminal(load.ids, 60)
            self.assertEqual(set(stack.statuses(load.ids)), {"Complete"})
            for name in ("coordinator-1", "worker-1"):
                stack.assert_alive(name)
                self.assertNotIn("CROSSSLOT", stack.log(name))

    def test_a_primary_that_stands_still_stops_its_own_shards_only(self):
        with WithoutFailover(NOOP_AND_VERB, shards=8) as stack:
            for port in [stack.port_of(stack.slot(s)) for s in (3, 1)]:     # shard 1's has bgop:meta, too
                lost = set(stack.shards_of(port))
                with Load(stack) as load:
                    eventually(lambda: len(load.ids) > 100, "some load")
                    stack.stand_still(port)
                    count = len(load.ids)
                    eventually(lambda: len(load.ids) > count + 600, "load meanwhile")
                    meanwhile = load.ids[count:count + 600]
                    others = [operation for operation in meanwhile if shard_of(operation) not in lost]
                    self.assertGreater(len(others), 100)
                    stack.wait_terminal(others, 60)
                    self.assertEqual(set(stack.statuses(others)), {"Complete"})
                    stack.stand_still(port, False)
                stack.wait_terminal(load.ids, 60)
                rows = stack.retrieve(load.ids)
                self.assertEqual({row["Status"] for row in rows}, {"Complete"})
                self.assertEqual(len({row["Id"] for row in rows}), len(load.ids))
            stats = stack.stats()
            self.assertEqual(stats["mode"], "OPEN")
            for name in ("coordinator-1", "worker-1"):
                stack.assert_alive(name)

    def test_a_coordinator_starts_while_a_primary_is_away(self):
        with WithoutFailover(NOOP_AND_VERB, shards=8) as stack:
            port = stack.port_of(stack.slot(3))
            lost = set(stack.shards_of(port))
            self.assertNotIn(1, lost, "shard 1's server has bgop:meta, too, and without it nothing is known of the queue")
            stack.stop("coordinator-1")
            stack.stand_still(port)
            stack.start_coordinator(1)
            ids = stack.submit([{"Type": "SiteTaskCreate", "ParentKey": f"k{n}"} for n in range(400)])
            others = [operation for operation in ids if shard_of(operation) not in lost]
            stack.wait_terminal(others, 60)
            self.assertEqual(set(stack.statuses(others)), {"Complete"})
            stack.stand_still(port, False)
            stack.wait_terminal(ids, 60)
            self.assertEqual(set(stack.statuses(ids)), {"Complete"})
            eventually(lambda: stack.stats()["mode"] == "OPEN", "all shards open", 30)

    def check_lifecycle(self, stack):
        self.assertEqual(len({stack.port_of(stack.slot(s)) for s in range(stack.shards)}), 3)
        ids = stack.submit([{"Type": "SiteTaskCreate", "ParentKey": f"k{n % 31}"} for n in range(500)])
        runs = stack.submit([{"Type": "WebCart", "ParentKey": f"w{n}", "Payload": "sleep 0"} for n in range(4)])
        [fails] = stack.submit([{"Type": "WebCart", "ParentKey": "f", "Payload": "permanent bad"}])
        stack.wait_terminal(ids + runs + [fails])
        self.assertEqual(set(stack.statuses(ids + runs)), {"Complete"})
        self.assertEqual(stack.record(fails)["Status"], "Error")
        self.check_reads(stack, len(ids + runs), fails)

    def check_reads(self, stack, complete, fails):
        """Each shard is asked at its own server, and the answers are one."""
        stats = stack.stats()
        self.assertEqual((stats["mode"], stats["shards"]), ("OPEN", stack.shards))
        self.assertEqual(sum(by.get("Complete", 0) for by in stats["byType"].values()), complete)
        self.assertEqual(stats["errors"], [{"error": "bad data: bad", "count": 1}])
        listed = json.loads(stack.ctl("list", "--json", "--limit", 300).stdout)
        self.assertEqual(len({row["Id"] for row in listed}), 300)
        times = [row["SubmittedAt"] for row in listed]
        self.assertEqual(times, sorted(times, reverse=True))
        self.assertEqual(json.loads(stack.ctl("get", fails, "--json").stdout)["Status"], "Error")
        report = json.loads(stack.ctl("doctor", "--json", check=False).stdout)
        self.assertEqual((report["operations"], report["mismatches"]), (complete + 1, []))
        seen = stack.ctl("watch", "--json", "--since", "now-1h", "--status", "Error", "--count", "1").stdout
        self.assertEqual(json.loads(seen)["Id"], fails)
        submitted = stack.ctl("submit", "--type", "WebCart", "--payload", "upper hello").stdout.split()[0]
        self.assertIn("Complete", stack.ctl("wait", submitted).stdout)

    def move_a_shard(self, stack):
        slot = stack.slot(0)
        source = stack.port_of(slot)
        to = next(port for port in stack.ports if port != source and stack.is_primary(port))
        generations = stack.generations()
        moved, seconds = stack.move_slot(slot, to)
        print(f"shard 0: {moved} keys moved in {seconds:.3f} s")
        eventually(lambda: stack.generations()[0] > generations[0], "shard 0 armed at its new server", 20)
        stack.wait_open()

    def kill_a_primary(self, stack):
        port = stack.port_of(stack.slot(1))
        shards = [s for s in range(stack.shards) if stack.port_of(stack.slot(s)) == port]
        generations = stack.generations()
        stack.fail_over(port)
        eventually(lambda: all(stack.generations()[s] > generations[s] for s in shards),
                   "the shards of the dead primary armed at its replica", 30)
        stack.wait_open()
        stack.start_server(port)        # it comes back, as a replica
        eventually(lambda: not stack.is_primary(port), "the old primary to follow the new one", 30)


if __name__ == "__main__":
    unittest.main(verbosity=2)
