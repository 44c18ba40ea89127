"""Correcting on the page in a real browser, beside a service at work: clicked, drawn, seen at once, and undone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from cases.browser import Browser, browser, is_here
from cases.live_page import live_page
from lab import SHAPE, Lab, stack, write_stack

pytestmark = pytest.mark.browser

BALLS = ((20, 20), (20, 70), (48, 45), (74, 20), (74, 72))
CANVAS = "document.querySelector('.stage canvas')"


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser; what it asked for is looked at in the end."""
    with browser(tmp_path_factory.mktemp("browser")) as made:
        made.driver.set_window_size(1400, 1000)
        yield made
    assert all(is_here(address) for address in made.asked()), "the page asked for something elsewhere"


class Hand:
    """A person at the page of one acquisition."""

    def __init__(self, window: Browser) -> None:
        self.window = window

    def click(self, y: float, x: float) -> None:
        """Click on a place of the picture, in pixels of the image."""
        self.window.run(
            f"const c = {CANVAS}, b = c.getBoundingClientRect(); c.dispatchEvent(new MouseEvent('click',"
            " {bubbles: true, clientX: b.left + b.width * arguments[0], clientY: b.top + b.height * arguments[1]}));",
            x / SHAPE[2],
            y / SHAPE[1],
        )

    def choose(self, ball: int) -> None:
        """Choose a nucleus."""
        self.click(*BALLS[ball])
        self.window.wait("it is chosen", lambda: "is chosen" in self.window.text("[data-doing]"))

    def press(self, key: str) -> None:
        """Press a key."""
        script = "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: arguments[0], bubbles: true}))"
        self.window.run(script, key)

    def draw(self, corners: Sequence[tuple[float, float]]) -> None:
        """Draw a line with the mouse."""
        from selenium.webdriver import ActionChains
        from selenium.webdriver.common.by import By

        canvas = self.window.driver.find_element(By.CSS_SELECTOR, ".stage canvas")
        width, height = self.window.run(f"const b = {CANVAS}.getBoundingClientRect(); return [b.width, b.height]")
        chain = ActionChains(self.window.driver, duration=10)
        for index, (y, x) in enumerate(corners):
            at = round(width * (x / SHAPE[2] - 0.5)), round(height * (y / SHAPE[1] - 0.5))
            chain.move_to_element_with_offset(canvas, *at)
            if index == 0:
                chain.click_and_hold()
        chain.release().perform()  # type: ignore[no-untyped-call]

    def drag(self, ball: int, to: tuple[float, float], t: int) -> None:
        """Drag a nucleus; as soon as time point t is shown, let go at another place."""
        from selenium.webdriver import ActionChains
        from selenium.webdriver.common.by import By

        canvas = self.window.driver.find_element(By.CSS_SELECTOR, ".stage canvas")
        width, height = self.window.run(f"const b = {CANVAS}.getBoundingClientRect(); return [b.width, b.height]")

        def over(place: tuple[float, float]) -> ActionChains:
            at = round(width * (place[1] / SHAPE[2] - 0.5)), round(height * (place[0] / SHAPE[1] - 0.5))
            return ActionChains(self.window.driver, duration=10).move_to_element_with_offset(canvas, *at)

        over(BALLS[ball]).click_and_hold().move_by_offset(9, 9).perform()  # type: ignore[no-untyped-call]
        self.at(t)
        self.window.wait("its line", lambda: self.window.run("return !!document.querySelector('.marks line')"))
        over(to).release().perform()  # type: ignore[no-untyped-call]

    def said(self, words: str) -> None:
        """Wait until the page answers, and lists it."""
        self.window.wait(words, lambda: words in self.window.text("#notice"))
        self.window.wait("nothing is under way", lambda: "carried out" not in self.window.text("[data-doing]"))

    def at(self, t: int) -> None:
        """Wait until a time point is shown."""
        script = f"const c = {CANVAS}; return c && c.dataset.shown"
        self.window.wait(f"t = {t}", lambda: str(self.window.run(script)).startswith(f"{t}/"))


def track_at(lab: Lab, t: int, ball: int) -> int:
    """The track of the nucleus that is nearest to where a ball began."""
    rows = lab.rows(f"select centroid_y_px, centroid_x_px, track_id from nuclei where t = {t}")
    y, x = BALLS[ball]
    return int(min(rows, key=lambda row: (row[0] - y) ** 2 + (row[1] - x) ** 2)[2])


