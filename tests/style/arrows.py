#!/usr/bin/env python3
"""Checks that arrows between the rooms point one way only: from #include lines, against the table below.

A room is a folder of C files; a file is its .c and .h together. Two rules:
  1. a room may include only what the table allows it (besides itself);
  2. no file includes, over however many others, a file that includes it.

  tests/style/arrows.py [FOLDER]     the top of the checkout by default; exit 1 and a line for each breach
"""

import pathlib
import re
import sys

# Each room, and what it may include; from the ground upwards. What a room may include, its arrows are drawn to.
ROOMS = {
    "common/base": "",
    "common/record": "common/base",
    "common/functions": "common/record",
    "common/server": "common/base",
    "common/codec": "common/base common/record",
    "common/redis": "common/base common/record common/functions common/server common/codec",
    "common/reading": "common/base common/record common/redis",
    "common/metrics": "common/base common/record common/redis common/reading",
    "common/kafka": "common/base common/server",
    "common/http": "common/base",
    "common/service": "common/base",
    "common/config": "common/base common/record common/server common/redis common/kafka",
    "common/query": "common/base common/record common/redis common/reading",
    "common/view": "common/base common/record common/redis common/reading common/query",
    "common/action": "common/base common/record common/functions common/redis common/query",
    "common/client": "common/base common/record common/server common/codec",

    "coordinator/loop": "common/base common/record common/codec common/redis common/kafka common/config common/metrics",
    "coordinator/source": "common/* coordinator/loop",
    "coordinator/intake": "common/* coordinator/loop coordinator/source",
    "coordinator/status": "common/* coordinator/loop coordinator/source",
    "coordinator/actions": "common/* coordinator/loop",
    "coordinator/http": "common/*",
    "coordinator/daemon": "common/* coordinator/loop coordinator/source coordinator/intake coordinator/status "
                          "coordinator/actions coordinator/http",
    "coordinator/ctl": "common/*",
    "coordinator/ctl/submit": "common/* coordinator/ctl",
    "coordinator/ctl/read": "common/* coordinator/ctl",
    "coordinator/ctl/steer": "common/* coordinator/ctl",
    "coordinator/ctl/doctor": "common/* coordinator/ctl",
    "coordinator/ctl/shards": "common/* coordinator/ctl",
    "coordinator/ctl/completion": "common/* coordinator/ctl",
    "coordinator/dev": "common/*",

    "worker/execution": "common/*",
    "worker/traces": "common/* worker/execution",
    "worker/handlers": "common/* worker/execution",
    "worker/lease": "common/* worker/execution worker/handlers",
    "worker/report": "common/* worker/execution worker/lease",
    "worker/claim": "common/* worker/execution worker/handlers worker/lease worker/report",
    "worker/daemon": "common/* worker/execution worker/handlers worker/lease worker/report worker/claim "
                     "worker/traces",
}

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def read_includes(top):
    """{file without its ending: {the same of what it includes}}, for all that stands in a room."""
    graph = {}
    for tree in ("common", "coordinator", "worker"):
        for path in sorted(top.joinpath(tree).rglob("*.[ch]")):
            name = str(path.relative_to(top).with_suffix(""))
            wanted = graph.setdefault(name, set())
            for include in INCLUDE.findall(path.read_text()):
                target = include.removesuffix(".h")
                if target != name and "/" in target and target.split("/")[0] in ("common", "coordinator", "worker"):
                    wanted.add(target)
    return graph


def room_of(name):
    return name.rsplit("/", 1)[0]


def allowed(room, target):
    if target == room:
        return True
    return any(target == may or (may == "common/*" and target.startswith("common/")) for may in ROOMS[room].split())


def wrong_arrows(graph):
    for name, targets in sorted(graph.items()):
        room = room_of(name)
        if room not in ROOMS:
            yield f"{name}: its folder is in no row of ROOMS in tests/style/arrows.py"
            continue
        for target in sorted(targets):
            if not allowed(room, room_of(target)):
                yield f"{name} includes {target}.h: {room} may include {ROOMS[room] or 'nothing'}"


def circles(graph):
    """Each circle of files once, by a walk in depth; state 1: on the way, 2: done."""
    state, way, found = {}, [], []

    def walk(name):
        state[name] = 1
        way.append(name)
        for target in sorted(graph.get(name, ())):
            if state.get(target) == 1:
                found.append(" -> ".join(way[way.index(target):] + [target]))
            elif target not in state:
                walk(target)
        way.pop()
        state[name] = 2

    for name in sorted(graph):
        if name not in state:
            walk(name)
    return [f"circle: {circle}" for circle in found]


def main():
    top = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    graph = read_includes(top)
    if not graph:
        sys.exit(f"arrows: no C files below {top}")
    breaches = list(wrong_arrows(graph)) + circles(graph)
    print("\n".join(breaches) if breaches else f"{len(graph)} files in {len(ROOMS)} rooms: all arrows point one way")
    sys.exit(1 if breaches else 0)


if __name__ == "__main__":
    main()
