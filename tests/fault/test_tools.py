#!/usr/bin/python3
"""What hurts the queue does what it says: the preloads, the link that is cut, the reading of logs, the mutants."""
import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(1, str(HERE.parent / "e2e"))

from failover import commands_lost  # noqa: E402
from link import Link  # noqa: E402
from queue_stack import BIN, eventually  # noqa: E402
from rig import batches_of, commands_behind, kind_name, mend_aof, status_batch  # noqa: E402
from session import crash_points  # noqa: E402


def preloaded(library, code, **env):
    """What a Python program prints under a preload."""
    done = subprocess.run(["/usr/bin/python3", "-c", code], env=dict(os.environ, LD_PRELOAD=str(BIN / library), **env),
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class Preloads(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name) / "x.1.incr.aof"

    def test_a_sync_leaves_the_length_from_before_it(self):
        code = (f"import os\nf = os.open({str(self.path)!r}, os.O_CREAT | os.O_WRONLY)\nos.write(f, b'12345')\n"
                "os.fdatasync(f)\nos.write(f, b'678')")
        preloaded("power_loss.so", code)
        self.assertEqual(pathlib.Path(f"{self.path}.synced").read_text(), "5\n")
        self.assertEqual(self.path.stat().st_size, 8)

    def test_a_sync_takes_as_long_as_the_file_says(self):
        delay = pathlib.Path(self.folder.name) / "delay"
        delay.write_text("300")
        code = (f"import os, time\nf = os.open({str(self.path)!r}, os.O_CREAT | os.O_WRONLY)\nt = time.monotonic()\n"
                "os.fsync(f)\nprint(time.monotonic() - t)")
        self.assertGreaterEqual(float(preloaded("power_loss.so", code, BGOP_SYNC_DELAY=str(delay))), 0.3)

    def test_the_clock_is_shifted_and_the_monotonic_one_is_not(self):
        skew = pathlib.Path(self.folder.name) / "skew"
        code = "import time\nprint(time.time(), time.clock_gettime(time.CLOCK_REALTIME), time.monotonic())"
        for hours in (1, -1):
            skew.write_bytes(struct.pack("=q", hours * 3600000 + 250))
            shifted, real, monotonic = map(float, preloaded("skew.so", code, BGOP_SKEW=str(skew)).split())
            self.assertAlmostEqual(shifted - time.time(), hours * 3600, delta=30)
            self.assertAlmostEqual(shifted, real, delta=5)
            self.assertAlmostEqual(monotonic, time.monotonic(), delta=30)



class TornFiles(unittest.TestCase):
    """Redis refuses a file of its own that is torn and not the last; mended it starts with all that was whole."""

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        files = self.folder / "appendonlydir"
        files.mkdir()
        (files / "appendonly.aof.manifest").write_text("file appendonly.aof.1.incr.aof seq 1 type i\n"
                                                       "file appendonly.aof.2.incr.aof seq 2 type i\n")
        (files / "appendonly.aof.1.incr.aof").write_bytes(self.command("SELECT", "0") + self.command("SET", "whole", "1") +
                                                          self.command("MULTI") + self.command("SET", "half", "1"))
        (files / "appendonly.aof.2.incr.aof").write_bytes(b"")

    @staticmethod
    def command(*words):
        return f"*{len(words)}\r\n".encode() + b"".join(f"${len(w)}\r\n{w}\r\n".encode() for w in words)

    def start(self):
        """Its log, as far as it said whether it serves."""
        socket_path, log = self.folder / "socket", self.folder / "log"
        server = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", socket_path, "--dir", self.folder, "--appendonly",
                                   "yes", "--logfile", log])
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        eventually(lambda: server.poll() is not None or log.exists() and "ready to accept connections" in log.read_text(),
                   "Redis starts or refuses", 30)
        return log.read_text()

    def test_mended_it_starts_with_what_was_whole(self):
        log = self.start()
        self.assertIn("the truncated file is not the last file", log)
        self.assertTrue(mend_aof(log, self.folder / "appendonlydir"))
        log = self.start()
        self.assertFalse(mend_aof(log, self.folder / "appendonlydir"), "and there is nothing more to mend")
        keys = subprocess.run(["redis-cli", "-s", self.folder / "socket", "KEYS", "*"], capture_output=True, text=True, check=True)
        self.assertEqual(keys.stdout, "whole\n")


