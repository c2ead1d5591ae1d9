"""An unmodified simple-salesforce reads a queue: run by test_http_clients.py, which says on standard input what is there
(one, several, failed, removed: Ids; crowd: how many operations have the ParentKey crowd)."""
import datetime
import json
import os
import sys
import unittest

# simple-salesforce is not Debian's: the virtual environment has it, in which this runs.
import requests
import simple_salesforce
from simple_salesforce import exceptions


class PlainHttp(requests.adapters.HTTPAdapter):
    """simple-salesforce asks for https always; the queue speaks http, behind whatever does TLS."""

    def send(self, request, **options):
        request.url = request.url.replace("https://", "http://", 1)
        return super().send(request, **options)


def connect(**options):
    plain = requests.Session()
    plain.mount("https://", PlainHttp())
    plain.trust_env = False                 # no proxy between this machine and itself
    options = {"session_id": os.environ["BGOP_HTTP_TOKEN"], "session": plain, **options}
    return simple_salesforce.Salesforce(instance_url=os.environ["BGOP_HTTP"], **options)


THERE = json.load(sys.stdin)
SF = connect()
OPERATIONS = SF.BackgroundOperation


def window():
    now = datetime.datetime.now(datetime.timezone.utc)
    return now - datetime.timedelta(minutes=10), now + datetime.timedelta(minutes=2)


