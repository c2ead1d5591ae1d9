#!/usr/bin/env python3
import json, sys

for line in sys.stdin:                          # an operation a line; the end of the input: leave
    operation = json.loads(line)
    answer = {"Id": operation["Id"], "Outcome": "ok"}
    try:
        answer["Result"] = json.loads(operation["Payload"])["name"].upper()   # the work
    except (ValueError, KeyError) as error:
        answer.update(Outcome="permanent", Error=f"unusable: {error!r}")
    print(json.dumps(answer), flush=True)       # an answer a line, at once
