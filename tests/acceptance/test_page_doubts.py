"""The queue of doubts on the page in a real browser: next, right, wrong, until nothing is left to look at."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from cases.browser import browser, is_here
from cases.corrected import CorrectedMovie
from cases.live_page import live_page

pytestmark = pytest.mark.browser


def test_doubts_are_gone_through(tmp_path: Path) -> None:
    movie = CorrectedMovie(tmp_path / "out", 4)
    movie.process()
    with closing(sqlite3.connect(movie.output / "nusetd.sqlite")) as connection, connection:
        connection.execute("UPDATE nuclei SET doubt_kind = NULL, link_doubt = NULL, end_doubt = NULL")
        for value, kind, t, label in ((0.9, "false", 1, 3), (0.5, "several", 2, 8)):
            said = "UPDATE nuclei SET doubt = ?, doubt_kind = ? WHERE t = ? AND label = ?"
            connection.execute(said, (value, kind, t, label))
    (tmp_path / "browser").mkdir()
    with browser(tmp_path / "browser") as window, live_page(movie.output) as page:
        window.open(f"{page.address}/#/a/1?t=0&z=1&tab=doubts")
        window.wait("the queue", lambda: "1 of the first 2: t = 1, nucleus 3" in window.text("[data-doubts]"))
        window.click("[data-doubt='next']")
        window.wait("the second", lambda: "2 of the first 2: t = 2, nucleus 8" in window.text("[data-doubts]"))
        assert "t=2" in str(window.run("return location.hash"))
        window.keep("doubts")
        window.click("[data-doubt='right']")
        window.wait("one is left", lambda: "1 of the first 1: t = 1, nucleus 3" in window.text("[data-doubts]"))
        window.wait(
            "it can be answered", lambda: window.run("return !document.querySelector('[data-doubt=wrong]').disabled")
        )
        window.click("[data-doubt='wrong']")
        window.wait("none is left", lambda: "Nothing is doubted" in window.text("[data-doubts]"))
        assert window.console() == []
    assert all(is_here(address) for address in window.asked())
    with closing(sqlite3.connect(movie.output / "nusetd.sqlite")) as connection:
        assert connection.execute("SELECT kind FROM corrections ORDER BY id").fetchall() == [("confirm",), ("delete",)]
        assert connection.execute("SELECT count(*) FROM nuclei WHERE t = 1").fetchone() == (7,)
