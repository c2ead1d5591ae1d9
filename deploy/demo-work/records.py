"""Reading the queue as anybody can: plain commands and read-only functions, with an ordinary Redis client."""
import datetime
import gzip
import json
import pathlib

import redis

import ids

PAGE = 200                      # bgop_retrieve takes no more Ids at once
FIELDS = "Id,Name,Type,ParentKey,Status,Error,RetryCount,StartedAt,FinishedAt,ExpiresAt,WorkerUri,GroupLeaderId"


class Records:
    def __init__(self, url):
        self.redis = redis.Redis.from_url(url)
        self.shards = int(self.redis.hget("bgop:meta", "shards"))

    def call(self, function, *arguments):
        return json.loads(self.redis.execute_command("FCALL_RO", function, 0, *arguments))

    def stats(self):
        return self.call("bgop_stats")

    def key(self, kind, operation_id):
        return f"bgop:{{{ids.shard_of(operation_id)}}}:{kind}:{operation_id}"

    def pipelined(self, ask, items):
        pipe = self.redis.pipeline(transaction=False)
        for item in items:
            ask(pipe, item)
        return pipe.execute()

    def look_up_names(self, operations):
        """Fills in the Ids of those that have none, where the queue knows their Name by now."""
        without = [o for o in operations if not o.id]
        answers = self.pipelined(
            lambda pipe, o: pipe.execute_command("FCALL_RO", "bgop_lookup", 0, "Name", o.name), without)
        for operation, answer in zip(without, answers):
            found = json.loads(answer)["ids"]
            if found:
                operation.id = found[0]

    def unfinished(self, operations):
        """Those not at their end, which is when a record has an ExpiresAt: an Error without one will be tried again, a
        Merged without one has a leader that still runs."""
        expires = self.pipelined(lambda pipe, o: pipe.hget(self.key("op", o.id), "ExpiresAt"), operations)
        return [operation for operation, at in zip(operations, expires) if not at]

    def why(self, operation):
        return self.redis.execute_command("FCALL_RO", "bgop_why", 0, operation.id).decode()

    def retrieve(self, fields, operation_ids):
        rows = []
        for at in range(0, len(operation_ids), PAGE):
            rows += self.call("bgop_retrieve", fields, *operation_ids[at:at + PAGE])
        return rows

    def check(self, operations):
        """Every operation by HGETALL and by bgop_retrieve, its result and what its work left behind.
        Answers (operation, what is wrong) for those that did not end as they should."""
        hashes = self.pipelined(lambda pipe, o: pipe.hgetall(self.key("op", o.id)), operations)
        results = self.pipelined(lambda pipe, o: pipe.get(self.key("out", o.id)), operations)
        rows = self.retrieve(FIELDS, [o.id for o in operations])
        leaders = {o.id: row for o, row in zip(operations, rows)}
        wrong = []
        for operation, plain, row, result in zip(operations, hashes, rows, results):
            plain = {name.decode(): value.decode(errors="replace") for name, value in plain.items()}
            for text in mistakes(operation, plain, row, result, leaders):
                wrong.append((operation, text))
        return wrong


def mistakes(operation, plain, row, result, rows):
    """What differs from what was expected, as sentences."""
    if not plain or not row:
        yield f"no record: HGETALL {'has' if plain else 'lacks'} it, bgop_retrieve {'has' if row else 'lacks'} it"
        return
    yield from differences(plain, row)
    for name, expected in (("Name", operation.name), ("Type", operation.type), ("ParentKey", operation.parent)):
        if row[name] != expected:
            yield f"{name} is {row[name]!r}, expected {expected!r}"
    status = row["Status"]
    if status == "Merged":      # its outcome is its leader's
        leader = rows.get(row["GroupLeaderId"]) or {}
        status = leader.get("Status")
    if status != operation.status:
        yield f"Status is {row['Status']}, expected {operation.status} ({row['Error']})"
        return
    if operation.error and operation.error not in (row["Error"] or ""):
        yield f"Error is {row['Error']!r}, expected it to contain {operation.error!r}"
    if operation.error is None and row["Error"] is not None:
        yield f"Error is {row['Error']!r}, expected none"
    if (row["RetryCount"] or 0) < operation.retries:
        yield f"RetryCount is {row['RetryCount']}, expected {operation.retries} or more"
    if operation.error and row["RetryCount"]:
        yield f"a permanent Error was retried {row['RetryCount']} times"
    if (result or None) != operation.result:
        yield f"result is {result!r}, expected {operation.result!r}"
    if operation.process_after_ms and not epoch_ms(row["StartedAt"]) >= operation.process_after_ms:
        yield f"started at {row['StartedAt']}, before its ProcessAfter"
    if operation.made and not left_behind(*operation.made):
        yield f"{operation.made[0]} is not what the work should have left"


def differences(plain, row):
    """The hash and the function must tell the same; the hash leaves out what is null, default or derived."""
    for name in ("Status", "Type", "ParentKey", "Name", "Error", "RetryCount", "WorkerUri", "GroupLeaderId"):
        if name in plain and plain[name] != str(row[name]):
            yield f"{name} is {plain[name]!r} in the hash and {row[name]!r} in bgop_retrieve"
    for name in ("StartedAt", "FinishedAt", "ExpiresAt"):
        if name in plain and int(plain[name]) != epoch_ms(row[name]):
            yield f"{name} is {plain[name]} in the hash and {row[name]} in bgop_retrieve"
    if "Status" not in plain:
        yield "the hash has no Status"


def epoch_ms(text):
    if text is None:
        return -1
    moment = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z")
    return round(moment.timestamp() * 1000)


def left_behind(file, content):
    path = pathlib.Path(file)
    return path.exists() and gzip.decompress(path.read_bytes()) == content
