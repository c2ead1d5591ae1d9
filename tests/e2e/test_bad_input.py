"""Bad input ends in bgop.rejects with a reason, is counted, and delays nobody; wrong servers are refused."""
import base64
import json
import unittest

import confluent_kafka
import confluent_kafka.admin

from grounds import Stack
from queue_stack import NOOP_ALL, eventually

LONG = "x" * 256
BAD = {  # what is sent -> what the reason must name
    b"\xff\xfe\x00garbage": "submission",
    b"": "",
    b'{"Type":"WebCart"': "JSON",
    b"[1,2]": "",
    b'{"Type":"NoSuchType"}': "NoSuchType",
    b'{"Type":"ExternalConnectivityPoller"}': "ExternalConnectivityPoller",
    b'{"ParentKey":"x"}': "Type",
    b'{"Type":"WebCart","Colour":"red"}': "Colour",
    b'{"Type":"WebCart","RetryLimit":-1}': "RetryLimit",
    b'{"Type":"WebCart","RetryLimit":1000000000}': "RetryLimit",
    b'{"Type":"WebCart","Timeout":"soon"}': "Timeout",
    b'{"Type":"WebCart","RetryBackoff":1.5}': "RetryBackoff",
    b'{"Type":"WebCart","ProcessAfter":"tomorrow"}': "ProcessAfter",
    b'{"Type":"WebCart","ProcessAfter":1795428000}': "milliseconds",
    b'{"Type":"WebCart","ProcessAfter":"2099-01-01T00:00:00"}': "no zone",
    b'\xef\xbb\xbf{"Type":"WebCart"}': "byte order mark",
    b'{"Type":"WebCart","SequenceNumber":3}': "SequenceGroup",
    b'{"Type":"WebCart","SequenceGroup":"g"}': "SequenceNumber",
    b'{"Type":"WebCart","Name":"BO-123"}': "BO-",
    b'{"Type":"WebCart","Payload":"a","PayloadBase64":"YQ=="}': "PayloadBase64",
    json.dumps({"Type": "WebCart", "Name": LONG}).encode(): "Name",
    json.dumps({"Type": "WebCart", "ParentKey": LONG}).encode(): "ParentKey",
    b'{"Type":"WebCart","ParentKey":"\xff\xfe"}': "UTF-8",
    json.dumps({"Type": "WebCart", "Payload": "y" * (256 * 1024 + 1)}).encode(): "262144",
}


class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(NOOP_ALL)
        cls.stack.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.stack.__exit__(None, None, None)

    def test_each_bad_message_is_refused_with_a_reason_and_the_good_ones_pass(self):
        stack = self.stack
        messages, good = [], 0
        for value in BAD:
            messages += [(None, value), (None, b'{"Type":"WebCart"}')]
            good += 1
        coordinates = stack.produce(messages)
        rejects = {(r["partition"], r["offset"]): r for r in stack.rejects(len(BAD))}
        for (_, value), where in zip(messages[::2], coordinates[::2]):
            reject = rejects[where]
            self.assertEqual(reject["topic"], "bgop.submit")
            self.assertIn(BAD[value].lower(), reject["reason"].lower(), value[:60])
            self.assertEqual(reject["truncated"], len(value) > 64 * 1024)
            self.assertEqual(base64.b64decode(reject["value"]), value[:64 * 1024])
        self.assertEqual(len(rejects), len(BAD))
        eventually(lambda: stack.counted().get("Complete", 0) == good, "the good ones to complete")
        eventually(lambda: stack.stats()["rejected"] == len(BAD), f"rejects counted: {stack.stats()['rejected']}")

    def test_the_longest_texts_and_greatest_numbers_pass(self):
        text = "\N{GRINNING FACE}" * 255
        [operation] = self.stack.submit([{
            "Type": "Sweeper", "ParentKey": text, "Name": text, "SequenceGroup": text, "SequenceNumber": 999999999,
            "RetryLimit": 999999999, "RetryBackoff": 999999999, "Timeout": 999999999}])
        self.stack.wait_terminal([operation])
        row = self.stack.retrieve([operation])[0]
        self.assertEqual((row["Name"], row["SequenceNumber"], row["Timeout"]), (text, 999999999, 999999999))

    def test_the_same_name_again_is_a_duplicate_or_a_reject(self):
        stack = self.stack
        before = stack.stats()
        first = {"Type": "Sweeper", "Name": "only-once", "Payload": "a"}
        [operation] = stack.submit([first])
        stack.wait_terminal([operation])
        stack.submit([first])
        eventually(lambda: stack.stats()["duplicates"] == before["duplicates"] + 1, "a counted duplicate")
        stack.submit([dict(first, Payload="b")])
        eventually(lambda: stack.stats()["rejected"] == before["rejected"] + 1, "a counted reject")
        self.assertEqual(stack.lookup("Name", "only-once"), [operation])

    def test_a_bad_command_is_refused(self):
        [where] = self.stack.produce([(None, b'{"Command":"explode","Id":"x"}')], "bgop.command")
        [reject] = self.stack.rejects(1, "bgop.command")
        self.assertEqual((reject["partition"], reject["offset"]), where)
        self.assertIn("explode", reject["reason"])


class WrongServers(unittest.TestCase):
    """Each case prepares a server that must not be used; the coordinator says what to change and leaves."""

    def refused(self, stack, *words):
        stack.start_coordinator(9)
        code = eventually(lambda: stack.processes["coordinator-9"].poll() is not None, "the coordinator to refuse", 30)
        code = stack.processes.pop("coordinator-9").returncode
        log = stack.log("coordinator-9")
        self.assertEqual(code, 78, log)
        for word in words:
            self.assertIn(word, log)
        (stack.folder / "coordinator-9.log").unlink()

    def test_wrong_servers_are_refused_with_what_to_change(self):
        with Stack(NOOP_ALL, start=False) as stack:
            stack.start_kafka()
            stack.start_redis()
            admin = stack.admin()
            topic = confluent_kafka.admin.NewTopic("bgop.status", 3, stack.REPLICATION)
            for future in admin.create_topics([topic]).values():
                future.result()
            self.refused(stack, "bgop.status", "3", "4")
            for future in admin.delete_topics(["bgop.status"]).values():
                future.result()
            eventually(lambda: "bgop.status" not in admin.list_topics(timeout=5).topics, "the topic to be gone")
            server = stack.redis_servers()[-1]
            server.config_set("maxmemory-policy", "allkeys-lru")
            self.refused(stack, "maxmemory-policy", "noeviction")
            server.config_set("maxmemory-policy", "noeviction")
            server.function_load("#!lua name=other\nredis.register_function('bgop_ingest', function() end)")
            self.refused(stack, "bgop_ingest", "other")
            server.function_delete("other")


if __name__ == "__main__":
    unittest.main(verbosity=2)
