"""A movie on the page in a real browser: ordered, told of, and a link to take it away."""

from __future__ import annotations

from pathlib import Path

import pytest
from cases import family
from cases.browser import browser
from cases.live_page import live_page

pytestmark = pytest.mark.browser


def test_a_movie_is_made_from_the_tab_of_plots(tmp_path: Path) -> None:
    results = family.fill(tmp_path)
    (tmp_path / "browser").mkdir()
    with browser(tmp_path / "browser") as window, live_page(results) as page:
        window.open(f"{page.address}/#/a/1?tab=plots")
        window.click("[data-movie]")
        link = window.wait("the movie", lambda: window.run("return document.querySelector('[data-done]')?.href"))
        answer = page.ask(str(link).removeprefix(page.address))
        assert (answer.code, answer.body[:6]) == (200, b"GIF89a")
        assert window.run("return !document.querySelector('[data-movie]').disabled")
        window.run("document.querySelector('.movie details').open = true")
        window.keep("movie")
        assert window.console() == []
