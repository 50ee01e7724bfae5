"""A headless browser, driven through selenium: what a page says, asks for and looks like."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from stillmotion.deploy.web.browser import find_browser
from stillmotion.errors import UserError
from tests.conftest import unavailable

FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)


class Browser:
    """One browser for all tests of a process; every page is opened anew.

    Args:
        folder: an empty folder for its profile.
    """

    def __init__(self, folder: Path) -> None:
        named = os.environ.get("STILLMOTION_CHROMIUM")
        program, driver = None, shutil.which("chromedriver")
        with suppress(UserError):
            program = find_browser()
        if program is None and named:
            pytest.fail(f"STILLMOTION_CHROMIUM names {named}, which is no program.")
        if program is None or driver is None:
            unavailable("Chromium and its driver are not installed (apt-get install chromium chromium-driver)")
        options = Options()
        options.binary_location = program
        for flag in (*FLAGS, f"--user-data-dir={folder}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(driver))

    def do(self, name: str, **values: Any) -> Any:
        """Give an order of the browser's own protocol."""
        return self.driver.execute_cdp_cmd(name, values)

    def open(self, path: Path, *, width: int, height: int = 900, dark: bool = False, media: str = "screen") -> None:
        """Show a file as a device of this width would."""
        self.do(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.do("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self.driver.get("about:blank")
        for kind in ("browser", "performance"):
            self.driver.get_log(kind)
        self._requests: list[str] = []
        self.driver.get(path.resolve().as_uri())

    def ask(self, expression: str) -> Any:
        """The value of an expression in the page."""
        return self.driver.execute_script(f"return {expression}")

    def wait(self, expression: str) -> None:
        """Wait until an expression in the page holds."""
        WebDriverWait(self.driver, 30, 0.05).until(lambda _: self.ask(expression))

    def press(self, selector: str) -> None:
        """Click the first such element where it lies."""
        element = self.driver.find_element(By.CSS_SELECTOR, selector)
        self.ask(f"document.querySelector({selector!r}).scrollIntoView({{block: 'center'}})")
        ActionChains(self.driver).move_to_element(element).click().perform()

    def point_at(self, selector: str) -> None:
        """Move the pointer to the first such element."""
        self.ask(f"document.querySelector({selector!r}).scrollIntoView({{block: 'center'}})")
        ActionChains(self.driver).move_to_element(self.driver.find_element(By.CSS_SELECTOR, selector)).perform()

    def type(self, keys: str) -> None:
        """Type keys where the focus is."""
        ActionChains(self.driver).send_keys(keys).perform()

    def give_file(self, selector: str, path: Path) -> None:
        """Choose a file in an input."""
        self.driver.find_element(By.CSS_SELECTOR, selector).send_keys(str(path.resolve()))

    def complaints(self) -> list[str]:
        """Errors and warnings of the page since it was opened, or since the last call."""
        return [each["message"] for each in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Everything the page asked for since it was opened, itself left out."""
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent" and message["params"].get("type") != "Document":
                self._requests.append(message["params"]["request"]["url"])
        return [url for url in self._requests if not url.startswith("data:")]

    def close(self) -> None:
        """Leave nothing running."""
        self.driver.quit()