class Echo:
    """A server that says everything back."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                end, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(end,), daemon=True).start()

    @staticmethod
    def serve(end):
        with end:
            try:
                while data := end.recv(65536):
                    end.sendall(data)
            except OSError:
                pass


class Links(unittest.TestCase):
    def setUp(self):
        echo = Echo()
        self.addCleanup(echo.listener.close)
        self.link = Link(echo.port)
        self.addCleanup(self.link.close)

    def connect(self):
        end = socket.create_connection(("127.0.0.1", self.link.port), timeout=10)
        self.addCleanup(end.close)
        return end

    def said(self, end, text):
        end.sendall(text)
        answer = b""
        while len(answer) < len(text):
            answer += end.recv(65536)
        return answer

    def test_it_carries_all_bytes(self):
        text = os.urandom(3 << 20)
        end, answer = self.connect(), bytearray()
        threading.Thread(target=end.sendall, args=(text,), daemon=True).start()
        while len(answer) < len(text):
            answer += end.recv(65536)
        self.assertEqual(bytes(answer), text)

    def test_cut(self):
        end = self.connect()
        self.assertEqual(self.said(end, b"one"), b"one")
        self.link.cut = True
        with self.assertRaises(ConnectionError):
            while True:
                end.sendall(b"two")
                if not end.recv(10):
                    raise ConnectionError
        self.link.cut = False
        self.assertEqual(self.said(self.connect(), b"three"), b"three")

    def test_deaf_in_one_direction(self):
        end = self.connect()
        self.assertEqual(self.said(end, b"one"), b"one")
        for direction in ("there", "back"):
            self.link.deaf = {direction}
            eventually(lambda: self.link.deaf == {direction}, "deafness", 1)
            time.sleep(0.1)                     # the proxy's turn, at most 20 ms; nothing tells that nothing comes
            end.settimeout(0.3)
            end.sendall(b"x")
            with self.assertRaises(TimeoutError):
                end.recv(10)
            self.link.deaf = set()
            end.settimeout(10)
            self.assertEqual(end.recv(10), b"x")


class Logs(unittest.TestCase):
    def test_what_a_cut_takes_from_an_aof(self):
        def command(*words):
            return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)
        first, second = command(b"SET", b"a", b"1"), command(b"MULTI") + command(b"HSET", b"h", b"f", b"\r\n$") + command(b"EXEC")
        with tempfile.NamedTemporaryFile() as file:
            path = pathlib.Path(file.name)
            path.write_bytes(first + second)
            self.assertEqual(commands_behind(path, 0), 2)
            self.assertEqual(commands_behind(path, len(first)), 1)
            self.assertEqual(commands_behind(path, len(first) - 1), 2, "half a command is none")
            self.assertEqual(commands_behind(path, len(first + second)), 0)

    def test_what_a_replica_does_not_have(self):
        def command(number):
            return b"*2\r\n$3\r\nSET\r\n$360\r\n" + b"%06d" % number * 60 + b"\r\n"
        old = b"".join(map(command, range(1000))) + b"*1\r\n$5\r\nMULTI\r\n" + command(1000)
        new = b"".join(map(command, [*range(900), *range(2000, 2100)]))
        self.assertEqual(commands_lost(old, new), 101)
        self.assertEqual(commands_lost(old[5:], new[77:]), 101)     # both are ends of longer ones
        self.assertEqual(commands_lost(old, old + new), 0)
        self.assertIsNone(commands_lost(old, command(3000)))

    def test_the_batches_of_a_segment(self):
        def batch(base, messages):
            body = struct.pack(">ibIhi", 0, 2, 0, 0, messages - 1) + b"\0" * 40
            return struct.pack(">qi", base, len(body)) + body
        with tempfile.NamedTemporaryFile() as file:
            path = pathlib.Path(file.name)
            path.write_bytes(batch(0, 3) + batch(3, 5) + batch(8, 1)[:20])
            found = [(at, behind, count) for at, behind, count, _ in batches_of(path)]
            self.assertEqual(found, [(0, 3, 3), (len(batch(0, 3)), 8, 5)], "the torn one is none")

    def test_a_status_batch_of_another_compiler(self):
        batch = status_batch()
        entry = batch.entry.add(kind=1, id="x", token=7)
        self.assertEqual((kind_name(batch, entry.kind), entry.token), ("ok", 7))

    def test_crash_points_come_from_their_table(self):
        coordinator, worker = crash_points()
        self.assertIn("apply-sent", coordinator)
        self.assertIn("spawn-after", worker)
        self.assertFalse(set(coordinator) & set(worker) - {"store-before"})


class Mutants(unittest.TestCase):
    def test_each_still_fits_its_file(self):
        done = subprocess.run([HERE / "mutants", "--check"], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (0, ""))


if __name__ == "__main__":
    unittest.main(verbosity=2)
