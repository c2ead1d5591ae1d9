"""A headless Chromium on the dashboard, driven through ChromeDriver (Debian's chromium-driver and python3-selenium)."""
import shutil
import unittest

from queue_stack import eventually

MISSING = [name for name in ("chromium", "chromedriver") if not shutil.which(name)]


class Browser:
    def __init__(self, uri, width=1280, height=820, dark=False):
        try:
            from selenium import webdriver
            from selenium.webdriver.chrome.service import Service
        except ImportError as error:
            raise unittest.SkipTest("no python3-selenium") from error
        if MISSING:
            raise unittest.SkipTest(f"no {MISSING[0]}")
        options = webdriver.ChromeOptions()
        for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-proxy-server",
                     "--disable-gpu", f"--window-size={width},{height}"):
            options.add_argument(word)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)
        self.uri = uri
        self.size(width, height, dark)

    def close(self):
        self.driver.quit()

    def size(self, width, height, dark=False):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def enter(self, token, user="anna"):
        """Signs in at the door, by keyboard; the tab forgets who was in before."""
        self.driver.get(self.uri + "healthz")       # of the same origin, and without a script that would remember again
        self.run("sessionStorage.clear()")
        self.driver.get(self.uri)
        self.find("[name=token]").send_keys(token)
        self.find("[name=user]").send_keys(user)
        self.press("\ue007")
        self.wait("#live.on", "the stream of events to be followed")

    def go(self, place):
        self.run("location.hash = arguments[0]", place)

    def all(self, selector):
        return self.driver.find_elements("css selector", selector)

    def wait(self, selector, what, text=None):
        """The first visible element that fits, and (text) contains this."""
        def there():        # in one step: the page goes on meanwhile
            return self.run("return [...document.querySelectorAll(arguments[0])].find((e) => e.getClientRects().length && "
                            "(arguments[1] === null || e.textContent.includes(arguments[1])))", selector, text)
        try:
            return eventually(there, what, 10)
        except AssertionError as error:
            raise AssertionError(f"{error}; the page says: {self.text('body')[:1500]}") from None

    def find(self, selector):
        return self.wait(selector, f"{selector} on the page")

    def text(self, selector):
        return self.run("const e = document.querySelector(arguments[0]); return e ? e.innerText : ''", selector)

    def click(self, selector, text=None):
        from selenium.common.exceptions import StaleElementReferenceException

        def clicked():
            try:
                self.wait(selector, f"{selector} {text or ''} on the page", text).click()
                return True
            except StaleElementReferenceException:
                return False
        eventually(clicked, f"a click on {selector}", 10)

    def press(self, *keys):
        """To whatever has the focus."""
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def focused(self):
        return self.run("const e = document.activeElement; return (e.dataset.verb || e.tagName.toLowerCase()) + ' ' + "
                        "(e.textContent || e.name || '').trim()")

    def complaints(self):
        """What the browser's console has: refused loads, errors of scripts."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
