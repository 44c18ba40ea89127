"""Corrections that meet each other, sensible or not, on odd movies: none stops the others, and undone nothing is left.

Several of one moment, of what an earlier one made or took away, of what never was; undone in any order, cut off in the
middle, taken off and put on again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases.corrected import assert_consistent, assert_same_seen
from cases.mirror import Mirror
from cases.odd_movies import SCENES, OddMovie
from cases.odd_words import OddPerson

import storage
from storage import naming
from storage.corrections.here import carry_out
from storage.corrections.making import make
from storage.corrections.open_ones import open_corrections
from storage.corrections.ordering import PersonsWord, ordered
from storage.database.catalog import Catalog
from storage.database.corrections.events import APPLIED, MISFIT, ORDERED, Correction
from storage.errors import LabelsChangingError, WrongRequestError
from storage.query.snapshots import snapshot
from storage.schema.states import AcquisitionState
from storage.verify import verify


class Walk:
    """Somebody who says things at random of an odd movie, and what holds after each of them."""

    def __init__(self, catalog: Catalog, movie: OddMovie, seed: int) -> None:
        self.catalog, self.movie = catalog, movie
        self.rng = np.random.default_rng(seed)
        self.row = catalog.acquisitions()[0]
        self.plain = movie.seen(self.row)
        spacing = self.row.voxel_size_um or (1.0, 1.0, 1.0)
        self.person = OddPerson(movie.scene.shape, spacing, movie.frames, self.rng)
        self.done: Counter[str] = Counter()
        self._steps: tuple[tuple[float, Callable[[], None]], ...] = (
            (0.5, self.one),
            (0.15, self.several),
            (0.2, self.undo_some),
            (0.08, self.cut_off),
            (0.03, self.off_and_on),
            (0.04, self.look),
        )

    def go(self, steps: int) -> None:
        """So many steps, and all of it undone."""
        weights, kinds = zip(*self._steps, strict=True)
        for _ in range(steps):
            kinds[int(self.rng.choice(len(kinds), p=weights))]()
        self.look()
        lasting = [one.id for one in self.catalog.corrections.of(self.row.id) if one.undone_by is None]
        for number in self.rng.permutation(lasting).tolist():
            self.undo(number)
            if self.rng.random() < 0.2:
                self.carried_out()
        assert_same_seen(self.carried_out(), self.plain)
        self.look()

    def one(self) -> None:
        """Say one thing, which holds where it fits; where it is taken back at once, everything is as it was."""
        before = self.movie.seen(self.row)
        number = self.say(before)
        if number is None:
            return
        seen = self.carried_out()
        (said,) = (one for one in self.catalog.corrections.of(self.row.id) if one.id == number)
        self.done[f"{said.state} {said.kind}"] += 1
        if said.state == APPLIED:
            assert_is_so(said, seen)
        if self.rng.random() < 0.4:
            self.undo(number)
            assert_same_seen(self.carried_out(), before)

    def several(self) -> None:
        """Several people look at the same moment."""
        seen = self.movie.seen(self.row)
        for _ in range(int(self.rng.integers(2, 5))):
            self.say(seen)
        self.carried_out()

    def undo_some(self) -> None:
        """Take some back, whatever rests on them, or was taken back already."""
        said = [one.id for one in self.catalog.corrections.of(self.row.id)]
        for number in self.rng.choice(said, 3).tolist() if said else [1]:
            self.undo(number)
        self.carried_out()

    def cut_off(self) -> None:
        """Whoever carries it out is killed before the transaction, or after it; more is said meanwhile."""
        self.say(self.movie.seen(self.row))
        if self.row.id in self.catalog.corrections.due():
            with snapshot(self.catalog.address) as connection:
                amendment = make(connection, self.row, self.catalog.stores.owner(self.row), 2)
            if self.rng.random() < 0.5:
                self.catalog.corrections.amend(self.row.id, amendment)
        if self.rng.random() < 0.5:
            self.undo(None)
        else:
            self.say(self.movie.seen(self.row))
        self.carried_out()

    def off_and_on(self) -> None:
        """All are taken off, and put on again."""
        before = self.movie.seen(self.row)
        self.catalog.set_acquisition_state(self.row.id, AcquisitionState.PROCESSING)
        self.catalog.set_acquisition_state(self.row.id, AcquisitionState.SET_ASIDE)
        carry_out(self.catalog, self.row.id)
        assert_same_seen(self.movie.seen(self.row), self.plain)
        self.catalog.set_acquisition_state(self.row.id, AcquisitionState.PROCESSING)
        self.catalog.complete_acquisition(self.row.id)
        assert_same_seen(self.carried_out(), before)

    def look(self) -> None:
        """Who looks from elsewhere sees the same."""
        assert [one for checked in verify(self.movie.output, self.row.id, False) for one in checked.mismatches] == []
        lines = storage.open(self.movie.output).follow("start", until_now=True)
        Mirror().take(lines).check(self.movie.output)
        misfits = [one for one in self.catalog.corrections.of(self.row.id) if one.state == MISFIT]
        url = naming.database_url(self.movie.output)
        assert [one.id for one in open_corrections(url, self.row.id)] == [one.id for one in misfits]
        assert all(one.reason and "fault in nusetd" not in one.reason for one in misfits)

    def say(self, seen: dict[str, Any]) -> int | None:
        """Say something; None where it is refused with a sentence."""
        word: PersonsWord = self.person.word(seen)
        try:
            with snapshot(self.movie.output) as connection:
                order = ordered(connection, self.row, word, "me")
        except (WrongRequestError, LabelsChangingError):
            return None
        return self.catalog.corrections.order(self.row.id, order)

    def undo(self, number: int | None) -> None:
        """Take something back, if it is to be taken back."""
        with suppress(WrongRequestError):
            self.catalog.corrections.undo(self.row.id, number, "me")

    def carried_out(self) -> dict[str, Any]:
        """What people see when all that was said is carried out, or listed as what does not fit."""
        carry_out(self.catalog, self.row.id)
        assert self.catalog.corrections.due() == ()
        assert not [one for one in self.catalog.corrections.listed(self.row.id) if one["state"] == ORDERED]
        seen = self.movie.seen(self.row)
        assert_consistent(seen)
        return seen


def assert_is_so(said: Correction, seen: dict[str, Any]) -> None:
    """What was said last is what is seen."""
    nuclei, tracks = seen["nuclei"].set_index(["t", "label"])["track_id"], seen["tracks"].set_index("track_id")
    there = {label for t, label in nuclei.index if t == said.t}
    assert not there & set(said.named("removed"))
    assert set(said.named("made")) <= there
    if not said.nodes:
        return
    one, *others = (nuclei[node] for node in said.nodes)
    born = tracks.index[tracks["parent_track_id"] == one].tolist()
    last = tracks.loc[one, "last_t"]
    if said.kind == "link":
        assert others == [one]
    elif said.kind == "divide":
        assert (last, born) == (said.t, sorted(others))
    elif said.kind == "end":
        assert (last, born) == (said.t, [])
    elif said.kind == "undivide":
        assert (last, bool(born)) != (said.t, True)
    elif said.kind == "unlink":
        between = [t for (t, _), track in nuclei.items() if track == one and said.times[0] < t < said.times[1]]
        assert others != [one] or between
        assert others[0] not in born or last != said.t or tracks.loc[others[0], "first_t"] != said.times[1]


def walk(folder: Path, scene: str, seed: int, steps: int) -> Counter[str]:
    """One person's work on one movie; what became of it."""
    movie = OddMovie(folder, scene=SCENES[scene])
    movie.process()
    with Catalog.open(folder) as catalog:
        one = Walk(catalog, movie, seed)
        one.go(steps)
    return one.done


def test_odd_corrections_of_a_movie_with_failed_time_points(tmp_path: Path) -> None:
    walk(tmp_path / "out", "with a failed one", seed=13, steps=4)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("scene", SCENES)
def test_many_odd_corrections_stop_no_others_and_leave_nothing(scene: str, tmp_path: Path) -> None:
    done: Counter[str] = Counter()
    for seed in range(4):
        done += walk(tmp_path / str(seed), scene, seed, steps=80)
    assert any(said.startswith(APPLIED) for said in done)
    assert any(said.startswith(MISFIT) for said in done)
