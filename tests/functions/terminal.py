#!/usr/bin/python3
"""bgopctl on a terminal of 80 columns, and without one: widths, colours, the bar of `wait`, zones of times.

    terminal.py BIN-FOLDER"""
import fcntl
import os
import pathlib
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
import time

COLUMNS = 80
ZONE = {"TZ": "XYZ-5:30"}
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_terminal(command, environment):
    """What the command writes to a terminal, standard error too."""
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("4H", 24, COLUMNS, 0, 0))
        os.execve(command[0], command, environment)
    output = b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:                         # its end has closed
            break
        if not piece:
            break
        output += piece
    os.waitpid(pid, 0)
    os.close(terminal)
    return output.decode()


def expect(is_so, what, output):
    if not is_so:
        sys.exit(f"{what}; the output is:\n{output}")


def check_width(name, output):
    for line in ESCAPE.sub("", output).replace("\r", "").split("\n"):
        expect(len(line) <= COLUMNS, f"{name}: a line of {len(line)} characters", output)


class Queue:
    def __init__(self, folder, bin_folder):
        config = folder / "queue.ini"
        names = "\n".join(f"[type AnotherTypeWithALongName{n}]\nhandler = noop" for n in range(8))
        config.write_text(f"[type WebCart]\nhandler = exec\ncommand = sleep 3\n{names}\n")
        ports = folder / "ports"
        self.bgopctl = f"{bin_folder}/bgopctl"
        self.process = subprocess.Popen([f"{bin_folder}/bgop", "dev", "--quiet", "--config", config, "--port-file", ports])
        until = time.monotonic() + 90
        while not ports.exists():
            if self.process.poll() is not None or time.monotonic() > until:
                sys.exit("bgop dev is not ready")
            time.sleep(0.05)
        pairs = dict(line.split("=", 1) for line in ports.read_text().splitlines())
        self.environment = {"PATH": os.environ["PATH"], "TERM": "xterm", "LANG": "C.UTF-8"} | ZONE | pairs

    def plain(self, *words):
        return subprocess.run([self.bgopctl, *words], env=self.environment, capture_output=True, text=True, check=True).stdout

    def seen(self, *words, **more):
        return on_terminal([self.bgopctl, *words], self.environment | more)


def check(queue):
    running = queue.plain("submit", "--type", "WebCart", "--parent", "a-parent-key-" * 4).strip()
    output = queue.seen("wait", running)
    expect(re.search(r"\[\.+\] 0 of 1 ended, [0-9.]+ m?s", output), "wait: no bar", output)
    expect("Complete" in output.split("\x1b[K")[-1], "wait: does not end with the outcome", output)
    expect("ended," not in queue.plain("wait", running), "wait: a bar without a terminal", output)

    for words in (["workers"], ["list"], ["stats"], ["paused"], ["describe"]):
        check_width(words[0], queue.seen(*words))
    output = queue.plain("workers")
    expect("AnotherTypeWithALongName7" in output, "workers: cut without a terminal", output)

    output = queue.seen("list")
    expect("\x1b[32mComplete" in output, "list: no colour on a terminal", output)
    expect("\x1b" not in queue.seen("list", NO_COLOR="1"), "list: coloured in spite of NO_COLOR", output)
    expect("\x1b" not in queue.plain("list"), "list: coloured without a terminal", output)

    output = queue.plain("get", running)
    expect("+05:30" in output, "get: times are not in the reader's zone", output)
    output = queue.plain("get", running, "--utc")
    expect("+05:30" not in output and re.search(r"SubmittedAt +\S+Z", output), "get --utc: times are not in UTC", output)
    output = queue.plain("get", running, "--json")
    expect("+0000" in output and "+05:30" not in output, "get --json: times are not in UTC", output)


def main():
    with tempfile.TemporaryDirectory() as folder:
        queue = Queue(pathlib.Path(folder), sys.argv[1])
        try:
            check(queue)
        finally:
            queue.process.terminate()
            queue.process.wait()


main()
