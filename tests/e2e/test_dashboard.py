"""The dashboard in a real browser, over a queue of real programs: what fails is found, understood and redriven; what runs is
cancelled; a Type is paused; a token that may only read changes nothing; foreign text stays text; keyboard and phone."""
import json
import sys
import unittest
import urllib.error
import urllib.request

from browser import Browser
from grounds import Stack
from queue_stack import eventually, free_ports

READER, OPERATOR = "00Dxx0000000001!may.read", "00Dxx0000000001!may.act"
TAB, ENTER, ESCAPE = "\ue004", "\ue007", "\ue00c"
SCRIPT = "<script>document.title = 'taken'</script><img src=x onerror=\"document.title='taken'\">"
CONFIG = """
[http]
listen = 127.0.0.1:%(port)d
token_file = %(folder)s/reader
operator_token_file = %(folder)s/operator
[type ExternalServiceCallback]
handler = exec
command = /bin/sh -c 'test -e %(folder)s/fixed || { echo "partner.example refused" >&2; exit 65; }; echo done'
[type XClean]
handler = exec
command = /bin/sh -c 'sleep 600'
[type WebCart]
handler = noop
"""


class Dashboard(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        [port] = free_ports(1)
        cls.stack = Stack("")
        for name, token in (("reader", READER), ("operator", OPERATOR)):
            (cls.stack.folder / name).write_text(token + "\n")
        with open(cls.stack.config, "a") as config:
            config.write(CONFIG % {"port": port, "folder": cls.stack.folder})
        cls.uri = f"http://127.0.0.1:{port}/"
        cls.browser = Browser(cls.uri)
        try:
            cls.stack.__enter__()
        except BaseException:
            cls.browser.close()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.stack.__exit__(*sys.exc_info())

    def setUp(self):
        self.browser.size(1280, 820)
        self.browser.enter(OPERATOR)

    def tearDown(self):
        complaints = [line for line in self.browser.complaints() if "401" not in line and "404" not in line]
        self.assertEqual(complaints, [])

    def ask(self, path, token, body=None, method=None):
        """Status, head and body of an answer."""
        request = urllib.request.Request(self.uri + path, body and json.dumps(body).encode(), method=method)
        if token:
            request.add_header("Authorization", "Bearer " + token)
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()

    def confirm(self, reason, shown=None):
        """Fills in the dialog that is open, and says yes."""
        self.browser.find("dialog[open] [name=reason]").send_keys(reason)
        if shown:
            self.browser.wait("#matching", "the dry run to have counted", shown)
        self.browser.click("dialog[open] button.main:not([disabled])")
        eventually(lambda: not self.browser.all("dialog[open]"), "the dialog to be closed", 10)

    def test_what_failed_is_found_understood_and_redriven(self):
        b = self.browser
        ids = self.stack.submit([{"Type": "ExternalServiceCallback", "Name": f"callback-{n}", "Payload": "x"} for n in range(5)])
        ids += self.stack.submit([{"Type": "WebCart", "Name": "cart", "Payload": "x"}])
        self.stack.wait_terminal(ids)
        b.click("[data-type=ExternalServiceCallback] [data-name=Error] a", "5")
        b.wait("tbody .badge", "failed ones to be listed", "Error")
        self.assertEqual(len(b.all("tbody tr")), 5)
        b.click("tbody a", "callback-3")
        b.wait("#why", "why it failed", "failed for good after 0 retries: 'partner.example refused'")
        b.wait(".line", "its attempts", "Attempt 1 failed: partner.example refused")
        (self.stack.folder / "fixed").touch()
        b.go("#/operations?status=Error")
        where = b.find("[name=where]")
        where.send_keys("Error LIKE '%refused%'")
        b.click("form button", "Find")
        b.wait(".foot", "those that fit", "5 shown")
        b.click("[data-verb=redrive]", "all that match")
        self.confirm("the partner is back", "5 operations")
        for operation in ids[:5]:
            b.wait(f'[data-id="{operation}"] .badge', "the row to follow, live", "Complete")
        b.go("#/actions")
        row = b.wait("tbody tr", "the action to be told of", "the partner is back")
        self.assertIn("http:anna", row.text)
        self.assertIn("Error LIKE '%refused%'", row.text)
        b.wait("tbody tr .badge", "it to be complete", "Complete")
        self.assertIn("5 done", b.text("tbody tr"))
        self.assertEqual({self.stack.record(i)["Status"] for i in ids}, {"Complete"})

    def test_what_runs_is_cancelled(self):
        b = self.browser
        [operation] = self.stack.submit([{"Type": "XClean", "Name": "endless"}])
        self.stack.wait_status(operation, "Running")
        b.go("#/workers")
        b.click("tbody a", operation)
        b.wait("#why", "that it runs", "attempt 1 runs at")
        b.click("[data-verb=cancel]")
        self.confirm("nobody waits for it", "1 operation")
        b.wait("h1 + .badge", "it to be cancelled, live", "Canceled")
        b.wait(".line", "the command in its history", "cancel: nobody waits for it")

    def test_a_type_is_paused_and_resumed(self):
        b = self.browser
        first = self.stack.submit([{"Type": "WebCart", "Name": "before the pause"}])
        self.stack.wait_terminal(first)
        b.click("[data-type=WebCart] [data-verb=pause]")
        self.confirm("a look at the shop")
        b.wait("[data-type=WebCart] .badge", "the Type to be marked", "paused")
        [held] = self.stack.submit([{"Type": "WebCart", "Name": "held"}])
        self.stack.wait_status(held, ("New", "Waiting"))
        b.go("#/paused")
        b.wait("tbody tr", "the pause to be listed", "a look at the shop")
        b.go(f"#/operation/{held}")
        b.wait("#why", "the pause as its reason", "paused")
        b.go("#/paused")
        b.click("tbody [data-verb=resume]")
        self.confirm("all is well")
        b.go(f"#/operation/{held}")
        b.wait("h1 + .badge", "it to run after the resume", "Complete")

    def test_a_token_that_reads_changes_nothing(self):
        b = self.browser
        [operation] = self.stack.submit([{"Type": "XClean", "Name": "untouched"}])
        self.stack.wait_status(operation, "Running")
        b.enter(READER)
        b.wait("#role", "the role", "read-only")
        for place in ("overview", "operations", f"operation/{operation}", "blocked", "paused", "actions"):
            b.go("#/" + place)
            b.find("h1")
            self.assertEqual(b.all("[data-verb]"), [], place)
        for body in ({"action": "cancel", "ids": [operation]}, {"action": "redrive", "where": "Id != null"},
                     {"action": "pause", "type": "XClean"}, {"action": "resume", "type": "XClean"},
                     {"action": "cancel", "ids": [operation], "dryRun": True}):
            status, _, answer = self.ask("bgop/v1/actions", READER, dict(body, reason="may I?"))
            self.assertEqual((status, json.loads(answer)[0]["errorCode"]), (403, "INSUFFICIENT_ACCESS"), body)
        self.assertEqual(self.ask("bgop/v1/actions/act0/abort", READER, {"reason": "may I?"})[0], 403)
        self.assertEqual(self.ask("bgop/v1/actions", None, {"action": "pause", "type": "XClean"})[0], 401)
        self.assertEqual(self.stack.record(operation)["Status"], "Running")
        self.stack.ctl("cancel", operation)

    def test_foreign_text_stays_text(self):
        b = self.browser
        [operation] = self.stack.submit([{"Type": "CdpMetadataDeploy", "Name": SCRIPT, "ParentKey": SCRIPT, "Payload": SCRIPT}])
        self.stack.wait_status(operation, "New")
        b.go("#/operations?type=CdpMetadataDeploy")
        self.assertEqual(b.wait("tbody a", "it in the list", "<script>").text, SCRIPT)
        b.click("tbody a", "<script>")
        self.assertEqual(b.wait("[data-text=Payload]", "its payload").text, SCRIPT)
        self.assertEqual(b.text("h1"), SCRIPT)
        self.assertEqual(len(b.all("main script, main img")), 0)
        self.assertEqual(b.driver.title, "bgop: Operation")
        _, head, page = self.ask("", None)
        self.assertIn("default-src 'self'", head["Content-Security-Policy"])
        self.assertNotIn("unsafe", head["Content-Security-Policy"])
        self.assertEqual((head["X-Content-Type-Options"], head["Referrer-Policy"]), ("nosniff", "no-referrer"))
        for secret in (READER, OPERATOR):
            self.assertNotIn(secret, page)
            self.assertNotIn(secret, b.run("return location.href + JSON.stringify(performance.getEntries())"))
            self.assertEqual(b.run("return localStorage.length + document.cookie.length"), 0)
        foreign = b.run("return performance.getEntriesByType('resource').map((e) => e.name)")
        self.assertEqual([name for name in foreign if not name.startswith(self.uri)], [])

    def test_a_wrong_condition_is_explained(self):
        b = self.browser
        b.go("#/operations?where=Nonsense%20%3D%201")
        b.wait(".wrong", "what is wrong with it", "Nonsense")
        self.browser.complaints()       # the refusal itself

    def test_hands_stay_on_the_keyboard(self):
        b = self.browser
        b.go("#/operations?type=Sweeper")
        [operation] = self.stack.submit([{"Type": "Sweeper", "Name": "by keyboard"}])
        eventually(lambda: self.stack.statuses([operation]) != [None], "it to be recorded")
        b.click("form button", "Find")
        b.wait("tbody a", "the operation", "by keyboard")
        b.driver.refresh()
        b.wait("tbody a", "the operation", "by keyboard")
        b.press(TAB)
        self.assertEqual(b.focused(), "a Skip to content")
        b.press(ENTER)
        self.assertEqual(b.run("return document.activeElement.id"), "content")
        for _ in range(30):
            b.press(TAB)
            if b.focused() == "cancel Cancel all that match…":
                break
        self.assertEqual(b.focused(), "cancel Cancel all that match…")
        self.assertNotEqual(b.run("return getComputedStyle(document.activeElement).outlineStyle"), "none")
        b.press(ENTER)
        b.wait("#matching", "the dry run", "1 operation")
        self.assertEqual(b.focused(), "input reason")
        b.press(ESCAPE)
        eventually(lambda: not b.all("dialog[open]"), "the dialog to be closed", 5)
        self.assertEqual(b.focused(), "cancel Cancel all that match…")
        b.press(ENTER)
        b.wait("#matching", "the dry run", "1 operation")
        b.press("not needed")
        b.press(ENTER)
        b.wait("tbody .badge", "the row to follow", "Canceled")

    def test_a_phone_scrolls_in_one_direction(self):
        b = self.browser
        [operation] = self.stack.submit([{"Type": "XClean", "Name": "a-name-" + 20 * "without-end-", "Payload": 200 * "payload",
                                          "SequenceGroup": "g", "SequenceNumber": 1}])
        b.size(360, 740, dark=True)
        for place in ("overview", "operations", f"operation/{operation}", "blocked", "workers", "paused", "actions"):
            b.go("#/" + place)
            b.find("h1")
            self.assertLessEqual(b.run("return document.documentElement.scrollWidth"), 360, place)
        self.assertEqual(b.run("return getComputedStyle(document.body).backgroundColor"), "rgb(18, 22, 28)")
        self.stack.ctl("cancel", operation)

    def test_history_and_numbers_survive_a_coordinator(self):
        b = self.browser
        ids = self.stack.submit([{"Type": "WebCart"} for _ in range(50)])
        self.stack.wait_terminal(ids)
        self.stack.kill("coordinator-1")
        b.wait("#live:not(.on)", "the break to be shown")
        self.stack.start_coordinator(1)
        b.wait("#live.on", "the stream to go on")
        history = json.loads(self.ask("bgop/v1/history", READER)[2])
        self.assertGreaterEqual(sum(history["finished"]), 50)
        self.browser.complaints()       # of the time without a coordinator


if __name__ == "__main__":
    unittest.main(verbosity=2)
