"""Execution groups and limits per ParentKey: operations of one ParentKey are run together, and yet each one has its own
outcome, whatever happens to the others, to the handler, to the worker."""
import collections
import http.server
import json
import threading
import time
import unittest

from grounds import Stack
from queue_stack import HANDLERS, ROOT, eventually, http_get

BOOK = f"handler = exec\ncommand = {HANDLERS}/book.py\nretry_backoff_ms = 100\nmerge_max = 20\n"
COMMON_TYPES = "CdpMetadataDeploy ExternalObject ExternalObjectSync Sweeper WebCart XClean"


def config(port):
    return f"""
[worker]
types = {COMMON_TYPES}
[type ExternalObject]
{BOOK}concurrency = 6
[type CdpMetadataDeploy]
{BOOK}merge_max_bytes = 4000
[type SiteTaskCreate]
{BOOK}
[type SiteTaskPublish]
{BOOK}
[type ExternalObjectSync]
handler = http
url = http://127.0.0.1:{port}/objects
merge_max = 20
retry_backoff_ms = 100
[type WebCart]
handler = exec
command = {HANDLERS}/verb.sh
max_running_per_parent = 2
concurrency = 8
[type XClean]
handler = exec
command = {HANDLERS}/example_group.py
merge_max = 10
retry_limit = 0
[type Sweeper]
handler = exec
command = {HANDLERS}/example_group.sh
merge_max = 10
retry_limit = 0
"""


