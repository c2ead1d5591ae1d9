"""Other queues, loaded like ours on the same machine in the same session. Each is a small program in peers/; what it needs is
a Debian package (deploy/deps --peers) or is fetched from its registry when it is first used. This file's table needs neither."""
import json
import os
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent / "peers"
SLOTS = 64


class Beanstalkd:
    """With its binlog, synced at most every 50 ms (its default). It keeps no record of a job that has ended."""
    needs = ["beanstalkd"]

    @staticmethod
    def prepare():
        pass

    @staticmethod
    def version():
        return output(shutil.which("beanstalkd"), "-v").split()[-1]

    @staticmethod
    def start(server, tools):
        [port] = server.more_ports(1)
        server.start("beanstalkd", [shutil.which("beanstalkd"), "-l", "127.0.0.1", "-p", port, "-b", server.folder])
        server.wait_port(port)
        return [tools / "bench_beanstalkd", port, SLOTS]


class BullMq:
    """On a Redis with the queue's own redis.conf. Every job's record is kept (its default)."""
    needs = ["node", "npm"]

    @staticmethod
    def folder():
        cache = os.environ.get("BGOP_CACHE") or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "bgop"
        return pathlib.Path(cache) / "peers" / "bullmq"

    @classmethod
    def prepare(cls):
        folder = cls.folder()
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("bench.js", "package.json"):
            shutil.copy(HERE / "bullmq" / name, folder)
        output(shutil.which("npm"), "install", "--no-audit", "--no-fund", "--silent", cwd=folder)

    @classmethod
    def version(cls):
        return json.loads((cls.folder() / "node_modules/bullmq/package.json").read_text())["version"]

    @classmethod
    def start(cls, server, _tools):
        server.start_redis()
        words = [shutil.which("node"), cls.folder() / "bench.js", server.redis_port, SLOTS]
        server.start("worker", [*words, "worker"])
        server.wait_log("worker", "ready")
        return words


PEERS = {"bullmq": BullMq, "beanstalkd": Beanstalkd}


def output(*command, **options):
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def prepare(names):
    for name in names:
        for program in PEERS[name].needs:
            if not shutil.which(program):
                raise RuntimeError(f"{name}: {program} is not installed; deploy/deps --peers")
        PEERS[name].prepare()


def version(name):
    return PEERS[name].version()


def measured(server, words):
    from kit_queue import Failed, costs, spent
    roots = {name: process.pid for name, process in server.processes.items()}
    load, before, children = os.getloadavg()[0], spent(roots), os.times()
    try:
        figures = json.loads(output(*words))
    except RuntimeError as error:
        raise Failed(str(error)) from None
    if figures["completed"] != figures["operations"]:
        raise Failed(f"of {figures['operations']} jobs {figures['completed']} were completed")
    after, ended = spent(roots), os.times()
    cpu = {name: after[name] - before[name] for name in after}
    cpu["load"] = ended.children_user + ended.children_system - children.children_user - children.children_system
    spent_by = costs(cpu, figures.pop("submitted"))
    return {"load_average": round(load, 2), **figures, **spent_by}


def run(name, options, tools):
    """One run of each kind, on a server of its own and after a warm-up: (kind, figures)."""
    from kit_queue import PeerServer
    loads = {"rate": ["rate", options.operations],
             "latency": ["latency", options.rate, options.seconds, options.warm_up]}
    for kind, load in loads.items():
        with PeerServer() as server:
            words = PEERS[name].start(server, tools)
            measured(server, [*words, "rate", max(1, options.operations // 5)])
            yield kind, measured(server, [*words, *load])
