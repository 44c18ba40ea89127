"""The queue of doubts on the page: what it shows, and that its answers are orders which settle them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from cases.corrected import CorrectedMovie
from cases.live_page import live_page

from daemon.page.live.guard import Visitors

TOKEN = "a word that is long enough"


def test_the_queue_is_shown_and_answered(tmp_path: Path) -> None:
    movie = CorrectedMovie(tmp_path / "out", 4)
    movie.process()
    with closing(sqlite3.connect(movie.output / "nusetd.sqlite")) as connection, connection:
        connection.execute(
            "UPDATE nuclei SET doubt = 0.01, doubt_kind = NULL, link_doubt = CASE WHEN t > 0 THEN 0.01 END"
        )
        for value, kind, t, label in ((0.9, "several", 1, 3), (0.5, "false", 2, 8), (0.4, "outline", 0, 1)):
            said = "UPDATE nuclei SET doubt = ?, doubt_kind = ? WHERE t = ? AND label = ?"
            connection.execute(said, (value, kind, t, label))
    with live_page(movie.output, Visitors(tokens={"anna": TOKEN})) as page:
        allowed = {"Authorization": f"Bearer {TOKEN}"}

        def queue() -> list[dict[str, object]]:
            return list(page.ask("/api/acquisitions/1/doubts", **allowed).json["doubts"])

        first, second, third = queue()
        assert (first["kind"], first["t"], first["label"], first["doubt"]) == ("several", 1, 3, 0.9)
        assert second["wrong"] == {"kind": "delete", "t": 2, "labels": [8]}
        assert third["wrong"] is None  # a new outline is drawn by a person
        assert str(third["command"]).endswith("--mask FILE")
        headers = {"X_Nusetd_Order": "1", "Origin": page.address, **allowed}
        for order in (first["wrong"], second["right"]):
            assert isinstance(order, dict)
            answer = page.ask("/api/orders/correct", "POST", {"acquisition": 1, **order}, **headers)
            assert (answer.code, "is applied" in str(answer.json.get("said"))) == (200, True)
        assert [one["kind"] for one in queue()] == ["outline"]
