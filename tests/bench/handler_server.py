#!/usr/bin/env python3
"""A web server that does what payloads say, for the benchmarks: cheap enough that it is not what is measured.

    handler_server.py PORT BOOK

A payload is words: how the attempt ends, how long it takes, and a tag for whoever reads the book.
    ok MS TAG                 succeeds after MS milliseconds
    fail MS TAG               fails
    flaky PERCENT MS TAG      fails in so many of a hundred attempts, always in the same ones (by Id and attempt)
    once MS TAG               fails at the first attempt
    pick MS TAG               one member of each execution group fails: at its first two attempts, or (by Id) at all
A body that is a JSON array is an execution group: each member does what its own payload says, after the longest time.

The book has a line for each beginning and end of a member's attempt: "start|ok|failed|gone ms request Id token attempt
payload"; "gone": the worker went away before it had its answer. Requests are numbered; members of a group share one.
"""
import asyncio
import json
import signal
import sys
import time
import zlib


def outcome(payload, operation, attempt):
    """(succeeds, milliseconds) of an attempt."""
    words = payload.split(" ")
    if words[0] == "flaky":
        return zlib.crc32(f"{operation} {attempt}".encode()) % 100 >= int(words[1]), float(words[2])
    return words[0] != "fail" and (words[0] != "once" or attempt > 1), float(words[1])


def pick(members, picked):
    """Chooses who fails in this group, unless one is there who was chosen before. picked: Id -> for ever?"""
    chosen = [member for member in members if member.operation in picked]
    if not chosen and len(members) > 1:
        chosen = [members[len(members) // 2]]
        picked[chosen[0].operation] = zlib.crc32(chosen[0].operation.encode()) % 2 == 1
    for member in chosen:
        member.succeeds = int(member.attempt) > 2 and not picked[member.operation]


class Member:
    __slots__ = ("operation", "token", "attempt", "payload", "succeeds", "ms")

    def __init__(self, operation, token, attempt, payload):
        self.operation, self.token, self.attempt, self.payload = operation, token, attempt, payload
        self.succeeds, self.ms = outcome(payload, operation, int(attempt))


class Connection(asyncio.Protocol):
    book = None
    requests = 0
    picked = {}

    def connection_made(self, transport):
        self.transport, self.buffer, self.running, self.timer = transport, b"", None, None

    def note(self, what, member):
        self.book.write(f"{what} {time.time() * 1000:.3f} {self.request} {member.operation} {member.token} "
                        f"{member.attempt} {member.payload}\n")

    def data_received(self, data):
        self.buffer += data
        head_size = self.buffer.find(b"\r\n\r\n")
        if head_size < 0:
            return
        headers = {}
        for line in self.buffer[:head_size].decode("latin-1").split("\r\n")[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        size = head_size + 4 + int(headers.get("content-length", 0))
        if "100-continue" in headers.get("expect", "") and len(self.buffer) == head_size + 4 < size:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if len(self.buffer) < size:
            return
        body, self.buffer = self.buffer[head_size + 4:size].decode(), self.buffer[size:]
        self.begin(headers, body)

    def begin(self, headers, body):
        Connection.requests += 1
        self.request, self.is_group = Connection.requests, body.startswith("[")
        if self.is_group:
            self.running = [Member(m["Id"], m["Token"], m["Attempt"], m["Payload"]) for m in json.loads(body)]
            if self.running[0].payload.startswith("pick "):
                pick(self.running, Connection.picked)
        else:
            self.running = [Member(headers["idempotency-key"], headers["x-bgop-token"], headers["x-bgop-attempt"], body)]
        for member in self.running:
            self.note("start", member)
        longest = max(member.ms for member in self.running)
        if longest > 0:
            self.timer = asyncio.get_running_loop().call_later(longest / 1000, self.end)
        else:
            self.end()

    def end(self):
        members, self.running, self.timer = self.running, None, None
        for member in members:
            self.note("ok" if member.succeeds else "failed", member)
        status, body = "200 OK", b""
        if self.is_group:
            body = json.dumps([{"Id": m.operation, "Outcome": "ok"} if m.succeeds else
                               {"Id": m.operation, "Outcome": "error", "Error": "failed as told"} for m in members]).encode()
        elif not members[0].succeeds:
            status, body = "500 Failed", b"failed as told"
        self.transport.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    def connection_lost(self, error):
        if self.timer:
            self.timer.cancel()
        for member in self.running or ():
            self.note("gone", member)


async def serve(port, book):
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    Connection.book = book
    server = await loop.create_server(Connection, "127.0.0.1", port, backlog=1024)
    print("ready", flush=True)
    await stop.wait()
    server.close()


with open(sys.argv[2], "w") as opened:
    asyncio.run(serve(int(sys.argv[1]), opened))
