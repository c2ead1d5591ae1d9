#!/usr/bin/python3
"""A group handler for the tests: one JSON line per member in, one outcome per member out."""
import json
import os
import sys

members = [json.loads(line) for line in sys.stdin]
assert len(members) == int(os.environ["BGOP_MEMBERS"])
for member in members:
    word, answer = member["Payload"], {"Id": member["Id"], "Outcome": "ok", "Result": "did " + member["Payload"]}
    if word == "bad":
        answer = {"Id": member["Id"], "Outcome": "permanent", "Error": "refused"}
    elif word == "second" and member["Attempt"] == 1:
        answer = {"Id": member["Id"], "Outcome": "error", "Error": "not yet", "RetryAfterMs": 300}
    elif word == "silent":
        continue
    print(json.dumps(answer))
