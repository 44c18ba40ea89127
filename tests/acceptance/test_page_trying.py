"""Trying settings in a real browser, beside a service: a trial, its settings in use, a second result side by side."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cases.browser import Browser, browser, is_here
from cases.live_page import live_page
from lab import Lab, stack, write_stack

pytestmark = pytest.mark.browser
SETTING = "volume.min_diameter_um"


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser; what it asked for is looked at in the end."""
    with browser(tmp_path_factory.mktemp("browser")) as made:
        made.driver.set_window_size(1500, 1400)
        yield made
    assert all(is_here(address) for address in made.asked()), "the page asked for something elsewhere"


def colours(window: Browser) -> dict[str, int]:
    """How many pixels of the picture have the colour of the first result, of the second, and of both."""
    found = window.run(
        "const c = document.querySelector('canvas'), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        "const n = {before: 0, after: 0, both: 0};"
        "for (let i = 0; i < d.length; i += 4) {"
        "  if (d[i] === 0 && d[i + 1] === 224 && d[i + 2] === 255) n.before++;"
        "  else if (d[i] === 255 && d[i + 1] === 140 && d[i + 2] === 40) n.after++;"
        "  else if (d[i] === 255 && d[i + 1] === 255 && d[i + 2] === 255) n.both++; } return n"
    )
    return dict(found)


def made_with(lab: Lab, name: str) -> object:
    [(params,)] = lab.rows(f"select params from acquisitions where name = '{name}'")
    return json.loads(params)["volume"].get("min_diameter_um")


def test_try_use_and_do_again(
    window: Browser, new_lab: Callable[..., Lab], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    lab = new_lab(report_s=0.5)
    small = stack(1)
    small[2:4, 8:12, 45:49] = 1500  # debris, of which the threshold makes a nucleus
    write_stack(lab.incoming / "night_t000.tif", stack(0))
    write_stack(lab.incoming / "night_t001.tif", small)
    lab.start()
    lab.wait(lambda: lab.states() == ["complete"] and lab.settled())
    with live_page(lab.database) as page:
        window.open(f"{page.address}/#/a/1?t=1&z=3&tab=try")
        window.wait("the settings", lambda: window.text(".settings"))
        assert window.run("return document.querySelector('[data-try]').disabled")

        window.write("what looks wrong", 3)  # debris is taken for nuclei
        window.wait("what to do about it", lambda: "smallest diameter" in window.text(".advice"))
        window.write(f"{SETTING}, given", True)
        window.wait("a bound that leaves nothing out", lambda: window.run(
            "const of = (name) => document.querySelector(`[aria-label='${name}']`);"
            "return of(arguments[0] + ', exactly').value === of(arguments[0]).min", SETTING))  # fmt: skip
        window.write(f"{SETTING}, exactly", 4)
        window.click("[data-try]")
        window.wait("the trial", lambda: "1 lost" in window.text("[data-state=done]"))
        assert "5 kept" in window.text("[data-state=done]")
        assert window.text("[data-state=done] .figures").startswith("5 nuclei, diameter")
        assert window.text("[data-trial=stored] .figures").startswith("6 nuclei, diameter")
        # The debris is outlined in the first result alone, nuclei in both.
        window.wait("both outlines", lambda: (n := colours(window))["before"] > 8 and n["both"] > 1000)
        assert colours(window)["after"] == 0
        window.driver.save_screenshot(str(tmp_path / "try.png"))
        assert lab.rows("select count(*) from acquisitions") == [(1,)]  # nothing is stored

        window.click("[data-use]")
        window.wait("what would change", lambda: f"{SETTING}: not given → 4" in window.text(".confirm"))
        window.write("your name", "Anna <b>")
        window.driver.save_screenshot(str(tmp_path / "use.png"))
        window.click("[data-confirm]")
        window.wait("the service's answer", lambda: "From now on for" in window.text(".answer"))
        window.wait("its origin", lambda: "chosen by Anna <b> (" in window.text(".in-use"))
        write_stack(lab.incoming / "next.tif", small)
        lab.wait(lambda: "complete" in lab.states() and len(lab.states()) == 2 and lab.settled())
        assert (made_with(lab, "night"), made_with(lab, "next")) == (None, 4)

        window.click("[data-again]")
        window.wait("what would change", lambda: "not given → 4" in window.text(".confirm"))
        window.click("[data-confirm]")
        window.wait("the answer", lambda: "done again" in window.text(".answer"))
        lab.wait(lambda: len(lab.states()) == 3 and lab.settled())
        window.click("[data-compare]")
        window.wait(
            "both sides", lambda: window.run("return document.querySelectorAll('canvas[data-shown]').length") == 2
        )
        window.wait("its figures", lambda: "6 nuclei" in window.text("[data-side='0']"))
        assert "5 nuclei" in window.text("[data-side='1']")
        assert "1 lost" in window.text(".compared")
        assert SETTING in window.text(".differing")
        window.driver.save_screenshot(str(tmp_path / "compare.png"))

        window.open(f"{page.address}/#/a/1?t=1&z=3&tab=try")
        window.click(f"[data-remove='{SETTING}']")
        window.click("[data-confirm]")
        window.wait("back", lambda: "as the configuration says (before: 4" in window.text(".answer"))
        window.wait("nothing in use", lambda: "are the defaults" in window.text(".steering"))
        window.open("about:blank")
    assert lab.stop() == 0
    assert window.console() == []