@contextmanager
def correcting(window: Browser, folder: Path, frames: int, t: int) -> Iterator[tuple[Lab, Hand]]:
    """A service that is through with so many time points, and somebody who is about to correct one of them."""
    lab = Lab(folder, {"report_s": 1})
    for number in range(frames):
        write_stack(lab.incoming / f"embryo_t{number:03}.tif", stack(number))
    lab.start()
    try:
        lab.wait(lambda: lab.states() == ["complete"] and lab.settled())
        with live_page(lab.database) as page:
            window.open(f"{page.address}/#/a/1?t={t}&z=2&tab=correct")
            hand = Hand(window)
            hand.at(t)
            window.wait("the list", lambda: "Nothing yet" in window.text(".pane"))
            yield lab, hand
            window.open("about:blank")
    finally:
        lab.stop()
    assert window.console() == []


def test_a_link_is_dragged_from_a_nucleus_to_what_it_is_at_the_next_time_point(window: Browser, tmp_path: Path) -> None:
    with correcting(window, tmp_path, frames=2, t=0) as (lab, hand):
        hand.drag(3, (5, 5), 1)
        window.wait("a hint", lambda: "Nothing is linked" in window.text("#notice"))
        hand.at(0)
        hand.drag(3, BALLS[4], 1)
        hand.said("correction 1 (link at time point 0) is applied")
        assert track_at(lab, 0, 3) == track_at(lab, 1, 4) != track_at(lab, 1, 3)
        window.wait("the line is gone", lambda: not window.run("return !!document.querySelector('.marks line')"))
        hand.choose(1)
        hand.press("z")
        hand.said("undoing correction 1, is applied")
        assert track_at(lab, 0, 3) == track_at(lab, 1, 3)


def test_nuclei_and_links_are_corrected_by_hand_and_undone(window: Browser, tmp_path: Path) -> None:
    with correcting(window, tmp_path, frames=3, t=1) as (lab, hand):
        hand.press("m")
        window.wait("a hint", lambda: "Choose a nucleus first" in window.text("#notice"))
        hand.choose(0)
        hand.press("m")
        window.wait(
            "what is awaited", lambda: "Click on the nucleus that is one with it" in window.text("[data-doing]")
        )
        window.keep("correcting, merge begun")
        hand.click(*BALLS[1])
        hand.said("correction 1 (merge at time point 1) is applied")
        assert lab.rows("select count(*) from nuclei where t = 1") == [(4,)]
        window.wait("it is in the list", lambda: "merge 1, 2" in window.texts("[data-said]"))

        hand.choose(2)
        hand.press("s")
        hand.click(44, 45)
        hand.click(52, 45)
        window.wait("both points", lambda: "(2 so far)" in window.text("[data-doing]"))
        window.keep("correcting, split begun")
        hand.press("Enter")
        hand.said("correction 2 (split at time point 1) is applied")
        assert lab.rows("select count(*) from nuclei where t = 1") == [(5,)]

        hand.choose(3)
        hand.press("l")
        hand.at(2)
        window.wait("what is awaited", lambda: "that it is now" in window.text("[data-doing]"))
        hand.click(*BALLS[4])
        hand.said("correction 3 (link at time point 1) is applied")
        assert track_at(lab, 1, 3) == track_at(lab, 2, 4) != track_at(lab, 2, 3)

        hand.press("o")
        window.wait("what is awaited", lambda: "Draw around" in window.text("[data-doing]"))
        hand.draw([(40, 60), (40, 66), (46, 66), (46, 60)])
        hand.said("(redraw at time point 2) is applied")
        window.wait("it is painted", lambda: window.texts("[data-progress]") == "")
        window.keep("corrected")
        hand.press("z")
        hand.said("undoing correction 4, is applied")
        window.click("[data-undo='1']")
        hand.said("undoing correction 1, is applied")
        window.wait("it is undone", lambda: "merge 1, 2" in window.texts("li.undone"))
        window.click("[data-undo='2']")
        hand.said("undoing correction 2, is applied")
        hand.press("z")
        hand.said("undoing correction 3, is applied")
        assert lab.rows("select count(*) from nuclei where corrected") == [(0,)]
        hand.press("?")
        window.keep("all undone, with help")
