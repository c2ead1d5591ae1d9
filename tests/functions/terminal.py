#!/usr/bin/python3
"""bgopctl on terminals of 80 and 60 columns, and without one: widths, colours, the bar of `wait`, zones of times, and
what the keys of `top` do.

    terminal.py BIN-FOLDER"""
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time

WIDTHS = 80, 60
ZONE = {"TZ": "XYZ-5:30"}
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_terminal(command, environment, columns):
    """What the command writes to a terminal, standard error too."""
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
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


class Live:
    """A program on a terminal whose keys are pressed here."""

    def __init__(self, command, environment, columns=120):
        self.output = ""
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("4H", 30, columns, 0, 0))
            os.execve(command[0], command, environment)
        self.settings = termios.tcgetattr(self.terminal)

    def read(self, seconds):
        """What came within that time; "" when the program has ended, or nothing came."""
        if not select.select([self.terminal], [], [], seconds)[0]:
            return ""
        try:
            piece = os.read(self.terminal, 65536).decode(errors="replace")
        except OSError:
            return ""
        self.output += piece
        return piece

    def press(self, keys):
        self.output = ""
        os.write(self.terminal, keys.encode())

    def until(self, pattern, what):
        """Waits for the pattern on what was drawn since a key was pressed; answers its match."""
        end = time.monotonic() + 90
        while time.monotonic() < end:
            found = re.search(pattern, self.output)
            if found:
                return found
            self.read(1)
        sys.exit(f"{what}; since the last key there was:\n{self.output[-4000:]}")

    def ended(self):
        while self.read(90):
            pass
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.terminal)
        return code


def expect(is_so, what, output):
    if not is_so:
        sys.exit(f"{what}; the output is:\n{output}")


def too_wide(name, output, columns):
    lines = ESCAPE.sub("", output).replace("\r", "").split("\n")
    return [f"{columns} columns, {name}: {line}" for line in lines if len(line) > columns]


class Queue:
    def __init__(self, folder, bin_folder):
        config = folder / "queue.ini"
        names = "\n".join(f"[type AnotherTypeWithALongName{n}]\nhandler = noop" for n in range(8))
        config.write_text(f"[type WebCart]\nhandler = exec\ncommand = sleep 3\n"
                          f"[type XClean]\nhandler = exec\ncommand = sh -c 'exit 65'\n"
                          f"[type Mender]\nhandler = exec\n"
                          f"command = sh -c 'mkdir {folder}/$BGOP_ID && exit 65; exit 0'\n"   # the second time it is done
                          f"[type Sweeper]\nhandler = exec\ncommand = sleep 600\n{names}\n")
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

    def seen(self, *words, columns=WIDTHS[0], **more):
        return on_terminal([self.bgopctl, *words], self.environment | more, columns)

    def redis(self, command):
        host, port = self.environment["BGOP_REDIS"].rsplit("/", 1)[1].split(":")
        with socket.create_connection((host, int(port)), 10) as connection:
            connection.sendall(f"{command}\r\n".encode())
            return connection.recv(4096).decode()


def check(queue):
    running = queue.plain("submit", "--type", "WebCart", "--parent", "a-parent-key-" * 4).strip()
    output = queue.seen("wait", running)
    expect(re.search(r"\[\.+\] 0 of 1 ended, [0-9.]+ m?s", output), "wait: no bar", output)
    expect("Complete" in output.split("\x1b[K")[-1], "wait: does not end with the outcome", output)
    expect("ended," not in queue.plain("wait", running), "wait: a bar without a terminal", output)

    check_top(queue)
    check_tables(queue)

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


def wait_status(queue, operation, status):
    end = time.monotonic() + 60
    while f'"Status": "{status}"' not in queue.plain("get", operation, "--json"):
        if time.monotonic() > end:
            sys.exit(f"{operation} did not become {status}: " + queue.plain("get", operation, "--json"))
        time.sleep(0.1)


TABLES_BEGIN = {                                # command: the first title of its table
    "get": "Failed attempts", "list": "ID", "blocked": "HELD BY", "paused": "WHAT", "actions": "ACTION", "describe": "FIELD",
    "stats": "TYPE", "workers": "INSTANCE", "query": "Id", "find": "Id", "cancel": "COUNT", "redrive": "COUNT", "doctor": "SHARD",
    "shards": "SHARD",
}
PROSE = re.compile(r"^(not yet read:|[0-9]+ operations? and).*$", re.MULTILINE)
NO_TABLE = {"submit", "wait", "why", "lookup", "updated", "deleted", "pause", "resume", "watch", "completion", "recover", "help"}
FIELDS = "Id, Type, Status, ParentKey, Name, SubmittedAt, FinishedAt, Error"
QUERY = f"SELECT {FIELDS} FROM BackgroundOperation"


