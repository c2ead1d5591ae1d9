"""The runs: which fault, how often, what must have come of it. Each takes a Session that is under load and returns when its
faults are over; the drain and the judgement are the same for all (run)."""
import os
import time

import growth
import redis
from confluent_kafka.admin import AdminClient, NewTopic
from failover import ClusterRig, SentinelRig, failovers
from history import Fault
from moves import BrokersRig, brokers, shards, shards_after
from queue_stack import ROOT, _quiet, eventually, free_ports, within
from session import crash_points


def none(session):
    """No fault, --seconds: nothing runs twice and nothing is repaired."""
    session.run_on(session.options.seconds or 30)


def none_after(session, figures, history):
    for what in ("reruns", "duplicates", "overlaps"):
        if figures[what]:
            session.wrong.append(f"{figures[what]} {what} without a fault")
    for what in ("lost", "superseded", "dup_exec", "adopted"):
        if history.totals.get(what, 0):
            session.wrong.append(f"{history.totals[what]} {what} without a fault")


# ---- processes die ----
def die_at(session, name, point):
    """The process starts again with a crash point and dies there; or, when its point does not come, in between."""
    rig, passes = session.rig, session.random.randint(1, 5)
    rig.stop(name)
    rig.crash[name] = f"{point}:{1 if point.startswith(('control', 'arm', 'open')) else passes}"
    process = rig.again(name)
    if point.startswith(("control", "arm", "open")):         # those of a new generation: Redis is another one
        with rig.fault("redis-down", "redis"):
            rig.kill("redis")
            rig.start_redis()
    try:
        within(15, lambda: process.poll() is not None, f"the death at {point}")
        session.notes["at_points"] = session.notes.get("at_points", 0) + 1
        rig.history.faults.append(Fault("kill", f"{name} {point}", time.monotonic(), time.monotonic()))
    except AssertionError:
        rig.kill_now(name)
    rig.processes.pop(name, None)
    died = time.monotonic()
    rig.again(name)
    session.wait_back(died)