class Reads(unittest.TestCase):
    def refused(self, kind, code, call, *args):
        with self.assertRaises(kind) as caught:
            call(*args)
        self.assertEqual(caught.exception.content[0]["errorCode"], code)

    def test_describes(self):
        [listed] = SF.describe()["sobjects"]
        self.assertEqual((listed["name"], listed["keyPrefix"]), ("BackgroundOperation", "08P"))
        self.assertEqual(OPERATIONS.metadata()["objectDescribe"], listed)
        fields = {field["name"]: field for field in OPERATIONS.describe()["fields"]}
        self.assertEqual(len(fields), 25)
        self.assertEqual([value["value"] for value in fields["Status"]["picklistValues"]][:2], ["New", "Scheduled"])
        self.assertEqual({name for name, field in fields.items() if field["idLookup"]},
                         {"Id", "Name", "ParentKey", "WorkerUri"})
        self.assertIn("DailyApiRequests", SF.limits())

    def test_retrieves_one(self):
        row = OPERATIONS.get(THERE["one"])
        self.assertEqual((row["Name"], row["Status"], row["Error"]), ("a b/c", "Complete", None))
        self.assertRegex(row["FinishedAt"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$")
        self.assertEqual(OPERATIONS.get(THERE["one"][:15])["Id"], THERE["one"])
        row = OPERATIONS.get(THERE["failed"], params={"fields": "Id,Error"})
        self.assertEqual((row["Id"], row["Error"], len(row)), (THERE["failed"], "no such site", 3))
        self.refused(exceptions.SalesforceResourceNotFound, "NOT_FOUND", OPERATIONS.get, "08P00000zzzzzzzEAA")
        self.refused(exceptions.SalesforceResourceNotFound, "NOT_FOUND", OPERATIONS.get, THERE["removed"])
        self.refused(exceptions.SalesforceMalformedRequest, "MALFORMED_ID", OPERATIONS.get, THERE["one"][:15] + "ZZ9")

    def test_looks_up_by_a_field(self):
        self.assertEqual(OPERATIONS.get_by_custom_id("Name", "a b/c")["Id"], THERE["one"])
        with self.assertRaises(exceptions.SalesforceMoreThanOneRecord) as caught:
            OPERATIONS.get_by_custom_id("ParentKey", "several")
        self.assertEqual(sorted(url.rsplit("/", 1)[1] for url in caught.exception.content), sorted(THERE["several"]))
        self.refused(exceptions.SalesforceResourceNotFound, "NOT_FOUND", OPERATIONS.get_by_custom_id, "Name", "nobody")
        self.refused(exceptions.SalesforceResourceNotFound, "NOT_FOUND", OPERATIONS.get_by_custom_id, "Status", "New")

    def test_retrieves_many(self):
        ids = [THERE["failed"], THERE["removed"], "nonsense", THERE["one"], THERE["failed"]]
        path = "composite/sobjects/BackgroundOperation"
        for rows in (SF.restful(path, params={"ids": ",".join(ids), "fields": "Id,Status"}),
                     SF.restful(path, method="POST", json={"ids": ids, "fields": ["Id", "Status"]})):
            self.assertEqual([row and row["Id"] for row in rows],
                             [THERE["failed"], None, None, THERE["one"], THERE["failed"]])

    def test_replicates(self):
        updated = OPERATIONS.updated(*window())
        self.assertIn(THERE["one"], updated["ids"])
        self.assertGreaterEqual(len(updated["ids"]), THERE["crowd"])
        self.assertEqual(len(set(updated["ids"])), len(updated["ids"]))
        deleted = OPERATIONS.deleted(*window())
        self.assertIn(THERE["removed"], [record["id"] for record in deleted["deletedRecords"]])
        self.assertNotIn(THERE["removed"], updated["ids"])
        start, end = window()
        self.refused(exceptions.SalesforceMalformedRequest, "INVALID_REPLICATION_DATE", OPERATIONS.updated, end, start)
        self.refused(exceptions.SalesforceMalformedRequest, "INVALID_REPLICATION_DATE", OPERATIONS.deleted,
                     start.replace(tzinfo=None), end.replace(tzinfo=None))

    def test_pages_through_a_query(self):
        soql = "SELECT Id, Status FROM BackgroundOperation WHERE ParentKey = 'crowd' ORDER BY Id"
        found = SF.query_all(soql)
        ids = [row["Id"] for row in found["records"]]
        self.assertEqual((found["totalSize"], found["done"], len(ids)), (THERE["crowd"], True, THERE["crowd"]))
        self.assertEqual(ids, sorted(set(ids)))
        self.assertEqual([row["Id"] for row in SF.query_all_iter(soql)], ids)
        first = SF.query(soql)
        self.assertEqual((len(first["records"]), first["done"]), (2000, False))
        self.assertEqual(SF.query_more(first["nextRecordsUrl"], identifier_is_url=True)["records"][0]["Id"], ids[2000])
        self.refused(exceptions.SalesforceMalformedRequest, "INVALID_QUERY_LOCATOR", SF.query_more, "01gxx-2000")

    def test_counts_and_groups(self):
        self.assertEqual(SF.query("SELECT COUNT() FROM BackgroundOperation WHERE ParentKey = 'crowd'")["totalSize"],
                         THERE["crowd"])
        rows = SF.query("SELECT Status, COUNT(Id) n FROM BackgroundOperation WHERE ParentKey IN ('crowd', 'failed') "
                        "GROUP BY Status ORDER BY Status")["records"]
        self.assertEqual([(row["attributes"]["type"], row["Status"], row["n"]) for row in rows],
                         [("AggregateResult", "Complete", THERE["crowd"]), ("AggregateResult", "Error", 1)])

    def test_is_told_what_is_wrong_with_a_query(self):
        for soql, code in (("SELECT Nonsense FROM BackgroundOperation", "INVALID_FIELD"),
                           ("SELECT Id FROM Account", "INVALID_TYPE"),
                           ("SELECT COUNT(Id) FROM BackgroundOperation GROUP BY StartedAt", "MALFORMED_QUERY"),
                           ("SELECT", "MALFORMED_QUERY")):
            self.refused(exceptions.SalesforceMalformedRequest, code, SF.query, soql)

    def test_is_refused_without_its_token_and_when_it_writes(self):
        stranger = connect(session_id="not the token")
        self.refused(exceptions.SalesforceExpiredSession, "INVALID_SESSION_ID", stranger.query, "SELECT Id FROM Account")
        self.refused(exceptions.SalesforceGeneralError, "METHOD_NOT_ALLOWED", OPERATIONS.update, THERE["one"],
                     {"Name": "x"})
        self.refused(exceptions.SalesforceGeneralError, "METHOD_NOT_ALLOWED", OPERATIONS.delete, THERE["one"])


if __name__ == "__main__":
    unittest.main()