class Service(http.server.BaseHTTPRequestHandler):
    """A group handler behind HTTP; remembers the requests."""
    seen = []

    def do_POST(self):
        members = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        words = {m["Id"]: m["Payload"].split() for m in members}
        refused = [w for m, w in zip(members, words.values()) if w[0] == "refuse" and m["Attempt"] == 1]
        status = int(refused[0][1]) if refused else 200
        Service.seen.append((status, len(members), time.time(), self.headers["Idempotency-Key"]))
        if [w for w in words.values() if w[0] == "sleep"]:
            time.sleep(0.7)
        answers = [{"Id": m["Id"], "Outcome": "permanent" if words[m["Id"]][0] == "bad" else "ok",
                    "Error": "bad object" if words[m["Id"]][0] == "bad" else None, "Result": {"attempt": m["Attempt"]}}
                   for m in members if words[m["Id"]][0] != "silent" or m["Attempt"] > 1]
        body = json.dumps(answers).encode()
        self.send_response(status)
        if refused:
            body = b"not now"
            self.send_header("Retry-After", "1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args):
        pass


class Groups(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()
        cls.stack = Stack(config(cls.server.server_port), workers=2)
        cls.stack.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.stack.__exit__(None, None, None)
        cls.server.shutdown()
        cls.server.server_close()

    # ---- helpers ----
    def submit(self, parent, payloads, type="ExternalObject", **members):
        return self.stack.submit([dict({"Type": type, "ParentKey": parent, "Payload": p}, **members) for p in payloads])

    def gather(self, parent, payloads, head="sleep 0.7", **members):
        """While a head of this ParentKey runs the others gather: they are run as one group, the first one leads."""
        [first] = self.submit(parent, [head], **{k: v for k, v in members.items() if k == "type"})
        self.stack.wait_status(first, "Running")
        return first, self.submit(parent, payloads, **members)

    def finish(self, ids, timeout=60):
        """Their records, once all are terminal and no leader of theirs runs any more."""
        self.stack.wait_terminal(ids, timeout)
        eventually(lambda: all(r["ExpiresAt"] for r in self.stack.retrieve(ids)), "all to have ExpiresAt", timeout)
        return self.stack.retrieve(ids)

    def book(self):
        path = self.stack.folder / "group.book"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def events(self, ids, event="did"):
        return [e for e in self.book() if e["event"] == event and e.get("id", e["leader"]) in set(ids)]

    def groups_of(self, ids):
        """Members of every execution that had one of these."""
        return [e["members"] for e in self.book() if e["event"] == "start" and set(e["members"]) & set(ids)]

    def assert_all_done(self, rows):
        for row in rows:
            self.assertIn(row["Status"], ("Complete", "Merged"), row)
            self.assertIsNone(row["Error"], row)

    # ---- the tests ----
    def test_members_run_together_and_each_has_one_outcome(self):
        ids = {}
        for parent in ("many-0", "many-1", "many-2"):
            ids[parent] = [*self.submit(parent, ["sleep 0.7"])]
            self.stack.wait_status(ids[parent][0], "Running")
        for n in range(45):
            ids[f"many-{n % 3}"] += self.submit(f"many-{n % 3}", [f"ok {n}"])
        for members in ids.values():
            rows = self.finish(members)
            self.assert_all_done(rows)
            for row in rows[1:]:
                self.assertRegex(self.stack.result(row["Id"]), "did ok")
            did = collections.Counter(e["id"] for e in self.events(members))
            self.assertEqual(set(did.values()), {1}, "each was run once")
            self.assertEqual(set(did), set(members))
            groups = self.groups_of(members)
            self.assertLess(len(groups), len(members), "some ran together")
            self.assertLessEqual(max(map(len, groups)), 20)
            self.assert_records_tell_of(groups, {r["Id"]: r for r in rows})
            self.assert_one_at_a_time(members)

    def assert_records_tell_of(self, groups, rows):
        for group in groups:
            if len(group) == 1:
                row = rows[group[0]]
                self.assertEqual((row["Status"], row["ExecutionGroup"], row["GroupLeaderId"], row["NumFollowers"]),
                                 ("Complete", None, None, None))
                continue
            leaders = [rows[i] for i in group if rows[i]["Status"] == "Complete"]
            self.assertEqual(len(leaders), 1)
            self.assertEqual(leaders[0]["NumFollowers"], len(group) - 1)
            self.assertRegex(leaders[0]["ExecutionGroup"], f"^{leaders[0]['Id']}-1$")
            for row in (rows[i] for i in group if i != leaders[0]["Id"]):
                self.assertEqual((row["Status"], row["ExecutionGroup"], row["GroupLeaderId"], row["FinishedAt"]),
                                 ("Merged", leaders[0]["ExecutionGroup"], leaders[0]["Id"], None))
                for field in ("StartedAt", "WorkerUri"):
                    self.assertEqual(row[field], leaders[0][field])

    def assert_one_at_a_time(self, ids):
        running = 0
        for event in self.book():
            if event["leader"] in ids and event["event"] in ("start", "end"):
                running += 1 if event["event"] == "start" else -1
                self.assertLessEqual(running, 1, "two executions of one ParentKey at the same time")

    def test_a_member_that_fails_leaves_and_the_others_stay(self):
        head, ids = self.gather("partial", ["ok a", "permanent", "fail 1", "silent 1", "ok b"])
        rows = self.finish([head, *ids])[1:]
        self.assert_all_done([rows[0], rows[2], rows[3], rows[4]])
        self.assertEqual((rows[1]["Status"], rows[1]["Error"], rows[1]["RetryCount"]), ("Error", "refused", 0))
        self.assertEqual((rows[0]["Status"], rows[0]["NumFollowers"]), ("Complete", 1))
        self.assertEqual((rows[4]["Status"], rows[4]["GroupLeaderId"]), ("Merged", ids[0]))
        self.assertEqual([r["RetryCount"] for r in rows], [0, 0, 1, 1, 0])
        self.assertEqual(self.stack.tries(ids[2])[0]["error"], "failed at attempt 1")
        self.assertEqual(self.stack.tries(ids[3])[0]["error"], "the handler gave no answer for this operation")
        for field in ("ExecutionGroup", "GroupLeaderId", "NumFollowers"):
            self.assertIsNone(rows[1][field])

    def test_a_leader_that_fails_does_not_take_its_followers_along(self):
        head, ids = self.gather("leader", ["permanent", "ok a", "ok b"])
        rows = self.finish([head, *ids])[1:]
        self.assertEqual([r["Status"] for r in rows], ["Error", "Complete", "Complete"])
        self.assertEqual([r["ExecutionGroup"] for r in rows], [None, f"{ids[0]}-1", f"{ids[0]}-1"])
        self.assertEqual([r["GroupLeaderId"] for r in rows], [None, ids[0], ids[0]])
        self.assertIsNone(rows[0]["NumFollowers"])
        self.assertTrue(all(r["FinishedAt"] for r in rows))
        self.assertEqual(collections.Counter(e["id"] for e in self.events(ids)), {i: 1 for i in ids})

    def test_a_poisonous_member_ends_in_error_alone(self):
        head, ids = self.gather("poison", ["ok a", "ok b", "crash", *[f"ok {n}" for n in range(5)]])
        rows = self.finish([head, *ids])[1:]
        self.assert_all_done([*rows[:2], *rows[3:]])
        self.assertEqual(rows[2]["Status"], "Error")
        self.assertIn("SIGSEGV", rows[2]["Error"])
        self.assertEqual(len(self.groups_of([ids[2]])[0]), 8, "it crashed in a group first")
        self.assertTrue(all(group == [ids[2]] for group in self.groups_of([ids[2]])[1:]), "then always alone")
        did = collections.Counter(e["id"] for e in self.events(ids) if e["outcome"] == "ok")
        self.assertEqual(did, {i: 1 for i in ids if i != ids[2]}, "what was answered before the crash counted")

    def test_at_timeout_what_was_answered_counts(self):
        head, ids = self.gather("timeout", ["ok a", "hang 1", "ok b"], Timeout=1200)
        rows = self.finish([head, *ids])[1:]
        self.assert_all_done(rows)
        self.assertEqual([r["RetryCount"] for r in rows], [0, 1, 1])
        for i in ids[1:]:
            self.assertEqual(self.stack.tries(i)[0]["error"], "timed out after 1200 ms")
        self.assertEqual(self.stack.tries(ids[0]), [])

    def test_exit_65_of_a_group_is_nobodys_last_word(self):
        head, ids = self.gather("exit", ["ok a", "exit 1", "ok b"])
        rows = self.finish([head, *ids])[1:]
        self.assert_all_done(rows)
        self.assertEqual([r["RetryCount"] for r in rows], [0, 1, 1])
        self.assertEqual(self.stack.tries(ids[2])[0]["error"], "no more today")
        [alone] = self.submit("exit-alone", ["exit 1"])
        row = self.finish([alone])[0]
        self.assertEqual((row["Status"], row["Error"]), ("Error", "no more today"))

    def test_sequences_inside_groups_keep_their_order(self):
        [head] = self.submit("order", ["sleep 0.7"])
        self.stack.wait_status(head, "Running")
        ids = self.stack.submit([
            {"Type": "ExternalObject", "ParentKey": "order", "Payload": "fail 1" if (g, n) == ("b", 3) else "ok x",
             "SequenceGroup": g, "SequenceNumber": n}
            for n in (2, 1, 4, 3, 5) for g in ("a", "b", "c")])
        rows = self.finish([head, *ids])[1:]
        self.assert_all_done(rows)
        done = [e for e in self.events(ids) if e["outcome"] == "ok"]
        for group in "abc":
            self.assertEqual([e["number"] for e in done if e["sequence"] == group], [1, 2, 3, 4, 5], group)
        self.assertLess(len(self.groups_of(ids)), 15, "members of one sequence may run together")
        tried = {(r["SequenceGroup"], r["SequenceNumber"]): r["RetryCount"] for r in rows}
        self.assertEqual({k: n for k, n in tried.items() if n}, {("b", 3): 1}, "a skipped member did not fail")

    def test_cancel_of_a_waiting_head_and_of_a_waiting_member(self):
        self.stack.ctl("pause", "--parent", "cancel")
        ids = self.submit("cancel", ["ok a", "ok b", "ok c", "ok d"])
        for i in ids:
            self.stack.wait_status(i, "Waiting")
        self.stack.ctl("cancel", ids[0], ids[2], "--reason", "not wanted")
        self.assertEqual(self.stack.statuses(ids), ["Canceled", "Waiting", "Canceled", "Waiting"])
        self.stack.ctl("resume", "--parent", "cancel")
        self.finish(ids)
        self.assertEqual([e["id"] for e in self.events(ids)], [ids[1], ids[3]])

    def test_cancel_of_running_members(self):
        head, ids = self.gather("running", ["sleep 2", "ok a", "fail 1", "ok b"])
        self.stack.wait_status(ids[0], "Running")
        self.assertEqual(set(self.stack.statuses(ids[1:])), {"Merged"})
        for i in ids[1:3]:
            command = json.dumps({"Command": "cancel", "Id": i, "Reason": "late"})
            self.stack.produce([("running", command)], "bgop.command")
        rows = self.finish([head, *ids])[1:]
        self.assertEqual([r["Status"] for r in rows], ["Complete", "Merged", "Canceled", "Merged"],
                         "success wins; what fails is not tried again")

    def test_a_group_is_stopped_when_all_its_members_are_canceled(self):
        head, ids = self.gather("stopped", ["sleep 600", "sleep 600"])
        self.stack.wait_status(ids[0], "Running")
        self.stack.ctl("cancel", *ids, timeout=30)
        rows = self.finish([head, *ids], 20)[1:]
        self.assertEqual([r["Status"] for r in rows], ["Canceled", "Canceled"])
        self.assertEqual(self.events(ids), [])

    def test_groups_stay_within_their_bounds(self):
        size = 1500
        head, ids = self.gather("bounds", ["ok " + "x" * (size - 3)] * 7, type="CdpMetadataDeploy")
        self.assert_all_done(self.finish([head, *ids]))
        self.assertEqual([len(g) for g in self.groups_of(ids)], [2, 2, 2, 1], "4,000 bytes at most")
        head, ids = self.gather("number", ["ok"] * 45)
        self.assert_all_done(self.finish([head, *ids]))
        self.assertEqual([len(g) for g in self.groups_of(ids)], [20, 20, 5], "20 at most")

    def test_no_more_of_a_parent_run_than_its_type_allows(self):
        ids = self.stack.submit([{"Type": "WebCart", "ParentKey": f"limit-{n % 2}", "Payload": "sleep 0.2"}
                                 for n in range(16)])
        self.stack.wait_terminal(ids)
        self.assertEqual(self.stack.statuses(ids), ["Complete"] * 16)
        parent = {i: n % 2 for n, i in enumerate(ids)}
        running, most = collections.Counter(), collections.Counter()
        for line in (self.stack.folder / "executions.book").read_text().splitlines():
            event, operation = line.split()[:2]
            if operation in parent:
                running[parent[operation]] += 1 if event == "start" else -1
                most[parent[operation]] = max(most[parent[operation]], running[parent[operation]])
        self.assertEqual(most, {0: 2, 1: 2})

    def test_groups_over_http(self):
        head, ids = self.gather("http", ["ok", "bad", "silent"], head="sleep", type="ExternalObjectSync")
        rows = self.finish([head, *ids])[1:]
        self.assertEqual([r["Status"] for r in rows], ["Complete", "Error", "Complete"])
        self.assertEqual([r["RetryCount"] for r in rows], [0, 0, 1])
        self.assertEqual(rows[1]["Error"], "bad object")
        self.assertEqual(json.loads(self.stack.result(ids[2])), {"attempt": 2})
        for status in (429, 404):
            head, ids = self.gather(f"http-{status}", ["ok", f"refuse {status}", "ok"], head="sleep",
                                    type="ExternalObjectSync")
            rows = self.finish([head, *ids])[1:]
            self.assert_all_done(rows)
            self.assertEqual([r["RetryCount"] for r in rows], [1, 1, 1], "nobody's own fault, and so never permanent")
            for i in ids:
                self.assertEqual(self.stack.tries(i)[0]["error"], f"HTTP {status}: not now")
            refused = [s for s in Service.seen if s[0] == status]
            self.assertEqual(refused[0][3], f"{ids[0]}-1", "the Idempotency-Key of several is their ExecutionGroup")
            again = [s for s in Service.seen if s[2] > refused[0][2] and s[3][:18] in ids]
            if status == 429:
                self.assertGreaterEqual(again[0][2] - refused[0][2], 0.95, "Retry-After counts for all members")

    def test_the_example_handlers_of_the_readme(self):
        readme = (ROOT / "worker/handlers/README.md").read_text()
        for example in ("example_group.py", "example_group.sh"):
            self.assertIn((HANDLERS / example).read_text(), readme, f"{example} differs from what the README shows")
        ids = self.stack.submit([
            {"Type": "XClean", "ParentKey": "e", "SequenceGroup": "s", "SequenceNumber": n, "Payload": p}
            for n, p in enumerate(({"name": "one"}, {"name": "two"}, "rubbish"))])
        ids += self.submit("e", ["good work", 'not good: "Id":"x"'], type="Sweeper")
        rows = self.finish(ids)
        self.assertEqual([self.stack.result(i) for i in ids], ["ONE", "TWO", None, "done by Sweeper", None])
        self.assertRegex(rows[2]["Error"], "unusable: JSONDecodeError")
        self.assertEqual(rows[4]["Error"], "not good")

    def test_the_status_page_shows_groups(self):
        head, ids = self.gather("page", ["sleep 1", "ok a", "ok b"])
        uri = self.stack.wait_status(ids[0], "Running")["WorkerUri"]
        page = json.loads(http_get(uri + "/json"))
        self.assertEqual([r["Members"] for r in page["running"] if r["Id"] == ids[0]], [3])
        self.finish([head, *ids])

    def test_workers_that_die_in_the_middle_lose_nobody(self):
        """One by SIGKILL while its handler works; another between the delivery of some followers' outcomes (their
        results fill many messages) and their leader's."""
        self.start_worker(3, "SiteTaskCreate", dict(self.stack.env, BGOP_CRASH="delivery-after:2"))   # 1 is the head's
        self.start_worker(4, "SiteTaskPublish", self.stack.env)
        head, killed = self.gather("killed", ["hang 1", "ok a", "ok b"], type="SiteTaskPublish")
        self.stack.wait_status(killed[0], "Running")
        other_head, split = self.gather("split", ["large 32000"] * 20, type="SiteTaskCreate")
        eventually(lambda: self.stack.processes["worker-3"].poll() is not None, "worker-3 to die at its crash point")
        self.stack.kill("worker-4")
        self.start_worker(5, "SiteTaskCreate SiteTaskPublish", self.stack.env)
        rows = self.finish([head, other_head, *killed, *split], 60)
        self.assert_all_done(rows)
        self.assertEqual({r["RetryCount"] for r in rows}, {0}, "a lost lease is no failed attempt")
        for i in killed:
            self.assertEqual([t["error"] for t in self.stack.tries(i)], ["lease lost"])
            self.assertEqual(self.groups_of([i])[1:], [[i]], "afterwards each runs alone")
        did = collections.Counter(e["id"] for e in self.events(split))
        self.assertEqual(did[split[0]], 2, "the leader's outcome was not in the log")
        once = [i for i in split if did[i] == 1]
        self.assertGreaterEqual(len(once), 10, "the outcomes that were in the log counted")
        for row in (r for r in rows if r["Id"] in once):
            self.assertEqual((row["Status"], row["GroupLeaderId"]), ("Complete", split[0]))
        for i in split:
            self.assertEqual(len(self.stack.result(i)), 32000)

    def start_worker(self, number, types, env):
        config = self.stack.folder / f"worker-{number}.ini"
        config.write_text(self.stack.config.read_text().replace(f"types = {COMMON_TYPES}", f"types = {types}"))
        self.stack.start_worker(number, config, env)


if __name__ == "__main__":
    unittest.main(verbosity=2)
