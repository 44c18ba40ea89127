"""A reader's own copy of results, made of nothing but the lines that follow them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import text

from storage.query.snapshots import snapshot


class Mirror:
    """Takes lines one by one, as whoever follows would."""

    def __init__(self) -> None:
        self.cursors: list[str] = []
        self.nuclei: dict[int, dict[int, dict[int, int | None]]] = defaultdict(dict)  # acquisition, t, label: track
        self.births: dict[int, set[int]] = defaultdict(set)
        self.divisions: dict[int, set[tuple[int, tuple[int, ...]]]] = defaultdict(set)
        self.tracks: dict[int, dict[int, tuple[Any, ...]]] = defaultdict(dict)
        self._coming: dict[int, dict[int, int | None]] = defaultdict(dict)

    def take(self, lines: Iterable[dict[str, Any]]) -> Mirror:
        for line in lines:
            self.cursors.append(line["cursor"])
            getattr(self, f"_{line['kind']}", self._other)(line, line.get("acquisition_id"))
        return self

    def _nucleus(self, line: dict[str, Any], of: int) -> None:
        self._coming[line["t"]][line["label"]] = line.get("track_id")

    def _birth(self, line: dict[str, Any], of: int) -> None:
        (self.births[of].remove if line.get("taken_back") else self.births[of].add)(line["track_id"])

    def _division(self, line: dict[str, Any], of: int) -> None:
        one = (line["track_id"], tuple(line["daughters"]))
        (self.divisions[of].remove if line.get("taken_back") else self.divisions[of].add)(one)

    def _track(self, line: dict[str, Any], of: int) -> None:
        self.tracks[of][line["track_id"]] = tuple(line.get(name) for name in TRACK)

    def _timepoint(self, line: dict[str, Any], of: int) -> None:
        """The lines before it are all nuclei of the time points that it names."""
        for t in {*line.get("renewed", ()), *([line["t"]] if "t" in line else [])}:
            self.nuclei[of][t] = self._coming.pop(t, {})
        assert not self._coming

    _tracks = _corrected = _timepoint

    def _dropped(self, line: dict[str, Any], of: int) -> None:
        for kept in (self.nuclei, self.births, self.divisions, self.tracks):
            kept.pop(of, None)  # type: ignore[attr-defined]

    _forgotten = _dropped

    def _other(self, line: dict[str, Any], of: int) -> None:
        pass

    def check(self, database: Path | str) -> None:
        """The database says the same, and no cursor came twice."""
        assert len(set(self.cursors)) == len(self.cursors)
        with snapshot(database) as connection:
            ask = lambda query: [tuple(row) for row in connection.execute(text(query))]  # noqa: E731
            told = {
                (a, t, n, k) for a, times in self.nuclei.items() for t, one in times.items() for n, k in one.items()
            }
            assert told == set(ask("SELECT acquisition_id, t, label, track_id FROM nuclei"))
            born = {(a, n) for a, found in self.births.items() for n in found}
            assert born == set(ask("SELECT acquisition_id, track_id FROM tracks WHERE parent_track_id IS NULL"))
            daughters = defaultdict(list)
            for a, parent, n in ask("SELECT acquisition_id, parent_track_id, track_id FROM tracks ORDER BY 3"):
                daughters[a, parent].append(n)
            divided = {(a, k, tuple(n)) for (a, k), n in daughters.items() if k is not None and len(n) > 1}
            assert divided == {(a, *one) for a, found in self.divisions.items() for one in found}
            rows = ask(f"SELECT acquisition_id, {', '.join(TRACK)} FROM tracks WHERE is_final")
            known = {(a, row) for a, found in self.tracks.items() for row in found.values()}
            assert {(a, tuple(row)) for a, *row in rows} <= known


TRACK = ("track_id", "parent_track_id", "first_t", "last_t", "nuclei_count")
