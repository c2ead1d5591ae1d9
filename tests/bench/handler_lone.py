#!/usr/bin/env python3
"""The work of example_persistent.py as a process for one operation, for the benchmark of handlers."""
import json
import sys

print(json.loads(sys.stdin.read())["name"].upper())
