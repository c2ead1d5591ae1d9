#!/usr/bin/python3
"""Spans of attempts, seen by a receiver of OTLP: they stand below the submission's span and above what the handler does;
what is not sampled sends none; a receiver that is slow, refuses or is away disturbs nothing.

    traces.py BIN-FOLDER"""
import http.server
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import confluent_kafka

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Receiver(http.server.ThreadingHTTPServer):
    """Keeps the spans that it took; `answer` is the status of the next requests, None: it is silent for 60 s."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer, self.requests, self.spans, self.headers = 200, 0, [], []
        self.released = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        body, to = self.rfile.read(int(self.headers["Content-Length"])), self.server
        to.requests += 1
        answer = to.answer
        if answer is None:
            to.released.wait(60)
            return
        to.headers.append((self.path, self.headers["Content-Type"], self.headers["X-Who"]))
        if answer == 200:
            for resource in json.loads(body)["resourceSpans"]:
                for scope in resource["scopeSpans"]:
                    to.spans += [(flat(resource["resource"]), span, flat(span)) for span in scope["spans"]]
        self.send_response(answer)
        self.send_header("Content-Length", "0")
        self.end_headers()


def flat(of):
    return {entry["key"]: next(iter(entry["value"].values())) for entry in of["attributes"]}


def wait_for(what, is_so, seconds=60):
    until = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > until:
            sys.exit(f"waited {seconds} s for {what}")
        time.sleep(0.02)


def expect(is_so, what, seen):
    if not is_so:
        sys.exit(f"{what}: {seen}")


class Queue:
    def __init__(self, folder, bin_folder, receiver):
        self.folder, self.seen = folder, folder / "handler-saw"
        (folder / "headers").write_text("X-Who: bgop\n")
        (folder / "queue.ini").write_text(
            f"[traces]\nurl = http://127.0.0.1:{receiver.server_port}/v1/traces\nheaders_file = {folder}/headers\n"
            f"service_name = shop\n[types]\nretry_limit = 1\n"
            f"[type WebCart]\nhandler = exec\ncommand = sh -c 'echo $BGOP_ATTEMPT $TRACEPARENT >>{self.seen}; "
            f"test $BGOP_ATTEMPT -gt 1'\n[type XClean]\nhandler = noop\n")
        self.process = subprocess.Popen([f"{bin_folder}/bgop", "dev", "--quiet", "--keep", folder / "dev", "--config",
                                         folder / "queue.ini", "--port-file", folder / "ports"])
        wait_for("bgop dev", lambda: (folder / "ports").exists() or self.process.poll() is not None, 90)
        self.environment = os.environ | dict(line.split("=", 1) for line in (folder / "ports").read_text().splitlines())
        self.bgopctl = f"{bin_folder}/bgopctl"
        self.producer = confluent_kafka.Producer({"bootstrap.servers": self.environment["BGOP_KAFKA"], "log_level": 3})
        workers = self.ctl("workers")
        self.page = re.search(r"http://[0-9.]+:\d+", workers).group(0)

    def ctl(self, *words):
        return subprocess.run([self.bgopctl, *words], env=self.environment, capture_output=True, text=True, check=True).stdout

    def submit(self, kind, trace, count=1):
        headers = [("traceparent", trace.encode())] if trace else []
        for number in range(count):
            value = json.dumps({"Type": kind, "ParentKey": f"acct-{number % 7}"})
            self.producer.produce("bgop.submit", value, headers=headers)
        self.producer.flush(30)

    def completed(self):
        rows = json.loads(self.ctl("query", "--json", "SELECT Status, COUNT(Id) n FROM BackgroundOperation GROUP BY Status"))
        return sum(row["n"] for row in rows if row["Status"] == "Complete")

    def spans_total(self, result):
        text = urllib.request.urlopen(self.page + "/metrics", timeout=10).read().decode()
        return int(re.search(rf'^bgop_worker_spans_total{{result="{result}"}} (\d+)$', text, re.M).group(1))

    def log(self):
        return "".join(path.read_text() for path in (self.folder / "dev").rglob("*worker*.log"))


def check_attempts(queue, receiver):
    """A failed attempt and the one that succeeded: two spans of one trace, each the parent of what its handler saw."""
    queue.submit("WebCart", f"00-{TRACE}-{PARENT}-01")
    queue.submit("WebCart", f"00-{TRACE[::-1]}-{PARENT}-00")
    queue.submit("WebCart", None)
    wait_for("three operations", lambda: queue.completed() == 3)
    wait_for("two spans", lambda: len(receiver.spans) == 2)
    saw = [(line.split() + [""])[:2] for line in queue.seen.read_text().splitlines()]
    for number, (resource, span, attributes) in enumerate(sorted(receiver.spans, key=lambda s: s[2]["bgop.attempt"]), 1):
        expect((span["traceId"], span["parentSpanId"]) == (TRACE, PARENT), "not below the submission", span)
        expect(attributes["bgop.attempt"] == str(number) and attributes["bgop.parent_key"] == "acct-0", "attributes", span)
        expect(attributes["bgop.outcome"] == ("error", "ok")[number - 1], "outcome", span)
        expect(span["status"].get("code", 0) == (2, 0)[number - 1], "status", span)
        expect(int(span["endTimeUnixNano"]) >= int(span["startTimeUnixNano"]) > time.time_ns() - 300 * 10**9, "times", span)
        expect(resource["service.name"] == "shop", "resource", resource)
        expect([str(number), f"00-{TRACE}-{span['spanId']}-01"] in saw, "the handler was told of another span", saw)
    expect([line[1] for line in saw if TRACE[::-1] in line[1]] == [f"00-{TRACE[::-1]}-{PARENT}-00"] * 2, "unsampled", saw)
    expect([line[1] for line in saw].count("") == 2, "no trace", saw)
    expect(receiver.headers[0] == ("/v1/traces", "application/json", "bgop"), "headers", receiver.headers)


def check_trouble(queue, receiver):
    """Silent, then refusing: 2,000 operations complete in the meantime, as many as without spans; what could be sent
    later is sent later, what was refused is counted."""
    receiver.answer = None
    before = queue.completed()
    queue.submit("XClean", f"00-{TRACE}-{PARENT}-01", 2000)
    wait_for("2,000 operations past a silent receiver", lambda: queue.completed() == before + 2000, 30)
    expect(queue.spans_total("exported") == 2, "exported", queue.spans_total("exported"))
    receiver.answer = 400
    receiver.released.set()
    wait_for("what was refused", lambda: queue.spans_total("dropped") > 0)
    receiver.answer = 200
    wait_for("all spans to be accounted for",
             lambda: queue.spans_total("dropped") + queue.spans_total("exported") == 2002)
    expect(queue.log().count("outage began of=traces") <= 2, "an outage is told of more than once", queue.log())


def check_drain(queue, receiver):
    """What waits when the worker is told to leave is sent before it does."""
    before = len(receiver.spans)
    queue.submit("XClean", f"00-{TRACE}-{PARENT}-01", 5)
    completed = queue.completed
    wait_for("five more", lambda: completed() >= 2008)
    queue.process.terminate()
    expect(queue.process.wait(60) == 0, "bgop dev", "did not end well")
    expect(len(receiver.spans) == before + 5, "spans at the end", len(receiver.spans) - before)


def main(bin_folder):
    receiver = Receiver()
    with tempfile.TemporaryDirectory() as folder:
        queue = Queue(pathlib.Path(folder), bin_folder, receiver)
        try:
            check_attempts(queue, receiver)
            check_trouble(queue, receiver)
            check_drain(queue, receiver)
        finally:
            if queue.process.poll() is None:
                queue.process.kill()


main(sys.argv[1])
