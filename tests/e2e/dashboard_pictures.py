#!/usr/bin/env python3
"""Makes the pictures of the dashboard that the READMEs show: a queue of real programs, some work in it, a browser.

  tests/e2e/dashboard_pictures.py [FOLDER]      coordinator/http/pictures by default; needs a build (BGOP_BIN)

The minutes before the queue was there are made up, so that the last hour has something to show; all else happened."""
import math
import pathlib
import sys
import tempfile
import time

from browser import Browser
from queue_stack import ROOT, Stack, free_ports

TOKEN = "00Dxx0000000001!may.act"
CONFIG = """
[http]
listen = 127.0.0.1:%(port)d
token_file = %(folder)s/token
operator_token_file = %(folder)s/token
[type ExternalServiceCallback]
handler = exec
command = /bin/sh -c 'read x; case "$x" in bad) echo "connection to partner.example refused" >&2; exit 65;; flaky) echo "503 from partner.example" >&2; exit 75;; slow) sleep 600;; esac; echo done'
concurrency = 6
retry_backoff_ms = 20000
[type SiteTaskCreate]
handler = exec
command = /bin/sh -c 'echo "no such site: 4711" >&2; exit 65'
[type ExternalObject]
handler = exec
command = /bin/sh -c 'sleep 0.05; echo "imported 120 rows"'
merge_max = 1
concurrency = 4
[type WebCart]
handler = noop
[type Sweeper]
handler = noop
"""


def callbacks():
    kinds = ["ok", "bad", "ok", "ok", "flaky", "ok", "slow"]
    return [{"Type": "ExternalServiceCallback", "ParentKey": f"acct-{n % 9}", "Name": f"callback-{1000 + n}", "Payload": kinds[n % 7]}
            for n in range(28)]


def work():
    return (callbacks() +
            [{"Type": "WebCart", "ParentKey": f"acct-{n % 37}"} for n in range(1200)] +
            [{"Type": "ExternalObject", "ParentKey": f"org-{n % 7}", "Name": f"import-{n}", "Payload": {"rows": 120}} for n in range(60)] +
            [{"Type": "SiteTaskCreate", "ParentKey": "site-1", "SequenceGroup": "publish", "SequenceNumber": n} for n in range(6)] +
            [{"Type": "CdpMetadataDeploy", "ParentKey": "org-3", "Name": f"deploy-{n}"} for n in range(5)] +
            [{"Type": "Sweeper", "ProcessAfter": int((time.time() + 7200) * 1000)} for _ in range(12)])


def make_up_an_hour(stack):
    minute = int(time.time() / 60)
    for ago in range(1, 60):
        wave = 900 + 380 * math.sin(ago / 9) + 120 * math.sin(ago / 2.3) + (900 if 20 < ago < 26 else 0)
        counts = {"accepted": int(wave), "finished": int(wave * (0.8 if 20 < ago < 26 else 0.98)), "failed": int(wave / 60 * (9 if 30 < ago < 34 else 1)),
                  "retried": int(wave / 25 * (6 if 29 < ago < 35 else 1))}
        stack.redis.hset(f"bgop:{{0}}:stats:{minute - ago}", mapping=counts)


def take(browser, folder, name, place, what):
    browser.go(place)
    browser.find(what)
    time.sleep(2.5)             # a second's numbers
    browser.driver.save_screenshot(str(folder / name))


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "coordinator/http/pictures"
    [port] = free_ports(1)
    stack = Stack("", workers=2)
    with tempfile.TemporaryDirectory() as tokens:
        pathlib.Path(tokens, "token").write_text(TOKEN + "\n")
        with open(stack.config, "a") as config:
            config.write(CONFIG % {"port": port, "folder": tokens})
        with stack:
            browser = Browser(f"http://127.0.0.1:{port}/")
            make_up_an_hour(stack)
            ids = stack.submit(work())
            stack.wait_status(ids[1], "Error")
            stack.wait_status(ids[4], "Error")
            stack.wait_terminal(ids[28:1200])
            browser.enter(TOKEN)
            folder.mkdir(exist_ok=True)
            browser.size(1200, 800)
            take(browser, folder, "overview.png", "#/overview", ".tile")
            browser.size(1200, 640)
            take(browser, folder, "operation.png", f"#/operation/{ids[4]}", "#why")
            browser.size(1200, 640, dark=True)
            browser.go("#/operations?status=Error")
            browser.click("[data-verb=redrive]", "all that match")
            browser.find("dialog[open] [name=reason]").send_keys("partner.example is back")
            browser.wait("#matching", "the dry run")
            browser.driver.save_screenshot(str(folder / "redrive-dark.png"))
            browser.size(390, 800, dark=True)
            take(browser, folder, "phone-dark.png", "#/operations?type=ExternalServiceCallback", "tbody tr")
            browser.close()


if __name__ == "__main__":
    main()
