"""Where each track has lately been."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

TailPoint = tuple[int, float, float]  # t, x, y


class Tails:
    """The last places of every track, those of a daughter with her mother's before them.

    Parameters
    ----------
    length : int
        In time points as they are numbered; older places are forgotten.
    parents : mapping of a track to its mother
    """

    def __init__(self, length: int, parents: Mapping[int, int]) -> None:
        self._length = length
        self._parents = parents
        self._places: dict[int, list[TailPoint]] = {}

    def advance(self, t: int, seen: Iterable[tuple[int, float, float]]) -> Mapping[int, list[TailPoint]]:
        """Take the tracks that are seen at a time point, as track, x and y; return the tails of two places or more."""
        for track, x, y in seen:
            before = self._places.get(track)
            if before is None:
                before = list(self._places.get(self._parents.get(track, track), ()))
                self._places[track] = before
            before.append((t, x, y))
        oldest = t - self._length
        kept = {track: [one for one in places if one[0] >= oldest] for track, places in self._places.items()}
        self._places = {track: places for track, places in kept.items() if places}
        return {track: places for track, places in self._places.items() if len(places) > 1}
