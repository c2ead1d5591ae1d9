#!/usr/bin/python3 -IS
"""CdpMetadataDeploy: reads metadata as JSON and answers it in one canonical form. What is not JSON can never be
deployed (65, a permanent Error); what is marked "busy" is refused at the first attempt (75, tried again)."""
import json
import os
import sys

try:
    metadata = json.loads(sys.stdin.buffer.read())
except ValueError as error:
    sys.exit(print(f"not JSON: {error}", file=sys.stderr) or 65)
if metadata.get("busy") and os.environ["BGOP_ATTEMPT"] == "1":
    sys.exit(print("the target is busy", file=sys.stderr) or 75)
sys.stdout.write(json.dumps(metadata, sort_keys=True, separators=(",", ":")))
