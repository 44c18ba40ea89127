"""The same sentence is said once, and of a kind a few: the others are counted, and nothing else is lost."""

from __future__ import annotations

from pathlib import Path

from daemon import logs
from daemon.sentences import Sentences
from storage.query.sentences import first_of_kinds, kind_for


def test_the_same_sentence_is_said_once() -> None:
    said: list[str] = []
    sentences = Sentences(said.append)
    for number in range(300):
        sentences.say("/in/drug_T*.tif would be a series.", f"/in/drug_T{number}.tif")
    sentences.end()
    assert said == ["/in/drug_T*.tif would be a series."]


def test_of_a_kind_three_are_said_and_the_others_counted() -> None:
    said: list[str] = []
    sentences = Sentences(said.append, "`nusetd acquisitions` has them")
    for number in range(300):
        path = Path(f"/in/day {number % 2}/stack{number}.tif")
        sentences.say(f"{path}: stack{number} is a stack of {number + 2} slices without a voxel size.", path)
    sentences.say("/in/day 1/stack7.tif breaks off.", "/in/day 1/stack7.tif")
    sentences.end()
    assert len(said) == 5
    assert said[3] == "/in/day 1/stack7.tif breaks off."
    assert said[4] == "As with stack0.tif, so it is with 297 more images; `nusetd acquisitions` has them."
    sentences.end()
    assert len(said) == 5


def test_kinds_are_told_apart_by_what_they_say() -> None:
    one = kind_for("a.tif says 3 um, x", "/in/a.tif")
    assert one == kind_for("b.tif says 4.5e-3 um, x", "/in/b.tif")
    assert one != kind_for("b.tif says 4 s, x", "/in/b.tif")
    assert first_of_kinds(["number 3 differs", "it moved", "number 4 differs"]) == ["number 3 differs", "it moved"]


def test_a_warning_is_logged_once_for_a_key(caplog) -> None:
    with caplog.at_level("WARNING", logger="nusetd"):
        for number in (1, 1, 2):
            logs.warning_once("in doubt", ("test", number), reason=number)
    assert [record.fields["reason"] for record in caplog.records] == [1, 2]
