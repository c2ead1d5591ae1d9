#!/usr/bin/python3 -IS
"""ExternalObject: writes rows into one file per ParentKey, all members of an execution group in one go. Its Type
merges, so it speaks the group protocol: one JSON line per member in, one JSON line per member out."""
import fcntl
import json
import os
import sys


def upsert(path, rows):
    """Reads, merges and replaces the table under a lock: the same rows again change nothing."""
    with open(path + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        table = {}
        if os.path.exists(path):
            with open(path) as file:
                table = json.load(file)
        table.update(rows)
        with open(path + ".new", "w") as file:
            json.dump(table, file)
        os.replace(path + ".new", path)


members = [json.loads(line) for line in sys.stdin]
rows = {}
for member in members:
    row = json.loads(member["Payload"])
    rows[row["key"]] = row["value"]
upsert(os.path.join(sys.argv[1], os.environ["BGOP_PARENT_KEY"] + ".json"), rows)
for member in members:
    print(json.dumps({"Id": member["Id"], "Outcome": "ok", "Result": "stored " + json.loads(member["Payload"])["key"]}))
