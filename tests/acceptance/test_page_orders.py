"""Orders on the page in a real browser, beside a service at work: asked before, carried out, seen by everybody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cases.browser import Browser, browser, is_here
from cases.live_page import live_page
from lab import Lab, stack, write_stack

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser; what it asked for is looked at in the end."""
    with browser(tmp_path_factory.mktemp("browser")) as made:
        yield made
    assert all(is_here(address) for address in made.asked()), "the page asked for something elsewhere"


def test_orders_are_asked_carried_out_and_seen_by_everybody(window: Browser, tmp_path: Path) -> None:
    lab = Lab(tmp_path, {"report_s": 1})
    for t in range(3):
        write_stack(lab.incoming / f"embryo_t{t:03}.tif", stack(t))
    whole = write_stack(tmp_path / "whole.tif", stack(0)).read_bytes()
    (lab.incoming / "cut.tif").write_bytes(whole[: len(whole) // 2])
    lab.start()
    try:
        lab.wait(lambda: lab.done() == 3 and "set_aside" in lab.states())
        with live_page(lab.database) as page:
            window.open(page.address)
            window.wait("what was set aside", lambda: "cut.tif" in window.texts("[data-aside]"))
            window.wait("the thumbnail", lambda: window.run("const i = document.querySelector('.thumb img');"
                                                            "return i && i.naturalWidth > 50"))  # fmt: skip
            window.keep("overview")
            window.driver.switch_to.new_window("tab")
            window.open(page.address)  # a second person
            other, first = window.driver.window_handles[1], window.driver.window_handles[0]
            window.driver.switch_to.window(first)

            window.click("[data-order=retry]")
            window.wait("the sentence", lambda: "queued again" in window.texts("#notice"))
            window.wait("the record", lambda: "retry cut" in window.texts("[data-record]"))
            window.driver.switch_to.window(other)
            window.wait("the record, there too", lambda: "retry cut" in window.texts("[data-record]"))
            window.driver.close()
            window.driver.switch_to.window(first)

            window.wait("set aside again", lambda: "cut.tif" in window.texts("[data-aside]"))
            window.click("[data-order=submit]")
            window.write("axes", "ABC")
            window.click("dialog [data-confirm]")
            window.wait("a refusal", lambda: "no order of axes" in window.texts("#notice"))
            window.write("axes", "ZYX")
            window.keep("submit")
            window.click("dialog [data-confirm]")
            window.wait("it was taken", lambda: "submit" in window.texts("[data-record]"))
            assert "axes ZYX" in window.texts("[data-record]")
            window.wait("no dialog", lambda: window.texts("dialog") == "")

            window.click("[data-order=take]")
            window.click("dialog .files button")
            window.wait("files of the folder", lambda: "embryo_t001.tif" in window.texts("dialog .files"))
            window.keep("choose a file")
            window.click("dialog .end button:last-child")

            window.wait("no dialog", lambda: window.texts("dialog") == "")
            window.click("[data-order=forget]")
            window.keep("forget")
            window.click("dialog .end button:first-child")
            window.wait("no dialog", lambda: window.texts("dialog") == "")
            assert "forget" not in window.texts("[data-record]"), "it was only asked"
            window.click("[data-order=forget]")
            window.click("dialog [data-confirm]")
            window.wait("it is gone", lambda: window.texts("[data-aside]") == "")
            assert "set_aside" not in lab.states()
            window.open("about:blank")
    finally:
        lab.stop()
    assert [one for one in window.console() if " 400 " not in one] == [], "the refusal is written down by the browser"


def test_without_anything_the_page_says_what_to_do_and_narrow_windows_are_used(window: Browser, tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.start()
    try:
        lab.wait(lambda: lab.database.exists() and bool(lab.rows("select 1 from service_reports")))
        with live_page(lab.database) as page:
            window.driver.set_window_size(420, 900)
            window.open(page.address)
            window.wait("a sentence", lambda: "appears here by itself" in window.texts(".empty"))
            window.keep("nothing yet, narrow")
            wide = "return document.documentElement.scrollWidth <= document.documentElement.clientWidth"
            assert window.run(wide), "nothing sticks out"
            window.open("about:blank")
    finally:
        lab.stop()
        window.driver.set_window_size(1280, 900)
    assert window.console() == []
