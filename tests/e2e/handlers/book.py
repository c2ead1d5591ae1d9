#!/usr/bin/python3
"""A group handler for the tests. Each member's payload is what to do with it: "verb argument". Keeps a book: one JSON
line per event ("start" and "end" of an execution, "did" a member) in group.book of its working folder."""
import json
import os
import signal
import sys
import time


def note(event, **more):
    line = json.dumps(dict(event=event, at=time.time(), leader=os.environ["BGOP_ID"], type=os.environ["BGOP_TYPE"],
                           parent=os.environ.get("BGOP_PARENT_KEY"), **more)) + "\n"
    book = os.open("group.book", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(book, line.encode())               # one write a line: several handlers share the book
    os.close(book)


def do(member):
    verb, _, argument = member["Payload"].partition(" ")
    number = float(argument.split()[0]) if argument[:1].isdigit() else 0
    first = member["Attempt"] <= (number or 1)
    if verb == "sleep":
        time.sleep(number)
    elif verb == "crash":                       # the poisonous one
        os.kill(os.getpid(), signal.SIGSEGV)
    elif verb == "hang" and first:
        time.sleep(1000)
    elif verb == "exit" and first:
        print("no more today", file=sys.stderr)
        sys.exit(65)
    elif verb == "large":
        return {"Outcome": "ok", "Result": "r" * int(number)}
    elif verb == "fail" and first:
        return {"Outcome": "error", "Error": f"failed at attempt {member['Attempt']}"}
    elif verb == "permanent":
        return {"Outcome": "permanent", "Error": "refused"}
    elif verb == "silent" and first:
        return None
    return {"Outcome": "ok", "Result": f"did {member['Payload'][:40]}"}


def main():
    members = [json.loads(line) for line in sys.stdin]
    assert len(members) == int(os.environ["BGOP_MEMBERS"])
    note("start", members=[m["Id"] for m in members], bytes=sum(len(m["Payload"]) for m in members))
    broken = set()
    for member in members:
        sequence = member["SequenceGroup"]
        answer = {"Outcome": "skipped"} if sequence in broken else do(member)
        if sequence and (answer is None or answer["Outcome"] != "ok"):
            broken.add(sequence)
        note("did", id=member["Id"], attempt=member["Attempt"], sequence=sequence, number=member["SequenceNumber"],
             outcome=answer and answer["Outcome"])
        if answer is not None:
            print(json.dumps(dict(answer, Id=member["Id"])), flush=True)
    note("end")


main()
