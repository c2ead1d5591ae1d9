"""bgopctl shards: where the shards of a Redis Cluster are; moving them to another primary, a new one too, under load."""
import json
import re
import signal
import subprocess
import unittest

from cluster_stack import ClusterStack
from grounds import not_on
from queue_stack import NOOP_ALL, ROOT, eventually, free_ports, shard_of
from test_redis_cluster import Load

def operations(first, count):
    return [{"Type": "SiteTaskCreate", "ParentKey": f"p{n % 97}", "Name": f"n{n}", "Payload": "x" * (n % 3 * 800)}
            for n in range(first, first + count)]



@not_on("secured", "it is about a cluster, and makes one in clear")
class Shards(unittest.TestCase):
    def test_shards_move_to_a_new_primary_under_load(self):
        with ClusterStack(NOOP_ALL, replicas=False, shards=8) as stack:
            ids = stack.submit(operations(0, 3000))
            stack.wait_terminal(ids, 60)
            new = self.join(stack)
            with Load(stack) as load:
                eventually(lambda: len(load.ids) > 200, "some load")
                told = [json.loads(line) for line in
                        stack.ctl("shards", 0, 3, 5, "--to", f"127.0.0.1:{new}", "--json").stdout.splitlines()]
                count = len(load.ids)
                eventually(lambda: len(load.ids) > count + 300, "load after it")
            self.assertEqual([(row["shard"], row["moved"], row["to"]) for row in told],
                             [(shard, True, f"127.0.0.1:{new}") for shard in (0, 3, 5)])
            for row in told:
                print(row)
                self.assertGreater(row["keys"], 300)
                self.assertLess(row["keysHeldUp"], row["keys"])
            self.check_moved(stack, new, ids + load.ids)
            again = json.loads(stack.ctl("shards", 3, "--to", f"127.0.0.1:{new}", "--json").stdout)
            self.assertFalse(again["moved"])
            self.move_back(stack, ids)

    def move_back(self, stack, ids):
        """The last slot too: Redis makes its server a replica then."""
        stack.ctl("shards", 0, 3, 5, "--to", f"127.0.0.1:{stack.ports[0]}")
        self.assert_clean(stack, [0, 3, 5], stack.ports[0])
        more = stack.submit(operations(3000, 100))
        stack.wait_terminal(more, 60)
        self.assertEqual(set(stack.statuses(ids + more)), {"Complete"})

    def check_moved(self, stack, new, ids):
        stack.wait_terminal(ids, 60)
        rows = stack.retrieve(ids)
        self.assertEqual({row["Status"] for row in rows}, {"Complete"})
        self.assertEqual(len({row["Id"] for row in rows}), len(ids))
        self.assertTrue({0, 3, 5} <= {shard_of(operation) for operation in ids})
        places = json.loads(stack.ctl("shards", "--json").stdout)
        self.assertEqual({row["shard"] for row in places if row["server"] == f"127.0.0.1:{new}"}, {0, 3, 5})
        self.assertEqual({row["state"] for row in places}, {""})
        self.assertIn(f"127.0.0.1:{new}", stack.ctl("shards").stdout)
        self.assert_clean(stack, [0, 3, 5], new)
        eventually(lambda: json.loads(stack.ctl("doctor", "--json", check=False).stdout)["mismatches"] == [], "a queue that agrees", 30)

    def test_what_cannot_be_moved_is_refused(self):
        with ClusterStack(NOOP_ALL, shards=2) as stack:
            source = stack.port_of(stack.slot(0))
            other = next(port for port in stack.ports if port != source and stack.is_primary(port))
            stranger = free_ports(1)[0]
            stack.ports.append(stranger)
            stack.start_server(stranger)
            for words, expected, code in (
                    (["0", "--to", f"127.0.0.1:{stack.replica_of(other)}"], "is a replica", 1),
                    (["0", "--to", f"127.0.0.1:{stranger}"], "is of another cluster", 1),
                    (["2", "--to", f"127.0.0.1:{other}"], "a shard from 0 to 1 is expected: 2", 64),
                    (["0", "--to", "somewhere"], "--to: HOST:PORT of a primary is expected: somewhere", 64),
                    (["0"], "belong together", 64),
                    (["0", "--to", "127.0.0.1:1"], "127.0.0.1:1", 69)):
                done = stack.ctl("shards", *words, check=False)
                self.assertEqual((done.returncode, expected in done.stderr), (code, True), done.stderr)
                self.assertEqual(stack.port_of(stack.slot(0)), source)
            stack.node(source).execute_command("SET", "{0}another", 1)
            done = stack.ctl("shards", 0, "--to", f"127.0.0.1:{other}", check=False)
            self.assertEqual((done.returncode, '"{0}another", which is no shard\'s' in done.stderr), (1, True), done.stderr)
            self.assert_clean(stack, [0], source)
            stack.node(source).execute_command("DEL", "{0}another")
            self.move_that_broke_off(stack, source, other)

    def move_that_broke_off(self, stack, source, other):
        """Whoever moved it died: the shard is held up, and another copy lies about."""
        ids = stack.submit(operations(0, 500))
        stack.wait_terminal(ids, 60)
        slot = stack.slot(0)
        key = stack.node(source).execute_command("CLUSTER GETKEYSINSLOT", slot, 1)[0]
        stack.node(other).execute_command("CLUSTER SETSLOT", slot, "IMPORTING", stack.id_of(source))
        stack.node(source).execute_command("MIGRATE", "127.0.0.1", other, "", 0, 1000, "COPY", "KEYS", key)
        stack.node(source).execute_command("CLUSTER SETSLOT", slot, "MIGRATING", stack.id_of(other))
        self.assertEqual(json.loads(stack.ctl("shards", "--json").stdout)[0]["state"], "held up: being moved")
        done = stack.ctl("shards", 0, "--to", f"127.0.0.1:{other}", check=False)
        self.assertEqual((done.returncode, "--again" in done.stderr), (1, True), done.stderr)
        self.login_as_who_may(stack)
        stack.ctl("shards", 0, "--to", f"127.0.0.1:{other}", "--again")
        self.assert_clean(stack, [0], other)
        ids += stack.submit(operations(500, 100))
        stack.wait_terminal(ids, 60)
        self.assertEqual(set(stack.statuses(ids)), {"Complete"})

    def login_as_who_may(self, stack):
        """A user with the rights that SHARDS.md lists, and no other."""
        [rights] = re.findall("^ACL SETUSER bgop-mover (.*)$", (ROOT / "deploy/SHARDS.md").read_text(), re.MULTILINE)
        for port in stack.ports:
            stack.node(port).execute_command("ACL", "SETUSER", "bgop-mover", *rights.replace("PASSWORD", "secret").split())
        stack.env["BGOP_REDIS"] = stack.env["BGOP_REDIS"].replace("redis://", "redis://bgop-mover:secret@")

    def test_ctrl_c_undoes_a_move(self):
        with ClusterStack(NOOP_ALL, replicas=False, shards=1) as stack:
            ids = stack.submit(operations(0, 9000))
            stack.wait_terminal(ids, 60)
            slot = stack.slot(0)
            source = stack.port_of(slot)
            other = next(port for port in stack.ports if port != source)
            mover = subprocess.Popen(stack.ctl_command("shards", 0, "--to", f"127.0.0.1:{other}"), env=stack.env, stderr=subprocess.PIPE, text=True)
            eventually(lambda: stack.node(other).execute_command("CLUSTER COUNTKEYSINSLOT", slot) > 10, "a part of it copied")
            mover.send_signal(signal.SIGINT)
            self.assertIn("undone", mover.communicate(timeout=60)[1])
            self.assertEqual(mover.returncode, 1)
            self.assert_clean(stack, [0], source)
            ids += stack.submit(operations(9000, 100))
            stack.wait_terminal(ids, 60)
            self.assertEqual(set(stack.statuses(ids)), {"Complete"})

    # ---- the cluster ----
    def join(self, stack):
        """A fourth primary, which has no slots yet."""
        new = free_ports(1)[0]
        stack.ports.append(new)
        stack.start_server(new)
        stack.cli("--cluster", "add-node", f"127.0.0.1:{new}", f"127.0.0.1:{stack.ports[0]}")
        eventually(lambda: all(stack.id_of(new) in stack.cli("-p", port, "CLUSTER", "NODES") for port in stack.ports),
                   "all servers to know the new one", 30)
        eventually(lambda: stack.says(new, "cluster_state:ok"), "the new one to know all slots", 30)
        return new

    def assert_clean(self, stack, shards, port):
        """Only its server has keys of a shard, and no slot is open."""
        for shard in shards:
            slot = stack.slot(shard)
            eventually(lambda slot=slot: stack.port_of(slot) == port, "the shard at its server", 20)
            for other in stack.ports:
                if other != port and stack.is_primary(other):
                    self.assertEqual(stack.node(other).execute_command("CLUSTER COUNTKEYSINSLOT", slot), 0)
        for each in stack.ports:
            self.assertNotIn("[", stack.cli("-p", each, "CLUSTER", "NODES"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
