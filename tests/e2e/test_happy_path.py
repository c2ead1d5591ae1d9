"""Operations of every Type, from producers nobody here wrote, end as they should and can be read in every way."""
import http.server
import json
import pathlib
import subprocess
import tempfile
import threading
import unittest

import queue_stack
from grounds import Stack
from queue_stack import HANDLERS, NOOP_ALL, ROOT, TYPES, eventually, http_get


class WebServer(http.server.ThreadingHTTPServer):
    """Answers by the first word of the body: ok TEXT, or busy (429, 503 or 500 once, then ok), bad (400)."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), WebHandler)
        self.seen = {}
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()


class WebHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        key = self.headers["Idempotency-Key"]
        with self.server.lock:
            calls = self.server.seen.setdefault(key, [])
            calls.append((self.headers["X-Bgop-Token"], body))
        word, _, rest = body.partition(" ")
        status, headers = 200, {}
        if word in ("429", "503", "500") and len(calls) == 1:
            status = int(word)
            headers = {"Retry-After": "1"} if word != "500" else {}
        elif word == "bad":
            status = 400
        text = (f"did {rest}" if status == 200 else f"no: {status}").encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


class HappyPath(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.web = WebServer()
        config = NOOP_ALL.replace("[type WebCart]\nhandler = noop", f"[type WebCart]\nhandler = exec\n"
                                  f"command = {HANDLERS}/verb.sh\nretry_backoff_ms = 100")
        config = config.replace("[type ExternalServiceCallback]\nhandler = noop",
                                "[type ExternalServiceCallback]\nhandler = http\nretry_backoff_ms = 100\n"
                                f"url = http://127.0.0.1:{cls.web.server_address[1]}/work")
        cls.stack = Stack(config)
        cls.stack.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.stack.__exit__(None, None, None)

    def test_every_type_completes_and_its_record_reads_the_same_in_every_way(self):
        stack = self.stack
        payload = {"WebCart": "upper text", "ExternalServiceCallback": "ok text"}
        ids = stack.submit([{"Type": name, "ParentKey": f"p-{name}", "Payload": payload.get(name, "x" * 200)}
                            for name in TYPES])
        stack.wait_terminal(ids)
        for name, row in zip(TYPES, stack.retrieve(ids)):
            record = stack.record(row["Id"])
            self.assertEqual((row["Status"], row["Type"], record["Status"]), ("Complete", name, "Complete"), row)
            self.assertEqual(row["ParentKey"], f"p-{name}")
            self.assertEqual(row["Name"], "BO-" + row["Id"][:15])
            for field in ("SubmittedAt", "StartedAt", "FinishedAt", "ExpiresAt", "WorkerUri"):
                self.assertIsNotNone(row[field], f"{field} of {name}")
            for field in ("Error", "ExecutionGroup", "GroupLeaderId", "NumFollowers", "ProcessAfter"):
                self.assertIsNone(row[field], f"{field} of {name}")
            self.assertEqual(row["RetryCount"], 0)
            self.assertRegex(row["SubmittedAt"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$")
            self.assertNotIn("RetryBackoff", record, "a default is not stored")
        by_type = dict(zip(TYPES, ids))
        self.assertEqual(stack.result(by_type["WebCart"]), "TEXT")
        self.assertEqual(stack.result(by_type["ExternalServiceCallback"]), "did text")
        self.assertEqual(stack.lookup("ParentKey", "p-Sweeper"), [by_type["Sweeper"]])

    def test_an_unknown_or_removed_id_is_null_in_place(self):
        ids = self.stack.submit([{"Type": "Sweeper"}, {"Type": "Sweeper"}])
        self.stack.wait_terminal(ids)
        unknown = queue_stack.operation_id(3, 999999, "", self.stack.shards)
        rows = self.stack.retrieve([ids[1], unknown, "nonsense", ids[0]], "Id,Status")
        self.assertEqual([row and row["Id"] for row in rows], [ids[1], None, None, ids[0]])

    def test_kcat_submits_json_lines(self):
        lines = "".join(json.dumps({"Type": "WebCart", "ParentKey": "kcat", "Payload": f"upper line {n}"}) + "\n"
                        for n in range(50))
        subprocess.run(["kcat", "-P", "-b", self.stack.env["BGOP_KAFKA"], "-t", "bgop.submit"], input=lines, text=True,
                       check=True, timeout=60, env=self.stack.env)
        ids = self.wait_found("kcat", 50)
        self.assertEqual({self.stack.result(i) for i in ids}, {f"LINE {n}" for n in range(50)})

    def test_protobuf_generated_from_proto_is_understood(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["protoc", f"--proto_path={ROOT}/proto", f"--python_out={folder}",
                            "bgop/v1/submission.proto"], check=True)
            import importlib.util
            source = pathlib.Path(folder) / "bgop/v1/submission_pb2.py"
            spec = importlib.util.spec_from_file_location("submission_pb2", source)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        messages = []
        for n in range(50):
            submission = module.Submission(type="WebCart", parent_key="protobuf", payload=f"upper number {n}".encode(),
                                           retry_limit=7, timeout_ms=20000)
            messages.append(("protobuf", submission.SerializeToString()))
        self.stack.produce(messages)
        ids = self.wait_found("protobuf", 50)
        rows = self.stack.retrieve(ids, "Id,RetryLimit,Timeout,Status")
        self.assertEqual({(r["RetryLimit"], r["Timeout"], r["Status"]) for r in rows}, {(7, 20000, "Complete")})

    def wait_found(self, parent_key, count):
        def found():
            ids = self.stack.lookup("ParentKey", parent_key)
            return ids if len(ids) >= count else None
        ids = eventually(found, f"{count} operations of ParentKey {parent_key}")
        self.stack.wait_terminal(ids)
        self.assertEqual(len(ids), count)
        return ids

    def test_http_keeps_to_retry_after_and_permanent_answers(self):
        stack = self.stack
        bodies = ["429 a", "503 b", "500 c", "bad d"]
        ids = stack.submit([{"Type": "ExternalServiceCallback", "Payload": body} for body in bodies])
        stack.wait_terminal(ids)
        rows = stack.retrieve(ids)
        self.assertEqual([row["Status"] for row in rows], ["Complete", "Complete", "Complete", "Error"])
        self.assertEqual([row["RetryCount"] for row in rows], [1, 1, 1, 0])
        self.assertIn("400", rows[3]["Error"])
        for index in (0, 1):
            first = stack.tries(ids[index])[0]
            waited = int(stack.record(ids[index])["StartedAt"]) - int(first["finished"])
            self.assertGreaterEqual(waited, 1000, "Retry-After: 1 was not kept")
        tokens = [int(token) for token, _ in self.web.seen[ids[2]]]
        self.assertEqual(len(tokens), 2)
        self.assertLess(tokens[0], tokens[1], "the token rises with every attempt")

    def test_bgopctl_submits_and_shows(self):
        stack = self.stack
        one = stack.ctl("submit", "--type", "WebCart", "--parent", "ctl", "--payload", "upper by hand").stdout.split()[0]
        stack.ctl("wait", one, "--timeout", "30")
        shown = json.loads(stack.ctl("get", one, "--json").stdout)
        self.assertEqual((shown["Id"], shown["Status"]), (one, "Complete"))
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
            for n in range(100):
                file.write(json.dumps({"Type": "Sweeper", "ParentKey": "from-file", "Name": f"n{n}"}) + "\n")
            file.flush()
            many = stack.ctl("submit", "--from", file.name).stdout.split()
        self.assertEqual(len(many), 100)
        stack.ctl("wait", *many, "--timeout", "30")
        listed = json.loads(stack.ctl("list", "--parent", "from-file", "--limit", "200", "--json").stdout)
        self.assertEqual({row["Id"] for row in listed}, set(many))
        self.assertIn("Complete", stack.ctl("stats").stdout)
        self.assertEqual(json.loads(stack.ctl("describe", "--json").stdout)["name"], "BackgroundOperation")

    def test_worker_uri_answers_with_what_runs(self):
        stack = self.stack
        [operation] = stack.submit([{"Type": "WebCart", "Payload": "sleep 3"}])
        uri = stack.wait_status(operation, "Running")["WorkerUri"]
        page = eventually(lambda: (lambda t: t if operation in t else None)(
            http_get(uri)), f"{operation} on {uri}", 3)
        self.assertIn("WebCart", page)
        stack.wait_terminal([operation])

    def test_stats_agree_with_a_full_count(self):
        stack = self.stack
        stack.wait_terminal(stack.submit([{"Type": "Sweeper"} for _ in range(200)]))

        def agree():
            by_status = {}
            for statuses in stack.stats()["byType"].values():
                for status, count in statuses.items():
                    by_status[status] = by_status.get(status, 0) + count
            return {s: n for s, n in by_status.items() if n} == stack.counted()
        eventually(agree, "stats and a full count agree")


if __name__ == "__main__":
    unittest.main(verbosity=2)
