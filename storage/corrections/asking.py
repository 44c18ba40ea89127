"""Correcting an acquisition: every method says one thing, and has it carried out by the service, or here without one.

import storage

embryo = storage.open("results")["embryo"]
embryo.correct.merge(12, [3, 4])
embryo.correct.split(12, 7, [(4.0, 31.5, 20.0), (4.0, 38.0, 21.5)])
embryo.correct.undo()
"""

from __future__ import annotations

import getpass
import os
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from nuset_engine.arrays import Mask
from storage.corrections.elsewhere.importing import ImportReport, OpenEdited, import_movie, import_path
from storage.corrections.having import Having
from storage.corrections.here import ToldProgress
from storage.corrections.ordering import PersonsWord, ordered
from storage.corrections.persons_word import several, whole
from storage.database.catalog import Catalog
from storage.database.corrections import events
from storage.database.corrections.events import APPLIED, MISFIT, ORDERED, UNDONE, CorrectionOrder
from storage.errors import LabelsChangingError
from storage.query.snapshots import resolved, snapshot

_LOOK_S = 0.1


@dataclass(frozen=True)
class CorrectionReply:
    """What became of something that was said.

    Attributes
    ----------
    id : int
        Its number.
    state : str
        ``applied``, ``does not fit``, ``undone``, or ``ordered``: it waits for the service, or for time points that
        came late or changed.
    text : str
        A sentence.
    """

    id: int
    state: str
    text: str


class Corrector:
    """What can be said of one acquisition.

    Parameters
    ----------
    url : str
        Of the database.
    acquisition_id : int
    wait_s : float
        How long to wait for the service.
    author : str, optional
        Who says it; else the user of this process.
    """

    def __init__(
        self,
        url: str,
        acquisition_id: int,
        wait_s: float = 60.0,
        author: str | None = None,
        progress: ToldProgress = lambda what, done, total: None,
    ) -> None:
        self._url = url
        self._id = acquisition_id
        self._author = author or _account()
        self._having = Having(url, acquisition_id, wait_s, progress)

    def merge(self, t: int, labels: Sequence[int]) -> CorrectionReply:
        """These nuclei of a time point are one."""
        return self.say(PersonsWord("merge", t, several(labels, "nuclei")))

    def split(self, t: int, label: int, points: Sequence[tuple[float, float, float]]) -> CorrectionReply:
        """A nucleus is several, one around each of these places (z, y, x) in micrometres."""
        return self.say(PersonsWord("split", t, (label,), points=several(points, "places")))

    def delete(self, t: int, label: int) -> CorrectionReply:
        """A nucleus is none."""
        return self.say(PersonsWord("delete", t, (label,)))

    def add(self, t: int, point: tuple[float, float, float] | None = None, mask: Mask | None = None) -> CorrectionReply:
        """There is a nucleus around a place (z, y, x) in micrometres, or where a mask (Z, Y, X) is not 0."""
        return self.say(PersonsWord("add", t, points=() if point is None else (point,), mask=mask))

    def redraw(self, t: int, label: int, mask: Mask) -> CorrectionReply:
        """A nucleus is where a mask (Z, Y, X) is not 0."""
        return self.say(PersonsWord("redraw", t, (label,), mask=mask))

    def confirm(self, t: int, label: int) -> CorrectionReply:
        """A nucleus is right as it is."""
        return self.say(PersonsWord("confirm", t, (label,)))

    def link(self, t: int, label: int, to: int, to_t: int | None = None) -> CorrectionReply:
        """A nucleus goes on as nucleus `to` of time point `to_t`, by default the next one."""
        return self.say(PersonsWord("link", t, (label,), (to,), to_t))

    def unlink(self, t: int, label: int, to: int, to_t: int | None = None) -> CorrectionReply:
        """A nucleus does not go on as that one."""
        return self.say(PersonsWord("unlink", t, (label,), (to,), to_t))

    def divide(self, t: int, label: int, daughters: tuple[int, int], to_t: int | None = None) -> CorrectionReply:
        """A nucleus divides into these two of time point `to_t`, by default the next one."""
        return self.say(PersonsWord("divide", t, (label,), several(daughters, "daughters"), to_t))

    def undivide(self, t: int, label: int) -> CorrectionReply:
        """The track of a nucleus does not divide."""
        return self.say(PersonsWord("undivide", t, (label,)))

    def end(self, t: int, label: int) -> CorrectionReply:
        """The track of a nucleus ends with it."""
        return self.say(PersonsWord("end", t, (label,)))

    def undo(self, number: int | None = None, together: bool = False) -> CorrectionReply:
        """Take back what was said, the last of it by default.

        The last is taken back with all that were said together with it, another one where `together` says so.
        """
        which = None if number is None else whole(number, "a correction")
        return self._have(lambda catalog: catalog.corrections.undo(self._id, which, self._author, together))

    def import_(self, path: str | Path, dry_run: bool = False) -> ImportReport:
        """Say how a movie that was edited elsewhere differs: a CTC folder, TrackMate's XML or a GEFF.

        Raises
        ------
        WrongRequestError, StorageError
            When it cannot be read, does not belong to the acquisition, or nothing of that is done.
        """
        return import_path(self._having, Path(path), self._author, dry_run)

    def import_movie(self, opened: OpenEdited, dry_run: bool = False) -> ImportReport:
        """Say how an edited movie differs that is here already, as `import_` does."""
        return import_movie(self._having, opened, self._author, dry_run)

    def list(self) -> pd.DataFrame:
        """Return what was said, and what undid it: one row each."""
        with snapshot(self._url) as connection:
            return pd.DataFrame(events.listed(connection, self._id))

    def say(self, word: PersonsWord) -> CorrectionReply:
        """Order one correction, and wait until it is carried out.

        Raises
        ------
        WrongRequestError
            When it speaks of what is not there, or says too little.
        StorageError
            When labels or image cannot be read or written.
        """
        until = time.monotonic() + self._having.wait_s
        while True:
            try:
                order = self._ordered(word)
                break
            except LabelsChangingError:  # by the correction before it, most likely
                if time.monotonic() >= until:
                    raise
                time.sleep(_LOOK_S)
        return self._have(lambda catalog: catalog.corrections.order(self._id, order))

    def _ordered(self, word: PersonsWord) -> CorrectionOrder:
        with snapshot(self._url) as connection:
            return ordered(connection, resolved(connection, self._id), word, self._author)

    def _have(self, said: Callable[[Catalog], int]) -> CorrectionReply:
        """Write it down; carry it out where nobody else writes, else wait for who does."""
        misfits: set[int] = set()

        def noted(catalog: Catalog) -> int:
            misfits.update(_misfits(catalog, self._id))
            return said(catalog)

        return self._having.have(
            noted,
            lambda catalog, number: _reply(catalog, self._id, number, misfits),
            lambda reply: reply.state == ORDERED,
        )