def fill(queue):
    """Something for each column of each table: long names, a group that is held, pauses, a record that doctor finds."""
    group = ["--type", "XClean", "--parent", "a-parent-key-" * 4, "--sequence-group", "a-sequence-group-" * 3]
    failed = queue.plain("submit", *group, "--sequence", "1", "--name", "a-name-" * 9).strip()
    wait_status(queue, failed, "Error")
    held = queue.plain("submit", *group, "--sequence", "2").strip()
    wait_status(queue, held, "Waiting")
    later = queue.plain("submit", "--type", "AnotherTypeWithALongName1", "--after", "+1h").strip()
    wait_status(queue, later, "Scheduled")
    queue.plain("redrive", failed, "--reason", "another try is made of it because the carts are there again")
    wait_status(queue, failed, "Error")
    queue.plain("pause", "--type", "AnotherTypeWithALongName7", "--reason", "until the carts are there again")
    for shard in range(16):
        queue.redis(f"ZADD bgop:{{{shard}}}:errors 1 {held}")   # which has not failed
    return failed


def check_tables(queue):
    """Every command that prints a table; one that is new has to be put here, or where those without are."""
    failed = fill(queue)
    filtered = json.dumps({"fields": FIELDS.split(", ")})
    tables = {
        "get": [failed], "list": [], "blocked": [], "paused": [], "actions": [], "describe": [], "stats": [],
        "workers": ["--ids"], "query": [QUERY], "find": [filtered],
        "cancel": ["--where", "Status != 'Complete'", "--dry-run"],
        "redrive": ["--where", "Status = 'Error'", "--dry-run"], "doctor": [], "shards": [],
    }
    commands = re.findall(r"^  ([a-z]+)  ", queue.plain("help"), re.MULTILINE)
    expect(set(commands) == set(tables) | NO_TABLE | {"top"}, "a command that is not looked at", " ".join(commands))
    wide = []
    for columns in WIDTHS:
        for command, words in tables.items():
            output = queue.seen(command, *words, columns=columns)
            expect(TABLES_BEGIN[command] in output, f"{command}: no table", output)
            wide += too_wide(command, PROSE.sub("", output[output.index(TABLES_BEGIN[command]):]), columns)
        all_fields = "SELECT FIELDS(ALL) FROM BackgroundOperation LIMIT 50"
        wide += too_wide("query", queue.seen("query", all_fields, columns=columns), columns)
        once = ["/bin/sh", "-c", f"{queue.bgopctl} top </dev/null"]
        wide += too_wide("top", on_terminal(once, queue.environment, columns), columns)
        top = Live([queue.bgopctl, "top", "--interval", "0.5"], queue.environment, columns)
        top.until("(?s)q quit.*q quit", "top: no second look")
        wide += too_wide("live top", top.output.replace("\x1b[H", "\n"), columns)
        top.press("q")
        expect(top.ended() == 0, "top: q", top.output)
    expect(not wide, "tables that do not fit the terminal", "\n".join(wide))

    records = queue.seen("query", f"{QUERY} WHERE Id = '{failed}'").replace("\r", "").split("\n")
    expect([line.split(" ")[0] for line in records if line[:1].strip()] == FIELDS.split(", "),
           "query: what does not fit is not printed record by record", "\n".join(records))
    table = queue.plain("query", f"{QUERY} WHERE Id = '{failed}'").split("\n")
    expect(table[0].split() == FIELDS.split(", ") and "a-name-" * 9 in table[1] and not any(table[2:]),
           "query: not a whole table without a terminal", "\n".join(table))


def expect_command(queue, operation, command):
    """It is kept with the operation, with who sent it."""
    output = queue.plain("get", operation, "--json")
    kept = json.loads(output)["commands"]
    expect([one["command"] for one in kept] == [command] and kept[0]["reason"] == "from bgopctl top",
           f"top: no {command} is kept with {operation}", output)


