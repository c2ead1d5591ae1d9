"""Salesforce's own clients, unmodified, read a queue of real programs over HTTP: simple-salesforce (Python), force-rest-api
(Java), and jsforce where node and npm are. They are installed once, pinned, into the cache folder ($BGOP_CACHE)."""
import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

from grounds import Stack
from queue_stack import eventually, free_ports

CLIENTS = pathlib.Path(__file__).resolve().parent / "clients"
CACHE = pathlib.Path(os.environ.get("BGOP_CACHE") or
                     pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "bgop").expanduser()
JSFORCE = "jsforce@3.10.16"         # its last that runs on node 18
TOKEN = "00Dxx0000000001!of.these_tests"
CROWD = 5000
CONFIG = """
[http]
listen = 127.0.0.1:%d
token_file = %s
[type WebCart]
handler = noop
[type Sweeper]
handler = noop
retention_s = 1
[type XClean]
handler = exec
command = /bin/sh -c 'echo no such site >&2; exit 65'
"""


@contextlib.contextmanager
def locked(folder):
    """One of several test processes installs; the others wait for it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))} exited {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done.stdout


def install(*command):
    """A registry that cannot be reached is none of the queue's faults."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise unittest.SkipTest(f"{' '.join(map(str, command))} exited {done.returncode}: {done.stderr[-500:]}")


def python_with_clients():
    wanted = CLIENTS / "requirements.txt"
    folder = CACHE / f"python-clients-{hashlib.sha256(wanted.read_bytes()).hexdigest()[:12]}"
    with locked(folder):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            run("/usr/bin/python3", "-m", "venv", folder)
            install(folder / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "-r", wanted)
            (folder / "complete").touch()
    return folder / "bin/python"


def node_modules_with_clients():
    folder = CACHE / f"node-clients-{JSFORCE.partition('@')[2]}"
    with locked(folder):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            install("npm", "install", "--prefix", folder, "--no-audit", "--no-fund", "--ignore-scripts", JSFORCE)
            (folder / "complete").touch()
    return folder / "node_modules"


def jars_with_client():
    wanted = CLIENTS / "pom.xml"
    folder = CACHE / f"java-clients-{hashlib.sha256(wanted.read_bytes()).hexdigest()[:12]}"
    with locked(folder):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            install("mvn", "-q", "-B", "-f", wanted, "org.apache.maven.plugins:maven-dependency-plugin:copy-dependencies",
                    "-DincludeScope=runtime", f"-DoutputDirectory={folder}")
            (folder / "complete").touch()
    return ":".join(map(str, sorted(folder.glob("*.jar"))))


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        [port] = free_ports(1)
        cls.stack = Stack("")
        token_file = cls.stack.folder / "http-token"
        token_file.write_text(TOKEN + "\n")
        with open(cls.stack.config, "a") as config:
            config.write(CONFIG % (port, token_file))
        cls.stack.__enter__()
        cls.env = dict(os.environ, BGOP_HTTP=f"http://127.0.0.1:{port}", BGOP_HTTP_TOKEN=TOKEN)
        try:
            cls.fill()
        except BaseException:
            cls.stack.__exit__(*sys.exc_info())
            raise

    @classmethod
    def tearDownClass(cls):
        cls.stack.__exit__(None, None, None)

    @classmethod
    def fill(cls):
        crowd = cls.stack.submit([{"Type": "WebCart", "ParentKey": "crowd"} for _ in range(CROWD)])
        several = cls.stack.submit([{"Type": "WebCart", "ParentKey": "several", "Name": f"s{n}"} for n in range(3)])
        one, failed, removed = cls.stack.submit([
            {"Type": "WebCart", "Name": "a b/c"}, {"Type": "XClean", "ParentKey": "failed"},
            {"Type": "Sweeper", "ParentKey": "removed"}])
        cls.stack.wait_terminal(crowd + several + [one, failed], timeout=120)
        eventually(lambda: cls.stack.retrieve([removed]) == [None], "what has expired is removed", 120)
        cls.for_java = (one, failed, str(CROWD))
        cls.there = json.dumps({"one": one, "several": several, "failed": failed, "removed": removed, "crowd": CROWD})

    def test_simple_salesforce(self):
        run(python_with_clients(), CLIENTS / "read_queue.py", env=self.env, input=self.there, timeout=300)

    def test_force_rest_api(self):
        classes, jars = self.stack.folder / "classes", jars_with_client()
        run("ecj", "-17", "-nowarn", "-proc:none", "-cp", jars, "-d", classes, CLIENTS / "ReadQueue.java")
        run("java", "-cp", f"{classes}:{jars}", "ReadQueue", *self.for_java, env=self.env, timeout=300)

    @unittest.skipUnless(shutil.which("node") and shutil.which("npm"), "no node, or no npm")
    def test_jsforce(self):
        run("node", CLIENTS / "read_queue.js", env=dict(self.env, NODE_PATH=str(node_modules_with_clients())),
            input=self.there, timeout=300)


if __name__ == "__main__":
    unittest.main(verbosity=2)