def _account() -> str:
    """The name of the account that runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run it under a number that has no name
        return f"user {os.getuid()}"


def _misfits(catalog: Catalog, acquisition_id: int) -> dict[int, str]:
    """What does not fit, each with its kind and why."""
    listed = catalog.corrections.listed(acquisition_id)
    return {int(one["id"]): f"({one['kind']}): {one['reason']}" for one in listed if one["state"] == MISFIT}


def _reply(catalog: Catalog, acquisition_id: int, number: int, misfits: Collection[int]) -> CorrectionReply:
    """What became of a correction, and of those that fitted before it: `misfits` are those that did not."""
    row: dict[str, Any] = next(one for one in catalog.corrections.listed(acquisition_id) if one["id"] == number)
    about = f"correction {number} ({row['kind']} at time point {row['source_t']})"
    if row["kind"] == "undo":
        others = len(row["parameters"].get("together", [])) - 1
        more = f" and {others} said with it" if others > 0 else ""
        about = f"event {number}, undoing correction {row['parameters']['undoes']}{more},"
    if row["state"] == MISFIT:
        return CorrectionReply(number, MISFIT, f"{about} does not fit: {row['reason']}.")
    if row["state"] == ORDERED:
        held = catalog.corrections.are_held(acquisition_id)
        late = "it is carried out when the time points that came late or changed are done"
        when = late if held else "the service carries it out"
        return CorrectionReply(number, ORDERED, f"{about} is noted: {when}.")
    if row["state"] == UNDONE:
        return CorrectionReply(number, UNDONE, f"{about} is undone.")
    changed = row["changed"] or {}
    labels = [f"{word} {', '.join(map(str, changed[name]))}" for name, word in _WORDS if changed.get(name)]
    labels += [changed["how"]] if changed.get("how") else []
    tracks = changed.get("tracks") or []
    labels += [f"tracks {', '.join(map(str, tracks))}"] if tracks else []
    labels += ["no track changed, it was so already"] if row["kind"] in _OF_LINKS and not labels else []
    left = _misfits(catalog, acquisition_id)
    labels += [f"does not fit any more: {one} {left[one]}" for one in sorted(left) if one not in misfits]
    waiting = sum(one == acquisition_id for one, _ in catalog.unpainted())
    labels += [f"{waiting} time point{'s are' if waiting > 1 else ' is'} being painted"] if waiting else []
    return CorrectionReply(number, APPLIED, f"{about} is applied{': ' + '; '.join(labels) if labels else ''}.")


_OF_LINKS = ("link", "unlink", "divide", "undivide", "end")
_WORDS = (("made", "made nuclei"), ("changed", "changed"), ("removed", "removed"))
