"""How time points went, as curves: what cannot change any more is read once, however often something is committed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

from sqlalchemy import Connection, bindparam, text

from storage.query.snapshots import resolved, snapshot

_MOST_ACQUISITIONS = 16
_AT_ONCE = 500  # time points in one statement

# What is in labels/tracks is final: until it is painted anew, or somebody corrects the acquisition, it stays as it is.
_POINTS = text("""
    SELECT t, nuclei_count, CASE WHEN tracks_final THEN completed_at || ' ' || painted_at END AS made
    FROM timepoints WHERE acquisition_id = :number AND nuclei_count IS NOT NULL ORDER BY t
""")
_CORRECTED = text("""
    SELECT count(*), max(id), max(applied_at) FROM corrections WHERE acquisition_id = :number
""")
_DIVISIONS = text("""
    SELECT first_t, count(DISTINCT parent_track_id) FROM tracks
    WHERE acquisition_id = :number AND parent_track_id IS NOT NULL GROUP BY first_t
""")
_SIZES = text("""
    SELECT t, avg(equivalent_diameter_um), avg(intensity_mean), count(DISTINCT track_id) FROM nuclei
    WHERE acquisition_id = :number AND t IN :times GROUP BY t
""").bindparams(bindparam("times", expanding=True))

Sizes = tuple[float | None, float | None, int]


class OverTime:
    """Counts and mean sizes of every time point that is done.

    Parameters
    ----------
    database : str
    """

    def __init__(self, database: str) -> None:
        self._database = database
        self._lock = Lock()
        self._known: dict[int, tuple[object, dict[int, tuple[str, Sizes]]]] = {}

    def counts(self, number: int) -> dict[str, list[Any]]:
        """Nuclei, divisions, mean sizes and tracks by columns, in the order of time points.

        Raises
        ------
        StorageError
        """
        with snapshot(self._database) as connection:
            resolved(connection, number)
            asked = {"number": number}
            points = connection.execute(_POINTS, asked).all()
            divisions = {int(row[0]): int(row[1]) for row in connection.execute(_DIVISIONS, asked)}
            corrected = tuple(connection.execute(_CORRECTED, asked).one())
            sizes = self._sizes(connection, number, corrected, {t: made for t, _, made in points})
        times = [int(t) for t, _, _ in points]
        found = [sizes.get(t, (None, None, None)) for t in times]
        return {
            "t": times,
            "nuclei_count": [count for _, count, _ in points],
            "divisions": [divisions.get(t, 0) for t in times],
            "diameter_mean_um": [_short(one[0]) for one in found],
            "intensity_mean": [_short(one[1]) for one in found],
            "cells": [one[2] for one in found],
        }

    def _sizes(
        self, connection: Connection, number: int, corrected: object, made: Mapping[int, str | None]
    ) -> dict[int, Sizes]:
        with self._lock:
            before, known = self._known.get(number, (corrected, {}))
        known = known if before == corrected else {}
        found = {t: sizes for t, (of, sizes) in known.items() if made.get(t) == of}
        for t, *sizes in _read(connection, number, [t for t in made if t not in found]):
            found[t] = (sizes[0], sizes[1], sizes[2])
        kept = {t: (of, found[t]) for t, of in made.items() if of is not None and t in found}
        with self._lock:
            self._known.pop(number, None)
            self._known[number] = corrected, kept
            while len(self._known) > _MOST_ACQUISITIONS:
                del self._known[next(iter(self._known))]
        return found


def _read(connection: Connection, number: int, times: Sequence[int]) -> Sequence[Any]:
    rows: list[Any] = []
    for some in (times[first : first + _AT_ONCE] for first in range(0, len(times), _AT_ONCE)):
        rows += connection.execute(_SIZES, {"number": number, "times": list(some)}).all()
    return rows


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.7g}")
