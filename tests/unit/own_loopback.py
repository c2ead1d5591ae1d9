#!/usr/bin/python3
"""tests/loopback: what listens outside is not met inside, and a port that is taken outside can be had."""
import pathlib
import socket
import subprocess
import sys

LOOPBACK = pathlib.Path(__file__).resolve().parents[1] / "loopback"
INSIDE = """
import socket, sys
port = int(sys.argv[1])
assert socket.socket().connect_ex(("127.0.0.1", port)) != 0, "what listens outside answers"
with socket.create_server(("127.0.0.1", port)):
    socket.create_connection(("127.0.0.1", port)).close()
"""

with socket.create_server(("127.0.0.1", 0)) as outside:
    port = str(outside.getsockname()[1])
    if subprocess.run(["unshare", "--net", "true"], stderr=subprocess.DEVNULL, check=False).returncode:
        print("the kernel gives no network namespace to this user")
        sys.exit(77)
    subprocess.run(["unshare", "--net", LOOPBACK, sys.executable, "-c", INSIDE, port], check=True)
