"""What the suite runs on: BGOP_E2E_GROUND chooses the Stack that tests take from here (tests/wide runs all of them on each).

    single    one broker and one Redis, in clear (the default)
    cluster   a Redis Cluster of three primaries, each with a replica
    secured   three brokers (three copies of all, two in sync), TLS and a login on every connection, Kafka's authorizer;
              Redis by TLS, with a user for each program
"""
import os
import unittest

from cluster_stack import ClusterStack
from queue_stack import Stack as SingleStack
from secured_stack import SecuredStack

GROUNDS = {"single": SingleStack, "cluster": ClusterStack, "secured": SecuredStack}
GROUND = os.environ.get("BGOP_E2E_GROUND", "single")
assert GROUND in GROUNDS, f"BGOP_E2E_GROUND is {GROUND}; there are {', '.join(GROUNDS)}"
Stack = GROUNDS[GROUND]


def not_on(grounds, why):
    """For a test that makes no sense there."""
    return unittest.skipIf(GROUND in grounds.split(), why)
