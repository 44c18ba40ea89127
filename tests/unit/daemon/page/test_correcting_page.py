"""What is said of nuclei and links on the page: carried out, told with its author, and undone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cases.corrected import CorrectedMovie, assert_same_seen
from cases.live_page import LivePage, live_page

from daemon.page.live.guard import Visitors
from storage.corrections.outlines import DrawnOutline, new_nucleus, redrawn
from storage.errors import WrongRequestError
from storage.results import Results

TOKEN = "a word that is long enough"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> CorrectedMovie:
    """A movie that is complete."""
    movie = CorrectedMovie(tmp_path_factory.mktemp("finished") / "out", 3)
    movie.process()
    return movie


@pytest.fixture
def movie(finished: CorrectedMovie, tmp_path: Path) -> CorrectedMovie:
    """A copy of it."""
    shutil.copytree(finished.output, tmp_path / "out")
    return CorrectedMovie(tmp_path / "out", 3)


@pytest.fixture
def page(movie: CorrectedMovie) -> Iterator[LivePage]:
    """Its page."""
    with live_page(movie.output, Visitors(tokens={"anna": TOKEN})) as made:
        yield made


def say(page: LivePage, what: str = "correct", **values: object) -> tuple[int, str]:
    """Order it as anna; the answer."""
    headers = {"X_Nusetd_Order": "1", "Origin": page.address, "Authorization": f"Bearer {TOKEN}"}
    answer = page.ask(f"/api/orders/{what}", "POST", {"acquisition": 1, **values}, **headers)
    return answer.code, str(answer.json.get("said") or answer.json["error"])


def test_what_is_said_is_carried_out_told_and_undone(page: LivePage, movie: CorrectedMovie) -> None:
    row = Results(movie.output)["embryo"].about
    before = movie.seen(row)
    assert say(page, kind="merge", t=1, labels=[3, 4]) == (
        200,
        "correction 1 (merge at time point 1) is applied: made nuclei 3; removed 4; "
        "in 2 pieces that do not touch each other; tracks 3, 4.",
    )
    split = say(page, kind="split", t=0, labels=[1], points=[[1, 7, 5], [1, 7, 9]])
    assert "divided by its outline alone" in split[1]
    assert say(page, kind="link", t=0, labels=[5], to=[6], to_t=1)[0] == 200
    corners = [[12, 37], [12, 45], [20, 45], [20, 37]]
    assert say(page, kind="add", t=2, outline={"z": 1, "corners": corners})[0] == 200
    listed = page.ask(f"/api/acquisitions/{row.id}/corrections", Authorization=f"Bearer {TOKEN}").json
    assert [(one["kind"], one["state"], one["author"]) for one in listed["said"]] == [
        (kind, "applied", "anna") for kind in ("add", "link", "split", "merge")
    ]
    assert listed["progress"] == []
    assert say(page, "undo", id=1)[1].startswith("event 5, undoing correction 1, is applied")
    assert say(page, "undo")[1].startswith("event 6, undoing correction 4, is applied")
    for _ in range(2):
        assert say(page, "undo")[0] == 200
    assert say(page, "undo")[0] == 400
    assert_same_seen(movie.seen(row), before)
    record = page.ask("/api/overview", Authorization=f"Bearer {TOKEN}").json["changes"]
    assert {(one["who"], one["what"]) for one in record} == {("anna", "correct"), ("anna", "undo")}


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"kind": "explode", "t": 0}, "no correction"),
        ({"kind": "delete", "t": 0, "labels": [99]}, "There is no nucleus 99"),
        ({"kind": "delete", "t": "x", "labels": [1]}, "a time point"),
        ({"kind": "delete", "t": 9, "labels": [1]}, "no time point 9"),
        ({"kind": "delete", "t": 0, "labels": 1}, "a list"),
        ({"kind": "delete", "t": 0, "labels": [True]}, "a nucleus"),
        ({"kind": "split", "t": 0, "labels": [1], "points": [[1, 2]]}, "a place"),
        ({"kind": "split", "t": 0, "labels": [1], "points": [[1, 2, 1e400], [1, 2, 3]]}, "a place"),
        ({"kind": "add", "t": 0, "outline": {"z": 1, "corners": [[1, 1]] * 3}}, "goes around hardly any pixel"),
        ({"kind": "add", "t": 0, "outline": {"z": 7, "corners": [[1, 1], [9, 1], [9, 9]]}}, "There is no slice 7"),
        ({"kind": "add", "t": 0, "outline": [1]}, "An outline has"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(page: LivePage, values: dict[str, object], why: str) -> None:
    code, told = say(page, **values)
    assert (code, why in told) == (400, True), told


def test_a_drawn_slice_is_the_widest_one_of_a_new_nucleus_and_one_of_many_of_a_known_one() -> None:
    square = DrawnOutline(3, ((5, 5), (5, 15), (15, 15), (15, 5)))
    found = new_nucleus(square, (8, 24, 24), (2.0, 1.0, 1.0))
    areas = found.mask.sum(axis=(1, 2))
    assert found.box[0] == slice(0, 7), "as deep as it is wide, in micrometres"
    assert areas.tolist() == areas[::-1].tolist()
    assert areas[0] < areas[1] <= areas[2] <= areas[3] == square.filled((8, 24, 24)).sum()
    again = redrawn(DrawnOutline(4, ((6, 6), (6, 9), (9, 9), (9, 6))), found, (8, 24, 24))
    kept = again.mask.sum(axis=(1, 2))
    assert kept.tolist()[:4] == areas.tolist()[:4]
    assert kept[4] == DrawnOutline(4, ((6, 6), (6, 9), (9, 9), (9, 6))).filled((8, 24, 24)).sum()
    with pytest.raises(WrongRequestError, match="no slice"):
        DrawnOutline(9, ((1, 1), (5, 1), (5, 5))).filled((8, 24, 24))
