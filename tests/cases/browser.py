"""A real browser for tests: Chromium without a window, which draws WebGL by software and reaches this computer only.

It keeps what its pages did: every address that they or their workers asked for, and what they wrote to the console.
Debian's packages ``chromium`` and ``chromium-driver`` are used; without them tests skip, and say so.
"""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from numpy.typing import NDArray

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

WIDTH, HEIGHT = 1000, 800
WAIT_S = 60.0

_PROGRAMS = ("chromium", "chromedriver")
_FLAGS = (
    "--headless=new", "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-first-run",
    "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-extensions", "--force-device-scale-factor=1", f"--window-size={WIDTH},{HEIGHT}",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)  # fmt: skip


_FOUND = """(() => { const words = [...document.querySelectorAll('button')].find(b => b.textContent === arguments[0]);
  if (words) return words; try { return document.querySelector(arguments[0]); } catch { return null; } })()"""
_FIELD = 'document.querySelector(`[aria-label="${arguments[0]}"], [name="${arguments[0]}"]`)'


class Browser:
    """One window.

    Attributes
    ----------
    driver : selenium's driver
    """

    def __init__(self, driver: Chrome, network_log: Path) -> None:
        self.driver = driver
        self._network_log = network_log

    def open(self, address: str) -> None:
        """Go to an address."""
        self.driver.get(address)

    def run(self, script: str, *arguments: object) -> Any:
        """Run the body of a JavaScript function in the page; return what it returns."""
        return self.driver.execute_script(script, *arguments)

    def wait(self, what: str, look: Callable[[], Any]) -> Any:
        """Return what `look` gives as soon as that is true; fail with `what` was waited for."""
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            if found := look():
                return found
            time.sleep(0.05)
        pytest.fail(f"The page did not come to this in {WAIT_S:.0f} s: {what}. Console: {self.console()}")

    def click(self, what: str) -> None:
        """Click on what this selector finds, or on the button with these words, as soon as it may be used."""
        self.wait(f"{what} to be clicked on", lambda: self.run(f"const e = {_FOUND}; return e && !e.disabled", what))
        self.run(f"{_FOUND}.click()", what)

    def write(self, label: str, value: object) -> None:
        """Put a value into the field of this label, or with this name, as soon as it is there; tick a box of it."""
        self.wait(f"the field {label}", lambda: self.run(f"return !!{_FIELD}", label))
        self.run(
            f"const e = {_FIELD}; if (e.type === 'checkbox') e.click(); else {{ e.value = arguments[1];"
            " for (const kind of ['input', 'change']) e.dispatchEvent(new Event(kind, {bubbles: true})); }",
            label,
            str(value),
        )

    def text(self, selector: str) -> str:
        """What is written in an element; nothing where it is not there."""
        return self.texts(selector).split("\0")[0]

    def texts(self, selector: str) -> str:
        """What is written in all elements of a kind, with a zero character between them."""
        found = "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent).join('\\0')"
        return str(self.run(found, selector))

    def picture(self) -> NDArray[np.int16]:
        """Return what the window shows, (Y, X, RGB)."""
        from PIL import Image

        with Image.open(io.BytesIO(self.driver.get_screenshot_as_png())) as image:
            return np.asarray(image.convert("RGB"), dtype=np.int16)

    def keep(self, name: str) -> Path:
        """Keep what the whole page shows as a picture, for people to look at; return where.

        The folder is NUSETD_SCREENSHOTS, else one beside the browser's log.
        """
        folder = Path(os.environ.get("NUSETD_SCREENSHOTS") or self._network_log.parent / "screenshots")
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.png"
        found = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
        path.write_bytes(base64.b64decode(found["data"]))
        return path

    def settled_picture(self) -> NDArray[np.int16]:
        """Return what the window shows when it no longer changes."""
        before = self.picture()
        while not np.array_equal(before, now := self.picture()):
            before = now
            time.sleep(0.1)
        return now

    def console(self) -> list[str]:
        """Return the errors that pages wrote since the last call; files that are not there are none."""
        entries = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [one["message"] for one in entries if one["level"] == "SEVERE" and " 404 " not in one["message"]]

    def asked(self) -> list[str]:
        """Return every address that pages and their workers asked for, once the browser has ended."""
        log = json.loads(self._network_log.read_text(encoding="utf-8", errors="replace"))
        kind = log["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
        started = [event["params"] for event in log["events"] if event["type"] == kind and "params" in event]
        return [one["url"] for one in started if _of_page(one)]


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """Give a window; skip the test where no browser is installed.

    Parameters
    ----------
    folder : Path
        For its profile and its log.
    """
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium, of the extra nusetd[test]")
    found = [shutil.which(name) for name in _PROGRAMS]
    if None in found:
        pytest.skip("needs Chromium and its driver: apt install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = found[0]
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    log = folder / "network.json"
    for flag in (*_FLAGS, f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(found[1]))
    try:
        yield Browser(driver, log)
    finally:
        driver.quit()


def is_here(address: str) -> bool:
    """Say whether an address is on this computer, or none of a network."""
    parts = urlsplit(address)
    return parts.scheme in ("data", "blob") or parts.hostname in ("127.0.0.1", "localhost", "::1")


def _of_page(request: dict[str, Any]) -> bool:
    """Say whether a page asked, or a person for a page: not the browser for its own purposes."""
    return urlsplit(str(request.get("initiator"))).scheme in ("http", "https") or is_here(str(request.get("url")))
