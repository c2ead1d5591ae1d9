#!/usr/bin/env python3
import json, sys

broken = set()                                  # sequence groups in which something failed
for line in sys.stdin:
    member = json.loads(line)
    answer = {"Id": member["Id"], "Outcome": "ok"}
    if member["SequenceGroup"] in broken:
        answer["Outcome"] = "skipped"           # waits again: what it builds on is not done
    else:
        try:
            answer["Result"] = json.loads(member["Payload"])["name"].upper()   # the work
        except (ValueError, KeyError) as error:
            answer.update(Outcome="permanent", Error=f"unusable: {error!r}")
            if member["SequenceGroup"]:
                broken.add(member["SequenceGroup"])
    print(json.dumps(answer), flush=True)       # at once: it counts even if the next one kills this process
