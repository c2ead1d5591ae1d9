#!/usr/bin/python3
"""What the daemons tell systemd: a socket stands in for it, `bgop dev` starts both daemons with it.

    service_notify.py BIN-FOLDER"""
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

WAIT_S = 90


class Manager:
    """The other end of $NOTIFY_SOCKET: messages by the program that sent them."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.socket.bind(path)
        self.names = {}
        self.told = {}

    def name_of(self, pid):
        if pid not in self.names:
            self.names[pid] = os.path.basename(os.readlink(f"/proc/{pid}/exe"))
        return self.names[pid]

    def take(self, until):
        """The next message goes to its sender's list."""
        self.socket.settimeout(max(0.01, until - time.monotonic()))
        data, ancillary, _, _ = self.socket.recvmsg(4096, socket.CMSG_SPACE(12))
        pid = struct.unpack("3i", ancillary[0][2])[0]
        self.told.setdefault(self.name_of(pid), []).extend(data.decode().split("\n"))

    def wait_for(self, program, what):
        until = time.monotonic() + WAIT_S
        while not any(what(line) for line in self.told.get(program, [])):
            try:
                self.take(until)
            except TimeoutError:
                sys.exit(f"{program} did not tell what was waited for; it told {self.told}")


def is_line(text):
    return lambda line: line == text


def begins(text):
    return lambda line: line.startswith(text)


def check(manager, bgop):
    for program in ("bgop-coordinator", "bgop-worker"):
        manager.wait_for(program, is_line("READY=1"))
        manager.wait_for(program, begins("STATUS=serving"))
        manager.told[program].clear()
        manager.wait_for(program, is_line("WATCHDOG=1"))   # and again, as long as it lives
    bgop.send_signal(signal.SIGTERM)
    for program in ("bgop-coordinator", "bgop-worker"):
        manager.wait_for(program, is_line("STOPPING=1"))


def check_waiting(manager, bin_folder, environment):
    """One that cannot start yet says what it waits for, and is not ready."""
    environment |= {"BGOP_REDIS": "unix:///nonexistent/redis.sock", "BGOP_KAFKA": "127.0.0.1:1"}
    for program in ("bgop-coordinator", "bgop-worker"):
        command = [f"{bin_folder}/{program}"]
        if program == "bgop-worker":
            command += ["--config", str(pathlib.Path(__file__).parents[2] / "deploy/noop.ini")]
        manager.told.clear()
        with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as daemon:
            try:
                manager.wait_for(program, begins("STATUS=waiting to start: "))
            finally:
                daemon.terminate()
        if "READY=1" in manager.told[program]:
            sys.exit(f"{program} said that it is ready, without servers")


def main():
    bin_folder = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        manager = Manager(f"{folder}/notify")
        environment = os.environ | {"NOTIFY_SOCKET": f"{folder}/notify"}
        check_waiting(manager, bin_folder, dict(environment))
        manager.told.clear()
        with subprocess.Popen([f"{bin_folder}/bgop", "dev", "--quiet"], env=environment) as bgop:
            try:
                check(manager, bgop)
            finally:
                bgop.terminate()


main()