def kills(kind, points):
    def run(session):
        """SIGKILL of a process, in turns at a crash point (all of them, one after the other) and at any moment."""
        for i in range(session.options.count):
            name = session.random.choice(session.rig.named(kind))
            if i % 2 == 0:
                die_at(session, name, points[(i // 2 + session.options.seed) % len(points)])
            else:
                session.run_on(session.random.uniform(0, 2))
                session.rig.kill_now(name)
                died = time.monotonic()
                session.rig.again(name)
                session.wait_back(died)
        session.need("kills", session.counted_fault("kill"), session.options.count)
    return run


# ---- Redis goes backwards ----
def power(session):
    """Redis loses power under load, with a disk that takes 0, 0.5 or 3 s to sync; it is away for 0.2 to 10 s."""
    rig, lost = session.rig, []
    for i in range(session.options.count):
        rig.delay.write_text(str(session.options.sync_ms if session.options.sync_ms is not None else (3000, 500, 0)[i % 3]))
        session.run_on(session.random.uniform(4, 8))
        generations = rig.generations()
        fault = rig.power_cut(session.random.choice([0.2, 0.2, 2.0, session.options.down]))
        lost.append(fault.detail["lost"])
        rig.wait_open(above=generations)
        session.wait_back(fault.end)
    rig.delay.write_text("0")
    session.need("redis_lost_mean", sum(lost) // max(1, len(lost)), session.options.least)


def emptied(session):
    """FLUSHALL under load: the coordinators halt with exit code 78 and replay nothing by themselves; --rebuild brings
    every operation back."""
    rig = session.rig
    for _ in range(session.options.count):
        session.run_on(5)
        with rig.fault("redis-empty", "redis"):
            rig.redis.flushall()
            if session.random.random() < 0.5:
                rig.kill("redis")
                rig.start_redis()
            names = rig.named("coordinator")
            for name in names:
                try:
                    code = within(30, lambda: rig.processes[name].poll(), f"the end of {name}")
                except AssertionError:
                    session.wrong.append(f"{name} goes on with an empty Redis")
                    rig.stop(name)
                    continue
                if code != 78:
                    session.wrong.append(f"{name} ended with {code}, not 78")
            if rig.redis.dbsize() and any(rig.redis.scan_iter("bgop:{*}:op:*")):
                session.wrong.append("records were replayed before anybody asked for it")
            for name in names:
                rig.processes.pop(name, None)
            rig.start_coordinator(1, "--rebuild")
            rig.wait_open()
            for number in range(2, len(names) + 1):
                rig.start_coordinator(number)
        session.wait_back(time.monotonic(), most=30)
    session.need("emptied", session.counted_fault("redis-empty"))


def failover(session):
    """A replica that lags is promoted in the place of its primary."""
    rig = session.rig
    for _ in range(session.options.count):
        [port] = free_ports(1)
        folder = rig.folder / f"replica-{port}"
        folder.mkdir()
        replica = rig.start("redis-replica", ["redis-server", ROOT / "deploy/redis/redis.conf", "--port", port, "--dir", folder, "--bind",
                                              "127.0.0.1", "--daemonize", "no", "--replicaof", f"127.0.0.1 {rig.redis_port}"])
        client = redis.Redis(host="127.0.0.1", port=port, decode_responses=True)

        def in_step():
            try:
                return client.info("replication").get("master_link_status") == "up"
            except redis.exceptions.RedisError:
                return False
        eventually(in_step, "the replica in step", 60)
        session.run_on(3)
        lag = session.random.uniform(0.5, 10)
        with rig.fault("redis-rollback", "redis") as fault:
            client.replicaof("NO", "ONE")                   # from here on it knows no more than it does
            behind = rig.redis.info("replication")["master_repl_offset"]
            session.run_on(lag)
            fault.detail["lost"] = (rig.redis.info("replication")["master_repl_offset"] - behind) // 100
            generations = rig.generations()
            rig.kill("redis")
            client.config_set("port", rig.redis_port)
            rig.processes["redis"] = rig.processes.pop("redis-replica")
            assert replica.poll() is None
            rig.redis_data = folder
            eventually(rig.redis_answers, "the promoted replica", 30)
        rig.wait_open(above=generations)
        session.wait_back(fault.end)
    session.need("failovers", session.counted_fault("redis-rollback"))


# ---- processes stand still ----
def stops(session):
    """SIGSTOP of one process for a second to a minute; workers sometimes longer than their leases."""
    rig, kinds = session.rig, ["worker", "redis", "coordinator", "kafka", "worker"]
    for i in range(session.options.count):
        name = session.random.choice(rig.named(kinds[i % len(kinds)]))
        most = session.options.down
        with rig.stopped(name):
            session.run_on(session.random.uniform(rig.history.lease_s + 3, most) if name.startswith("worker")
                           else session.random.uniform(1, most))
        resumed = time.monotonic()
        session.run_on(2)
        if rig.processes[name].poll() is not None:           # it stood still for too long and says so
            session.notes["aborted"] = session.notes.get("aborted", 0) + 1
            rig.again(name)
        session.wait_back(resumed, most=30)
    session.need("stops", session.counted_fault("stop"))


# ---- Kafka ----
def kafka_down(session):
    """The broker is away for --down seconds: no further execution, and what waited is worked off at twice the load."""
    rig = session.rig
    for _ in range(session.options.count):
        with rig.fault("kafka-down", "kafka"):
            rig.kill("kafka")
            session.run_on(session.options.down)
            rig.start_kafka()
        back, backlog = time.monotonic(), sum(s.acked_at is None for s in rig.history.submissions)
        session.wait_back(back, most=60)
        eventually(lambda: not any(s.acked_at is None and s.sent_at < back for s in rig.history.submissions),
                   "all that was submitted meanwhile to be acknowledged", 300)
        session.notes["backlog"] = max(backlog, session.notes.get("backlog", 0))
        session.notes["queue_full"] = session.load.queue_full
    session.need("outages", session.counted_fault("kafka-down"))


def kafka_tail(session):
    """The newest 1 to 50% of one partition of submit, status or command are gone when the broker comes back."""
    rig, lost = session.rig, 0
    for i in range(session.options.count):
        topic = session.options.topic or ("submit", "status", "command")[i % 3]
        session.run_on(6)
        [fault] = rig.kafka_tail((topic, session.random.randrange(4), session.random.uniform(0.2, 0.5)))
        lost += fault.detail["lost"]
        session.wait_back(fault.end)
        if session.load.producers > 1:
            session.notes["producers"] = session.load.producers
    session.need("kafka_lost_messages", lost, 1)


def recreated(session):
    """The submit topic is deleted and made again while coordinators run: offsets begin at 0."""
    rig = session.rig
    admin = AdminClient({"bootstrap.servers": rig.env["BGOP_KAFKA"], "logger": _quiet})
    for _ in range(session.options.count):
        session.run_on(5)
        ends = {}
        for p, offset, _ in rig.read_topic("bgop.submit"):
            ends[p] = offset + 1
        began = time.monotonic()
        faults = [Fault("kafka-tail", f"submit-{p}", began, detail={"topic": "submit", "partition": p, "kept": 0,
                                                                            "was": ends.get(p, 0) + 1000, "lost": 0})
                  for p in range(4)]
        rig.history.faults += faults
        admin.delete_topics(["bgop.submit"])["bgop.submit"].result(30)
        eventually(lambda: "bgop.submit" not in admin.list_topics(timeout=5).topics, "the topic's end", 30)
        admin.create_topics([NewTopic("bgop.submit", 4, 1)])["bgop.submit"].result(30)
        for fault in faults:
            fault.end = time.monotonic()
        session.load.fatal = True
        session.wait_back(time.monotonic())
    session.need("recreated", session.options.count)


def hints(session):
    """No worker is there; hints pile up, and all of them are lost with the topics' newest parts. Whoever comes finds the
    work by looking."""
    rig = session.rig
    for _ in range(session.options.count):
        names = rig.named("worker")
        for name in names:
            rig.stop(name)
        session.run_on(6)
        faults = rig.kafka_tail(*[(kind, p, 1.0) for kind in ("WebCart", "Sweeper", "SiteTaskCreate") for p in range(4)])
        waiting = sum(of.get("New", 0) for of in rig.stats()["byType"].values())
        session.notes["found_by_looking"] = session.notes.get("found_by_looking", 0) + waiting
        for name in names:
            rig.again(name)
        session.wait_back(faults[-1].end, most=60)
    session.need("found_by_looking", session.notes.get("found_by_looking", 0), 20)


# ---- clocks and links ----
def clocks(session):
    """Clocks of Redis and of workers jump: by an hour, by ten seconds, forth and back."""
    rig = session.rig
    for i in range(session.options.count):
        session.run_on(3)
        name = "redis" if i % 2 == 0 else session.random.choice(rig.named("worker"))
        rig.redis_offset(session.random.choice([-3600000, -10000, 10000, 3600000]), name)
        session.run_on(6)
        rig.redis_offset(0, name)
        session.wait_back(time.monotonic(), most=90)
    session.need("jumps", session.counted_fault("clock"))


def links(session):
    """The link between one process and Redis is cut, deaf in one direction or both, or slow, for a second and more."""
    rig = session.rig
    for i in range(session.options.count):
        name = session.random.choice(rig.named(("worker", "coordinator")[i % 2]))
        link, how = rig.links[name], ("cut", "deaf", "there", "back", "slow")[i % 5]
        with rig.fault("link", name, how=how):
            if how == "cut":
                link.cut = True
            elif how == "slow":
                link.bytes_per_s = 20000
            else:
                link.deaf = {"there", "back"} if how == "deaf" else {how}
            session.run_on(session.random.uniform(1, session.options.down))
            link.cut, link.deaf, link.bytes_per_s = False, set(), None
        resumed = time.monotonic()
        session.run_on(1)
        if rig.processes[name].poll() is not None:
            session.notes["aborted"] = session.notes.get("aborted", 0) + 1
            rig.again(name)
        session.wait_back(resumed, most=45)
    session.need("cuts", session.counted_fault("link"))


# ---- bad input, bad handlers, no room ----
def poison(session):
    """A hundred bad messages and too large ones a round among the good ones."""
    rig = session.rig
    fault = rig.fault("load", "submit")
    with fault:
        for _ in range(session.options.count):
            for _ in range(100):
                with session.load.lock:
                    value = session.load.poison(len(rig.history.submissions))
                    session.load.send("poison", value, type="", refused="poison")
            with session.load.lock:
                session.load.send("poison", b'{"Type":"WebCart","Payload":"' + b"x" * 400000 + b'"}', type="", refused="oversize")
            session.run_on(2)
    session.need("poison", sum(s.refused in ("poison", "oversize") for s in rig.history.submissions), 100)


def hurting(session):
    """Handlers that fork, take memory, flood their output, close their input, leave children: others are unaffected."""
    rig = session.rig
    with rig.fault("handler", "worker"):
        for _ in range(session.options.count):
            for verb in ("fork 40", "hog 64", "flood 8", "child 1", "closed 0", "crash 1", "hang 1"):
                session.load.give(lambda serial, verb=verb: {"Type": "WebCart", "ParentKey": "hurting",
                                                             "Payload": f"{serial} {verb} 50"})
            session.run_on(3)
    session.wait_back(time.monotonic(), most=30)
    session.need("hurting", 7 * session.options.count)


def memory(session):
    """Redis reaches maxmemory, then gets room: intake stops, what runs ends, and it goes on by itself."""
    rig = session.rig
    for _ in range(session.options.count):
        session.run_on(4)
        with rig.fault("redis-full", "redis") as fault:
            used = rig.redis.info("memory")["used_memory"]
            rig.redis.config_set("maxmemory", int(used * 1.02))
            eventually(lambda: refused(rig) or time.monotonic() > fault.begin + 40, "memory to be short", 60, 0.2)
            session.notes["short_of_memory"] = session.notes.get("short_of_memory", 0) + refused(rig)
            session.run_on(5)
            rig.redis.config_set("maxmemory", 0)
        session.wait_back(fault.end, most=30)
    session.need("short_of_memory", session.notes.get("short_of_memory", 0))


def refused(rig):
    return any("ingest paused" in rig.log(name) for name in rig.named("coordinator")) or \
        rig.redis.info("memory")["used_memory"] > rig.redis.info("memory")["maxmemory"] * 0.8


def disk(session):
    """The disk of the AOF (a tmpfs) fills up and gets room: nothing is lost, and it goes on by itself."""
    rig = session.rig
    for _ in range(session.options.count):
        session.run_on(3)
        with rig.fault("redis-full", "disk"):
            filler = rig.redis_data / "filler"
            with open(filler, "wb") as file:
                try:
                    while True:
                        file.write(b"\0" * 65536)
                        file.flush()
                except OSError:
                    pass
            eventually(lambda: rig.redis.info("persistence")["aof_last_write_status"] != "ok", "Redis to refuse", 60, 0.2)
            session.run_on(session.options.down)
            os.unlink(filler)
        session.notes["refusals"] = session.notes.get("refusals", 0) + 1
        session.wait_back(time.monotonic(), most=30)
    session.need("refusals", session.notes.get("refusals", 0))


# ---- long and large ----
def soak(session):
    """--seconds of load with a fault of any kind each minute; memory and descriptors of what was not killed stay flat."""
    rig, end, samples = session.rig, time.monotonic() + (session.options.seconds or 600), []

    def one_fault():
        dice = session.random.randrange(6)
        if dice == 0:
            rig.kill_now(name := session.random.choice(rig.named("worker")))
            rig.again(name)
        elif dice == 1:
            rig.kill_now("coordinator-2")
            rig.again("coordinator-2")
        elif dice == 2:
            rig.delay.write_text("500")
            session.run_on(4)
            rig.power_cut(0.2)
            rig.delay.write_text("0")
        elif dice == 3:
            with rig.stopped(session.random.choice(rig.named("worker"))):
                session.run_on(rig.history.lease_s + 3)
        elif dice == 4:
            with rig.fault("kafka-down", "kafka"):
                rig.kill("kafka")
                session.run_on(5)
                rig.start_kafka()
        else:
            with rig.stopped("redis"):
                session.run_on(4)
    while time.monotonic() < end:
        began = time.monotonic()
        one_fault()
        session.wait_back(time.monotonic(), most=60)
        process = rig.processes["coordinator-1"]
        samples.append((time.monotonic(), growth.resident_kib(process.pid), growth.open_files(process.pid)))
        session.run_on(max(0, min(end - time.monotonic(), (session.options.every or 60) - (time.monotonic() - began))))
    half = len(samples) // 2
    if half:
        session.notes["rss_kib"], session.notes["descriptors"] = [samples[half][1], samples[-1][1]], [samples[half][2], samples[-1][2]]
        if samples[-1][2] > samples[half][2] + 20 or samples[-1][1] > samples[half][1] * 1.25:
            session.wrong.append(f"coordinator-1 grows: {samples[half]} to {samples[-1]}")
    session.need("faults", len(rig.history.faults))


def steady(session):
    """--seconds of the same load without a fault, nearly all of it no-ops whose records go after 15 s: memory, open files and
    what Redis holds beside the records and its logs stay flat. (24,000 a minute: --rate 400.)"""
    rig, samples, end = session.rig, [], time.monotonic() + (session.options.seconds or 600)
    names = sorted(name for name in rig.processes if name != "kafka")
    while time.monotonic() < end:
        samples.append(growth.sample(rig, names))
        session.run_on(min(5, max(0.1, end - time.monotonic())))
    wrong, figures = growth.judge(samples, names)
    session.wrong += wrong
    session.notes.update(figures)
    session.need("samples", len(samples), 30)


def backlog(session):
    """--count operations wait while no worker is there; then one works, then three. One ParentKey has 30%."""
    rig = session.rig
    for name in rig.named("worker"):
        rig.stop(name)
    def done():
        return rig.stats()["byType"]["Sweeper"].get("Complete", 0)
    with rig.fault("load", "backlog"):
        for n in range(session.options.count):
            parent = "hot" if n % 10 < 3 else f"k{n % 5000}"
            session.load.give(lambda serial, parent=parent: {"Type": "Sweeper", "ParentKey": parent, "Payload": str(serial)})
        first, began = done(), time.monotonic()
        rig.start_worker(1)
        eventually(lambda: done() - first >= session.options.count // 3, "a third, by one worker", 1200, 0.5)
        one, second, rest = (done() - first) / (time.monotonic() - began), done(), time.monotonic()
        for number in (2, 3):
            rig.start_worker(number)
        eventually(lambda: done() - first >= session.options.count, "all of the backlog", 1200, 0.5)
        three = (done() - second) / (time.monotonic() - rest)
    session.notes["rates"] = [round(one), round(three)]
    session.need("backlog", session.options.count, 1000)


def smoke(session):
    """One fault of each kind after the other: a coordinator and a worker die at a crash point, Redis loses power, a worker
    stands still for longer than its leases, Kafka goes away for a moment."""
    rig = session.rig
    die_at(session, "coordinator-1", "apply-sent")
    die_at(session, "worker-1", "delivery-before")
    rig.delay.write_text("3000")
    session.run_on(5)
    fault = rig.power_cut()
    rig.delay.write_text("0")
    session.wait_back(fault.end)
    with rig.stopped("worker-2"):
        session.run_on(rig.history.lease_s + 3)
    session.wait_back(time.monotonic())
    with rig.fault("kafka-down", "kafka"):
        rig.kill("kafka")
        rig.start_kafka()
    session.wait_back(time.monotonic())
    session.need("redis_lost_writes", fault.detail["lost"])
    session.need("kills", session.counted_fault("kill"), 2)


COORDINATOR_POINTS, WORKER_POINTS = crash_points()
COORDINATOR_POINTS.remove("genesis-after")          # only at the very first start: tests/e2e/test_crash_points.py

# name: (function, default of --count, what the rig needs, default of --down)
RUNS = {
    "smoke": (smoke, 1, {}, 0),
    "F0": (none, 1, {}, 0),
    "F1": (kills("coordinator", COORDINATOR_POINTS), 10, {}, 0),
    "F2": (kills("worker", WORKER_POINTS), 10, {}, 0),
    "F3": (power, 10, {}, 10.0),
    "F4": (stops, 5, {}, 12.0),
    "F5": (failover, 2, {}, 0),
    "F5-cluster": (failovers, 3, {"kind": ClusterRig}, 0),
    "F5-sentinel": (failovers, 3, {"kind": SentinelRig}, 0),
    "F5-empty": (emptied, 1, {}, 0),
    "F5-shards": (shards, 1, {"kind": ClusterRig}, 0),
    "F6": (kafka_down, 1, {}, 60.0),
    "F6-brokers": (brokers, 1, {"kind": BrokersRig}, 0),
    "F7": (kafka_tail, 3, {}, 0),
    "F7-recreated": (recreated, 1, {}, 0),
    "F8": (links, 5, {"linked": True}, 12.0),
    "F8-clocks": (clocks, 4, {}, 0),
    "F9": (hints, 1, {}, 0),
    "F10": (poison, 3, {}, 0),
    "F11": (hurting, 2, {}, 0),
    "F12": (memory, 1, {}, 0),
    "F12-disk": (disk, 1, {"small_disk": True}, 5.0),
    "F13": (soak, 1, {}, 0),
    "F13-steady": (steady, 1, {"removed_after_s": 15, "noop": 0.95}, 0),
    "F14": (backlog, 200000, {}, 0),
}
AFTER = {"F0": none_after, "F5-shards": shards_after}
