"""Other queues, loaded like ours on the same machine in the same session. Each is a small program in peers/; what it needs is
a Debian package (deploy/deps --peers) or is fetched from its registry when it is first used. This file's table needs neither."""
import json
import os
import pathlib
import re
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
        return cache("bullmq")

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


class GoPeer:
    """Its program is a folder of the module in peers/go, which pins what it is made of."""
    needs = ["go"]
    package, module, tool = "", "", ""          # tool: a server that is a Go program as well

    @classmethod
    def prepare(cls):
        text = output(shutil.which("go"), "version")
        found = re.search(r"go(\d+)\.(\d+)", text)
        if not found or tuple(map(int, found.groups())) < GO:
            raise RuntimeError(f"{cls.package}: Go {GO[0]}.{GO[1]} or later is needed, from {WHENCE['go']}: {text.strip()}")
        cache("go").mkdir(parents=True, exist_ok=True)
        for package in filter(None, [f"./{cls.package}", cls.tool]):
            output(shutil.which("go"), "build", "-buildvcs=false", "-o", f"{cache('go')}/", package, cwd=HERE / "go")

    @classmethod
    def version(cls):
        return re.search(rf"{cls.module} v(\S+)", (HERE / "go" / "go.mod").read_text())[1]

    @classmethod
    def start_worker(cls, server, port, slots):
        words = [cache("go") / cls.package, port, slots]
        server.start("worker", [*words, "worker"])
        server.wait_log("worker", "ready")
        return words


class Nats(GoPeer):
    """A JetStream work queue on file, synced every two minutes (its default). It keeps no record of a job that has ended."""
    package, module, tool = "nats", "github.com/nats-io/nats-server/v2", "github.com/nats-io/nats-server/v2"

    @classmethod
    def start(cls, server, _tools):
        [port] = server.more_ports(1)
        server.start("nats", [cache("go") / "nats-server", "-a", "127.0.0.1", "-p", port, "-js", "-sd", server.folder / "nats"])
        server.wait_port(port)
        return cls.start_worker(server, port, SLOTS)


class River(GoPeer):
    """On a PostgreSQL that syncs each commit (its default). Every job's row is kept (its default, for a day)."""
    needs = ["go", "postgres", "initdb"]
    package, module = "river", "github.com/riverqueue/river"
    SLOTS = 2000                # as its own benchmark has; each fetch takes what is free, so 64 would make it slower
    POSTGRES = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "shared_buffers=1GB",
                "-c", "max_wal_size=4GB"]

    @classmethod
    def start(cls, server, _tools):
        port, server.env["TELL_PORT"] = map(str, server.more_ports(2))
        data, become = server.folder / "postgres", []
        data.mkdir()
        if os.getuid() == 0:    # it refuses to run as root
            become = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
            shutil.chown(data, "postgres", "postgres")
            server.folder.chmod(0o711)
        output(*become, program("initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", cwd=data)
        server.start("postgres", [*become, program("postgres"), "-D", data, "-p", port, *cls.POSTGRES])
        server.wait_port(port)
        server.wait_log("postgres", "ready to accept connections")
        return cls.start_worker(server, port, cls.SLOTS)


PEERS = {"bullmq": BullMq, "river": River, "nats": Nats, "beanstalkd": Beanstalkd}
WHENCE = {"go": "https://go.dev/dl (Debian 12 has one that is too old)"}
GO = (1, 21)                    # from here on it fetches by itself what the module says


def cache(name):
    folder = os.environ.get("BGOP_CACHE") or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "bgop"
    return pathlib.Path(folder) / "peers" / name


def program(name):
    """Where it is: Debian has PostgreSQL's servers outside of PATH, a folder for each version."""
    newest = sorted(pathlib.Path("/usr/lib/postgresql").glob(f"[0-9]*/bin/{name}"), key=lambda path: int(path.parts[4]))
    return shutil.which(name) or (newest[-1] if newest else None)


def output(*command, **options):
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def prepare(names):
    for name in names:
        for needed in PEERS[name].needs:
            if not program(needed):
                raise RuntimeError(f"{name}: {needed} is not installed; {WHENCE.get(needed, 'deploy/deps --peers')}")
        PEERS[name].prepare()


def version(name):
    return PEERS[name].version()


def measured(server, words):
    from kit_queue import Failed, costs, spent
    roots = {name: process.pid for name, process in server.processes.items()}
    load, before, children = os.getloadavg()[0], spent(roots), os.times()
    try:
        figures = json.loads(output(*words, env=server.env))
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