def check_top(queue):
    """The cursor, why, and what changes something: asked first, and done when it is answered with y."""
    running = queue.plain("submit", "--type", "Sweeper", "--parent", "long").strip()
    failed = queue.plain("submit", "--type", "XClean", "--parent", "bad").strip()
    wait_status(queue, running, "Running")
    wait_status(queue, failed, "Error")
    mended = queue.plain("submit", "--type", "Mender").strip()     # failed last: above the other
    wait_status(queue, mended, "Error")
    top = Live([queue.bgopctl, "top", "--interval", "0.5"], queue.environment)
    marked = r"\x1b\[7m"
    top.until(marked + running, "top: the cursor is not on the first line")
    top.until(failed, "top: what failed is not shown")
    top.press("j")
    top.until(marked + mended, "top: j does not move")
    top.press("\x1b[A")
    top.until(marked + running, "top: the arrow does not move")
    top.press("\x1b[3~\x1bOP\x1b[1;5C")              # Delete, F1, Ctrl and an arrow: no letter of these is a key
    top.until("w why", "top: other keys")
    expect("y or n" not in top.output, "top: another key's letters are taken for keys", top.output)
    top.press("w")
    top.until(f"{running}  Running", "top: why")
    top.press(" ")
    top.until(marked + running, "top: back from why")
    top.press("j")
    top.until(marked + mended, "top: j to what failed")
    top.press("\r")
    top.until(f"{mended}  Error", "top: why of what failed")
    top.press("x")
    top.until(marked + mended, "top: back from why")
    top.press("c")
    top.until("y or n", "top: no question")
    top.press("y")
    top.until(f"cancel {mended} .Mender.: not done: .", "top: why it cannot be canceled")
    expect("Error" in queue.plain("get", mended), "top: what has ended is canceled", top.output)
    top.press("r")
    top.until(f"redrive {mended} .Mender.. y or n", "top: no question")
    top.press("N")
    top.until("not asked for", "top: N")
    top.press("r")
    top.until("y or n", "top: no question")
    top.press("Y")
    top.until(f"redrive {mended} .Mender.: done .act", "top: the redrive is not told")
    wait_status(queue, mended, "Complete")
    expect_command(queue, mended, "redrive")
    top.until(marked + failed, "top: the cursor is not on what comes next")
    top.press("k")
    top.until(marked + running, "top: k does not move")
    top.press("c")
    top.until(f"cancel {running} .Sweeper, long.. y or n", "top: no question")
    top.press("n")
    top.until("not asked for", "top: n")
    expect("Running" in queue.plain("get", running), "top: canceled in spite of n", top.output)
    top.press("r")
    top.until("y or n", "top: no question")
    top.press("y")
    top.until("only what ended in Error can be redriven", "top: why it cannot be redriven")
    top.press("c")
    top.until("y or n", "top: no question")
    top.press("y")
    top.until(r"cancel \w+ .Sweeper, long.: done .act", "top: the cancel is not told")
    wait_status(queue, running, "Canceled")
    expect_command(queue, running, "cancel")
    top.until(marked + failed, "top: the cursor is not on what is left")
    top.press("P")
    top.until("pause ParentKey bad. y or n", "top: no question")
    top.press("y")
    top.until("pause ParentKey bad: done", "top: the pause is not told")
    expect("bad" in queue.plain("paused"), "top: not paused", top.output)
    top.press("p")
    top.until("pause Type XClean. y or n", "top: no question")
    top.press("y")
    top.until("pause Type XClean: done", "top: the pause is not told")
    expect("XClean" in queue.plain("paused"), "top: not paused", top.output)
    os.kill(top.pid, signal.SIGTSTP)
    os.waitpid(top.pid, os.WUNTRACED)
    expect(termios.tcgetattr(top.terminal)[3] & termios.ECHO, "top: a stopped one leaves the terminal raw", top.output)
    os.kill(top.pid, signal.SIGCONT)
    top.until(r"\x1b\[\?1049h", "top: it does not go on")
    top.until(marked + failed, "top: it does not go on")
    top.press("q")
    top.until(r"\x1b\[\?1049l", "top: the other screen is not left")
    end = time.monotonic() + 30
    while termios.tcgetattr(top.terminal) != top.settings:
        expect(time.monotonic() < end, "top: the terminal is not as it was", top.output)
        time.sleep(0.01)
    expect(top.ended() == 0, "top: q", top.output)
    queue.plain("resume", "--parent", "bad")
    queue.plain("resume", "--type", "XClean")
    actions = queue.plain("actions")
    expect(actions.count("from bgopctl top") >= 6, "top: what it did is not listed", actions)


def main():
    with tempfile.TemporaryDirectory() as folder:
        queue = Queue(pathlib.Path(folder), sys.argv[1])
        try:
            check(queue)
        finally:
            queue.process.terminate()
            queue.process.wait()


main()
